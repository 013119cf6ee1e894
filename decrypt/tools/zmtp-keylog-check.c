/*
 * zmtp-keylog-check: reads key logs with the plugin's own parser and says what is wrong with them,
 * for people who write key logs and for scripts that pass them on.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#define _POSIX_C_SOURCE 200809L /* getline */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "decrypt/keylog.h"
#include "decrypt/keyring.h"

static const char usage[] =
    "usage: zmtp-keylog-check [--good] FILE...\n"
    "\n"
    "Reads key logs of the ZMTP dissector (decrypt/KEYLOG.md) as the dissector does; - is "
    "standard\n"
    "input. For each file one line on standard output says what is in it:\n"
    "  FILE: 2 added, 0 duplicates, 1 unknown labels, 0 malformed, 0 mismatched\n"
    "added, duplicates    keys, and lines that repeat one\n"
    "unknown labels       lines that are skipped without complaint: newer writers may know more\n"
    "malformed            lines that do not hold the keys which their label asks for\n"
    "mismatched           secret keys that do not belong to the public key beside them\n"
    "Bad lines are named on standard error: FILE: line N: problem. After 8 the others are summed\n"
    "up. No part of a line is ever shown.\n"
    "\n"
    "  --good   copy the lines that are not bad to standard output, and say what is in the file "
    "on\n"
    "           standard error\n"
    "\n"
    "Exit status: 0 all lines are good, 1 some are bad, 2 a file could not be read.\n";

enum status { ALL_GOOD = 0, SOME_BAD = 1, CANNOT_READ = 2 };

/* One file while it is read. */
struct check {
    const char *name;
    struct zmtp_keylog log;
    struct zmtp_keylog_sink sink;
};

static void report(void *ctx, unsigned long line, const char *problem)
{
    const struct check *check = ctx;

    (void)fprintf(stderr, "%s: line %lu: %s\n", check->name, line, problem);
}

static unsigned long bad_lines(const struct check *check)
{
    const struct zmtp_keylog_counts *counts = &check->log.counts;

    return counts->malformed + counts->mismatched + counts->refused;
}

static void print_counts(const struct check *check, FILE *out)
{
    const struct zmtp_keylog_counts *counts = &check->log.counts;

    (void)fprintf(out,
                  "%s: %lu added, %lu duplicates, %lu unknown labels, %lu malformed, "
                  "%lu mismatched",
                  check->name, counts->added, counts->duplicates, counts->unknown,
                  counts->malformed, counts->mismatched);
    if (counts->refused > 0) {
        (void)fprintf(out, ", %lu beyond what the memory holds", counts->refused);
    }
    (void)fputc('\n', out);
}

/* Feeds the parser line by line, so that each line's fate shows in the counts. False: errno. */
static bool read_lines(struct check *check, FILE *in, FILE *good)
{
    char *line = NULL;
    size_t size = 0;
    ssize_t len;

    errno = 0;
    while ((len = getline(&line, &size, in)) > 0) {
        unsigned long bad = bad_lines(check);

        zmtp_keylog_feed(&check->log, &check->sink, line, (size_t)len);
        if (line[len - 1] != '\n') {
            zmtp_keylog_finish(&check->log, &check->sink, true);
        }
        if (good && bad_lines(check) == bad) {
            (void)fwrite(line, 1, (size_t)len, good);
        }
    }

    bool whole = feof(in) && !ferror(in);
    int error = errno;
    zmtp_keylog_finish(&check->log, &check->sink, true);
    if (line) {
        zmtp_wipe(line, size);
    }
    free(line);
    errno = error;
    return whole;
}

static enum status cannot_read(const char *name)
{
    (void)fprintf(stderr, "zmtp-keylog-check: cannot read %s: %s\n", name, strerror(errno));
    return CANNOT_READ;
}

static enum status check_stream(const char *name, FILE *in, FILE *good)
{
    struct check check = {.name = name};

    zmtp_keylog_init(&check.log);
    check.sink = (struct zmtp_keylog_sink){
        .ring = zmtp_keyring_new(),
        .source = ZMTP_SOURCE_KEYLOG,
        .report = report,
        .ctx = &check,
    };
    if (!check.sink.ring) {
        return cannot_read(name);
    }

    enum status status = ALL_GOOD;
    if (!read_lines(&check, in, good)) {
        status = cannot_read(name);
    } else {
        print_counts(&check, good ? stderr : stdout);
        if (bad_lines(&check) > 0) {
            status = SOME_BAD;
        }
    }
    zmtp_keyring_free(check.sink.ring);
    zmtp_keylog_clear(&check.log);
    return status;
}

static enum status check_file(const char *path, FILE *good)
{
    if (strcmp(path, "-") == 0) {
        return check_stream("standard input", stdin, good);
    }

    FILE *in = fopen(path, "r");
    if (!in) {
        return cannot_read(path);
    }
    enum status status = check_stream(path, in, good);
    (void)fclose(in);
    return status;
}

int main(int argc, char **argv)
{
    FILE *good = NULL;
    int first = 1;

    if (argc > 1 && (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0)) {
        (void)fputs(usage, stdout);
        return ALL_GOOD;
    }
    if (argc > 1 && strcmp(argv[1], "--good") == 0) {
        good = stdout;
        first = 2;
    }
    if (argc > first && strcmp(argv[first], "--") == 0) {
        first++;
    } else if (argc > first && argv[first][0] == '-' && argv[first][1] != '\0') {
        first = argc;
    }
    if (argc <= first) {
        (void)fputs(usage, stderr);
        return CANNOT_READ;
    }
    if (!zmtp_crypto_init()) {
        (void)fputs("zmtp-keylog-check: libsodium cannot be used\n", stderr);
        return CANNOT_READ;
    }

    enum status worst = ALL_GOOD;
    for (int i = first; i < argc; i++) {
        enum status status = check_file(argv[i], good);
        if (status > worst) {
            worst = status;
        }
    }
    if (fflush(stdout) != 0) {
        (void)fprintf(stderr, "zmtp-keylog-check: cannot write: %s\n", strerror(errno));
        return CANNOT_READ;
    }
    return (int)worst;
}
