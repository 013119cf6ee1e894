# zmtp-inject-keys: the block it writes, in captures of every kind, and the captures it refuses.
# SPDX-License-Identifier: GPL-2.0-or-later
import os
import stat
import struct
import subprocess

import pytest

from pdml import shows
from pcap_writer import Stream, save
from tools import CURVE, PAIR, SCRIPTS, SESSION, STRANGER, run, secrets_of, wireshark_version

KEYS = f"{SESSION}\n".encode()
SECTION, INTERFACE, NAMES, PACKET, SECRETS, CUSTOM = 0x0A0D0D0A, 1, 4, 6, 10, 0x0BAD
ZMTK, TLSK = 0x5A4D544B, 0x544C534B
ORDERS = pytest.mark.parametrize("order", ["<", ">"], ids=["little", "big"])


def block(order, kind, body):
    body += bytes(-len(body) % 4)
    length = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + length + body + length


def section(order, length=-1):
    return block(order, SECTION, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, length))


def interface(order, digits=6):
    return block(order, INTERFACE, struct.pack(order + "HHIHHB3xHH", 101, 0, 65535, 9, 1, digits, 0, 0))


def packet(order, interface_number=0, data=b"\x45" + bytes(22)):
    return block(order, PACKET, struct.pack(order + "IIIII", interface_number, 1, 2, len(data), len(data)) + data)


def secrets(order, text, kind=ZMTK):
    return block(order, SECRETS, struct.pack(order + "II", kind, len(text)) + text)


def simple(order):
    return section(order) + interface(order) + packet(order)


