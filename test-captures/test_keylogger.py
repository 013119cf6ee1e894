# libzmtpkeylog.so: what it logs of unchanged programs, and that they never notice.
# SPDX-License-Identifier: GPL-2.0-or-later
import collections
import os
import pathlib
import re
import shutil
import socket
import stat
import subprocess
import sys
import threading

import pytest

from corpus import HERE
from pcap_writer import Stream, save
from pdml import fields, octets, shows

PROGRAMS = HERE / "keylogger"
LIBRARY = pathlib.Path(os.environ.get("ZMTP_PLUGIN_DIR", HERE.parent / "build" / "plugins")).resolve().parent \
    / "libzmtpkeylog.so"
LINE = re.compile("CURVE_SESSION_KEY ([0-9a-f]{64}) ([0-9a-f]{64}) ([0-9a-f]{64})")
LINE_SIZE = len("CURVE_SESSION_KEY") + 3 * 65 + 1
PATIENCE = 60  # seconds, for what takes less than one


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Builds a program or library of keylogger/ with gcc; returns its path."""
    folder = tmp_path_factory.mktemp("built")
    os.umask(0o022)

    def build(name, *flags, source=None):
        target = folder / name
        if not target.exists():
            subprocess.run(["gcc", "-std=gnu11", "-Wall", "-Wextra", PROGRAMS / (source or f"{name}.c"), "-o", target,
                            *flags], check=True)
        return target
    return build


@pytest.fixture
def peers(built):
    """The program libzmq_peers."""
    return built("libzmq_peers", "-lzmq", "-pthread")


@pytest.fixture
def log(tmp_path):
    """Where the key log is to be, in a folder with nothing else."""
    folder = tmp_path / "log"
    folder.mkdir()
    return folder / "keys.log"


def environment(log, preload=LIBRARY):
    assert LIBRARY.exists(), f"{LIBRARY} is missing: build first, or set ZMTP_PLUGIN_DIR"
    variables = {"PATH": os.environ["PATH"], "LD_PRELOAD": str(preload), "PYTHONDONTWRITEBYTECODE": "1"}
    if log is not None:
        variables["ZMTPKEYLOGFILE"] = str(log)
    return variables


def run(log, *command, preload=LIBRARY, **options):
    """Run a program with the key logger. It must succeed; returns what it wrote to (stdout, stderr)."""
    done = subprocess.run([str(word) for word in command], env=environment(log, preload), stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=PATIENCE, check=False, **options)
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
    return done.stdout, done.stderr


def silent(log, *command, **options):
    assert run(log, *command, **options) == ("", "")


def python(log, *statements, **options):
    """Run statements in a Python that has loaded ctypes and knows three keys."""
    start = ["import ctypes", "k, pk, sk = ctypes.create_string_buffer(32), bytes(range(32)), bytes(range(40, 72))"]
    return run(log, sys.executable, "-c", "\n".join([*start, *statements]), **options)


def entries(log):
    """The keys of each line, of which every one must be whole."""
    # An empty line is allowed: two processes may both end a line that was cut short.
    lines = [line for line in log.read_text().split("\n") if line]
    found = [LINE.fullmatch(line) for line in lines]
    assert all(found), f"line {found.index(None) + 1} of the key log is no CURVE_SESSION_KEY line"
    return [match.groups() for match in found]


def assert_handshakes(log, count):
    """So many handshakes, each logged once by each side: the same k, own and peer's key crossed."""
    sides = collections.defaultdict(list)
    for own, peer, k in entries(log):
        sides[k].append((own, peer))
    assert len(sides) == count
    for first, second in sides.values():  # exactly two
        assert first == second[::-1] and first != second
    assert log.read_text().endswith("\n")


def assert_one_warning(errors, *words):
    """One line on stderr, which is ours, names what it should, and holds no key."""
    assert errors.startswith("zmtp key log: ") and errors.count("\n") == 1 and errors.endswith("\n"), errors
    assert all(str(word) in errors for word in words), errors
    assert not re.search("[0-9a-f]{16}", errors)


