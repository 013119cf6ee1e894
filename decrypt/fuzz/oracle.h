/*
 * What the fuzzers share: assertions that stay on, and the check that a message tells nothing of
 * the text it is about.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef ZMTP_FUZZ_ORACLE_H
#define ZMTP_FUZZ_ORACLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "decrypt/keyring.h"

/* Ends the run with this line of the harness in the trace: a finding. */
#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            end_run(#condition, __FILE__, __LINE__);                                               \
        }                                                                                          \
    } while (0)

_Noreturn void end_run(const char *condition, const char *file, int line);

/* The entry points that libFuzzer calls; the first is in oracle.c. Always 0. */
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Octets of the input that steer a harness: taken one by one, 0 when there are no more. */
struct steering {
    const uint8_t *data;
    size_t size;
};

uint8_t take_octet(struct steering *steering);

/*
 * Requires that a problem is one of the sentences in `sentences` (`count` of them), numbers aside.
 * Nothing of the input can be in it then, but its lengths and line numbers.
 */
void require_known_sentence(const char *problem, const char *const *sentences, size_t count);

/* Requires that both rings hold the same keys: found by the same public keys, class by class. */
void require_same_keys(const struct zmtp_keyring *a, const struct zmtp_keyring *b);

#endif
