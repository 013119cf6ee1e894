/*
 * Keys as people and files write them: 64 hexadecimal digits, or 40 characters of Z85 (RFC 32).
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef ZMTP_DECRYPT_KEYTEXT_H
#define ZMTP_DECRYPT_KEYTEXT_H

#include <stddef.h>
#include <stdint.h>

#define ZMTP_KEY_SIZE 32 /* octets; every key of RFC 26, public, secret or shared */
#define ZMTP_KEY_HEX_LENGTH 64
#define ZMTP_KEY_Z85_LENGTH 40

enum zmtp_keytext_status {
    ZMTP_KEYTEXT_OK,
    ZMTP_KEYTEXT_WRONG_LENGTH,   /* neither 64 nor 40 characters */
    ZMTP_KEYTEXT_BAD_CHARACTER,  /* not a hexadecimal digit; not in the alphabet of RFC 32 */
    ZMTP_KEYTEXT_GROUP_OVERFLOW, /* five Z85 characters that stand for 2^32 or more */
};

/*
 * Reads a key from `len` characters at `text`, which need not end in NUL. The length alone tells
 * hexadecimal (either case) from Z85. `key` is all zero unless the status is ZMTP_KEYTEXT_OK.
 */
enum zmtp_keytext_status zmtp_key_from_text(const char *text, size_t len,
                                            uint8_t key[ZMTP_KEY_SIZE]);

/*
 * Writes into `buf` (of `size` octets, cut to fit, always NUL-terminated when size > 0; 64 are
 * enough) what is wrong with a text of `len` characters, in words that can follow "public key: ".
 * The text itself is not a parameter, so no secret can get into the message. Returns `buf`.
 */
const char *zmtp_keytext_explain(enum zmtp_keytext_status status, size_t len, char *buf,
                                 size_t size);

/* The key as text, NUL-terminated; hexadecimal in lower case. */
void zmtp_key_to_z85(const uint8_t key[ZMTP_KEY_SIZE], char out[ZMTP_KEY_Z85_LENGTH + 1]);
void zmtp_key_to_hex(const uint8_t key[ZMTP_KEY_SIZE], char out[ZMTP_KEY_HEX_LENGTH + 1]);

#endif
