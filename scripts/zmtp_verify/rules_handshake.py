# Rules for what comes before the messages: greetings, the commands of each mechanism and their order, and metadata.
# SPDX-License-Identifier: GPL-2.0-or-later
import re

from .conversation import CLIENT, SERVER, UNSET, Frame
from .rules import MUST, NOTE, SHOULD, finding_rule, malformed_rule, rule

VISIBLE = re.compile(rb"[\x21-\x7e]*")
MECHANISM = re.compile(rb"[A-Z0-9\-_.+]+")
RESOURCE = re.compile(rb"[A-Za-z0-9$\-_@.&+]+(/[A-Za-z0-9$\-_@.&+]+)*")
PROPERTY_NAME = re.compile(r"[A-Za-z0-9\-_.+]+")
HANDSHAKE = {"HELLO", "WELCOME", "INITIATE", "READY"}
BY_COMMANDS = ("NULL", "PLAIN", "CURVE")
MECHANISMS = (*BY_COMMANDS, "GSSAPI")
# The commands of a handshake in which the sides go by turns.
TURNS = [(CLIENT, "HELLO"), (SERVER, "WELCOME"), (CLIENT, "INITIATE"), (SERVER, "READY")]
PAIRS = [{"REQ", "REP"}, {"REQ", "ROUTER"}, {"DEALER", "REP"}, {"DEALER"}, {"DEALER", "ROUTER"}, {"ROUTER"},
         {"PUB", "SUB"}, {"PUB", "XSUB"}, {"XPUB", "SUB"}, {"XPUB", "XSUB"}, {"PUSH", "PULL"}, {"PAIR"},
         {"CLIENT", "SERVER"}, {"RADIO", "DISH"}, {"SCATTER", "GATHER"}, {"PEER"}, {"CHANNEL"}]
TYPES = set().union(*PAIRS)
WITH_IDENTITY = {"REQ", "DEALER", "ROUTER", "PEER"}
STANDARD = {"socket-type", "identity", "resource"}


# ---- The greeting

def greetings(connection):
    return connection.greetings.values()


@rule("greeting-version", 37, "Version Negotiation", NOTE,
      "A greeting announces ZMTP 3.0 or 3.1: others are not known yet")
def _(connection):
    for greeting in greetings(connection):
        if greeting.version and greeting.version[0] not in "12" and greeting.version not in ("3.0", "3.1", "3.?"):
            yield greeting, f"announces version {greeting.version}"


@rule("greeting-mechanism-name", 23, "Formal Grammar", MUST,
      "A mechanism's name has 1 to 20 capital letters, digits, '-', '_', '.' and '+'")
def _(connection):
    for greeting, name, _ in _mechanisms(connection):
        if not MECHANISM.fullmatch(name):
            yield greeting, f"the mechanism's name is {name!r}"


@rule("greeting-mechanism-padding", 23, "Formal Grammar", MUST, "A mechanism's name is filled up with zero octets")
def _(connection):
    for greeting, _, padding in _mechanisms(connection):
        if padding.strip(b"\0"):
            yield greeting, f"{padding.hex()} follows the mechanism's name"


def _mechanisms(connection):
    for greeting in greetings(connection):
        octets = greeting.octets("zmtp.mechanism")
        if octets:
            name, _, padding = octets.partition(b"\0")
            yield greeting, name, padding


@rule("greeting-mechanism-same", 23, "Authentication and Confidentiality", MUST,
      "Sides that announce different mechanisms close instead of going on")
def _(connection):
    told = {greeting.mechanism for greeting in greetings(connection)} - {None}
    if len(told) == 2:
        for frame in connection.frames()[:1]:
            yield frame, f"{what(frame)}, although one side announced {' and the other '.join(sorted(told))}"


