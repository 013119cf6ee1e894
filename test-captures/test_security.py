# What the plugin warns of: each finding from real peers or hand-built octets, and near misses that are healthy.
# SPDX-License-Identifier: GPL-2.0-or-later
import copy
import io
import itertools
import pickle
import pickletools
import random
import struct

import pytest

from corpus import HERE
from pcap_writer import PACKET_HEADER, Stream, records, save
from pdml import experts, tcp
from pdml import number as frame_of
from retell import said, tell
from zmtp_bytes import command, frame, greeting, greeting_2_0, message, metadata, null_session, ready

CURVE = "zmtp.curvezmq."
REPEATED, FALLING, UNEXPECTED, BYTE_ORDER = (
    CURVE + "nonce_" + name for name in ("repeated", "not_increasing", "unexpected", "byte_order"))
REUSED, PADDING, VERSION, LONG = (
    CURVE + name for name in ("transient_key_reused", "padding_not_zero", "version.unknown", "initiate_long"))
COOKIE, VOUCH, DAMAGED = (CURVE + name for name in ("cookie_changed", "vouch_mismatch", "damaged"))
UNSECURED, DOWNGRADE = "zmtp.security.unsecured_session", "zmtp.greeting.downgrade"
PLAIN_IN_CLEAR, ON_NETWORK, PICKLE = "zmtp.plain.credentials", "zmtp.null.unauthenticated", "zmtp.data.pickle"
LARGE, SAME_IDENTITY = "zmtp.handshake.large_frame", "zmtp.metadata.identity_repeated"
NO_IDENTITY = "zmtp.metadata.identity_missing"
LOST, EXPIRED = "zmtp.heartbeat.lost", "zmtp.heartbeat.expired"
AT_ONCE = {REPEATED, FALLING, UNEXPECTED, BYTE_ORDER, REUSED, PADDING, VERSION, LONG, COOKIE, VOUCH, DAMAGED, UNSECURED,
           DOWNGRADE, PLAIN_IN_CLEAR, ON_NETWORK, PICKLE, LARGE, SAME_IDENTITY, NO_IDENTITY}
IN_THE_END = {LOST, EXPIRED}  # known when the connection has ended: shown from the second pass on


def seen(tshark, capture, *arguments, keys=None):
    """The packets and these findings of two passes, after checking that one pass finds the same at once."""
    one, two = (tshark.packets(capture, *arguments, *passes, keys=keys) for passes in ((), ("-2",)))
    at_once = [[(item.frame, item.name, item.message) for item in experts(packets) if item.name in AT_ONCE]
               for packets in (one, two)]
    assert at_once[0] == at_once[1]
    return two, [item for item in experts(two) if item.name in AT_ONCE | IN_THE_END]


def found(tshark, capture, *arguments, keys=None):
    """The names of the findings."""
    return [item.name for item in seen(tshark, capture, *arguments, keys=keys)[1]]


def found_at(tshark, capture):
    """{server's port: the same}, so that one capture can hold many cases. Servers have the lower ports."""
    packets, items = seen(tshark, capture)
    ports = {frame_of(packet): min(int(tcp(packet, "srcport")), int(tcp(packet, "dstport"))) for packet in packets}
    names = {}
    for item in items:
        names.setdefault(ports[item.frame], []).append(item.name)
    return names


def text_of(tshark, capture, name):
    return [item.message for item in experts(tshark.packets(capture)) if item.name == name]


# Real peers

