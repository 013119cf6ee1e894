# TCP relays that cut the octets of two real peers into other segments than the peers chose.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Two relays stand between the peers, and the leg between the relays is recorded.

The first relay cuts what goes up on that leg, the second one what comes down.
"""

import random
import select
import socket
import threading
import time

GREETING = 64
QUIET = 0.04
PAUSE = 0.001


class Whole:
    """Hands on what comes, as it comes."""

    def feed(self, data):
        return [data]

    def flush(self):
        return []


class Octets:
    """The first octets one by one: the handshake, and where messages begin."""

    def __init__(self, count):
        self._left = count

    def feed(self, data):
        singles, rest = data[:self._left], data[self._left:]
        self._left -= len(singles)
        return [bytes([octet]) for octet in singles] + ([rest] if rest else [])

    def flush(self):
        return []


class Gather:
    """As much in one segment as the protocol allows: all there is before the peer must answer."""

    def __init__(self):
        self._kept = b""

    def feed(self, data):
        self._kept += data
        return []

    def flush(self):
        kept, self._kept = self._kept, b""
        return [kept] if kept else []


class RandomPieces:
    def __init__(self, seed, longest):
        self._random = random.Random(seed)
        self._longest = longest

    def feed(self, data):
        pieces = []
        while data:
            size = self._random.randint(1, self._longest)
            pieces.append(data[:size])
            data = data[size:]
        return pieces

    def flush(self):
        return []


class LongHeaders(Gather):
    """Cuts each long frame's header of 9 octets (RFC 23, long-size) after 1, 2, ... 8 of them."""

    def __init__(self):
        super().__init__()
        self._greeting = b""
        self._turn = 0

    def feed(self, data):
        missing = GREETING - len(self._greeting)
        self._greeting += data[:missing]
        first, self._kept = data[:missing], self._kept + data[missing:]
        return [first] if first else []

    def flush(self):
        pieces, place, cut_before = [], 0, 0
        while place + 2 <= len(self._kept):
            is_long = self._kept[place] & 2
            header = 9 if is_long else 2
            size = int.from_bytes(self._kept[place + 1:place + header], "big")
            if is_long:
                cut = place + 1 + self._turn % 8
                self._turn += 1
                pieces.append(self._kept[cut_before:cut])
                cut_before = cut
            place += header + size
        pieces.append(self._kept[cut_before:])
        self._kept = b""
        return [piece for piece in pieces if piece]


class Relay:
    def __init__(self, host, port, target, up, down):
        self._target = (host, target)
        self._up, self._down = up, down
        self._listener = socket.create_server((host, port))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        near, _ = self._listener.accept()
        far = self._connected()
        for end in (near, far):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threads = [threading.Thread(target=pump, args=ends, daemon=True)
                   for ends in ((near, far, self._up), (far, near, self._down))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for end in (near, far, self._listener):
            end.close()

    def _connected(self):
        while True:
            try:
                return socket.create_connection(self._target)
            except ConnectionRefusedError:
                time.sleep(0.01)

    def close(self):
        self._thread.join(10)


def pump(source, target, cutter):
    def send(pieces):
        for piece in pieces:
            target.sendall(piece)
            if len(pieces) > 1:
                # Apart in time, so that the kernel does not put two into one segment.
                time.sleep(PAUSE)

    try:
        while True:
            readable, _, _ = select.select([source], [], [], QUIET)
            if not readable:
                send(cutter.flush())
                continue
            data = source.recv(1 << 16)
            if not data:
                break
            send(cutter.feed(data))
        send(cutter.flush())
        target.shutdown(socket.SHUT_WR)
    except OSError:
        # The other side has gone: so does this one.
        source.close()


def between(run, make_cutter):
    """Put two relays between run's peers; the scenario's port is the leg between them."""
    run.connect_port, run.listen_port = run.port + 1000, run.port - 1000
    back = Relay(run.host, run.port, run.listen_port, Whole(), make_cutter())
    front = Relay(run.host, run.connect_port, run.port, make_cutter(), Whole())
    run.at_end(front.close)
    run.at_end(back.close)
