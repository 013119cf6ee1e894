# What the peers of a capture said, connection by connection: greetings, commands and messages, as tshark shows them.
# SPDX-License-Identifier: GPL-2.0-or-later
import hashlib

CLIENT, SERVER = "client", "server"  # as in the table of connections (plugin/STATISTICS.md)
UNSET = (None, "0", "0x00", "False")  # Wireshark 4.0 shows boolean fields as numbers, later ones as words
SEVERITIES = {0x200000: "chat", 0x400000: "note", 0x600000: "warn", 0x800000: "error"}
# What a greeting is made of. Its octets often come in several packets.
GREETING = {"zmtp.signature", "zmtp.version.major", "zmtp.version.minor", "zmtp.mechanism", "zmtp.as-server",
            "zmtp.filler", "zmtp.revision", "zmtp.socket_type.code"}
PAYLOADS = {"CURVE": "zmtp.curvezmq", "GSSAPI": "zmtp.gssapi"}  # fields of what a mechanism protects
# And where TCP says one of these: a segment is not in the capture (or comes later).
LOST = ("tcp.analysis.lost_segment", "tcp.analysis.ack_lost_segment")
# What is kept of a message.
KEPT_FIELDS = {"zmtp.flags", "zmtp.flags.command", "zmtp.flags.more", "zmtp.flags.long", "zmtp.length",
               "zmtp.curvezmq.nonce.counter", "zmtp.curvezmq.payload.flags", "zmtp.gssapi.payload.flags"}
KEPT_OCTETS = 1024  # of its first ones
# Where one of these is found, something before it is not in the capture.
HOLES = {"zmtp.gap", "zmtp.not_aligned", "zmtp.not_all_shown", "zmtp.length.large"}


def other(side):
    return SERVER if side == CLIENT else CLIENT


class Item:
    """One ZMTP item of the tree: a frame, or some octets of a greeting."""

    def __init__(self, packet, side, field):
        self.packet, self.side, self.field = packet, side, field
        self.findings = {}  # filter name: (severity, text)
        self._fields = {}
        for one in field.walk():
            self._fields.setdefault(one.name, []).append(one)
            if one.name == "_ws.expert":
                self._add_finding(one.children)

    def _add_finding(self, fields):
        shows = {field.name: field.show for field in fields}
        name = next((name for name in shows if name.startswith("zmtp.")), None)
        if name:
            severity = SEVERITIES.get(int(shows.get("_ws.expert.severity", "0")), "chat")
            self.findings[name] = severity, shows.get("_ws.expert.message", "")

    def all(self, name):
        return self._fields.get(name, [])

    def has(self, name):
        return name in self._fields

    def show(self, name):
        """Of the first field with this name; None: there is none."""
        return self._fields[name][0].show if name in self._fields else None

    def number(self, name):
        shown = self.show(name)
        return None if shown is None else int(shown, 0)

    def octets(self, name):
        return self._fields[name][0].octets if name in self._fields else b""

    def is_set(self, name):
        return self.show(name) not in UNSET

    def found(self, name):
        """The text of a finding of the plugin; None: it is not here."""
        return self.findings[name][1] if name in self.findings else None


