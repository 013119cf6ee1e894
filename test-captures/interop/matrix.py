#!/usr/bin/python3
# The tables in ../README.md: who got along with whom, and what each implementation does otherwise.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Make the interop tables of what zmtp-verify found.

    scripts/zmtp-verify --json test-captures/interop | test-captures/interop/matrix.py [--write ../README.md]"""

import argparse
import collections
import json
import pathlib
import sys

PATTERNS = ("req-rep", "pub-sub", "dealer-router", "push-pull", "multipart", "large", "heartbeat")
MECHANISMS = ("null", "plain", "curve")
START, END = "<!-- interop: made by interop/matrix.py -->\n", "<!-- end of interop -->\n"
PASSED, DEVIATES, FAILED, UNSUPPORTED = "passed", "deviates", "failed", "unsupported"


class Session:
    """One pattern in one capture."""

    def __init__(self, about, pattern, result):
        self.mechanism = about["mechanism"]
        self.listener, self.connector = about["listener"], about["connector"]
        self.pattern = pattern["pattern"]
        self.server_connects = about["security_server"] == "connector"
        rows = [row for row in result["connections"] if pattern["port"]
            in (row["client"]["port"], row["server"]["port"])]
        numbers = {row["number"] for row in rows}
        self.deviations = [one for one in result["deviations"] if one["connection"] in numbers]
        self.rows = {row["number"]: row for row in rows}
        self.port = pattern["port"]
        self.state = self._state(pattern["result"])

    def _state(self, told):
        if told.startswith("unsupported"):
            return UNSUPPORTED
        if told != "passed" or not any(row["outcome"] == "complete" for row in self.rows.values()):
            return FAILED
        return DEVIATES if any(one["fails"] or one["accepted"] for one in self.deviations) else PASSED

    def who(self, deviation):
        """The implementation that deviates."""
        row = self.rows[deviation["connection"]]
        return self.listener if row[deviation["side"]]["port"] == self.port else self.connector


def sessions(results):
    for result in results:
        capture = pathlib.Path(result["file"])
        about = json.loads(capture.with_suffix(".json").read_text(encoding="utf-8"))
        for pattern in about["patterns"]:
            yield Session(about, pattern, result)


def table(heads, rows):
    return "".join("| " + " | ".join(map(str, row)) + " |\n" for row in [heads, ["---"] * len(heads), *rows])


def share(states):
    """Such as "9 of 10": with how many peers it passed, of those where both sides can do it."""
    tried = [state for state in states if state != UNSUPPORTED]
    if not tried:
        return "-"
    text = f"{tried.count(PASSED) + tried.count(DEVIATES)} of {len(tried)}"
    return text + (f", {tried.count(DEVIATES)} deviate" if DEVIATES in tried else "")


def patterns(all_sessions, names):
    """Implementation x role x mechanism x pattern."""
    rows = []
    for name in names:
        for mechanism in MECHANISMS:
            for role in ("listener", "connector"):
                mine = [one for one in all_sessions if one.mechanism == mechanism and not one.server_connects
                        and getattr(one, role)["name"] == name]
                if mine:
                    cells = [share([one.state for one in mine if one.pattern == pattern]) for pattern in PATTERNS]
                    rows.append([name, mechanism.upper(), role, *cells])
    return table(["implementation", "mechanism", "role", *PATTERNS], rows)


def pairs(all_sessions, names, mechanism):
    """Listener x connector: patterns that passed."""
    rows = []
    for listener in names:
        cells = []
        for connector in names:
            states = [one.state for one in all_sessions if one.mechanism == mechanism and not one.server_connects
                      and one.listener["name"] == listener and one.connector["name"] == connector]
            cells.append(share(states).replace(" of ", "/") if states else "")
        if any(cells):
            rows.append([f"**{listener}**", *cells])
    return table(["listener", *names], rows)


def quirks(all_sessions, names):
    """What each does otherwise than the RFCs want, and in how many of its captures' connections."""
    found = collections.defaultdict(lambda: collections.defaultdict(list))
    for session in all_sessions:
        for one in session.deviations:
            found[session.who(one)["name"]][one["rule"]].append((session.mechanism.upper(), one))
    rows = []
    for name in names:
        for rule, seen in sorted(found[name].items()):
            _, one = seen[0]
            kind = "known" if one["tolerated"] else "deviation" if one["fails"] or one["accepted"] else "note"
            with_ = ", ".join(sorted({mechanism for mechanism, _ in seen}))
            rows.append([name, f"`{rule}`", kind, f"RFC {one['rfc']}", with_, len(seen),
                         one["seen"].partition(". ")[0].replace("|", "\\|")])
    return table(["implementation", "rule", "kind", "source", "with", "connections", "for instance"], rows)


def versions(all_sessions):
    """{name: how it is called}, libzmq first, then what is made of it, then the independent ones."""
    known = {one["name"]: one for session in all_sessions for one in (session.listener, session.connector)}
    order = sorted(known, key=lambda name: (not known[name].get("libzmq"), not name.startswith("libzmq"), name))
    made_of = {name: f" (libzmq {about['libzmq']})" for name, about in known.items()
               if about.get("libzmq") and not name.startswith("libzmq")}
    return {name: f"{name} {known[name]['version']}{made_of.get(name, '')}" for name in order}


def markdown(results):
    all_sessions = list(sessions(results))
    names = versions(all_sessions)
    text = "Implementations: " + ", ".join(names.values()) + ".\n\n"
    text += ("With how many peers each pattern passed (the messages arrived, and the capture shows a complete\n"
             "handshake), of those that can do it; \"deviate\": among these, with a deviation of either side.\n\n")
    text += patterns(all_sessions, names)
    for mechanism in MECHANISMS:
        text += f"\n{mechanism.upper()}, patterns that passed between listener and connector:\n\n"
        there = {role["name"] for one in all_sessions if one.mechanism == mechanism
                 for role in (one.listener, one.connector)}
        text += pairs(all_sessions, [name for name in names if name in there], mechanism)
    return text + "\nWhat each does otherwise than the RFCs want, or than is usual:\n\n" + quirks(all_sessions, names)


def replaced(text, new):
    """The text with the tables between the marks made new."""
    before, start, rest = text.partition(START)
    _, end, after = rest.partition(END)
    if not (start and end):
        raise SystemExit(f"matrix.py: there is no {START.strip()} or {END.strip()} in this file")
    return before + START + new + END + after


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", metavar="FILE", type=pathlib.Path,
                        help="put the tables between the marks of this file")
    arguments = parser.parse_args()
    lines = map(json.loads, sys.stdin)
    results = [line for line in lines if line["type"] == "capture"]
    unchecked = [result["file"] for result in results if result["state"] == "unchecked"]
    if unchecked or not results:
        raise SystemExit(f"matrix.py: not checked: {', '.join(unchecked) or 'anything'}")
    text = markdown(results)
    if arguments.write:
        arguments.write.write_text(replaced(arguments.write.read_text(encoding="utf-8"), text), encoding="utf-8")
    else:
        print(text, end="")


if __name__ == "__main__":
    main()
