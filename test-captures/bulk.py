# Writes large captures fast, and measures what a tshark that reads them takes.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Captures of millions of packets, and what tshark needs for them.

    with Capture(path) as capture:
        link = capture.connect()               # SYN, SYN-ACK, ACK; connect(number) for another one
        link.client(b"...").server(b"...")     # one segment each
        link.client_in_pieces(octets, size)    # many
    used = Meter(tshark)(path, "-q")           # used.memory in KiB, used.cpu in seconds, used.output, used.errors

Unlike pcap_writer.py nothing is computed that tshark does not look at (checksums), and nothing is kept in memory.
Run as a program, this file runs a command and says on its last line of standard error what that took: the peak memory
that wait4 tells of a process counts its parent's until exec, and a small parent makes that small.
"""
import copy
import json
import os
import resource
import struct
import subprocess
import sys

TIMEOUT = 600  # seconds, generous: a hang is a failure, slowness is measured in CPU time
SANITIZED = os.environ.get("ZMTP_SANITIZE") == "1"

FILE_HEADER = struct.pack("!IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 101)  # link type 101: from the IP header on
PACKET = struct.Struct("!IIII" "BBHHHBBHII" "HHIIBBHHH")  # pcap, IPv4 and TCP header, as in pcap_writer.py
HEADERS = 40
SYN, PSH, ACK = 0x02, 0x08, 0x10
LAST = 0xFFFFFFFF  # sequence number
SERVER, SERVER_PORT, CLIENTS = 0x0AFFFFFF, 20001, 10 << 24  # 10.255.255.255, 10.0.0.0


class Capture:
    """A pcap file that is being written; the packets are a microsecond apart."""

    def __init__(self, path):
        self._out = open(path, "wb", buffering=1 << 20)
        self._out.write(FILE_HEADER)
        self.packets = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._out.close()

    def connect(self, number=0):
        """Connection `number`, each with a client address of its own."""
        return Link(self, number)._open()

    def write(self, link, from_client, flags, data=b""):
        size = HEADERS + len(data)  # above 65535 IP says 0, as it does before the network card splits the packet
        seconds, microseconds = divmod(self.packets, 1000000)
        source, target = (CLIENTS + link.number, SERVER) if from_client else (SERVER, CLIENTS + link.number)
        ports = (40000, SERVER_PORT) if from_client else (SERVER_PORT, 40000)
        self._out.write(PACKET.pack(
            1700000000 + seconds, microseconds, size, size,
            0x45, 0, size if size < 65536 else 0, 0, 0x4000, 64, 6, 0, source, target,
            *ports, link.next[from_client] & LAST, link.next[not from_client] & LAST if flags & ACK else 0, 0x50,
            flags, 65535, 0, 0))
        self._out.write(data)
        self.packets += 1


class Link:
    """One TCP connection."""

    def __init__(self, capture, number):
        self.number = number
        self.next = [2000, 1000]  # sequence numbers of the server and of the client
        self._capture = capture

    def _open(self):
        for from_client, flags in ((True, SYN), (False, SYN | ACK), (True, ACK)):
            self._capture.write(self, from_client, flags)
            self.next[from_client] += bool(flags & SYN)
        return self

    def client(self, data):
        return self._send(True, data)

    def server(self, data):
        return self._send(False, data)

    def client_in_pieces(self, octets, size):
        for start in range(0, len(octets), size):
            self._send(True, octets[start:start + size])
        return self

    def _send(self, from_client, data):
        self._capture.write(self, from_client, PSH | ACK, data)
        self.next[from_client] += len(data)
        return self


class Used:
    """What a run took, and what it wrote."""

    def __init__(self, output, errors):
        self.output = output
        self.errors, _, figures = errors.rstrip("\n").rpartition("\n")
        self.__dict__.update(json.loads(figures))

    def __repr__(self):
        return f"{self.memory / 1024:.0f} MiB, {self.cpu:.2f} s"


class Meter:
    """Runs tshark and measures it; no answer is cached. Leaks are for others to find: -z io,stat has one itself."""

    def __init__(self, tshark):
        self._tshark = copy.copy(tshark)
        environment = self._tshark.environment
        if SANITIZED:
            self._tshark.environment = {**environment, "ASAN_OPTIONS": environment["ASAN_OPTIONS"] + ":detect_leaks=0"}

    def __call__(self, capture, *arguments, keys=None):
        """Without keys, standard error must be empty."""
        command = ["-n", *arguments, "-r", self._tshark.give(capture)]
        if keys:
            command += ["-o", f"zmtp.keylog_file:{self._tshark.give_secret(keys)}"]
        # pylint: disable=protected-access
        done = subprocess.run([sys.executable, __file__, *self._tshark._command(command, None)], capture_output=True,
                              text=True, errors="replace", stdin=subprocess.DEVNULL, timeout=TIMEOUT, check=False,
                              cwd=self._tshark.folder)
        assert done.returncode == 0, f"tshark {' '.join(command)} ended with {done.returncode}:\n{done.stderr[-4000:]}"
        used = Used(done.stdout, done.stderr)
        assert keys or not used.errors, used.errors[-4000:]
        return used


def _main(command):
    done = subprocess.run(command, check=False)
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(json.dumps({"memory": usage.ru_maxrss, "cpu": usage.ru_utime + usage.ru_stime}), file=sys.stderr)
    sys.exit(done.returncode if done.returncode >= 0 else 128 - done.returncode)


if __name__ == "__main__":
    _main(sys.argv[1:])
