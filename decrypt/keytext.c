/*
 * Keys as text: hexadecimal, and Z85 as RFC 32 defines it.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "keytext.h"

#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* RFC 32, "Formal Specification": a Z85 character is worth its position here. */
static const char z85_alphabet[] = "0123456789"
                                   "abcdefghijklmnopqrstuvwxyz"
                                   "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                   ".-:+=^!/*?&<>()[]{}@%$#";

enum { Z85_BASE = 85, Z85_GROUP = 5, Z85_GROUP_OCTETS = 4 };

static enum zmtp_keytext_status hex_to_key(const char *text, uint8_t key[ZMTP_KEY_SIZE])
{
    size_t key_len = 0;

    /* Without a pointer for the end of the digits, trailing garbage is an error as well. */
    if (sodium_hex2bin(key, ZMTP_KEY_SIZE, text, ZMTP_KEY_HEX_LENGTH, NULL, &key_len, NULL) != 0 ||
        key_len != ZMTP_KEY_SIZE) {
        return ZMTP_KEYTEXT_BAD_CHARACTER;
    }
    return ZMTP_KEYTEXT_OK;
}

static enum zmtp_keytext_status z85_to_key(const char *text, uint8_t key[ZMTP_KEY_SIZE])
{
    for (size_t group = 0; group < ZMTP_KEY_Z85_LENGTH / Z85_GROUP; group++) {
        uint64_t value = 0;

        for (size_t i = 0; i < Z85_GROUP; i++) {
            const char *digit = memchr(z85_alphabet, text[group * Z85_GROUP + i], Z85_BASE);

            if (!digit) {
                return ZMTP_KEYTEXT_BAD_CHARACTER;
            }
            value = value * Z85_BASE + (uint64_t)(digit - z85_alphabet);
        }
        if (value > UINT32_MAX) {
            return ZMTP_KEYTEXT_GROUP_OVERFLOW;
        }
        for (size_t i = 0; i < Z85_GROUP_OCTETS; i++) {
            key[group * Z85_GROUP_OCTETS + i] = (uint8_t)(value >> (24 - 8 * i));
        }
    }
    return ZMTP_KEYTEXT_OK;
}

enum zmtp_keytext_status zmtp_key_from_text(const char *text, size_t len,
                                            uint8_t key[ZMTP_KEY_SIZE])
{
    enum zmtp_keytext_status status = ZMTP_KEYTEXT_WRONG_LENGTH;

    if (len == ZMTP_KEY_HEX_LENGTH) {
        status = hex_to_key(text, key);
    } else if (len == ZMTP_KEY_Z85_LENGTH) {
        status = z85_to_key(text, key);
    }
    if (status != ZMTP_KEYTEXT_OK) {
        sodium_memzero(key, ZMTP_KEY_SIZE);
    }
    return status;
}

const char *zmtp_keytext_explain(enum zmtp_keytext_status status, size_t len, char *buf,
                                 size_t size)
{
    switch (status) {
    case ZMTP_KEYTEXT_OK:
        (void)snprintf(buf, size, "a good key");
        break;
    case ZMTP_KEYTEXT_WRONG_LENGTH:
        (void)snprintf(buf, size, "%zu character%s: a Z85 key has %d, a hex key %d", len,
                       len == 1 ? "" : "s", ZMTP_KEY_Z85_LENGTH, ZMTP_KEY_HEX_LENGTH);
        break;
    case ZMTP_KEYTEXT_BAD_CHARACTER:
        (void)snprintf(buf, size, "a character that is not %s",
                       len == ZMTP_KEY_HEX_LENGTH ? "a hexadecimal digit" : "in the Z85 alphabet");
        break;
    case ZMTP_KEYTEXT_GROUP_OVERFLOW:
        (void)snprintf(buf, size, "not Z85: a group of 5 characters exceeds 32 bits");
        break;
    }
    return buf;
}

void zmtp_key_to_z85(const uint8_t key[ZMTP_KEY_SIZE], char out[ZMTP_KEY_Z85_LENGTH + 1])
{
    for (size_t group = 0; group < ZMTP_KEY_Z85_LENGTH / Z85_GROUP; group++) {
        uint32_t value = 0;

        for (size_t i = 0; i < Z85_GROUP_OCTETS; i++) {
            value = value << 8 | key[group * Z85_GROUP_OCTETS + i];
        }
        for (size_t i = Z85_GROUP; i-- > 0;) {
            out[group * Z85_GROUP + i] = z85_alphabet[value % Z85_BASE];
            value /= Z85_BASE;
        }
    }
    out[ZMTP_KEY_Z85_LENGTH] = '\0';
}

void zmtp_key_to_hex(const uint8_t key[ZMTP_KEY_SIZE], char out[ZMTP_KEY_HEX_LENGTH + 1])
{
    sodium_bin2hex(out, ZMTP_KEY_HEX_LENGTH + 1, key, ZMTP_KEY_SIZE);
}
