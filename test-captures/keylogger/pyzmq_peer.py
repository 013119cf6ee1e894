# A program for the tests of libzmtpkeylog.so: one peer of a CURVE connection, made with pyzmq.
# SPDX-License-Identifier: GPL-2.0-or-later
"""pyzmq_peer.py server: prints its port and public key, answers one request.
pyzmq_peer.py client PORT KEY: asks a server and prints its answer."""
import sys

import zmq


def socket(kind):
    made = zmq.Context.instance().socket(kind)
    made.rcvtimeo = made.sndtimeo = made.linger = 20000
    public, made.curve_secretkey = zmq.curve_keypair()
    made.curve_publickey = public
    return made, public.decode()


def serve():
    rep, key = socket(zmq.REP)
    rep.curve_server = True
    print(rep.bind_to_random_port("tcp://127.0.0.1"), key, flush=True)
    rep.send(b"answer to " + rep.recv())


def ask(port, key):
    req, _ = socket(zmq.REQ)
    req.curve_serverkey = key.encode()
    req.connect(f"tcp://127.0.0.1:{port}")
    req.send(b"question")
    print(req.recv().decode())


if __name__ == "__main__":
    {"server": serve, "client": ask}[sys.argv[1]](*sys.argv[2:])
