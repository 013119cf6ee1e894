# Mutations of fuzz-captures that know ZMTP: where its frames, lengths, names and metadata are in a TCP stream.
# SPDX-License-Identifier: GPL-2.0-or-later
"""A stream is what one direction of a connection carries, in the order of its packets. Marks say what lies where in it;
an edit of a mark is put into the packets that hold it, and all later packets of the connection move by the difference.
"""
import bisect
import itertools
import typing

GREETING_V2, GREETING_V3 = 12, 64  # octets
LONG, COMMAND = 2, 4  # flags of a frame
NAMES = (b"HELLO", b"WELCOME", b"INITIATE", b"READY", b"ERROR", b"MESSAGE", b"PING", b"PONG", b"SUBSCRIBE", b"CANCEL",
         b"JOIN", b"LEAVE", b"TOKEN", b"", b"X" * 255, b"\xff\xfe", b"RE\0DY", b"\xf0\x9f\x98\x80")
PROPERTIES = (b"Socket-Type", b"Identity", b"Resource", b"socket-type", b"X-\xc3\x28", b"", b"A" * 255)
MECHANISMS = (b"NULL", b"PLAIN", b"CURVE", b"GSSAPI", b"", b"CURV\xff", b"NULLNULLNULLNULLNULL")
ODD = (b"\0", b"\xff", b"\xc3\x28", b"\xed\xa0\x80", b"\xef\xbf\xbe", b"%n%s", b"\x1b[31m", b"\r\n", b"\xe2\x80\xae")


class Mark(typing.NamedTuple):
    start: int
    end: int
    what: str  # a key of EDITS


class Edit(typing.NamedTuple):
    start: int
    end: int
    octets: bytes  # what comes in place of them


def marks(stream):
    """What is where, as far as the stream is ZMTP from its start, or from the start of a frame."""
    found, place = [], 0
    if stream[:1] == b"\xff" and len(stream) > 10:
        whole = GREETING_V3 if stream[10] >= 3 else GREETING_V2
        found = [Mark(0, 1, "octet"), Mark(1, 9, "length"), Mark(10, 11, "version"), Mark(0, whole, "piece")]
        if whole == GREETING_V3:
            found += [Mark(11, 12, "version"), Mark(12, 32, "mechanism"), Mark(32, 33, "octet")]
        place = whole
    while place + 2 <= len(stream):
        flags = stream[place]
        start = place + (9 if flags & LONG else 2)
        end = start + int.from_bytes(stream[place + 1:start], "big")
        found += [Mark(place, place + 1, "flags"), Mark(place + 1, start, "length"), Mark(place, end, "frame")]
        if flags & COMMAND:
            found += command_marks(stream, start, min(end, len(stream)))
        elif end > start:
            found.append(Mark(start, end, "piece"))
        place = end
    return [mark for mark in found if mark.start < len(stream) and mark.start <= mark.end]


def command_marks(stream, start, end):
    if start >= end:
        return []
    body = start + 1 + stream[start]
    found = [Mark(start, start + 1, "octet"), Mark(start, body, "name"), Mark(body, end, "piece")]
    return found + metadata_marks(stream, body, end)


def metadata_marks(octets, place, end):
    """Of properties, if there are any at this place."""
    found = []
    while place < end:
        value = place + 1 + octets[place]
        start = value + 4
        after = start + int.from_bytes(octets[value:start], "big")
        if after > end:
            return []
        found += [Mark(place, place + 1, "octet"), Mark(place, value, "property"), Mark(value, start, "length"),
                  Mark(place, after, "piece")]
        if after > start:
            found.append(Mark(start, after, "piece"))
        place = after
    return found


def _edit_octet(rng, _):
    return bytes([rng.choice((0, 1, 0x7F, 0x80, 0xFE, 0xFF, rng.randrange(256)))])


def _edit_flags(rng, octets):
    return bytes([rng.choice((*range(8), 0xFF, octets[0] ^ 1 << rng.randrange(8)))])


