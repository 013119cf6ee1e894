/*
 * CURVE boxes (RFC 26), and what is known of one connection: its keys, learned from the keyring and
 * from the boxes that were opened. The names C, C', S, S', k, K are explained in keyring.h.
 *
 * `now` in every call is the number of the capture's frame that holds the box. The first calls come
 * in the order of frames; later calls may come in any order, and get the answer of the first time
 * as long as the keyring is the same: what a frame taught is not used in earlier frames.
 *
 * A session has one C', one S' and so on: the first that was seen. Two peers that both send HELLO
 * (both think they are the client) need a session each.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef ZMTP_DECRYPT_CURVE_H
#define ZMTP_DECRYPT_CURVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "keyring.h"

/* Sizes in octets, RFC 26 and what peers send. A box is 16 octets longer than what it holds. */
enum {
    ZMTP_BOX_OVERHEAD = 16,
    ZMTP_SHORT_NONCE_SIZE = 8,
    ZMTP_LONG_NONCE_SIZE = 16,
    ZMTP_HELLO_BOX_SIZE = 80,
    ZMTP_HELLO_PLAIN_SIZE = 64, /* zeros */
    ZMTP_WELCOME_BOX_SIZE = 144,
    ZMTP_WELCOME_PLAIN_SIZE = 128, /* S' 32, cookie 96 */
    ZMTP_COOKIE_SIZE = 96,         /* nonce 16, box 80 */
    ZMTP_VOUCH_BOX_SIZE = 80,
    ZMTP_VOUCH_PLAIN_SIZE = 64, /* C' 32, S 32 */
};

enum zmtp_box_status {
    ZMTP_BOX_OPENED,
    ZMTP_BOX_NO_KEY,    /* no key is known for it, and none of those that were tried fits */
    ZMTP_BOX_WRONG_KEY, /* a key was given for just this connection, and does not fit */
    ZMTP_BOX_DAMAGED,   /* the key is right: it opened earlier boxes or is proven; or too short */
};

/* Which secret of the user's opened a box, or failed to. */
enum zmtp_key_kind {
    ZMTP_KEY_NONE,
    ZMTP_KEY_SESSION,
    ZMTP_KEY_CLIENT_TRANSIENT,
    ZMTP_KEY_SERVER_TRANSIENT,
    ZMTP_KEY_CLIENT_PERMANENT,
    ZMTP_KEY_SERVER_PERMANENT,
    ZMTP_KEY_COOKIE,
};

/* "session key", "client transient secret key", ..., "cookie key"; "none" for ZMTP_KEY_NONE */
const char *zmtp_key_kind_name(enum zmtp_key_kind kind);

struct zmtp_box_result {
    enum zmtp_box_status status;
    enum zmtp_key_kind kind; /* ZMTP_KEY_NONE: `source` means nothing */
    enum zmtp_key_source source;
};

enum zmtp_sender { ZMTP_SENDER_UNKNOWN, ZMTP_SENDER_CLIENT, ZMTP_SENDER_SERVER };

struct zmtp_curve_session;

/* Constant size. `ring` must outlive it. NULL without memory. */
struct zmtp_curve_session *zmtp_curve_session_new(struct zmtp_keyring *ring);

/* Wipes and frees; NULL is allowed. */
void zmtp_curve_session_free(struct zmtp_curve_session *session);

/*
 * Each function below opens one box, given the nonce octets that the wire carries beside it, just
 * as they are there. Lengths not stated by a parameter are those of the enum above. `out` is
 * written only when the status is ZMTP_BOX_OPENED, and may not overlap the input.
 */

/* Remembers C' of a HELLO whose box is cut off; zmtp_curve_open_hello does so itself. */
void zmtp_curve_note_client_transient(struct zmtp_curve_session *session, uint32_t now,
                                      const uint8_t client_transient[ZMTP_KEY_SIZE]);

/* HELLO's signature box; opens with s, or with c' and S. Tells S. RFC 26, "HELLO command". */
struct zmtp_box_result zmtp_curve_open_hello(struct zmtp_curve_session *session, uint32_t now,
                                             const uint8_t client_transient[ZMTP_KEY_SIZE],
                                             const uint8_t nonce[ZMTP_SHORT_NONCE_SIZE],
                                             const uint8_t box[ZMTP_HELLO_BOX_SIZE],
                                             uint8_t out[ZMTP_HELLO_PLAIN_SIZE]);

