# What scripts/bench measures: sets of data, dissectors, and runs of tshark with their processor time and memory.
# SPDX-License-Identifier: GPL-2.0-or-later
import dataclasses
import json
import os
import pathlib
import re
import shutil
import signal
import statistics
import subprocess
import sys
import threading
import time

SOURCE = pathlib.Path(__file__).resolve().parent.parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(SOURCE / "test-captures"))

from tshark import NOBODY, Tshark  # noqa: E402  pylint: disable=wrong-import-position

PORT = 5590  # the generator's; no dissector of Wireshark has it
KIBIBYTE, MEBIBYTE = 1 << 10, 1 << 20
LOOPBACK_SEGMENT = 65483


class Failure(Exception):
    pass


def octets(number):
    for unit, name in ((MEBIBYTE, "MB"), (KIBIBYTE, "kB")):
        if number >= unit:
            return f"{round(number / unit, 1):g} {name}"
    return f"{number} octets"


@dataclasses.dataclass(frozen=True)
class Set:
    """One capture: what the generator is told."""
    name: str
    mechanism: str
    count: int  # in each connection
    size: int = 32
    connections: int = 1
    segment: int = 1448
    pack: int = 0
    split: int = 0
    builtin_fails: bool = False  # it loses step where a segment ends within the header of a long frame

    @property
    def has_keys(self):
        return self.mechanism == "CURVE"

    @property
    def about(self):
        what = f"{self.mechanism}, "
        if self.connections > 1:
            what += f"{self.connections:,} connections x "
        what += f"{self.count:,} x {octets(self.size)}"
        if self.pack or self.segment != 1448:
            what += f", {self.pack} a segment" if self.pack else f" in segments of {self.segment}"
        return what + (f", headers cut after {self.split}" if self.split else "")

    @property
    def messages(self):
        return self.count * self.connections

    def options(self):
        names = ("mechanism", "count", "size", "connections", "segment", "pack", "split")
        return [f"--{name}={getattr(self, name)}" for name in names]

    def scaled(self, divisor):
        """The same with fewer messages: fewer connections where it has many, smaller ones where it has one."""
        if self.connections > 1:
            return dataclasses.replace(self, connections=max(1, self.connections // divisor))
        if self.count > 1:
            return dataclasses.replace(self, count=max(1, self.count // divisor))
        return dataclasses.replace(self, size=max(1, self.size // divisor))


SETS = {one.name: one for one in (
    Set("a", "NULL", 1_000_000),
    Set("b", "NULL", 200_000, 1024, builtin_fails=True),
    Set("c", "CURVE", 1_000_000),
    Set("d", "CURVE", 200_000, 1024, builtin_fails=True),
    Set("e", "CURVE", 2_000, 64 * KIBIBYTE),
    Set("f", "CURVE", 10, connections=10_000),
    Set("g", "CURVE", 1, 64 * MEBIBYTE),
    Set("h", "CURVE", 250_000, pack=1),
    Set("l", "CURVE", 800_000, segment=LOOPBACK_SEGMENT),
)}


@dataclasses.dataclass(frozen=True)
class Dissector:
    """Who dissects, and how tshark is told."""
    name: str
    protocol: str  # for Decode As and -Y; its fields begin with it
    plugins: str
    data: str  # the field with the payload of a message
    length: str = ""  # the field that each frame has
    extra: tuple = ()


@dataclasses.dataclass
class Run:
    """What a run took. Of one that failed only `failed` says something."""
    cpu: float = 0.0  # seconds, user and system
    peak: float = 0.0  # MiB
    output: str = ""
    errors: str = ""
    failed: str = ""


@dataclasses.dataclass(frozen=True)
class Data:
    """A capture, and what the generator says is in it."""
    set: Set
    capture: str
    keys: str
    packets: int
    frames: int
    body_octets: int


def build(folder):
    """Builds the plugin, the floor and the generator."""
    log = folder / "bench.log"
    folder.mkdir(parents=True, exist_ok=True)
    configure = ["cmake", "-S", SOURCE, "-B", folder, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=RelWithDebInfo",
                 "-DZMTP_BENCH=ON", "-DZMTP_WERROR=ON", "-DBUILD_TESTING=OFF"]
    with log.open("w") as out:
        for command in (configure, ["cmake", "--build", folder]):
            if subprocess.run(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, check=False).returncode:
                out.flush()
                raise Failure(f"cannot build, see {log}:\n{log.read_text()[-3000:]}")


class Bench:
    """The dissectors, ready to run, and the captures that were made."""

    def __init__(self, build_folder, data_folder=None, limit=300, lua=None, lua_fields=(), other=None):
        self.build = build_folder
        self.limit = limit
        self.tool = Tshark(build_folder / "plugins")
        self.series = tuple(map(int, self.tool.series.split(".")))
        self.data_folder = pathlib.Path(data_folder or self.tool.folder / "data").absolute()
        self.data_folder.mkdir(parents=True, exist_ok=True)
        self.made = {}
        self.counted = {}
        none = self.tool.folder / "none"
        none.mkdir()
        self.plugin = Dissector("plugin", "zmtp", self.tool.environment["WIRESHARK_PLUGIN_DIR"], "zmtp.data",
                                "zmtp.length")
        self.floor = Dissector("floor", "zmtpfloor", self._give(build_folder / "floor", "floor"), "zmtpfloor.data",
                               "zmtpfloor.length")
        self.tcp = Dissector("tcp", "data", str(none), "data.len")
        self.builtin = Dissector("built-in", "zmtp", str(none), "zmtp.data", "zmtp.length")
        self.lua = Dissector("lua", "zmtp", str(none), lua_fields[1], lua_fields[0],
                             ("-X", f"lua_script:{self.tool.give(lua)}")) if lua else None
        self.other = dataclasses.replace(self.plugin, name="other", plugins=self._give(other / "plugins", "other")) \
            if other else None

    def _give(self, folder, name):
        """A folder where tshark's user can read it."""
        if not list(folder.rglob("*.so")):
            raise Failure(f"{folder}: no plugin in it")
        return str(shutil.copytree(folder, self.tool.folder / name)) if self.tool.as_root else str(folder.absolute())

    def remove(self):
        self.tool.remove()

    # ---- Data ----

    def generate(self, what):
        """The capture of a set, made anew unless the folder for data has it."""
        if what not in self.made:
            options = [option.partition("=")[2] for option in what.options()]
            path = self.data_folder / ("-".join(options) + ".pcap")
            facts = path.with_suffix(".json")
            if not facts.exists():
                done = subprocess.run([self.build / "zmtp-generate", *what.options(), path], capture_output=True,
                                      text=True, check=False)
                if done.returncode:
                    raise Failure(done.stderr.strip())
                facts.write_text(done.stdout)
            self.made[what] = self._data(what, path, json.loads(facts.read_text()))
        return self.made[what]

    def _data(self, what, path, facts):
        path.chmod(0o644)
        keys = ""
        if what.has_keys:
            keys = str(shutil.copy(path.with_suffix(".keys"), self.tool.folder / f"{path.stem}.keys"))
            self.tool.hand_over(pathlib.Path(keys))
        if self.tool.as_root and subprocess.run(
                ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "test", "-r", path],
                check=False).returncode:
            raise Failure(f"{path}: tshark, which runs as nobody, cannot read it; choose another folder for data")
        return Data(what, str(path), keys, facts["packets"], facts["commands"] + facts["messages"],
                    facts["body_octets"])

    def forget(self, what):
        """Removes a capture, unless it is to be kept."""
        data = self.made.pop(what)
        if self.tool.folder in pathlib.Path(data.capture).parents:
            for path in pathlib.Path(data.capture).parent.glob(f"{pathlib.Path(data.capture).stem}.*"):
                path.unlink()

    # ---- Runs ----

    def arguments(self, dissector, data, keys, decode_as=True):
        arguments = ["-n", *dissector.extra, "-r", data.capture]
        if decode_as:
            arguments += ["-d", f"tcp.port=={PORT},{dissector.protocol}"]
        if keys and dissector in (self.plugin, self.other):
            arguments += ["-o", f"zmtp.keylog_file:{data.keys}"]
        return arguments

    def command(self, dissector, data, keys, arguments, program="tshark"):
        """The whole command line, as the user who may load plugins."""
        usual = self.tool.environment
        self.tool.environment = {**usual, "WIRESHARK_PLUGIN_DIR": dissector.plugins}
        if keys and dissector is self.floor:
            self.tool.environment["ZMTP_FLOOR_KEYS"] = data.keys
        try:
            return self.tool._command(arguments, None, program)  # pylint: disable=protected-access
        finally:
            self.tool.environment = usual

    def run(self, command, keep_output=True):
        """Runs a command to its end, or to the end of our patience."""
        out_path, errors_path = self.tool.folder / "out", self.tool.folder / "errors"
        with open(out_path if keep_output else os.devnull, "wb") as out, errors_path.open("wb") as errors:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=errors,
                                       cwd=self.tool.folder)
        late = threading.Event()

        def end():
            late.set()
            process.send_signal(signal.SIGKILL)
        timer = threading.Timer(self.limit, end)
        timer.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            raise
        finally:
            timer.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        said = errors_path.read_text(errors="replace")
        run = Run(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024,
                  out_path.read_text(errors="replace") if keep_output else "", said)
        if late.is_set():
            run.failed = f"not ready after {self.limit} s"
        elif process.returncode:
            run.failed = f"ended with {process.returncode}: {said[-300:].strip()}"
        return run

    def measure(self, dissector, data, tree, keys, decode_as=True):
        arguments = self.arguments(dissector, data, keys, decode_as)
        if tree:
            # What is printed should be as much for all, and with a box in place of a payload is not.
            field = dissector.length if dissector is self.lua and data.set.has_keys else dissector.data
            arguments += ["-T", "fields", "-Y", dissector.protocol, "-e", field]
        else:
            arguments += ["-q", "-z", "io,stat,0"]
        run = self.run(self.command(dissector, data, keys, arguments), keep_output=not tree)
        if not run.failed and run.errors.strip():
            run.failed = f"said: {run.errors.strip()[-300:]}"
        # Wireshark 4.6 ends with 0 where it was stopped, so the table must be there, with all packets.
        if not tree and not run.failed and not re.search(rf"\| *{data.packets} +\|", run.output):
            run.failed = "did not read all packets"
        return run

    def count(self, dissector, data, keys, decode_as=True, passes=1):
        """What is wrong with the frames that a dissector shows: their number, lengths and payloads. "" if nothing."""
        key = dissector, data, keys, decode_as, passes
        if key not in self.counted:
            self.counted[key] = self._count(*key)
        return self.counted[key]

    def _count(self, dissector, data, keys, decode_as, passes):
        arguments = [*self.arguments(dissector, data, keys, decode_as), *(["-2"] if passes == 2 else []), "-T",
                     "fields", "-Y", dissector.protocol, "-e", dissector.length, "-e", dissector.data]
        process = subprocess.Popen(self.command(dissector, data, keys, arguments), stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=self.tool.folder)
        timer = threading.Timer(self.limit, process.kill)
        timer.start()
        frames = octets = messages = payload = 0
        try:
            for line in process.stdout:
                lengths, _, payloads = line.rstrip(b"\n").partition(b"\t")
                if lengths:
                    frames += lengths.count(b",") + 1
                    octets += sum(map(int, lengths.split(b",")))
                if payloads:
                    separators = payloads.count(b",")
                    messages += separators + 1
                    payload += (len(payloads) - separators) // 2
            process.wait()
        finally:
            process.kill()  # nothing, where it has ended
            process.stdout.close()
            late = not timer.is_alive()
            timer.cancel()
        if late:
            return f"not ready after {self.limit} s"
        if process.returncode:
            return f"ended with {process.returncode}"
        if (frames, octets) != (data.frames, data.body_octets):
            return f"{frames:,} frames with {octets:,} octets, not {data.frames:,} with {data.body_octets:,}"
        if dissector in (self.builtin, self.lua):
            return ""  # they have other fields
        readable = data.set.messages if keys or not data.set.has_keys else 0
        if (messages, payload) != (readable, readable * data.set.size):
            return f"{messages:,} payloads with {payload:,} octets, not {readable:,} with " \
                   f"{readable * data.set.size:,}"
        return ""


def interleaved(runs, measurements, progress=None):
    """{name: [Run]} of measurements {name: function}, each in turn, `runs` times: what disturbs disturbs all alike.

    One that failed is not tried again."""
    results = {name: [] for name in measurements}
    for number in range(runs):
        for name, measure in measurements.items():
            if results[name] and results[name][-1].failed:
                continue
            if progress:
                progress(f"{name} {number + 1}/{runs}")
            results[name].append(measure())
    return results


def failure(runs):
    return next((run.failed for run in runs if run.failed), "")


def median(runs, what):
    return statistics.median(getattr(run, what) for run in runs)


def ratios(runs, others):
    """Pair by pair: (median, least, most) of the processor time of runs to that of others."""
    pairs = [one.cpu / other.cpu for one, other in zip(runs, others)]
    return statistics.median(pairs), min(pairs), max(pairs)


def machine():
    """What stands above the table."""
    def first(pattern, text):
        found = re.search(pattern, text, re.MULTILINE)
        return found.group(1).strip() if found else "?"

    def said(*command):
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout
    memory = first(r"^MemTotal: *(\d+)", pathlib.Path("/proc/meminfo").read_text())
    return {
        "processor": first(r"^model name\s*: (.*)$", pathlib.Path("/proc/cpuinfo").read_text()),
        "cores": os.cpu_count(),
        "memory": f"{round(int(memory) / MEBIBYTE)} GB",
        "system": first(r'^PRETTY_NAME="(.*)"', pathlib.Path("/etc/os-release").read_text()),
        "tshark": first(r"^TShark \(Wireshark\) (\d+\.\d+\.\d+)", said("tshark", "--version")),
        "libsodium": said("pkg-config", "--modversion", "libsodium").strip(),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
    }
