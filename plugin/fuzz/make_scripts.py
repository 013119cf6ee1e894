#!/usr/bin/python3
# Makes inputs of fuzz_dissector for what no capture brings: peers with keys, from every source.
# SPDX-License-Identifier: GPL-2.0-or-later
"""usage: make_scripts.py FOLDER [KEYS]

Writes into FOLDER inputs in which peers shake hands, and keys are given in each way there is: right ones, others' and
wrong text; boxes with every kind of plaintext; and tokens of GSSAPI. KEYS is a key log with a CURVE_SECRET_KEY, which
goes into the key table and into certificates as text."""
import sys
from pathlib import Path

(OCTETS, FRAME, COMMAND, GREETING, OPEN, SHAKE_HANDS, STEP, BOX, SIZE, FATE, SEGMENT, RESTART, TIME, KEY_LOG, KEY_ROW,
 CERTIFICATE) = range(16)  # enum operation of records.h
SEEN, TWICE, OUT_OF_ORDER, DRAW, AS_TEXT = 2, 4, 16, 64, 128  # enum option of records.h
SECRET_ROW, SESSION_ROW, COOKIE_ROW, PUBLIC_ROW = range(4)  # enum row_type of key_files.c
CLIENT, SERVER, CLIENT_TRANSIENT, SERVER_TRANSIENT = range(4)  # the pairs in key_files.c
GIVE_ENOUGH = 32  # the session key, in handshake.h
GSSAPI = 3  # of the mechanisms in fuzz_dissector.c
INITIATE, MESSAGE = 6, 9  # of the commands there
CUT = 8  # enum fate of tcp.h
KEYTAB = b"\5"  # in key_files.c
KERBEROS = bytes.fromhex("06092a864886f712010202")

PLAINTEXTS = (b"\0hello", b"\1part", b"\0last", b"\2\4PING\0\2\1a", b"\2\4PONG\1", b"\2\tSUBSCRIBEtopic",
              b"\2\6CANCELtopic", b"\2\5ERROR\3400", b"\0\1topic", b"\0", b"", b"\4odd", b"\0" + bytes(300),
              b"\0Hello\1\2\3", b"\0\x80\5\x95\x0b\0\0\0\0\0\0\0]\x94(K\1K\2K\3e.")


def record(operation, data=b"", sender=0, connection=0):
    return bytes([operation | sender << 4 | connection << 5]) + len(data).to_bytes(2, "big") + data


def boxes(connection=0):
    return b"".join(record(BOX, plain, number % 2, connection) for number, plain in enumerate(PLAINTEXTS))


def handshake(*keys):
    """Keys first, then peers who shake hands and send one box."""
    return b"".join(keys) + record(SHAKE_HANDS) + record(BOX, b"\0hello") + record(BOX, b"\0world", 1)


def row(kind, which, connection=0):
    return record(KEY_ROW, bytes([kind, which]), 0, connection)


def rows(public, secret):
    """Rows of the key table as they are typed, and how they can be wrong."""
    for kind in SECRET_ROW, SESSION_ROW, COOKIE_ROW, PUBLIC_ROW:
        for public_text in public, b" " + public + b"\t", b"", public[:-1], b"~" * 40, b"\xff" + public[1:], b"z" * 64:
            for secret_text in secret, b"", b"\t" + secret + b" ", secret[:-1], b"0" * 64:
                yield record(KEY_ROW, bytes([kind]) + public_text.strip(b" ") + b" " + secret_text)


def certificates(public, secret):
    zpl = b'# a\ncurve\n    public-key = "%s"\n    secret-key = "%s"\n'
    json = b'{"key": [1, {"a": 2}], "curve_publickey": "%s", "curve_secretkey": "%s", "ip": null}'
    for form in zpl, json:
        yield form % (public, secret)
        yield form % (secret, secret)
        yield form % (public[1:], b"\xff")
        yield form.replace(b"secret", b"server") % (public, public)
    yield b"\xef\xbb\xbf" + json % (public, secret)
    yield b'{"curve_publickey": 1}'
    yield b'{"curve_serverkey": "%s", "curve_secretkey": null}' % public
    yield b"[]"
    yield b"no certificate"
    yield b""


def framed(content):
    """GSS-API's frame around a token (RFC 2743 3.1)."""
    return b"\x60\x82" + len(content).to_bytes(2, "big") + content


def tokens():
    old = b"\2\1\x11\0%s\xff\xff" + bytes(range(24))  # a Wrap of RFC 1964: RC4, none, DES
    for seal in b"\x10\0", b"\xff\xff", b"\0\0":
        for data in b"", b"\0hello\1", b"\0hello" + b"\2\2", b"\0hello\x0c":
            yield framed(KERBEROS + old % seal + data)
    for kind in b"\1\0", b"\2\0", b"\3\0", b"\4\4", b"":
        yield framed(KERBEROS + kind + b"\x6e\x03\2\1\5")
    yield b"\x60\3" + KERBEROS
    yield b"\x60\x80" + KERBEROS
    yield b"\x60\x85\0\0\0\0\1" + KERBEROS
    yield b"\x60"
    yield framed(b"\6\6\x2b\6\1\5\5\2\xa0\3\x30\1\0")
    yield b"\xa1\3\x30\1\0"
    yield b"\xa1\x84\xff\xff\xff\xff\0"
    for kind in 1, 2, 3:
        yield b"NTLMSSP\0" + bytes([kind, 0, 0, 0]) + bytes(24)
    for flags in range(8):  # a Wrap of RFC 4121
        for extra, rotated in (12, 0), (12, 12), (12, 3), (0, 0), (0, 28), (0xffff, 0):
            yield (b"\5\4" + bytes([flags]) + b"\xff" + extra.to_bytes(2, "big") + rotated.to_bytes(2, "big") +
                   bytes(7) + b"\1" + b"\0hello" + bytes(range(28)))
    yield b"\5\4"
    yield b""


