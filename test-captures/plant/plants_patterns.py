# Plants in heartbeats (RFC 37) and in what the socket types say to each other (RFC 23, 28 to 31, 37, 41 and 48 to 52).
# SPDX-License-Identifier: GPL-2.0-or-later
from plant.planting import Plant
from plant.talk import DOWN, MINOR, MORE, UP, prop

HEARTBEAT = [
    Plant("ping-form", "null-heartbeat", lambda talk: talk.append(talk.order(UP, "PING", b"\0"))),
    Plant("ping-form", "curve-heartbeat", lambda talk: talk.append(talk.order(UP, "PING", b"\0"))),
    Plant("ping-form", "null-heartbeat", lambda talk: talk.append(
        talk.order(UP, "PING", b"\0\0seventeen octets!"))),
    Plant("pong-form", "null-heartbeat", lambda talk: [
        talk.command(UP, "PING").add(b"sixteen octets.."), talk.command(DOWN, "PONG").add(b"sixteen octets...")]),
    Plant("null-order", "null-heartbeat", lambda talk: [
        talk.command(UP, "READY").before(talk.order(UP, "PING", b"\0\0")),
        talk.command(UP, "READY").after(talk.order(DOWN, "PONG"))]),
    Plant("ping-version", "null-heartbeat", lambda talk: talk.greeting(UP).put(MINOR, b"\0")),
    Plant("pong-answered", "null-heartbeat", lambda talk: [
        talk.command(DOWN, "PONG", -1).drop(), *(talk.append(talk.say(DOWN, b"no pong")) for _ in range(2))]),
    Plant("pong-answered", "curve-heartbeat", lambda talk: [
        talk.command(DOWN, "PONG", -1).drop(), *(talk.append(talk.say(DOWN, b"no pong")) for _ in range(2))]),
    Plant("pong-context", "null-heartbeat", lambda talk: talk.command(DOWN, "PONG").add(b"other")),
    Plant("pong-context", "curve-heartbeat", lambda talk: talk.command(DOWN, "PONG").add(b"other")),
    Plant("pong-asked", "null-heartbeat", lambda talk: talk.append(talk.order(DOWN, "PONG"))),
    Plant("pong-asked", "curve-heartbeat", lambda talk: talk.append(talk.order(DOWN, "PONG"))),
]

SUBSCRIPTIONS = [
    Plant("subscribe-command", "null-pub-sub", lambda talk: talk.append(talk.say(UP, b"\1sun"))),
    Plant("subscribe-command", "curve-pub-sub", lambda talk: talk.append(talk.say(UP, b"\1sun"))),
    Plant("subscribe-command", "null-pub-sub", lambda talk: talk.append(talk.say(UP, b"\0time"))),
    Plant("subscribe-message", "raw-zmtp30-sub", lambda talk: talk.append(talk.order(UP, "SUBSCRIBE", b"more"))),
    Plant("frame-long-message", "raw-zmtp30-sub", lambda talk: talk.append(talk.clear(UP, b"\1more", long=True))),
    Plant("subscribe-sender", "null-pub-sub", lambda talk: talk.append(talk.order(DOWN, "SUBSCRIBE", b"weather."))),
    Plant("subscribe-sender", "curve-pub-sub", lambda talk: talk.append(talk.order(DOWN, "SUBSCRIBE", b"weather."))),
    Plant("cancel-subscribed", "null-pub-sub", lambda talk: talk.append(
        talk.order(UP, "CANCEL", b"politics"))),
    Plant("cancel-subscribed", "null-pub-sub", lambda talk: talk.append(
        talk.order(UP, "CANCEL", b"news.sport"))),
    Plant("cancel-subscribed", "curve-pub-sub", lambda talk: talk.append(
        talk.order(UP, "CANCEL", b"politics"))),
    Plant("publication-subscribed", "null-pub-sub", lambda talk: talk.append(talk.say(DOWN, b"politics"))),
    Plant("publication-subscribed", "curve-pub-sub", lambda talk: talk.append(talk.say(DOWN, b"politics"))),
    Plant("publication-subscribed", "raw-zmtp30-sub", lambda talk: talk.append(talk.say(DOWN, b"politics"))),
    Plant("join-sender", "null-pub-sub", lambda talk: talk.append(talk.order(UP, "JOIN", b"weather"))),
    Plant("radio-parts", "null-radio-dish", lambda talk: talk.append(talk.say(DOWN, b"weather"))),
    Plant("dish-silent", "null-radio-dish", lambda talk: talk.extend([
        talk.say(UP, b"weather", MORE), talk.say(UP, b"sun here")])),
]

PATTERNS = [
    Plant("sub-silent", "null-pub-sub", lambda talk: talk.append(talk.say(UP, b"hello"))),
    Plant("sub-silent", "curve-pub-sub", lambda talk: talk.append(talk.say(UP, b"hello"))),
    Plant("pull-silent", "null-push-pull", lambda talk: talk.append(talk.say(DOWN, b"thanks"))),
    Plant("pull-silent", "curve-push-pull", lambda talk: talk.append(talk.say(DOWN, b"thanks"))),
    Plant("req-delimiter", "null-req-rep", lambda talk: talk.message(UP).drop()),
    Plant("req-delimiter", "curve-req-rep", lambda talk: talk.message(UP).drop()),
    Plant("req-data", "null-req-rep", lambda talk: talk.message(UP).set(flags=0).talk.message(UP, 1).drop()),
    Plant("req-turns", "null-req-rep", lambda talk: talk.message(UP, 1).after(
        talk.say(UP, b"", MORE), talk.say(UP, b"please"))),
    Plant("req-turns", "curve-req-rep", lambda talk: talk.message(UP, 1).after(
        talk.say(UP, b"", MORE), talk.say(UP, b"please"))),
    Plant("rep-turns", "null-req-rep", lambda talk: talk.extend([
        talk.say(DOWN, b"", MORE), talk.say(DOWN, b"answer 4")])),
    Plant("rep-turns", "curve-req-rep", lambda talk: talk.extend([
        talk.say(DOWN, b"", MORE), talk.say(DOWN, b"answer 4")])),
    Plant("rep-envelope", "null-req-rep", lambda talk: talk.message(DOWN).before(talk.say(DOWN, b"somebody", MORE))),
    Plant("router-delimiter", "null-req-rep", lambda talk: [
        talk.command(DOWN, "READY").replace(prop(b"Socket-Type", b"REP"), prop(b"Socket-Type", b"ROUTER")),
        talk.message(DOWN).drop()]),
]


def types(talk, up, down):
    """Gives the two sides of a NULL connection other socket types."""
    for ready, kind in zip(talk.both("READY"), (up, down)):
        ready.metadata(prop(b"Socket-Type", kind))
    return talk


DRAFTS = [
    Plant("single-part", "null-pair", lambda talk: types(talk, b"CHANNEL", b"CHANNEL").message(UP).set(
        flags=MORE)),
    Plant("single-part", "null-push-pull", lambda talk: types(talk, b"CLIENT", b"SERVER").message(UP).set(
        flags=MORE)),
    Plant("gather-silent", "null-push-pull", lambda talk: types(talk, b"SCATTER", b"GATHER").append(
        talk.say(DOWN, b"thanks"))),
    Plant("single-part", "null-pair", lambda talk: types(talk, b"PEER", b"PEER").message(UP).set(flags=MORE)),
]

PLANTS = [*HEARTBEAT, *SUBSCRIPTIONS, *PATTERNS, *DRAFTS]
