/*
 * Tests of the keyring.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "cmocka_setup.h"

#include <sodium.h>
#include <stdbool.h>
#include <string.h>

#include "decrypt/keyring.h"

struct pair {
    uint8_t public_key[ZMTP_KEY_SIZE];
    uint8_t secret[ZMTP_KEY_SIZE];
};

static struct pair new_pair(void)
{
    struct pair pair;

    crypto_box_keypair(pair.public_key, pair.secret);
    return pair;
}

/* A key of 32 octets that a number stands in. */
static const uint8_t *numbered(uint8_t key[ZMTP_KEY_SIZE], uint32_t number, uint8_t kind)
{
    memset(key, kind, ZMTP_KEY_SIZE);
    memcpy(key, &number, sizeof number);
    return key;
}

static int set_up(void **state)
{
    *state = zmtp_keyring_new();
    return *state ? 0 : -1;
}

static int tear_down(void **state)
{
    zmtp_keyring_free(*state);
    return 0;
}

static void a_session_key_is_found_by_either_public_key(void **state)
{
    struct zmtp_keyring *ring = *state;
    uint8_t a[ZMTP_KEY_SIZE];
    uint8_t b[ZMTP_KEY_SIZE];
    uint8_t k[ZMTP_KEY_SIZE];
    struct zmtp_key key;

    numbered(a, 1, 'a');
    numbered(b, 1, 'b');
    numbered(k, 1, 'k');
    assert_int_equal(zmtp_keyring_add_session(ring, a, b, k, ZMTP_SOURCE_TABLE), ZMTP_ADD_ADDED);

    assert_true(zmtp_keyring_find(ring, ZMTP_SESSION_KEYS, a, &key));
    assert_memory_equal(key.public_key, a, ZMTP_KEY_SIZE);
    assert_memory_equal(key.other_public, b, ZMTP_KEY_SIZE);
    assert_memory_equal(key.secret, k, ZMTP_KEY_SIZE);
    assert_int_equal(key.source, ZMTP_SOURCE_TABLE);

    assert_true(zmtp_keyring_find(ring, ZMTP_SESSION_KEYS, b, &key));
    assert_memory_equal(key.public_key, b, ZMTP_KEY_SIZE);
    assert_memory_equal(key.other_public, a, ZMTP_KEY_SIZE);
    assert_false(zmtp_keyring_find(ring, ZMTP_SESSION_KEYS, k, &key));
    assert_false(zmtp_keyring_find(ring, ZMTP_KEY_PAIRS, a, &key));
}

static void a_session_of_a_peer_with_itself_is_found(void **state)
{
    struct zmtp_keyring *ring = *state;
    uint8_t a[ZMTP_KEY_SIZE];
    uint8_t k[ZMTP_KEY_SIZE];
    struct zmtp_key key;

    numbered(a, 1, 'a');
    for (uint32_t i = 0; i < 1000; i++) {
        numbered(k, i, 'k');
        assert_int_equal(zmtp_keyring_add_session(ring, a, a, k, ZMTP_SOURCE_TABLE),
                         ZMTP_ADD_ADDED);
    }
    assert_true(zmtp_keyring_find(ring, ZMTP_SESSION_KEYS, a, &key));
    assert_memory_equal(key.secret, k, ZMTP_KEY_SIZE);
    assert_int_equal(zmtp_keyring_count(ring), 1);
}

static void a_pair_must_belong_together(void **state)
{
    struct zmtp_keyring *ring = *state;
    struct pair one = new_pair();
    struct pair two = new_pair();
    struct zmtp_key key;

    assert_int_equal(zmtp_keyring_add_pair(ring, one.public_key, two.secret, ZMTP_SOURCE_KEYLOG),
                     ZMTP_ADD_MISMATCH);
    assert_int_equal(zmtp_keyring_count(ring), 0);
    assert_int_equal(zmtp_keyring_add_pair(ring, one.public_key, one.secret, ZMTP_SOURCE_KEYLOG),
                     ZMTP_ADD_ADDED);
    assert_true(zmtp_keyring_find(ring, ZMTP_KEY_PAIRS, one.public_key, &key));
    assert_memory_equal(key.secret, one.secret, ZMTP_KEY_SIZE);
    assert_null(key.other_public);
}

