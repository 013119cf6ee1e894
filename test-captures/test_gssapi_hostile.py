# GSSAPI: what no real peer sends, from hand-built octets and from real sessions with something changed.
# SPDX-License-Identifier: GPL-2.0-or-later
import shutil
import struct

import pytest

from gssapi_common import CLOSED, DECRYPT_ON, DECRYPTED, SESSION, TOKEN, names, opened, reasons, sample_named
from pcap_writer import Stream, save
from pdml import data_from_tokens, fields, is_true, octets, shows
from retell import said, said_by_all, tell
from zmtp_bytes import command, frame, greeting, metadata

KRB5 = bytes.fromhex("06092a864886f712010202")


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
    for content, expected in ((b"", "is not a keytab"), (b"\x05\x02", "has no key for the ticket"),
                              (b"rubbish" * 99, "is not a keytab")):
        path = folder / "odd.keytab"
        path.write_bytes(content)
        output, _ = tshark(SESSION.capture, "-T", "fields", "-e", CLOSED, *DECRYPT_ON, "-o",
                           f"kerberos.file:{tshark.hand_over(path)}", stderr=True)
        assert f"odd.keytab {expected}" in output
    shutil.rmtree(folder)


# Real sessions with something changed

def look(tshark, folder, events, keytab):
    """The packets of a session told again, which must be the same in two passes."""
    path = save(folder / "retold.pcap", tell(events))
    packets = tshark.packets(path, keys=keytab)
    again = tshark.packets(path, "-2", keys=keytab)
    for name in ("zmtp.data", "zmtp.role", DECRYPTED, CLOSED, "zmtp.command-name", "zmtp.socket_type"):
        assert shows(packets, name) == shows(again, name), name
    return packets


def place(events, number, what):
    """The place of the number-th event that holds these octets."""
    return [at for at, (_, octets_sent) in enumerate(events) if what in octets_sent][number]


def changed(events, at, offset, octets_there):
    side, octets_sent = events[at]
    octets_sent = octets_sent[:offset] + octets_there + octets_sent[offset + len(octets_there):]
    return [*events[:at], (side, octets_sent), *events[at + 1:]]


def texts(packets):
    return [text for _, text in data_from_tokens(packets)]


def everything(tshark, sample):
    return texts(tshark.packets(sample.capture, keys=sample.keytab))


def test_a_session_told_again_opens(tshark, folder):
    assert texts(look(tshark, folder, said(SESSION.capture), SESSION.keytab)) == everything(tshark, SESSION) != []


@pytest.mark.parametrize("framing", [b"\x60\x2b" + KRB5, b"", b"\x7f\x00\x2b" + KRB5,
                                     b"\x60\x2b" + KRB5.replace(b"\x86\xf7", b"\x82\xf7")],
                         ids=["framed", "bare", "high tag", "Microsoft's OID"])
def test_a_wrap_token_without_data_is_not_given_to_wireshark(tshark, folder, framing):
    """Wireshark reads before the beginning of the data of one with RC4, and crashes."""
    sample = sample_named("rc4")
    events = said(sample.capture)
    at = place(events, 2, b"\x07MESSAGE")
    token = events[at][1].partition(KRB5)[2][:32]
    events.insert(at, (events[at][0], frame(b"\x07MESSAGE" + with_length(framing + token))))
    packets = look(tshark, folder, events, sample.keytab)
    assert texts(packets) == everything(tshark, sample)
    assert reasons(packets) == ["not a Wrap token of Kerberos, or one without data"]


@pytest.mark.parametrize("kind", ["INITIATE", "MESSAGE"])
def test_a_token_in_a_form_that_wireshark_would_wait_for_disturbs_no_other(tshark, folder, kind):
    events = said(SESSION.capture)
    at = place(events, 0, b"INITIATE") if kind == "INITIATE" else place(events, 3, b"MESSAGE")
    token = with_length(b"\x7f\x00\x82\x02\x00" + KRB5 + b"\x01\x00")
    events.insert(at, (events[at][0], command(kind.encode(), token) if kind == "INITIATE" else
                       frame(b"\x07MESSAGE" + token)))
    assert texts(look(tshark, folder, events, SESSION.keytab)) == everything(tshark, SESSION)


@pytest.mark.parametrize("behind", [0, 4], ids=["before READY", "behind READY"])
def test_a_ready_in_the_clear_does_not_make_ciphertext_data(tshark, folder, behind):
    events = said(SESSION.capture)
    at = place(events, behind, b"MESSAGE")
    events.insert(at, (events[at][0], command(b"READY", metadata(socket_type=b"PAIR"))))
    packets = look(tshark, folder, events, SESSION.keytab)
    assert [octets(field) for _, field in fields(packets, "zmtp.data")] == everything(tshark, SESSION)
    assert names(packets).count("zmtp.unprotected") == (1 if behind else 0)


