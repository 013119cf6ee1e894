/*
 * Tests of CURVE boxes: which key opens what, on first and on later visits, and what is said of the
 * boxes that stay closed.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "cmocka_setup.h"

#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "decrypt/curve.h"
#include "handshake.h"

static void give(struct fixture *fixture, unsigned keys)
{
    if (keys & GIVE_STRANGERS) {
        struct handshake other;

        make_handshake(&other);
        give_keys(fixture->ring, &other, ~0u, ZMTP_SOURCE_KEYLOG);
    }
    give_keys(fixture->ring, &fixture->handshake, keys, ZMTP_SOURCE_KEYLOG);
}

static struct zmtp_box_result open_one(struct fixture *fixture, enum box_name name)
{
    return open_named(fixture->session, &fixture->handshake, name);
}

static void assert_result(struct zmtp_box_result result, enum zmtp_box_status status,
                          enum zmtp_key_kind kind)
{
    assert_int_equal(result.status, status);
    assert_int_equal(result.kind, kind);
}

/* ---- What opens what --------------------------------------------------------------------- */

/* One cell: how a box ends, and the kind of key that is named for it. */
struct cell {
    enum zmtp_box_status status;
    enum zmtp_key_kind kind;
};

#define NO                                                                                         \
    {                                                                                              \
        ZMTP_BOX_NO_KEY, ZMTP_KEY_NONE                                                             \
    }
#define BY(kind)                                                                                   \
    {                                                                                              \
        ZMTP_BOX_OPENED, ZMTP_KEY_##kind                                                           \
    }
#define WRONG(kind)                                                                                \
    {                                                                                              \
        ZMTP_BOX_WRONG_KEY, ZMTP_KEY_##kind                                                        \
    }

