# How fuzz-captures runs tshark on a bundle, in which ways, and what counts as a problem.
# SPDX-License-Identifier: GPL-2.0-or-later
import json
import re
import subprocess
import tempfile
import typing
import xml.parsers.expat
from pathlib import Path

MEMORY = 2 << 30  # octets of address space; a sanitized tshark may use as many of real memory
SECONDS, SLOW_SECONDS = 90, 400  # for a bundle; it takes some, ten times as many with sanitizers

FIELDS = ("frame.number", "_ws.col.Info", "zmtp", "zmtp.data", "zmtp.data.text", "zmtp.role", "zmtp.command-name",
          "zmtp.handshake.result", "zmtp.diagnosis")
OUTPUTS = {  # name: arguments of tshark
    "no tree": ("-q", "-z", "io,stat,0"),
    "tree": ("-V",),
    "fields": ("-T", "fields", *(word for field in FIELDS for word in ("-e", field))),
    "pdml": ("-T", "pdml"),
    "summary": ("-P",),
    "connections": ("-q", "-z", "zmtp,connections"),
    "json": ("-T", "json"),
    "octets": ("-V", "-x", "-P"),
    "connections as json": ("-q", "-z", "zmtp,connections,json"),
    "ek": ("-T", "ek"),
    "counts": ("-q", "-z", "zmtp,tree", "-z", "expert"),
    "filter": ("-Y", "zmtp && _ws.expert || zmtp.curvezmq.decrypted", "-z", "zmtp,connections,json,zmtp"),
}
EXTRAS = {
    "reassembled out of order": ("-o", "tcp.reassemble_out_of_order:TRUE"),
    "not reassembled": ("-o", "tcp.desegment_tcp_streams:FALSE"),
    "each port decoded as zmtp": ("-d", "tcp.port==1-65535,zmtp"),
}
KEYS = {
    "without keys": (),
    "session keys": (".keys", ".keytab"),
    "all keys": (".keys", ".permanent.keys", ".transient.keys", ".cookie.keys", ".keytab"),
}
# What tshark may say: of a file that ends within a packet, and nothing else.
CUT_SHORT = re.compile(r"cut short in the middle of a packet|\(The file \".*\" appears to have been cut short")
# In the stacks of a leak: our source files, or code that is no longer loaded when leaks are looked for.
OURS = re.compile(r"/(?:plugin|decrypt)/\w+\.c:|zmtp\.so|unknown module")
TELLING = re.compile(r"SUMMARY: .*|runtime error: .*|.*(?:ERROR|CRITICAL|WARNING|bug|assert|UTF-8).*", re.IGNORECASE)


class Problem(typing.NamedTuple):
    kind: str  # such as "signal 6"
    text: str  # all that tshark said

    @property
    def sort(self):
        """In one line, the same for the same cause."""
        lines = [line for line in self.text.splitlines() if line.strip()]
        telling = next((found[0] for line in lines if (found := TELLING.search(line))), lines[0] if lines else "")
        telling = re.sub(r"0x[0-9a-f]+|\d+(?!\.c)", "N", telling)
        return f"{self.kind}: {telling.strip()[:200]}"


class Modes:
    """The ways to read a bundle."""

    @staticmethod
    def name(number):
        return list(OUTPUTS)[number % len(OUTPUTS)]

    def choose(self, rng, number):
        """(what it is called, arguments, the endings of the files with keys) for the bundle of this number."""
        output, words = self.name(number), []
        arguments = list(OUTPUTS[output])
        words.append(rng.choice(("one pass", "two passes")))
        if words[0] == "two passes":
            arguments += ["-2"]
        keys = rng.choice(("without keys", "session keys", "session keys", "all keys"))
        words.append(keys)
        for name, extra in EXTRAS.items():
            if rng.random() < 0.2:
                words.append(name)
                arguments += extra
        return f"{output}, {', '.join(words)}", arguments, KEYS[keys]


MODES = Modes()


