# Network of one recorded run: a namespace of its own, and links that packets really cross.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Network namespaces, veth pairs and a lossy TUN link.

A socket stays in the namespace in which it was made, and setns() moves only the calling thread.
So one process can hold both peers: it enters the far namespace only while it makes their sockets
(libzmq makes a listener in the thread that calls bind, a connector in an I/O thread, which
stays in the namespace where the context was first used).
"""

import contextlib
import ctypes
import fcntl
import os
import random
import select
import socket
import struct
import subprocess
import threading
import time

CLONE_NEWNET = 0x40000000
SIOCETHTOOL = 0x8946
ETHTOOL_OFF = {"rx checksum": 0x15, "tx checksum": 0x17, "scatter-gather": 0x19, "tso": 0x1F,
               "gso": 0x24, "gro": 0x2C}
TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
# Ports of clients: none of these has a dissector of its own, which would win over detection.
CLIENT_PORTS = "29000 29400"

_libc = ctypes.CDLL(None, use_errno=True)


def _call(function, *arguments):
    if function(*arguments) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{function.__name__}: {os.strerror(error)}")


def command(*words):
    """Run a command of the system, without the recorder's LD_PRELOAD."""
    subprocess.run(words, check=True, env=plain_environment(), stdout=subprocess.DEVNULL)


def plain_environment():
    return {name: value for name, value in os.environ.items()
            if name not in ("LD_PRELOAD", "ZMTPKEYLOGFILE")}


def _here():
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY)


def new_namespace():
    """Move this thread to a new namespace with lo up; it vanishes with its last user."""
    _call(_libc.unshare, CLONE_NEWNET)
    command("ip", "link", "set", "lo", "up")
    with open("/proc/sys/net/ipv4/ip_local_port_range", "w", encoding="ascii") as setting:
        setting.write(CLIENT_PORTS)
    return _here()


@contextlib.contextmanager
def entered(namespace):
    """Within this context the calling thread is in the namespace of that descriptor."""
    before = _here()
    _call(_libc.setns, namespace, CLONE_NEWNET)
    try:
        yield
    finally:
        _call(_libc.setns, before, CLONE_NEWNET)
        os.close(before)


def second_namespace():
    before = _here()
    try:
        return new_namespace()
    finally:
        _call(_libc.setns, before, CLONE_NEWNET)
        os.close(before)


def offload_off(interface):
    """Make the kernel cut segments itself: with offload a capture shows segments of 64 kB."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for number in ETHTOOL_OFF.values():
            value = ctypes.create_string_buffer(struct.pack("II", number, 0))
            request = struct.pack("16sP", interface.encode(), ctypes.addressof(value))
            # Some interfaces cannot switch some of them (lo its checksums): harmless.
            with contextlib.suppress(OSError):
                fcntl.ioctl(control, SIOCETHTOOL, request)


def small_lo(mtu=1500):
    command("ip", "link", "set", "lo", "mtu", str(mtu))
    offload_off("lo")


class VethLink:
    """A veth pair of MTU 1500: near end in this namespace, far end in another."""

    near_address, far_address, interface = "10.77.0.1", "10.77.0.2", "near"

    def __init__(self):
        self.far = second_namespace()
        command("ip", "link", "add", "near", "type", "veth", "peer", "name", "far")
        command("ip", "link", "set", "far", "netns", f"/proc/{os.getpid()}/fd/{self.far}")
        self._up("near", self.near_address)
        with entered(self.far):
            self._up("far", self.far_address)

    @staticmethod
    def _up(interface, address):
        command("ip", "address", "add", f"{address}/24", "dev", interface)
        command("ip", "link", "set", interface, "up")
        offload_off(interface)


class LossyLink:
    """Two TUN interfaces joined by a thread that may lose or delay packets.

    Stands in for the netem queue, which many kernels lack. Every packet really crosses it, so TCP
    really retransmits.
    """

    near_address, far_address, interface = "10.77.1.1", "10.77.1.2", "near"

    def __init__(self, seed, lose_up=0.0, lose_down=0.0, reorder=0.0):
        self._random = random.Random(seed)
        self._lose = (lose_up, lose_down)
        self._reorder = reorder
        self.lost = self.reordered = 0
        self.far = second_namespace()
        near = self._make("near", self.near_address, self.far_address)
        with entered(self.far):
            far = self._make("far", self.far_address, self.near_address)
        self._ends = (near, far)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._carry, daemon=True)
        self._thread.start()

    @staticmethod
    def _make(name, address, peer):
        end = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(end, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
        command("ip", "address", "add", address, "peer", peer, "dev", name)
        command("ip", "link", "set", name, "mtu", "1500", "up")
        return end

    def _carry(self):
        held = []  # (due time, far end, packet)
        while not self._stop.is_set():
            readable, _, _ = select.select(self._ends, [], [], 0.005)
            for end in readable:
                way = self._ends.index(end)
                other = self._ends[1 - way]
                packet = os.read(end, 65536)
                payload = len(packet) > 100
                if payload and self._random.random() < self._lose[way]:
                    self.lost += 1
                elif payload and self._random.random() < self._reorder:
                    self.reordered += 1
                    held.append((time.monotonic() + 0.02, other, packet))
                else:
                    self._put(other, packet)
            due = [entry for entry in held if entry[0] <= time.monotonic()]
            held = [entry for entry in held if entry not in due]
            for _, other, packet in due:
                self._put(other, packet)

    @staticmethod
    def _put(end, packet):
        # IPv6 chatter of the kernel, or an interface that is not up yet.
        with contextlib.suppress(OSError):
            os.write(end, packet)

    def close(self):
        self._stop.set()
        self._thread.join()
        for end in self._ends:
            os.close(end)
