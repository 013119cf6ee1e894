# Scenarios: a CURVE client written as a plain socket does to libzmq's server what libzmq's client never does.
# SPDX-License-Identifier: GPL-2.0-or-later
"""libzmq 4.3.4 never says what is wrong: it closes the connection, as each description here tells."""

import zmq

from curve_raw import INITIATE, CurvePeer, key_pair, metadata
from harness import scenario
from scenarios_raw import COMMAND, frame_20, must_close

REFUSED = {"mechanism": "curve", "handshake": "fails"}


def serve(run):
    """libzmq's server, and the raw client's stream."""
    return run.listen(zmq.DEALER, LINGER=0), run.stream()


def talk(run, dealer, raw, questions=2):
    for number in range(questions):
        question, answer = b"question %d" % number, b"answer %d" % number
        raw.put_message(question)
        run.expect(dealer, [question])
        dealer.send(answer)
        raw.take_message()


@scenario("A raw CURVE client does everything as it should: messages both ways, one in three parts.")
def curve_raw_client(run):
    dealer, stream = serve(run)
    raw = CurvePeer(run, stream)
    raw.shake_hands()
    talk(run, dealer, raw)
    for body, more in ((b"first", True), (b"", True), (b"third", False)):
        raw.put_message(body, more)
    run.expect(dealer, [b"first", b"", b"third"])


# HELLO

def refuse_hello(run, spoil):
    """Send the HELLO that spoil makes of a good one, and see libzmq close."""
    serve(run)
    raw = CurvePeer(run, run.no_stream())
    raw.greet()
    raw.put_command(spoil(raw))
    must_close(raw)


@scenario("A raw CURVE client's HELLO has version 2.0: libzmq closes.", **REFUSED)
def curve_hello_version(run):
    refuse_hello(run, lambda raw: raw.make_hello(version=b"\x02\x00"))


@scenario("A raw CURVE client's HELLO is one octet short: libzmq closes.", **REFUSED)
def curve_hello_short(run):
    refuse_hello(run, lambda raw: raw.make_hello()[:-1])


@scenario("A raw CURVE client's HELLO has a signature box of garbage: libzmq closes.", **REFUSED)
def curve_hello_garbage(run):
    refuse_hello(run, lambda raw: raw.make_hello()[:-80] + bytes(range(80)))


def accept_hello(run, raw, dealer, **changes):
    raw.greet()
    raw.put_command(raw.make_hello(**changes))
    raw.take_welcome()
    raw.put_command(raw.make_initiate())
    raw.take_ready()
    talk(run, dealer, raw)


@scenario("A raw CURVE client's HELLO has padding that is not zero: libzmq does not mind.", mechanism="curve")
def curve_hello_padding(run):
    dealer, stream = serve(run)
    accept_hello(run, CurvePeer(run, stream), dealer, padding=b"not zero" * 9)


@scenario("A raw CURVE client counts its nonces from 5 in HELLO: libzmq does not mind.", mechanism="curve")
def curve_hello_nonce(run):
    dealer, stream = serve(run)
    accept_hello(run, CurvePeer(run, stream, nonce=5), dealer)


@scenario("A raw CURVE client closes right after WELCOME.", **REFUSED)
def curve_client_leaves(run):
    serve(run)
    raw = CurvePeer(run, run.no_stream())
    raw.say_hello()
    raw.close()


# INITIATE

def refuse_initiate(run, spoil):
    serve(run)
    raw = CurvePeer(run, run.no_stream())
    raw.say_hello()
    raw.put_command(spoil(raw))
    must_close(raw)


def changed(octets, place):
    return octets[:place] + bytes([octets[place] ^ 1]) + octets[place + 1:]


@scenario("A raw CURVE client changes a bit of its cookie: libzmq closes.", **REFUSED)
def curve_cookie_changed(run):
    refuse_initiate(run, lambda raw: raw.make_initiate(cookie=changed(raw.cookie, 50)))