def test_a_forged_ready_that_is_only_signed_teaches_nothing(tshark, folder):
    sample = sample_named("aes128-sha2")
    events = said(sample.capture)
    at = place(events, 0, b"MESSAGE")
    forged = b"\x05\x04\x01\xff\x00\x18\x00\x00" + bytes(8) + b"\0\x05READY" + metadata(socket_type=b"PAIR")
    events.insert(at, (events[at][0], command(b"MESSAGE", with_length(forged + bytes(24)))))
    packets = look(tshark, folder, events, sample.keytab)
    assert texts(packets) == everything(tshark, sample)
    assert "zmtp.gssapi.signed_only" in names(packets)


def test_an_extra_count_that_was_changed_is_remarked_on(tshark, folder):
    events = said(SESSION.capture)
    at = place(events, 3, b"MESSAGE")
    packets = look(tshark, folder, changed(events, at, events[at][1].index(b"\x05\x04") + 5, b"\x05"), SESSION.keytab)
    assert names(packets).count("zmtp.gssapi.extra_count") == 1


@pytest.mark.parametrize("name", ["aes128-sha2", "pub-sub"])
def test_a_message_in_front_of_ready_in_its_packet_is_the_same_later(tshark, folder, name):
    """READY tells how many octets are too many, and that the sender is a subscriber."""
    sample = sample_named(name)
    events = said(sample.capture)
    ready, first = place(events, 1, b"MESSAGE"), place(events, 2, b"MESSAGE")
    together = (events[first][0], events[first][1] + events[ready][1])
    kept = [event for at, event in enumerate(events) if at not in (ready, first)]
    packets = look(tshark, folder, [*kept[:ready], together, *kept[ready:]], sample.keytab)
    assert False not in opened(packets)


def test_the_ticket_may_be_in_another_connection_of_the_client(tshark, folder):
    sample = sample_named("reconnect")  # the client has one ticket for all its connections
    events = said_by_all(sample.capture)
    at = place(events[1], 0, b"INITIATE")
    streams = [tell(events[0]), tell(events[1][:at] + events[1][at + 1:], client_port=40002)]
    for arguments in ((), ("-2",)):
        packets = tshark.packets(save(folder / "ticket.pcap", *streams), *arguments, keys=sample.keytab)
        assert False not in opened(packets)
        assert set(texts(packets)) == {b"", *(b"%s %d" % (what, number) for number in range(2)
                                              for what in (b"question to server", b"answer of server"))}


def test_keys_that_were_not_known_yet_are_not_used_later(tshark, folder):
    """Wireshark keeps keys: else the second pass would open what the first could not."""
    sample = sample_named("aes128-sha2")
    events = said(sample.capture)
    late = [event for event in events if b"INITIATE" not in event[1]]
    path = save(folder / "twice.pcap", tell(late, client_port=40002), tell(events))
    for arguments in ((), ("-2",)):
        packets = tshark.packets(path, *arguments, keys=sample.keytab)
        assert texts(packets) == everything(tshark, sample)
        assert [reason.partition(":")[0] for reason in reasons(packets)] == ["no ticket"]


@pytest.mark.parametrize("reply", [b"\xa1\x03\x30\x01\x00", b"NTLMSSP\0\x02\0\0\0" + bytes(20)],
                         ids=["negTokenResp", "NTLMSSP challenge"])
def test_an_answer_is_not_taken_for_the_beginning(tshark, folder, reply):
    stream = gssapi_stream().client(b"lost" * 5, lost=True).server(command(b"INITIATE", with_length(reply)))
    assert "client" not in shows(tshark.packets(save(folder / "answer.pcap", stream)), "zmtp.role")


def why(tshark, folder, events, *arguments):
    path = save(folder / "why.pcap", tell(events))
    return reasons(tshark.packets(path, *arguments, keys=SESSION.keytab))


def test_the_reason_is_right_where_something_is_damaged(tshark, folder):
    events = said(SESSION.capture)
    request, answer, ready = place(events, 0, b"INITIATE"), place(events, 1, b"INITIATE"), place(events, 0, b"MESSAGE")
    damaged = "damaged: it fails authentication under the keys of this connection"
    assert why(tshark, folder, changed(events, ready, 60, b"\0\0")) == [damaged]
    assert why(tshark, folder, changed(events, answer, 100, b"\0\0"))[0].endswith(
        "does not open with the ticket's key; is it damaged?")
    assert "has no key for the ticket in frame" in why(tshark, folder, changed(events, request, 300, b"\0\0"))[0]
    error = command(b"INITIATE", with_length(initial(b"\x03\x00\x7e\x01\x00\x00")))
    assert why(tshark, folder, [*events[:answer], (False, error), *events[answer + 1:]])[0].startswith(
        "the server refused the ticket: KRB-ERROR, frame ")
    ntlm = command(b"INITIATE", with_length(b"NTLMSSP\0\x01\0\0\0" + bytes(24)))
    assert why(tshark, folder, [*events[:request], (True, ntlm), *events[request + 1:]])[0].startswith("no ticket")


