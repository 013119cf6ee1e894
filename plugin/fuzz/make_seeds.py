#!/usr/bin/python3
# Turns captures into inputs of fuzz_dissector.
# SPDX-License-Identifier: GPL-2.0-or-later
"""usage: make_seeds.py FOLDER CAPTURE...

Writes into FOLDER an input for each pcap file: what its first four TCP connections sent, with the keys of NAME.keys
and NAME.keytab beside NAME.pcap, as one pass without a tree; and the same as two passes with all that can be shown."""
import ipaddress
import struct
import sys
from pathlib import Path

LARGEST = 4096  # scripts/fuzz lets inputs have no more
CONNECTIONS = 4
LINK_HEADERS = {1: 14, 101: 0, 113: 16, 228: 0, 276: 20}  # by link type: octets before the IP header
FIN, SYN, RST, PSH = 1, 2, 4, 8
OCTETS, OPEN, SEGMENT, KEY_LOG, CERTIFICATE = 0, 4, 10, 13, 15  # enum operation of records.h
KEYTAB = b"\5"  # in key_files.c: the one that scripts/fuzz makes
PLAIN, FULL = 0, 2 | 4 | 64  # enum option: no tree; TREE_SEEN, SECOND_PASS, DRAW


def packets(path):
    """The IP packets of a pcap file."""
    content = path.read_bytes()
    order = "<" if content[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    header = LINK_HEADERS.get(struct.unpack(order + "I", content[20:24])[0])
    at = 24
    while header is not None and at + 16 <= len(content):
        length, = struct.unpack(order + "I", content[at + 8:at + 12])
        yield content[at + 16 + header:at + 16 + length]
        at += 16 + length


def segments(path):
    """(source, destination, flags, data) of each TCP segment."""
    for packet in packets(path):
        version = packet[0] >> 4 if packet else 0
        if version == 4 and packet[9] == 6:
            start, end, addresses = (packet[0] & 15) * 4, int.from_bytes(packet[2:4], "big"), (12, 16, 20)
        elif version == 6 and packet[6] == 6:
            start, end, addresses = 40, 40 + int.from_bytes(packet[4:6], "big"), (8, 24, 40)
        else:
            continue
        tcp = packet[start:end]
        ends = [(ipaddress.ip_address(packet[first:last]), tcp[port:port + 2])
                for first, last, port in zip(addresses, addresses[1:], (0, 2))]
        yield *ends, tcp[13], tcp[(tcp[12] >> 4) * 4:]


def record(operation, connection, sender, data):
    return bytes([operation | sender << 4 | connection << 5]) + len(data).to_bytes(2, "big") + data


def records(path):
    keys = path.with_suffix(".keys")
    if keys.exists():
        yield record(KEY_LOG, 0, 0, keys.read_bytes()[:LARGEST // 2])
    if path.with_suffix(".keytab").exists():
        yield record(CERTIFICATE, 0, 0, KEYTAB)
    clients = {}  # by both ends: who connected, and the connection's number
    for source, destination, flags, data in segments(path):
        ends = frozenset((source, destination))
        if ends not in clients:
            if len(clients) == CONNECTIONS:
                continue
            clients[ends] = source, len(clients)
            if flags & SYN:
                yield record(OPEN, clients[ends][1], 0, b"")
        client, number = clients[ends]
        sender = int(source != client)
        if data:
            yield record(OCTETS, number, sender, data)
        if flags & (FIN | RST):
            yield record(SEGMENT, number, sender, bytes([flags, 0, 0]))


def main():
    folder, *captures = map(Path, sys.argv[1:])
    for path in captures:
        content = b""
        for one in records(path):
            if len(content) + len(one) > LARGEST - 2:
                break
            content += one
        name = f"{path.parent.name}-{path.stem}"
        (folder / f"{name}.plain").write_bytes(bytes([PLAIN, 0]) + content)
        (folder / f"{name}.full").write_bytes(bytes([FULL, 0]) + content)


if len(sys.argv) < 3 or sys.argv[1] in ("-h", "--help"):
    sys.exit(__doc__)
main()
