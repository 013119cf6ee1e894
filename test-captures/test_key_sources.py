# Keys from the key table, from certificates, from the capture, and from a key log that grows.
# SPDX-License-Identifier: GPL-2.0-or-later
import json
import os
import shutil
import subprocess

import pytest
import zmq.utils.z85 as z85_codec
from zmq import curve_keypair

from corpus import all_captures, key_lines, key_octets, z85
from key_sources import certificate, give, inject, row, rows, text_of
from pdml import shows

SESSION = next(sample for sample in all_captures() if sample.id == "libzmq-4.3.4/curve-req-rep")
KEY_SOURCE = "zmtp.curvezmq.key_source"
CHECK = "zmtp.curvezmq.server_key_check"


@pytest.fixture(scope="module")
def server(tshark):
    """(public, secret) of SESSION's server, in hexadecimal."""
    lines = key_lines(SESSION.with_ending(".permanent.keys"))
    public = shows(tshark.packets(SESSION.capture, keys=SESSION.with_ending(".permanent.keys")),
                   "zmtp.curvezmq.server_permanent_key")[0].replace(":", "")
    return next((line.split()[1], line.split()[2]) for line in lines if line.split()[1] == public)


@pytest.fixture(scope="module")
def other(server):
    """Another pair: the client's."""
    return next(tuple(line.split()[1:]) for line in key_lines(SESSION.with_ending(".permanent.keys"))
                if line.split()[1] != server[0])


# ---- The key table ----

def session_key():
    return key_lines(SESSION.keys)[0].split()[1:]


def messages(tshark, *arguments, **keywords):
    return shows(tshark.packets(SESSION.capture, *arguments, **keywords), "zmtp.data.text")


def test_a_session_key_in_the_table_opens_messages(tshark, server):
    client, transient_server, secret = session_key()
    everything = messages(tshark, keys=SESSION.keys)
    assert everything
    for public in (client, text_of(client)):
        for written in (secret, text_of(secret), f" {secret.upper()} "):
            assert messages(tshark, *row("Session key", public, written)) == everything
    # S' is in WELCOME, which only a secret key opens.
    by_server = row("Session key", transient_server, secret)
    assert messages(tshark, *by_server) == []
    assert messages(tshark, *by_server, *row("Secret key", "", server[1])) == everything


def test_a_wrong_session_key_in_the_table_opens_nothing_and_is_named(tshark):
    one, _, secret = session_key()
    packets = tshark.packets(SESSION.capture, *row("Session key", one, "00" + secret[2:]))
    assert not shows(packets, "zmtp.data.text")
    assert any("wrong key: the session key that the key table gives" in text
               for text in shows(packets, "zmtp.curvezmq.not_decrypted"))


def test_a_secret_key_needs_no_public_key_in_the_table(tshark, server):
    public, secret = server
    for written in (public, text_of(public), ""):
        packets = tshark.packets(SESSION.capture, *row("Secret key", written, secret))
        assert "key table (server permanent secret key)" in shows(packets, KEY_SOURCE)


def refusal(tshark, kind, public, secret):
    status, _, errors = tshark.run("-r", tshark.give(SESSION.capture), *row(kind, public, secret))
    assert status != 0
    return errors


def test_bad_rows_of_the_table_are_refused_and_say_why(tshark, server, other):
    public, secret = server
    for kind, public_text, secret_text, expected in [
            ("Secret key", "", text_of(secret)[:-1], "39 characters: a Z85 key has 40"),
            ("Secret key", text_of(public) + "0", secret, "41 characters"),
            ("Secret key", "", "x" * 64, "not a hexadecimal digit"),
            ("Secret key", "", '~' * 40, "not in the Z85 alphabet"),
            ("Secret key", "", "#" * 40, "exceeds 32 bits"),
            ("Secret key", other[0], secret, "the secret key does not belong to this public key"),
            ("Secret key", public, "", "a secret key is needed"),
            ("Session key", "", secret, "enter that as the public key"),
            ("Cookie key", "", secret, "enter that as the public key"),
            ("Cookie key", public, "", "a secret key is needed"),
            ("Public key", "", "", "a public key is needed"),
            ("Public key", public, secret, "has no secret key"),
            ("Sessionkey", public, secret, "zmtp_keys")]:
        assert expected in refusal(tshark, kind, public_text, secret_text)