static const struct row {
    const char *secrets;
    unsigned keys;
    struct cell cells[BOX_COUNT]; /* HELLO WELCOME cookie INITIATE vouch READY MESSAGE MESSAGE */
} rows[] = {
    {"nothing", 0, {NO, NO, NO, NO, NO, NO, NO, NO}},
    {"a stranger's keys", GIVE_STRANGERS, {NO, NO, NO, NO, NO, NO, NO, NO}},
    {"s", GIVE_SERVER_SECRET, {BY(SERVER_PERMANENT), BY(SERVER_PERMANENT), NO, NO, NO, NO, NO, NO}},
    {"c", GIVE_CLIENT_SECRET, {NO, NO, NO, NO, NO, NO, NO, NO}},
    {"s + c: permanent keys alone",
     GIVE_SERVER_SECRET | GIVE_CLIENT_SECRET,
     {BY(SERVER_PERMANENT), BY(SERVER_PERMANENT), NO, NO, NO, NO, NO, NO}},
    {"S", GIVE_SERVER_PUBLIC, {NO, NO, NO, NO, NO, NO, NO, NO}},
    {"c'", GIVE_CLIENT_TRANSIENT_SECRET, {NO, NO, NO, NO, NO, NO, NO, NO}},
    {"c' + S",
     GIVE_CLIENT_TRANSIENT_SECRET | GIVE_SERVER_PUBLIC,
     {BY(CLIENT_TRANSIENT), BY(CLIENT_TRANSIENT), NO, BY(CLIENT_TRANSIENT), NO,
      BY(CLIENT_TRANSIENT), BY(CLIENT_TRANSIENT), BY(CLIENT_TRANSIENT)}},
    {"c' + s",
     GIVE_CLIENT_TRANSIENT_SECRET | GIVE_SERVER_SECRET,
     {BY(CLIENT_TRANSIENT), BY(CLIENT_TRANSIENT), NO, BY(CLIENT_TRANSIENT), NO,
      BY(CLIENT_TRANSIENT), BY(CLIENT_TRANSIENT), BY(CLIENT_TRANSIENT)}},
    {"c' + S + c",
     GIVE_CLIENT_TRANSIENT_SECRET | GIVE_SERVER_PUBLIC | GIVE_CLIENT_SECRET,
     {BY(CLIENT_TRANSIENT), BY(CLIENT_TRANSIENT), NO, BY(CLIENT_TRANSIENT), BY(CLIENT_PERMANENT),
      BY(CLIENT_TRANSIENT), BY(CLIENT_TRANSIENT), BY(CLIENT_TRANSIENT)}},
    {"s'",
     GIVE_SERVER_TRANSIENT_SECRET,
     {NO, NO, NO, BY(SERVER_TRANSIENT), BY(SERVER_TRANSIENT), BY(SERVER_TRANSIENT),
      BY(SERVER_TRANSIENT), BY(SERVER_TRANSIENT)}},
    {"s' + s",
     GIVE_SERVER_TRANSIENT_SECRET | GIVE_SERVER_SECRET,
     {BY(SERVER_PERMANENT), BY(SERVER_PERMANENT), NO, BY(SERVER_TRANSIENT), BY(SERVER_TRANSIENT),
      BY(SERVER_TRANSIENT), BY(SERVER_TRANSIENT), BY(SERVER_TRANSIENT)}},
    {"k", GIVE_SESSION_KEY, {NO, NO, NO, BY(SESSION), NO, BY(SESSION), BY(SESSION), BY(SESSION)}},
    {"k, columns swapped",
     GIVE_SWAPPED_SESSION_KEY,
     {NO, NO, NO, BY(SESSION), NO, BY(SESSION), BY(SESSION), BY(SESSION)}},
    {"k + c: the log's line tells S'",
     GIVE_SESSION_KEY | GIVE_CLIENT_SECRET,
     {NO, NO, NO, BY(SESSION), BY(CLIENT_PERMANENT), BY(SESSION), BY(SESSION), BY(SESSION)}},
    {"k + s + c",
     GIVE_SWAPPED_SESSION_KEY | GIVE_SERVER_SECRET | GIVE_CLIENT_SECRET,
     {BY(SERVER_PERMANENT), BY(SERVER_PERMANENT), NO, BY(SESSION), BY(CLIENT_PERMANENT),
      BY(SESSION), BY(SESSION), BY(SESSION)}},
    {"K",
     GIVE_COOKIE_KEY,
     {NO, NO, BY(COOKIE), BY(COOKIE), BY(COOKIE), BY(COOKIE), BY(COOKIE), BY(COOKIE)}},
    {"K + k",
     GIVE_COOKIE_KEY | GIVE_SESSION_KEY,
     {NO, NO, BY(COOKIE), BY(SESSION), BY(COOKIE), BY(SESSION), BY(SESSION), BY(SESSION)}},
    {"everything, and a stranger's keys",
     ~(unsigned)(GIVE_WRONG_COOKIE_KEY | GIVE_WRONG_SESSION_KEY),
     {BY(CLIENT_TRANSIENT), BY(CLIENT_TRANSIENT), BY(COOKIE), BY(SESSION), BY(CLIENT_PERMANENT),
      BY(SESSION), BY(SESSION), BY(SESSION)}},
    {"a wrong k",
     GIVE_WRONG_SESSION_KEY,
     {NO, NO, NO, WRONG(SESSION), NO, WRONG(SESSION), WRONG(SESSION), WRONG(SESSION)}},
    {"a wrong K", GIVE_WRONG_COOKIE_KEY, {NO, NO, WRONG(COOKIE), NO, NO, NO, NO, NO}},
    {"a wrong k, but c' + S",
     GIVE_WRONG_SESSION_KEY | GIVE_CLIENT_TRANSIENT_SECRET | GIVE_SERVER_PUBLIC,
     {BY(CLIENT_TRANSIENT), BY(CLIENT_TRANSIENT), NO, BY(CLIENT_TRANSIENT), NO,
      BY(CLIENT_TRANSIENT), BY(CLIENT_TRANSIENT), BY(CLIENT_TRANSIENT)}},
    {"a wrong k, but s'",
     GIVE_WRONG_SESSION_KEY | GIVE_SERVER_TRANSIENT_SECRET,
     {NO, NO, NO, BY(SERVER_TRANSIENT), BY(SERVER_TRANSIENT), BY(SERVER_TRANSIENT),
      BY(SERVER_TRANSIENT), BY(SERVER_TRANSIENT)}},
};

enum { ROWS = sizeof rows / sizeof *rows };

