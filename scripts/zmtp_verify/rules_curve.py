# Rules for CURVE and for GSSAPI: sizes, nonces, keys, boxes and tokens.
# SPDX-License-Identifier: GPL-2.0-or-later
from .conversation import CLIENT, SERVER, Frame
from .rules import MUST, NOTE, SHOULD, finding_rule, malformed_rule, rule

PAYLOAD_FLAGS = {"CURVE": ("zmtp.curvezmq.payload.flags", 0x03), "GSSAPI": ("zmtp.gssapi.payload.flags", 0x0f)}


# ---- CURVE: form

for _command, _size in (("HELLO", "200 octets"), ("WELCOME", "168 octets"), ("INITIATE", "at least 257 octets"),
                        ("READY", "at least 30 octets"), ("MESSAGE", "at least 33 octets")):
    malformed_rule(f"curve-{_command.lower()}-size", 26, f"The {_command} Command",
                   MUST, f"{_command} has {_size}", "CURVE", _command)

finding_rule("curve-version", 26, "The HELLO Command", MUST, "HELLO is of CURVE version 1.0",
             "zmtp.curvezmq.version.unknown")
finding_rule("curve-hello-padding", 26, "The HELLO Command", MUST, "HELLO's padding is zero",
             "zmtp.curvezmq.padding_not_zero")


@rule("curve-hello-zeros", 26, "The HELLO Command", MUST, "HELLO's signature box holds 64 zero octets")
def _(connection):
    for frame in connection.frames(CLIENT):
        if frame.has("zmtp.curvezmq.zeros") and frame.octets("zmtp.curvezmq.zeros").strip(b"\0"):
            yield frame, "the signature box holds something else"


@rule("curve-message-is-command", 23, "Wire Analysis of the Connection", MUST, "MESSAGE is a command: COMMAND is set")
def _(connection):
    yield from _without_command_flag(connection, "CURVE")


@rule("gssapi-message-is-command", 23, "Wire Analysis of the Connection", MUST, "MESSAGE is a command: COMMAND is set")
def _(connection):
    yield from _without_command_flag(connection, "GSSAPI")


def _without_command_flag(connection, mechanism):
    for frame in connection.frames():
        if frame.protected and connection.mechanism == mechanism and not frame.is_set("zmtp.flags.command"):
            yield frame, "a MESSAGE without the COMMAND flag"


# ---- CURVE: nonces

finding_rule("curve-nonce-rises", 26, "The HELLO Command", MUST, "The short nonces of a side rise",
             "zmtp.curvezmq.nonce_not_increasing")
finding_rule("curve-nonce-once", 26, "The HELLO Command", MUST,
             "No short nonce is used twice", "zmtp.curvezmq.nonce_repeated")
finding_rule("curve-nonce-first", 26, "The HELLO Command", NOTE,
             "The short nonces of a side begin with 1, and rise by 1", "zmtp.curvezmq.nonce_unexpected")
finding_rule("curve-nonce-byte-order", 26, "The HELLO Command", NOTE, "Short nonces are in network byte order",
             "zmtp.curvezmq.nonce_byte_order")


@rule("curve-nonce-step", 26, "General Design", NOTE, "The short nonces of a side rise by 1 with each box")
def _(connection):
    for side in (CLIENT, SERVER):
        highest = None
        for frame in connection.frames(side):
            counter = frame.number("zmtp.curvezmq.nonce.counter")
            if frame.found("zmtp.curvezmq.nonce_byte_order"):
                break  # the counter is shown as in network byte order
            if counter is None:
                highest = None if frame.found("zmtp.command.malformed") else highest  # its nonce is not shown
                continue
            if highest is not None and frame.protected and counter > highest + 1 and not frame.findings:
                yield frame, f"{counter} after {highest}"
            highest = counter if highest is None else max(counter, highest)


def _long_nonces(connection):
    """(frame, octets) of each random nonce: of WELCOME, the cookie, the vouch."""
    for frame in connection.frames():
        for field in frame.all("zmtp.curvezmq.nonce"):
            if len(field.octets) == 16:
                yield frame, field.octets


def _second_uses(connections, values):
    """(connection, frame, frame and connection of the first use) of values that another connection had before."""
    used = {}
    for connection in connections:
        for frame, value in values(connection):
            if value in used and used[value][0] is not connection:
                yield connection, frame, used[value]
            else:
                used.setdefault(value, (connection, frame))


@rule("curve-long-nonce-once", 26, "The WELCOME Command", MUST,
      "The long nonces of WELCOME, cookie and vouch are new each time", True)
def _(connections):
    for connection, frame, (_, before) in _second_uses(connections, _long_nonces):
        yield connection, frame, f"the same long nonce as in packet {before.packet}"


