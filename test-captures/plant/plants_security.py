# Plants in the handshakes of PLAIN (RFC 24), CURVE (RFC 25 and 26) and GSSAPI (RFC 38), and in what these protect.
# SPDX-License-Identifier: GPL-2.0-or-later
from plant.planting import ALL_KEYS, Plant
from plant.talk import COMMAND, DOWN, UP, named

PLAIN = [
    Plant("plain-order", "plain-req-rep", lambda talk: talk.command(UP, "INITIATE").move_before(
        talk.command(DOWN, "WELCOME"))),
    Plant("plain-order", "plain-req-rep", lambda talk: talk.command(DOWN, "READY").move_before(
        talk.command(UP, "INITIATE"))),
    Plant("plain-hello", "plain-req-rep", lambda talk: talk.command(UP, "HELLO").cut(1)),
    Plant("plain-hello", "plain-req-rep", lambda talk: talk.command(UP, "HELLO").add(b"!")),
    Plant("plain-welcome", "plain-req-rep", lambda talk: talk.command(DOWN, "WELCOME").add(b"!")),
    Plant("both-clients", "plain-req-rep", lambda talk: talk.command(DOWN, "WELCOME").become(
        talk.clear(DOWN, named("HELLO", b"\x05admin\x04word"), COMMAND)).last()),
]

HANDSHAKE = [
    Plant("curve-hello-size", "curve-req-rep", lambda talk: talk.command(UP, "HELLO").add(b"\0")),
    Plant("curve-hello-version", "curve-req-rep", lambda talk: talk.command(UP, "HELLO").put(6, b"\2\0")),
    Plant("curve-hello-padding", "curve-req-rep", lambda talk: talk.command(UP, "HELLO").put(30, b"\1")),
    Plant("curve-hello-zeros", "curve-req-rep", lambda talk: talk.command(UP, "HELLO").put(30, b"\1"), ALL_KEYS),
    Plant("curve-nonce-first", "curve-req-rep", lambda talk: talk.command(UP, "HELLO").set(nonce=5), ALL_KEYS),
    Plant("curve-welcome-size", "curve-req-rep", lambda talk: talk.command(DOWN, "WELCOME").add(b"\0")),
    Plant("curve-cookie-changed", "curve-req-rep", lambda talk: talk.command(UP, "INITIATE").as_it_is().flip(30),
          ALL_KEYS[:-1]),  # with the cookie's own key it would be a damaged box too
    Plant("curve-initiate-size", "curve-req-rep", lambda talk: talk.command(UP, "INITIATE").as_it_is().shorten(256)),
    Plant("curve-vouch", "curve-req-rep", lambda talk: talk.command(UP, "INITIATE").vouch(0, b"another transient"),
          ALL_KEYS),
    Plant("curve-vouch", "curve-req-rep", lambda talk: talk.command(UP, "INITIATE").vouch(32, b"another server"),
          ALL_KEYS),
    Plant("curve-vouch", "curve-req-rep", lambda talk: talk.command(UP, "INITIATE").flip(60), ALL_KEYS),
    Plant("curve-ready-size", "curve-req-rep", lambda talk: talk.command(DOWN, "READY").as_it_is().shorten(29)),
    Plant("curve-order", "curve-req-rep", lambda talk: talk.command(UP, "INITIATE").move_before(
        talk.command(DOWN, "WELCOME"))),
    Plant("curve-order", "curve-req-rep", lambda talk: talk.command(DOWN, "READY").move_before(
        talk.command(UP, "INITIATE"))),
    Plant("curve-order", "curve-req-rep", lambda talk: talk.message(UP).move_before(talk.command(DOWN, "READY"))),
    Plant("curve-order", "curve-req-rep", lambda talk: talk.command(UP, "HELLO").repeat().set(nonce=None), ALL_KEYS),
]

WELCOME_NONCE, VOUCH_NONCE = 8, 32  # where they begin in WELCOME and in INITIATE's box


def same_transient_key(talk):
    """A connection comes again, with long nonces of its own."""
    other = talk.again()
    other.command(DOWN, "WELCOME").put(WELCOME_NONCE, b"other long nonce")
    other.command(UP, "INITIATE").put(VOUCH_NONCE, b"other long nonce")