static void a_secret_key_with_other_unused_bits_is_the_same_key(void **state)
{
    struct zmtp_keyring *ring = *state;
    struct pair pair = new_pair();

    zmtp_keyring_add_pair(ring, pair.public_key, pair.secret, ZMTP_SOURCE_KEYLOG);
    pair.secret[0] ^= 7; /* RFC 7748, "5. The X25519 and X448 Functions": these are cleared */
    zmtp_keyring_add_pair(ring, pair.public_key, pair.secret, ZMTP_SOURCE_KEYLOG);
    assert_int_equal(zmtp_keyring_count(ring), 1);
}

static void a_public_key_alone_has_no_secret(void **state)
{
    struct zmtp_keyring *ring = *state;
    struct pair pair = new_pair();
    struct zmtp_key key;

    assert_int_equal(zmtp_keyring_add_public(ring, pair.public_key, ZMTP_SOURCE_TABLE),
                     ZMTP_ADD_ADDED);
    assert_int_equal(zmtp_keyring_add_public(ring, pair.public_key, ZMTP_SOURCE_TABLE),
                     ZMTP_ADD_DUPLICATE);
    assert_true(zmtp_keyring_find(ring, ZMTP_PUBLIC_KEYS, pair.public_key, &key));
    assert_null(key.secret);
}

static void duplicates_change_nothing(void **state)
{
    struct zmtp_keyring *ring = *state;
    struct pair pair = new_pair();
    uint8_t a[ZMTP_KEY_SIZE];
    uint8_t b[ZMTP_KEY_SIZE];
    uint8_t k[ZMTP_KEY_SIZE];

    numbered(a, 1, 'a');
    numbered(b, 1, 'b');
    numbered(k, 1, 'k');
    zmtp_keyring_add_pair(ring, pair.public_key, pair.secret, ZMTP_SOURCE_KEYLOG);
    zmtp_keyring_add_session(ring, a, b, k, ZMTP_SOURCE_KEYLOG);
    zmtp_keyring_add_cookie_key(ring, a, k, ZMTP_SOURCE_KEYLOG);

    uint64_t generation = zmtp_keyring_generation(ring);
    assert_int_equal(zmtp_keyring_add_pair(ring, pair.public_key, pair.secret, ZMTP_SOURCE_KEYLOG),
                     ZMTP_ADD_DUPLICATE);
    assert_int_equal(zmtp_keyring_add_session(ring, a, b, k, ZMTP_SOURCE_KEYLOG),
                     ZMTP_ADD_DUPLICATE);
    assert_int_equal(zmtp_keyring_add_session(ring, b, a, k, ZMTP_SOURCE_KEYLOG),
                     ZMTP_ADD_DUPLICATE);
    assert_int_equal(zmtp_keyring_add_cookie_key(ring, a, k, ZMTP_SOURCE_KEYLOG),
                     ZMTP_ADD_DUPLICATE);
    assert_int_equal(zmtp_keyring_generation(ring), generation);
    assert_int_equal(zmtp_keyring_count(ring), 3);
}