@pytest.fixture
def inject(tmp_path):
    """Runs zmtp-inject-keys on a capture of these octets; returns those of the new one."""
    def run_inject(capture, keys=KEYS, options=(), out="out.pcapng"):
        (tmp_path / "in").write_bytes(capture)
        (tmp_path / "test.keys").write_bytes(keys)
        done = run("zmtp-inject-keys", *options, *["test.keys"] * ("--remove" not in options), "in", out, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        run_inject.said, run_inject.complaints = done.stdout, done.stderr
        return (tmp_path / out).read_bytes()
    return run_inject


@pytest.fixture
def refuse(tmp_path):
    """Runs zmtp-inject-keys, which must fail and leave no file; returns what it says."""
    def run_refuse(capture, keys=KEYS, options=(), files=None):
        (tmp_path / "in").write_bytes(capture)
        (tmp_path / "test.keys").write_bytes(keys)
        before = {path: path.read_bytes() for path in tmp_path.iterdir()}
        files = files or [*["test.keys"] * ("--remove" not in options), "in", "out.pcapng"]
        done = run("zmtp-inject-keys", *options, *files, cwd=tmp_path)
        assert done.returncode == 1 and done.stdout == "" and "Traceback" not in done.stderr
        assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
        for secret in secrets_of(keys.decode(errors="replace")):
            assert secret[:16] not in done.stderr
        return done.stderr
    return run_refuse


# ---- The block -----------------------------------------------------------------------------------

@ORDERS
def test_block_stands_before_the_first_packet_in_the_order_of_its_section(inject, order):
    out = inject(simple(order))
    assert out == section(order) + interface(order) + secrets(order, KEYS) + packet(order)
    start = len(section(order) + interface(order))
    length = 20 + len(KEYS) + -len(KEYS) % 4
    numbers = [bytes.fromhex(digits) for digits in ("0000000a", f"{length:08x}", "5a4d544b", f"{len(KEYS):08x}")]
    assert out[start:start + 16] == b"".join(word if order == ">" else word[::-1] for word in numbers)
    assert inject.said == "out.pcapng: 1 key embedded\n" and inject.complaints == ""


def test_key_log_is_embedded_as_it_is(inject):
    keys = f"\ufeff# who\r\n{SESSION}\r\nCURVE_NEW_KEY x\n{PAIR}".encode()
    assert secrets("<", keys) in inject(simple("<"), keys)
    assert inject.said == "out.pcapng: 2 keys embedded\n"


def test_long_key_log_is_cut_at_line_ends(inject):
    comment = b"#" * 999 + b"\n"
    keys = KEYS + comment * 9000
    out = inject(simple("<"), keys)
    found, rest = [], out[len(section("<") + interface("<")):-len(packet("<"))]
    while rest:
        kind, length, secrets_kind, size = struct.unpack_from("<IIII", rest)
        assert (kind, secrets_kind) == (SECRETS, ZMTK) and length <= 9 << 20
        found.append(rest[16:16 + size])
        rest = rest[length:]
    assert len(found) == 2 and all(text.endswith(b"\n") for text in found) and b"".join(found) == keys


def test_file_is_for_its_owner_alone(inject, tmp_path):
    inject(simple("<"))
    assert stat.S_IMODE(os.stat(tmp_path / "out.pcapng").st_mode) == 0o600


def test_keys_that_were_there_are_kept_behind_the_new_ones(inject):
    old = secrets("<", f"{PAIR}\n".encode())
    out = inject(section("<") + interface("<") + old + packet("<"))
    assert out == section("<") + interface("<") + secrets("<", KEYS) + old + packet("<")


def test_capture_without_packets_gets_keys_too(inject):
    assert inject(section("<")) == section("<") + secrets("<", KEYS)


# ---- Captures of every kind ----------------------------------------------------------------------

SEVERAL_SECTIONS = (section(">") + interface(">") + interface(">", 9) + block(">", NAMES, bytes(4)) + packet(">", 1) +
                    section("<") + interface("<") + secrets("<", b"tls", TLSK) + packet("<") + block("<", CUSTOM, b"!"))


def test_all_other_blocks_are_kept(inject):
    out = inject(SEVERAL_SECTIONS)
    head = section(">") + interface(">") + interface(">", 9)
    assert out == head + secrets(">", KEYS) + SEVERAL_SECTIONS[len(head):]


@pytest.mark.parametrize("capture", [SEVERAL_SECTIONS, simple("<"), simple(">"), section("<"),
                                     section("<", len(interface("<"))) + interface("<") + section(">", 0)],
                         ids=["several sections", "little", "big", "no packets", "lengths given"])
def test_remove_gives_back_the_capture_octet_for_octet(inject, capture):
    with_keys = inject(capture, out="with.pcapng")
    assert inject(with_keys, options=["--remove"]) == capture != with_keys
    assert "1 block of ZMTP keys removed" in inject.said


def test_section_whose_length_is_given_gets_its_new_length(inject):
    rest = interface("<") + packet("<")
    out = inject(section("<", len(rest)) + rest + simple(">"))
    grown = section("<", len(rest) + len(secrets("<", KEYS)))
    assert out == grown + interface("<") + secrets("<", KEYS) + packet("<") + simple(">")


def test_remove_takes_zmtp_keys_alone_and_tells_of_others(inject):
    with_keys = section("<") + secrets("<", KEYS) + interface("<") + secrets("<", b"tls", TLSK) + packet("<") + \
        secrets("<", KEYS)
    assert inject(with_keys, options=["--remove"]) == section("<") + interface("<") + secrets("<", b"tls", TLSK) + \
        packet("<")
    assert inject.said.splitlines()[0] == "out.pcapng: 2 blocks of ZMTP keys removed"
    assert "1 block of other protocols' secrets kept" in inject.said


@pytest.mark.parametrize("capture", [simple("<"), (CURVE.with_suffix(".pcap")).read_bytes()], ids=["pcapng", "pcap"])
def test_remove_where_nothing_is_says_so(inject, capture):
    assert inject(capture, options=["--remove"]) == capture
    assert inject.said == "out.pcapng: held no ZMTP keys\n"


@ORDERS
@pytest.mark.parametrize("magic, digits", [(0xA1B2C3D4, 6), (0xA1B23C4D, 9)], ids=["microseconds", "nanoseconds"])
def test_pcap_becomes_pcapng_with_every_packet(inject, order, magic, digits):
    data = [b"\x45" + bytes(size) for size in (22, 23)]
    records = b"".join(struct.pack(order + "IIII", 0xF0000000, 999, len(part), 1500) + part for part in data)
    out = inject(struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 262144, 0x24000065) + records)

    options = struct.pack(order + "HHB3xHHB3xI", 9, 1, digits, 13, 1, 4, 0)
    time = 0xF0000000 * 10 ** digits + 999
    packets = [block(order, PACKET, struct.pack(order + "IIIII", 0, time >> 32, time & 0xFFFFFFFF, len(part), 1500) +
                     part) for part in data]
    assert out == section(order) + block(order, INTERFACE, struct.pack(order + "HHI", 101, 0, 262144) + options) + \
        secrets(order, KEYS) + b"".join(packets)


