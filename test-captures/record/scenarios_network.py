# Scenarios: what TCP and the capture do to a stream: segments, loss, cuts, late starts.
# SPDX-License-Identifier: GPL-2.0-or-later

import zmq

import pcap
import relay
from harness import Failed, family, scenario, text
from scenarios_patterns import exchange

OUT_OF_ORDER = {"tcp.reassemble_out_of_order": "TRUE"}
BETWEEN_RELAYS = {"capture_filter": "tcp port {port}"}
# Outside the range that the kernel gives to other clients, and not a dissector's.
OWN_PORT = 29500


def talk(run, sizes, both_ways=True):
    """Messages of these sizes from the connector, each answered."""
    left, right, stream = run.pair(zmq.PAIR, zmq.PAIR)
    for number, size in enumerate(sizes):
        run.carry(right, left, [text(size, f"up {number}")], stream.up)
        if both_ways:
            run.carry(left, right, [text(size // 2, f"down {number}")], stream.down)
    return left, right, stream


# Segments

@family("segments of at most 1500 octets over a veth pair, messages of 0 to 20000 octets.",
        mechanisms="null curve gssapi", interface="veth", every_version="curve")
def mtu1500(run):
    talk(run, [0, 1, 100, 1000, 1400, 1448, 1500, 3000, 5000, 10000, 20000, 7])


def through_relays(run, make_cutter, sizes, at_once=False):
    relay.between(run, make_cutter)
    stream = run.stream()
    left, right = run.listen(zmq.PAIR), run.connect(zmq.PAIR)
    if not at_once:
        for size in sizes:
            run.carry(right, left, [text(size, "up")], stream.up)
            run.carry(left, right, [text(size, "down")], stream.down)
        return
    for source, target, log in ((right, left, stream.up), (left, right, stream.down)):
        for size in sizes:
            source.send(text(size))
            log.append(text(size))
        for size in sizes:
            run.expect(target, [text(size)])


@scenario("NULL: every octet of the handshake in a segment of its own.", mechanism="null",
          **BETWEEN_RELAYS)
def split_octets_null(run):
    through_relays(run, lambda: relay.Octets(130), [5, 300])


@scenario("CURVE: every octet of the handshake in a segment of its own.", mechanism="curve",
          every_version=True, **BETWEEN_RELAYS)
def split_octets_curve(run):
    through_relays(run, lambda: relay.Octets(600), [5, 300])


@scenario("NULL: as much in one segment as the protocol allows.", mechanism="null",
          **BETWEEN_RELAYS)
def whole_in_one_null(run):
    through_relays(run, relay.Gather, [5, 0, 300, 80, 20], at_once=True)


@scenario("CURVE: as much in one segment as the protocol allows.", mechanism="curve",
          **BETWEEN_RELAYS)
def whole_in_one_curve(run):
    through_relays(run, relay.Gather, [5, 0, 300, 80, 20], at_once=True)


@scenario("NULL: 30 frames of 1000 octets, each long header cut after 1 to 8 of its octets.",
          mechanism="null", **BETWEEN_RELAYS)
def split_header_null(run):
    through_relays(run, relay.LongHeaders, [1000] * 30, at_once=True)


@scenario("CURVE: 30 frames of 1000 octets, each long header cut after 1 to 8 of its octets.",
          mechanism="curve", **BETWEEN_RELAYS)
def split_header_curve(run):
    through_relays(run, relay.LongHeaders, [1000] * 30, at_once=True)


@scenario("CURVE: the whole stream in segments of 1 to 40 octets.", mechanism="curve",
          **BETWEEN_RELAYS)
def split_random_curve(run):
    through_relays(run, lambda: relay.RandomPieces(7, 40), [0, 1, 5, 300, 2000, 10])


@scenario("GSSAPI: the whole stream in segments of 1 to 40 octets.", **BETWEEN_RELAYS)
def gssapi_split_random(run):
    through_relays(run, lambda: relay.RandomPieces(7, 40), [0, 1, 5, 300, 2000, 10])


@scenario("GSSAPI: as much in one segment as the protocol allows.", **BETWEEN_RELAYS)
def gssapi_whole_in_one(run):
    through_relays(run, relay.Gather, [5, 0, 300, 80, 20], at_once=True)


# Loss and reordering, each packet really crossing a link that does this

LONG_TALK = [40 + 130 * number % 3100 for number in range(60)]


def flood(run):
    """Many frames under way at once: else nothing is behind a lost packet, or to overtake."""
    left, right, stream = run.pair(zmq.PAIR, zmq.PAIR)
    for source, target, log in ((right, left, stream.up), (left, right, stream.down)):
        frames = [text(size, f"message {number}") for number, size in enumerate(LONG_TALK)]
        for frame in frames:
            source.send(frame)
            log.append(frame)
        for frame in frames:
            run.expect(target, [frame])
    if not run.link.lost + run.link.reordered:
        raise Failed("the link did nothing")


@family("5 % of the packets are lost, some before and some after the capture point; TCP repeats.",
        mechanisms="null curve gssapi", interface={"seed": 11, "lose_up": 0.05, "lose_down": 0.05},
        options=OUT_OF_ORDER)
def loss(run):
    flood(run)


@family("packets are lost behind the capture point: the capture has them, and their repetition.",
        mechanisms="curve", interface={"seed": 3, "lose_up": 0.08}, options=OUT_OF_ORDER)
def retransmit(run):
    flood(run)


@family("packets overtake each other on the way.", mechanisms="null curve",
        interface={"seed": 9, "reorder": 0.1}, options=OUT_OF_ORDER)
def reorder(run):
    flood(run)


# Captures that lack something

@family("the capture starts after the handshake, between messages.", mechanisms="null curve gssapi",
        late=True, whole=False, every_version="curve")
def mid_start(run):
    left, right, stream = talk(run, [20, 30])
    run.settle()
    run.start_capture()
    for number, size in enumerate([10, 100, 300, 2000, 0, 5]):
        run.carry(right, left, [text(size, f"seen {number}")], stream.up)
        run.carry(left, right, [b"a", text(size, f"seen too {number}")], stream.down)


@family("the capture ends in the middle of a large frame.", mechanisms="null curve gssapi", whole=False,
        interface="lo1500", packet_limit=60)
def cut_end(run):
    talk(run, [10, 50, 200000])


@family("a capture with 200 octets of each packet.", mechanisms="null curve gssapi", whole=False,
        snaplen=200, every_version="curve")
def snaplen(run):
    left, right, stream = talk(run, [10, 100, 150, 500, 3000, 20])
    run.carry(right, left, [b"first", text(400, "second"), b"third"], stream.up)


@scenario("GSSAPI: 900 octets of each packet: the tokens that hold the keys are whole, large frames are not.",
          whole=False, snaplen=900)
def gssapi_snaplen_900(run):
    left, right, stream = talk(run, [10, 100, 700, 3000, 20])
    run.carry(right, left, [b"first", text(2000, "second"), b"third"], stream.up)


def lose_packets(path):
    """Take some packets with payload out of the capture, as a capturing machine may."""
    header, packets = pcap.read(path)
    loaded = [place for place, packet in enumerate(packets) if len(pcap.payload(packet)) > 60]
    gone = {loaded[len(loaded) * part // 10] for part in (5, 7)}
    pcap.write(path, header, [packet for place, packet in enumerate(packets)
                              if place not in gone])


@family("two segments are missing from the capture, though not from the connection.",
        mechanisms="null curve gssapi", whole=False, interface="lo1500")
def lost_packet(run):
    talk(run, [30 + 370 * number % 2900 for number in range(25)])
    run.after_capture(lose_packets)


# One four-tuple, several connections

@family("three connections one after another between the same two ports.",
        mechanisms="null curve gssapi", every_version="curve")
def same_port(run):
    for number in range(3):
        rep = run.listen(zmq.REP)
        req = run.socket(zmq.REQ, **run.client_options())
        req.connect(f"tcp://{run.host}:{OWN_PORT};{run.host}:{run.port}")
        exchange(run, rep, req, run.stream(), [b"connection %d" % number], [b"answer %d" % number])
        # The server ends first, and so keeps the TIME-WAIT; a new SYN may end that.
        run.close(rep)
        run.settle(0.05)
        run.close(req)
        run.settle(0.05)