class Run:
    """Runs a Tshark with limits, and looks at what it says."""

    def __init__(self, tshark):
        self.tshark = tshark
        self.sanitized = "LD_PRELOAD" in tshark.environment
        environment = tshark.environment
        environment.setdefault("WIRESHARK_DEBUG_WMEM_OVERRIDE", "strict")  # under sanitizers it is "simple"
        environment.update({"WIRESHARK_ABORT_ON_TOO_MANY_ITEMS": "1", "G_DEBUG": "fatal-criticals"})
        if self.sanitized:  # it reserves terabytes of addresses
            self.limits = []
            environment["ASAN_OPTIONS"] += f":hard_rss_limit_mb={MEMORY >> 20}"
        else:  # under sanitizers this makes leaks of what Wireshark keeps from its start
            self.limits = [f"--as={MEMORY}"]
            environment["G_SLICE"] = "always-malloc"
        self.seconds = SLOW_SECONDS if self.sanitized else SECONDS
        self.no_plugin = self.new_folder("no-plugin")

    def new_folder(self, name):
        """A folder whose files tshark can read."""
        folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.tshark.folder))
        folder.chmod(0o755)
        return folder

    def keys(self, samples, endings, folder):
        """Files with the keys of these captures: a key log and a keytab, as far as there are any."""
        files = []
        for name, header in (("keys.log", b""), ("keys.keytab", b"\5\2")):
            paths = {sample.with_ending(ending) for sample in samples for ending in endings
                     if ending.endswith(".keytab") == bool(header)}
            parts = [path.read_bytes().removeprefix(header) for path in sorted(paths) if path.exists()]
            if parts:
                (folder / name).write_bytes(header + b"".join(parts))
                files.append(self.tshark.hand_over(folder / name))
        return files

    @staticmethod
    def arguments(capture, arguments, keys):
        """tshark's whole command line."""
        for file in keys:
            arguments = [*arguments, *(("-o", "kerberos.decrypt:TRUE", "-o", f"kerberos.file:{file}")
                                       if file.suffix == ".keytab" else ("-o", f"zmtp.keylog_file:{file}"))]
        return ["-n", *arguments, "-r", capture]

    def __call__(self, capture, arguments, keys, mode, cut=False, instead=None):
        """What is wrong with a run, a Problem or None. cut: the file may end within a packet. instead: arguments that
        stand in for the plugin."""
        environment, command = {}, self.arguments(capture, arguments, keys)
        if instead is not None:
            environment, command = {"WIRESHARK_PLUGIN_DIR": self.no_plugin}, [*instead, *self.without_zmtp(command)]
        output = capture.with_suffix(".out")
        problem = self.problem(command, environment, output, mode, cut)
        if problem and "LeakSanitizer" in problem.text and instead is None:
            # Once more with whole stacks, which take long, to see whose leaks they are.
            slow = f"{self.tshark.environment['ASAN_OPTIONS']}:fast_unwind_on_malloc=0"
            problem = self.problem(command, {"ASAN_OPTIONS": slow}, output, mode, cut)
            if problem and "LeakSanitizer" in problem.text and not OURS.search(problem.text):
                return None
        return problem

    def problem(self, command, environment, output, mode, cut):
        command = self.command(["--core=0", *self.limits, "tshark", *command], "prlimit", **environment)
        with open(output, "wb") as stdout:
            try:
                done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE,
                                      timeout=self.seconds, check=False)
            except subprocess.TimeoutExpired:
                return Problem(f"more than {self.seconds} s", "")
        return judge(done.returncode, done.stderr.decode(errors="replace"), output, mode, cut)

    def command(self, arguments, program, **environment):
        """The whole command line, with the environment that it sets."""
        usual, self.tshark.environment = self.tshark.environment, {**self.tshark.environment, **environment}
        try:
            return self.tshark._command(list(map(str, arguments)), None, program)  # pylint: disable=protected-access
        finally:
            self.tshark.environment = usual

    def without_zmtp(self, command):
        """The command line for a tshark that lacks the plugin, and leaves its own zmtp alone where it has one."""
        result, words = [], iter(command)
        for word in words:
            if word in ("-o", "-z", "-d", "-Y", "-e"):
                value = next(words)
                if "zmtp" in str(value):
                    continue
                result.append(word)
                word = value
            result.append(word)
        if "-T" in result and result[result.index("-T") + 1] == "fields" and "-e" not in result:
            result += ["-e", "frame.number"]
        return [*([] if self.tshark.series == "4.0" else ["--disable-protocol", "zmtp"]), *result]


def judge(status, errors, output, mode, cut):
    """A Problem with what tshark said, or None."""
    lines = [line for line in errors.splitlines() if line.strip()]
    if cut:
        lines = [line for line in lines if not CUT_SHORT.search(line)]
    if status < 0:
        return Problem(f"signal {-status}", errors)
    was_cut = cut and len(lines) < len(errors.splitlines())
    if status and not was_cut:
        return Problem(f"exit status {status}", errors)
    if lines:
        return Problem("it said", errors)
    try:
        check_output(output, mode, was_cut)
    except (ValueError, xml.parsers.expat.ExpatError) as error:
        return Problem(f"bad {mode} output", str(error))
    return None


def check_output(path, mode, was_cut):
    """Raises what is wrong with the output: it must be UTF-8, and XML or JSON where it should be."""
    if mode == "pdml" and not was_cut:
        with open(path, "rb") as stream:
            xml.parsers.expat.ParserCreate().ParseFile(stream)
    if mode == "json" and not was_cut:
        json.loads(decoded(path.read_bytes()))
    with open(path, "rb") as stream:
        for line in map(decoded, stream):
            if mode == "ek" or (mode == "connections as json" and line.startswith("{")):
                json.loads(line)
            elif "Dissector bug" in line:
                raise ValueError(line)


def decoded(octets):
    try:
        return octets.decode()
    except UnicodeDecodeError as error:
        start = octets.rfind(b"\n", 0, error.start) + 1
        raise ValueError(f"not UTF-8: {octets[start:start + 40].decode(errors='replace').strip()}\n"
                         f"{octets[start:error.end + 40]}") from None
