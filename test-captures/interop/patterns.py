# What the two peers of a capture say to each other, one function for each pattern.
# SPDX-License-Identifier: GPL-2.0-or-later
import dataclasses
import time

import harness
from peer import Failed

HEARTBEAT_MS = 150
# Of every handshake: TCP's three, and greetings.
HANDSHAKE_PACKETS = 6
PATTERNS = {}


@dataclasses.dataclass
class Pattern:
    name: str
    # Socket types of the listener and the connector.
    types: tuple
    function: object
    connector_options: dict


def pattern(listener, connector, **connector_options):
    def register(function):
        name = function.__name__.replace("_", "-")
        PATTERNS[name] = Pattern(name, (listener, connector), function, connector_options)
        return function
    return register


class Talk:
    """Two peers on one connection, and what they sent: up from the connector, down from the listener."""

    def __init__(self, run, begun, listener, connector, large):
        self.listener, self.connector = listener, connector
        self.large = large
        self.up, self.down = [], []
        # What was published and fits no subscription: whether it is on the wire is the publisher's choice.
        self.filtered = []
        self.arrived = False
        self._run = run
        # How many packets there were before the connector came.
        self._begun = begun

    def carry_up(self, *parts):
        self._carry(self.connector, self.listener, parts, self.up)

    def carry_down(self, *parts):
        self._carry(self.listener, self.connector, parts, self.down)

    def _carry(self, source, target, parts, log):
        """Send one message, see that it arrives, and note its frames as they are on the wire."""
        source.ask("reply" if source.kind == "ROUTER" else "send", *parts)
        log.append([b""] * (source.kind in ("REQ", "REP")) + list(parts))
        got = target.ask("recv")
        self.arrived = True
        if target.kind == "ROUTER":
            identity, *got = got
            if not identity:
                raise Failed("recv: a message without the sender's identity")
        if got != list(parts):
            raise Failed(f"sent {harness.shorten(parts)} but received {harness.shorten(got)}")

    def publish_in_vain(self, *parts):
        self.listener.ask("send", *parts)
        self.filtered.append(list(parts))

    def settle(self):
        """Wait until the handshake has begun, and then until all that was under way has arrived."""
        self._run.wait_for_packets(self._begun + HANDSHAKE_PACKETS - self._run.packets())
        self._run.settle(0.4)


@pattern("REP", "REQ")
def req_rep(talk):
    for number in (b"1", b"2"):
        talk.carry_up(b"question " + number)
        talk.carry_down(b"answer " + number)


@pattern("PUB", "SUB")
def pub_sub(talk):
    talk.connector.ask("subscribe", b"news")
    talk.connector.ask("subscribe", b"sport")
    talk.settle()
    talk.carry_down(b"news", b"one")
    talk.publish_in_vain(b"weather", b"rain")
    talk.carry_down(b"sport", b"two")
    talk.connector.ask("unsubscribe", b"news")
    talk.settle()
    talk.publish_in_vain(b"news", b"three")
    talk.carry_down(b"sport", b"four")


@pattern("ROUTER", "DEALER", identity="dealer-7")
def dealer_router(talk):
    talk.carry_up(b"who am I")
    talk.carry_down(b"you are", b"dealer-7")
    talk.carry_up(b"thank you")


@pattern("PULL", "PUSH")
def push_pull(talk):
    for number in (b"1", b"2"):
        talk.carry_up(b"task " + number)


@pattern("DEALER", "DEALER")
def multipart(talk):
    talk.carry_up(b"", b"one", b"two")
    talk.carry_down(b"one", b"", b"two", b"")
    talk.carry_up(b"", b"")


@pattern("PULL", "PUSH")
def large(talk):
    talk.carry_up(harness.text(1000))
    if not talk.large:
        return
    # More than libzmq writes at once.
    talk.carry_up(harness.text(10000))
    # The last length that the short form holds, and the first that it does not.
    talk.carry_up(harness.text(255))
    talk.carry_up(harness.text(256))


@pattern("DEALER", "DEALER", heartbeat=HEARTBEAT_MS)
def heartbeat(talk):
    talk.carry_up(b"before")
    # A time, not an event: a peer that does not answer a PING shall show that. libzmq closes then after two
    # intervals, and after four it is in the middle of its next connection.
    time.sleep(4 * HEARTBEAT_MS / 1000)
    talk.carry_down(b"after")


# Where the connector is the security server.
ALSO_REVERSED = {name: PATTERNS[name] for name in ("req-rep", "pub-sub")}
