# GSSAPI: what a keytab opens, what is said where it does not, and what no real peer would send.
# SPDX-License-Identifier: GPL-2.0-or-later
import re
import shutil
import struct

import pytest

from corpus import all_captures
from pcap_writer import Stream, save
from pdml import data_from_tokens, experts, fields, frames_by_stream, is_true, number, octets, shows
from zmtp_bytes import command, frame, greeting, metadata

DECRYPTED = "zmtp.gssapi.decrypted"
CLOSED = "zmtp.gssapi.not_decrypted"
TOKEN = "zmtp.gssapi.token"
DECRYPT_ON = ("-o", "kerberos.decrypt:TRUE")
KRB5 = bytes.fromhex("06092a864886f712010202")


def sample_named(name):
    return next(sample for sample in all_captures() if sample.id == f"libzmq-4.3.4/gssapi-{name}")


SESSION, OTHER = sample_named("req-rep"), sample_named("push-pull")


def reasons(packets):
    """The distinct reasons why tokens stay closed."""
    return sorted(set(shows(packets, CLOSED)))


def names(packets):
    return [expert.name for expert in experts(packets)]


def opened(packets):
    return [is_true(field) for _, field in fields(packets, DECRYPTED)]


# Keytabs

def test_the_same_frames_open_with_the_keytab_given_by_k(gssapi_sample, tshark):
    by_preference = tshark.packets(gssapi_sample.capture, *gssapi_sample.arguments, keys=gssapi_sample.keytab)
    by_option = tshark.packets(gssapi_sample.capture, *gssapi_sample.arguments, *DECRYPT_ON,
                               "-K", tshark.give_secret(gssapi_sample.keytab))
    assert frames_by_stream(by_option, gssapi_sample.port) == frames_by_stream(by_preference, gssapi_sample.port)
    assert opened(by_option) == opened(by_preference)


def test_every_token_is_opened_or_says_why_not(gssapi_sample, tshark):
    packets = tshark.packets(gssapi_sample.capture, *gssapi_sample.arguments, keys=gssapi_sample.keytab)
    states = opened(packets)
    assert len(shows(packets, CLOSED)) == states.count(False)
    if gssapi_sample.whole and gssapi_sample.can_be_opened:
        assert False not in states


def test_a_keytab_with_other_keys_opens_nothing_and_the_tree_says_why(gssapi_sample, tshark):
    other = OTHER if gssapi_sample is not OTHER else SESSION
    packets = tshark.packets(gssapi_sample.capture, *gssapi_sample.arguments, keys=other.keytab)
    assert data_from_tokens(packets) == [] and True not in opened(packets)
    if gssapi_sample.whole and gssapi_sample.can_be_opened and False in opened(packets):
        assert all(re.match(r"the keytab \S*\.keytab has no key for the ticket in frame \d+: there stand", reason)
                   for reason in reasons(packets))


def test_what_is_missing_is_said(tshark, folder):
    def why(*arguments):
        output, _ = tshark(SESSION.capture, "-T", "fields", "-e", CLOSED, "-Y", CLOSED, *arguments, stderr=True)
        texts = {text for line in output.splitlines() for text in line.split(",No ")[:1]}
        assert len(texts) == 1 or all(text.startswith(min(texts)[:20]) for text in texts)
        return min(texts)

    keytab = tshark.give_secret(SESSION.keytab)
    assert why().startswith("Kerberos decryption is off")
    assert why("-o", f"kerberos.file:{keytab}").startswith("Kerberos decryption is off")
    assert why(*DECRYPT_ON).startswith("no keytab is set")
    other = tshark.give_secret(OTHER.keytab)
    assert why(*DECRYPT_ON, "-K", other).startswith("no keytab is set, or the one given with -K")
    missing = folder / "missing.keytab"
    assert why(*DECRYPT_ON, "-o", f"kerberos.file:{missing}") == f"the keytab {missing} cannot be read"
    assert why(*DECRYPT_ON, "-o", f"kerberos.file:FILE:{missing}").endswith("missing.keytab cannot be read")


def test_a_keytab_named_with_its_type_opens(tshark):
    keytab = tshark.give_secret(SESSION.keytab)
    packets = tshark.packets(SESSION.capture, *DECRYPT_ON, "-o", f"kerberos.file:FILE:{keytab}")
    assert set(opened(packets)) == {True}


def test_without_the_clients_initiate_no_keytab_is_asked_for(tshark):
    late = sample_named("mid-start")
    packets = tshark.packets(late.capture, keys=late.keytab)
    assert set(opened(packets)) == {False}
    assert [reason.partition(":")[0] for reason in reasons(packets)] == [
        "the client's INITIATE is not in the capture, or not whole"]