static void the_newer_of_two_keys_for_one_public_key_is_used(void **state)
{
    struct zmtp_keyring *ring = *state;
    uint8_t a[ZMTP_KEY_SIZE];
    uint8_t b[ZMTP_KEY_SIZE];
    uint8_t c[ZMTP_KEY_SIZE];
    uint8_t k[3][ZMTP_KEY_SIZE];
    struct zmtp_key key;

    numbered(a, 1, 'a');
    numbered(b, 1, 'b');
    numbered(c, 1, 'c');
    for (uint32_t i = 0; i < 3; i++) {
        numbered(k[i], i, 'k');
    }

    zmtp_keyring_add_session(ring, a, b, k[0], ZMTP_SOURCE_KEYLOG);
    zmtp_keyring_add_session(ring, a, c, k[1], ZMTP_SOURCE_KEYLOG);
    assert_true(zmtp_keyring_find(ring, ZMTP_SESSION_KEYS, a, &key));
    assert_memory_equal(key.secret, k[1], ZMTP_KEY_SIZE);
    assert_true(zmtp_keyring_find(ring, ZMTP_SESSION_KEYS, b, &key));
    assert_memory_equal(key.secret, k[0], ZMTP_KEY_SIZE);
    assert_int_equal(zmtp_keyring_count(ring), 2);

    /* The first key has lost its other public key as well: it is gone. */
    zmtp_keyring_add_session(ring, b, c, k[2], ZMTP_SOURCE_KEYLOG);
    assert_int_equal(zmtp_keyring_count(ring), 2);

    /* A newer key of another source counts as newer, too. */
    zmtp_keyring_add_session(ring, a, b, k[0], ZMTP_SOURCE_TABLE);
    assert_true(zmtp_keyring_find(ring, ZMTP_SESSION_KEYS, a, &key));
    assert_memory_equal(key.secret, k[0], ZMTP_KEY_SIZE);

    zmtp_keyring_add_cookie_key(ring, a, k[0], ZMTP_SOURCE_KEYLOG);
    zmtp_keyring_add_cookie_key(ring, a, k[1], ZMTP_SOURCE_KEYLOG);
    assert_true(zmtp_keyring_find(ring, ZMTP_COOKIE_KEYS, a, &key));
    assert_memory_equal(key.secret, k[1], ZMTP_KEY_SIZE);
}

static void dropping_a_source_forgets_its_keys_only(void **state)
{
    struct zmtp_keyring *ring = *state;
    struct pair both = new_pair();
    struct pair logged = new_pair();
    struct zmtp_key key;

    zmtp_keyring_add_pair(ring, both.public_key, both.secret, ZMTP_SOURCE_KEYLOG);
    zmtp_keyring_add_pair(ring, both.public_key, both.secret, ZMTP_SOURCE_TABLE);
    zmtp_keyring_add_pair(ring, logged.public_key, logged.secret, ZMTP_SOURCE_KEYLOG);

    uint64_t generation = zmtp_keyring_generation(ring);
    zmtp_keyring_drop_source(ring, ZMTP_SOURCE_KEYLOG);
    assert_true(zmtp_keyring_generation(ring) > generation);
    assert_int_equal(zmtp_keyring_count(ring), 1);
    assert_false(zmtp_keyring_find(ring, ZMTP_KEY_PAIRS, logged.public_key, &key));
    assert_true(zmtp_keyring_find(ring, ZMTP_KEY_PAIRS, both.public_key, &key));
    assert_int_equal(key.source, ZMTP_SOURCE_TABLE);

    assert_int_equal(
        zmtp_keyring_add_pair(ring, logged.public_key, logged.secret, ZMTP_SOURCE_KEYLOG),
        ZMTP_ADD_ADDED);
    assert_true(zmtp_keyring_find(ring, ZMTP_KEY_PAIRS, logged.public_key, &key));
}

static void the_generation_grows_with_each_key(void **state)
{
    struct zmtp_keyring *ring = *state;
    uint64_t before = zmtp_keyring_generation(ring);
    uint8_t a[ZMTP_KEY_SIZE];

    for (uint32_t i = 0; i < 10; i++) {
        zmtp_keyring_add_public(ring, numbered(a, i, 'a'), ZMTP_SOURCE_CERTIFICATE);
        assert_true(zmtp_keyring_generation(ring) > before);
        before = zmtp_keyring_generation(ring);
    }
}

