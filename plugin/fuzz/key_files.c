/* key_files.c - files and preferences with keys of the fuzzer's making.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "key_files.h"

#include <epan/prefs.h>
#include <epan/uat-int.h>
#include <glib/gstdio.h>
#include <sanitizer/lsan_interface.h>
#include <unistd.h>

#include "wireshark.h"

#include "../compat.h"
#if ZMTP_WIRESHARK_AT_LEAST(4, 4)
#include <epan/secrets.h>
#endif

enum { SECRETS_TYPE_ZMTK = 0x5a4d544b, KEYTAB = 5 };

static bool use_blocks;
static bool has_key_log, has_rows, has_certificate, has_keytab;

/* A file of this process, which its end removes: TMPDIR is scripts/fuzz's. */
static const char *file_name(const char *name)
{
    static char path[4096];

    (void)g_snprintf(path, sizeof path, "%s/zmtp-fuzz-%ld-%s", g_get_tmp_dir(), (long)getpid(),
                     name);
    return path;
}

static void write_file(const char *path, const char *mode, const void *data, unsigned len)
{
    FILE *file = g_fopen(path, mode);

    REQUIRE(file);
    REQUIRE(fwrite(data, 1, len, file) == len);
    REQUIRE(fclose(file) == 0);
}

void begin_key_files(bool in_blocks)
{
    use_blocks = in_blocks && ZMTP_WIRESHARK_AT_LEAST(4, 4);
}

void end_key_files(void)
{
    if (has_key_log) {
        set_preference("zmtp.keylog_file", "");
        (void)g_unlink(file_name("keys"));
    }
    if (has_certificate) {
        set_preference("zmtp.certificate_file", "");
        (void)g_unlink(file_name("certificate"));
    }
    if (has_rows)
        uat_clear(uat_get_table_by_name("ZMTP keys"));
    if (has_keytab)
        set_preference("kerberos.decrypt", "FALSE");
    has_key_log = has_certificate = has_rows = has_keytab = false;
}

/* ---- Keys of the peers, as text ---- */

/* A key as hexadecimal digits, which the next call but a few overwrites. */
static const char *hex(const uint8_t *key)
{
    static char texts[4][ZMTP_KEY_HEX_LENGTH + 1];
    static unsigned next;
    char *text = texts[next++ % array_length(texts)];

    zmtp_key_to_hex(key, text);
    return text;
}

static const struct key_pair *pair(const struct handshake *peers, unsigned which)
{
    const struct key_pair *const pairs[] = {&peers->client, &peers->server,
                                            &peers->client_transient, &peers->server_transient};

    return pairs[which % array_length(pairs)];
}

void append_key_lines(const struct handshake *peers, unsigned given)
{
    static const unsigned secrets[] = {GIVE_CLIENT_SECRET, GIVE_SERVER_SECRET,
                                       GIVE_CLIENT_TRANSIENT_SECRET, GIVE_SERVER_TRANSIENT_SECRET};
    const uint8_t *client = peers->client_transient.public_key;
    const uint8_t *server = peers->server_transient.public_key;
    GString *text = g_string_new(NULL);

    for (unsigned i = 0; i < array_length(secrets); i++) {
        if (given & secrets[i])
            g_string_append_printf(text, "CURVE_SECRET_KEY %s %s\n",
                                   hex(pair(peers, i)->public_key), hex(pair(peers, i)->secret));
    }
    if (given & GIVE_SESSION_KEY)
        g_string_append_printf(text, "CURVE_SESSION_KEY %s %s %s\n", hex(client), hex(server),
                               hex(peers->session_key));
    if (given & GIVE_SWAPPED_SESSION_KEY)
        g_string_append_printf(text, "CURVE_SESSION_KEY %s %s %s\n", hex(server), hex(client),
                               hex(peers->session_key));
    if (given & GIVE_COOKIE_KEY)
        g_string_append_printf(text, "CURVE_COOKIE_KEY %s %s\n", hex(client),
                               hex(peers->cookie_key));
    append_keys(text->str, (unsigned)text->len);
    g_string_free(text, TRUE);
}

