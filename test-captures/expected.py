# What the diagnosis must say about each capture: written by hand from what the scenario did, not from what tshark says.
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Captures that are not named here are healthy: each connection is complete, and no expert item is above chat. Names are
# without the folder, since each libzmq must show the same, and findings without "zmtp.".

ONLY_TCP = "tcp"  # a TCP connection without ZMTP to a server of the capture: the table tells it, and it is no verdict
COMPLETE, JOINED, UNFINISHED, NO_HANDSHAKE = "complete", "joined", "unfinished", "no_handshake"

# For each connection, in the order in which they began: why it failed, or what happened to it.
VERDICTS = {
    # Greetings
    "mechanism-mismatch-curve-gssapi": ["greeting.mechanism_mismatch"],
    "mechanism-mismatch-curve-null": ["greeting.mechanism_mismatch"],
    "mechanism-mismatch-curve-plain": ["greeting.mechanism_mismatch"] * 2,
    "mechanism-mismatch-gssapi-curve": ["greeting.mechanism_mismatch"] * 2,
    "mechanism-mismatch-gssapi-null": ["greeting.mechanism_mismatch"] * 2,
    "mechanism-mismatch-gssapi-plain": ["greeting.mechanism_mismatch"],
    "mechanism-mismatch-null-curve": ["greeting.mechanism_mismatch"] * 2,
    "mechanism-mismatch-null-plain": ["greeting.mechanism_mismatch"] * 2,
    "mechanism-mismatch-plain-curve": ["greeting.mechanism_mismatch"],
    "mechanism-mismatch-plain-gssapi": ["greeting.mechanism_mismatch"] * 2,
    "mechanism-mismatch-plain-null": ["greeting.mechanism_mismatch"],
    "gssapi-mechanism-mismatch-null": ["greeting.mechanism_mismatch"],
    "raw-silent": ["greeting.none"],
    "raw-no-greeting": ["greeting.none"] * 2,
    "curve-no-greeting": ["greeting.none"] * 2,
    "curve-greeting-5": ["greeting.partial"],
    "curve-greeting-10": ["greeting.partial"],
    "curve-greeting-11": ["greeting.partial"],
    "curve-greeting-20": ["greeting.partial"],
    "raw-too-early": ["handshake.malformed"],
    "raw-zmtp10-to-curve": ["greeting.too_old"],
    "raw-zmtp10-zap-domain": ["greeting.too_old"],
    "raw-zmtp20-to-curve": ["greeting.too_old"],
    "raw-zmtp20-to-plain": ["greeting.too_old"],
    "raw-zmtp20-zap-domain": ["greeting.too_old"],
    "null-http-client": [COMPLETE, "greeting.not_zmtp", COMPLETE],
    "null-tls-client": [COMPLETE, "greeting.not_zmtp", COMPLETE],
    "plain-tls-client": [COMPLETE, "greeting.not_zmtp", COMPLETE],
    "curve-tls-client": [COMPLETE, "greeting.not_zmtp", COMPLETE],
    "null-http-server": ["greeting.not_zmtp"] * 2,
    "curve-http-server": ["greeting.not_zmtp"] * 2,
    "null-ssh-server": ["greeting.not_zmtp"],
    "curve-ssh-server": ["greeting.not_zmtp"],
    # Roles and keys
    "both-curve-servers": ["handshake.both_servers"],
    "both-plain-servers": ["handshake.both_servers"] * 2,
    # The other client closes before it says HELLO, but it is the listener that begins.
    "both-curve-clients": ["handshake.both_clients"],
    "both-plain-clients": ["handshake.both_clients"] * 2,
    "gssapi-both-clients": ["handshake.both_clients"],
    "gssapi-both-servers": ["gssapi.not_begun"],
    "curve-wrong-server-key": ["curvezmq.wrong_server_key"] * 2,
    "curve-wrong-server-key-retries": ["curvezmq.wrong_server_key"] * 3 + [COMPLETE]
    + ["curvezmq.wrong_server_key"] * 3,
    "curve-hello-garbage": ["curvezmq.wrong_server_key"],
    # ZAP, and servers that do not answer
    "null-zap-deny": ["handshake.access_denied"],
    "curve-zap-deny": ["handshake.access_denied"],
    "plain-wrong-password": ["handshake.access_denied"],
    "plain-zap-500": ["handshake.zap_error"],
    "curve-zap-500": ["handshake.zap_error"],
    "curve-zap-300": ["handshake.silent_after_initiate"] * 2,
    "curve-zap-silent": ["handshake.silent_after_initiate"] * 2,
    "gssapi-zap-deny-mended": ["handshake.silent_after_initiate"],
    "plain-zap-300": ["handshake.no_answer"] * 2,
    "plain-zap-silent": ["handshake.no_answer"] * 2,
    "null-zap-silent": ["handshake.no_answer"] * 2,
    "null-no-ready": ["handshake.no_answer"] * 2,
    "plain-no-welcome": ["handshake.no_answer"] * 2,
    "curve-no-welcome": ["handshake.no_answer"] * 2,
    # Socket types
    "null-incompatible": ["handshake.incompatible_sockets"],
    "plain-incompatible": ["handshake.closed_after_initiate"] * 2,
    "curve-incompatible": ["handshake.closed_after_initiate"] * 2,
    "curve-raw-incompatible": ["handshake.closed_after_initiate"],
    # Commands that libzmq does not take
    "curve-client-leaves": ["curvezmq.closed_after_welcome"],
    "curve-hello-short": ["handshake.malformed"],
    "curve-hello-version": ["handshake.malformed"],
    "curve-initiate-short": ["handshake.malformed"],
    "curve-initiate-damaged": ["handshake.closed_after_initiate"],
    "curve-cookie-changed": ["handshake.closed_after_initiate"],
    "curve-cookie-of-another": ["curvezmq.closed_after_welcome", "handshake.closed_after_initiate"],
    "curve-vouch-client": ["handshake.closed_after_initiate"],
    "curve-vouch-garbage": ["handshake.closed_after_initiate"],
    "curve-metadata-long": ["handshake.malformed"],
    "curve-metadata-short": ["handshake.malformed"],
    "curve-message-for-initiate": ["handshake.malformed"],
    "raw-large-announced": ["handshake.large_frame"],
    "curve-large-announced": ["handshake.large_frame"],
    # GSSAPI
    "gssapi-incompatible": ["gssapi.refused"],
    "gssapi-plaintext-client-only": ["gssapi.refused"],
    "gssapi-plaintext-server-only": ["gssapi.refused"],
    "gssapi-no-client-credentials": ["gssapi.not_begun"],
    "gssapi-unknown-principal": ["gssapi.not_begun"],
    "gssapi-no-server-keytab": ["gssapi.no_keytab"],
    "gssapi-wrong-service-key": ["gssapi.unanswered"],
    # Good handshakes, and what came then
    "null-heartbeat-lost": ["heartbeat.lost"],
    "curve-heartbeat-lost": ["heartbeat.lost"],
    "gssapi-heartbeat-lost": ["heartbeat.lost"],
    "raw-no-pong": ["heartbeat.lost"],
    "null-heartbeat-ttl": ["heartbeat.expired"],
    "curve-heartbeat-ttl": ["heartbeat.expired"],
    "curve-message-replayed": ["curvezmq.nonce_repeated"],
    "curve-nonce-repeated": ["curvezmq.nonce_repeated"],
    "curve-nonce-falls": ["curvezmq.nonce_not_increasing"],
    "curve-message-damaged": ["curvezmq.damaged"],
    "curve-message-short": ["command.malformed"],
    "curve-not-a-message": ["unprotected"],
    "curve-then-null": [COMPLETE, "security.unsecured_session"],
    "curve-then-plain": [COMPLETE, "security.unsecured_session"],
    "curve-then-zmtp20": [COMPLETE, "security.unsecured_session"],
    "plain-then-null": [COMPLETE, "security.unsecured_session"],
    "null-identity-repeated": [COMPLETE, "metadata.identity_repeated"],
    "curve-identity-repeated": [COMPLETE, "metadata.identity_repeated"],
    "null-identity-handover": [COMPLETE, "metadata.identity_repeated"],
    "curve-identity-handover": [COMPLETE, "metadata.identity_repeated"],
    # Nothing is wrong
    "curve-mid-start": [JOINED],
    "null-mid-start": [],  # NULL without its start is not recognised
    "gssapi-mid-start": [JOINED],
    "gssapi-lost-ready": [UNFINISHED],
    "raw-zmtp10": [NO_HANDSHAKE],
    "raw-zmtp10-identity": [NO_HANDSHAKE],
    "raw-zmtp10-sub": [NO_HANDSHAKE],
    "raw-zmtp20": [NO_HANDSHAKE],
    "raw-zmtp20-sub": [NO_HANDSHAKE],
    "tcpdump-tests-zmtp1": [NO_HANDSHAKE],
    "tcpdump-tests-zmtp1-inf-loop-1": [JOINED],
}

