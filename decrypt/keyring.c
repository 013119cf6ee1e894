/*
 * The keyring: a table of keys for each class of keys and each source.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "keyring.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "keytable.h"

struct zmtp_keyring {
    struct zmtp_key_table tables[ZMTP_KEY_CLASSES][ZMTP_SOURCES];
    uint64_t generation;
    uint64_t budget[ZMTP_TRIALS];
    bool has_last_server;
    uint8_t last_server[ZMTP_KEY_SIZE];
};

/* The order in which walks see the sources. */
static const enum zmtp_key_source walk_order[ZMTP_SOURCES] = {
    ZMTP_SOURCE_TABLE,
    ZMTP_SOURCE_CERTIFICATE,
    ZMTP_SOURCE_KEYLOG,
    ZMTP_SOURCE_EMBEDDED,
};

const char *zmtp_key_source_name(enum zmtp_key_source source)
{
    static const char *const names[ZMTP_SOURCES] = {
        [ZMTP_SOURCE_KEYLOG] = "key log",
        [ZMTP_SOURCE_TABLE] = "key table",
        [ZMTP_SOURCE_EMBEDDED] = "embedded in capture",
        [ZMTP_SOURCE_CERTIFICATE] = "certificate",
    };

    return names[source];
}

bool zmtp_crypto_init(void)
{
    return sodium_init() >= 0;
}

void zmtp_wipe(void *memory, size_t size)
{
    sodium_memzero(memory, size);
}

bool zmtp_public_from_secret(const uint8_t secret[ZMTP_KEY_SIZE], uint8_t public_key[ZMTP_KEY_SIZE])
{
    return crypto_scalarmult_base(public_key, secret) == 0;
}

struct zmtp_keyring *zmtp_keyring_new(void)
{
    struct zmtp_keyring *ring = calloc(1, sizeof *ring);

    if (!ring) {
        return NULL;
    }
    for (int class = 0; class < ZMTP_KEY_CLASSES; class ++) {
        for (int source = 0; source < ZMTP_SOURCES; source++) {
            /* Only a session key belongs to two public keys. */
            zmtp_key_table_init(&ring->tables[class][source], class == ZMTP_SESSION_KEYS ? 2 : 1);
        }
    }
    zmtp_keyring_renew_budget(ring);
    return ring;
}

void zmtp_keyring_free(struct zmtp_keyring *ring)
{
    if (!ring) {
        return;
    }
    for (int source = 0; source < ZMTP_SOURCES; source++) {
        zmtp_keyring_drop_source(ring, (enum zmtp_key_source)source);
    }
    free(ring);
}

void zmtp_keyring_drop_source(struct zmtp_keyring *ring, enum zmtp_key_source source)
{
    for (int class = 0; class < ZMTP_KEY_CLASSES; class ++) {
        zmtp_key_table_clear(&ring->tables[class][source]);
    }
    ring->generation++;
}

/* ---- Adding ------------------------------------------------------------------------------ */

static bool is_full(const struct zmtp_keyring *ring)
{
    size_t used = 0;

    for (int class = 0; class < ZMTP_KEY_CLASSES; class ++) {
        for (int source = 0; source < ZMTP_SOURCES; source++) {
            used += ring->tables[class][source].used;
        }
    }
    return used >= ZMTP_KEYRING_MAX_KEYS;
}

static bool same_key(const uint8_t *a, const uint8_t *b)
{
    return sodium_memcmp(a, b, ZMTP_KEY_SIZE) == 0;
}

static enum zmtp_add_status add(struct zmtp_keyring *ring, enum zmtp_key_class class,
                                enum zmtp_key_source source, const uint8_t *public_a,
                                const uint8_t *public_b, const uint8_t *secret)
{
    struct zmtp_key_table *table = &ring->tables[class][source];
    unsigned side = 0;
    const struct zmtp_key_entry *entry = zmtp_key_table_find(table, public_a, &side);

    if (entry && (!public_b || same_key(entry->public_key[1 - side], public_b)) &&
        (!secret || same_key(entry->secret, secret))) {
        return ZMTP_ADD_DUPLICATE;
    }
    if (is_full(ring) ||
        !zmtp_key_table_add(table, public_a, public_b, secret, ring->generation + 1)) {
        return ZMTP_ADD_NO_MEMORY;
    }
    ring->generation++;
    return ZMTP_ADD_ADDED;
}

enum zmtp_add_status zmtp_keyring_add_session(struct zmtp_keyring *ring,
                                              const uint8_t pub_a[ZMTP_KEY_SIZE],
                                              const uint8_t pub_b[ZMTP_KEY_SIZE],
                                              const uint8_t session_key[ZMTP_KEY_SIZE],
                                              enum zmtp_key_source source)
{
    return add(ring, ZMTP_SESSION_KEYS, source, pub_a, pub_b, session_key);
}

enum zmtp_add_status zmtp_keyring_add_pair(struct zmtp_keyring *ring,
                                           const uint8_t public_key[ZMTP_KEY_SIZE],
                                           const uint8_t secret[ZMTP_KEY_SIZE],
                                           enum zmtp_key_source source)
{
    uint8_t computed[ZMTP_KEY_SIZE];

