/* keys.c - the user's keys: from wherever they are to the keyring; the key log, and keys embedded
 * in the capture.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "keys.h"

#include <wsutil/report_message.h>
#include <wsutil/wmem/wmem_user_cb.h>
#if ZMTP_WIRESHARK_AT_LEAST(4, 4)
#include <epan/secrets.h>
#endif

#include "../decrypt/keylog.h"

/* How often a key log is looked at for new lines while messages come in. */
#define POLL_INTERVAL_US 200000

/* "ZMTK": the type of our Decryption Secrets Block in pcapng files; its data are a key log. */
#define SECRETS_TYPE_ZMTK 0x5a4d544b

#define MAX_TOLD 256

static const char *keylog_path = "";

static struct zmtp_keyring *ring;
static struct zmtp_keylog_file *keylog;
static GHashTable *told; /* texts that were told */
static int64_t polled_at;
static unsigned blocks; /* with keys, in this capture file */

/* ---- What goes wrong, told once ---- */

static bool is_news(const char *text)
{
    if (g_hash_table_size(told) >= MAX_TOLD)
        g_hash_table_remove_all(told);
    return g_hash_table_add(told, g_strdup(text));
}

void zmtp_tell_failure(const char *text)
{
    if (is_news(text))
        report_failure("%s", text);
}

void zmtp_tell_warning(const char *text)
{
    if (is_news(text))
        report_warning("%s", text);
}

void zmtp_tell_world_readable(const char *what, const char *path, const char *danger)
{
    char *text = g_strdup_printf("ZMTP %s \"%s\" can be read by everybody on this machine: who has "
                                 "it can %s. It should have mode 0600.",
                                 what, path, danger);

    zmtp_tell_warning(text);
    g_free(text);
}

/* Collects complaints about lines; the first one brings the name of the text. */
struct complaints {
    const char *name;
    GString *text;
};

static void on_bad_line(void *ctx, unsigned long line, const char *problem)
{
    struct complaints *complaints = (struct complaints *)ctx;

    if (complaints->text->len == 0)
        g_string_append_printf(complaints->text, "ZMTP %s:", complaints->name);
    g_string_append_printf(complaints->text, "\n  line %lu: %s", line, problem);
}

static void tell_complaints(struct complaints *complaints)
{
    if (complaints->text->len > 0) {
        g_string_append(complaints->text, "\nThese lines are skipped; the others are used.");
        zmtp_tell_warning(complaints->text->str);
    }
    g_string_free(complaints->text, TRUE);
}

/* ---- The key log ---- */

static void tell_file_problem(enum zmtp_keylog_file_status status)
{
    const char *what =
        status == ZMTP_KEYLOG_FILE_CANNOT_READ ? "cannot be read" : "cannot be opened";
    const char *why = status == ZMTP_KEYLOG_FILE_NOT_A_FILE
                          ? "this is not a regular file"
                          : g_strerror(zmtp_keylog_file_errno(keylog));
    char *text = g_strdup_printf("ZMTP key log \"%s\" %s: %s. Nothing can be decrypted with it.",
                                 keylog_path, what, why);

    zmtp_tell_failure(text);
    g_free(text);
}

static void poll_keylog(void)
{
    char *name = g_strdup_printf("key log \"%s\"", keylog_path);
    struct complaints complaints = {name, g_string_new(NULL)};
    struct zmtp_keylog_sink sink = {ring, ZMTP_SOURCE_KEYLOG, on_bad_line, &complaints};
    enum zmtp_keylog_file_status status = zmtp_keylog_file_poll(keylog, &sink);

    if (status == ZMTP_KEYLOG_FILE_READ && zmtp_keylog_file_is_world_readable(keylog))
        zmtp_tell_world_readable("key log", keylog_path, "decrypt the traffic");
    else if (status != ZMTP_KEYLOG_FILE_READ && status != ZMTP_KEYLOG_FILE_NOTHING_NEW)
        tell_file_problem(status);
    tell_complaints(&complaints);
    g_free(name);
    polled_at = g_get_monotonic_time();
}

struct zmtp_keyring *zmtp_keys(void)
{
    if (keylog && g_get_monotonic_time() - polled_at > POLL_INTERVAL_US)
        poll_keylog();
    return ring;
}

void zmtp_keys_renew(void)
{
    if (keylog)
        poll_keylog();
}

/* ---- Keys embedded in the capture ---- */

#if ZMTP_WIRESHARK_AT_LEAST(4, 4)
/* A block was read: before the first packet, or where the file has it. */
static void on_secrets_block(const void *data, unsigned size)
{
    char *name = g_strdup_printf("keys embedded in the capture, block %u", ++blocks);
    struct complaints complaints = {name, g_string_new(NULL)};
    struct zmtp_keylog_sink sink = {ring, ZMTP_SOURCE_EMBEDDED, on_bad_line, &complaints};
    struct zmtp_keylog text;

    zmtp_keylog_init(&text);
    zmtp_keylog_feed(&text, &sink, (const char *)data, size);
    zmtp_keylog_finish(&text, &sink, true);
    zmtp_keylog_clear(&text);
    tell_complaints(&complaints);
    g_free(name);
}

static void register_embedded_keys(void)
{
    secrets_register_type(SECRETS_TYPE_ZMTK, on_secrets_block);
}
#else
static void register_embedded_keys(void)
{
    /* Wireshark 4.0 does not let plugins have secrets. */
}
#endif

/* ---- When they are read and forgotten ---- */

/* A capture file is opened, or dissected anew after preferences changed.  Its blocks come next. */
static void open_keys(void)
{
    zmtp_keyring_renew_budget(ring);
    blocks = 0;
    zmtp_read_key_table(ring);
    zmtp_read_certificates(ring);
    if (keylog_path && *keylog_path) {
        keylog = zmtp_keylog_file_new(keylog_path);
        zmtp_keys_renew();
    }
}

/* It is closed.  Sessions of its connections may still hold the ring: it stays, empty. */
static void close_keys(void)
{
    zmtp_keylog_file_free(keylog);
    keylog = NULL;
    for (int source = 0; source < ZMTP_SOURCES; source++)
        zmtp_keyring_drop_source(ring, (enum zmtp_key_source)source);
}

static zmtp_bool on_program_end(wmem_allocator_t *scope _U_, wmem_cb_event_t event _U_,
                                void *user_data _U_)
{
    zmtp_keyring_free(ring);
    ring = NULL;
    g_hash_table_destroy(told);
    told = NULL;
    return ZMTP_FALSE;
}

void zmtp_register_keys(const struct zmtp_registry *registry)
{
    prefs_register_filename_preference(
        registry->prefs, "keylog_file", "Key log file",
        "File with the keys of CURVE sessions, one a line, as the key logger libzmtpkeylog.so "
        "writes it. It is read again as it grows. Permanent keys alone cannot decrypt messages: "
        "CURVE has forward secrecy.",
        &keylog_path, ZMTP_FALSE);
    zmtp_register_key_table(registry);
    zmtp_register_certificates(registry);
    register_embedded_keys();
    if (!zmtp_crypto_init())
        report_failure("ZMTP: libsodium cannot be initialised; nothing will be decrypted");
    told = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    ring = zmtp_keyring_new();
    if (!ring)
        g_error("ZMTP: out of memory");
    wmem_register_callback(wmem_epan_scope(), on_program_end, NULL);
    register_init_routine(open_keys);
    register_cleanup_routine(close_keys);
}
