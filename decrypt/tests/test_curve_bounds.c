/*
 * Tests of the bounds of CURVE sessions: how much is guessed, and what hostile input can do.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "cmocka_setup.h"

#include <sodium.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "decrypt/curve.h"
#include "handshake.h"

static void add_strangers(struct fixture *fixture, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct key_pair pair;

        crypto_box_keypair(pair.public_key, pair.secret);
        assert_int_equal(
            zmtp_keyring_add_pair(fixture->ring, pair.public_key, pair.secret, ZMTP_SOURCE_KEYLOG),
            ZMTP_ADD_ADDED);
    }
}

static void add_server_secret(struct fixture *fixture, enum zmtp_key_source source)
{
    const struct key_pair *server = &fixture->handshake.server;

    zmtp_keyring_add_pair(fixture->ring, server->public_key, server->secret, source);
}

static void add_stranger_sessions(struct fixture *fixture, size_t count)
{
    uint8_t keys[3][ZMTP_KEY_SIZE];

    for (size_t i = 0; i < count; i++) {
        randombytes_buf(keys, sizeof keys);
        zmtp_keyring_add_session(fixture->ring, keys[0], keys[1], keys[2], ZMTP_SOURCE_KEYLOG);
    }
}

static void add_session_key(struct fixture *fixture)
{
    const struct handshake *h = &fixture->handshake;

    zmtp_keyring_add_session(fixture->ring, h->client_transient.public_key,
                             h->server_transient.public_key, h->session_key, ZMTP_SOURCE_KEYLOG);
}

static enum zmtp_box_status status_of(struct fixture *fixture, enum box_name name)
{
    return open_named(fixture->session, &fixture->handshake, name).status;
}

/* Forgets what the session knows; the ring stays. */
static void renew_session(struct fixture *fixture)
{
    zmtp_curve_session_free(fixture->session);
    fixture->session = zmtp_curve_session_new(fixture->ring);
    assert_non_null(fixture->session);
}

/* Uses the budget up and asserts that so much of it was left. */
static void assert_budget_left(struct fixture *fixture, enum zmtp_trial trial, uint64_t left)
{
    assert_true(zmtp_keyring_spend(fixture->ring, trial, left));
    assert_false(zmtp_keyring_spend(fixture->ring, trial, 1));
}

static struct zmtp_curve_known known(const struct fixture *fixture)
{
    struct zmtp_curve_known known;

    zmtp_curve_what_is_known(fixture->session, UINT32_MAX, &known);
    return known;
}

/* ---- Guessing secret keys ---------------------------------------------------------------- */

static void of_ten_thousand_secret_keys_the_newest_are_tried(void **state)
{
    struct fixture *fixture = *state;

    add_server_secret(fixture, ZMTP_SOURCE_KEYLOG);
    add_strangers(fixture, 10000);
    assert_int_equal(status_of(fixture, BOX_HELLO), ZMTP_BOX_NO_KEY);
    assert_int_equal(status_of(fixture, BOX_WELCOME), ZMTP_BOX_NO_KEY);

    assert_true(known(fixture).handshake_limited);
    assert_int_equal(known(fixture).not_the_server, ZMTP_MAX_DH_TRIALS);

    /* HELLO and WELCOME share their trials, and no trial is made twice. */
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(status_of(fixture, BOX_HELLO), ZMTP_BOX_NO_KEY);
    }
    assert_budget_left(fixture, ZMTP_TRIAL_DIFFIE_HELLMAN,
                       ZMTP_DH_TRIAL_BUDGET - ZMTP_MAX_DH_TRIALS);
}

static void a_key_from_the_table_is_tried_before_ten_thousand_newer_ones(void **state)
{
    struct fixture *fixture = *state;

    add_server_secret(fixture, ZMTP_SOURCE_TABLE);
    add_strangers(fixture, 10000);
    assert_int_equal(status_of(fixture, BOX_HELLO), ZMTP_BOX_OPENED);
    assert_budget_left(fixture, ZMTP_TRIAL_DIFFIE_HELLMAN, ZMTP_DH_TRIAL_BUDGET);
}