@scenario("A raw CURVE client sends the cookie of its connection before: libzmq closes.", **REFUSED)
def curve_cookie_of_another(run):
    serve(run)
    first, second = CurvePeer(run, run.no_stream()), CurvePeer(run, run.no_stream())
    for raw in (first, second):
        raw.say_hello()
    second.put_command(second.make_initiate(cookie=first.cookie))
    must_close(second)
    first.close()


@scenario("A raw CURVE client's vouch is for another transient key: libzmq closes.", **REFUSED)
def curve_vouch_client(run):
    refuse_initiate(run, lambda raw: raw.make_initiate(vouch=raw.make_vouch(client=key_pair()[0])))


@scenario("A raw CURVE client's vouch is for another server key: libzmq does not look, and admits it.",
          mechanism="curve")
def curve_vouch_server(run):
    dealer, stream = serve(run)
    raw = CurvePeer(run, stream)
    raw.say_hello()
    raw.put_command(raw.make_initiate(vouch=raw.make_vouch(server=key_pair()[0])))
    raw.take_ready()
    talk(run, dealer, raw)


@scenario("A raw CURVE client's vouch box is garbage: libzmq closes.", **REFUSED)
def curve_vouch_garbage(run):
    refuse_initiate(run, lambda raw: raw.make_initiate(vouch=bytes(range(96))))


@scenario("A raw CURVE client's metadata ends within a value: libzmq closes.", **REFUSED)
def curve_metadata_short(run):
    refuse_initiate(run, lambda raw: raw.make_initiate(properties=metadata()[:-2]))


@scenario("A raw CURVE client's metadata tells of a value of 2^31 octets: libzmq closes.", **REFUSED)
def curve_metadata_long(run):
    huge = b"\x06X-Huge" + (1 << 31).to_bytes(4, "big") + b"not that many"
    refuse_initiate(run, lambda raw: raw.make_initiate(properties=metadata() + huge))


@scenario("A raw CURVE client's INITIATE is one octet shorter than any can be: libzmq closes.", **REFUSED)
def curve_initiate_short(run):
    refuse_initiate(run, lambda raw: raw.make_initiate()[:256])


@scenario("A raw CURVE client's INITIATE has its box damaged: libzmq closes.", **REFUSED)
def curve_initiate_damaged(run):
    refuse_initiate(run, lambda raw: changed(raw.make_initiate(), len(INITIATE) + 96 + 8 + 100))


@scenario("A raw CURVE client is a PUB, the server a DEALER: incompatible socket types; libzmq closes.", **REFUSED)
def curve_raw_incompatible(run):
    refuse_initiate(run, lambda raw: raw.make_initiate(properties=metadata("PUB")))


@scenario("A raw CURVE client's INITIATE is longer than 513 octets (compare CVE-2019-13132): libzmq admits it.",
          mechanism="curve")
def curve_long_initiate(run):
    router, stream = run.listen(zmq.ROUTER), run.stream()
    raw, name = CurvePeer(run, stream), b"i" * 255
    raw.shake_hands(Identity=name, X_Long=b"x" * 200)
    raw.put_message(b"hello")
    run.expect(router, [name, b"hello"])
    router.send_multipart([name, b"hello, long one"])
    raw.take_message()


@scenario("A raw CURVE client sends a MESSAGE with its INITIATE, before READY: libzmq takes it.", mechanism="curve")
def curve_message_early(run):
    dealer, stream = serve(run)
    raw = CurvePeer(run, stream)
    raw.say_hello()
    raw.put(frame_20(raw.make_initiate(), COMMAND) + frame_20(raw.make_message(b"too early")))
    stream.up.append(b"too early")
    run.expect(dealer, [b"too early"])
    raw.take_ready()
    talk(run, dealer, raw)