REAL = {
    "curve-raw-client": [], "curve-nonce-gaps": [], "curve-retransmit": [], "curve-loss": [], "curve-reorder": [],
    "curve-reconnect": [], "curve-same-port": [], "whole-in-one-curve": [], "whole-in-one-null": [],
    "raw-too-early": [], "null-metadata": [], "null-then-curve": [], "null-identity-again": [],
    "curve-identity-again": [], "null-router-router": [], "null-ping-then-close": [], "curve-ping-then-close": [],
    "null-heartbeat": [], "curve-pickle": [], "curve-sizes": [], "curve-server-killed": [], "raw-pong-other": [],
    "curve-hello-nonce": [UNEXPECTED], "curve-nonce-repeated": [REPEATED], "curve-message-replayed": [REPEATED],
    "curve-nonce-falls": [FALLING], "curve-transient-twice": [REUSED], "curve-hello-version": [VERSION],
    "curve-hello-padding": [PADDING], "curve-long-initiate": [LONG], "curve-long-identity": [LONG],
    "curve-cookie-changed": [COOKIE], "curve-cookie-of-another": [COOKIE], "curve-vouch-client": [VOUCH],
    "curve-vouch-server": [VOUCH], "curve-vouch-garbage": [VOUCH], "curve-message-damaged": [DAMAGED],
    "curve-then-null": [UNSECURED], "curve-then-plain": [UNSECURED], "plain-then-null": [UNSECURED],
    "curve-then-zmtp20": [UNSECURED, DOWNGRADE], "raw-zmtp10": [DOWNGRADE], "raw-zmtp20": [DOWNGRADE],
    "null-pickle": [PICKLE] * 6, "null-veth": [ON_NETWORK], "plain-veth": [PLAIN_IN_CLEAR],
    "raw-large-ready": [LARGE], "null-identity-repeated": [SAME_IDENTITY], "curve-identity-repeated": [SAME_IDENTITY],
    "null-router-no-identity": [NO_IDENTITY], "null-heartbeat-lost": [LOST], "curve-heartbeat-lost": [LOST],
    "raw-no-pong": [LOST], "null-heartbeat-ttl": [EXPIRED], "curve-heartbeat-ttl": [EXPIRED],
}


@pytest.mark.parametrize("name", REAL)
def test_real_peers(tshark, folder, name):
    base = HERE / "libzmq-4.3.4" / name
    lines = "".join(file.read_text() for file in sorted(base.parent.glob(name + "*.keys")))
    keys = folder / "both.keys"
    keys.write_text(lines)
    tshark.hand_over(keys)
    for preference in ("TRUE", "FALSE") if name in ("curve-retransmit", "curve-loss", "curve-reorder") else ("FALSE",):
        assert found(tshark, base.with_suffix(".pcap"), "-o", f"tcp.reassemble_out_of_order:{preference}",
                     keys=keys if lines else None) == REAL[name]


# CURVE without keys

KEY = bytes(range(32))


def hello(nonce=1, key=KEY, order="big", box=bytes(80)):
    return command(b"HELLO", b"\1\0" + bytes(72) + key + nonce.to_bytes(8, order) + box)


def welcome(octet=1):
    return command(b"WELCOME", bytes([octet]) * 160)


def initiate(nonce=2, order="big", size=0):
    return command(b"INITIATE", bytes(96) + nonce.to_bytes(8, order) + bytes(144 + size))


def curve_ready(nonce=1, order="big"):
    return command(b"READY", nonce.to_bytes(8, order) + bytes(30))


def boxed(nonce, order="big"):
    return frame(b"\7MESSAGE" + nonce.to_bytes(8, order) + bytes(30))


def curve_session(stream=None, order="big", client=(1, 2), server=1, key=KEY):
    stream = stream or Stream()
    stream.client(greeting(b"CURVE")).server(greeting(b"CURVE")).client(hello(client[0], key, order)).server(welcome())
    return stream.client(initiate(client[1], order)).server(curve_ready(server, order))


NONCES = {
    "rising": (3, 4, 5, []), "jumping": (3, 300, 2**40, []), "repeated": (3, 3, 4, [REPEATED]),
    "falling": (3, 9, 4, [FALLING]), "falling twice": (9, 4, 5, [FALLING, FALLING]),
    "as INITIATE": (2, 3, 4, [REPEATED]),
    "256": (254, 255, 256, []), "65536": (65535, 65536, 65537, []), "2^32": (2**32 - 1, 2**32, 2**32 + 1, []),
}


@pytest.mark.parametrize("kind", NONCES)
@pytest.mark.parametrize("order", ["big", "little"])
def test_nonces_rise(tshark, folder, kind, order):
    *nonces, wanted = NONCES[kind]
    stream = curve_session(order=order)
    for nonce in nonces:
        stream.client(boxed(nonce, order))
    wanted = [BYTE_ORDER] * 2 * (order == "little") + wanted
    assert found(tshark, save(folder / "nonces.pcap", stream)) == wanted


