# Scenarios: peers that do not fit together: other mechanisms, the same role twice, keys, ports that change.
# SPDX-License-Identifier: GPL-2.0-or-later

import zmq

from harness import Failed, family, scenario
from scenarios_patterns import exchange
from scenarios_raw import RawPeer, greet_20
from scenarios_security import ask_in_vain

HANDSHAKE = {"HANDSHAKE_IVL": 300}


def meet(run, listener, connector):
    run.bind(run.socket(zmq.REP, run.server_context, LINGER=0, **HANDSHAKE, **listener))
    ask_in_vain(run, 2, secure=False, **HANDSHAKE, **connector)


# Mechanisms that differ: mechanism-mismatch-CONNECTOR-LISTENER

def mismatch(connector, listener):
    def meet_another(run):
        meet(run, run.server_options(listener), run.client_options(connector))

    mechanism = next((kind for kind in ("gssapi", "curve", "plain") if kind in (connector, listener)), "null")
    scenario(f"Client {connector.upper()}, server {listener.upper()}: nothing but greetings.",
             name=f"mechanism-mismatch-{connector}-{listener}", mechanism=mechanism, handshake="fails")(meet_another)


for pair in ("null plain", "plain null", "curve plain", "gssapi null", "gssapi plain", "plain gssapi", "gssapi curve",
             "curve gssapi"):
    mismatch(*pair.split())


@scenario("Both peers are PLAIN clients: HELLO meets a peer that waits for WELCOME.", mechanism="plain",
          handshake="fails")
def both_plain_clients(run):
    meet(run, run.client_options(), run.client_options())


@scenario("Both peers are PLAIN servers: silence after the greetings, until a handshake timer ends.",
          mechanism="plain", handshake="fails")
def both_plain_servers(run):
    meet(run, run.server_options(), run.server_options())


# Keys

@scenario("CURVE: a client with a wrong server key tries six times, a healthy one comes in between.")
def curve_wrong_server_key_retries(run):
    # A pair that nobody keeps: with its secret key the HELLO would open after all.
    wrong, _ = zmq.curve_keypair()
    rep = run.listen(zmq.REP, LINGER=0)
    sock, monitor = run.connect_watched(zmq.REQ, LINGER=0, CURVE_SERVERKEY=wrong)
    sock.send(b"this never leaves")
    for attempt in range(6):
        monitor.wait(zmq.EVENT_DISCONNECTED)
        if attempt == 2:
            req = run.connect(zmq.REQ)
            exchange(run, rep, req, run.stream(), [b"may I?"], [b"you may"])
            run.close(req)
    run.close(sock)


# A port that changes what it serves

def serve_in_turn(run, *mechanisms):
    for number, mechanism in enumerate(mechanisms):
        if mechanism == "plain":
            run.zap(lambda request: b"200")
        rep = run.socket(zmq.REP, run.server_context, **run.server_options(mechanism))
        run.bind(rep)
        req = run.connect(zmq.REQ, secure=False, **run.client_options(mechanism))
        exchange(run, rep, req, run.stream(), [b"question %d" % number], [b"answer %d" % number])
        run.close(req, rep)


@scenario("A port that serves CURVE first, and PLAIN after a restart.", mechanism="curve")
def curve_then_plain(run):
    serve_in_turn(run, "curve", "plain")


@scenario("A port that serves PLAIN first, and NULL after a restart.", mechanism="plain")
def plain_then_null(run):
    serve_in_turn(run, "plain", "null")


@scenario("A port that serves NULL first, and CURVE after a restart.", mechanism="curve")
def null_then_curve(run):
    serve_in_turn(run, "null", "curve")


@scenario("A port that serves CURVE first, and after a restart NULL, to a raw peer of ZMTP 2.0.", mechanism="curve")
def curve_then_zmtp20(run):
    serve_in_turn(run, "curve")
    pull, stream = run.listen(zmq.PULL, secure=False), run.stream()
    raw = RawPeer(run, stream)
    greet_20(raw, "PUSH", "PULL")
    raw.put_20(b"no longer secured")
    run.expect(pull, [b"no longer secured"])


# Identities

