# Writes captures of TCP connections whose octets a test chooses, for what no real peer would send.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Hand-built TCP connections as pcap files.

    stream = Stream(port=5555).client(b"...").server(b"...").fin()
    save(path, stream)                   # or several streams, one after another

A stream opens with SYN, SYN-ACK, ACK unless `opened=False` (a capture that starts late).
`client` and `server` send in segments of at most `mss` octets, or of `split` octets: `split=1` is octet by octet,
`split=(10, 1, 53)` gives the first sizes. `lost=True` counts the octets but leaves them out of the capture.
A second connection on the same ports needs another initial sequence number, `isn`.
`stream.packets` is a plain list: reorder, repeat or drop what you like before saving.
"""
import ipaddress
import itertools
import struct

FILE_HEADER, PACKET_HEADER = 24, 16
LINKTYPE_RAW = 101  # the packet starts with its IP header
FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10


class Stream:
    def __init__(self, port=20001, client_port=40001, ipv6=False, opened=True, mss=1460, isn=1000, hosts=None):
        self.packets = []
        self.mss = mss
        client, server = hosts or (("fd00::1", "fd00::2") if ipv6 else ("127.0.0.1", "127.0.0.1"))
        self._ends = {
            True: (ipaddress.ip_address(client).packed, client_port),
            False: (ipaddress.ip_address(server).packed, port),
        }
        self._next = {True: isn, False: isn + 1000}  # the sequence number each side sends next
        if opened:
            self._segment(True, SYN)
            self._segment(False, SYN | ACK)
            self._segment(True, ACK)

    def client(self, data, split=None, lost=False):
        """The side that connected sends data."""
        return self._send(True, data, split, lost)

    def server(self, data, split=None, lost=False):
        """The side that listened sends data."""
        return self._send(False, data, split, lost)

    def fin(self, from_client=True):
        """Both sides close, the client first, or the server."""
        self._segment(from_client, FIN | ACK)
        self._segment(not from_client, FIN | ACK)
        self._segment(from_client, ACK)
        return self

    def pause(self):
        """Nothing comes for a second."""
        self.packets.append(None)
        return self

    def rst(self, from_client=False):
        self._segment(from_client, RST | ACK)
        return self

    def _send(self, from_client, data, split, lost):
        sizes = itertools.repeat(split) if isinstance(split, int) else iter(split or ())
        while data:
            size = min(next(sizes, self.mss), self.mss)
            self._segment(from_client, PSH | ACK, data[:size], lost)
            data = data[size:]
        return self

    def _segment(self, from_client, flags, data=b"", lost=False):
        source, source_port = self._ends[from_client]
        target, target_port = self._ends[not from_client]
        ack = self._next[not from_client] if flags & ACK else 0
        tcp = struct.pack("!HHIIBBHHH", source_port, target_port, self._next[from_client], ack,
                          5 << 4, flags, 65535, 0, 0) + data
        pseudo = source + target + struct.pack("!II", len(tcp), 6)
        tcp = tcp[:16] + _checksum(pseudo + tcp) + tcp[18:]
        if not lost:
            self.packets.append(_ip(source, target, tcp))
        self._next[from_client] += len(data) + bool(flags & (SYN | FIN))


def save(path, *streams, snaplen=262144):
    """Writes the packets of the streams, one stream after another and a millisecond apart; returns the path."""
    time = 1700000000 * 1000
    with open(path, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, snaplen, LINKTYPE_RAW))
        for packet in itertools.chain(*(stream.packets for stream in streams)):
            if packet is None:
                time += 1000
                continue
            seconds, milliseconds = divmod(time, 1000)
            cut = packet[:snaplen]
            out.write(struct.pack("<IIII", seconds, milliseconds * 1000, len(cut), len(packet)) + cut)
            time += 1
    return path


def records(octets):
    """The file header of a pcap file, and the packets, each with its own header of 16 octets."""
    found, start = [], FILE_HEADER
    while start < len(octets):
        end = start + PACKET_HEADER + struct.unpack_from("<I", octets, start + 8)[0]
        found.append(octets[start:end])
        start = end
    return octets[:FILE_HEADER], found


def _ip(source, target, payload):
    if len(source) == 16:
        return struct.pack("!IHBB", 6 << 28, len(payload), 6, 64) + source + target + payload
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0x4000, 64, 6, 0) + source + target
    return header[:10] + _checksum(header) + header[12:] + payload


def _checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!H", ~total & 0xFFFF)