class Frame(Item):
    """One ZMTP frame. Of a MESSAGE of CURVE or GSSAPI that was opened, what was in it counts."""

    def __init__(self, packet, side, field):
        super().__init__(packet, side, field)
        names = [one.show for one in self.all("zmtp.command-name")]
        self.mechanism = self.show("zmtp.mechanism")
        self.protected = names[:1] == ["MESSAGE"] and self.mechanism in PAYLOADS
        payload = PAYLOADS.get(self.mechanism)
        self.closed = self.protected and all(one.show in UNSET for one in self.all(f"{payload}.decrypted"))
        flags = f"{payload}.payload.flags" if self.protected else "zmtp.flags"
        self.more = self.is_set(f"{flags}.more")
        self.command = (names[1] if len(names) > 1 else None) if self.protected else (names or [None])[0]
        if self.command is None and (self.is_set(f"{flags}.command") or self.has("zmtp.command.data")):
            self.command = ""  # one without a name that can be read
        data = self.octets("zmtp.data") if self.has("zmtp.data") else None
        self.size, self.hash = (len(data), digest(data)) if data is not None else (0, "")
        self.data = data and data[:KEPT_OCTETS]
        self._octets_there = len(field.octets)
        if (self.is_part or self.closed) and not self.findings:
            self._forget()

    def _forget(self):
        """Keeps of an ordinary message no more than rules ask for: there may be a million of them."""
        self._fields = {name: fields[:1] for name, fields in self._fields.items() if name in KEPT_FIELDS}
        for fields in self._fields.values():
            fields[0].children = []
        self.field = None

    @property
    def length(self):
        return self.number("zmtp.length") or 0

    def is_cut(self, version):
        """Does the capture lack its end? (In ZMTP 1.0 the length counts the flags too.)"""
        return self._octets_there < (version != "1.0") + len(self.octets("zmtp.length")) + self.length

    @property
    def topic(self):
        """(name of the command, topic) of a subscription, also of one that is a message; else None."""
        for field, name in (("zmtp.subscribe", "SUBSCRIBE"), ("zmtp.cancel", "CANCEL")):
            if self.has(field):
                return name, self.octets(field)
        return None

    @property
    def is_part(self):
        """Is it a part of a message of the application?"""
        return self.data is not None and self.command is None

    @property
    def properties(self):
        """[(name, octets of the value)] of the metadata."""
        found = []
        for one in self.field.walk() if self.field else ():
            if one.name == "zmtp.metadata.key":
                found.append([one.show, b""])
            elif one.name == "zmtp.metadata.value" and found:
                found[-1][1] = one.octets
        return [tuple(pair) for pair in found]

    def property(self, name):
        """The value of a property, as octets, whatever its letters' case; None: there is none."""
        return next((value for found, value in self.properties if found.lower() == name.lower()), None)


class Greeting:
    """What one side sent before its first frame, put together from its packets."""

    def __init__(self, item):
        self.items = [item]
        self.packet, self.side = item.packet, item.side

    def add(self, item):
        self.items.append(item)

    def _first(self, name):
        return next((item for item in self.items if item.has(name)), None)

    def octets(self, name):
        item = self._first(name)
        return item.octets(name) if item else None

    def number(self, name):
        item = self._first(name)
        return item.number(name) if item else None

    def has(self, name):
        return self._first(name) is not None

    @property
    def mechanism(self):
        item = self._first("zmtp.mechanism")
        return item.show("zmtp.mechanism") if item else None

    @property
    def version(self):
        """Such as "3.1"; "2.0" where a revision stands in its place; None: not told."""
        major = self.number("zmtp.version.major")
        if major is None:
            return None if self.number("zmtp.revision") is None else "2.0"
        minor = self.number("zmtp.version.minor")
        return f"{major}.{'?' if minor is None else minor}"

    @property
    def findings(self):
        return {name: finding for item in self.items for name, finding in item.findings.items()}

    def found(self, name):
        return self.findings[name][1] if name in self.findings else None


class Message:
    """A message of the application: its parts."""

    def __init__(self, part):
        self.parts = [part]
        self.packet, self.side = part.packet, part.side

    @property
    def frames(self):
        return [part.data for part in self.parts]

    @property
    def whole(self):
        return not self.parts[-1].more


