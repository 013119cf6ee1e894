# Scenarios: peers that are too old, that stop in their greeting, that are no ZMTP at all, or that announce too much.
# SPDX-License-Identifier: GPL-2.0-or-later

import contextlib
import http.client
import http.server
import socket
import ssl
import threading

import zmq

from curve_raw import GREETING as CURVE_GREETING
from curve_raw import as_property
from harness import family, scenario, text
from scenarios_raw import COMMAND, LONG, SIGNATURE, TYPE_20, RawPeer, frame_10, frame_20, must_be, must_close
from scenarios_stopped import GREETING_31, HANDSHAKE, greet_31

HUGE = (1 << 30) - 1
SSH_BANNER = b"SSH-2.0-OpenSSH_9.2p1\r\n"


# A part of a greeting

def part_of_greeting(size):
    def send_part(run):
        run.listen(zmq.PULL, LINGER=0, **HANDSHAKE)
        raw = RawPeer(run, run.no_stream())
        raw.put(CURVE_GREETING[:size])
        must_close(raw)

    scenario(f"CURVE: a raw client sends {size} of the 64 octets of its greeting and stops: libzmq's timer ends it.",
             name=f"curve-greeting-{size}", handshake="fails")(send_part)


for octets in (5, 10, 11, 20):
    part_of_greeting(octets)


# Peers that are too old for what the server requires

def too_old(run, greeting, **options):
    run.listen(zmq.REP, LINGER=0, **options)
    raw = RawPeer(run, run.no_stream())
    raw.put(greeting)
    must_close(raw)


ZMTP10 = frame_10(b"")
ZMTP20 = SIGNATURE + b"\x01" + bytes([TYPE_20["REQ"]]) + frame_20(b"")


@scenario("ZMTP 1.0: a raw peer and libzmq's CURVE server, which closes.", mechanism="curve", handshake="fails",
          decode_as=True)
def raw_zmtp10_to_curve(run):
    too_old(run, ZMTP10)


@scenario("ZMTP 2.0: a raw peer and libzmq's CURVE server, which closes.", mechanism="curve", handshake="fails")
def raw_zmtp20_to_curve(run):
    too_old(run, ZMTP20)


@scenario("ZMTP 2.0: a raw peer and libzmq's PLAIN server, which closes.", mechanism="plain", handshake="fails")
def raw_zmtp20_to_plain(run):
    too_old(run, ZMTP20)


@scenario("ZMTP 1.0: a raw peer and libzmq's NULL server with a ZAP domain, which closes.", handshake="fails",
          decode_as=True)
def raw_zmtp10_zap_domain(run):
    run.zap(lambda request: b"200")
    too_old(run, ZMTP10, ZAP_DOMAIN=b"tests")


@scenario("ZMTP 2.0: a raw peer and libzmq's NULL server with a ZAP domain, which closes.", handshake="fails")
def raw_zmtp20_zap_domain(run):
    run.zap(lambda request: b"200")
    too_old(run, ZMTP20, ZAP_DOMAIN=b"tests")


# Not ZMTP

def visit(run, stranger):
    """The stranger comes to a server to which an ordinary client comes before and after."""
    router = run.listen(zmq.ROUTER, LINGER=0, **HANDSHAKE)
    for name in (b"before", b"after"):
        dealer, stream = run.connect(zmq.DEALER, IDENTITY=name), run.stream()
        question, answer = b"I come " + name, b"welcome"
        dealer.send(question)
        # NULL: what a stranger says may look like messages of ZMTP 1.0, and reaches the application.
        while router.recv_multipart() != [name, question]:
            pass
        router.send_multipart([name, answer])
        run.expect(dealer, [answer])
        stream.up.append(question)
        stream.down.append(answer)
        run.close(dealer)
        if name == b"before":
            stranger(run)


def ask_for_page(run):
    connection = http.client.HTTPConnection(run.host, run.port, timeout=0.5)
    with contextlib.suppress(http.client.HTTPException, OSError):
        connection.request("GET", "/")
        connection.getresponse()
    connection.close()


def start_tls(run):
    context = ssl.create_default_context()
    with contextlib.suppress(OSError), socket.create_connection((run.host, run.port), timeout=0.5) as plain:
        context.wrap_socket(plain, server_hostname="server.zmtp.test").close()


