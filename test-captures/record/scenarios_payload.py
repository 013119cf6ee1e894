# Scenarios: what applications put into messages, and where they can be read.
# SPDX-License-Identifier: GPL-2.0-or-later

import pickle

import zmq

from harness import Failed, family, scenario
from scenarios_patterns import exchange

THING = {"name": "sensor 7", "values": [1, 2.5, None, True], "raw": b"\x00\xff" * 20, "more": ("a", {"b": -1})}


@family("Python objects as pyzmq's send_pyobj() sends them: pickle of protocol 2, 4 and 5.", mechanisms="null curve")
def pickle_(run):
    left, right, stream = run.pair(zmq.PAIR, zmq.PAIR)
    for source, target, log in ((right, left, stream.up), (left, right, stream.down)):
        for protocol in (2, 4, 5):
            source.send_pyobj(THING, protocol=protocol)
            log.append(target.recv())
            if pickle.loads(log[-1]) != THING:
                raise Failed("another object has arrived")


@scenario("PLAIN: REQ and REP over a veth pair: name and password leave the machine in the clear.", interface="veth")
def plain_veth(run):
    rep, req, stream = run.pair(zmq.REP, zmq.REQ)
    for number in range(2):
        exchange(run, rep, req, stream, [b"question %d" % number], [b"answer %d" % number])


@scenario("NULL: REQ and REP over a veth pair: anybody may connect, and anybody may read.", interface="veth")
def null_veth(run):
    rep, req, stream = run.pair(zmq.REP, zmq.REQ)
    for number in range(2):
        exchange(run, rep, req, stream, [b"question %d" % number], [b"answer %d" % number])
