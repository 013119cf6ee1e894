# zmtp-capture from inside: its names, where it puts keys, and how it starts its tools.
# SPDX-License-Identifier: GPL-2.0-or-later
import errno
import os
import pathlib
import signal

import pytest

from corpus import HERE
from tools import BUILD, SESSION, program_module


def test_folder_of_others_is_not_taken_for_the_key_log(monkeypatch, tmp_path):
    program = program_module("zmtp-capture")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    tmp_path.chmod(0o700)
    assert program.private_place(tmp_path / "out") == str(tmp_path)
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    monkeypatch.setattr(program.os, "geteuid", lambda: tmp_path.stat().st_uid or 0)
    tmp_path.chmod(0o777)
    assert program.private_place(tmp_path / "out") == ("/run" if tmp_path.stat().st_uid == 0 else None)
    tmp_path.chmod(0o755)
    monkeypatch.setattr(program.os, "geteuid", lambda: 12345)
    assert program.private_place(tmp_path / "out") is None


@pytest.mark.parametrize("out, keys", [("a.pcapng", "a.keys"), ("a.pcap", "a.keys"), ("v1.2", "v1.2.keys"),
                                       ("v1.3", "v1.3.keys"), ("a.keys", "a.keys.keys")])
def test_each_capture_has_a_key_log_of_its_own(out, keys):
    assert program_module("zmtp-capture").keys_beside(pathlib.Path(out)) == pathlib.Path(keys)


def test_key_log_that_cannot_be_copied_stays_where_it_is(monkeypatch, tmp_path):
    def full(_, new):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(new))

    program = program_module("zmtp-capture")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.delenv("ZMTPKEYLOGFILE", raising=False)
    (tmp_path / "runtime").mkdir(mode=0o700)
    keys = program.KeyLog(program.Options(["-o", str(tmp_path / "out.pcapng"), "true"]), (4, 4))
    keys.path.write_text(SESSION)
    monkeypatch.setattr(program.shutil, "copyfile", full)
    path = keys.keep(tmp_path / "out.pcapng")
    keys.drop()
    assert path.read_text() == SESSION and path.is_relative_to(tmp_path / "runtime")
    assert {path.name for path in tmp_path.iterdir()} == {"runtime"}


@pytest.mark.parametrize("public, running, stays", [(True, ["daemon (1)"], True), (True, [], False),
                                                    (False, ["daemon (1)"], False)])
def test_folder_that_others_could_make_anew_stays_while_a_program_runs(monkeypatch, tmp_path, public, running, stays):
    program = program_module("zmtp-capture")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.delenv("ZMTPKEYLOGFILE", raising=False)
    tmp_path.chmod(0o700)
    keys = program.KeyLog(program.Options(["-o", str(tmp_path / "out.pcapng"), "true"]), (4, 4))
    assert not keys.public
    keys.public = public
    keys.running = running
    keys.drop()
    assert [list(path.iterdir()) for path in tmp_path.iterdir()] == [[]] * stays


@pytest.mark.parametrize("name, display_filter, needs_keytab", [("gssapi-clients", "zmtp", True),
                                                                ("gssapi-plaintext-req-rep", "zmtp.data", False)])
@pytest.mark.skipif(os.environ.get("ZMTP_SANITIZE") == "1", reason="tshark is started without the sanitizer's library")
def test_report_says_that_gssapi_needs_a_keytab(name, display_filter, needs_keytab):
    program = program_module("zmtp-capture")
    capture = HERE / "libzmq-4.3.4" / f"{name}.pcap"
    report = program.Report(*program.dissect(capture, None, BUILD))
    sentences = list(report.of_gssapi(capture))
    assert [sentence.partition(" ")[0] for sentence in sentences] == (["3"] if needs_keytab else [])
    assert all("-o kerberos.decrypt:TRUE -K" in sentence for sentence in sentences)
    assert report.filter() == display_filter
    assert not list(report.of_failures(capture))


@pytest.mark.skipif(os.environ.get("ZMTP_SANITIZE") == "1", reason="tshark is started without the sanitizer's library")
def test_report_says_why_connections_did_not_come_up():
    program = program_module("zmtp-capture")
    capture = HERE / "libzmq-4.3.4" / "curve-wrong-server-key-retries.pcap"
    told, first, *others = program.Report(*program.dissect(capture, None, BUILD)).of_failures(capture)
    assert told == "6 connections did not come up:"
    assert first.startswith("  tcp.stream 0: The server closed instead of answering HELLO: ")
    assert [sentence.split()[1] for sentence in others[:-1]] == ["1:", "2:", "4:", "5:"]
    assert others[-1].startswith("  and 1 more: tshark -q -r ")


def test_tools_do_not_inherit_signals_that_are_held_back():
    run_tool = program_module("zmtp-capture").run_tool
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        assert run_tool(["sh", "-c", "kill -TERM $$; echo alive"]).returncode == -signal.SIGTERM
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
