# Plants in the handshakes of PLAIN (RFC 24), CURVE (RFC 25 and 26) and GSSAPI (RFC 38), and in what these protect.
# SPDX-License-Identifier: GPL-2.0-or-later
from plant.planting import ALL_KEYS, Plant
from plant.talk import COMMAND, DOWN, UP, named, prop

PLAIN = [
    Plant("plain-order", "plain-req-rep", lambda talk: talk.command(UP, "INITIATE").move_before(
        talk.command(DOWN, "WELCOME"))),
    Plant("plain-order", "plain-req-rep", lambda talk: talk.command(DOWN, "READY").move_before(
        talk.command(UP, "INITIATE"))),
    Plant("plain-roles", "plain-req-rep", lambda talk: talk.command(DOWN, "WELCOME").become(
        talk.clear(DOWN, named("HELLO", b"\x05admin\x04word"), COMMAND)).last()),
    Plant("plain-roles", "plain-req-rep", lambda talk: talk.command(DOWN, "WELCOME").set(side=UP).last()),
    Plant("plain-hello-format", "plain-req-rep", lambda talk: talk.command(UP, "HELLO").cut(1)),
    Plant("plain-hello-format", "plain-req-rep", lambda talk: talk.command(UP, "HELLO").add(b"!")),
    Plant("plain-hello-chars", "plain-req-rep", lambda talk: talk.command(UP, "HELLO").replace(b"admin", b"ad in")),
    Plant("plain-welcome-empty", "plain-req-rep", lambda talk: talk.command(DOWN, "WELCOME").add(b"!")),
    Plant("plain-message-start", "plain-req-rep", lambda talk: talk.message(UP).move_before(
        talk.command(DOWN, "READY"))),
]

HANDSHAKE = [
    Plant("curve-order", "curve-req-rep", lambda talk: talk.command(UP, "INITIATE").move_before(
        talk.command(DOWN, "WELCOME"))),
    Plant("curve-order", "curve-req-rep", lambda talk: talk.command(DOWN, "READY").move_before(
        talk.command(UP, "INITIATE"))),
    Plant("curve-order", "curve-req-rep", lambda talk: talk.command(UP, "HELLO").repeat().set(nonce=None), ALL_KEYS),
    Plant("curve-message-start", "curve-push-pull", lambda talk: talk.message(UP).move_before(
        talk.command(DOWN, "READY"))),
    Plant("curve-hello-first", "curve-req-rep", lambda talk: talk.command(UP, "HELLO").drop()),
    Plant("curve-hello-size", "curve-req-rep", lambda talk: talk.command(UP, "HELLO").add(b"\0")),
    Plant("curve-hello-version", "curve-req-rep", lambda talk: talk.command(UP, "HELLO").put(6, b"\2\0")),
    Plant("curve-hello-padding", "curve-req-rep", lambda talk: talk.command(UP, "HELLO").put(30, b"\1")),
    Plant("curve-hello-zeros", "curve-req-rep", lambda talk: talk.command(UP, "HELLO").put(30, b"\1"), ALL_KEYS),
    Plant("curve-welcome-size", "curve-req-rep", lambda talk: talk.command(DOWN, "WELCOME").add(b"\0")),
    Plant("curve-cookie-returned", "curve-req-rep", lambda talk: talk.command(UP, "INITIATE").as_it_is().flip(30),
          ALL_KEYS[:-1]),  # with the cookie's own key it would be a damaged box too
    Plant("curve-initiate-size", "curve-req-rep", lambda talk: talk.command(UP, "INITIATE").as_it_is().shorten(256)),
    Plant("curve-vouch-client", "curve-req-rep",
          lambda talk: talk.command(UP, "INITIATE").vouch(0, b"another transient key of a client"[:32]), ALL_KEYS),
    Plant("curve-vouch-server", "curve-req-rep",
          lambda talk: talk.command(UP, "INITIATE").vouch(32, b"another permanent key of a server"[:32]), ALL_KEYS),
    Plant("curve-vouch", "curve-req-rep", lambda talk: talk.command(UP, "INITIATE").flip(60), ALL_KEYS),
    Plant("curve-ready-size", "curve-req-rep", lambda talk: talk.command(DOWN, "READY").as_it_is().shorten(29)),
    Plant("curve-error-from-server", "curve-req-rep", lambda talk: talk.command(UP, "INITIATE").become(
        talk.clear(UP, named("ERROR", b"\x03500"), COMMAND)).last()),
    Plant("curve-error-message", "curve-push-pull", lambda talk: talk.append(
        talk.clear(DOWN, named("ERROR", b"\x03500"), COMMAND))),
]

WELCOME_NONCE, VOUCH_NONCE, COOKIE = 8, 32, slice(9, 105)  # in WELCOME, in INITIATE's box, and in front of it


def same_hello(talk):
    """A connection comes again, with long nonces of its own."""
    other = talk.again()
    other.command(DOWN, "WELCOME").put(WELCOME_NONCE, b"other long nonce")
    initiate = other.command(UP, "INITIATE").put(VOUCH_NONCE, b"other long nonce")
    initiate.set(start=initiate.start[:COOKIE.start] + b"other long nonce" + initiate.start[COOKIE.start + 16:])