class Connection:
    """One connection: what its sides said, in the order of the capture."""

    def __init__(self, stream):
        self.stream = stream
        self.number = 0  # among those of the capture, from 1
        self.row = {}  # of the table of connections
        self.endpoints = {}
        self.greetings = {}  # by side
        self.items = []  # Greeting, Frame, in the order in which each began
        self.hole = None  # packet from which on something is missing
        self.unopened = False
        self._frames = {}

    def side(self, address, port):
        if not self.endpoints:  # whoever speaks first, until the table tells who is who
            self.endpoints[address, port] = CLIENT
        return self.endpoints.setdefault((address, port), SERVER)

    def add(self, item):
        if any(name in HOLES for name in item.findings) or item.has("zmtp.continuation") or \
                item.has("zmtp.undissected"):
            self.break_at(item.packet)
        if item.has("zmtp.flags"):
            frame = Frame(item.packet, item.side, item.field)
            self.unopened = self.unopened or frame.closed
            self.items.append(frame)
        elif any(map(item.has, GREETING)):
            if item.side in self.greetings:
                self.greetings[item.side].add(item)
            else:
                self.greetings[item.side] = Greeting(item)
                self.items.append(self.greetings[item.side])
        else:
            self.items.append(item)

    def finish(self, number, row):
        """The sides are what the table says."""
        self.number, self.row = number, row
        client = row["client"]["address"], row["client"]["port"]
        if self.endpoints.get(client) == SERVER:
            for item in self.items:
                for one in item.items if isinstance(item, Greeting) else [item]:
                    one.side = other(one.side)
                if isinstance(item, Greeting):
                    item.side = other(item.side)
            self.greetings = {greeting.side: greeting for greeting in self.greetings.values()}
        framed = [item for item in self.items if isinstance(item, Frame)]
        for frame in framed:
            if frame.is_cut(self.version):
                self.break_at(frame.packet)
        # Who sends frames has heard from the other side.
        if row["outcome"] == "joined" or framed and len({item.side for item in self.items}) < 2:
            self.break_at(0)
        before = [frame for frame in framed if self.hole is None or frame.packet < self.hole]
        self._frames = {side: [frame for frame in before if side in (None, frame.side)]
                        for side in (None, CLIENT, SERVER)}

    def break_at(self, packet):
        """From this packet on something is missing."""
        self.hole = packet if self.hole is None else min(self.hole, packet)

    @property
    def whole(self):
        """Is all that was said in the capture, from its beginning?"""
        return self.hole is None

    def frames(self, side=None):
        """Those before the first hole: rules about an order cannot judge what comes behind it."""
        return self._frames[side]

    def messages(self, side):
        found = []
        for frame in self.frames(side):
            if frame.is_part:
                if found and not found[-1].whole:
                    found[-1].parts.append(frame)
                else:
                    found.append(Message(frame))
        return found

    def socket_type(self, side):
        return self.row[side]["socket_type"]

    @property
    def version(self):
        return self.row["version"]

    @property
    def mechanism(self):
        return self.row["mechanism"]

    def findings(self):
        """[(item, filter name, severity, text)] of all that the plugin marked."""
        return [(item, name, *finding) for item in self.items for name, finding in item.findings.items()]


class Capture:
    """All connections of a capture, in the order in which they began."""

    def __init__(self):
        self._found = {}
        self.connections = []

    def take(self, packet):
        stream = int(packet.show("tcp", "tcp.stream") or 0)
        source = _address(packet, "src"), int(packet.show("tcp", "tcp.srcport") or 0)
        number = int(packet.show("frame", "frame.number"))
        connection = self._found.setdefault(stream, Connection(stream))
        if any(packet.show("tcp", name) is not None for name in LOST):
            connection.break_at(number)
        for layer in packet.layers:
            if layer.name == "zmtp":
                connection.add(Item(number, connection.side(*source), layer))

    def finish(self, rows):
        """Takes the lines of the connection table."""
        known = [row for row in rows if row["type"] == "connection"]
        for number, row in enumerate(sorted(known, key=lambda row: row["first_frame"]), start=1):
            connection = self._found.get(row["stream"]) or Connection(row["stream"])
            connection.finish(number, row)
            self.connections.append(connection)


def _address(packet, end):
    """Of the innermost IP, as in the table of connections."""
    layer = next((layer for layer in reversed(packet.layers) if layer.name in ("ip", "ipv6")), None)
    return layer and next((field.show for field in layer.walk() if field.name == f"{layer.name}.{end}"), None)


def digest(octets):
    return hashlib.sha256(octets).hexdigest()[:32]