/* ---- The key table ---- */

enum row_type { SECRET_ROW, SESSION_ROW, COOKIE_ROW, PUBLIC_ROW, ROW_TYPES };

/* As it stands in the file zmtp_keys or behind -o. */
static void add_row(enum row_type type, const char *keys)
{
    static const char *const types[] = {"Secret key", "Session key", "Cookie key", "Public key"};
    char *row = g_strdup_printf("uat:zmtp_keys:\"%s\",%s", types[type], keys);
    char *error = NULL;

    /* Wireshark's uat_load_str does not free what it has read of a line that is wrong. */
    __lsan_disable();
    (void)prefs_set_pref(row, &error);
    __lsan_enable();
    g_free(error);
    g_free(row);
    has_rows = true;
}

static void add_row_of_peers(const struct handshake *peers, enum row_type type, unsigned which)
{
    const uint8_t *public_key = peers->client_transient.public_key;
    const uint8_t *secret = type == SESSION_ROW ? peers->session_key : peers->cookie_key;
    char *keys;

    if (type == SECRET_ROW || type == PUBLIC_ROW) {
        public_key = pair(peers, which)->public_key;
        secret = pair(peers, which)->secret;
    }
    keys = g_strdup_printf("\"%s\",\"%s\"", hex(public_key), type == PUBLIC_ROW ? "" : hex(secret));
    add_row(type, keys);
    g_free(keys);
}

/* A type, then which keys of the peers; or a type, a public key, a blank and a secret key: with any
 * text in it. */
void add_key_row(const struct handshake *peers, const uint8_t *data, unsigned len)
{
    const uint8_t *blank = len > 1 ? (const uint8_t *)memchr(data + 1, ' ', len - 1) : NULL;
    enum row_type type = len > 0 ? (enum row_type)(data[0] % ROW_TYPES) : SECRET_ROW;
    char *keys;

    if (len == 2) {
        add_row_of_peers(peers, type, data[1]);
    } else if (blank) {
        keys = g_strdup_printf("\"%.*s\",\"%.*s\"", (int)(blank - data - 1), data + 1,
                               (int)(data + len - blank - 1), blank + 1);
        add_row(type, keys);
        g_free(keys);
    }
}

/* ---- Files ---- */

/* Kerberos reads the file of a name once, so that it is one for all inputs. */
static void give_keytab(void)
{
    const char *path = g_getenv("ZMTP_FUZZ_KEYTAB");

    set_preference("kerberos.file", path ? path : "/nonexistent");
    set_preference("kerberos.decrypt", "TRUE");
    has_keytab = true;
}

/* One octet: which of the peers' keys, or 5: the service's keytab; otherwise the whole file.
 * Nothing: there is no file. */
void give_certificate(const struct handshake *peers, const uint8_t *data, unsigned len)
{
    const char *path = file_name("certificate");
    char *text = NULL;

    if (len == 1 && data[0] == KEYTAB) {
        give_keytab();
        return;
    }
    if (len == 1) {
        const struct key_pair *keys = pair(peers, data[0]);

        text = g_strdup_printf("curve\n    public-key = \"%s\"\n    secret-key = \"%s\"\n",
                               hex(keys->public_key), hex(keys->secret));
        write_file(path, "w", text, (unsigned)strlen(text));
    } else if (len > 0) {
        write_file(path, "w", data, len);
    }
    g_free(text);
    set_preference("zmtp.certificate_file", path);
    has_certificate = true;
}

void expect_key_log(bool from_beginning)
{
    const char *path = file_name("keys");

    if (use_blocks || has_key_log)
        return;
    if (from_beginning)
        write_file(path, "w", "", 0);
    set_preference("zmtp.keylog_file", path);
    has_key_log = true;
}

void append_keys(const char *keys, unsigned len)
{
#if ZMTP_WIRESHARK_AT_LEAST(4, 4)
    if (use_blocks) {
        secrets_wtap_callback(SECRETS_TYPE_ZMTK, keys, len);
        return;
    }
#endif
    write_file(file_name("keys"), "a", keys, len);
}
