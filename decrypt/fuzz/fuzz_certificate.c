/*
 * Fuzzes certificates. What is read must be a pair that belongs together, must be read back when it
 * is written, and must not depend on how lines end.
 *
 * The first octet of the input chooses ZPL or two keys, which a NUL divides.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "decrypt/certificate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracle.h"

#define SAYS(rest)                                                                                 \
    "public key: " rest, "secret key: " rest, "line 1: public key: " rest,                         \
        "line 1: secret key: " rest
#define MISMATCH "the secret key does not belong to the public key"

static const char *const sentences[] = {
    SAYS("1 character: a Z85 key has 40, a hex key 64"),
    SAYS("2 characters: a Z85 key has 40, a hex key 64"),
    SAYS("a character that is not a hexadecimal digit"),
    SAYS("a character that is not in the Z85 alphabet"),
    SAYS("not Z85: a group of 5 characters exceeds 32 bits"),
    SAYS("not the same as in line 1"),
    SAYS("needs a `=`"),
    SAYS("needs a closing quote"),
    SAYS("more follows behind it"),
    MISMATCH,
    ("line 1: " MISMATCH),
};

struct outcome {
    enum zmtp_certificate_status status;
    struct zmtp_certificate certificate;
    struct zmtp_certificate_problem problem;
};

static struct outcome new_outcome(void)
{
    struct outcome outcome;

    memset(&outcome, 0xa5, sizeof outcome);
    return outcome;
}

static void require_good(const struct zmtp_certificate *certificate)
{
    static const uint8_t zeros[ZMTP_KEY_SIZE];
    uint8_t derived[ZMTP_KEY_SIZE];

    REQUIRE(certificate->has_public);
    REQUIRE(memcmp(certificate->public_key, zeros, sizeof zeros) != 0);
    REQUIRE(certificate->has_secret == (memcmp(certificate->secret_key, zeros, sizeof zeros) != 0));
    if (certificate->has_secret) {
        REQUIRE(zmtp_public_from_secret(certificate->secret_key, derived));
        REQUIRE(memcmp(certificate->public_key, derived, sizeof derived) == 0);
    }
}

static void require_sound(const struct outcome *outcome)
{
    static const struct zmtp_certificate nothing;
    const struct zmtp_certificate *certificate = &outcome->certificate;

    switch (outcome->status) {
    case ZMTP_CERTIFICATE_OK:
        require_good(certificate);
        return;
    case ZMTP_CERTIFICATE_BAD:
        REQUIRE(memchr(outcome->problem.text, '\0', sizeof outcome->problem.text) != NULL);
        require_known_sentence(outcome->problem.text, sentences,
                               sizeof sentences / sizeof *sentences);
        break;
    case ZMTP_CERTIFICATE_NONE:
        break;
    }
    REQUIRE(!certificate->has_public && !certificate->has_secret);
    REQUIRE(memcmp(certificate->public_key, nothing.public_key, ZMTP_KEY_SIZE) == 0);
    REQUIRE(memcmp(certificate->secret_key, nothing.secret_key, ZMTP_KEY_SIZE) == 0);
}

static struct outcome read_zpl(const char *text, size_t len)
{
    struct outcome outcome = new_outcome();

    outcome.status = zmtp_certificate_from_zpl(text, len, &outcome.certificate, &outcome.problem);
    require_sound(&outcome);
    return outcome;
}

static struct outcome read_keys(const char *public_text, const char *secret_text)
{
    struct outcome outcome = new_outcome();

    outcome.status = zmtp_certificate_from_keys(public_text, secret_text, &outcome.certificate,
                                                &outcome.problem);
    require_sound(&outcome);
    return outcome;
}

static void require_same(const struct outcome *a, const struct outcome *b)
{
    REQUIRE(a->status == b->status);
    REQUIRE(a->certificate.has_public == b->certificate.has_public);
    REQUIRE(a->certificate.has_secret == b->certificate.has_secret);
    REQUIRE(memcmp(a->certificate.public_key, b->certificate.public_key, ZMTP_KEY_SIZE) == 0);
    REQUIRE(memcmp(a->certificate.secret_key, b->certificate.secret_key, ZMTP_KEY_SIZE) == 0);
    if (a->status == ZMTP_CERTIFICATE_BAD) {
        REQUIRE(strcmp(a->problem.text, b->problem.text) == 0);
    }
}

/* The same text with a byte order mark and CRLF. */
static void require_any_line_ends(const struct outcome *expected, const char *text, size_t len)
{
    char *dos = malloc(3 + 2 * len);
    size_t dos_len = 3;

    REQUIRE(dos != NULL);
    memcpy(dos, "\xef\xbb\xbf", 3);
    if (len >= 3 && memcmp(text, dos, 3) == 0) {
        text += 3;
        len -= 3;
    }
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\n') {
            dos[dos_len++] = '\r';
        }
        dos[dos_len++] = text[i];
    }

    struct outcome outcome = read_zpl(dos, dos_len);
    require_same(expected, &outcome);
    free(dos);
}

static void require_read_back(const struct outcome *expected)
{
    const struct zmtp_certificate *certificate = &expected->certificate;
    char public_text[ZMTP_KEY_Z85_LENGTH + 1];
    char secret_text[ZMTP_KEY_Z85_LENGTH + 1];
    char zpl[256];

    zmtp_key_to_z85(certificate->public_key, public_text);
    zmtp_key_to_z85(certificate->secret_key, secret_text); /* 40 zeros if there is none */
    int len = snprintf(zpl, sizeof zpl, "curve\n    public-key = \"%s\"\n    secret-key = '%s'\n",
                       public_text, secret_text);

    struct outcome outcome = read_zpl(zpl, (size_t)len);
    require_same(expected, &outcome);
    outcome = read_keys(public_text, certificate->has_secret ? secret_text : NULL);
    require_same(expected, &outcome);
    if (certificate->has_secret) {
        outcome = read_keys(NULL, secret_text);
        require_same(expected, &outcome);
    }
}

/* Two keys that are good alone are a certificate if they belong together, and bad if not. */
static void require_judged_as_pair(const struct outcome *pair, const char *public_text,
                                   const char *secret_text)
{
    struct outcome public_alone = read_keys(public_text, NULL);
    struct outcome secret_alone = read_keys(NULL, secret_text);

    if (public_alone.status != ZMTP_CERTIFICATE_OK || !secret_alone.certificate.has_secret) {
        return;
    }
    bool belong = memcmp(public_alone.certificate.public_key, secret_alone.certificate.public_key,
                         ZMTP_KEY_SIZE) == 0;

    REQUIRE(pair->status == (belong ? ZMTP_CERTIFICATE_OK : ZMTP_CERTIFICATE_BAD));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct steering steering = {data, size};
    bool is_zpl = take_octet(&steering) % 4 != 0;
    struct outcome outcome;

    if (is_zpl) {
        outcome = read_zpl((const char *)steering.data, steering.size);
        require_any_line_ends(&outcome, (const char *)steering.data, steering.size);
    } else {
        char *keys = calloc(steering.size + 2, 1);

        REQUIRE(keys != NULL);
        if (steering.size > 0) {
            memcpy(keys, steering.data, steering.size);
        }
        outcome = read_keys(keys, keys + strlen(keys) + 1);
        require_judged_as_pair(&outcome, keys, keys + strlen(keys) + 1);
        free(keys);
    }
    if (outcome.status == ZMTP_CERTIFICATE_OK) {
        require_read_back(&outcome);
    }
    return 0;
}
