# No octet of any secret in any output: everything is dumped and searched.
# SPDX-License-Identifier: GPL-2.0-or-later
"""All captures with keys are merged into one, and all their keys into one key log or keytab: one run for each kind of
output, in place of hundreds. What the user typed into the key table may be where tshark exports it, and nowhere else.
The passwords of PLAIN are no keys: they are on the wire for everybody, and shown.
"""
import base64
import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

import tools
from bulk import SANITIZED, Meter
from corpus import all_captures, key_lines, key_octets, z85
from key_sources import certificate, give, rows, text_of
from leaks import Search
from pdml import fields

# Sanitizers take twenty times as long: without the few large captures.
SAMPLES = [sample for sample in all_captures() if sample.opened_by
           and not (SANITIZED and sample.capture.stat().st_size > 150000)]
NOISY = ("--log-level", "noisy")
ONLY_ZMTP = ("-J", "zmtp")
EVERYTHING = {
    "text": ("-2", "-P", "-V", "-x", "-z", "zmtp,connections", "-z", "zmtp,connections,json", "-z", "zmtp,tree",
             "-z", "expert", *NOISY),
    # Of IP and TCP only their names: they know nothing of keys.
    "PDML": ("-T", "pdml", *ONLY_ZMTP, *NOISY),
    "JSON": ("-T", "json", *ONLY_ZMTP, *NOISY),
    "EK": ("-T", "ek", *ONLY_ZMTP, *NOISY),
}


# ---- The search itself ----

SECRET = bytes.fromhex("6cd3f1da3cb9f3e2344b27bf819fac443755490da618681ea065a8250fbd071c")
HALVES = SECRET[:16], SECRET[16:]
LEAKS = {
    "hex": SECRET.hex(),
    "upper hex": SECRET.hex().upper(),
    "colons": "key: " + SECRET.hex(":"),
    "blanks in groups": SECRET.hex(" ", 4),
    "C": ", ".join(f"0x{octet:02x}" for octet in SECRET),
    "lines": "\n".join(SECRET.hex()[start:start + 10] for start in range(0, 64, 10)),
    "half": f"1234{HALVES[1].hex()}5678",
    "a quarter and more": SECRET[3:20].hex(),
    "Z85": f"<{z85(SECRET)}>",
    "Z85 with the case swapped": z85(SECRET).swapcase(),
    "Z85, half": z85(SECRET)[20:],
    "Z85 in XML": z85(SECRET).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"),
    "Base64": base64.b64encode(SECRET).decode(),
    "Base64 behind something": base64.b64encode(b"?" + SECRET + b"??").decode(),
    "Base64 behind two octets, half": base64.b64encode(b"??" + HALVES[0] + b"?").decode(),
    "Base64 for addresses": base64.urlsafe_b64encode(SECRET).decode(),
    "octets": SECRET.decode(errors="surrogateescape"),
    "octets as UTF-8": SECRET.decode("latin-1"),
    "escapes": "".join(chr(octet) if 0x20 < octet < 0x7F else f"\\x{octet:02x}" for octet in SECRET),
    "dump": f"0000  00 00 00 00 {SECRET[:12].hex(' ')}   ....\n0010  {SECRET[12:28].hex(' ')}   ....\n"
            f"0020  {SECRET[28:].hex(' ')}   ..\n",
}


@pytest.mark.parametrize("form", LEAKS)
def test_the_search_finds_a_secret(folder, form):
    text = f"before it\n{LEAKS[form]}\nbehind it"
    assert Search([SECRET, bytes(range(32))], folder).found(text) == {SECRET}


def test_the_search_finds_nothing_in_another_key(folder):
    other = bytes(octet ^ 0x55 for octet in SECRET)
    assert not Search([SECRET], folder).found(f"{other.hex()} {z85(other)} {base64.b64encode(other)}")


# ---- All captures with keys ----

