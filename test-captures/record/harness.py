# What every scenario shares: peers, capture, key files and the NAME.json beside the capture.
# SPDX-License-Identifier: GPL-2.0-or-later
"""A scenario is a function that takes a Run and is registered with @scenario or @family."""

import binascii
import contextlib
import dataclasses
import hashlib
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time
import traceback
import zlib

import zmq
import zmq.utils.monitor
import zmq.utils.z85

import kdc
import network
import pcap
import zap

TIMEOUT_MS = 15000
# Frames longer than this stand in NAME.json by length and digest.
LONGEST_HEX = 512
# No Wireshark dissector owns a port here, so detection has to find the traffic itself.
FIRST_PORT, PORTS = 28000, 1000

SCENARIOS = {}


@dataclasses.dataclass
class Scenario:
    name: str
    function: object
    about: str
    mechanism: str = "null"
    handshake: str = "complete"
    whole: bool = True
    options: dict = dataclasses.field(default_factory=dict)
    decode_as: bool = False
    # Recorded with every libzmq, not only with the oldest one.
    every_version: bool = False
    interface: str = "lo"
    # tcpdump's own default is 256 kB for each place in its buffer, which then has too few places.
    snaplen: int = 66000
    capture_filter: str = "tcp"
    # The scenario itself says when the capture starts.
    late: bool = False
    # tcpdump ends itself after so many packets.
    packet_limit: int = 0
    transient_keys: bool = False
    needs: object = None
    # False: Wireshark knows how to open none of it, or not all.
    can_be_opened: bool = True
    # Wireshark's name for the protocol of a visitor who does not speak ZMTP, where it knows this protocol anywhere.
    stranger: str = ""
    # GSSAPI: arguments of kdc.Realm.
    realm: dict = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        if self.mechanism == "gssapi" and self.needs is None:
            self.needs = kdc.available

    @property
    def port(self):
        return FIRST_PORT + zlib.crc32(self.name.encode()) % PORTS


def scenario(about, name=None, mechanism=None, **settings):
    """Register a function as one scenario; its name tells the mechanism."""
    def register(function):
        own = name or function.__name__.replace("_", "-")
        first = own.split("-")[0]
        kind = mechanism or (first if first in ("null", "plain", "curve", "gssapi") else "null")
        SCENARIOS[own] = Scenario(own, function, about, kind, **settings)
        return function
    return register


def family(about, mechanisms="null plain curve", every_version="", transient_keys="", **settings):
    """Register a function once for each mechanism: null-NAME, plain-NAME, curve-NAME, gssapi-NAME."""
    def register(function):
        for mechanism in mechanisms.split():
            own = f"{mechanism}-{function.__name__.strip('_').replace('_', '-')}"
            SCENARIOS[own] = Scenario(
                own, function, f"{mechanism.upper()}: {about}", mechanism,
                every_version=mechanism in every_version.split(),
                transient_keys=mechanism in transient_keys.split(), **settings)
        return function
    return register


class Failed(Exception):
    pass


class Stream:
    """Application frames of one TCP connection: up from its connector, down from its listener."""

    def __init__(self):
        self.up = []
        self.down = []


class Monitor:
    def __init__(self, sock):
        self._sock = sock.get_monitor_socket()
        self._sock.setsockopt(zmq.RCVTIMEO, TIMEOUT_MS)

    def wait(self, *events, timeout=None):
        """Wait for one of these events and return it; None when a given time has passed."""
        while True:
            if timeout and not self._sock.poll(int(timeout * 1000)):
                return None
            event = zmq.utils.monitor.recv_monitor_message(self._sock)["event"]
            if event in events:
                return event

    def close(self):
        self._sock.close()


class Apart:
    """A peer in a process of its own."""

    def __init__(self, process):
        self._process = process

    def __call__(self):
        if os.waitpid(self._process, 0)[1] != 0:
            raise Failed("the peer in the other process failed")

    def stop(self):
        """Return when it stands still: the kernel goes on to acknowledge what comes for it."""
        os.kill(self._process, signal.SIGSTOP)
        os.waitpid(self._process, os.WUNTRACED)

    def resume(self):
        os.kill(self._process, signal.SIGCONT)

    def kill(self):
        os.kill(self._process, signal.SIGKILL)
        os.waitpid(self._process, 0)


