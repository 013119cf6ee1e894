# The table of rules: what the RFCs want of a conversation. Each is registered by one of the modules rules_*.py.
# SPDX-License-Identifier: GPL-2.0-or-later
import typing

MUST, SHOULD, NOTE = "must", "should", "note"  # a note is told, and is no deviation


class Rule(typing.NamedTuple):
    id: str
    rfc: int
    section: str  # heading in the RFC's text
    severity: str
    text: str  # what is wanted
    check: typing.Callable  # yields (item, what was seen) of a connection, or of all with across
    across: bool


class Deviation(typing.NamedTuple):
    """One place where a rule was not kept."""
    rule: Rule
    connection: typing.Any
    item: typing.Any
    seen: str


RULES = {}


def rule(name, rfc, section, severity, text, across=False):
    """Registers a check as a rule."""
    def register(check):
        assert name not in RULES, name
        RULES[name] = Rule(name, rfc, section, severity, text, check, across)
        return check
    return register


def finding_rule(name, rfc, section, severity, text, finding, only=None):
    """A rule that the plugin itself checks: its finding marks where it is not kept. only: of these items."""
    @rule(name, rfc, section, severity, text)
    def _(connection):
        for item in connection.items:
            seen = item.found(finding)
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
        if one.across:
            found += [Deviation(one, connection, item, seen)
                      for connection, item, seen in one.check(capture.connections)]
        else:
            found += [Deviation(one, connection, item, seen)
                      for connection in capture.connections for item, seen in one.check(connection)]
    return sorted(found, key=lambda one: (one.item.packet, one.connection.number))
