# Captures for fuzz-captures: reading them, moving each to addresses of its own, and writing many into one file.
# SPDX-License-Identifier: GPL-2.0-or-later
"""A capture is a list of Packet. Mutations replace packets and never change one, so that all share those of the corpus.

A TCP segment is kept as its headers and its payload, and the lengths in the headers are made anew when it is written: a
mutated payload reaches the dissector. Checksums are left alone; Wireshark does not check them unless told. What is not
a whole TCP header over IP has everything in `ip`.
"""
import ipaddress
import struct
import subprocess
import sys
import typing
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(SOURCE / "test-captures"))
from pcap_writer import FILE_HEADER, LINKTYPE_RAW, PACKET_HEADER, records  # noqa: E402

LITTLE_MICROSECONDS = b"\xd4\xc3\xb2\xa1"  # how a pcap file starts that records() can read
ETHERNET, COOKED = 1, 113
IP_OFFSETS = {ETHERNET: 14, COOKED: 16, LINKTYPE_RAW: 0}  # of link types
LARGEST_SEGMENT = 60000  # what a mutation puts into one, well below what an IP header can say
SNAPLEN = 262144


class Packet(typing.NamedTuple):
    seconds: int
    microseconds: int
    ip: bytes  # its header
    tcp: bytes = b""  # its header
    payload: bytes = b""
    missing: int = 0  # octets of the payload that were not captured

    @property
    def flow(self):
        """Equal for packets of one direction of one connection."""
        return self.ip[8:40] if self.ip[0] >> 4 == 6 else self.ip[12:20], self.tcp[:4]

    @property
    def reverse(self):
        """The flow of the other direction."""
        addresses, ports = self.flow
        half = len(addresses) // 2
        return addresses[half:] + addresses[:half], ports[2:] + ports[:2]

    @property
    def seq(self):
        return int.from_bytes(self.tcp[4:8], "big")

    def shifted(self, seq, ack):
        """The same with other numbers, so many octets later in the streams of both directions."""
        numbers = (int.from_bytes(self.tcp[at:at + 4], "big") for at in (4, 8))
        moved = ((number + by) & 0xFFFFFFFF for number, by in zip(numbers, (seq, ack)))
        return self._replace(tcp=self.tcp[:4] + struct.pack("!II", *moved) + self.tcp[12:])


def read_packets(path):
    """The packets of a pcap or pcapng file."""
    octets = Path(path).read_bytes()
    if octets[:4] != LITTLE_MICROSECONDS:
        octets = subprocess.run(["editcap", "-F", "pcap", path, "-"], stdout=subprocess.PIPE, check=True).stdout
    header, found = records(octets)
    offset = IP_OFFSETS[struct.unpack_from("<I", header, 20)[0]]
    return [_packet(record, offset) for record in found if len(record) > PACKET_HEADER + offset]


def _packet(record, offset):
    seconds, microseconds, captured, original = struct.unpack_from("<IIII", record)
    octets = record[PACKET_HEADER + offset:]
    whole = Packet(seconds, microseconds, octets, missing=original - captured)
    version, sizes = octets[0] >> 4, {4: (octets[0] & 15) * 4, 6: 40}
    start = sizes.get(version, len(octets))
    if len(octets) < start + 20 or octets[9 if version == 4 else 6] != 6:
        return whole
    end = start + (octets[start + 12] >> 4) * 4
    if len(octets) < end:
        return whole
    said = struct.unpack_from("!H", octets, 2 if version == 4 else 4)[0] + (0 if version == 4 else 40)
    payload = octets[end:said] if said >= end else octets[end:]  # 0: a segment that the network card was to cut
    missing = max(said - len(octets), 0)
    return Packet(seconds, microseconds, octets[:start], octets[start:end], payload, missing)


def moved(packets, number):
    """The packets with addresses that only the capture of this number in a bundle has."""
    known = {}

    def new(address):
        host = known.setdefault(address, len(known) + 1)
        if len(address) == 4:
            return bytes((10, number >> 8, number & 0xFF, host & 0xFF))
        return ipaddress.ip_address(f"fd00::{number:x}:{host:x}").packed

    result = []
    for packet in packets:
        ip = packet.ip
        if ip[0] >> 4 == 4 and len(ip) >= 20:
            ip = ip[:12] + new(ip[12:16]) + new(ip[16:20]) + ip[20:]
        elif ip[0] >> 4 == 6 and len(ip) >= 40:
            ip = ip[:8] + new(ip[8:24]) + new(ip[24:40]) + ip[40:]
        result.append(packet._replace(ip=ip))
    return result


def record(packet):
    """The packet as a pcap file has it."""
    ip = packet.ip
    if packet.tcp:
        size = len(packet.tcp) + len(packet.payload) + packet.missing
        if ip[0] >> 4 == 4:
            size += len(ip)
            ip = ip[:2] + struct.pack("!H", size if size < 65536 else 0) + ip[4:]
        else:
            ip = ip[:4] + struct.pack("!H", size if size < 65536 else 0) + ip[6:]
    octets = ip + packet.tcp + packet.payload
    return struct.pack("<IIII", packet.seconds, packet.microseconds, len(octets),
                       len(octets) + packet.missing) + octets


def write_records(path, found, cut=0):
    """Writes a file of these records, without its last `cut` octets."""
    header = LITTLE_MICROSECONDS + struct.pack("<HHiIII", 2, 4, 0, 0, SNAPLEN, LINKTYPE_RAW)
    octets = header + b"".join(found)
    Path(path).write_bytes(octets[:len(octets) - cut])


def read_records(path):
    header, found = records(Path(path).read_bytes())
    assert len(header) == FILE_HEADER
    return found