@rule("greeting-as-server", 23, "Formal Grammar", MUST, "as-server is 0 or 1")
def _(connection):
    for greeting in greetings(connection):
        value = greeting.octets("zmtp.as-server")
        if value and value[0] > 1:
            yield greeting, f"as-server is {value[0]}"


@rule("greeting-as-server-null", 23, "The NULL Security Mechanism", MUST, "With NULL, as-server is 0 on both sides")
def _(connection):
    for greeting in greetings(connection):
        if greeting.mechanism == "NULL" and greeting.octets("zmtp.as-server") == b"\1":
            yield greeting, "as-server is 1"


@rule("greeting-as-server-role", 23, "Topology", SHOULD,
      "as-server is 1 from the server of the security handshake, and 0 from its client")
def _(connection):
    told = {greeting.mechanism for greeting in greetings(connection)}
    if connection.row["roles"] != "security" or len(told) > 1:
        return  # no common mechanism, no handshake with a server
    for greeting in greetings(connection):
        value = greeting.octets("zmtp.as-server")
        if value and value[0] < 2 and value[0] != (greeting.side == SERVER):
            yield greeting, f"the {greeting.side} says as-server = {value[0]}"


@rule("greeting-filler", 23, "Formal Grammar", MUST, "The filler is 31 zero octets")
def _(connection):
    for greeting in greetings(connection):
        filler = greeting.octets("zmtp.filler")
        if filler and filler.strip(b"\0"):
            yield greeting, "the filler has octets that are not zero"


finding_rule("greeting-signature", 23, "Formal Grammar", MUST, "The first octets are ZMTP's: FF, 8 octets, 7F",
             "zmtp.greeting.not_zmtp")
finding_rule("greeting-sent", 23, "Version Negotiation", MUST,
             "Each side sends a greeting without waiting for the other's", "zmtp.greeting.none", of_other=True)
finding_rule("greeting-whole", 23, "Formal Grammar", MUST, "A greeting has 64 octets", "zmtp.greeting.partial")


# ---- ZMTP 2.0 and 1.0

@rule("zmtp20-socket-type", 15, "Formal Grammar", MUST, "The greeting's socket type is one of PAIR (0) to PUSH (8)")
def _(connection):
    for greeting in greetings(connection):
        code = greeting.number("zmtp.socket_type.code")
        if code is not None and code > 8:
            yield greeting, f"socket type {code}"


@rule("zmtp20-identity", 15, "Formal Grammar", MUST, "The identity is a frame of up to 255 octets, without MORE")
def _(connection):
    for item in connection.items:
        if isinstance(item, Frame) and item.has("zmtp.identity") and connection.version == "2.0" and \
                item.octets("zmtp.flags") not in (b"\0", b""):
            yield item, f"the identity's flags are {item.octets('zmtp.flags').hex()}"


finding_rule("zmtp10-length", 13, "Specification", MUST, "A length counts the flags octet: it is never 0",
             "zmtp.length.zero")
finding_rule("zmtp10-flags", 13, "Specification", SHOULD, "Of the flags, only MORE may be set",
             "zmtp.flags.reserved_set", lambda connection, item: connection.version == "1.0")


@rule("zmtp10-length-form", 13, "Specification", NOTE, "A length below 255 is written in one octet")
def _(connection):
    for frame in connection.frames():
        if connection.version == "1.0" and len(frame.octets("zmtp.length")) > 1 and frame.length < 255:
            yield frame, f"a length of {frame.length} in 9 octets"


# ---- Order

@rule("null-order", 23, "The NULL Security Mechanism", MUST,
      "Each side begins with READY (or refuses with ERROR), before anything else")
def _(connection):
    if connection.mechanism != "NULL":
        return
    for side in (CLIENT, SERVER):
        for frame in connection.frames(side)[:1]:
            if frame.command not in ("READY", "ERROR") and not is_strange(frame):
                yield frame, f"{what(frame)} where READY should come"


@rule("plain-order", 24, "Implementation", MUST,
      "HELLO, WELCOME, INITIATE and READY come in this order, HELLO and INITIATE from the client")
