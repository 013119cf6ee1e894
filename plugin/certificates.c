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
    unsigned open;   /* certificates with secrets that everybody can read */
    char *open_path; /* the first of them */
};

static void add_fault(struct findings *findings, const char *path, const char *why)
{
    char *name, *printable;

    findings->faults++;
    if (findings->faults > MAX_TOLD_FILES)
        return;
    name = g_filename_display_name(path); /* may still hold control characters */
    printable = zmtp_format_text(NULL, name, strlen(name));
    g_string_append_printf(findings->told, "\n  \"%s\": %s", printable, why);
    wmem_free(NULL, printable);
    g_free(name);
}

/* ---- One file ---- */

/* How a file could be read.  NO_CERTIFICATE: it is no regular file, too large, or not there (in a
 * folder: a link to nowhere). */
enum read_result { READ_WHOLE, NO_CERTIFICATE, CANNOT_READ };

/* Reads a small regular file into `octets`, of MAX_FILE_SIZE + 1, with a NUL behind them.  If that
 * is not possible, *why says why not. */
static enum read_result read_octets(const char *path, char *octets, size_t *len,
                                    bool *world_readable, const char **why)
{
    GStatBuf status;
    ssize_t got = 1;
    int file;

    *len = 0;
    if (g_stat(path, &status) != 0) {
        *why = g_strerror(errno);
        return errno == ENOENT || errno == ELOOP ? NO_CERTIFICATE : CANNOT_READ;
    }
    *why = S_ISREG(status.st_mode) ? "too large to be a certificate" : "not a regular file";
    if (!S_ISREG(status.st_mode) || status.st_size > MAX_FILE_SIZE)
        return NO_CERTIFICATE;
    *world_readable = (status.st_mode & S_IROTH) != 0;
    file = g_open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC, 0);
    *why = g_strerror(errno);
    if (file < 0)
        return CANNOT_READ;
    while (got > 0 && *len < MAX_FILE_SIZE) {
        got = read(file, octets + *len, MAX_FILE_SIZE - *len);
        if (got > 0)
            *len += (size_t)got;
    }
    *why = g_strerror(errno);
    close(file);
    octets[*len] = '\0';
    return got < 0 ? CANNOT_READ : READ_WHOLE;
}

static void add_certificate(struct findings *findings, const char *path, bool world_readable,
                            const struct zmtp_certificate *certificate)
{
    enum zmtp_add_status status =
        certificate->has_secret
            ? zmtp_keyring_add_pair(findings->ring, certificate->public_key,
                                    certificate->secret_key, ZMTP_SOURCE_CERTIFICATE)
            : zmtp_keyring_add_public(findings->ring, certificate->public_key,
                                      ZMTP_SOURCE_CERTIFICATE);

    findings->certificates++;
    if (status == ZMTP_ADD_NO_MEMORY)
        add_fault(findings, path, "no room for more keys");
    if (certificate->has_secret && world_readable && findings->open++ == 0)
        findings->open_path = g_strdup(path);
}

/* named: the user named this very file, so that it should be a certificate.  `octets` has room for
 * MAX_FILE_SIZE + 1. */
static void read_file(struct findings *findings, const char *path, bool named, char *octets)
{
    struct zmtp_certificate certificate;
    struct zmtp_certificate_problem problem;
    enum zmtp_certificate_status status;
    bool world_readable = false;
    const char *why;
    size_t len;
    enum read_result result = read_octets(path, octets, &len, &world_readable, &why);

    if (result != READ_WHOLE) {
        if (named || result == CANNOT_READ)
            add_fault(findings, path, why);
        return;
    }
    status = zmtp_certificate_from_json(octets, &certificate, &problem);
    if (status == ZMTP_CERTIFICATE_NONE)
        status = zmtp_certificate_from_zpl(octets, len, &certificate, &problem);
    if (status == ZMTP_CERTIFICATE_BAD) {
        add_fault(findings, path, problem.text);
    } else if (status == ZMTP_CERTIFICATE_OK) {
        add_certificate(findings, path, world_readable, &certificate);
        zmtp_wipe(&certificate, sizeof certificate);
    } else if (named) {
        add_fault(findings, path,
                  "has no CURVE key; expected a certificate of CZMQ or pyzmq, or a connection "
                  "file of Jupyter");
    }
}

/* ---- Files and folders ---- */

static void read_folder(struct findings *findings, const char *path, char *octets)
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

        read_file(findings, file, false, octets);
        g_free(file);
    }
    if (name)
        add_fault(findings, path, "too many files; not all of them were read");
    else if (findings->certificates == 0 && findings->faults == 0)
        add_fault(findings, path, "has no certificates in it");
    g_dir_close(folder);
}

static void tell(struct findings *findings)
{
    if (findings->faults > MAX_TOLD_FILES)
        g_string_append_printf(findings->told, "\n  and %u more",
                               findings->faults - MAX_TOLD_FILES);
    if (findings->faults > 0)
        zmtp_tell_warning(findings->told->str);
    if (findings->open > 0) {
        char *what = findings->open == 1
                         ? g_strdup("certificate")
                         : g_strdup_printf("certificates (%u), the first of them", findings->open);

        zmtp_tell_world_readable(what, findings->open_path, "pose as its owner");
        g_free(what);
    }
}

/* A file or a folder: either preference takes both. */
static void read_path(struct zmtp_keyring *ring, const char *path)
{
    struct findings findings = {.ring = ring, .told = g_string_new("ZMTP certificates:")};
    char *octets = (char *)g_malloc(MAX_FILE_SIZE + 1);

    if (g_file_test(path, G_FILE_TEST_IS_DIR))
        read_folder(&findings, path, octets);
    else
        read_file(&findings, path, true, octets);
    zmtp_wipe(octets, MAX_FILE_SIZE + 1);
    g_free(octets);
    tell(&findings);
    g_string_free(findings.told, TRUE);
    g_free(findings.open_path);
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
