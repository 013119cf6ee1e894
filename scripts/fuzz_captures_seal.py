# Mutations of fuzz-captures behind the boxes: opens CURVE boxes with known session keys, and seals them again.
# SPDX-License-Identifier: GPL-2.0-or-later
import ctypes
import ctypes.util
import functools
import itertools

from fuzz_captures_streams import COMMAND, LONG, Edit, Mark, command_marks, edit, metadata_marks

MAC, NONCE, COOKIE = 16, 8, 96  # octets
VOUCHED = 128  # octets of INITIATE's box before its metadata
MOST_TRIED = 12  # boxes of one stream
PREFIXES = {  # of nonces, for each command
    b"\7MESSAGE": (b"CurveZMQMESSAGEC", b"CurveZMQMESSAGES"),
    b"\5READY": (b"CurveZMQREADY---",),
    b"\x08INITIATE": (b"CurveZMQINITIATE",),
}


@functools.cache
def load():
    """The libsodium that the plugin uses too."""
    return ctypes.CDLL(ctypes.util.find_library("sodium") or "libsodium.so")


def opened(sodium, box, nonce, key):
    plain = ctypes.create_string_buffer(max(len(box) - MAC, 1))
    failed = sodium.crypto_secretbox_open_easy(plain, box, ctypes.c_ulonglong(len(box)), nonce, key)
    return None if failed else plain.raw[:len(box) - MAC]


def sealed(sodium, plain, nonce, key):
    box = ctypes.create_string_buffer(len(plain) + MAC)
    sodium.crypto_secretbox_easy(box, plain, ctypes.c_ulonglong(len(plain)), nonce, key)
    return box.raw


def resealed(rng, stream, found, keys):
    """Edits of a stream with these marks: some boxes hold something else, and can be opened as before."""
    sodium, edits = load(), []
    frames = [mark for mark in found if mark.what == "frame" and mark.end <= len(stream)]
    chosen = rng.sample(frames, min(len(frames), MOST_TRIED))
    for mark in itertools.islice(filter(None, (_resealed(rng, sodium, stream, frame, keys) for frame in chosen)),
                                 rng.randint(1, 4)):
        edits.append(mark)
    return edits


def _resealed(rng, sodium, stream, frame, keys):
    """An edit of one frame, or None where it holds no box that opens."""
    start = frame.start + (9 if stream[frame.start] & LONG else 2)
    body = stream[start:frame.end]
    name = next((name for name in PREFIXES if body.startswith(name)), None)
    if not name:
        return None
    at = len(name) + (COOKIE if name.endswith(b"INITIATE") else 0)
    box = at + NONCE
    for prefix, key in itertools.product(PREFIXES[name], keys):
        nonce = prefix + body[at:box]
        plain = opened(sodium, body[box:], nonce, key) if len(body) >= box + MAC else None
        if plain is not None:
            changed = body[:box] + sealed(sodium, _mutated(rng, name, plain), nonce, key)
            return Edit(frame.start, frame.end, _framed(changed))
    return None


def _mutated(rng, name, plain):
    """What was in the box, with one or two pieces changed."""
    if name.endswith(b"MESSAGE"):
        marks = [Mark(0, 1, "flags"), Mark(1, len(plain), "piece"), *command_marks(plain, 1, len(plain))]
    else:
        metadata = 0 if name.endswith(b"READY") else VOUCHED
        marks = [Mark(0, len(plain), "piece"), *metadata_marks(plain, metadata, len(plain))]
    for _ in range(rng.randint(1, 2)):
        usable = [mark for mark in marks if mark.start < mark.end <= len(plain)]
        if usable:
            mark = rng.choice(usable)
            plain = plain[:mark.start] + edit(rng, plain, mark) + plain[mark.end:]
    return plain


def _framed(body):
    if len(body) < 256:
        return bytes([COMMAND, len(body)]) + body
    return bytes([COMMAND | LONG]) + len(body).to_bytes(8, "big") + body
