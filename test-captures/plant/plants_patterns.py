# Plants in heartbeats (RFC 37) and in what the socket types say to each other (RFC 23, 28 to 31, 37, 41 and 48 to 52).
# SPDX-License-Identifier: GPL-2.0-or-later
from plant.planting import Plant
from plant.talk import DOWN, MINOR, MORE, UP, prop

HEARTBEAT = [
    Plant("ping-format", "null-heartbeat", lambda talk: talk.append(talk.order(UP, "PING", b"\0"))),
    Plant("ping-format", "curve-heartbeat", lambda talk: talk.append(talk.order(UP, "PING", b"\0"))),
    Plant("ping-context-max", "null-heartbeat", lambda talk: [
        talk.command(UP, "PING").add(b"seventeen octets!"), talk.command(DOWN, "PONG").add(b"seventeen octets!")]),
    Plant("ping-after-handshake", "null-heartbeat", lambda talk: [
        talk.command(UP, "READY").before(talk.order(UP, "PING", b"\0\0")),
        talk.command(UP, "READY").after(talk.order(DOWN, "PONG"))]),
    Plant("ping-version", "null-heartbeat", lambda talk: talk.greeting(UP).put(MINOR, b"\0")),
    Plant("ping-answered", "null-heartbeat", lambda talk: talk.command(DOWN, "PONG", 1).drop()),
    Plant("ping-answered", "curve-heartbeat", lambda talk: [
        talk.command(DOWN, "PONG").drop(), talk.append(talk.say(DOWN, b"no pong, but traffic"))]),
    Plant("ping-storm", "null-heartbeat", lambda talk: talk.extend(
        [talk.order(UP, "PING", b"\0\0") for _ in range(50)] + [talk.order(DOWN, "PONG") for _ in range(50)])),
    Plant("pong-echo", "null-heartbeat", lambda talk: talk.command(DOWN, "PONG").add(b"other")),
    Plant("pong-echo", "curve-heartbeat", lambda talk: talk.command(DOWN, "PONG").add(b"other")),
    Plant("pong-unasked", "null-heartbeat", lambda talk: talk.append(talk.order(DOWN, "PONG"))),
    Plant("pong-unasked", "curve-heartbeat", lambda talk: talk.append(talk.order(DOWN, "PONG"))),
]

SUBSCRIPTIONS = [
    Plant("subscribe-command", "null-pub-sub", lambda talk: talk.append(talk.say(UP, b"\1sun"))),
    Plant("subscribe-command", "curve-pub-sub", lambda talk: talk.append(talk.say(UP, b"\1sun"))),
    Plant("cancel-command", "null-pub-sub", lambda talk: talk.append(talk.say(UP, b"\0time"))),
    Plant("subscribe-version", "raw-zmtp30-sub", lambda talk: talk.append(talk.order(UP, "SUBSCRIBE", b"more"))),
    Plant("subscribe-message-form", "raw-zmtp30-sub", lambda talk: talk.append(talk.clear(UP, b"\1more", long=True))),
    Plant("subscribe-sender", "null-pub-sub", lambda talk: talk.append(talk.order(DOWN, "SUBSCRIBE", b"weather."))),
    Plant("subscribe-sender", "curve-pub-sub", lambda talk: talk.append(talk.order(DOWN, "SUBSCRIBE", b"weather."))),
    Plant("cancel-without-subscription", "null-pub-sub", lambda talk: talk.append(
        talk.order(UP, "CANCEL", b"politics"))),
    Plant("cancel-without-subscription", "null-pub-sub", lambda talk: talk.append(
        talk.order(UP, "CANCEL", b"news.sport"))),
    Plant("cancel-without-subscription", "curve-pub-sub", lambda talk: talk.append(
        talk.order(UP, "CANCEL", b"politics"))),
    Plant("publish-filter", "null-pub-sub", lambda talk: talk.append(talk.say(DOWN, b"news.sport"))),
    Plant("publish-filter", "curve-pub-sub", lambda talk: talk.append(talk.say(DOWN, b"politics"))),
    Plant("publish-filter", "raw-zmtp30-sub", lambda talk: talk.append(talk.say(DOWN, b"news"))),
    Plant("join-leave-sender", "null-pub-sub", lambda talk: talk.append(talk.order(UP, "JOIN", b"weather"))),
    Plant("join-group", "null-radio-dish", lambda talk: talk.append(talk.order(UP, "JOIN", b"a\0b"))),
    Plant("join-version", "null-radio-dish", lambda talk: talk.greeting(UP).put(MINOR, b"\0")),
    Plant("leave-without-join", "null-radio-dish", lambda talk: talk.append(talk.order(UP, "LEAVE", b"politics"))),
    Plant("radio-filter", "null-radio-dish", lambda talk: talk.extend([
        talk.say(DOWN, b"sport", MORE), talk.say(DOWN, b"3:3")])),
    Plant("radio-filter", "curve-radio-dish", lambda talk: talk.extend([
        talk.say(DOWN, b"sport", MORE), talk.say(DOWN, b"3:3")])),
    Plant("radio-two-parts", "null-radio-dish", lambda talk: talk.append(talk.say(DOWN, b"weather"))),
    Plant("dish-silent", "null-radio-dish", lambda talk: talk.extend([
        talk.say(UP, b"weather", MORE), talk.say(UP, b"sun here")])),
]

