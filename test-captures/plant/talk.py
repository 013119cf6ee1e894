# A recorded conversation as a list that can be altered: greetings, frames, and what is in their boxes.
# SPDX-License-Identifier: GPL-2.0-or-later
"""A capture is a list of Talks, one for each TCP connection; a Talk is a list of Pieces, in the order of the wire.

    talks = recorded(sample, (".keys",))
    talks[0].message(UP, 1).set(flags=0x80)
    write(path, talks, port)

Every change returns the piece that it is about, so that changes can be chained. What is not changed is written with
the very octets that were recorded.
"""
import copy
import itertools

from pcap_writer import Stream, save
from retell import said_by_all, segments, tell

from plant import boxes

UP, DOWN = True, False  # from the connector, from the listener
MORE, LONG, COMMAND = 1, 2, 4  # flags of a frame
INNER_MORE, INNER_COMMAND = 1, 2  # flags in the boxes of CURVE
FIRST_PORT = 40001
MAJOR, MINOR, MECHANISM, AS_SERVER, FILLER = 10, 11, 12, 32, 33  # where they are in a greeting


def prop(name, value, length=None):
    """A property of the metadata; `length` is what it says of its value, if that is to be wrong."""
    length = len(value) if length is None else length
    return bytes([len(name)]) + name + length.to_bytes(4, "big") + value


def named(name, data=b""):
    """The body of a command."""
    return bytes([len(name)]) + name.encode() + data


class Piece:
    """What one side said at a time: a greeting, or anything that is not taken apart."""
    CONTENT = "octets"
    name = None  # of the command

    def __init__(self, talk, side, octets):
        self.talk, self.side, self.octets = talk, side, octets

    def on_wire(self):
        return self.octets

    def set(self, **values):
        for name, value in values.items():
            assert hasattr(self, name), f"{type(self).__name__} has no {name}"
            setattr(self, name, value)
        return self

    @property
    def content(self):
        return getattr(self, self.CONTENT)

    @content.setter
    def content(self, octets):
        setattr(self, self.CONTENT, octets)

    def put(self, at, octets):
        """Writes over a part of the content; at < 0 counts from its end."""
        at %= len(self.content)
        return self.set(content=self.content[:at] + octets + self.content[at + len(octets):])

    def flip(self, at):
        """Changes the lowest bit of an octet."""
        return self.put(at, bytes([self.content[at] ^ 1]))

    def add(self, octets):
        return self.set(content=self.content + octets)

    def cut(self, count):
        """Without that many octets at its end."""
        return self.set(content=self.content[:-count])

    def shorten(self, count):
        """That many octets of it."""
        assert count < len(self.content)
        return self.set(content=self.content[:count])

    def replace(self, old, new):
        assert old in self.content, f"no {old} in {self.content}"
        return self.set(content=self.content.replace(old, new))

    # Its place in the conversation

    def drop(self):
        self.talk.remove(self)
        return self

    def before(self, *pieces):
        """Puts pieces in front of this one."""
        at = self.talk.index(self)
        self.talk[at:at] = pieces
        return self

    def after(self, *pieces):
        at = self.talk.index(self) + 1
        self.talk[at:at] = pieces
        return self

    def repeat(self):
        """Says it once more, at once; returns the repetition."""
        again = copy.copy(self)
        self.after(again)
        return again

    def move_before(self, other):
        self.drop()
        other.before(self)
        return self

    def last(self, closed_by=UP, after_a_second=False):
        """Nothing is said after it, and this side closes."""
        del self.talk[self.talk.index(self) + 1:]
        self.talk.closed_by, self.talk.pauses = closed_by, after_a_second
        return self

    def split(self, at):
        """Sends what it has behind this place in a segment of its own."""
        return self.become(Piece(self.talk, self.side, self.on_wire()[:at])).after(
            Piece(self.talk, self.side, self.on_wire()[at:]))

    def become(self, piece):
        """Another piece comes in place of this one."""
        self.after(piece).drop()
        return piece