static void assert_cell(struct fixture *fixture, const struct row *row, enum box_name name)
{
    /* The vouch lies within INITIATE. */
    if (name == BOX_VOUCH && row->cells[BOX_INITIATE].status != ZMTP_BOX_OPENED) {
        return;
    }

    struct zmtp_box_result result = open_one(fixture, name);
    const struct cell *expected = &row->cells[name];
    if (result.status != expected->status || result.kind != expected->kind) {
        fail_msg("%s, %s: status %d by %s, expected status %d by %s", row->secrets, box_names[name],
                 result.status, zmtp_key_kind_name(result.kind), expected->status,
                 zmtp_key_kind_name(expected->kind));
    }
}

static void open_in_order(struct fixture *fixture, const struct row *row)
{
    for (int name = 0; name < BOX_COUNT; name++) {
        assert_cell(fixture, row, (enum box_name)name);
    }
}

static void every_secret_opens_what_the_table_says(void **state)
{
    for (size_t i = 0; i < ROWS; i++) {
        set_up(state);
        give(*state, rows[i].keys);
        open_in_order(*state, &rows[i]);
        tear_down(state);
    }
}

static void a_later_visit_in_any_order_gives_the_first_answer(void **state)
{
    for (size_t i = 0; i < ROWS; i++) {
        set_up(state);
        give(*state, rows[i].keys);
        open_in_order(*state, &rows[i]);
        for (int name = BOX_COUNT - 1; name >= 0; name--) {
            assert_cell(*state, &rows[i], (enum box_name)name);
        }
        for (int visit = 0; visit < 100; visit++) {
            assert_cell(*state, &rows[i], (enum box_name)randombytes_uniform(BOX_COUNT));
        }
        open_in_order(*state, &rows[i]);
        tear_down(state);
    }
}

static void keys_that_come_late_open_what_they_had_opened_in_time(void **state)
{
    for (size_t i = 0; i < ROWS; i++) {
        set_up(state);
        give(*state, GIVE_STRANGERS);
        open_in_order(*state, &rows[0]);
        give(*state, rows[i].keys);
        open_in_order(*state, &rows[i]);
        tear_down(state);
    }
}

/* Session keys come while messages flow; then the user clicks on earlier packets. */
static void a_key_that_comes_late_opens_earlier_boxes_in_any_order(void **state)
{
    struct fixture *fixture = *state;

    open_in_order(fixture, &rows[0]);
    give(fixture, GIVE_SESSION_KEY | GIVE_CLIENT_SECRET);
    for (int name = BOX_COUNT - 1; name > BOX_INITIATE; name--) {
        if (name != BOX_VOUCH) {
            assert_result(open_one(fixture, (enum box_name)name), ZMTP_BOX_OPENED,
                          ZMTP_KEY_SESSION);
        }
    }
    assert_result(open_one(fixture, BOX_INITIATE), ZMTP_BOX_OPENED, ZMTP_KEY_SESSION);
    assert_result(open_one(fixture, BOX_VOUCH), ZMTP_BOX_OPENED, ZMTP_KEY_CLIENT_PERMANENT);
}

static void the_source_of_the_key_is_told(void **state)
{
    struct fixture *fixture = *state;

    give_keys(fixture->ring, &fixture->handshake, GIVE_SERVER_SECRET, ZMTP_SOURCE_CERTIFICATE);
    give_keys(fixture->ring, &fixture->handshake, GIVE_SESSION_KEY, ZMTP_SOURCE_EMBEDDED);
    give_keys(fixture->ring, &fixture->handshake, GIVE_COOKIE_KEY, ZMTP_SOURCE_TABLE);
    assert_int_equal(open_one(fixture, BOX_HELLO).source, ZMTP_SOURCE_CERTIFICATE);
    assert_int_equal(open_one(fixture, BOX_COOKIE).source, ZMTP_SOURCE_TABLE);
    assert_int_equal(open_one(fixture, BOX_READY).source, ZMTP_SOURCE_EMBEDDED);
}

