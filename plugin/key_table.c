/* key_table.c - keys typed into the preferences: the table zmtp_keys.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "keys.h"

#include <glib/gstdio.h>
#include <sys/stat.h>

#include <epan/uat-int.h>
#include <epan/uat.h>

#define UAT_NAME "ZMTP keys"
#define UAT_FILE "zmtp_keys"

enum key_type { SECRET_KEY, SESSION_KEY, COOKIE_KEY, PUBLIC_KEY };

static const value_string key_types[] = {
    {SECRET_KEY, "Secret key"},   /* of a pair: C, S, C' or S' */
    {SESSION_KEY, "Session key"}, /* public key: C'; S' does where WELCOME opens */
    {COOKIE_KEY, "Cookie key"},   /* public key: C' */
    {PUBLIC_KEY, "Public key"},   /* a server's; no secret */
    {0, NULL}};

struct key_row {
    unsigned type;
    char *public_key;
    char *secret_key;
};

static struct key_row *rows;
static unsigned row_count;
static uat_t *table;

/* A key as it was typed, and what it is. */
struct typed_key {
    bool given;
    uint8_t key[ZMTP_KEY_SIZE];
};

/* ---- Checking ---- */

/* Reads a key; blanks around it do not count.  Returns what is wrong with it (g_free it), or NULL.
 */
static char *read_key(const char *text, size_t len, struct typed_key *typed)
{
    enum zmtp_keytext_status status;
    char why[64];

    while (len > 0 && g_ascii_isspace(text[len - 1]))
        len--;
    while (len > 0 && g_ascii_isspace(*text)) {
        text++;
        len--;
    }
    typed->given = len > 0;
    if (!typed->given)
        return NULL;
    status = zmtp_key_from_text(text, len, typed->key);
    if (status == ZMTP_KEYTEXT_OK)
        return NULL;
    return g_strdup(zmtp_keytext_explain(status, len, why, sizeof why));
}

/* What is wrong with the row as a whole; NULL: nothing. */
static const char *find_fault(unsigned type, const struct typed_key *public_key,
                              const struct typed_key *secret_key)
{
    uint8_t derived[ZMTP_KEY_SIZE];

    if (type == PUBLIC_KEY) {
        if (!public_key->given)
            return "a public key is needed";
        return secret_key->given ? "a row of type \"Public key\" has no secret key" : NULL;
    }
    if (!secret_key->given)
        return "a secret key is needed";
    if (type == SESSION_KEY || type == COOKIE_KEY)
        return public_key->given ? NULL
                                 : "this key is found by the client's transient public key "
                                   "(zmtp.curvezmq.publickey): enter that as the public key";
    if (!zmtp_public_from_secret(secret_key->key, derived))
        return "this cannot be a secret key";
    if (public_key->given && memcmp(derived, public_key->key, ZMTP_KEY_SIZE) != 0)
        return "the secret key does not belong to this public key";
    return NULL;
}

/* Reads a row; returns what is wrong with it (g_free it), or NULL. */
static char *read_row(const struct key_row *row, struct typed_key *public_key,
                      struct typed_key *secret_key)
{
    const char *fault;
    char *why = read_key(row->public_key ? row->public_key : "",
                         row->public_key ? strlen(row->public_key) : 0, public_key);
    char *whole;

    if (why) {
        whole = g_strdup_printf("public key: %s", why);
        g_free(why);
        return whole;
    }
    why = read_key(row->secret_key ? row->secret_key : "",
                   row->secret_key ? strlen(row->secret_key) : 0, secret_key);
    if (why) {
        whole = g_strdup_printf("secret key: %s", why);
        g_free(why);
        return whole;
    }
    fault = find_fault(row->type, public_key, secret_key);
    return fault ? g_strdup(fault) : NULL;
}

/* ---- The table ---- */

static zmtp_bool check_key(void *record _U_, const char *text, unsigned len,
                           const void *check_data _U_, const void *field_data _U_, char **error)
{
    struct typed_key typed;

    *error = read_key(text, len, &typed);
    zmtp_wipe(&typed, sizeof typed);
    return *error == NULL;
}

static void forget(char *secret)
{
    if (secret)
        zmtp_wipe(secret, strlen(secret));
    g_free(secret);
}

static void set_secret(void *record, const char *text, unsigned len, const void *set_data _U_,
                       const void *field_data _U_)
{
    struct key_row *row = (struct key_row *)record;
    char *secret = g_strndup(text, len);

    forget(row->secret_key);
    row->secret_key = secret;
}