def test_pcap_shows_the_same_packets_as_pcapng(inject, tshark, folder):
    capture = CURVE.with_suffix(".pcap")
    (folder / "out.pcapng").write_bytes(inject(capture.read_bytes()))
    fields = ["-T", "fields", "-e", "frame.time_epoch", "-e", "frame.len", "-e", "_ws.col.Info", "-e", "tcp.payload",
              "--disable-protocol", "zmtp"]
    seen = tshark(folder / "out.pcapng", *fields)
    assert seen.strip() and seen == tshark(capture, *fields)


# ---- Wireshark -----------------------------------------------------------------------------------

@pytest.mark.parametrize("command", [
    ("tshark", "-r", "in.pcapng", "-w", "out.pcapng"), ("editcap", "in.pcapng", "out.pcapng"),
    ("mergecap", "-w", "out.pcapng", "in.pcapng", "plain.pcap"), ("reordercap", "in.pcapng", "out.pcapng")],
    ids=lambda command: command[0])
def test_block_survives_wiresharks_own_programs(inject, tmp_path, command):
    (tmp_path / "in.pcapng").write_bytes(inject(CURVE.with_suffix(".pcap").read_bytes(), out="first"))
    save(tmp_path / "plain.pcap", Stream().client(b"other"))
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=60)
    assert secrets("<", KEYS) in (tmp_path / "out.pcapng").read_bytes()


@pytest.mark.parametrize("passes", [(), ("-2",)], ids=["one pass", "two passes"])
@pytest.mark.parametrize("capture", [CURVE.with_suffix(".pcap").read_bytes(), None], ids=["pcap", "big-endian pcapng"])
def test_plugin_reads_the_block(inject, tshark, folder, capture, passes):
    original = CURVE.with_suffix(".pcap")
    expected = shows(tshark.packets(original, keys=CURVE.with_suffix(".keys")), "zmtp.data")
    (folder / "out.pcapng").write_bytes(inject(capture or big_endian(original.read_bytes())))
    # Wireshark 4.0 does not let a plugin read it, and must not stumble over it.
    readable = wireshark_version() >= (4, 4)
    keys = None if readable else CURVE.with_suffix(".keys")
    assert expected and shows(tshark.packets(folder / "out.pcapng", *passes, keys=keys), "zmtp.data") == expected
    if not readable:
        assert shows(tshark.packets(folder / "out.pcapng", *passes), "zmtp.data") == []


def big_endian(pcap):
    """The same pcap file as a big-endian machine writes it."""
    out, offset = struct.pack(">IHHiIII", *struct.unpack_from("<IHHiIII", pcap)), 24
    while offset < len(pcap):
        head = struct.unpack_from("<IIII", pcap, offset)
        out += struct.pack(">IIII", *head) + pcap[offset + 16:offset + 16 + head[2]]
        offset += 16 + head[2]
    return out


# ---- What is refused -----------------------------------------------------------------------------