static void keys_that_are_added_later_are_tried_and_only_those(void **state)
{
    struct fixture *fixture = *state;

    add_strangers(fixture, 10);
    assert_int_equal(status_of(fixture, BOX_HELLO), ZMTP_BOX_NO_KEY);
    add_strangers(fixture, 3);
    assert_int_equal(status_of(fixture, BOX_HELLO), ZMTP_BOX_NO_KEY);
    assert_budget_left(fixture, ZMTP_TRIAL_DIFFIE_HELLMAN, ZMTP_DH_TRIAL_BUDGET - 13);

    zmtp_keyring_renew_budget(fixture->ring);
    add_server_secret(fixture, ZMTP_SOURCE_KEYLOG);
    assert_int_equal(status_of(fixture, BOX_HELLO), ZMTP_BOX_OPENED);
}

static void the_key_that_opened_the_last_connection_is_tried_first(void **state)
{
    struct fixture *fixture = *state;

    add_server_secret(fixture, ZMTP_SOURCE_KEYLOG);
    assert_int_equal(status_of(fixture, BOX_HELLO), ZMTP_BOX_OPENED);
    add_strangers(fixture, 10000);
    renew_session(fixture);
    assert_int_equal(status_of(fixture, BOX_HELLO), ZMTP_BOX_OPENED);
    assert_budget_left(fixture, ZMTP_TRIAL_DIFFIE_HELLMAN, ZMTP_DH_TRIAL_BUDGET);

    /* Another capture file: that one's last connection does not count. */
    zmtp_keyring_renew_budget(fixture->ring);
    renew_session(fixture);
    assert_int_equal(status_of(fixture, BOX_HELLO), ZMTP_BOX_NO_KEY);
    /* Nor does a connection that failed open on a later visit. */
    zmtp_keyring_note_server(fixture->ring, fixture->handshake.server.public_key);
    assert_int_equal(status_of(fixture, BOX_HELLO), ZMTP_BOX_NO_KEY);
    assert_int_equal(status_of(fixture, BOX_WELCOME), ZMTP_BOX_NO_KEY);
}

static void the_last_server_is_forgotten_with_its_key(void **state)
{
    struct fixture *fixture = *state;

    add_server_secret(fixture, ZMTP_SOURCE_CERTIFICATE);
    assert_int_equal(status_of(fixture, BOX_HELLO), ZMTP_BOX_OPENED);
    zmtp_keyring_drop_source(fixture->ring, ZMTP_SOURCE_CERTIFICATE);
    renew_session(fixture);
    assert_int_equal(status_of(fixture, BOX_HELLO), ZMTP_BOX_NO_KEY);
}

static void a_public_key_given_before_the_client_secret_is_tried_then(void **state)
{
    struct fixture *fixture = *state;
    const struct handshake *h = &fixture->handshake;

    zmtp_keyring_add_public(fixture->ring, h->server.public_key, ZMTP_SOURCE_TABLE);
    assert_int_equal(status_of(fixture, BOX_HELLO), ZMTP_BOX_NO_KEY);
    zmtp_keyring_add_pair(fixture->ring, h->client_transient.public_key, h->client_transient.secret,
                          ZMTP_SOURCE_KEYLOG);
    assert_int_equal(status_of(fixture, BOX_HELLO), ZMTP_BOX_OPENED);
}

static void the_servers_transient_secret_is_tried_within_bounds(void **state)
{
    struct fixture *fixture = *state;
    const struct key_pair *transient = &fixture->handshake.server_transient;

    zmtp_curve_note_client_transient(fixture->session, 5,
                                     fixture->handshake.client_transient.public_key);
    add_strangers(fixture, 2000);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(status_of(fixture, BOX_INITIATE), ZMTP_BOX_NO_KEY);
        assert_int_equal(status_of(fixture, BOX_CLIENT_MESSAGE), ZMTP_BOX_NO_KEY);
    }
    assert_true(known(fixture).session_limited);
    assert_budget_left(fixture, ZMTP_TRIAL_DIFFIE_HELLMAN,
                       ZMTP_DH_TRIAL_BUDGET - ZMTP_MAX_DH_TRIALS);

    zmtp_keyring_renew_budget(fixture->ring);
    zmtp_keyring_add_pair(fixture->ring, transient->public_key, transient->secret,
                          ZMTP_SOURCE_KEYLOG);
    assert_int_equal(status_of(fixture, BOX_INITIATE), ZMTP_BOX_OPENED);
}

