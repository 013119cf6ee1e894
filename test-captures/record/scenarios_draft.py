# Scenarios of libzmq's draft API, which distributions build without: skipped where it is missing.
# SPDX-License-Identifier: GPL-2.0-or-later
"""RADIO and DISH. To record them, let the loader find a libzmq that was built with
-DENABLE_DRAFTS=ON (LD_LIBRARY_PATH). pyzmq's own binding of this part is missing as well, so the
few functions are called with ctypes, on the library that pyzmq has loaded.
"""

import ctypes

import zmq

from harness import Failed, family

RADIO, DISH = 14, 15
MESSAGE_SIZE = 64  # zmq_msg_t


def available():
    return zmq.has("draft")


class Groups:
    """The functions for groups, on pyzmq sockets."""

    def __init__(self):
        self._library = ctypes.CDLL("libzmq.so.5")
        self._library.zmq_msg_data.restype = ctypes.c_void_p
        self._library.zmq_msg_size.restype = ctypes.c_size_t
        self._library.zmq_msg_group.restype = ctypes.c_char_p

    @staticmethod
    def _check(result):
        if result < 0:
            raise Failed("a function of the draft API failed")

    @staticmethod
    def _pointer(sock):
        return ctypes.c_void_p(sock.underlying)

    def join(self, dish, group):
        self._check(self._library.zmq_join(self._pointer(dish), group))

    def leave(self, dish, group):
        self._check(self._library.zmq_leave(self._pointer(dish), group))

    def send(self, radio, group, body):
        message = ctypes.create_string_buffer(MESSAGE_SIZE)
        self._check(self._library.zmq_msg_init_size(message, ctypes.c_size_t(len(body))))
        ctypes.memmove(self._library.zmq_msg_data(message), body, len(body))
        self._check(self._library.zmq_msg_set_group(message, group))
        self._check(self._library.zmq_msg_send(message, self._pointer(radio), 0))

    def receive(self, dish):
        message = ctypes.create_string_buffer(MESSAGE_SIZE)
        self._check(self._library.zmq_msg_init(message))
        self._check(self._library.zmq_msg_recv(message, self._pointer(dish), 0))
        body = ctypes.string_at(self._library.zmq_msg_data(message),
                                self._library.zmq_msg_size(message))
        group = self._library.zmq_msg_group(message)
        self._library.zmq_msg_close(message)
        return group, body


@family("RADIO and DISH: two groups joined, one left (draft API).", mechanisms="null curve",
        needs=available)
def radio_dish(run):
    groups = Groups()
    radio, dish, stream = run.pair(RADIO, DISH)
    groups.join(dish, b"weather")
    groups.join(dish, b"sport")
    run.settle()

    def send(wanted, *messages):
        for group, body in messages:
            groups.send(radio, group, body)
            if group in wanted:
                if groups.receive(dish) != (group, body):
                    raise Failed("another message arrived")
                # On the wire the group is a frame of its own before the body.
                stream.down.extend([group, body])

    send((b"weather", b"sport"), (b"weather", b"rain"), (b"sport", b"3:2"), (b"news", b"none"))
    groups.leave(dish, b"sport")
    run.settle()
    send((b"weather",), (b"sport", b"4:2"), (b"weather", b"sun"))
