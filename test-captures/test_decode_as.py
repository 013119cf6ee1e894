# The user's own word about a port reaches the plugin on every Wireshark version, without a warning.
# SPDX-License-Identifier: GPL-2.0-or-later
import pytest

from pcap_writer import Stream, save
from pdml import fields, octets, protocols, shows

PORT = 20001
# ZMTP 1.0 (RFC 13): an anonymous and a named peer, then one message of two frames. No signature: nothing to detect.
UP = b"\x01\x00" + b"\x04\x01one" + b"\x04\x00two"
DOWN = b"\x03\x00me" + b"\x06\x00three"
FRAMES = [b"one", b"two", b"three"]


@pytest.fixture
def capture(folder):
    return save(folder / "v1.pcap", Stream(PORT).client(UP).server(DOWN).fin())


def application_frames(packets):
    return [octets(field) for _, field in fields(packets, "zmtp.data")]


def test_zmtp_1_0_is_not_guessed(tshark, capture):
    assert not any("zmtp" in protocols(packet) for packet in tshark.packets(capture))


@pytest.mark.parametrize("passes", [(), ("-2",)], ids=["one pass", "two passes"])
@pytest.mark.parametrize("arguments", [
    ("-d", f"tcp.port=={PORT},zmtp"),
    ("-o", f"zmtp.tcp.port:{PORT}"),
    ("-o", f"zmtp.tcp.port:{PORT - 5}-{PORT + 5}"),
], ids=["decode as", "port preference", "range of ports"])
def test_a_port_given_on_the_command_line_is_zmtp(tshark, capture, arguments, passes):
    assert application_frames(tshark.packets(capture, *arguments, *passes)) == FRAMES


def test_saved_decode_as_entries_are_used(tshark, capture, folder):
    profile = folder / "wireshark"
    profile.mkdir()
    (profile / "decode_as_entries").write_text(f"decode_as_entry: tcp.port,{PORT},(none),ZMTP\n")
    assert application_frames(tshark.packets(capture, config=folder)) == FRAMES


def test_a_saved_port_preference_is_used(tshark, capture, folder):
    profile = folder / "wireshark"
    profile.mkdir()
    (profile / "preferences").write_text(f"zmtp.tcp.port: {PORT}\n")
    assert application_frames(tshark.packets(capture, config=folder)) == FRAMES


def test_another_port_is_not_touched(tshark, capture):
    assert not application_frames(tshark.packets(capture, "-o", f"zmtp.tcp.port:{PORT + 1}"))


def test_decode_as_also_finds_a_greeting(tshark, folder):
    greeted = save(folder / "v3.pcap", Stream(80).client(b"\xff" + bytes(7) + b"\x01\x7f\x03\x00NULL" + bytes(48)))
    assert shows(tshark.packets(greeted, "-d", "tcp.port==80,zmtp"), "zmtp.mechanism") == ["NULL"]


def test_every_filter_name_others_rely_on_exists(tshark):
    """fields.md: tests, scripts and users' filters name these."""
    known = {line.split("\t")[2]: line.split("\t")[3] for line in tshark(None, "-G", "fields").splitlines()
             if line.startswith("F\t")}
    expected = {
        "zmtp.flags": "FT_UINT8", "zmtp.length": "FT_UINT64", "zmtp.data": "FT_BYTES", "zmtp.data.text": "FT_STRING",
        "zmtp.signature": "FT_BYTES", "zmtp.command-name": "FT_STRING", "zmtp.curvezmq.decrypted": "FT_BOOLEAN",
        "zmtp.curvezmq.key_source": "FT_STRING", "zmtp.curvezmq.server_transient_key": "FT_BYTES",
        "zmtp.curvezmq.client_permanent_key": "FT_BYTES", "zmtp.curvezmq.server_permanent_key": "FT_BYTES",
        "zmtp.curvezmq.nonce.counter": "FT_UINT64", "zmtp.curvezmq.payload.flags": "FT_UINT8",
        "zmtp.role": "FT_STRING", "zmtp.socket_type": "FT_STRING", "zmtp.identity": "FT_BYTES",
        "zmtp.subscribe": "FT_BYTES", "zmtp.cancel": "FT_BYTES", "zmtp.group": "FT_STRING",
        "zmtp.message.part": "FT_UINT32", "zmtp.handshake.result": "FT_STRING",
    }
    assert {name: known.get(name) for name in expected} == expected


def test_a_filter_name_means_one_type(tshark):
    """The plugin adds fields to the built-in protocol of Wireshark 4.4; a name of two types would break filters."""
    types = {}
    for line in tshark(None, "-G", "fields").splitlines():
        word = line.split("\t")
        if word[0] == "F" and word[2].startswith("zmtp."):
            types.setdefault(word[2], set()).add(word[3])
    assert types and not {name: kinds for name, kinds in types.items() if len(kinds) > 1}
