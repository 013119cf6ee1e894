# Key logs: each form that opens the messages, and what is said about those that cannot be used.
# SPDX-License-Identifier: GPL-2.0-or-later
import os

import pytest

from corpus import HERE, key_lines, key_octets, z85
from pdml import shows

CURVE = HERE / "libzmq-4.3.4" / "curve-req-rep"
CAPTURE = f"{CURVE}.pcap"
LINES = key_lines(CURVE.with_suffix(".keys"))


@pytest.fixture
def keylog(folder):
    """Writes a key log; returns its path."""
    def write(text):
        path = folder / "test.keys"
        path.write_bytes(text.encode())
        return path
    return write


@pytest.fixture
def opened(tshark):
    """What a key log opens, which must be all or nothing, and in silence."""
    everything = shows(tshark.packets(CAPTURE, keys=CURVE.with_suffix(".keys")), "zmtp.data")

    def opens(path):
        one, two = (shows(tshark.packets(CAPTURE, *passes, keys=path), "zmtp.data") for passes in ((), ("-2",)))
        assert one == two and one in ([], everything)
        return bool(one)
    return opens


def complaint(tshark, path, messages_open=False):
    """What is said on stderr about a key log, as lines: one message, on whose first line the file is named.

    Dissection goes on whatever it is."""
    output, errors = tshark(CAPTURE, "-T", "fields", "-e", "zmtp.command-name", "-e", "zmtp.socket_type", keys=path,
                            stderr=True)
    assert "HELLO" in output and ("REQ" in output) == messages_open
    lines = errors.splitlines()
    for line in LINES:
        secret = line.split()[-1]
        assert secret not in errors and z85(key_octets(secret)) not in errors
    assert [number for number, line in enumerate(lines) if path.name in line] == [0]
    return lines


@pytest.mark.parametrize("text", [
    "\n".join(LINES) + "\n",
    "\r\n".join(LINES) + "\r\n",
    LINES[0],
    "\ufeff" + LINES[0] + "\n",
    "# a comment\n\n   \n\t\n" + LINES[0] + "\n# the end\n",
    "  " + LINES[0].replace(" ", " \t ") + " \t\n",
    LINES[0].upper() + "\n",
    "FUTURE_LABEL 1 2 3 4\n" + LINES[0] + "\n",
    " ".join(word if word.startswith("CURVE") else z85(key_octets(word)) for word in LINES[0].split()) + "\n",
    "\n".join(f"CURVE_SESSION_KEY {number:064x} {number + 1:064x} {number + 2:064x}" for number in range(3, 3000))
    + "\n" + LINES[0] + "\n",
], ids=["LF", "CRLF", "no newline at the end", "byte order mark", "comments and blank lines", "blanks and tabs",
        "upper case", "a label of a newer writer", "Z85", "3000 lines"])
def test_a_session_key_opens_every_message(keylog, opened, text):
    assert opened(keylog(text))


def test_the_session_key_is_found_by_the_clients_public_key_in_either_column(keylog, opened):
    label, one, other, secret = LINES[0].split()
    nobody = "ab" * 32
    assert opened(keylog(f"{label} {one} {nobody} {secret}\n")) and opened(keylog(f"{label} {nobody} {one} {secret}\n"))
    assert opened(keylog(f"{label} {one} {one} {secret}\n"))
    # S' is in WELCOME, which only a secret key opens.
    assert not opened(keylog(f"{label} {nobody} {other} {secret}\n"))
    server = "\n".join(key_lines(CURVE.with_suffix(".permanent.keys")))
    assert opened(keylog(f"{label} {nobody} {other} {secret}\n{server}\n"))


def test_a_session_key_of_another_connection_opens_nothing(keylog, opened):
    label, _, _, secret = LINES[0].split()
    assert not opened(keylog(f"{label} {'ab' * 32} {'cd' * 32} {secret[:-2]}00\n"))


def test_an_empty_key_log_is_no_error(keylog, opened):
    assert not opened(keylog(""))


def test_a_missing_key_log_is_named_once(tshark, folder):
    lines = complaint(tshark, folder / "nowhere.keys")
    assert len(lines) == 1 and "No such file" in lines[0]


def test_a_folder_is_no_key_log(tshark, folder):
    (folder / "some.folder").mkdir()
    assert len(complaint(tshark, folder / "some.folder")) == 1


def test_an_unreadable_key_log_is_named_once(tshark, keylog):
    path = keylog(LINES[0])
    os.chmod(path, 0)
    lines = complaint(tshark, path)
    assert len(lines) == 1 and "ermission" in lines[0]


def test_a_fifo_does_not_hang(tshark, folder):
    os.mkfifo(folder / "fifo.keys", 0o644)
    os.chmod(folder / "fifo.keys", 0o644)
    assert len(complaint(tshark, folder / "fifo.keys")) == 1


SECRET = LINES[0].split()[-1]
MALFORMED = {
    "too few fields": f"CURVE_SESSION_KEY {SECRET}",
    "too many fields": f"{LINES[0]} {SECRET} {SECRET}",
    "a short key": LINES[0][:-1],
    "a long key": LINES[0] + "0",
    "no hex digit": LINES[0][:-1] + "g",
    "a secret that does not match its public key": f"CURVE_SECRET_KEY {'ab' * 32} {SECRET}",
    "a label alone": "CURVE_COOKIE_KEY",
    "an endless line": "CURVE_SESSION_KEY " + "0" * 100000,
    "binary": "CURVE_SESSION_KEY \x01\x02 \x03 \x7f",
}


@pytest.mark.parametrize("problem", MALFORMED)
def test_a_malformed_line_is_told_with_file_and_line_and_the_others_are_used(tshark, keylog, problem):
    path = keylog(f"# line 1\n\n{MALFORMED[problem]}\n{LINES[0]}\n")
    lines = complaint(tshark, path, messages_open=True)
    assert len([line for line in lines if "line 3: " in line]) == 1 and len(lines) <= 3


def test_thousands_of_malformed_lines_are_not_told_one_by_one(tshark, keylog):
    lines = complaint(tshark, keylog("CURVE_SESSION_KEY nonsense\n" * 5000 + LINES[0] + "\n"), messages_open=True)
    assert len(lines) <= 12
