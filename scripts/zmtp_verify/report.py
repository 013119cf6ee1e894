# Tells results: to people, as JSON, JUnit's XML or TAP.
# SPDX-License-Identifier: GPL-2.0-or-later
import collections
import json
import textwrap

from zmtp_common import several

from .check import DEVIATES, PASSED, UNCHECKED

WORDS = {PASSED: ("ok", "32"), DEVIATES: ("DEVIATES", "31"), UNCHECKED: ("NOT CHECKED", "35")}
COLOURS = {"-": "31", "+": "32"}
MEMBERS = {"capture": {"file", "state", "error", "connections", "deviations", "expectation"},
           "totals": {"tshark", "shard", "captures"}}
DIFFERENCES_SHOWN = 60


class Report:
    """All results, in the order of the files."""

    def __init__(self, results, series, shard=None):
        self.results = sorted(results, key=lambda result: result["file"])
        self.series = series  # of tshark
        self.shard = shard  # (K, N), where these are a part of all

    def count(self, state):
        return sum(result["state"] == state for result in self.results)

    @property
    def status(self):
        """2: something could not be checked; 1: something deviates; 0."""
        return 2 if self.count(UNCHECKED) else 1 if self.count(DEVIATES) else 0

    def as_json(self):
        totals = {"type": "totals", "tshark": self.series, "shard": self.shard, "captures": len(self.results),
                  **{state: self.count(state) for state in WORDS}}
        return "".join(json.dumps(line) + "\n" for line in [*self.results, totals])


def merged(texts):
    """A Report of what --json printed, one run or several in each text; texts: (name, text). Raises ValueError with
    what is wrong or missing."""
    results, ends = [], []
    for name, text in texts:
        found = []
        for number, line in enumerate(text.splitlines(), start=1):
            entry = _entry(line, f"{name}, line {number}")
            if entry["type"] == "capture":
                found.append(entry)
                continue
            if entry["captures"] != len(found):
                raise ValueError(f"{name}, line {number}: {entry['captures']} captures should stand before this line, "
                                 f"and {len(found)} do")
            ends.append(entry)
            results += found
            found = []
        if found or not text.strip():
            raise ValueError(f"{name}: its last line, the totals, is missing: the run that wrote it was stopped")
    parts = [tuple(end["shard"]) for end in ends if end["shard"]]
    missing = [f"{number}/{count}" for count in {count for _, count in parts} for number in range(1, count + 1)
               if (number, count) not in parts]
    if missing:
        raise ValueError(f"these parts are missing: {', '.join(missing)}")
    times = collections.Counter(result["file"] for result in results)
    twice = next((file for file, count in times.items() if count > 1), None)
    if twice:
        raise ValueError(f"{twice} is in these results twice")
    return Report(results, ", ".join(sorted({end["tshark"] for end in ends})))


def _entry(line, place):
    try:
        entry = json.loads(line)
        if MEMBERS[entry["type"]] <= set(entry):
            return entry
    except (ValueError, TypeError, KeyError):
        pass
    raise ValueError(f"{place}: not a line of zmtp-verify --json")


# ---- For people

def plain(text):
    """What a peer or a file name may hold must not steer a terminal, XML or TAP."""
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)


class Paint:
    def __init__(self, file):
        self.on = file.isatty()

    def __call__(self, text, colour):
        return f"\x1b[{colour}m{text}\x1b[0m" if self.on else text


def print_result(result, paint, notes=False):
    word, colour = WORDS[result["state"]]
    print(f"{paint(word, colour)}  {plain(result['file'])}{_summary(result)}")
    if result["error"]:
        _print_lines(result["error"], "    ")
    for one in result["deviations"]:
        if one["fails"]:
            source = f"RFC {one['rfc']}, {one['section']}; {one['severity']}"
            print(f"    {paint(one['rule'], '1')} ({source}): {one['text']}")
            _print_lines(_place(one), "        ")
            if one["known"]:
                _print_lines(f"known of {one['known']}", "        ")
        elif notes or one["accepted"] and result["expectation"]["written"]:
            why = "accepted" if one["accepted"] else f"known of {one['known']}" if one["tolerated"] else "note"
            _print_lines(f"({one['rule']}: {_place(one)}; {why})", "    ")
    expected = result["expectation"]
    for name in expected["gone"] if expected else ():
        _print_lines(f"({name} was accepted and is no longer there: --accept takes it out)", "    ")
    if expected and not expected["same"]:
        print(f"    is not as {expected['file']} says (- expected, + found):")
        for line in expected["differences"][:DIFFERENCES_SHOWN]:
            print("      " + paint(plain(line), COLOURS.get(line.strip()[:1], "0")))
        if len(expected["differences"]) > DIFFERENCES_SHOWN:
            print(f"      and {len(expected['differences']) - DIFFERENCES_SHOWN} more")


