/* For the tests of libzmtpkeylog.so: a library that needs another one, as libzmq needs libsodium.
 * Or that holds it: crypto_box then stands for a function of TweetNaCl within libzmq.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
int crypto_box_curve25519xsalsa20poly1305_ref_beforenm(unsigned char *k, const unsigned char *pk,
                                                       const unsigned char *sk);
int call(unsigned char *k, const unsigned char *pk, const unsigned char *sk);
int crypto_box(unsigned char *k, const unsigned char *pk, const unsigned char *sk);

int call(unsigned char *k, const unsigned char *pk, const unsigned char *sk)
{
    return crypto_box_curve25519xsalsa20poly1305_ref_beforenm(k, pk, sk);
}

int crypto_box(unsigned char *k, const unsigned char *pk, const unsigned char *sk)
{
    return crypto_box_curve25519xsalsa20poly1305_ref_beforenm(k, pk, sk);
}

/* As in libsodium, where this name goes on to another that is hooked too. */
int crypto_box_beforenm(unsigned char *k, const unsigned char *pk, const unsigned char *sk);
int handshake(unsigned char *k, const unsigned char *pk, const unsigned char *sk);

int crypto_box_beforenm(unsigned char *k, const unsigned char *pk, const unsigned char *sk)
{
    return crypto_box_curve25519xsalsa20poly1305_ref_beforenm(k, pk, sk);
}

int handshake(unsigned char *k, const unsigned char *pk, const unsigned char *sk)
{
    /* No jump: the caller is to be in this file. */
    return crypto_box_beforenm(k, pk, sk) == 0 ? 0 : -1;
}
