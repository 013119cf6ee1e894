# Scenarios: real GSSAPI tokens of kinds that libzmq never sends, from peers written as plain sockets.
# SPDX-License-Identifier: GPL-2.0-or-later

import socket

import zmq

import kdc
from harness import Failed, scenario, text
from scenarios_raw import COMMAND, SIGNATURE, RawPeer, frame_20, must_be, ready

try:
    import gssapi
    import gssapi.raw
except ImportError:
    gssapi = None

# RFC 38; version 3.1, as libzmq sends it.
GREETING = SIGNATURE + b"\x03\x01" + b"GSSAPI".ljust(20, b"\0") + bytes(32)
INITIATE, MESSAGE = b"\x08INITIATE", b"\x07MESSAGE"
KRB5, SPNEGO = (1, 2, 840, 113554, 1, 2, 2), (1, 3, 6, 1, 5, 5, 2)
# The octet before a payload: what libzmq 4.3.6 marks subscriptions with.
INNER_SUBSCRIBE, INNER_CANCEL = 4, 8
ROTATION = slice(6, 8)  # RFC 4121, 4.2.6.2: RRC


# Ways to wrap

def sealed(context, data):
    return gssapi.raw.wrap(context, data, confidential=True).message


def signed(context, data):
    return gssapi.raw.wrap(context, data, confidential=False).message


def in_pieces(context, data, confidential):
    """Without a trailer to put it in, MIT's library rotates what would be there to the front."""
    pieces = gssapi.raw.IOV(gssapi.raw.IOVBufferType.header, data, std_layout=False)
    gssapi.raw.wrap_iov(context, pieces, confidential=confidential)
    token = b"".join(piece.value for piece in pieces)
    if token[ROTATION] == b"\0\0":
        raise Failed("the token is not rotated")
    return token


def rotated(context, data):
    return in_pieces(context, data, confidential=True)


def signed_rotated(context, data):
    return in_pieces(context, data, confidential=False)


# Peers

class GssPeer(RawPeer):
    """A raw peer with a context of its own. wrap may be changed between messages."""

    def __init__(self, run, stream, wrap, accepted=None, mechanism=KRB5):
        super().__init__(run, stream, accepted=accepted)
        self.wrap = wrap
        side = "accept" if accepted else "initiate"
        mine, other = (kdc.SERVICE, None) if accepted else (kdc.CLIENTS[0], principal(kdc.SERVICE))
        self._context = gssapi.SecurityContext(
            creds=gssapi.Credentials(name=principal(mine), usage=side), usage=side, name=other,
            **({} if accepted else {"mech": gssapi.OID.from_int_seq(mechanism),
                                    "flags": gssapi.RequirementFlag.mutual_authentication}))

    @property
    def complete(self):
        return self._context.complete

    def greet(self):
        self.put(GREETING)

    def put_token(self, answered=b""):
        """The next token; answered is the other side's last one."""
        token = self._context.step(answered or None)
        if token:
            self.put(frame_20(INITIATE + len(token).to_bytes(4, "big") + token, COMMAND))

    def take_token(self):
        return self._token(self.take_20(log=False), INITIATE)

    @staticmethod
    def _token(body, name):
        must_be(body[:len(name)], name)
        size = int.from_bytes(body[len(name):len(name) + 4], "big")
        must_be(len(body), len(name) + 4 + size)
        return body[len(name) + 4:]

    def put_wrapped(self, body, inner=0, outer=0):
        token = self.wrap(self._context, bytes([inner]) + body)
        self.put(frame_20(MESSAGE + len(token).to_bytes(4, "big") + token, outer))

    def take_wrapped(self):
        """Inner flags and body."""
        plain = gssapi.raw.unwrap(self._context, self._token(self.take_20(log=False), MESSAGE)).message
        return plain[0], plain[1:]

    def put_data(self, body, more=False):
        # The MORE flag stands outside as well, as libzmq sends it.
        self.put_wrapped(body, more, more)
        self._log_out.append(body)

    def take_data(self):
        self._log_in.append(self.take_wrapped()[1])
        return self._log_in[-1]

    def put_ready(self, kind):
        self.put_wrapped(ready(kind)[2:], 0, COMMAND)

    def take_ready(self):
        must_be(self.take_wrapped()[1][:6], b"\x05READY")


def principal(name):
    return gssapi.Name(name, gssapi.NameType.kerberos_principal)


def greet_libzmq(peer, kind):
    peer.greet()
    peer.take(64)
    peer.put_token()
    while not peer.complete:
        peer.put_token(peer.take_token())
    # libzmq's server waits for one more command, and its client sends an empty one.
    peer.put(frame_20(b"", COMMAND))
    peer.take_ready()
    peer.put_ready(kind)