# ---- Certificates ----

def give_folder(tshark, folder, files):
    """A folder with these files (text by name), for tshark's eyes only."""
    place = folder / "certificates"
    place.mkdir()
    for name, text in files.items():
        (place / name).write_text(text)
        tshark.hand_over(place / name)
    place.chmod(0o755)
    return place


def by_certificate(tshark, path, **keywords):
    preference = "certificate_folder" if path.is_dir() else "certificate_file"
    return tshark.packets(SESSION.capture, "-o", f"zmtp.{preference}:{path}", **keywords)


def test_a_secret_certificate_shows_that_the_client_has_the_right_server_key(tshark, folder, server):
    place = give_folder(tshark, folder, {"server.key_secret": certificate(*server)})
    for path in (place, place / "server.key_secret"):
        packets = by_certificate(tshark, path)
        assert "certificate (server permanent secret key)" in shows(packets, KEY_SOURCE)
        assert [text.split(":")[0] for text in shows(packets, CHECK)] == ["right"]
        assert not shows(packets, "zmtp.data.text")


def test_the_certificate_of_another_server_does_not(tshark, folder, other):
    packets = by_certificate(tshark, give_folder(tshark, folder, {"other.key_secret": certificate(*other)}))
    assert not shows(packets, KEY_SOURCE)
    assert "the client has a wrong server key" in shows(packets, CHECK)[0]


def test_a_public_certificate_completes_the_clients_transient_key(tshark, folder, server):
    place = give_folder(tshark, folder, {"server.key": certificate(server[0])})
    transient = SESSION.with_ending(".transient.keys")
    client = shows(tshark.packets(SESSION.capture), "zmtp.curvezmq.publickey")[0].replace(":", "")
    log = folder / "client.keys"
    log.write_text("\n".join(line for line in key_lines(transient) if client in line) + "\n")
    assert not shows(tshark.packets(SESSION.capture, keys=log), "zmtp.data.text")
    assert shows(by_certificate(tshark, place, keys=log), "zmtp.data.text") == messages(tshark, keys=SESSION.keys)


def test_a_whole_folder_is_read_and_other_files_in_it_are_left_alone(tshark, folder, server, other):
    place = give_folder(tshark, folder, {
        "a.key": certificate(server[0]), "b.key_secret": certificate(*other), "cert.txt_secret": certificate(*server),
        "notes.txt": "bring milk", "empty": "", "settings.json": '{"port": 1}', "broken.json": '{"curve_secretkey": ',
        "picture.png": "\x89PNG\r\n"})
    (place / "large.bin").write_bytes(bytes(100000))
    (place / "folder").mkdir()
    os.mkfifo(place / "fifo")
    (place / "link").symlink_to("nowhere")
    (place / "loop").symlink_to("loop")
    assert "certificate (server permanent secret key)" in shows(by_certificate(tshark, place), KEY_SOURCE)


def connection_file(public, secret):
    return json.dumps({"shell_port": 1, "transport": "tcp", "ip": "127.0.0.1", "signature_scheme": "hmac-sha256",
                       "key": "not a key", "curve_publickey": text_of(public), "curve_secretkey": text_of(secret)})


def test_a_jupyter_connection_file_is_read(tshark, folder, server):
    place = give_folder(tshark, folder, {"kernel-1.json": connection_file(*server)})
    for path in (place, place / "kernel-1.json"):
        assert "certificate (server permanent secret key)" in shows(by_certificate(tshark, path), KEY_SOURCE)


def test_a_connection_file_with_a_public_key_alone_completes_the_clients_transient_key(tshark, folder, server):
    place = give_folder(tshark, folder, {
        "ipcontroller-client.json": json.dumps({"ssh": "", "curve_serverkey": text_of(server[0])}),
        "ipcontroller-engine.json": json.dumps({"ssh": "", "curve_serverkey": None})})
    packets = by_certificate(tshark, place, keys=SESSION.with_ending(".transient.keys"))
    assert "known" in [text.split(":")[0] for text in shows(packets, CHECK)]
    assert "has no CURVE key" in complaints(tshark, place / "ipcontroller-engine.json")


