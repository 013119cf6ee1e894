/*
 * Internal to the keyring: a hash table of keys, found by one or two public keys each.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef ZMTP_DECRYPT_KEYTABLE_H
#define ZMTP_DECRYPT_KEYTABLE_H

#include <sodium.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "keytext.h"

/* 120 octets; a million session keys are a common load. */
struct zmtp_key_entry {
    uint8_t public_key[2][ZMTP_KEY_SIZE];
    uint8_t secret[ZMTP_KEY_SIZE];
    uint64_t added;   /* the keyring's generation after this key was added */
    uint32_t next[2]; /* the link after this entry's, in the chain of each public key */
    uint8_t linked;   /* bit 0, bit 1: found by this public key; 0: replaced and wiped */
};

struct zmtp_key_table {
    unsigned sides; /* by how many of its public keys an entry is found: 1 or 2 */
    size_t used;    /* entries in the order they were added, replaced ones included */
    size_t live;    /* entries not replaced */
    /* Entries lie in pieces that never move: growing leaves no copy of a secret behind. */
    struct zmtp_key_entry **chunks;
    size_t chunk_slots;
    uint32_t *buckets; /* the first link of each chain; 0: none */
    size_t bucket_count;
    unsigned char hash_key[crypto_shorthash_KEYBYTES];
};

void zmtp_key_table_init(struct zmtp_key_table *table, unsigned sides);

/* Wipes and frees all entries; the table is empty then and can be used on. */
void zmtp_key_table_clear(struct zmtp_key_table *table);

/* Constant time. *side tells which public key of the entry it is; NULL when there is none. */
struct zmtp_key_entry *zmtp_key_table_find(const struct zmtp_key_table *table,
                                           const uint8_t public_key[ZMTP_KEY_SIZE], unsigned *side);

/*
 * Adds an entry that is found by `public_a` and, in a table with two sides, `public_b`, in place of
 * the entries that were found by them. `secret` and `public_b` may be NULL. False without memory.
 */
bool zmtp_key_table_add(struct zmtp_key_table *table, const uint8_t *public_a,
                        const uint8_t *public_b, const uint8_t *secret, uint64_t added);

/* The entry at a position below table->used. */
struct zmtp_key_entry *zmtp_key_table_at(const struct zmtp_key_table *table, size_t position);

#endif
