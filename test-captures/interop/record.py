#!/usr/bin/python3
# Records two implementations' peers with each other, for each mechanism and direction: see README.md.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Record the captures in which one installed implementation takes part."""

import argparse
import json
import multiprocessing
import os
import pathlib
import subprocess
import sys
import tempfile
import traceback

HERE = pathlib.Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "record"))

import harness  # noqa: E402
import network  # noqa: E402
import patterns  # noqa: E402
from peer import ANSWER_S, Failed, Peer, Unsupported, installed  # noqa: E402

KEY_LOGGER = HERE.parent.parent / "decrypt" / "keylogger" / "zmtpkeylog.c"
MECHANISMS = ("null", "plain", "curve")
# JeroMQ sometimes connects and then says nothing: what fails each time is what fails.
ATTEMPTS = 3
# No Wireshark dissector owns a port here; each pattern has one.
FIRST_PORT = 28100
# How long to wait for what does not come, where the harness waits: as long as for a peer's answer.
harness.TIMEOUT_MS = ANSWER_S * 1000


class Capture:
    """One mechanism, one listening and one connecting implementation, all patterns one after another."""

    def __init__(self, mechanism, listener, connector, server="listener"):
        self.mechanism = mechanism
        self.listener, self.connector = listener, connector
        self.server = server
        self.patterns = patterns.PATTERNS if server == "listener" else patterns.ALSO_REVERSED
        self.name = f"{mechanism}-{listener.name}-{connector.name}"
        if server == "connector":
            self.name += "-server-connects"
        owner = connector if listener.name == "libzmq" else listener
        self.folder = HERE / f"{owner.name}-{owner.version}"
        self.results = []
        # Where libzmq meets an independent implementation. Elsewhere the captures shall stay small.
        self.large = "libzmq" in (listener.name, connector.name) and bool(listener.libzmq) != bool(connector.libzmq)
        # Has any message arrived yet?
        self.arrived = False

    def about(self):
        text = f"{self.mechanism.upper()}: {self.connector.name} connects to {self.listener.name}"
        return text + (" and is the security server" if self.server == "connector" else "")

    def record(self, preload):
        """Returns what to tell the user."""
        before = None
        for _ in range(ATTEMPTS):
            wrong = self._record(preload)
            failed = [result["pattern"] for result in self.results if result["result"].startswith("failed")]
            if failed in ([], before):
                break
            before = failed
        if all(result["result"].startswith("unsupported") for result in self.results):
            return f"left out {self.name}: {self.results[0]['result']}"
        return f"recorded {self.name}" + "".join(f"\n         {line}" for line in wrong)

    def _record(self, preload):
        """Record and write it once. Returns what is not as it should be."""
        self.results = []
        self.arrived = False
        network.new_namespace()
        # Twelve octets less in each packet, and no repetition of what was only not yet acknowledged.
        for setting in ("tcp_timestamps", "tcp_early_retrans"):
            (pathlib.Path("/proc/sys/net/ipv4") / setting).write_text("0", encoding="ascii")
        with tempfile.TemporaryDirectory() as folder:
            run = harness.Run(harness.Scenario(self.name, None, self.about(), self.mechanism), folder)
            try:
                run.start_capture()
                for number, pattern in enumerate(self.patterns.values()):
                    self.results.append(self._pattern(run, pattern, FIRST_PORT + number, preload))
                    if self.results[-1]["result"].startswith("failed") and not self.arrived:
                        # These two do not understand each other, and may fill the capture with attempts.
                        break
                run.settle()
                run.stop_capture()
            finally:
                run.abandon()
            if not all(result["result"].startswith("unsupported") for result in self.results):
                self._write(run)
        return [f"{result['pattern']} {result['result']}" for result in self.results if result["result"] != "passed"]

    def _pattern(self, run, pattern, port, preload):
        options = {"listener": {}, "connector": dict(pattern.connector_options)}
        for side in options:
            options[side].update(self._security(run, side == self.server))
        endpoint = f"tcp://127.0.0.1:{port}"

        def peer(implementation, side, role, kind):
            return Peer(implementation, role, kind, endpoint, options[side],
                        {"LD_PRELOAD": preload, "ZMTPKEYLOGFILE": f"{run.folder}/{side}.keys"})

        result, talk = "passed", None
        try:
            with peer(self.listener, "listener", "listen", pattern.types[0]) as listener:
                listener.wait_until_ready()
                begun = run.packets()
                with peer(self.connector, "connector", "connect", pattern.types[1]) as connector:
                    connector.wait_until_ready()
                    talk = patterns.Talk(run, begun, listener, connector, self.large)
                    pattern.function(talk)
                    # The client first, and wholly: one that sees its server go would come again.
                    connector.close()
                    listener.close()
        except Unsupported as error:
            result = f"unsupported: {error}"
        except (Failed, harness.Failed) as error:
            result = f"failed: {error}"
        self.arrived = self.arrived or bool(talk and talk.arrived)
        logs = {name: getattr(talk, name, []) for name in ("up", "down", "filtered")}
        return {
            "pattern": pattern.name, "port": port,
            "listener_type": pattern.types[0], "connector_type": pattern.types[1], "result": result,
            **{name: [[harness.frame_entry(frame) for frame in message] for message in messages]
               for name, messages in logs.items() if messages or name != "filtered"}}

    def _security(self, run, server):
        options = {"mechanism": self.mechanism}
        if server:
            options["server"] = 1
        if self.mechanism == "plain":
            options["username"], options["password"] = (word.decode() for word in run.credentials())
        if self.mechanism == "curve":
            pair = run.server_keys if server else run.new_keys()
            options["public"], options["secret"] = (key.decode() for key in pair)
            options["server_key"] = run.server_keys[0].decode()
        return options

    def _write(self, run):
        self.folder.mkdir(exist_ok=True)
        keys = {side: run.folder / f"{side}.keys" for side in ("listener", "connector")}
        keys_from = next((side for side, file in keys.items() if file.exists()), None)
        lines = keys[keys_from].read_text(encoding="ascii").splitlines() if keys_from else []
        harness.put(self.folder / f"{self.name}.pcap", run.capture_file.read_bytes())
        (self.folder / f"{self.name}.keys").unlink(missing_ok=True)
        if lines:
            harness.put_lines(self.folder / f"{self.name}.keys", lines)
        secrets = [harness.as_hex(pair[1]) for pair in run.permanent_keys] + [line.split()[-1] for line in lines]
        description = {
            "about": self.about(),
            "made_by": f"interop/record.py {self.listener.name} {self.connector.name}",
            "mechanism": self.mechanism,
            "listener": self.listener.described(),
            "connector": self.connector.described(),
            "security_server": self.server if self.mechanism != "null" else None,
            "has_keys": bool(lines),
            "keys_from": keys_from,
            "patterns": self.results,
            "secrets": secrets if self.mechanism == "curve" else [],
        }
        (self.folder / f"{self.name}.json").write_text(in_lines(description), encoding="ascii")


