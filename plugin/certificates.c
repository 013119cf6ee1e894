/* certificates.c - keys in files: certificates of CZMQ and pyzmq, and Jupyter's connection files.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "certificates.h"
#include "keys.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gstdio.h>

/* A certificate has half a kilobyte, a connection file a little more. */
#define MAX_FILE_SIZE 65536
#define MAX_FILES 10000 /* in a folder */
#define MAX_TOLD_FILES 8

static const char *file_path = "";
static const char *folder_path = "";

/* What was found below one preference. */
struct findings {
    struct zmtp_keyring *ring;
    unsigned certificates;
    unsigned faults; /* files that should be told of */
    GString *told;   /* the first few of them */
};

static void add_fault(struct findings *findings, const char *path, const char *why)
{
    findings->faults++;
    if (findings->faults <= MAX_TOLD_FILES)
        g_string_append_printf(findings->told, "\n  \"%s\": %s", path, why);
}

/* ---- One file ---- */

/* Reads a regular file that is small enough.  Returns its octets with a NUL behind them, for
 * free_octets, or NULL with the reason in *why. */
static char *read_octets(const char *path, size_t *len, const char **why, bool *world_readable)
{
    char *octets = NULL;
    GStatBuf status;
    ssize_t got = 1;
    int file;

    *len = 0;
    if (g_stat(path, &status) != 0) {
        *why = g_strerror(errno);
        return NULL;
    }
    if (!S_ISREG(status.st_mode) || status.st_size > MAX_FILE_SIZE) {
        *why = S_ISREG(status.st_mode) ? "too large to be a certificate" : "not a regular file";
        return NULL;
    }
    file = g_open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC, 0);
    if (file < 0) {
        *why = g_strerror(errno);
        return NULL;
    }
    octets = (char *)g_malloc0(MAX_FILE_SIZE + 1);
    while (got > 0 && *len < MAX_FILE_SIZE) {
        got = read(file, octets + *len, MAX_FILE_SIZE - *len);
        if (got > 0)
            *len += (size_t)got;
    }
    *why = got < 0 ? g_strerror(errno) : NULL;
    *world_readable = (status.st_mode & S_IROTH) != 0;
    close(file);
    return octets;
}

static void free_octets(char *octets)
{
    if (octets)
        zmtp_wipe(octets, MAX_FILE_SIZE + 1);
    g_free(octets);
}

static bool is_json(const char *text)
{
    if (g_str_has_prefix(text, "\xef\xbb\xbf"))
        text += strlen("\xef\xbb\xbf");
    while (g_ascii_isspace(*text))
        text++;
    return *text == '{';
}

static void add_certificate(struct zmtp_keyring *ring, const struct zmtp_certificate *certificate)
{
    if (certificate->has_secret)
        zmtp_keyring_add_pair(ring, certificate->public_key, certificate->secret_key,
                              ZMTP_SOURCE_CERTIFICATE);
    else
        zmtp_keyring_add_public(ring, certificate->public_key, ZMTP_SOURCE_CERTIFICATE);
}

/* named: the user named this very file, so that it should be a certificate. */
static void read_file(struct findings *findings, const char *path, bool named)
{
    struct zmtp_certificate certificate;
    struct zmtp_certificate_problem problem;
    enum zmtp_certificate_status status;
    bool world_readable = false;
    const char *why = NULL;
    size_t len;
    char *octets = read_octets(path, &len, &why, &world_readable);

    if (why) {
        if (named || octets)
            add_fault(findings, path, why);
        free_octets(octets);
        return;
    }
    status = is_json(octets) ? zmtp_certificate_from_json(octets, &certificate, &problem)
                             : zmtp_certificate_from_zpl(octets, len, &certificate, &problem);
    free_octets(octets);
    if (status == ZMTP_CERTIFICATE_BAD) {
        add_fault(findings, path, problem.text);
    } else if (status == ZMTP_CERTIFICATE_OK) {
        findings->certificates++;
        add_certificate(findings->ring, &certificate);
        if (certificate.has_secret && world_readable)
            zmtp_tell_world_readable("certificate", path);
        zmtp_wipe(&certificate, sizeof certificate);
    } else if (named) {
        add_fault(findings, path,
                  "has no CURVE key; expected a certificate of CZMQ or pyzmq, or a connection "
                  "file of Jupyter");
    }
}

/* ---- Files and folders ---- */

static void read_folder(struct findings *findings, const char *path)
{
    unsigned left = MAX_FILES;
    const char *name;
    GError *error = NULL;
    GDir *folder = g_dir_open(path, 0, &error);

    if (!folder) {
        add_fault(findings, path, error->message);
        g_error_free(error);
        return;
    }
    while ((name = g_dir_read_name(folder)) != NULL && left-- > 0) {
        char *file = g_build_filename(path, name, NULL);

        read_file(findings, file, false);
        g_free(file);
    }
    if (name)
        add_fault(findings, path, "too many files; not all of them were read");
    else if (findings->certificates == 0 && findings->faults == 0)
        add_fault(findings, path, "has no certificates in it");
    g_dir_close(folder);
}

/* A file or a folder: either preference takes both. */
static void read_path(struct zmtp_keyring *ring, const char *path)
{
    struct findings findings = {ring, 0, 0, g_string_new("ZMTP certificates:")};

    if (g_file_test(path, G_FILE_TEST_IS_DIR))
        read_folder(&findings, path);
    else
        read_file(&findings, path, true);
    if (findings.faults > MAX_TOLD_FILES)
        g_string_append_printf(findings.told, "\n  and %u more", findings.faults - MAX_TOLD_FILES);
    if (findings.faults > 0)
        zmtp_tell_warning(findings.told->str);
    g_string_free(findings.told, TRUE);
}

void zmtp_read_certificates(struct zmtp_keyring *ring)
{
    if (file_path && *file_path)
        read_path(ring, file_path);
    if (folder_path && *folder_path)
        read_path(ring, folder_path);
}

void zmtp_register_certificates(const struct zmtp_registry *registry)
{
    prefs_register_filename_preference(
        registry->prefs, "certificate_file", "Certificate file",
        "A CURVE certificate of CZMQ or pyzmq, or a Jupyter connection file. Certificates hold "
        "permanent keys: they show whether a client has the right server key, but cannot decrypt "
        "messages.",
        &file_path, ZMTP_FALSE);
    prefs_register_directory_preference(
        registry->prefs, "certificate_folder", "Folder of certificates",
        "All certificates and Jupyter connection files in this folder (not in folders below it).",
        &folder_path);
}
