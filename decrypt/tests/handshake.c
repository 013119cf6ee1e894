/*
 * A CURVE handshake as libzmq does it (RFC 26, "Specification").
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "handshake.h"

#include "cmocka_setup.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

const char *const box_names[BOX_COUNT] = {
    "HELLO", "WELCOME", "cookie", "INITIATE", "vouch", "READY", "client MESSAGE", "server MESSAGE",
};

const uint32_t box_frames[BOX_COUNT] = {5, 6, 8, 8, 8, 9, 10, 11};

/* The prefixes are written out once more: a test that shared them would not see a wrong one. */
static void make_nonce(uint8_t full[crypto_box_NONCEBYTES], const char *prefix, const uint8_t *wire)
{
    for (size_t i = 0; i < crypto_box_NONCEBYTES; i++) {
        full[i] = *prefix ? (uint8_t)*prefix++ : *wire++;
    }
}

static void seal(uint8_t *box, const uint8_t *plain, size_t plain_len, const char *prefix,
                 const uint8_t *wire_nonce, const struct key_pair *to, const struct key_pair *from)
{
    uint8_t nonce[crypto_box_NONCEBYTES];

    make_nonce(nonce, prefix, wire_nonce);
    assert_int_equal(crypto_box_easy(box, plain, plain_len, nonce, to->public_key, from->secret),
                     0);
}

/* What a peer draws at random comes out of the seed, so that a seed makes the same octets again. */
static void draw(const struct handshake *h, const char *name, uint8_t *out, size_t size)
{
    char text[128];
    uint8_t hash[crypto_hash_sha256_BYTES];
    int len = snprintf(text, sizeof text, "%s %s", h->seed, name);

    assert_true(len > 0 && (size_t)len < sizeof text);
    assert_true(size <= sizeof hash);
    crypto_hash_sha256(hash, (const uint8_t *)text, (size_t)len);
    memcpy(out, hash, size);
}

static void short_nonce(uint8_t nonce[ZMTP_SHORT_NONCE_SIZE], uint8_t number)
{
    memset(nonce, 0, ZMTP_SHORT_NONCE_SIZE);
    nonce[ZMTP_SHORT_NONCE_SIZE - 1] = number;
}

static void make_hello_and_welcome(struct handshake *h)
{
    static const uint8_t zeros[ZMTP_HELLO_PLAIN_SIZE];
    uint8_t nonce[crypto_box_NONCEBYTES];
    uint8_t cookie_plain[2 * ZMTP_KEY_SIZE];

    short_nonce(h->hello_nonce, 1);
    seal(h->hello, zeros, sizeof zeros, "CurveZMQHELLO---", h->hello_nonce, &h->server,
         &h->client_transient);

    draw(h, "cookie nonce", h->cookie, ZMTP_LONG_NONCE_SIZE);
    make_nonce(nonce, "COOKIE--", h->cookie);
    memcpy(cookie_plain, h->client_transient.public_key, ZMTP_KEY_SIZE);
    memcpy(cookie_plain + ZMTP_KEY_SIZE, h->server_transient.secret, ZMTP_KEY_SIZE);
    crypto_secretbox_easy(h->cookie + ZMTP_LONG_NONCE_SIZE, cookie_plain, sizeof cookie_plain,
                          nonce, h->cookie_key);

    memcpy(h->welcome_plain, h->server_transient.public_key, ZMTP_KEY_SIZE);
    memcpy(h->welcome_plain + ZMTP_KEY_SIZE, h->cookie, ZMTP_COOKIE_SIZE);
    draw(h, "WELCOME nonce", h->welcome_nonce, sizeof h->welcome_nonce);
    seal(h->welcome, h->welcome_plain, sizeof h->welcome_plain, "WELCOME-", h->welcome_nonce,
         &h->client_transient, &h->server);
}