def cut_out(capture, path, *unwanted):
    """A copy of a capture without the packets of these numbers."""
    data = capture.read_bytes()
    out, at, frame_number = [data[:24]], 24, 0
    while at < len(data):
        size = 16 + struct.unpack_from("<I", data, at + 8)[0]
        frame_number += 1
        if frame_number not in unwanted:
            out.append(data[at:at + size])
        at += size
    path.write_bytes(b"".join(out))
    return path


def frames_with(packets, name):
    return [number(packet) for packet, field in fields(packets, "zmtp.command-name") if field.get("show") == name]


def test_without_the_servers_initiate_the_reason_names_it(tshark, folder):
    packets = tshark.packets(SESSION.capture, keys=SESSION.keytab)
    answer = frames_with(packets, "INITIATE")[1]
    packets = tshark.packets(cut_out(SESSION.capture, folder / "cut.pcap", answer), keys=SESSION.keytab)
    assert {reason.partition(" is not")[0] for reason in reasons(packets)} == {"the server's INITIATE"}


# The octets that Wireshark leaves over

@pytest.mark.parametrize("name", ["aes128-sha2", "aes256-sha2", "camellia128", "aes256-sha1"])
def test_excess_is_not_guessed_where_ready_is_not_in_the_capture(tshark, folder, name):
    sample = sample_named(name)
    packets = tshark.packets(sample.capture, keys=sample.keytab)
    whole = [text for _, text in data_from_tokens(packets)]
    ready = frames_with(packets, "READY")
    first_message = min(packet for packet, _ in data_from_tokens(packets))
    cut = [frame for frame in ready if frame < first_message]
    packets = tshark.packets(cut_out(sample.capture, folder / "cut.pcap", *cut, first_message), keys=sample.keytab)
    seen = [text for _, text in data_from_tokens(packets)]
    excess = {"aes128-sha2": 4, "camellia128": 4, "aes256-sha2": 12, "aes256-sha1": 0}[name]
    assert seen and all(any(text[:len(text) - excess] == sent for sent in whole) for text in seen)
    flagged = [expert for expert in experts(packets) if expert.name == "zmtp.gssapi.excess_unknown"]
    assert len(flagged) == (opened(packets).count(True) if excess else 0)


# What the tree shows

def test_ticket_and_principals_are_in_the_tree(tshark):
    text = tshark(SESSION.capture, "-T", "fields", "-e", "kerberos.SNameString", "-e", "kerberos.CNameString",
                  "-Y", 'zmtp.command-name == "INITIATE" && zmtp.role == "client"', keys=SESSION.keytab)
    assert text.split() == ["zmtp,server.zmtp.test", "alice,alice"]
    text = tshark(SESSION.capture, "-T", "fields", "-e", "kerberos.SNameString", "-Y", "kerberos.ap_req_element")
    assert text.split() == ["zmtp,server.zmtp.test"]  # the ticket itself is not encrypted
    text = tshark(SESSION.capture, "-T", "fields", "-e", "zmtp.role", "-Y", "kerberos.ap_rep_element")
    assert text.split() == ["server"]


def test_the_plaintexts_of_a_packet_are_one_data_source(tshark):
    _, text = tshark.verbose(sample_named("burst").capture, keys=sample_named("burst").keytab)
    names_of_sources = re.findall(r"^(\S.*) \(\d+ bytes\):$", text, re.MULTILINE)
    assert "Decrypted GSSAPI MESSAGE" in names_of_sources
    assert not {"GSSAPI CFX", "Decrypted GSS-Krb5"} & set(names_of_sources)


def test_the_empty_command_is_shown_for_what_it_is(tshark):
    packets = tshark.packets(SESSION.capture)
    assert names(packets) == ["zmtp.gssapi.empty_command"]


def test_a_flipped_bit_is_shown_as_damage_and_the_other_messages_open(tshark, folder):
    expected = data_from_tokens(tshark.packets(SESSION.capture, keys=SESSION.keytab))
    octets_of_file = bytearray(SESSION.capture.read_bytes())
    at = 0
    for _ in range(4):
        at = octets_of_file.index(b"\x07MESSAGE", at + 1)
    octets_of_file[at + 8 + 4 + 40] ^= 0x01  # in the token
    damaged = folder / "damaged.pcap"
    damaged.write_bytes(octets_of_file)
    packets = tshark.packets(damaged, keys=SESSION.keytab)
    assert names(packets) == ["zmtp.gssapi.empty_command", "zmtp.gssapi.damaged"]
    assert [reason.partition(":")[0] for reason in reasons(packets)] == ["damaged"]
    assert len(data_from_tokens(packets)) == len(expected) - 1


def test_two_clients_are_both_shown_as_clients(tshark):
    both = sample_named("both-clients")
    assert shows(tshark.packets(both.capture, keys=both.keytab), "zmtp.role") == ["client", "client"]


