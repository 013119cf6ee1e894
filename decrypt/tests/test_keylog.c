/*
 * Tests of the key log parser.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "cmocka_setup.h"

#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "decrypt/keylog.h"

#define HEX_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define HEX_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define HEX_K "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
/* The client's pair of libzmq's zmq_curve(7). */
#define Z85_PUBLIC "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"
#define Z85_SECRET "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs"

#define SESSION_LINE "CURVE_SESSION_KEY " HEX_A " " HEX_B " " HEX_K

enum { MAX_HEARD = 32 };

/* A parser with its ring, and what it complained about. */
struct fixture {
    struct zmtp_keyring *ring;
    struct zmtp_keylog log;
    struct zmtp_keylog_sink sink;
    size_t heard;
    struct {
        unsigned long line;
        char problem[160];
    } report[MAX_HEARD];
};

static void hear(void *ctx, unsigned long line, const char *problem)
{
    struct fixture *fixture = ctx;

    assert_true(fixture->heard < MAX_HEARD);
    fixture->report[fixture->heard].line = line;
    (void)snprintf(fixture->report[fixture->heard].problem, sizeof fixture->report[0].problem, "%s",
                   problem);
    fixture->heard++;
}

static int set_up(void **state)
{
    static struct fixture fixture;

    memset(&fixture, 0, sizeof fixture);
    fixture.ring = zmtp_keyring_new();
    fixture.sink = (struct zmtp_keylog_sink){fixture.ring, ZMTP_SOURCE_KEYLOG, hear, &fixture};
    zmtp_keylog_init(&fixture.log);
    *state = &fixture;
    return fixture.ring ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    zmtp_keylog_clear(&fixture->log);
    zmtp_keyring_free(fixture->ring);
    return 0;
}

static void feed(struct fixture *fixture, const char *text)
{
    zmtp_keylog_feed(&fixture->log, &fixture->sink, text, strlen(text));
}

/* Feeds a whole text and ends it. */
static void read_all(struct fixture *fixture, const char *text)
{
    feed(fixture, text);
    zmtp_keylog_finish(&fixture->log, &fixture->sink, true);
}

static void assert_heard(const struct fixture *fixture, size_t index, unsigned long line,
                         const char *problem)
{
    assert_true(index < fixture->heard);
    assert_string_equal(fixture->report[index].problem, problem);
    assert_int_equal(fixture->report[index].line, line);
}

static void all_three_labels_are_read(void **state)
{
    struct fixture *fixture = *state;
    struct zmtp_key key;
    uint8_t public_key[ZMTP_KEY_SIZE];

    read_all(fixture, SESSION_LINE "\n"
                                   "CURVE_SECRET_KEY " Z85_PUBLIC " " Z85_SECRET "\n"
                                   "CURVE_COOKIE_KEY " HEX_B " " HEX_K "\n");
    assert_int_equal(fixture->log.counts.added, 3);
    assert_int_equal(fixture->heard, 0);

    memset(public_key, 0xbb, sizeof public_key);
    assert_true(zmtp_keyring_find(fixture->ring, ZMTP_SESSION_KEYS, public_key, &key));
    assert_int_equal(key.secret[31], 0xcc);
    assert_int_equal(key.source, ZMTP_SOURCE_KEYLOG);
    assert_true(zmtp_keyring_find(fixture->ring, ZMTP_COOKIE_KEYS, public_key, &key));
    assert_int_equal(key.secret[31], 0xcc);
    zmtp_key_from_text(Z85_PUBLIC, ZMTP_KEY_Z85_LENGTH, public_key);
    assert_true(zmtp_keyring_find(fixture->ring, ZMTP_KEY_PAIRS, public_key, &key));
}

static void comments_blank_lines_and_any_blanks_are_fine(void **state)
{
    struct fixture *fixture = *state;

    read_all(fixture, "# a comment\n"
                      "\n"
                      " \t \n"
                      "   # another\n"
                      "\t CURVE_SESSION_KEY\t\t" HEX_A "  " HEX_B "\t" HEX_K " \t # mine\n"
                      "CURVE_COOKIE_KEY " HEX_A " " HEX_K " #\n"
                      "CURVE_COOKIE_KEY " HEX_B " " HEX_K "   \n");
    assert_int_equal(fixture->log.counts.added, 3);
    assert_int_equal(fixture->log.counts.malformed, 0);
    assert_int_equal(fixture->log.counts.unknown, 0);
}

static void crlf_and_a_byte_order_mark_are_fine(void **state)
{
    struct fixture *fixture = *state;

    read_all(fixture,
             "\xef\xbb\xbf" SESSION_LINE "\r\n\r\nCURVE_COOKIE_KEY " HEX_A " " HEX_K "\r\n");
    assert_int_equal(fixture->log.counts.added, 2);
    assert_int_equal(fixture->heard, 0);
    assert_int_equal(fixture->log.counts.unknown, 0);
}

