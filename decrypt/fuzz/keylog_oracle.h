/*
 * What the fuzzers of the key log share: a parser with its ring, which listens to its complaints.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef ZMTP_FUZZ_KEYLOG_ORACLE_H
#define ZMTP_FUZZ_KEYLOG_ORACLE_H

#include "decrypt/keylog.h"

struct reading {
    struct zmtp_keyring *ring;
    struct zmtp_keylog log;
    struct zmtp_keylog_sink sink;
    unsigned reports; /* since the last new_text() */
    unsigned long last_line;
};

/* An empty ring and parser. The sink points into `reading`: it must not move. */
void start_reading(struct reading *reading);
void end_reading(struct reading *reading);

/* The reports begin anew, as a parser's do with another text. */
void new_text(struct reading *reading);

#endif
