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


def keys_of(key_logs):
    """Every key with which a box may have been sealed: those that are logged, and one for each two of the pairs."""
    lines = [line.split() for key_log in key_logs for line in key_lines(key_log)]
    pairs = [(key_octets(line[1]), key_octets(line[2])) for line in lines if line[0] == "CURVE_SECRET_KEY"]
    found = [key_octets(line[3]) for line in lines if line[0] == "CURVE_SESSION_KEY"]
    found += [shared(public, secret) for (public, _), (_, secret) in itertools.product(pairs, pairs)]
    return tuple(dict.fromkeys(found))


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
        for prefix, key in itertools.product(prefixes, keys):
            box = at + 24 - len(prefix)
            nonce = body[at:box]
            plain = opened(load(), body[box:], prefix + nonce, key)
            if plain is not None:
                return body[:at], nonce, plain, prefix, key
    return None


def vouched(plain, at, octets, keys):
    """What is in INITIATE's box, with another vouch: some of its C' and S are other octets."""
    nonce = b"VOUCH---" + plain[VOUCH_NONCE:VOUCH]
    key = next(key for key in keys if opened(load(), plain[VOUCH:METADATA], nonce, key) is not None)
    keys_in_it = opened(load(), plain[VOUCH:METADATA], nonce, key)
    keys_in_it = keys_in_it[:at] + octets + keys_in_it[at + len(octets):]
    return plain[:VOUCH] + seal(keys_in_it, nonce, key) + plain[METADATA:]
