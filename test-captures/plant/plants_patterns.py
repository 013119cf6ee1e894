# Plants in heartbeats (RFC 37) and in what the socket types say to each other (RFC 28, 29, 30, 37, 48).
# SPDX-License-Identifier: GPL-2.0-or-later
from plant.planting import Plant
from plant.talk import DOWN, MINOR, MORE, UP

HEARTBEAT = [
    Plant("ping-malformed", "null-heartbeat", lambda talk: talk.append(talk.order(UP, "PING", b"\0"))),
    Plant("ping-malformed", "curve-heartbeat", lambda talk: talk.append(talk.order(UP, "PING", b"\0"))),
    Plant("ping-context-long", "null-heartbeat", lambda talk: [
        talk.command(UP, "PING").add(b"seventeen octets!"), talk.command(DOWN, "PONG").add(b"seventeen octets!")]),
    Plant("ping-early", "null-heartbeat", lambda talk: [
        talk.command(UP, "READY").before(talk.order(UP, "PING", b"\0\0")),
        talk.command(UP, "READY").after(talk.order(DOWN, "PONG"))]),
    Plant("ping-on-30", "null-heartbeat", lambda talk: talk.greeting(UP).put(MINOR, b"\0")),
    Plant("ping-unanswered", "null-heartbeat", lambda talk: talk.command(DOWN, "PONG", 1).drop()),
    Plant("ping-unanswered", "curve-heartbeat", lambda talk: talk.command(DOWN, "PONG").drop()),
    Plant("pong-other-context", "null-heartbeat", lambda talk: talk.command(DOWN, "PONG").add(b"other")),
    Plant("pong-other-context", "curve-heartbeat", lambda talk: talk.command(DOWN, "PONG").add(b"other")),
    Plant("pong-unasked", "null-heartbeat", lambda talk: talk.append(talk.order(DOWN, "PONG"))),
    Plant("pong-unasked", "curve-heartbeat", lambda talk: talk.append(talk.order(DOWN, "PONG"))),
]

SUBSCRIPTIONS = [
    Plant("subscribe-on-30", "raw-zmtp30-sub", lambda talk: talk.append(talk.order(UP, "SUBSCRIBE", b"more"))),
    Plant("subscribe-from-publisher", "null-pub-sub", lambda talk: talk.append(
        talk.order(DOWN, "SUBSCRIBE", b"weather."))),
    Plant("subscribe-from-publisher", "curve-pub-sub", lambda talk: talk.append(
        talk.order(DOWN, "SUBSCRIBE", b"weather."))),
    Plant("cancel-unsubscribed", "null-pub-sub", lambda talk: talk.append(talk.order(UP, "CANCEL", b"politics"))),
    Plant("cancel-unsubscribed", "null-pub-sub", lambda talk: talk.append(talk.order(UP, "CANCEL", b"news.sport"))),
    Plant("cancel-unsubscribed", "curve-pub-sub", lambda talk: talk.append(talk.order(UP, "CANCEL", b"politics"))),
    Plant("publication-unsubscribed", "null-pub-sub", lambda talk: talk.append(talk.say(DOWN, b"news.sport"))),
    Plant("publication-unsubscribed", "curve-pub-sub", lambda talk: talk.append(talk.say(DOWN, b"politics"))),
    Plant("publication-unsubscribed", "raw-zmtp30-sub", lambda talk: talk.append(talk.say(DOWN, b"news"))),
    Plant("join-from-subscriber", "null-pub-sub", lambda talk: talk.append(talk.order(UP, "JOIN", b"weather"))),
    Plant("leave-not-joined", "null-radio-dish", lambda talk: talk.append(talk.order(UP, "LEAVE", b"politics"))),
    Plant("radio-not-joined", "null-radio-dish", lambda talk: talk.extend([
        talk.say(DOWN, b"sport", MORE), talk.say(DOWN, b"3:3")])),
]

PATTERNS = [
    Plant("subscriber-sends", "null-pub-sub", lambda talk: talk.append(talk.say(UP, b"hello"))),
    Plant("subscriber-sends", "curve-pub-sub", lambda talk: talk.append(talk.say(UP, b"hello"))),
    Plant("push-receives", "null-push-pull", lambda talk: talk.append(talk.say(DOWN, b"thanks"))),
    Plant("push-receives", "curve-push-pull", lambda talk: talk.append(talk.say(DOWN, b"thanks"))),
    Plant("request-without-delimiter", "null-req-rep", lambda talk: talk.message(UP).drop()),
    Plant("request-without-delimiter", "curve-req-rep", lambda talk: talk.message(UP).drop()),
    Plant("request-before-reply", "null-req-rep", lambda talk: talk.message(UP, 1).after(
        talk.say(UP, b"", MORE), talk.say(UP, b"please"))),
    Plant("reply-without-request", "null-req-rep", lambda talk: talk.extend([
        talk.say(DOWN, b"", MORE), talk.say(DOWN, b"answer 4")])),
    Plant("reply-without-request", "curve-req-rep", lambda talk: talk.extend([
        talk.say(DOWN, b"", MORE), talk.say(DOWN, b"answer 4")])),
]

PLANTS = [*HEARTBEAT, *SUBSCRIPTIONS, *PATTERNS]