@pytest.mark.parametrize("options", [(), ("--remove",)], ids=["inject", "remove"])
def test_existing_file_is_not_overwritten(refuse, tmp_path, options):
    (tmp_path / "out.pcapng").write_text("precious")
    assert refuse(simple("<"), options=options) == "out.pcapng: exists already; it is not overwritten\n"
    (tmp_path / "out.pcapng").unlink()
    (tmp_path / "out.pcapng").symlink_to("in")
    assert "out.pcapng: is the capture itself" in refuse(simple("<"), options=options)


def test_capture_is_not_overwritten_with_itself(refuse):
    assert refuse(simple("<"), files=["test.keys", "in", "./in"]) == \
        "./in: is the capture itself; give the new file another name\n"


BAD = f"{SESSION}\n{STRANGER}\nCURVE_SESSION_KEY\n".encode()


def test_bad_lines_are_an_error_that_names_them(refuse):
    assert refuse(simple("<"), BAD).splitlines() == [
        "test.keys: line 2: the secret key does not belong to the public key",
        "test.keys: line 3: CURVE_SESSION_KEY needs 3 keys, found 0",
        "test.keys: has bad lines; mend them, or give --skip-bad-lines"]


def test_bad_lines_can_be_skipped(inject):
    assert secrets("<", KEYS) in inject(simple("<"), BAD, options=["--skip-bad-lines"])
    assert len(inject.complaints.splitlines()) == 2 and inject.said == "out.pcapng: 1 key embedded\n"


@pytest.mark.parametrize("keys", [b"", b"# nothing\n", b"CURVE_NEW_KEY 12\n"])
def test_key_log_without_keys_is_an_error(refuse, keys):
    assert refuse(simple("<"), keys) == "test.keys: holds no keys\n"
    assert "holds no keys" in refuse(simple("<"), keys + b"CURVE_SECRET_KEY\n", options=["--skip-bad-lines"])


GOOD = section("<") + interface("<")
PCAP = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 101)


@pytest.mark.parametrize("capture, offset, reason", [
    (GOOD + packet("<")[:-1], len(GOOD), "the file ends within a block"),
    (GOOD + packet("<")[:5], len(GOOD), "the file ends within a block"),
    (GOOD + struct.pack("<II", PACKET, 0xFFFFFFFC), len(GOOD), "a block of 4294967292 octets"),
    (GOOD + struct.pack("<III", PACKET, 11, 11), len(GOOD), "a block of 11 octets"),
    (GOOD + struct.pack("<IIII", PACKET, 16, 0, 12), len(GOOD), "a block whose two lengths differ"),
    (GOOD + section("<")[:8] + bytes(20), len(GOOD), "a section whose byte order cannot be told"),
    (GOOD + struct.pack("<III", SECTION, 12, 0x1A2B3C4D), len(GOOD), "a block of 12 octets"),
    (section("<")[:10], 0, "the file ends within a block"),
    (PCAP + struct.pack("<IIII", 1, 1, 8, 8) + bytes(7), 24, "the file ends within a packet of 8 octets"),
    (PCAP + bytes(7), 24, "the file ends within a packet's header"),
    (PCAP + struct.pack("<IIII", 1, 1, 0xFFFFFFFF, 8), 24, "a packet of 4294967295 octets"),
    (PCAP[:20], 0, "the file ends within its header"),
], ids=range(12))
def test_damage_is_told_with_its_place(refuse, capture, offset, reason):
    assert f"in: damaged at offset {offset}: {reason}" in refuse(capture)
    if capture[:4] == GOOD[:4]:
        assert f"in: damaged at offset {offset}: {reason}" in refuse(capture, options=["--remove"])


def test_what_is_whole_of_a_damaged_capture_can_be_saved_as_the_message_says(inject, tmp_path):
    (tmp_path / "cut").write_bytes(simple("<") + packet("<")[:-1])
    subprocess.run(["editcap", "cut", "mended.pcapng"], cwd=tmp_path, check=False, capture_output=True, timeout=60)
    assert secrets("<", KEYS) in inject((tmp_path / "mended.pcapng").read_bytes())


