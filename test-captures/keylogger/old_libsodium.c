/* For the tests of libzmtpkeylog.so: the names of an old libsodium, on functions that are none of
 * cryptography. The public key is the secret key plus 1, the session key is the sum of both keys.
 * With -DNO_SCALARMULT it lacks the second function.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
int crypto_box_curve25519xsalsa20poly1305_ref_beforenm(unsigned char *k, const unsigned char *pk,
                                                       const unsigned char *sk);

int crypto_box_curve25519xsalsa20poly1305_ref_beforenm(unsigned char *k, const unsigned char *pk,
                                                       const unsigned char *sk)
{
    for (int i = 0; i < 32; i++) {
        k[i] = (unsigned char)(pk[i] + sk[i]);
    }
    return 0;
}

#ifndef NO_SCALARMULT
int crypto_scalarmult_curve25519_ref_base(unsigned char *q, const unsigned char *n);

int crypto_scalarmult_curve25519_ref_base(unsigned char *q, const unsigned char *n)
{
    for (int i = 0; i < 32; i++) {
        q[i] = (unsigned char)(n[i] + 1);
    }
    return 0;
}
#endif
