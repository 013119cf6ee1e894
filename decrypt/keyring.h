/*
 * The keyring: every key the user gave, from whatever source, found by its public key.
 *
 * Names follow RFC 26: client C (permanent) and C' (transient), server S and S', capital for the
 * public key and small for the secret one; K is the server's cookie key; the session key k is
 * crypto_box_beforenm(C', s'). All keys are 32 octets. No function here is thread-safe.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef ZMTP_DECRYPT_KEYRING_H
#define ZMTP_DECRYPT_KEYRING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "keytext.h"

/* More keys than this are refused, so that no key file can take all the memory (about 0.5 GB). */
#define ZMTP_KEYRING_MAX_KEYS 4000000

/* Where a key came from. Each source has its own keys: the same key may come from several. */
enum zmtp_key_source {
    ZMTP_SOURCE_KEYLOG,
    ZMTP_SOURCE_TABLE,
    ZMTP_SOURCE_EMBEDDED,
    ZMTP_SOURCE_CERTIFICATE,
    ZMTP_SOURCES /* how many there are */
};

/* "key log", "key table", "embedded in capture", "certificate" */
const char *zmtp_key_source_name(enum zmtp_key_source source);

/* What a key is good for; see the functions that add them. */
enum zmtp_key_class {
    ZMTP_SESSION_KEYS,
    ZMTP_KEY_PAIRS,
    ZMTP_PUBLIC_KEYS,
    ZMTP_COOKIE_KEYS,
    ZMTP_KEY_CLASSES /* how many there are */
};

enum zmtp_add_status {
    ZMTP_ADD_ADDED,
    ZMTP_ADD_DUPLICATE, /* this source has given it before */
    ZMTP_ADD_MISMATCH,  /* a pair whose secret key does not belong to its public key */
    ZMTP_ADD_NO_MEMORY, /* no memory, or ZMTP_KEYRING_MAX_KEYS reached */
};

struct zmtp_keyring;

/* Prepares libsodium; call it before anything else, again as often as you like. False: unusable. */
bool zmtp_crypto_init(void);

/* Overwrites memory that held a secret, in a way the compiler does not optimise away. */
void zmtp_wipe(void *memory, size_t size);

/* The public key of a secret key (crypto_scalarmult_base); false when the result is no use. */
bool zmtp_public_from_secret(const uint8_t secret[ZMTP_KEY_SIZE],
                             uint8_t public_key[ZMTP_KEY_SIZE]);

/* An empty keyring, or NULL without memory. Free it after the last session that uses it. */
struct zmtp_keyring *zmtp_keyring_new(void);

/* Wipes and frees everything; NULL is allowed. */
void zmtp_keyring_free(struct zmtp_keyring *ring);

/*
 * The session key k of the connection between the transient public keys `pub_a` and `pub_b`, in
 * either order: the writer of a key log cannot always tell the client's from the server's. Two
 * different session keys for one public key can only come from an error: the newer one is used.
 */
enum zmtp_add_status zmtp_keyring_add_session(struct zmtp_keyring *ring,
                                              const uint8_t pub_a[ZMTP_KEY_SIZE],
                                              const uint8_t pub_b[ZMTP_KEY_SIZE],
                                              const uint8_t session_key[ZMTP_KEY_SIZE],
                                              enum zmtp_key_source source);

/* A key pair of any role: C/c, C'/c', S/s or S'/s'. The pair is verified (see MISMATCH). */
enum zmtp_add_status zmtp_keyring_add_pair(struct zmtp_keyring *ring,
                                           const uint8_t public_key[ZMTP_KEY_SIZE],
                                           const uint8_t secret[ZMTP_KEY_SIZE],
                                           enum zmtp_key_source source);

/* A server's permanent public key alone: with c' it opens HELLO and WELCOME. */
enum zmtp_add_status zmtp_keyring_add_public(struct zmtp_keyring *ring,
                                             const uint8_t public_key[ZMTP_KEY_SIZE],
                                             enum zmtp_key_source source);

/* The cookie key K of the server that met the client with this C'. The newer of two is used. */
enum zmtp_add_status zmtp_keyring_add_cookie_key(struct zmtp_keyring *ring,
                                                 const uint8_t client_transient[ZMTP_KEY_SIZE],
                                                 const uint8_t cookie_key[ZMTP_KEY_SIZE],
                                                 enum zmtp_key_source source);