# What no real peer sends

def gssapi_stream():
    return Stream().client(greeting(b"GSSAPI")).server(greeting(b"GSSAPI"))


def with_length(token):
    return struct.pack("!I", len(token)) + token


def initial(inner, oid=KRB5):
    """RFC 2743 3.1: a token in its framing."""
    return b"\x60" + bytes([len(oid + inner)]) + oid + inner


def test_tokens_that_are_not_kerberos_are_shown_and_not_opened(tshark, folder):
    token = b"no token at all" + bytes(60)
    stream = gssapi_stream().client(command(b"INITIATE", with_length(token))).server(
        command(b"INITIATE", with_length(token)))
    stream.client(frame(b"", command=True)).server(command(b"MESSAGE", with_length(token)))
    stream.client(frame(b"\x07MESSAGE" + with_length(token)))
    packets = tshark.packets(save(folder / "gssapi.pcap", stream))
    assert shows(packets, "zmtp.role")[:2] == ["client", "server"]
    assert [octets(field) for _, field in fields(packets, TOKEN)] == [token] * 4
    assert set(opened(packets)) == {False} and not fields(packets, "zmtp.data")


HOSTILE = {
    "empty": b"", "one octet": b"\x60", "no length": b"\x60\x84\xff", "huge": b"\x60\x84\xff\xff\xff\xff" + KRB5,
    "too long": b"\x60\x40" + KRB5, "no end": b"\x60\x80" + KRB5 + b"\x01\x00", "cut framing": b"\x60\x03\x06\x09\x2a",
    "cut id": initial(b"\x02"), "short wrap": initial(b"\x02\x01\x11\x00\x10\x00"), "cfx cut": b"\x05\x04\x02\xff",
    "cfx header": b"\x05\x04\x02\xff" + bytes(12), "cfx short": b"\x05\x04\x02\xff" + bytes(13),
    "signed, EC too large": b"\x05\x04\x00\xff\xff\xff\x00\x00" + bytes(20),
    "signed, odd RRC": b"\x05\x04\x00\xff\x00\x0c\x00\x05" + bytes(30),
    "sealed, EC too large": b"\x05\x04\x02\xff\xff\xff\xff\xff" + bytes(90), "ntlmssp": b"NTLMSSP\0" + bytes(30),
    "ntlm payload": b"\x01\0\0\0" + bytes(40),
    "pad": initial(b"\x02\x01\x11\x00\xff\xff\xff\xff" + bytes(24) + b"\x09"),
    "other mechanism": initial(b"\xa0\x03\x30\x01\x00", oid=b"\x06\x06\x2b\x06\x01\x05\x05\x02"),
    "rubbish": bytes(range(256)) * 4,
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_tokens_show_no_data_and_disturb_nothing(tshark, folder, kind):
    token = HOSTILE[kind]
    stream = gssapi_stream().client(command(b"INITIATE", with_length(token)))
    stream.server(command(b"INITIATE", with_length(token))).server(command(b"MESSAGE", with_length(token)))
    for _ in range(3):
        stream.client(frame(b"\x07MESSAGE" + with_length(token)))
    stream.client(command(b"PING", b"\0\1after"))
    path = save(folder / "hostile.pcap", stream)
    for arguments in ((), ("-2",)):
        packets = tshark.packets(path, *arguments, keys=SESSION.keytab)
        assert len(fields(packets, TOKEN)) == 6
        assert not fields(packets, "zmtp.data") and True not in opened(packets)
        assert shows(packets, "zmtp.ping.context") == ["after"]


def test_a_token_that_claims_to_be_longer_is_not_waited_for(tshark, folder):
    """Wireshark would put it together with the tokens of later commands, and not open those."""
    claims = b"\x60\x82\x02\x00" + KRB5 + b"\x01\x00"
    stream = gssapi_stream().client(command(b"INITIATE", with_length(claims)))
    path = save(folder / "claims.pcap", stream)
    packets = tshark.packets(path)
    assert names(packets) == ["zmtp.command.malformed"]
    assert not [proto for packet in packets for proto in packet.iter("proto") if proto.get("name") == "gss-api"]


SIGNED = {
    "RRC 0": b"\x05\x04\x00\xff\x00\x0c\x00\x00" + bytes(8) + b"\0hello" + b"c" * 12,
    "RRC as EC": b"\x05\x04\x00\xff\x00\x0c\x00\x0c" + bytes(8) + b"c" * 12 + b"\0hello",
    "RFC 1964": initial(b"\x02\x01\x11\x00\xff\xff\xff\xff" + bytes(24) + b"\0hello\x01"),
}


@pytest.mark.parametrize("form", SIGNED)
def test_a_token_that_is_only_signed_needs_no_key(tshark, folder, form):
    stream = gssapi_stream().client(frame(b"\x07MESSAGE" + with_length(SIGNED[form])))
    packets = tshark.packets(save(folder / "signed.pcap", stream))
    assert [octets(field) for _, field in fields(packets, "zmtp.data")] == [b"hello"]
    assert [is_true(field) for _, field in fields(packets, "zmtp.gssapi.sealed")] == [False]
    assert not fields(packets, DECRYPTED)


def test_who_sends_a_wrap_token_tells_the_roles_without_a_handshake(tshark, folder):
    from_server = b"\x05\x04\x07\xff" + bytes(70)
    stream = Stream(opened=False).client(frame(b"\x07MESSAGE" + with_length(from_server)))
    stream.server(frame(b"\x07MESSAGE" + with_length(b"\x05\x04\x06\xff" + bytes(70))))
    assert shows(tshark.packets(save(folder / "late.pcap", stream)), "zmtp.role") == ["server", "client"]


def test_in_plaintext_mode_an_application_may_say_message(tshark, folder):
    words = b"\x07MESSAGE" + with_length(b"words")
    ready = command(b"READY", metadata(socket_type=b"DEALER"))
    stream = gssapi_stream().client(ready + frame(words)).server(ready).server(frame(words))
    packets = tshark.packets(save(folder / "words.pcap", stream))
    assert [octets(field) for _, field in fields(packets, "zmtp.data")] == [words] * 2
    assert names(packets) == []


def test_a_frame_outside_of_tokens_on_an_encrypted_connection_is_no_data(tshark, folder):
    sealed = b"\x05\x04\x06\xff" + bytes(70)
    stream = gssapi_stream().client(frame(b"\x07MESSAGE" + with_length(sealed)) + frame(b"in the clear"))
    packets = tshark.packets(save(folder / "clear.pcap", stream))
    assert names(packets) == ["zmtp.unprotected"] and not fields(packets, "zmtp.data")


@pytest.mark.parametrize("prefix", [b"", b"\x08"], ids=["bare", "with length"])
def test_the_text_of_rfc_38_is_recognised_and_flagged(tshark, folder, prefix):
    stream = gssapi_stream().client(frame(prefix + b"HELLO   " + initial(b"\x01\x00\x6e\x01\x00\x00"), command=True))
    stream.server(frame(b"INITIATE" + with_length(initial(b"\x02\x00\x6f\x01\x00\x00")), command=True))
    stream.client(frame(prefix + b"READY   " + metadata(socket_type=b"REQ"), command=True))
    stream.client(frame(prefix + b"MESSAGE " + b"\x05\x04\x02\xff" + bytes(70), command=True))
    packets = tshark.packets(save(folder / "rfc38.pcap", stream))
    assert shows(packets, "zmtp.command-name") == ["HELLO", "INITIATE", "READY", "MESSAGE"]
    found = names(packets)
    assert found.count("zmtp.command.padded_name") == 4 and found.count("zmtp.gssapi.rfc_38") == 2
    assert shows(packets, "zmtp.role")[:2] == ["client", "server"]
    assert shows(packets, "zmtp.socket_type") == ["REQ"]


def test_peers_that_name_different_mechanisms_do_not_mix_their_states(tshark, folder):
    """Each mechanism keeps its own state with a connection; one must not get the other's."""
    stream = Stream().client(greeting(b"CURVE")).server(greeting(b"GSSAPI"))
    sealed = b"\x05\x04\x06\xff" + bytes(70)
    for _ in range(2):
        stream.client(command(b"HELLO", b"\x01\x00" + bytes(192))).client(frame(b"\x07MESSAGE" + bytes(50)))
        stream.server(command(b"INITIATE", with_length(initial(b"\x01\x00" + bytes(9)))))
        stream.server(frame(b"\x07MESSAGE" + with_length(sealed)))
    path = save(folder / "mixed.pcap", stream)
    for arguments in ((), ("-2",)):
        packets = tshark.packets(path, *arguments, keys=SESSION.keytab)
        assert len(fields(packets, TOKEN)) == 4 and len(fields(packets, "zmtp.curvezmq.decrypted")) == 4


def test_the_keytab_may_be_anything(tshark, folder):
    """Wireshark reads it; whatever it makes of it, ours goes on."""
    for content in (b"", b"\x05\x02", b"rubbish" * 99):
        path = folder / "odd.keytab"
        path.write_bytes(content)
        output, _ = tshark(SESSION.capture, "-T", "fields", "-e", CLOSED, *DECRYPT_ON, "-o",
                           f"kerberos.file:{tshark.hand_over(path)}", stderr=True)
        assert "has no key for the ticket" in output
    shutil.rmtree(folder)