static void make_initiate_and_ready(struct handshake *h)
{
    memcpy(h->vouch_plain, h->client_transient.public_key, ZMTP_KEY_SIZE);
    memcpy(h->vouch_plain + ZMTP_KEY_SIZE, h->server.public_key, ZMTP_KEY_SIZE);
    draw(h, "vouch nonce", h->vouch_nonce, sizeof h->vouch_nonce);
    seal(h->vouch, h->vouch_plain, sizeof h->vouch_plain, "VOUCH---", h->vouch_nonce,
         &h->server_transient, &h->client);

    memcpy(h->initiate_plain, h->client.public_key, ZMTP_KEY_SIZE);
    memcpy(h->initiate_plain + 32, h->vouch_nonce, ZMTP_LONG_NONCE_SIZE);
    memcpy(h->initiate_plain + 48, h->vouch, ZMTP_VOUCH_BOX_SIZE);
    memcpy(h->initiate_plain + 128, "\x0bSocket-Type\0\0\0\4PAIR", 20);
    short_nonce(h->initiate_nonce, 2);
    seal(h->initiate, h->initiate_plain, sizeof h->initiate_plain, "CurveZMQINITIATE",
         h->initiate_nonce, &h->server_transient, &h->client_transient);

    memcpy(h->ready_plain, "\x0bSocket-Type\0\0\0\4PAIR", READY_PLAIN_SIZE);
    short_nonce(h->ready_nonce, 1);
    seal(h->ready, h->ready_plain, sizeof h->ready_plain, "CurveZMQREADY---", h->ready_nonce,
         &h->client_transient, &h->server_transient);
}

static void make_messages(struct handshake *h)
{
    memcpy(h->client_message_plain, "\0hello", MESSAGE_PLAIN_SIZE);
    short_nonce(h->client_message_nonce, 3);
    seal(h->client_message, h->client_message_plain, MESSAGE_PLAIN_SIZE, "CurveZMQMESSAGEC",
         h->client_message_nonce, &h->server_transient, &h->client_transient);

    memcpy(h->server_message_plain, "\1world", MESSAGE_PLAIN_SIZE);
    short_nonce(h->server_message_nonce, 2);
    seal(h->server_message, h->server_message_plain, MESSAGE_PLAIN_SIZE, "CurveZMQMESSAGES",
         h->server_message_nonce, &h->client_transient, &h->server_transient);
}

static void make_pair(const struct handshake *h, const char *name, struct key_pair *pair)
{
    draw(h, name, pair->secret, sizeof pair->secret);
    assert_int_equal(crypto_scalarmult_base(pair->public_key, pair->secret), 0);
}

void make_handshake(struct handshake *h)
{
    uint8_t random[(SEED_SIZE - 1) / 2];
    char seed[SEED_SIZE];

    randombytes_buf(random, sizeof random);
    make_handshake_from_seed(h, sodium_bin2hex(seed, sizeof seed, random, sizeof random));
}

void make_handshake_from_seed(struct handshake *h, const char *seed)
{
    (void)snprintf(h->seed, sizeof h->seed, "%s", seed);
    make_pair(h, "c", &h->client);
    make_pair(h, "s", &h->server);
    make_pair(h, "c'", &h->client_transient);
    make_pair(h, "s'", &h->server_transient);
    draw(h, "K", h->cookie_key, sizeof h->cookie_key);
    assert_int_equal(crypto_box_beforenm(h->session_key, h->client_transient.public_key,
                                         h->server_transient.secret),
                     0);
    make_hello_and_welcome(h);
    make_initiate_and_ready(h);
    make_messages(h);
}

struct zmtp_box_result open_named(struct zmtp_curve_session *session, const struct handshake *h,
                                  enum box_name name)
{
    static const uint8_t zeros[ZMTP_HELLO_PLAIN_SIZE];
    enum zmtp_sender sender = name == BOX_CLIENT_MESSAGE ? ZMTP_SENDER_CLIENT : ZMTP_SENDER_SERVER;
    struct zmtp_box_result result = {ZMTP_BOX_NO_KEY, ZMTP_KEY_NONE, ZMTP_SOURCE_KEYLOG};
    uint32_t now = box_frames[name];
    const uint8_t *expected = zeros;
    size_t expected_len = 0;
    uint8_t untouched[256];
    uint8_t out[256];