def _(connection):
    yield from _out_of_turn(connection, "PLAIN")


@rule("curve-order", 26, "High-level Grammar", MUST,
      "HELLO, WELCOME, INITIATE and READY come in this order, HELLO and INITIATE from the client")
def _(connection):
    yield from _out_of_turn(connection, "CURVE")


def _out_of_turn(connection, mechanism):
    """The first command of a handshake that is not what should come next."""
    turns = list(TURNS)
    for frame in connection.frames() if connection.mechanism == mechanism else []:
        if turns and (frame.side, frame.command) == turns[0]:
            turns.pop(0)
        elif not turns or frame.command not in HANDSHAKE or frame.command == "HELLO" and len(turns) == 3 or \
                (frame.side, frame.command) in TURNS[:len(TURNS) - len(turns)]:
            return  # other rules tell of it: a second one, both clients, traffic too early, an unknown command
        else:
            yield frame, f"{frame.command} from the {frame.side} where {turns[0][1]} from the {turns[0][0]} should come"
            return


def is_strange(frame):
    """Do other rules tell that this command has no name, or one that its mechanism does not know?"""
    return frame.command == "" or any(map(frame.found, ("zmtp.command.unknown", "zmtp.command.malformed")))


def what(frame):
    return frame.command or "a message"


@rule("handshake-once", 23, "The NULL Security Mechanism", MUST,
      "Each command of the handshake comes once from each side")
def _(connection):
    seen = {CLIENT: [], SERVER: []}
    for frame in connection.frames():
        if connection.mechanism in BY_COMMANDS and frame.command in HANDSHAKE and not is_strange(frame):
            if frame.command in seen[frame.side]:
                yield frame, f"{frame.command} again"
            seen[frame.side].append(frame.command)


@rule("handshake-before-traffic", 37, "Formal Grammar", MUST,
      "Messages, subscriptions and PING come after the security handshake")
def _(connection):
    ready = set()
    gssapi = connection.mechanism == "GSSAPI" and not connection.unopened
    for frame in connection.frames() if gssapi or connection.mechanism in BY_COMMANDS else []:
        if frame.command == "READY":
            ready.add(frame.side)
        elif frame.command == "ERROR":
            return  # error-last tells of what follows
        elif frame.command not in HANDSHAKE and not is_strange(frame):
            if connection.mechanism == "NULL" and (frame.side not in ready or connection.version == "3.0"):
                return  # null-order tells; and RFC 23 lets a side begin after its own READY
            if SERVER not in ready or connection.mechanism == "NULL" and len(ready) < 2 or \
                    gssapi and frame.side not in ready:
                yield frame, f"{what(frame)} before the handshake is complete"
                return


finding_rule("handshake-both-clients", 24, "Implementation", MUST, "One side is the server of the security handshake",
             "zmtp.handshake.both_clients")
finding_rule("handshake-both-servers", 24, "Implementation", MUST, "One side is the client of the security handshake",
             "zmtp.handshake.both_servers")


finding_rule("downgrade", 23, "Security Considerations", SHOULD,
             "A port whose other sessions are secured has none without security", "zmtp.security.unsecured_session")


# ---- Metadata

@rule("metadata-name", 23, "The NULL Security Mechanism", MUST,
      "A property's name has letters, digits, '-', '_', '.' and '+'")
def _(connection):
    for frame, name, _ in _properties(connection):
        if name and not PROPERTY_NAME.fullmatch(name):
            yield frame, f"the property's name is \"{name}\""


@rule("metadata-name-empty", 23, "The NULL Security Mechanism", MUST, "A property's name has at least one octet")
def _(connection):
    for frame in connection.frames():
        if _is_nameless(frame):
            yield frame, "a property without a name"


def _is_nameless(frame):
    """Does what the plugin could not read begin with an empty name? It shows no property then."""
    return _has_metadata(frame) and frame.octets("zmtp.metadata.rest")[:1] == b"\0"


