/*
 * Tests of what is said about the keys that the user gave, as they are to one connection.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "cmocka_setup.h"

#include <string.h>

#include "decrypt/curve.h"
#include "handshake.h"

static const uint32_t *const frames = box_frames;

static struct zmtp_curve_known known_at(const struct fixture *fixture, uint32_t frame)
{
    struct zmtp_curve_known known;

    zmtp_curve_what_is_known(fixture->session, frame, &known);
    return known;
}

/* Opens every box, with these keys in the ring. */
static void visit(struct fixture *fixture, unsigned keys)
{
    give_keys(fixture->ring, &fixture->handshake, keys, ZMTP_SOURCE_KEYLOG);
    for (int name = 0; name < BOX_COUNT; name++) {
        (void)open_named(fixture->session, &fixture->handshake, (enum box_name)name);
    }
}

static void without_keys_only_the_clients_public_key_is_known(void **state)
{
    struct fixture *fixture = *state;

    assert_false(known_at(fixture, UINT32_MAX).client_transient_public);
    visit(fixture, 0);

    struct zmtp_curve_known known = known_at(fixture, frames[BOX_READY]);
    assert_false(known.any_key);
    assert_true(known.client_transient_public);
    assert_false(known.client_transient_secret);
    assert_false(known.handshake_opened);
    assert_false(known.server_transient_public);
    assert_int_equal(known.not_the_server, 0);
    assert_false(known.handshake_limited || known.session_limited);
}

static void the_servers_secret_key_is_told_from_the_frame_on_in_which_it_opened(void **state)
{
    struct fixture *fixture = *state;

    visit(fixture, GIVE_SERVER_SECRET);
    assert_false(known_at(fixture, frames[BOX_HELLO] - 1).server_permanent_secret);

    struct zmtp_curve_known known = known_at(fixture, frames[BOX_HELLO]);
    assert_true(known.handshake_opened && known.server_permanent_secret);
    assert_false(known.server_transient_public);
    assert_int_equal(known.not_the_server, 0);
    assert_true(known_at(fixture, frames[BOX_WELCOME]).server_transient_public);
    assert_true(zmtp_curve_has_secret_of(fixture->session, fixture->handshake.server.public_key));
    assert_false(zmtp_curve_has_secret_of(fixture->session, fixture->handshake.client.public_key));
}

static void secret_keys_that_do_not_open_hello_are_counted_once(void **state)
{
    struct fixture *fixture = *state;

    visit(fixture, GIVE_CLIENT_SECRET | GIVE_SERVER_TRANSIENT_SECRET);
    assert_int_equal(known_at(fixture, frames[BOX_HELLO] - 1).not_the_server, 0);
    assert_int_equal(known_at(fixture, frames[BOX_HELLO]).not_the_server, 2);
    visit(fixture, 0); /* a later visit */
    assert_int_equal(known_at(fixture, frames[BOX_HELLO]).not_the_server, 2);
    assert_false(known_at(fixture, frames[BOX_HELLO]).handshake_opened);
}

static void the_clients_own_transient_key_is_not_tried_as_the_servers(void **state)
{
    struct fixture *fixture = *state;

    visit(fixture, GIVE_CLIENT_TRANSIENT_SECRET);

    struct zmtp_curve_known known = known_at(fixture, frames[BOX_HELLO]);
    assert_true(known.client_transient_secret);
    assert_int_equal(known.not_the_server, 0);
    assert_false(known.handshake_opened || known.server_permanent_secret);

    visit(fixture, GIVE_SERVER_PUBLIC);
    known = known_at(fixture, frames[BOX_HELLO]);
    assert_true(known.handshake_opened);
    assert_false(known.server_permanent_secret);
}

/* Who knows C' alone writes it twice: that must not make it S'. */
static void a_session_key_with_one_public_key_does_not_tell_the_other(void **state)
{
    struct fixture *fixture = *state;
    const struct handshake *handshake = &fixture->handshake;

    assert_int_equal(zmtp_keyring_add_session(fixture->ring, handshake->client_transient.public_key,
                                              handshake->client_transient.public_key,
                                              handshake->session_key, ZMTP_SOURCE_TABLE),
                     ZMTP_ADD_ADDED);
    visit(fixture, GIVE_CLIENT_SECRET);
    assert_int_equal(open_named(fixture->session, handshake, BOX_INITIATE).status, ZMTP_BOX_OPENED);
    assert_null(zmtp_curve_server_transient(fixture->session, UINT32_MAX));
    assert_int_equal(open_named(fixture->session, handshake, BOX_VOUCH).status, ZMTP_BOX_NO_KEY);
}

#define session_test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        session_test(without_keys_only_the_clients_public_key_is_known),
        session_test(the_servers_secret_key_is_told_from_the_frame_on_in_which_it_opened),
        session_test(secret_keys_that_do_not_open_hello_are_counted_once),
        session_test(the_clients_own_transient_key_is_not_tried_as_the_servers),
        session_test(a_session_key_with_one_public_key_does_not_tell_the_other),
    };

    if (!zmtp_crypto_init()) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