# What it logs


def test_each_side_of_a_handshake_logs_one_line(log, peers):
    silent(log, peers, "pair")
    assert_handshakes(log, 1)


def test_the_file_is_for_its_owner_alone(log, peers):
    silent(log, peers, "pair", umask=0)
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_many_contexts_and_threads_at_once(log, peers):
    silent(log, peers, "threads=24")
    assert_handshakes(log, 24)


def test_several_processes_write_one_file(log, peers):
    started = [subprocess.Popen([peers, "threads=4", "pair"], env=environment(log)) for _ in range(6)]
    assert [process.wait(PATIENCE) for process in started] == [0] * 6
    assert_handshakes(log, 30)


def test_what_the_file_held_before_is_kept(log, peers):
    log.write_text("# mine\n")
    log.chmod(0o600)
    silent(log, peers, "pair")
    first, *rest = log.read_text().splitlines()
    assert first == "# mine" and len(rest) == 2


@pytest.mark.parametrize("steps, handshakes", [
    (["fork", "pair"], 2),
    (["pair", "fork", "pair"], 3),
    (["threads=4", "fork", "threads=4", "pair"], 14),
], ids=["before the first connection", "between connections", "between threads"])
def test_a_program_forks(log, peers, steps, handshakes):
    silent(log, peers, *steps)
    assert_handshakes(log, handshakes)


def test_a_czmq_program(log, built):
    silent(log, built("czmq_peers", "-lczmq", "-lzmq"))
    assert_handshakes(log, 1)


class Relay(threading.Thread):
    """Passes one connection on to a port and keeps what went by, as [(from the client?, octets)]."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.seen = []
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.start()

    def run(self):
        client, _ = self._listener.accept()
        server = socket.create_connection(("127.0.0.1", self._target))
        back = threading.Thread(target=self._pass_on, args=(server, client, False), daemon=True)
        back.start()
        self._pass_on(client, server, True)
        back.join()
        for end in (client, server, self._listener):
            end.close()

    def _pass_on(self, source, target, from_client):
        try:
            while data := source.recv(65536):
                self.seen.append((from_client, data))
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the other one has closed already


def pyzmq_peer(log, *arguments):
    return subprocess.Popen([sys.executable, PROGRAMS / "pyzmq_peer.py", *arguments], env=environment(log),
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.mark.parametrize("logging", ["client", "server"])
def test_the_key_that_either_pyzmq_peer_logs_opens_the_messages(log, folder, tshark, logging):
    with pyzmq_peer(log if logging == "server" else None, "server") as server:
        port, key = server.stdout.readline().split()
        relay = Relay(int(port))
        with pyzmq_peer(log if logging == "client" else None, "client", str(relay.port), key) as client:
            assert client.communicate(timeout=PATIENCE)[0] == "answer to question\n"
        assert server.communicate(timeout=PATIENCE)[0] == ""
    relay.join(PATIENCE)
    assert len(entries(log)) == 1
    stream = Stream()
    for from_client, data in relay.seen:
        (stream.client if from_client else stream.server)(data)
    capture = save(folder / "pyzmq.pcap", stream.fin())
    assert shows(tshark.packets(capture), "zmtp.data") == []
    data = [octets(field) for _, field in fields(tshark.packets(capture, keys=log), "zmtp.data")]
    assert data == [b"", b"question", b"", b"answer to question"]


def find_libsodium():
    found = subprocess.run(["gcc", "-print-file-name=libsodium.so"], capture_output=True, text=True, check=True)
    return pathlib.Path(found.stdout.strip()).resolve()


def test_a_libsodium_that_its_caller_alone_can_see(log, tmp_path):
    """Under a name as Python wheels give it."""
    library = shutil.copy(find_libsodium(), tmp_path / "libsodium-1b8fd6c3.so.23.3.0")
    output, errors = python(log, f"library = ctypes.CDLL({str(library)!r})",
                            "own = ctypes.create_string_buffer(32)",
                            "assert library.crypto_scalarmult_base(own, sk) == 0",
                            "assert library.crypto_box_beforenm(k, pk, sk) == 0",
                            "print(own.raw.hex(), pk.hex(), k.raw.hex())")
    assert errors == "" and entries(log) == [tuple(output.split())]


def test_the_boxes_of_libsodium_itself_are_not_logged(log):
    """crypto_box of HELLO and WELCOME calls the same functions, with keys that are no session's."""
    python(log, f"library = ctypes.CDLL({str(find_libsodium())!r})", "box = ctypes.create_string_buffer(100)",
           "zeros = bytes(100)", "length = ctypes.c_ulonglong(100)",
           "assert library.crypto_box(box, zeros, length, bytes(24), pk, sk) == 0",
           "assert library.crypto_box_easy(box, zeros, ctypes.c_ulonglong(10), bytes(24), pk, sk) == 0")
    assert not log.exists()


