# Hostile input costs what its size explains, and no more: memory and CPU time are measured, not guessed.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Each test builds a capture of large numbers and compares with tshark's own cost for it, TCP without the plugin.

Time on a clock is no measure here (machines are busy); CPU seconds of N and 4 N are, with a wide margin. The figures
of each run are printed: pytest -rP. ZMTP_BOUNDS=full takes the sizes that issue and documentation speak of where the
usual run takes a fraction: tshark alone needs 25 us for a segment of one octet, 25 s for a million.
"""
import os
import struct

import pytest
import zmq.utils.z85 as z85_codec
from zmq import curve_keypair

from bulk import SANITIZED, Capture, Meter
from corpus import all_captures, key_lines
from zmtp_bytes import command, frame, greeting, ready

MIB = 1024  # KiB, the unit of Used.memory
FULL = os.environ.get("ZMTP_BOUNDS") == "full"
# AddressSanitizer keeps freed memory, and more around each piece of it: bounds on memory hold without it only.
MEMORY_COUNTS = not SANITIZED
NOISE = 1 if SANITIZED else 0.1  # seconds of CPU time

NO_TREE = ("-q", "-z", "io,stat,0")
WITHOUT_PLUGIN = ("--disable-protocol", "zmtp")
TABLE = ("-q", "-z", "zmtp,connections,json")
PIECE = 60000  # octets in a segment
SESSION = next(sample for sample in all_captures() if sample.id == "libzmq-4.3.4/curve-req-rep")


def size(full, usual):
    """Under AddressSanitizer, where everything takes ten times as long, less still."""
    return full if FULL else usual // 5 if SANITIZED else usual


@pytest.fixture(scope="module")
def meter(tshark):
    return Meter(tshark)


@pytest.fixture
def measure(meter, folder, request):
    """measure(build, *arguments) is what tshark took for the capture that build(capture) writes."""
    built = {}

    def run(build, *arguments, **keywords):
        if build not in built:
            built[build] = folder / f"{len(built)}.pcap"
            with Capture(built[build]) as capture:
                build(capture)
        used = meter(built[build], *arguments, **keywords)
        print(f"{request.node.name}: {built[build].stat().st_size >> 10} KiB, {' '.join(arguments)}: {used}")
        return used

    yield run
    for path in built.values():
        path.unlink()


def costs_no_more_memory(used, bare, mebibytes):
    return not MEMORY_COUNTS or used.memory - bare.memory < mebibytes * MIB


def is_linear(small, large, start, factor=4):
    """CPU time of N and of `factor` times N, less what tshark needs to start; quadratic would be factor * factor."""
    return large.cpu - start.cpu < 2 * factor * max(small.cpu - start.cpu, NOISE)


def counts(*filters):
    """The arguments that count fields without printing packets: see counted."""
    return ("-q", "-z", "io,stat,0," + ",".join(f"COUNT({name}){name}" for name in filters))


def counted(used):
    """The counts of the table that io,stat prints."""
    row = next(line for line in used.output.splitlines() if "<>" in line and "Interval" not in line)
    return [int(cell) for cell in row.split("|")[2:] if cell.strip()]


def null_session(link, mechanism=b"NULL", first=b"PUSH", second=b"PULL"):
    link.client(greeting(mechanism)).server(greeting(mechanism))
    return link.client(ready(first)).server(ready(second))


@pytest.fixture(scope="module")
def start(tshark, meter):
    """What tshark needs for nearly nothing."""
    path = tshark.folder / "nothing.pcap"
    with Capture(path) as capture:
        null_session(capture.connect())
    return meter(path, *NO_TREE)


# ---- Lengths that nobody can believe ----

@pytest.mark.parametrize("flags", [0x02, 0x06], ids=["message", "command"])
@pytest.mark.parametrize("length", [2**30, 2**31 + 5, 2**63 - 1, 2**64 - 1])
def test_a_frame_costs_what_came_of_it_whatever_length_it_claims(measure, length, flags):
    """Up to 2**30 octets the plugin waits for the whole; Wireshark itself then keeps what came."""
    came = 20 << 20

    def trickle(capture):
        link = null_session(capture.connect())
        link.client(struct.pack("!BQ", flags, length)).client_in_pieces(bytes(came), 4000)

    used, bare = measure(trickle, *NO_TREE), measure(trickle, *NO_TREE, *WITHOUT_PLUGIN)
    assert costs_no_more_memory(used, bare, 16 + (2 * came >> 20 if length <= 2**30 else 0))
    assert used.cpu < 4 * bare.cpu + 1


# ---- Metadata ----

@pytest.mark.parametrize("value_length", [2**31 - 1, 2**31, 2**32 - 1])
def test_metadata_cost_what_is_there_whatever_length_they_claim(measure, value_length):
    def claim(capture):
        properties = b"\xff" + b"n" * 255 + struct.pack("!I", value_length) + b"v" * 1000
        link = capture.connect().client(greeting()).server(greeting())
        for _ in range(1000):
            link.client(command(b"READY", properties))

    used = measure(claim, *counts("zmtp.metadata.malformed"))
    assert counted(used) == [1000]
    assert costs_no_more_memory(used, measure(claim, *NO_TREE, *WITHOUT_PLUGIN), 16)


def ready_of(properties):
    def build(capture):
        octets = frame(b"\x05READY" + properties, command=True)
        capture.connect().client(greeting()).server(greeting()).client_in_pieces(octets, PIECE)
    return build


def properties_of(octets):
    return b"\x01x\0\0\0\0" * (octets // 6)


def long_property(octets):
    return b"\xff" + b"n" * 255 + struct.pack("!I", octets) + b"v" * octets


LEFT_OUT = "further items or findings are left out"


@pytest.mark.parametrize("metadata_of", [properties_of, long_property])
def test_metadata_of_a_megabyte_cost_in_proportion(measure, start, metadata_of):
    small, large = (measure(ready_of(metadata_of(octets)), "-V") for octets in (250000, 1000000))
    assert is_linear(small, large, start)
    assert costs_no_more_memory(large, start, 512)


def test_metadata_of_many_megabytes_stay_below_wiresharks_limit_of_items(measure, start):
    used = measure(ready_of(properties_of(8000000)), "-V")
    assert costs_no_more_memory(used, start, 1024)
    assert LEFT_OUT in used.output


# ---- Connections that come to nothing ----

@pytest.mark.parametrize("both", [False, True], ids=["one greeting", "both greetings and READY"])
def test_memory_for_a_connection_that_never_finishes_its_handshake_is_bounded(measure, start, both):
    def connections(count):
        def build(capture):
            for number in range(count):
                link = capture.connect(number).client(greeting())
                if both:
                    link.server(greeting(b"CURVE")).client(ready(b"DEALER"))
        return build

    count = size(100000, 20000)
    few, many = connections(count // 4), connections(count)
    used, bare = measure(many, *NO_TREE), measure(many, *NO_TREE, *WITHOUT_PLUGIN)
    assert costs_no_more_memory(used, bare, 16 + count * 4 / 1024)
    small, used = measure(few, *TABLE), measure(many, *TABLE)
    assert used.output.count('"type":"connection"') == count
    assert costs_no_more_memory(used, bare, 16 + count * 6 / 1024)
    assert is_linear(small, used, start)


# ---- Many small things ----

def test_segments_of_one_octet_cost_in_proportion(measure, start):
    def segments(count):
        def build(capture):
            null_session(capture.connect()).client_in_pieces(frame(b"eight...") * (count // 10), 1)
        return build

    count = size(1000000, 100000)
    few, many = segments(count // 4), segments(count)
    small, used, bare = measure(few, *NO_TREE), measure(many, *NO_TREE), measure(many, *NO_TREE, *WITHOUT_PLUGIN)
    assert is_linear(small, used, start)
    assert used.cpu < 3 * bare.cpu
    assert costs_no_more_memory(used, bare, 16 + count * 0.25 / 1024)


def frames(octets, segment=PIECE):
    def build(capture):
        null_session(capture.connect()).client_in_pieces(octets, segment)
    return build


SMALL = {
    "parts": (b"\1\1x", "zmtp.data"),  # of one message that never ends
    "messages": (b"\0\0", "zmtp.data"),
    "unknown commands": (b"\4\2\1X", "zmtp.command.unknown"),
    "damaged commands": (b"\4\0", "zmtp.command.malformed"),
    "PING": (command(b"PING", b"\0\1context"), "zmtp.ping.context"),
    "SUBSCRIBE": (command(b"SUBSCRIBE", b"x"), "zmtp.subscribe"),
    "ERROR": (command(b"ERROR", b"\1x"), "zmtp.reason"),
    "READY": (ready(b"PUSH"), "zmtp.socket_type"),
    "reserved flags": (b"\xf8\0", "zmtp.flags.reserved_set"),
}


FINDINGS = "unknown commands", "damaged commands", "reserved flags"
FINDINGS_SHOWN = 2000


@pytest.mark.parametrize("what", SMALL)
def test_many_frames_of_one_connection_cost_in_proportion(measure, start, what):
    octets, field = SMALL[what]
    count = size(1000000, 1000000 if what == "parts" else 200000)
    few, many = frames(octets * (count // 4)), frames(octets * count)
    small, used = measure(few, *counts(field)), measure(many, *counts(field))
    # Of one packet's findings some thousands are shown.
    packets = len(octets) * count // PIECE
    assert counted(used)[0] >= (count if what not in FINDINGS else packets * FINDINGS_SHOWN)
    assert is_linear(small, used, start)
    assert costs_no_more_memory(used, measure(many, *NO_TREE, *WITHOUT_PLUGIN), 96)


@pytest.mark.parametrize("what", SMALL)
def test_a_hundred_thousand_frames_in_one_packet_stay_below_wiresharks_limit_of_items(measure, start, what):
    """A packet of any length, as segmentation offload makes it. Wireshark takes a million items for an endless loop
    and ends the packet with a complaint on standard error, which must be empty."""
    octets, _ = SMALL[what]
    used = measure(frames(octets * min(100000, 260000 // len(octets)), 262000), "-V")
    assert costs_no_more_memory(used, start, 512)


# ---- Keys ----

@pytest.fixture
def log(tshark, folder):
    """Writes a key log."""
    def write(text):
        path = folder / "many.keys"
        path.write_text(text)
        return tshark.hand_over(path)
    return write


def session_lines(count):
    """Half of them damaged, and the last two are SESSION's."""
    label = "CURVE_SESSION_KEY"
    lines = "".join(f"{label} {number:064x} {number + 1:064x} {number + 2:064x}\n"
                    f"{label} {number:064x} {number + 1:064x} {number:063x}!\n" for number in range(count // 2))
    return lines + "\n".join(key_lines(SESSION.keys)) + "\n"


def test_a_key_log_of_a_million_lines_of_which_half_are_damaged(meter, start, log):
    count = size(1000000, 1000000)
    small, used = (meter(SESSION.capture, *counts("zmtp.data"), keys=log(session_lines(lines)))
                   for lines in (count // 4, count))
    print(f"a key log of {count} lines: {used}; of a quarter: {small}")
    frames_sent = sum(len(stream[way]) for stream in SESSION.streams for way in ("up", "down"))
    assert counted(used) == [frames_sent]
    assert f"{count // 2 - 8} more malformed lines" in used.errors
    assert len(used.errors.splitlines()) <= 12 and len(used.errors) < 2000
    assert is_linear(small, used, start)
    assert costs_no_more_memory(used, start, 16 + count / 2 * 256 / 1024 / 1024)


def strangers(count):
    pairs = (map(z85_codec.decode, curve_keypair()) for _ in range(count))
    return [f"CURVE_SECRET_KEY {public.hex()} {secret.hex()}" for public, secret in pairs]


CHECK = ("-T", "fields", "-Y", "zmtp.curvezmq.server_key_check", "-e", "zmtp.curvezmq.server_key_check")


def test_ten_thousand_secret_keys_for_one_unknown_connection(meter, start, log):
    """1024 are tried, the newest; where that was not enough it is told."""
    others = strangers(size(10000, 10000))
    right = key_lines(SESSION.with_ending(".permanent.keys"))

    def tried(lines):
        return meter(SESSION.capture, *CHECK, keys=log("\n".join([*lines, ""])))

    few, newest, oldest = tried(others[:2500] + right), tried(others + right), tried(right + others)
    print(f"2500 keys: {few}, 10000: {newest}, none of the newest: {oldest}")
    assert newest.output.startswith("right: ") and few.output.startswith("right: ")
    assert oldest.output.startswith("unknown: ") and "1024 keys that were tried" in oldest.output
    assert is_linear(few, newest, start)
    # What comes on top of reading is the same for any number of keys.
    assert oldest.cpu - newest.cpu < 2
    assert costs_no_more_memory(oldest, start, 32)