static void the_kinds_of_keys_have_names(void **state)
{
    (void)state;
    assert_string_equal(zmtp_key_kind_name(ZMTP_KEY_SESSION), "session key");
    assert_string_equal(zmtp_key_kind_name(ZMTP_KEY_CLIENT_TRANSIENT),
                        "client transient secret key");
    assert_string_equal(zmtp_key_kind_name(ZMTP_KEY_SERVER_TRANSIENT),
                        "server transient secret key");
    assert_string_equal(zmtp_key_kind_name(ZMTP_KEY_CLIENT_PERMANENT),
                        "client permanent secret key");
    assert_string_equal(zmtp_key_kind_name(ZMTP_KEY_SERVER_PERMANENT),
                        "server permanent secret key");
    assert_string_equal(zmtp_key_kind_name(ZMTP_KEY_COOKIE), "cookie key");
}

/* ---- What is learned, and from when on --------------------------------------------------- */

typedef const uint8_t *(*getter)(const struct zmtp_curve_session *session, uint32_t now);

/* Known in that frame and not in the one before. */
static void assert_known_since(struct fixture *fixture, getter get, uint32_t since,
                               const uint8_t key[ZMTP_KEY_SIZE])
{
    assert_null(get(fixture->session, since - 1));
    assert_non_null(get(fixture->session, since));
    assert_memory_equal(get(fixture->session, since), key, ZMTP_KEY_SIZE);
    assert_memory_equal(get(fixture->session, UINT32_MAX), key, ZMTP_KEY_SIZE);
}

static void open_everything(struct fixture *fixture)
{
    for (int name = 0; name < BOX_COUNT; name++) {
        (void)open_one(fixture, (enum box_name)name);
    }
}

static void public_keys_are_known_from_the_frame_that_told_them(void **state)
{
    struct fixture *fixture = *state;
    const struct handshake *h = &fixture->handshake;

    give(fixture, GIVE_CLIENT_TRANSIENT_SECRET | GIVE_SERVER_PUBLIC);
    open_everything(fixture);
    assert_known_since(fixture, zmtp_curve_client_transient, box_frames[BOX_HELLO],
                       h->client_transient.public_key);
    assert_known_since(fixture, zmtp_curve_server_permanent, box_frames[BOX_HELLO],
                       h->server.public_key);
    assert_known_since(fixture, zmtp_curve_server_transient, box_frames[BOX_WELCOME],
                       h->server_transient.public_key);
    assert_known_since(fixture, zmtp_curve_client_permanent, box_frames[BOX_INITIATE],
                       h->client.public_key);
}

static void the_vouch_tells_s_and_earlier_frames_do_not_know_it(void **state)
{
    struct fixture *fixture = *state;

    give(fixture, GIVE_SERVER_TRANSIENT_SECRET);
    open_everything(fixture);
    assert_known_since(fixture, zmtp_curve_server_permanent, box_frames[BOX_VOUCH],
                       fixture->handshake.server.public_key);
    assert_known_since(fixture, zmtp_curve_server_transient, box_frames[BOX_INITIATE],
                       fixture->handshake.server_transient.public_key);
}

static void without_keys_only_c_transient_is_known(void **state)
{
    struct fixture *fixture = *state;

    open_everything(fixture);
    assert_known_since(fixture, zmtp_curve_client_transient, box_frames[BOX_HELLO],
                       fixture->handshake.client_transient.public_key);
    assert_null(zmtp_curve_server_transient(fixture->session, UINT32_MAX));
    assert_null(zmtp_curve_client_permanent(fixture->session, UINT32_MAX));
    assert_null(zmtp_curve_server_permanent(fixture->session, UINT32_MAX));
}

static void a_hello_whose_box_was_cut_still_names_the_connection(void **state)
{
    struct fixture *fixture = *state;

    give(fixture, GIVE_SERVER_SECRET | GIVE_SESSION_KEY);
    zmtp_curve_note_client_transient(fixture->session, box_frames[BOX_HELLO],
                                     fixture->handshake.client_transient.public_key);
    assert_result(open_one(fixture, BOX_WELCOME), ZMTP_BOX_OPENED, ZMTP_KEY_SERVER_PERMANENT);
    assert_result(open_one(fixture, BOX_CLIENT_MESSAGE), ZMTP_BOX_OPENED, ZMTP_KEY_SESSION);
}