class Pile:
    """All samples of one kind in one capture, with all their keys."""

    def __init__(self, tshark, samples):
        self.samples = samples
        self.folder = Path(tempfile.mkdtemp(dir=tshark.folder))
        self.folder.chmod(0o755)
        self.capture = self.folder / "all.pcapng"
        subprocess.run(["mergecap", "-w", self.capture, *(sample.capture for sample in samples)], check=True)
        self.capture.chmod(0o644)
        self.logs = [log for sample in samples for log in sorted(sample.base.parent.glob(f"{sample.base.name}*.keys"))]
        self.lines = [line for log in self.logs for line in key_lines(log)]
        self.secrets = set().union(*(sample.secrets() for sample in samples))
        self.arguments = ("-o", "tcp.reassemble_out_of_order:TRUE")
        self.keys = tshark.hand_over(self._write("all.keys", "\n".join([*self.lines, ""]).encode()))
        keytabs = [sample.keytab.read_bytes() for sample in samples if sample.keytab]
        if keytabs:
            # 0x0502, the version, and entries.
            keytab = self._write("all.keytab", b"\5\2" + b"".join(octets[2:] for octets in keytabs))
            self.arguments += ("-o", "kerberos.decrypt:TRUE", "-o", f"kerberos.file:{tshark.hand_over(keytab)}")

    def _write(self, name, octets):
        path = self.folder / name
        path.write_bytes(octets)
        return path


@pytest.fixture(scope="module", params=["curve", "gssapi"])
def pile(tshark, request):
    made = Pile(tshark, [sample for sample in SAMPLES if bool(sample.keytab) == (request.param == "gssapi")])
    yield made
    shutil.rmtree(made.folder)


@pytest.mark.parametrize("form", EVERYTHING)
def test_no_secret_of_any_capture_is_in_any_output(tshark, folder, pile, form):
    used = Meter(tshark)(pile.capture, *EVERYTHING[form], *pile.arguments, keys=pile.keys)
    # Plain figures: pytest takes minutes to show how such texts differ.
    dumped, logged = len(used.output) >> 20, used.errors.count("(tshark:")
    assert dumped >= 5 and logged
    found = Search(pile.secrets, folder).found(used.output + used.errors)
    print(f"{form}: {used}, {len(used.output) >> 20} MiB searched for {len(pile.secrets)} secrets")
    assert not found, [secret.hex()[:8] for secret in found]


def test_everything_that_keys_open_was_dumped(tshark, pile):
    """Else nothing would have been searched."""
    names = ("zmtp.curvezmq.decrypted", "zmtp.gssapi.decrypted")
    used = Meter(tshark)(pile.capture, "-q", "-z", "io,stat,0," + ",".join(
        f"COUNT({name}){name}==1" for name in names), *pile.arguments, keys=pile.keys)
    row_of_counts = next(line for line in used.output.splitlines() if "<>" in line and "Interval" not in line)
    opened = sum(int(cell) for cell in row_of_counts.split("|")[2:] if cell.strip())
    sent = sum(len(stream[way]) for sample in pile.samples if sample.whole and sample.can_be_opened
               for stream in sample.streams for way in ("up", "down"))
    assert opened > sent > 1000


def test_session_keys_of_kerberos_are_in_wiresharks_own_tree_only(tshark, folder):
    """With a keytab, Wireshark shows the keys in a ticket. The plugin repeats none of them."""
    sample = next(sample for sample in SAMPLES if sample.id == "libzmq-4.3.4/gssapi-req-rep")
    packets = tshark.packets(sample.capture, *sample.arguments, keys=sample.keytab)
    keys = {bytes.fromhex(field.get("value") or "") for _, field in fields(packets, "kerberos.keyvalue")}
    assert keys and all(keys)
    ours = tshark(sample.capture, "-2", "-P", "-q", "-z", "zmtp,connections", "-z", "zmtp,connections,json",
                  "-z", "zmtp,tree", *sample.arguments, keys=sample.keytab)
    ours += "\n".join(str(field.attrib) for packet in packets for field in packet.iter("field")
                      if field.get("name", "").startswith("zmtp."))
    assert not Search(keys, folder).found(ours)


# ---- Every source of keys ----

SESSION = next(sample for sample in SAMPLES if sample.id == "libzmq-4.3.4/curve-req-rep")
LOGS = {kind: key_lines(SESSION.with_ending(f".{kind}keys")) for kind in ("", "permanent.", "transient.", "cookie.")}
LINES = sum(LOGS.values(), [])
SECRETS = {key_octets(line.split()[-1]) for line in LINES}


