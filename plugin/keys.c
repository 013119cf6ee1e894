/* keys.c - the user's keys: from preferences to the keyring.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "zmtp.h"

#include <errno.h>
#include <wsutil/report_message.h>

#include "../decrypt/keylog.h"
#include "../decrypt/keyring.h"

/* How often a key log is looked at for new lines while packets come in. */
#define POLL_INTERVAL_US 200000

static const char *keylog_path = "";

static struct zmtp_keyring *ring;
static struct zmtp_keylog_file *keylog;
static bool keylog_failed; /* said so already, for this capture file */
static int64_t polled_at;

/* ---- What goes wrong, told once ---- */

static void on_bad_line(void *ctx, unsigned long line, const char *problem)
{
    GString *message = (GString *)ctx;

    if (message->len == 0)
        g_string_append_printf(message, "ZMTP key log \"%s\":", keylog_path);
    g_string_append_printf(message, "\n  line %lu: %s", line, problem);
}

static void report_file(enum zmtp_keylog_file_status status)
{
    if (keylog_failed)
        return;
    keylog_failed = true;
    if (status == ZMTP_KEYLOG_FILE_NOT_A_FILE)
        report_failure("ZMTP key log \"%s\": this is not a regular file. Nothing can be decrypted "
                       "with it.",
                       keylog_path);
    else
        report_failure(
            "ZMTP key log \"%s\": %s: %s. Nothing can be decrypted with it.", keylog_path,
            status == ZMTP_KEYLOG_FILE_CANNOT_OPEN ? "cannot be opened" : "cannot be read",
            g_strerror(zmtp_keylog_file_errno(keylog)));
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
    keylog_failed = false;
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

void zmtp_register_keys(const struct zmtp_registry *registry)
{
    prefs_register_filename_preference(
        registry->prefs, "keylog_file", "Key log file",
        "File with the keys of CURVE sessions, one a line (see the plugin's README for its "
        "format). "
        "It is read again as it grows. Permanent keys alone cannot decrypt messages: CURVE has "
        "forward secrecy.",
        &keylog_path, ZMTP_FALSE);
    if (!zmtp_crypto_init())
        g_error("ZMTP: libsodium cannot be initialised");
    ring = zmtp_keyring_new();
    if (!ring)
        g_error("ZMTP: out of memory");
    register_init_routine(open_keys);
    register_cleanup_routine(close_keys);
}