@pytest.mark.parametrize("first", [0, 5, 2**31, 0x7F3412345678])
def test_sessions_of_libzmq_4_0_count_from_anywhere_in_host_order(tshark, folder, first):
    stream = curve_session(order="little", client=(first, first + 1), server=first)
    for nonce in range(2, 300):
        stream.client(boxed(first + nonce, "little")).server(boxed(first + nonce, "little"))
    assert set(found(tshark, save(folder / "host.pcap", stream))) <= {BYTE_ORDER, UNEXPECTED}


def test_a_capture_that_begins_late_and_one_of_each_direction(tshark, folder):
    stream = Stream(opened=False)
    for nonce in (1000, 1001, 1005):
        stream.client(boxed(nonce)).server(boxed(nonce - 900))
    assert found(tshark, save(folder / "late.pcap", stream)) == []
    stream.server(boxed(100))
    assert found(tshark, save(folder / "falls.pcap", stream)) == [FALLING]


def test_octets_that_are_captured_twice_are_no_replay(tshark, folder):
    stream = curve_session()
    for nonce in range(3, 9):
        stream.client(boxed(nonce))
    twice = copy.copy(stream)
    twice.packets = [packet for packet in stream.packets for _ in range(2)]
    late = copy.copy(stream)
    late.packets = stream.packets[:-4] + stream.packets[-1:] + stream.packets[-4:-1] + stream.packets[-6:]
    for number, one in enumerate((twice, late)):
        for preference in ("TRUE", "FALSE"):
            capture = save(folder / f"again{number}.pcap", one)
            assert found(tshark, capture, "-o", f"tcp.reassemble_out_of_order:{preference}") == []


def test_nonces_behind_missing_data_may_jump(tshark, folder):
    stream = curve_session().client(boxed(3)).client(boxed(4), lost=True).client(boxed(5)).client(boxed(6))
    assert found(tshark, save(folder / "lost.pcap", stream)) == []


@pytest.mark.parametrize("client, server, wanted", [
    ((1, 2), 1, []), ((5, 6), 1, [UNEXPECTED]), ((1, 7), 1, [UNEXPECTED]), ((1, 2), 2, [UNEXPECTED]),
    ((2, 1), 1, [UNEXPECTED, FALLING])])
def test_nonces_of_the_handshake(tshark, folder, client, server, wanted):
    assert found(tshark, save(folder / "handshake.pcap", curve_session(client=client, server=server))) == wanted


def test_the_same_transient_key(tshark, folder):
    again, other = Stream(client_port=40002), Stream(client_port=40003)
    capture = save(folder / "again.pcap", curve_session(), curve_session(again), curve_session(other, key=bytes(32)))
    assert found(tshark, capture) == [REUSED]
    assert "frame 6 (TCP stream 0) with the same octets" in text_of(tshark, capture, REUSED)[0]
    changed = Stream(client_port=40002).client(greeting(b"CURVE")).server(greeting(b"CURVE"))
    changed.client(hello(box=b"1" * 80))
    capture = save(folder / "changed.pcap", curve_session(), changed)
    assert found(tshark, capture) == [REUSED]
    assert "same octets" not in text_of(tshark, capture, REUSED)[0]


def two_legs(answers):
    """A connection to a proxy, and the proxy's to the server, as a capture on the proxy has them."""
    legs = [Stream(), Stream(port=20002, client_port=40002, hosts=("192.0.2.2", "192.0.2.3"))]
    both, order = Stream(opened=False), []

    def pass_on(*whos):
        for leg in whos:
            order.extend(legs[leg].packets[len(done[leg]):])
            done[leg] = list(legs[leg].packets)

    done = [[], []]
    for leg in legs:
        leg.client(greeting(b"CURVE")).server(greeting(b"CURVE")).client(hello())
    pass_on(0, 1)
    legs[1].server(welcome(answers[1]))
    legs[0].server(welcome(answers[0]))
    pass_on(1, 0)
    for leg in legs:
        leg.client(initiate())
    pass_on(0, 1)
    both.packets = order
    return both


