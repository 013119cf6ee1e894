# Runs tshark with the plugin on one capture: its packets (-T json) and the table of connections.
# SPDX-License-Identifier: GPL-2.0-or-later
import json
import os
import re
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path

NOBODY = 65534
CAPTURES = tuple(name + end for name in (".pcap", ".pcapng", ".cap") for end in ("", ".gz", ".zst", ".lz4"))
# Captures have segments that came out of order; and two passes find what only the end of a connection shows.
ALWAYS = ("-n", "-2", "-o", "tcp.reassemble_out_of_order:TRUE", "-T", "json", "-x", "-J", "frame ip ipv6 tcp zmtp",
          "-Y", "zmtp || tcp.analysis.lost_segment || tcp.analysis.ack_lost_segment", "-z", "zmtp,connections,json")
KEYTAB_HEADER = 2  # octets
PACKET_ENDS = ("  },\n", "  }\n")


class CannotCheck(Exception):
    """Why a capture could not be checked."""


class Field:
    """One field of the tree: its name, what tshark shows, its octets in hexadecimal, and the fields below it."""

    __slots__ = ("name", "show", "raw", "children")

    def __init__(self, name, show, raw, children):
        self.name, self.show, self.raw, self.children = name, show, raw, children

    @property
    def octets(self):
        return bytes.fromhex(self.raw)

    def walk(self):
        yield self
        for child in self.children:
            yield from child.walk()


def _fields(pairs):
    """The pairs of a JSON object, in their order, as Fields: "NAME_raw" stands before NAME, "NAME_tree" behind."""
    found, raw = [], ""
    for name, value in pairs:
        if name.endswith("_raw"):
            raw = value[0] if isinstance(value[0], str) else ""
        elif name.endswith("_tree") and found and found[-1].name == name[:-5]:
            found[-1].children = _fields(value)
        else:
            below = isinstance(value, tuple)
            found.append(Field(name, "" if below else value, raw, _fields(value) if below else []))
            raw = ""
    return found


class Packet:
    """One packet: its layers, each a Field, in their order."""

    def __init__(self, pairs):
        self.layers = _fields(dict(dict(pairs)["_source"])["layers"])

    def show(self, layer, name):
        """The first field of this name in the layers of that name; None: there is none."""
        return next((field.show for top in self.layers if top.name == layer for field in top.walk()
                     if field.name == name), None)


def version():
    """Of tshark, such as "4.0.17"."""
    told = subprocess.run(["tshark", "-v"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"\d+\.\d+\.\d+", told)
    return found[0] if found else "unknown"


class Tshark:
    """tshark with the plugin: the one that is installed, or, with plugins, that of a build folder.

    As root, tshark loads no plugin of a build folder: then it runs as nobody, on copies. It reads no preferences of
    this user: these must not change a verdict."""

    def __init__(self, plugins=None, seconds=300):
        if not shutil.which("tshark"):
            raise CannotCheck("there is no tshark here: install it (Debian: apt install tshark)")
        if plugins and not any(Path(plugins).rglob("zmtp.so")):
            raise CannotCheck(f"{plugins}: there is no zmtp.so in or below this folder")
        self.seconds = seconds
        self.as_nobody = bool(plugins) and os.geteuid() == 0
        self._place = tempfile.TemporaryDirectory(prefix=f"zmtp-verify-{os.getpid()}-",
                                                  dir="/tmp" if self.as_nobody else None)
        self.folder = Path(self._place.name)
        (self.folder / "config" / "wireshark").mkdir(parents=True)
        self.environment = {**os.environ, "LC_ALL": "C.UTF-8", "TZ": "UTC",
                            "XDG_CONFIG_HOME": str(self.folder / "config")}
        if plugins and self.as_nobody:
            self.environment["HOME"] = str(self.folder / "config")
            plugins = shutil.copytree(plugins, self.folder / "plugins")
            for path in (self.folder, plugins, *plugins.rglob("*")):
                path.chmod(0o755)
        if plugins:
            self.environment["WIRESHARK_PLUGIN_DIR"] = str(Path(plugins).absolute())

    def close(self):
        self._place.cleanup()

    def read(self, capture, keys, options, take):
        """Calls take(Packet) for each packet with ZMTP, and returns the lines of the connection table.

        keys: paths of key logs and keytabs. options: more arguments of tshark. Raises CannotCheck, also after take was
        called."""
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            arguments = ["tshark", *ALWAYS, *options]
            # Copies, since the plugin warns of key files that others can read, and those of a checkout are.
            logs, tabs = ([path for path in keys if (path.suffix == ".keytab") == tab] for tab in (False, True))
            if logs:
                log = self._make(folder, "keys.log", b"\n".join(map(_octets, logs)))
                arguments += ["-o", f"zmtp.keylog_file:{log}"]
            if tabs:
                parts = [_octets(path) for path in tabs]
                tab = self._make(folder, "keytab", parts[0] + b"".join(part[KEYTAB_HEADER:] for part in parts[1:]))
                arguments += ["-o", "kerberos.decrypt:TRUE", "-o", f"kerberos.file:{tab}"]
            arguments += ["-r", self._give(folder, capture)]
            if self.as_nobody:
                os.chown(folder, NOBODY, NOBODY)
                arguments = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *arguments]
            return self._run(arguments, take)

    def _give(self, folder, capture):
        """The path under which tshark can read a capture: a copy where it runs as another user."""
        if not capture.is_file():
            capture.stat()
            raise CannotCheck(f"{capture} is no file")
        if not self.as_nobody:
            return capture.absolute()
        copy = Path(folder) / ("capture" + "".join(capture.suffixes[-2:]))
        shutil.copyfile(capture, copy)
        os.chown(copy, NOBODY, NOBODY)
        return copy

    def _make(self, folder, name, octets):
        """A file that tshark's user can read, and nobody else."""
        path = Path(folder) / name
        with open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            file.write(octets)
        if self.as_nobody:
            os.chown(path, NOBODY, NOBODY)
        return path

    def _run(self, arguments, take):
        with tempfile.TemporaryFile() as errors, \
                subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True,
                                 errors="replace", env=self.environment, cwd=self.folder) as process:
            limit = threading.Timer(self.seconds, process.kill)
            limit.start()
            try:
                rows = _read(process.stdout, take)
            except BaseException:
                process.kill()
                raise
            finally:
                status = process.wait()
                late = not limit.is_alive()
                limit.cancel()
            errors.seek(0)
            said = errors.read().decode(errors="replace")
        if late:
            raise CannotCheck(f"tshark took more than {self.seconds} seconds")
        if "zmtp,connections" in said:
            raise CannotCheck("this tshark does not have the plugin: install it (see README.md), or name the plugins "
                              "folder of a build with --plugins")
        if status or not rows:
            lines = [line for line in said.splitlines() if line.strip() and "This could be dangerous" not in line]
            raise CannotCheck("; ".join(lines[-3:]) or f"tshark ended with status {status}")
        return rows


def _octets(path):
    try:
        return path.read_bytes()
    except OSError as error:
        raise CannotCheck(f"{path} cannot be read: {error.strerror}") from error


def _read(lines, take):
    """Packets to take, the lines of the table as they come behind."""
    packet, rows = [], []
    for line in lines:
        if line == "  {\n":
            packet = [line]
        elif line in PACKET_ENDS:
            take(Packet(json.loads("".join(packet) + "}", object_pairs_hook=tuple)))
            packet = []
        elif packet:
            packet.append(line)
        elif line.startswith("{"):
            rows.append(json.loads(line))
    return rows
