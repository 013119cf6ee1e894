# Scenarios: what only GSSAPI has: principals, keys of each type, sessions in the clear, and how it fails.
# SPDX-License-Identifier: GPL-2.0-or-later
"""What libzmq 4.3.4 does with GSSAPI is recorded here as it is, its defects too.

What is mended after 4.3.5, in libzmq's repository, is recorded with a libzmq built from there (commit 6b708e4a, which
calls itself 4.3.6; packages libkrb5-dev, autoconf, automake, libtool):

    ./autogen.sh && ./configure --disable-Werror --with-libsodium --with-libgssapi_krb5 && make src/libzmq.la
    LD_LIBRARY_PATH=$PWD/src/.libs record.py
"""

import functools

import zmq

import kdc
import pcap
from harness import Failed, scenario, text
from scenarios_patterns import exchange, heartbeat, multipart, pub_sub, req_rep

TYPES = {
    "aes128-sha1": "aes128-cts-hmac-sha1-96",
    "aes256-sha1": "aes256-cts-hmac-sha1-96",
    "aes128-sha2": "aes128-cts-hmac-sha256-128",
    "aes256-sha2": "aes256-cts-hmac-sha384-192",
    "camellia128": "camellia128-cts-cmac",
    "camellia256": "camellia256-cts-cmac",
    "des3": "des3-cbc-sha1-kd",
    "rc4": "arcfour-hmac-md5",
}


# Encryption types

def one_of_each(run):
    rep = run.listen(zmq.REP)
    req = run.connect(zmq.REQ, HEARTBEAT_IVL=150, HEARTBEAT_TTL=2300, HEARTBEAT_TIMEOUT=5000)
    stream = run.stream()
    exchange(run, rep, req, stream, [b"question"], [b"answer"])
    exchange(run, rep, req, stream, [b"first", b"", b"third"], [b""])
    run.wait_for_packets(6)


for short, full in TYPES.items():
    scenario(f"GSSAPI: all keys are {full}; parts, an empty frame, heartbeats.", name=f"gssapi-{short}",
             realm={"keys": full}, can_be_opened=short != "des3")(one_of_each)

scenario("GSSAPI: the service's key is aes256-cts-hmac-sha1-96, the session's aes256-cts-hmac-sha384-192.",
         name="gssapi-mixed-types", realm={"keys": TYPES["aes256-sha1"], "session": TYPES["aes256-sha2"]})(one_of_each)
scenario("GSSAPI: the service's key is arcfour-hmac-md5, the session's aes256-cts-hmac-sha1-96.",
         name="gssapi-mixed-rc4", realm={"keys": TYPES["rc4"], "session": TYPES["aes256-sha1"]})(one_of_each)


@scenario("GSSAPI: the service gets a new key between two connections; the keytab has both, of two types each.",
          realm={"keys": f"{TYPES['aes256-sha2']} {TYPES['aes128-sha1']}"})
def gssapi_rekeyed(run):
    rep = run.listen(zmq.REP)
    for name in ("alice", "bob"):
        req = run.connect(zmq.REQ, **run.realm.client_options(name))
        exchange(run, rep, req, run.stream(), [b"I am " + name.encode()], [b"welcome"])
        run.close(req)
        if name == "alice":
            run.realm.renew_service_key(run.realm.keytab)


# Not encrypted

def plaintext(function):
    @functools.wraps(function)
    def in_the_clear(run):
        run.gssapi_plaintext = True
        function(run)
    return in_the_clear


for pattern, what in ((req_rep, "REQ asks REP three times."), (pub_sub, "PUB with two subscribers."),
                      (multipart, "messages of 1 to 10 parts."), (heartbeat, "heartbeats.")):
    scenario(f"GSSAPI without encryption: {what}",
             name=f"gssapi-plaintext-{pattern.__name__.replace('_', '-')}")(plaintext(pattern))


@scenario("GSSAPI without encryption: messages of the application that look like MESSAGE commands.")
@plaintext
def gssapi_plaintext_lookalike(run):
    left, right, stream = run.pair(zmq.PAIR, zmq.PAIR)
    for body in (b"no token at all", b"\x05\x04\x02\xff" + bytes(12) + text(60), b""):
        look = b"\x07MESSAGE" + len(body).to_bytes(4, "big") + body
        run.carry(right, left, [look], stream.up)
        run.carry(left, right, [b"first", look, b"last"], stream.down)


# Patterns

def has_defects():
    return kdc.available() and zmq.zmq_version_info() < (4, 3, 6)


def is_mended():
    return kdc.available() and zmq.zmq_version_info() >= (4, 3, 6)


scenario("GSSAPI: PUB with two subscribers. libzmq after 4.3.5 tells subscriptions and messages apart.",
         name="gssapi-pub-sub-mended", needs=is_mended, every_version=True)(pub_sub)