    if (!zmtp_public_from_secret(secret, computed) || !same_key(computed, public_key)) {
        return ZMTP_ADD_MISMATCH;
    }
    /* X25519 ignores some bits of a secret key: another spelling of it replaces the first. */
    return add(ring, ZMTP_KEY_PAIRS, source, public_key, NULL, secret);
}

enum zmtp_add_status zmtp_keyring_add_public(struct zmtp_keyring *ring,
                                             const uint8_t public_key[ZMTP_KEY_SIZE],
                                             enum zmtp_key_source source)
{
    return add(ring, ZMTP_PUBLIC_KEYS, source, public_key, NULL, NULL);
}

enum zmtp_add_status zmtp_keyring_add_cookie_key(struct zmtp_keyring *ring,
                                                 const uint8_t client_transient[ZMTP_KEY_SIZE],
                                                 const uint8_t cookie_key[ZMTP_KEY_SIZE],
                                                 enum zmtp_key_source source)
{
    return add(ring, ZMTP_COOKIE_KEYS, source, client_transient, NULL, cookie_key);
}

/* ---- Looking up -------------------------------------------------------------------------- */

size_t zmtp_keyring_count(const struct zmtp_keyring *ring)
{
    size_t count = 0;

    for (int class = 0; class < ZMTP_KEY_CLASSES; class ++) {
        for (int source = 0; source < ZMTP_SOURCES; source++) {
            count += ring->tables[class][source].live;
        }
    }
    return count;
}

uint64_t zmtp_keyring_generation(const struct zmtp_keyring *ring)
{
    return ring->generation;
}

static struct zmtp_key key_from_entry(enum zmtp_key_class class, enum zmtp_key_source source,
                                      const struct zmtp_key_entry *entry, unsigned side)
{
    return (struct zmtp_key){
        .public_key = entry->public_key[side],
        .other_public = class == ZMTP_SESSION_KEYS ? entry->public_key[1 - side] : NULL,
        .secret = class == ZMTP_PUBLIC_KEYS ? NULL : entry->secret,
        .source = source,
        .added = entry->added,
    };
}

bool zmtp_keyring_find(const struct zmtp_keyring *ring, enum zmtp_key_class class,
                       const uint8_t public_key[ZMTP_KEY_SIZE], struct zmtp_key *key)
{
    bool found = false;

    for (int source = 0; source < ZMTP_SOURCES; source++) {
        unsigned side = 0;
        const struct zmtp_key_entry *entry =
            zmtp_key_table_find(&ring->tables[class][source], public_key, &side);

        if (entry && (!found || entry->added > key->added)) {
            *key = key_from_entry(class, (enum zmtp_key_source)source, entry, side);
            found = true;
        }
    }
    return found;
}

struct zmtp_keyring_walk zmtp_keyring_walk_start(const struct zmtp_keyring *ring,
                                                 enum zmtp_key_class class, uint64_t newer_than)
{
    return (struct zmtp_keyring_walk){
        .ring = ring,
        .class = class,
        .newer_than = newer_than,
        .step = 0,
        .left = ring->tables[class][walk_order[0]].used,
    };
}

bool zmtp_keyring_walk_next(struct zmtp_keyring_walk *walk, struct zmtp_key *key)
{
    while (walk->step < ZMTP_SOURCES) {
        enum zmtp_key_source source = walk_order[walk->step];
        const struct zmtp_key_table *table = &walk->ring->tables[walk->class][source];

        while (walk->left > 0) {
            const struct zmtp_key_entry *entry = zmtp_key_table_at(table, --walk->left);

            if (entry->added <= walk->newer_than) {
                break;
            }
            if (!entry->linked) {
                continue;
            }
            *key = key_from_entry(walk->class, source, entry, 0);
            return true;
        }
        walk->step++;
        if (walk->step < ZMTP_SOURCES) {
            walk->left = walk->ring->tables[walk->class][walk_order[walk->step]].used;
        }
    }
    return false;
}

/* ---- The budget of trials ---------------------------------------------------------------- */

void zmtp_keyring_renew_budget(struct zmtp_keyring *ring)
{
    ring->budget[ZMTP_TRIAL_DIFFIE_HELLMAN] = ZMTP_DH_TRIAL_BUDGET;
    ring->budget[ZMTP_TRIAL_SESSION_KEY] = ZMTP_SESSION_KEY_TRIAL_BUDGET;
    ring->has_last_server = false;
}

void zmtp_keyring_note_server(struct zmtp_keyring *ring, const uint8_t public_key[ZMTP_KEY_SIZE])
{
    ring->has_last_server = true;
    memcpy(ring->last_server, public_key, ZMTP_KEY_SIZE);
}

const uint8_t *zmtp_keyring_last_server(const struct zmtp_keyring *ring)
{
    return ring->has_last_server ? ring->last_server : NULL;
}

bool zmtp_keyring_spend(struct zmtp_keyring *ring, enum zmtp_trial trial, uint64_t cost)
{
    if (cost > ring->budget[trial]) {
        return false;
    }
    ring->budget[trial] -= cost;
    return true;
}

void zmtp_keyring_refund(struct zmtp_keyring *ring, enum zmtp_trial trial, uint64_t cost)
{
    ring->budget[trial] += cost;
}
