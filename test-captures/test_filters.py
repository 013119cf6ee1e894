# Filters and statistics of tshark that build no visible tree: what they see of ZMTP is the same.
# SPDX-License-Identifier: GPL-2.0-or-later
import pytest

from bulk import SANITIZED
from corpus import all_captures

SAMPLES = {sample.id: sample for sample in all_captures()}
REQ_REP = SAMPLES["libzmq-4.3.4/null-req-rep"]
MALFORMED = SAMPLES["libzmq-4.3.4/curve-hello-short"]
KERBEROS = SAMPLES["libzmq-4.3.4/gssapi-aes256-sha1"]


@pytest.fixture(params=[(), ("-2",)], ids=["one pass", "two passes"])
def matches(request, tshark):
    """The packets that match a filter, with no field printed: the tree stays invisible."""
    def run(sample, wanted):
        lines = tshark(sample.capture, *sample.arguments, *request.param, "-Y", wanted)
        return [int(line.split()[0]) for line in lines.splitlines() if line.strip()]
    return run


def test_list_of_protocols_in_a_packet(matches):
    found = matches(REQ_REP, 'frame.protocols contains "zmtp"')
    assert found and found == matches(REQ_REP, "zmtp")


def test_malformed_frames(matches):
    found = matches(MALFORMED, "_ws.malformed")
    assert found and found == matches(MALFORMED, '_ws.expert.group == "Malformed"')
    assert found == matches(MALFORMED, "zmtp.command.malformed")
    assert not matches(REQ_REP, "_ws.malformed")


def test_value_of_a_frame_is_its_octets(matches):
    """Several frames in one packet: each is compared by itself."""
    assert matches(REQ_REP, "zmtp.data && (zmtp[0] == 00 || zmtp[0] == 01)") == matches(REQ_REP, "zmtp.data")
    assert matches(REQ_REP, "zmtp[0] == 04") == matches(REQ_REP, "zmtp.flags.command == 1")


def test_kerberos_within_tokens(matches):
    found = matches(KERBEROS, "kerberos.msg_type")
    assert found and set(found) <= set(matches(KERBEROS, "zmtp.command-name"))


@pytest.mark.skipif(SANITIZED, reason="tshark itself never frees what -z io,phs counts")
def test_protocol_hierarchy_has_zmtp(tshark):
    assert "zmtp" in tshark(REQ_REP.capture, "-q", "-z", "io,phs")
