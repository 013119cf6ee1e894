/*
 * The test vectors of KEYLOG.md: a handshake with keys that never change, and the names that its
 * octets have on that page.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef ZMTP_TESTS_KEYLOG_VECTORS_H
#define ZMTP_TESTS_KEYLOG_VECTORS_H

#include "handshake.h"

struct keylog_vectors {
    struct handshake handshake;
    uint8_t hello_plain[ZMTP_HELLO_PLAIN_SIZE]; /* zeros */
    uint8_t cookie_plain[2 * ZMTP_KEY_SIZE];    /* C', s' */
};

void make_keylog_vectors(struct keylog_vectors *vectors);

struct named_octets {
    const char *name;
    size_t offset; /* in struct keylog_vectors */
    size_t size;
};

/* In the order of the page. */
extern const struct named_octets keylog_vector_names[];
extern const size_t keylog_vector_count;

uint8_t *named_octets(struct keylog_vectors *vectors, const struct named_octets *named);

/* The log lines of the vectors, each with what it holds, by the names above. */
struct named_line {
    const char *label;
    const char *fields[3]; /* NULL: none */
};

enum { KEYLOG_LINES = 6 };

extern const struct named_line keylog_lines[KEYLOG_LINES];

#endif
