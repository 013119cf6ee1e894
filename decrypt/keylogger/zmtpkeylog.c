/*
 * libzmtpkeylog.so: loaded with LD_PRELOAD into an unchanged program that uses ZeroMQ with shared
 * libsodium, it appends one CURVE_SESSION_KEY line for each CURVE handshake to the file named by
 * the environment variable ZMTPKEYLOGFILE. See README.md, and ../KEYLOG.md for the format.
 *
 * Whatever goes wrong here, the program runs on as if this library were not there, but for one
 * warning on stderr. Nothing is kept open, and nothing is kept between two handshakes.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define VARIABLE "ZMTPKEYLOGFILE"
#define LABEL "CURVE_SESSION_KEY"

enum {
    KEY_SIZE = 32,
    KEYS_SIZE = 3 * (1 + 2 * KEY_SIZE), /* each after a blank */
    /* A line end for a line that was cut short before, the label, the keys, the line end. */
    LINE_SIZE = 1 + (sizeof LABEL - 1) + KEYS_SIZE + 1
};

typedef int (*beforenm_fn)(unsigned char *k, const unsigned char *pk, const unsigned char *sk);
typedef int (*scalarmult_base_fn)(unsigned char *q, const unsigned char *n);

/* The same two functions, as libsodium, older libsodium and NaCl call them. */
static const char *const beforenm_names[] = {
    "crypto_box_beforenm",
    "crypto_box_curve25519xsalsa20poly1305_beforenm",
    "crypto_box_curve25519xsalsa20poly1305_ref_beforenm",
    NULL,
};
static const char *const scalarmult_base_names[] = {
    "crypto_scalarmult_base",
    "crypto_scalarmult_curve25519_base",
    "crypto_scalarmult_curve25519_ref_base",
    NULL,
};

/* The key log as an absolute path; NULL: log nothing. Set before main() and never changed. */
static char *log_path;

/* What stderr was when the program started. */
static struct stat first_stderr;

/* A hook is at work in this thread, so that a hook beneath it is not the program's own call. */
static _Thread_local bool inside;
/* Who called a hook last from outside this library. */
static _Thread_local const void *outer_caller;

/* ---- Warnings ---------------------------------------------------------------------------- */

/*
 * Writes one line to stderr, once per process and flag. A program may have closed its stderr and
 * given the number 2 to something else, which must not get our words.
 */
__attribute__((format(printf, 2, 3))) static void warn_once(atomic_flag *warned, const char *format,
                                                            ...)
{
    char text[PATH_MAX + 256];
    struct stat now;
    va_list args;

    if (atomic_flag_test_and_set(warned) || fstat(STDERR_FILENO, &now) != 0 ||
        now.st_dev != first_stderr.st_dev || now.st_ino != first_stderr.st_ino) {
        return;
    }
    va_start(args, format);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (len > 0) {
        size_t size = (size_t)len < sizeof text ? (size_t)len : sizeof text - 1;
        /* There is nobody to tell that it failed. */
        ssize_t written = write(STDERR_FILENO, text, size);
        (void)written;
    }
}

static void warn_unwritable(const char *reason)
{
    static atomic_flag warned = ATOMIC_FLAG_INIT;

    warn_once(&warned, "zmtp key log: cannot write %s: %s; session keys are missing there\n",
              log_path, reason);
}

static void warn_readable(void)
{
    static atomic_flag warned = ATOMIC_FLAG_INIT;

    warn_once(&warned, "zmtp key log: every user of this machine can read %s\n", log_path);
}

/* ---- Nothing that happens here may reach the program ------------------------------------- */

struct calm {
    int error;
    int cancel_state;
    sigset_t mask;
    sigset_t pending;
};

/*
 * Holds back signals and thread cancellation: neither a handler that jumps away nor SIGXFSZ or
 * SIGPIPE for a write of ours may end the program or leave the file open.
 */
static void calm_begin(struct calm *calm)
{
    sigset_t all;

    calm->error = errno;
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &calm->cancel_state);
    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &calm->mask);
    sigpending(&calm->pending);
}

