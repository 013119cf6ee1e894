# Plants in the handshakes of PLAIN (RFC 24), CURVE (RFC 25 and 26) and GSSAPI (RFC 38), and in what these protect.
# SPDX-License-Identifier: GPL-2.0-or-later
from plant.boxes import KEY, shared, vouched
from plant.planting import ALL_KEYS, Plant, first_of
from plant.talk import COMMAND, DOWN, UP, Frame, named, prop

PLAIN = [
    Plant("plain-order", "plain-req-rep", lambda talk: talk.command(UP, "INITIATE").move_before(
        talk.command(DOWN, "WELCOME"))),
    Plant("plain-order", "plain-req-rep", lambda talk: talk.command(DOWN, "READY").move_before(
        talk.command(UP, "INITIATE"))),
    Plant("handshake-both-clients", "plain-req-rep", lambda talk: talk.command(DOWN, "WELCOME").become(
        talk.clear(DOWN, named("HELLO", b"\x05admin\x04word"), COMMAND)).last()),
    Plant("plain-order", "plain-req-rep", lambda talk: talk.command(DOWN, "WELCOME").set(
        side=UP).last()),
    Plant("handshake-both-servers", "plain-req-rep", lambda talk: talk.greeting(UP).last(after_a_second=True)),
    Plant("plain-hello-form", "plain-req-rep", lambda talk: talk.command(UP, "HELLO").cut(1)),
    Plant("plain-hello-form", "plain-req-rep", lambda talk: talk.command(UP, "HELLO").add(b"!")),
    Plant("plain-hello-characters", "plain-req-rep", lambda talk: talk.command(UP, "HELLO").replace(
        b"admin", b"ad in")),
    Plant("plain-welcome-empty", "plain-req-rep", lambda talk: talk.command(DOWN, "WELCOME").add(b"!")),
    Plant("handshake-before-traffic", "plain-req-rep", lambda talk: talk.message(UP).move_before(
        talk.command(DOWN, "READY"))),
]

HANDSHAKE = [
    Plant("curve-order", "curve-req-rep", lambda talk: talk.command(UP, "INITIATE").move_before(
        talk.command(DOWN, "WELCOME"))),
    Plant("curve-order", "curve-req-rep", lambda talk: talk.command(DOWN, "READY").move_before(
        talk.command(UP, "INITIATE"))),
    Plant("handshake-once", "curve-req-rep", lambda talk: talk.command(UP, "HELLO").repeat().set(nonce=None), ALL_KEYS),
    Plant("handshake-before-traffic", "curve-push-pull", lambda talk: talk.message(UP).move_before(
        talk.command(DOWN, "READY"))),
    Plant("curve-order", "curve-req-rep", lambda talk: talk.command(UP, "HELLO").drop()),
    Plant("curve-hello-size", "curve-req-rep", lambda talk: talk.command(UP, "HELLO").add(b"\0")),
    Plant("curve-version", "curve-req-rep", lambda talk: talk.command(UP, "HELLO").put(6, b"\2\0")),
    Plant("curve-hello-padding", "curve-req-rep", lambda talk: talk.command(UP, "HELLO").put(30, b"\1")),
    Plant("curve-hello-zeros", "curve-req-rep", lambda talk: talk.command(UP, "HELLO").put(30, b"\1"), ALL_KEYS),
    Plant("curve-welcome-size", "curve-req-rep", lambda talk: talk.command(DOWN, "WELCOME").add(b"\0")),
    Plant("curve-cookie", "curve-req-rep", lambda talk: talk.command(UP, "INITIATE").as_it_is().flip(30),
          ALL_KEYS[:-1]),  # with the cookie's own key it would be a damaged box too
    Plant("curve-initiate-size", "curve-req-rep", lambda talk: talk.command(UP, "INITIATE").as_it_is().shorten(256)),
    Plant("curve-vouch", "curve-req-rep",
          lambda talk: talk.command(UP, "INITIATE").vouch(0, b"another transient key of a client"[:32]), ALL_KEYS),
    Plant("curve-vouch", "curve-req-rep",
          lambda talk: talk.command(UP, "INITIATE").vouch(32, b"another permanent key of a server"[:32]), ALL_KEYS),
    Plant("curve-vouch", "curve-req-rep", lambda talk: talk.command(UP, "INITIATE").flip(60), ALL_KEYS),
    Plant("curve-ready-size", "curve-req-rep", lambda talk: talk.command(DOWN, "READY").as_it_is().shorten(29)),
    Plant("error-from-server", "curve-req-rep", lambda talk: talk.command(UP, "INITIATE").become(
        talk.clear(UP, named("ERROR", b"\x03500"), COMMAND)).last()),
]