/* `#` is a Z85 digit as well, but no group within 32 bits begins with it. */
static void a_hash_begins_a_comment_only_where_a_field_begins(void **state)
{
    struct fixture *fixture = *state;

    read_all(fixture, "CURVE_COOKIE_KEY 0#000"
                      "00000000000000000000000000000000000 " HEX_K "\n"
                      "CURVE_COOKIE_KEY " HEX_A " #000000000000000000000000000000000000000\n");
    assert_int_equal(fixture->log.counts.added, 1);
    assert_heard(fixture, 0, 2, "CURVE_COOKIE_KEY needs 2 keys, found 1");
}

static void unknown_labels_are_counted_and_skipped(void **state)
{
    struct fixture *fixture = *state;

    read_all(fixture, "CURVE_FUTURE_KEY x\ncurve_session_key " HEX_A " " HEX_B " " HEX_K
                      "\nCURVE_SESSION_KEYS\n" SESSION_LINE "\n");
    assert_int_equal(fixture->log.counts.unknown, 3);
    assert_int_equal(fixture->log.counts.added, 1);
    assert_int_equal(fixture->heard, 0);
}

static void bad_lines_are_reported_with_their_number_and_what_is_wrong(void **state)
{
    struct fixture *fixture = *state;

    read_all(fixture, "# one\n"
                      "CURVE_SESSION_KEY " HEX_A " " HEX_B "\n"
                      "CURVE_SESSION_KEY\n"
                      "CURVE_COOKIE_KEY " HEX_A " # forgot it\n"
                      "CURVE_COOKIE_KEY " HEX_A " " HEX_B " " HEX_K "\n"
                      "CURVE_COOKIE_KEY abc " HEX_B "\n"
                      "CURVE_COOKIE_KEY " HEX_A " x" HEX_B "\n"
                      "CURVE_SECRET_KEY " HEX_A " " HEX_B "\n" SESSION_LINE "\n");
    assert_int_equal(fixture->heard, 7);
    assert_heard(fixture, 0, 2, "CURVE_SESSION_KEY needs 3 keys, found 2");
    assert_heard(fixture, 1, 3, "CURVE_SESSION_KEY needs 3 keys, found 0");
    assert_heard(fixture, 2, 4, "CURVE_COOKIE_KEY needs 2 keys, found 1");
    assert_heard(fixture, 3, 5, "CURVE_COOKIE_KEY needs 2 keys, found more");
    assert_heard(fixture, 4, 6, "field 2: 3 characters: a Z85 key has 40, a hex key 64");
    assert_heard(fixture, 5, 7, "field 3: 65 characters: a Z85 key has 40, a hex key 64");
    assert_heard(fixture, 6, 8, "the secret key does not belong to the public key");
    assert_int_equal(fixture->log.counts.malformed, 6);
    assert_int_equal(fixture->log.counts.mismatched, 1);
    assert_int_equal(fixture->log.counts.added, 1);
}

static void only_the_first_bad_lines_are_reported_one_by_one(void **state)
{
    struct fixture *fixture = *state;

    for (int i = 0; i < 1000; i++) {
        feed(fixture, "CURVE_SESSION_KEY\n");
    }
    assert_int_equal(fixture->heard, ZMTP_KEYLOG_MAX_REPORTS);
    zmtp_keylog_finish(&fixture->log, &fixture->sink, false);
    assert_heard(fixture, ZMTP_KEYLOG_MAX_REPORTS, ZMTP_KEYLOG_MAX_REPORTS + 1,
                 "992 more malformed lines");
    feed(fixture, "CURVE_SESSION_KEY\n");
    zmtp_keylog_finish(&fixture->log, &fixture->sink, true);
    assert_int_equal(fixture->heard, ZMTP_KEYLOG_MAX_REPORTS + 1);
    assert_int_equal(fixture->log.counts.malformed, 1001);
}

static void nobody_need_listen(void **state)
{
    struct fixture *fixture = *state;

    fixture->sink.report = NULL;
    for (int i = 0; i < 20; i++) {
        feed(fixture, "CURVE_SESSION_KEY\n");
    }
    zmtp_keylog_finish(&fixture->log, &fixture->sink, true);
    assert_int_equal(fixture->log.counts.malformed, 20);
}