PATTERNS = [
    Plant("pub-receives-nothing", "null-pub-sub", lambda talk: talk.append(talk.say(UP, b"hello"))),
    Plant("pub-receives-nothing", "curve-pub-sub", lambda talk: talk.append(talk.say(UP, b"hello"))),
    Plant("pull-sends-nothing", "null-push-pull", lambda talk: talk.append(talk.say(DOWN, b"thanks"))),
    Plant("pull-sends-nothing", "curve-push-pull", lambda talk: talk.append(talk.say(DOWN, b"thanks"))),
    Plant("req-delimiter", "null-req-rep", lambda talk: talk.message(UP).drop()),
    Plant("req-delimiter", "curve-req-rep", lambda talk: talk.message(UP).drop()),
    Plant("req-data", "null-req-rep", lambda talk: talk.message(UP).set(flags=0).talk.message(UP, 1).drop()),
    Plant("req-alternation", "null-req-rep", lambda talk: talk.message(UP, 1).after(
        talk.say(UP, b"", MORE), talk.say(UP, b"please"))),
    Plant("req-alternation", "curve-req-rep", lambda talk: talk.message(UP, 1).after(
        talk.say(UP, b"", MORE), talk.say(UP, b"please"))),
    Plant("rep-alternation", "null-req-rep", lambda talk: talk.extend([
        talk.say(DOWN, b"", MORE), talk.say(DOWN, b"answer 4")])),
    Plant("rep-alternation", "curve-req-rep", lambda talk: talk.extend([
        talk.say(DOWN, b"", MORE), talk.say(DOWN, b"answer 4")])),
    Plant("rep-envelope", "null-req-rep", lambda talk: talk.message(DOWN).before(talk.say(DOWN, b"somebody", MORE))),
    Plant("router-reply-delimiter", "null-req-rep", lambda talk: [
        talk.command(DOWN, "READY").replace(prop(b"Socket-Type", b"REP"), prop(b"Socket-Type", b"ROUTER")),
        talk.message(DOWN).drop()]),
]


def types(talk, up, down):
    """Gives the two sides of a NULL connection other socket types."""
    for ready, kind in zip(talk.both("READY"), (up, down)):
        ready.metadata(prop(b"Socket-Type", kind))
    return talk


DRAFTS = [
    Plant("thread-safe-single-part", "null-pair", lambda talk: types(talk, b"CHANNEL", b"CHANNEL").message(UP).set(
        flags=MORE)),
    Plant("client-server-single", "null-push-pull", lambda talk: types(talk, b"CLIENT", b"SERVER").message(UP).set(
        flags=MORE)),
    Plant("server-first", "null-pair", lambda talk: types(talk, b"CLIENT", b"SERVER")),
    Plant("scatter-only-sends", "null-push-pull", lambda talk: types(talk, b"SCATTER", b"GATHER").append(
        talk.say(DOWN, b"thanks"))),
    Plant("peer-single", "null-pair", lambda talk: types(talk, b"PEER", b"PEER").message(UP).set(flags=MORE)),
]

PLANTS = [*HEARTBEAT, *SUBSCRIPTIONS, *PATTERNS, *DRAFTS]