class Run:
    def __init__(self, wanted, folder):
        self.scenario = wanted
        self.port = wanted.port
        self.mechanism = wanted.mechanism
        self.folder = pathlib.Path(folder)
        self.capture_file = self.folder / "capture.pcap"
        self.streams = []
        self.permanent_keys = []
        self.server_keys = self.new_keys()
        self.host = "127.0.0.1"
        self.server_context = zmq.Context()
        self.client_context = zmq.Context()
        self.link = None
        self.realm = None
        self.gssapi_plaintext = False
        # Ports below relays: what is recorded is then the leg between two relays.
        self.connect_port = self.port
        self.listen_port = self.port
        self._sockets = []
        self._monitors = {}
        self._at_close = []
        self._at_end = []
        self._after_capture = []
        self._tcpdump = None
        self._zap = None

    # Keys

    def new_keys(self):
        keys = zmq.curve_keypair()
        self.permanent_keys.append(keys)
        return keys

    @staticmethod
    def credentials():
        return b"admin", b"s3cret-passphrase"

    # Peers

    def socket(self, kind, context=None, **options):
        sock = (context or self.client_context).socket(kind)
        sock.setsockopt(zmq.LINGER, TIMEOUT_MS)
        sock.setsockopt(zmq.RCVTIMEO, TIMEOUT_MS)
        sock.setsockopt(zmq.SNDTIMEO, TIMEOUT_MS)
        # A client that comes before the listener's accept must not wait long.
        sock.setsockopt(zmq.RECONNECT_IVL, 200)
        for name, value in options.items():
            option = getattr(zmq, name)
            if isinstance(value, str):
                sock.setsockopt_string(option, value)
            else:
                sock.setsockopt(option, value)
        self._sockets.append(sock)
        return sock

    def forget_sockets(self):
        """The scenario has closed all of them itself."""
        self._sockets.clear()

    def server_options(self, mechanism=None, keys=None):
        mechanism = mechanism or self.mechanism
        if mechanism == "curve":
            public, secret = keys or self.server_keys
            return {"CURVE_SERVER": 1, "CURVE_PUBLICKEY": public, "CURVE_SECRETKEY": secret}
        if mechanism == "gssapi":
            return {**self.realm.server_options(), "GSSAPI_PLAINTEXT": int(self.gssapi_plaintext)}
        return {"PLAIN_SERVER": 1} if mechanism == "plain" else {}

    def client_options(self, mechanism=None, server_public=None):
        mechanism = mechanism or self.mechanism
        if mechanism == "curve":
            public, secret = self.new_keys()
            return {"CURVE_SERVERKEY": server_public or self.server_keys[0],
                    "CURVE_PUBLICKEY": public, "CURVE_SECRETKEY": secret}
        if mechanism == "plain":
            name, password = self.credentials()
            return {"PLAIN_USERNAME": name, "PLAIN_PASSWORD": password}
        if mechanism == "gssapi":
            return {**self.realm.client_options(), "GSSAPI_PLAINTEXT": int(self.gssapi_plaintext)}
        return {}

    def endpoint(self, port=None):
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"tcp://{host}:{port or self.port}"

    def zap(self, decide):
        """Let a ZAP handler decide about the clients of the run's servers."""
        self._zap = zap.ZapHandler(self.server_context, decide)

    def listen(self, kind, secure=True, **options):
        """A socket with the server's part of the mechanism, bound to the port."""
        if self.mechanism == "plain" and self._zap is None:
            # libzmq's PLAIN server refuses everybody when no handler is there to ask.
            self.zap(lambda request: b"200")
        chosen = self.server_options() if secure else {}
        sock = self.socket(kind, self.server_context, **{**chosen, **options})
        self.bind(sock)
        return sock

    def bind(self, sock):
        deadline = time.monotonic() + TIMEOUT_MS / 1000
        while True:
            try:
                with network.entered(self.link.far) if self.link else contextlib.nullcontext():
                    sock.bind(self.endpoint(self.listen_port))
                return
            except zmq.ZMQError as error:
                # The listener before, on the same port, is closed by its I/O thread.
                if error.errno != zmq.EADDRINUSE or time.monotonic() > deadline:
                    raise
                time.sleep(0.005)

    def connect(self, kind, secure=True, **options):
        """A socket with the client's part of the mechanism, connected to the port."""
        chosen = self.client_options() if secure else {}
        sock = self.socket(kind, **{**chosen, **options})
        sock.connect(self.endpoint(self.connect_port))
        return sock

    def connect_watched(self, kind, secure=True, **options):
        """The same, with a monitor that sees every event from the first."""
        chosen = self.client_options() if secure else {}
        sock = self.socket(kind, **{**chosen, **options})
        monitor = self.watch(sock)
        sock.connect(self.endpoint(self.connect_port))
        return sock, monitor

    def watch(self, sock):
        """A monitor of a socket, from now on. It stays until the socket is closed: libzmq would wait for it then."""
        self._monitors[sock] = Monitor(sock)
        return self._monitors[sock]

    def apart(self, function):
        """Run function in a process of its own, whose key log is kept apart. Returns an Apart; call it to wait."""
        child = os.fork()
        if child == 0:
            status = 1
            try:
                # The key log is named through the working folder: see record.py.
                os.chdir(tempfile.mkdtemp(dir=self.folder))
                function()
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)
        return Apart(child)

    def pair(self, listener, connector):
        """One listener and one connector: the common case."""
        return self.listen(listener), self.connect(connector), self.stream()

    def close(self, *sockets):
        """Close sockets now, in this order, rather than at the end of the run."""
        for sock in sockets:
            with contextlib.suppress(zmq.ZMQError):
                sock.disable_monitor()
            if sock in self._monitors:
                self._monitors.pop(sock).close()
            self._sockets.remove(sock)
            sock.close()

    def at_close(self, action):
        """Something to end with the peers, while the capture still runs."""
        self._at_close.append(action)

    def at_end(self, action):
        self._at_end.append(action)

    def after_capture(self, action):
        """Let action change the finished capture file."""
        self._after_capture.append(action)

    # Traffic

    def stream(self):
        self.streams.append(Stream())
        return self.streams[-1]

    @staticmethod
    def no_stream():
        """For a peer whose connection carries no application frames."""
        return Stream()

    def carry(self, source, target, parts, log, delimiter=False):
        """Send one message, see that it arrives, and note its frames as they are on the wire."""
        source.send_multipart(parts)
        self.expect(target, parts)
        log.extend(([b""] if delimiter else []) + list(parts))

    @staticmethod
    def expect(target, parts):
        got = target.recv_multipart()
        if got != list(parts):
            raise Failed(f"sent {shorten(parts)} but received {shorten(got)}")

    def settle(self, quiet=0.15):
        """Wait until no packet has been captured for this long: what was under way has arrived."""
        deadline = time.monotonic() + TIMEOUT_MS / 1000
        size, since = -1, time.monotonic()
        while time.monotonic() - since < quiet:
            if time.monotonic() > deadline:
                raise Failed("the network does not become quiet")
            time.sleep(0.01)
            now = self.capture_file.stat().st_size if self.capture_file.exists() else 0
            if now != size:
                size, since = now, time.monotonic()

    def wait_for_packets(self, count):
        """Wait until this many more packets have been captured."""
        target = self.packets() + count
        deadline = time.monotonic() + TIMEOUT_MS / 1000
        while self.packets() < target:
            if time.monotonic() > deadline:
                raise Failed("packets are missing")
            time.sleep(0.01)

    def packets(self):
        return len(pcap.read(self.capture_file)[1])

    # Capture

    def start_capture(self):
        wanted = self.scenario
        words = ["tcpdump", "-Z", "root", "-i", self.link.interface if self.link else "lo", "-n",
                 "-U", "--immediate-mode", "-B", "32768", "-s", str(wanted.snaplen),
                 "-w", str(self.capture_file)]
        if wanted.packet_limit:
            words += ["-c", str(wanted.packet_limit)]
        words.append(wanted.capture_filter.format(port=self.port))
        self._tcpdump = subprocess.Popen(
            words, stderr=subprocess.PIPE, text=True, env=network.plain_environment())
        for line in self._tcpdump.stderr:
            if "listening on" in line:
                return
        raise Failed("tcpdump did not start")

    def stop_capture(self):
        if self._tcpdump.poll() is None:
            self._tcpdump.send_signal(signal.SIGINT)
        _, text = self._tcpdump.communicate(timeout=20)
        if "\n0 packets dropped by kernel" not in text:
            raise Failed(f"tcpdump lost packets: {text}")

    def abandon(self):
        """After a failure: leave no tcpdump and no KDC behind."""
        if self.realm:
            self.realm.close()
        if self._tcpdump and self._tcpdump.poll() is None:
            self._tcpdump.kill()
            self._tcpdump.wait()

    def finish(self):
        for action in self._at_close:
            action()
        # Clients first, and wholly: one that sees its server go comes again until it is closed.
        for context in (self.client_context, self.server_context):
            self.close(*(sock for sock in self._sockets if sock.context is context))
            if self._zap and context is self.server_context:
                self._zap.close()
            context.term()
        self.settle()
        self.stop_capture()
        for action in self._at_end:
            action()
        for action in self._after_capture:
            action(self.capture_file)

    # Results

    def write(self, out):
        out = pathlib.Path(out)
        out.mkdir(parents=True, exist_ok=True)
        name = self.scenario.name
        for old in out.glob(f"{name}.*"):
            if old.name in (f"{name}.{end}" for end in
                            ("pcap", "json", "keys", "permanent.keys", "transient.keys",
                             "cookie.keys", "keytab")):
                old.unlink()
        put(out / f"{name}.pcap", self.capture_file.read_bytes())
        lines = self._key_lines()
        self._write_keys(out, name, lines)
        if self.realm:
            put(out / f"{name}.keytab", self.realm.service_keytab.read_bytes())
        (out / f"{name}.json").write_text(json.dumps(self._description(lines), indent=1) + "\n",
                                          encoding="ascii")

    def _key_lines(self):
        log = self.folder / "keys"
        return log.read_text(encoding="ascii").splitlines() if log.exists() else []

    def _write_keys(self, out, name, lines):
        sessions = [line for line in lines if line.startswith("CURVE_SESSION_KEY")]
        if sessions:
            put_lines(out / f"{name}.keys", sessions)
        if self._uses_curve():
            put_lines(out / f"{name}.permanent.keys",
                      ["CURVE_SECRET_KEY " + " ".join(as_hex(key) for key in pair)
                       for pair in self.permanent_keys])
        if self.scenario.transient_keys:
            put_lines(out / f"{name}.transient.keys",
                      [line for line in lines if line.startswith("CURVE_SECRET_KEY")])
            put_lines(out / f"{name}.cookie.keys",
                      [line for line in lines if line.startswith("CURVE_COOKIE_KEY")])

    def _uses_curve(self):
        return self.mechanism == "curve" or len(self.permanent_keys) > 1

    def _description(self, lines):
        wanted = self.scenario
        secrets = [line.split()[-1] for line in lines]
        if self._uses_curve():
            secrets = [as_hex(pair[1]) for pair in self.permanent_keys] + secrets
        if self.realm:
            secrets += self.realm.secrets()
        description = {
            "about": wanted.about,
            "made_by": f"record/record.py {wanted.name}",
            "peers": peers(),
            "port": self.port,
            "options": wanted.options,
        }
        if wanted.decode_as:
            description["decode_as"] = f"tcp.port=={self.port},zmtp"
        description.update({
            "whole": wanted.whole,
            "has_keys": any(line.startswith("CURVE_SESSION_KEY") for line in lines),
            **({"keytab": True} if self.realm else {}),
            **({} if wanted.can_be_opened else {"can_be_opened": False}),
            **({"stranger": wanted.stranger} if wanted.stranger else {}),
            "handshake": wanted.handshake,
            "streams": [{"up": [frame_entry(frame) for frame in stream.up],
                         "down": [frame_entry(frame) for frame in stream.down]}
                        for stream in self.streams],
            "secrets": list(dict.fromkeys(secrets)),
        })
        return description


