/*
 * Tests of a key log file that changes while it is read.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#define _POSIX_C_SOURCE 200809L

#include "cmocka_setup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "decrypt/keylog.h"

enum { FOLDER_SIZE = 32, PATH_SIZE = 64 };

struct fixture {
    struct zmtp_keyring *ring;
    struct zmtp_keylog_sink sink;
    struct zmtp_keylog_file *file;
    char folder[FOLDER_SIZE];
    char path[PATH_SIZE];
    char other_path[PATH_SIZE];
    unsigned long reports;
};

static void hear(void *ctx, unsigned long line, const char *problem)
{
    struct fixture *fixture = ctx;

    (void)line;
    (void)problem;
    fixture->reports++;
}

static int set_up(void **state)
{
    static struct fixture fixture;

    memset(&fixture, 0, sizeof fixture);
    (void)snprintf(fixture.folder, FOLDER_SIZE, "/tmp/zmtp-keylog-XXXXXX");
    if (!mkdtemp(fixture.folder)) {
        return -1;
    }
    (void)snprintf(fixture.path, PATH_SIZE, "%s/keys", fixture.folder);
    (void)snprintf(fixture.other_path, PATH_SIZE, "%s/other", fixture.folder);
    fixture.ring = zmtp_keyring_new();
    fixture.file = zmtp_keylog_file_new(fixture.path);
    fixture.sink = (struct zmtp_keylog_sink){fixture.ring, ZMTP_SOURCE_KEYLOG, hear, &fixture};
    *state = &fixture;
    return fixture.ring && fixture.file ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    zmtp_keylog_file_free(fixture->file);
    zmtp_keyring_free(fixture->ring);
    (void)remove(fixture->path);
    (void)remove(fixture->other_path);
    return remove(fixture->folder);
}

/* A session key line, made of a number. */
static void write_line(FILE *out, unsigned number)
{
    (void)fprintf(out, "CURVE_SESSION_KEY %08xaa%054d %08xbb%054d %08xcc%054d\n", number, 0, number,
                  0, number, 0);
}

static void write_lines(const char *path, const char *mode, unsigned first, unsigned count)
{
    FILE *out = fopen(path, mode);

    assert_non_null(out);
    for (unsigned i = 0; i < count; i++) {
        write_line(out, first + i);
    }
    assert_int_equal(fclose(out), 0);
}

static void append_text(const char *path, const char *text)
{
    FILE *out = fopen(path, "a");

    assert_non_null(out);
    (void)fputs(text, out);
    assert_int_equal(fclose(out), 0);
}

static bool has_line(const struct fixture *fixture, unsigned number)
{
    struct zmtp_key key;
    uint8_t public_key[ZMTP_KEY_SIZE] = {(uint8_t)(number >> 24), (uint8_t)(number >> 16),
                                         (uint8_t)(number >> 8), (uint8_t)number, 0xbb};

    return zmtp_keyring_find(fixture->ring, ZMTP_SESSION_KEYS, public_key, &key);
}

static void assert_poll(struct fixture *fixture, enum zmtp_keylog_file_status status, size_t keys)
{
    assert_int_equal(zmtp_keylog_file_poll(fixture->file, &fixture->sink), status);
    assert_int_equal(zmtp_keyring_count(fixture->ring), keys);
}

static void what_is_appended_is_read_once(void **state)
{
    struct fixture *fixture = *state;

    write_lines(fixture->path, "w", 0, 10);
    assert_poll(fixture, ZMTP_KEYLOG_FILE_READ, 10);
    assert_poll(fixture, ZMTP_KEYLOG_FILE_NOTHING_NEW, 10);
    write_lines(fixture->path, "a", 10, 5);
    assert_poll(fixture, ZMTP_KEYLOG_FILE_READ, 15);
    assert_poll(fixture, ZMTP_KEYLOG_FILE_NOTHING_NEW, 15);
    assert_int_equal(zmtp_keylog_file_counts(fixture->file)->added, 15);
    assert_int_equal(zmtp_keylog_file_counts(fixture->file)->duplicates, 0);
    assert_int_equal(zmtp_keylog_file_errno(fixture->file), 0);
}

static void an_empty_file_is_no_error(void **state)
{
    struct fixture *fixture = *state;

    write_lines(fixture->path, "w", 0, 0);
    assert_poll(fixture, ZMTP_KEYLOG_FILE_READ, 0);
    assert_poll(fixture, ZMTP_KEYLOG_FILE_NOTHING_NEW, 0);
    write_lines(fixture->path, "a", 0, 1);
    assert_poll(fixture, ZMTP_KEYLOG_FILE_READ, 1);
}

