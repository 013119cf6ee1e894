/*
 * Internal to the keyring: a hash table of keys.
 *
 * Public keys in a key log may be chosen by an enemy, so they are hashed under a random key, and a
 * public key never stands twice in a chain: no file can make look-ups slow.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "keytable.h"

#include <stdlib.h>
#include <string.h>

enum { CHUNK_ENTRIES = 256, FIRST_BUCKETS = 256, FIRST_CHUNK_SLOTS = 16 };

/* A link names an entry and one of its sides; 0 is the end of a chain. */
static uint32_t link_to(size_t position, unsigned side)
{
    return (uint32_t)(position * 2 + side + 1);
}

static unsigned link_side(uint32_t link)
{
    return (link - 1) % 2;
}

static struct zmtp_key_entry *link_entry(const struct zmtp_key_table *table, uint32_t link)
{
    return zmtp_key_table_at(table, (link - 1) / 2);
}

struct zmtp_key_entry *zmtp_key_table_at(const struct zmtp_key_table *table, size_t position)
{
    return &table->chunks[position / CHUNK_ENTRIES][position % CHUNK_ENTRIES];
}

void zmtp_key_table_init(struct zmtp_key_table *table, unsigned sides)
{
    memset(table, 0, sizeof *table);
    table->sides = sides;
    crypto_shorthash_keygen(table->hash_key);
}

void zmtp_key_table_clear(struct zmtp_key_table *table)
{
    for (size_t i = 0; i < table->chunk_slots; i++) {
        if (table->chunks[i]) {
            sodium_memzero(table->chunks[i], CHUNK_ENTRIES * sizeof *table->chunks[i]);
            free(table->chunks[i]);
        }
    }
    free(table->chunks);
    free(table->buckets);
    zmtp_key_table_init(table, table->sides);
}

/* The place that holds the link to the entry found by this public key, or the end of its chain. */
static uint32_t *find_link(const struct zmtp_key_table *table,
                           const uint8_t public_key[ZMTP_KEY_SIZE])
{
    uint64_t hash = 0;
    unsigned char hash_octets[crypto_shorthash_BYTES];

    crypto_shorthash(hash_octets, public_key, ZMTP_KEY_SIZE, table->hash_key);
    memcpy(&hash, hash_octets, sizeof hash);

    uint32_t *link = &table->buckets[hash & (table->bucket_count - 1)];
    while (*link) {
        struct zmtp_key_entry *entry = link_entry(table, *link);
        unsigned side = link_side(*link);

        if (memcmp(entry->public_key[side], public_key, ZMTP_KEY_SIZE) == 0) {
            break;
        }
        link = &entry->next[side];
    }
    return link;
}

struct zmtp_key_entry *zmtp_key_table_find(const struct zmtp_key_table *table,
                                           const uint8_t public_key[ZMTP_KEY_SIZE], unsigned *side)
{
    if (table->used == 0) {
        return NULL;
    }

    uint32_t link = *find_link(table, public_key);
    if (!link) {
        return NULL;
    }
    *side = link_side(link);
    return link_entry(table, link);
}

/* Takes the entry that *link names out of this chain; without any link it is of no use any more. */
static void unlink_entry(struct zmtp_key_table *table, uint32_t *link)
{
    struct zmtp_key_entry *entry = link_entry(table, *link);
    unsigned side = link_side(*link);

    *link = entry->next[side];
    entry->linked &= (uint8_t) ~(1u << side);
    if (!entry->linked) {
        sodium_memzero(entry->secret, sizeof entry->secret);
        table->live--;
    }
}

/* Links the entry under its public keys, in place of older entries that have the same. */
static void link_up(struct zmtp_key_table *table, size_t position)
{
    struct zmtp_key_entry *entry = zmtp_key_table_at(table, position);

    for (unsigned side = 0; side < table->sides; side++) {
        uint32_t *link = find_link(table, entry->public_key[side]);

        if (*link && link_entry(table, *link) == entry) {
            continue; /* both public keys are the same */
        }
        if (*link) {
            unlink_entry(table, link);
        }
        entry->next[side] = *link;
        entry->linked |= (uint8_t)(1u << side);
        *link = link_to(position, side);
    }
}

/* Makes the chains anew. In the order of entries, so that the newer replaces the older again. */
static bool grow_buckets(struct zmtp_key_table *table)
{
    size_t bucket_count = table->bucket_count ? table->bucket_count * 2 : FIRST_BUCKETS;
    uint32_t *buckets = calloc(bucket_count, sizeof *buckets);

    if (!buckets) {
        return false;
    }
    free(table->buckets);
    table->buckets = buckets;
    table->bucket_count = bucket_count;

    for (size_t i = 0; i < table->used; i++) {
        struct zmtp_key_entry *entry = zmtp_key_table_at(table, i);

        if (entry->linked) {
            entry->linked = 0;
            link_up(table, i);
        }
    }
    return true;
}

/* Makes room for one more entry and its links; returns its place, or NULL. */
static struct zmtp_key_entry *reserve(struct zmtp_key_table *table)
{
    size_t chunk = table->used / CHUNK_ENTRIES;

    if (table->live * table->sides >= table->bucket_count && !grow_buckets(table)) {
        return NULL;
    }
    if (chunk >= table->chunk_slots) {
        size_t slots = table->chunk_slots ? table->chunk_slots * 2 : FIRST_CHUNK_SLOTS;
        size_t slot_size = sizeof(struct zmtp_key_entry *);
        struct zmtp_key_entry **chunks = realloc(table->chunks, slots * slot_size);

        if (!chunks) {
            return NULL;
        }
        memset(chunks + table->chunk_slots, 0, (slots - table->chunk_slots) * slot_size);
        table->chunks = chunks;
        table->chunk_slots = slots;
    }
    if (!table->chunks[chunk]) {
        table->chunks[chunk] = calloc(CHUNK_ENTRIES, sizeof(struct zmtp_key_entry));
        if (!table->chunks[chunk]) {
            return NULL;
        }
    }
    return zmtp_key_table_at(table, table->used);
}

bool zmtp_key_table_add(struct zmtp_key_table *table, const uint8_t *public_a,
                        const uint8_t *public_b, const uint8_t *secret, uint64_t added)
{
    struct zmtp_key_entry *entry = reserve(table);

    if (!entry) {
        return false;
    }
    memcpy(entry->public_key[0], public_a, ZMTP_KEY_SIZE);
    if (public_b) {
        memcpy(entry->public_key[1], public_b, ZMTP_KEY_SIZE);
    }
    if (secret) {
        memcpy(entry->secret, secret, ZMTP_KEY_SIZE);
    }
    entry->added = added;
    table->live++;
    link_up(table, table->used++);
    return true;
}
