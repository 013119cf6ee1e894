/* key_files.h - gives the plugin keys as a user does: in a key log, the key table, a certificate.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef FUZZ_KEY_FILES_H
#define FUZZ_KEY_FILES_H

#include <stdbool.h>
#include <stdint.h>

#include "../../decrypt/tests/handshake.h"

void begin_key_files(bool in_blocks);
void end_key_files(void);

/* Before the capture is read.  Without text: keys of the peers, as real users have them. */
void add_key_row(const struct handshake *peers, const uint8_t *data, unsigned len);
void give_certificate(const struct handshake *peers, const uint8_t *data, unsigned len);
/* It is there from the beginning, or only when it gets its first keys. */
void expect_key_log(bool from_beginning);

/* Lines of a key log with keys of the peers: GIVE_SESSION_KEY and so on.  Public keys alone have no
 * place in it. */
void append_key_lines(const struct handshake *peers, unsigned given);

/* While it is read: the key log grows, or the capture has a block with keys. */
void append_keys(const char *keys, unsigned len);

#endif
