# The mutations of fuzz-captures. The same random numbers make the same capture.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Each kind is a function (rng, packets, more) -> packets, where `more` is a Material. Octet errors of whole packets
are editcap's, and a file that ends within a packet is made when it is written."""
import itertools
import typing

from fuzz_captures_packets import LARGEST_SEGMENT, Packet
from fuzz_captures_seal import resealed
from fuzz_captures_streams import Edit, apply, carriers, edit, marks, stream_of, with_payloads

FIN, SYN, RST, PSH, ACK, URG = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
SNAP_LENGTHS = (0, 1, 19, 20, 39, 40, 52, 53, 54, 60, 68, 96, 128, 256, 500)
MOST_SMALL_SEGMENTS = 400  # of one capture


class Material(typing.NamedTuple):
    """What mutations need besides the capture."""
    other: list  # the packets of another capture
    keys: list  # the session keys of the capture, as octets


def with_payload(packets):
    return [number for number, packet in enumerate(packets) if packet.payload]


def some(rng, numbers, most=4):
    return set(rng.sample(numbers, min(len(numbers), rng.randint(1, most)))) if numbers else set()


def a_flow(rng, packets):
    """(numbers of its packets with payload, its octets) of one direction, or of none."""
    flows = list(dict.fromkeys(packet.flow for packet in packets if packet.payload))
    numbers = carriers(packets, rng.choice(flows)) if flows else []
    return numbers, stream_of(packets, numbers)


def starts_late(rng, packets, _):
    return packets[rng.randrange(len(packets)):]


def ends_early(rng, packets, _):
    return packets[:rng.randint(1, len(packets))]


def snapped(rng, packets, _):
    """As captured with a snap length; for some captures, of some packets only."""
    length = rng.choice(SNAP_LENGTHS)
    every = rng.random() < 0.5
    return [snap(packet, length) if every or rng.random() < 0.3 else packet for packet in packets]


def snap(packet, length):
    room = length - len(packet.ip) - len(packet.tcp)
    if not packet.tcp or room >= len(packet.payload):
        return packet
    if room >= 0:
        return packet._replace(payload=packet.payload[:room], missing=packet.missing + len(packet.payload) - room)
    whole = packet.ip + packet.tcp  # the IP header still tells the old length
    lost = len(whole) - max(length, 1) + len(packet.payload) + packet.missing
    return Packet(packet.seconds, packet.microseconds, whole[:max(length, 1)], missing=lost)


def reordered(rng, packets, _):
    result = list(packets)
    if rng.random() < 0.2:
        rng.shuffle(result)
        return result
    for number in some(rng, range(len(result)), most=8):
        packet = result.pop(number)
        result.insert(min(number + rng.randint(1, 5), len(result)), packet)
    return result


