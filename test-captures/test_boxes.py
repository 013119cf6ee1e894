# Which keys open which boxes: the README's table, on real sessions; and what a damaged box looks like.
# SPDX-License-Identifier: GPL-2.0-or-later
import functools
import pathlib
import tempfile

import pytest

from corpus import all_captures, key_lines
from key_sources import SOURCES, give, row, rows
from pdml import data_from_boxes, experts, fields, is_true, octets, shows

C_TRANSIENT = "zmtp.curvezmq.publickey"
CHECK = "zmtp.curvezmq.server_key_check"
CLOSED = "zmtp.curvezmq.not_decrypted"

# Sessions of which every key is known.
SESSIONS = [sample for sample in all_captures() if sample.with_ending(".cookie.keys").exists()]
SESSION = next(sample for sample in SESSIONS if sample.id == "libzmq-4.3.4/curve-req-rep")

# By box: HELLO's signature, WELCOME's, the cookie in INITIATE, INITIATE's own, the vouch, READY's, every MESSAGE's.
BOXES = ("HELLO", "WELCOME", "cookie", "INITIATE", "vouch", "READY", "MESSAGE")
TABLE = {
    "nothing": "- - - - - - -",
    "s": "+ + - - - - -",
    "c": "- - - - - - -",
    "s and c": "+ + - - - - -",
    "c'": "- - - - - - -",
    "c' and S": "+ + - + - + +",
    "c' and S and c": "+ + - + + + +",
    "s'": "- - - + + + +",
    "k": "- - - + - + +",
    "k and c": "- - - + + + +",
    "k and s": "+ + - + - + +",
    "K": "- - + + + + +",
    "all": "+ + + + + + +",
}
# What is said of the server key in HELLO, and on messages that stay closed.
SAID = {
    "nothing": (None, "none were given"),
    "s": ("right", "the server's permanent secret key opens HELLO and WELCOME but never this (forward secrecy)"),
    "c": ("wrong or another server's", "permanent keys never open it, for CURVE has forward secrecy"),
    "s and c": ("right", "the server's permanent secret key opens HELLO and WELCOME but never this"),
    "c'": (None, "give the server's public key too"),
    "c' and S": ("known", None),
    "c' and S and c": ("known", None),
    "s'": ("wrong or another server's", None),
    "k": (None, None),
    "k and c": ("wrong or another server's", None),
    "k and s": ("right", None),
    "K": (None, None),
    "all": ("known", None),
}


# Every session with the key log, and one with the other sources.
CASES = [pytest.param(sample, source, id=f"{sample.id}-{source}") for source in SOURCES for sample in SESSIONS
         if source == "key log" or sample is SESSION]


def secrets_of(session):
    """The lines of a session's key logs, by what they hold."""
    return {kind: key_lines(session.with_ending(ending)) for kind, ending in {
        "permanent": ".permanent.keys", "transient": ".transient.keys", "k": ".keys", "K": ".cookie.keys"}.items()}


def public_of(line):
    return line.split()[1].lower()


def hex_of(field):
    return octets(field).hex()


@pytest.fixture(scope="module")
def named(tshark):
    """name_keys of each session, found when it is asked for."""
    folder = pathlib.Path(tempfile.mkdtemp(dir=tshark.folder))
    folder.chmod(0o755)
    return functools.cache(lambda session: name_keys(tshark, folder, session))


def name_keys(tshark, folder, session):
    """The keys of the session as lines, by their names in RFC 26: a run with all keys shows whose is which."""
    secrets = secrets_of(session)
    everything = folder / "all.keys"
    everything.write_text("\n".join(sum(secrets.values(), [])) + "\n")
    packets = tshark.packets(session.capture, keys=everything)
    publics = {name: {hex_of(field) for _, field in fields(packets, shown)} for name, shown in {
        "c'": C_TRANSIENT, "s'": "zmtp.curvezmq.server_transient_key", "c": "zmtp.curvezmq.client_permanent_key",
        "s": "zmtp.curvezmq.server_permanent_key"}.items()}
    lines = {name: [line for line in secrets["permanent"] + secrets["transient"] if public_of(line) in publics[name]]
             for name in publics}
    return {**lines, "k": secrets["k"], "K": secrets["K"], "all": sum(secrets.values(), [])}


def keys_for(held, tshark, folder, source, session, named):
    """(capture, arguments, key log) that give tshark the keys of a row of TABLE."""
    if source == "key table":
        return (session.capture, sum((row("Public key", public_of(named["s"][0]), "") if name == "S" else
                                      rows(named[name]) for name in names_of(held)), ()), None)
    # A public key alone cannot be written in a key log: S comes with s.
    lines = [line for name in names_of(held) for line in named[name.replace("S", "s")]]
    return give(tshark, folder, source, session.capture, lines or ["# no key"])


def names_of(held):
    return [] if held == "nothing" else held.split(" and ")


