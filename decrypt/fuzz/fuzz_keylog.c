/*
 * Fuzzes the parser of key logs. A text that arrives in pieces must give the same keys, counts and
 * reports as the same text in one piece, also when the reader looks at it between the pieces.
 *
 * The input is a text; its last octets, read backwards, say where it is cut.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "keylog_oracle.h"
#include "oracle.h"

enum { MAX_PIECE = 256 };

static void feed_in_one_piece(struct reading *reading, const char *text, size_t len)
{
    zmtp_keylog_feed(&reading->log, &reading->sink, text, len);
    zmtp_keylog_finish(&reading->log, &reading->sink, true);
}

/* `look`: as a file that is read while it grows. */
static void feed_in_pieces(struct reading *reading, const char *text, size_t len, bool look)
{
    size_t fed = 0;

    for (size_t cut = len; fed < len; cut--) {
        size_t piece = cut > 0 ? (uint8_t)text[cut - 1] % MAX_PIECE + 1 : 1;

        if (piece > len - fed) {
            piece = len - fed;
        }
        zmtp_keylog_feed(&reading->log, &reading->sink, text + fed, piece);
        fed += piece;
        if (look) {
            zmtp_keylog_finish(&reading->log, &reading->sink, false);
        }
    }
    zmtp_keylog_finish(&reading->log, &reading->sink, true);
}

/*
 * An unfinished line that looks whole is used early. Then it is a duplicate when it ends, or, when
 * it goes on after all, a bad line.
 */
static void require_same_reading(const struct reading *whole, const struct reading *pieces,
                                 bool look)
{
    const struct zmtp_keylog_counts *a = &whole->log.counts;
    const struct zmtp_keylog_counts *b = &pieces->log.counts;

    REQUIRE(a->unknown == b->unknown);
    REQUIRE(a->malformed == b->malformed);
    REQUIRE(a->mismatched == b->mismatched);
    REQUIRE(a->refused == 0 && b->refused == 0);
    REQUIRE(whole->log.line == pieces->log.line);
    if (!look || a->malformed == 0) {
        REQUIRE(a->added == b->added);
        REQUIRE(a->duplicates <= b->duplicates);
        require_same_keys(whole->ring, pieces->ring);
    }
    if (!look) {
        REQUIRE(a->duplicates == b->duplicates);
        REQUIRE(whole->reports == pieces->reports);
        REQUIRE(whole->last_line == pieces->last_line);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct reading whole;
    static struct reading pieces;
    const char *text = (const char *)data;
    bool look = size > 0 && data[size - 1] % 2 == 1;

    start_reading(&whole);
    start_reading(&pieces);
    feed_in_one_piece(&whole, text, size);
    feed_in_pieces(&pieces, text, size, look);
    require_same_reading(&whole, &pieces, look);
    end_reading(&whole);
    end_reading(&pieces);
    return 0;
}
