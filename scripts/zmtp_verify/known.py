# Deviations that real libraries are known for, by name and version: told as such wherever a capture has them.
# SPDX-License-Identifier: GPL-2.0-or-later
import typing


class Known(typing.NamedTuple):
    rule: str
    libraries: str
    remark: str
    # Peers get along with it, and it is no reason to fail. False: it breaks something, and fails unless it is accepted.
    tolerated: bool = True
    applies: typing.Callable = lambda deviation: True


KNOWN = [
    Known("greeting-as-server-role", "libzmq (all), JeroMQ 0.6", "as-server is always 0: HELLO tells who is the client",
          applies=lambda deviation: "server says as-server = 0" in deviation.seen),
    Known("greeting-whole", "libzmq (all)", "closes after 11 octets when the other side's mechanism is not its own",
          applies=lambda deviation: "11 octets" in deviation.seen),
    Known("zmtp20-socket-type", "libzmq (all)", "sends its own numbers: XPUB 9, XSUB 10",
          applies=lambda deviation: deviation.seen in ("socket type 9", "socket type 10")),
    Known("error-name", "libzmq 4.3.4, 4.3.5", "PLAIN's ERROR is sent as \"^RROR\", without the name's length"),
    Known("error-reason", "libzmq 4.1.0 to 4.2.0", "CURVE's ERROR has a wrong length octet"),
    Known("curve-message-is-command", "libzmq (all), JeroMQ 0.6",
          "MESSAGE has no COMMAND flag; with it, libzmq drops it"),
    Known("gssapi-message-is-command", "libzmq (all)", "MESSAGE has no COMMAND flag"),
    Known("curve-payload-command", "libzmq since 4.2, JeroMQ 0.6",
          "PING, PONG and subscriptions go in MESSAGE, with a flag of their own",
          applies=lambda deviation: deviation.item.command in
          ("PING", "PONG", "SUBSCRIBE", "CANCEL", "JOIN", "LEAVE")),
    Known("curve-nonce-byte-order", "libzmq 4.0", "nonces are in the byte order of the machine"),
    Known("gssapi-empty-command", "libzmq (all)", "the client sends an empty command before READY"),
    Known("gssapi-subscription-kind", "libzmq 4.3.3 to 4.3.5", "an encrypted subscription does not say that it is one"),
    Known("frame-command-between-parts", "libzmq since 4.2",
          "PING and PONG are sent between the parts of a long message",
          applies=lambda deviation: deviation.item.command in ("PING", "PONG")),
    Known("subscribe-command", "libzmq (all)", "an XSUB's own messages 01 and 00 stay messages on 3.1",
          applies=lambda deviation: deviation.connection.socket_type(deviation.side) == "XSUB"),
    Known("socket-types-error", "libzmq (all)", "closes without ERROR"),
    Known("greeting-as-server-null", "rzmq 0.5.28", "who listens says as-server = 1 with NULL too", tolerated=False),
    Known("curve-unprotected", "rzmq 0.5.28, azmq 1.0.6",
          "PING and PONG go in the clear with CURVE, at which libzmq closes", tolerated=False),
    Known("frame-command-more", "omq 0.33", "MORE of a CURVE message is set on the frame too, not only in the box",
          tolerated=False, applies=lambda deviation: deviation.item.protected and deviation.item.is_part),
    Known("curve-hello-size", "monocoque 0.4.2", "HELLO has 192 octets of data, which nobody else takes",
          tolerated=False),
    Known("curve-nonce-once", "monocoque 0.4.2", "the server's MESSAGE nonces begin anew after READY", tolerated=False),
    Known("plain-order", "monocoque 0.4.2", "the server sends READY without waiting for INITIATE", tolerated=False,
          applies=lambda deviation: deviation.item.command == "READY"),
    Known("req-delimiter", "libzmq with ZMQ_REQ_CORRELATE", "4 octets stand before the empty part",
          applies=lambda deviation: deviation.item.size == 4),
    Known("router-delimiter", "libzmq with ZMQ_REQ_CORRELATE", "4 octets stand before the empty part",
          applies=lambda deviation: deviation.item.size == 4),
    Known("req-data", "libzmq with ZMQ_PROBE_ROUTER", "the first message is empty",
          applies=lambda deviation: deviation.item is deviation.connection.messages(deviation.side)[0].parts[0]),
    Known("req-turns", "libzmq with ZMQ_REQ_RELAXED", "it may ask again before the reply", tolerated=False),
    Known("publication-subscribed", "libzmq with ZMQ_XPUB_MANUAL or ZMQ_INVERT_MATCHING",
          "what the application or the rest of the topics decides is sent", tolerated=False),
    Known("identity-unique", "libzmq with ZMQ_ROUTER_HANDOVER", "the newer connection takes the Identity over",
          tolerated=False),
    Known("pong-answered", "go-zeromq/zmq4 0.17", "PING is handed to the application, and no PONG comes",
          tolerated=False),
]


def known(deviation):
    """The entry that a deviation is known for, or None."""
    return next((one for one in KNOWN if one.rule == deviation.rule.id and one.applies(deviation)), None)
