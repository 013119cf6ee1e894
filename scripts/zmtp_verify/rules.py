# The table of rules: what the RFCs want of a conversation. Each is registered by one of the modules rules_*.py.
# SPDX-License-Identifier: GPL-2.0-or-later
import typing

from .conversation import other

MUST, SHOULD, NOTE = "must", "should", "note"  # a note is told, and is no deviation


class Rule(typing.NamedTuple):
    id: str
    rfc: int
    section: str  # heading in the RFC's text
    severity: str
    text: str  # what is wanted
    # Yields (item, what was seen) of a connection; with across, of all connections, (connection, item, what was seen).
    check: typing.Callable
    across: bool
    of_other: bool  # the fault is that of the side that did not send the item: it should have answered


class Deviation(typing.NamedTuple):
    """One place where a rule was not kept."""
    rule: Rule
    connection: typing.Any
    item: typing.Any
    seen: str
    side: str  # whose fault it is


RULES = {}


def rule(name, rfc, section, severity, text, across=False, of_other=False):
    """Registers a check as a rule."""
    def register(check):
        assert name not in RULES, name
        RULES[name] = Rule(name, rfc, section, severity, text, check, across, of_other)
        return check
    return register


def finding_rule(name, rfc, section, severity, text, finding, only=None, of_other=False):
    """A rule that the plugin itself checks: its finding marks where it is not kept. only: of these items."""
    @rule(name, rfc, section, severity, text, of_other=of_other)
    def _(connection):
        for item in connection.items:
            seen = item.found(finding) if connection.hole is None or item.packet <= connection.hole else None
            if seen is not None and (only is None or only(connection, item)):
                yield item, seen


def _innermost(item):
    """The name of the command, or of the one that is in its box."""
    names = item.all("zmtp.command-name")
    return names[-1].show if names else None


def malformed_rule(name, rfc, section, severity, text, mechanism, command):
    """A rule about the form of one command, which the plugin calls malformed."""
    finding_rule(name, rfc, section, severity, text, "zmtp.command.malformed",
                 lambda connection, item: item.has("zmtp.flags") and _innermost(item) == command
                 and (mechanism is None or connection.mechanism == mechanism))


def deviations(capture):
    """All deviations of a capture, in the order of its packets."""
    found = []
    for one in RULES.values():
        places = one.check(capture.connections) if one.across else (
            (connection, *place) for connection in capture.connections for place in one.check(connection))
        found += [Deviation(one, connection, item, seen, other(item.side) if one.of_other else item.side)
                  for connection, item, seen in places]
    return sorted(found, key=lambda one: (one.item.packet, one.connection.number))