# ---- CURVE: keys and boxes

finding_rule("curve-client-transient-key", 26, "The HELLO Command", MUST,
             "The client makes a new transient key for each connection", "zmtp.curvezmq.transient_key_reused")


def _server_transient_keys(connection):
    for frame in connection.frames():
        if frame.command in ("WELCOME", "INITIATE") and frame.octets("zmtp.curvezmq.server_transient_key"):
            yield frame, frame.octets("zmtp.curvezmq.server_transient_key")


@rule("curve-server-transient-key", 26, "The HELLO Command", MUST,
      "The server makes a new transient key for each connection", True)
def _(connections):
    for connection, frame, (_, before) in _second_uses(connections, _server_transient_keys):
        yield connection, frame, f"the same S' as in packet {before.packet}"


finding_rule("curve-cookie", 26, "The INITIATE Command", MUST, "The client returns the cookie of WELCOME unchanged",
             "zmtp.curvezmq.cookie_changed")
finding_rule("curve-vouch", 26, "The INITIATE Command", MUST, "The vouch is for C' and S of this connection",
             "zmtp.curvezmq.vouch_mismatch")
finding_rule("curve-box", 26, "The MESSAGE Command", MUST,
             "Every box opens with the connection's key", "zmtp.curvezmq.damaged")
finding_rule("curve-initiate-length", 26, "The INITIATE Command", NOTE,
             "INITIATE is short enough for libzmq before 4.3.2 (513 octets)", "zmtp.curvezmq.initiate_long")
finding_rule("curve-hello-answered", 26, "The WELCOME Command", SHOULD, "A server answers HELLO with WELCOME",
             "zmtp.curvezmq.wrong_server_key", of_other=True)


# ---- CURVE and GSSAPI

def _protected_by(mechanism):
    return lambda connection, item: connection.mechanism == mechanism


finding_rule("curve-unprotected", 26, "High-level Grammar", MUST, "After the handshake everything is in a MESSAGE",
             "zmtp.unprotected", _protected_by("CURVE"))
finding_rule("gssapi-unprotected", 38, "Implementation", MUST, "After the handshake everything is in a MESSAGE",
             "zmtp.unprotected", _protected_by("GSSAPI"))


def _reserved_flags(connection, mechanism):
    name, known = PAYLOAD_FLAGS[mechanism]
    for item in connection.items if connection.mechanism == mechanism else []:
        if isinstance(item, Frame) and item.number(name) is not None and item.number(name) & ~known:
            yield item, f"the payload's flags are 0x{item.number(name):02x}"


@rule("curve-payload-flags", 26, "The MESSAGE Command", MUST,
      "Of the payload's flags, only MORE and COMMAND may be set")
def _(connection):
    yield from _reserved_flags(connection, "CURVE")


@rule("curve-payload-command", 26, "The MESSAGE Command", MUST,
      "The payload is always a message: its flags know no COMMAND")
def _(connection):
    for frame in connection.frames():
        if frame.is_set("zmtp.curvezmq.payload.flags.command"):
            yield frame, f"{frame.command} in a MESSAGE"


@rule("gssapi-payload-flags", 38, "Implementation", MUST, "Reserved flags of the payload are zero")
def _(connection):
    yield from _reserved_flags(connection, "GSSAPI")


# ---- GSSAPI

finding_rule("gssapi-token-form", 38, "Implementation", MUST, "A token is as long as its length says",
             "zmtp.command.malformed", lambda connection, item: connection.mechanism == "GSSAPI"
             and item.show("zmtp.command-name") in ("INITIATE", "MESSAGE", "READY", "HELLO", "WELCOME"))
finding_rule("gssapi-token", 38, "Implementation", MUST, "Every token opens with the connection's key",
             "zmtp.gssapi.damaged")
finding_rule("gssapi-token-header", 38, "Implementation", MUST, "A token's header is the one that was encrypted",
             "zmtp.gssapi.header_changed")
finding_rule("gssapi-encrypted", 38, "Implementation", SHOULD, "Tokens are encrypted, not only signed",
             "zmtp.gssapi.signed_only")
finding_rule("gssapi-extra-count", 38, "Implementation", NOTE, "Tokens have no filler behind the payload",
             "zmtp.gssapi.extra_count")
finding_rule("gssapi-empty-command", 23, "Formal Grammar", MUST, "Every command has a name",
             "zmtp.gssapi.empty_command")
finding_rule("gssapi-subscription-kind", 38, "Implementation", MUST,
             "A subscription says whether it subscribes or cancels", "zmtp.gssapi.subscription_kind")
finding_rule("gssapi-hello", 38, "Implementation", NOTE, "The handshake is the one that libzmq speaks, without HELLO",
             "zmtp.gssapi.rfc_38")