static void a_walk_sees_typed_keys_first_and_the_newest_of_each_source_first(void **state)
{
    struct zmtp_keyring *ring = *state;
    static const struct {
        uint32_t number;
        enum zmtp_key_source source;
    } added[] = {
        {1, ZMTP_SOURCE_TABLE},    {2, ZMTP_SOURCE_KEYLOG},      {3, ZMTP_SOURCE_EMBEDDED},
        {4, ZMTP_SOURCE_TABLE},    {5, ZMTP_SOURCE_CERTIFICATE}, {6, ZMTP_SOURCE_KEYLOG},
        {7, ZMTP_SOURCE_EMBEDDED},
    };
    static const uint32_t expected[] = {4, 1, 5, 6, 2, 7, 3};
    uint8_t a[ZMTP_KEY_SIZE];
    struct zmtp_key key;

    for (size_t i = 0; i < sizeof added / sizeof *added; i++) {
        zmtp_keyring_add_public(ring, numbered(a, added[i].number, 'a'), added[i].source);
    }

    struct zmtp_keyring_walk walk = zmtp_keyring_walk_start(ring, ZMTP_PUBLIC_KEYS, 0);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        assert_true(zmtp_keyring_walk_next(&walk, &key));
        assert_memory_equal(key.public_key, numbered(a, expected[i], 'a'), ZMTP_KEY_SIZE);
    }
    assert_false(zmtp_keyring_walk_next(&walk, &key));
    assert_false(zmtp_keyring_walk_next(&walk, &key));
}

static void a_walk_can_be_limited_to_new_keys(void **state)
{
    struct zmtp_keyring *ring = *state;
    uint8_t a[ZMTP_KEY_SIZE];
    struct zmtp_key key;

    zmtp_keyring_add_public(ring, numbered(a, 1, 'a'), ZMTP_SOURCE_KEYLOG);
    zmtp_keyring_add_public(ring, numbered(a, 2, 'a'), ZMTP_SOURCE_TABLE);
    uint64_t seen = zmtp_keyring_generation(ring);
    zmtp_keyring_add_public(ring, numbered(a, 3, 'a'), ZMTP_SOURCE_KEYLOG);

    struct zmtp_keyring_walk walk = zmtp_keyring_walk_start(ring, ZMTP_PUBLIC_KEYS, seen);
    assert_true(zmtp_keyring_walk_next(&walk, &key));
    assert_memory_equal(key.public_key, a, ZMTP_KEY_SIZE);
    assert_false(zmtp_keyring_walk_next(&walk, &key));
}

static void a_walk_leaves_out_replaced_keys(void **state)
{
    struct zmtp_keyring *ring = *state;
    uint8_t a[ZMTP_KEY_SIZE];
    uint8_t k[ZMTP_KEY_SIZE];
    struct zmtp_key key;

    numbered(a, 1, 'a');
    zmtp_keyring_add_cookie_key(ring, a, numbered(k, 1, 'k'), ZMTP_SOURCE_KEYLOG);
    zmtp_keyring_add_cookie_key(ring, a, numbered(k, 2, 'k'), ZMTP_SOURCE_KEYLOG);

    struct zmtp_keyring_walk walk = zmtp_keyring_walk_start(ring, ZMTP_COOKIE_KEYS, 0);
    assert_true(zmtp_keyring_walk_next(&walk, &key));
    assert_memory_equal(key.secret, k, ZMTP_KEY_SIZE);
    assert_false(zmtp_keyring_walk_next(&walk, &key));
}

static void a_hundred_thousand_session_keys_are_all_found(void **state)
{
    enum { KEYS = 100000 };
    struct zmtp_keyring *ring = *state;
    uint8_t a[ZMTP_KEY_SIZE];
    uint8_t b[ZMTP_KEY_SIZE];
    uint8_t k[ZMTP_KEY_SIZE];
    struct zmtp_key key;

    for (uint32_t i = 0; i < KEYS; i++) {
        enum zmtp_add_status status =
            zmtp_keyring_add_session(ring, numbered(a, i, 'a'), numbered(b, i, 'b'),
                                     numbered(k, i, 'k'), ZMTP_SOURCE_EMBEDDED);

        assert_int_equal(status, ZMTP_ADD_ADDED);
    }
    assert_int_equal(zmtp_keyring_count(ring), KEYS);
    for (uint32_t i = 0; i < KEYS; i++) {
        assert_true(zmtp_keyring_find(ring, ZMTP_SESSION_KEYS, numbered(b, i, 'b'), &key));
        assert_memory_equal(key.other_public, numbered(a, i, 'a'), ZMTP_KEY_SIZE);
        assert_memory_equal(key.secret, numbered(k, i, 'k'), ZMTP_KEY_SIZE);
    }
    zmtp_keyring_drop_source(ring, ZMTP_SOURCE_EMBEDDED);
    assert_int_equal(zmtp_keyring_count(ring), 0);
}