# Expert items besides those verdicts, by name, with how often.
FINDINGS = {
    "plain-wrong-password": {"error.name": 1},
    "plain-zap-500": {"error.name": 1},
    "curve-hello-short": {"command.malformed": 1},
    "curve-hello-version": {"curvezmq.version.unknown": 1},
    "curve-hello-padding": {"curvezmq.padding_not_zero": 1},
    "curve-hello-nonce": {"curvezmq.nonce_unexpected": 1},
    "curve-initiate-short": {"command.malformed": 1},
    "curve-initiate-damaged": {"curvezmq.wrong_key": 1},
    "curve-metadata-long": {"metadata.malformed": 1},
    "curve-metadata-short": {"metadata.malformed": 1},
    "curve-long-identity": {"curvezmq.initiate_long": 1},
    "curve-long-initiate": {"curvezmq.initiate_long": 1},
    # Keys are found by C', so the first connection gets the second one's.
    "curve-transient-twice": {"curvezmq.transient_key_reused": 1, "curvezmq.wrong_key": 6},
    "raw-large-ready": {"handshake.large_frame": 1},
    "null-ssh-server": {"flags.reserved_set": 1, "length.large": 1},  # SSH's own octets, read as ZMTP
    "null-pickle": {"data.pickle": 6},
    # On a network, not on loopback
    "null-veth": {"null.unauthenticated": 1},
    "null-mtu1500": {"null.unauthenticated": 1},
    "null-loss": {"null.unauthenticated": 1},
    "null-reorder": {"null.unauthenticated": 1},
    "plain-veth": {"plain.credentials": 1},
    # libzmq up to 4.3.5 loses what kind of subscription it is
    "gssapi-pub-sub": {"gssapi.subscription_kind": 3},
    "gssapi-sign-only": {"gssapi.signed_only": 6},
    "gssapi-sign-only-des3": {"gssapi.signed_only": 6},
    "gssapi-sign-only-rc4": {"gssapi.signed_only": 6},
    "gssapi-sign-only-sha2": {"gssapi.signed_only": 6},
}
# Rules of zmtp-verify that a side breaks, where these are no known deviations of real libraries. (Not to be seen in a
# capture are, for instance, a cookie that was changed, and metadata in a box whose key is not among those given.)
DEVIATIONS = {
    "long-command-names": {"command-name-letters"},
    "not-a-character": {"command-name-letters", "error-in-handshake", "error-last", "handshake-before-traffic",
                        "metadata-socket-type-known"},
    "both-curve-clients": {"handshake-both-clients"},
    "both-curve-servers": {"handshake-both-servers"},
    "both-plain-clients": {"handshake-both-clients"},
    "both-plain-servers": {"handshake-both-servers"},
    "curve-greeting-10": {"greeting-whole"},
    "curve-greeting-20": {"greeting-whole"},
    "curve-greeting-5": {"greeting-whole"},
    "curve-heartbeat-lost": {"pong-answered"},
    "curve-hello-garbage": {"curve-hello-answered"},
    "curve-hello-padding": {"curve-hello-padding"},
    "curve-hello-short": {"curve-hello-size"},
    "curve-hello-version": {"curve-version"},
    "curve-http-server": {"greeting-signature"},
    "curve-identity-handover": {"identity-unique"},
    "curve-identity-repeated": {"identity-unique"},
    "curve-initiate-short": {"curve-initiate-size"},
    "curve-message-damaged": {"curve-box"},
    "curve-message-early": {"handshake-before-traffic"},
    "curve-message-for-initiate": {"handshake-before-traffic"},
    "curve-message-replayed": {"curve-nonce-once"},
    "curve-message-short": {"curve-message-size"},
    "curve-metadata-long": {"metadata-format"},
    "curve-metadata-short": {"metadata-format"},
    "curve-no-greeting": {"greeting-sent"},
    "curve-nonce-falls": {"curve-nonce-rises"},
    "curve-nonce-repeated": {"curve-nonce-once"},
    "curve-not-a-message": {"curve-unprotected"},
    "curve-ssh-server": {"greeting-signature"},
    "curve-then-null": {"downgrade"},
    "curve-then-plain": {"downgrade"},
    "curve-then-zmtp20": {"downgrade"},
    "curve-tls-client": {"greeting-signature"},
    "curve-transient-twice": {"curve-client-transient-key"},
    "curve-wrong-server-key-retries": {"curve-hello-answered"},
    "curve-wrong-server-key": {"curve-hello-answered"},
    "gssapi-both-clients": {"handshake-both-clients"},
    "gssapi-heartbeat-lost": {"pong-answered"},
    "gssapi-sign-only-des3": {"gssapi-encrypted"},
    "gssapi-sign-only-rc4": {"gssapi-encrypted"},
    "gssapi-sign-only-sha2": {"gssapi-encrypted"},
    "gssapi-sign-only": {"gssapi-encrypted"},
    "null-heartbeat-lost": {"pong-answered"},
    "null-http-client": {"greeting-signature"},
    "null-http-server": {"greeting-signature"},
    "null-identity-handover": {"identity-unique"},
    "null-identity-repeated": {"identity-unique"},
    "null-ssh-server": {"greeting-signature"},
    "null-tls-client": {"greeting-signature"},
    "plain-then-null": {"downgrade"},
    "plain-tls-client": {"greeting-signature"},
    "raw-no-greeting": {"greeting-sent"},
    "raw-no-pong": {"pong-answered"},
    "raw-pong-other": {"pong-context"},
    "raw-silent": {"greeting-sent"},
}
# Those of the implementations in interop/ (interop/IMPLEMENTATIONS.md tells more of each), with whomever they talk.
DEVIATIONS_OF_PEERS = {
    "rzmq": {"greeting-as-server-null", "curve-unprotected"},
    "omq": {"frame-command-more"},
    # Its CURVE is not RFC 26's: others do not answer its HELLO, nor it theirs.
    "monocoque": {"curve-hello-size", "curve-hello-answered", "handshake-both-clients", "curve-nonce-once",
                  "plain-order"},
}
OUTCOMES = {COMPLETE, JOINED, UNFINISHED, NO_HANDSHAKE}


def _full(name):
    return name if name in OUTCOMES else f"zmtp.{name}"


def expected_verdicts(sample, connections):
    """Of a capture whose table has so many connections."""
    return [_full(name) for name in VERDICTS.get(sample.base.name, [COMPLETE] * connections)]


def expected_findings(sample):
    """{filter name: how often} of the expert items above chat, in two passes."""
    found = dict(FINDINGS.get(sample.base.name, {}))
    for name in VERDICTS.get(sample.base.name, []):
        if name not in OUTCOMES:
            found[name] = found.get(name, 0) + 1
    return {_full(name): count for name, count in found.items()}