WELCOME_NONCE, VOUCH_NONCE = 8, 32  # where they begin in WELCOME and in INITIATE's box
PAIRS = (".permanent.keys", ".transient.keys")


def same_server_key(talk):
    """The server uses a transient key for two connections: all boxes of the second one are sealed anew."""
    other = talk.talks[1]
    initiate = other.command(UP, "INITIATE")
    server = talk.command(DOWN, "WELCOME").plain[:KEY]
    secret, client = initiate.keys.secrets[server], other.command(UP, "HELLO").start[-KEY:]
    other.command(DOWN, "WELCOME").put(0, server)
    initiate.set(plain=vouched(initiate.plain, initiate.keys, key=shared(initiate.plain[:KEY], secret)))
    for box in [box for box in other.boxes() if box.key == initiate.key]:
        box.set(key=shared(client, secret))


def same_hello(talk):
    """A connection comes again, with another WELCOME."""
    talk.again().command(DOWN, "WELCOME").put(WELCOME_NONCE, b"other long nonce")


def same_welcome_nonce(talk):
    nonce = talk.command(DOWN, "WELCOME").body[WELCOME_NONCE:][:16]
    talk.talks[1].command(DOWN, "WELCOME").put(WELCOME_NONCE, nonce)


def same_vouch_nonce(talk):
    nonce = talk.command(UP, "INITIATE").plain[VOUCH_NONCE:][:16]
    talk.talks[1].command(UP, "INITIATE").put(VOUCH_NONCE, nonce)


def all_commands(talk):
    """RFC 23 wants the COMMAND flag on each MESSAGE; libzmq never sets it."""
    for piece in talk:
        if isinstance(piece, Frame):
            piece.flags = COMMAND


def little_endian(talk):
    for box in talk.number().boxes():
        if isinstance(box.nonce, int):
            box.set(nonce=box.nonce.to_bytes(8, "little"))
        elif len(box.nonce) == 8:
            box.set(nonce=box.nonce[::-1])


CURVE = [
    Plant("curve-message-size", "curve-pair", lambda talk: talk.message(UP, -1).set(plain=b"\0").as_it_is().cut(1)),
    Plant("curve-nonce-once", "curve-push-pull", lambda talk: talk.message(UP, 2).set(nonce=4)),
    Plant("curve-nonce-rises", "curve-push-pull", lambda talk: talk.message(UP, 2).set(nonce=0)),
    Plant("curve-nonce-step", "curve-push-pull", lambda talk: talk.message(UP, 2).set(nonce=100)),
    Plant("curve-nonce-first", "curve-push-pull", lambda talk: talk.command(DOWN, "READY").set(nonce=5)),
    Plant("curve-nonce-byte-order", "curve-req-rep", little_endian, ALL_KEYS),
    Plant("curve-box", "curve-push-pull", lambda talk: talk.message(UP, 1).as_it_is().flip(-1)),
    Plant("curve-box", "curve-push-pull", lambda talk: talk.command(DOWN, "READY").as_it_is().flip(-1)),
    Plant("curve-unprotected", "curve-push-pull", lambda talk: talk.append(talk.clear(UP, b"in the clear"))),
    Plant("curve-unprotected", "curve-pub-sub", lambda talk: talk.append(
        talk.clear(UP, named("SUBSCRIBE", b"sun"), COMMAND))),
    Plant("curve-payload-flags", "curve-push-pull", lambda talk: talk.message(UP, 1).put(0, b"\x80")),
    Plant("frame-command-more", "curve-push-pull", lambda talk: talk.message(UP, 1).set(flags=1)),
    Plant("curve-client-transient-key", "curve-req-rep", same_hello, ()),
    Plant("curve-server-transient-key", "curve-dealer-router", same_server_key, PAIRS),
    Plant("curve-long-nonce-once", "curve-dealer-router", same_welcome_nonce),
    Plant("curve-long-nonce-once", "curve-dealer-router", same_vouch_nonce),
    Plant("curve-message-is-command", "curve-push-pull", lambda talk: talk.message(UP, 4).set(flags=0),
          clean=all_commands),
    Plant("curve-payload-command", "curve-push-pull", lambda talk: talk.extend([
        talk.order(UP, "PING", b"\0\0"), talk.order(DOWN, "PONG")])),
    Plant("curve-initiate-length", "curve-push-pull", lambda talk: talk.command(UP, "INITIATE").add(
        prop(b"X-long", b"x" * 300))),
    Plant("curve-hello-answered", "curve-req-rep", lambda talk: talk.command(UP, "HELLO").flip(-1).last(DOWN)),
]