@pytest.fixture
def profile(tshark, folder):
    """Makes a folder of settings with keys: KEY SOURCE is "key log", "key table", "certificate" or several of these."""
    log, place = folder / "all.keys", folder / "certificates"
    log.write_text("\n".join([*LINES, ""]))
    place.mkdir()
    for number, line in enumerate(LOGS["permanent."]):
        (place / f"{number}.key_secret").write_text(certificate(*line.split()[1:]))
    place.chmod(0o755)
    for path in (log, *place.iterdir()):
        tshark.hand_over(path)

    def make(*sources, table=None):
        made = Path(tempfile.mkdtemp(dir=folder))  # new for each run: answers are cached by its name
        settings = made / "wireshark"
        settings.mkdir()
        preferences = {"key log": f"zmtp.keylog_file: {log}\n", "certificate": f"zmtp.certificate_folder: {place}\n"}
        (settings / "preferences").write_text("".join(preferences.get(source, "") for source in sources))
        if "key table" in sources:
            typed = [word.removeprefix("uat:zmtp_keys:") for word in rows(LINES) if word != "-o"]
            (settings / "zmtp_keys").write_text("\n".join(typed if table is None else table) + "\n")
            tshark.hand_over(settings / "zmtp_keys")
        for path in (made, settings):
            path.chmod(0o755)
        (settings / "preferences").chmod(0o644)
        return made
    return make


SOURCES = ("key log", "key table", "certificate")


@pytest.mark.parametrize("source", SOURCES)
def test_keys_of_a_profile_are_used_and_in_no_output(tshark, folder, profile, source):
    output, errors = tshark(SESSION.capture, *EVERYTHING["text"], config=profile(source), stderr=True)
    assert f"Key source: {source}" in output
    assert not Search(SECRETS, folder).found(output + errors)


@pytest.mark.parametrize("report", ["currentprefs", "defaultprefs", "plugins", "folders"])
def test_no_report_about_the_settings_tells_what_is_in_key_files(tshark, folder, profile, report):
    """What was typed into the key table is in a file of its own; with the preferences it would be allowed."""
    output, errors = tshark(None, "-G", report, config=profile(*SOURCES), stderr=True)
    assert report != "currentprefs" or f"zmtp.keylog_file: {folder}" in output
    assert not Search(SECRETS, folder).found(output + errors)


def test_embedded_keys_are_in_no_output(tshark, folder):
    capture, arguments, _ = give(tshark, folder, "embedded in capture", SESSION.capture, LINES)
    output, errors = tshark(capture, *EVERYTHING["text"], *arguments, stderr=True)
    assert tshark.series == "4.0" or "embedded" in output
    assert not Search(SECRETS, folder).found(output + errors)


def test_what_sharkd_tells_holds_no_secret(tshark, folder):
    results = tshark.sharkd(
        ("setconf", {"name": "zmtp.keylog_file", "value": tshark.give_secret(SESSION.with_ending(".cookie.keys"))}),
        ("load", {"file": tshark.give(SESSION.capture)}), ("frames", {}),
        *(("frame", {"frame": number, "proto": True, "bytes": True, "columns": True}) for number in range(1, 20)))
    told = json.dumps(results[2:])
    octets = [base64.b64decode(text).hex() for text in re.findall(r'"bytes": "([^"]*)"', told)]
    assert "CURVE" in told and octets
    assert not Search(SECRETS, folder).found("\n".join([told, *octets]))


# ---- What is said about keys that are damaged ----

def damaged(line):
    """A line of a key log in every way in which it can be wrong."""
    *words, secret = line.split()
    start = " ".join(words)
    yield from (f"{start} {secret[:-1]}", f"{start} {secret}0", f"{start} {secret[:-1]}g", f"{start} {secret[:20]}",
                f"{start} {secret} {secret}", f"{words[0]} {secret}", f"{start}{secret}", secret, f"{secret} {start}",
                f"{start} 0x{secret}", f"{start} {z85(key_octets(secret))[:-1]}", f"{start} {text_of(secret)}!",
                f"{start} {secret[:63]}\u00e9", f"{start} {secret[:32]} {secret[32:]}", f"{start} \"{secret}\"",
                f"{start} {secret[:30]}\x01{secret[30:]}", f"{start.lower()} {secret}")


BAD_LOG = "\n".join(bad for line in LINES for bad in damaged(line)) + "\n"
BAD_LOGS = ["\n".join([*chunk, ""]) for chunk in zip(*[iter(BAD_LOG.splitlines())] * 8)]  # eight are told in full