@pytest.mark.parametrize("ours_first", [True, False], ids=["before", "after"])
def test_another_library_hooks_the_same_function(log, built, peers, ours_first):
    other = built("other_preload.so", "-shared", "-fPIC", source="other_preload.c")
    both = [LIBRARY, other] if ours_first else [other, LIBRARY]
    output, errors = run(log, peers, "pair", preload=":".join(map(str, both)))
    assert (output, errors) == ("other\n" * 2, "")
    assert_handshakes(log, 1)


# Older names, and functions that are missing


def old_libsodium(built, *flags):
    return built(f"old{''.join(flags)}.so", "-shared", "-fPIC", *flags, source="old_libsodium.c")


CALL_OLD = "print(ctypes.CDLL(None).crypto_box_curve25519xsalsa20poly1305_ref_beforenm(k, pk, sk), k.raw.hex())"
OWN, PEER = bytes(range(41, 73)).hex(), bytes(range(32)).hex()
OLD_K = bytes(range(40, 104, 2)).hex()


def test_the_names_of_an_old_libsodium(log, built):
    output, errors = python(log, CALL_OLD, preload=f"{LIBRARY}:{old_libsodium(built)}")
    assert (output, errors) == (f"0 {OLD_K}\n", "")
    assert entries(log) == [(OWN, PEER, OLD_K)]


def test_functions_that_their_caller_alone_can_see(log, built):
    """As in Python, which loads libzmq and what that needs for one module."""
    needed = old_libsodium(built)
    caller = built("caller.so", "-shared", "-fPIC", needed, source="caller.c")
    output, errors = python(log, f"print(ctypes.CDLL({str(caller)!r}).call(k, pk, sk), k.raw.hex())")
    assert (output, errors) == (f"0 {OLD_K}\n", "")
    assert entries(log) == [(OWN, PEER, OLD_K)]


def test_crypto_functions_within_libzmq_itself(log, built):
    """TweetNaCl, where its functions are visible. What crypto_box calls is not logged."""
    both = built("both.so", PROGRAMS / "old_libsodium.c", "-shared", "-fPIC", source="caller.c")
    library = f"library = ctypes.CDLL({str(both)!r})"
    assert python(log, library, "library.crypto_box(k, pk, sk)") == ("", "")
    assert not log.exists()
    assert python(log, library, "library.call(k, pk, sk)") == ("", "")
    assert entries(log) == [(OWN, PEER, OLD_K)]


def test_one_function_goes_on_to_another_that_is_hooked_too(log, built):
    """As in zeromq.js, one file with libzmq and libsodium, which nobody else can see."""
    both = built("jumps.so", PROGRAMS / "old_libsodium.c", "-shared", "-fPIC", "-O2", source="caller.c")
    assert python(log, f"print(ctypes.CDLL({str(both)!r}).handshake(k, pk, sk), k.raw.hex())") == (f"0 {OLD_K}\n", "")
    assert entries(log) == [(OWN, PEER, OLD_K)]


