/* keys.c - the user's keys: from preferences to the keyring.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "zmtp.h"

#include <wsutil/report_message.h>
#include <wsutil/wmem/wmem_user_cb.h>

#include "../decrypt/keylog.h"
#include "../decrypt/keyring.h"

/* How often a key log is looked at for new lines while packets come in. */
#define POLL_INTERVAL_US 200000

static const char *keylog_path = "";

static struct zmtp_keyring *ring;
static struct zmtp_keylog_file *keylog;
static char *last_report; /* the same is not said again for the next capture file */
static int64_t polled_at;

/* ---- What goes wrong, told once ---- */

static void on_bad_line(void *ctx, unsigned long line, const char *problem)
{
    GString *message = (GString *)ctx;

    if (message->len == 0)
        g_string_append_printf(message, "ZMTP key log \"%s\":", keylog_path);
    g_string_append_printf(message, "\n  line %lu: %s", line, problem);
}

static bool is_news(const char *text)
{
    if (g_strcmp0(last_report, text) == 0)
        return false;
    g_free(last_report);
    last_report = g_strdup(text);
    return true;
}

static void report_file(enum zmtp_keylog_file_status status)
{
    const char *what =
        status == ZMTP_KEYLOG_FILE_CANNOT_READ ? "cannot be read" : "cannot be opened";
    const char *why = status == ZMTP_KEYLOG_FILE_NOT_A_FILE
                          ? "this is not a regular file"
                          : g_strerror(zmtp_keylog_file_errno(keylog));
    char *text = g_strdup_printf("ZMTP key log \"%s\" %s: %s. Nothing can be decrypted with it.",
                                 keylog_path, what, why);

    if (is_news(text))
        report_failure("%s", text);
    g_free(text);
}

/* ---- The key log ---- */

static void poll_keylog(void)
{
    GString *message;
    enum zmtp_keylog_file_status status;
    struct zmtp_keylog_sink sink;

    if (!keylog)
        return;
    message = g_string_new(NULL);
    sink = (struct zmtp_keylog_sink){ring, ZMTP_SOURCE_KEYLOG, on_bad_line, message};
    status = zmtp_keylog_file_poll(keylog, &sink);
    if (status != ZMTP_KEYLOG_FILE_READ && status != ZMTP_KEYLOG_FILE_NOTHING_NEW)
        report_file(status);
    if (message->len > 0) {
        g_string_append(message, "\nThese lines are skipped; the others are used.");
        if (is_news(message->str))
            report_warning("%s", message->str);
    }
    g_string_free(message, TRUE);
    polled_at = g_get_monotonic_time();
}

struct zmtp_keyring *zmtp_keys(void)
{
    if (keylog && g_get_monotonic_time() - polled_at > POLL_INTERVAL_US)
        poll_keylog();
    return ring;
}

/* A capture file is opened, or dissected anew after preferences changed. */
static void open_keys(void)
{
    zmtp_keyring_renew_budget(ring);
    if (keylog_path && *keylog_path) {
        keylog = zmtp_keylog_file_new(keylog_path);
        poll_keylog();
    }
}

/* It is closed.  Sessions of its connections may still hold the ring: it stays, empty. */
static void close_keys(void)
{
    zmtp_keylog_file_free(keylog);
    keylog = NULL;
    zmtp_keyring_drop_source(ring, ZMTP_SOURCE_KEYLOG);
}

static zmtp_bool on_program_end(wmem_allocator_t *scope _U_, wmem_cb_event_t event _U_,
                                void *user_data _U_)
{
    zmtp_keyring_free(ring);
    ring = NULL;
    g_free(last_report);
    last_report = NULL;
    return ZMTP_FALSE;
}

void zmtp_register_keys(const struct zmtp_registry *registry)
{
    prefs_register_filename_preference(
        registry->prefs, "keylog_file", "Key log file",
        "File with the keys of CURVE sessions, one a line (see the plugin's README for its "
        "format). It is read again as it grows. Permanent keys alone cannot decrypt messages: "
        "CURVE has "
        "forward secrecy.",
        &keylog_path, ZMTP_FALSE);
    if (!zmtp_crypto_init())
        report_failure("ZMTP: libsodium cannot be initialised; nothing will be decrypted");
    ring = zmtp_keyring_new();
    if (!ring)
        g_error("ZMTP: out of memory");
    wmem_register_callback(wmem_epan_scope(), on_program_end, NULL);
    register_init_routine(open_keys);
    register_cleanup_routine(close_keys);
}
