# zmtp-verify as its users know it: the corpus passes, changes are found and told, and what cannot be checked is said.
# SPDX-License-Identifier: GPL-2.0-or-later
import hashlib
import json
import os
import pathlib
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree

import pytest

from bulk import SANITIZED
from corpus import HERE, all_captures, key_lines
from expected import DEVIATIONS, DEVIATIONS_OF_PEERS
from pcap_writer import PACKET_HEADER, records
from tools import BUILD, CURVE, SCRIPTS

pytestmark = [pytest.mark.skipif(SANITIZED, reason="tshark is started without the sanitizer's library"),
              pytest.mark.xdist_group("verify")]
PLUGINS = os.environ.get("ZMTP_PLUGIN_DIR", str(BUILD / "plugins"))
PROGRAM = SCRIPTS / "zmtp-verify"
INTEROP = sorted(path for path in (HERE / "interop").glob("*-*/*.json") if not path.name.endswith(".expect.json"))
CAPTURES = sorted(str(path.relative_to(HERE)) for path in HERE.rglob("*.pcap*"))
ALONE = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "LC_ALL": "C.UTF-8"}


def run(*arguments, **keywords):
    return subprocess.run([PROGRAM, *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=900, check=False, env=ALONE, **keywords)


def verify(*arguments, status=0):
    """What it prints with the plugin under test."""
    done = run("--plugins", PLUGINS, *arguments)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


def results(*arguments, status=0):
    return {pathlib.Path(one["file"]).name: one for one in map(json.loads, verify("--json", *arguments,
                                                                                  status=status).splitlines())
            if one["type"] == "capture"}


@pytest.fixture(scope="module")
def corpus():
    """The result of each capture here."""
    lines = map(json.loads, verify("--json", HERE).splitlines())
    return {str(pathlib.Path(one["file"]).relative_to(HERE)): one for one in lines if one["type"] == "capture"}


@pytest.fixture
def session(folder):
    """A recorded session: a capture and its keys, in a folder of its own."""
    for ending in (".pcap", ".keys"):
        shutil.copyfile(CURVE.with_suffix(ending), folder / f"session{ending}")
    return folder / "session.pcap"


def change(capture, old, new):
    octets = capture.read_bytes()
    assert octets.count(old) == 1 and len(old) == len(new)
    capture.write_bytes(octets.replace(old, new))


# ---- The corpus

@pytest.mark.parametrize("name", CAPTURES)
def test_capture_of_the_corpus_is_as_accepted(corpus, name):
    result = corpus[name]
    assert result["state"] == "passed" and result["expectation"]["same"], result
    accepted = {one["rule"] for one in result["deviations"] if one["accepted"]}
    if not name.startswith("interop/"):
        assert accepted == set(DEVIATIONS.get(pathlib.Path(name).stem, ()))
        return
    about = json.loads((HERE / name).with_suffix(".json").read_text())
    names = {about[role]["name"] for role in ("listener", "connector")}
    assert accepted <= set().union(*(DEVIATIONS_OF_PEERS.get(one, set()) for one in names))


def test_every_capture_has_an_expectation():
    assert [name for name in CAPTURES if not (HERE / name).with_suffix(".expect.json").exists()] == []


def part_of(frame):
    if isinstance(frame, dict):
        return f"{frame['len']}:{frame['sha256'][:32]}"
    octets = bytes.fromhex(frame)
    return f"{len(octets)}:{hashlib.sha256(octets).hexdigest()[:32]}"


@pytest.mark.parametrize("path", INTEROP, ids=lambda path: path.stem)
def test_expected_messages_are_what_the_applications_sent(corpus, path):
    about = json.loads(path.read_text())
    expected = json.loads(path.with_suffix(".expect.json").read_text())["connections"]
    rows = corpus[str(path.relative_to(HERE).with_suffix(".pcap"))]["connections"]
    for pattern in about["patterns"]:
        if pattern["result"] != "passed" or about["mechanism"] == "curve" and not about["has_keys"]:
            continue
        # One connection, or several: who gets no PONG comes again.
        mine = [(row, said) for row, said in zip(rows, expected)
                if pattern["port"] in (row["client"]["port"], row["server"]["port"])]
        for listens, sent in ((False, pattern["up"]), (True, pattern["down"])):
            # The client of the security handshake need not be who connected.
            seen = [entry["message"] for row, said in mine for side in ("client", "server")
                    if (row[side]["port"] == pattern["port"]) == listens
                    for entry in said[side]["said"] if "message" in entry]
            assert seen == [[part_of(frame) for frame in message] for message in sent], (pattern["pattern"], listens)


# ---- Regression

def test_a_session_that_was_accepted_passes_until_an_octet_changes(session):
    verify("--accept", session)
    assert "conversation as expected" in verify(session)
    octets = bytearray(session.read_bytes())
    octets[octets.rindex(b"\7MESSAGE") + 40] ^= 1
    session.write_bytes(octets)
    said = verify(session, status=1)
    assert "curve-box" in said and "packet 19" in said
    assert "- server, event 6: message of 0 octets, 8 octets" in said
    assert "+ server, event 7: CURVE MESSAGE of 41 octets, which no key opened" in said


def test_the_difference_names_the_message_and_shows_what_it_holds_now(folder):
    capture = folder / "plain.pcap"
    shutil.copyfile(HERE / "libzmq-4.3.4" / "null-req-rep.pcap", capture)
    verify("--accept", capture)
    change(capture, b"question 2", b"question 7")
    assert [line.strip() for line in verify(capture, status=1).splitlines()[2:5]] == [
        "connection 1 (REQ and REP, NULL, complete):",
        "- client, event 4: message of 0 octets, 10 octets (sha256 bf8e5d7e...)",
        "+ client, event 4: message of 0 octets, 10 octets (sha256 efc4dbc9...) = (empty) \"question 7\"  (packet 15)"]


def test_connections_in_another_order_are_the_same(folder):
    capture = folder / "several.pcap"
    shutil.copyfile(HERE / "libzmq-4.3.4" / "null-pub-sub.pcap", capture)
    verify("--accept", capture)
    path = folder / "several.expect.json"
    expected = json.loads(path.read_text())
    expected["connections"].reverse()
    path.write_text(json.dumps(expected))
    verify(capture)
    expected["connections"].pop()
    path.write_text(json.dumps(expected))
    assert "+ connection 1 was not there before: SUB and PUB, NULL, complete" in verify(capture, status=1)
    expected["connections"] += expected["connections"] * 2
    path.write_text(json.dumps(expected))
    assert "- a whole connection is missing: " in verify(capture, status=1)


def test_how_often_a_client_tries_in_vain_does_not_matter(folder):
    for ending in (".pcap", ".expect.json"):
        name = f"curve-wrong-server-key{ending}"
        shutil.copyfile(HERE / "libzmq-4.3.4" / name, folder / name)
    expected = json.loads((folder / name).read_text())
    for connections in (expected["connections"] * 3, expected["connections"][:1]):
        (folder / name).write_text(json.dumps({**expected, "connections": connections}))
        verify(folder)


def test_a_new_recording_of_a_scenario_is_the_same_conversation():
    """The same applications with another libzmq: other keys, ports, nonces and times."""
    for path in sorted((HERE / "libzmq-4.3.5").glob("*.expect.json")):
        if path.name.startswith(("curve-wrong", "mechanism", "raw", "plain-wrong")):
            continue  # how often a client tries is a matter of time, and here it did differ
        one, two = (json.loads(where.read_text()) for where in (path, HERE / "libzmq-4.3.4" / path.name))
        assert sorted(map(json.dumps, one["connections"])) == sorted(map(json.dumps, two["connections"])), path.name


def test_without_the_keys_the_same_session_is_not_what_was_accepted(session):
    verify("--accept", session)
    session.with_suffix(".keys").rename(session.with_suffix(".elsewhere"))
    assert "which no key opened" in verify(session, status=1)
    assert "conversation as expected" in verify("--keys", session.with_suffix(".elsewhere"), session)


def test_a_deviation_that_was_accepted_passes_and_one_that_is_gone_is_told(folder):
    name = "raw-pong-other"
    shutil.copyfile(HERE / "libzmq-4.3.4" / f"{name}.pcap", folder / f"{name}.pcap")
    assert "pong-context" in verify(folder, status=1)
    assert "pong-context" in verify("--accept", folder)
    assert "1 accepted" in verify(folder)
    path = folder / f"{name}.expect.json"
    path.write_text(path.read_text().replace("pong-context", "pong-form"))
    said = verify(folder, status=1)
    assert "(pong-form was accepted and is no longer there" in said and "PONG returns the context" in said


def test_options_stay_with_the_expectation(folder):
    sample = next(one for one in all_captures() if one.base.name == "raw-zmtp10-zap-domain")
    shutil.copyfile(sample.capture, folder / "old.pcap")
    assert "no ZMTP connection was found" in verify(folder, status=2)
    verify("-d", f"tcp.port=={sample.port},zmtp", "--accept", folder)
    assert "1 connection" in verify(folder)


# ---- Severities and keys

def test_known_deviations_fail_only_when_asked_and_notes_too(session):
    assert "2 known deviations" in verify(session)
    assert "curve-message-is-command" in verify("--strict", session, status=1)
    note = HERE / "libzmq-4.3.4" / "raw-ping-30.pcap"
    assert "ping-version" not in verify(note)
    assert "(ping-version: " in verify("-v", note)
    assert "ping-version (RFC 37, Changes from ZMTP 3.0; note)" in verify("--fail-on", "note", note, status=1)


def test_no_secret_is_told(session):
    secrets = [line.split()[-1] for line in key_lines(session.with_suffix(".keys"))]
    verify("--accept", session)
    told = verify("-v", session) + verify("--json", session) + (session.with_suffix(".expect.json")).read_text()
    assert not [secret for secret in secrets if secret in told]


def test_a_password_is_not_in_the_expectation_or_in_any_report(folder):
    shutil.copyfile(HERE / "libzmq-4.3.4" / "plain-req-rep.pcap", folder / "plain.pcap")
    told = verify("--accept", "-v", folder) + verify("--json", folder) + (folder / "plain.expect.json").read_text()
    assert "passphrase" not in told


# ---- What cannot be checked

EMPTY = "{\"zmtp-verify\": 1, \"connections\": [], \"any\": [], \"accepted\": []"
BAD_EXPECTATIONS = {
    "{\n \"zmtp-verify\": 1,\n oops": "line 3",
    "[]": "is not a file of zmtp-verify --accept",
    EMPTY.replace("1", "7", 1) + "}": "is not a file of zmtp-verify --accept",
    EMPTY + ", \"options\": [\"-X\", \"lua_script:x\"]}": "\"options\"",
    EMPTY + "}": "\"options\"",
}


@pytest.mark.parametrize("text", BAD_EXPECTATIONS, ids=range(len(BAD_EXPECTATIONS)))
def test_a_damaged_expectation_is_told_with_its_place(session, text):
    path = session.with_suffix(".expect.json")
    path.write_text(text)
    said = " ".join(verify(session, status=2).split())
    assert "session.expect.json" in said and BAD_EXPECTATIONS[text] in said


def test_files_that_are_no_captures_are_told_and_the_others_checked(session):
    (session.parent / "text.pcap").write_text("not a capture")
    (session.parent / "cut.pcap").write_bytes(session.read_bytes()[:-10])
    found = results(session.parent, session.parent / "missing.pcap", status=2)
    assert {name: one["state"] for name, one in found.items()} == {
        "session.pcap": "passed", "text.pcap": "unchecked", "cut.pcap": "unchecked", "missing.pcap": "unchecked"}
    assert "cut short" in found["cut.pcap"]["error"]
    assert "No such file" in found["missing.pcap"]["error"]


def test_an_empty_folder_is_an_error(folder):
    done = run("--plugins", PLUGINS, folder)
    assert done.returncode == 2 and "there is no capture in" in done.stderr


def test_a_tshark_without_the_plugin_is_told(session, folder):
    done = run("--plugins", folder, session)
    assert done.returncode == 2 and "there is no zmtp.so" in done.stderr


def test_a_key_file_that_is_missing_is_told(session):
    assert "missing.keys cannot be read" in " ".join(verify("-k", "missing.keys", session, status=2).split())


def test_what_tshark_says_of_a_wrong_option_is_told(session):
    found = results("-o", "zmtp.no_such_preference:1", session, status=2)
    assert "zmtp.no_such_preference" in found["session.pcap"]["error"]


@pytest.mark.parametrize("words", [[], ["--shard", "3/2", "x"], ["--jobs", "0", "x"], ["--merge", "x", "--", "y"]])
def test_a_wrong_command_ends_with_2(words):
    assert run(*words).returncode == 2


def test_an_expectation_without_its_capture_is_told(session):
    verify("--accept", session)
    session.unlink()
    assert "session.pcap: No such file" in " ".join(verify(session.parent, status=2).split())


def test_nothing_is_accepted_of_a_capture_without_zmtp(folder):
    sample = next(one for one in all_captures() if one.base.name == "raw-zmtp10-zap-domain")
    shutil.copyfile(sample.capture, folder / "old.pcap")
    assert "no ZMTP connection was found" in verify("--accept", folder, status=2)
    assert not (folder / "old.expect.json").exists()


def test_a_key_on_the_command_line_is_not_written_to_the_expectation(session):
    secret = key_lines(session.with_suffix(".keys"))[0].split()[-1]
    said = verify("--accept", "-o", f'uat:zmtp_keys:"Secret key","","{secret}"', session, status=2)
    assert "for keys there is --keys" in " ".join(said.split())
    assert secret not in said and not session.with_suffix(".expect.json").exists()


def test_two_captures_that_would_share_an_expectation_are_told(session):
    shutil.copyfile(session, session.with_suffix(".pcapng"))
    done = run("--plugins", PLUGINS, session.parent)
    assert done.returncode == 2 and "share session.expect.json" in done.stderr


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_ends_at_once_and_leaves_nothing(session, how):
    for number in range(100):
        shutil.copyfile(session, session.with_name(f"{number}.pcap"))
    with subprocess.Popen([PROGRAM, "--plugins", PLUGINS, session.parent], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ALONE, start_new_session=True) as process:
        place = pathlib.Path("/tmp" if os.geteuid() == 0 else tempfile.gettempdir())
        for _ in range(200):
            if any(place.glob(f"zmtp-verify-{process.pid}-*/tmp*")):
                break
            time.sleep(0.05)
        else:
            pytest.fail("it checks nothing")
        process.send_signal(how)
        out, errors = process.communicate(timeout=20)
    assert process.returncode == 130 and b"Traceback" not in errors and not out
    assert not list(place.glob(f"zmtp-verify-{process.pid}-*"))


def test_a_finished_run_leaves_nothing(session):
    with subprocess.Popen([PROGRAM, "--plugins", PLUGINS, session], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          env=ALONE) as process:
        assert process.wait(timeout=60) == 0
    assert not list(pathlib.Path("/tmp").glob(f"zmtp-verify-{process.pid}-*"))


# ---- Captures that lack something

def without(octets, leave_out):
    """A pcap without the packets for which leave_out(number, source port) is true."""
    header, packets = records(octets)
    kept = []
    for number, packet in enumerate(packets):
        ip = packet[PACKET_HEADER + 14:]
        port = int.from_bytes(ip[(ip[0] & 15) * 4:][:2], "big")
        if not leave_out(number, port):
            kept.append(packet)
    return header + b"".join(kept), len(packets)


def test_what_a_capture_lacks_is_nobody_s_deviation(folder):
    """Each packet missing in turn, and each side missing as a whole."""
    for name in ("null-req-rep", "null-heartbeat", "plain-dealer-router", "curve-req-rep"):
        sample = next(one for one in all_captures() if one.id == f"libzmq-4.3.4/{name}")
        octets = sample.capture.read_bytes()
        count = without(octets, lambda number, port: False)[1]
        variants = {f"lack{missing}": lambda number, port, missing=missing: number == missing
                    for missing in range(0, count, 1 if count < 40 else 3)}
        variants["listener"] = lambda number, port: port != sample.port
        variants["connector"] = lambda number, port: port == sample.port
        for variant, leave_out in variants.items():
            (folder / f"{name}-{variant}.pcap").write_bytes(without(octets, leave_out)[0])
            if sample.has_keys:
                shutil.copyfile(sample.keys, folder / f"{name}-{variant}.keys")
    lines = run("--plugins", PLUGINS, "--json", folder).stdout.splitlines()
    found = {pathlib.Path(one["file"]).name: one for one in map(json.loads, lines) if one["type"] == "capture"}
    assert len(found) > 60
    deviating = {name: [one["rule"] for one in result["deviations"] if one["fails"]] for name, result in found.items()}
    assert {name: rules for name, rules in deviating.items() if rules} == {}


# ---- Output for programs

def test_junit_has_a_case_for_each_capture(session, folder):
    shutil.copyfile(HERE / "libzmq-4.3.4" / "raw-pong-other.pcap", folder / "bad.pcap")
    (folder / "text.pcap").write_text("not a capture")
    verify("--junit", folder / "out.xml", folder, status=2)
    suite = ElementTree.parse(folder / "out.xml").getroot().find("testsuite")
    assert [suite.get(name) for name in ("tests", "failures", "errors")] == ["3", "1", "1"]
    kinds = {pathlib.Path(case.get("name")).name: [child.tag for child in case] for case in suite}
    assert kinds == {"session.pcap": [], "bad.pcap": ["failure"], "text.pcap": ["error"]}
    assert "pong-context" in next(suite.iter("failure")).text


def test_octets_of_a_peer_do_not_steer_the_reports(folder):
    capture = folder / "esc\x1b[31m.pcap"
    octets = (HERE / "libzmq-4.3.4" / "raw-pong-other.pcap").read_bytes()
    capture.write_bytes(octets.replace(b"\x04PING", b"\x04P\x1b[G"))
    for words in ((), ("--tap",), ("-v",)):
        said = verify(*words, "--junit", folder / "out.xml", folder, status=1)
        assert "command-name-letters" in said and "\x1b" not in said
    ElementTree.parse(folder / "out.xml")


def test_tap_has_a_line_for_each_capture(session, folder):
    shutil.copyfile(HERE / "libzmq-4.3.4" / "raw-pong-other.pcap", folder / "bad#1.pcap")
    lines = verify("--tap", folder, status=1).splitlines()
    assert lines[:2] == ["TAP version 13", "1..2"]
    assert lines[2].startswith("not ok 1 ") and lines[2].endswith("bad\\#1.pcap")
    assert lines[-1] == f"ok 2 {session}"
    assert all(line.startswith("#") for line in lines[3:-1])


# ---- Many machines

@pytest.fixture
def several(folder):
    for name in ("null-req-rep", "null-pub-sub", "raw-pong-other"):
        shutil.copyfile(HERE / "libzmq-4.3.4" / f"{name}.pcap", folder / f"{name}.pcap")
    return folder


def told(text):
    return [line for line in text.splitlines() if not line.startswith("{\"type\": \"totals\"")]


def test_parts_merge_to_the_whole(several):
    parts = []
    for number in (1, 2):
        parts.append(several / f"part{number}")
        parts[-1].write_text(run("--plugins", PLUGINS, "--json", "--shard", f"{number}/2", several).stdout)
    assert all(len(part.read_text().splitlines()) > 1 for part in parts)
    merged = run("--json", "--merge", *parts)
    assert merged.returncode == 1
    assert told(merged.stdout) == told(verify("--json", several, status=1))


def test_what_is_missing_in_a_merge_is_told(several):
    part, whole, half = several / "part", several / "whole", several / "half"
    part.write_text(run("--plugins", PLUGINS, "--json", "--shard", "1/2", several).stdout)
    whole.write_text(run("--plugins", PLUGINS, "--json", several).stdout)
    half.write_text(whole.read_text().partition("\n")[0])
    for files, expected in (([part], "these parts are missing: 2/2"), ([half], "the totals, is missing"),
                            ([whole, whole], "twice"), ([several / "null-req-rep.pcap"], "can't decode"),
                            ([several / "nothing"], "No such file")):
        done = run("--merge", *files)
        assert done.returncode == 2 and expected in done.stderr, files


def test_gnu_parallel_runs_the_printed_jobs(several):
    jobs = verify("--print-jobs", "2", several)
    assert len(jobs.splitlines()) == 2
    done = subprocess.run(["parallel", "-k"], input=jobs, capture_output=True, text=True, timeout=300, check=False,
                          env=ALONE)
    (several / "all").write_text(done.stdout)
    assert told(run("--json", "--merge", several / "all").stdout) == told(verify("--json", several, status=1))


def test_sshlogin_runs_the_parts_by_gnu_parallel(several, tmp_path):
    """Over ssh, as far as GNU parallel can see: a program in its place that runs the command here."""
    ssh = tmp_path / "ssh"
    log = tmp_path / "log"
    ssh.write_text(f"#!/bin/bash\necho \"$1\" >> {shlex.quote(str(log))}\nshift 2\nexec bash -c \"$*\"\n")
    ssh.chmod(0o755)
    done = subprocess.run([PROGRAM, "--plugins", PLUGINS, "--json", "--jobs", "1", "--sshlogin", "one,two", several],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False,
                          env={**ALONE, "PARALLEL_SSH": str(ssh)})
    assert done.returncode == 1, done.stderr
    assert told(done.stdout) == told(verify("--json", several, status=1))
    assert {"one", "two"} <= set(log.read_text().split())


def test_a_machine_that_does_not_answer_is_told(several, tmp_path):
    ssh = tmp_path / "ssh"
    ssh.write_text("#!/bin/bash\nexit 255\n")
    ssh.chmod(0o755)
    done = subprocess.run([PROGRAM, "--plugins", PLUGINS, "--jobs", "1", "--sshlogin", "away", several],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False,
                          env={**ALONE, "PARALLEL_SSH": str(ssh)})
    assert done.returncode == 2 and "GNU parallel" in done.stderr


# ---- The table of rules

def test_the_table_of_rules_is_what_the_program_checks():
    text = (SCRIPTS / "zmtp_verify" / "RULES.md").read_text()
    assert text.partition("<!-- rules -->\n")[2] == run("--rules").stdout
    assert len([line for line in text.splitlines() if line.startswith("| `")]) >= 60


# ---- The tables of interop

def test_the_interop_tables_are_made_of_what_the_verifier_finds(corpus):
    sys.path.append(str(HERE / "interop"))
    import matrix
    results = [result for name, result in corpus.items() if name.startswith("interop/")]
    text = (HERE / "README.md").read_text()
    assert matrix.replaced(text, matrix.markdown(results)) == text