class Frame(Piece):
    """flags has MORE and COMMAND; `long` and `length` are as the body needs them unless they are set."""
    CONTENT = "body"

    def __init__(self, talk, side, body, flags=0, long=None):
        super().__init__(talk, side, None)
        self.body, self.flags, self.long, self.length = body, flags, long, None

    def on_wire(self):
        body = self.body
        length = len(body) if self.length is None else self.length
        long = length > 255 if self.long is None else self.long
        return bytes([self.flags | LONG * long]) + length.to_bytes(8 if long else 1, "big") + body

    @property
    def is_message(self):
        """Does it carry a part of a message? Of GSSAPI the frame tells it as well as it can be told without keys."""
        return not self.flags & COMMAND

    @property
    def name(self):
        return None if self.is_message else self.body[1:1 + self.body[0]].decode("latin-1") if self.body else ""

    def metadata(self, octets):
        """Puts other properties in place of those of READY or INITIATE."""
        return self.set(content=self.content[:1 + self.content[0]] + octets)


class Box(Frame):
    """A frame with a box that was opened: `start`, the nonce, and the box of `plain`.

    nonce is octets or, of short ones, a number; None is the one after the highest that this side has used."""
    CONTENT = "plain"

    def __init__(self, frame, found, keys):
        super().__init__(frame.talk, frame.side, None, frame.flags, frame.long)
        self.keys = keys  # that are known
        self.start, self.nonce, self.plain, self.prefix, self.key = found

    @property
    def body(self):
        nonce = boxes.short(self.nonce) if isinstance(self.nonce, int) else self.nonce
        return self.start + nonce + boxes.seal(self.plain, self.prefix + nonce, self.key)

    @body.setter
    def body(self, octets):
        assert octets is None, "the body of a box is made when it is sealed: see as_it_is()"

    @property
    def outer_name(self):
        return self.start[1:1 + self.start[0]].decode()

    @property
    def is_message(self):
        return self.outer_name == "MESSAGE" and not self.plain[0] & INNER_COMMAND

    @property
    def name(self):
        if self.is_message:
            return None
        if self.outer_name == "MESSAGE":
            return self.plain[2:2 + self.plain[1]].decode("latin-1")
        return self.outer_name

    def metadata(self, octets):
        return self.set(plain=self.plain[:boxes.METADATA if self.outer_name == "INITIATE" else 0] + octets)

    def vouch(self, at, octets):
        """Writes over a part of C' and S, for which the vouch in INITIATE stands, and seals that again."""
        return self.set(plain=boxes.vouched(self.plain, self.keys, at, octets))

    def as_it_is(self):
        """The frame with its box closed, so that its octets can be changed."""
        self.talk.number()
        return self.become(Frame(self.talk, self.side, self.body, self.flags, self.long))


