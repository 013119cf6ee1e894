# What the TCP heuristic takes for ZMTP, and what it leaves alone.
# SPDX-License-Identifier: GPL-2.0-or-later
import random
import struct

import pytest

from pcap_writer import Stream, save
from pdml import protocols, shows
from zmtp_bytes import command, frame, greeting, greeting_2_0, null_session, ready

HELLO = b"payload seen"


def recognised(tshark, capture):
    one, two = (tshark.packets(capture, *passes) for passes in ((), ("-2",)))
    assert [protocols(packet) for packet in one] == [protocols(packet) for packet in two]
    return any("zmtp" in protocols(packet) for packet in one)


def payloads(tshark, capture):
    """What the capture's frames show, the same in one pass and two."""
    one, two = (shows(tshark.packets(capture, *passes), "zmtp.data") for passes in ((), ("-2",)))
    assert one == two
    return [bytes.fromhex(show.replace(":", "")) for show in one]


@pytest.mark.parametrize("ipv6", [False, True], ids=["ipv4", "ipv6"])
@pytest.mark.parametrize("split", [None, (10, 1, 53), 1, 7],
                         ids=["one segment", "10+1+53", "octet by octet", "by seven"])
def test_a_3_x_greeting_is_recognised_however_it_is_split(tshark, folder, split, ipv6):
    stream = Stream(ipv6=ipv6).client(greeting(), split).server(greeting(), split)
    stream.client(ready(b"REQ"), split).server(ready(b"REP"), split).client(frame(HELLO), split)
    assert payloads(tshark, save(folder / "split.pcap", stream)) == [HELLO]


def test_everything_a_side_sends_may_come_in_one_segment(tshark, folder):
    stream = Stream().client(greeting() + ready(b"REQ") + frame(HELLO))
    stream.server(greeting() + ready(b"REP") + frame(HELLO))
    assert payloads(tshark, save(folder / "one.pcap", stream)) == [HELLO, HELLO]


def test_the_listener_may_speak_first(tshark, folder):
    stream = Stream().server(greeting()[:10]).client(greeting()[:10]).server(greeting()[10:]).client(greeting()[10:])
    stream.server(ready(b"PUSH")).client(ready(b"PULL")).server(frame(HELLO))
    assert payloads(tshark, save(folder / "listener.pcap", stream)) == [HELLO]


@pytest.mark.parametrize("split", [None, (10, 2), 1], ids=["one segment", "10+2", "octet by octet"])
def test_a_2_0_greeting_is_recognised(tshark, folder, split):
    stream = Stream().client(greeting_2_0(3, b"me"), split).server(greeting_2_0(4), split).client(frame(HELLO), split)
    assert payloads(tshark, save(folder / "v2.pcap", stream)) == [HELLO]


@pytest.mark.parametrize("outer_command", [False, True], ids=["as a message", "as a command"])
@pytest.mark.parametrize("name", [b"CURVE", b"GSSAPI"])
def test_protected_traffic_is_recognised_without_its_start(tshark, folder, name, outer_command):
    box = random.Random(1).randbytes(60)
    body = b"\x07MESSAGE" + (struct.pack("!Q", 3) if name == b"CURVE" else struct.pack("!I", len(box))) + box
    stream = Stream(opened=False).client(frame(body, command=outer_command)).server(frame(body, command=outer_command))
    capture = save(folder / "mid.pcap", stream)
    assert recognised(tshark, capture)
    assert payloads(tshark, capture) == []


def test_a_connection_without_any_answer_is_recognised(tshark, folder):
    assert recognised(tshark, save(folder / "alone.pcap", Stream().client(greeting()).rst()))


def test_connections_one_after_another_on_the_same_ports_are_separate(tshark, folder):
    first = null_session(Stream(), up=[(b"first",)]).fin()
    second = null_session(Stream(isn=900000), up=[(b"second",)], client_type=b"PUSH", server_type=b"PULL").fin()
    capture = save(folder / "again.pcap", first, second)
    assert payloads(tshark, capture) == [b"first", b"second"]