@scenario("GSSAPI: PUB and SUB. libzmq 4.3.4 sends topics that its own PUB does not understand: nothing arrives.",
          needs=has_defects)
def gssapi_pub_sub(run):
    pub, sub = run.listen(zmq.PUB), run.connect(zmq.SUB)
    sub.setsockopt(zmq.SUBSCRIBE, b"weather.")
    sub.setsockopt(zmq.SUBSCRIBE, b"")
    run.settle()
    pub.send_multipart([b"weather.oslo", b"rain"])
    sub.setsockopt(zmq.UNSUBSCRIBE, b"weather.")
    run.settle()
    if sub.poll(0):
        raise Failed("this libzmq's subscriptions work")


@scenario("GSSAPI: XSUB subscribes with messages 01 and 00 of its own, and XPUB publishes.")
def gssapi_xpub_xsub(run):
    xpub, xsub, stream = run.pair(zmq.XPUB, zmq.XSUB)
    for message in (b"\x01weather.", b"\x01news.", b"\x00news."):
        run.carry(xsub, xpub, [message], stream.up)
    run.carry(xpub, xsub, [b"weather.oslo", b"rain"], stream.down)
    xpub.send_multipart([b"news.sport", b"3:2"])
    run.carry(xpub, xsub, [b"weather.rome", b"", b"sun"], stream.down)


@scenario("GSSAPI: three principals speak to one ROUTER at the same time.")
def gssapi_clients(run):
    router = run.listen(zmq.ROUTER)
    names = ("alice", "bob", "carol")
    clients = [(run.connect(zmq.DEALER, IDENTITY=name.encode(), **run.realm.client_options(name)), run.stream())
               for name in names]
    for turn in range(3):
        for name, (dealer, stream) in zip(names, clients):
            stream.up.append(f"{name} says {turn}".encode())
            dealer.send(stream.up[-1])
        for _ in clients:
            name, message = router.recv_multipart()
            router.send_multipart([name, b"heard: " + message])
        for dealer, stream in clients:
            stream.down.append(dealer.recv())
            if stream.down[-1] != b"heard: " + stream.up[-1]:
                raise Failed("an answer went astray")


@scenario("GSSAPI: empty frames and frames of one octet.")
def gssapi_empty(run):
    left, right, stream = run.pair(zmq.PAIR, zmq.PAIR)
    for parts in ([b""], [b"x"], [b"", b""], [b"", b"y", b""], [b"\x00"], [b"\x01"]):
        run.carry(right, left, parts, stream.up)
        run.carry(left, right, parts, stream.down)


def token_ends(run):
    left, right, stream = run.pair(zmq.PAIR, zmq.PAIR)
    for flags in (6, 7):
        begin = bytes((5, 4, flags, 255))
        for body in (begin, b"payload" + begin, begin + bytes(8), b"payload" + begin + bytes(8), begin * 5):
            run.carry(right, left, [body], stream.up)
            run.carry(left, right, [body, body], stream.down)


for short in ("aes256-sha1", "aes128-sha2", "aes256-sha2"):
    scenario(f"GSSAPI: messages that end as a token begins; {TYPES[short]}.", name=f"gssapi-token-ends-{short}",
             realm={"keys": TYPES[short]})(token_ends)


@scenario("GSSAPI: frames of 100 kB and of 1 MB, and short ones between.")
def gssapi_large(run):
    left, right, stream = run.pair(zmq.PAIR, zmq.PAIR)
    run.carry(right, left, [text(100_000)], stream.up)
    run.carry(left, right, [b"got the first"], stream.down)
    run.carry(right, left, [b"before", text(1_000_000), b"after"], stream.up)


@scenario("GSSAPI: the security server is the TCP connector, the client the TCP listener.")
def gssapi_server_connects(run):
    rep = run.socket(zmq.REP, run.server_context, **run.client_options())
    run.bind(rep)
    req = run.connect(zmq.REQ, secure=False, **run.server_options())
    exchange(run, rep, req, run.stream(), [b"from the security server"], [b"from the security client"])


# ZAP (RFC 27)

def with_zap(run, status):
    seen = []

    def decide(request):
        seen.append(request[5:])
        return status
    run.zap(decide)
    rep, req = run.listen(zmq.REP, ZAP_DOMAIN=b"tests"), run.connect(zmq.REQ)
    exchange(run, rep, req, run.stream(), [b"may I?"], [b"you may"])
    if seen != [[b"GSSAPI", b"alice@ZMTP.TEST"]]:
        raise Failed(f"the ZAP handler was asked about {seen}")


@scenario("GSSAPI: a ZAP handler is told the principal, and admits it.")
def gssapi_zap_allow(run):
    with_zap(run, b"200")