static void get_secret(void *record, char **text, unsigned *len, const void *get_data _U_,
                       const void *field_data _U_)
{
    const struct key_row *row = (const struct key_row *)record;

    *text = g_strdup(row->secret_key ? row->secret_key : "");
    *len = (unsigned)strlen(*text);
}

UAT_VS_DEF(key_row, type, struct key_row, unsigned, SECRET_KEY, "Secret key")
UAT_CSTRING_CB_DEF(key_row, public_key, struct key_row)

static void *copy_row(void *to, const void *from, size_t size _U_)
{
    struct key_row *copy = (struct key_row *)to;
    const struct key_row *row = (const struct key_row *)from;

    copy->type = row->type;
    copy->public_key = g_strdup(row->public_key);
    copy->secret_key = g_strdup(row->secret_key);
    return copy;
}

static zmtp_bool update_row(void *record, char **error)
{
    struct typed_key public_key, secret_key;

    *error = read_row((const struct key_row *)record, &public_key, &secret_key);
    zmtp_wipe(&secret_key, sizeof secret_key);
    return *error == NULL;
}

static void free_row(void *record)
{
    struct key_row *row = (struct key_row *)record;

    g_free(row->public_key);
    forget(row->secret_key);
}

/* ---- Use ---- */

static void add_row(struct zmtp_keyring *ring, const struct key_row *row)
{
    struct typed_key public_key, secret_key;
    char *fault = read_row(row, &public_key, &secret_key);

    if (fault) {
        /* The table has told so when the row was entered. */
        g_free(fault);
    } else if (row->type == SESSION_KEY) {
        zmtp_keyring_add_session(ring, public_key.key, public_key.key, secret_key.key,
                                 ZMTP_SOURCE_TABLE);
    } else if (row->type == COOKIE_KEY) {
        zmtp_keyring_add_cookie_key(ring, public_key.key, secret_key.key, ZMTP_SOURCE_TABLE);
    } else if (row->type == PUBLIC_KEY) {
        zmtp_keyring_add_public(ring, public_key.key, ZMTP_SOURCE_TABLE);
    } else if (zmtp_public_from_secret(secret_key.key, public_key.key)) {
        zmtp_keyring_add_pair(ring, public_key.key, secret_key.key, ZMTP_SOURCE_TABLE);
    }
    zmtp_wipe(&secret_key, sizeof secret_key);
}

/* Wireshark saves the table with the mode that the user's umask gives. */
static void check_saved_table(void)
{
    char *path = uat_get_actual_filename(table, ZMTP_FALSE);
    GStatBuf status;

    if (path && g_stat(path, &status) == 0 && (status.st_mode & S_IROTH) != 0)
        zmtp_tell_world_readable("key table", path, "use the keys in it");
    g_free(path);
}

void zmtp_read_key_table(struct zmtp_keyring *ring)
{
    if (row_count > 0)
        check_saved_table();
    for (unsigned i = 0; i < row_count; i++)
        add_row(ring, &rows[i]);
}

void zmtp_register_key_table(const struct zmtp_registry *registry)
{
    static uat_field_t columns[] = {
        UAT_FLD_VS(key_row, type, "Type", key_types,
                   "Secret key: of a key pair, transient or permanent, of client or server. "
                   "Session key, cookie key: of one connection. Public key: of a server"),
        UAT_FLD_CSTRING_OTHER(key_row, public_key, "Public key", check_key,
                              "40 characters of Z85 or 64 hexadecimal digits. With a secret key it "
                              "may be left out; with a session key or a cookie key it is the "
                              "client's transient one"),
        {"secret_key",
         "Secret key",
         PT_TXTMOD_STRING,
         {check_key, set_secret, get_secret},
         {0, 0, 0},
         0,
         "40 characters of Z85 or 64 hexadecimal digits",
         FLDFILL},
        UAT_END_FIELDS};
    table =
        uat_new(UAT_NAME, sizeof(struct key_row), UAT_FILE, ZMTP_TRUE, &rows, &row_count,
                UAT_AFFECTS_DISSECTION, NULL, copy_row, update_row, free_row, NULL, NULL, columns);

    prefs_register_uat_preference(
        registry->prefs, "keys", "Keys",
        "Keys of CURVE. Permanent keys show whether a client has the right server key; they cannot "
        "decrypt messages, for CURVE has forward secrecy: session keys and transient keys can.",
        table);
}