static void half_a_line_waits_for_its_rest(void **state)
{
    struct fixture *fixture = *state;

    append_text(fixture->path, "CURVE_SESSION_KEY 00000001aa");
    assert_poll(fixture, ZMTP_KEYLOG_FILE_READ, 0);
    assert_poll(fixture, ZMTP_KEYLOG_FILE_NOTHING_NEW, 0);

    char rest[256];
    (void)snprintf(rest, sizeof rest, "%054d %08xbb%054d %08xcc%054d\n", 0, 1u, 0, 1u, 0);
    append_text(fixture->path, rest);
    assert_poll(fixture, ZMTP_KEYLOG_FILE_READ, 1);
    assert_true(has_line(fixture, 1));
    assert_int_equal(fixture->reports, 0);
}

static void a_last_line_that_never_ends_is_used(void **state)
{
    struct fixture *fixture = *state;

    write_lines(fixture->path, "w", 0, 3);

    struct stat info;
    assert_int_equal(stat(fixture->path, &info), 0);
    assert_int_equal(truncate(fixture->path, info.st_size - 1), 0);
    assert_poll(fixture, ZMTP_KEYLOG_FILE_READ, 3);
    assert_true(has_line(fixture, 2));
}

static void a_truncated_file_is_read_anew_and_its_old_keys_stay(void **state)
{
    struct fixture *fixture = *state;

    write_lines(fixture->path, "w", 0, 10);
    assert_poll(fixture, ZMTP_KEYLOG_FILE_READ, 10);
    write_lines(fixture->path, "w", 100, 2); /* the same file, cut to nothing first */
    assert_poll(fixture, ZMTP_KEYLOG_FILE_READ, 12);
    assert_true(has_line(fixture, 0));
    assert_true(has_line(fixture, 100));
    assert_int_equal(zmtp_keylog_file_counts(fixture->file)->added, 2);

    assert_int_equal(truncate(fixture->path, 0), 0);
    assert_poll(fixture, ZMTP_KEYLOG_FILE_READ, 12);
    assert_int_equal(zmtp_keylog_file_counts(fixture->file)->added, 0);
}

static void a_file_truncated_and_grown_beyond_its_old_size_is_read_anew(void **state)
{
    struct fixture *fixture = *state;

    /* Short texts, and long ones that are read in several pieces. */
    for (unsigned lines = 1; lines < 2000; lines = lines * 10 + 1) {
        write_lines(fixture->path, "w", lines * 10000, lines);
        assert_int_equal(zmtp_keylog_file_poll(fixture->file, &fixture->sink),
                         ZMTP_KEYLOG_FILE_READ);
        write_lines(fixture->path, "w", lines * 10000 + 5000, lines + 1);
        assert_int_equal(zmtp_keylog_file_poll(fixture->file, &fixture->sink),
                         ZMTP_KEYLOG_FILE_READ);
        assert_true(has_line(fixture, lines * 10000 + 5000));
        assert_true(has_line(fixture, lines * 10000 + 5000 + lines));
        assert_int_equal(zmtp_keylog_file_counts(fixture->file)->added, lines + 1);
    }
    assert_int_equal(fixture->reports, 0);
}

static void a_file_that_grew_octet_by_octet_is_not_taken_for_another(void **state)
{
    struct fixture *fixture = *state;

    for (unsigned i = 0; i < 200; i++) {
        append_text(fixture->path, i % 7 == 6 ? "\n" : "#");
        assert_poll(fixture, ZMTP_KEYLOG_FILE_READ, 0);
    }
    append_text(fixture->path, "\n");
    write_lines(fixture->path, "a", 1, 1);
    assert_poll(fixture, ZMTP_KEYLOG_FILE_READ, 1);
    assert_int_equal(zmtp_keylog_file_counts(fixture->file)->added, 1);
    assert_int_equal(fixture->reports, 0);
}

static void a_file_rewritten_with_the_same_size_is_read_anew(void **state)
{
    struct fixture *fixture = *state;
    const struct timespec past[2] = {{.tv_sec = 1000000}, {.tv_sec = 1000000}};

    write_lines(fixture->path, "w", 0, 10);
    assert_int_equal(utimensat(AT_FDCWD, fixture->path, past, 0), 0);
    assert_poll(fixture, ZMTP_KEYLOG_FILE_READ, 10);
    write_lines(fixture->path, "w", 100, 10);
    assert_poll(fixture, ZMTP_KEYLOG_FILE_READ, 20);
    assert_true(has_line(fixture, 109));
}

static void a_rotated_file_is_read_anew_and_its_old_keys_stay(void **state)
{
    struct fixture *fixture = *state;

    write_lines(fixture->path, "w", 0, 2);
    append_text(fixture->path, "CURVE_SESSION_KEY half");
    assert_poll(fixture, ZMTP_KEYLOG_FILE_READ, 2);
    write_lines(fixture->other_path, "w", 100, 20);
    assert_int_equal(rename(fixture->other_path, fixture->path), 0);
    assert_poll(fixture, ZMTP_KEYLOG_FILE_READ, 22);
    assert_true(has_line(fixture, 0));
    assert_true(has_line(fixture, 119));
    assert_int_equal(fixture->reports, 0);
}