def complaints(tshark, path):
    preference = "certificate_folder" if path.is_dir() else "certificate_file"
    output, errors = tshark(SESSION.capture, "-T", "fields", "-e", "zmtp.command-name",
                            "-o", f"zmtp.{preference}:{path}", stderr=True)
    assert "HELLO" in output
    return errors


def test_bad_certificates_are_named_with_line_and_reason_and_the_others_are_used(tshark, folder, server, other):
    public, secret = server
    bad = {
        "short.key_secret": (certificate(public, secret).replace(text_of(secret), text_of(secret)[:-1]),
                             "line 6: secret key: 39 characters"),
        "pair.key_secret": (certificate(public, other[1]), "does not belong to"),
        "kernel.json": (connection_file(public, other[1]), "does not belong to"),
        "short.json": (connection_file(public, secret).replace(text_of(public), "abc"), "public key: 3 characters"),
    }
    place = give_folder(tshark, folder, {name: text for name, (text, _) in bad.items()})
    alone = {name: complaints(tshark, place / name) for name in bad}
    (place / "good.key_secret").write_text(certificate(*server))
    tshark.hand_over(place / "good.key_secret")
    together = complaints(tshark, place)
    for name, (_, expected) in bad.items():
        for told in (alone[name], together):
            line = next(line for line in told.splitlines() if name in line)
            assert expected in line
    for key in (secret, other[1]):
        assert key not in together and text_of(key) not in together and text_of(key)[:-1] not in together
    packets, _ = tshark(SESSION.capture, "-T", "fields", "-e", KEY_SOURCE, "-o", f"zmtp.certificate_folder:{place}",
                        stderr=True)
    assert "certificate (server permanent secret key)" in packets


@pytest.mark.parametrize(("text", "expected"), [
    ("\ufeff  {pair}", None),
    ('{{"curve_secretkey": "abc", "curve_secretkey": "{secret}", "curve_publickey": "{public}"}}', None),
    ('{{"a": {{"curve_secretkey": "abc"}}, "b": [{{}}, "curve_secretkey", 1], "curve_secretkey": "{secret}"}}', None),
    ('{{"curve_publickey": "{public}", "curve_secretkey": "\\ud800{secret}"}}', "curve_secretkey: is not text"),
    ('{{"curve_publickey": "{public}", "curve_secretkey": 7}}', "curve_secretkey: is not text"),
    ('{{"curve_publickey": {{}}, "curve_secretkey": "{secret}"}}', "curve_publickey: is not text"),
    ('{{"curve_secretkey": ""}}', "secret key: 0 characters"),
    ('["curve_secretkey", "{secret}"]', "has no CURVE key"),
], ids=["byte order mark", "last of two", "nested", "bad escape", "number", "object", "empty", "no object"])
def test_connection_files_of_odd_forms(tshark, folder, server, text, expected):
    content = text.format(public=text_of(server[0]), secret=text_of(server[1]), pair=connection_file(*server))
    place = give_folder(tshark, folder, {"kernel.json": content})
    if expected:
        assert expected in complaints(tshark, place / "kernel.json")
    else:
        assert "certificate (server permanent secret key)" in shows(by_certificate(tshark, place), KEY_SOURCE)


def test_a_certificate_in_a_folder_that_cannot_be_read_is_named(tshark, folder, server):
    place = give_folder(tshark, folder, {"other.key": certificate(server[0]), "mine.key_secret": certificate(*server)})
    (place / "mine.key_secret").chmod(0)
    errors = complaints(tshark, place)
    assert "mine.key_secret" in errors and "ermission denied" in errors


def test_control_characters_in_a_file_name_do_not_reach_the_terminal(tshark, folder, server):
    place = give_folder(tshark, folder, {"a\x1b[31m\nb.key_secret": certificate(*server)[:-10]})
    errors = complaints(tshark, place)
    assert "b.key_secret" in errors and "\x1b" not in errors and len(errors.splitlines()) == 2


def test_a_file_that_is_no_certificate_is_told_when_it_was_named(tshark, folder):
    place = give_folder(tshark, folder, {"notes.txt": "bring milk", "a.json": '{"ip": "127.0.0.1"}', "b.json": "{"})
    for name in ("notes.txt", "a.json", "b.json"):
        assert name in complaints(tshark, place / name) and "has no CURVE key" in complaints(tshark, place / name)
    assert "No such file" in complaints(tshark, place / "nowhere")
    assert "has no certificates in it" in complaints(tshark, place)
    os.mkfifo(place / "fifo")
    assert "not a regular file" in complaints(tshark, place / "fifo")