static void a_second_client_in_one_session_is_not_opened(void **state)
{
    struct fixture *fixture = *state;
    struct handshake other;

    make_handshake(&other);
    give(fixture, GIVE_SERVER_SECRET);
    give_keys(fixture->ring, &other, GIVE_SERVER_SECRET, ZMTP_SOURCE_KEYLOG);
    for (int visit = 0; visit < 2; visit++) {
        assert_result(open_one(fixture, BOX_HELLO), ZMTP_BOX_OPENED, ZMTP_KEY_SERVER_PERMANENT);
        assert_result(open_named(fixture->session, &other, BOX_HELLO), ZMTP_BOX_NO_KEY,
                      ZMTP_KEY_NONE);
    }
}

/* A server's cookie that an enemy sends on must not lend its s' to this connection. */
static void the_cookie_of_another_connection_teaches_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct handshake other;

    make_handshake(&other);
    memcpy(other.cookie_key, fixture->handshake.cookie_key, ZMTP_KEY_SIZE);
    give(fixture, GIVE_COOKIE_KEY);

    /* The same K, and the other's C' and s' inside. */
    uint8_t nonce[crypto_box_NONCEBYTES] = "COOKIE--";
    uint8_t plain[2 * ZMTP_KEY_SIZE];
    memcpy(nonce + 8, other.cookie, ZMTP_LONG_NONCE_SIZE);
    memcpy(plain, other.client_transient.public_key, ZMTP_KEY_SIZE);
    memcpy(plain + ZMTP_KEY_SIZE, other.server_transient.secret, ZMTP_KEY_SIZE);
    crypto_secretbox_easy(other.cookie + ZMTP_LONG_NONCE_SIZE, plain, sizeof plain, nonce,
                          other.cookie_key);

    (void)open_one(fixture, BOX_HELLO);
    assert_result(open_named(fixture->session, &other, BOX_COOKIE), ZMTP_BOX_OPENED,
                  ZMTP_KEY_COOKIE);
    assert_null(zmtp_curve_server_transient(fixture->session, UINT32_MAX));
    assert_result(open_one(fixture, BOX_INITIATE), ZMTP_BOX_NO_KEY, ZMTP_KEY_NONE);
}

/* ---- Damage ------------------------------------------------------------------------------ */

static uint8_t *box_data(struct handshake *h, enum box_name name)
{
    uint8_t *const boxes[BOX_COUNT] = {
        [BOX_HELLO] = h->hello,
        [BOX_WELCOME] = h->welcome,
        [BOX_COOKIE] = h->cookie,
        [BOX_INITIATE] = h->initiate,
        [BOX_VOUCH] = h->vouch,
        [BOX_READY] = h->ready,
        [BOX_CLIENT_MESSAGE] = h->client_message,
        [BOX_SERVER_MESSAGE] = h->server_message,
    };

    return boxes[name];
}

/* What is said of a box that is damaged, all others being whole. */
static const struct damage {
    unsigned keys;
    struct cell cells[BOX_COUNT];
} damages[] = {
    /* A first box that does not open cannot be told from one under other keys. */
    {GIVE_SERVER_SECRET,
     {NO, {ZMTP_BOX_DAMAGED, ZMTP_KEY_SERVER_PERMANENT}, NO, NO, NO, NO, NO, NO}},
    {GIVE_SESSION_KEY | GIVE_CLIENT_SECRET,
     {NO,
      NO,
      NO,
      WRONG(SESSION),
      WRONG(CLIENT_PERMANENT),
      {ZMTP_BOX_DAMAGED, ZMTP_KEY_SESSION},
      {ZMTP_BOX_DAMAGED, ZMTP_KEY_SESSION},
      {ZMTP_BOX_DAMAGED, ZMTP_KEY_SESSION}}},
    /* c' is proven to be the secret of C', and S' came out of a box: k is right. */
    {GIVE_CLIENT_TRANSIENT_SECRET | GIVE_SERVER_PUBLIC,
     {NO,
      {ZMTP_BOX_DAMAGED, ZMTP_KEY_CLIENT_TRANSIENT},
      NO,
      {ZMTP_BOX_DAMAGED, ZMTP_KEY_CLIENT_TRANSIENT},
      NO,
      {ZMTP_BOX_DAMAGED, ZMTP_KEY_CLIENT_TRANSIENT},
      {ZMTP_BOX_DAMAGED, ZMTP_KEY_CLIENT_TRANSIENT},
      {ZMTP_BOX_DAMAGED, ZMTP_KEY_CLIENT_TRANSIENT}}},
    {GIVE_COOKIE_KEY,
     {NO,
      NO,
      WRONG(COOKIE),
      {ZMTP_BOX_DAMAGED, ZMTP_KEY_COOKIE},
      WRONG(COOKIE),
      {ZMTP_BOX_DAMAGED, ZMTP_KEY_COOKIE},
      {ZMTP_BOX_DAMAGED, ZMTP_KEY_COOKIE},
      {ZMTP_BOX_DAMAGED, ZMTP_KEY_COOKIE}}},
};

