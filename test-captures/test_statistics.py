# The connection table, its JSON lines and the statistics tree: tshark -z zmtp,connections and -z zmtp,tree.
# SPDX-License-Identifier: GPL-2.0-or-later
import json
import re

import pytest

import runs
from corpus import all_captures
from pcap_writer import Stream, save
from zmtp_bytes import command, greeting, message, ready

SUMS = ("messages", "parts", "octets", "boxes", "boxes_opened", "protected_octets", "protected_payload",
        "protected_unknown")


# Captures for the statistics tree, which counts the same facts: of every mechanism, outcome and kind of frame.
TREES = {f"libzmq-4.3.4/{name}" for name in (
    "null-pub-sub", "null-many-clients", "null-heartbeat-lost", "plain-wrong-password", "plain-multipart",
    "curve-dealer-router", "curve-zap-deny", "curve-mid-start", "curve-then-null", "gssapi-sizes", "gssapi-des3",
    "raw-zmtp10", "raw-zmtp20")}
HANDSHAKES = {"complete": "complete", "failed": "failed", "unfinished": "unfinished", "joined": "joined later",
              "no_handshake": "none"}
LINE_LEN = 100


def run(tshark, sample, tap, *arguments):
    output, _ = tshark(sample.capture, "-q", "-z", tap, *sample.arguments, *arguments, keys=sample.opened_by,
                       stderr=True)
    return output


def parsed(json_lines):
    """(connections, TCP connections without ZMTP, totals)"""
    objects = [json.loads(line) for line in json_lines]
    assert objects[-1]["type"] == "totals"
    assert {line["type"] for line in objects[:-1]} <= {"connection", "tcp"}
    return ([line for line in objects if line["type"] == "connection"],
            [line for line in objects if line["type"] == "tcp"], objects[-1])


def lines(tshark, sample):
    return parsed(runs.json_lines(runs.text_of_one_pass(tshark, sample)))


def tree(tshark, sample, *arguments):
    """{(names of the nodes above, name): count}, without those that are 0"""
    counts, path = {}, []
    for line in run(tshark, sample, "zmtp,tree", *arguments).splitlines():
        match = re.match(r"( *)(\S.*?) {2,}(-?\d+) ", line)
        if not match or line.startswith("Topic"):
            continue
        path = path[:len(match[1])] + [match[2]]
        if match[3] != "0":
            counts[tuple(path)] = int(match[3])
    return counts


def ends(connections):
    return [connection[side] for connection in connections for side in ("client", "server")]


def added(parts, member):
    counts = {}
    for part in parts:
        for name, count in part[member].items():
            counts[name] = counts.get(name, 0) + count
    return counts


def without_zeros(counts):
    return {name: count for name, count in counts.items() if count}


def test_sample(tshark, sample):
    """One pass and two tell the same, and so does the table."""
    text = runs.text_of_one_pass(tshark, sample)
    found = parsed(runs.json_lines(text))
    assert runs.json_lines(runs.text_of_two_passes(tshark, sample)) == runs.json_lines(text)
    check_json(*found)
    check_messages(sample, found[0])
    check_table(runs.table(text), *found)


def check_json(connections, _, totals):
    assert totals["connections"] == len(connections) == sum(totals["outcomes"].values())
    assert totals["connections"] == sum(totals["mechanisms"].values())
    assert [line["first_frame"] for line in connections] == sorted(line["first_frame"] for line in connections)
    for line in connections:
        assert line["outcome"] in HANDSHAKES and line["roles"] in ("security", "tcp")
        assert line["what"]
        assert line["finding"] or line["outcome"] != "failed"
        assert (line["ready_seconds"] is not None) == (line["outcome"] == "complete")
    for member in SUMS:
        assert totals[member] == sum(end[member] for end in ends(connections)), member
    for end in [*ends(connections), totals]:
        assert end["messages_known"] == (end["boxes"] == end["boxes_opened"])
    for member in ("commands", "part_sizes"):
        assert without_zeros(totals[member]) == added(ends(connections), member)
    assert sum(totals["part_sizes"].values()) == totals["parts"]
    assert totals["message_name_octets"] == 8 * totals["boxes"]
    assert totals["protection_overhead"] == (totals["protected_octets"] - totals["protected_unknown"]
                                             - totals["protected_payload"])
    assert totals["findings"] == added([{"f": {line["finding"]: 1}} for line in connections if line["finding"]], "f")


