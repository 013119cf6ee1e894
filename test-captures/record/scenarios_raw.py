# Scenarios: a plain TCP socket speaks to libzmq what libzmq itself no longer sends.
# SPDX-License-Identifier: GPL-2.0-or-later

import socket

import zmq

from harness import Failed, scenario, text

# RFC 23: signature, version 3.0, mechanism padded to 20 octets, as-server, 31 octets filler.
SIGNATURE = b"\xff" + bytes(7) + b"\x01\x7f"
GREETING_30 = SIGNATURE + b"\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)
# RFC 15, socket types of the 2.0 greeting.
TYPE_20 = {"PUB": 1, "SUB": 2, "REQ": 3, "REP": 4, "DEALER": 5, "ROUTER": 6, "PULL": 7, "PUSH": 8}
MORE, LONG, COMMAND = 1, 2, 4


class RawPeer:
    def __init__(self, run, stream, listen=False, accepted=None):
        self._log_out, self._log_in = stream.up, stream.down
        if accepted:
            self._sock = accepted
            self._log_out, self._log_in = stream.down, stream.up
        elif listen:
            with socket.create_server((run.host, run.port)) as listener:
                self._sock, _ = listener.accept()
            self._log_out, self._log_in = stream.down, stream.up
        else:
            self._sock = socket.create_connection((run.host, run.port))
        self._sock.settimeout(15)
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        run.at_close(self._sock.close)

    def put(self, octets):
        self._sock.sendall(octets)

    def close(self):
        self._sock.close()

    def take(self, count):
        got = b""
        while len(got) < count:
            piece = self._sock.recv(count - len(got))
            if not piece:
                raise Failed("libzmq has closed the connection")
            got += piece
        return got

    # ZMTP 1.0 (RFC 13): the length counts the flags octet

    def put_10(self, body, more=False):
        self.put(frame_10(body, more))
        self._log_out.append(body)

    def take_10(self):
        size = self.take(1)[0]
        if size == 255:
            size = int.from_bytes(self.take(8), "big")
        self.take(1)
        body = self.take(size - 1)
        self._log_in.append(body)
        return body

    # ZMTP 2.0 and 3.x (RFC 15, RFC 23): flags, then the length of the body alone

    def put_20(self, body, more=False, long_form=False):
        self.put(frame_20(body, MORE if more else 0, long_form))
        self._log_out.append(body)

    def take_20(self, log=True):
        flags, size = self.take(2)
        if flags & LONG:
            size = int.from_bytes(bytes([size]) + self.take(7), "big")
        body = self.take(size)
        if log:
            self._log_in.append(body)
        return body


def frame_10(body, more=False):
    size = len(body) + 1
    length = bytes([size]) if size < 255 else b"\xff" + size.to_bytes(8, "big")
    return length + bytes([more]) + body


def frame_20(body, flags=0, long_form=False):
    if long_form or len(body) > 255:
        return bytes([flags | LONG]) + len(body).to_bytes(8, "big") + body
    return bytes([flags, len(body)]) + body


def ready(socket_type):
    """A READY with one property (RFC 23)."""
    name, value = b"Socket-Type", socket_type.encode()
    body = b"\x05READY" + bytes([len(name)]) + name + len(value).to_bytes(4, "big") + value
    return frame_20(body, COMMAND)


def must_be(got, wanted):
    if got != wanted:
        raise Failed(f"{got!r} instead of {wanted!r}")


def must_close(raw):
    try:
        while True:
            raw.take(1)
    except (Failed, ConnectionResetError):
        return


# ZMTP 1.0

@scenario("ZMTP 1.0: an anonymous raw peer and libzmq's REP, short and long frames.",
          decode_as=True, every_version=True)
def raw_zmtp10(run):
    rep, stream = run.listen(zmq.REP), run.stream()
    raw = RawPeer(run, stream)
    raw.put(frame_10(b""))
    take_identity_10(raw)
    for question, answer in ((b"question", b"answer"), (text(252), text(253)),
                             (text(254), text(300)), (b"", b"")):
        raw.put_10(b"", more=True)
        raw.put_10(question)
        run.expect(rep, [question])
        rep.send(answer)
        must_be([raw.take_10(), raw.take_10()], [b"", answer])