static void check_damage(void **state, const struct damage *damage, enum box_name damaged)
{
    struct fixture *fixture;
    struct zmtp_box_result first[BOX_COUNT];

    set_up(state);
    fixture = *state;
    give(fixture, damage->keys);
    box_data(&fixture->handshake, damaged)[10] ^= 1;
    for (int name = 0; name < BOX_COUNT; name++) {
        first[name] = open_one(fixture, (enum box_name)name);
    }
    if (first[damaged].status != damage->cells[damaged].status ||
        first[damaged].kind != damage->cells[damaged].kind) {
        fail_msg("keys %u, damaged %s: status %d by %s", damage->keys, box_names[damaged],
                 first[damaged].status, zmtp_key_kind_name(first[damaged].kind));
    }
    for (int name = BOX_COUNT - 1; name >= 0; name--) {
        assert_result(open_one(fixture, (enum box_name)name), first[name].status, first[name].kind);
    }
    tear_down(state);
}

static void a_damaged_box_is_told_from_one_without_a_key(void **state)
{
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        for (int name = 0; name < BOX_COUNT; name++) {
            check_damage(state, &damages[i], (enum box_name)name);
        }
    }
}

static void a_box_after_a_damaged_one_is_opened(void **state)
{
    struct fixture *fixture = *state;

    give(fixture, GIVE_SESSION_KEY);
    fixture->handshake.initiate[20] ^= 0x80;
    (void)open_one(fixture, BOX_HELLO);
    assert_result(open_one(fixture, BOX_INITIATE), ZMTP_BOX_WRONG_KEY, ZMTP_KEY_SESSION);
    assert_result(open_one(fixture, BOX_READY), ZMTP_BOX_OPENED, ZMTP_KEY_SESSION);
    assert_result(open_one(fixture, BOX_INITIATE), ZMTP_BOX_WRONG_KEY, ZMTP_KEY_SESSION);
}

/* Two messages of one frame: the second must not change what was said of the first. */
static void boxes_of_one_frame_do_not_change_each_others_answer(void **state)
{
    struct fixture *fixture = *state;
    struct handshake *h = &fixture->handshake;
    enum zmtp_sender sender = ZMTP_SENDER_CLIENT;
    uint8_t damaged[sizeof h->client_message];
    uint8_t out[MESSAGE_PLAIN_SIZE];

    give(fixture, GIVE_SESSION_KEY);
    zmtp_curve_note_client_transient(fixture->session, 5, h->client_transient.public_key);
    memcpy(damaged, h->client_message, sizeof damaged);
    damaged[0] ^= 1;
    for (int visit = 0; visit < 2; visit++) {
        assert_result(zmtp_curve_open_message(fixture->session, 20, &sender,
                                              h->client_message_nonce, damaged, sizeof damaged,
                                              out),
                      ZMTP_BOX_WRONG_KEY, ZMTP_KEY_SESSION);
        assert_result(zmtp_curve_open_message(fixture->session, 20, &sender,
                                              h->client_message_nonce, h->client_message,
                                              sizeof h->client_message, out),
                      ZMTP_BOX_OPENED, ZMTP_KEY_SESSION);
        assert_result(zmtp_curve_open_message(fixture->session, 21, &sender,
                                              h->client_message_nonce, damaged, sizeof damaged,
                                              out),
                      ZMTP_BOX_DAMAGED, ZMTP_KEY_SESSION);
    }
}