def check_messages(sample, connections):
    """Every message that the applications sent is counted, on its side."""
    if not sample.whole or not sample.complete or not sample.can_be_opened:
        return  # not a whole capture of messages that can be read
    if not all(end["messages_known"] for end in ends(connections)):
        return
    up_and_down = []
    for line in connections:
        if line["outcome"] == "failed":
            continue
        by_tcp = (line["client"], line["server"])
        if line["server"]["port"] != sample.port:
            by_tcp = (line["server"], line["client"])
        up_and_down.append(tuple((end["parts"], end["octets"]) for end in by_tcp))
    sent = [tuple((len(stream[way]), sum(size(frame) for frame in stream[way])) for way in ("up", "down"))
            for stream in sample.streams]
    if sample.streams:
        assert up_and_down == sent
    else:
        assert all(counts == ((0, 0), (0, 0)) for counts in up_and_down)


def size(frame):
    return len(frame) // 2 if isinstance(frame, str) else frame["len"]


@pytest.mark.parametrize("tree_sample", [
    pytest.param(sample, id=sample.id, marks=pytest.mark.xdist_group(sample.id))
    for sample in all_captures() if sample.id in TREES])
def test_tree(tshark, tree_sample):
    _, _, totals = lines(tshark, tree_sample)
    expected = {}

    def expect(count, *path):
        if count:
            expected[path] = count

    for name, count in totals["mechanisms"].items():
        expect(count, "Connections", "By mechanism", name)
    for name, count in totals["outcomes"].items():
        expect(count, "Connections", "By outcome of the handshake", name)
    for name, count in totals["findings"].items():
        expect(count, "Connections", "By finding", name)
    expect(sum(totals["findings"].values()), "Connections", "By finding")
    for name in ("By mechanism", "By outcome of the handshake"):
        expect(totals["connections"], "Connections", name)
    expect(totals["connections"], "Connections")
    expect(sum(totals["commands"].values()), "Commands and subscriptions")
    for name, count in totals["commands"].items():
        expect(count, "Commands and subscriptions", name)
    expect(totals["parts"], "Message parts by octets")
    for name, count in totals["part_sizes"].items():
        expect(count, "Message parts by octets", name)
    expect(totals["boxes"], "Protected MESSAGE frames")
    expect(totals["boxes_opened"], "Protected MESSAGE frames", "opened")
    expect(totals["boxes"] - totals["boxes_opened"], "Protected MESSAGE frames", "not opened")
    octets = "Octets of protected MESSAGE frames"
    expect(totals["protected_octets"], octets)
    expect(totals["protected_payload"], octets, "Payload")
    expect(totals["protected_unknown"], octets, "Not known: GSSAPI frames that stay closed")
    expect(totals["protection_overhead"], octets, "Added by protection")
    expect(totals["message_name_octets"], octets, "The name MESSAGE alone")
    assert tree(tshark, tree_sample) == expected
    assert tree(tshark, tree_sample, "-2") == expected


def words(text):
    return " ".join(text.split())


def check_table(text, connections, others, totals):
    """A paragraph for each connection, in which its sentence stands; repeated failures refer to the one before."""
    assert all(len(line) <= LINE_LEN for line in text.splitlines() if line.startswith("  ") and line[6:7] == " ")
    frames = [int(frame) for frame in re.findall(r"^       first frame (\d+), at \d+\.\d{3} s", text, re.M)]
    assert sorted(frames) == frames == sorted(line["first_frame"] for line in [*connections, *others])
    by_frame = {line["first_frame"]: line for line in connections}
    for line in connections:
        told = paragraph(text, line)
        assert re.search(rf" {HANDSHAKES[line['outcome']]} +(-|[\d.]+ m?s) first frame ", told)
        before = by_frame.get(line["attempt_before"])
        if line["outcome"] == "failed" and before and same_failure(line, before):
            assert f"The same again: attempt {line['attempt']} from this address, " in told
            assert told.endswith(f" s after the one before (frame {line['attempt_before']}).")
            continue
        what = "Handshake complete" if line["what"] == "complete" else line["what"]
        assert words(what)[1:] in told
        assert words(line["advice"] or "") in told
        assert not re.search(r"was closed .*; (the (client|server)|TCP was) (closed|reset|open)", told)
    for line in others:
        assert words(line["what"]) in words(text)
    check_last_line(words(text.split("\n\n")[-1]), connections, totals)