RANDOM = random.Random(7)
TLS_HELLO = bytes.fromhex("1603010200010001fc0303") + RANDOM.randbytes(506)
FOREIGN = {
    "http": (b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
    "tls": (TLS_HELLO, b"\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03" + RANDOM.randbytes(116)),
    "ssh": (b"SSH-2.0-OpenSSH_9.2\r\n", b"SSH-2.0-OpenSSH_9.2\r\n" + RANDOM.randbytes(300)),
    "telnet": (b"\xff\xfb\x18\xff\xfb\x1f\xff\xfc\x20\xff\xfc\x23",
               b"\xff\xfd\x18\xff\xfd\x1f\xff\xfd\x23\xff\xfb\x03"),
    "telnet, answered at once": (b"\xff\xfd\x01", b"\xff\xfb\x01\xff\xfe\x22login: "),
    "only FF": (b"\xff" * 700, b"\xff" * 64),
    "FF and random octets": (b"\xff" + RANDOM.randbytes(300), b"\xff" + RANDOM.randbytes(300)),
    "a signature without its 7F": (b"\xff" + bytes(7) + b"\x01\x7e" + bytes(54),
                                   b"\xff" + bytes(7) + b"\x01\x00" + bytes(9)),
    "mpeg audio": (b"\xff\xfb\x90\x64" + bytes(413), b"\xff\xfb\x90\x64" + RANDOM.randbytes(413)),
    "jpeg": (b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01" + RANDOM.randbytes(200), b"\xff\xd8\xff\xe1" + bytes(64)),
    "utf-16 text": (b"\xff\xfe" + "GREETINGS, none of ours".encode("utf-16-le"),
                    b"\xff\xfe" + "ok".encode("utf-16-le")),
    "all zeros": (bytes(1400), bytes(1400)),
    "text with MESSAGE": (b"the word \x07MESSAGE in a text", b"MESSAGE"),
    "protobuf with MESSAGE": (b"\x18\x00\x22\x07MESSAGE\x29\x05" + bytes(7), b"\x08\x01"),
    "framed strings with MESSAGE": (b"\x00\x2e\x07MESSAGE\x00\x00\x00\x14" + b"twenty octets of text" * 2,
                                    b"\x00\x02ok"),
    "MESSAGE at a frame's place, in too short a frame": (b"\x00\x09\x07MESSAGE\x00", b"\x00\x09\x07MESSAGE\x00"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_other_protocols_are_left_alone(tshark, folder, name):
    up, down = FOREIGN[name]
    whole = Stream(20001, 40001).client(up).server(down).fin()
    in_pieces = Stream(20001, 40002).client(up[:40], 1).server(down[:40], 1).client(up[40:]).rst()
    started_late = Stream(20001, 40003, opened=False).server(down).client(up)
    assert not recognised(tshark, save(folder / "foreign.pcap", whole, in_pieces, started_late))


def test_random_streams_are_left_alone(tshark, folder):
    generator = random.Random(11)
    streams = [Stream(20001, 30000 + number).client(generator.randbytes(generator.randrange(1, 600)))
               .server(generator.randbytes(generator.randrange(1, 600))) for number in range(1500)]
    streams += [Stream(20002, 30000 + number).client(b"\xff" + generator.randbytes(90))
                .server(b"\xff" + generator.randbytes(90)) for number in range(500)]
    assert not recognised(tshark, save(folder / "random.pcap", *streams))


def test_a_well_known_port_keeps_its_dissector(tshark, folder):
    """The heuristic runs after dissectors that own a port: the README tells to use Decode As there."""
    stream = Stream(80).client(b"GET / HTTP/1.1\r\n\r\n").server(b"HTTP/1.1 200 OK\r\n\r\n")
    assert not recognised(tshark, save(folder / "http.pcap", stream))


def test_commands_of_a_3_1_connection_are_told_from_messages(tshark, folder):
    stream = null_session(Stream(), client_type=b"SUB", server_type=b"PUB")
    stream.client(command(b"SUBSCRIBE", b"news")).server(frame(b"news today"))
    packets = tshark.packets(save(folder / "sub.pcap", stream))
    assert shows(packets, "zmtp.command-name") == ["READY", "READY", "SUBSCRIBE"]
    assert len(shows(packets, "zmtp.data")) == 1
