# Searches texts for secrets, in any form in which a program may have written one.
# SPDX-License-Identifier: GPL-2.0-or-later
"""A secret is searched for in pieces of 8 octets, so that a part of it is found too:

hexadecimal, upper or lower case, with anything usual between the digits; as octets, also where they were escaped
(\\xNN), converted to UTF-8, or dumped in lines with an offset; Z85; Base64, at any offset, in pieces of 16 octets.
Case does not count, not even in Z85 and Base64, where another case is another key: nobody writes so much by chance.
"""
import base64
import html
import re
import subprocess

from corpus import z85

PIECE = 8
DUMP_LINE = re.compile(r"^[0-9a-f]{4,8}  ((?:[0-9a-f]{2} ?){1,16})", re.MULTILINE)
ESCAPE = re.compile(r"\\x([0-9a-fA-F]{2})")
UNUSUAL = re.compile("[^\\t -~]")
SHORT = 1 << 20  # a text in which digits are looked for across the ends of lines too
BETWEEN_DIGITS = dict.fromkeys(map(ord, " \t:-,.;_'\""))


class Search:
    """Knows the secrets, given as octets; use found()."""

    def __init__(self, secrets, folder):
        self._folder = folder
        self._digits = {}  # hexadecimal digits: secret
        self._texts = {}
        for secret in secrets:
            for start in range(0, len(secret) - PIECE + 1, PIECE):
                self._learn_piece(secret, secret[start:start + PIECE])
            for start in range(0, len(secret) - 15, 16):
                for text in _base64(secret[start:start + 16]):
                    self._texts[text.lower()] = secret

    def _learn_piece(self, secret, piece):
        self._digits[piece.hex()] = secret
        self._digits[piece.decode("latin-1").encode().hex()] = secret
        self._texts[z85(piece).lower()] = secret

    def found(self, text):
        """The secrets that are somewhere in the text, which may hold surrogate escapes."""
        lines = list(dict.fromkeys(text.split("\n")))  # trees say the same again and again
        return self._grep(self._texts, _texts(lines)) | self._grep(self._digits, _digits(text, lines))

    def _grep(self, named, forms):
        needles, haystack = self._folder / "needles", self._folder / "haystack"
        needles.write_text("\n".join(named) + "\n")
        with open(haystack, "wb") as out:
            out.writelines(form.encode(errors="surrogateescape") + b"\n" for form in forms)
        done = subprocess.run(["grep", "-aoFf", needles, haystack], capture_output=True, text=True, errors="replace",
                              check=False, env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"})
        assert done.returncode in (0, 1), done.stderr
        needles.unlink()
        haystack.unlink()
        return {named[needle] for needle in done.stdout.split("\n") if needle in named}


def _base64(octets):
    """What is the same whatever stands around: whole groups of 6 bits, at each of three offsets."""
    for offset in range(3):
        text = base64.b64encode(bytes(offset) + octets).decode().rstrip("=")
        inner = text[(0, 2, 3)[offset]:-1]
        yield from {inner, inner.replace("+", "-").replace("/", "_")}


def _texts(lines):
    """Where Z85 and Base64 are looked for: as it is, and as it was before XML and JSON."""
    yield "\n".join(lines).lower()
    escaped = "\n".join(line for line in lines if "&" in line or "\\" in line)
    yield html.unescape(escaped).replace("\\/", "/").replace('\\"', '"').replace("\\\\", "\\").lower()


def _digits(text, lines):
    """Where hexadecimal digits are looked for; octets become digits, too."""
    joined = "\n".join(lines).lower().replace("0x", "").translate(BETWEEN_DIGITS)
    yield joined
    if len(text) < SHORT:
        yield joined.replace("\r", "").replace("\n", "")
    yield "".join(DUMP_LINE.findall(text)).replace(" ", "")
    unusual = text if len(text) < SHORT else "\n".join(filter(UNUSUAL.search, lines))
    yield unusual.encode(errors="surrogateescape").hex()
    escaped = "\n".join(line for line in lines if "\\x" in line)
    yield ESCAPE.sub(lambda match: chr(int(match[1], 16)), escaped).encode("latin-1", errors="replace").hex()
