/*
 * Fuzzes keys as text. What is read must be written back the same, and what is written must be read
 * back.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "decrypt/keytext.h"
#include "oracle.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static void require_written_back(const char *text, size_t len, const uint8_t key[ZMTP_KEY_SIZE])
{
    char z85[ZMTP_KEY_Z85_LENGTH + 1];
    char hex[ZMTP_KEY_HEX_LENGTH + 1];

    zmtp_key_to_z85(key, z85);
    zmtp_key_to_hex(key, hex);
    REQUIRE(strlen(z85) == ZMTP_KEY_Z85_LENGTH);
    REQUIRE(strlen(hex) == ZMTP_KEY_HEX_LENGTH);
    if (len == ZMTP_KEY_Z85_LENGTH) {
        REQUIRE(memcmp(text, z85, len) == 0);
    } else {
        for (size_t i = 0; i < len; i++) {
            REQUIRE(tolower((unsigned char)text[i]) == hex[i]);
        }
    }
}

static void require_read_back(const uint8_t key[ZMTP_KEY_SIZE])
{
    char z85[ZMTP_KEY_Z85_LENGTH + 1];
    char hex[ZMTP_KEY_HEX_LENGTH + 1];
    uint8_t back[ZMTP_KEY_SIZE];

    zmtp_key_to_z85(key, z85);
    REQUIRE(zmtp_key_from_text(z85, ZMTP_KEY_Z85_LENGTH, back) == ZMTP_KEYTEXT_OK);
    REQUIRE(memcmp(back, key, sizeof back) == 0);
    zmtp_key_to_hex(key, hex);
    REQUIRE(zmtp_key_from_text(hex, ZMTP_KEY_HEX_LENGTH, back) == ZMTP_KEYTEXT_OK);
    REQUIRE(memcmp(back, key, sizeof back) == 0);
}

/* The words for a status fit into whatever buffer there is, and end. */
static void require_explained(enum zmtp_keytext_status status, size_t len, size_t buffer_size)
{
    static const char *const sentences[] = {
        "a good key",
        "1 character: a Z85 key has 40, a hex key 64",
        "2 characters: a Z85 key has 40, a hex key 64",
        "a character that is not a hexadecimal digit",
        "a character that is not in the Z85 alphabet",
        "not Z85: a group of 5 characters exceeds 32 bits",
    };
    char *small = malloc(buffer_size + 1);
    char whole[64];

    REQUIRE(small != NULL);
    small[buffer_size] = 'x';
    REQUIRE(zmtp_keytext_explain(status, len, small, buffer_size) == small);
    REQUIRE(small[buffer_size] == 'x');
    REQUIRE(buffer_size == 0 || memchr(small, '\0', buffer_size) != NULL);
    free(small);
    require_known_sentence(zmtp_keytext_explain(status, len, whole, sizeof whole), sentences,
                           sizeof sentences / sizeof *sentences);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t zeros[ZMTP_KEY_SIZE];
    uint8_t key[ZMTP_KEY_SIZE];

    memset(key, 0xa5, sizeof key);
    enum zmtp_keytext_status status = zmtp_key_from_text((const char *)data, size, key);

    if (status == ZMTP_KEYTEXT_OK) {
        REQUIRE(size == ZMTP_KEY_Z85_LENGTH || size == ZMTP_KEY_HEX_LENGTH);
        require_written_back((const char *)data, size, key);
    } else {
        REQUIRE(memcmp(key, zeros, sizeof key) == 0);
        REQUIRE((status == ZMTP_KEYTEXT_WRONG_LENGTH) ==
                (size != ZMTP_KEY_Z85_LENGTH && size != ZMTP_KEY_HEX_LENGTH));
    }
    require_explained(status, size, size > 0 ? data[0] % 80 : 0);
    if (size >= ZMTP_KEY_SIZE) {
        require_read_back(data);
    }
    return 0;
}
