# Runs tshark with the freshly built plugin and nothing of this machine's settings.
# SPDX-License-Identifier: GPL-2.0-or-later
import functools
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import xml.etree.ElementTree as ElementTree

NOBODY = 65534
TIMEOUT = 240  # seconds; a sanitized tshark takes some for a megabyte
SEPARATOR = "=====next packet====="


class Tshark:
    """Call it with a capture and tshark's arguments.

    Answers are cached, since many tests ask about the same run; a file that has changed makes it another run."""

    def __init__(self, plugin_dir):
        self.as_root = os.geteuid() == 0
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="zmtp-tests-"))
        self.folder.chmod(0o755)
        home = self.folder / "home"
        home.mkdir()
        plugins = pathlib.Path(plugin_dir)
        self.series = next(plugins.rglob("zmtp.so")).parent.parent.name  # of Wireshark, such as "4.0"
        if self.as_root:
            # As root, tshark ignores WIRESHARK_PLUGIN_DIR, and another user may not see a build below /root.
            os.chown(home, NOBODY, NOBODY)
            plugins = shutil.copytree(plugins, self.folder / "plugins")
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "XDG_CONFIG_HOME": str(home / ".config"),
            "TZ": "UTC",
            "LC_ALL": "C.UTF-8",
            "WIRESHARK_PLUGIN_DIR": str(plugins),
            # None: tshark asks them for interfaces, and one of them never ends under AddressSanitizer.
            "WIRESHARK_EXTCAP_DIR": str(home),
            "WIRESHARK_ABORT_ON_DISSECTOR_BUG": "1",
            **_sanitizer_environment(plugin_dir, self.folder),
        }
        self._run_cached = functools.lru_cache(maxsize=16)(self._run_cached)
        self._parse = functools.lru_cache(maxsize=8)(self._parse)

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def give(self, path):
        """The path under which tshark can read a file: a copy where it runs as another user."""
        path = pathlib.Path(path).absolute()
        if not self.as_root or self.folder in path.parents or not path.exists():
            return str(path)
        return str(self._copy(path))

    def _copy(self, path):
        copy = self.folder / "files" / str(path).lstrip("/")
        if not copy.exists() or copy.stat().st_mtime != path.stat().st_mtime:
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, copy)
            copy.chmod(0o644)
        return copy

    def give_secret(self, path):
        """The same for a file with secrets, readable for tshark's user only: else the plugin warns."""
        given = pathlib.Path(self.give(path))
        if self.folder not in given.parents and given.exists():
            given = self._copy(given)  # the same each time: another name would make it another run
        if given.is_file() and given.stat().st_mode & 0o077:
            self.hand_over(given)
        return str(given)

    def hand_over(self, path):
        """Makes a file in a folder of this Tshark readable for its user and nobody else."""
        path.chmod(0o600)
        if self.as_root:
            os.chown(path, NOBODY, NOBODY)
        return path

    def __call__(self, capture, *arguments, keys=None, stderr=False, config=None):
        """tshark's output; with stderr=True (output, stderr), else stderr must be empty.

        `keys` is a key log or a keytab, `config` a folder to use as XDG_CONFIG_HOME."""
        command = ["-n", *arguments] if capture else [*arguments]  # -G must come first
        if keys and pathlib.Path(keys).suffix == ".keytab":
            command += ["-o", "kerberos.decrypt:TRUE", "-o", f"kerberos.file:{self.give_secret(keys)}"]
        elif keys:
            command += ["-o", f"zmtp.keylog_file:{self.give_secret(keys)}"]
        if capture:
            command += ["-r", self.give(capture)]
        status, output, errors = self._run(tuple(command), config)
        assert status == 0, f"tshark {' '.join(command)} ended with {status}:\n{errors[-4000:]}"
        if stderr:
            return output, errors
        assert errors == "", f"tshark {' '.join(command)} said:\n{errors[-4000:]}"
        return output

    def run(self, *arguments):
        """(exit status, output, stderr) of any command line."""
        return self._run(arguments, None)

    def packets(self, capture, *arguments, **keywords):
        """The packets of a PDML run, as ElementTree elements."""
        return self._parse(self.text_of_packets(capture, *arguments, **keywords))

    def text_of_packets(self, capture, *arguments, **keywords):
        """The same as text, and what statistics (-z) print behind it."""
        return self(capture, "-T", "pdml", *arguments, **keywords)

    def _parse(self, text):
        return _packets(text, "</pdml>")

    def columns(self, capture, *arguments, **keywords):
        """[(frame number, Protocol column, Info column)] of a summary run, in which no tree is built."""
        packets = _packets(self.text_of_columns(capture, *arguments, **keywords), "</psml>")
        return [tuple((section.text or "").strip() for section in packet) for packet in packets]

    def text_of_columns(self, capture, *arguments, **keywords):
        """The same as text, and what statistics (-z) print behind it."""
        return self(capture, "-o", 'gui.column.format:"No","%m","Protocol","%p","Info","%i"', "-T", "psml",
                    *arguments, **keywords)

    def verbose(self, capture, *arguments, **keywords):
        """(Info columns, everything printed) of a run with summary, tree and octets."""
        text = self(capture, "-o", 'gui.column.format:"Info","%i"', "-P", "-V", "-x", "-S", SEPARATOR,
                    *arguments, **keywords)
        blocks = [block.lstrip("\n") for block in text.split(SEPARATOR)]
        return [block.partition("\n")[0].strip() for block in blocks if block.strip()], text

    def _run(self, arguments, config):
        return self._run_cached(arguments, config, tuple(map(_state, arguments)))

    def start(self, *arguments):
        """A tshark that is running, with pipes."""
        return subprocess.Popen(self._command(arguments, None), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, cwd=self.folder)

    def sharkd(self, *requests):
        """The results of (method, parameters), one after another in one program."""
        lines = [json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": parameters})
                 for number, (method, parameters) in enumerate([*requests, ("bye", {})], start=1)]
        done = subprocess.run(self._command(["-"], None, "sharkd"), input="\n".join(lines) + "\n", capture_output=True,
                              text=True, cwd=self.folder, timeout=TIMEOUT, check=False)
        answers = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")][:len(requests)]
        assert all("result" in answer for answer in answers), answers
        return [answer["result"] for answer in answers]

    def _command(self, arguments, config, program="tshark"):
        environment = dict(self.environment)
        if config:
            environment["XDG_CONFIG_HOME"] = str(config)
        # env sets everything after setpriv, so that a preloaded sanitizer is in tshark alone.
        command = ["env", "-i", *(f"{name}={value}" for name, value in environment.items()), program, *arguments]
        if self.as_root:
            command = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *command]
        return command

    def _run_cached(self, arguments, config, _state_of_files):
        done = subprocess.run(self._command(arguments, config), stdin=subprocess.DEVNULL, capture_output=True,
                              cwd=self.folder, timeout=TIMEOUT, check=False)
        errors = done.stderr.decode(errors="replace")
        return done.returncode, done.stdout.decode(errors="surrogateescape"), errors