def same_failure(line, before):
    return all(line[member] == before[member] for member in ("outcome", "finding", "certain"))


def paragraph(text, line):
    """The lines about a connection, in one."""
    match = re.search(rf"^ *{line['stream']} .*\n       first frame {line['first_frame']},(.*\n)(       .*\n)*", text,
                      re.M)
    return words(match[0])


def check_last_line(text, connections, totals):
    assert text.startswith(f"{totals['connections']} connection")
    for outcome, name in HANDSHAKES.items():
        name = "without a handshake" if name == "none" else name
        count = totals["outcomes"][outcome]
        assert (f" {count} {name}" in text) == (count > 0)
    troubled = sum(line["outcome"] == "complete" and line["finding"] is not None for line in connections)
    assert (f" complete ({troubled} with a finding)" in text) == (troubled > 0)
    closed = totals["boxes"] - totals["boxes_opened"]
    messages = totals["messages"] - closed
    assert (f"; {messages} message" in text) == (messages > 0)
    assert (f"; {closed} encrypted frame" in text) == (closed > 0)
    assert not re.search(r"\b1 (\w+ )?(connection|message|frame|octet)s\b", text)


def of_capture(tshark, path, *arguments, filter_text=""):
    text = tshark(path, "-q", "-z", "zmtp,connections,json" + filter_text, *arguments)
    return [json.loads(line) for line in text.splitlines()]


def null_stream(number=1, **properties):
    stream = Stream(client_port=40000 + number)
    stream.client(greeting()).server(greeting()).client(ready(b"REQ", **properties)).server(ready(b"REP"))
    return stream.client(message(b"", b"question")).server(message(b"", b"answer")).fin()


def test_filter(tshark, folder):
    """It chooses connections; counts are those of whole connections."""
    path = save(folder / "two.pcap", null_stream(1), null_stream(2))
    everything = of_capture(tshark, path)
    assert [line["type"] for line in everything] == ["connection", "connection", "totals"]
    chosen = of_capture(tshark, path, filter_text=',zmtp.data.text == "question" && tcp.port == 40002')
    assert chosen[:-1] == everything[1:2]
    assert chosen[-1]["messages"] == 2
    assert chosen[-1]["filter"] == 'zmtp.data.text == "question" && tcp.port == 40002'
    table = tshark(path, "-q", "-z", "zmtp,connections,tcp.port == 40002")
    assert "with a frame that matches: tcp.port == 40002" in table
    assert "\n1 connection: 1 complete; 2 messages\n" in table
    counts = tshark(path, "-q", "-z", 'zmtp,tree,zmtp.data.text == "question"')
    assert re.search(r"^Connections +2 ", counts, re.M) and re.search(r"^Message parts by octets +4 ", counts, re.M)


@pytest.mark.parametrize("tap", ["zmtp,connections", "zmtp,connections,json"])
@pytest.mark.parametrize("bad", ["tcp.port ==", "no.such.field"])
def test_bad_filter(tshark, folder, tap, bad):
    path = save(folder / "one.pcap", null_stream())
    status, output, errors = tshark.run("-n", "-r", str(path), "-q", "-z", f"{tap},{bad}")
    assert status != 0 and output == ""
    assert f'zmtp,connections tap: Filter "{bad}" is invalid' in errors


def test_help(tshark):
    _, _, errors = tshark.run("-z", "help")
    assert {"zmtp,connections", "zmtp,tree", "zmtp,window"} <= set(errors.split())


