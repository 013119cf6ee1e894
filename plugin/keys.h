/* keys.h - what the files that bring keys into the keyring share.
 *
 * Every source of keys is read when a capture file is opened, or dissected anew after preferences
 * changed, and forgotten when it is closed.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef KEYS_H
#define KEYS_H

#include "zmtp.h"

#include "../decrypt/keyring.h"

/* Tells people of a problem, in a dialog or on standard error; the same text only once. */
void zmtp_tell_failure(const char *text);
void zmtp_tell_warning(const char *text);

/* Tells that everybody can read a file with secrets in it, and what that allows. */
void zmtp_tell_world_readable(const char *what, const char *path, const char *danger);

/* key_table.c: keys typed into the preferences. */
void zmtp_register_key_table(const struct zmtp_registry *registry);
void zmtp_read_key_table(struct zmtp_keyring *ring);

/* certificates.c: files and folders named in the preferences. */
void zmtp_register_certificates(const struct zmtp_registry *registry);
void zmtp_read_certificates(struct zmtp_keyring *ring);

#endif
