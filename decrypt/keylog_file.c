/*
 * A key log file that programs append to while it is read.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#define _POSIX_C_SOURCE 200809L

#include "keylog.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE_SIZE = 64 * 1024, TAIL_SIZE = 64 };

struct zmtp_keylog_file {
    char *path;
    struct zmtp_keylog log;
    int error;
    bool world_readable;
    /* The file as it was when it was last read, to tell a new one from a longer one. */
    bool known;
    dev_t device;
    ino_t inode;
    struct timespec modified;
    off_t position; /* read so far: its size then */
    /* The last octets that were read: may hold a secret. */
    size_t tail_len;
    char tail[TAIL_SIZE];
};

struct zmtp_keylog_file *zmtp_keylog_file_new(const char *path)
{
    struct zmtp_keylog_file *file = calloc(1, sizeof *file);

    if (!file) {
        return NULL;
    }
    file->path = strdup(path);
    if (!file->path) {
        free(file);
        return NULL;
    }
    zmtp_keylog_init(&file->log);
    return file;
}

void zmtp_keylog_file_free(struct zmtp_keylog_file *file)
{
    if (!file) {
        return;
    }
    zmtp_keylog_clear(&file->log);
    zmtp_wipe(file->tail, sizeof file->tail);
    free(file->path);
    free(file);
}

int zmtp_keylog_file_errno(const struct zmtp_keylog_file *file)
{
    return file->error;
}

bool zmtp_keylog_file_is_world_readable(const struct zmtp_keylog_file *file)
{
    return file->world_readable;
}

const struct zmtp_keylog_counts *zmtp_keylog_file_counts(const struct zmtp_keylog_file *file)
{
    return &file->log.counts;
}

static enum zmtp_keylog_file_status failed(struct zmtp_keylog_file *file,
                                           enum zmtp_keylog_file_status status, int error)
{
    file->error = error;
    return status;
}

static bool is_same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool is_unchanged(const struct zmtp_keylog_file *file, const struct stat *now)
{
    return file->known && now->st_dev == file->device && now->st_ino == file->inode &&
           now->st_size == file->position && is_same_time(now->st_mtim, file->modified);
}

/* Whether the octets before the place that was reached are still those that were read there. */
static bool has_same_tail(const struct zmtp_keylog_file *file, int fd)
{
    char tail[TAIL_SIZE];
    ssize_t got = pread(fd, tail, file->tail_len, file->position - (off_t)file->tail_len);
    bool same = got == (ssize_t)file->tail_len && memcmp(tail, file->tail, file->tail_len) == 0;

    zmtp_wipe(tail, sizeof tail);
    return same;
}

/*
 * A longer file with the same inode was appended to, unless it was truncated and has since grown
 * beyond its old size; anything else is another text.
 */
static bool is_another(const struct zmtp_keylog_file *file, const struct stat *now, int fd)
{
    return file->known && (now->st_dev != file->device || now->st_ino != file->inode ||
                           now->st_size <= file->position || !has_same_tail(file, fd));
}

/* Remembers what the text that was read ends in. */
static void keep_tail(struct zmtp_keylog_file *file, int fd)
{
    size_t wanted = file->position < TAIL_SIZE ? (size_t)file->position : (size_t)TAIL_SIZE;
    ssize_t got = pread(fd, file->tail, wanted, file->position - (off_t)wanted);

    file->tail_len = got > 0 ? (size_t)got : 0;
}

/*
 * Reads up to `size` and not on to what is written meanwhile: then `modified` is the time of the
 * text that was read, and a later change shows.
 */
static int read_up_to(struct zmtp_keylog_file *file, const struct zmtp_keylog_sink *sink, int fd,
                      off_t size)
{
    int error = 0;
    char *piece = malloc(PIECE_SIZE);

    if (!piece) {
        return ENOMEM;
    }
    while (file->position < size) {
        size_t wanted = size - file->position < PIECE_SIZE ? (size_t)(size - file->position)
                                                           : (size_t)PIECE_SIZE;
        ssize_t got = pread(fd, piece, wanted, file->position);

        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) { /* 0: truncated while we read; the next poll sees it */
            error = got < 0 ? errno : 0;
            break;
        }
        zmtp_keylog_feed(&file->log, sink, piece, (size_t)got);
        file->position += got;
    }
    zmtp_wipe(piece, PIECE_SIZE);
    free(piece);
    return error;
}

static enum zmtp_keylog_file_status read_new_text(struct zmtp_keylog_file *file,
                                                  const struct zmtp_keylog_sink *sink, int fd)
{
    struct stat now;

    if (fstat(fd, &now) != 0) {
        return failed(file, ZMTP_KEYLOG_FILE_CANNOT_READ, errno);
    }
    if (!S_ISREG(now.st_mode)) {
        return ZMTP_KEYLOG_FILE_NOT_A_FILE;
    }
    if (is_another(file, &now, fd)) {
        zmtp_keylog_clear(&file->log);
        file->position = 0;
    }
    file->known = true;
    file->world_readable = (now.st_mode & S_IROTH) != 0;
    file->device = now.st_dev;
    file->inode = now.st_ino;
    file->modified = now.st_mtim;

    int error = read_up_to(file, sink, fd, now.st_size);
    keep_tail(file, fd);
    zmtp_keylog_finish(&file->log, sink, false);
    return error ? failed(file, ZMTP_KEYLOG_FILE_CANNOT_READ, error) : ZMTP_KEYLOG_FILE_READ;
}

enum zmtp_keylog_file_status zmtp_keylog_file_poll(struct zmtp_keylog_file *file,
                                                   const struct zmtp_keylog_sink *sink)
{
    struct stat now;

    file->error = 0;
    if (stat(file->path, &now) != 0) {
        return failed(file, ZMTP_KEYLOG_FILE_CANNOT_OPEN, errno);
    }
    if (!S_ISREG(now.st_mode)) {
        return ZMTP_KEYLOG_FILE_NOT_A_FILE;
    }
    if (is_unchanged(file, &now)) {
        return ZMTP_KEYLOG_FILE_NOTHING_NEW;
    }

    /* It may have become a FIFO since stat(): O_NONBLOCK keeps open() from waiting for a writer. */
    int fd = open(file->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        return failed(file, ZMTP_KEYLOG_FILE_CANNOT_OPEN, errno);
    }
    enum zmtp_keylog_file_status status = read_new_text(file, sink, fd);
    close(fd);
    return status;
}