def _has_metadata(item):
    """RFC 23: how metadata is encoded is the mechanism's choice."""
    return item.show("zmtp.mechanism") in MECHANISMS


finding_rule("metadata-format", 23, "The NULL Security Mechanism", MUST,
             "A property is a length octet, a name, 4 octets of length, and a value", "zmtp.metadata.malformed",
             lambda connection, item: _has_metadata(item) and not _is_nameless(item))


@rule("metadata-unique", 23, "Connection Metadata", NOTE, "Each property comes once; letters' case does not matter")
def _(connection):
    for frame in connection.frames():
        names = [name.lower() for name, _ in frame.properties if name]
        for name in sorted({name for name in names if names.count(name) > 1}):
            yield frame, f"{names.count(name)} properties {name}"


def _properties(connection):
    for frame in connection.frames():
        for name, value in frame.properties:
            yield frame, name, value


def _announcing(connection):
    """The frames in which a side tells its properties, where these can be read."""
    for frame in connection.frames():
        if frame.command in ("READY", "INITIATE") and not frame.found("zmtp.metadata.malformed") and \
                not is_strange(frame) and _is_readable(connection, frame):
            yield frame


def _is_readable(connection, frame):
    if connection.mechanism == "CURVE":
        # The cookie and the vouch have marks of their own.
        return any(one.show not in UNSET for box in frame.all("zmtp.curvezmq.box") for one in box.children
                   if one.name == "zmtp.curvezmq.decrypted")
    return connection.mechanism in ("NULL", "PLAIN") or bool(frame.properties)


@rule("metadata-socket-type", 23, "Connection Metadata", SHOULD, "Each side tells its Socket-Type")
def _(connection):
    for frame in _announcing(connection):
        if frame.property("Socket-Type") is None:
            yield frame, f"{frame.command} without Socket-Type"


@rule("metadata-socket-type-known", 23, "The Socket-Type Property", MUST, "Socket-Type is one of those in the RFCs")
def _(connection):
    for frame in _announcing(connection):
        value = frame.property("Socket-Type")
        if value is not None and value.decode(errors="replace") not in TYPES:
            yield frame, f"Socket-Type is {value!r}"


def _is_bad_pair(connection):
    types = {connection.socket_type(side) for side in (CLIENT, SERVER)}
    return None not in types and types <= TYPES and types not in PAIRS


@rule("socket-types-pair", 23, "The Socket-Type Property", SHOULD, "Sides whose socket types cannot talk do not go on")
def _(connection):
    messages = [frame for frame in connection.frames() if frame.is_part]
    if _is_bad_pair(connection) and messages:
        types = " and ".join(connection.socket_type(side) for side in (CLIENT, SERVER))
        yield messages[0], f"{types} exchange messages"


@rule("socket-types-error", 23, "The Socket-Type Property", NOTE, "Who refuses a socket type says so with ERROR")
def _(connection):
    frames = connection.frames()
    if _is_bad_pair(connection) and frames and connection.row["outcome"] == "failed" and \
            not any(frame.command == "ERROR" or frame.is_part for frame in frames):
        yield frames[-1], "closed without ERROR"


@rule("identity-length", 23, "The Identity Property", MUST, "An Identity has up to 255 octets")
def _(connection):
    for frame in _announcing(connection):
        if len(frame.property("Identity") or b"") > 255:
            yield frame, f"an Identity of {len(frame.property('Identity'))} octets"


@rule("identity-first-octet", 37, "The Identity Property", MUST,
      "An Identity does not begin with a zero octet: those are ROUTER's own")
def _(connection):
    for frame in connection.frames():
        value = frame.property("Identity") or (frame.octets("zmtp.identity") if not frame.properties else b"")
        if value.startswith(b"\0"):
            yield frame, "the Identity begins with a zero octet"