@scenario("GSSAPI: a ZAP handler denies the client with 400, and libzmq 4.3.4 admits it all the same.",
          needs=has_defects)
def gssapi_zap_deny(run):
    with_zap(run, b"400")


@scenario("GSSAPI: a ZAP handler denies the client with 400, and libzmq after 4.3.5 closes the connection.",
          handshake="fails", needs=is_mended, every_version=True)
def gssapi_zap_deny_mended(run):
    run.zap(lambda request: b"400")
    fail(run, {**run.server_options(), "ZAP_DOMAIN": b"tests"}, run.client_options())


# Handshakes that fail: one attempt, ended by the server's handshake timer if by nothing else

def fail(run, listener, connector, kinds=(zmq.REP, zmq.REQ)):
    run.bind(run.socket(kinds[0], run.server_context, LINGER=0, HANDSHAKE_IVL=400, **listener))
    # No monitor: when libzmq tells one about an error, it may forget the error and just wait.
    sock = run.socket(kinds[1], LINGER=0, RECONNECT_IVL=-1, **connector)
    sock.connect(run.endpoint())
    sock.send(b"this never leaves")
    run.settle(1)


@scenario("GSSAPI: the server has an older key than the KDC (the keytab here is the KDC's).", handshake="fails")
def gssapi_wrong_service_key(run):
    run.realm.renew_service_key()
    fail(run, run.server_options(), run.client_options())


@scenario("GSSAPI: the client asks for a service that the KDC does not know.", handshake="fails")
def gssapi_unknown_principal(run):
    fail(run, run.server_options(), run.realm.client_options(service="zmtp/nowhere.zmtp.test"))


@scenario("GSSAPI: the client has no credentials.", handshake="fails")
def gssapi_no_client_credentials(run):
    fail(run, run.server_options(), run.realm.client_options("mallory"))


@scenario("GSSAPI: the server has no key of its principal.", handshake="fails")
def gssapi_no_server_keytab(run):
    fail(run, run.realm.server_options("zmtp/elsewhere.zmtp.test"), run.client_options())


@scenario("GSSAPI: only the client is told not to encrypt.", handshake="fails")
def gssapi_plaintext_client_only(run):
    fail(run, run.server_options(), {**run.client_options(), "GSSAPI_PLAINTEXT": 1})


@scenario("GSSAPI: only the server is told not to encrypt.", handshake="fails")
def gssapi_plaintext_server_only(run):
    fail(run, {**run.server_options(), "GSSAPI_PLAINTEXT": 1}, run.client_options())


@scenario("GSSAPI: REQ connects to PUB: incompatible socket types.", handshake="fails")
def gssapi_incompatible(run):
    fail(run, run.server_options(), run.client_options(), (zmq.PUB, zmq.REQ))


@scenario("Client NULL, server GSSAPI: nothing but greetings.", handshake="fails")
def gssapi_mechanism_mismatch_null(run):
    fail(run, run.server_options(), {})


@scenario("Both peers are GSSAPI servers: silence after the greetings.", handshake="fails")
def gssapi_both_servers(run):
    fail(run, run.server_options(), run.server_options())


@scenario("Both peers are GSSAPI clients: INITIATE meets INITIATE.", handshake="fails")
def gssapi_both_clients(run):
    fail(run, run.client_options(), run.client_options())


# Captures that lack a part of the handshake

def slow_talk(run):
    """A conversation whose READYs travel alone."""
    left, right, stream = run.pair(zmq.PAIR, zmq.PAIR)
    run.settle()
    for number in range(3):
        run.carry(right, left, [b"up %d" % number, b"second part"], stream.up)
        run.carry(left, right, [b"down %d" % number], stream.down)


def is_ready(packet):
    """A short frame with the COMMAND flag that holds MESSAGE."""
    body = pcap.payload(packet)
    return body[:1] == b"\x04" and body[2:10] == b"\x07MESSAGE"


def from_ready(path):
    header, packets = pcap.read(path)
    first = next(place for place, packet in enumerate(packets) if is_ready(packet))
    pcap.write(path, header, packets[first:])


def without_ready(path):
    header, packets = pcap.read(path)
    kept = [packet for packet in packets if not is_ready(packet)]
    if len(packets) - len(kept) != 2:
        raise Failed("the READYs do not travel alone")
    pcap.write(path, header, kept)


@scenario("GSSAPI: the capture starts with the server's READY, after the tokens that hold the keys.", whole=False)
def gssapi_from_ready(run):
    slow_talk(run)
    run.after_capture(from_ready)


@scenario("GSSAPI: both READYs are missing from the capture, though not from the connection.", whole=False)
def gssapi_lost_ready(run):
    slow_talk(run)
    run.after_capture(without_ready)
