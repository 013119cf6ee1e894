# GSSAPI: what a keytab opens, what is said where it does not, and what the tree shows.
# SPDX-License-Identifier: GPL-2.0-or-later
import re

import pytest

from gssapi_common import CLOSED, DECRYPT_ON, OTHER, SESSION, names, opened, reasons, sample_named
from pcap_writer import records
from pdml import data_from_tokens, experts, fields, frames_by_stream, number, shows


# Keytabs

@pytest.mark.parametrize("name", ["req-rep", "rc4", "aes256-sha2", "rekeyed", "clients"])
def test_the_same_frames_open_with_the_keytab_given_by_k(tshark, name):
    sample = sample_named(name)
    by_preference = tshark.packets(sample.capture, keys=sample.keytab)
    by_option = tshark.packets(sample.capture, *DECRYPT_ON, "-K", tshark.give_secret(sample.keytab))
    assert frames_by_stream(by_option, sample.port) == frames_by_stream(by_preference, sample.port)
    assert opened(by_option) == opened(by_preference) != []


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
    assert why(*DECRYPT_ON).startswith("no keytab is set (")
    other = tshark.give_secret(OTHER.keytab)
    assert "or the one given with -K has no key for the ticket in frame" in why(*DECRYPT_ON, "-K", other)
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
    assert reasons(packets) == ["no ticket: the client's INITIATE, which has it, is not in the capture, or not whole"]


def cut_out(capture, path, *unwanted):
    """A copy of a capture without the packets of these numbers."""
    header, packets = records(capture.read_bytes())
    path.write_bytes(header + b"".join(packet for place, packet in enumerate(packets, 1) if place not in unwanted))
    return path


def frames_with(packets, name):
    return [number(packet) for packet, field in fields(packets, "zmtp.command-name") if field.get("show") == name]


def test_without_the_servers_initiate_the_reason_names_it(tshark, folder):
    packets = tshark.packets(SESSION.capture, keys=SESSION.keytab)
    answer = frames_with(packets, "INITIATE")[1]
    packets = tshark.packets(cut_out(SESSION.capture, folder / "cut.pcap", answer), keys=SESSION.keytab)
    assert reasons(packets) == ["no key: the server's INITIATE, which has it, is not in the capture, or not whole"]


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
