# Plants in greetings, frames, commands, metadata and ERROR (RFC 13, 15, 23 and 37).
# SPDX-License-Identifier: GPL-2.0-or-later
from plant.planting import Plant, then
from plant.talk import AS_SERVER, COMMAND, DOWN, FILLER, MAJOR, MECHANISM, MINOR, MORE, UP, named, prop

GREETING = [
    Plant("greeting-padding-zero", "null-req-rep", lambda talk: talk.greeting(UP).put(1, b"\x2a")),
    Plant("greeting-major", "null-req-rep", lambda talk: talk.greeting(UP).put(MAJOR, b"\x04").split(MAJOR)),
    Plant("greeting-minor", "null-req-rep", lambda talk: talk.greeting(UP).put(MINOR, b"\x02")),
    Plant("greeting-mechanism-chars", "null-req-rep", lambda talk: [
        talk.greeting(side).put(MECHANISM, b"null") for side in (UP, DOWN)]),
    Plant("greeting-mechanism-padding", "null-req-rep", lambda talk: talk.greeting(UP).put(MECHANISM + 19, b"X")),
    Plant("greeting-mechanism-known", "null-req-rep", lambda talk: [
        talk.greeting(side).put(MECHANISM, b"NONE") for side in (UP, DOWN)]),
    Plant("greeting-mechanism-equal", "null-req-rep", lambda talk: talk.greeting(DOWN).put(MECHANISM, b"PLAIN")),
    Plant("greeting-as-server-value", "plain-req-rep", lambda talk: talk.greeting(DOWN).put(AS_SERVER, b"\x02")),
    Plant("greeting-as-server-null", "null-req-rep", lambda talk: talk.greeting(DOWN).put(AS_SERVER, b"\x01")),
    Plant("greeting-as-server-contradicts", "plain-req-rep",
          lambda talk: talk.greeting(UP).put(AS_SERVER, b"\x01")),
    Plant("greeting-filler-zero", "null-req-rep", lambda talk: talk.greeting(UP).put(FILLER + 30, b"\x01")),
    Plant("greeting-downgrade-attack", "curve-req-rep", lambda talk: then(talk, "null-req-rep")),
    Plant("greeting-downgrade-secure", "curve-dealer-router", lambda talk: then(talk, "raw-zmtp20")),
]

# Of the older versions the pieces are segments.
OLD = [
    Plant("zmtp20-signature", "raw-zmtp20", lambda talk: talk.piece(UP).put(8, b"\x2a")),
    Plant("zmtp20-socket-type", "raw-zmtp20", lambda talk: talk.piece(UP).put(11, b"\x0b")),
    Plant("zmtp20-identity-flags", "raw-zmtp20", lambda talk: talk.piece(UP).put(12, b"\x01")),
    Plant("zmtp20-identity-first", "raw-zmtp20", lambda talk: talk.piece(UP).put(14, b"\x00")),
    Plant("zmtp20-flags-reserved", "raw-zmtp20", lambda talk: talk.piece(UP, 1).put(0, b"\x81")),
    Plant("zmtp20-more-single", "raw-zmtp20", lambda talk: talk.piece(UP, -1).put(0, b"\x03")),
    Plant("zmtp10-length-zero", "raw-zmtp10", lambda talk: talk.append(talk.segment(UP, b"\0\0"))),
    Plant("zmtp10-length-short", "raw-zmtp10", lambda talk: talk.piece(UP, 2).replace(
        b"\x09\0question", b"\xff" + bytes(7) + b"\x09\0question")),
    Plant("zmtp10-flags-reserved", "raw-zmtp10", lambda talk: talk.piece(UP, 2).put(1, b"\x80")),
    Plant("zmtp10-more-single", "raw-zmtp10", lambda talk: talk.piece(UP, -1).put(1, b"\x01")),
    Plant("zmtp10-identity-first", "raw-zmtp10-identity", lambda talk: talk.piece(UP).put(2, b"\0")),
]

