# Streams that no real peer sends, or that a capture holds in part: what is shown, and that both passes agree.
# SPDX-License-Identifier: GPL-2.0-or-later
import struct

import pytest

from pcap_writer import Stream, save
from pdml import experts, fields, octets, protocols, shows, tree_at_once
from zmtp_bytes import command, frame, greeting, greeting_2_0, metadata, null_session, ready


def look(tshark, capture, *arguments):
    """The packets of one pass, after checking that two show the same, and besides only what later frames tell."""
    one, two = (tshark.packets(capture, *passes, *arguments) for passes in ((), ("-2",)))
    assert tree_at_once(two) == tree_at_once(one)
    return one


def data(packets):
    return [octets(field) for _, field in fields(packets, "zmtp.data")]


def names(packets):
    return [expert.name for expert in experts(packets)]


def messages(stream, *bodies):
    for body in bodies:
        stream.client(frame(body))
    return stream


# Octets that are not in the capture

def test_a_lost_version_octet_does_not_swallow_the_connection(tshark, folder):
    stream = Stream().client(greeting()[:10]).server(greeting()).client(greeting()[10:11], lost=True)
    stream.client(greeting()[11:]).client(ready(b"PUSH")).server(ready(b"PULL"))
    packets = look(tshark, save(folder / "lost.pcap", messages(stream, b"one", b"two")))
    assert data(packets) == [b"one", b"two"]
    assert shows(packets, "zmtp.socket_type") == ["PUSH", "PULL"]


def test_a_lost_rest_of_a_greeting_is_a_gap_and_the_frames_behind_it_are_shown(tshark, folder):
    stream = Stream().client(greeting()[:11]).server(greeting()).client(greeting()[11:], lost=True)
    stream.client(ready(b"PUSH")).server(ready(b"PULL"))
    packets = look(tshark, save(folder / "lost.pcap", messages(stream, b"one", b"two")))
    assert data(packets) == [b"one", b"two"]
    assert names(packets) == ["zmtp.gap"]


def test_a_lost_message_is_a_gap_also_with_absolute_sequence_numbers_above_2_to_the_31(tshark, folder):
    stream = messages(null_session(Stream(isn=0xA0000000), client_type=b"PUSH", server_type=b"PULL"), b"one")
    messages(stream.client(frame(b"lost"), lost=True), b"three", b"four")
    capture = save(folder / "gap.pcap", stream)
    for relative in ("TRUE", "FALSE"):
        packets = look(tshark, capture, "-o", f"tcp.relative_sequence_numbers:{relative}")
        assert data(packets) == [b"one", b"three", b"four"]
        assert names(packets) == ["zmtp.gap"]


def test_the_end_of_a_frame_whose_header_was_seen_is_known(tshark, folder):
    large = bytes(range(256)) * 20
    stream = null_session(Stream(mss=1000), client_type=b"PUSH", server_type=b"PULL")
    whole = frame(large) + frame(b"behind it")
    stream.client(whole[:1000]).client(whole[1000:2000], lost=True).client(whole[2000:])
    assert data(look(tshark, save(folder / "large.pcap", stream))) == [b"behind it"]


def test_a_capture_cut_by_its_snap_length_shows_the_octets_that_are_there(tshark, folder):
    stream = messages(null_session(Stream(), client_type=b"PUSH", server_type=b"PULL"), b"x" * 500, b"short")
    packets = look(tshark, save(folder / "snap.pcap", stream, snaplen=160))
    first, second = data(packets)
    assert first == b"x" * len(first) and 0 < len(first) < 500
    assert second == b"short"


@pytest.mark.parametrize("snaplen", [52, 60, 80, 100])
def test_a_greeting_cut_by_the_snap_length_is_no_data_and_frames_go_on(tshark, folder, snaplen):
    stream = messages(null_session(Stream(), client_type=b"PUSH", server_type=b"PULL"), b"a", b"b")
    assert data(look(tshark, save(folder / "snap.pcap", stream, snaplen=snaplen))) == [b"a", b"b"]


