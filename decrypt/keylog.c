/*
 * The parser of key logs. Lines are parsed where they lie; only a line that a feed cuts in two is
 * copied.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "keylog.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { MAX_KEYS = 3 };

static const char byte_order_mark[] = "\xef\xbb\xbf";

static enum zmtp_add_status add_session_key(const struct zmtp_keylog_sink *sink,
                                            uint8_t keys[][ZMTP_KEY_SIZE])
{
    return zmtp_keyring_add_session(sink->ring, keys[0], keys[1], keys[2], sink->source);
}

static enum zmtp_add_status add_secret_key(const struct zmtp_keylog_sink *sink,
                                           uint8_t keys[][ZMTP_KEY_SIZE])
{
    return zmtp_keyring_add_pair(sink->ring, keys[0], keys[1], sink->source);
}

static enum zmtp_add_status add_cookie_key(const struct zmtp_keylog_sink *sink,
                                           uint8_t keys[][ZMTP_KEY_SIZE])
{
    return zmtp_keyring_add_cookie_key(sink->ring, keys[0], keys[1], sink->source);
}

struct label {
    const char *name;
    size_t keys;
    enum zmtp_add_status (*add)(const struct zmtp_keylog_sink *sink, uint8_t keys[][ZMTP_KEY_SIZE]);
};

static const struct label labels[] = {
    {"CURVE_SESSION_KEY", 3, add_session_key},
    {"CURVE_SECRET_KEY", 2, add_secret_key},
    {"CURVE_COOKIE_KEY", 2, add_cookie_key},
};

/* ---- One line ---------------------------------------------------------------------------- */

/* What one line came to. MALFORMED, MISMATCHED and REFUSED come with a problem in words. */
enum line_kind { EMPTY, UNKNOWN, MALFORMED, MISMATCHED, REFUSED, ADDED, DUPLICATE };

struct problem {
    char text[160];
};

static enum line_kind explain(enum line_kind kind, struct problem *problem, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(problem->text, sizeof problem->text, format, args);
    va_end(args);
    return kind;
}

static enum line_kind too_long(struct problem *problem)
{
    return explain(MALFORMED, problem, "longer than %d characters", ZMTP_KEYLOG_LINE_MAX);
}

/* A piece of a line. */
struct span {
    const char *text;
    size_t len;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Takes the next field off the line, with the blanks before it; its length is 0 at the end. */
static struct span next_field(struct span *line)
{
    while (line->len > 0 && is_blank(*line->text)) {
        line->text++;
        line->len--;
    }

