# Altering captures: what is told again unaltered is the same conversation, octet by octet and for tshark.
# SPDX-License-Identifier: GPL-2.0-or-later
import pytest

from pdml import data_from_boxes, experts, octets, shows, tcp
from plant.planting import ALL_KEYS, Plant, base_named, then, unaltered
from plant.plants import PLANTS
from plant.talk import DOWN, MORE, UP
from retell import said_by_all

BASES = sorted({(plant.base, plant.keys) for plant in PLANTS.values()})
# What of a conversation does not depend on its segments, times and frame numbers.
TOLD = {"zmtp.data", "zmtp.command-name", "zmtp.metadata.key", "zmtp.metadata.value", "zmtp.subscribe", "zmtp.cancel",
        "zmtp.ping.context", "zmtp.mechanism", "zmtp.socket_type", "zmtp.role", "zmtp.curvezmq.decrypted",
        "zmtp.curvezmq.payload.flags", "zmtp.gssapi.decrypted", "zmtp.curvezmq.nonce.counter"}


def conversation(packets, port):
    """{(TCP stream, from the connector): [(field, value) or the name of a finding]}."""
    told = {}
    for packet in packets:
        for proto in packet.findall("proto[@name='zmtp']"):
            said = told.setdefault((tcp(packet, "stream"), int(tcp(packet, "dstport")) == port), [])
            said += [(field.get("name"), field.get("show")) for field in proto.iter("field")
                     if field.get("name") in TOLD]
    return told


@pytest.mark.parametrize(("name", "keys"), BASES, ids=[f"{name}-{len(keys)}" for name, keys in BASES])
def test_a_conversation_told_again_is_the_same(tshark, folder, name, keys):
    base = base_named(name)
    plant = Plant("none", name, unaltered, keys)
    retold = plant.write(folder, name, plant.before())
    if not name.startswith("raw-zmtp"):
        assert [talk.events() for talk in plant.before()] == said_by_all(base.capture)
    opened_by = base.keytab or (tshark.hand_over(retold.with_suffix(".keys")) if plant.key_logs else None)
    before, after = (tshark.packets(capture, *base.arguments, keys=opened_by) for capture in (base.capture, retold))
    assert conversation(after, base.port) == conversation(before, base.port) != {}
    assert {expert.name for expert in experts(after)} == {expert.name for expert in experts(before)}


@pytest.mark.parametrize("name", PLANTS)
def test_a_plant_alters_its_capture(name):
    before, after = ([talk.events() for talk in talks] for talks in (PLANTS[name].before(), PLANTS[name].after()))
    assert after != before


def look(tshark, folder, name, change, keys=ALL_KEYS):
    plant = Plant("none", name, change, keys)
    capture = plant.write(folder, "changed", plant.after())
    return tshark.packets(capture, keys=tshark.hand_over(capture.with_suffix(".keys")))


def texts(packets):
    return [text for _, text in data_from_boxes(packets)]


def test_what_is_put_into_a_curve_connection_is_in_boxes_that_open(tshark, folder):
    packets = look(tshark, folder, "curve-push-pull", lambda talk: [
        talk.message(UP).after(talk.say(UP, b"two", MORE), talk.say(UP, b"parts")), talk.message(UP, 3).drop(),
        talk.append(talk.say(DOWN, b"an answer"))])
    jobs = [b"job %d" % number for number in range(2, 10)]
    assert texts(packets) == [b"job 0", b"two", b"parts", *jobs, b"an answer"]
    assert [expert.name for expert in experts(packets)] == []  # the nonces go on without a gap
    counters = [int(show) for show in shows(packets, "zmtp.curvezmq.nonce.counter")]
    assert counters == [1, 2, 1, *range(3, 14), 2]


def test_what_is_changed_in_a_box_is_what_tshark_shows(tshark, folder):
    packets = look(tshark, folder, "curve-push-pull", lambda talk: [
        talk.message(UP).set(plain=b"\0other words"), talk.command(UP, "INITIATE").replace(b"PUSH", b"PULL")])
    assert texts(packets)[:2] == [b"other words", b"job 1"]
    assert set(shows(packets, "zmtp.socket_type")) == {"PULL"}


def test_a_nonce_that_was_chosen_is_the_one_that_is_sent(tshark, folder):
    packets = look(tshark, folder, "curve-push-pull", lambda talk: talk.message(UP, 2).set(nonce=77))
    assert shows(packets, "zmtp.curvezmq.nonce.counter")[-10:] == [str(n) for n in (3, 4, *range(77, 85))]
    assert len(texts(packets)) == 10


def test_a_vouch_can_be_changed(tshark, folder):
    packets = look(tshark, folder, "curve-req-rep", lambda talk: talk.command(UP, "INITIATE").vouch(0, b"\1" * 32))
    vouched = [field for packet in packets for field in packet.iter("field")
               if field.get("name") == "zmtp.curvezmq.vouch.client_transient_key"]
    assert [octets(field) for field in vouched] == [b"\1" * 32]


def test_another_capture_can_follow_on_the_same_port(tshark, folder):
    packets = look(tshark, folder, "curve-req-rep", lambda talk: then(talk, "null-req-rep"))
    port = base_named("curve-req-rep").port
    assert {stream for stream, _ in conversation(packets, port)} == {"0", "1"}
    assert set(shows(packets, "zmtp.mechanism")) == {"CURVE", "NULL"}
