/*
 * Tests that KEYLOG.md is right: its example is read, its test vectors are what their keys make,
 * and each of its log lines opens what the page says and nothing more.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "cmocka_setup.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "decrypt/keylog.h"
#include "keylog_vectors.h"

enum { PAGE_SIZE = 128 * 1024, LINE_SIZE = 512 };

static char page[PAGE_SIZE];
static struct keylog_vectors vectors; /* as they stand on the page */

/* ---- Reading the page -------------------------------------------------------------------- */

/* The text of a section: from its heading to the next of the same depth. */
static const char *section(const char *heading, size_t *len)
{
    const char *start = strstr(page, heading);

    if (!start) {
        fail_msg("KEYLOG.md has no section \"%s\"", heading);
        return NULL;
    }
    start += strlen(heading);
    const char *end = strstr(start, "\n## ");
    *len = end ? (size_t)(end - start) : strlen(start);
    return start;
}

/* Takes the next line off the text; false at the end. */
static bool next_line(const char **text, size_t *len, char line[LINE_SIZE])
{
    const char *end = memchr(*text, '\n', *len);
    size_t line_len = end ? (size_t)(end - *text) : *len;

    if (*len == 0) {
        return false;
    }
    assert_true(line_len < LINE_SIZE);
    memcpy(line, *text, line_len);
    line[line_len] = '\0';
    *text += line_len + (end ? 1 : 0);
    *len -= line_len + (end ? 1 : 0);
    return true;
}

static const struct named_octets *find_name(const char *line)
{
    for (size_t i = 0; i < keylog_vector_count; i++) {
        size_t len = strlen(keylog_vector_names[i].name);

        if (strncmp(line, keylog_vector_names[i].name, len) == 0 &&
            strncmp(line + len, " =", 2) == 0) {
            return &keylog_vector_names[i];
        }
    }
    return NULL;
}

/* Appends the hexadecimal digits of a line, whatever stands before them. */
static size_t append_hex(uint8_t *octets, size_t have, size_t size, const char *digits)
{
    size_t got = 0;

    assert_int_equal(
        sodium_hex2bin(octets + have, size - have, digits, strlen(digits), NULL, &got, NULL), 0);
    return have + got;
}

static void read_vectors(void)
{
    size_t len = 0;
    const char *text = section("## Test vectors", &len);
    char line[LINE_SIZE];
    const struct named_octets *named = NULL;
    size_t have = 0;
    size_t complete = 0;

    while (next_line(&text, &len, line)) {
        const char *digits = line;

        if (find_name(line)) {
            named = find_name(line);
            have = 0;
            digits += strlen(named->name) + strlen(" =");
        } else if (strncmp(line, "    ", 4) != 0) {
            named = NULL;
        }
        if (named) {
            have = append_hex(named_octets(&vectors, named), have, named->size,
                              digits + strspn(digits, " "));
            complete += have == named->size;
        }
    }
    assert_int_equal(complete, keylog_vector_count);
}

static int read_page(void **state)
{
    FILE *file = fopen(KEYLOG_PAGE, "rb");

    (void)state;
    assert_non_null(file);
    size_t len = fread(page, 1, sizeof page - 1, file);
    assert_int_equal(fclose(file), 0);
    assert_true(len > 0 && len < sizeof page - 1);
    page[len] = '\0';
    make_keylog_vectors(&vectors);
    memset(&vectors, 0, offsetof(struct keylog_vectors, hello_plain));
    read_vectors();
    return 0;
}

/* ---- The tests --------------------------------------------------------------------------- */

static void complain(void *ctx, unsigned long line, const char *problem)
{
    (void)ctx;
    fail_msg("line %lu: %s", line, problem);
}

static void read_log(struct zmtp_keyring *ring, struct zmtp_keylog *log, const char *text,
                     size_t len)
{
    struct zmtp_keylog_sink sink = {ring, ZMTP_SOURCE_KEYLOG, complain, NULL};

    zmtp_keylog_init(log);
    zmtp_keylog_feed(log, &sink, text, len);
    zmtp_keylog_finish(log, &sink, true);
}

static void the_vectors_are_what_the_keys_make(void **state)
{
    struct keylog_vectors made;

    (void)state;
    make_keylog_vectors(&made);
    for (size_t i = 0; i < keylog_vector_count; i++) {
        const struct named_octets *named = &keylog_vector_names[i];
        const uint8_t *on_page = named_octets(&vectors, named);

        if (memcmp(on_page, named_octets(&made, named), named->size) != 0) {
            fail_msg("KEYLOG.md is not up to date: %s (see print_keylog_vectors)", named->name);
        }
    }
}

/* By libsodium alone: neither our library nor the maker of the handshake has a say. */
static void the_cookie_holds_what_the_page_says(void **state)
{
    enum { PREFIX_SIZE = 8 };
    const struct handshake *h = &vectors.handshake;
    uint8_t nonce[crypto_secretbox_NONCEBYTES];
    uint8_t plain[sizeof vectors.cookie_plain];

    (void)state;
    (void)snprintf((char *)nonce, sizeof nonce, "COOKIE--");
    memcpy(nonce + PREFIX_SIZE, h->cookie, ZMTP_LONG_NONCE_SIZE);
    assert_int_equal(crypto_secretbox_open_easy(plain, h->cookie + ZMTP_LONG_NONCE_SIZE,
                                                ZMTP_COOKIE_SIZE - ZMTP_LONG_NONCE_SIZE, nonce,
                                                h->cookie_key),
                     0);
    assert_memory_equal(plain, vectors.cookie_plain, sizeof plain);
}