def peers():
    more = " with the draft API" if zmq.has("draft") else ""
    if kdc.libzmq_has_heimdal():
        more += " with Heimdal"
    return f"libzmq {zmq.zmq_version()}{more} (pyzmq {zmq.__version__})"


def as_hex(key):
    return zmq.utils.z85.decode(key).hex()


def put(path, data):
    path.write_bytes(data)
    path.chmod(0o644)


def put_lines(path, lines):
    put(path, "".join(line + "\n" for line in lines).encode("ascii"))


def frame_entry(frame):
    if len(frame) <= LONGEST_HEX:
        return binascii.hexlify(frame).decode("ascii")
    return {"len": len(frame), "sha256": hashlib.sha256(frame).hexdigest()}


def shorten(parts):
    return [part[:40] for part in parts]


def text(size, label="frame"):
    """A frame of that many octets which tells its size and every octet's place."""
    words = f"{label} of {size} octets:".encode()
    while len(words) < size:
        words += b" %06d" % len(words)
    return words[:size]


def record(wanted, out):
    """Record one scenario in this process, which must be one of its own, as its folder."""
    network.new_namespace()
    run = Run(wanted, os.getcwd())
    try:
        prepare(run)
        if not wanted.late:
            run.start_capture()
        wanted.function(run)
        run.finish()
        run.write(out)
    except BaseException:
        traceback.print_exc()
        run.abandon()
        # At once: libzmq would wait for sockets that are still open.
        os._exit(1)


def prepare(run):
    """Links that have to stand before the capture starts."""
    kind = run.scenario.interface
    if kind == "lo1500":
        network.small_lo()
    elif kind == "veth":
        run.link = network.VethLink()
    elif isinstance(kind, dict):
        run.link = network.LossyLink(**kind)
        run.at_end(run.link.close)
    if run.link:
        run.host = run.link.far_address
        # The server's I/O threads belong to the far side, as its listener does.
        with network.entered(run.link.far):
            run.server_context.socket(zmq.PAIR).close()
    if run.mechanism == "gssapi":
        run.realm = kdc.Realm(run.folder, **run.scenario.realm)
        run.at_end(run.realm.close)