@scenario("A raw CURVE client sends a MESSAGE where INITIATE is due: libzmq closes.", **REFUSED)
def curve_message_for_initiate(run):
    serve(run)
    raw = CurvePeer(run, run.no_stream())
    raw.say_hello()
    # Sealed with the key that the session would have; so NAME.keys opens it, though it is no session's message.
    run.streams[-1].up.append(b"no INITIATE")
    raw.put(frame_20(raw.make_message(b"no INITIATE")))
    must_close(raw)


# MESSAGE

def connected(run):
    dealer, stream = serve(run)
    raw = CurvePeer(run, stream)
    raw.shake_hands()
    talk(run, dealer, raw)
    return dealer, raw


@scenario("A raw CURVE client repeats a nonce (CVE-2014-7203), in a box that opens: libzmq closes.", mechanism="curve")
def curve_nonce_repeated(run):
    _, raw = connected(run)
    raw.nonce -= 1
    raw.put_message(b"the nonce before")
    must_close(raw)


@scenario("A raw CURVE client sends a MESSAGE twice (CVE-2014-7203), octet by octet the same: libzmq closes.",
          mechanism="curve")
def curve_message_replayed(run):
    dealer, raw = connected(run)
    message = frame_20(raw.make_message(b"pay 100 to Mallory"))
    raw.put(message)
    run.expect(dealer, [b"pay 100 to Mallory"])
    raw.put(message)
    run.streams[-1].up += [b"pay 100 to Mallory"] * 2
    must_close(raw)


@scenario("A raw CURVE client's nonce falls (CVE-2014-7203), in a box that opens: libzmq closes.", mechanism="curve")
def curve_nonce_falls(run):
    dealer, raw = connected(run)
    raw.nonce = 1000
    raw.put_message(b"nonce 1000")
    run.expect(dealer, [b"nonce 1000"])
    raw.nonce = 500
    raw.put_message(b"nonce 500")
    must_close(raw)


@scenario("A raw CURVE client's nonces have gaps, which is legal: libzmq does not mind.", mechanism="curve")
def curve_nonce_gaps(run):
    dealer, raw = connected(run)
    for step in (10, 1000, 1 << 40):
        raw.nonce += step
        talk(run, dealer, raw, 1)


@scenario("A raw CURVE client's MESSAGE has one bit of its box changed on the way: libzmq closes.", mechanism="curve")
def curve_message_damaged(run):
    _, raw = connected(run)
    raw.put(frame_20(changed(raw.make_message(b"one bit is wrong"), 40)))
    must_close(raw)


@scenario("A raw CURVE client's MESSAGE is one octet shorter than any can be: libzmq closes.", mechanism="curve")
def curve_message_short(run):
    _, raw = connected(run)
    raw.put(frame_20(raw.make_message(b"")[:32]))
    must_close(raw)


@scenario("A raw CURVE client's MESSAGE has the frame's COMMAND flag: libzmq ignores it, and goes on.",
          mechanism="curve")
def curve_message_command(run):
    dealer, raw = connected(run)
    raw.put_command(raw.make_message(b"marked as a command"))
    run.streams[-1].up.append(b"marked as a command")
    run.settle()
    talk(run, dealer, raw, 1)


@scenario("A raw CURVE client sends a frame after READY that is no MESSAGE: libzmq closes.", mechanism="curve",
          whole=False)
def curve_not_a_message(run):
    _, raw = connected(run)
    run.streams[-1].up.append(b"in the clear, after a handshake that promised otherwise")
    raw.put(frame_20(run.streams[-1].up[-1]))
    must_close(raw)


@scenario("A raw CURVE client uses one transient key pair for two connections: libzmq does not mind.",
          mechanism="curve", can_be_opened=False)
def curve_transient_twice(run):
    dealer, keys = run.listen(zmq.DEALER), key_pair()
    for number in range(2):
        raw = CurvePeer(run, run.stream(), transient=keys)
        raw.shake_hands()
        talk(run, dealer, raw)
        raw.close()
        run.settle()