static void a_spent_budget_ends_all_guessing_until_it_is_renewed(void **state)
{
    struct fixture *fixture = *state;

    add_server_secret(fixture, ZMTP_SOURCE_TABLE);
    assert_true(zmtp_keyring_spend(fixture->ring, ZMTP_TRIAL_DIFFIE_HELLMAN, ZMTP_DH_TRIAL_BUDGET));
    assert_int_equal(status_of(fixture, BOX_HELLO), ZMTP_BOX_NO_KEY);
    zmtp_keyring_renew_budget(fixture->ring);
    assert_int_equal(status_of(fixture, BOX_HELLO), ZMTP_BOX_NO_KEY); /* as the first time */
    renew_session(fixture);
    assert_int_equal(status_of(fixture, BOX_HELLO), ZMTP_BOX_OPENED);
}

/* ---- Guessing session keys --------------------------------------------------------------- */

static void of_twenty_thousand_session_keys_the_newest_are_tried(void **state)
{
    struct fixture *fixture = *state;

    add_session_key(fixture);
    add_stranger_sessions(fixture, 20000);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(status_of(fixture, BOX_SERVER_MESSAGE), ZMTP_BOX_NO_KEY);
    }
    assert_budget_left(fixture, ZMTP_TRIAL_SESSION_KEY,
                       ZMTP_SESSION_KEY_TRIAL_BUDGET - ZMTP_MAX_SESSION_KEY_TRIALS);

    zmtp_keyring_renew_budget(fixture->ring);
    renew_session(fixture);
    zmtp_keyring_drop_source(fixture->ring, ZMTP_SOURCE_KEYLOG);
    add_stranger_sessions(fixture, 20000);
    add_session_key(fixture);
    add_stranger_sessions(fixture, 1000);
    assert_int_equal(status_of(fixture, BOX_SERVER_MESSAGE), ZMTP_BOX_OPENED);
}

static void with_c_transient_known_session_keys_are_looked_up_not_guessed(void **state)
{
    struct fixture *fixture = *state;

    add_session_key(fixture);
    add_stranger_sessions(fixture, 20000);
    (void)status_of(fixture, BOX_HELLO);
    assert_int_equal(status_of(fixture, BOX_SERVER_MESSAGE), ZMTP_BOX_OPENED);
    assert_budget_left(fixture, ZMTP_TRIAL_SESSION_KEY, ZMTP_SESSION_KEY_TRIAL_BUDGET);
}

static void long_messages_take_more_of_the_budget(void **state)
{
    enum { LONG_MESSAGE = 1024 * 1024 };
    struct fixture *fixture = *state;
    enum zmtp_sender sender = ZMTP_SENDER_CLIENT;
    const uint8_t nonce[ZMTP_SHORT_NONCE_SIZE] = {0};
    uint8_t *box = calloc(1, LONG_MESSAGE);
    uint8_t *out = malloc(LONG_MESSAGE);

    assert_non_null(box);
    assert_non_null(out);
    add_stranger_sessions(fixture, 300);
    assert_int_equal(
        zmtp_curve_open_message(fixture->session, 1, &sender, nonce, box, LONG_MESSAGE, out).status,
        ZMTP_BOX_NO_KEY);
    assert_budget_left(fixture, ZMTP_TRIAL_SESSION_KEY, ZMTP_SESSION_KEY_TRIAL_BUDGET - 255 * 1025);
    free(box);
    free(out);
}

/* ---- Hostile input ----------------------------------------------------------------------- */

/* Exact copies on the heap, so that a sanitizer sees any octet read beyond the box. */
static void boxes_of_any_length_are_not_read_beyond(void **state)
{
    struct fixture *fixture = *state;
    const uint8_t nonce[ZMTP_SHORT_NONCE_SIZE] = {0};
    uint8_t out[64];

    add_session_key(fixture);
    (void)status_of(fixture, BOX_HELLO);
    for (size_t len = 0; len < 64; len++) {
        enum zmtp_sender sender = ZMTP_SENDER_UNKNOWN;
        uint8_t *box = calloc(1, len ? len : 1);
        enum zmtp_box_status expected =
            len < ZMTP_BOX_OVERHEAD ? ZMTP_BOX_DAMAGED : ZMTP_BOX_WRONG_KEY;

        assert_non_null(box);
        assert_int_equal(zmtp_curve_open_initiate(fixture->session, 8, nonce, box, len, out).status,
                         expected);
        assert_int_equal(zmtp_curve_open_ready(fixture->session, 9, nonce, box, len, out).status,
                         expected);
        assert_int_equal(
            zmtp_curve_open_message(fixture->session, 9, &sender, nonce, box, len, out).status,
            expected);
        free(box);
    }
}

