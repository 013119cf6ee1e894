# Scenarios: who may connect, handshakes that fail, and keys that only one side logs.
# SPDX-License-Identifier: GPL-2.0-or-later

import zmq

from harness import family, scenario
from scenarios_patterns import exchange

FAILURES = (zmq.EVENT_HANDSHAKE_FAILED_AUTH, zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL,
            zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL)


def ask_in_vain(run, attempts, **options):
    """Connect, queue a message that never leaves, and wait for at most so many failed attempts.

    A client that itself noticed the error does not come again, so where both sides notice it,
    who is first decides how many attempts there are.
    """
    sock, monitor = run.connect_watched(zmq.REQ, LINGER=0, **options)
    sock.send(b"this never leaves")
    monitor.wait(zmq.EVENT_DISCONNECTED)
    for _ in range(attempts - 1):
        monitor.wait(zmq.EVENT_DISCONNECTED, timeout=0.8)
    run.close(sock)


# ZAP (RFC 27)

@family("a ZAP handler admits the client.", mechanisms="null plain curve")
def zap_allow(run):
    run.zap(lambda request: b"200")
    rep = run.listen(zmq.REP, ZAP_DOMAIN=b"tests")
    req = run.connect(zmq.REQ)
    exchange(run, rep, req, run.stream(), [b"may I?"], [b"you may"])


def refused(run, status):
    run.zap(lambda request: status)
    see_refusal(run, run.listen(zmq.REP, ZAP_DOMAIN=b"tests", LINGER=0))


def see_refusal(run, rep, **options):
    sock, monitor = run.connect_watched(zmq.REQ, LINGER=0, **options)
    sock.send(b"this never leaves")
    monitor.wait(*FAILURES)
    # Long enough to see that the client does not come back.
    run.settle(0.6)
    # The server first: a refused client of libzmq cannot end before the connection does.
    run.close(rep, sock)


@family("a ZAP handler denies the client: ERROR 400.", handshake="fails",
        mechanisms="null curve", every_version="curve")
def zap_deny(run):
    refused(run, b"400")


@family("the ZAP handler fails: ERROR 500.", handshake="fails", mechanisms="plain curve")
def zap_500(run):
    refused(run, b"500")


@family("a ZAP handler answers 300: silence until the server's handshake timer ends; two attempts.",
        handshake="fails", mechanisms="plain curve")
def zap_300(run):
    run.zap(lambda request: b"300")
    # The default is 30 seconds.
    run.listen(zmq.REP, ZAP_DOMAIN=b"tests", LINGER=0, HANDSHAKE_IVL=300)
    ask_in_vain(run, 2)


@scenario("PLAIN: wrong password, the ZAP handler denies: ERROR 400, whose name libzmq breaks.",
          handshake="fails", every_version=True)
def plain_wrong_password(run):
    name, password = run.credentials()
    run.zap(lambda request: b"200" if request[6:] == [name, password] else b"400")
    see_refusal(run, run.listen(zmq.REP, LINGER=0), PLAIN_PASSWORD=b"a wrong guess")


# Handshakes that end in silence

@scenario("CURVE: the client has a wrong server key. The server closes silently; two attempts.",
          handshake="fails", every_version=True)
def curve_wrong_server_key(run):
    # A pair that nobody keeps: with its secret key the HELLO would open after all.
    wrong, _ = zmq.curve_keypair()
    run.listen(zmq.REP, LINGER=0)
    ask_in_vain(run, 2, CURVE_SERVERKEY=wrong)


@family("REQ connects to PUB: incompatible socket types.",
        mechanisms="null plain curve", handshake="fails")
def incompatible(run):
    run.listen(zmq.PUB, LINGER=0)
    ask_in_vain(run, 2)


def mismatch(run, listener, connector):
    run.bind(run.socket(zmq.REP, run.server_context, LINGER=0, **listener))
    ask_in_vain(run, 2, secure=False, **connector)