def raw_pair(run, kinds, wrap):
    """Two raw peers, of these socket types, with their handshake done."""
    stream = run.stream()
    with socket.create_server((run.host, run.port)) as listener:
        client = GssPeer(run, stream, wrap)
        server = GssPeer(run, stream, wrap, accepted=listener.accept()[0])
    for peer, other in ((client, server), (server, client)):
        peer.greet()
        other.take(64)
    client.put_token()
    server.put_token(server.take_token())
    client.put_token(client.take_token())
    client.put(frame_20(b"", COMMAND))
    server.take_20(log=False)
    for peer, other, kind in ((server, client, kinds[1]), (client, server, kinds[0])):
        peer.put_ready(kind)
        other.take_ready()
    return client, server


def say(peer, other, body, more=False):
    """One message between raw peers; the sender notes it for both."""
    peer.put_data(body, more)
    must_be(other.take_wrapped(), (int(more), body))


# Scenarios

def rotated_tokens(run):
    pull_side, stream = run.listen(zmq.PAIR), run.stream()
    peer = GssPeer(run, stream, rotated)
    greet_libzmq(peer, "PAIR")
    for body in (b"rotated", b"", text(1000)):
        peer.put_data(body)
        run.expect(pull_side, [body])
        pull_side.send(b"not rotated: " + body[:20])
        peer.take_data()
    peer.put_data(b"first", more=True)
    peer.wrap = sealed
    peer.put_data(b"second, not rotated")
    run.expect(pull_side, [b"first", b"second, not rotated"])


def sign_only(run, ready=signed):
    client, server = raw_pair(run, ("PAIR", "PAIR"), ready)
    client.wrap = server.wrap = signed
    say(client, server, b"signed, not encrypted")
    say(server, client, b"")
    say(client, server, b"first", more=True)
    say(client, server, text(600))
    return client, server


def sign_only_both(run):
    client, server = sign_only(run, ready=sealed)
    client.wrap = server.wrap = signed_rotated
    say(client, server, b"signed, the checksum first")
    say(server, client, b"")
    client.wrap = sealed
    say(client, server, b"and encrypted after all")


for name, about, function, keys in (
        ("rotated", "a raw peer rotates its tokens (RRC), libzmq accepts them", rotated_tokens,
         "aes256-cts-hmac-sha1-96"),
        ("rotated-sha2", "a raw peer rotates its tokens (RRC), libzmq accepts them", rotated_tokens,
         "aes128-cts-hmac-sha256-128"),
        ("rotated-sha384", "a raw peer rotates its tokens (RRC), libzmq accepts them", rotated_tokens,
         "aes256-cts-hmac-sha384-192"),
        ("sign-only", "raw peers sign their messages and do not encrypt them", sign_only_both,
         "aes256-cts-hmac-sha1-96"),
        ("sign-only-sha2", "raw peers sign their messages and do not encrypt them", sign_only_both,
         "aes256-cts-hmac-sha384-192"),
        ("sign-only-des3", "raw peers sign their messages and do not encrypt them", sign_only, "des3-cbc-sha1-kd"),
        ("sign-only-rc4", "raw peers sign their messages and do not encrypt them", sign_only, "arcfour-hmac-md5")):
    scenario(f"GSSAPI: {about}; {keys}.", name=f"gssapi-{name}", realm={"keys": keys},
             needs=kdc.available_with_python, can_be_opened="des3" not in name)(function)


@scenario("GSSAPI: raw peers; subscriptions have inner flags 04 and 08, as newer libzmq sends them.",
          needs=kdc.available_with_python)
def gssapi_inner_subscribe(run):
    client, server = raw_pair(run, ("SUB", "PUB"), sealed)
    for topic in (b"weather.", b"news.", b""):
        client.put_wrapped(topic, INNER_SUBSCRIBE)
        must_be(server.take_wrapped(), (INNER_SUBSCRIBE, topic))
    say(server, client, b"weather.oslo", more=True)
    say(server, client, b"rain")
    for topic in (b"news.", b""):
        client.put_wrapped(topic, INNER_CANCEL)
        must_be(server.take_wrapped(), (INNER_CANCEL, topic))
    say(server, client, b"weather.rome", more=True)
    say(server, client, b"sun")


@scenario("GSSAPI: a raw peer's tokens are SPNEGO's, with Kerberos in them; libzmq accepts them.",
          needs=kdc.available_with_python)
def gssapi_spnego(run):
    rep, stream = run.listen(zmq.PAIR), run.stream()
    peer = GssPeer(run, stream, sealed, mechanism=SPNEGO)
    greet_libzmq(peer, "PAIR")
    peer.put_data(b"negotiated")
    run.expect(rep, [b"negotiated"])
    rep.send(b"so I see")
    peer.take_data()
