# Plants in greetings, frames, commands, metadata and ERROR (RFC 13, 15, 23 and 37).
# SPDX-License-Identifier: GPL-2.0-or-later
from plant.planting import Plant, then
from plant.talk import AS_SERVER, COMMAND, DOWN, FILLER, MAJOR, MECHANISM, MINOR, MORE, UP, named, prop

GREETING = [
    Plant("greeting-version", "null-req-rep", lambda talk: talk.greeting(UP).put(MAJOR, b"\x04").split(MAJOR)),
    Plant("greeting-version", "raw-one-segment", lambda talk: talk.greeting(UP).put(MAJOR, b"\x04")),
    Plant("greeting-version", "null-req-rep", lambda talk: talk.greeting(UP).put(MINOR, b"\x02")),
    Plant("greeting-mechanism-name", "null-req-rep", lambda talk: [
        talk.greeting(side).put(MECHANISM, b"null") for side in (UP, DOWN)]),
    Plant("greeting-mechanism-padding", "null-req-rep", lambda talk: talk.greeting(UP).put(MECHANISM + 19, b"X")),
    Plant("greeting-mechanism-same", "null-req-rep", lambda talk: talk.greeting(DOWN).put(MECHANISM, b"PLAIN")),
    Plant("greeting-as-server", "plain-req-rep", lambda talk: talk.greeting(DOWN).put(AS_SERVER, b"\x02")),
    Plant("greeting-as-server-null", "null-req-rep", lambda talk: talk.greeting(DOWN).put(AS_SERVER, b"\x01")),
    Plant("greeting-as-server-role", "plain-req-rep", lambda talk: talk.greeting(DOWN).put(AS_SERVER, b"\x00"),
          clean=lambda talk: talk.greeting(DOWN).put(AS_SERVER, b"\x01")),
    Plant("greeting-signature", "null-req-rep", lambda talk: talk.greeting(UP).set(
        octets=b"GET / HTTP/1.1\r\n\r\n").last()),
    Plant("greeting-sent", "null-req-rep", lambda talk: [
        talk.greeting(DOWN).drop(), talk.greeting(UP).last(after_a_second=True)]),
    Plant("greeting-whole", "null-req-rep", lambda talk: talk.greeting(UP).shorten(20).last(DOWN, after_a_second=True)),
    Plant("greeting-filler", "null-req-rep", lambda talk: talk.greeting(UP).put(FILLER + 30, b"\x01")),
    Plant("downgrade", "curve-req-rep", lambda talk: then(talk, "null-req-rep")),
    Plant("downgrade", "curve-dealer-router", lambda talk: then(talk, "raw-zmtp20")),
]

# Of the older versions the pieces are segments.
OLD = [
    Plant("zmtp20-socket-type", "raw-zmtp20", lambda talk: talk.piece(UP).put(11, b"\x0b")),
    Plant("zmtp20-identity", "raw-zmtp20", lambda talk: talk.piece(UP).put(12, b"\x01")),
    Plant("identity-first-octet", "raw-zmtp20", lambda talk: talk.piece(UP).put(14, b"\x00")),
    Plant("frame-flags", "raw-zmtp20", lambda talk: talk.piece(UP, 1).put(0, b"\x81")),
    Plant("frame-message-whole", "raw-zmtp20", lambda talk: talk.piece(UP, -1).put(0, b"\x03")),
    Plant("zmtp10-length", "raw-zmtp10", lambda talk: talk.append(talk.segment(UP, b"\0\0"))),
    Plant("zmtp10-length-form", "raw-zmtp10", lambda talk: talk.piece(UP, 2).replace(
        b"\x09\0question", b"\xff" + bytes(7) + b"\x09\0question")),
    Plant("zmtp10-flags", "raw-zmtp10", lambda talk: talk.piece(UP, 2).put(1, b"\x80")),
    Plant("frame-message-whole", "raw-zmtp10", lambda talk: talk.piece(UP, -1).put(1, b"\x01")),
    Plant("identity-first-octet", "raw-zmtp10-identity", lambda talk: talk.piece(UP).put(2, b"\0")),
]


def ping_and_pong(talk):
    """Commands of the traffic: in a box they break a rule of RFC 26 by themselves."""
    talk.extend([talk.order(UP, "PING", b"\0\0"), talk.order(DOWN, "PONG")])


