# Application frames reach the dissector of what they carry.
# SPDX-License-Identifier: GPL-2.0-or-later
import pytest

from corpus import HERE
from pcap_writer import Stream, save
from pdml import fields, octets, protocols, shows
from zmtp_bytes import null_session

PORT = 20001
JSON = b'{"temperature": 21}'
CURVE = HERE / "libzmq-4.3.4" / "curve-req-rep"


@pytest.fixture
def capture(folder):
    return save(folder / "json.pcap", null_session(Stream(PORT), up=[(JSON,)], down=[(b"\x01\x02\xfe",)]))


def lua(folder, script):
    path = folder / "script.lua"
    path.write_text(script)
    return ("-X", f"lua_script:{path}")


def names(packets):
    return {name for packet in packets for name in protocols(packet)}


def test_a_row_of_the_preferences_table_names_the_dissector(tshark, capture):
    packets = tshark.packets(capture, "-o", f'uat:zmtp_tcp_protocols:"{PORT}","json"')
    assert "json" in names(packets)
    assert [octets(field) for _, field in fields(packets, "zmtp.data")] == [JSON, b"\x01\x02\xfe"]


def test_a_row_for_another_port_changes_nothing(tshark, capture):
    packets = tshark.packets(capture, "-o", f'uat:zmtp_tcp_protocols:"{PORT + 1}","json"')
    assert "json" not in names(packets)


def test_a_row_may_name_a_range_of_ports(tshark, capture):
    assert "json" in names(tshark.packets(capture, "-o", f'uat:zmtp_tcp_protocols:"{PORT - 1}-{PORT + 1}","json"'))


def test_the_table_zmtp_protocol_names_the_dissector_by_port(tshark, capture, folder):
    script = lua(folder, f'DissectorTable.get("zmtp.protocol"):add({PORT}, Dissector.get("json"))')
    assert "json" in names(tshark.packets(capture, *script))


def test_a_heuristic_of_the_list_zmtp_sees_application_frames(tshark, capture, folder):
    script = lua(folder, """
        local proto = Proto("temperature", "Temperature")
        function proto.dissector(tvb, pinfo, tree) tree:add(proto, tvb()) return tvb:len() end
        proto:register_heuristic("zmtp", function(tvb, pinfo, tree)
            if tvb:raw():find("temperature", 1, true) == nil then return false end
            proto.dissector(tvb, pinfo, tree)
            return true
        end)""")
    packets = tshark.packets(capture, *script)
    assert ["temperature" in protocols(packet) for packet in packets].count(True) == 1


def test_decrypted_frames_are_handed_on_too(tshark, folder):
    script = lua(folder, """
        local proto = Proto("question", "Question")
        function proto.dissector(tvb, pinfo, tree) tree:add(proto, tvb()) return tvb:len() end
        proto:register_heuristic("zmtp", function(tvb, pinfo, tree)
            if tvb:len() < 8 or tvb:raw(0, 8) ~= "question" then return false end
            proto.dissector(tvb, pinfo, tree)
            return true
        end)""")
    capture, keys = f"{CURVE}.pcap", f"{CURVE}.keys"
    assert "question" in names(tshark.packets(capture, *script, keys=keys))
    assert "question" not in names(tshark.packets(capture, *script))


def test_text_is_shown_as_text_and_the_rest_as_octets(tshark, folder):
    capture = save(folder / "text.pcap", null_session(Stream(), up=[(b"plain words", b"\x00\xff\x80", b"")]))
    packets = tshark.packets(capture)
    assert shows(packets, "zmtp.data.text") == ["plain words"]
    assert [octets(field) for _, field in fields(packets, "zmtp.data")] == [b"plain words", b"\x00\xff\x80", b""]
