# Takes what two real peers said out of a capture, so that a test can say it again with something changed.
# SPDX-License-Identifier: GPL-2.0-or-later
import struct

from pcap_writer import ACK, PACKET_HEADER, SYN, Stream, records

ETHERNET, IPV4_TCP, GREETING = 14, 6, 64


def segments(capture):
    """{connector's port: [(from connector, octets)]} of a capture with Ethernet, IPv4 and no loss."""
    found = {}
    for record in records(capture.read_bytes())[1]:
        packet = record[PACKET_HEADER + ETHERNET:]
        assert packet[0] >> 4 == 4 and packet[9] == IPV4_TCP
        tcp = packet[(packet[0] & 15) * 4:struct.unpack_from("!H", packet, 2)[0]]
        source, target = struct.unpack_from("!HH", tcp)
        if tcp[13] & (SYN | ACK) == SYN:
            found[source] = []
        octets = tcp[(tcp[12] >> 4) * 4:]
        if octets:
            found[source if source in found else target].append((source in found, octets))
    return found


def frame_size(octets):
    """Of the ZMTP 3 frame at the beginning; None: not even its header is whole."""
    if len(octets) >= 9 and octets[0] & 2:
        return 9 + struct.unpack_from("!Q", octets, 1)[0]
    return 2 + octets[1] if len(octets) >= 2 and not octets[0] & 2 else None


def said_by_all(capture):
    """For each connection [(from connector, greeting or frame)], in the order in which they were whole."""
    return [_whole(connection) for connection in segments(capture).values() if connection]


def said(capture):
    """The same of the first connection."""
    return said_by_all(capture)[0]


def _whole(connection):
    rest, greeted, found = {True: b"", False: b""}, {True: False, False: False}, []
    for side, octets in connection:
        rest[side] += octets
        while True:
            size = frame_size(rest[side]) if greeted[side] else GREETING
            if size is None or len(rest[side]) < size:
                break
            greeted[side] = True
            found.append((side, rest[side][:size]))
            rest[side] = rest[side][size:]
    return found


def tell(events, **options):
    """A Stream in which each event is sent."""
    stream = Stream(**options)
    for from_connector, octets in events:
        (stream.client if from_connector else stream.server)(octets)
    return stream