FRAMES = [
    Plant("frame-flags", "null-req-rep", lambda talk: talk.message(UP, 1).set(flags=0x80)),
    Plant("frame-flags", "curve-req-rep", lambda talk: talk.message(DOWN, 1).set(flags=0x08)),
    Plant("frame-command-more", "null-heartbeat", lambda talk: talk.command(UP, "PING").set(flags=COMMAND | MORE)),
    Plant("frame-command-more", "null-req-rep", lambda talk: talk.command(UP, "READY").set(flags=COMMAND | MORE)),
    Plant("frame-length", "null-pair", lambda talk: talk.append(
        talk.clear(UP, b"", length=1 << 63, long=True))),
    Plant("frame-long-command", "null-req-rep", lambda talk: talk.command(UP, "READY").set(long=True)),
    Plant("frame-long-message", "null-req-rep", lambda talk: talk.message(UP, 1).set(long=True)),
    Plant("frame-long-message", "null-radio-dish", lambda talk: talk.message(DOWN).set(long=True)),
    Plant("frame-command-between-parts", "null-dealer-router", lambda talk: [
        talk.message(UP).after(talk.order(UP, "PING", b"\0\0")),
        talk.message(UP, 1).after(talk.order(DOWN, "PONG"))]),
    Plant("frame-command-between-parts", "curve-dealer-router", lambda talk: [
        talk.message(UP).after(talk.order(UP, "PING", b"\0\0")),
        talk.message(UP, 1).after(talk.order(DOWN, "PONG"))], clean=ping_and_pong),
    Plant("frame-message-whole", "null-dealer-router", lambda talk: talk.message(UP, -1).set(flags=MORE)),
    Plant("frame-message-whole", "curve-dealer-router", lambda talk: talk.message(UP, -1).put(0, b"\x01")),
]

COMMANDS = [
    Plant("command-name", "null-req-rep", lambda talk: talk.append(talk.clear(UP, b"\x09data", COMMAND))),
    Plant("command-name", "null-req-rep", lambda talk: talk.append(talk.clear(UP, b"\0data", COMMAND))),
    Plant("command-name-letters", "null-req-rep", lambda talk: talk.append(talk.order(UP, "HURRY-UP"))),
    Plant("command-name-letters", "curve-req-rep", lambda talk: talk.append(talk.order(UP, "HURRY-UP")),
          clean=ping_and_pong),
    Plant("command-known", "null-req-rep", lambda talk: talk.append(talk.order(UP, "HURRY"))),
    Plant("command-known", "curve-req-rep", lambda talk: talk.append(talk.order(UP, "HURRY")), clean=ping_and_pong),
    Plant("command-name-padded", "plain-req-rep", lambda talk: talk.command(UP, "HELLO").replace(
        b"\x05HELLO", b"HELLO   ")),
    Plant("handshake-before-traffic", "null-push-pull", lambda talk: talk.command(DOWN, "READY").move_before(
        talk.message(UP, 1))),
    Plant("null-order", "null-push-pull", lambda talk: talk.message(UP).move_before(
        talk.command(UP, "READY"))),
    Plant("handshake-once", "null-push-pull", lambda talk: talk.command(DOWN, "READY").repeat()),
    Plant("handshake-once", "null-push-pull", lambda talk: talk.append(talk.clear(
        UP, talk.command(UP, "READY").body, COMMAND))),
]


def same_identity(talk):
    """Two connections that are open at the same time, to one ROUTER."""
    talk.stays_open = True
    other = next(piece for piece in talk.talks[1] if piece.name in ("READY", "INITIATE") and piece.side == UP)
    other.replace(prop(b"Identity", b"beta"), prop(b"Identity", b"alpha"))


