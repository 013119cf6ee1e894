/* For recording captures, beside libzmtpkeylog.so: also logs the transient secret keys and the
 * server's cookie keys, which only the tests of those key kinds need. Loaded with LD_PRELOAD,
 * before libzmtpkeylog.so, which logs the session keys to the same file.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

enum { KEY_SIZE = crypto_box_PUBLICKEYBYTES };

typedef int (*beforenm_function)(unsigned char *, const unsigned char *, const unsigned char *);

static void log_keys(const char *label, const unsigned char *public_key,
                     const unsigned char *secret_key)
{
    char line[32 + 2 * (2 * KEY_SIZE + 1) + 1];
    char public_hex[2 * KEY_SIZE + 1];
    char secret_hex[2 * KEY_SIZE + 1];

    sodium_bin2hex(public_hex, sizeof public_hex, public_key, KEY_SIZE);
    sodium_bin2hex(secret_hex, sizeof secret_hex, secret_key, KEY_SIZE);
    int len = snprintf(line, sizeof line, "%s %s %s\n", label, public_hex, secret_hex);
    int file = open(getenv("ZMTPKEYLOGFILE"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (file < 0 || write(file, line, (size_t)len) != len) {
        perror("transient_preload: ZMTPKEYLOGFILE");
        abort();
    }
    close(file);
}

/* libzmq calls this once per side and handshake, with the peer's and its own transient key. */
int crypto_box_beforenm(unsigned char *k, const unsigned char *pk, const unsigned char *sk)
{
    void *symbol = dlsym(RTLD_NEXT, "crypto_box_beforenm"); /* libzmtpkeylog.so's */
    beforenm_function next;
    unsigned char own[KEY_SIZE];

    memcpy(&next, &symbol, sizeof next);
    int result = next(k, pk, sk);
    if (result == 0 && crypto_scalarmult_base(own, sk) == 0) {
        log_keys("CURVE_SECRET_KEY", own, sk);
    }
    return result;
}

/* libzmq seals the cookie with this: 32 octets of zeros, then C' and s' (RFC 26, WELCOME). */
int crypto_secretbox(unsigned char *c, const unsigned char *m, unsigned long long mlen,
                     const unsigned char *n, const unsigned char *k)
{
    const unsigned long long cookie_size = crypto_secretbox_ZEROBYTES + 2 * KEY_SIZE;

    if (mlen == cookie_size && memcmp(n, "COOKIE--", 8) == 0) {
        log_keys("CURVE_COOKIE_KEY", m + crypto_secretbox_ZEROBYTES, k);
    }
    return crypto_secretbox_xsalsa20poly1305(c, m, mlen, n, k);
}