    struct span field = {line->text, 0};
    while (field.len < line->len && !is_blank(field.text[field.len])) {
        field.len++;
    }
    line->text += field.len;
    line->len -= field.len;
    return field;
}

/*
 * `#` is also a Z85 digit, but the last: a group that begins with it exceeds 32 bits, so no key
 * does, and a field that does is a comment.
 */
static bool is_end(struct span field)
{
    return field.len == 0 || *field.text == '#';
}

static const struct label *find_label(struct span name)
{
    for (size_t i = 0; i < sizeof labels / sizeof *labels; i++) {
        if (strlen(labels[i].name) == name.len &&
            memcmp(labels[i].name, name.text, name.len) == 0) {
            return &labels[i];
        }
    }
    return NULL;
}

static enum line_kind add_keys(const struct label *label, const struct zmtp_keylog_sink *sink,
                               uint8_t keys[][ZMTP_KEY_SIZE], struct problem *problem)
{
    switch (label->add(sink, keys)) {
    case ZMTP_ADD_ADDED:
        return ADDED;
    case ZMTP_ADD_DUPLICATE:
        return DUPLICATE;
    case ZMTP_ADD_MISMATCH:
        return explain(MISMATCHED, problem, "the secret key does not belong to the public key");
    case ZMTP_ADD_NO_MEMORY:
        break;
    }
    return explain(REFUSED, problem, "no room for more keys");
}

/* Reads the keys that follow a label. `overlong`: the line goes on where `line` ends. */
static enum line_kind parse_keys(const struct label *label, struct span line, bool overlong,
                                 uint8_t keys[][ZMTP_KEY_SIZE], struct problem *problem)
{
    char why[64];
    struct span field;

    for (size_t found = 0; found < label->keys; found++) {
        field = next_field(&line);
        if (overlong && line.len == 0) {
            return too_long(problem);
        }
        if (is_end(field)) {
            return explain(MALFORMED, problem, "%s needs %zu keys, found %zu", label->name,
                           label->keys, found);
        }

        enum zmtp_keytext_status status = zmtp_key_from_text(field.text, field.len, keys[found]);
        if (status != ZMTP_KEYTEXT_OK) {
            /* The label is field 1. */
            return explain(MALFORMED, problem, "field %zu: %s", found + 2,
                           zmtp_keytext_explain(status, field.len, why, sizeof why));
        }
    }

    field = next_field(&line);
    if (!is_end(field)) {
        return explain(MALFORMED, problem, "%s needs %zu keys, found more", label->name,
                       label->keys);
    }
    if (field.len == 0 && overlong) {
        return too_long(problem);
    }
    return ADDED;
}

static enum line_kind parse_line(const struct zmtp_keylog_sink *sink, struct span line,
                                 bool overlong, struct problem *problem)
{
    struct span name = next_field(&line);

    if (name.len == 0 && overlong) {
        return too_long(problem);
    }
    if (is_end(name)) {
        return EMPTY;
    }

    const struct label *label = find_label(name);
    if (!label) {
        return UNKNOWN;
    }

    uint8_t keys[MAX_KEYS][ZMTP_KEY_SIZE];
    enum line_kind kind = parse_keys(label, line, overlong, keys, problem);
    if (kind == ADDED) {
        kind = add_keys(label, sink, keys, problem);
    }
    zmtp_wipe(keys, sizeof keys);
    return kind;
}

/* ---- The text ---------------------------------------------------------------------------- */

static void report(struct zmtp_keylog *log, const struct zmtp_keylog_sink *sink,
                   const char *problem)
{
    log->reports++;
    if (log->reports > ZMTP_KEYLOG_MAX_REPORTS) {
        if (log->reports == ZMTP_KEYLOG_MAX_REPORTS + 1) {
            log->first_unreported = log->line;
        }
    } else if (sink->report) {
        sink->report(sink->ctx, log->line, problem);
    }
}

/* Counts and reports what a line came to. */
static void account(struct zmtp_keylog *log, const struct zmtp_keylog_sink *sink,
                    enum line_kind kind, const struct problem *problem)
{
    switch (kind) {
    case EMPTY:
        break;
    case UNKNOWN:
        log->counts.unknown++;
        break;
    case ADDED:
        log->counts.added++;
        break;
    case DUPLICATE:
        log->counts.duplicates++;
        break;
    case MALFORMED:
        log->counts.malformed++;
        report(log, sink, problem->text);
        break;
    case MISMATCHED:
        log->counts.mismatched++;
        report(log, sink, problem->text);
        break;
    case REFUSED:
        log->counts.refused++;
        report(log, sink, problem->text);
        break;
    }
}

/* The line without its byte order mark and carriage return, cut to what is looked at. */
static struct span trim(const struct zmtp_keylog *log, struct span line, bool *overlong)
{
    if (log->line == 0 && line.len >= strlen(byte_order_mark) &&
        memcmp(line.text, byte_order_mark, strlen(byte_order_mark)) == 0) {
        line.text += strlen(byte_order_mark);
        line.len -= strlen(byte_order_mark);
    }
    if (!*overlong && line.len > 0 && line.text[line.len - 1] == '\r') {
        line.len--;
    }
    if (line.len > ZMTP_KEYLOG_LINE_MAX) {
        line.len = ZMTP_KEYLOG_LINE_MAX;
        *overlong = true;
    }
    return line;
}

static void end_line(struct zmtp_keylog *log, const struct zmtp_keylog_sink *sink, struct span line,
                     bool overlong)
{
    struct problem problem = {""};

    line = trim(log, line, &overlong);
    log->line++;
    account(log, sink, parse_line(sink, line, overlong, &problem), &problem);
}

static void forget_partial(struct zmtp_keylog *log)
{
    zmtp_wipe(log->partial, log->partial_len);
    log->partial_len = 0;
    log->overlong = false;
}

static void keep_partial(struct zmtp_keylog *log, struct span piece)
{
    size_t room = sizeof log->partial - log->partial_len;

    if (piece.len > room) {
        piece.len = room;
        log->overlong = true;
    }
    memcpy(log->partial + log->partial_len, piece.text, piece.len);
    log->partial_len += piece.len;
}

void zmtp_keylog_init(struct zmtp_keylog *log)
{
    memset(log, 0, sizeof *log);
}

void zmtp_keylog_clear(struct zmtp_keylog *log)
{
    zmtp_wipe(log, sizeof *log);
}

void zmtp_keylog_feed(struct zmtp_keylog *log, const struct zmtp_keylog_sink *sink,
                      const char *data, size_t len)
{
    while (len > 0) {
        const char *end = memchr(data, '\n', len);
        struct span piece = {data, end ? (size_t)(end - data) : len};

        if (!end || log->partial_len > 0) {
            keep_partial(log, piece);
        }
        if (!end) {
            return;
        }
        if (log->partial_len > 0) {
            end_line(log, sink, (struct span){log->partial, log->partial_len}, log->overlong);
            forget_partial(log);
        } else {
            end_line(log, sink, piece, false);
        }
        len -= piece.len + 1;
        data = end + 1;
    }
}

/* Digits that may be the beginning of a hexadecimal key, though there are as many as Z85 has. */
static bool may_go_on(struct span key)
{
    static const char hex_digits[] = "0123456789abcdefABCDEF";

    for (size_t i = 0; i < key.len; i++) {
        if (!memchr(hex_digits, key.text[i], sizeof hex_digits - 1)) {
            return false;
        }
    }
    return key.len != ZMTP_KEY_HEX_LENGTH;
}

/* Uses the key of an unfinished line that is certainly whole. */
static void use_unfinished_line(struct zmtp_keylog *log, const struct zmtp_keylog_sink *sink)
{
    bool overlong = log->overlong;
    struct span line = trim(log, (struct span){log->partial, log->partial_len}, &overlong);
    struct span rest = line;
    const struct label *label = find_label(next_field(&rest));

    if (!label) {
        return;
    }

    struct span last_key = {rest.text, 0};
    for (size_t i = 0; i < label->keys; i++) {
        last_key = next_field(&rest);
    }
    if (!may_go_on(last_key)) {
        struct problem ignored;

        if (parse_line(sink, line, overlong, &ignored) == ADDED) {
            log->counts.added++;
        }
    }
}

void zmtp_keylog_finish(struct zmtp_keylog *log, const struct zmtp_keylog_sink *sink, bool final)
{
    if (log->partial_len > 0 && final) {
        end_line(log, sink, (struct span){log->partial, log->partial_len}, log->overlong);
        forget_partial(log);
    } else if (log->partial_len > 0) {
        use_unfinished_line(log, sink);
    }

    if (log->reports > ZMTP_KEYLOG_MAX_REPORTS && !log->summed_up) {
        unsigned long more = log->reports - ZMTP_KEYLOG_MAX_REPORTS;
        struct problem problem;

        log->summed_up = true;
        (void)snprintf(problem.text, sizeof problem.text, "%lu more malformed line%s", more,
                       more == 1 ? "" : "s");
        if (sink->report) {
            sink->report(sink->ctx, log->first_unreported, problem.text);
        }
    }
}
