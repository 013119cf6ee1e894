# Rules for what comes after the handshake: frames, commands, heartbeats, subscriptions, and what each socket type
# may say.
# SPDX-License-Identifier: GPL-2.0-or-later
import collections
import re

from .conversation import CLIENT, SERVER, other
from .rules import MUST, NOTE, SHOULD, finding_rule, malformed_rule, rule

SIDES = (CLIENT, SERVER)
COMMAND_NAME = re.compile(r"[A-Za-z]+")
HEARTBEAT = ("PING", "PONG")
SINGLE_PART = {"CLIENT", "SERVER", "SCATTER", "GATHER", "PEER", "CHANNEL"}
SUBSCRIBERS, PUBLISHERS = {"SUB", "XSUB"}, {"PUB", "XPUB"}


# ---- Frames

finding_rule("frame-flags", 23, "Framing", MUST, "The reserved flags are zero", "zmtp.flags.reserved_set",
             lambda connection, item: connection.version != "1.0")
finding_rule("frame-length", 23, "Formal Grammar", MUST, "A length is below 2^63", "zmtp.length.invalid")


@rule("frame-command-more", 23, "Framing", MUST, "A command never has MORE")
def _(connection):
    for frame in connection.frames():
        is_command = frame.is_set("zmtp.flags.command") or frame.protected and frame.mechanism == "CURVE"
        if is_command and frame.is_set("zmtp.flags.more") or \
                frame.protected and frame.command is not None and frame.more:
            yield frame, f"{frame.command or frame.show('zmtp.command-name') or 'a command'} with MORE"


@rule("frame-long-command", 23, "Authentication and Confidentiality", SHOULD,
      "A command of up to 255 octets has its length in one octet")
def _(connection):
    yield from _needlessly_long(connection, True)


@rule("frame-long-message", 23, "Framing", NOTE, "A frame of up to 255 octets has its length in one octet")
def _(connection):
    yield from _needlessly_long(connection, False)


def _needlessly_long(connection, commands):
    for frame in connection.frames():
        if frame.is_set("zmtp.flags.long") and frame.length < 256 and \
                (frame.is_set("zmtp.flags.command") or frame.protected) == commands:
            yield frame, f"a length of {frame.length} in 8 octets"


@rule("frame-command-between-parts", 23, "Formal Grammar", SHOULD, "No command stands between the parts of a message")
def _(connection):
    for side in SIDES:
        unfinished = False
        for frame in connection.frames(side):
            if frame.is_part:
                unfinished = frame.more
            elif unfinished and frame.command is not None:
                yield frame, f"{frame.command or 'a command'} between two parts"


@rule("frame-message-whole", 23, "Messages", SHOULD, "A side that closes in order has sent its last message whole")
def _(connection):
    for side in SIDES:
        messages = connection.messages(side)
        if messages and not messages[-1].whole and connection.whole and connection.row["closed_by"] == side and \
                not connection.row["reset"]:
            yield messages[-1].parts[-1], "closed after a part with MORE"


# ---- Commands

@rule("command-name", 23, "Formal Grammar", MUST, "A command has a name, which is in it whole")
def _(connection):
    for frame in connection.frames():
        if frame.command == "" and frame.found("zmtp.command.malformed"):
            yield frame, frame.found("zmtp.command.malformed")


@rule("command-name-letters", 23, "Formal Grammar", MUST, "A command's name is of letters")
def _(connection):
    for frame in connection.frames():
        if frame.command and not COMMAND_NAME.fullmatch(frame.command):
            yield frame, f"the name is \"{frame.command}\""


finding_rule("command-known", 23, "Commands", NOTE, "A command is one of those in the RFCs", "zmtp.command.unknown",
             lambda connection, item: COMMAND_NAME.fullmatch(item.command or "-"))
finding_rule("command-name-padded", 23, "Formal Grammar", MUST, "A command's name is not padded",
             "zmtp.command.padded_name")


# ---- Heartbeats

malformed_rule("ping-form", 37, "Connection Heartbeating", MUST, "PING has a TTL and up to 16 octets of context", None,
               "PING")
malformed_rule("pong-form", 37, "Connection Heartbeating", MUST, "PONG has up to 16 octets of context", None, "PONG")


def _pings(connection):
    """([PING, its PONG or None, how many frames of the other side came behind it]), and the PONGs that answer none."""
    pings, unasked = [], []
    for side in SIDES:
        waiting, said, mine = collections.deque(), 0, []
        for frame in connection.frames():
            if frame.side == side and frame.command == "PING":
                waiting.append([frame, None, said])
                mine.append(waiting[-1])
            elif frame.side == other(side):
                said += 1
                if frame.command == "PONG" and waiting:
                    waiting.popleft()[1] = frame
                elif frame.command == "PONG":
                    unasked.append(frame)
        pings += [(ping, pong, said - before) for ping, pong, before in mine]
    return pings, unasked


