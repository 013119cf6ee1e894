# Checks one capture: its conversation against the rules, and against NAME.expect.json. --json prints the result.
# SPDX-License-Identifier: GPL-2.0-or-later
import typing
from pathlib import Path

from . import expectation, rules_curve, rules_handshake, rules_traffic  # noqa: F401  (rules_* register their rules)
from .conversation import Capture
from .known import known
from .rules import MUST, NOTE, SHOULD, deviations
from .tshark import CannotCheck

PASSED, DEVIATES, UNCHECKED = "passed", "deviates", "unchecked"
FAILING = {MUST: (MUST,), SHOULD: (MUST, SHOULD), NOTE: (MUST, SHOULD, NOTE)}
KEY_FILES = (".keys", ".keytab")
ROW = ("stream", "first_frame", "version", "mechanism", "outcome", "finding", "what")


class Options(typing.NamedTuple):
    keys: tuple = ()  # key logs and keytabs besides those beside the capture
    tshark: tuple = ()  # "-o" and "-d" of tshark, with their values
    any_value: tuple = ()  # names of properties whose value is another one each time
    fail_on: str = SHOULD
    strict: bool = False  # known deviations count too
    accept: bool = False


def check(tshark, file, options):
    """The result of one capture, as README.md beside this file has it."""
    result = {**unchecked(file, None), "state": PASSED}
    try:
        _check(tshark, Path(file), options, result)
    except (CannotCheck, expectation.Unusable) as error:
        result.update(unchecked(file, str(error)))
    except OSError as error:
        result.update(unchecked(file, f"{error.filename or file}: {error.strerror}"))
    except Exception as error:  # pylint: disable=broad-except  (the others are still to be checked)
        result.update(unchecked(file, f"a defect of zmtp-verify: {type(error).__name__}: {error}"))
    return result


def unchecked(file, why):
    return {"type": "capture", "file": str(file), "state": UNCHECKED, "error": why, "keys": [], "connections": [],
            "deviations": [], "expectation": None}


def keys_beside(capture):
    name = expectation.path_of(capture).name.removesuffix(expectation.EXPECTATION)
    return [path for path in (capture.with_name(name + ending) for ending in KEY_FILES) if path.exists()]


def _check(tshark, file, options, result):
    path = expectation.path_of(file)
    expected = None
    try:
        expected = expectation.read(path)
    except expectation.Unusable:
        if not options.accept:
            raise
    before = expected or {"options": [], "any": [], "accepted": []}
    pairs = [pair for words in (before["options"], options.tshark) for pair in zip(words[::2], words[1::2])]
    words = [word for pair in _once(pairs) for word in pair]
    strange = next((f"{option} {value.partition(':')[0]}" for option, value in _once(pairs)
                    if options.accept and not expectation.may_be_kept(option, value)), None)
    if strange:
        raise CannotCheck(f"{strange} would stand in {path.name}, where only -d and preferences of tcp and zmtp.tcp "
                          "may: accept without it (for keys there is --keys)")
    any_value = _once([*before["any"], *options.any_value])
    keys = [*options.keys, *keys_beside(file)]
    capture = Capture()
    capture.finish(tshark.read(file, keys, words, capture.take))
    if not capture.connections and not (expected and not expected["connections"]):
        raise CannotCheck("no ZMTP connection was found in it: if it has some, name their port "
                          "(-d tcp.port==5555,zmtp)")
    result["keys"] = [str(key) for key in keys]
    result["connections"] = [_row(connection) for connection in capture.connections]
    found = _told(deviations(capture))
    for one in found:
        fails = one["severity"] in FAILING[options.fail_on] and (options.strict or not one["tolerated"])
        one["accepted"] = fails and (options.accept or one["rule"] in before["accepted"])
        one["fails"] = fails and not one["accepted"]
    accepted = sorted({one["rule"] for one in found if one["accepted"]})
    description, events = expectation.described(capture, words, any_value, accepted)
    if options.accept:
        expectation.write(path, description)
        expected = description
    result["deviations"] = found
    if expected:
        lines = expectation.differences(expected, description, events)
        result["expectation"] = {"file": str(path), "same": not lines, "written": options.accept, "differences": lines,
                                 "gone": sorted(set(before["accepted"]) - {one["rule"] for one in found})}
    if any(one["fails"] for one in found) or expected and lines:
        result["state"] = DEVIATES


def _once(values):
    return list(dict.fromkeys(values))


def _row(connection):
    row = connection.row
    return {"number": connection.number, **{name: row[name] for name in ROW}, "whole": connection.whole,
            **{side: {name: row[side][name] for name in ("address", "port", "socket_type", "messages", "boxes",
                                                         "boxes_opened", "commands")} for side in ("client", "server")}}


def _told(found):
    """One entry for each rule and connection, with how often and where first."""
    entries = {}
    for one in found:
        library = known(one)
        key = one.rule.id, one.connection.number, library
        if key in entries:
            entries[key]["count"] += 1
            continue
        entries[key] = {
            "rule": one.rule.id, "rfc": one.rule.rfc, "section": one.rule.section, "severity": one.rule.severity,
            "text": one.rule.text, "connection": one.connection.number, "stream": one.connection.stream,
            "packet": one.item.packet, "side": one.side, "seen": one.seen, "count": 1,
            "known": library and f"{library.libraries}: {library.remark}",
            "tolerated": bool(library and library.tolerated),
        }
    return list(entries.values())
