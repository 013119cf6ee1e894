/* Key logger for recording captures: loaded with LD_PRELOAD into a process that uses libzmq with
 * shared libsodium, it appends one CURVE_SESSION_KEY line for each handshake to the file named by
 * ZMTPKEYLOGFILE. Built with -DLOG_TRANSIENT it also logs the transient secret keys and the
 * server's cookie keys, which only the tests of those key kinds need.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

enum {
    KEY_SIZE = crypto_box_PUBLICKEYBYTES,
    /* The longest label, three keys in hexadecimal, blanks, newline. */
    LINE_SIZE = 32 + 3 * (2 * KEY_SIZE + 1) + 1
};

typedef int (*beforenm_function)(unsigned char *, const unsigned char *, const unsigned char *);

static void warn_once(const char *path)
{
    static atomic_flag warned = ATOMIC_FLAG_INIT;

    if (!atomic_flag_test_and_set(&warned)) {
        fprintf(stderr, "zmtp key log: cannot write %s: %s\n", path, strerror(errno));
    }
}

/* The file is opened anew for each line: it may have been moved away, and a descriptor that is
 * kept open would be one that the program does not know of. */
static void log_line(const char *label, const unsigned char *const keys[], size_t count)
{
    const char *path = getenv("ZMTPKEYLOGFILE");
    char line[LINE_SIZE];
    size_t used;

    if (path == NULL || path[0] == '\0') {
        return;
    }
    used = (size_t)snprintf(line, sizeof line, "%s", label);
    for (size_t i = 0; i < count; i++) {
        line[used++] = ' ';
        sodium_bin2hex(line + used, sizeof line - used, keys[i], KEY_SIZE);
        used += 2 * KEY_SIZE;
    }
    line[used++] = '\n';

    int file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (file < 0) {
        warn_once(path);
    } else {
        /* One write: several processes and threads append to the same file. */
        if (write(file, line, used) != (ssize_t)used) {
            warn_once(path);
        }
        close(file);
    }
    sodium_memzero(line, sizeof line);
}

/* RTLD_NEXT finds nothing when libzmq was loaded with RTLD_LOCAL and this library stands last in
 * the global scope; the function beneath does the same work and is never interposed. */
static int real_beforenm(unsigned char *k, const unsigned char *pk, const unsigned char *sk)
{
    void *symbol = dlsym(RTLD_NEXT, "crypto_box_beforenm");
    beforenm_function next;

    if (symbol == NULL) {
        return crypto_box_curve25519xsalsa20poly1305_beforenm(k, pk, sk);
    }
    memcpy(&next, &symbol, sizeof next);
    return next(k, pk, sk);
}

/* libzmq calls this once per side and handshake, with the peer's and its own transient key. */
int crypto_box_beforenm(unsigned char *k, const unsigned char *pk, const unsigned char *sk)
{
    int saved_errno = errno;
    unsigned char own[KEY_SIZE];
    int result = real_beforenm(k, pk, sk);

    if (result == 0 && crypto_scalarmult_base(own, sk) == 0) {
        log_line("CURVE_SESSION_KEY", (const unsigned char *const[]){own, pk, k}, 3);
#ifdef LOG_TRANSIENT
        log_line("CURVE_SECRET_KEY", (const unsigned char *const[]){own, sk}, 2);
#endif
    }
    errno = saved_errno;
    return result;
}

#ifdef LOG_TRANSIENT
/* libzmq seals the cookie with this: 32 octets of zeros, then C' and s' (RFC 26, WELCOME). */
int crypto_secretbox(unsigned char *c, const unsigned char *m, unsigned long long mlen,
                     const unsigned char *n, const unsigned char *k)
{
    const unsigned long long cookie_size = crypto_secretbox_ZEROBYTES + 2 * KEY_SIZE;

    if (mlen == cookie_size && memcmp(n, "COOKIE--", 8) == 0) {
        log_line("CURVE_COOKIE_KEY",
                 (const unsigned char *const[]){m + crypto_secretbox_ZEROBYTES, k}, 2);
    }
    return crypto_secretbox_xsalsa20poly1305(c, m, mlen, n, k);
}
#endif
