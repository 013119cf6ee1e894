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

enum { SECRETS_TYPE_ZMTK = 0x5a4d544b };

static bool use_blocks;
static bool has_key_log, has_rows, has_certificate;

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

void begin_key_files(bool embedded)
{
    use_blocks = embedded && ZMTP_WIRESHARK_AT_LEAST(4, 4);
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
    has_key_log = has_certificate = has_rows = false;
}

/* As it stands in the file zmtp_keys or behind -o, with any text in it. */
void add_key_row(const uint8_t *data, unsigned len)
{
    static const char *const types[] = {"Secret key", "Session key", "Cookie key", "Public key"};
    const uint8_t *blank = len > 1 ? (const uint8_t *)memchr(data + 1, ' ', len - 1) : NULL;
    GString *row = g_string_new("uat:zmtp_keys:");
    char *error = NULL;

    if (blank) {
        g_string_append_printf(row, "\"%s\",\"%.*s\",\"%.*s\"", types[data[0] % 4],
                               (int)(blank - data - 1), data + 1, (int)(data + len - blank - 1),
                               blank + 1);
        /* Wireshark's uat_load_str does not free what it has read of a line that is wrong. */
        __lsan_disable();
        (void)prefs_set_pref(row->str, &error);
        __lsan_enable();
        g_free(error);
        has_rows = true;
    }
    g_string_free(row, TRUE);
}

void give_certificate(const uint8_t *data, unsigned len)
{
    const char *path = file_name("certificate");

    write_file(path, "w", data, len);
    set_preference("zmtp.certificate_file", path);
    has_certificate = true;
}

void expect_key_log(void)
{
    const char *path = file_name("keys");

    if (use_blocks || has_key_log)
        return;
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
