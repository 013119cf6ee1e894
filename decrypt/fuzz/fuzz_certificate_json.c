/*
 * Fuzzes connection files: JSON of which Wireshark's parser makes two keys.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "plugin/certificates.h"

#include <stdlib.h>
#include <string.h>

#include "oracle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct zmtp_certificate certificate;
    struct zmtp_certificate_problem problem;
    uint8_t derived[ZMTP_KEY_SIZE];
    char *text = calloc(size + 1, 1);

    REQUIRE(text != NULL);
    if (size > 0) {
        memcpy(text, data, size);
    }
    memset(&certificate, 0xa5, sizeof certificate);
    memset(&problem, 0xa5, sizeof problem);
    switch (zmtp_certificate_from_json(text, &certificate, &problem)) {
    case ZMTP_CERTIFICATE_OK:
        REQUIRE(certificate.has_public);
        if (certificate.has_secret) {
            REQUIRE(zmtp_public_from_secret(certificate.secret_key, derived));
            REQUIRE(memcmp(certificate.public_key, derived, sizeof derived) == 0);
        }
        break;
    case ZMTP_CERTIFICATE_BAD:
        REQUIRE(memchr(problem.text, '\0', sizeof problem.text) != NULL);
        break;
    case ZMTP_CERTIFICATE_NONE:
        break;
    }
    free(text);
    return 0;
}