static void take_back(const struct calm *calm, int number)
{
    const struct timespec at_once = {0, 0};
    sigset_t wanted;
    sigset_t now;

    /* One that was waiting before is the program's. */
    if (sigismember(&calm->pending, number) == 0 && sigpending(&now) == 0 &&
        sigismember(&now, number) == 1) {
        sigemptyset(&wanted);
        sigaddset(&wanted, number);
        (void)sigtimedwait(&wanted, NULL, &at_once);
    }
}

static void calm_end(const struct calm *calm)
{
    take_back(calm, SIGXFSZ);
    take_back(calm, SIGPIPE);
    (void)pthread_sigmask(SIG_SETMASK, &calm->mask, NULL);
    (void)pthread_setcancelstate(calm->cancel_state, NULL);
    errno = calm->error;
}

static void warn_missing(const char *name, const char *consequence)
{
    static atomic_flag warned = ATOMIC_FLAG_INIT;
    struct calm calm;

    calm_begin(&calm);
    warn_once(&warned, "zmtp key log: no library of this program has %s: %s\n", name, consequence);
    calm_end(&calm);
}

/* ---- The file ---------------------------------------------------------------------------- */

/*
 * Whether the file that is open ends within a line, because a full disk cut it short. True also
 * where this cannot be seen: an empty line does no harm. The file is opened once more for reading,
 * since a FIFO must not be opened for both.
 */
