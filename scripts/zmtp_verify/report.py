# Tells results: to people, as JSON, JUnit's XML or TAP.
# SPDX-License-Identifier: GPL-2.0-or-later
import json
import sys
import textwrap

from .check import DEVIATES, PASSED, UNCHECKED

WORDS = {PASSED: ("ok", "32"), DEVIATES: ("DEVIATES", "31"), UNCHECKED: ("NOT CHECKED", "35")}
DIFFERENCES_SHOWN = 60


class Report:
    """All results, in the order of the files."""

    def __init__(self, results, series):
        self.results = sorted(results, key=lambda result: result["file"])
        self.series = series  # of tshark

    def count(self, state):
        return sum(result["state"] == state for result in self.results)

    @property
    def status(self):
        """2: something could not be checked; 1: something deviates; 0."""
        return 2 if self.count(UNCHECKED) or not self.results else 1 if self.count(DEVIATES) else 0

    def as_json(self):
        totals = {"type": "totals", "tshark": self.series, "captures": len(self.results),
                  **{state: self.count(state) for state in WORDS}}
        return "".join(json.dumps(line) + "\n" for line in [*self.results, totals])


def read(text, name):
    """The results in what --json printed. Raises ValueError with the place of what is wrong."""
    results, totals = [], None
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            entry = json.loads(line)
            kind = entry["type"]
        except (ValueError, TypeError, KeyError):
            raise ValueError(f"{name}, line {number}: not a line of zmtp-verify --json") from None
        if kind == "capture":
            results.append(entry)
        elif kind == "totals":
            totals = entry
    if totals is None or totals["captures"] != len(results):
        raise ValueError(f"{name}: its end is missing: the run that wrote it was stopped")
    return results, totals["tshark"]


# ---- For people

class Paint:
    def __init__(self, file):
        self.on = file.isatty()

    def __call__(self, text, colour):
        return f"\x1b[{colour}m{text}\x1b[0m" if self.on else text


def print_result(result, paint, notes=False):
    word, colour = WORDS[result["state"]]
    print(f"{paint(word, colour)}  {result['file']}{_summary(result)}")
    if result["error"]:
        _print_lines(result["error"], "    ")
    for one in result["deviations"]:
        if one["fails"]:
            print(f"    {paint(one['rule'], '1')} (RFC {one['rfc']}, {one['section']}; {one['severity']}): {one['text']}")
            _print_lines(_place(one), "        ")
            if one["known"]:
                _print_lines(f"known of {one['known']}", "        ")
        elif notes:
            why = "accepted" if one["accepted"] else f"known of {one['known']}" if one["tolerated"] else "note"
            _print_lines(f"({one['rule']}: {_place(one)}; {why})", "    ")
    expected = result["expectation"]
    if expected and not expected["same"]:
        print(f"    is not as {expected['file']} says (- expected, + found):")
        for line in expected["differences"][:DIFFERENCES_SHOWN]:
            print("      " + paint(line, "31" if line.strip().startswith("-") else "32" if line.strip()[0] == "+" else "0"))
        if len(expected["differences"]) > DIFFERENCES_SHOWN:
            print(f"      and {len(expected['differences']) - DIFFERENCES_SHOWN} more")


def _summary(result):
    if result["state"] == UNCHECKED:
        return ""
    connections = result["connections"]
    boxes = sum(one[side]["boxes"] for one in connections for side in ("client", "server"))
    opened = sum(one[side]["boxes_opened"] for one in connections for side in ("client", "server"))
    words = [f"{len(connections)} connection{'' if len(connections) == 1 else 's'}"]
    if boxes:
        words.append(f"{opened} of {boxes} protected frames opened")
    known = len({one["rule"] for one in result["deviations"] if one["tolerated"] and not one["fails"]})
    accepted = len({one["rule"] for one in result["deviations"] if one["accepted"]})
    if known:
        words.append(f"{known} known deviation{'' if known == 1 else 's'}")
    if accepted:
        words.append(f"{accepted} accepted")
    expected = result["expectation"]
    words.append("written " + expected["file"] if expected and expected["written"] else
                 "conversation as expected" if expected and expected["same"] else
                 "conversation not as expected" if expected else "no NAME.expect.json")
    return ": " + ", ".join(words)


def _place(one):
    times = f", {one['count']} times" if one["count"] > 1 else ""
    return f"connection {one['connection']}, packet {one['packet']}, from the {one['side']}{times}: {one['seen']}"


def _print_lines(text, indent):
    print(textwrap.fill(text, 110, initial_indent=indent, subsequent_indent=indent + "  "))


def print_totals(report, paint):
    words = [f"{report.count(PASSED)} passed"]
    words += [f"{report.count(state)} {word}" for state, word in ((DEVIATES, "deviate"), (UNCHECKED, "not checked"))
              if report.count(state)]
    print(paint(f"{len(report.results)} captures: " + ", ".join(words), "31" if report.status else "32"))


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
        case = junitparser.TestCase(result["file"], classname="zmtp-verify")
        text = "\n".join(_problems(result))
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
    import tap.tracker
    tracker = tap.tracker.Tracker(streaming=True, stream=sys.stdout, header=False)
    tracker.set_plan(len(report.results))
    for result in report.results:
        problems = "".join(f"# {line}\n" for line in _problems(result))
        add = tracker.add_ok if result["state"] == PASSED else tracker.add_not_ok
        add("zmtp-verify", result["file"].replace("#", "\\#"), diagnostics=problems)