def same_welcome_nonce(talk):
    nonce = talk.command(DOWN, "WELCOME").body[WELCOME_NONCE:][:16]
    talk.talks[1].command(DOWN, "WELCOME").put(WELCOME_NONCE, nonce)


def same_vouch_nonce(talk):
    nonce = talk.command(UP, "INITIATE").plain[VOUCH_NONCE:][:16]
    talk.talks[1].command(UP, "INITIATE").put(VOUCH_NONCE, nonce)


def little_endian(talk):
    for box in talk.number().boxes():
        if isinstance(box.nonce, int):
            box.set(nonce=box.nonce.to_bytes(8, "little"))
        elif len(box.nonce) == 8:
            box.set(nonce=box.nonce[::-1])


CURVE = [
    Plant("curve-message-size", "curve-req-rep", lambda talk: talk.message(UP).as_it_is().shorten(32)),
    Plant("curve-nonce-repeated", "curve-req-rep", lambda talk: talk.message(UP, 2).set(nonce=4)),
    Plant("curve-nonce-repeated", "curve-req-rep", lambda talk: talk.message(DOWN, 1).repeat().set(nonce=3)),
    Plant("curve-nonce-falls", "curve-req-rep", lambda talk: talk.message(UP, 2).set(nonce=0)),
    Plant("curve-nonce-skips", "curve-req-rep", lambda talk: talk.message(UP, 2).set(nonce=100)),
    Plant("curve-nonce-order", "curve-req-rep", little_endian, ALL_KEYS),
    Plant("curve-box-damaged", "curve-req-rep", lambda talk: talk.message(UP, 1).as_it_is().flip(-1)),
    Plant("curve-box-damaged", "curve-req-rep", lambda talk: talk.command(DOWN, "READY").as_it_is().flip(-1)),
    Plant("unprotected", "curve-req-rep", lambda talk: talk.append(talk.clear(UP, b"in the clear"))),
    Plant("unprotected", "curve-heartbeat", lambda talk: talk.append(talk.clear(UP, named("PONG"), COMMAND))),
    Plant("curve-payload-flags", "curve-req-rep", lambda talk: talk.message(UP, 1).put(0, b"\x80")),
    Plant("curve-message-flag", "curve-req-rep", lambda talk: talk.message(UP, 1).set(flags=COMMAND)),
    Plant("curve-transient-reused", "curve-req-rep", same_transient_key),
    Plant("curve-long-nonce-reused", "curve-dealer-router", same_welcome_nonce),
    Plant("curve-long-nonce-reused", "curve-dealer-router", same_vouch_nonce),
]

TOKEN_LENGTH = 8  # where it is in MESSAGE

GSSAPI = [
    Plant("gssapi-order", "gssapi-plaintext-req-rep", lambda talk: talk.command(UP, "READY").move_before(
        talk.command(DOWN, "INITIATE"))),
    Plant("gssapi-order", "gssapi-req-rep", lambda talk: talk.message(UP).move_before(talk.command(UP, "MESSAGE"))),
    Plant("gssapi-token-size", "gssapi-req-rep", lambda talk: talk.message(UP, 1).put(TOKEN_LENGTH, b"\0\0\0\x10")),
    Plant("gssapi-token-size", "gssapi-req-rep", lambda talk: talk.command(UP, "INITIATE").add(b"\0")),
    Plant("gssapi-token-damaged", "gssapi-req-rep", lambda talk: talk.message(UP, 1).flip(-1)),
    Plant("gssapi-payload-flags", "gssapi-sign-only", lambda talk: talk.message(UP).replace(
        b"\0signed", b"\x80signed")),
    Plant("gssapi-rfc38", "gssapi-plaintext-req-rep", lambda talk: talk.command(UP, "INITIATE").replace(
        b"\x08INITIATE", b"\x05HELLO")),
    Plant("unprotected", "gssapi-req-rep", lambda talk: talk.append(talk.clear(UP, b"in the clear"))),
]

PLANTS = [*PLAIN, *HANDSHAKE, *CURVE, *GSSAPI]
