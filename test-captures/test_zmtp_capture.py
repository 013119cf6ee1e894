# zmtp-capture: what it captures and says of real programs, how it ends, and what it refuses.
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Other tests may run on this machine meanwhile: each test captures one port, below those that the kernel gives away.
import os
import pathlib
import pty
import pwd
import random
import shlex
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time

import pytest

from pdml import shows
from tools import BUILD, SCRIPTS, SESSION, wireshark_version

READS_EMBEDDED_KEYS = wireshark_version() >= (4, 4)
TIMEOUT = 60

# usage: peers PORT MECHANISM [STATUS]: a REQ and a REP socket exchange two messages; ends with STATUS.
PEERS = """
import sys, zmq
port, mechanism, status = int(sys.argv[1]), sys.argv[2], int((sys.argv[3:] or [0])[0])
context = zmq.Context()
client, server = context.socket(zmq.REQ), context.socket(zmq.REP)
client.linger = server.linger = 0
client.rcvtimeo = server.rcvtimeo = 20000
if mechanism != "NULL":
    public, server.curve_secretkey = zmq.curve_keypair()
    server.curve_server = True
    client.curve_serverkey = zmq.curve_keypair()[0] if mechanism == "REFUSED" else public
    client.curve_publickey, client.curve_secretkey = zmq.curve_keypair()
refusal = server.get_monitor_socket(zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL) if mechanism == "REFUSED" else None
server.bind(f"tcp://127.0.0.1:{port}")
client.connect(f"tcp://127.0.0.1:{port}")
if mechanism != "WAIT":
    print("ready")
else:
    try:
        print("ready", flush=True)
        server.recv()
    except KeyboardInterrupt:
        status = 3
if refusal:
    assert refusal.poll(20000)
else:
    client.send(b"question")
    assert server.recv() == b"question"
    server.send(b"answer")
    assert client.recv() == b"answer"
print("done")
context.destroy(0)
sys.exit(status)
"""


def cannot(reason):
    if os.environ.get("CI") or os.geteuid() == 0:
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def rights():
    """Whether this machine lets us capture, and has ZeroMQ for the programs."""
    if not shutil.which("dumpcap"):
        cannot("dumpcap is missing or may not be run: scripts/setup capture")
    done = subprocess.run(["dumpcap", "-L", "-i", "lo"], capture_output=True, text=True, check=False)
    if done.returncode:
        cannot(f"no rights to capture: {done.stderr[:300]}")
    if subprocess.run([sys.executable, "-c", "import zmq"], capture_output=True, check=False).returncode:
        cannot("python3-zmq is missing")