@pytest.mark.parametrize("length", [256, 1024 + 0x99, 1300])
def test_a_long_length_that_ends_like_a_short_header_is_read_as_long(tshark, folder, length):
    body = b"\x07MESSAGE" + bytes(7) + b"\x03" + bytes(length - 16)
    stream = Stream(opened=False).client(frame(body)).server(frame(body))
    packets = look(tshark, save(folder / "late.pcap", stream))
    assert shows(packets, "zmtp.length") == [str(length)] * 2
    assert shows(packets, "zmtp.command-name") == ["MESSAGE"] * 2


def test_a_box_cut_by_the_snap_length_is_not_opened_and_says_so(tshark, folder):
    # Its length is a lie: nothing may be allocated by it.
    body = b"\x08INITIATE" + bytes(400)
    stream = Stream().client(greeting(b"CURVE")).server(greeting(b"CURVE"))
    stream.client(struct.pack("!BQ", 6, 0x3FFFFF00) + body).fin()
    packets = look(tshark, save(folder / "cut.pcap", stream, snaplen=300), "-o", "tcp.desegment_tcp_streams:FALSE")
    assert "cut short in the capture" in shows(packets, "zmtp.curvezmq.not_decrypted")


# Versions

def test_a_1_0_peer_that_answers_a_signature(tshark, folder):
    stream = Stream().server(greeting()[:10]).client(b"\x01\x00").client(b"\x06\x00hello").server(b"\x06\x00world")
    packets = look(tshark, save(folder / "v1.pcap", stream))
    assert data(packets) == [b"hello", b"world"]


def test_a_2_0_peer_that_answers_late(tshark, folder):
    stream = Stream().client(greeting()[:10] + b"\x03\x01").server(greeting_2_0(2)).client(b"\x00\x00")
    stream.server(frame(b"\x01all")).client(frame(b"news"))
    packets = look(tshark, save(folder / "v2.pcap", stream))
    assert data(packets) == [b"news"]
    assert [octets(field) for _, field in fields(packets, "zmtp.subscribe")] == [b"all"]


# Lengths and flags

@pytest.mark.parametrize("length", [2**63, 2**64 - 1])
def test_a_length_above_2_to_the_63_is_an_error_and_later_frames_are_shown(tshark, folder, length):
    stream = null_session(Stream(), client_type=b"PUSH", server_type=b"PULL").client(struct.pack("!BQ", 2, length))
    packets = look(tshark, save(folder / "huge.pcap", messages(stream, b"after")))
    assert "zmtp.length.invalid" in names(packets)
    assert data(packets) == [b"after"]


def test_a_frame_that_claims_2_gb_is_shown_as_it_comes(tshark, folder):
    stream = null_session(Stream(), client_type=b"PUSH", server_type=b"PULL")
    stream.client(struct.pack("!BQ", 2, 2**31 + 5) + b"begin").client(b"and on").client(b"and on")
    packets = look(tshark, save(folder / "huge.pcap", stream))
    assert names(packets) == ["zmtp.length.large"]
    assert data(packets) == []
    assert len(fields(packets, "zmtp.continuation")) == 2


def test_reserved_flag_bits_are_a_warning(tshark, folder):
    stream = null_session(Stream(), client_type=b"PUSH", server_type=b"PULL").client(b"\x80\x01x")
    assert names(look(tshark, save(folder / "flags.pcap", stream))) == ["zmtp.flags.reserved_set"]


# Commands

