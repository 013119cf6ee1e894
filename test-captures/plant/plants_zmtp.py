# Plants in greetings, frames, commands, metadata and ERROR (RFC 13, 15, 23 and 37).
# SPDX-License-Identifier: GPL-2.0-or-later
from plant.planting import Plant
from plant.talk import AS_SERVER, COMMAND, DOWN, FILLER, MAJOR, MECHANISM, MORE, UP, named, prop

GREETING = [
    Plant("greeting-version-major", "null-req-rep", lambda talk: talk.greeting(UP).put(MAJOR, b"\x04")),
    Plant("greeting-mechanism-chars", "null-req-rep", lambda talk: [
        talk.greeting(side).put(MECHANISM, b"null") for side in (UP, DOWN)]),
    Plant("greeting-mechanism-padding", "null-req-rep", lambda talk: talk.greeting(UP).put(MECHANISM + 19, b"X")),
    Plant("greeting-as-server-value", "plain-req-rep", lambda talk: talk.greeting(DOWN).put(AS_SERVER, b"\x02")),
    Plant("greeting-as-server-null", "null-req-rep", lambda talk: talk.greeting(DOWN).put(AS_SERVER, b"\x01")),
    Plant("greeting-filler", "null-req-rep", lambda talk: talk.greeting(UP).put(FILLER + 30, b"\x01")),
    Plant("greeting-mechanism-mismatch", "null-req-rep",
          lambda talk: talk.greeting(DOWN).put(MECHANISM, b"PLAIN")),
]

# Of the older versions the pieces are segments.
OLD = [
    Plant("zmtp20-socket-type", "raw-zmtp20", lambda talk: talk.piece(UP).put(11, b"\x09")),
    Plant("zmtp20-identity-flags", "raw-zmtp20", lambda talk: talk.piece(UP).put(12, b"\x01")),
    Plant("zmtp20-flags-reserved", "raw-zmtp20", lambda talk: talk.piece(UP, 1).put(0, b"\x81")),
    Plant("zmtp10-length-zero", "raw-zmtp10", lambda talk: talk.append(talk.segment(UP, b"\0\0"))),
    Plant("zmtp10-flags-reserved", "raw-zmtp10", lambda talk: talk.piece(UP, 2).put(1, b"\x80")),
]

FRAMES = [
    Plant("flags-reserved", "null-req-rep", lambda talk: talk.message(UP, 1).set(flags=0x80)),
    Plant("flags-reserved", "curve-req-rep", lambda talk: talk.message(DOWN, 1).set(flags=0x08)),
    Plant("command-with-more", "null-heartbeat", lambda talk: talk.command(UP, "PING").set(flags=COMMAND | MORE)),
    Plant("command-with-more", "null-req-rep", lambda talk: talk.command(UP, "READY").set(flags=COMMAND | MORE)),
    Plant("length-invalid", "null-req-rep", lambda talk: talk.append(
        talk.clear(UP, b"", MORE, length=1 << 63, long=True))),
    Plant("long-form", "null-req-rep", lambda talk: talk.message(UP, 1).set(long=True)),
    Plant("command-within-message", "null-dealer-router", lambda talk: [
        talk.message(UP).after(talk.order(UP, "PING", b"\0\0")),
        talk.message(UP, 1).after(talk.order(DOWN, "PONG"))]),
    Plant("command-within-message", "curve-dealer-router", lambda talk: [
        talk.message(UP).after(talk.order(UP, "PING", b"\0\0")),
        talk.message(UP, 1).after(talk.order(DOWN, "PONG"))]),
    Plant("message-unfinished", "null-dealer-router", lambda talk: talk.message(UP, -1).set(flags=MORE)),
    Plant("message-unfinished", "curve-dealer-router", lambda talk: talk.message(UP, -1).put(0, b"\x01")),
]

COMMANDS = [
    Plant("command-name-empty", "null-req-rep", lambda talk: talk.append(talk.clear(UP, b"\0data", COMMAND))),
    Plant("command-name-chars", "null-req-rep", lambda talk: talk.append(talk.order(UP, "PI NG", b"\0\0"))),
    Plant("command-unknown", "null-req-rep", lambda talk: talk.append(talk.order(UP, "HURRY"))),
    Plant("command-unknown", "curve-req-rep", lambda talk: talk.append(talk.order(UP, "HURRY"))),
    Plant("command-padded", "plain-req-rep", lambda talk: talk.command(UP, "HELLO").replace(b"\x05HELLO", b"HELLO   ")),
    Plant("message-before-ready", "null-push-pull", lambda talk: talk.message(UP).move_before(
        talk.command(UP, "READY"))),
    Plant("ready-twice", "null-push-pull", lambda talk: talk.command(UP, "READY").repeat()),
    Plant("ready-after-traffic", "null-push-pull", lambda talk: talk.append(talk.clear(
        UP, talk.command(UP, "READY").body, COMMAND))),
]