def _summary(result):
    if result["state"] == UNCHECKED:
        return ""
    connections = result["connections"]
    boxes = sum(one[side]["boxes"] for one in connections for side in ("client", "server"))
    opened = sum(one[side]["boxes_opened"] for one in connections for side in ("client", "server"))
    words = [several(len(connections), "connection")]
    if boxes:
        words.append(f"{opened} of {boxes} protected frames opened")
    known = len({one["rule"] for one in result["deviations"] if one["tolerated"] and not one["fails"]})
    accepted = len({one["rule"] for one in result["deviations"] if one["accepted"]})
    partly = sum(not one["whole"] for one in connections)
    if partly:
        words.append(f"{partly} not whole in the capture, and checked only in part")
    if known:
        words.append(several(known, "known deviation"))
    if accepted:
        words.append(f"{accepted} accepted")
    expected = result["expectation"]
    words.append("written " + expected["file"] if expected and expected["written"] else
                 "conversation as expected" if expected and expected["same"] else
                 "conversation not as expected" if expected else "no NAME.expect.json")
    return ": " + ", ".join(words)


def _place(one):
    times = f", {one['count']} times" if one["count"] > 1 else ""
    return f"connection {one['connection']}, packet {one['packet']}, of the {one['side']}{times}: {one['seen']}"


def _print_lines(text, indent):
    print(textwrap.fill(plain(text), 110, initial_indent=indent, subsequent_indent=indent + "  "))


def print_totals(report, paint):
    words = [f"{report.count(PASSED)} passed"]
    words += [f"{report.count(state)} {word}" for state, word in ((DEVIATES, "deviate"), (UNCHECKED, "not checked"))
              if report.count(state)]
    print(paint(several(len(report.results), "capture") + ": " + ", ".join(words), "31" if report.status else "32"))


# ---- For programs

def _problems(result):
    """One line for each thing that is wrong."""
    if result["error"]:
        yield result["error"]
    for one in result["deviations"]:
        if one["fails"]:
            yield f"{one['rule']} (RFC {one['rfc']}, {one['section']}): {one['text']}; {_place(one)}"
    if result["expectation"] and not result["expectation"]["same"]:
        yield from result["expectation"]["differences"]


def write_junit(report, path):
    """Needs junitparser (Debian: python3-junitparser)."""
    import junitparser
    suite = junitparser.TestSuite("zmtp-verify")
    for result in report.results:
        case = junitparser.TestCase(plain(result["file"]), classname="zmtp-verify")
        text = "\n".join(map(plain, _problems(result)))
        if result["state"] != PASSED:
            kind = junitparser.Failure if result["state"] == DEVIATES else junitparser.Error
            case.result = [_filled(kind(text.partition("\n")[0]), text)]
        suite.add_testcase(case)
    xml = junitparser.JUnitXml()
    xml.add_testsuite(suite)
    xml.update_statistics()
    xml.write(str(path), pretty=True)


def _filled(entry, text):
    entry.text = text
    return entry


def print_tap(report):
    """Needs tap.py (Debian: python3-tap)."""
    import tap.line
    print("TAP version 13")
    print(f"1..{len(report.results)}")
    for number, result in enumerate(report.results, start=1):
        problems = "\n".join(f"# {plain(line)}" for line in _problems(result))
        print(tap.line.Result(result["state"] == PASSED, number, plain(result["file"]).replace("#", "\\#"),
                              diagnostics=problems or None))
