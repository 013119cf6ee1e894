/*
 * A CURVE handshake as libzmq does it, made with libsodium alone, and a session to open it, for the
 * tests.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef ZMTP_TESTS_HANDSHAKE_H
#define ZMTP_TESTS_HANDSHAKE_H

#include <stddef.h>
#include <stdint.h>

#include "decrypt/curve.h"

struct key_pair {
    uint8_t public_key[ZMTP_KEY_SIZE];
    uint8_t secret[ZMTP_KEY_SIZE];
};

enum {
    INITIATE_PLAIN_SIZE = 148, /* C, vouch nonce, vouch box, 20 octets of metadata */
    READY_PLAIN_SIZE = 20,
    MESSAGE_PLAIN_SIZE = 6,
    SEED_SIZE = 33,
};

/* Everything both peers know, and every box with the octets of its nonce that are on the wire. */
struct handshake {
    char seed[SEED_SIZE];
    struct key_pair client; /* C, c */
    struct key_pair server; /* S, s */
    struct key_pair client_transient;
    struct key_pair server_transient;
    uint8_t cookie_key[ZMTP_KEY_SIZE];  /* K */
    uint8_t session_key[ZMTP_KEY_SIZE]; /* k */

    uint8_t hello_nonce[ZMTP_SHORT_NONCE_SIZE];
    uint8_t hello[ZMTP_HELLO_BOX_SIZE];
    uint8_t welcome_nonce[ZMTP_LONG_NONCE_SIZE];
    uint8_t welcome[ZMTP_WELCOME_BOX_SIZE];
    uint8_t welcome_plain[ZMTP_WELCOME_PLAIN_SIZE];
    uint8_t cookie[ZMTP_COOKIE_SIZE];
    uint8_t initiate_nonce[ZMTP_SHORT_NONCE_SIZE];
    uint8_t initiate[INITIATE_PLAIN_SIZE + ZMTP_BOX_OVERHEAD];
    uint8_t initiate_plain[INITIATE_PLAIN_SIZE];
    uint8_t vouch_nonce[ZMTP_LONG_NONCE_SIZE];
    uint8_t vouch[ZMTP_VOUCH_BOX_SIZE];
    uint8_t vouch_plain[ZMTP_VOUCH_PLAIN_SIZE];
    uint8_t ready_nonce[ZMTP_SHORT_NONCE_SIZE];
    uint8_t ready[READY_PLAIN_SIZE + ZMTP_BOX_OVERHEAD];
    uint8_t ready_plain[READY_PLAIN_SIZE];
    uint8_t client_message_nonce[ZMTP_SHORT_NONCE_SIZE];
    uint8_t client_message[MESSAGE_PLAIN_SIZE + ZMTP_BOX_OVERHEAD];
    uint8_t client_message_plain[MESSAGE_PLAIN_SIZE];
    uint8_t server_message_nonce[ZMTP_SHORT_NONCE_SIZE];
    uint8_t server_message[MESSAGE_PLAIN_SIZE + ZMTP_BOX_OVERHEAD];
    uint8_t server_message_plain[MESSAGE_PLAIN_SIZE];
};

/* A new connection with keys of its own. */
void make_handshake(struct handshake *handshake);

/* The connection of this seed, up to 32 characters: the same keys and boxes every time. */
void make_handshake_from_seed(struct handshake *handshake, const char *seed);

/*
 * The boxes of a connection, a frame of the capture each: FRAME_HELLO is frame 1 and so on. The
 * cookie comes twice, within WELCOME and INITIATE, and the vouch in the frame of INITIATE.
 */
enum box_name {
    BOX_HELLO,
    BOX_WELCOME,
    BOX_COOKIE,
    BOX_INITIATE,
    BOX_VOUCH,
    BOX_READY,
    BOX_CLIENT_MESSAGE,
    BOX_SERVER_MESSAGE,
    BOX_COUNT
};

extern const char *const box_names[BOX_COUNT];
extern const uint32_t box_frames[BOX_COUNT];

/*
 * Opens one box as the plugin would, in its frame, and fails the test when an opened box does not
 * hold what was put in or an unopened one wrote something.
 */
struct zmtp_box_result open_named(struct zmtp_curve_session *session,
                                  const struct handshake *handshake, enum box_name name);

/* Keys to put into a ring; the names of RFC 26. */
enum {
    GIVE_CLIENT_SECRET = 1 << 0,           /* c */
    GIVE_SERVER_SECRET = 1 << 1,           /* s */
    GIVE_SERVER_PUBLIC = 1 << 2,           /* S */
    GIVE_CLIENT_TRANSIENT_SECRET = 1 << 3, /* c' */
    GIVE_SERVER_TRANSIENT_SECRET = 1 << 4, /* s' */
    GIVE_SESSION_KEY = 1 << 5,             /* k */
    GIVE_SWAPPED_SESSION_KEY = 1 << 6,     /* k, its columns the other way round */
    GIVE_COOKIE_KEY = 1 << 7,              /* K */
    GIVE_WRONG_SESSION_KEY = 1 << 8,
    GIVE_WRONG_COOKIE_KEY = 1 << 9,
    GIVE_STRANGERS = 1 << 10, /* every key of another connection */
};

void give_keys(struct zmtp_keyring *ring, const struct handshake *handshake, unsigned keys,
               enum zmtp_key_source source);

/* What each test of a session begins with: a new handshake, an empty ring. */
struct fixture {
    struct handshake handshake;
    struct zmtp_keyring *ring;
    struct zmtp_curve_session *session;
};

int set_up(void **state);
int tear_down(void **state);

#endif