NAME = len(b"\x07MESSAGE")  # in front of the token's length
# RFC 4121 4.2.6.2: a token that is signed and not sealed, with 12 octets of a checksum behind its data.
SIGNED = b"\x05\x04\x04\xff\x00\x0c\x00\x00" + bytes(8) + b"\0job 10" + bytes(12)


def in_cfx_header(talk, at, octets):
    """Writes over octets of a token's header: behind its identifier come flags, FF, EC and RRC."""
    message = talk.message(UP, 1)
    message.put(message.body.index(b"\x05\x04") + at, octets)


def without_subscriptions(talk):
    for _ in range(len([piece for piece in talk if piece.side == UP]) - 4):
        talk.piece(UP, -1).drop()


GSSAPI = [
    Plant("handshake-before-traffic", "gssapi-push-pull", lambda talk: talk.message(UP).move_before(
        talk.command(UP, "MESSAGE"))),
    Plant("handshake-before-traffic", "gssapi-plaintext-heartbeat", lambda talk: talk.message(UP).move_before(
        talk.command(UP, "READY"))),
    Plant("gssapi-token-form", "gssapi-push-pull", lambda talk: talk.message(UP, 1).put(NAME, b"\0\0\0\x10")),
    Plant("gssapi-token", "gssapi-push-pull", lambda talk: talk.message(UP, 1).flip(-1)),
    Plant("gssapi-token-header", "gssapi-aes128-sha2", lambda talk: in_cfx_header(talk, 3, b"\xfe")),
    Plant("gssapi-extra-count", "gssapi-aes128-sha2", lambda talk: in_cfx_header(talk, 5, b"\x05")),
    Plant("gssapi-encrypted", "gssapi-push-pull", lambda talk: talk.append(talk.clear(
        UP, named("MESSAGE", len(SIGNED).to_bytes(4, "big") + SIGNED)))),
    Plant("gssapi-message-is-command", "gssapi-push-pull", lambda talk: talk.command(UP, "MESSAGE", 3).set(flags=0),
          clean=all_commands),
    Plant("gssapi-empty-command", "gssapi-push-pull", lambda talk: talk.command(DOWN, "MESSAGE").before(
        talk.clear(UP, b"", COMMAND)), clean=lambda talk: talk.command(UP, "").drop()),
    Plant("gssapi-subscription-kind", "gssapi-pub-sub", lambda talk: talk.append(
        first_of("gssapi-pub-sub").message(UP).set(flags=COMMAND)), clean=without_subscriptions),
    Plant("gssapi-payload-flags", "gssapi-sign-only", lambda talk: talk.message(UP).replace(
        b"\0signed", b"\x80signed")),
    Plant("gssapi-hello", "gssapi-plaintext-req-rep", lambda talk: talk.command(UP, "INITIATE").replace(
        b"\x08INITIATE", b"\x05HELLO")),
    Plant("gssapi-unprotected", "gssapi-push-pull", lambda talk: talk.append(talk.clear(UP, b"in the clear"))),
    Plant("metadata-format", "gssapi-plaintext-req-rep", lambda talk: talk.command(UP, "READY").add(
        prop(b"X-a", b"1", length=2))),
    Plant("pong-answered", "gssapi-plaintext-heartbeat", lambda talk: [
        talk.command(DOWN, "PONG", -1).drop(), *(talk.append(talk.say(DOWN, b"no pong")) for _ in range(2))]),
    Plant("frame-flags", "gssapi-push-pull", lambda talk: talk.message(UP, 1).set(flags=0x40)),
]

PLANTS = [*PLAIN, *HANDSHAKE, *CURVE, *GSSAPI]