@pytest.mark.parametrize("capture, reason", [
    (b"", "is not a pcapng or pcap file"), (b"GET / HTTP/1.1\r\n\r\n", "is not a pcapng or pcap file"),
    (b"\x1f\x8b\x08\x00" + bytes(20), "is compressed; unpack it first (gzip -d)"),
    (b"\x28\xb5\x2f\xfd" + bytes(20), "is compressed; unpack it first (zstd -d)")])
def test_what_is_no_capture_is_told(refuse, capture, reason):
    assert refuse(capture).startswith(f"in: {reason}")
    assert refuse(capture, options=["--remove"]).startswith(f"in: {reason}")


@pytest.mark.parametrize("files, reason", [
    (["absent", "in", "out.pcapng"], "absent: No such file or directory\n"),
    (["test.keys", "absent", "out.pcapng"], "absent: No such file or directory\n"),
    (["test.keys", ".", "out.pcapng"], ".: Is a directory\n"),
    ([".", "in", "out.pcapng"], ".: Is a directory\n")])
def test_files_that_cannot_be_used_are_named(refuse, files, reason):
    assert refuse(simple("<"), files=files) == reason


@pytest.mark.parametrize("files", [("pipe", "in", "out"), ("test.keys", "pipe", "out"), ("--remove", "pipe", "out")])
def test_pipe_is_refused_and_not_waited_for(tmp_path, files):
    (tmp_path / "in").write_bytes(simple("<"))
    (tmp_path / "test.keys").write_bytes(KEYS)
    os.mkfifo(tmp_path / "pipe")
    done = run("zmtp-inject-keys", *files, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "") and not (tmp_path / "out").exists()
    assert done.stderr.startswith("pipe: is not an ordinary file; a pipe cannot be read")
    with (tmp_path / "in").open() as file, subprocess.Popen(["cat"], stdin=file, stdout=subprocess.PIPE) as cat:
        done = run("zmtp-inject-keys", "--remove", "/dev/stdin", "out", stdin=cat.stdout, cwd=tmp_path)
    assert done.returncode == 1 and done.stderr.startswith("/dev/stdin: is not an ordinary file")


def test_long_name_is_no_problem(inject):
    assert inject(simple("<"), out="n" * 255)


def test_folder_that_is_not_there_is_told(refuse):
    said = refuse(simple("<"), files=["test.keys", "in", "absent/out.pcapng"])
    assert said == "absent/out.pcapng: cannot be made: No such file or directory\n"


@pytest.mark.parametrize("arguments", [(), ("a", "b"), ("--remove", "a", "b", "c"), ("--nonsense", "a", "b", "c"),
                                       ("--remove", "--skip-bad-lines", "a", "b")])
def test_wrong_usage_is_told(arguments, tmp_path):
    done = run("zmtp-inject-keys", *arguments, cwd=tmp_path)
    assert done.returncode == 2 and "usage: zmtp-inject-keys" in done.stderr and not done.stdout


def test_help_names_wireshark_4_0():
    done = run("zmtp-inject-keys", "-h")
    assert done.returncode == 0 and "4.0" in done.stdout and "--remove" in done.stdout


def test_without_the_checker_it_says_what_to_build(tmp_path):
    (tmp_path / "in").write_bytes(simple("<"))
    (tmp_path / "test.keys").write_bytes(KEYS)
    done = subprocess.run([SCRIPTS / "zmtp-inject-keys", "test.keys", "in", "out"], cwd=tmp_path, check=False,
                          env={"PATH": "/usr/bin:/bin", "ZMTP_BUILD": str(tmp_path)}, capture_output=True, text=True)
    assert done.returncode == 1 and "build first" in done.stderr and not (tmp_path / "out").exists()