def test_two_legs_of_a_proxy_are_one_connection(tshark, folder):
    assert found(tshark, save(folder / "proxy.pcap", two_legs((1, 1)))) == []
    assert found(tshark, save(folder / "replay.pcap", two_legs((1, 2)))) == [REUSED]


def test_initiate_of_513_octets_is_not_long(tshark, folder):
    start = curve_session().packets[:8]
    for size, wanted in ((513, []), (514, [LONG])):
        stream = Stream().client(greeting(b"CURVE")).server(greeting(b"CURVE")).client(hello()).server(welcome())
        assert len(stream.packets) == len(start) - 1
        stream.client(initiate(size=size - 257))
        assert found(tshark, save(folder / f"{size}.pcap", stream)) == wanted


# Boxes that were changed on the way, with the right keys

def flip(octets, place):
    return octets[:place] + bytes([octets[place] ^ 1]) + octets[place + 1:]


@pytest.mark.parametrize("what", ["READY", "MESSAGE"])
def test_one_changed_bit_is_damage(tshark, folder, what):
    base = HERE / "libzmq-4.3.4" / "curve-req-rep"
    events = said(base.with_suffix(".pcap"))
    changed = next(number for number, (_, octets) in enumerate(events) if what.encode() in octets[:12])
    events[changed] = (events[changed][0], flip(events[changed][1], -1 + len(events[changed][1])))
    capture = save(folder / "damaged.pcap", tell(events, hosts=("127.0.0.1", "127.0.0.1")))
    assert found(tshark, capture, keys=base.with_suffix(".keys")) == [DAMAGED]


# Sessions without security

def plain_hello(password=b"secret"):
    return command(b"HELLO", b"\5admin" + bytes([len(password)]) + password)


def plain_session(stream, password=b"secret"):
    stream.client(greeting(b"PLAIN")).server(greeting(b"PLAIN")).client(plain_hello(password))
    stream.server(command(b"WELCOME")).client(command(b"INITIATE", metadata(socket_type=b"DEALER")))
    return stream.server(command(b"READY", metadata(socket_type=b"ROUTER")))


HOSTS = {"loopback": ("127.0.0.1", "127.0.0.1"), "two of loopback": ("127.0.0.1", "127.1.2.3"), "IPv6": ("::1", "::1"),
         "mapped": ("::ffff:127.0.0.1", "::ffff:127.0.0.1"), "one machine": ("192.0.2.1", "192.0.2.1"),
         "network": ("192.0.2.1", "192.0.2.2"), "network 6": ("fd00::1", "fd00::2"), "10.": ("10.0.0.1", "10.0.0.2")}


@pytest.mark.parametrize("where", HOSTS)
def test_what_crosses_a_network_in_the_clear(tshark, folder, where):
    greeted, plain, null, empty, old = (Stream(port=20001 + number, hosts=HOSTS[where]) for number in range(5))
    greeted.client(greeting_2_0(5)).server(greeting_2_0(6))
    old.client(greeting_2_0(5)).server(greeting_2_0(6)).client(frame(b"one")).server(frame(b"two"))
    streams = (greeted, plain_session(plain), null_session(null, up=[(b"one",)], down=[(b"two",)]),
               plain_session(empty, password=b""), old)
    on_network = where[:7] == "network" or where == "10."
    assert found_at(tshark, save(folder / "clear.pcap", *streams)) == (
        {20002: [PLAIN_IN_CLEAR], 20003: [ON_NETWORK], 20005: [ON_NETWORK]} if on_network else {})


LOCAL = ("127.0.0.1", "127.0.0.1")


