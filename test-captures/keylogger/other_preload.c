/* For the tests of libzmtpkeylog.so: another library that hooks the same function.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <string.h>
#include <unistd.h>

typedef int (*beforenm_function)(unsigned char *, const unsigned char *, const unsigned char *);

int crypto_box_beforenm(unsigned char *k, const unsigned char *pk, const unsigned char *sk)
{
    void *symbol = dlsym(RTLD_NEXT, "crypto_box_beforenm");
    beforenm_function next;

    memcpy(&next, &symbol, sizeof next);
    (void)!write(STDOUT_FILENO, "other\n", 6);
    return next(k, pk, sk);
}