@rule("identity-socket-type", 23, "The Identity Property", NOTE, "Only REQ, DEALER and ROUTER tell an Identity")
def _(connection):
    for frame in _announcing(connection):
        type_ = (frame.property("Socket-Type") or b"").decode(errors="replace")
        if frame.property("Identity") and type_ in TYPES - WITH_IDENTITY:
            yield frame, f"an Identity from {type_}"


@rule("metadata-resource", 37, "The Resource Property", MUST,
      "A Resource is of names joined by single slashes")
def _(connection):
    for frame, name, value in _properties(connection):
        if name.lower() == "resource" and not RESOURCE.fullmatch(value):
            yield frame, f"the Resource is {value!r}"


finding_rule("identity-unique", 28, "The ROUTER Socket Type", SHOULD,
             "Peers of one ROUTER have different Identities", "zmtp.metadata.identity_repeated")


@rule("metadata-application-name", 23, "Connection Metadata", NOTE,
      "Names of the application's own properties begin with X-")
def _(connection):
    for frame, name, _ in _properties(connection):
        if name and name.lower() not in STANDARD and not name.lower().startswith("x-"):
            yield frame, f"a property {name}"


# ---- ERROR

finding_rule("error-name", 23, "Formal Grammar", MUST, "ERROR has its name's length in front, as every command",
             "zmtp.error.name")
finding_rule("error-reason", 23, "The NULL Security Mechanism", MUST,
             "ERROR's reason is as long as its length octet says", "zmtp.error.length")
malformed_rule("error-form", 23, "The NULL Security Mechanism", MUST,
               "ERROR has a length octet and a reason", None, "ERROR")


@rule("error-last", 23, "Error Handling", MUST, "Nothing follows an ERROR, from either side: the connection ends")
def _(connection):
    frames = connection.frames()
    at = next((at for at, frame in enumerate(frames) if frame.command == "ERROR"), len(frames))
    # What the other side had sent before it saw the ERROR may still come: its handshake, by its timing.
    for frame in frames[at + 1:]:
        if frame.side == frames[at].side or frame.command not in HANDSHAKE | {"ERROR"}:
            yield frame, f"{what(frame)} after ERROR"
            return


@rule("error-in-handshake", 23, "Error Handling", MUST, "ERROR comes in the handshake, not after it")
def _(connection):
    ready = set()
    for frame in connection.frames():
        if frame.command == "ERROR" and frame.side in ready:
            yield frame, "ERROR after READY"
        if frame.command == "READY":
            ready.add(frame.side)


@rule("error-from-server", 26, "General Design", MUST, "With PLAIN and CURVE, only the server sends ERROR")
def _(connection):
    for frame in connection.frames(CLIENT):
        if frame.command == "ERROR" and connection.mechanism in ("PLAIN", "CURVE"):
            yield frame, "ERROR from the client"


@rule("error-characters", 23, "The NULL Security Mechanism", NOTE, "ERROR's reason is of visible characters")
def _(connection):
    for frame in connection.frames():
        if frame.command == "ERROR" and not VISIBLE.fullmatch(frame.octets("zmtp.reason")):
            yield frame, f"the reason is {frame.octets('zmtp.reason')!r}"


# ---- PLAIN

malformed_rule("plain-hello-form", 24, "Implementation", MUST,
               "HELLO has a user name and a password with their lengths", "PLAIN", "HELLO")
malformed_rule("plain-welcome-empty", 24, "Implementation", MUST, "WELCOME has no data", "PLAIN", "WELCOME")


@rule("plain-hello-characters", 24, "Implementation", NOTE, "User name and password are of visible characters")
def _(connection):
    for frame in connection.frames():
        for name in ("zmtp.username", "zmtp.password"):
            if frame.has(name) and not VISIBLE.fullmatch(frame.octets(name)):
                yield frame, f"the {name.removeprefix('zmtp.')} has others"