class Talk(list):
    """What both sides of a connection said."""

    def __init__(self, talks):
        super().__init__()
        self.talks = talks  # of the capture: all connections, this one among them
        self.stays_open = False  # until the end of the capture
        self.closed_by, self.pauses = UP, False

    def index(self, piece):  # the very one, not one like it
        return next(at for at, one in enumerate(self) if one is piece)

    def remove(self, piece):
        del self[self.index(piece)]

    # Finding pieces

    def _nth(self, side, number, fits):
        return [piece for piece in self if piece.side == side and fits(piece)][number]

    def piece(self, side, number=0):
        return self._nth(side, number, lambda _: True)

    greeting = piece  # the first one

    def message(self, side, number=0):
        """A frame with a part of a message."""
        return self._nth(side, number, lambda piece: isinstance(piece, Frame) and piece.is_message)

    def command(self, side, name, number=0):
        """By its name; one in a MESSAGE of CURVE is found by its own name."""
        return self._nth(side, number, lambda piece: piece.name == name)

    def boxes(self):
        return [piece for piece in self if isinstance(piece, Box)]

    def both(self, name):
        return [self.command(side, name) for side in (UP, DOWN)]

    # Making pieces

    def segment(self, side, octets):
        """Octets that are no frame, or one of ZMTP 1.0 or 2.0."""
        return Piece(self, side, octets)

    def clear(self, side, body, flags=0, **values):
        """A frame that is not in a box."""
        return Frame(self, side, body, flags).set(**values)

    def say(self, side, body, flags=0):
        """A frame of the traffic as this connection carries it: with CURVE it is in a box, and so are its flags."""
        session = next((box for box in self.boxes() if box.outer_name == "INITIATE"), None)
        if not session:
            return self.clear(side, body, flags)
        inner = INNER_MORE * bool(flags & MORE) | INNER_COMMAND * bool(flags & COMMAND)
        prefix = b"CurveZMQMESSAGE" + (b"C" if side == session.side else b"S")
        return copy.copy(session).set(side=side, start=named("MESSAGE"), plain=bytes([inner]) + body, nonce=None,
                                      prefix=prefix, flags=0, long=None)

    def order(self, side, name, data=b""):
        """A command of the traffic."""
        return self.say(side, named(name, data), COMMAND)

    def again(self):
        """A second connection on which the same is said; returns it."""
        other = Talk(self.talks)
        other.extend(copy.copy(piece).set(talk=other) for piece in self)
        self.talks.append(other)
        return other

    # Writing

    def number(self):
        """Gives each box its nonce."""
        highest = {UP: 0, DOWN: 0}
        for box in self.boxes():
            if boxes.has_short_nonce(box.prefix):
                if box.nonce is None:
                    box.nonce = highest[box.side] + 1
                highest[box.side] = max(highest[box.side], boxes.as_number(box.nonce))
        return self

    def events(self):
        return [(piece.side, piece.on_wire()) for piece in self.number()]


def recorded(capture, key_logs=()):
    """The conversation of a capture, with every box open that these key logs open."""
    keys, talks = boxes.Keys(key_logs), []
    connections = [connection for connection in segments(capture).values() if connection]
    old = _is_old(connections[0])
    for events in connections if old else said_by_all(capture):
        talk, greeted = Talk(talks), set()
        for side, octets in events:
            is_frame = side in greeted and not old
            talk.append(_frame(talk, side, octets, keys) if is_frame else Piece(talk, side, octets))
            greeted.add(side)
        talks.append(_free_nonces(talk))
    return talks


def _is_old(connection):
    """ZMTP 1.0 or 2.0: told again as it was sent, segment by segment, and not taken apart."""
    begins = [b"".join(octets for side, octets in connection if side == wanted) for wanted in (UP, DOWN)]
    return any(begin[:1] != b"\xff" or begin[MAJOR:MINOR] < b"\x03" for begin in begins)


def _frame(talk, side, octets, keys):
    long = bool(octets[0] & LONG)
    body = octets[9 if long else 2:]
    needed = len(body) > 255
    frame = Frame(talk, side, body, octets[0] & ~LONG, None if long == needed else long)
    found = boxes.find(body, keys)
    return Box(frame, found, keys) if found else frame


def _free_nonces(talk):
    """Forgets each nonce that is the next one, so that pieces can be put in and taken out."""
    highest = {}
    for box in talk.boxes():
        if boxes.has_short_nonce(box.prefix):
            number = boxes.as_number(box.nonce)
            if number == highest.get(box.side, 0) + 1:
                box.nonce = None
            highest[box.side] = max(highest.get(box.side, 0), number)
    return talk


def write(path, talks, port):
    """A capture of these connections, one after another, each closed at its end unless it stays open."""
    streams, ends = [], Stream(opened=False)
    for client_port, talk in zip(itertools.count(FIRST_PORT), talks):
        stream = tell(talk.events(), port=port, client_port=client_port)
        streams.append(stream)
        if talk.pauses:
            stream.pause()
        count = len(stream.packets)
        stream.fin(talk.closed_by)
        if talk.stays_open:
            ends.packets += stream.packets[count:]
            del stream.packets[count:]
    return save(path, *streams, ends)
