# Which keys open which boxes: the README's table, on real sessions; and what a damaged box looks like.
# SPDX-License-Identifier: GPL-2.0-or-later
import pytest

from corpus import all_captures, key_lines
from pdml import data_from_boxes, experts, fields, is_true, octets, shows

SESSION = next(sample for sample in all_captures() if sample.id == "libzmq-4.3.4/curve-req-rep")
C_TRANSIENT = "zmtp.curvezmq.publickey"
OPENED, CLOSED = True, False

# By box: HELLO's signature, WELCOME's, the cookie in INITIATE, INITIATE's own, the vouch, READY's, every MESSAGE's.
BOXES = ("HELLO", "WELCOME", "cookie", "INITIATE", "vouch", "READY", "MESSAGE")
TABLE = {
    "nothing": "- - - - - - -",
    "s": "+ + - - - - -",
    "c": "- - - - - - -",
    "s and c": "+ + - - - - -",
    "c'": "- - - - - - -",
    "c' and S": "+ + - + - + +",
    "s'": "- - - + + + +",
    "k": "- - - + - + +",
    "k and c": "- - - + + + +",
    "K": "- - + + + + +",
    "all": "+ + + + + + +",
}


@pytest.fixture(scope="module")
def secrets():
    """The lines of SESSION's key logs, by what they hold."""
    permanent = key_lines(SESSION.with_ending(".permanent.keys"))
    transient = key_lines(SESSION.with_ending(".transient.keys"))
    return {"permanent": permanent, "transient": transient, "k": key_lines(SESSION.keys),
            "K": key_lines(SESSION.with_ending(".cookie.keys"))}


def public_of(line):
    return line.split()[1].lower()


def hex_of(field):
    return octets(field).hex()


@pytest.fixture(scope="module")
def named(tshark, secrets):
    """Each key of the session as a line, by its name in RFC 26: a run with all keys shows whose is which."""
    everything = tshark.folder / "all.keys"
    everything.write_text("\n".join(sum(secrets.values(), [])) + "\n")
    everything.chmod(0o644)
    packets = tshark.packets(SESSION.capture, keys=everything)
    publics = {name: hex_of(fields(packets, field)[0][1]) for name, field in {
        "c'": C_TRANSIENT, "s'": "zmtp.curvezmq.server_transient_key", "c": "zmtp.curvezmq.client_permanent_key",
        "s": "zmtp.curvezmq.server_permanent_key"}.items()}
    lines = {name: next(line for line in secrets["permanent"] + secrets["transient"] if public_of(line) == public)
             for name, public in publics.items()}
    return {**lines, "k": secrets["k"], "K": secrets["K"], "all": sum(secrets.values(), [])}


def lines_for(row, named):
    if row == "nothing":
        return ["# no key"]
    # A public key alone cannot be written in a key log: S comes with s.
    names = row.replace("S", "s").split(" and ")
    return [line for name in names for line in ([named[name]] if isinstance(named[name], str) else named[name])]


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


@pytest.mark.parametrize("row", TABLE)
def test_the_table_of_what_opens_what_is_true(tshark, folder, named, row):
    keys = folder / "some.keys"
    keys.write_text("\n".join(lines_for(row, named)) + "\n")
    expected = dict(zip(BOXES, (mark == "+" for mark in TABLE[row].split()), strict=True))
    for passes in ((), ("-2",)):
        seen = boxes(tshark.packets(SESSION.capture, *passes, keys=keys))
        assert {name for name, _ in seen} >= {"HELLO", "WELCOME", "cookie", "INITIATE", "READY", "MESSAGE"}
        wrong = [(name, opened) for name, opened in seen if expected[name] != opened]
        # WELCOME holds the cookie too, closed for everybody without K.
        assert not wrong, f"with {row}: {wrong}"


def test_s_alone_is_told_why_messages_stay_closed(tshark, folder, named):
    keys = folder / "server.keys"
    keys.write_text(named["s"] + "\n")
    packets = tshark.packets(SESSION.capture, keys=keys)
    assert "key log (server permanent secret key)" in shows(packets, "zmtp.curvezmq.key_source")
    assert any("forward secrecy" in reason for reason in shows(packets, "zmtp.curvezmq.not_decrypted"))


def test_a_client_with_the_wrong_server_key_is_proven_by_the_servers_secret_key(tshark):
    wrong = next(sample for sample in all_captures() if sample.id == "libzmq-4.3.4/curve-wrong-server-key")
    packets = tshark.packets(wrong.capture, keys=wrong.with_ending(".permanent.keys"))
    hellos = [opened for name, opened in boxes(packets) if name == "HELLO"]
    assert hellos and not any(hellos)


def test_a_flipped_bit_is_shown_as_damage_and_the_other_messages_open(tshark, folder):
    expected = data_from_boxes(tshark.packets(SESSION.capture, keys=SESSION.keys))
    octets_of_file = bytearray(SESSION.capture.read_bytes())
    second = octets_of_file.index(b"\x07MESSAGE", octets_of_file.index(b"\x07MESSAGE") + 1)
    octets_of_file[second + 8 + 8 + 20] ^= 0x01  # in the box, behind name, nonce and authenticator
    damaged = folder / "damaged.pcap"
    damaged.write_bytes(octets_of_file)
    packets = tshark.packets(damaged, keys=SESSION.keys)
    assert [expert.name for expert in experts(packets)] == ["zmtp.curvezmq.damaged"]
    assert [reason.split(":")[0] for reason in shows(packets, "zmtp.curvezmq.not_decrypted")].count("damaged") == 1
    assert len(data_from_boxes(packets)) == len(expected) - 1


def test_every_box_is_opened_or_says_why_not(curve_sample, tshark):
    packets = tshark.packets(curve_sample.capture, *curve_sample.arguments, keys=curve_sample.keys)
    for _, state in fields(packets, "zmtp.curvezmq.decrypted"):
        assert state.get("show")
    opened = sum(is_true(field) for _, field in fields(packets, "zmtp.curvezmq.decrypted"))
    closed = len(fields(packets, "zmtp.curvezmq.decrypted")) - opened
    assert len(fields(packets, "zmtp.curvezmq.key_source")) == opened
    assert len(fields(packets, "zmtp.curvezmq.not_decrypted")) == closed
