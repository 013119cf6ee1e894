# Scenarios: peers that stand still, never answer or are killed, and who ends the connection then.
# SPDX-License-Identifier: GPL-2.0-or-later
"""A process that is stopped (SIGSTOP) answers nothing, while its kernel goes on to acknowledge what comes."""

import os
import socket

import zmq

from curve_raw import GREETING as CURVE_GREETING
from harness import family, scenario
from scenarios_patterns import exchange
from scenarios_raw import COMMAND, GREETING_30, SIGNATURE, RawPeer, frame_20, must_be, must_close, ready
from scenarios_security import ask_in_vain

GREETING_31 = SIGNATURE + b"\x03\x01" + GREETING_30[12:]
HANDSHAKE = {"HANDSHAKE_IVL": 300}


def serve_apart(run, kind=zmq.REP):
    """A server in a process of its own, which answers until it is killed. It listens already."""
    listening, listens = os.pipe()

    def serve():
        with zmq.Context() as context, run.socket(kind, context, **run.server_options()) as sock:
            sock.setsockopt(zmq.RCVTIMEO, -1)
            run.bind(sock)
            os.write(listens, b"!")
            while True:
                message = sock.recv_multipart()
                sock.send_multipart([*message[:-1], b"answer to " + message[-1]])
    server = run.apart(serve)
    os.read(listening, 1)
    return server


def ask(run, sock, stream, question, delimiter):
    sock.send(question)
    run.expect(sock, [b"answer to " + question])
    empty = [b""] if delimiter else []
    stream.up.extend([*empty, question])
    stream.down.extend([*empty, b"answer to " + question])


def connect_once(run, kind=zmq.REQ, **options):
    """A client that connects again only until it has been connected."""
    sock, monitor = run.connect_watched(kind, LINGER=0, **options)
    monitor.wait(zmq.EVENT_HANDSHAKE_SUCCEEDED)
    sock.setsockopt(zmq.RECONNECT_IVL, -1)
    return sock, monitor


# Heartbeats

BEATS = {"HEARTBEAT_IVL": 150, "HEARTBEAT_TTL": 2300, "HEARTBEAT_TIMEOUT": 400}


@family("Heartbeat lost: the server stands still; the client's PING gets no PONG within 0.4 s, and it closes.",
        mechanisms="null curve gssapi")
def heartbeat_lost(run):
    server = serve_apart(run)
    req, monitor = connect_once(run, **BEATS)
    ask(run, req, run.stream(), b"are you there?", delimiter=True)
    # At least one PING that is answered.
    run.wait_for_packets(3)
    server.stop()
    monitor.wait(zmq.EVENT_DISCONNECTED)
    run.close(req)
    run.settle()
    server.kill()


@family("Heartbeat lost: the client stands still; its last PING's TTL of 0.5 s ends, and the server closes.",
        mechanisms="null curve")
def heartbeat_ttl(run):
    options, (waiting, go_on) = run.client_options(), os.pipe()

    def beat():
        with zmq.Context() as context, run.socket(
                zmq.DEALER, context, IDENTITY=b"beating", **options, HEARTBEAT_IVL=150, HEARTBEAT_TTL=500,
                HEARTBEAT_TIMEOUT=5000) as dealer:
            os.read(waiting, 1)
            dealer.connect(run.endpoint())
            dealer.send(b"hello")
            # Until it is killed.
            os.read(waiting, 1)

    # Before this process has threads.
    client = run.apart(beat)
    router = run.listen(zmq.ROUTER)
    server_watch = run.watch(router)
    os.write(go_on, b"!")
    run.expect(router, [b"beating", b"hello"])
    run.stream().up.append(b"hello")
    run.wait_for_packets(6)
    client.stop()
    server_watch.wait(zmq.EVENT_DISCONNECTED)
    run.settle()
    client.kill()


@scenario("Heartbeat lost: a raw peer of ZMTP 3.1 never answers PING; libzmq closes after 0.4 s.")
def raw_no_pong(run):
    pull, stream = run.listen(zmq.PULL, LINGER=0, **BEATS), run.stream()
    raw = RawPeer(run, stream)
    greet_31(raw, "PUSH")
    raw.put_20(b"I do not answer")
    run.expect(pull, [b"I do not answer"])
    must_be(raw.take_20(log=False)[:5], b"\x04PING")
    must_close(raw)


def greet_31(raw, kind):
    raw.put(GREETING_31)
    raw.take(64)
    raw.put(ready(kind))
    must_be(raw.take_20(log=False)[:6], b"\x05READY")


@scenario("Heartbeat lost: a raw peer of ZMTP 3.1 answers PING with another context: libzmq does not mind.")
def raw_pong_other(run):
    pull, stream = run.listen(zmq.PULL, LINGER=0, **BEATS), run.stream()
    raw = RawPeer(run, stream)
    greet_31(raw, "PUSH")
    for number in range(4):
        must_be(raw.take_20(log=False)[:5], b"\x04PING")
        raw.put(frame_20(b"\x04PONG" + b"context %d" % number, COMMAND))
    raw.put_20(b"still here")
    run.expect(pull, [b"still here"])