/*
 * Forgets and wipes every key of this source (its file was replaced, its table was edited).
 * Sessions keep the keys that have already opened a box of theirs.
 */
void zmtp_keyring_drop_source(struct zmtp_keyring *ring, enum zmtp_key_source source);

/* How many keys there are, over all kinds and sources; a key of two sources counts twice. */
size_t zmtp_keyring_count(const struct zmtp_keyring *ring);

/* A number that grows whenever a key is added or a source dropped: "ask again" for callers. */
uint64_t zmtp_keyring_generation(const struct zmtp_keyring *ring);

/*
 * Gives back the whole trial budget (see below) and forgets the last server. Call it when a capture
 * file is opened or loaded anew, so that one file's trials do not matter to the next.
 */
void zmtp_keyring_renew_budget(struct zmtp_keyring *ring);

/* ---- For curve.c: looking keys up. ------------------------------------------------------- */

/* A key in the ring; the pointers are valid until the ring changes. */
struct zmtp_key {
    const uint8_t *public_key;   /* the one it was asked by, or the first of a session key */
    const uint8_t *other_public; /* session keys: the other peer's; otherwise NULL */
    const uint8_t *secret;       /* k, the secret key, or K; NULL for a public key alone */
    enum zmtp_key_source source;
    uint64_t added; /* the ring's generation after it was added */
};

/* The newest key of a class with this public key (a session key: either one); constant time. */
bool zmtp_keyring_find(const struct zmtp_keyring *ring, enum zmtp_key_class class,
                       const uint8_t public_key[ZMTP_KEY_SIZE], struct zmtp_key *key);

/*
 * A walk over the keys of one class, for trials: the table's and the certificates' first, for they
 * are few and meant; and of each source the newest first. The ring must not change meanwhile.
 */
struct zmtp_keyring_walk {
    const struct zmtp_keyring *ring;
    enum zmtp_key_class class;
    uint64_t newer_than; /* only keys added after this generation of the ring; 0: all */
    size_t step;         /* private: which source is being walked, */
    size_t left;         /* and how many of its keys are left */
};

struct zmtp_keyring_walk zmtp_keyring_walk_start(const struct zmtp_keyring *ring,
                                                 enum zmtp_key_class class, uint64_t newer_than);

/* False at the end. */
bool zmtp_keyring_walk_next(struct zmtp_keyring_walk *walk, struct zmtp_key *key);

/*
 * Bounds on guessing, where no key can be looked up by name.
 *
 * One session tries at most ZMTP_MAX_DH_TRIALS keys against its HELLO or WELCOME, as many against
 * its first box under k, and ZMTP_MAX_SESSION_KEY_TRIALS session keys against its first MESSAGE
 * when C' was not seen. Each key is tried once; of the keys that are added later, as many again.
 *
 * All sessions of a keyring together may fail as often as the budgets say. One Diffie-Hellman takes
 * some 50 microseconds. Authenticating a box takes as long as the box is, so a session key trial
 * costs one unit a kilobyte, and ZMTP_MAX_SESSION_KEY_KBYTES bounds one session.
 */
#define ZMTP_MAX_DH_TRIALS 1024
#define ZMTP_MAX_SESSION_KEY_TRIALS 16384
#define ZMTP_MAX_SESSION_KEY_KBYTES 262144
#define ZMTP_DH_TRIAL_BUDGET 65536
#define ZMTP_SESSION_KEY_TRIAL_BUDGET 4000000

enum zmtp_trial {
    ZMTP_TRIAL_DIFFIE_HELLMAN,
    ZMTP_TRIAL_SESSION_KEY,
    ZMTP_TRIALS /* how many there are */
};

/*
 * The server whose key opened the last HELLO or WELCOME, by its public key: the next connection is
 * most likely to that one, which is then tried first. NULL: there was none.
 */
void zmtp_keyring_note_server(struct zmtp_keyring *ring, const uint8_t public_key[ZMTP_KEY_SIZE]);
const uint8_t *zmtp_keyring_last_server(const struct zmtp_keyring *ring);

/* Takes `cost` from a budget; false, taking nothing, when too little is left. */
bool zmtp_keyring_spend(struct zmtp_keyring *ring, enum zmtp_trial trial, uint64_t cost);

/* Gives `cost` back: the trial was a success. */
void zmtp_keyring_refund(struct zmtp_keyring *ring, enum zmtp_trial trial, uint64_t cost);

#endif
