# The octets of ZMTP, for captures that tests build by hand.
# SPDX-License-Identifier: GPL-2.0-or-later
import struct


def greeting(mechanism=b"NULL", version=(3, 1), as_server=0):
    """RFC 23, "greeting": 64 octets."""
    signature = b"\xff" + struct.pack("!Q", 1) + b"\x7f"
    return signature + bytes(version) + mechanism.ljust(20, b"\0") + bytes([as_server]) + bytes(31)


def greeting_2_0(socket_type=5, identity=b""):
    """RFC 15, "greeting": the revision, the socket type and the identity as a frame."""
    return b"\xff" + struct.pack("!Q", len(identity) + 1) + b"\x7f\x01" + bytes([socket_type]) + frame(identity)


def frame(body, more=False, command=False, long=None):
    """RFC 23, "traffic": long=True forces the 8-octet length."""
    long = len(body) > 255 if long is None else long
    flags = more | long << 1 | command << 2
    return struct.pack("!BQ" if long else "!BB", flags, len(body)) + body


def message(*parts):
    return b"".join(frame(part, more=number < len(parts)) for number, part in enumerate(parts, 1))


def command(name, data=b""):
    return frame(bytes([len(name)]) + name + data, command=True)


def metadata(**properties):
    """RFC 23, "metadata"; socket_type=b"REQ" becomes Socket-Type."""
    named = ((name.title().replace("_", "-").encode(), value) for name, value in properties.items())
    return b"".join(bytes([len(name)]) + name + struct.pack("!I", len(value)) + value for name, value in named)


def ready(socket_type, **properties):
    return command(b"READY", metadata(socket_type=socket_type, **properties))


def null_session(stream, up=(), down=(), client_type=b"DEALER", server_type=b"ROUTER"):
    """Greetings and READY both ways, then messages (each a tuple of parts) up and down."""
    stream.client(greeting()).server(greeting())
    stream.client(ready(client_type)).server(ready(server_type))
    for parts in up:
        stream.client(message(*parts))
    for parts in down:
        stream.server(message(*parts))
    return stream
