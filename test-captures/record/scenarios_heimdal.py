# Scenarios of a libzmq with Heimdal's GSSAPI, which rotates every token (RRC): skipped where libzmq has another one.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Distributions build libzmq with MIT's library. To record these, let the loader find one (LD_LIBRARY_PATH) that was
built with Heimdal's, whose package is heimdal-multidev in Debian:

    ./autogen.sh    # needs autoconf, automake and libtool
    ./configure --disable-Werror --with-libsodium --with-libgssapi_krb5 \\
        gssapi_krb5_CFLAGS="-isystem /usr/include/heimdal" \\
        gssapi_krb5_LIBS="-L/usr/lib/x86_64-linux-gnu/heimdal -lgssapi"
    make src/libzmq.la
    LD_LIBRARY_PATH=$PWD/src/.libs record.py gssapi-heimdal gssapi-heimdal-sha2 gssapi-heimdal-rc4
"""

import os

import zmq

import kdc
from harness import scenario, text
from scenarios_patterns import exchange


def available():
    return kdc.available() and kdc.libzmq_has_heimdal()


def talk(run):
    # Heimdal cannot read MIT's collection of tickets; with a keytab it asks for its own.
    os.environ["KRB5CCNAME"] = f"FILE:{run.folder}/none"
    rep = run.listen(zmq.REP)
    req = run.connect(zmq.REQ, HEARTBEAT_IVL=150, HEARTBEAT_TTL=2300, HEARTBEAT_TIMEOUT=5000)
    stream = run.stream()
    exchange(run, rep, req, stream, [b"question"], [b"answer"])
    exchange(run, rep, req, stream, [b"first", b"", text(2000)], [b""])
    run.wait_for_packets(6)


for short, full, what in (("", "aes256-cts-hmac-sha1-96", "every token is rotated (RRC)"),
                          ("-sha2", "aes128-cts-hmac-sha256-128", "every token is rotated (RRC)"),
                          ("-rc4", "arcfour-hmac-md5", "old tokens, which are never rotated")):
    scenario(f"GSSAPI: libzmq with Heimdal, keys are {full}; {what}.", name=f"gssapi-heimdal{short}",
             realm={"keys": full}, needs=available)(talk)
