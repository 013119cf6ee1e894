# NAME.expect.json: the conversation as it should be, written with --accept and compared later.
# SPDX-License-Identifier: GPL-2.0-or-later
import difflib
import json
import os

from .conversation import CLIENT, SERVER, Frame, Greeting, digest

FORMAT = 1
EXPECTATION = ".expect.json"
SIDES = (CLIENT, SERVER)
LISTED = 100  # events of one side that stand in the file one by one; what comes behind is summed up
HEARTBEATS = ("PING", "PONG")
LONGEST_SHOWN, LONGEST_VALUE = 60, 255  # octets
LINE = 118  # columns


class Unusable(Exception):
    """Why a file is no expectation."""


def path_of(capture):
    """NAME.expect.json of NAME.pcap, NAME.pcapng.gz ..."""
    name = next((capture.name.removesuffix(end) for end in (".gz", ".zst", ".lz4") if capture.name.endswith(end)),
                capture.name)
    return capture.with_name((name[:name.rindex(".")] if "." in name else name) + EXPECTATION)


# ---- What is expected: all that a new recording of the same session has again, so no ports, times, keys and nonces

class Event:
    """One thing that a side said: as it stands in the file, and for people, where it is."""

    def __init__(self, entry, packet, text=""):
        self.entry, self.packet, self.text = entry, packet, text
        self.line = json.dumps(entry)

    def sentence(self):
        return sentence(self.entry) + (f" = {self.text}" if self.text else "") + f"  (packet {self.packet})"


def described(capture, options, any_value, accepted):
    """A capture as it stands in NAME.expect.json, and the Events of each side of each connection.

    any_value: names of properties whose value is another one each time. accepted: names of rules."""
    events = [{side: _events(connection, side, {name.lower() for name in any_value}) for side in SIDES}
              for connection in capture.connections]
    return {
        "zmtp-verify": FORMAT,
        "options": list(options),
        "any": list(any_value),
        "accepted": accepted,
        "connections": [_described(connection, said) for connection, said in zip(capture.connections, events)],
    }, events


def _described(connection, events):
    row = connection.row
    return {
        "version": row["version"], "mechanism": row["mechanism"], "outcome": row["outcome"], "finding": row["finding"],
        "findings": sorted({name for _, name, severity, _ in connection.findings() if severity != "chat"}),
        **{side: {"socket_type": row[side]["socket_type"],
                  "heartbeats": sorted({_heartbeat(frame) for frame in _heartbeats(connection, side)}),
                  "said": [event.entry for event in events[side]]} for side in SIDES},
    }


def _heartbeats(connection, side):
    return [item for item in connection.items
            if isinstance(item, Frame) and item.side == side and item.command in HEARTBEATS]


def _heartbeat(frame):
    """How many there are is a matter of time; so they are no events."""
    return f"{frame.command} ttl={frame.number('zmtp.ping.ttl')}" if frame.has("zmtp.ping.ttl") else frame.command


def _events(connection, side, any_value):
    events = []
    ready = connection.mechanism != "PLAIN"  # before READY, what seems to be a message may be a broken HELLO
    for item in connection.items:
        ready = ready or isinstance(item, Frame) and item.command == "READY"
        if item.side != side:
            continue
        if isinstance(item, Greeting):
            entry = {"greeting": item.version, "mechanism": item.mechanism, "as_server": item.number("zmtp.as-server"),
                     "socket_type": item.number("zmtp.socket_type.code")}
            events.append(Event({name: value for name, value in entry.items() if value is not None}, item.packet))
        elif isinstance(item, Frame) and item.is_part:
            part = f"{item.size}:{item.hash}"
            if events and events[-1].entry.get("more"):
                message = {"message": events[-1].entry["message"] + [part]}
                events[-1] = Event(_with_more(message, item), events[-1].packet,
                                   events[-1].text + " " + _text(item) if ready else "")
            else:
                events.append(Event(_with_more({"message": [part]}, item), item.packet, _text(item) if ready else ""))
        elif isinstance(item, Frame) and item.command not in HEARTBEATS:
            events.append(Event(_command(item, any_value), item.packet))
        elif not isinstance(item, Frame):
            events.append(Event({"octets": len(item.field.octets)}, item.packet))
    if len(events) > LISTED:
        rest = "\n".join(event.line for event in events[LISTED:])
        events[LISTED:] = [Event({"and": len(events) - LISTED, "sha256": digest(rest.encode())}, events[LISTED].packet)]
    return events