METADATA = [
    Plant("metadata-name-chars", "null-dealer-router", lambda talk: talk.command(DOWN, "READY").add(
        prop(b"X-two words", b"1"))),
    Plant("metadata-name-chars", "curve-req-rep", lambda talk: talk.command(UP, "INITIATE").add(prop(b"X-a/b", b"1"))),
    Plant("metadata-name-empty", "null-dealer-router", lambda talk: talk.command(DOWN, "READY").add(prop(b"", b"1"))),
    Plant("metadata-name-empty", "curve-req-rep", lambda talk: talk.command(DOWN, "READY").add(prop(b"", b"1"))),
    Plant("metadata-cut", "null-dealer-router", lambda talk: talk.command(UP, "READY").cut(1)),
    Plant("metadata-cut", "curve-dealer-router", lambda talk: talk.command(UP, "INITIATE").cut(1)),
    Plant("metadata-cut", "plain-req-rep", lambda talk: talk.command(DOWN, "READY").add(prop(b"X-a", b"1", length=2))),
    Plant("metadata-duplicate", "null-dealer-router", lambda talk: talk.command(UP, "READY").add(
        prop(b"X-a", b"1") + prop(b"x-A", b"2"))),
    Plant("metadata-duplicate", "curve-dealer-router", lambda talk: talk.command(UP, "INITIATE").add(
        prop(b"Identity", b"alpha"))),
    Plant("socket-type-missing", "null-push-pull", lambda talk: talk.command(UP, "READY").metadata(b"")),
    Plant("socket-type-missing", "curve-push-pull", lambda talk: talk.command(UP, "INITIATE").metadata(b"")),
    Plant("socket-type-unknown", "null-pair", lambda talk: talk.command(UP, "READY").replace(b"PAIR", b"PEAR")),
    Plant("socket-types-differ", "null-pair", lambda talk: [
        ready.metadata(prop(b"Socket-Type", kind)) for ready, kind in zip(talk.both("READY"), (b"PAIR", b"DEALER"))]),
    Plant("socket-types-differ", "curve-pair", lambda talk: talk.command(UP, "INITIATE").metadata(
        prop(b"Socket-Type", b"CHANNEL"))),
    Plant("identity-long", "null-dealer-router", lambda talk: talk.command(UP, "READY").metadata(
        prop(b"Socket-Type", b"DEALER") + prop(b"Identity", b"i" * 256))),
    Plant("identity-zero", "null-dealer-router", lambda talk: talk.command(UP, "READY").replace(b"alpha", b"\0lpha")),
    Plant("identity-zero", "curve-dealer-router", lambda talk: talk.command(UP, "INITIATE").replace(
        b"alpha", b"\0lpha")),
    Plant("identity-useless", "null-pub-sub", lambda talk: talk.command(DOWN, "READY").add(prop(b"Identity", b"pub"))),
    Plant("property-name", "null-dealer-router", lambda talk: talk.command(UP, "READY").add(prop(b"Colour", b"red"))),
    Plant("property-name", "curve-dealer-router", lambda talk: talk.command(DOWN, "READY").add(
        prop(b"Colour", b"red"))),
]

ERROR = [
    Plant("error-malformed", "null-zap-deny", lambda talk: talk.command(DOWN, "ERROR").add(b"x")),
    Plant("error-malformed", "curve-zap-deny", lambda talk: talk.command(DOWN, "ERROR").add(b"x")),
    Plant("error-reason-chars", "null-zap-deny", lambda talk: talk.command(DOWN, "ERROR").replace(b"400", b"4 0")),
    Plant("error-name", "null-zap-deny", lambda talk: talk.command(DOWN, "ERROR").replace(b"\x05ERROR", b"^RROR")),
    Plant("traffic-after-error", "null-zap-deny", lambda talk: talk.append(talk.say(UP, b"but I insist"))),
    Plant("traffic-after-error", "null-zap-deny", lambda talk: talk.append(
        talk.clear(DOWN, named("READY", prop(b"Socket-Type", b"REP")), COMMAND))),
]

PLANTS = [*GREETING, *OLD, *FRAMES, *COMMANDS, *METADATA, *ERROR]
