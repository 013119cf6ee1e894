/* A program for the tests of libzmtpkeylog.so: both peers of CURVE connections, made with libzmq.
 * Its arguments are steps, done in order:
 *
 *   pair            client and server in a context of their own exchange a message
 *   null            the same without CURVE
 *   threads=N       N threads do "pair" at the same time
 *   fork            from here on there are two processes; the first waits for the second
 *   exec            the rest is done by this program, started anew
 *   chdir=DIR       clearenv
 *   fsize=N         no file may become larger than N octets
 *   stderr=FILE     the descriptor 2 is another file from here on
 *   pause           prints "pause" and waits for a line
 *
 * Ends with 1 and a message on stdout when something fails, or when a descriptor was left open.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <zmq.h>

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            printf("line %d: %s: %s\n", __LINE__, #condition, strerror(errno));                    \
            fflush(stdout);                                                                        \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

static void *open_socket(void *context, int kind)
{
    const int patience = 20000;
    void *socket = zmq_socket(context, kind);

    CHECK(socket != NULL);
    CHECK(zmq_setsockopt(socket, ZMQ_RCVTIMEO, &patience, sizeof patience) == 0);
    CHECK(zmq_setsockopt(socket, ZMQ_SNDTIMEO, &patience, sizeof patience) == 0);
    return socket;
}

static void secure(void *server, void *client)
{
    const int yes = 1;
    char public[2][41];
    char secret[2][41];

    for (int i = 0; i < 2; i++) {
        CHECK(zmq_curve_keypair(public[i], secret[i]) == 0);
    }
    CHECK(zmq_setsockopt(server, ZMQ_CURVE_SERVER, &yes, sizeof yes) == 0);
    CHECK(zmq_setsockopt(server, ZMQ_CURVE_SECRETKEY, secret[0], 41) == 0);
    CHECK(zmq_setsockopt(client, ZMQ_CURVE_SERVERKEY, public[0], 41) == 0);
    CHECK(zmq_setsockopt(client, ZMQ_CURVE_PUBLICKEY, public[1], 41) == 0);
    CHECK(zmq_setsockopt(client, ZMQ_CURVE_SECRETKEY, secret[1], 41) == 0);
}

static void carry(void *from, void *to)
{
    char received[6] = "";

    CHECK(zmq_send(from, "hello", 5, 0) == 5);
    CHECK(zmq_recv(to, received, 5, 0) == 5);
    CHECK(strcmp(received, "hello") == 0);
}

static void exchange(bool with_curve)
{
    char endpoint[64];
    size_t size = sizeof endpoint;
    void *context = zmq_ctx_new();
    void *server = open_socket(context, ZMQ_REP);
    void *client = open_socket(context, ZMQ_REQ);

    if (with_curve) {
        secure(server, client);
    }
    CHECK(zmq_bind(server, "tcp://127.0.0.1:*") == 0);
    CHECK(zmq_getsockopt(server, ZMQ_LAST_ENDPOINT, endpoint, &size) == 0);
    CHECK(zmq_connect(client, endpoint) == 0);
    carry(client, server);
    carry(server, client);
    CHECK(zmq_close(client) == 0);
    CHECK(zmq_close(server) == 0);
    CHECK(zmq_ctx_term(context) == 0);
}

static void *one_pair(void *unused)
{
    exchange(true);
    return unused;
}

static void threads(int count)
{
    pthread_t made[64];

    CHECK(count > 0 && count <= 64);
    for (int i = 0; i < count; i++) {
        CHECK(pthread_create(&made[i], NULL, one_pair, NULL) == 0);
    }
    for (int i = 0; i < count; i++) {
        CHECK(pthread_join(made[i], NULL) == 0);
    }
}

static void redirect_stderr(const char *path)
{
    int file = open(path, O_WRONLY | O_CREAT, 0600);

    CHECK(file >= 0 && dup2(file, STDERR_FILENO) == STDERR_FILENO);
    close(file);
}

static int open_descriptors(void)
{
    int count = 0;
    DIR *folder = opendir("/proc/self/fd");

    CHECK(folder != NULL);
    while (readdir(folder) != NULL) {
        count++;
    }
    closedir(folder);
    return count;
}

static bool step(const char *name, const char *value)
{
    const int number = value != NULL ? atoi(value) : 0;

    if (strcmp(name, "pair") == 0) {
        exchange(true);
    } else if (strcmp(name, "null") == 0) {
        exchange(false);
    } else if (strcmp(name, "threads") == 0) {
        threads(number);
    } else if (strcmp(name, "chdir") == 0) {
        CHECK(chdir(value) == 0);
    } else if (strcmp(name, "clearenv") == 0) {
        CHECK(clearenv() == 0);
    } else if (strcmp(name, "fsize") == 0) {
        const struct rlimit limit = {(rlim_t)number, (rlim_t)number};
        CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    } else if (strcmp(name, "pause") == 0) {
        puts("pause");
        fflush(stdout);
        CHECK(getchar() == '\n');
    } else if (strcmp(name, "stderr") == 0) {
        redirect_stderr(value);
    } else {
        return false;
    }
    return true;
}

int main(int argc, char *argv[])
{
    const int descriptors = open_descriptors();
    pid_t child = 0;
    int status = 0;

    (void)argc;
    for (char **at = argv + 1; *at != NULL; at++) {
        const char *name = strtok(*at, "=");
        if (strcmp(name, "fork") == 0) {
            child = fork();
            CHECK(child >= 0);
        } else if (strcmp(name, "exec") == 0) {
            *at = argv[0];
            execv("/proc/self/exe", at);
            CHECK(!"execv");
        } else {
            CHECK(step(name, strtok(NULL, "")) || !"a step");
        }
    }
    if (child > 0) {
        CHECK(waitpid(child, &status, 0) == child && status == 0);
    }
    CHECK(open_descriptors() == descriptors);
    return 0;
}
