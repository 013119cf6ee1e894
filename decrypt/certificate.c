/*
 * Certificate files: ZPL (ZeroMQ RFC 4) as CZMQ's zconfig.c reads it, but for what people do to it:
 * tabs, any indentation, bare keys with `#` in them. Lines that are no ZPL are skipped.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "certificate.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "keyring.h"

static const char byte_order_mark[] = "\xef\xbb\xbf";

enum { INDENT = 4, NO_CHILD_YET = 0 };

/* A piece of the text. */
struct span {
    const char *text;
    size_t len;
};

/* One of the two keys, as it is found. */
struct slot {
    const char *property; /* its name in ZPL */
    const char *name;     /* and in messages */
    unsigned long line;   /* where it was found; 0: not yet, or in no file */
    bool found;
    uint8_t key[ZMTP_KEY_SIZE];
};

struct reader {
    struct slot public_key;
    struct slot secret_key;
    unsigned long line;
    bool in_curve;       /* the lines belong to the section `curve` */
    size_t child_column; /* where its properties begin; deeper ones belong to one of those */
    struct zmtp_certificate_problem *problem;
};

static struct reader new_reader(struct zmtp_certificate_problem *problem)
{
    return (struct reader){
        .public_key = {.property = "public-key", .name = "public key"},
        .secret_key = {.property = "secret-key", .name = "secret key"},
        .problem = problem,
    };
}

/* Writes the problem, with the line where there are lines. Always false. */
static bool complain(const struct reader *reader, unsigned long line, const char *format, ...)
{
    struct zmtp_certificate_problem *problem = reader->problem;
    char what[sizeof problem->text - sizeof "line 18446744073709551615: "];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(what, sizeof what, format, args);
    va_end(args);
    if (line > 0) {
        (void)snprintf(problem->text, sizeof problem->text, "line %lu: %s", line, what);
    } else {
        (void)snprintf(problem->text, sizeof problem->text, "%s", what);
    }
    return false;
}

/* ---- Keys -------------------------------------------------------------------------------- */

/* CZMQ writes a key that it does not have as 40 zeros, which are 32 octets of zero. */
static bool is_key(const uint8_t key[ZMTP_KEY_SIZE])
{
    return !sodium_is_zero(key, ZMTP_KEY_SIZE);
}

/* Takes one key from its text. False, with the problem, when it is none, or another than before. */
static bool take_key(struct reader *reader, struct slot *slot, struct span text)
{
    char why[64];
    uint8_t key[ZMTP_KEY_SIZE];
    enum zmtp_keytext_status status = zmtp_key_from_text(text.text, text.len, key);
    bool good = true;

    if (status != ZMTP_KEYTEXT_OK) {
        good = complain(reader, reader->line, "%s: %s", slot->name,
                        zmtp_keytext_explain(status, text.len, why, sizeof why));
    } else if (is_key(key) && slot->found && sodium_memcmp(slot->key, key, sizeof key) != 0) {
        good = complain(reader, reader->line, "%s: not the same as in line %lu", slot->name,
                        slot->line);
    } else if (is_key(key) && !slot->found) {
        slot->found = true;
        slot->line = reader->line;
        memcpy(slot->key, key, sizeof key);
    }
    zmtp_wipe(key, sizeof key);
    return good;
}

/* Makes the certificate of the keys that were found. */
static enum zmtp_certificate_status conclude(const struct reader *reader,
                                             struct zmtp_certificate *certificate)
{
    const struct slot *public_key = &reader->public_key;
    const struct slot *secret_key = &reader->secret_key;

    if (!public_key->found && !secret_key->found) {
        return ZMTP_CERTIFICATE_NONE;
    }
    if (secret_key->found) {
        uint8_t derived[ZMTP_KEY_SIZE];

        if (!zmtp_public_from_secret(secret_key->key, derived) ||
            (public_key->found && memcmp(derived, public_key->key, sizeof derived) != 0)) {
            (void)complain(reader, secret_key->line,
                           "the secret key does not belong to the public key");
            return ZMTP_CERTIFICATE_BAD;
        }
        memcpy(certificate->public_key, derived, sizeof derived);
        memcpy(certificate->secret_key, secret_key->key, sizeof derived);
    } else {
        memcpy(certificate->public_key, public_key->key, sizeof public_key->key);
    }
    certificate->has_public = true;
    certificate->has_secret = secret_key->found;
    return ZMTP_CERTIFICATE_OK;
}

/* ---- ZPL --------------------------------------------------------------------------------- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static void skip(struct span *text, size_t len)
{
    text->text += len;
    text->len -= len;
}

/* Skips blanks; returns the column behind them. A tab goes on to the next level of ZPL. */
static size_t skip_blanks(struct span *text)
{
    size_t column = 0;

    while (text->len > 0 && is_blank(*text->text)) {
        column = *text->text == '\t' ? (column / INDENT + 1) * INDENT : column + 1;
        skip(text, 1);
    }
    return column;
}