def gssapi(token, fate=b""):
    """The token in the handshake of both peers, then as a message of each."""
    length = len(token).to_bytes(4, "big")
    yield record(OPEN)
    for sender in 0, 1:
        yield record(GREETING, bytes([GSSAPI, 1]), sender)
    for sender in 0, 1:
        yield record(COMMAND, bytes([INITIATE]) + length + token, sender)
    if fate:
        yield record(FATE, fate)
    for sender in 0, 1:
        yield record(FRAME, b"\4\7MESSAGE" + length + token, sender)  # READY
        yield record(FRAME, b"\0\7MESSAGE" + length + token, sender)
        yield record(COMMAND, bytes([MESSAGE]) + length + token, sender)


def key_log(*lines):
    return record(KEY_LOG, b"\n".join(lines) + b"\n")


def scripts(public, secret):
    """(name, options, which keys of the peers are given, records)"""
    pair = b"CURVE_SECRET_KEY %s %s" % (public, secret)
    everything = boxes() + record(SHAKE_HANDS, b"", 0, 3) + boxes(3)
    for bit in range(8):
        yield f"given-{bit}", SEEN | DRAW, 1 << bit, handshake()
        yield f"text-{bit}", AS_TEXT | SEEN | DRAW, 1 << bit, handshake()
        yield f"pairs-{bit}", SEEN, 1 << bit, handshake(row(PUBLIC_ROW, SERVER))
    for connection in 1, 2:  # whose payloads others dissect
        yield (f"payloads-{connection}", SEEN | DRAW, GIVE_ENOUGH,
               record(SHAKE_HANDS, b"", 0, connection) + boxes(connection))
    for options in 0, SEEN, SEEN | TWICE | DRAW:
        yield f"boxes-{options}", options, GIVE_ENOUGH, record(SHAKE_HANDS) + everything
        yield f"boxes-text-{options}", options | AS_TEXT, GIVE_ENOUGH, record(SHAKE_HANDS) + everything
        yield f"pieces-{options}", options, GIVE_ENOUGH, record(SIZE, b"\x14") + handshake() + boxes()
    for kind in SECRET_ROW, SESSION_ROW, COOKIE_ROW, PUBLIC_ROW:
        for which in CLIENT, SERVER, CLIENT_TRANSIENT, SERVER_TRANSIENT:
            for connection in 0, 1:  # the peers' own keys, or others'
                yield (f"row-{kind}-{which}-{connection}", SEEN | TWICE, 0,
                       handshake(row(kind, which, connection)))
    for which in CLIENT, SERVER:
        yield f"two-rows-{which}", SEEN, 0, handshake(row(SECRET_ROW, which), row(SECRET_ROW, CLIENT_TRANSIENT))
        for connection in 0, 1:
            yield (f"certificate-{which}-{connection}", SEEN, 0,
                   handshake(record(CERTIFICATE, bytes([which]), 0, connection)))
    yield "no-welcome", SEEN, 0, row(SECRET_ROW, CLIENT_TRANSIENT) + row(PUBLIC_ROW, SERVER) + record(
        FATE, b"") + b"".join(record(GREETING, b"\2\1", sender) for sender in (0, 1)) + b"".join(
        record(STEP, bytes([step]), sender) for step, sender in ((0, 0), (2, 0), (3, 1))) + boxes()
    for number, one in enumerate(rows(public, secret)):
        yield f"typed-{number}", SEEN, 0, one
    for number, one in enumerate(certificates(public, secret)):
        yield f"file-{number}", SEEN, 0, handshake(record(CERTIFICATE, one))
    yield "no-key-log", SEEN, 0, handshake(record(KEY_LOG))
    for options in SEEN, SEEN | AS_TEXT:
        yield f"key-log-{options}", options, 0, handshake(key_log(pair, b"CURVE_OTHER 1", b"# a", pair[:-1]))
        yield f"late-keys-{options}", options, 0, handshake() + key_log(pair, b"CURVE_SESSION_KEY") + boxes()
    for number, token in enumerate(tokens()):
        yield f"gssapi-{number}", SEEN | TWICE, 0, b"".join(gssapi(token))
        yield f"keytab-{number}", SEEN, 0, record(CERTIFICATE, KEYTAB) + b"".join(gssapi(token))
    for octets in 1, 20:
        long = framed(KERBEROS + b"\1\0" + bytes(99))
        yield f"gssapi-cut-{octets}", SEEN, 0, b"".join(gssapi(long, bytes([CUT, octets])))


def main():
    folder = Path(sys.argv[1])
    public = secret = b"0" * 64
    for line in Path(sys.argv[2]).read_bytes().splitlines() if len(sys.argv) > 2 else ():
        if line.startswith(b"CURVE_SECRET_KEY "):
            _, public, secret = line.split()[:3]
    for name, options, given, records in scripts(public, secret):
        (folder / f"script-{name}").write_bytes(bytes([options, given]) + records)


if len(sys.argv) < 2 or sys.argv[1] in ("-h", "--help"):
    sys.exit(__doc__)
main()