def test_a_disabled_protocol_is_named(tshark, folder):
    assert why(tshark, folder, said(SESSION.capture), "--disable-protocol", "gss-api") == [
        "the protocol gss-api is disabled in Wireshark"]


def test_messages_with_the_command_flag_are_not_called_ready(tshark, folder):
    events = [(side, b"\x04" + octets_sent[1:] if b"\x07MESSAGE" in octets_sent else octets_sent)
              for side, octets_sent in said(SESSION.capture)]
    path = save(folder / "flag.pcap", tell(events))
    infos = [info for _, _, info in tshark.columns(path)]
    assert infos.count("GSSAPI READY (encrypted)") == 2
    assert texts(tshark.packets(path, keys=SESSION.keytab)) == everything(tshark, SESSION)


def test_one_lookalike_does_not_make_the_rest_unprotected(tshark, folder):
    words = b"\x07MESSAGE" + with_length(b"words")
    stream = gssapi_stream().client(frame(words) + frame(b"hello"))
    packets = tshark.packets(save(folder / "words.pcap", stream))
    assert [octets(field) for _, field in fields(packets, "zmtp.data")] == [b"hello"]


def test_a_padded_command_outside_of_a_token_is_marked_too(tshark, folder):
    for name in (b"\x05ERROR", b"ERROR   "):
        events = [*said(SESSION.capture), (False, frame(name + b"\x03400", command=True))]
        packets = look(tshark, folder, events, SESSION.keytab)
        assert "zmtp.unprotected" in names(packets) and shows(packets, "zmtp.reason") == ["400"]


def test_a_message_in_front_of_its_key_is_closed_in_both_passes(tshark, folder):
    events = said(SESSION.capture)
    answer, message = place(events, 1, b"INITIATE"), place(events, 4, b"MESSAGE")
    events.insert(answer, events.pop(message))
    packets = look(tshark, folder, events, SESSION.keytab)
    assert opened(packets).count(False) == 1
    assert reasons(packets) == ["no key: the server's INITIATE, which has it, is not in the capture, or not whole"]


def test_a_message_of_a_later_connection_is_closed_in_both_passes(tshark, folder):
    sample = sample_named("reconnect")
    first, second = said_by_all(sample.capture)[:2]
    first = [*first, second[place(second, 2, b"MESSAGE")]]
    path = save(folder / "replayed.pcap", tell(first), tell(second, client_port=40002))
    for arguments in ((), ("-2",)):
        packets = tshark.packets(path, *arguments, keys=sample.keytab)
        assert opened(packets).count(False) == 1 and names(packets).count("zmtp.gssapi.damaged") == 1


@pytest.mark.parametrize("offset, what", [(5, "zmtp.gssapi.extra_count"), (3, "zmtp.gssapi.header_changed")])
def test_a_header_that_was_changed_is_remarked_on_and_teaches_nothing(tshark, folder, offset, what):
    sample = sample_named("aes128-sha2")
    events = said(sample.capture)
    for number in (0, 2):  # READY, a message
        at = place(events, number, b"MESSAGE")
        events = changed(events, at, events[at][1].index(b"\x05\x04") + offset, b"\x04")
    packets = look(tshark, folder, events, sample.keytab)
    expected = everything(tshark, sample)
    assert what in names(packets)
    wrong = [text for text, sent in zip(texts(packets), expected, strict=True) if text != sent]
    assert len(wrong) <= (1 if what == "zmtp.gssapi.extra_count" else 0)


def test_the_first_tokens_need_not_be_those_with_the_keys(tshark, folder):
    events = said(SESSION.capture)
    request = place(events, 0, b"INITIATE")
    spnego = initial(b"\xa0\x02\x30\x00", oid=b"\x06\x06\x2b\x06\x01\x05\x05\x02")
    legs = [(True, command(b"INITIATE", with_length(spnego))),
            (False, command(b"INITIATE", with_length(b"\xa1\x02\x30\x00")))]
    packets = look(tshark, folder, [*events[:request], *legs, *events[request:]], SESSION.keytab)
    assert texts(packets) == everything(tshark, SESSION)


def test_a_ready_in_the_clear_after_the_other_sides_wrapped_one_is_marked(tshark, folder):
    events = said(SESSION.capture)
    ready = place(events, 1, b"MESSAGE")
    events[ready] = (events[ready][0], command(b"READY", metadata(socket_type=b"REQ")))
    packets = look(tshark, folder, events, SESSION.keytab)
    assert [octets(field) for _, field in fields(packets, "zmtp.data")] == everything(tshark, SESSION)
    assert names(packets).count("zmtp.unprotected") == 1


def test_a_ready_without_its_command_flag_is_no_data(tshark, folder):
    events = [(side, b"\x00" + octets_sent[1:] if octets_sent[2:10] == b"\x07MESSAGE" else octets_sent)
              for side, octets_sent in said(SESSION.capture)]
    packets = look(tshark, folder, events, SESSION.keytab)
    assert texts(packets) == everything(tshark, SESSION)
    assert shows(packets, "zmtp.handshake.result") == ["complete"]
