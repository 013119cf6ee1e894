/* key_files.h - gives the plugin keys as a user does: in a key log, the key table, a certificate.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef FUZZ_KEY_FILES_H
#define FUZZ_KEY_FILES_H

#include <stdbool.h>
#include <stdint.h>

void begin_key_files(bool embedded);
void end_key_files(void);

/* Before the capture is read. */
void add_key_row(const uint8_t *data, unsigned len);
void give_certificate(const uint8_t *data, unsigned len);
void expect_key_log(void);

/* While it is read: the key log grows, or the capture has a block with keys. */
void append_keys(const char *keys, unsigned len);

#endif