static void a_text_may_be_cut_anywhere(void **state)
{
    static const char text[] = "\xef\xbb\xbf# hi\r\n" SESSION_LINE "\r\nCURVE_COOKIE_KEY\r\n"
                               "CURVE_SECRET_KEY " Z85_PUBLIC " " Z85_SECRET "\n";

    for (size_t cut = 0; cut < sizeof text; cut++) {
        struct fixture *fixture;

        set_up(state);
        fixture = *state;
        zmtp_keylog_feed(&fixture->log, &fixture->sink, text, cut);
        zmtp_keylog_feed(&fixture->log, &fixture->sink, text + cut, sizeof text - 1 - cut);
        zmtp_keylog_finish(&fixture->log, &fixture->sink, true);
        assert_int_equal(fixture->log.counts.added, 2);
        assert_int_equal(fixture->log.counts.malformed, 1);
        assert_heard(fixture, 0, 3, "CURVE_COOKIE_KEY needs 2 keys, found 0");
        tear_down(state);
    }
}

static void a_last_line_without_line_end_counts_when_the_text_is_over(void **state)
{
    struct fixture *fixture = *state;

    feed(fixture, SESSION_LINE "\nCURVE_COOKIE_KEY " HEX_A);
    zmtp_keylog_finish(&fixture->log, &fixture->sink, false);
    assert_int_equal(fixture->heard, 0);
    zmtp_keylog_finish(&fixture->log, &fixture->sink, true);
    assert_heard(fixture, 0, 2, "CURVE_COOKIE_KEY needs 2 keys, found 1");
    zmtp_keylog_finish(&fixture->log, &fixture->sink, true);
    assert_int_equal(fixture->heard, 1);
}

static void a_whole_unfinished_line_is_used_at_once(void **state)
{
    struct fixture *fixture = *state;

    feed(fixture, SESSION_LINE);
    assert_int_equal(zmtp_keyring_count(fixture->ring), 0);
    zmtp_keylog_finish(&fixture->log, &fixture->sink, false);
    assert_int_equal(zmtp_keyring_count(fixture->ring), 1);
    feed(fixture, "\n");
    assert_int_equal(zmtp_keyring_count(fixture->ring), 1);
    assert_int_equal(fixture->log.counts.added, 1);
    assert_int_equal(fixture->log.counts.duplicates, 1);
}

#define HALF_A_HEX_KEY "0123456789012345678901234567890123456789"
#define ITS_REST "012345678901234567890123"

/* Octet by octet: there must be no key before the last one. */
static void assert_key_at_the_end(struct fixture *fixture, const char *line)
{
    for (; *line; line++) {
        assert_int_equal(zmtp_keyring_count(fixture->ring), 0);
        zmtp_keylog_feed(&fixture->log, &fixture->sink, line, 1);
        zmtp_keylog_finish(&fixture->log, &fixture->sink, false);
    }
    assert_int_equal(zmtp_keyring_count(fixture->ring), 1);
    assert_int_equal(fixture->heard, 0);
}

/* After 40 digits a hexadecimal key looks like a Z85 key. */
static void half_an_unfinished_hex_key_is_not_taken_for_z85(void **state)
{
    assert_key_at_the_end(*state, "CURVE_COOKIE_KEY " HEX_A " " HALF_A_HEX_KEY ITS_REST);
}

static void half_a_hex_key_behind_a_z85_key_is_not_taken_for_z85_either(void **state)
{
    assert_key_at_the_end(*state, "CURVE_COOKIE_KEY " Z85_PUBLIC " " HALF_A_HEX_KEY ITS_REST);
}

static void a_line_may_be_long_only_in_its_comment(void **state)
{
    struct fixture *fixture;
    char line[2 * ZMTP_KEYLOG_LINE_MAX + 2];

    /* Each line in one piece, then octet by octet: it is judged the same. */
    for (int by_octets = 0; by_octets < 2; by_octets++) {
        static const char *const starts[] = {
            "# comment ",
            "CURVE_FUTURE_KEY ",
            "CURVE_COOKIE_KEY " HEX_A " " HEX_K " # ",
            "CURVE_COOKIE_KEY " HEX_A " " HEX_K " ",
            "CURVE_COOKIE_KEY " HEX_A " ",
            "",
        };

        set_up(state);
        fixture = *state;
        for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
            size_t start_len = strlen(starts[i]);

            memset(line, ' ', sizeof line);
            memcpy(line, starts[i], start_len);
            line[sizeof line - 1] = '\n';
            for (size_t sent = 0; sent < sizeof line;) {
                size_t piece = by_octets ? 1 : sizeof line;

                zmtp_keylog_feed(&fixture->log, &fixture->sink, line + sent, piece);
                sent += piece;
            }
        }
        assert_int_equal(fixture->log.counts.added, 1);
        assert_int_equal(fixture->log.counts.unknown, 1);
        assert_int_equal(fixture->log.counts.malformed, 3);
        assert_heard(fixture, 0, 4, "longer than 512 characters");
        assert_heard(fixture, 1, 5, "longer than 512 characters");
        assert_heard(fixture, 2, 6, "longer than 512 characters");

        /* And the next line is read as ever. */
        feed(fixture, SESSION_LINE "\n");
        assert_int_equal(fixture->log.counts.added, 2);
        tear_down(state);
    }
}