@rule("pong-context", 37, "Connection Heartbeating", MUST, "PONG returns the context of its PING")
def _(connection):
    for ping, pong, _ in _pings(connection)[0]:
        if pong and pong.octets("zmtp.ping.context") != ping.octets("zmtp.ping.context") and not pong.findings:
            yield pong, f"not the context of the PING in packet {ping.packet}"


@rule("pong-answered", 37, "Connection Heartbeating", MUST, "Each PING is answered with PONG", of_other=True)
def _(connection):
    for ping, pong, behind in _pings(connection)[0]:
        if not pong and (behind > 1 or ping.found("zmtp.heartbeat.lost")):
            yield ping, "no PONG came"


@rule("pong-asked", 37, "Connection Heartbeating", NOTE, "PONG comes only as an answer")
def _(connection):
    for pong in _pings(connection)[1]:
        yield pong, "no PING came before"


@rule("ping-version", 37, "Changes from ZMTP 3.0", NOTE, "PING and PONG belong to ZMTP 3.1")
def _(connection):
    for frame in connection.frames():
        if frame.command in HEARTBEAT and connection.version == "3.0":
            yield frame, f"{frame.command} on a 3.0 connection"


# ---- Subscriptions

@rule("subscribe-command", 37, "The Publish-Subscribe Pattern", MUST,
      "On 3.1, SUB and XSUB subscribe with the commands SUBSCRIBE and CANCEL")
def _(connection):
    for frame in _traffic(connection, SUBSCRIBERS):
        if connection.version == "3.1" and frame.is_part and frame.data[:1] in (b"\0", b"\1"):
            yield frame, "a message that begins with 00 or 01"


@rule("subscribe-message", 23, "The Publish-Subscribe Pattern", MUST,
      "On 3.0, subscriptions are messages that begin with 01 and 00")
def _(connection):
    for frame in connection.frames():
        if frame.command in ("SUBSCRIBE", "CANCEL") and connection.version == "3.0":
            yield frame, f"{frame.command} on a 3.0 connection"


def _traffic(connection, types):
    """The frames of sides with one of these socket types."""
    for side in SIDES:
        if connection.socket_type(side) in types:
            yield from connection.frames(side)


def _senders(connection, commands, types, beside):
    for side in SIDES:
        if connection.socket_type(side) not in types | beside | {None}:
            for frame in connection.frames(side):
                if frame.command in commands:
                    yield frame, f"{frame.command} from {connection.socket_type(side)}"


@rule("subscribe-sender", 37, "The Publish-Subscribe Pattern", SHOULD, "SUBSCRIBE and CANCEL come from SUB and XSUB")
def _(connection):
    yield from _senders(connection, ("SUBSCRIBE", "CANCEL"), SUBSCRIBERS, set())


@rule("join-sender", 37, "The Radio-Dish Pattern", SHOULD, "JOIN and LEAVE come from DISH")
def _(connection):
    yield from _senders(connection, ("JOIN", "LEAVE"), {"DISH"}, set())


@rule("cancel-subscribed", 37, "The Publish-Subscribe Pattern", NOTE, "What is cancelled was subscribed before")
def _(connection):
    for side in SIDES:
        subscribed = collections.Counter()  # some cancel as often as they subscribed, others once
        for frame in connection.frames(side):
            name, topic = frame.topic or (None, None)
            if name == "SUBSCRIBE":
                subscribed[topic] += 1
            elif name == "CANCEL":
                if not subscribed[topic]:
                    yield frame, f"{topic[:40]!r} was not subscribed"
                subscribed[topic] -= subscribed[topic] > 0


@rule("publication-subscribed", 23, "The Publish-Subscribe Pattern", SHOULD,
      "A publisher sends what begins with a topic to which the other side subscribed")
def _(connection):
    for side in SIDES:
        # On ZMTP 1.0 everything is published; with a missing or closed frame no subscription can be relied on.
        if connection.socket_type(side) not in PUBLISHERS or connection.unopened or \
                connection.socket_type(other(side)) not in SUBSCRIBERS:
            continue
        subscribed, begins = set(), True
        for frame in connection.frames():
            name, topic = frame.topic or (None, None)
            if frame.side == other(side) and (name == "SUBSCRIBE" or frame.is_part and frame.data[:1] == b"\1"):
                subscribed.add(topic if topic is not None else frame.data[1:])  # cancelled ones may be under way
            elif frame.side == side and frame.is_part:
                if begins and not any(map(frame.data.startswith, subscribed)):
                    yield frame, f"{frame.data[:40]!r} matches no subscription"
                begins = not frame.more


# ---- What each socket type may say