/* Opens all boxes in the order of the wire; returns which of them opened. */
static unsigned open_all(struct zmtp_keyring *ring)
{
    struct zmtp_curve_session *session = zmtp_curve_session_new(ring);
    unsigned opened = 0;

    assert_non_null(session);
    for (int name = 0; name < BOX_COUNT; name++) {
        if (open_named(session, &vectors.handshake, (enum box_name)name).status ==
            ZMTP_BOX_OPENED) {
            opened |= 1u << name;
        }
    }
    zmtp_curve_session_free(session);
    return opened;
}

#define HANDSHAKE_BOXES (1u << BOX_HELLO | 1u << BOX_WELCOME)
#define SESSION_BOXES                                                                              \
    (1u << BOX_INITIATE | 1u << BOX_READY | 1u << BOX_CLIENT_MESSAGE | 1u << BOX_SERVER_MESSAGE)

/* In the order of keylog_lines: k, K, c', s', s, c. */
static const unsigned opened_by_line[KEYLOG_LINES] = {
    SESSION_BOXES,
    1u << BOX_COOKIE | 1u << BOX_VOUCH | SESSION_BOXES,
    0, /* without S it does not even open WELCOME, which tells S' */
    1u << BOX_VOUCH | SESSION_BOXES,
    HANDSHAKE_BOXES,
    0,
};

/* With `server_public`, the reader knows S from elsewhere. */
static unsigned opened_by(const char *line, bool server_public)
{
    struct zmtp_keyring *ring = zmtp_keyring_new();
    struct zmtp_keylog log;

    assert_non_null(ring);
    read_log(ring, &log, line, strlen(line));
    assert_int_equal(log.counts.added, 1);
    if (server_public) {
        zmtp_keyring_add_public(ring, vectors.handshake.server.public_key, ZMTP_SOURCE_TABLE);
    }
    unsigned opened = open_all(ring);
    zmtp_keyring_free(ring);
    return opened;
}

/* The log lines of the vectors; returns how many there are. */
static size_t log_lines(char lines[KEYLOG_LINES][LINE_SIZE])
{
    size_t len = 0;
    const char *text = section("## Test vectors", &len);
    char line[LINE_SIZE];
    size_t count = 0;

    while (next_line(&text, &len, line)) {
        if (strncmp(line, "CURVE_", strlen("CURVE_")) == 0) {
            assert_true(count < KEYLOG_LINES);
            memcpy(lines[count++], line, LINE_SIZE);
        }
    }
    return count;
}

static void each_log_line_alone_opens_what_it_should_and_nothing_more(void **state)
{
    static char lines[KEYLOG_LINES][LINE_SIZE];

    (void)state;
    assert_int_equal(log_lines(lines), KEYLOG_LINES);
    for (size_t i = 0; i < KEYLOG_LINES; i++) {
        assert_memory_equal(lines[i], keylog_lines[i].label, strlen(keylog_lines[i].label));
        assert_int_equal(opened_by(lines[i], false), opened_by_line[i]);
    }
}

static void the_clients_transient_secret_key_opens_all_but_two_with_s_known(void **state)
{
    static char lines[KEYLOG_LINES][LINE_SIZE];

    (void)state;
    assert_int_equal(log_lines(lines), KEYLOG_LINES);
    assert_int_equal(opened_by(lines[2], true), HANDSHAKE_BOXES | SESSION_BOXES);
    assert_int_equal(opened_by(lines[5], true), 0);
}

/* By C'. */
static void assert_found(const struct zmtp_keyring *ring, enum zmtp_key_class class,
                         const uint8_t secret[ZMTP_KEY_SIZE])
{
    struct zmtp_key key;

    assert_true(
        zmtp_keyring_find(ring, class, vectors.handshake.client_transient.public_key, &key));
    assert_memory_equal(key.secret, secret, ZMTP_KEY_SIZE);
}

static void the_example_is_read_without_complaint(void **state)
{
    size_t len = 0;
    const char *text = section("## Example", &len);
    const char *start = strstr(text, "```\n");
    const char *end = start ? strstr(start + 4, "```\n") : NULL;
    struct zmtp_keyring *ring = zmtp_keyring_new();
    struct zmtp_keylog log;

    (void)state;
    assert_non_null(ring);
    assert_non_null(end);
    assert_true(end < text + len);
    read_log(ring, &log, start + 4, (size_t)(end - start) - 4);
    assert_int_equal(log.counts.added, 4);
    assert_int_equal(log.counts.unknown, 1);
    assert_int_equal(log.counts.duplicates, 0);
    /* They are the keys of the vectors. */
    assert_found(ring, ZMTP_SESSION_KEYS, vectors.handshake.session_key);
    assert_found(ring, ZMTP_COOKIE_KEYS, vectors.handshake.cookie_key);
    assert_found(ring, ZMTP_KEY_PAIRS, vectors.handshake.client_transient.secret);
    assert_int_equal(open_all(ring), (1u << BOX_COUNT) - 1);
    zmtp_keyring_free(ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_vectors_are_what_the_keys_make),
        cmocka_unit_test(the_cookie_holds_what_the_page_says),
        cmocka_unit_test(each_log_line_alone_opens_what_it_should_and_nothing_more),
        cmocka_unit_test(the_clients_transient_secret_key_opens_all_but_two_with_s_known),
        cmocka_unit_test(the_example_is_read_without_complaint),
    };

    return zmtp_crypto_init() ? cmocka_run_group_tests(tests, read_page, NULL) : 1;
}