static void the_limit_of_a_line_is_the_same_however_it_is_cut(void **state)
{
    static const char start[] = "CURVE_COOKIE_KEY " HEX_A " " HEX_K;
    struct fixture *fixture;

    for (size_t len = ZMTP_KEYLOG_LINE_MAX - 1; len <= ZMTP_KEYLOG_LINE_MAX + 1; len++) {
        for (size_t cut = 0; cut <= len + 5; cut += 7) {
            char line[ZMTP_KEYLOG_LINE_MAX + 16] = "\xef\xbb\xbf";

            set_up(state);
            fixture = *state;
            memset(line + 3, ' ', len);
            memcpy(line + 3, start, sizeof start - 1);
            line[3 + len] = '\r';
            line[3 + len + 1] = '\n';
            zmtp_keylog_feed(&fixture->log, &fixture->sink, line, cut);
            zmtp_keylog_feed(&fixture->log, &fixture->sink, line + cut, len + 5 - cut);
            assert_int_equal(fixture->log.counts.added, len <= ZMTP_KEYLOG_LINE_MAX ? 1 : 0);
            assert_int_equal(fixture->log.counts.malformed, len <= ZMTP_KEYLOG_LINE_MAX ? 0 : 1);
            tear_down(state);
        }
    }
}

static void no_problem_text_holds_a_part_of_the_line(void **state)
{
    static const char *const lines[] = {
        "CURVE_SESSION_KEY SECRETSECRET\n",
        "CURVE_SESSION_KEY " HEX_A " " HEX_B " SECRETSECRETSECRETSECRETSECRETSECRETSECRETSECR\n",
        "CURVE_COOKIE_KEY " HEX_A " " HEX_B " SECRETSECRET\n",
        "CURVE_SECRET_KEY " Z85_PUBLIC " SECRETSECRETSECRETSECRETSECRETSECRETSECR\n",
    };
    struct fixture *fixture = *state;

    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        feed(fixture, lines[i]);
        assert_int_equal(fixture->heard, i + 1);
        assert_null(strstr(fixture->report[i].problem, "SECRETS"));
        assert_null(strstr(fixture->report[i].problem, "aaaa"));
    }
}

static void octets_that_are_not_text_do_no_harm(void **state)
{
    struct fixture *fixture = *state;
    unsigned char noise[4096];

    for (int i = 0; i < 100; i++) {
        randombytes_buf(noise, sizeof noise);
        zmtp_keylog_feed(&fixture->log, &fixture->sink, (const char *)noise, sizeof noise);
    }
    zmtp_keylog_feed(&fixture->log, &fixture->sink, "\n\0\n", 3);
    zmtp_keylog_finish(&fixture->log, &fixture->sink, true);
    assert_int_equal(zmtp_keyring_count(fixture->ring), 0);
    assert_int_equal(fixture->log.counts.added, 0);
}

static void clear_leaves_no_secret_in_the_parser(void **state)
{
    struct fixture *fixture = *state;

    feed(fixture, "CURVE_COOKIE_KEY " HEX_A " " HEX_K);
    zmtp_keylog_clear(&fixture->log);
    assert_true(sodium_is_zero((const unsigned char *)&fixture->log, sizeof fixture->log));
    feed(fixture, "\n");
    assert_int_equal(zmtp_keyring_count(fixture->ring), 0);
}

#define log_test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        log_test(all_three_labels_are_read),
        log_test(comments_blank_lines_and_any_blanks_are_fine),
        log_test(crlf_and_a_byte_order_mark_are_fine),
        log_test(a_hash_begins_a_comment_only_where_a_field_begins),
        log_test(unknown_labels_are_counted_and_skipped),
        log_test(bad_lines_are_reported_with_their_number_and_what_is_wrong),
        log_test(only_the_first_bad_lines_are_reported_one_by_one),
        log_test(nobody_need_listen),
        cmocka_unit_test(a_text_may_be_cut_anywhere),
        log_test(a_last_line_without_line_end_counts_when_the_text_is_over),
        log_test(a_whole_unfinished_line_is_used_at_once),
        log_test(half_an_unfinished_hex_key_is_not_taken_for_z85),
        log_test(half_a_hex_key_behind_a_z85_key_is_not_taken_for_z85_either),
        cmocka_unit_test(a_line_may_be_long_only_in_its_comment),
        cmocka_unit_test(the_limit_of_a_line_is_the_same_however_it_is_cut),
        log_test(no_problem_text_holds_a_part_of_the_line),
        log_test(octets_that_are_not_text_do_no_harm),
        log_test(clear_leaves_no_secret_in_the_parser),
    };

    if (!zmtp_crypto_init()) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