/* WELCOME; opens with s, or with c' and S. Tells S'. `out` is S' and the cookie. */
struct zmtp_box_result zmtp_curve_open_welcome(struct zmtp_curve_session *session, uint32_t now,
                                               const uint8_t nonce[ZMTP_LONG_NONCE_SIZE],
                                               const uint8_t box[ZMTP_WELCOME_BOX_SIZE],
                                               uint8_t out[ZMTP_WELCOME_PLAIN_SIZE]);

/*
 * The cookie, nonce and box, of WELCOME or INITIATE; opens with K. It holds C', which is given out,
 * and s', which is kept for the boxes that follow and never given out.
 */
struct zmtp_box_result zmtp_curve_open_cookie(struct zmtp_curve_session *session, uint32_t now,
                                              const uint8_t cookie[ZMTP_COOKIE_SIZE],
                                              uint8_t client_transient[ZMTP_KEY_SIZE]);

/*
 * The box of INITIATE, which stands behind the cookie (give that to zmtp_curve_open_cookie first);
 * opens with k however found. Tells C. `out`: box_len - 16 octets, C 32, vouch nonce 16, vouch box
 * 80, metadata, as far as box_len goes.
 */
struct zmtp_box_result zmtp_curve_open_initiate(struct zmtp_curve_session *session, uint32_t now,
                                                const uint8_t nonce[ZMTP_SHORT_NONCE_SIZE],
                                                const uint8_t *box, size_t box_len, uint8_t *out);

/*
 * The vouch inside an opened INITIATE; opens with c when S' is known, or with s'. Tells S. It comes
 * out of an authentic box, so one that does not open was made with other keys: WRONG_KEY.
 */
struct zmtp_box_result zmtp_curve_open_vouch(struct zmtp_curve_session *session, uint32_t now,
                                             const uint8_t client_permanent[ZMTP_KEY_SIZE],
                                             const uint8_t nonce[ZMTP_LONG_NONCE_SIZE],
                                             const uint8_t box[ZMTP_VOUCH_BOX_SIZE],
                                             uint8_t out[ZMTP_VOUCH_PLAIN_SIZE]);

/* READY, from the server; opens with k. `out`: box_len - 16 octets of metadata. */
struct zmtp_box_result zmtp_curve_open_ready(struct zmtp_curve_session *session, uint32_t now,
                                             const uint8_t nonce[ZMTP_SHORT_NONCE_SIZE],
                                             const uint8_t *box, size_t box_len, uint8_t *out);

/*
 * A MESSAGE; opens with k. `out`: box_len - 16 octets, flags and payload. When *sender is
 * ZMTP_SENDER_UNKNOWN both nonces are tried, and *sender is set when one of them opened the box.
 * Say UNKNOWN unless the role is sure: a session key is guessed once, and with one nonce if told
 * so.
 */
struct zmtp_box_result zmtp_curve_open_message(struct zmtp_curve_session *session, uint32_t now,
                                               enum zmtp_sender *sender,
                                               const uint8_t nonce[ZMTP_SHORT_NONCE_SIZE],
                                               const uint8_t *box, size_t box_len, uint8_t *out);

/* C', S', C and S as far as they are known at `now`, 32 octets each that live with the session; or
 * NULL. */
const uint8_t *zmtp_curve_client_transient(const struct zmtp_curve_session *session, uint32_t now);
const uint8_t *zmtp_curve_server_transient(const struct zmtp_curve_session *session, uint32_t now);
const uint8_t *zmtp_curve_client_permanent(const struct zmtp_curve_session *session, uint32_t now);
const uint8_t *zmtp_curve_server_permanent(const struct zmtp_curve_session *session, uint32_t now);

/*
 * What the user's keys are to this connection, as far as that can be told at `now`: to say in words
 * why a box stays closed, and what would open it.
 */
struct zmtp_curve_known {
    bool any_key;                 /* at least one key was given, of whatever kind */
    bool client_transient_public; /* C' was seen: keys can be looked up by it */
    bool client_transient_secret; /* c' is given */
    bool handshake_opened;        /* (C',S) opened HELLO or WELCOME: the client means this S */
    bool server_permanent_secret; /* it did so with s */
    bool server_transient_public; /* S' is known */
    unsigned not_the_server;      /* keys that were tried on HELLO and WELCOME and do not fit */
    bool handshake_limited;       /* there are more of these than may be tried: see keyring.h */
    bool session_limited;         /* likewise, of keys that were tried as s' or k */
};

void zmtp_curve_what_is_known(const struct zmtp_curve_session *session, uint32_t now,
                              struct zmtp_curve_known *known);

/* Whether the user gave the secret key that belongs to this public key. */
bool zmtp_curve_has_secret_of(const struct zmtp_curve_session *session,
                              const uint8_t public_key[ZMTP_KEY_SIZE]);

#endif