# ---- Files that everybody can read ----

def test_a_key_log_that_everybody_can_read_is_told_once(tshark, folder):
    log = folder / "open.keys"
    shutil.copy(SESSION.keys, log)
    for mode, warned in ((0o644, True), (0o604, True), (0o600, False)):
        tshark.hand_over(log)
        log.chmod(mode)
        _, errors = tshark(SESSION.capture, "-2", "-V", "-o", f"zmtp.keylog_file:{log}", stderr=True)
        assert errors.count("can be read by everybody") == (1 if warned else 0)
        assert not warned or "open.keys" in errors


def test_secret_certificates_that_everybody_can_read_are_told_together_public_ones_not(tshark, folder, server, other):
    place = give_folder(tshark, folder, {"server.key_secret": certificate(*server),
                                         "server.key": certificate(server[0])})
    assert not complaints(tshark, place)
    for file in place.iterdir():
        file.chmod(0o644)
    errors = complaints(tshark, place)
    assert errors.count("can be read by everybody") == 1 and "server.key_secret" in errors
    assert "pose as its owner" in errors
    (place / "other.key_secret").write_text(certificate(*other))
    (place / "other.key_secret").chmod(0o644)
    errors = complaints(tshark, place)
    assert errors.count("can be read by everybody") == 1 and "certificates (2)" in errors


@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o644, True)])
def test_a_saved_key_table_that_everybody_can_read_is_told(tshark, folder, server, mode, warned):
    saved = folder / "wireshark" / "zmtp_keys"
    saved.parent.mkdir()
    saved.write_text(f'"Secret key","","{server[1]}"\n')
    tshark.hand_over(saved).chmod(mode)
    saved.parent.chmod(0o755)
    output, errors = tshark(SESSION.capture, "-T", "fields", "-e", KEY_SOURCE, config=folder, stderr=True)
    assert "key table (server permanent secret key)" in output
    assert errors.count("can be read by everybody") == (1 if warned else 0)


# ---- More keys than can be tried ----

def strangers(count):
    pairs = (map(z85_codec.decode, curve_keypair()) for _ in range(count))
    return [f"CURVE_SECRET_KEY {public.hex()} {secret.hex()}" for public, secret in pairs]


def test_with_too_many_keys_nothing_false_is_said_of_the_server_key(tshark, folder):
    servers = key_lines(SESSION.with_ending(".permanent.keys"))
    for count, verdict, reason in ((20, "right", None), (1500, "unknown", "more keys than can be tried")):
        log = folder / f"{count}.keys"
        log.write_text("\n".join([*servers, *strangers(count)]) + "\n")
        for passes in ((), ("-2",)):
            packets = tshark.packets(SESSION.capture, *passes, keys=log)
            assert [text.split(":")[0] for text in shows(packets, CHECK)] == [verdict]
            reasons = shows(packets, "zmtp.curvezmq.not_decrypted")
            assert not any("none of" in text and "given" in text for text in reasons[:2])
            assert not reason or reason in reasons[0]


def test_a_hello_that_is_cut_short_has_no_verdict_in_any_pass(tshark, folder):
    cut = folder / "cut.pcap"
    subprocess.run(["editcap", "-s", "250", SESSION.capture, cut], check=True)
    tshark.hand_over(cut)
    log = folder / "some.keys"
    log.write_text("\n".join(strangers(3)) + "\n")
    for passes in ((), ("-2",)):
        packets = tshark.packets(cut, *passes, keys=log)
        assert "cut short in the capture" in shows(packets, "zmtp.curvezmq.not_decrypted")
        assert not shows(packets, CHECK)


# ---- Keys in the capture ----

def needs_embedded(tshark):
    if tshark.series == "4.0":
        pytest.skip("Wireshark 4.0 does not give embedded secrets to plugins")


