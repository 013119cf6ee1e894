/*
 * Certificate files: CURVE keys as ZeroMQ programs keep them on disk.
 *
 * CZMQ (zcert) and pyzmq (zmq.auth.create_certificates) write ZPL (RFC 4):
 *
 *   curve
 *       public-key = "<40 characters of Z85>"
 *       secret-key = "<40 characters of Z85>"
 *
 * A public certificate has the first key only. Which key of RFC 26 it is, S or C, it does not say.
 * A key of zeros is not there: CZMQ writes 40 of them for a secret key that it does not have.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef ZMTP_DECRYPT_CERTIFICATE_H
#define ZMTP_DECRYPT_CERTIFICATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "keytext.h"

struct zmtp_certificate {
    bool has_public;
    bool has_secret;
    uint8_t public_key[ZMTP_KEY_SIZE]; /* derived from the secret key where only that is there */
    uint8_t secret_key[ZMTP_KEY_SIZE]; /* wipe it after use: zmtp_wipe */
};

enum zmtp_certificate_status {
    ZMTP_CERTIFICATE_OK,
    ZMTP_CERTIFICATE_NONE, /* the text has no key of CURVE in it: some other kind of file */
    ZMTP_CERTIFICATE_BAD,  /* it has, and they are no use: `problem` says why */
};

/* What is wrong with a certificate, in words that can follow a file name and a colon; "line 7:
 * public key: 39 characters: a Z85 key has 40, a hex key 64". Never any part of a key. */
struct zmtp_certificate_problem {
    char text[160];
};

/*
 * Reads a certificate from `len` octets of ZPL, which need not end in NUL. Keys count only right
 * below the section `curve`, in double, single or no quotes. `certificate` is all zero unless the
 * status is OK; `problem` is written when the status is BAD.
 */
enum zmtp_certificate_status zmtp_certificate_from_zpl(const char *text, size_t len,
                                                       struct zmtp_certificate *certificate,
                                                       struct zmtp_certificate_problem *problem);

/*
 * The same for two keys as text (from a Jupyter connection file: curve_publickey and
 * curve_secretkey); either may be NULL: not there.
 */
enum zmtp_certificate_status zmtp_certificate_from_keys(const char *public_text,
                                                        const char *secret_text,
                                                        struct zmtp_certificate *certificate,
                                                        struct zmtp_certificate_problem *problem);

#endif