static void a_file_that_everybody_can_read_is_known(void **state)
{
    struct fixture *fixture = *state;

    write_lines(fixture->path, "w", 0, 1);
    assert_int_equal(chmod(fixture->path, 0600), 0);
    assert_poll(fixture, ZMTP_KEYLOG_FILE_READ, 1);
    assert_false(zmtp_keylog_file_is_world_readable(fixture->file));
    assert_int_equal(chmod(fixture->path, 0604), 0);
    write_lines(fixture->path, "a", 1, 1);
    assert_poll(fixture, ZMTP_KEYLOG_FILE_READ, 2);
    assert_true(zmtp_keylog_file_is_world_readable(fixture->file));
}

static void a_missing_file_says_why_and_is_read_when_it_comes(void **state)
{
    struct fixture *fixture = *state;

    assert_poll(fixture, ZMTP_KEYLOG_FILE_CANNOT_OPEN, 0);
    assert_int_equal(zmtp_keylog_file_errno(fixture->file), ENOENT);
    write_lines(fixture->path, "w", 0, 3);
    assert_poll(fixture, ZMTP_KEYLOG_FILE_READ, 3);
    assert_int_equal(zmtp_keylog_file_errno(fixture->file), 0);

    /* A log that is rotated is gone for a moment. */
    assert_int_equal(remove(fixture->path), 0);
    assert_poll(fixture, ZMTP_KEYLOG_FILE_CANNOT_OPEN, 3);
    write_lines(fixture->path, "w", 100, 1);
    assert_poll(fixture, ZMTP_KEYLOG_FILE_READ, 4);
}

static void an_unreadable_file_says_why(void **state)
{
    struct fixture *fixture = *state;

    if (geteuid() == 0) {
        skip(); /* root may read everything */
    }
    write_lines(fixture->path, "w", 0, 3);
    assert_int_equal(chmod(fixture->path, 0), 0);
    assert_poll(fixture, ZMTP_KEYLOG_FILE_CANNOT_OPEN, 0);
    assert_int_equal(zmtp_keylog_file_errno(fixture->file), EACCES);
}

static void a_directory_a_fifo_and_a_device_are_not_files(void **state)
{
    struct fixture *fixture = *state;
    struct zmtp_keylog_file *device = zmtp_keylog_file_new("/dev/zero");

    assert_int_equal(mkdir(fixture->path, 0700), 0);
    assert_poll(fixture, ZMTP_KEYLOG_FILE_NOT_A_FILE, 0);
    assert_int_equal(remove(fixture->path), 0);
    assert_int_equal(mkfifo(fixture->path, 0600), 0);
    assert_poll(fixture, ZMTP_KEYLOG_FILE_NOT_A_FILE, 0);
    assert_int_equal(zmtp_keylog_file_poll(device, &fixture->sink), ZMTP_KEYLOG_FILE_NOT_A_FILE);
    zmtp_keylog_file_free(device);
    zmtp_keylog_file_free(NULL);
}

static void a_million_lines_are_read(void **state)
{
    enum { LINES = 1000000 };
    struct fixture *fixture = *state;

    write_lines(fixture->path, "w", 0, LINES);
    assert_poll(fixture, ZMTP_KEYLOG_FILE_READ, LINES);
    assert_true(has_line(fixture, 0));
    assert_true(has_line(fixture, LINES / 2));
    assert_true(has_line(fixture, LINES - 1));
    assert_false(has_line(fixture, LINES));
    write_lines(fixture->path, "a", LINES, 1);
    assert_poll(fixture, ZMTP_KEYLOG_FILE_READ, LINES + 1);
}

#define file_test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        file_test(what_is_appended_is_read_once),
        file_test(an_empty_file_is_no_error),
        file_test(half_a_line_waits_for_its_rest),
        file_test(a_last_line_that_never_ends_is_used),
        file_test(a_truncated_file_is_read_anew_and_its_old_keys_stay),
        file_test(a_file_truncated_and_grown_beyond_its_old_size_is_read_anew),
        file_test(a_file_that_grew_octet_by_octet_is_not_taken_for_another),
        file_test(a_file_rewritten_with_the_same_size_is_read_anew),
        file_test(a_rotated_file_is_read_anew_and_its_old_keys_stay),
        file_test(a_file_that_everybody_can_read_is_known),
        file_test(a_missing_file_says_why_and_is_read_when_it_comes),
        file_test(an_unreadable_file_says_why),
        file_test(a_directory_a_fifo_and_a_device_are_not_files),
        file_test(a_million_lines_are_read),
    };

    if (!zmtp_crypto_init()) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
