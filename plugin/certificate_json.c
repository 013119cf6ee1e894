/* certificate_json.c - keys in connection files: Jupyter's and ipyparallel's.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "certificates.h"

#include <stdio.h>
#include <string.h>

#include <glib.h>
#include <wsutil/wsjson.h>

#define BYTE_ORDER_MARK "\xef\xbb\xbf"

/* A JSON object as its parser left it. */
struct object {
    char *text;
    jsmntok_t *tokens;
    int count;
};

/* The value of a member; of several with this name the last, as in Python.  NULL: there is none. */
static const jsmntok_t *member(const struct object *object, const char *name)
{
    const jsmntok_t *found = NULL;
    int i = 1;

    while (i + 1 < object->count) {
        const jsmntok_t *key = &object->tokens[i];
        const jsmntok_t *value = &object->tokens[i + 1];

        if (key->type == JSMN_STRING && (size_t)(key->end - key->start) == strlen(name) &&
            memcmp(object->text + key->start, name, strlen(name)) == 0)
            found = value;
        for (i += 2; i < object->count && object->tokens[i].start < value->end;)
            i++; /* what is within the value */
    }
    return found;
}

/* Makes the member's text end in NUL.  False: it is no text.  NULL: it is not there, or null. */
static bool get_text(const struct object *object, const char *name, const char **text)
{
    const jsmntok_t *value = member(object, name);

    *text = NULL;
    if (!value || (value->type == JSMN_PRIMITIVE && object->text[value->start] == 'n'))
        return true;
    if (value->type != JSMN_STRING)
        return false;
    object->text[value->end] = '\0'; /* the closing quote was there */
    *text = object->text + value->start;
    return json_decode_string_inplace(object->text + value->start);
}

static enum zmtp_certificate_status from_object(const struct object *object,
                                                struct zmtp_certificate *certificate,
                                                struct zmtp_certificate_problem *problem)
{
    static const char *const names[] = {"curve_publickey", "curve_secretkey", "curve_serverkey"};
    const char *texts[G_N_ELEMENTS(names)];

    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        if (!get_text(object, names[i], &texts[i])) {
            memset(certificate, 0, sizeof *certificate);
            (void)snprintf(problem->text, sizeof problem->text, "%s: is not text", names[i]);
            return ZMTP_CERTIFICATE_BAD;
        }
    }
    if (!texts[0] && !texts[1])
        texts[0] = texts[2];
    return zmtp_certificate_from_keys(texts[0], texts[1], certificate, problem);
}

enum zmtp_certificate_status zmtp_certificate_from_json(char *text,
                                                        struct zmtp_certificate *certificate,
                                                        struct zmtp_certificate_problem *problem)
{
    enum zmtp_certificate_status status = ZMTP_CERTIFICATE_NONE;
    struct object object = {.text = text};

    memset(certificate, 0, sizeof *certificate);
    if (g_str_has_prefix(text, BYTE_ORDER_MARK))
        object.text += strlen(BYTE_ORDER_MARK);
    object.count = json_parse(object.text, NULL, 0);
    if (object.count <= 0)
        return status;
    object.tokens = g_new0(jsmntok_t, (size_t)object.count);
    if (json_parse(object.text, object.tokens, (unsigned)object.count) == object.count &&
        object.tokens[0].type == JSMN_OBJECT)
        status = from_object(&object, certificate, problem);
    g_free(object.tokens);
    return status;
}