def test_the_order_of_secured_and_unsecured_sessions(tshark, folder):
    keys = itertools.count(1)

    def curve(stream):
        return curve_session(stream, key=bytes([next(keys)] * 32))

    def half(stream):
        return stream.client(greeting()).server(greeting())

    orders = [((curve, null_session), [UNSECURED]), ((null_session, curve), []),
              ((null_session, curve, null_session), [UNSECURED]), ((curve, plain_session), [UNSECURED]),
              ((plain_session, curve), []), ((plain_session, plain_session), []), ((curve, half), []),
              # Each on a port of its own
              ((null_session,), []), ((plain_session,), []), ((curve,), []), ((null_session,), [])]
    streams = [kind(Stream(port=port, client_port=40001 + number, hosts=LOCAL))
               for port, (kinds, _) in enumerate(orders, 20001) for number, kind in enumerate(kinds)]
    assert found_at(tshark, save(folder / "order.pcap", *streams)) == {
        port: wanted for port, (_, wanted) in enumerate(orders, 20001) if wanted}


# Pickles

OBJECTS = [5, "text", [1, 2.5, "a"], {"a": [b"x", None, True]}, ("t",), {1, 2}, list(range(3000)), "x" * 70000,
           [b"y" * 70000, "z" * 300], complex(1, 2), ValueError("no"), range(5)]


@pytest.mark.parametrize("version", [2, 3, 4, 5])
def test_pickles_are_found(tshark, folder, version):
    pickles = [pickle.dumps(item, version) for item in OBJECTS]
    null = null_session(Stream(hosts=LOCAL), up=[(b"topic", octets) for octets in pickles])
    plain = plain_session(Stream(port=20002, hosts=LOCAL))
    for octets in pickles:
        plain.client(frame(octets))
    assert found_at(tshark, save(folder / "pickles.pcap", null, plain)) == {20001: [PICKLE] * len(pickles)}


def is_program(octets):
    try:
        pickletools.dis(octets, io.StringIO())
    except (ValueError, IndexError, KeyError):
        return False
    return True


def test_what_only_looks_like_a_pickle_is_none(tshark, folder):
    chance = random.Random(1)
    good = [pickle.dumps(OBJECTS[3], version) for version in (2, 3, 4, 5)]
    bad = [octets[:-1] for octets in good] + [octets + b"." for octets in good] + [octets[1:] for octets in good]
    bad += [bytes([0x80, version]) + rest + b"." for version in (0, 1, 2, 3, 4, 5, 6)
            for rest in (b"", b"N", b"..", b"\xff\xff", b"hello world", bytes(20), b"(((((((")]
    bad += [octets[:3] + struct.pack("<Q", 2**63) + octets[11:] for octets in good[2:]]
    bad += [bytes([0x80, chance.randrange(2, 6)]) + chance.randbytes(chance.randrange(1, 60)) + b"."
            for _ in range(1500)]
    bad += [bytes([0x80, version, 0x95]) + struct.pack("<Q", 21) + chance.randbytes(20) + b"."
            for version in (4, 5) for _ in range(400)]
    session = null_session(Stream(hosts=LOCAL))
    for start in range(0, len(bad), 20):
        session.client(b"".join(message(octets) for octets in bad[start:start + 20]))
    names = found(tshark, save(folder / "bad.pcap", session))
    assert len(names) < 5  # of 2300 that begin and end so
    assert len(names) <= len([octets for octets in bad[-2300:] if is_program(octets)])


# Large frames

@pytest.mark.parametrize("size, wanted", [(8000, []), (9000, [LARGE])])
def test_large_frames_before_the_end_of_the_handshake(tshark, folder, size, wanted):
    large = ready(b"DEALER", x_large=bytes(size))
    stream = Stream(hosts=LOCAL).client(greeting()).server(greeting()).client(large).server(ready(b"ROUTER"))
    stream.client(frame(bytes(20000)))
    assert found(tshark, save(folder / "large.pcap", stream)) == wanted


def test_large_messages_behind_the_handshake_are_healthy(tshark, folder):
    early, late, lost, ticket = (Stream(port=20001 + number, hosts=LOCAL, opened=number != 1) for number in range(4))
    early.client(greeting()).server(greeting()).client(ready(b"DEALER") + frame(bytes(20000))).server(ready(b"ROUTER"))
    late.client(frame(bytes(20000)))
    lost.client(greeting()).server(greeting()).client(ready(b"DEALER"), lost=True).client(frame(bytes(20000)))
    ticket.client(greeting(b"GSSAPI")).server(greeting(b"GSSAPI"))
    ticket.client(command(b"INITIATE", struct.pack("!I", 20000) + bytes(20000)))
    assert found_at(tshark, save(folder / "large.pcap", early, late, lost, ticket)) == {}


