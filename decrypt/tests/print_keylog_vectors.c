/*
 * Prints the test vectors as they stand in KEYLOG.md, for the day when they must change.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keylog_vectors.h"

enum { OCTETS_A_LINE = 32 };

static void print_hex(const uint8_t *octets, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        (void)printf("%02x", octets[i]);
    }
}

static void print_octets(const char *name, const uint8_t *octets, size_t size)
{
    (void)printf("%s =%s", name, size > OCTETS_A_LINE ? "\n    " : " ");
    for (size_t i = 0; i < size; i += OCTETS_A_LINE) {
        (void)printf("%s", i > 0 ? "\n    " : "");
        print_hex(octets + i, size - i < OCTETS_A_LINE ? size - i : OCTETS_A_LINE);
    }
    (void)printf("\n");
}

static const uint8_t *find(struct keylog_vectors *vectors, const char *name)
{
    for (size_t i = 0; i < keylog_vector_count; i++) {
        if (strcmp(keylog_vector_names[i].name, name) == 0) {
            return named_octets(vectors, &keylog_vector_names[i]);
        }
    }
    abort();
}

static void print_line(struct keylog_vectors *vectors, const struct named_line *line, bool z85)
{
    (void)printf("%s", line->label);
    for (size_t i = 0; i < sizeof line->fields / sizeof *line->fields && line->fields[i]; i++) {
        const uint8_t *key = find(vectors, line->fields[i]);
        char text[ZMTP_KEY_HEX_LENGTH + 1];

        if (z85) {
            zmtp_key_to_z85(key, text);
        } else {
            zmtp_key_to_hex(key, text);
        }
        (void)printf(" %s", text);
    }
    (void)printf("\n");
}

int main(void)
{
    static struct keylog_vectors vectors;

    if (!zmtp_crypto_init()) {
        return EXIT_FAILURE;
    }
    make_keylog_vectors(&vectors);
    for (size_t i = 0; i < keylog_vector_count; i++) {
        const struct named_octets *named = &keylog_vector_names[i];

        print_octets(named->name, named_octets(&vectors, named), named->size);
    }
    for (int z85 = 0; z85 < 2; z85++) {
        (void)printf("\n");
        for (size_t i = 0; i < KEYLOG_LINES; i++) {
            print_line(&vectors, &keylog_lines[i], z85);
        }
    }
    return EXIT_SUCCESS;
}
