/*
 * What the fuzzers of the key log share.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "keylog_oracle.h"

#include "oracle.h"

#define FIELD(explained) "field 2: " explained
#define NEEDS(label) label " needs 3 keys, found 2", label " needs 3 keys, found more"

static const char *const sentences[] = {
    NEEDS("CURVE_SESSION_KEY"),
    NEEDS("CURVE_SECRET_KEY"),
    NEEDS("CURVE_COOKIE_KEY"),
    FIELD("1 character: a Z85 key has 40, a hex key 64"),
    FIELD("2 characters: a Z85 key has 40, a hex key 64"),
    FIELD("a character that is not a hexadecimal digit"),
    FIELD("a character that is not in the Z85 alphabet"),
    FIELD("not Z85: a group of 5 characters exceeds 32 bits"),
    "longer than 512 characters",
    "the secret key does not belong to the public key",
    "1 more malformed line",
    "2 more malformed lines",
};

static void hear(void *ctx, unsigned long line, const char *problem)
{
    struct reading *reading = ctx;

    REQUIRE(line > reading->last_line);
    reading->last_line = line;
    reading->reports++;
    REQUIRE(reading->reports <= ZMTP_KEYLOG_MAX_REPORTS + 1);
    require_known_sentence(problem, sentences, sizeof sentences / sizeof *sentences);
}

void start_reading(struct reading *reading)
{
    *reading = (struct reading){.ring = zmtp_keyring_new()};
    REQUIRE(reading->ring != NULL);
    reading->sink = (struct zmtp_keylog_sink){reading->ring, ZMTP_SOURCE_KEYLOG, hear, reading};
    zmtp_keylog_init(&reading->log);
}

void end_reading(struct reading *reading)
{
    zmtp_keylog_clear(&reading->log);
    zmtp_keyring_free(reading->ring);
}

void new_text(struct reading *reading)
{
    reading->reports = 0;
    reading->last_line = 0;
}
