# What zmtp-capture says of a capture: how many ZMTP connections are in it, how many can be decrypted, what to do next.
# SPDX-License-Identifier: GPL-2.0-or-later
import json
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from zmtp_common import several

NOBODY = 65534
FAILURES_SHOWN = 5
DROP_PRELOAD = {"sudo", "su", "doas", "pkexec"}


class Unreadable(Exception):
    """Why tshark could not read the capture."""


def run_tool(command, **keywords):
    """Runs a program of ours. It gets the signals that zmtp-capture holds back."""
    return subprocess.run(command, capture_output=True, text=True, errors="replace", check=False,
                          preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_SETMASK, ()), **keywords)


def dissect(capture, keys, build):
    """What tshark with our plugin sees: lines of (TCP stream, mechanism, command names, whether CURVE boxes and GSSAPI
    tokens opened), and the connections of its table (../plugin/STATISTICS.md)."""
    as_nobody = os.geteuid() == 0  # as root, tshark loads no plugin from a build folder
    # nobody must be able to enter the folder: root's own temporary folder ($TMPDIR) may be closed to others.
    with tempfile.TemporaryDirectory(prefix="zmtp-capture-", dir="/tmp" if as_nobody else None) as name:
        folder = Path(name)
        shutil.copytree(build / "plugins", folder / "plugins")
        (folder / "home").mkdir()
        command = ["tshark", "-n", "-r", "-", "-z", "zmtp,connections,json", "-Y", "zmtp", "-T", "fields"]
        for field in ("tcp.stream", "zmtp.mechanism", "zmtp.command-name", "zmtp.curvezmq.decrypted",
                      "zmtp.gssapi.decrypted"):
            command += ["-e", field]
        if keys:
            shutil.copyfile(keys, folder / "keys")
            (folder / "keys").chmod(0o600)
            command += ["-o", f"zmtp.keylog_file:{folder / 'keys'}"]
        if as_nobody:
            for path in filter(Path.exists, (folder / "home", folder / "keys")):
                os.chown(path, NOBODY, NOBODY)
            folder.chmod(0o711)
            for path in (folder / "plugins", *(folder / "plugins").rglob("*")):
                path.chmod(0o755)
            command = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *command]
        environment = {**os.environ, "HOME": str(folder / "home"), "XDG_CONFIG_HOME": str(folder / "home"),
                       "TMPDIR": str(folder / "home"), "WIRESHARK_PLUGIN_DIR": str(folder / "plugins"),
                       "LC_ALL": "C.UTF-8"}
        with open(capture, "rb") as file:
            done = run_tool(command, stdin=file, env=environment, cwd=folder)
    if done.returncode in (-signal.SIGINT, -signal.SIGQUIT, -signal.SIGTERM):
        raise Unreadable("interrupted: the capture is whole, but not looked through")
    if done.returncode:
        reasons = done.stderr.strip().splitlines()[-5:] or [f"exit status {done.returncode}"]
        raise Unreadable("\n".join(["tshark cannot read the capture:", *reasons]))
    lines = done.stdout.splitlines()
    return ([line.split("\t") for line in lines if not line.startswith("{")],
            [json.loads(line) for line in lines if line.startswith("{")])


class Connection:
    def __init__(self):
        self.mechanisms = set()
        self.commands = set()
        self.closed = self.opened = False  # boxes under the session key that were not, that were opened
        self.sealed = False  # there are encrypted GSSAPI tokens

    def see(self, mechanism, commands, decrypted, token_decrypted):
        names = set(filter(None, commands.split(",")))
        self.mechanisms |= set(filter(None, mechanism.split(",")))
        self.commands |= names
        self.sealed |= bool(token_decrypted)
        if decrypted:
            self.mechanisms.add("CURVE")
            if {"INITIATE", "READY", "MESSAGE"} & names:
                opened = {"1", "True"} & set(decrypted.split(","))
                self.opened |= bool(opened)
                self.closed |= not opened

    def mechanism(self):
        return "CURVE" if "CURVE" in self.mechanisms else "/".join(sorted(self.mechanisms)) or "without a mechanism"


