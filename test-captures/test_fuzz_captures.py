# scripts/fuzz-captures: its bundles, and that it finds what is planted; a sample of what it does; what it has found.
# SPDX-License-Identifier: GPL-2.0-or-later
import os
import random
import re
import subprocess

import pytest

from corpus import HERE, all_captures
from tools import SCRIPTS, program_module
from tshark import Tshark

FUZZ = program_module("fuzz-captures")  # from here on the modules beside it can be found
from fuzz_captures_packets import moved, read_packets, record, write_records  # noqa: E402
from fuzz_captures_run import OUTPUTS, judge  # noqa: E402
from fuzz_captures_streams import Edit, apply, carriers, marks, stream_of  # noqa: E402

FOUND = sorted((HERE / "hostile").glob("*.pcap"))
# A tshark that crashes when a capture holds packets of member 7 of a bundle, which have addresses 10.0.7.*.
PLANTED = r"""#!/usr/bin/python3
import os, pathlib, re, sys
has_plugin = any(pathlib.Path(os.environ["WIRESHARK_PLUGIN_DIR"]).rglob("zmtp.so"))
capture = pathlib.Path(sys.argv[-1]).read_bytes()
if (has_plugin or {always}) and re.search(rb"\x0a\x00\x07[\x01-\x04]\x0a\x00\x07[\x01-\x04]", capture):
    os.kill(os.getpid(), 11)
os.environ["PATH"] = os.environ["PATH"].partition(":")[2]
os.execvp("tshark", sys.argv)
"""


def plugins_of(tshark):
    return tshark.environment["WIRESHARK_PLUGIN_DIR"]


@pytest.fixture(scope="module")
def fuzzer(tshark):
    """A Fuzzer with a Tshark of its own, since it sets its environment."""
    own = Tshark(plugins_of(tshark))
    yield FUZZ.Fuzzer(FUZZ.Options(seed=7, bundle=12), own)
    own.remove()


def records_of(fuzzer, number, folder, seed):
    fuzzer.options.seed = seed
    return [member.records for member in fuzzer.make(number, folder).members]


@pytest.mark.parametrize("number", [0, FUZZ.EDITCAP_EVERY - 1])
def test_seed_says_all(fuzzer, folder, number):
    first = records_of(fuzzer, number, folder, 7)
    assert records_of(fuzzer, number, folder, 7) == first != records_of(fuzzer, number, folder, 8)


def test_bundle_shows_each_capture_as_if_it_were_alone(tshark, folder):
    samples = [sample for sample in all_captures() if not sample.arguments][::23]
    bundle, expected, count = [], [], 0
    for number, sample in enumerate(samples):
        packets = read_packets(sample.capture)
        bundle += map(record, moved(packets, number))
        expected += [(str(count + int(frame)), protocol, info)
                     for frame, protocol, info in tshark.columns(sample.capture) if protocol == "ZMTP"]
        count += len(packets)
    write_records(folder / "bundle.pcap", bundle)
    seen = [column for column in tshark.columns(folder / "bundle.pcap") if column[1] == "ZMTP"]
    assert len(expected) > 10 * len(samples) and seen == expected


def test_edits_change_what_they_should_and_nothing_else():
    rng = random.Random(1)
    for sample in all_captures()[::40]:
        packets = read_packets(sample.capture)
        for flow in {packet.flow for packet in packets if packet.payload}:
            numbers = carriers(packets, flow)
            stream = stream_of(packets, numbers)
            found = marks(stream)
            for mark in rng.sample(found, min(len(found), 20)):
                edited = apply(packets, numbers, [Edit(mark.start, mark.end, b"new")])
                assert stream_of(edited, numbers) == stream[:mark.start] + b"new" + stream[mark.end:]


def test_shrink_keeps_what_fails():
    assert FUZZ.shrink(list(range(100)), float("inf"), lambda items: {37, 73} <= set(items)) == [37, 73]


@pytest.mark.parametrize("errors, status, cut, kind", [
    ("", 0, False, None), ("", -6, False, "signal 6"), ("", 99, False, "exit status 99"),
    ("** (tshark:1): WARNING **: Dissector bug", 0, False, "it said"),
    ('tshark: The file "x" appears to have been cut short in the middle of a packet.', 2, True, None),
    ('tshark: The file "x" appears to have been cut short in the middle of a packet.', 2, False, "exit status 2"),
    ("==1==ERROR: LeakSanitizer", 2, True, "exit status 2")])
def test_verdict_on_a_run(folder, errors, status, cut, kind):
    (folder / "out").write_text("text\n")
    problem = judge(status, errors, folder / "out", "tree", cut)
    assert (problem and problem.kind) == kind


@pytest.mark.parametrize("mode, octets", [("tree", b"\xc3("), ("pdml", b"<pdml><packet></pdml>"), ("json", b"[{]"),
                                          ("ek", b'{"a":1}\n{"a\n'), ("tree", b"[Dissector bug, protocol X]")])
def test_verdict_on_output(folder, mode, octets):
    (folder / "out").write_bytes(octets)
    assert judge(0, "", folder / "out", mode, False).kind == f"bad {mode} output"


def fuzz(tshark, *arguments, path=os.environ["PATH"]):
    done = subprocess.run([SCRIPTS / "fuzz-captures", "--plugins", plugins_of(tshark), "--jobs", "1", *arguments],
                          capture_output=True, text=True, env={**os.environ, "PATH": path}, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("always", [False, True])
def test_planted_crash_is_narrowed_down(tshark, fuzzer, folder, always):
    program = folder / "bin" / "tshark"
    program.parent.mkdir()
    program.write_text(PLANTED.format(always=always))
    program.chmod(0o755)
    fuzzer.options.seed = 7
    name = fuzzer.make(0, folder).members[7].name
    status, said = fuzz(tshark, "--seed", "7", "--bundle", "12", "--count", "12", "--keep", folder / "found",
                        path=f"{program.parent}:{os.environ['PATH']}")
    assert re.search(rf"1 packet of {name} \(", said), said
    assert len(read_packets(folder / "found" / "seed-7-bundle-0" / "bundle.pcap")) == 1
    assert (status, "FINDING" in said, "not ours" in said) == ((0, False, True) if always else (1, True, False)), said


def test_sample_of_mutated_captures(tshark, folder):
    status, said = fuzz(tshark, "--count", "300", "--bundle", "50", "--keep", folder)
    assert status == 0 and "300 mutated captures" in said, said


@pytest.mark.parametrize("capture", FOUND, ids=lambda path: path.stem)
def test_what_was_found(fuzzer, folder, capture):
    copy = folder / capture.name
    copy.write_bytes(capture.read_bytes())
    for output, arguments in OUTPUTS.items():
        for passes in ((), ("-2",)):
            assert fuzzer.run(copy, [*arguments, *passes], [], output) is None


def test_usage():
    assert subprocess.run([SCRIPTS / "fuzz-captures", "--count", "0"], stderr=subprocess.DEVNULL,
                          check=False).returncode == 2
