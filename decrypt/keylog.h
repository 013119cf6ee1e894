/*
 * The key log: text, one secret a line, read into a keyring. One parser serves the live file, the
 * block embedded in a capture and the tests.
 *
 *   CURVE_SESSION_KEY  <transient public key>  <the other peer's>  <session key k>
 *   CURVE_SECRET_KEY   <public key>  <secret key>
 *   CURVE_COOKIE_KEY   <client transient public key C'>  <cookie key K>
 *
 * Fields stand between spaces or tabs; a key is 64 hexadecimal digits or 40 Z85 characters. A field
 * that begins with `#` begins a comment (no key begins with it). Lines end in LF or CRLF, and may
 * be blank; a UTF-8 byte order mark is skipped. Lines with an unknown label are for newer readers:
 * they are counted and skipped.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef ZMTP_DECRYPT_KEYLOG_H
#define ZMTP_DECRYPT_KEYLOG_H

#include <stdbool.h>
#include <stddef.h>

#include "keyring.h"

/* Octets of a line that are looked at; a line whose keys do not end within them is malformed. */
#define ZMTP_KEYLOG_LINE_MAX 512

/* So many bad lines are reported one by one; the others are counted in one last report. */
#define ZMTP_KEYLOG_MAX_REPORTS 8

/*
 * Hears of a bad line: its number, from 1, and what is wrong with it, such as "CURVE_SESSION_KEY
 * needs 3 keys, found 2". Never holds any part of the line. `problem` lives during the call only.
 */
typedef void (*zmtp_keylog_report_fn)(void *ctx, unsigned long line, const char *problem);

/* Where a parser puts keys and complaints. `report` may be NULL. */
struct zmtp_keylog_sink {
    struct zmtp_keyring *ring;
    enum zmtp_key_source source;
    zmtp_keylog_report_fn report;
    void *ctx;
};

struct zmtp_keylog_counts {
    unsigned long added;
    unsigned long duplicates;
    unsigned long unknown;    /* lines with a label we do not know */
    unsigned long malformed;  /* these three are reported */
    unsigned long mismatched; /* a secret key that does not belong to its public key */
    unsigned long refused;    /* no memory, or the keyring is full */
};

/* The parser; its fields, but for `counts`, are private. Constant size. */
struct zmtp_keylog {
    struct zmtp_keylog_counts counts;
    unsigned long line;    /* lines that have ended so far */
    unsigned long reports; /* bad lines reported or to be reported */
    unsigned long first_unreported;
    bool summed_up; /* the last report has been made */
    bool overlong;  /* the unfinished line goes on beyond what `partial` holds */
    size_t partial_len;
    /* The unfinished last line: may hold a secret. A byte order mark and CR do not count. */
    char partial[3 + ZMTP_KEYLOG_LINE_MAX + 1];
};

void zmtp_keylog_init(struct zmtp_keylog *log);

/* Reads `len` octets of text, cut anywhere; what follows the last line end is kept for later. */
void zmtp_keylog_feed(struct zmtp_keylog *log, const struct zmtp_keylog_sink *sink,
                      const char *data, size_t len);

/*
 * No more text, for now or for good.
 * final: an unfinished last line is a line.
 * not final: it may be half written, so it stays unfinished and is not complained about. Its key is
 * used already when it is certainly whole, for files whose last line never gets its line end.
 * Either way the sum of unreported bad lines is reported, once in the life of the parser.
 */
void zmtp_keylog_finish(struct zmtp_keylog *log, const struct zmtp_keylog_sink *sink, bool final);

/* Wipes the parser and makes it ready for another text. */
void zmtp_keylog_clear(struct zmtp_keylog *log);

/* ---- A key log file that may grow while it is read. -------------------------------------- */

struct zmtp_keylog_file;

enum zmtp_keylog_file_status {
    ZMTP_KEYLOG_FILE_NOTHING_NEW,
    ZMTP_KEYLOG_FILE_READ,        /* new text was read, with or without keys in it */
    ZMTP_KEYLOG_FILE_CANNOT_OPEN, /* see zmtp_keylog_file_errno; keys read earlier are kept */
    ZMTP_KEYLOG_FILE_CANNOT_READ, /* likewise */
    ZMTP_KEYLOG_FILE_NOT_A_FILE,  /* a directory, FIFO, device: reading it could block for ever */
};

/* Copies `path`; opens nothing yet. NULL without memory. */
struct zmtp_keylog_file *zmtp_keylog_file_new(const char *path);

/* Wipes and frees; NULL is allowed. The keys stay in the ring. */
void zmtp_keylog_file_free(struct zmtp_keylog_file *file);

/*
 * Reads what was added to the file since the last call, in pieces of 64 kB. Costs one stat() when
 * nothing changed. When the file was truncated, rewritten, replaced or rotated it is read from its
 * start; the keys that were read before stay, for connections that are still there may need them.
 */
enum zmtp_keylog_file_status zmtp_keylog_file_poll(struct zmtp_keylog_file *file,
                                                   const struct zmtp_keylog_sink *sink);

/* Why the last poll could not open or read the file; 0 when it could. */
int zmtp_keylog_file_errno(const struct zmtp_keylog_file *file);

/* Whether the file, when it was last read, could be read by everybody on the machine. */
bool zmtp_keylog_file_is_world_readable(const struct zmtp_keylog_file *file);

/* What was found since the start of the file. */
const struct zmtp_keylog_counts *zmtp_keylog_file_counts(const struct zmtp_keylog_file *file);

#endif