@family("an HTTP client comes to libzmq's port, between two ordinary clients.", mechanisms="null plain curve",
        stranger="HTTP")
def http_client(run):
    visit(run, ask_for_page)


@family("a TLS client comes to libzmq's port, between two ordinary clients.", mechanisms="null plain curve")
def tls_client(run):
    visit(run, start_tls)


class SilentHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@family("libzmq's client comes to an HTTP server, and its handshake timer ends; two attempts.", mechanisms="null curve",
        handshake="fails")
def http_server(run):
    server = http.server.ThreadingHTTPServer((run.host, run.port), SilentHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    run.at_close(server.server_close)
    run.at_close(server.shutdown)
    sock, monitor = run.connect_watched(zmq.REQ, LINGER=0, **HANDSHAKE)
    sock.send(b"this never leaves")
    for _ in range(2):
        monitor.wait(zmq.EVENT_DISCONNECTED)
    run.close(sock)


def ssh_server(run, expected):
    with socket.create_server((run.host, run.port)) as listener:
        sock = run.socket(zmq.REQ, LINGER=0, RECONNECT_IVL=-1, **HANDSHAKE, **run.client_options())
        sock.connect(run.endpoint())
        sock.send(b"not for an SSH server")
        raw = RawPeer(run, run.no_stream(), accepted=listener.accept()[0])
        raw.put(SSH_BANNER)
        raw.take(10)
        must_be(raw.take(len(expected)), expected)
        must_close(raw)
        raw.close()


@scenario("CURVE: libzmq's client comes to an SSH server, takes its banner for ZMTP 1.0, and closes.",
          handshake="fails")
def curve_ssh_server(run):
    ssh_server(run, b"")


@scenario("NULL: libzmq's client takes an SSH server's banner for ZMTP 1.0: it sends its message, and then closes when "
          "its handshake timer ends.", handshake="fails", whole=False)
def null_ssh_server(run):
    run.stream().up.extend([b"", b"not for an SSH server"])
    ssh_server(run, frame_10(b"", more=True) + frame_10(b"not for an SSH server"))


# Too large, before anybody is known

@scenario("A raw client's READY has 100,000 octets: libzmq takes it.")
def raw_large_ready(run):
    pull, stream = run.listen(zmq.PULL), run.stream()
    raw = RawPeer(run, stream)
    raw.put(GREETING_31)
    raw.take(64)
    properties = as_property(b"Socket-Type", b"PUSH")
    size = 100_000 - len(b"\x05READY" + properties + as_property(b"X-Large", b""))
    raw.put(frame_20(b"\x05READY" + properties + as_property(b"X-Large", text(size)), COMMAND))
    must_be(raw.take_20(log=False)[:6], b"\x05READY")
    raw.put_20(b"and a short message")
    run.expect(pull, [b"and a short message"])


def announce(run, greeting):
    run.listen(zmq.PULL, LINGER=0, **HANDSHAKE)
    raw = RawPeer(run, run.no_stream())
    raw.put(greeting)
    raw.take(64)
    raw.put(bytes([COMMAND | LONG]) + HUGE.to_bytes(8, "big") + text(2000))
    must_close(raw)


@scenario("A raw client announces a command of 1 GiB, and sends 2000 octets of it: libzmq's handshake timer ends it.",
          handshake="fails")
def raw_large_announced(run):
    announce(run, GREETING_31)


@scenario("CURVE: a raw client announces a command of 1 GiB, and sends 2000 octets of it: libzmq's timer ends it.",
          handshake="fails")
def curve_large_announced(run):
    announce(run, CURVE_GREETING)


@scenario("A raw client announces a message of 1 GiB after the handshake, and sends 2000 octets of it, then closes.",
          whole=False)
def raw_large_message_announced(run):
    run.listen(zmq.PULL, LINGER=0)
    raw = RawPeer(run, run.stream())
    greet_31(raw, "PUSH")
    raw.put(bytes([LONG]) + HUGE.to_bytes(8, "big") + text(2000))
    run.streams[-1].up.append(text(2000))
    run.settle()