def boxes(packets):
    """[(box, opened)] in the order of the capture."""
    found = []
    for packet in packets:
        for proto in packet.findall("proto[@name='zmtp']"):
            command = next((field.get("show") for field in proto.iter("field")
                            if field.get("name") == "zmtp.command-name"), None)
            for box in proto.iter("field"):
                state = box.find("field[@name='zmtp.curvezmq.decrypted']")
                if state is not None:
                    part = box.get("name").rpartition(".")[2]
                    found.append((part if part in ("cookie", "vouch") else command, is_true(state)))
    return found


def usable(tshark, source, held):
    if source == "embedded in capture" and tshark.series == "4.0":
        pytest.skip("Wireshark 4.0 does not give embedded secrets to plugins")
    if source == "embedded in capture" and held == "nothing":
        pytest.skip("there is nothing to embed")


@pytest.mark.parametrize("held", TABLE)
@pytest.mark.parametrize(("session", "source"), CASES)
def test_the_table_of_what_opens_what_is_true(tshark, folder, named, session, held, source):
    usable(tshark, source, held)
    capture, arguments, keys = keys_for(held, tshark, folder, source, session, named(session))
    expected = dict(zip(BOXES, (mark == "+" for mark in TABLE[held].split()), strict=True))
    if (held, source) == ("k and c", "key table"):
        expected["vouch"] = False  # a row has one public key, C': S' stays unknown
    check, reason = SAID[held]
    for passes in ((), ("-2",)):
        packets = tshark.packets(capture, *passes, *arguments, keys=keys)
        seen = boxes(packets)
        assert {name for name, _ in seen} >= {"HELLO", "WELCOME", "cookie", "INITIATE", "READY", "MESSAGE"}
        # WELCOME holds the cookie too, closed for everybody without K.
        wrong = [(name, opened) for name, opened in seen if expected[name] != opened]
        assert not wrong, f"with {held}: {wrong}"
        hellos = [name for name, _ in seen if name == "HELLO"]
        if held == "c'" and len(hellos) > 1:
            check = "wrong or another server's"  # the public keys of the other clients were tried
        assert [text.split(":")[0] for text in shows(packets, CHECK)] == ([check] * len(hellos) if check else [])
        reasons = reasons_of_messages(packets)
        assert reason in reasons.pop() if reason else not reasons
        assert {text.partition(" (")[0] for text in shows(packets, "zmtp.curvezmq.key_source")} <= {source}


def reasons_of_messages(packets):
    """Why messages stay closed: one sentence for all of a connection."""
    reasons = {field.get("show") for packet in packets for proto in packet.findall("proto[@name='zmtp']")
               if proto.find(".//field[@name='zmtp.command-name'][@show='MESSAGE']") is not None
               for field in proto.iter("field") if field.get("name") == CLOSED}
    assert len(reasons) <= 1
    return reasons


def test_a_client_with_the_wrong_server_key_is_proven_by_the_servers_secret_key(tshark):
    wrong = next(sample for sample in all_captures() if sample.id == "libzmq-4.3.4/curve-wrong-server-key")
    packets = tshark.packets(wrong.capture, keys=wrong.with_ending(".permanent.keys"))
    hellos = [opened for name, opened in boxes(packets) if name == "HELLO"]
    assert hellos and not any(hellos)
    checks = shows(packets, CHECK)
    assert len(checks) == len(hellos) and all("the client has a wrong server key" in text for text in checks)


def test_a_flipped_bit_is_shown_as_damage_and_the_other_messages_open(tshark, folder):
    expected = data_from_boxes(tshark.packets(SESSION.capture, keys=SESSION.keys))
    octets_of_file = bytearray(SESSION.capture.read_bytes())
    second = octets_of_file.index(b"\x07MESSAGE", octets_of_file.index(b"\x07MESSAGE") + 1)
    octets_of_file[second + 8 + 8 + 20] ^= 0x01  # in the box, behind name, nonce and authenticator
    damaged = folder / "damaged.pcap"
    damaged.write_bytes(octets_of_file)
    packets = tshark.packets(damaged, keys=SESSION.keys)
    assert [expert.name for expert in experts(packets)] == ["zmtp.curvezmq.damaged"]
    assert [reason.split(":")[0] for reason in shows(packets, CLOSED)].count("damaged") == 1
    assert len(data_from_boxes(packets)) == len(expected) - 1


def test_every_box_is_opened_or_says_why_not(curve_sample, tshark):
    packets = tshark.packets(curve_sample.capture, *curve_sample.arguments, keys=curve_sample.keys)
    for _, state in fields(packets, "zmtp.curvezmq.decrypted"):
        assert state.get("show")
    opened = sum(is_true(field) for _, field in fields(packets, "zmtp.curvezmq.decrypted"))
    closed = len(fields(packets, "zmtp.curvezmq.decrypted")) - opened
    assert len(fields(packets, "zmtp.curvezmq.key_source")) == opened
    assert len(fields(packets, CLOSED)) == closed