def same_welcome_nonce(talk):
    nonce = talk.command(DOWN, "WELCOME").body[WELCOME_NONCE:][:16]
    talk.talks[1].command(DOWN, "WELCOME").put(WELCOME_NONCE, nonce)


def same_vouch_nonce(talk):
    nonce = talk.command(UP, "INITIATE").plain[VOUCH_NONCE:][:16]
    talk.talks[1].command(UP, "INITIATE").put(VOUCH_NONCE, nonce)


def same_cookie_nonce(talk):
    other = talk.talks[1].command(UP, "INITIATE")
    other.set(start=talk.command(UP, "INITIATE").start[:COOKIE.start + 16] + other.start[COOKIE.start + 16:])


def little_endian(talk):
    for box in talk.number().boxes():
        if isinstance(box.nonce, int):
            box.set(nonce=box.nonce.to_bytes(8, "little"))
        elif len(box.nonce) == 8:
            box.set(nonce=box.nonce[::-1])


CURVE = [
    Plant("curve-message-size", "curve-pair", lambda talk: talk.message(UP, -1).set(plain=b"\0").as_it_is().cut(1)),
    Plant("curve-nonce-unique", "curve-push-pull", lambda talk: talk.message(UP, 2).set(nonce=4)),
    Plant("curve-nonce-rises", "curve-push-pull", lambda talk: talk.message(UP, 2).set(nonce=0)),
    Plant("curve-nonce-by-one", "curve-push-pull", lambda talk: talk.message(UP, 2).set(nonce=100)),
    Plant("curve-nonce-first", "curve-push-pull", lambda talk: talk.command(DOWN, "READY").set(nonce=5)),
    Plant("curve-nonce-order", "curve-req-rep", little_endian, ALL_KEYS),
    Plant("curve-box-damaged", "curve-push-pull", lambda talk: talk.message(UP, 1).as_it_is().flip(-1)),
    Plant("curve-box-damaged", "curve-push-pull", lambda talk: talk.command(DOWN, "READY").as_it_is().flip(-1)),
    Plant("curve-only-messages", "curve-push-pull", lambda talk: talk.append(talk.clear(UP, b"in the clear"))),
    Plant("curve-only-messages", "curve-pub-sub", lambda talk: talk.append(
        talk.clear(UP, named("SUBSCRIBE", b"sun"), COMMAND))),
    Plant("curve-payload-reserved", "curve-push-pull", lambda talk: talk.message(UP, 1).put(0, b"\x80")),
    Plant("curve-message-flag", "curve-push-pull", lambda talk: talk.message(UP, 1).set(flags=COMMAND)),
    Plant("curve-more-inside", "curve-push-pull", lambda talk: talk.message(UP, 1).set(flags=1)),
    Plant("curve-hello-key-fresh", "curve-req-rep", same_hello),
    Plant("curve-welcome-nonce", "curve-dealer-router", same_welcome_nonce),
    Plant("curve-vouch-nonce", "curve-dealer-router", same_vouch_nonce),
    Plant("curve-cookie-nonce", "curve-dealer-router", same_cookie_nonce),
]

TOKEN_LENGTH = 8  # where it is in MESSAGE

GSSAPI = [
    Plant("gssapi-order", "gssapi-plaintext-req-rep", lambda talk: talk.command(UP, "READY").move_before(
        talk.command(DOWN, "INITIATE"))),
    Plant("gssapi-order", "gssapi-push-pull", lambda talk: talk.message(UP).move_before(talk.command(UP, "MESSAGE"))),
    Plant("gssapi-sizes", "gssapi-push-pull", lambda talk: talk.message(UP, 1).put(TOKEN_LENGTH, b"\0\0\0\x10")),
    Plant("gssapi-token-damaged", "gssapi-push-pull", lambda talk: talk.message(UP, 1).flip(-1)),
    Plant("gssapi-payload-flags", "gssapi-sign-only", lambda talk: talk.message(UP).replace(
        b"\0signed", b"\x80signed")),
    Plant("gssapi-hello-first", "gssapi-plaintext-req-rep", lambda talk: talk.command(UP, "INITIATE").replace(
        b"\x08INITIATE", b"\x05HELLO")),
    Plant("gssapi-only-messages", "gssapi-push-pull", lambda talk: talk.append(talk.clear(UP, b"in the clear"))),
    Plant("metadata-complete", "gssapi-plaintext-req-rep", lambda talk: talk.command(UP, "READY").add(
        prop(b"X-a", b"1", length=2))),
    Plant("ping-answered", "gssapi-plaintext-heartbeat", lambda talk: talk.command(DOWN, "PONG", 1).drop()),
    Plant("frame-reserved", "gssapi-push-pull", lambda talk: talk.message(UP, 1).set(flags=0x40)),
]

PLANTS = [*PLAIN, *HANDSHAKE, *CURVE, *GSSAPI]