/* An INITIATE that a peer with the right k made too short. */
static void an_opened_initiate_without_a_whole_key_teaches_none(void **state)
{
    struct fixture *fixture = *state;
    uint8_t nonce[crypto_box_NONCEBYTES] = "CurveZMQINITIATE";
    uint8_t plain[ZMTP_KEY_SIZE] = {0};
    uint8_t box[ZMTP_KEY_SIZE + ZMTP_BOX_OVERHEAD];
    uint8_t out[ZMTP_KEY_SIZE];

    add_session_key(fixture);
    (void)status_of(fixture, BOX_HELLO);
    memset(nonce + 16, 0, ZMTP_SHORT_NONCE_SIZE);
    for (size_t len = 0; len <= sizeof plain; len++) {
        crypto_box_easy_afternm(box, plain, len, nonce, fixture->handshake.session_key);
        assert_int_equal(zmtp_curve_open_initiate(fixture->session, 8, nonce + 16, box,
                                                  len + ZMTP_BOX_OVERHEAD, out)
                             .status,
                         ZMTP_BOX_OPENED);
        assert_int_equal(zmtp_curve_client_permanent(fixture->session, 8) != NULL,
                         len == sizeof plain);
    }
}

/* Points of small order give a shared key that everyone knows; libsodium refuses them. */
static void points_of_small_order_are_no_keys(void **state)
{
    struct fixture *fixture = *state;
    struct handshake *h = &fixture->handshake;

    add_server_secret(fixture, ZMTP_SOURCE_TABLE);
    zmtp_keyring_add_pair(fixture->ring, h->server_transient.public_key, h->server_transient.secret,
                          ZMTP_SOURCE_TABLE);
    zmtp_keyring_add_pair(fixture->ring, h->client.public_key, h->client.secret, ZMTP_SOURCE_TABLE);
    memset(h->client_transient.public_key, 0, ZMTP_KEY_SIZE);
    for (int name = 0; name < BOX_COUNT; name++) {
        assert_int_equal(status_of(fixture, (enum box_name)name) == ZMTP_BOX_OPENED, false);
    }
}

static void a_dropped_key_is_not_found_by_new_sessions(void **state)
{
    struct fixture *fixture = *state;

    add_session_key(fixture);
    (void)status_of(fixture, BOX_HELLO);
    assert_int_equal(status_of(fixture, BOX_READY), ZMTP_BOX_OPENED);
    zmtp_keyring_drop_source(fixture->ring, ZMTP_SOURCE_KEYLOG);
    assert_int_equal(status_of(fixture, BOX_READY), ZMTP_BOX_OPENED);
    renew_session(fixture);
    (void)status_of(fixture, BOX_HELLO);
    assert_int_equal(status_of(fixture, BOX_READY), ZMTP_BOX_NO_KEY);
}

#define curve_test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        curve_test(of_ten_thousand_secret_keys_the_newest_are_tried),
        curve_test(a_key_from_the_table_is_tried_before_ten_thousand_newer_ones),
        curve_test(keys_that_are_added_later_are_tried_and_only_those),
        curve_test(the_key_that_opened_the_last_connection_is_tried_first),
        curve_test(the_last_server_is_forgotten_with_its_key),
        curve_test(a_public_key_given_before_the_client_secret_is_tried_then),
        curve_test(the_servers_transient_secret_is_tried_within_bounds),
        curve_test(a_spent_budget_ends_all_guessing_until_it_is_renewed),
        curve_test(of_twenty_thousand_session_keys_the_newest_are_tried),
        curve_test(with_c_transient_known_session_keys_are_looked_up_not_guessed),
        curve_test(long_messages_take_more_of_the_budget),
        curve_test(boxes_of_any_length_are_not_read_beyond),
        curve_test(an_opened_initiate_without_a_whole_key_teaches_none),
        curve_test(points_of_small_order_are_no_keys),
        curve_test(a_dropped_key_is_not_found_by_new_sessions),
    };

    if (!zmtp_crypto_init()) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
