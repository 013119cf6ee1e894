/* One socket of CZMQ for record.py, driven over stdin: see ../../README.md.
 * SPDX-License-Identifier: GPL-2.0-or-later */
#include <czmq.h>

enum { WAIT_MS = 10000, LINE = 1 << 20 };

static char **words;
static int word_count;

/* The value of KEY=VALUE on the command line, or NULL. */
static const char *option(const char *key)
{
    size_t length = strlen(key);
    for (int i = 4; i < word_count; i++) {
        if (strncmp(words[i], key, length) == 0 && words[i][length] == '=')
            return words[i] + length + 1;
    }
    return NULL;
}

static bool is(const char *key, const char *value)
{
    const char *given = option(key);
    return given && streq(given, value);
}

static void say(const char *text)
{
    puts(text);
    fflush(stdout);
}

/* An authenticator that admits the one user. It reads names and passwords from a file. */
static zactor_t *admit_user(void)
{
    char path[] = "/tmp/czmq-peer-XXXXXX";
    FILE *file = fdopen(mkstemp(path), "w");
    if (!file)
        return NULL;
    fprintf(file, "%s=%s\n", option("username"), option("password"));
    fclose(file);
    zactor_t *auth = zactor_new(zauth, NULL);
    zstr_sendx(auth, "PLAIN", path, NULL);
    zsock_wait(auth);
    unlink(path);
    return auth;
}

static zactor_t *secure(zsock_t *sock)
{
    bool server = is("server", "1");
    if (is("mechanism", "plain")) {
        if (server) {
            zsock_set_plain_server(sock, 1);
            return admit_user();
        }
        zsock_set_plain_username(sock, option("username"));
        zsock_set_plain_password(sock, option("password"));
    } else if (is("mechanism", "curve")) {
        zsock_set_curve_publickey(sock, option("public"));
        zsock_set_curve_secretkey(sock, option("secret"));
        if (server)
            zsock_set_curve_server(sock, 1);
        else
            zsock_set_curve_serverkey(sock, option("server_key"));
    }
    return NULL;
}

/* Adds the parts that a command names to a message; "-" is an empty one. */
static void add_parts(zmsg_t *message)
{
    for (char *word; (word = strtok(NULL, " \n"));) {
        size_t size = streq(word, "-") ? 0 : strlen(word) / 2;
        byte *octets = zmalloc(size + 1);
        for (size_t i = 0; i < size; i++)
            sscanf(word + 2 * i, "%2hhx", &octets[i]);
        zmsg_addmem(message, octets, size);
        free(octets);
    }
}

static void print_message(zmsg_t *message)
{
    printf("got");
    for (zframe_t *part = zmsg_first(message); part; part = zmsg_next(message)) {
        putchar(' ');
        for (size_t i = 0; i < zframe_size(part); i++)
            printf("%02x", zframe_data(part)[i]);
        if (zframe_size(part) == 0)
            putchar('-');
    }
    say("");
}

static void obey(zsock_t *sock)
{
    char *line = zmalloc(LINE);
    zframe_t *sender = NULL;
    while (fgets(line, LINE, stdin)) {
        char *command = strtok(line, " \n");
        if (!command || streq(command, "close"))
            break;
        zmsg_t *message = zmsg_new();
        if (streq(command, "recv")) {
            zmsg_destroy(&message);
            message = zmsg_recv(sock);
            if (message) {
                zframe_destroy(&sender);
                sender = zframe_dup(zmsg_first(message));
                print_message(message);
            } else {
                say("error recv: no message within 10 s");
            }
        } else if (streq(command, "send") || streq(command, "reply")) {
            if (streq(command, "reply") && sender)
                zmsg_append(message, &sender);
            add_parts(message);
            say(zmsg_send(&message, sock) == 0 ? "ok" : "error send");
        } else if (streq(command, "subscribe") || streq(command, "unsubscribe")) {
            add_parts(message);
            char *topic = zmsg_popstr(message);
            if (streq(command, "subscribe"))
                zsock_set_subscribe(sock, topic);
            else
                zsock_set_unsubscribe(sock, topic);
            freen(topic);
            say("ok");
        } else {
            say("error no such command");
        }
        zmsg_destroy(&message);
    }
    zframe_destroy(&sender);
    free(line);
}

static int socket_type(const char *name)
{
    /* In the order of libzmq's numbers, from ZMQ_PAIR on. */
    static const char *const names[] = {"PAIR",   "PUB",  "SUB",  "REQ",  "REP", "DEALER",
                                        "ROUTER", "PULL", "PUSH", "XPUB", "XSUB"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (streq(names[i], name))
            return ZMQ_PAIR + (int)i;
    }
    return -1;
}

int main(int argc, char **argv)
{
    words = argv;
    word_count = argc;
    int type = argc < 4 ? -1 : socket_type(argv[2]);
    zsock_t *sock = type < 0 ? NULL : zsock_new(type);
    if (!sock) {
        say("unsupported socket type");
        return 3;
    }
    zsock_set_linger(sock, WAIT_MS);
    zsock_set_rcvtimeo(sock, WAIT_MS);
    zsock_set_sndtimeo(sock, WAIT_MS);
    zactor_t *auth = secure(sock);
    if (option("identity"))
        zsock_set_identity(sock, option("identity"));
    if (option("heartbeat"))
        zsock_set_heartbeat_ivl(sock, atoi(option("heartbeat")));
    int status = streq(argv[1], "listen") ? zsock_bind(sock, "%s", argv[3])
                                          : zsock_connect(sock, "%s", argv[3]);
    say(status < 0 ? "error cannot use the endpoint" : "ready");
    obey(sock);
    zsock_destroy(&sock);
    zactor_destroy(&auth);
    return 0;
}