def _with_more(entry, frame):
    return {**entry, "more": True} if frame.more else entry


def _command(frame, any_value):
    if frame.closed:
        return {"closed": frame.mechanism, "octets": frame.length}
    if frame.topic:
        name, topic = frame.topic
        return {name.lower(): printable(topic)}
    if frame.has("zmtp.identity") and frame.command is None:
        return {"identity": printable(frame.octets("zmtp.identity"))}
    entry = {"command": frame.command}
    if frame.properties:
        # Sorted: some implementations send them in any order.
        entry["properties"] = sorted([name, "*" if name.lower() in any_value else printable(value)]
                                     for name, value in frame.properties)
    elif frame.has("zmtp.reason"):
        entry["reason"] = frame.show("zmtp.reason")
    elif frame.has("zmtp.group"):
        entry["group"] = frame.show("zmtp.group")
    elif frame.mechanism != "GSSAPI":  # a ticket's size is the KDC's
        entry["octets"] = frame.length
    return entry


def printable(octets):
    """As text where it is ASCII that can be read, else "hex:" and digits; what is long by its size and hash."""
    if len(octets) > LONGEST_VALUE:
        return f"sha256:{len(octets)}:{digest(octets)}"
    return octets.decode() if octets.isascii() and octets.decode().isprintable() else f"hex:{octets.hex()}"


def _text(part):
    shown = json.dumps(printable(part.data[:LONGEST_SHOWN])) if part.data else "(empty)"
    return shown + ("..." if part.size > LONGEST_SHOWN else "")


# ---- The file

def write(path, description):
    new = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        new.write_text(_json(description, 0) + "\n", encoding="ascii")
        new.replace(path)
    except OSError as error:
        new.unlink(missing_ok=True)
        raise Unusable(f"{path} cannot be written: {error.strerror}") from error


def _json(value, depth):
    """What fits in a line stands in one, so that git shows which event changed."""
    text = json.dumps(value)
    if len(text) <= LINE - depth or not isinstance(value, (dict, list)) or not value:
        return text
    if isinstance(value, dict):
        inner = [f"{json.dumps(name)}: {_json(one, depth + 1)}" for name, one in value.items()]
    else:
        inner = [_json(one, depth + 1) for one in value]
    indent = "\n" + " " * (depth + 1)
    return text[0] + indent + f",{indent}".join(inner) + "\n" + " " * depth + text[-1]