def _edit_version(rng, _):
    return bytes([rng.choice((0, 1, 2, 3, 4, 0x7F, 0xFF))])


def _edit_length(rng, octets):
    bits = 8 * len(octets)
    length = int.from_bytes(octets, "big")
    chosen = rng.choice((0, 1, 0xFF, 1 << bits - 1, (1 << bits - 1) - 1, (1 << bits) - 1, 0x7FFFFFFF, 0x80000000,
                         0xFFFFFFFF, 1 << 32, length + 1, length - 1, length * 2, length // 2, rng.randrange(300)))
    return (chosen % (1 << bits)).to_bytes(len(octets), "big")


def _edit_name(rng, octets):
    name = rng.choice(NAMES)
    return rng.choice((octets[:1], bytes([len(name)]))) + name


def _edit_property(rng, octets):
    name = rng.choice(PROPERTIES)
    return rng.choice((octets[:1], bytes([len(name)]))) + name


def _edit_mechanism(rng, octets):
    return rng.choice(MECHANISMS).ljust(len(octets), b"\0")[:len(octets)]


def _edit_piece(rng, octets):
    at = rng.randrange(len(octets) + 1)
    return rng.choice((
        lambda: b"",
        lambda: octets[:at],
        lambda: octets[at:],
        lambda: octets + octets,
        lambda: octets[:at] + rng.choice(ODD) + octets[at:],
        lambda: octets[:at] + rng.choice(ODD) * rng.randrange(1, 200) + octets[at + 1:],
        lambda: octets[:at] + rng.randbytes(1) + octets[at + 1:],
        lambda: rng.randbytes(len(octets)),
        lambda: bytes(len(octets)),
        lambda: b"\xff" * len(octets),
    ))()


def _edit_frame(rng, octets):
    return rng.choice((b"", octets * 2, octets * rng.randrange(2, 20), octets[:len(octets) // 2]))


EDITS = {"octet": _edit_octet, "flags": _edit_flags, "version": _edit_version, "length": _edit_length,
         "name": _edit_name, "property": _edit_property, "mechanism": _edit_mechanism, "piece": _edit_piece,
         "frame": _edit_frame}


def edit(rng, octets, mark):
    return EDITS[mark.what](rng, octets[mark.start:mark.end])


def carriers(packets, flow):
    """The numbers of the packets with payload of this direction."""
    return [number for number, packet in enumerate(packets) if packet.payload and packet.flow == flow]


def stream_of(packets, numbers):
    return b"".join(packets[number].payload for number in numbers)


def apply(packets, numbers, edits):
    """The packets after these edits of the stream that packets of these numbers carry. Edits must not overlap."""
    payloads = {number: packets[number].payload for number in numbers}
    starts = [0, *itertools.accumulate(len(packets[number].payload) for number in numbers)]
    for change in sorted(edits, reverse=True):
        first = bisect.bisect_right(starts, change.start) - 1
        octets = change.octets
        for index in range(min(first, len(numbers) - 1), len(numbers)):
            if starts[index] > change.end or (starts[index] == change.end and index > first):
                break
            payload = payloads[numbers[index]]
            here = max(change.start - starts[index], 0)
            upto = min(change.end, starts[index + 1]) - starts[index]
            payloads[numbers[index]] = payload[:here] + octets + payload[max(upto, here):]
            octets = b""
    return with_payloads(packets, payloads)


def with_payloads(packets, payloads):
    """The packets with other payloads ({number: octets}), and sequence numbers that fit again."""
    shift, result = {}, []
    for number, packet in enumerate(packets):
        if not packet.tcp:
            result.append(packet)
            continue
        flow = packet.flow
        moved = packet.shifted(shift.get(flow, 0), shift.get(packet.reverse, 0)) if shift else packet
        if number in payloads:
            shift[flow] = shift.get(flow, 0) + len(payloads[number]) - len(packet.payload)
            moved = moved._replace(payload=payloads[number])
        result.append(moved)
    return result