static void trials_are_paid_from_a_budget(void **state)
{
    struct zmtp_keyring *ring = *state;

    assert_true(zmtp_keyring_spend(ring, ZMTP_TRIAL_DIFFIE_HELLMAN, ZMTP_DH_TRIAL_BUDGET - 1));
    assert_false(zmtp_keyring_spend(ring, ZMTP_TRIAL_DIFFIE_HELLMAN, 2));
    assert_true(zmtp_keyring_spend(ring, ZMTP_TRIAL_DIFFIE_HELLMAN, 1));
    assert_false(zmtp_keyring_spend(ring, ZMTP_TRIAL_DIFFIE_HELLMAN, 1));
    assert_true(zmtp_keyring_spend(ring, ZMTP_TRIAL_SESSION_KEY, 1));

    zmtp_keyring_refund(ring, ZMTP_TRIAL_DIFFIE_HELLMAN, 1);
    assert_true(zmtp_keyring_spend(ring, ZMTP_TRIAL_DIFFIE_HELLMAN, 1));
    zmtp_keyring_renew_budget(ring);
    assert_true(zmtp_keyring_spend(ring, ZMTP_TRIAL_DIFFIE_HELLMAN, ZMTP_DH_TRIAL_BUDGET));
}

static void small_services_do_what_they_say(void **state)
{
    struct pair pair = new_pair();
    uint8_t public_key[ZMTP_KEY_SIZE];

    (void)state;
    assert_true(zmtp_crypto_init());
    assert_true(zmtp_public_from_secret(pair.secret, public_key));
    assert_memory_equal(public_key, pair.public_key, ZMTP_KEY_SIZE);
    zmtp_wipe(&pair, sizeof pair);
    assert_true(sodium_is_zero(pair.secret, sizeof pair.secret));
    zmtp_keyring_free(NULL);
    assert_string_equal(zmtp_key_source_name(ZMTP_SOURCE_KEYLOG), "key log");
    assert_string_equal(zmtp_key_source_name(ZMTP_SOURCE_TABLE), "key table");
    assert_string_equal(zmtp_key_source_name(ZMTP_SOURCE_EMBEDDED), "embedded in capture");
    assert_string_equal(zmtp_key_source_name(ZMTP_SOURCE_CERTIFICATE), "certificate");
}

#define ring_test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ring_test(a_session_key_is_found_by_either_public_key),
        ring_test(a_session_of_a_peer_with_itself_is_found),
        ring_test(a_pair_must_belong_together),
        ring_test(a_secret_key_with_other_unused_bits_is_the_same_key),
        ring_test(a_public_key_alone_has_no_secret),
        ring_test(duplicates_change_nothing),
        ring_test(the_newer_of_two_keys_for_one_public_key_is_used),
        ring_test(dropping_a_source_forgets_its_keys_only),
        ring_test(the_generation_grows_with_each_key),
        ring_test(a_walk_sees_typed_keys_first_and_the_newest_of_each_source_first),
        ring_test(a_walk_can_be_limited_to_new_keys),
        ring_test(a_walk_leaves_out_replaced_keys),
        ring_test(a_hundred_thousand_session_keys_are_all_found),
        ring_test(trials_are_paid_from_a_budget),
        ring_test(small_services_do_what_they_say),
    };

    if (!zmtp_crypto_init()) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
