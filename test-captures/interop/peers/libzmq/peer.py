# One socket of libzmq for record.py, driven over stdin: see ../../README.md. Runs under any pyzmq.
# SPDX-License-Identifier: GPL-2.0-or-later
import sys
import threading

import zmq

WAIT_MS = 10000


def admit(context, options):
    """A ZAP handler (RFC 27) for PLAIN, whose server in libzmq refuses everybody when there is none to ask."""
    sock = context.socket(zmq.REP)
    sock.bind("inproc://zeromq.zap.01")

    def handle():
        try:
            while True:
                version, request, _, _, _, _, *given = sock.recv_multipart()
                wanted = [options["username"].encode(), options["password"].encode()]
                status = b"200" if given == wanted else b"400"
                # With a User-Id, libzmq's REQ as the security server closes at its first reply.
                sock.send_multipart([version, request, status, b"", b"", b""])
        except zmq.ContextTerminated:
            sock.close(0)
    threading.Thread(target=handle).start()


def secure(context, sock, options):
    mechanism, server = options.get("mechanism", "null"), options.get("server") == "1"
    if mechanism == "plain" and server:
        sock.plain_server = 1
        admit(context, options)
    elif mechanism == "plain":
        sock.plain_username = options["username"].encode()
        sock.plain_password = options["password"].encode()
    elif mechanism == "curve":
        sock.curve_publickey = options["public"].encode()
        sock.curve_secretkey = options["secret"].encode()
        if server:
            sock.curve_server = 1
        else:
            sock.curve_serverkey = options["server_key"].encode()
    elif mechanism != "null":
        print(f"unsupported mechanism {mechanism}", flush=True)
        sys.exit(3)


def commands(sock):
    """Do what stdin says until it ends or says close."""
    sender = b""
    for line in sys.stdin:
        command, *words = line.split()
        parts = [b"" if word == "-" else bytes.fromhex(word) for word in words]
        answer = "ok"
        try:
            if command == "send":
                sock.send_multipart(parts)
            elif command == "reply":
                sock.send_multipart([sender, *parts])
            elif command == "recv":
                got = sock.recv_multipart()
                sender = got[0]
                answer = " ".join(["got"] + [part.hex() or "-" for part in got])
            elif command == "subscribe":
                sock.subscribe(parts[0])
            elif command == "unsubscribe":
                sock.unsubscribe(parts[0])
            elif command == "close":
                return
            else:
                answer = f"error no such command: {command}"
        except (zmq.ZMQError, AttributeError) as error:
            answer = f"error {command}: {error}"
        print(answer, flush=True)


def main():
    role, kind, endpoint, *rest = sys.argv[1:]
    options = dict(word.split("=", 1) for word in rest)
    context = zmq.Context()
    sock = context.socket(getattr(zmq, kind))
    sock.linger = sock.rcvtimeo = sock.sndtimeo = WAIT_MS
    secure(context, sock, options)
    if "identity" in options:
        sock.identity = options["identity"].encode()
    if "heartbeat" in options:
        sock.heartbeat_ivl = int(options["heartbeat"])
    if role == "listen":
        sock.bind(endpoint)
    else:
        sock.connect(endpoint)
    print("ready", flush=True)
    commands(sock)
    sock.close()
    context.term()


main()
