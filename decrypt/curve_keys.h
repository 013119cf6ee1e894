/*
 * Internal to curve.c and curve_keys.c: what a session knows, and how the right key for a box is
 * found.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef ZMTP_DECRYPT_CURVE_KEYS_H
#define ZMTP_DECRYPT_CURVE_KEYS_H

#include <sodium.h>

#include "curve.h"

/* A key read from a frame, used from that frame on. */
struct fact {
    bool known;
    uint32_t since;
    uint8_t key[ZMTP_KEY_SIZE];
};

#define NEVER UINT32_MAX

/* A key that opens boxes. */
struct shared_key {
    bool known;
    /* Computed from keys that are proven to belong here: a box it does not open is damaged. */
    bool certain;
    uint32_t usable_since; /* the frame that told the last of the facts it was found by */
    uint32_t proven_since; /* the first frame with a box that it opened, or NEVER */
    enum zmtp_key_kind kind;
    enum zmtp_key_source source;
    uint8_t key[ZMTP_KEY_SIZE];
    /* What is known as well from the frame on in which the key opens a box; NULL: nothing. */
    struct fact *teaches;
    uint8_t lesson[ZMTP_KEY_SIZE];
};

struct zmtp_curve_session {
    struct zmtp_keyring *ring;
    struct fact client_transient; /* C', from HELLO */
    struct fact server_transient; /* S', from WELCOME, or with k or s' */
    struct fact client_permanent; /* C, from INITIATE */
    struct fact server_permanent; /* S, from what opened HELLO, or from the vouch */
    struct fact server_secret;    /* s', out of the cookie */
    enum zmtp_key_source server_secret_source;
    struct shared_key handshake_key; /* (C',S) */
    struct shared_key session_key;   /* k */
    /* The keyring's generation up to which keys were tried, so that each is tried once: */
    uint64_t handshake_tried; /* as S or s against HELLO or WELCOME */
    uint64_t secrets_tried;   /* as s' against a box under k */
    uint64_t sessions_tried;  /* as k */
    /* Trials against HELLO or WELCOME that failed, and the frame of the first. */
    unsigned handshake_trials;
    uint32_t handshake_trials_since;
    /* Whether a bound kept some keys from being tried. */
    bool handshake_limited;
    bool session_limited;
};

/* A closed box, with every nonce that may be its own. */
struct box {
    size_t nonce_count;
    uint8_t nonces[2][crypto_box_NONCEBYTES];
    size_t opened_by; /* index of the nonce that opened it */
    const uint8_t *data;
    size_t len;
    uint8_t *out;
};

void zmtp_fact_learn(struct fact *fact, uint32_t now, const uint8_t key[ZMTP_KEY_SIZE]);

/* The key if it is known in that frame, otherwise NULL. */
const uint8_t *zmtp_fact_at(const struct fact *fact, uint32_t now);

/* Tries each nonce of the box. A secret box of RFC 26 differs only in where its key comes from. */
bool zmtp_box_open(struct box *box, const uint8_t key[ZMTP_KEY_SIZE]);

struct zmtp_box_result zmtp_box_result(enum zmtp_box_status status, enum zmtp_key_kind kind,
                                       enum zmtp_key_source source);
struct zmtp_box_result zmtp_box_no_key(void);

/* Open a box under (C',S), under k, and under (C,S'): the keys that the session has or can find. */
struct zmtp_box_result zmtp_open_handshake_box(struct zmtp_curve_session *session, uint32_t now,
                                               struct box *box);
struct zmtp_box_result zmtp_open_session_box(struct zmtp_curve_session *session, uint32_t now,
                                             struct box *box);
struct zmtp_box_result zmtp_open_vouch_box(struct zmtp_curve_session *session, uint32_t now,
                                           const uint8_t client_permanent[ZMTP_KEY_SIZE],
                                           struct box *box);

#endif