def test_the_session_key_may_overwrite_the_secret_key(log, built):
    python(log, "k.raw = sk", "ctypes.CDLL(None).crypto_box_curve25519xsalsa20poly1305_ref_beforenm(k, pk, k)",
           preload=f"{LIBRARY}:{old_libsodium(built)}")
    assert entries(log) == [(OWN, PEER, OLD_K)]


def test_without_scalarmult_the_program_runs_on_and_nothing_is_logged(log, built):
    output, errors = python(log, CALL_OLD, CALL_OLD, preload=f"{LIBRARY}:{old_libsodium(built, '-DNO_SCALARMULT')}")
    assert output == f"0 {OLD_K}\n" * 2
    assert_one_warning(errors, "crypto_scalarmult_base")
    assert not log.exists()


def test_without_the_real_function_the_call_fails(log):
    call = "print(ctypes.CDLL(None).crypto_box_beforenm(k, pk, sk), k.raw == bytes(32))"
    output, errors = python(log, call, call)
    assert output == "-1 True\n" * 2
    assert_one_warning(errors, "crypto_box_beforenm")
    assert not log.exists()


def test_a_program_without_libsodium_does_not_notice(log):
    silent(log, "true")
    dynamic = subprocess.run(["readelf", "-d", LIBRARY], capture_output=True, text=True, check=True).stdout
    needed = re.findall(r"NEEDED.*\[(.*)\]", dynamic)
    assert needed and all(re.match(r"(libc|libdl|libpthread|ld-linux.*)\.so", name) for name in needed)


def test_only_the_hooks_are_visible_to_the_program():
    symbols = subprocess.run(["readelf", "--dyn-syms", "-W", LIBRARY], capture_output=True, text=True, check=True)
    names = [line.split()[7] for line in symbols.stdout.splitlines() if re.search(r" DEFAULT +\d+ ", line)]
    assert names and all(re.fullmatch("crypto_box_.*beforenm", name) for name in names)


# When nothing is to be logged


@pytest.mark.parametrize("variable", [None, ""], ids=["unset", "empty"])
def test_without_the_variable_nothing_is_logged(log, peers, variable):
    silent(variable, peers, "pair", cwd=log.parent)
    assert not list(log.parent.iterdir())


def test_without_curve_there_is_no_file(log, peers):
    silent(log, peers, "null")
    assert not list(log.parent.iterdir())


# Which file


@pytest.mark.parametrize("steps", [
    ["chdir=elsewhere", "pair"],
    ["chdir=elsewhere", "exec", "pair"],
    ["chdir=elsewhere", "fork", "exec", "pair"],
], ids=["after chdir", "in a program that was started after chdir", "in children after chdir"])
def test_a_relative_path_is_meant_from_where_the_program_started(log, peers, steps):
    elsewhere = log.parent / "elsewhere"
    elsewhere.mkdir()
    silent(log.name, peers, *steps, cwd=log.parent)
    assert_handshakes(log, 2 if "fork" in steps else 1)
    assert not list(elsewhere.iterdir())


def test_the_environment_may_be_cleared_after_the_start(log, peers):
    silent(log, peers, "clearenv", "pair")
    assert_handshakes(log, 1)