def carry_named(run, dealer, router, name, parts, stream):
    """A question and its answer."""
    dealer.send_multipart(parts)
    run.expect(router, [name, *parts])
    router.send_multipart([name, b"welcome"])
    run.expect(dealer, [b"welcome"])
    stream.up.extend(parts)
    stream.down.append(b"welcome")


@family("two DEALERs with one Identity at the same time: ROUTER ignores what the second one sends.",
        mechanisms="null curve")
def identity_repeated(run):
    router = run.listen(zmq.ROUTER)
    first, stream = run.connect(zmq.DEALER, IDENTITY=b"twin"), run.stream()
    carry_named(run, first, router, b"twin", [b"I am the first"], stream)
    second, monitor = run.connect_watched(zmq.DEALER, IDENTITY=b"twin", LINGER=0)
    second.send(b"and I the second")
    run.stream().up.append(b"and I the second")
    monitor.wait(zmq.EVENT_HANDSHAKE_SUCCEEDED)
    run.settle()
    if router.poll(0):
        raise Failed("ROUTER takes messages of the second one")
    carry_named(run, first, router, b"twin", [b"still alone"], stream)


@family("two DEALERs with one Identity and a ROUTER with ZMQ_ROUTER_HANDOVER, which hears the second one alone then.",
        mechanisms="null curve")
def identity_handover(run):
    router = run.listen(zmq.ROUTER, ROUTER_HANDOVER=1)
    dealers, streams = [], [run.stream(), run.stream()]
    for number, stream in enumerate(streams):
        dealers.append(run.connect(zmq.DEALER, IDENTITY=b"twin"))
        carry_named(run, dealers[-1], router, b"twin", [b"I am number %d" % number], stream)
    # Its connection stays as it is.
    dealers[0].send(b"does nobody hear me?")
    streams[0].up.append(b"does nobody hear me?")
    run.settle()
    if router.poll(0):
        raise Failed("ROUTER still hears the first one")
    carry_named(run, dealers[1], router, b"twin", [b"it is me"], streams[1])


@family("a DEALER closes, and another comes with its Identity: nothing is wrong.", mechanisms="null curve")
def identity_again(run):
    router = run.listen(zmq.ROUTER)
    watch = run.watch(router)
    for number in range(2):
        dealer = run.connect(zmq.DEALER, IDENTITY=b"regular guest")
        carry_named(run, dealer, router, b"regular guest", [b"visit %d" % number], run.stream())
        run.close(dealer)
        watch.wait(zmq.EVENT_DISCONNECTED)
        router.poll(0)


@scenario("ROUTER to ROUTER, both with an Identity: each one can name the other.")
def null_router_router(run):
    left = run.listen(zmq.ROUTER, IDENTITY=b"left", ROUTER_MANDATORY=1)
    right, stream = run.connect(zmq.ROUTER, IDENTITY=b"right", ROUTER_MANDATORY=1), run.stream()
    run.settle()
    send_named(right, b"left", left, b"right", b"from the right", stream.up)
    send_named(left, b"right", right, b"left", b"from the left", stream.down)


def send_named(source, target_name, target, source_name, message, log):
    source.send_multipart([target_name, message])
    if target.recv_multipart() != [source_name, message]:
        raise Failed("a message went astray")
    log.append(message)


@scenario("ROUTER to ROUTER, the connector without an Identity: the listener cannot send to the name it expects.")
def null_router_no_identity(run):
    left = run.listen(zmq.ROUTER, IDENTITY=b"left", ROUTER_MANDATORY=1)
    right, monitor = run.connect_watched(zmq.ROUTER)
    stream = run.stream()
    monitor.wait(zmq.EVENT_HANDSHAKE_SUCCEEDED)
    run.settle()
    try:
        left.send_multipart([b"right", b"this never leaves"])
    except zmq.ZMQError as error:
        if error.errno != zmq.EHOSTUNREACH:
            raise
    else:
        raise Failed("libzmq knows the peer by a name that it does not have")
    right.send_multipart([b"left", b"who am I?"])
    stream.up.append(b"who am I?")
    if left.recv_multipart()[1:] != [b"who am I?"]:
        raise Failed("a message went astray")