def take_identity_10(raw, identity=b""):
    # libzmq's signature is the header of a long identity frame: FF, length, flags 7F.
    must_be(raw.take(10), b"\xff" + (len(identity) + 1).to_bytes(8, "big") + b"\x7f")
    must_be(raw.take(len(identity)), identity)


@scenario("ZMTP 1.0: a raw peer and libzmq's ROUTER, both with an identity, multipart messages.",
          decode_as=True)
def raw_zmtp10_identity(run):
    router, stream = run.listen(zmq.ROUTER, IDENTITY=b"the-router"), run.stream()
    raw = RawPeer(run, stream)
    raw.put(frame_10(b"raw-peer"))
    take_identity_10(raw, b"the-router")
    raw.put_10(b"first", more=True)
    raw.put_10(b"", more=True)
    raw.put_10(b"third")
    run.expect(router, [b"raw-peer", b"first", b"", b"third"])
    router.send_multipart([b"raw-peer", b"back", b"again"])
    must_be([raw.take_10(), raw.take_10()], [b"back", b"again"])


@scenario("ZMTP 1.0: a raw subscriber, which gets all that libzmq's PUB sends.", decode_as=True)
def raw_zmtp10_sub(run):
    pub, stream = run.listen(zmq.PUB), run.stream()
    raw = RawPeer(run, stream)
    raw.put(frame_10(b""))
    take_identity_10(raw)
    run.settle()
    for number in range(3):
        pub.send_multipart([b"topic", b"value %d" % number])
        must_be([raw.take_10(), raw.take_10()], [b"topic", b"value %d" % number])


# ZMTP 2.0

def greet_20(raw, mine, theirs, identity=b"", their_identity=b""):
    raw.put(SIGNATURE + b"\x01" + bytes([TYPE_20[mine]]) + frame_20(identity))
    must_be(raw.take(10)[9:], b"\x7f")
    # libzmq still offers 3, then the socket type as in 2.0.
    must_be(raw.take(2), b"\x03" + bytes([TYPE_20[theirs]]))
    must_be(raw.take_20(log=False), their_identity)


@scenario("ZMTP 2.0: a raw DEALER with an identity and libzmq's ROUTER, short and long frames.",
          every_version=True)
def raw_zmtp20(run):
    router, stream = run.listen(zmq.ROUTER), run.stream()
    raw = RawPeer(run, stream)
    greet_20(raw, "DEALER", "ROUTER", b"raw-dealer")
    raw.put_20(b"first", more=True)
    raw.put_20(b"", more=True)
    raw.put_20(text(300))
    run.expect(router, [b"raw-dealer", b"first", b"", text(300)])
    router.send_multipart([b"raw-dealer", text(255), text(256), b""])
    must_be([raw.take_20() for _ in range(3)], [text(255), text(256), b""])


@scenario("ZMTP 2.0: a raw SUB subscribes and cancels with messages 01 and 00; libzmq's PUB.")
def raw_zmtp20_sub(run):
    pub, stream = run.listen(zmq.PUB), run.stream()
    raw = RawPeer(run, stream)
    greet_20(raw, "SUB", "PUB")
    old_subscriptions(run, raw, pub)


def old_subscriptions(run, raw, pub):
    """Subscriptions as messages (RFC 23): 01 subscribes, 00 cancels."""
    raw.put(frame_20(b"\x01topic.") + frame_20(b"\x01news"))
    run.settle()
    for message in ([b"topic.one", b"1"], [b"unwanted"], [b"news", b"2"]):
        pub.send_multipart(message)
    must_be([raw.take_20() for _ in range(4)], [b"topic.one", b"1", b"news", b"2"])
    raw.put(frame_20(b"\x00news"))
    run.settle()
    for message in ([b"news", b"3"], [b"topic.two", b"4"]):
        pub.send_multipart(message)
    must_be([raw.take_20() for _ in range(2)], [b"topic.two", b"4"])


# ZMTP 3.0, as JeroMQ, NetMQ and old libzmq speak it