def dropped(rng, packets, _):
    gone = some(rng, range(len(packets)), most=max(1, len(packets) // 5))
    return [packet for number, packet in enumerate(packets) if number not in gone] or packets


def repeated(rng, packets, _):
    """Packets come twice, some of them later and with other octets than the first time."""
    result = list(packets)
    for number in some(rng, range(len(result)), most=8):
        again = result[number]
        if again.payload and rng.random() < 0.3:
            again = again._replace(payload=rng.randbytes(len(again.payload)))
        elif again.payload and rng.random() < 0.4:  # a longer one, or one that begins later
            extra = rng.randrange(1, 50)
            again = again._replace(payload=again.payload + rng.randbytes(extra)) if rng.random() < 0.5 else \
                again.shifted(extra, 0)
        result.insert(number + rng.randint(1, 6), again)
    return result


def spliced(rng, packets, more):
    """From somewhere on, the payload of another capture goes on in a direction of this one; or in both."""
    result = packets
    for _ in range(rng.choice((1, 1, 2))):
        numbers, _ = a_flow(rng, result)
        _, theirs = a_flow(rng, more.other)
        if not numbers or not theirs:
            break
        start = rng.randrange(len(numbers))
        theirs = theirs[rng.choice((0, 0, rng.randrange(len(theirs)))):]
        payloads = {number: b"" for number in numbers[start:]}
        pieces = cut(rng, theirs, len(payloads))
        payloads.update(zip(payloads, pieces))
        result = with_payloads(result, payloads)
    return result


def cut(rng, octets, count):
    """So many pieces, and nothing of the octets left over, unless that is too much for a segment."""
    ends = sorted(rng.randint(0, len(octets)) for _ in range(count - 1))
    return [octets[start:end][:LARGEST_SEGMENT] for start, end in zip([0, *ends], [*ends, len(octets)])]


def zmtp(rng, packets, _):
    """Lengths, flags, names, versions, metadata, and pieces of frames."""
    numbers, stream = a_flow(rng, packets)
    found = marks(stream)
    if not found:
        return octets_of_payload(rng, packets, _)
    edits, end = [], 0
    for mark in sorted(some(rng, found[:rng.choice((8, 40, 400))])):
        if mark.start >= end:
            edits.append(Edit(mark.start, mark.end, edit(rng, stream, mark)[:LARGEST_SEGMENT // 8]))
            end = mark.end
    return fitting(packets, apply(packets, numbers, edits))


def behind_boxes(rng, packets, more):
    """CURVE boxes hold something else, and the session key opens them still."""
    numbers, stream = a_flow(rng, packets)
    edits = resealed(rng, stream, marks(stream), more.keys) if more.keys else []
    if not edits:
        return zmtp(rng, packets, more)
    return fitting(packets, apply(packets, numbers, edits))


def commands_swapped(rng, packets, _):
    """Frames, or the greeting and a frame, change places."""
    numbers, stream = a_flow(rng, packets)
    frames = [mark for mark in marks(stream) if mark.what == "frame" and mark.end <= len(stream)][:30]
    if len(frames) < 2:
        return reordered(rng, packets, _)
    chosen = sorted(rng.sample(frames, 2))
    pieces = [stream[mark.start:mark.end] for mark in reversed(chosen)]
    return fitting(packets, apply(packets, numbers, [Edit(mark.start, mark.end, piece)
                                                     for mark, piece in zip(chosen, pieces)]))


def octets_of_payload(rng, packets, _):
    """Random errors in the payload, a few or many."""
    share = rng.choice((0.0005, 0.002, 0.01, 0.05))
    payloads = {}
    for number in with_payload(packets):
        octets = bytearray(packets[number].payload)
        for _ in range(rng.choice((0, 0, 1)) + int(len(octets) * share)):
            octets[rng.randrange(len(octets))] = rng.choice((0, 0xFF, rng.randrange(256)))
        payloads[number] = bytes(octets)
    return with_payloads(packets, payloads)


def fitting(packets, mutated):
    """The mutated packets, unless one has become too large for a segment."""
    return mutated if all(len(packet.payload) <= LARGEST_SEGMENT for packet in mutated) else packets


def resegmented(rng, packets, _):
    """The same octets in other segments: one octet each, all in one, or any."""
    size = rng.choice((1, 1, 2, 3, 9, 64, None, None, "random"))
    if size is None:
        return joined(packets)
    result, room = [], MOST_SMALL_SEGMENTS
    for packet in packets:
        if len(packet.payload) < 2 or room <= 0:
            result.append(packet)
            continue
        step = size if size != "random" else rng.randint(1, len(packet.payload))
        pieces = [packet.payload[start:start + step] for start in range(0, len(packet.payload), step)]
        if len(pieces) > room:
            pieces[room:] = [b"".join(pieces[room:])]
        room -= len(pieces)
        starts = itertools.accumulate((len(piece) for piece in pieces), initial=0)
        last = len(pieces) - 1
        result += [packet.shifted(start, 0)._replace(payload=piece, missing=packet.missing if number == last else 0)
                   for number, (start, piece) in enumerate(zip(starts, pieces))]
    return result


def joined(packets):
    """Each packet takes up those of its direction that follow, up to one of the other direction with payload."""
    result, last = [], None
    for packet in packets:
        if packet.payload:
            if last is not None and result[last].flow == packet.flow and not result[last].missing and \
                    result[last].seq + len(result[last].payload) == packet.seq and \
                    len(result[last].payload) + len(packet.payload) <= LARGEST_SEGMENT:
                result[last] = result[last]._replace(payload=result[last].payload + packet.payload,
                                                     missing=packet.missing)
                continue
            last = len(result)
        result.append(packet)
    return result


def tcp_headers(rng, packets, _):
    """Flags, numbers and options that lie; the ports stay, so that the connection does."""
    result = list(packets)
    for number in some(rng, range(len(result)), most=6):
        packet = result[number]
        if not packet.tcp:
            continue
        header = bytearray(packet.tcp)
        what = rng.randrange(5)
        if what == 0:
            header[13] ^= rng.choice((FIN, SYN, RST, PSH, ACK, URG, FIN | SYN))
        elif what == 1:
            seq = packet.seq + rng.choice((-1, 1, 2, -100, 100, 70000, 1 << 31))
            header[4:8] = (seq & 0xFFFFFFFF).to_bytes(4, "big")
        elif what == 2:
            header[8:12] = rng.randbytes(4)
        elif what == 3:
            header[18:20] = rng.randrange(4).to_bytes(2, "big")
            header[13] |= URG
        else:
            header[20:] = rng.randbytes(len(header) - 20)
        result[number] = packet._replace(tcp=bytes(header))
    return result


KINDS = {
    "starts late": starts_late, "ends early": ends_early, "snap length": snapped, "reordered": reordered,
    "dropped": dropped, "repeated": repeated, "spliced": spliced, "zmtp": zmtp, "commands swapped": commands_swapped,
    "behind boxes": behind_boxes,
    "payload octets": octets_of_payload, "other segments": resegmented, "tcp headers": tcp_headers,
}
OFTEN = ("zmtp", "zmtp", "zmtp", "behind boxes", "behind boxes", "behind boxes", "commands swapped", "payload octets",
         "other segments")  # what reaches deepest


def mutate(rng, packets, more):
    """(packets, the kinds of mutation that they have)."""
    kinds = [rng.choice((*KINDS, *OFTEN)) for _ in range(rng.choice((1, 1, 1, 2, 2, 3)))]
    for kind in kinds:
        packets = KINDS[kind](rng, packets, more)
    return packets, kinds