def _packets(text, end):
    octets = "".join(text.rpartition(end)[:2]).encode()
    return ElementTree.fromstring(octets).findall("packet")


def _state(argument):
    """What a file or folder that an argument names ("PATH" or "preference:PATH") is like just now."""
    path = pathlib.Path(argument if argument.startswith("/") else argument.partition(":")[2])
    if not path.is_absolute():
        return ()
    files = [path, *sorted(path.iterdir())] if path.is_dir() else [path]
    states = [(file.name, file.lstat()) for file in files if os.path.lexists(file)]
    return tuple((name, state.st_mode, state.st_uid, state.st_ino, state.st_size, state.st_ctime_ns)
                 for name, state in states)


def _sanitizer_environment(plugin_dir, folder):
    """A plugin built with ASan and UBSan needs their libraries in a tshark that was not.

    Leaks are errors too, but one of Wireshark's own: it does not close a keytab that it cannot read, and it alone calls
    libkrb5. For a whole stack of a leak, add fast_unwind_on_malloc=0 (slow).
    """
    plugin = next(pathlib.Path(plugin_dir).rglob("zmtp.so"))
    linked = subprocess.run(["ldd", plugin], capture_output=True, text=True, check=True).stdout
    libraries = [line.split()[2] for line in linked.splitlines() if "libasan" in line or "libubsan" in line]
    if not libraries:
        assert os.environ.get("ZMTP_SANITIZE") != "1", f"ZMTP_SANITIZE=1, but {plugin} is not sanitized"
        return {}
    suppressions = folder / "leaks"
    suppressions.write_text("leak:libkrb5.so\n")
    return {
        "LD_PRELOAD": ":".join(libraries),
        "LSAN_OPTIONS": f"suppressions={suppressions}:print_suppressions=0",
        "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:exitcode=99:detect_stack_use_after_return=1",
        "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1:exitcode=98",
        # ASan sees single allocations only when wmem does not pool them.
        "WIRESHARK_DEBUG_WMEM_OVERRIDE": "simple",
    }
