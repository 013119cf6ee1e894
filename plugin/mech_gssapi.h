/* mech_gssapi.h - what the files of the mechanism GSSAPI share.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef MECH_GSSAPI_H
#define MECH_GSSAPI_H

#include "zmtp.h"

/* ---- Tokens (mech_gssapi_token.c) ---- */

enum zmtp_gss_kind {
    ZMTP_GSS_UNKNOWN,
    ZMTP_GSS_MALFORMED, /* its own length is wrong */
    ZMTP_GSS_AP_REQ,    /* of Kerberos, as are the next three: RFC 4121 4.1, 4.2.6.2 */
    ZMTP_GSS_AP_REP,
    ZMTP_GSS_KRB_ERROR,
    ZMTP_GSS_WRAP,
    ZMTP_GSS_OTHER, /* of another mechanism, in its framing (RFC 2743 3.1): SPNEGO */
    ZMTP_GSS_REPLY, /* SPNEGO's negTokenResp: RFC 4178 4.2.2 */
    ZMTP_GSS_NTLMSSP,
};

enum zmtp_gss_sender { ZMTP_GSS_SENDER_UNKNOWN, ZMTP_GSS_INITIATOR, ZMTP_GSS_ACCEPTOR };

/* What a token tells everybody. */
struct zmtp_gss_header {
    enum zmtp_gss_kind kind;
    enum zmtp_gss_sender sender;
    /* Of a Wrap token. */
    bool sealed;            /* the data are encrypted, not only signed */
    bool cfx;               /* in the form of RFC 4121; else that of RFC 1964 */
    bool acceptor_subkey;   /* cfx: under the key that the acceptor chose in AP-REP */
    bool other_cipher;      /* not cfx: signed or sealed with another cipher than RC4 */
    uint16_t extra_count;   /* cfx, "EC": of a signed token, octets of the checksum */
    uint16_t right_rotated; /* cfx, "RRC": by so many octets the data were rotated */
};

void zmtp_gss_read_header(tvbuff_t *token, struct zmtp_gss_header *header);

/* "AP-REQ", ..., "" for what has no name.  Static. */
const char *zmtp_gss_kind_name(enum zmtp_gss_kind kind);

/* Give a token of the handshake to Wireshark's dissectors for GSS-API and Kerberos, when it is of a
 * kind that these can take.  Whether they opened something in it: the ticket, or AP-REP. */
bool zmtp_gss_dissect_token(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *token,
                            const struct zmtp_gss_header *header);

/* Give them a Wrap token; with_keys: let them try the keys that they know.  Returns what was in it,
 * packet scope, or NULL: it stays closed.  The plaintext of a sealed cfx token can have octets too
 * many, see zmtp_gss_excess_at. */
tvbuff_t *zmtp_gss_unwrap(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *token,
                          const struct zmtp_gss_header *header, bool with_keys);

/* Wireshark takes all checksums of RFC 4121 for 12 octets; those of the AES-SHA2 types (RFC 8009)
 * and of Camellia (RFC 6803) have 16 or 24.  Then the first 4 or 12 octets of the encrypted copy of
 * the token's header are left behind the plaintext.  Returns how many octets plain has from
 * `offset` on, when they are just that; else 0. */
unsigned zmtp_gss_excess_at(tvbuff_t *token, tvbuff_t *plain, unsigned offset);

/* What is known of a connection's handshake; frames are 0 for what is not in the capture. */
struct zmtp_gss_known {
    uint32_t ticket_frame; /* the client's token with the ticket */
    uint32_t answer_frame; /* the server's answer to it */
    uint32_t error_frame;  /* KRB-ERROR */
    bool ticket_opened;    /* then Wireshark knows keys of the connection */
    bool answer_opened;    /* also with the ticket of another connection */
};

/* Why a Wrap token stays closed, and what would open it: for people.  Packet scope. */
const char *zmtp_gss_why_not(struct zmtp_ctx *ctx, tvbuff_t *token,
                             const struct zmtp_gss_header *header,
                             const struct zmtp_gss_known *known);
/* Whether the reason is that it is not what was sent: the keys are there. */
bool zmtp_gss_is_damaged(tvbuff_t *token, const struct zmtp_gss_header *header,
                         const struct zmtp_gss_known *known);

void zmtp_gss_register_handoff(void);

#endif