def test_bad_lines_of_an_embedded_block_are_told_and_the_others_are_used(tshark, folder):
    needs_embedded(tshark)
    capture, _, _ = give(tshark, folder, "embedded in capture", SESSION.capture, key_lines(SESSION.keys))
    octets = capture.read_bytes()
    label = octets.index(b"CURVE_SESSION_KEY")
    capture.write_bytes(octets[:label + 18] + b"!" + octets[label + 19:])  # the first digit of the first key
    output, errors = tshark(capture, "-T", "fields", "-e", "zmtp.data.text", stderr=True)
    assert "keys embedded in the capture" in errors and "line 1: field 2: a character that is not" in errors
    assert [line for line in output.splitlines() if line]  # the second line, the other peer's, has the same key
    for line in key_lines(SESSION.keys):
        assert line.split()[-1] not in errors


def test_on_wireshark_4_0_an_embedded_block_does_no_harm(tshark, folder):
    if tshark.series != "4.0":
        pytest.skip("only Wireshark 4.0 does not give embedded secrets to plugins")
    capture, _, _ = give(tshark, folder, "embedded in capture", SESSION.capture, key_lines(SESSION.keys))
    assert not shows(tshark.packets(capture), "zmtp.data.text")
    assert shows(tshark.packets(capture, keys=SESSION.keys), "zmtp.data.text") == messages(tshark, keys=SESSION.keys)


def test_a_capture_without_its_block_again_opens_nothing(tshark, folder):
    capture, _, _ = give(tshark, folder, "embedded in capture", SESSION.capture, key_lines(SESSION.keys))
    stripped = folder / "stripped.pcapng"
    inject("--remove", capture, stripped)
    tshark.hand_over(stripped)
    packets = tshark.packets(stripped)
    assert shows(packets, "zmtp.command-name") and not shows(packets, "zmtp.data.text")


# ---- Several captures in one program ----

def opened_by_sharkd(tshark, *steps):
    """After each step, (preferences, capture): was a message opened?"""
    requests = []
    for preferences, capture in steps:
        requests += [("setconf", {"name": f"zmtp.{name}", "value": str(value)}) for name, value in preferences.items()]
        requests += [("load", {"file": str(capture)}), ("frames", {"filter": "zmtp.data"})]
    results = zip(requests, tshark.sharkd(*requests), strict=True)
    return ["(decrypted)" in json.dumps(result) for (method, _), result in results if method == "frames"]


def test_keys_of_one_capture_are_not_there_for_the_next(tshark):
    capture = tshark.give(SESSION.capture)
    log = {"keylog_file": tshark.give_secret(SESSION.keys)}
    steps = (log, capture), ({"keylog_file": ""}, capture), (log, capture)
    assert opened_by_sharkd(tshark, *steps) == [True, False, True]


def test_keys_embedded_in_one_capture_are_not_there_for_the_next(tshark, folder):
    needs_embedded(tshark)
    capture = tshark.give(SESSION.capture)
    embedded, _, _ = give(tshark, folder, "embedded in capture", SESSION.capture, key_lines(SESSION.keys))
    assert opened_by_sharkd(tshark, ({}, embedded), ({}, capture), ({}, embedded)) == [True, False, True]


# ---- Several sources at once ----

def test_the_newest_of_two_session_keys_for_one_connection_is_used_and_the_source_is_told(tshark):
    one, _, secret = session_key()
    wrong = "00" + secret[2:]
    for arguments in (row("Session key", one, wrong), row("Session key", one, secret)):
        packets = tshark.packets(SESSION.capture, *arguments, keys=SESSION.keys)
        assert shows(packets, "zmtp.data.text") == messages(tshark, keys=SESSION.keys)


def test_no_key_of_any_source_is_shown(tshark, folder, server):
    place = give_folder(tshark, folder, {"server.key_secret": certificate(*server)})
    lines = key_lines(SESSION.with_ending(".transient.keys"))
    _, text = tshark.verbose(SESSION.capture, "-2", *rows(lines), "-o", f"zmtp.certificate_folder:{place}",
                             keys=SESSION.with_ending(".cookie.keys"))
    octets = text.replace(":", "").lower()
    for line in lines + key_lines(SESSION.with_ending(".cookie.keys")) + ["- " + server[1]]:
        secret = line.split()[-1]
        assert secret not in octets and z85(key_octets(secret)) not in text
