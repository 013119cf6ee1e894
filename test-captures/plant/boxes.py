# Opens and seals the boxes of CURVE (RFC 26) with the keys of key logs.
# SPDX-License-Identifier: GPL-2.0-or-later
import ctypes
import functools
import itertools
import sys

from corpus import HERE, key_lines, key_octets

sys.path.insert(0, str(HERE.parent / "scripts"))
# pylint: disable=wrong-import-position
from fuzz_captures_seal import load, opened, sealed  # noqa: E402

KEY, SHORT, LONG = 32, 8, 16  # octets of keys and nonces
# By the name in front: the octets between it and the nonce, and the prefixes that the nonce may have. Where the prefix
# has 8 octets, the nonce on the wire has 16.
PLACES = {
    b"\x05HELLO": (2 + 72 + KEY, (b"CurveZMQHELLO---",)),
    b"\x07WELCOME": (0, (b"WELCOME-",)),
    b"\x08INITIATE": (96, (b"CurveZMQINITIATE",)),
    b"\x05READY": (0, (b"CurveZMQREADY---",)),
    b"\x07MESSAGE": (0, (b"CurveZMQMESSAGEC", b"CurveZMQMESSAGES")),
}
VOUCH_NONCE, VOUCH, METADATA = KEY, KEY + LONG, KEY + LONG + 80  # where they begin in INITIATE's box, behind C


def short(number):
    return number.to_bytes(SHORT, "big")


def as_number(nonce):
    return nonce if isinstance(nonce, int) else int.from_bytes(nonce, "big")


def has_short_nonce(prefix):
    return len(prefix) == LONG


def seal(plain, nonce, key):
    return sealed(load(), plain, nonce, key)


class Keys:
    """What key logs hold: `secrets` by their public keys, and every key with which a box may have been sealed."""

    def __init__(self, key_logs):
        lines = [line.split() for key_log in key_logs for line in key_lines(key_log)]
        self.secrets = {key_octets(line[1]): key_octets(line[2]) for line in lines if line[0] == "CURVE_SECRET_KEY"}
        self.of_boxes = [key_octets(line[3]) for line in lines if line[0] == "CURVE_SESSION_KEY"]
        self.of_boxes += itertools.starmap(shared, itertools.product(self.secrets, self.secrets.values()))


@functools.cache
def shared(public, secret):
    """The key of crypto_box() between two who have these."""
    key = ctypes.create_string_buffer(KEY)
    assert load().crypto_box_beforenm(key, public, secret) == 0
    return key.raw


def find(body, keys):
    """(start, nonce, plaintext, prefix, key) of a frame's box, or None where it has none that opens."""
    for name, (between, prefixes) in PLACES.items():
        if not body.startswith(name):
            continue
        at = len(name) + between
        for prefix, key in itertools.product(prefixes, keys.of_boxes):
            box = at + 24 - len(prefix)
            nonce = body[at:box]
            plain = opened(load(), body[box:], prefix + nonce, key)
            if plain is not None:
                return body[:at], nonce, plain, prefix, key
    return None


def vouched(plain, keys, at=0, octets=b"", key=None):
    """What is in INITIATE's box, with a vouch in whose C' and S other octets stand, or which has another key."""
    nonce = b"VOUCH---" + plain[VOUCH_NONCE:VOUCH]
    before = next(one for one in keys.of_boxes if opened(load(), plain[VOUCH:METADATA], nonce, one) is not None)
    vouch = opened(load(), plain[VOUCH:METADATA], nonce, before)
    vouch = vouch[:at] + octets + vouch[at + len(octets):]
    return plain[:VOUCH] + seal(vouch, nonce, key or before) + plain[METADATA:]