@family("The client's application closes right after a PING, before its PONG: nothing is wrong.",
        mechanisms="null curve")
def ping_then_close(run):
    server = serve_apart(run)
    req, _ = connect_once(run, **{**BEATS, "HEARTBEAT_TIMEOUT": 5000})
    ask(run, req, run.stream(), b"are you there?", delimiter=True)
    run.settle(0.05)
    server.stop()
    # The PING and the kernel's acknowledgement.
    run.wait_for_packets(2)
    run.close(req)
    run.settle()
    server.kill()


# Handshakes that stop

def leave_unanswered(run, greeting, size, **options):
    """A listener that says only its greeting, takes size octets each time, and waits for libzmq to close."""
    with socket.create_server((run.host, run.port)) as listener:
        sock, monitor = run.connect_watched(zmq.REQ, secure=False, LINGER=0, **HANDSHAKE, **options)
        sock.send(b"this never leaves")
        for _ in range(2):
            raw = RawPeer(run, run.no_stream(), accepted=listener.accept()[0])
            raw.put(greeting)
            raw.take(size)
            must_close(raw)
            raw.close()
            monitor.wait(zmq.EVENT_DISCONNECTED)
        run.close(sock)


@scenario("A raw listener says nothing: libzmq's client closes when its handshake timer ends; two attempts.",
          handshake="fails")
def raw_no_greeting(run):
    leave_unanswered(run, b"", 10)


@scenario("CURVE: a raw listener says nothing: the client closes when its handshake timer ends; two attempts.",
          handshake="fails")
def curve_no_greeting(run):
    leave_unanswered(run, b"", 10, **run.client_options())


@scenario("CURVE: HELLO is never answered: the client closes when its handshake timer ends; two attempts.",
          handshake="fails")
def curve_no_welcome(run):
    leave_unanswered(run, CURVE_GREETING, 64 + 202, **run.client_options())


@scenario("PLAIN: HELLO is never answered: the client closes when its handshake timer ends; two attempts.",
          handshake="fails")
def plain_no_welcome(run):
    greeting = SIGNATURE + b"\x03\x01" + b"PLAIN".ljust(20, b"\0") + bytes(32)
    leave_unanswered(run, greeting, 64 + 8, **run.client_options())


@scenario("NULL: READY is never answered: the client closes when its handshake timer ends; two attempts.",
          handshake="fails")
def null_no_ready(run):
    leave_unanswered(run, GREETING_31, 64 + 8)


@family("the ZAP handler never answers: silence until the server's handshake timer ends; two attempts.",
        mechanisms="null curve", handshake="fails")
def zap_silent(run):
    run.zap(lambda request: None)
    run.listen(zmq.REP, ZAP_DOMAIN=b"tests", LINGER=0, **HANDSHAKE)
    ask_in_vain(run, 2)


@scenario("PLAIN: the ZAP handler never answers: silence until the client's handshake timer ends; two attempts.",
          handshake="fails")
def plain_zap_silent(run):
    run.zap(lambda request: None)
    run.listen(zmq.REP, ZAP_DOMAIN=b"tests", LINGER=0)
    ask_in_vain(run, 2, **HANDSHAKE)


# Servers that are killed

@family("the server's process is killed while the client waits: FIN, and the client does not come again.",
        mechanisms="null curve")
def server_killed(run):
    server = serve_apart(run)
    req, monitor = connect_once(run)
    stream = run.stream()
    for number in range(2):
        ask(run, req, stream, b"question %d" % number, delimiter=True)
    server.kill()
    monitor.wait(zmq.EVENT_DISCONNECTED)
    run.close(req)


@family("the server's process is killed with a question that it has not read: RST.", mechanisms="null curve")
def server_killed_unread(run):
    server = serve_apart(run, zmq.DEALER)
    dealer, monitor = connect_once(run, zmq.DEALER)
    stream = run.stream()
    ask(run, dealer, stream, b"question 0", delimiter=False)
    server.stop()
    dealer.send(b"question that nobody reads")
    stream.up.append(b"question that nobody reads")
    run.settle()
    server.kill()
    monitor.wait(zmq.EVENT_DISCONNECTED)
    run.close(dealer)


# A server that is not there yet

@family("the client comes before the server listens: RST answers SYN, four times; then all is well.",
        mechanisms="null curve")
def late_server(run):
    req, monitor = run.connect_watched(zmq.REQ)
    for _ in range(4):
        monitor.wait(zmq.EVENT_CLOSED)
    exchange(run, run.listen(zmq.REP), req, run.stream(), [b"there at last?"], [b"yes"])
