/*
 * Fuzzes a key log file that is appended to, truncated and replaced while it is read. After each
 * look its keys and counts must be those of a parser that was fed with the same text by hand.
 *
 * The input is a row of operations: one octet says which, the next how many octets it takes.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#define _POSIX_C_SOURCE 200809L

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keylog_oracle.h"
#include "oracle.h"

enum operation { APPEND, LOOK, TRUNCATE, REPLACE, REMOVE, OPERATIONS };

enum { PATH_SIZE = 256 };

static char folder[PATH_SIZE];
static char path[PATH_SIZE + 8];
static char next_path[PATH_SIZE + 8];

struct scene {
    struct zmtp_keylog_file *file;
    struct reading reading; /* the file's keys; its own parser is not used */
    struct reading model;   /* what they should be */
    char *text;             /* what the file holds */
    size_t len;
    size_t seen; /* so much of it the model has been fed with */
    bool exists;
    bool changed; /* since the last look */
};

static void remove_folder(void)
{
    (void)unlink(path);
    (void)unlink(next_path);
    (void)rmdir(folder);
}

/* Below TMPDIR, which should be in memory: the file changes thousands of times a second. */
static void make_folder(void)
{
    const char *parent = getenv("TMPDIR");

    if (*folder) {
        return;
    }
    (void)snprintf(folder, sizeof folder, "%s/zmtp-fuzz-XXXXXX", parent ? parent : "/tmp");
    REQUIRE(mkdtemp(folder) != NULL);
    (void)snprintf(path, sizeof path, "%s/keys", folder);
    (void)snprintf(next_path, sizeof next_path, "%s/next", folder);
    REQUIRE(atexit(remove_folder) == 0);
}

static void write_file(const char *name, int flags, const char *text, size_t len)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0600);

    REQUIRE(fd >= 0);
    REQUIRE(write(fd, text, len) == (ssize_t)len);
    REQUIRE(close(fd) == 0);
}

static void feed_model(struct scene *scene)
{
    zmtp_keylog_feed(&scene->model.log, &scene->model.sink, scene->text + scene->seen,
                     scene->len - scene->seen);
    zmtp_keylog_finish(&scene->model.log, &scene->model.sink, false);
    scene->seen = scene->len;
}

/* The file holds another text: the keys of the old one stay, and all else begins anew. */
static void begin_text(struct scene *scene, size_t len)
{
    zmtp_keylog_clear(&scene->model.log);
    new_text(&scene->model);
    new_text(&scene->reading);
    scene->len = len;
    scene->seen = 0;
    scene->changed = true;
}

static void look(struct scene *scene)
{
    enum zmtp_keylog_file_status status = zmtp_keylog_file_poll(scene->file, &scene->reading.sink);

    if (!scene->exists) {
        REQUIRE(status == ZMTP_KEYLOG_FILE_CANNOT_OPEN);
        REQUIRE(zmtp_keylog_file_errno(scene->file) != 0);
        return;
    }
    REQUIRE(status == (scene->changed ? ZMTP_KEYLOG_FILE_READ : ZMTP_KEYLOG_FILE_NOTHING_NEW));
    REQUIRE(zmtp_keylog_file_errno(scene->file) == 0);
    if (scene->changed) {
        feed_model(scene);
        scene->changed = false;
    }
    REQUIRE(memcmp(zmtp_keylog_file_counts(scene->file), &scene->model.log.counts,
                   sizeof scene->model.log.counts) == 0);
    REQUIRE(scene->reading.reports == scene->model.reports);
    require_same_keys(scene->reading.ring, scene->model.ring);
}

static void append(struct scene *scene, const uint8_t *data, size_t size)
{
    if (!scene->exists) {
        begin_text(scene, 0);
    }
    write_file(path, O_APPEND, (const char *)data, size);
    memcpy(scene->text + scene->len, data, size);
    scene->len += size;
    scene->changed = scene->changed || size > 0;
    scene->exists = true;
}

/* Looked at at once: a file that has grown again can have an old end by chance. */
static void cut(struct scene *scene, size_t len)
{
    look(scene);
    if (scene->exists && len < scene->len) {
        REQUIRE(truncate(path, (off_t)len) == 0);
        begin_text(scene, len);
        look(scene);
    }
}

static void replace(struct scene *scene, const uint8_t *data, size_t size)
{
    look(scene);
    write_file(next_path, O_TRUNC, (const char *)data, size);
    REQUIRE(rename(next_path, path) == 0);
    memcpy(scene->text, data, size);
    begin_text(scene, size);
    scene->exists = true;
    look(scene);
}

static void take_away(struct scene *scene)
{
    look(scene);
    (void)unlink(path);
    scene->exists = false;
}

static void operate(struct scene *scene, struct steering *steering)
{
    uint8_t operation = take_octet(steering) % OPERATIONS;
    size_t len = take_octet(steering);

    if (operation == LOOK) {
        look(scene);
    } else if (operation == TRUNCATE) {
        cut(scene, len);
    } else if (operation == REMOVE) {
        take_away(scene);
    } else {
        size_t size = len < steering->size ? len : steering->size;

        if (operation == APPEND) {
            append(scene, steering->data, size);
        } else {
            replace(scene, steering->data, size);
        }
        steering->data += size;
        steering->size -= size;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct scene scene;
    struct steering steering = {data, size};

    make_folder();
    (void)unlink(path);
    scene = (struct scene){.file = zmtp_keylog_file_new(path), .text = malloc(size + 1)};
    REQUIRE(scene.file && scene.text);
    start_reading(&scene.reading);
    start_reading(&scene.model);
    while (steering.size > 0) {
        operate(&scene, &steering);
    }
    look(&scene);
    zmtp_keylog_file_free(scene.file);
    free(scene.text);
    end_reading(&scene.reading);
    end_reading(&scene.model);
    return 0;
}