@scenario("Client NULL, server CURVE: nothing but greetings.", mechanism="curve",
          handshake="fails", every_version=True)
def mechanism_mismatch_curve_null(run):
    mismatch(run, run.server_options(), {})


@scenario("Client CURVE, server NULL: nothing but greetings.", mechanism="curve",
          handshake="fails")
def mechanism_mismatch_null_curve(run):
    mismatch(run, {}, run.client_options())


@scenario("Client PLAIN, server CURVE: nothing but greetings.", mechanism="curve",
          handshake="fails")
def mechanism_mismatch_plain_curve(run):
    mismatch(run, run.server_options(), run.client_options("plain"))


@scenario("Both peers are CURVE clients: HELLO meets a peer that waits for WELCOME.",
          mechanism="curve", handshake="fails")
def both_curve_clients(run):
    mismatch(run, run.client_options(), run.client_options())


@scenario("Both peers are CURVE servers: silence after the greetings.", mechanism="curve",
          handshake="fails")
def both_curve_servers(run):
    run.listen(zmq.REP, LINGER=0)
    sock, monitor = run.connect_watched(zmq.REQ, secure=False, LINGER=0,
                                        **run.server_options(keys=run.new_keys()))
    sock.send(b"this never leaves")
    monitor.wait(zmq.EVENT_CONNECTED)
    run.settle(0.5)


# Roles and restarts

@scenario("CURVE: the security server is the TCP connector, the client the TCP listener.",
          every_version=True)
def curve_server_connects(run):
    rep = run.socket(zmq.REP, run.server_context, **run.client_options())
    run.bind(rep)
    req = run.connect(zmq.REQ, secure=False, **run.server_options())
    exchange(run, rep, req, run.stream(), [b"from the security server"],
             [b"from the security client"])


@family("the server restarts on its port and the client reconnects.", mechanisms="null curve gssapi",
        every_version="curve")
def reconnect(run):
    req, monitor = run.connect_watched(zmq.REQ)
    for number in range(3):
        rep = run.listen(zmq.REP)
        exchange(run, rep, req, run.stream(), [b"question to server %d" % number],
                 [b"answer of server %d" % number])
        run.close(rep)
        monitor.wait(zmq.EVENT_DISCONNECTED)


@scenario("A port that serves CURVE first, and NULL after a restart (compare CVE-2014-7202).",
          mechanism="curve")
def curve_then_null(run):
    for secure in (True, False):
        rep, req = run.listen(zmq.REP, secure), run.connect(zmq.REQ, secure)
        exchange(run, rep, req, run.stream(), [b"secured: %d" % secure], [b"yes: %d" % secure])
        run.close(req, rep)


def keys_on_one_side(run, server_logs):
    """Server and client in two processes, of which only one logs the session key."""
    question, answer = [b"who logs the key?"], [b"only one of us"]

    def serve():
        with zmq.Context() as context, run.socket(zmq.REP, context,
                                                  **run.server_options()) as rep:
            run.bind(rep)
            run.expect(rep, question)
            rep.send_multipart(answer)

    client_keys = run.client_options()

    def ask():
        with zmq.Context() as context, run.socket(zmq.REQ, context, **client_keys) as req:
            req.connect(run.endpoint())
            req.send_multipart(question)
            run.expect(req, answer)

    here, there = (serve, ask) if server_logs else (ask, serve)
    wait = run.apart(there)
    here()
    wait()
    run.forget_sockets()
    stream = run.stream()
    stream.up += [b"", *question]
    stream.down += [b"", *answer]


@scenario("CURVE: two processes, only the client's writes the key log.", every_version=True)
def curve_keys_of_client(run):
    keys_on_one_side(run, server_logs=False)


@scenario("CURVE: two processes, only the server's writes the key log.", every_version=True)
def curve_keys_of_server(run):
    keys_on_one_side(run, server_logs=True)
