/* mech_curve.h - what the files of the mechanism CURVE share.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef MECH_CURVE_H
#define MECH_CURVE_H

#include "zmtp.h"

#include "../decrypt/curve.h"

/* Boxes by the keys that they need.  SESSION: INITIATE, READY and MESSAGE. */
enum zmtp_curve_box {
    ZMTP_CURVE_HELLO,
    ZMTP_CURVE_WELCOME,
    ZMTP_CURVE_COOKIE,
    ZMTP_CURVE_VOUCH,
    ZMTP_CURVE_SESSION
};

#define ZMTP_CURVE_HELLO_LEN 194 /* behind the name */
#define ZMTP_CURVE_HELLO_KEY_AT 74

/* ---- What CURVE asks of its peers (mech_curve_checks.c) ---- */

/* The last short nonce of one side. */
struct zmtp_curve_nonce {
    bool seen;
    uint8_t order; /* enum byte_order of mech_curve_checks.c */
    uint8_t octets[ZMTP_SHORT_NONCE_SIZE];
    uint32_t seq; /* TCP sequence number of its frame */
};

struct zmtp_curve_hello; /* the first one of a C' */

/* For a connection; written in the first pass, but for the cookie. */
struct zmtp_curve_checks {
    struct zmtp_curve_nonce nonce[2]; /* by direction */
    bool hello_seen;
    uint8_t client_transient[ZMTP_KEY_SIZE];       /* of the last HELLO */
    const struct zmtp_curve_hello *same_transient; /* of another connection */
    bool perhaps_passed_on;                        /* by a proxy between the two */
    bool welcome_seen;
    uint8_t welcome[32];   /* how it begins: its nonce and some of its box */
    uint32_t cookie_since; /* packet that told it, 0: none did */
    uint8_t cookie[ZMTP_COOKIE_SIZE];
};
struct zmtp_curve_checks *zmtp_curve_checks_of(struct zmtp_conn *conn);

/* A short nonce; expected: what a handshake command has that is the first of its side, 0: it is a
 * MESSAGE. */
void zmtp_curve_check_nonce(struct zmtp_ctx *ctx, proto_item *item,
                            struct zmtp_curve_checks *checks, const uint8_t *nonce,
                            unsigned expected);

/* The items of HELLO that are complained of. */
struct zmtp_curve_hello_items {
    proto_item *version;
    proto_item *padding;
    proto_item *client_transient;
};
void zmtp_curve_check_hello(struct zmtp_ctx *ctx, struct zmtp_curve_checks *checks, tvbuff_t *data,
                            const struct zmtp_curve_hello_items *items);
void zmtp_curve_note_welcome(struct zmtp_ctx *ctx, struct zmtp_curve_checks *checks,
                             tvbuff_t *data);
/* The cookie of a WELCOME that was opened. */
void zmtp_curve_note_cookie(const struct zmtp_ctx *ctx, struct zmtp_curve_checks *checks,
                            const uint8_t cookie[ZMTP_COOKIE_SIZE]);
void zmtp_curve_check_initiate(struct zmtp_ctx *ctx, struct zmtp_curve_checks *checks,
                               proto_item *cookie_item, tvbuff_t *data);
/* The keys in the vouch (NULL: it was made with other keys), and those of this connection (NULL:
 * not known). */
void zmtp_curve_check_vouch(struct zmtp_ctx *ctx, proto_item *item, const uint8_t *client_transient,
                            const uint8_t *server_permanent, const uint8_t *vouched);

/* ---- What the user's keys did (mech_curve_keys.c); all texts are for people ---- */

/* What opened a box: "key log (session key)".  Lives as long as the program. */
const char *zmtp_curve_key_source(struct zmtp_box_result result);

/* Why a box stays closed, and what would open it.  Packet scope. */
const char *zmtp_curve_why_not(struct zmtp_ctx *ctx, enum zmtp_curve_box kind,
                               const struct zmtp_curve_session *session,
                               struct zmtp_box_result result);

/* What HELLO, which opened or not, shows about the server key that the client was given; NULL: no
 * key that could tell was given.  Packet scope. */
const char *zmtp_curve_check_server_key(struct zmtp_ctx *ctx,
                                        const struct zmtp_curve_session *session,
                                        struct zmtp_box_result result);

/* The same for the diagnosis; first pass only. */
void zmtp_curve_note_server_key(struct zmtp_ctx *ctx, const struct zmtp_curve_session *session,
                                struct zmtp_box_result result);

#endif