/* Takes everything up to a blank, or up to `end` if that comes first. */
static struct span take_word(struct span *text, char end)
{
    struct span word = {text->text, 0};

    while (word.len < text->len && !is_blank(word.text[word.len]) && word.text[word.len] != end) {
        word.len++;
    }
    skip(text, word.len);
    return word;
}

static bool is_word(struct span text, const char *word)
{
    return text.len == strlen(word) && memcmp(text.text, word, text.len) == 0;
}

/* Takes a value between quotes; `text` begins with the first of them. False: there is no second. */
static bool take_quoted(struct span *text, struct span *value)
{
    const char *end = memchr(text->text + 1, *text->text, text->len - 1);

    if (!end) {
        return false;
    }
    *value = (struct span){text->text + 1, (size_t)(end - text->text) - 1};
    skip(text, value->len + 2);
    return true;
}

/*
 * Reads the value of a key: all that follows its name. A bare value ends at a blank, so that it may
 * hold `#`, a Z85 digit; CZMQ would take that for a comment and be left with half a key.
 */
static bool read_key(struct reader *reader, struct slot *slot, struct span rest)
{
    struct span value = {rest.text, 0};

    (void)skip_blanks(&rest);
    if (rest.len == 0 || *rest.text != '=') {
        return complain(reader, reader->line, "%s: needs a `=`", slot->name);
    }
    skip(&rest, 1);
    (void)skip_blanks(&rest);
    if (rest.len > 0 && (*rest.text == '"' || *rest.text == '\'')) {
        if (!take_quoted(&rest, &value)) {
            return complain(reader, reader->line, "%s: needs a closing quote", slot->name);
        }
    } else {
        value = take_word(&rest, ' ');
    }
    (void)skip_blanks(&rest);
    if (rest.len > 0 && *rest.text != '#') {
        return complain(reader, reader->line, "%s: more follows behind it", slot->name);
    }
    return take_key(reader, slot, value);
}

/* Reads one line. False, with the problem, when it has a key that is no use. */
static bool read_line(struct reader *reader, struct span line)
{
    size_t column = skip_blanks(&line);

    if (line.len == 0 || *line.text == '#') {
        return true;
    }

    struct span name = take_word(&line, '=');
    if (column == 0) {
        reader->in_curve = is_word(name, "curve");
        reader->child_column = NO_CHILD_YET;
        return true;
    }
    if (reader->child_column == NO_CHILD_YET || column < reader->child_column) {
        reader->child_column = column;
    }
    if (!reader->in_curve || column > reader->child_column) {
        return true;
    }
    if (is_word(name, reader->public_key.property)) {
        return read_key(reader, &reader->public_key, line);
    }
    if (is_word(name, reader->secret_key.property)) {
        return read_key(reader, &reader->secret_key, line);
    }
    return true;
}

static bool read_lines(struct reader *reader, struct span text)
{
    size_t mark_len = strlen(byte_order_mark);

    if (text.len >= mark_len && memcmp(text.text, byte_order_mark, mark_len) == 0) {
        skip(&text, mark_len);
    }
    while (text.len > 0) {
        const char *end = memchr(text.text, '\n', text.len);
        struct span line = {text.text, end ? (size_t)(end - text.text) : text.len};

        reader->line++;
        if (!read_line(reader, line)) {
            return false;
        }
        skip(&text, line.len + (end ? 1 : 0));
    }
    return true;
}

enum zmtp_certificate_status zmtp_certificate_from_zpl(const char *text, size_t len,
                                                       struct zmtp_certificate *certificate,
                                                       struct zmtp_certificate_problem *problem)
{
    struct reader reader = new_reader(problem);
    enum zmtp_certificate_status status = ZMTP_CERTIFICATE_BAD;

    memset(certificate, 0, sizeof *certificate);
    if (read_lines(&reader, (struct span){text, len})) {
        status = conclude(&reader, certificate);
    }
    zmtp_wipe(&reader, sizeof reader);
    return status;
}

static bool take_text(struct reader *reader, struct slot *slot, const char *text)
{
    return !text || take_key(reader, slot, (struct span){text, strlen(text)});
}

enum zmtp_certificate_status zmtp_certificate_from_keys(const char *public_text,
                                                        const char *secret_text,
                                                        struct zmtp_certificate *certificate,
                                                        struct zmtp_certificate_problem *problem)
{
    struct reader reader = new_reader(problem);
    enum zmtp_certificate_status status = ZMTP_CERTIFICATE_BAD;

    memset(certificate, 0, sizeof *certificate);
    if (take_text(&reader, &reader.public_key, public_text) &&
        take_text(&reader, &reader.secret_key, secret_text)) {
        status = conclude(&reader, certificate);
    }
    zmtp_wipe(&reader, sizeof reader);
    return status;
}