@pytest.mark.parametrize("octets_sent", [
    command(b"READY", b"\x0bSocket-Type\x00\x00\x00\xffREQ"), command(b"READY", b"\x0bSocket"),
    command(b"READY", b"\x00\x00\x00\x00\x00"), command(b"READY", metadata(socket_type=b"REQ") + b"\x05"),
], ids=["value too long", "name cut", "no name", "rubbish behind"])
def test_damaged_metadata_is_an_error(tshark, folder, octets_sent):
    stream = Stream().client(greeting()).server(greeting()).client(octets_sent)
    assert names(look(tshark, save(folder / "metadata.pcap", stream))) == ["zmtp.metadata.malformed"]


@pytest.mark.parametrize("mechanism, octets_sent", [
    (b"NULL", frame(b"\x09PING", command=True)), (b"NULL", frame(b"", command=True)),
    (b"NULL", command(b"PING", b"\x00")), (b"NULL", command(b"ERROR")), (b"PLAIN", command(b"HELLO", b"\x05ab")),
    (b"PLAIN", command(b"WELCOME", b"x")), (b"CURVE", command(b"HELLO", bytes(150))),
    (b"CURVE", command(b"WELCOME", bytes(161))), (b"CURVE", frame(b"\x07MESSAGE" + bytes(24))),
    (b"GSSAPI", command(b"INITIATE", b"\x00\x00\x00\x09token")),
], ids=["name too long", "empty", "PING", "ERROR", "PLAIN HELLO", "PLAIN WELCOME", "CURVE HELLO", "CURVE WELCOME",
        "CURVE MESSAGE", "GSSAPI INITIATE"])
def test_a_malformed_command_is_an_error(tshark, folder, mechanism, octets_sent):
    stream = Stream().client(greeting(mechanism)).server(greeting(mechanism)).client(octets_sent)
    assert names(look(tshark, save(folder / "command.pcap", stream))) == ["zmtp.command.malformed"]


def test_an_unknown_command_is_shown_as_such(tshark, folder):
    stream = null_session(Stream()).client(command(b"DANCE", b"\x01\x02"))
    packets = look(tshark, save(folder / "unknown.pcap", stream))
    assert names(packets) == ["zmtp.command.unknown"]
    assert shows(packets, "zmtp.command-name")[-1] == "DANCE"


def test_groups_are_shown_in_commands(tshark, folder):
    stream = null_session(Stream(), client_type=b"DISH", server_type=b"RADIO")
    stream.client(command(b"JOIN", b"weather")).client(command(b"LEAVE", b"weather"))
    assert shows(look(tshark, save(folder / "group.pcap", stream)), "zmtp.group") == ["weather", "weather"]


def test_frames_outside_of_boxes_on_a_curve_connection_are_no_data(tshark, folder):
    stream = Stream().client(greeting(b"CURVE")).server(greeting(b"CURVE")).client(frame(b"in the clear"))
    packets = look(tshark, save(folder / "clear.pcap", stream))
    assert names(packets) == ["zmtp.unprotected"]
    assert data(packets) == []


# Payload

def test_more_payloads_in_a_packet_than_wireshark_has_layers(tshark, folder):
    stream = null_session(Stream(mss=60000), client_type=b"PUSH", server_type=b"PULL")
    stream.client(frame(b'{"a":1}') * 1200).client(frame(b"[2]"))
    packets = look(tshark, save(folder / "json.pcap", stream), "-o", 'uat:zmtp_tcp_protocols:"20001","json"')
    assert len(data(packets)) == 1201
    assert protocols(packets[-2]).count("json") == 1200


def test_a_payload_dissector_that_fails_does_not_disturb_the_frames_behind_it(tshark, folder):
    stream = null_session(Stream(mss=60), client_type=b"PUSH", server_type=b"PULL")
    stream.client(frame(b"\x00\xff\x01") + frame(b"y" * 100) + frame(b"after"))
    for protocol in ("dns", "dhcp", "tls"):
        packets = look(tshark, save(folder / "payload.pcap", stream), "-o",
                       f'uat:zmtp_tcp_protocols:"20001","{protocol}"')
        assert data(packets) == [b"\x00\xff\x01", b"y" * 100, b"after"]
