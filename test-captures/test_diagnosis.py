# Why connections failed: for every capture the verdict on each connection, and all expert items and no others.
# SPDX-License-Identifier: GPL-2.0-or-later
import collections
import subprocess

import pytest

import runs
from corpus import HERE, all_captures
from expected import ONLY_TCP, expected_findings, expected_verdicts
from pdml import experts, fields, number, shows, tcp
from runs import TABLE, TWO_PASSES
from tools import BUILD

WRONG_KEY = HERE / "libzmq-4.3.4" / "curve-wrong-server-key.pcap"
BY_NAME = {sample.base.name: sample for sample in all_captures() if "libzmq-4.3.4" in sample.id}


def rows(tshark, capture, keys=None):
    return runs.connections(tshark(capture, "-q", *TABLE, keys=keys))


def verdict(row):
    """The finding, or the outcome where there is nothing to say."""
    if row["type"] == "tcp":
        return ONLY_TCP
    return row["finding"] or row["outcome"]


@pytest.mark.parametrize("table", [runs.rows, runs.rows_of_two_passes], ids=["one-pass", "two-passes"])
def test_table_has_the_right_verdict_on_each_connection(sample, tshark, table):
    found = [verdict(row) for row in table(tshark, sample)]
    assert [name for name in found if name != ONLY_TCP] == expected_verdicts(sample, len(found) - found.count(ONLY_TCP))


def findings(packets):
    return collections.Counter(expert.name for expert in experts(packets) if expert.severity != "Chat")


def test_tree_has_all_expert_items_and_no_others(sample, tshark):
    expected = expected_findings(sample)
    assert dict(findings(runs.two_passes(tshark, sample))) == expected
    # One pass knows only what was before.
    assert not findings(runs.one_pass(tshark, sample)) - collections.Counter(expected)


def test_failed_connections_tell_why_on_all_their_frames_and_no_others_do(sample, tshark):
    packets = runs.two_passes(tshark, sample)
    table = {row["stream"]: row for row in runs.rows_of_two_passes(tshark, sample) if row.get("outcome") == "failed"}
    told = {int(tcp(packet, "stream")) for packet, _ in fields(packets, "zmtp.diagnosis")}
    assert told == table.keys()
    for packet in packets:
        if packet.find("proto[@name='zmtp']") is None or packet.find("proto[@name='tcp']") is None:
            continue
        row = table.get(int(tcp(packet, "stream")))
        sentences = {text.replace('\\"', '"') for text in shows([packet], "zmtp.diagnosis")}
        assert sentences == ({f"{row['what']}. {row['advice']}"} if row else set()), f"frame {number(packet)}"


def test_without_keys_no_healthy_capture_has_another_verdict(protected_sample, tshark):
    if not protected_sample.complete:
        pytest.skip("not a healthy capture")
    assert [row.get("outcome") for row in runs.rows_without_keys(tshark, protected_sample)] == [
        row.get("outcome") for row in runs.rows(tshark, protected_sample)]


# The server's secret key makes certain what is only probable without it.

def test_wrong_server_key_is_probable_without_the_servers_key(tshark):
    for row in rows(tshark, WRONG_KEY):
        assert row["finding"] == "zmtp.curvezmq.wrong_server_key" and row["certain"] is False
        assert "probably has a wrong server key" in row["what"]


def test_wrong_server_key_is_certain_with_the_servers_key(tshark):
    for row in rows(tshark, WRONG_KEY, keys=WRONG_KEY.with_name("curve-wrong-server-key.permanent.keys")):
        assert row["finding"] == "zmtp.curvezmq.wrong_server_key" and row["certain"] is True
        assert row["what"].startswith("The client has a wrong server key: ")


def test_with_the_servers_key_two_clients_are_not_taken_for_a_wrong_key(tshark):
    capture = HERE / "libzmq-4.3.4" / "both-curve-clients.pcap"
    row, = rows(tshark, capture, keys=capture.with_name("both-curve-clients.permanent.keys"))
    assert row["finding"] == "zmtp.curvezmq.hello_refused"


def test_attempts_are_counted_and_linked(tshark):
    sample = BY_NAME["curve-wrong-server-key-retries"]
    table = rows(tshark, sample.capture)
    failed = [row for row in table if row["outcome"] == "failed"]
    assert [row["attempt"] for row in failed] == [1, 2, 3, 4, 5, 6]
    assert [row["attempt_before"] for row in failed] == [None, *(row["first_frame"] for row in failed[:-1])]
    packets = tshark.packets(sample.capture, TWO_PASSES)
    assert shows(packets, "zmtp.handshake.attempt") == ["2", "3", "4", "5", "6"]
    assert [int(frame) for frame in shows(packets, "zmtp.handshake.attempt_before")] == \
        [row["first_frame"] for row in failed[:-1]]
    assert all(0.1 < float(seconds) < 1 for seconds in shows(packets, "zmtp.handshake.attempt_interval"))


# Commands and their answers

@pytest.mark.parametrize("name, steps", [("curve-req-rep", 4), ("plain-req-rep", 4), ("null-req-rep", 2)])
def test_commands_of_the_handshake_link_to_their_answers(tshark, name, steps):
    packets = tshark.packets(BY_NAME[name].capture, TWO_PASSES)
    requests = {number(packet): int(field.get("show")) for packet, field in fields(packets, "zmtp.request_in")}
    responses = {number(packet): int(field.get("show")) for packet, field in fields(packets, "zmtp.response_in")}
    assert len(requests) == steps - 1
    assert {request: frame for frame, request in requests.items()} == responses
    times = {number(packet): float(packet.find("proto[@name='geninfo']/field[@name='timestamp']").get("value"))
             for packet in packets}
    for packet, field in fields(packets, "zmtp.response_time"):
        frame = number(packet)
        assert abs(float(field.get("show")) - (times[frame] - times[requests[frame]])) < 1e-5


def test_page_of_messages_is_that_of_the_code():
    page = subprocess.run([BUILD / "plugin" / "findings_page"], capture_output=True, text=True, check=True).stdout
    assert page == (HERE.parent / "plugin" / "MESSAGES.md").read_text()
    for finding in {name for sample in all_captures() for name in expected_findings(sample)}:
        assert f"\n`{finding}`, " in page
