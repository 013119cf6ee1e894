# The captures of the corpus and what their applications sent (NAME.json); see README.md for the format.
# SPDX-License-Identifier: GPL-2.0-or-later
import functools
import hashlib
import json
import pathlib

HERE = pathlib.Path(__file__).parent


class Sample:
    """One capture and what is known about it."""

    def __init__(self, description):
        self.json = json.loads(description.read_text())
        self.base = description.with_suffix("")
        self.id = str(self.base.relative_to(HERE))
        self.capture = next(self.with_ending(end) for end in (".pcap", ".pcapng") if self.with_ending(end).exists())
        self.keys = self.with_ending(".keys")
        self.has_keys = self.json.get("has_keys", self.keys.exists())
        self.keytab = self.with_ending(".keytab") if self.json.get("keytab") else None
        self.can_be_opened = self.json.get("can_be_opened", True)  # Wireshark cannot open every kind of token
        self.stranger = self.json.get("stranger")  # the Protocol column of a visitor who does not speak ZMTP
        self.port = self.json["port"]
        self.whole = self.json["whole"]
        self.complete = self.json["handshake"] == "complete"
        self.streams = self.json["streams"]

    def with_ending(self, ending):
        return self.base.with_name(self.base.name + ending)

    @property
    def opened_by(self):
        """The file that opens what is protected: a key log, a keytab, or None."""
        return self.keytab or (self.keys if self.has_keys else None)

    @property
    def arguments(self):
        """What this capture needs on tshark's command line besides its keys."""
        arguments = [word for name, value in self.json.get("options", {}).items() for word in ("-o", f"{name}:{value}")]
        if self.json.get("decode_as"):
            arguments += ["-d", self.json["decode_as"]]
        return tuple(arguments)

    def secrets(self):
        """Every secret of the run, as octets: what must never be shown."""
        secrets = {bytes.fromhex(secret) for secret in self.json.get("secrets", [])}
        for file in self.base.parent.glob(self.base.name + "*.keys"):
            secrets |= {key_octets(line.split()[-1]) for line in key_lines(file)}
        return secrets


@functools.lru_cache
def all_captures():
    return [Sample(path) for path in sorted(HERE.glob("*/*.json")) if not path.name.endswith(".expect.json")]


def key_lines(path):
    lines = path.read_text().splitlines()
    return [line for line in lines if line.strip() and not line.startswith("#")]


Z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"


def z85(octets):
    """RFC 32."""
    groups = (int.from_bytes(octets[start:start + 4], "big") for start in range(0, len(octets), 4))
    return "".join(Z85[group // 85 ** power % 85] for group in groups for power in (4, 3, 2, 1, 0))


def key_octets(text):
    """A key as a key log writes it, 64 hex digits or 40 Z85 characters."""
    if len(text) == 64:
        return bytes.fromhex(text)
    values = [Z85.index(character) for character in text]
    groups = [sum(value * 85 ** (4 - place) for place, value in enumerate(values[start:start + 5]))
              for start in range(0, len(values), 5)]
    return b"".join(group.to_bytes(4, "big") for group in groups)


def same_frame(seen, sent, cut=False):
    """Is the frame that tshark showed the one that was sent? cut: it may lack its end."""
    if isinstance(sent, str):
        octets = bytes.fromhex(sent)
        return octets.startswith(seen) if cut else octets == seen
    if cut and len(seen) < sent["len"]:
        return True
    return len(seen) == sent["len"] and hashlib.sha256(seen).hexdigest() == sent["sha256"]


def same_frames(seen, sent):
    return len(seen) == len(sent) and all(map(same_frame, seen, sent))


def is_part_of(seen, sent):
    """Are the seen frames some of the sent ones, in that order?"""
    remaining = iter(sent)
    return all(any(same_frame(frame, candidate, cut=True) for candidate in remaining) for frame in seen)