def read(path):
    """What is expected, or None: there is no such file. Raises Unusable."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise Unusable(f"{path} cannot be read: {error}") from error
    try:
        description = json.loads(text)
    except json.JSONDecodeError as error:
        raise Unusable(f"{path}, line {error.lineno}: {error.msg}") from error
    except RecursionError:
        raise Unusable(f"{path} is not a file of zmtp-verify --accept: its lists are too deep") from None
    if not isinstance(description, dict) or description.get("zmtp-verify") != FORMAT or \
            not all(isinstance(description.get(name), list) for name in ("connections", "accepted", "any")) or \
            not all(isinstance(name, str) for name in description["any"] + description["accepted"]) or \
            not all(map(_is_connection, description["connections"])):
        raise Unusable(f"{path} is not a file of zmtp-verify --accept (format {FORMAT})")
    words = description.get("options")
    if not _are_options(words):
        raise Unusable(f"{path}: its \"options\" should be \"-d\" with a rule, or \"-o\" with a preference of tcp or "
                       "zmtp.tcp")
    return description


def _is_connection(entry):
    return isinstance(entry, dict) and all(isinstance(entry.get(name), (str, type(None))) for name in (
        "version", "mechanism", "outcome")) and all(isinstance(entry.get(side), dict) and isinstance(
            entry[side].get("said"), list) for side in SIDES)


def _are_options(words):
    return isinstance(words, list) and len(words) % 2 == 0 and all(isinstance(word, str) for word in words) and \
        all(may_be_kept(*pair) for pair in zip(words[::2], words[1::2]))


def may_be_kept(option, value):
    """May it stand in the file? No keys, no names of files, and nothing with which a capture could do harm."""
    return option == "-d" or option == "-o" and value.startswith(("tcp.", "zmtp.tcp."))


# ---- The difference

def differences(expected, found, events):
    """Lines for people: what is expected and not found ("-"), and what is found instead ("+"). None: the same."""
    lines = []
    pairs, missing, more = _paired(expected["connections"], found["connections"])
    for wanted, number in pairs:
        lines += _connection_difference(wanted, found["connections"][number], events[number], number + 1)
    for wanted in missing:
        lines += [f"- a whole connection is missing: {title(wanted)}"]
    for number in more:
        lines += [f"+ connection {number + 1} was not there before: {title(found['connections'][number])}"]
    return lines


def title(connection):
    sockets = [connection[side].get("socket_type") or "?" for side in SIDES]
    return f"{sockets[0]} and {sockets[1]}, {connection['mechanism']}, {connection['outcome']}"


def _paired(expected, found):
    """[(expected, number of the found)], expected without one, numbers without one. The order in which connections
    began may differ: those that are just the same come first, then those with the same sockets."""
    left, missing, pairs = dict(enumerate(found)), list(expected), []

    def pair(same):
        for wanted in list(missing):
            number = next((number for number, one in left.items() if same(wanted, one)), None)
            if number is not None:
                pairs.append((wanted, number))
                missing.remove(wanted)
                del left[number]

    pair(lambda one, two: one == two)
    # How often a client tries, or comes again, is a matter of time.
    missing = [one for one in missing if not (one in found and _is_mere_attempt(one))]
    left = {number: one for number, one in left.items() if not (one in expected and _is_mere_attempt(one))}
    pair(lambda one, two: title(one) == title(two))
    pair(lambda one, two: True)
    return sorted(pairs, key=lambda pair: pair[1]), missing, list(left)


def _is_mere_attempt(connection):
    """Did neither side send a message?"""
    return not any("message" in entry or "closed" in entry for side in SIDES for entry in connection[side]["said"])


def _connection_difference(wanted, found, events, number):
    if wanted == found:
        return []
    lines = [f"connection {number} ({title(found)}):"]
    for name in sorted({*wanted, *found} - {*SIDES}):
        lines += _value_difference(name, wanted.get(name), found.get(name))
    for side in SIDES:
        one, two = wanted.get(side) or {}, found[side]
        for name in ("socket_type", "heartbeats"):
            lines += _value_difference(f"{side}: {name}", one.get(name), two.get(name))
        lines += _said_difference(side, one.get("said") or [], events[side])
    return lines


def _value_difference(name, wanted, found):
    if wanted == found:
        return []
    return [f"  - {name}: {json.dumps(wanted)}", f"  + {name}: {json.dumps(found)}"]


def _said_difference(side, wanted, events):
    before, now = [json.dumps(entry) for entry in wanted], [event.line for event in events]
    lines = []
    for what, from_, to, at, end in difflib.SequenceMatcher(None, before, now, autojunk=False).get_opcodes():
        if what != "equal":
            lines += [f"  - {side}, {_ordinal(place)}: {sentence(wanted[place])}" for place in range(from_, to)]
            lines += [f"  + {side}, {_ordinal(place)}: {events[place].sentence()}" for place in range(at, end)]
    return lines


def _ordinal(place):
    return f"event {place + 1}"


def sentence(entry):
    """An event for people."""
    if not isinstance(entry, dict):
        return json.dumps(entry)
    if "message" in entry:
        parts = [part.partition(":") for part in entry["message"]]
        return "message of " + ", ".join(f"{size} octets" + (f" (sha256 {hash_[:8]}...)" if size != "0" else "")
                                         for size, _, hash_ in parts) + (" and more" if entry.get("more") else "")
    if "closed" in entry:
        return f"{entry['closed']} MESSAGE of {entry['octets']} octets, which no key opened"
    if "and" in entry:
        return f"{entry['and']} more events (sha256 {entry['sha256'][:8]}...)"
    return " ".join([str(entry.get("command") or next(iter(entry)))]
                    + [f"{name}={json.dumps(value)}" for name, value in entry.items() if name != "command"])
