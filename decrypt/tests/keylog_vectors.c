/*
 * The test vectors of KEYLOG.md.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "keylog_vectors.h"

#include <string.h>

#define MEMBER(name, member)                                                                       \
    {                                                                                              \
        name, offsetof(struct keylog_vectors, member),                                             \
            sizeof((struct keylog_vectors *)NULL)->member                                          \
    }
#define OCTETS(name, member) MEMBER(name, handshake.member)

const struct named_octets keylog_vector_names[] = {
    OCTETS("c", client.secret),
    OCTETS("C", client.public_key),
    OCTETS("s", server.secret),
    OCTETS("S", server.public_key),
    OCTETS("c'", client_transient.secret),
    OCTETS("C'", client_transient.public_key),
    OCTETS("s'", server_transient.secret),
    OCTETS("S'", server_transient.public_key),
    OCTETS("K", cookie_key),
    OCTETS("k", session_key),
    OCTETS("HELLO nonce", hello_nonce),
    MEMBER("HELLO plaintext", hello_plain),
    OCTETS("HELLO box", hello),
    MEMBER("cookie plaintext", cookie_plain),
    OCTETS("cookie", cookie),
    OCTETS("WELCOME nonce", welcome_nonce),
    OCTETS("WELCOME plaintext", welcome_plain),
    OCTETS("WELCOME box", welcome),
    OCTETS("vouch nonce", vouch_nonce),
    OCTETS("vouch plaintext", vouch_plain),
    OCTETS("vouch box", vouch),
    OCTETS("INITIATE nonce", initiate_nonce),
    OCTETS("INITIATE plaintext", initiate_plain),
    OCTETS("INITIATE box", initiate),
    OCTETS("READY nonce", ready_nonce),
    OCTETS("READY plaintext", ready_plain),
    OCTETS("READY box", ready),
    OCTETS("client MESSAGE nonce", client_message_nonce),
    OCTETS("client MESSAGE plaintext", client_message_plain),
    OCTETS("client MESSAGE box", client_message),
    OCTETS("server MESSAGE nonce", server_message_nonce),
    OCTETS("server MESSAGE plaintext", server_message_plain),
    OCTETS("server MESSAGE box", server_message),
};

const size_t keylog_vector_count = sizeof keylog_vector_names / sizeof *keylog_vector_names;

const struct named_line keylog_lines[KEYLOG_LINES] = {
    {"CURVE_SESSION_KEY", {"C'", "S'", "k"}}, {"CURVE_COOKIE_KEY", {"C'", "K", NULL}},
    {"CURVE_SECRET_KEY", {"C'", "c'", NULL}}, {"CURVE_SECRET_KEY", {"S'", "s'", NULL}},
    {"CURVE_SECRET_KEY", {"S", "s", NULL}},   {"CURVE_SECRET_KEY", {"C", "c", NULL}},
};

uint8_t *named_octets(struct keylog_vectors *vectors, const struct named_octets *named)
{
    return (uint8_t *)vectors + named->offset;
}

void make_keylog_vectors(struct keylog_vectors *vectors)
{
    struct handshake *h = &vectors->handshake;

    memset(vectors, 0, sizeof *vectors);
    make_handshake_from_seed(h, "ZMTP key log test vectors");
    memcpy(vectors->cookie_plain, h->client_transient.public_key, ZMTP_KEY_SIZE);
    memcpy(vectors->cookie_plain + ZMTP_KEY_SIZE, h->server_transient.secret, ZMTP_KEY_SIZE);
}
