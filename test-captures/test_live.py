# A key log that is written while tshark captures: here from a pipe, which needs no rights.
# SPDX-License-Identifier: GPL-2.0-or-later
import os
import selectors
import time

import pytest

from corpus import all_captures, key_lines
from pcap_writer import records
from pdml import fields, number, shows

SESSION = next(sample for sample in all_captures() if sample.id == "libzmq-4.3.4/curve-req-rep")
LINES = key_lines(SESSION.keys)
PATIENCE = 60  # seconds


class Live:
    """A tshark that captures what it is sent, and tells the texts of messages."""

    def __init__(self, tshark, log, how):
        self.process = tshark.start("-n", "-l", how, "-", "-o", f"zmtp.keylog_file:{log}",
                                    "-T", "fields", "-e", "frame.number", "-e", "zmtp.data.text")
        self.output = b""
        header, self.packets = records(SESSION.capture.read_bytes())
        self.sent = 0
        self.write(header)

    def write(self, octets):
        self.process.stdin.write(octets)
        self.process.stdin.flush()

    def send(self, until):
        """Sends the packets up to this one, and waits until tshark has dissected them."""
        self.write(b"".join(self.packets[self.sent:until]))
        self.sent = until
        deadline = time.monotonic() + PATIENCE
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while self.output.count(b"\n") < until:
                assert selector.select(deadline - time.monotonic()), f"of {until} packets came {self.output!r}"
                more = os.read(self.process.stdout.fileno(), 65536)
                assert more, self.process.stderr.read().decode()
                self.output += more

    def texts(self):
        """Ends the capture; what was in the messages."""
        self.send(len(self.packets))
        _, errors = self.process.communicate(timeout=PATIENCE)
        self.errors = errors.decode()
        columns = [line.partition("\t")[2] for line in self.output.decode().splitlines()]
        return [text for column in columns for text in column.split(",") if text]


@pytest.fixture
def log(tshark, folder):
    path = folder / "live.keys"
    path.write_text("# nothing yet\n")
    tshark.hand_over(path)
    return path


# -i captures, through dumpcap; -r reads the pipe itself, and dissects each packet as soon as it comes.
@pytest.fixture(params=["-i", "-r"])
def live(tshark, log, request):
    if request.param == "-i" and os.environ.get("ZMTP_SANITIZE") == "1":
        pytest.skip("dumpcap hangs under AddressSanitizer")
    running = []

    def start():
        running.append(Live(tshark, log, request.param))
        return running[0]
    yield start
    for one in running:
        one.process.kill()
        one.process.communicate()


@pytest.fixture(scope="module")
def packets(tshark):
    return tshark.packets(SESSION.capture, keys=SESSION.keys)


@pytest.fixture(scope="module")
def texts(packets):
    return shows(packets, "zmtp.data.text")


@pytest.fixture(scope="module")
def welcome(packets):
    """The number of WELCOME's packet: the client makes its session key when it has come."""
    return next(number(packet) for packet, field in fields(packets, "zmtp.command-name")
                if field.get("show") == "WELCOME")


def test_a_line_written_during_the_handshake_opens_all_that_follows(live, log, texts, welcome):
    capture = live()
    capture.send(welcome)
    with log.open("a") as out:
        out.write(LINES[0] + "\n")
    assert capture.texts() == texts


def test_without_that_line_nothing_opens(live, texts, welcome):
    capture = live()
    capture.send(welcome)
    assert texts and capture.texts() == []


def test_a_truncated_log_is_read_anew(live, log, texts, welcome):
    log.write_text("# " + "x" * 5000 + "\n")
    capture = live()
    capture.send(welcome)
    log.write_text(LINES[0] + "\n")
    assert capture.texts() == texts


def test_a_rotated_log_is_read_anew(tshark, live, log, texts, welcome):
    capture = live()
    capture.send(welcome)
    log.rename(log.with_suffix(".1"))
    new = log.with_suffix(".new")
    new.write_text(LINES[0] + "\n")
    os.rename(tshark.hand_over(new), log)
    assert capture.texts() == texts


def test_keys_of_a_log_that_was_rotated_away_stay(tshark, live, log, texts, welcome):
    log.write_text(LINES[0] + "\n")
    capture = live()
    capture.send(welcome - 1)
    log.write_text("")
    assert capture.texts() == texts


def test_a_log_that_comes_later_is_used_and_its_absence_told_once(tshark, live, log, texts, welcome):
    log.unlink()
    capture = live()
    capture.send(welcome)
    log.write_text(LINES[0] + "\n")
    tshark.hand_over(log)
    assert capture.texts() == texts
    assert capture.errors.count("live.keys") == 1
