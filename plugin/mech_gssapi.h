/* mech_gssapi.h - what the files of the mechanism GSSAPI share.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef MECH_GSSAPI_H
#define MECH_GSSAPI_H

#include "zmtp.h"

/* ---- Tokens (mech_gssapi_token.c) ---- */

enum zmtp_gss_sender { ZMTP_GSS_SENDER_UNKNOWN, ZMTP_GSS_INITIATOR, ZMTP_GSS_ACCEPTOR };

/* What a token tells everybody (RFC 2743 3.1, RFC 1964 1.2, RFC 4121 4.2). */
struct zmtp_gss_header {
    const char *name; /* "AP-REQ", "Wrap", ...; NULL: not a Kerberos token */
    enum zmtp_gss_sender sender;
    bool wrap;              /* a per-message token with data in it */
    bool sealed;            /* wrap: the data are encrypted, not only signed */
    bool cfx;               /* wrap: in the form of RFC 4121; else that of RFC 1964 */
    bool acceptor_subkey;   /* cfx: under the key that the acceptor chose in AP-REP */
    bool other_cipher;      /* not cfx: signed or sealed with another cipher than RC4 */
    uint16_t extra_count;   /* cfx, "EC": of a signed token, octets of the checksum */
    uint16_t right_rotated; /* cfx, "RRC": by so many octets the data were rotated */
};

/* Read it.  False: no token that Wireshark should get, because it claims to be longer than it is,
 * and Wireshark would wait for the rest. */
bool zmtp_gss_read_header(tvbuff_t *token, struct zmtp_gss_header *header);

/* Give a token of the handshake to Wireshark's dissectors for GSS-API and Kerberos. */
void zmtp_gss_dissect_token(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *token);

/* Give them a Wrap token.  Returns what was in it, packet scope, or NULL: it stays closed.  Of a
 * sealed cfx token the plaintext can have octets too many, see zmtp_gss_find_excess. */
tvbuff_t *zmtp_gss_unwrap(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *token,
                          const struct zmtp_gss_header *header);

#define ZMTP_GSS_USUAL_CHECKSUM 12

/* Wireshark takes all checksums of RFC 4121 for 12 octets; those of the AES-SHA2 types (RFC 8009)
 * and of Camellia (RFC 6803) have 16 or 24.  Then the first 4 or 12 octets of the encrypted copy of
 * the token's header are left behind the plaintext.  Whether plain from `offset` to its end is just
 * that: the octets too many, 0: it is not. */
unsigned zmtp_gss_is_excess(tvbuff_t *token, tvbuff_t *plain, unsigned offset);

/* What is known of the handshake, for texts. */
struct zmtp_gss_known {
    uint32_t ap_req_frame; /* 0: not in the capture */
    bool ap_rep;           /* the acceptor's answer is in the capture */
    bool others_opened;    /* earlier tokens of the connection were opened */
};

/* Why a Wrap token stays closed, and what would open it: for people.  Packet scope. */
const char *zmtp_gss_why_not(struct zmtp_ctx *ctx, tvbuff_t *token,
                             const struct zmtp_gss_header *header,
                             const struct zmtp_gss_known *known);

void zmtp_gss_register_handoff(void);

#endif