    memset(untouched, 0xa5, sizeof untouched);
    memset(out, 0xa5, sizeof out);
    switch (name) {
    case BOX_HELLO:
        expected_len = sizeof zeros;
        result = zmtp_curve_open_hello(session, now, h->client_transient.public_key, h->hello_nonce,
                                       h->hello, out);
        break;
    case BOX_WELCOME:
        expected = h->welcome_plain;
        expected_len = sizeof h->welcome_plain;
        result = zmtp_curve_open_welcome(session, now, h->welcome_nonce, h->welcome, out);
        break;
    case BOX_COOKIE:
        expected = h->client_transient.public_key;
        expected_len = ZMTP_KEY_SIZE;
        result = zmtp_curve_open_cookie(session, now, h->cookie, out);
        break;
    case BOX_INITIATE:
        expected = h->initiate_plain;
        expected_len = sizeof h->initiate_plain;
        result = zmtp_curve_open_initiate(session, now, h->initiate_nonce, h->initiate,
                                          sizeof h->initiate, out);
        break;
    case BOX_VOUCH:
        expected = h->vouch_plain;
        expected_len = sizeof h->vouch_plain;
        result = zmtp_curve_open_vouch(session, now, h->client.public_key, h->vouch_nonce, h->vouch,
                                       out);
        break;
    case BOX_READY:
        expected = h->ready_plain;
        expected_len = sizeof h->ready_plain;
        result =
            zmtp_curve_open_ready(session, now, h->ready_nonce, h->ready, sizeof h->ready, out);
        break;
    case BOX_CLIENT_MESSAGE:
        expected = h->client_message_plain;
        expected_len = sizeof h->client_message_plain;
        result = zmtp_curve_open_message(session, now, &sender, h->client_message_nonce,
                                         h->client_message, sizeof h->client_message, out);
        break;
    case BOX_SERVER_MESSAGE:
        expected = h->server_message_plain;
        expected_len = sizeof h->server_message_plain;
        result = zmtp_curve_open_message(session, now, &sender, h->server_message_nonce,
                                         h->server_message, sizeof h->server_message, out);
        break;
    case BOX_COUNT:
        fail();
    }

    if (result.status != ZMTP_BOX_OPENED) {
        expected_len = 0;
    }
    assert_memory_equal(out, expected, expected_len);
    assert_memory_equal(out + expected_len, untouched, sizeof out - expected_len);
    return result;
}

void give_keys(struct zmtp_keyring *ring, const struct handshake *h, unsigned keys,
               enum zmtp_key_source source)
{
    const uint8_t *client_transient = h->client_transient.public_key;
    const uint8_t *server_transient = h->server_transient.public_key;
    uint8_t wrong[ZMTP_KEY_SIZE];

    memset(wrong, 0x55, sizeof wrong);
    if (keys & GIVE_CLIENT_SECRET) {
        zmtp_keyring_add_pair(ring, h->client.public_key, h->client.secret, source);
    }
    if (keys & GIVE_SERVER_SECRET) {
        zmtp_keyring_add_pair(ring, h->server.public_key, h->server.secret, source);
    }
    if (keys & GIVE_SERVER_PUBLIC) {
        zmtp_keyring_add_public(ring, h->server.public_key, source);
    }
    if (keys & GIVE_CLIENT_TRANSIENT_SECRET) {
        zmtp_keyring_add_pair(ring, client_transient, h->client_transient.secret, source);
    }
    if (keys & GIVE_SERVER_TRANSIENT_SECRET) {
        zmtp_keyring_add_pair(ring, server_transient, h->server_transient.secret, source);
    }
    if (keys & GIVE_SESSION_KEY) {
        zmtp_keyring_add_session(ring, client_transient, server_transient, h->session_key, source);
    }
    if (keys & GIVE_SWAPPED_SESSION_KEY) {
        zmtp_keyring_add_session(ring, server_transient, client_transient, h->session_key, source);
    }
    if (keys & GIVE_COOKIE_KEY) {
        zmtp_keyring_add_cookie_key(ring, client_transient, h->cookie_key, source);
    }
    if (keys & GIVE_WRONG_SESSION_KEY) {
        zmtp_keyring_add_session(ring, client_transient, server_transient, wrong, source);
    }
    if (keys & GIVE_WRONG_COOKIE_KEY) {
        zmtp_keyring_add_cookie_key(ring, client_transient, wrong, source);
    }
}

int set_up(void **state)
{
    static struct fixture fixture;

    make_handshake(&fixture.handshake);
    fixture.ring = zmtp_keyring_new();
    fixture.session = zmtp_curve_session_new(fixture.ring);
    *state = &fixture;
    return fixture.ring && fixture.session ? 0 : -1;
}

int tear_down(void **state)
{
    struct fixture *fixture = *state;

    zmtp_curve_session_free(fixture->session);
    zmtp_keyring_free(fixture->ring);
    return 0;
}
