# The part of an application that decides who may connect (RFC 27, ZAP).
# SPDX-License-Identifier: GPL-2.0-or-later

import threading

import zmq


class ZapHandler:
    """Answers each request of the context's servers with what decide(request) returns.

    The request is the list of RFC 27's frames: version, request id, domain, address, identity,
    mechanism, credentials...; the answer a status code such as b"200", or None for no answer at all.
    """

    def __init__(self, context, decide):
        self._decide = decide
        self._stop = threading.Event()
        self._sock = context.socket(zmq.REP)
        self._sock.setsockopt(zmq.LINGER, 0)
        self._sock.bind("inproc://zeromq.zap.01")
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        while not self._stop.is_set():
            if self._sock.poll(20):
                request = self._sock.recv_multipart()
                status = self._decide(request)
                if status is None:
                    # REP takes no other request then, so this one is the last.
                    continue
                user = b"user" if status == b"200" else b""
                self._sock.send_multipart([b"1.0", request[1], status, b"as decided", user, b""])
        self._sock.close()

    def close(self):
        self._stop.set()
        self._thread.join()