FRAMES = [
    Plant("frame-reserved", "null-req-rep", lambda talk: talk.message(UP, 1).set(flags=0x80)),
    Plant("frame-reserved", "curve-req-rep", lambda talk: talk.message(DOWN, 1).set(flags=0x08)),
    Plant("frame-command-more", "null-heartbeat", lambda talk: talk.command(UP, "PING").set(flags=COMMAND | MORE)),
    Plant("frame-command-more", "null-req-rep", lambda talk: talk.command(UP, "READY").set(flags=COMMAND | MORE)),
    Plant("frame-length-max", "null-pair", lambda talk: talk.append(
        talk.clear(UP, b"", length=1 << 63, long=True))),
    Plant("frame-long-command", "null-req-rep", lambda talk: talk.command(UP, "READY").set(long=True)),
    Plant("frame-long-message", "null-req-rep", lambda talk: talk.message(UP, 1).set(long=True)),
    Plant("frame-radio-group-short", "null-radio-dish", lambda talk: talk.message(DOWN).set(long=True)),
    Plant("frame-command-between-parts", "null-dealer-router", lambda talk: [
        talk.message(UP).after(talk.order(UP, "PING", b"\0\0")),
        talk.message(UP, 1).after(talk.order(DOWN, "PONG"))]),
    Plant("frame-command-between-parts", "curve-dealer-router", lambda talk: [
        talk.message(UP).after(talk.order(UP, "PING", b"\0\0")),
        talk.message(UP, 1).after(talk.order(DOWN, "PONG"))]),
    Plant("frame-message-complete", "null-dealer-router", lambda talk: talk.message(UP, -1).set(flags=MORE)),
    Plant("frame-message-complete", "curve-dealer-router", lambda talk: talk.message(UP, -1).put(0, b"\x01")),
    Plant("frame-cut-at-end", "null-pair", lambda talk: talk.append(talk.clear(UP, b"half a fr", length=12))),
]

COMMANDS = [
    Plant("command-name-fits", "null-req-rep", lambda talk: talk.append(talk.clear(UP, b"\x09data", COMMAND))),
    Plant("command-name", "null-req-rep", lambda talk: talk.append(talk.clear(UP, b"\0data", COMMAND))),
    Plant("command-name", "null-req-rep", lambda talk: talk.append(talk.order(UP, "HURRY-UP", b"\0\0"))),
    Plant("command-unknown", "null-req-rep", lambda talk: talk.append(talk.order(UP, "HURRY"))),
    Plant("command-unknown", "curve-req-rep", lambda talk: talk.append(talk.order(UP, "HURRY"))),
    Plant("command-padded-name", "plain-req-rep", lambda talk: talk.command(UP, "HELLO").replace(
        b"\x05HELLO", b"HELLO   ")),
    Plant("handshake-commands-only", "null-push-pull", lambda talk: talk.command(UP, "READY").set(flags=0)),
    Plant("message-before-handshake-end", "null-push-pull", lambda talk: talk.message(UP).move_before(
        talk.command(UP, "READY"))),
    Plant("null-ready-once", "null-push-pull", lambda talk: talk.command(DOWN, "READY").repeat()),
    Plant("command-after-handshake", "null-push-pull", lambda talk: talk.append(talk.clear(
        UP, talk.command(UP, "READY").body, COMMAND))),
]


def same_identity(talk):
    """Two connections that are open at the same time, to one ROUTER."""
    talk.stays_open = True
    other = next(piece for piece in talk.talks[1] if piece.name in ("READY", "INITIATE") and piece.side == UP)
    other.replace(prop(b"Identity", b"beta"), prop(b"Identity", b"alpha"))