static bool ends_within_line(const struct stat *opened)
{
    struct stat same;
    char last = '\0';

    if (!S_ISREG(opened->st_mode) || opened->st_size == 0) {
        return false;
    }
    int file = open(log_path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (file < 0) {
        return true;
    }
    if (fstat(file, &same) == 0 && same.st_ino == opened->st_ino && same.st_dev == opened->st_dev &&
        pread(file, &last, 1, same.st_size - 1) != 1) {
        last = '\0';
    }
    close(file);
    return last != '\n';
}

/* Writes the line, which begins with a line end, to the open file: with that only where needed. */
static void write_line(int file, const char *line, size_t len)
{
    struct stat opened;

    if (fstat(file, &opened) != 0) {
        warn_unwritable(strerrordesc_np(errno));
        return;
    }
    if (!S_ISREG(opened.st_mode) && !S_ISFIFO(opened.st_mode)) {
        warn_unwritable("it is neither a file nor a pipe");
        return;
    }
    if (S_ISREG(opened.st_mode) && (opened.st_mode & S_IROTH) != 0) {
        warn_readable();
    }
    if (!ends_within_line(&opened)) {
        line++;
        len--;
    }
    /* One write: several threads and processes append to the same file. */
    ssize_t written = write(file, line, len);
    if (written < 0) {
        warn_unwritable(strerrordesc_np(errno));
    } else if ((size_t)written != len) {
        warn_unwritable("no space for a whole line");
    }
}

/*
 * The file is opened anew for each line: it may have been moved away, and a descriptor that stays
 * open would be one that the program does not know of. O_NONBLOCK: a FIFO that nobody reads.
 */
static void append_line(const char *line, size_t len)
{
    struct calm calm;

    calm_begin(&calm);
    int file = open(log_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
                    S_IRUSR | S_IWUSR);
    if (file < 0) {
        warn_unwritable(errno == ENXIO ? "nobody reads this pipe" : strerrordesc_np(errno));
    } else {
        write_line(file, line, len);
        close(file);
    }
    calm_end(&calm);
}

static char *put_key(char *at, const unsigned char *key)
{
    static const char digits[] = "0123456789abcdef";

    *at++ = ' ';
    for (size_t i = 0; i < KEY_SIZE; i++) {
        *at++ = digits[key[i] >> 4];
        *at++ = digits[key[i] & 0xf];
    }
    return at;
}

static void log_session(const unsigned char *own, const unsigned char *peer, const unsigned char *k)
{
    char line[LINE_SIZE];
    char *end = line;

    *end++ = '\n';
    memcpy(end, LABEL, sizeof LABEL - 1);
    end = put_key(end + sizeof LABEL - 1, own);
    end = put_key(end, peer);
    end = put_key(end, k);
    *end++ = '\n';
    append_line(line, (size_t)(end - line));
    explicit_bzero(line, sizeof line);
}

/* ---- The real functions ------------------------------------------------------------------ */

/* Where the object with this address was loaded; NULL when it is in none. */
static const void *object_of(const void *address)
{
    Dl_info info;

    return dladdr(address, &info) != 0 ? info.dli_fbase : NULL;
}

static void *unless_own(void *symbol)
{
    return symbol != NULL && object_of(symbol) != object_of(&log_path) ? symbol : NULL;
}

/* Looks in a loaded object and in the libraries that it needs. */
static void *find_below(const char *object, const char *name)
{
    void *symbol = NULL;
    void *handle = dlopen(object, RTLD_LAZY | RTLD_NOLOAD);

    if (handle != NULL) {
        symbol = unless_own(dlsym(handle, name));
        /* Only our reference: the object stays loaded. */
        (void)dlclose(handle);
    }
    return symbol;
}

/* Python loads libzmq for itself alone: the caller sees libsodium, and RTLD_NEXT does not. */
static void *find_below_caller(const char *name, const void *caller)
{
    Dl_info info;
    void *extra = NULL;

    if (dladdr1(caller, &info, &extra, RTLD_DL_LINKMAP) == 0 || extra == NULL) {
        return NULL;
    }
    const struct link_map *object = extra;
    /* The program itself has no name; RTLD_NEXT sees what it needs. */
    return object->l_name[0] != '\0' ? find_below(object->l_name, name) : NULL;
}

static void *find_next(const char *name, const void *caller)
{
    (void)caller;
    return unless_own(dlsym(RTLD_NEXT, name));
}

static int note_libsodium(struct dl_phdr_info *info, size_t size, void *found)
{
    const char *slash = strrchr(info->dlpi_name, '/');

    (void)size;
    /* Python wheels have names such as libsodium-1b8fd6c3.so.23.3.0. */
    if (strstr(slash != NULL ? slash : info->dlpi_name, "libsodium") == NULL ||
        strlen(info->dlpi_name) >= PATH_MAX) {
        return 0;
    }
    memcpy(found, info->dlpi_name, strlen(info->dlpi_name) + 1);
    return 1;
}

/* For calls out of nowhere, such as compiled at run time. */
static void *find_in_libsodium(const char *name, const void *caller)
{
    char object[PATH_MAX];

    (void)caller;
    return dl_iterate_phdr(note_libsodium, object) != 0 ? find_below(object, name) : NULL;
}

typedef void *(*find_fn)(const char *name, const void *caller);

static void *find(const char *first, const char *const names[], const find_fn ways[],
                  const void *caller)
{
    void *symbol = NULL;

    for (; *ways != NULL && symbol == NULL; ways++) {
        symbol = first != NULL ? (*ways)(first, caller) : NULL;
        for (size_t i = 0; names[i] != NULL && symbol == NULL; i++) {
            symbol = (*ways)(names[i], caller);
        }
    }
    /* Nor may the program find the error messages of our failed tries. */
    (void)dlerror();
    return symbol;
}

/* Anew for each call: a library that is kept in mind may have been unloaded since. */
static beforenm_fn find_beforenm(const char *name, const void *caller)
{
    /* RTLD_NEXT first: what was preloaded after this library has its turn. */
    static const find_fn ways[] = {find_next, find_below_caller, find_in_libsodium, NULL};
    void *symbol = find(name, beforenm_names, ways, caller);
    beforenm_fn function = NULL;

    memcpy(&function, &symbol, sizeof function);
    return function;
}

static scalarmult_base_fn find_scalarmult_base(const void *caller)
{
    /* The caller first: where that is libsodium itself it must find itself. */
    static const find_fn ways[] = {find_below_caller, find_next, find_in_libsodium, NULL};
    void *symbol = find(NULL, scalarmult_base_names, ways, caller);
    scalarmult_base_fn function = NULL;

    memcpy(&function, &symbol, sizeof function);
    return function;
}

/* ---- The hooks --------------------------------------------------------------------------- */

/*
 * Whether a function of the crypto library itself calls, such as crypto_box and crypto_box_open for
 * HELLO, WELCOME and the vouch: with keys that are no session's. The names: libzmq may have the
 * crypto library within, which is then in the same object.
 */
static bool is_inner_call(scalarmult_base_fn scalarmult_base, const void *caller)
{
    Dl_info info;
    const void *symbol = NULL;

    memcpy(&symbol, &scalarmult_base, sizeof symbol);
    return object_of(symbol) == object_of(caller) && dladdr(caller, &info) != 0 &&
           info.dli_sname != NULL && strncmp(info.dli_sname, "crypto_", strlen("crypto_")) == 0;
}

/* Fills the caller's own public key. False: this call is not to be logged. */
static bool own_public_key(unsigned char *own, const unsigned char *sk, const void *caller)
{
    scalarmult_base_fn scalarmult_base = find_scalarmult_base(caller);

    if (scalarmult_base == NULL) {
        warn_missing("crypto_scalarmult_base", "session keys cannot be logged");
        return false;
    }
    return !is_inner_call(scalarmult_base, caller) && scalarmult_base(own, sk) == 0;
}

/*
 * libzmq calls crypto_box_beforenm once per side and handshake, with the peer's transient public
 * key and its own transient secret key.
 */
static int hook(const char *name, const void *caller, unsigned char *k, const unsigned char *pk,
                const unsigned char *sk)
{
    const int error = errno;
    unsigned char own[KEY_SIZE];
    unsigned char peer[KEY_SIZE];

    /* One function of libsodium jumps on to the next: where that is hooked too, the call seems to
     * be ours. */
    if (object_of(caller) == object_of(&log_path)) {
        caller = outer_caller;
    }
    outer_caller = caller;
    beforenm_fn beforenm = find_beforenm(name, caller);

    if (beforenm == NULL) {
        warn_missing(name, "CURVE cannot work");
        errno = ENOSYS;
        return -1;
    }
    errno = error;
    if (inside || log_path == NULL) {
        return beforenm(k, pk, sk);
    }
    inside = true;
    /* Before the call: k may lie where pk or sk is. */
    bool wanted = own_public_key(own, sk, caller);
    memcpy(peer, pk, sizeof peer);
    errno = error;
    int result = beforenm(k, pk, sk);
    if (result == 0 && wanted) {
        log_session(own, peer, k);
    }
    inside = false;
    return result;
}

#define HOOK(name)                                                                                 \
    __attribute__((visibility("default"))) int name(unsigned char *k, const unsigned char *pk,     \
                                                    const unsigned char *sk);                      \
    int name(unsigned char *k, const unsigned char *pk, const unsigned char *sk)                   \
    {                                                                                              \
        return hook(#name, __builtin_return_address(0), k, pk, sk);                                \
    }

HOOK(crypto_box_beforenm)
HOOK(crypto_box_curve25519xsalsa20poly1305_beforenm)
HOOK(crypto_box_curve25519xsalsa20poly1305_ref_beforenm)

/* ---- At the start ------------------------------------------------------------------------ */

/* A relative path is meant from where the program starts, also for its children. */
static char *absolute(const char *path)
{
    char folder[PATH_MAX];
    char *whole = NULL;

    if (path[0] == '/' || getcwd(folder, sizeof folder) == NULL) {
        return strdup(path);
    }
    if (asprintf(&whole, "%s/%s", folder, path) < 0) {
        return NULL;
    }
    (void)setenv(VARIABLE, whole, 1);
    return whole;
}

/* The variable is read once: programs may clear their environment. */
__attribute__((constructor)) static void start(void)
{
    const int error = errno;
    const char *path = secure_getenv(VARIABLE);

    (void)fstat(STDERR_FILENO, &first_stderr);
    if (path != NULL && path[0] != '\0') {
        log_path = absolute(path);
    }
    errno = error;
}