def _messages_of(connection, types):
    for frame in _traffic(connection, types):
        if frame.is_part:
            yield frame, f"a message from {connection.socket_type(frame.side)}"


@rule("sub-silent", 29, "The SUB Socket Type", MUST, "SUB sends no message")
def _(connection):
    for frame, seen in _messages_of(connection, {"SUB"}):
        if frame.data[:1] not in (b"\0", b"\1"):  # subscribe-command tells of those
            yield frame, seen


@rule("pull-silent", 30, "The PULL Socket Type", MUST, "PULL sends no message")
def _(connection):
    yield from _messages_of(connection, {"PULL"})


@rule("dish-silent", 48, "The DISH Socket Type", MUST, "DISH sends no message")
def _(connection):
    yield from _messages_of(connection, {"DISH"})


@rule("gather-silent", 49, "The GATHER Socket Type", MUST, "GATHER sends no message")
def _(connection):
    yield from _messages_of(connection, {"GATHER"})


@rule("single-part", 37, "Thread-Safe Socket Types", MUST,
      "CLIENT, SERVER, SCATTER, GATHER, PEER and CHANNEL send no messages of several parts")
def _(connection):
    for side in SIDES:
        if connection.socket_type(side) in SINGLE_PART:
            for message in connection.messages(side):
                if len(message.parts) > 1:
                    yield message.parts[1], f"a second part from {connection.socket_type(side)}"


@rule("radio-parts", 37, "The Radio-Dish Pattern", MUST, "A message of RADIO is a group and a body")
def _(connection):
    for side in SIDES:
        if connection.socket_type(side) == "RADIO":
            for message in connection.messages(side):
                if message.whole and len(message.parts) != 2:
                    yield message.parts[0], f"{len(message.parts)} parts"


def _requests(connection, types):
    for side in SIDES:
        if connection.socket_type(side) in types and connection.version != "1.0":
            yield from connection.messages(side)


@rule("req-delimiter", 28, "The REQ Socket Type", MUST, "A request of REQ begins with an empty part")
def _(connection):
    for message in _requests(connection, {"REQ"}):
        if message.frames[0]:
            yield message.parts[0], f"the first part has {message.parts[0].size} octets"


@rule("req-data", 28, "The REQ Socket Type", MUST, "Behind the empty part a request has at least one more")
def _(connection):
    for message in _requests(connection, {"REQ"}):
        if message.whole and message.frames == [b""]:
            yield message.parts[0], "nothing but the empty part"


@rule("req-turns", 28, "The REQ Socket Type", MUST, "REQ waits for the reply before it asks again")
def _(connection):
    for side in SIDES:
        if connection.socket_type(side) == "REQ" and not connection.unopened:
            waiting = False
            for message in _in_order(connection):
                if message.side == side and message.frames == [b""]:
                    continue  # req-data tells of it
                if message.side == side and waiting:
                    yield message.parts[0], "a second request before the reply"
                waiting = message.side == side


@rule("rep-turns", 28, "The REP Socket Type", MUST, "REP sends one reply for each request")
def _(connection):
    for side in SIDES:
        if connection.socket_type(side) == "REP" and not connection.unopened:
            asked = 0
            for message in _in_order(connection):
                asked += 1 if message.side != side else -1
                if asked < 0:
                    yield message.parts[0], "a reply without a request"
                    asked = 0


def _in_order(connection):
    """The messages of both sides, in the order in which they began."""
    place = {id(item): number for number, item in enumerate(connection.items)}
    return sorted((message for side in SIDES for message in connection.messages(side)),
                  key=lambda message: place[id(message.parts[0])])


@rule("rep-envelope", 28, "The REP Socket Type", MUST, "A reply of REP begins with the request's envelope")
def _(connection):
    for side in SIDES:
        if connection.socket_type(side) != "REP" or connection.unopened:
            continue
        asked = [_envelope(message) for message in connection.messages(other(side))]
        asked = [envelope for envelope in asked if envelope]  # REP drops a request without one
        for envelope, reply in zip(asked, connection.messages(side)):
            if reply.frames[:len(envelope)] != envelope:
                yield reply.parts[0], "not the envelope of the request"


def _envelope(message):
    """The parts up to and with the empty one; None: there is none."""
    frames = message.frames
    return frames[:frames.index(b"") + 1] if b"" in frames else None


@rule("router-delimiter", 28, "The REQ Socket Type", SHOULD, "What ROUTER sends to REQ begins with an empty part")
def _(connection):
    for side in SIDES:
        if connection.socket_type(side) == "ROUTER" and connection.socket_type(other(side)) == "REQ":
            for message in connection.messages(side):
                if message.frames[0]:
                    yield message.parts[0], f"the first part has {message.parts[0].size} octets"
