/*
 * What the fuzzers share.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "oracle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* libFuzzer calls it once, before all else. */
/* NOLINTNEXTLINE(readability-non-const-parameter): libFuzzer says what its type is */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    REQUIRE(zmtp_crypto_init());
    return 0;
}

void end_run(const char *condition, const char *file, int line)
{
    (void)fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, condition);
    abort();
}

uint8_t take_octet(struct steering *steering)
{
    if (steering->size == 0) {
        return 0;
    }
    steering->size--;
    return *steering->data++;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Whether both are the same but for numbers, each of which may be any other. */
static bool same_sentence(const char *a, const char *b)
{
    while (*a && *b) {
        if (is_digit(*a) && is_digit(*b)) {
            while (is_digit(*a)) {
                a++;
            }
            while (is_digit(*b)) {
                b++;
            }
        } else if (*a++ != *b++) {
            return false;
        }
    }
    return *a == *b;
}

void require_known_sentence(const char *problem, const char *const *sentences, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (same_sentence(problem, sentences[i])) {
            return;
        }
    }
    (void)fprintf(stderr, "not a known sentence: \"%s\"\n", problem);
    abort();
}

static bool same_octets(const uint8_t *a, const uint8_t *b)
{
    return (!a && !b) || (a && b && memcmp(a, b, ZMTP_KEY_SIZE) == 0);
}

static void require_found(const struct zmtp_keyring *ring, enum zmtp_key_class class,
                          const struct zmtp_key *key)
{
    struct zmtp_key found;

    REQUIRE(zmtp_keyring_find(ring, class, key->public_key, &found));
    REQUIRE(same_octets(found.secret, key->secret));
    REQUIRE(same_octets(found.other_public, key->other_public));
}

/* Every key that can be found in `a` is found in `b`. */
static void require_all_found(const struct zmtp_keyring *a, const struct zmtp_keyring *b)
{
    for (int class = 0; class < ZMTP_KEY_CLASSES; class ++) {
        struct zmtp_keyring_walk walk = zmtp_keyring_walk_start(a, (enum zmtp_key_class) class, 0);
        struct zmtp_key key;

        while (zmtp_keyring_walk_next(&walk, &key)) {
            const uint8_t *sides[] = {key.public_key, key.other_public};

            for (size_t i = 0; i < 2; i++) {
                struct zmtp_key by_side;

                /* One side of a session key may belong to a newer one. */
                if (sides[i] &&
                    zmtp_keyring_find(a, (enum zmtp_key_class) class, sides[i], &by_side)) {
                    require_found(b, (enum zmtp_key_class) class, &by_side);
                }
            }
        }
    }
}

void require_same_keys(const struct zmtp_keyring *a, const struct zmtp_keyring *b)
{
    REQUIRE(zmtp_keyring_count(a) == zmtp_keyring_count(b));
    require_all_found(a, b);
    require_all_found(b, a);
}