/* ---- A capture that begins in the middle ------------------------------------------------- */

static void messages_without_a_handshake_open_with_a_session_key_of_the_ring(void **state)
{
    struct fixture *fixture = *state;
    const struct handshake *h = &fixture->handshake;
    uint8_t out[MESSAGE_PLAIN_SIZE];

    give(fixture, GIVE_SESSION_KEY | GIVE_STRANGERS);
    for (int visit = 0; visit < 2; visit++) {
        enum zmtp_sender client = ZMTP_SENDER_UNKNOWN;
        enum zmtp_sender server = ZMTP_SENDER_UNKNOWN;

        assert_result(zmtp_curve_open_message(fixture->session, 11, &server,
                                              h->server_message_nonce, h->server_message,
                                              sizeof h->server_message, out),
                      ZMTP_BOX_OPENED, ZMTP_KEY_SESSION);
        assert_int_equal(server, ZMTP_SENDER_SERVER);
        assert_memory_equal(out, h->server_message_plain, sizeof out);
        assert_result(zmtp_curve_open_message(fixture->session, 12, &client,
                                              h->client_message_nonce, h->client_message,
                                              sizeof h->client_message, out),
                      ZMTP_BOX_OPENED, ZMTP_KEY_SESSION);
        assert_int_equal(client, ZMTP_SENDER_CLIENT);
        assert_memory_equal(out, h->client_message_plain, sizeof out);
    }
}

static void a_sender_that_was_not_found_stays_unknown(void **state)
{
    struct fixture *fixture = *state;
    const struct handshake *h = &fixture->handshake;
    enum zmtp_sender sender = ZMTP_SENDER_UNKNOWN;
    uint8_t out[MESSAGE_PLAIN_SIZE];

    give(fixture, GIVE_STRANGERS);
    assert_result(zmtp_curve_open_message(fixture->session, 11, &sender, h->server_message_nonce,
                                          h->server_message, sizeof h->server_message, out),
                  ZMTP_BOX_NO_KEY, ZMTP_KEY_NONE);
    assert_int_equal(sender, ZMTP_SENDER_UNKNOWN);
}

static void a_message_does_not_open_with_the_other_senders_nonce(void **state)
{
    struct fixture *fixture = *state;
    const struct handshake *h = &fixture->handshake;
    enum zmtp_sender sender = ZMTP_SENDER_SERVER;
    uint8_t out[MESSAGE_PLAIN_SIZE];

    give(fixture, GIVE_SESSION_KEY);
    open_everything(fixture);
    assert_result(zmtp_curve_open_message(fixture->session, 12, &sender, h->client_message_nonce,
                                          h->client_message, sizeof h->client_message, out),
                  ZMTP_BOX_DAMAGED, ZMTP_KEY_SESSION);
    assert_int_equal(sender, ZMTP_SENDER_SERVER);
}

#define curve_test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_secret_opens_what_the_table_says),
        cmocka_unit_test(a_later_visit_in_any_order_gives_the_first_answer),
        cmocka_unit_test(keys_that_come_late_open_what_they_had_opened_in_time),
        curve_test(a_key_that_comes_late_opens_earlier_boxes_in_any_order),
        curve_test(the_source_of_the_key_is_told),
        curve_test(the_kinds_of_keys_have_names),
        curve_test(public_keys_are_known_from_the_frame_that_told_them),
        curve_test(the_vouch_tells_s_and_earlier_frames_do_not_know_it),
        curve_test(without_keys_only_c_transient_is_known),
        curve_test(a_hello_whose_box_was_cut_still_names_the_connection),
        curve_test(a_second_client_in_one_session_is_not_opened),
        curve_test(the_cookie_of_another_connection_teaches_nothing),
        cmocka_unit_test(a_damaged_box_is_told_from_one_without_a_key),
        curve_test(a_box_after_a_damaged_one_is_opened),
        curve_test(boxes_of_one_frame_do_not_change_each_others_answer),
        curve_test(messages_without_a_handshake_open_with_a_session_key_of_the_ring),
        curve_test(a_sender_that_was_not_found_stays_unknown),
        curve_test(a_message_does_not_open_with_the_other_senders_nonce),
    };

    if (!zmtp_crypto_init()) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