# Identities

def with_identity(stream, identity, client=b"DEALER", server=b"ROUTER", end=False, swap=False):
    stream.client(greeting()).server(greeting())
    told = {"identity": identity} if identity is not None else {}
    mine, others = ready(client, **told), ready(server)
    stream.client(others if swap else mine).server(mine if swap else others)
    return stream.fin() if end else stream


IDENTITIES = [  # of the peers of one port
    ([{"identity": b"a"}, {"identity": b"a"}], [SAME_IDENTITY]),
    ([{"identity": b"a"}, {"identity": b"b"}], []),
    ([{"identity": b""}, {"identity": b""}], []),
    ([{"identity": b"a", "end": True}, {"identity": b"a"}], []),
    ([{"identity": b"a", "server": b"REP", "client": b"REQ"}] * 2, []),
    # Two ROUTERs connect to one DEALER.
    ([{"identity": b"a", "swap": True}] * 2, []),
    ([{"identity": b"a", "client": b"ROUTER"}], [NO_IDENTITY]),
    ([{"identity": None, "client": b"ROUTER"}], [NO_IDENTITY] * 2),
]


def test_identities_of_the_peers_of_one_router(tshark, folder):
    streams = [with_identity(Stream(port=port, client_port=40001 + number, hosts=LOCAL), **peer)
               for port, (peers, _) in enumerate(IDENTITIES, 20001) for number, peer in enumerate(peers)]
    assert found_at(tshark, save(folder / "identities.pcap", *streams)) == {
        port: wanted for port, (_, wanted) in enumerate(IDENTITIES, 20001) if wanted}


# Heartbeats

def later(capture, number, seconds):
    """Moves the packets from this number on to a later time."""
    header, packets = records(capture.read_bytes())
    for place, packet in enumerate(packets[number - 1:], number - 1):
        time, micro = struct.unpack_from("<II", packet)
        total = time * 1000000 + micro + int(seconds * 1000000)
        packets[place] = struct.pack("<II", *divmod(total, 1000000)) + packet[PACKET_HEADER - 8:]
    capture.write_bytes(header + b"".join(packets))
    return capture


def ping(ttl=10):
    return command(b"PING", struct.pack("!H", ttl) + b"x")


def closed_by(stream, from_client):
    stream._segment(from_client, 0x11)
    stream._segment(not from_client, 0x11)
    return stream


HEARTBEATS = {
    # what follows PING, who closes (client: who pings), after how long, what is said
    "lost": (None, True, 1.0, [LOST]), "closed at once": (None, True, 0.01, []),
    "answered": ("PONG", True, 5.0, []), "other traffic": ("message", True, 5.0, []),
    "expired": ("PONG", False, 1.1, [EXPIRED]), "receiver closes early": ("PONG", False, 0.5, []),
    "expired unanswered": (None, False, 1.1, [EXPIRED]), "sender went on": ("sender", False, 5.0, []),
}


@pytest.mark.parametrize("kind", HEARTBEATS)
def test_heartbeats(tshark, folder, kind):
    follows, by_client, seconds, wanted = HEARTBEATS[kind]
    stream = null_session(Stream(hosts=LOCAL)).client(ping())
    if follows == "PONG":
        stream.server(command(b"PONG", b"x"))
    elif follows == "message":
        stream.server(frame(b"alive"))
    elif follows == "sender":
        stream.server(command(b"PONG", b"x")).client(frame(b"alive"))
    number = len(stream.packets) + 1
    capture = later(save(folder / "heartbeat.pcap", closed_by(stream, by_client)), number, seconds)
    assert found(tshark, capture) == wanted


def test_a_ping_without_a_ttl_expires_never(tshark, folder):
    stream = null_session(Stream(hosts=LOCAL)).client(ping(0)).server(command(b"PONG", b"x"))
    number = len(stream.packets) + 1
    assert found(tshark, later(save(folder / "ttl.pcap", closed_by(stream, False)), number, 60)) == []
