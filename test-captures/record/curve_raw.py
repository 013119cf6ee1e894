# A CURVE client written as a plain socket, so that a scenario can spoil any one step of it.
# SPDX-License-Identifier: GPL-2.0-or-later
"""RFC 26 in Python, with libsodium's boxes: what libzmq itself never sends can be made here."""

import ctypes
import ctypes.util
import os

import zmq.utils.z85

from harness import Failed
from scenarios_raw import COMMAND, SIGNATURE, RawPeer, frame_20, must_be

# RFC 23; version 3.1, as libzmq sends it.
GREETING = SIGNATURE + b"\x03\x01" + b"CURVE".ljust(20, b"\0") + bytes(32)
KEY, MAC = 32, 16
HELLO, WELCOME, INITIATE, READY, MESSAGE = b"\x05HELLO", b"\x07WELCOME", b"\x08INITIATE", b"\x05READY", b"\x07MESSAGE"
PADDING = bytes(72)
COOKIE = 96
INNER_MORE, INNER_COMMAND = 1, 2

_sodium = ctypes.CDLL(ctypes.util.find_library("sodium"))


def _call(name, result, *arguments):
    buffer = ctypes.create_string_buffer(result)
    if getattr(_sodium, name)(buffer, *arguments) != 0:
        raise Failed(f"{name} fails")
    return buffer.raw


def key_pair():
    secret = os.urandom(KEY)
    return _call("crypto_scalarmult_base", KEY, secret), secret


def shared_key(public, secret):
    # libsodium's own function: crypto_box_beforenm() comes to the preloaded key logger, and CurvePeer logs for itself.
    return _call("crypto_box_curve25519xsalsa20poly1305_beforenm", KEY, public, secret)


def seal(plain, nonce, key):
    return _call("crypto_box_easy_afternm", MAC + len(plain), plain, ctypes.c_ulonglong(len(plain)), nonce, key)


def unseal(box, nonce, key):
    return _call("crypto_box_open_easy_afternm", len(box) - MAC, box, ctypes.c_ulonglong(len(box)), nonce, key)


def short_nonce(number):
    return number.to_bytes(8, "big")


def from_z85(pair):
    return tuple(map(zmq.utils.z85.decode, pair))


def as_property(name, value):
    return bytes([len(name)]) + name + len(value).to_bytes(4, "big") + value


def metadata(kind="DEALER", **more):
    """Properties as READY and INITIATE hold them; Socket_Type and Identity are spelled as in RFC 23."""
    values = {"Socket-Type": kind.encode(), **{name.replace("_", "-"): value for name, value in more.items()}}
    return b"".join(as_property(name.encode(), value) for name, value in values.items())


class CurvePeer(RawPeer):
    """A client whose commands are made by make_...() and sent by put_...(): a scenario may change what is between."""

    def __init__(self, run, stream, transient=None, nonce=1):
        super().__init__(run, stream)
        self.nonce = nonce
        self.public, self.secret = transient or key_pair()
        self.permanent_public, self._permanent_secret = from_z85(run.new_keys())
        self.server_permanent, _ = from_z85(run.server_keys)
        self.server_transient = self.cookie = self._session = None
        self._key_log = run.folder / "keys"

    def next_nonce(self):
        nonce, self.nonce = self.nonce, self.nonce + 1
        return short_nonce(nonce)

    def put_command(self, body):
        self.put(frame_20(body, COMMAND))

    def greet(self):
        self.put(GREETING)
        must_be(self.take(64)[12:17], b"CURVE")

    def make_hello(self, version=b"\x01\x00", padding=PADDING):
        nonce = self.next_nonce()
        signature = seal(bytes(64), b"CurveZMQHELLO---" + nonce, shared_key(self.server_permanent, self.secret))
        return HELLO + version + padding + self.public + nonce + signature

    def take_welcome(self):
        body = self.take_20(log=False)
        must_be(body[:len(WELCOME)], WELCOME)
        nonce, box = body[len(WELCOME):len(WELCOME) + 16], body[len(WELCOME) + 16:]
        plain = unseal(box, b"WELCOME-" + nonce, shared_key(self.server_permanent, self.secret))
        self.server_transient, self.cookie = plain[:KEY], plain[KEY:]
        must_be(len(self.cookie), COOKIE)
        self._session = shared_key(self.server_transient, self.secret)
        keys = (self.public, self.server_transient, self._session)
        self._key_log.touch(0o600)
        with self._key_log.open("a", encoding="ascii") as log:
            log.write("CURVE_SESSION_KEY " + " ".join(key.hex() for key in keys) + "\n")

    def make_vouch(self, client=None, server=None):
        """Nonce and box in which the permanent key stands for C' and S: these two, unless others are given."""
        nonce = os.urandom(16)
        keys = (client or self.public) + (server or self.server_permanent)
        return nonce + seal(keys, b"VOUCH---" + nonce, shared_key(self.server_transient, self._permanent_secret))

    def make_initiate(self, cookie=None, vouch=None, properties=None):
        nonce = self.next_nonce()
        plain = self.permanent_public + (vouch or self.make_vouch()) + (properties or metadata())
        return INITIATE + (cookie or self.cookie) + nonce + seal(plain, b"CurveZMQINITIATE" + nonce, self._session)

    def take_ready(self):
        body = self.take_20(log=False)
        must_be(body[:len(READY)], READY)
        nonce, box = body[len(READY):len(READY) + 8], body[len(READY) + 8:]
        return unseal(box, b"CurveZMQREADY---" + nonce, self._session)

    def make_message(self, payload, inner=0):
        nonce = self.next_nonce()
        return MESSAGE + nonce + seal(bytes([inner]) + payload, b"CurveZMQMESSAGEC" + nonce, self._session)

    def put_message(self, payload, more=False):
        # The MORE flag stands inside only, as libzmq sends it.
        self.put(frame_20(self.make_message(payload, INNER_MORE if more else 0)))
        self._log_out.append(payload)

    def take_message(self):
        body = self.take_20(log=False)
        must_be(body[:len(MESSAGE)], MESSAGE)
        nonce, box = body[len(MESSAGE):len(MESSAGE) + 8], body[len(MESSAGE) + 8:]
        plain = unseal(box, b"CurveZMQMESSAGES" + nonce, self._session)
        self._log_in.append(plain[1:])
        return plain[1:]

    # Several steps at once

    def say_hello(self):
        self.greet()
        self.put_command(self.make_hello())
        self.take_welcome()

    def shake_hands(self, **properties):
        self.say_hello()
        self.put_command(self.make_initiate(properties=metadata(**properties)))
        self.take_ready()
