# The peer programs that are installed, and one process of them: see README.md for what these read and write.
# SPDX-License-Identifier: GPL-2.0-or-later
import os
import pathlib
import select
import subprocess
import time

CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "zmtp-dissector/peers"
# A Java machine needs its time to start.
START_S = 15
# Shorter than a peer's own wait for a message: those that cannot talk shall not fill the capture with attempts.
ANSWER_S = 3


class Failed(Exception):
    """A peer did not do what it was told to."""


class Unsupported(Exception):
    """An implementation has no such mechanism, socket type or option."""


class Implementation:
    """An installed peer program."""

    def __init__(self, name):
        self.name = name
        self.program = CACHE / name / "peer"
        self.version, *libzmq = (CACHE / name / "version").read_text(encoding="ascii").split()
        self.libzmq = libzmq[0] if libzmq else None

    def described(self):
        return {"name": self.name, "version": self.version, **({"libzmq": self.libzmq} if self.libzmq else {})}


def installed():
    """The implementations whose `record` script has been run here, by name."""
    return {path.parent.name: Implementation(path.parent.name) for path in sorted(CACHE.glob("*/peer"))}


class Peer:
    """One socket in a process of its own. In a `with`, so that it never outlives the capture."""

    def __init__(self, implementation, role, kind, endpoint, options, environment):
        self.kind = kind
        self._said = b""
        self._process = subprocess.Popen(
            [implementation.program, role, kind, endpoint, *(f"{key}={value}" for key, value in options.items())],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, env={**os.environ, **environment})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with self._process:
            self._process.kill()

    def wait_until_ready(self):
        answer = self._answer(START_S)
        if answer.startswith("unsupported"):
            raise Unsupported(answer.partition(" ")[2])
        if answer != "ready":
            raise Failed(answer)

    def ask(self, command, *parts):
        """Give one command; its answer's parts."""
        words = [command, *(part.hex() or "-" for part in parts)]
        try:
            self._process.stdin.write(" ".join(words).encode() + b"\n")
        except BrokenPipeError:
            raise Failed(f"{command}: the peer has ended") from None
        answer, *got = self._answer(ANSWER_S).split(" ")
        if answer not in ("ok", "got"):
            raise Failed(f"{command}: " + " ".join([answer, *got]))
        return [b"" if word == "-" else bytes.fromhex(word) for word in got]

    def close(self):
        """Let it send what is left and end."""
        self._process.stdin.close()
        try:
            status = self._process.wait(START_S)
        except subprocess.TimeoutExpired:
            raise Failed("close: the peer does not end") from None
        if status != 0:
            raise Failed(f"close: the peer ended with status {status}")

    def _answer(self, seconds):
        deadline = time.monotonic() + seconds
        while b"\n" not in self._said:
            if not select.select([self._process.stdout], [], [], max(0, deadline - time.monotonic()))[0]:
                raise Failed(f"no answer within {seconds} s")
            more = os.read(self._process.stdout.fileno(), 65536)
            if not more:
                raise Failed("the peer has ended")
            self._said += more
        line, self._said = self._said.split(b"\n", 1)
        return line.decode()