METADATA = [
    Plant("metadata-name", "null-dealer-router", lambda talk: talk.command(DOWN, "READY").add(
        prop(b"X-two words", b"1"))),
    Plant("metadata-name", "curve-req-rep", lambda talk: talk.command(UP, "INITIATE").add(prop(b"X-a/b", b"1"))),
    Plant("metadata-name-empty", "null-dealer-router", lambda talk: talk.command(DOWN, "READY").add(prop(b"", b"1"))),
    Plant("metadata-name-empty", "curve-req-rep", lambda talk: talk.command(DOWN, "READY").add(prop(b"", b"1"))),
    Plant("metadata-format", "null-dealer-router", lambda talk: talk.command(UP, "READY").cut(1)),
    Plant("metadata-format", "curve-dealer-router", lambda talk: talk.command(UP, "INITIATE").cut(1)),
    Plant("metadata-format", "plain-req-rep", lambda talk: talk.command(DOWN, "READY").add(
        prop(b"X-a", b"1", length=2))),
    Plant("metadata-format", "null-dealer-router", lambda talk: talk.command(UP, "READY").add(
        prop(b"X-a", b"1", length=1 << 31))),
    Plant("metadata-unique", "null-dealer-router", lambda talk: talk.command(UP, "READY").add(
        prop(b"X-a", b"1") + prop(b"x-A", b"2"))),
    Plant("metadata-unique", "curve-dealer-router", lambda talk: talk.command(UP, "INITIATE").add(
        prop(b"Identity", b"alpha"))),
    Plant("metadata-socket-type", "null-push-pull", lambda talk: talk.command(UP, "READY").metadata(b"")),
    Plant("metadata-socket-type", "curve-push-pull", lambda talk: talk.command(UP, "INITIATE").metadata(b"")),
    Plant("metadata-socket-type-known", "null-pair", lambda talk: talk.command(UP, "READY").replace(b"PAIR", b"PEAR")),
    Plant("socket-types-pair", "null-pair", lambda talk: talk.command(DOWN, "READY").metadata(
        prop(b"Socket-Type", b"DEALER"))),
    Plant("socket-types-pair", "curve-pair", lambda talk: talk.command(UP, "INITIATE").metadata(
        prop(b"Socket-Type", b"DEALER"))),
    Plant("socket-types-error", "null-pair", lambda talk: talk.command(UP, "READY").metadata(
        prop(b"Socket-Type", b"DEALER")).last(DOWN)),
    Plant("identity-length", "null-dealer-router", lambda talk: talk.command(UP, "READY").metadata(
        prop(b"Socket-Type", b"DEALER") + prop(b"Identity", b"i" * 256))),
    Plant("identity-first-octet", "null-dealer-router", lambda talk: talk.command(UP, "READY").replace(
        b"alpha", b"\0lpha")),
    Plant("identity-first-octet", "curve-dealer-router", lambda talk: talk.command(UP, "INITIATE").replace(
        b"alpha", b"\0lpha")),
    Plant("identity-socket-type", "null-pub-sub", lambda talk: talk.command(DOWN, "READY").add(
        prop(b"Identity", b"pub"))),
    Plant("identity-unique", "null-dealer-router", same_identity),
    Plant("identity-unique", "curve-dealer-router", same_identity),
    Plant("metadata-resource", "null-push-pull", lambda talk: talk.command(UP, "READY").add(
        prop(b"Resource", b"/two//slashes"))),
    Plant("metadata-application-name", "null-dealer-router", lambda talk: talk.command(UP, "READY").add(
        prop(b"Colour", b"red"))),
    Plant("metadata-application-name", "curve-dealer-router", lambda talk: talk.command(DOWN, "READY").add(
        prop(b"Colour", b"red"))),
]

ERROR = [
    Plant("error-reason", "null-zap-deny", lambda talk: talk.command(DOWN, "ERROR").add(b"x")),
    Plant("error-reason", "curve-zap-deny", lambda talk: talk.command(DOWN, "ERROR").add(b"x")),
    Plant("error-form", "null-zap-deny", lambda talk: talk.command(DOWN, "ERROR").replace(b"\x03400", b"")),
    Plant("error-name", "null-zap-deny", lambda talk: talk.command(DOWN, "ERROR").replace(b"\x05ERROR", b"^RROR")),
    Plant("error-characters", "null-zap-deny", lambda talk: talk.command(DOWN, "ERROR").replace(b"400", b"4 0")),
    Plant("error-last", "null-zap-deny", lambda talk: talk.append(talk.order(UP, "PING", b"\0\0"))),
    Plant("error-last", "null-zap-deny", lambda talk: talk.extend([
        talk.say(UP, b"", MORE), talk.say(UP, b"but I insist")])),
    Plant("error-last", "null-zap-deny", lambda talk: talk.append(
        talk.clear(DOWN, named("READY", prop(b"Socket-Type", b"REP")), COMMAND))),
    Plant("error-in-handshake", "null-pair", lambda talk: talk.append(talk.order(DOWN, "ERROR", b"\x03500"))),
]

PLANTS = [*GREETING, *OLD, *FRAMES, *COMMANDS, *METADATA, *ERROR]