def in_lines(description):
    """JSON with a line for each entry and each pattern: short, and its differences can be read."""
    def entry(value):
        if isinstance(value, list) and value:
            return "[\n  " + ",\n  ".join(json.dumps(item) for item in value) + "]"
        return json.dumps(value)
    return "{\n" + ",\n".join(f' "{key}": {entry(value)}' for key, value in description.items()) + "\n}\n"


def record_one(capture, preload):
    try:
        return capture.record(preload)
    except Exception:
        return f"FAILED   {capture.name}: {traceback.format_exc()}"


def left_out(one, other):
    """A program around libzmq says what libzmq says: one of them is enough for the independent implementations."""
    if one is other or "libzmq" in (one.name, other.name):
        return False
    around_libzmq = [each.name for each in (one, other) if each.libzmq]
    return around_libzmq not in ([], ["zeromq.js"])


def captures_of(name, others, implementations):
    """Every capture of an implementation with itself and the others, in both directions."""
    chosen = []
    for other in others:
        if left_out(implementations[name], implementations[other]):
            continue
        pairs = [(name, other)] if other == name else [(name, other), (other, name)]
        for listener, connector in pairs:
            for mechanism in MECHANISMS:
                chosen.append(Capture(mechanism, implementations[listener], implementations[connector]))
            if "libzmq" in (listener, connector):
                chosen += [Capture(mechanism, implementations[listener], implementations[connector], "connector")
                           for mechanism in ("plain", "curve")]
    return chosen


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", metavar="NAME", help="an implementation: a folder in peers/")
    parser.add_argument("others", nargs="*", metavar="OTHER", help="record it with these only")
    parser.add_argument("--install", action="store_true", help="only say that it is installed")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="captures at the same time (default: 2)")
    return parser.parse_args()


def main():
    options = arguments()
    if "libzmq" not in installed():
        subprocess.run([HERE / "peers/libzmq/record", "--install"], check=True)
    implementations = installed()
    missing = [name for name in [options.name, *options.others] if name not in implementations]
    if missing:
        print(f"record.py: not installed: {' '.join(missing)}; run peers/NAME/record", file=sys.stderr)
        return 2
    if options.install:
        print(f"installed {options.name} {implementations[options.name].version}")
        return 0
    if os.geteuid() != 0:
        print("record.py: needs root (it makes network namespaces and runs tcpdump).", file=sys.stderr)
        return 2
    failed = False
    with tempfile.TemporaryDirectory() as folder, multiprocessing.Pool(options.jobs) as pool:
        preload = f"{folder}/libzmtpkeylog.so"
        subprocess.run(["gcc", "-std=gnu11", "-O2", "-fPIC", "-shared", "-fvisibility=hidden",
                        "-o", preload, KEY_LOGGER],
                       check=True)
        chosen = captures_of(options.name, options.others or list(implementations), implementations)
        for result in [pool.apply_async(record_one, (capture, preload)) for capture in chosen]:
            text = result.get()
            print(text, flush=True)
            failed = failed or text.startswith("FAILED")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
