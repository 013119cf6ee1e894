/* common.c - what connections of a capture have in common: a server port, a key, an Identity.
 *
 * One map for all: from a kind and some octets to whatever the caller keeps there.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "zmtp.h"

struct key {
    uint8_t *octets;
    size_t len;
};

static wmem_map_t *commons;

static unsigned hash(const void *data)
{
    const struct key *key = (const struct key *)data;

    return wmem_strong_hash(key->octets, key->len);
}

static gboolean is_equal(const void *a, const void *b)
{
    const struct key *one = (const struct key *)a;
    const struct key *two = (const struct key *)b;

    return one->len == two->len && memcmp(one->octets, two->octets, one->len) == 0;
}

static void append_server(GByteArray *octets, const struct zmtp_conn *conn)
{
    unsigned dir = !zmtp_connector(conn);
    const address *server = &conn->story.address[dir];

    g_byte_array_append(octets, (const uint8_t *)&server->len, sizeof server->len);
    g_byte_array_append(octets, (const uint8_t *)server->data, (unsigned)server->len);
    g_byte_array_append(octets, (const uint8_t *)&conn->story.port[dir],
                        sizeof conn->story.port[dir]);
}

void **zmtp_common(enum zmtp_common kind, const struct zmtp_conn *server_of, const void *more,
                   unsigned more_len)
{
    GByteArray *octets = g_byte_array_new();
    uint8_t kind_octet = (uint8_t)kind;
    struct key wanted;
    void **slot;

    g_byte_array_append(octets, &kind_octet, 1);
    if (server_of)
        append_server(octets, server_of);
    if (more_len)
        g_byte_array_append(octets, (const uint8_t *)more, more_len);
    wanted.octets = octets->data;
    wanted.len = octets->len;
    slot = (void **)wmem_map_lookup(commons, &wanted);
    if (!slot) {
        struct key *kept = wmem_new(wmem_file_scope(), struct key);

        kept->octets = (uint8_t *)wmem_memdup(wmem_file_scope(), wanted.octets, wanted.len);
        kept->len = wanted.len;
        slot = wmem_new0(wmem_file_scope(), void *);
        wmem_map_insert(commons, kept, slot);
    }
    g_byte_array_free(octets, TRUE);
    return slot;
}

void zmtp_register_common(void)
{
    commons = wmem_map_new_autoreset(wmem_epan_scope(), wmem_file_scope(), hash, is_equal);
}
