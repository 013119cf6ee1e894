# The generator of plugin/bench and the plugin agree on every frame and every payload, and scripts/bench measures only
# what is right.
# SPDX-License-Identifier: GPL-2.0-or-later
import collections
import json
import subprocess
import sys

import pytest

from bulk import SANITIZED
from tools import BUILD, SCRIPTS, run

sys.path.insert(0, str(SCRIPTS))
from zmtp_bench_runs import SETS, Bench, Set, failure  # noqa: E402  pylint: disable=wrong-import-position

pytestmark = pytest.mark.skipif(SANITIZED, reason="a sanitized plugin is not measured")

PART = 2000  # of the data that is measured
SMALL = [one.scaled(PART) for one in SETS.values()]
SPLIT = [Set(f"{mechanism}-cut-{octets}", mechanism, 5, 1000, connections=2, split=octets)
         for mechanism in ("NULL", "CURVE") for octets in range(1, 9)]
ODD = [Set("empty", "CURVE", 3, 0), Set("octet-by-octet", "CURVE", 2, 300, connections=2, segment=1),
       Set("three-a-segment", "NULL", 20, 100, connections=3, pack=3), Set("no-messages", "NULL", 0)]


def named(sets):
    return [pytest.param(one, id=one.name) for one in sets]


def payload(connection, message, size):
    """What the generator says it sends."""
    name = f"{connection}.{message} "
    return (name + "abcdefghijklmnopqrstuvwxyz" * (size // 26 + 1))[:size].encode()


@pytest.fixture(scope="module")
def bench():
    one = Bench(BUILD)
    yield one
    one.remove()


@pytest.mark.parametrize("passes", [(), ("-2",)], ids=["one-pass", "two-passes"])
@pytest.mark.parametrize("what", named([*SMALL, *SPLIT, *ODD]))
def test_the_plugin_shows_every_frame_and_payload(tshark, bench, what, passes):
    data = bench.generate(what)
    shown = tshark(data.capture, *passes, "-d", "tcp.port==5590,zmtp", "-T", "fields", "-Y", "zmtp", "-e", "tcp.stream",
                   "-e", "zmtp.length", "-e", "zmtp.data", keys=data.keys or None)
    lengths = []
    payloads = collections.defaultdict(list)
    for line in shown.splitlines():
        stream, of_frames, of_messages = line.split("\t")
        lengths += map(int, filter(None, of_frames.split(",")))
        if what.size:
            payloads[int(stream)] += map(bytes.fromhex, filter(None, of_messages.split(",")))
    assert (len(lengths), sum(lengths)) == (data.frames, data.body_octets)
    for connection in range(what.connections if what.size else 0):
        assert payloads[connection] == [payload(connection, number, what.size) for number in range(what.count)]


@pytest.mark.parametrize("what", named(one for one in SMALL if one.has_keys))
def test_without_keys_it_shows_the_frames_and_no_payload(bench, what):
    assert bench.count(bench.plugin, bench.generate(what), keys=False) == ""


@pytest.mark.parametrize("what", named(one for one in SPLIT if one.has_keys))
def test_the_floor_shows_every_frame_too(bench, what):
    assert bench.count(bench.floor, bench.generate(what), keys=what.has_keys) == ""


def test_packets_are_valid(tshark, bench):
    data = bench.generate(Set("valid", "CURVE", 50, 1000, connections=3))
    verify = ("-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE")
    good = "tcp.checksum.status == 1 && ip.checksum.status == 1"
    assert len(tshark(data.capture, *verify, "-Y", good).splitlines()) == data.packets
    assert tshark(data.capture, *verify, "-Y", "tcp.analysis.flags || _ws.malformed") == ""


def test_the_table(folder):
    done = run("bench", "--quick", "--part", "1000", "--sets", "a", "--json", folder / "figures")
    assert (done.returncode, done.stderr) == (0, "")
    rows = [line for line in done.stdout.splitlines() if line.startswith("| a ")]
    assert len(rows) == 2 and "failed" not in done.stdout
    figures = json.loads((folder / "figures").read_text())
    assert all(row["dissectors"][name]["cpu"][0] > 0 for row in figures["rows"] for name in ("tcp", "floor", "plugin"))
    page = folder / "page.md"
    series = ".".join(map(str, figures["series"]))
    begin, end = (f"<!-- {word} of the table of {series} -->" for word in ("begin", "end"))
    page.write_text(f"before\n{begin}\nold\n{end}\nafter\n")
    assert run("bench", "--from", folder / "figures", "--write", page).returncode == 0
    text = page.read_text()
    assert text.startswith(f"before\n{begin}\n") and text.endswith(f"{end}\nafter\n")
    assert "old" not in text and all(row in text for row in rows)


def test_a_figure_counts_only_when_every_frame_is_shown(folder):
    one = Bench(BUILD, folder)
    try:
        one.generate(SETS["a"].scaled(10000))
    finally:
        one.remove()
    facts, = folder.glob("*.json")
    facts.write_text(facts.read_text().replace('"messages": 100,', '"messages": 101,'))
    done = run("bench", "--part", "10000", "--runs", "1", "--sets", "a", "--data", folder)
    assert done.returncode == 1
    assert "102 frames" in done.stdout and "not 103" in done.stdout


def test_what_takes_too_long_or_fails_has_no_figure():
    one = Bench(BUILD, limit=1)
    try:
        assert failure([one.run(["sleep", "60"])]) == "not ready after 1 s"
        assert failure([one.run(["sh", "-c", "echo no >&2; exit 3"])]) == "ended with 3: no"
        assert failure([one.run(["true"])]) == ""
    finally:
        one.remove()


@pytest.mark.parametrize("arguments", [("--sets", "z"), ("--runs", "0"), ("--nonsense",)])
def test_wrong_options_are_refused(arguments):
    done = run("bench", *arguments)
    assert done.returncode == 1 and done.stderr.startswith("bench: ")


@pytest.mark.parametrize("arguments", [(), ("--mechanism=PLAIN", "x"), ("--split=9", "x"), ("--segment=0", "x"),
                                       ("--count=1x", "x"), ("--count=-1", "x")])
def test_the_generator_refuses_wrong_options(arguments, tmp_path):
    done = subprocess.run([BUILD / "zmtp-generate", *arguments], capture_output=True, text=True, cwd=tmp_path,
                          check=False)
    assert done.returncode == 2 and "usage:" in done.stderr
    assert not list(tmp_path.iterdir())