class Report:
    """What can be said of that which dissect() gives."""

    def __init__(self, lines, rows):
        connections = {}
        for stream, *what in lines:
            connections.setdefault(stream, Connection()).see(*what)
        self.connections = connections
        self.curve = {stream: connection for stream, connection in connections.items()
                      if connection.mechanism() == "CURVE"}
        self.opened = sum(connection.opened for connection in self.curve.values())
        self.closed = [stream for stream, connection in self.curve.items()
                       if connection.closed and not connection.opened]
        self.sealed = sum(connection.sealed for connection in connections.values())
        self.failed = [row for row in rows if row["type"] == "connection" and row["outcome"] == "failed"]

    def kinds(self):
        names = [connection.mechanism() for connection in self.connections.values()]
        kinds = ", ".join(f"{names.count(name)} {name}" for name in sorted(set(names)))
        return several(len(names), "ZMTP connection") + (f": {kinds}" if kinds else "")

    def of_curve(self, out, command):
        """Sentences about the CURVE connections."""
        if not self.curve:
            return
        yield f"{self.opened} of {several(len(self.curve), 'CURVE connection')} can be decrypted"
        early = len(self.curve) - self.opened - len(self.closed)
        if early:
            yield f"{early} ended before anything was sent under a session key"
        if self.closed:
            yield f"no key for tcp.stream {', '.join(self.closed[:10])}{' ...' if len(self.closed) > 10 else ''}: " \
                "neither side logged its keys (zmtp-capture -h says which programs can). Connections of other " \
                "programs? -f and -i leave them out"
            if command and os.path.basename(command[0]) in DROP_PRELOAD:
                yield f"{os.path.basename(command[0])} drops LD_PRELOAD, so that no keys are logged: see " \
                    "zmtp-capture -h"

    def of_gssapi(self, out):
        """The same about the GSSAPI connections, whose keys are in their tickets."""
        if self.sealed:
            yield f"{several(self.sealed, 'GSSAPI connection')} can be decrypted with the service's keytab:\n" \
                f"  tshark -r {shown(out)} -o kerberos.decrypt:TRUE -K service.keytab -Y zmtp.data"

    def of_failures(self, out):
        """Why connections did not come up."""
        if not self.failed:
            return
        yield f"{several(len(self.failed), 'connection')} did not come up:"
        for row in self.failed[:FAILURES_SHOWN]:
            yield f"  tcp.stream {row['stream']}: {row['what']}. {row['advice']}"
        if len(self.failed) > FAILURES_SHOWN:
            yield f"  and {len(self.failed) - FAILURES_SHOWN} more: tshark -q -r {shown(out)} -z zmtp,connections"

    def filter(self):
        """What shows the messages; where none can be read, what shows the connections."""
        return "zmtp.data" if self.opened or len(self.curve) + self.sealed < len(self.connections) else "zmtp"


def no_zmtp(status, logged):
    """Why there may be none, when COMMAND ended with this status, and keys were logged or not."""
    if logged:
        return "no ZMTP at all, but keys were logged: was it ipc://, which never reaches the network? Or was the " \
            "traffic on other interfaces (-i), or outside the filter (-f)?"
    if status:
        return f"no ZMTP at all; the command ended with status {status}"
    return "no ZMTP at all: was the traffic on other interfaces (-i), or outside the filter (-f)? ipc:// and " \
        "inproc:// never reach the network"


def shown(path):
    return shlex.quote(os.path.relpath(path))


def next_command(out, keys, display_filter, build):
    """What to type next."""
    # Only our plugin knows this field. (tshark -G plugins would run other programs too, which may hang.)
    installed = run_tool(["tshark", "-r", out, "-c", "1", "-Y", "zmtp.curvezmq.key_source"]).returncode == 0
    command = f"tshark -r {shown(out)} -Y {display_filter}"
    if keys:
        command += f" -o zmtp.keylog_file:{shown(keys)}"
    if installed:
        return command
    if os.geteuid() == 0:
        return f"cmake --install {shlex.quote(str(build))}; {command}"
    return f"WIRESHARK_PLUGIN_DIR={shlex.quote(str(build / 'plugins'))} {command}"