def test_a_file_that_was_moved_away_is_made_anew(log, peers):
    with subprocess.Popen([peers, "pair", "pause", "pair"], env=environment(log), stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "pause\n"
        moved = log.rename(log.with_name("moved.log"))
        assert process.communicate("\n", timeout=PATIENCE)[0] == "" and process.returncode == 0
    assert_handshakes(moved, 1)
    assert_handshakes(log, 1)


def test_a_pipe_that_somebody_reads(log, peers):
    os.mkfifo(log, 0o600)
    reader = os.open(log, os.O_RDONLY | os.O_NONBLOCK)
    try:
        silent(log, peers, "pair")
        text = os.read(reader, 65536).decode()
    finally:
        os.close(reader)
    log.unlink()
    log.write_text(text)
    assert_handshakes(log, 1)


# When it cannot be written


@pytest.mark.parametrize("where, reason", [
    ("missing/keys.log", "No such file"),
    (".", "Is a directory"),
    ("/dev/null", "neither a file nor a pipe"),
    ("/dev/full", "neither a file nor a pipe"),
    ("x" * 256, "File name too long"),
])
def test_an_unwritable_file_gives_one_warning(log, peers, where, reason):
    path = log.parent / where
    output, errors = run(path, peers, "pair", "threads=4", "fork", "pair")
    assert output == ""
    assert_one_warning(errors, path, reason)
    assert not list(log.parent.iterdir())


def test_a_pipe_that_nobody_reads_gives_one_warning(log, peers):
    os.mkfifo(log)
    assert_one_warning(run(log, peers, "pair", "pair")[1], log, "nobody reads this pipe")


def test_a_pipe_that_is_full_gives_one_warning(log, peers):
    os.mkfifo(log)
    ends = os.open(log, os.O_RDONLY | os.O_NONBLOCK), os.open(log, os.O_WRONLY | os.O_NONBLOCK)
    try:
        with pytest.raises(BlockingIOError):
            while True:
                os.write(ends[1], bytes(4096))
        assert_one_warning(run(log, peers, "pair")[1], log)
    finally:
        for end in ends:
            os.close(end)


def test_a_full_disk_gives_one_warning_and_spoils_one_line_only(log, peers):
    limit = LINE_SIZE + 100
    output, errors = run(log, peers, f"fsize={limit}", "pair", "pair")
    assert output == ""
    assert_one_warning(errors, log, "no space")
    assert log.stat().st_size == limit
    silent(log, peers, "pair")
    first, short, *rest = log.read_text().splitlines()
    assert LINE.fullmatch(first) and len(short) == 100 and not LINE.fullmatch(short)
    log.write_text("".join(line + "\n" for line in rest))
    assert_handshakes(log, 1)


def test_a_file_that_every_user_can_read_gives_one_warning(log, peers):
    log.touch()
    log.chmod(0o644)
    assert_one_warning(run(log, peers, "pair", "pair")[1], log)
    assert_handshakes(log, 2)


def test_a_warning_goes_to_nothing_but_the_stderr_of_the_start(log, peers):
    """The descriptor 2 may have become a file of the program's data."""
    data = log.parent / "data"
    assert run(log.parent, peers, f"stderr={data}", "pair") == ("", "")
    assert data.read_bytes() == b""


def test_no_signal_of_a_failed_write_reaches_the_program(log):
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write) as broken:
        done = subprocess.run(
            [sys.executable, "-c", "import ctypes, resource, signal\n"
             "for name in (signal.SIGXFSZ, signal.SIGPIPE): signal.signal(name, signal.SIG_DFL)\n"
             "resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))\n"
             "k, keys = ctypes.create_string_buffer(32), bytes(range(32))\n"
             "for i in range(2): assert ctypes.CDLL(None).crypto_box_beforenm(k, keys, keys) == 0\n"
             "assert not signal.sigpending() and not signal.pthread_sigmask(signal.SIG_BLOCK, [])"],
            env=environment(log, f"{LIBRARY}:{find_libsodium()}"), stderr=broken, timeout=PATIENCE, check=False)
    assert done.returncode == 0
    assert log.stat().st_size == 10


def test_errno_is_kept(log):
    call = ("library = ctypes.CDLL(None, use_errno=True)", "ctypes.set_errno(1234)",
            "print(library.crypto_box_beforenm(k, pk, sk), ctypes.get_errno())")
    sodium = f"{LIBRARY}:{find_libsodium()}"
    assert python(log, *call, preload=sodium) == ("0 1234\n", "")
    output, errors = python(log.parent / "missing" / "keys.log", *call, preload=sodium)
    assert output == "0 1234\n" and "No such file" in errors