def test_tcp_without_zmtp(tshark, folder):
    """TCP connections to a server of ZMTP, and no others."""
    refused, unanswered = Stream(client_port=40010, opened=False), Stream(client_port=40011, opened=False)
    refused.packets = Stream(client_port=40010).packets[:1]
    refused.rst()
    unanswered.packets = Stream(client_port=40011).packets[:1]
    streams = [
        refused, unanswered,
        Stream(client_port=40012).fin(),  # silent
        Stream(client_port=40013).client(b"hello?").server(b"HELLO!!").fin(),
        Stream(port=20002, client_port=40014).fin(),  # another server
        null_stream(),
    ]
    found = of_capture(tshark, save(folder / "tcp.pcap", *streams))
    others = [line for line in found if line["type"] == "tcp"]
    assert [line["state"] for line in others] == ["refused", "unanswered", "silent", "not_zmtp"]
    assert [line["stream"] for line in others] == [0, 1, 2, 3]
    assert others[0]["what"] == "TCP was refused: nothing listened at this port then"
    assert (others[3]["client_octets"], others[3]["server_octets"]) == (6, 7)
    assert others[0]["client"] == "127.0.0.1:40010" and others[0]["server"] == "127.0.0.1:20001"
    assert found[-1]["connections"] == 1 and found[-1]["tcp"] == 4
    assert found == of_capture(tshark, save(folder / "tcp.pcap", *streams), "-2")
    assert [line["type"] for line in of_capture(tshark, folder / "tcp.pcap", filter_text=",tcp")] == [
        "connection", "totals"]


def test_hostile_octets(tshark, folder):
    """What peers say can break neither the JSON nor the table."""
    identity = b'\x00\x1b[31m"\\\xff\xfe</script>\n\xe2\x82\xac'
    strange = greeting(mechanism=b'\xe2\x82\xac"\\\n\xff\x1b[1m')
    streams = [null_stream(1, Identity=identity),
               Stream(client_port=40002).client(strange).server(greeting()).fin(),
               Stream(client_port=40003).client(strange).server(strange).fin()]
    path = save(folder / "hostile.pcap", *streams)
    found = of_capture(tshark, path)
    assert [line["type"] for line in found] == ["connection"] * 3 + ["totals"]
    assert found[0]["client"]["identity"] == identity.hex()
    assert found[1]["mechanism"] == "different" and found[2]["mechanism"] is None
    for text in (tshark(path, "-q", "-z", "zmtp,connections"), json.dumps(found, ensure_ascii=False)):
        assert not any(ord(character) < 32 and character != "\n" for character in text)
        text.encode()  # no surrogates: it was UTF-8


def test_many_frames_in_one_packet(tshark, folder):
    """More than Wireshark's queue of taps holds for one packet."""
    messages = message(b"x") * 9000
    stream = Stream(mss=60000).client(greeting()).server(greeting()).client(ready(b"PUSH")).server(ready(b"PULL"))
    path = save(folder / "many.pcap", stream.client(messages).fin())
    totals = of_capture(tshark, path)[-1]
    assert totals["messages"] == totals["part_sizes"]["0-63"] == 9000
    assert re.search(r"^Message parts by octets +9000 ", tshark(path, "-q", "-z", "zmtp,tree"), re.M)


def cut_short(said, ending):
    stream = Stream().client(greeting(b"CURVE"))
    for step in said:
        stream = step(stream)
    return ending(stream)


@pytest.mark.parametrize("ending", [
    lambda stream: stream.rst(), lambda stream: stream.rst(from_client=True), lambda stream: stream.fin(),
    lambda stream: stream], ids=["server resets", "client resets", "closed", "open"])
@pytest.mark.parametrize("said", [
    [], [lambda stream: stream.server(greeting(b"CURVE"))],
    [lambda stream: stream.server(greeting(b"CURVE")), lambda stream: stream.client(command(b"HELLO", bytes(194)))],
    [lambda stream: stream.server(b"\xff" + bytes(8))]], ids=["one greeting", "greetings", "HELLO", "half"])
def test_end_in_the_last_packet(tshark, folder, said, ending):
    """The tree tells it in one pass too."""
    path = save(folder / "end.pcap", cut_short(said, ending))
    found = of_capture(tshark, path)
    assert found == of_capture(tshark, path, "-2")
    counts = tshark(path, "-q", "-z", "zmtp,tree")
    assert re.search(rf"^  {found[0]['outcome']} +1 ", counts, re.M)
    if found[0]["finding"]:
        assert re.search(rf"^  {found[0]['finding']} +1 ", counts, re.M)
