# No octet of any secret in any output: everything is dumped and searched.
# SPDX-License-Identifier: GPL-2.0-or-later
"""All captures with keys are merged into one, and all their keys into one key log or keytab: one run for each kind of
output, in place of hundreds. What the user typed into the key table may be where tshark exports it, and nowhere else.
The passwords of PLAIN are no keys: they are on the wire for everybody, and shown.
"""
import base64
import collections
import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

import tools
from bulk import Meter
from corpus import HERE, all_captures, key_lines, key_octets, z85
from key_sources import certificate, give, row, rows, text_of
from leaks import Search
from pdml import fields

SAMPLES = [sample for sample in all_captures() if sample.opened_by]
NOISY = ("--log-level", "noisy")
ONLY_ZMTP = ("-J", "zmtp")
EVERYTHING = {
    "text": ("-2", "-P", "-V", "-x", "-z", "zmtp,connections", "-z", "zmtp,connections,json", "-z", "zmtp,tree",
             "-z", "expert", *NOISY),
    # Of IP and TCP only their names: they know nothing of keys.
    "PDML": ("-T", "pdml", *ONLY_ZMTP, *NOISY),
    "JSON": ("-T", "json", *ONLY_ZMTP, *NOISY),
    "EK": ("-T", "ek", *ONLY_ZMTP, *NOISY),
}


# ---- The search itself ----

SECRET = bytes.fromhex("6cd3f1da3cb9f3e2344b27bf819fac443755490da618681ea065a8250fbd071c")
HALVES = SECRET[:16], SECRET[16:]
LEAKS = {
    "hex": SECRET.hex(),
    "upper hex": SECRET.hex().upper(),
    "colons": "key: " + SECRET.hex(":"),
    "blanks in groups": SECRET.hex(" ", 4),
    "C": ", ".join(f"0x{octet:02x}" for octet in SECRET),
    "lines": "\n".join(SECRET.hex()[start:start + 10] for start in range(0, 64, 10)),
    "half": f"1234{HALVES[1].hex()}5678",
    "a quarter and more": SECRET[3:20].hex(),
    "Z85": f"<{z85(SECRET)}>",
    "Z85 with the case swapped": z85(SECRET).swapcase(),
    "Z85, half": z85(SECRET)[20:],
    "Z85 in XML": z85(SECRET).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"),
    "Base64": base64.b64encode(SECRET).decode(),
    "Base64 behind something": base64.b64encode(b"?" + SECRET + b"??").decode(),
    "Base64 behind two octets, half": base64.b64encode(b"??" + HALVES[0] + b"?").decode(),
    "Base64 for addresses": base64.urlsafe_b64encode(SECRET).decode(),
    "octets": SECRET.decode(errors="surrogateescape"),
    "octets as UTF-8": SECRET.decode("latin-1"),
    "escapes": "".join(chr(octet) if 0x20 < octet < 0x7F else f"\\x{octet:02x}" for octet in SECRET),
    "dump": f"0000  00 00 00 00 {SECRET[:12].hex(' ')}   ....\n0010  {SECRET[12:28].hex(' ')}   ....\n"
            f"0020  {SECRET[28:].hex(' ')}   ..\n",
}


@pytest.mark.parametrize("form", LEAKS)
def test_the_search_finds_a_secret(folder, form):
    text = f"before it\n{LEAKS[form]}\nbehind it"
    assert Search([SECRET, bytes(range(32))], folder).found(text) == {SECRET}


def test_the_search_finds_nothing_in_another_key(folder):
    other = bytes(octet ^ 0x55 for octet in SECRET)
    assert not Search([SECRET], folder).found(f"{other.hex()} {z85(other)} {base64.b64encode(other)}")


# ---- All captures with keys ----

class Pile:
    """All samples of one kind in one capture, with all their keys."""

    def __init__(self, tshark, samples):
        self.samples = samples
        self.folder = Path(tempfile.mkdtemp(dir=tshark.folder))
        self.folder.chmod(0o755)
        self.capture = self.folder / "all.pcapng"
        subprocess.run(["mergecap", "-w", self.capture, *(sample.capture for sample in samples)], check=True)
        self.capture.chmod(0o644)
        self.logs = [log for sample in samples for log in sorted(sample.base.parent.glob(f"{sample.base.name}*.keys"))]
        self.lines = [line for log in self.logs for line in key_lines(log)]
        self.secrets = set().union(*(sample.secrets() for sample in samples))
        self.arguments = ("-o", "tcp.reassemble_out_of_order:TRUE")
        self.keys = tshark.hand_over(self._write("all.keys", "\n".join([*self.lines, ""]).encode()))
        keytabs = [sample.keytab.read_bytes() for sample in samples if sample.keytab]
        if keytabs:
            # 0x0502, the version, and entries.
            keytab = self._write("all.keytab", b"\5\2" + b"".join(octets[2:] for octets in keytabs))
            self.arguments += ("-o", "kerberos.decrypt:TRUE", "-o", f"kerberos.file:{tshark.hand_over(keytab)}")

    def _write(self, name, octets):
        path = self.folder / name
        path.write_bytes(octets)
        return path


@pytest.fixture(scope="module", params=["curve", "gssapi"])
def pile(tshark, request):
    made = Pile(tshark, [sample for sample in SAMPLES if bool(sample.keytab) == (request.param == "gssapi")])
    yield made
    shutil.rmtree(made.folder)


@pytest.mark.parametrize("form", EVERYTHING)
def test_no_secret_of_any_capture_is_in_any_output(tshark, folder, pile, form):
    used = Meter(tshark)(pile.capture, *EVERYTHING[form], *pile.arguments, keys=pile.keys)
    assert len(used.output) > 10 << 20 and "main" in used.errors
    found = Search(pile.secrets, folder).found(used.output + used.errors)
    print(f"{form}: {used}, {len(used.output) >> 20} MiB searched for {len(pile.secrets)} secrets")
    assert not found, [secret.hex()[:8] for secret in found]


def test_everything_that_keys_open_was_dumped(tshark, pile):
    """Else nothing would have been searched."""
