# Just enough of the pcap file format to count, drop and pick packets.
# SPDX-License-Identifier: GPL-2.0-or-later

import pathlib
import struct

FILE_HEADER, PACKET_HEADER = 24, 16


def read(path):
    """The file header, and the packets with a header each. A last, partial one is left out."""
    data = pathlib.Path(path).read_bytes()
    packets, place = [], FILE_HEADER
    while place + PACKET_HEADER <= len(data):
        length, = struct.unpack_from("<I", data, place + 8)
        end = place + PACKET_HEADER + length
        if end > len(data):
            break
        packets.append(data[place:end])
        place = end
    return data[:FILE_HEADER], packets


def write(path, header, packets):
    pathlib.Path(path).write_bytes(header + b"".join(packets))


def payload(packet):
    """TCP payload of a packet over Ethernet and IPv4."""
    frame = packet[PACKET_HEADER:]
    ip = frame[14:]
    size = struct.unpack_from(">H", ip, 2)[0]
    tcp = ip[(ip[0] & 15) * 4:size]
    return tcp[(tcp[12] >> 4) * 4:]