class Run:
    """zmtp-capture with one test's folder, port and environment."""

    def __init__(self, folder, sanitizer):
        self.folder, self.out = folder, folder / "out.pcapng"
        self.work, self.runtime = folder / "temporary", folder / "runtime"
        for path in (self.work, self.runtime):
            path.mkdir(mode=0o700)
        self.bin = folder / "bin"
        self.bin.mkdir()
        self.port = free_port()
        self.peers = folder / "peers.py"
        self.peers.write_text(PEERS)
        self.environment = {**os.environ, "ZMTP_BUILD": str(BUILD), "PATH": f"{self.bin}:{os.environ['PATH']}",
                            "TMPDIR": str(self.work), "XDG_RUNTIME_DIR": str(self.runtime)}
        for name in ("ZMTPKEYLOGFILE", "LD_PRELOAD"):
            self.environment.pop(name, None)
        if "LD_PRELOAD" in sanitizer:
            words = [f"{name}={value}" for name, value in sanitizer.items()]
            self.script("tshark", f"exec env {shlex.join(words)} {shutil.which('tshark')} \"$@\"")

    def script(self, name, text):
        (self.bin / name).write_text(f"#!/bin/sh\n{text}\n")
        (self.bin / name).chmod(0o755)

    def program(self, mechanism="CURVE", status=0):
        return [sys.executable, str(self.peers), str(self.port), mechanism, str(status)]

    def words(self, *arguments):
        return [SCRIPTS / "zmtp-capture", "-f", f"tcp port {self.port}", "-o", self.out, *arguments]

    def start(self, *arguments, **keywords):
        return subprocess.Popen(self.words(*arguments), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, cwd=self.folder,
                                env={**self.environment, **keywords})

    def __call__(self, *arguments, **keywords):
        return self.end(self.start(*arguments, **keywords))

    def end(self, process):
        """(exit status, what COMMAND said, what zmtp-capture said)"""
        try:
            output, said = process.communicate(timeout=TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            pytest.fail(f"zmtp-capture does not end; it said: {process.communicate()[1]}")
        assert "Traceback" not in said
        assert not [*self.work.iterdir(), *self.runtime.iterdir()], "keys or copies were left behind"
        return process.returncode, output, said.replace("zmtp-capture: ", "")

    def files(self):
        """What there is now, besides what the test itself made."""
        return {path.name for path in self.folder.iterdir()} - {"temporary", "runtime", "bin", "peers.py"}


@pytest.fixture
def capture(folder, tshark):
    names = ("LD_PRELOAD", "ASAN_OPTIONS", "UBSAN_OPTIONS", "WIRESHARK_DEBUG_WMEM_OVERRIDE")
    return Run(folder, {name: tshark.environment[name] for name in names if name in tshark.environment})


def free_port():
    # No Wireshark dissector has a port here.
    for port in random.sample(range(28000, 29000), 100):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass
    pytest.fail("no free port between 28000 and 29000")


def messages(tshark, run, keys=None):
    """What tshark shows of the capture: with nothing but the file where Wireshark reads embedded keys."""
    copy = tshark.hand_over(shutil.copyfile(run.out, run.folder / "copy.pcapng"))
    if keys and not READS_EMBEDDED_KEYS:
        keys = tshark.hand_over(shutil.copyfile(keys, run.folder / "copy.keys"))
    else:
        keys = None
    return [bytes.fromhex(text.replace(":", "")) for text in shows(tshark.packets(copy, keys=keys), "zmtp.data")]


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


# ---- What is captured ----------------------------------------------------------------------------

def test_curve_program_gives_a_capture_that_opens_decrypted(rights, capture, tshark):
    status, output, said = capture("--", *capture.program(status=5))
    assert (status, output) == (5, "ready\ndone\n"), said
    kept = set() if READS_EMBEDDED_KEYS else {"out.keys"}
    assert capture.files() == {"out.pcapng"} | kept
    assert all(mode(capture.folder / name) == 0o600 for name in capture.files())
    lines = said.splitlines()
    assert lines[0] == f"{capture.out}: 1 ZMTP connection: 1 CURVE"
    assert lines[1] == "1 of 1 CURVE connection can be decrypted"
    assert lines[2].startswith("next: ") and "tshark -r out.pcapng -Y zmtp.data" in lines[2] and len(lines) == 3
    assert ("zmtp.keylog_file:out.keys" in lines[2]) == bool(kept)
    assert messages(tshark, capture, capture.folder / "out.keys") == [b"", b"question", b"", b"answer"]
    # From the very first packet to the very last, each once.
    flags = tshark(capture.folder / "copy.pcapng", "-T", "fields", "-e", "tcp.flags.syn", "-e", "tcp.flags.fin")
    flags = flags.replace("True", "1").replace("False", "0").splitlines()
    assert flags.count("1\t0") == 2 and "0\t1" in flags
    assert tshark(capture.folder / "copy.pcapng", "-Y", "tcp.analysis.flags") == ""


def test_null_program_needs_no_keys(rights, capture, tshark):
    status, _, said = capture(*capture.program("NULL"))
    assert (status, capture.files(), mode(capture.out)) == (0, {"out.pcapng"}, 0o600), said
    assert said.splitlines()[0] == f"{capture.out}: 1 ZMTP connection: 1 NULL" and "CURVE" not in said
    assert messages(tshark, capture) == [b"", b"question", b"", b"answer"]
    assert (0x5A4D544B).to_bytes(4, sys.byteorder) not in capture.out.read_bytes()


def test_connections_that_stay_closed_are_told(rights, capture):
    command = shlex.join(capture.program())
    status, _, said = capture("sh", "-c", f"{command} && env -u LD_PRELOAD {command}")
    assert status == 0 and "2 ZMTP connections: 2 CURVE" in said
    assert "1 of 2 CURVE connections can be decrypted" in said
    assert "no key for tcp.stream 1: neither side logged its keys" in said
    assert "Connections of other programs? -f and -i leave them out" in said and "-Y zmtp.data" in said


def test_refused_handshake_is_not_taken_for_a_missing_key(rights, capture):
    status, _, said = capture(*capture.program("REFUSED"))
    assert status == 0 and " ended before anything was sent under a session key" in said, said
    assert "no key for" not in said
    assert " did not come up:" in said and "the client probably has a wrong server key. Compare " in said
    assert said.splitlines()[-1].endswith("tshark -r out.pcapng -Y zmtp")


def test_sudo_that_drops_the_preload_is_told(rights, capture):
    capture.script("sudo", "exec env -u LD_PRELOAD \"$@\"")
    status, _, said = capture("sudo", *capture.program())
    assert status == 0 and "0 of 1 CURVE" in said and "sudo drops LD_PRELOAD" in said
    assert said.splitlines()[-1].endswith("tshark -r out.pcapng -Y zmtp")


def test_program_without_traffic_gives_an_empty_capture(rights, capture):
    status, _, said = capture("true")
    assert status == 0 and capture.files() == {"out.pcapng"}
    assert "0 ZMTP connections" in said and "no ZMTP at all: was the traffic on other interfaces" in said
    assert "next:" not in said
    capture.out.unlink()
    status, _, said = capture("sh", "-c", "exit 4")
    assert status == 4 and "no ZMTP at all; the command ended with status 4" in said


# ---- Key logs and environment --------------------------------------------------------------------

def test_key_log_of_the_environment_is_used_and_kept(rights, capture):
    status, _, said = capture(*capture.program(), ZMTPKEYLOGFILE="mine.keys")
    assert status == 0 and "1 of 1 CURVE" in said and capture.files() == {"out.pcapng", "mine.keys"}
    assert mode(capture.folder / "mine.keys") == 0o600
    assert (capture.folder / "mine.keys").read_bytes().strip() in capture.out.read_bytes()


def test_bad_lines_of_a_key_log_do_not_cost_the_capture(rights, capture):
    (capture.folder / "mine.keys").write_text("CURVE_SESSION_KEY\n")
    status, _, said = capture("-k", "mine.keys", *capture.program())
    assert status == 0 and "mine.keys: line 1: CURVE_SESSION_KEY needs 3 keys, found 0" in said
    assert b"CURVE_SESSION_KEY " in capture.out.read_bytes()


def test_key_log_without_a_good_line_is_told_and_no_failure(rights, capture):
    (capture.folder / "mine.keys").write_text("# CURVE_SESSION_KEY\nCURVE_SESSION_KEY\n")
    status, _, said = capture("-k", "mine.keys", "true")
    assert status == 0 and "mine.keys: line 2: CURVE_SESSION_KEY needs 3 keys, found 0" in said
    assert capture.files() == {"out.pcapng", "mine.keys"}


def test_another_preloaded_library_stays(rights, capture):
    status, output, _ = capture("sh", "-c", "echo $LD_PRELOAD", LD_PRELOAD="libm.so.6")
    assert (status, output) == (0, f"libm.so.6:{BUILD / 'libzmtpkeylog.so'}\n")


@pytest.mark.parametrize("own", [True, False], ids=["-k", "OUT.keys"])
def test_without_command_it_captures_programs_started_with_its_line(rights, capture, tshark, own):
    keys = capture.folder / ("mine.keys" if own else "out.keys")
    process = capture.start(*(["-k", keys] if own else []))
    try:
        lines = [process.stderr.readline() for _ in range(2)]
        assert "Ctrl-C" in lines[0] and lines[1].strip().endswith(" PROGRAM"), lines
        command = lines[1].strip().replace("PROGRAM", shlex.join(capture.program()))
        subprocess.run(command, shell=True, check=True, stdout=subprocess.DEVNULL, timeout=TIMEOUT)
    finally:
        process.send_signal(signal.SIGINT)
    status, _, said = capture.end(process)
    assert status == 0 and "1 of 1 CURVE connection can be decrypted" in said, said
    assert capture.files() == {"out.pcapng", keys.name} and mode(keys) == 0o600
    assert messages(tshark, capture, keys) == [b"", b"question", b"", b"answer"]


def test_key_log_is_where_nobody_else_can_make_it_anew(capture):
    capture.script("dumpcap", f"{HEADER}; {captures()}")
    command = ["sh", "-c", "echo $ZMTPKEYLOGFILE"]
    assert pathlib.Path(capture(*command)[1]).parent.parent == capture.runtime
    capture.out.unlink()
    capture.runtime.chmod(0o755)
    expected = pathlib.Path("/run") if os.geteuid() == 0 else capture.folder
    assert pathlib.Path(capture(*command)[1]).parent.parent == expected


def test_programs_that_still_run_are_named(capture):
    capture.script("dumpcap", f"{HEADER}; {captures()}")
    status, output, said = capture("sh", "-c", "sleep 60 >/dev/null 2>&1 & echo $!")
    try:
        assert status == 0 and f"still running, but no longer captured: sleep ({output.strip()})" in said
    finally:
        os.kill(int(output), signal.SIGKILL)
    capture.out.unlink()
    assert "still running" not in capture("true")[2]


@pytest.mark.parametrize("kind", ["pipe", "folder", "/dev/null"])
@pytest.mark.parametrize("variable", [True, False], ids=["ZMTPKEYLOGFILE", "-k"])
def test_key_log_that_is_no_ordinary_file_is_refused(capture, kind, variable):
    keys = capture.runtime.parent / "bin" / kind
    if kind == "pipe":
        os.mkfifo(keys)
    elif kind == "folder":
        keys.mkdir()
    arguments, environment = ([], {"ZMTPKEYLOGFILE": str(keys)}) if variable else (["-k", keys], {})
    status, output, said = capture(*arguments, "echo", "ran", **environment)
    assert (status, output, said) == (125, "", f"{keys}: is not an ordinary file; the key log must be one\n")
    assert not capture.files()


def test_capture_and_key_log_cannot_be_one_file(capture):
    status, output, said = capture("-k", "bin/../out.pcapng", "echo", "ran")
    assert (status, output) == (125, "") and "cannot be both the key log and the capture" in said
    assert not capture.files()


# ---- How it ends ---------------------------------------------------------------------------------

@pytest.mark.parametrize("number, status", [(signal.SIGINT, 3), (signal.SIGTERM, 128 + signal.SIGTERM)])
def test_signal_is_passed_on_and_the_capture_saved(rights, capture, number, status):
    process = capture.start(*capture.program("WAIT"))
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    ended, _, said = capture.end(process)
    assert ended == status and "waiting for" in said and capture.out.exists()


def on_a_terminal(capture):
    """zmtp-capture, its terminal, and what was seen there until the program was ready."""
    terminal, ours = pty.openpty()
    process = subprocess.Popen(capture.words(*capture.program("WAIT")), stdin=ours, stdout=ours, stderr=ours,
                               cwd=capture.folder, env=capture.environment, preexec_fn=lambda: os.login_tty(ours))
    os.close(ours)
    seen = b""
    while b"ready" not in seen:
        seen += os.read(terminal, 4096)
    return process, terminal, seen


def test_terminal_that_is_closed_does_not_cost_the_capture(rights, capture):
    process, terminal, _ = on_a_terminal(capture)
    os.close(terminal)
    assert process.wait(TIMEOUT) == 128 + signal.SIGHUP and capture.out.exists()
    assert not [*capture.work.iterdir(), *capture.runtime.iterdir()]


def test_ctrl_c_on_the_terminal_loses_nothing_that_the_program_still_sends(rights, capture):
    process, terminal, seen = on_a_terminal(capture)
    os.write(terminal, b"\x03")
    try:
        while piece := os.read(terminal, 4096):
            seen += piece
    except OSError:  # the terminal is gone with its last program
        pass
    os.close(terminal)
    assert process.wait(TIMEOUT) == 3, seen
    assert b"done" in seen and b"1 of 1 CURVE connection can be decrypted" in seen


def test_program_that_a_signal_ends_has_the_shells_status(rights, capture):
    assert capture("sh", "-c", "kill -9 $$")[0] == 137


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_signal_ends_a_capture_without_command(capture, number):
    capture.script("dumpcap", f"{HEADER}; {captures()}")
    process = capture.start()
    assert "Ctrl-C" in process.stderr.readline()
    process.send_signal(number)
    status, _, said = capture.end(process)
    assert status == 0 and "taking the last packets ..." in said and capture.files() == {"out.pcapng", "out.keys"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_signal_before_the_capture_leaves_nothing(capture, number):
    capture.script("tshark", f"echo >{capture.bin}/runs; exec sleep {TIMEOUT}")
    process = capture.start("true")
    limit = time.monotonic() + TIMEOUT
    while not (capture.bin / "runs").exists():
        assert time.monotonic() < limit and process.poll() is None, "zmtp-capture does not start tshark"
        time.sleep(0.01)
    process.send_signal(number)
    status, _, said = capture.end(process)
    assert (status, said) == (128 + number, "") and not capture.files()


def test_nobody_who_reads_the_messages_does_not_cost_the_capture(capture):
    capture.script("dumpcap", f"{HEADER}; {captures()}")
    command = ["sh", "-c", f"echo {SESSION} >>\"$ZMTPKEYLOGFILE\"; echo CURVE_SESSION_KEY >>\"$ZMTPKEYLOGFILE\""]
    reader, closed = os.pipe()
    os.close(reader)
    with open("/dev/full", "wb") as full:
        for stderr in (full, closed):
            done = subprocess.run(capture.words(*command), stderr=stderr, stdin=subprocess.DEVNULL, cwd=capture.folder,
                                  env=capture.environment, timeout=TIMEOUT, check=False)
            assert done.returncode == 0
            assert SESSION.encode() in capture.out.read_bytes()
            for name in capture.files():
                (capture.folder / name).unlink()
    os.close(closed)


def test_standard_error_that_is_closed_gets_no_file_of_ours(capture):
    capture.script("dumpcap", f"{HEADER}; {captures()}")
    line = f"exec {shlex.join(map(str, capture.words('sh', '-c', 'echo told >&2')))} 2>&- >&- <&-"
    assert subprocess.run(line, shell=True, cwd=capture.folder, env=capture.environment, timeout=TIMEOUT,
                          check=False).returncode == 0
    assert len(capture.out.read_bytes()) == 28


def test_interrupted_report_is_no_failure_of_tshark(capture):
    capture.script("dumpcap", f"{HEADER}; {captures()}")
    capture.script("tshark", f"case \"$*\" in *fields*) kill -INT $$;; *) exec {shutil.which('tshark')} \"$@\";; esac")
    status, _, said = capture("true")
    assert status == 0 and "interrupted: the capture is whole" in said and "tshark cannot" not in said
    assert said.splitlines()[-1].endswith("tshark -r out.pcapng -Y zmtp") and capture.out.exists()


def test_what_tshark_says_is_shown_in_short(capture):
    capture.script("dumpcap", f"{HEADER}; {captures()}")
    capture.script("tshark", "case \"$*\" in *fields*) seq -f 'line %g' 100 >&2; exit 2;; *) exec "
                   f"{shutil.which('tshark')} \"$@\";; esac")
    said = capture("true")[2]
    assert "line 100" in said and "line 96" in said and "line 95" not in said


# ---- What is refused -----------------------------------------------------------------------------

def test_existing_file_is_not_overwritten(capture):
    capture.out.write_text("precious")
    status, output, said = capture("echo", "ran")
    assert (status, output, said) == (125, "", f"{capture.out}: exists already; it is not overwritten\n")
    assert capture.out.read_text() == "precious" and capture.files() == {"out.pcapng"}


@pytest.mark.parametrize("command, status", [("absent-program", 127), ("./absent", 127), ("/etc/passwd", 126),
                                             ("/", 126)])
def test_command_that_cannot_run_is_told_before_anything_is_captured(capture, command, status):
    assert capture(command)[0] == status and not capture.files()
    assert capture(command)[2].startswith(f"{command}: ")


@pytest.mark.parametrize("arguments, reason", [(("-i", "absent0"), "absent0"), (("-f", "no filter"), "no filter")])
def test_what_dumpcap_does_not_accept_is_told(rights, capture, arguments, reason):
    status, output, said = capture(*arguments, "echo", "ran")
    assert (status, output) == (125, "") and "dumpcap cannot capture" in said and reason in said
    assert not capture.files()


def test_wrong_usage_is_told(tmp_path):
    for words in ([], ["true"], ["-o"], ["-x", "-o", "out", "true"]):
        done = subprocess.run([SCRIPTS / "zmtp-capture", *words], capture_output=True, text=True, cwd=tmp_path,
                              check=False)
        assert done.returncode == 2 and "usage:" in done.stderr and not list(tmp_path.iterdir())


def test_missing_o_is_told(tmp_path):
    done = subprocess.run([SCRIPTS / "zmtp-capture", "true"], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.stderr.startswith("zmtp-capture: -o OUT.pcapng is missing\nusage:")


@pytest.mark.parametrize("out, reason", [("-", "-o -: the capture cannot go to standard output"),
                                         ("x/", "x/: is the name of a folder"), ("absent/x", "absent: no such folder")])
def test_name_that_is_none_for_a_file_is_told(capture, out, reason):
    status, output, said = capture("-o", out, "echo", "ran")
    assert (status, output) == (125, "") and reason in said and not capture.files()


def test_longest_name_is_no_problem(capture):
    capture.script("dumpcap", f"{HEADER}; {captures()}")
    name = "n" * 255
    status, _, said = capture("-o", name, "true")
    assert status == 0 and capture.files() == {name}, said


def test_it_runs_from_a_symbolic_link(tmp_path):
    (tmp_path / "link").symlink_to(SCRIPTS / "zmtp-capture")
    done = subprocess.run([tmp_path / "link", "-h"], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0 and "usage: zmtp-capture" in done.stdout and "ipc://" in done.stdout


def test_build_folder_that_is_empty_is_told(capture):
    status, _, said = capture("true", ZMTP_BUILD=str(capture.work))
    assert status == 125 and f"{capture.work}: not built yet" in said and not capture.files()


# ---- dumpcap in trouble: a stand-in for it -------------------------------------------------------

# A pcapng file without packets.
HEADER = r"printf '\12\15\15\12\34\0\0\0\115\74\53\32\1\0\0\0\377\377\377\377\377\377\377\377\34\0\0\0'"


def captures(last_words=""):
    return f"stop() {{ echo {shlex.quote(last_words)} >&2; exit; }}; trap stop INT; echo 'File: -' >&2; " \
        "while :; do sleep 0.1; done"


def test_missing_rights_come_with_what_to_do(capture):
    capture.script("dumpcap", "echo 'You do not have permission to capture on device \"any\".' >&2; exit 1")
    status, output, said = capture("echo", "ran", USER="somebody")
    assert (status, output) == (125, "") and "dpkg-reconfigure wireshark-common" in said
    assert f"sudo usermod -aG wireshark {pwd.getpwuid(os.getuid()).pw_name} " in said
    assert not capture.files()


def test_capture_that_breaks_off_is_kept_and_told(capture):
    capture.script("dumpcap", f"{HEADER}; echo 'File: -' >&2; echo 'disk full' >&2; exit 2")
    status, output, said = capture("echo", "ran")
    assert (status, output) == (125, "ran\n") and "dumpcap failed" in said and "disk full" in said
    assert capture.out.exists()
    capture.out.unlink()
    assert capture("sh", "-c", "exit 4")[0] == 4


def test_lost_packets_are_told(capture):
    lost = "Packets received/dropped on interface 'any': 10/7 (pcap:7/dumpcap:0/flushed:0/ps_ifdrop:0) (58.8%)"
    capture.script("dumpcap", f"{HEADER}; {captures(lost)}")
    status, _, said = capture("true")
    assert status == 0 and "7 packets on any came too fast" in said


def test_keys_that_cannot_be_embedded_are_not_lost(capture):
    capture.script("dumpcap", f"{HEADER}; printf 'half a block'; {captures()}")
    status, _, said = capture("sh", "-c", f"echo {SESSION} >>\"$ZMTPKEYLOGFILE\"")
    assert status == 125 and "damaged at offset 28" in said
    assert f"the keys could not be embedded; they are in {capture.folder / 'out.keys'}" in said
    assert "File exists" not in said
    assert capture.files() == {"out.pcapng", "out.keys"}
    assert (capture.folder / "out.keys").read_text() == f"{SESSION}\n" and mode(capture.folder / "out.keys") == 0o600
    assert SESSION.split()[-1][:16] not in said


def test_program_that_logs_keys_without_traffic_is_told_of_ipc(capture):
    capture.script("dumpcap", f"{HEADER}; {captures()}")
    status, _, said = capture("sh", "-c", f"echo {SESSION} >>\"$ZMTPKEYLOGFILE\"")
    assert status == 0 and "no ZMTP at all, but keys were logged: was it ipc://" in said


def test_capture_is_kept_under_another_name_when_its_own_is_taken_meanwhile(capture):
    capture.script("dumpcap", f"{HEADER}; {captures()}")
    status, _, said = capture("sh", "-c", f"echo precious | tee out.pcapng >out.1.pcapng; echo {SESSION} "
                              ">>\"$ZMTPKEYLOGFILE\"")
    assert status == 125 and f"the capture is kept in {capture.folder / 'out.2.pcapng'}" in said
    assert capture.out.read_text() == (capture.folder / "out.1.pcapng").read_text() == "precious\n"
    assert SESSION.encode() in (capture.folder / "out.2.pcapng").read_bytes()
    kept = set() if READS_EMBEDDED_KEYS else {"out.2.keys"}
    assert capture.files() == {"out.pcapng", "out.1.pcapng", "out.2.pcapng"} | kept


def test_nothing_but_an_empty_capture_is_told_without_noise(capture):
    lost = "Packets received/dropped on interface 'any': 0/7 (pcap:7/dumpcap:0/flushed:0/ps_ifdrop:0) (0%)"
    capture.script("dumpcap", f"echo 'File: -' >&2; echo 'disk full' >&2; echo {shlex.quote(lost)} >&2; exit 2")
    status, _, said = capture("sh", "-c", f"echo {SESSION} >>\"$ZMTPKEYLOGFILE\"")
    assert status == 125 and "disk full" in said and f"{capture.out}: not made" in said
    assert "7 packets on any were lost" in said and "too fast" not in said
    assert "is not a pcapng" not in said and "tshark" not in said
    assert capture.files() == {"out.keys"} and (capture.folder / "out.keys").read_text() == f"{SESSION}\n"