def greet_30(raw, mine):
    raw.put(GREETING_30)
    must_be(raw.take(64)[10:12], b"\x03\x01")
    raw.put(ready(mine))
    must_be(raw.take_20(log=False)[:6], b"\x05READY")


@scenario("ZMTP 3.0: a raw SUB subscribes with messages 01 and 00; libzmq's PUB speaks 3.1.")
def raw_zmtp30_sub(run):
    pub, stream = run.listen(zmq.PUB), run.stream()
    raw = RawPeer(run, stream)
    greet_30(raw, "SUB")
    old_subscriptions(run, raw, pub)


@scenario("ZMTP 3.0: a raw PUB listens; libzmq's SUB falls back to messages 01 and 00.",
          every_version=True)
def raw_zmtp30_pub(run):
    stream = run.stream()
    sub = run.connect(zmq.SUB)
    sub.setsockopt(zmq.SUBSCRIBE, b"topic")
    raw = RawPeer(run, stream, listen=True)
    greet_30(raw, "PUB")
    must_be(raw.take_20(log=False), b"\x01topic")
    raw.put_20(b"topic", more=True)
    raw.put_20(b"value")
    run.expect(sub, [b"topic", b"value"])
    sub.setsockopt(zmq.UNSUBSCRIBE, b"topic")
    must_be(raw.take_20(log=False), b"\x00topic")
    run.close(sub)
    run.settle()


@scenario("A raw PUSH sends greeting and READY in one segment, then three messages in one.")
def raw_one_segment(run):
    pull, stream = run.listen(zmq.PULL), run.stream()
    raw = RawPeer(run, stream)
    raw.put(GREETING_30 + ready("PUSH"))
    raw.take(64)
    # libzmq takes a message that comes before its own READY for a broken handshake.
    raw.take_20(log=False)
    messages = [b"eager", text(300), b"last"]
    raw.put(b"".join(map(frame_20, messages)))
    for message in messages:
        run.expect(pull, [message])
        stream.up.append(message)


@scenario("A raw PUSH sends a message with its READY, too early: libzmq closes.",
          handshake="fails", whole=False)
def raw_too_early(run):
    run.listen(zmq.PULL)
    raw = RawPeer(run, run.no_stream())
    run.stream().up.append(b"too early")
    raw.put(GREETING_30 + ready("PUSH") + frame_20(b"too early"))
    must_close(raw)


@scenario("A raw PUSH uses the long form for frames that a short length would do for.")
def raw_long_form(run):
    pull, stream = run.listen(zmq.PULL), run.stream()
    raw = RawPeer(run, stream)
    greet_30(raw, "PUSH")
    for body in (b"", b"x", text(255), text(256)):
        raw.put_20(body, long_form=True)
        run.expect(pull, [body])


@scenario("A raw PUSH sends PING on a ZMTP 3.0 session, and libzmq answers PONG (RFC 37).")
def raw_ping_30(run):
    pull, stream = run.listen(zmq.PULL), run.stream()
    raw = RawPeer(run, stream)
    greet_30(raw, "PUSH")
    raw.put(frame_20(b"\x04PING\x00\x64" + b"0123456789abcdef", COMMAND))
    must_be(raw.take_20(log=False), b"\x04PONG" + b"0123456789abcdef")
    raw.put_20(b"after the ping")
    run.expect(pull, [b"after the ping"])


@scenario("A raw peer connects and sends nothing (compare CVE-2020-15166).", handshake="fails")
def raw_silent(run):
    run.listen(zmq.PULL, HANDSHAKE_IVL=300)
    raw = RawPeer(run, run.no_stream())
    raw.take(10)
    must_close(raw)


# Messages that look like subscriptions

@scenario("XSUB's own messages 01 and 00, and an ordinary one upstream, on a 3.1 connection.")
def null_xsub_messages(run):
    xpub, xsub, stream = run.pair(zmq.XPUB, zmq.XSUB)
    for message in (b"\x01topic", b"\x02to the publisher", b"\x00topic", b"\x01A"):
        xsub.send(message)
        run.expect(xpub, [message])
        stream.up.append(message)
    run.carry(xpub, xsub, [b"Apples", b"3"], stream.down)