def test_no_complaint_about_a_key_log_quotes_it(tshark, folder):
    search, told = Search(SECRETS, folder), 0
    for number, text in enumerate(BAD_LOGS):
        log = folder / f"{number}.keys"
        log.write_text(text)
        output, errors = tshark(SESSION.capture, "-V", *NOISY, keys=log, stderr=True)
        told += len(re.findall(r"line \d+: ", errors))
        assert not search.found(output + errors)
    assert told > len(BAD_LOG.splitlines()) / 2


def test_no_complaint_about_a_certificate_quotes_it(tshark, folder):
    place = folder / "certificates"
    place.mkdir()
    public, secret = LOGS["permanent."][0].split()[1:]
    good = certificate(public, secret)
    connection = {"transport": "tcp", "curve_publickey": text_of(public), "curve_secretkey": text_of(secret)}
    texts = [good[:-5], good.replace("secret-key", "secret"), good.replace('= "', "= "), good.replace("curve", ""),
             good.replace(text_of(secret), text_of(secret) + "0"), certificate(secret, public),
             good.replace(text_of(secret), secret), json.dumps(connection)[:-4],
             json.dumps({**connection, "curve_secretkey": text_of(secret)[:-1]}),
             json.dumps({**connection, "curve_publickey": text_of(secret)})]
    for number, text in enumerate(texts):
        file = place / f"{number}{'.json' if text.startswith('{') else '.key_secret'}"
        file.write_text(text)
        tshark.hand_over(file)
    place.chmod(0o755)
    search, told = Search(SECRETS, folder), 0
    for arguments in [("-o", f"zmtp.certificate_folder:{place}"),
                      *(("-o", f"zmtp.certificate_file:{file}") for file in sorted(place.iterdir()))]:
        output, errors = tshark(SESSION.capture, "-V", *arguments, stderr=True)
        told += "ZMTP" in errors
        assert not search.found(output + errors), arguments
    assert told > len(texts) / 2


TYPED = LOGS["permanent."][0].split()[-1]
# Not a key as the type and not a column too many: those Wireshark itself quotes, before the plugin is asked. What was
# typed into the key table is the exception.
BAD_ROWS = {
    "long": f'"Secret key","","{TYPED}0"',
    "short": f'"Secret key","","{TYPED[:-1]}"',
    "short Z85": f'"Secret key","","{text_of(TYPED)[:-1]}"',
    "no digit": f'"Secret key","","{TYPED[:-1]}g"',
    "other columns": f'"Secret key","{TYPED}","00"',
    "no quote at the end": f'"Secret key","","{TYPED}',
    "no quotes": f'Secret key,,{TYPED}',
    "no public key": f'"Session key","","{TYPED}"',
}


@pytest.mark.skipif(SANITIZED, reason="Wireshark does not free a row of a table that it refuses")
@pytest.mark.parametrize("bad", BAD_ROWS)
def test_no_complaint_about_a_saved_key_table_quotes_it(tshark, folder, profile, bad):
    settings = profile("key table", table=[BAD_ROWS[bad]])
    output, errors = tshark(SESSION.capture, "-V", config=settings, stderr=True)
    print(errors)
    assert errors and not Search(SECRETS, folder).found(output + errors)


# ---- Programs ----

def test_no_program_quotes_a_damaged_key_log(folder):
    search = Search(SECRETS, folder)
    for number, text in enumerate(BAD_LOGS):
        log, out = folder / f"{number}.keys", folder / f"{number}.pcapng"
        log.write_text(text)
        for words in (("zmtp-keylog-check", log), ("zmtp-inject-keys", log, SESSION.capture, out),
                      ("zmtp-inject-keys", "--skip-bad-lines", log, SESSION.capture, out)):
            done = tools.run(*words)
            assert not search.found(done.stdout + done.stderr), words


def test_what_zmtp_capture_says_of_a_capture_holds_no_secret(folder):
    """Its report, made as after capturing."""
    program = tools.program_module("zmtp-capture")
    keys = folder / "all.keys"
    keys.write_text("\n".join([*LINES, ""]))
    if SANITIZED:
        pytest.skip("tshark is started without the sanitizer's library")
    lines, table = program.dissect(SESSION.capture, keys, tools.BUILD)
    report = program.Report(lines, table)
    told = "\n".join(map(str, [lines, table, report.kinds(), report.opened]))
    assert report.opened == 1
    assert not Search(SECRETS, folder).found(told)