METADATA = [
    Plant("metadata-name-chars", "null-dealer-router", lambda talk: talk.command(DOWN, "READY").add(
        prop(b"X-two words", b"1"))),
    Plant("metadata-name-chars", "curve-req-rep", lambda talk: talk.command(UP, "INITIATE").add(prop(b"X-a/b", b"1"))),
    Plant("metadata-name-length", "null-dealer-router", lambda talk: talk.command(DOWN, "READY").add(prop(b"", b"1"))),
    Plant("metadata-name-length", "curve-req-rep", lambda talk: talk.command(DOWN, "READY").add(prop(b"", b"1"))),
    Plant("metadata-complete", "null-dealer-router", lambda talk: talk.command(UP, "READY").cut(1)),
    Plant("metadata-complete", "curve-dealer-router", lambda talk: talk.command(UP, "INITIATE").cut(1)),
    Plant("metadata-complete", "plain-req-rep", lambda talk: talk.command(DOWN, "READY").add(
        prop(b"X-a", b"1", length=2))),
    Plant("metadata-value-length", "null-dealer-router", lambda talk: talk.command(UP, "READY").add(
        prop(b"X-a", b"1", length=1 << 31))),
    Plant("metadata-duplicate", "null-dealer-router", lambda talk: talk.command(UP, "READY").add(
        prop(b"X-a", b"1") + prop(b"x-A", b"2"))),
    Plant("metadata-duplicate", "curve-dealer-router", lambda talk: talk.command(UP, "INITIATE").add(
        prop(b"Identity", b"alpha"))),
    Plant("metadata-socket-type-present", "null-push-pull", lambda talk: talk.command(UP, "READY").metadata(b"")),
    Plant("metadata-socket-type-present", "curve-push-pull", lambda talk: talk.command(UP, "INITIATE").metadata(b"")),
    Plant("metadata-socket-type-known", "null-pair", lambda talk: talk.command(UP, "READY").replace(b"PAIR", b"PEAR")),
    Plant("metadata-socket-pairs", "null-pair", lambda talk: talk.command(DOWN, "READY").metadata(
        prop(b"Socket-Type", b"DEALER"))),
    Plant("metadata-socket-pairs", "curve-pair", lambda talk: talk.command(UP, "INITIATE").metadata(
        prop(b"Socket-Type", b"DEALER"))),
    Plant("metadata-identity-length", "null-dealer-router", lambda talk: talk.command(UP, "READY").metadata(
        prop(b"Socket-Type", b"DEALER") + prop(b"Identity", b"i" * 256))),
    Plant("metadata-identity-zero", "null-dealer-router", lambda talk: talk.command(UP, "READY").replace(
        b"alpha", b"\0lpha")),
    Plant("metadata-identity-zero", "curve-dealer-router", lambda talk: talk.command(UP, "INITIATE").replace(
        b"alpha", b"\0lpha")),
    Plant("metadata-identity-types", "null-pub-sub", lambda talk: talk.command(DOWN, "READY").add(
        prop(b"Identity", b"pub"))),
    Plant("metadata-identity-unique", "null-dealer-router", same_identity),
    Plant("metadata-identity-unique", "curve-dealer-router", same_identity),
    Plant("metadata-resource", "null-push-pull", lambda talk: talk.command(UP, "READY").add(
        prop(b"Resource", b"/two//slashes"))),
    Plant("metadata-x-names", "null-dealer-router", lambda talk: talk.command(UP, "READY").add(
        prop(b"Colour", b"red"))),
    Plant("metadata-x-names", "curve-dealer-router", lambda talk: talk.command(DOWN, "READY").add(
        prop(b"Colour", b"red"))),
]

ERROR = [
    Plant("error-format", "null-zap-deny", lambda talk: talk.command(DOWN, "ERROR").add(b"x")),
    Plant("error-format", "curve-zap-deny", lambda talk: talk.command(DOWN, "ERROR").add(b"x")),
    Plant("error-name", "null-zap-deny", lambda talk: talk.command(DOWN, "ERROR").replace(b"\x05ERROR", b"^RROR")),
    Plant("error-reason-chars", "null-zap-deny", lambda talk: talk.command(DOWN, "ERROR").replace(b"400", b"4 0")),
    Plant("error-closes", "null-zap-deny", lambda talk: talk.append(talk.order(UP, "PING", b"\0\0"))),
    Plant("error-closes", "null-zap-deny", lambda talk: talk.append(talk.say(UP, b"but I insist"))),
    Plant("error-no-reconnect", "plain-zap-500", lambda talk: talk.piece(DOWN, -1).replace(
        b"^RROR", b"\x05ERROR").talk.again()),
    Plant("null-error-instead", "null-zap-deny", lambda talk: talk.append(
        talk.clear(DOWN, named("READY", prop(b"Socket-Type", b"REP")), COMMAND))),
    Plant("error-handshake-only", "null-pair", lambda talk: talk.append(talk.order(DOWN, "ERROR", b"\x03500"))),
]

PLANTS = [*GREETING, *OLD, *FRAMES, *COMMANDS, *METADATA, *ERROR]
