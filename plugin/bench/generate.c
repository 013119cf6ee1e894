/* generate.c - writes a capture of ZMTP connections of any count, size and segmentation, with real
 * CURVE boxes, and the key log that opens them.
 *
 * The octets are a function of the options: keys come out of a fixed seed and have never protected
 * anything.  It has its own CURVE, so that what the plugin shows of it is a check too.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "segments.h"

#define SERVER_PORT 5590
#define FIRST_CLIENT_PORT 60000 /* no dissector of Wireshark has these */
#define CLIENT_PORTS 5000
#define SERVER_ADDRESS 0x0a000001U
#define FIRST_CLIENT_ADDRESS 0x0a010001U
enum { FLAG_LONG = 2, FLAG_COMMAND = 4 };

enum { SHORT_HEADER = 2, LONG_HEADER = 9, NONCE = 24, TAG = 16, TWO_KEYS = 64 };
static struct {
    bool curve;
    uint64_t count; /* of messages, in each connection */
    uint64_t size;
    uint64_t connections;
    uint64_t pack;  /* messages in a segment; 0: as many as fit, across its end */
    uint64_t split; /* octets of each long header that end a segment; 0: wherever it falls */
} options = {.count = 1000, .size = 32, .connections = 1};

static struct {
    uint64_t commands, messages, body_octets;
} made;

static FILE *key_log;

_Noreturn static void die_of_crypto(void)
{
    (void)fputs("zmtp-generate: libsodium refused\n", stderr);
    exit(1);
}

/* ---- ZMTP ---- */

static uint8_t *append(uint8_t *at, const void *octets, size_t len)
{
    memcpy(at, octets, len);
    return at + len;
}

/* A frame whose body the caller fills. */
static uint8_t *add_frame(struct side *from, unsigned flags, size_t body_len)
{
    uint8_t *at;

    made.body_octets += body_len;
    if (body_len <= UINT8_MAX) {
        at = room(from, SHORT_HEADER + body_len);
        at[0] = (uint8_t)flags;
        at[1] = (uint8_t)body_len;
        return at + SHORT_HEADER;
    }
    at = room(from, LONG_HEADER + body_len);
    at[0] = (uint8_t)(flags | FLAG_LONG);
    put64(at + 1, body_len);
    return at + LONG_HEADER;
}

static uint8_t *add_command(struct side *from, size_t body_len)
{
    made.commands++;
    return add_frame(from, FLAG_COMMAND, body_len);
}

/* libzmq sends the signature, then the version, then the rest, and never sets as-server. */
static void greet(struct connection *connection, size_t begin, size_t end)
{
    uint8_t greeting[64] = {0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 1};

    memcpy(greeting + 12, options.curve ? "CURVE" : "NULL", options.curve ? 5 : 4);
    for (int direction = CLIENT; direction <= SERVER; direction++) {
        memcpy(room(&connection->side[direction], end - begin), greeting + begin, end - begin);
        send_all(connection, direction);
    }
}

enum { METADATA = 1 + 11 + 4 + 4 };

static void put_metadata(uint8_t *at, int direction)
{
    at = append(at, "\13Socket-Type\0\0\0\4", 1 + 11 + 4);
    (void)append(at, direction == CLIENT ? "PUSH" : "PULL", 4);
}

static void shake_hands_null(struct connection *connection)
{
    for (int direction = CLIENT; direction <= SERVER; direction++) {
        uint8_t *body = add_command(&connection->side[direction], 6 + METADATA);

        put_metadata(append(body, "\5READY", 6), direction);
        send_all(connection, direction);
    }
}

/* ---- CURVE, RFC 26 ---- */

struct pair {
    uint8_t public_key[KEY];
    uint8_t secret_key[KEY];
};

static struct pair permanent[2];

static void make_octets(void *octets, size_t len, const char *purpose, uint64_t number)
{
    uint8_t seed[randombytes_SEEDBYTES];
    char text[64];
    int text_len = snprintf(text, sizeof text, "zmtp-generate %s %" PRIu64, purpose, number);

    if (text_len < 0 || crypto_generichash(seed, sizeof seed, (const uint8_t *)text,
                                           (unsigned long long)text_len, NULL, 0) != 0)
        die_of_crypto();
    randombytes_buf_deterministic(octets, len, seed);
}

static void make_pair(struct pair *pair, const char *purpose, uint64_t number)
{
    make_octets(pair->secret_key, KEY, purpose, number);
    if (crypto_scalarmult_base(pair->public_key, pair->secret_key) != 0)
        die_of_crypto();
}

static void make_shared_key(uint8_t *key, const struct pair *theirs, const struct pair *ours)
{
    if (crypto_box_beforenm(key, theirs->public_key, ours->secret_key) != 0)
        die_of_crypto();
}

/* Seals the plaintext that stands at box + TAG, in place. */
static void seal(uint8_t *box, size_t len, const uint8_t *nonce, const uint8_t *key)
{
    if (crypto_box_easy_afternm(box, box + TAG, len, nonce, key) != 0)
        die_of_crypto();
}

/* Puts the short nonce on the wire and the whole one into nonce. */
static uint8_t *put_nonce(uint8_t *at, uint8_t *nonce, const char *prefix, struct side *from)
{
    memcpy(nonce, prefix, NONCE - 8);
    put64(nonce + NONCE - 8, from->nonce++);
    return append(at, nonce + NONCE - 8, 8);
}

static uint8_t *put_long_nonce(uint8_t *at, uint8_t *nonce, const char *prefix, uint64_t number)
{
    memcpy(nonce, prefix, 8);
    make_octets(nonce + 8, NONCE - 8, prefix, number);
    return append(at, nonce + 8, NONCE - 8);
}

enum { COOKIE = 16 + TAG + TWO_KEYS, VOUCH = 16 + TAG + TWO_KEYS };

static void say_hello(struct connection *connection, const struct pair *client, const uint8_t *key)
{
    struct side *from = &connection->side[CLIENT];
    uint8_t *at = add_command(from, 200);
    uint8_t nonce[NONCE];

    memset(at, 0, 200);
    (void)append(at, "\5HELLO\1", 7);
    at = append(at + 80, client->public_key, KEY);
    at = put_nonce(at, nonce, "CurveZMQHELLO---", from);
    seal(at, 64, nonce, key);
    send_all(connection, CLIENT);
}

static void say_welcome(struct connection *connection, const struct pair *server,
                        const uint8_t *cookie, const uint8_t *key)
{
    struct side *from = &connection->side[SERVER];
    uint8_t *at = append(add_command(from, 168), "\7WELCOME", 8);
    uint8_t nonce[NONCE];

    at = put_long_nonce(at, nonce, "WELCOME-", connection->number);
    (void)append(append(at + TAG, server->public_key, KEY), cookie, COOKIE);
    seal(at, KEY + COOKIE, nonce, key);
    send_all(connection, SERVER);
}

static void say_initiate(struct connection *connection, const struct pair *client,
                         const struct pair *server, const uint8_t *cookie)
{
    const size_t plaintext = KEY + VOUCH + METADATA;
    struct side *from = &connection->side[CLIENT];
    uint8_t *at = append(add_command(from, 9 + COOKIE + 8 + TAG + plaintext), "\10INITIATE", 9);
    uint8_t nonce[NONCE];
    uint8_t vouch_nonce[NONCE];
    uint8_t vouch_key[KEY];
    uint8_t *vouch;

    at = put_nonce(append(at, cookie, COOKIE), nonce, "CurveZMQINITIATE", from);
    vouch = append(at + TAG, permanent[CLIENT].public_key, KEY);
    vouch = put_long_nonce(vouch, vouch_nonce, "VOUCH---", connection->number);
    (void)append(append(vouch + TAG, client->public_key, KEY), permanent[SERVER].public_key, KEY);
    make_shared_key(vouch_key, server, &permanent[CLIENT]);
    seal(vouch, TWO_KEYS, vouch_nonce, vouch_key);
    put_metadata(vouch + TAG + TWO_KEYS, CLIENT);
    seal(at, plaintext, nonce, connection->session_key);
    send_all(connection, CLIENT);
}

static void say_ready(struct connection *connection)
{
    struct side *from = &connection->side[SERVER];
    uint8_t *at = append(add_command(from, 6 + 8 + TAG + METADATA), "\5READY", 6);
    uint8_t nonce[NONCE];

    at = put_nonce(at, nonce, "CurveZMQREADY---", from);
    put_metadata(at + TAG, SERVER);
    seal(at, METADATA, nonce, connection->session_key);
    send_all(connection, SERVER);
}

static void log_session_key(const struct connection *connection, const struct pair *client,
                            const struct pair *server)
{
    char hex[3][TWO_KEYS + 1];

    sodium_bin2hex(hex[0], sizeof hex[0], client->public_key, KEY);
    sodium_bin2hex(hex[1], sizeof hex[1], server->public_key, KEY);
    sodium_bin2hex(hex[2], sizeof hex[2], connection->session_key, KEY);
    if (fprintf(key_log, "CURVE_SESSION_KEY %s %s %s\n", hex[0], hex[1], hex[2]) < 0)
        die("key log");
}

static void shake_hands_curve(struct connection *connection)
{
    struct pair client;
    struct pair server;
    uint8_t hello_key[KEY];
    uint8_t cookie_key[KEY];
    uint8_t cookie[COOKIE];
    uint8_t nonce[NONCE];
    uint8_t *at;

    connection->side[CLIENT].nonce = connection->side[SERVER].nonce = 1;
    make_pair(&client, "client", connection->number);
    make_pair(&server, "server", connection->number);
    make_shared_key(hello_key, &permanent[SERVER], &client);
    make_shared_key(connection->session_key, &server, &client);
    make_octets(cookie_key, KEY, "cookie", connection->number);
    at = put_long_nonce(cookie, nonce, "COOKIE--", connection->number);
    (void)append(append(at + TAG, client.public_key, KEY), server.secret_key, KEY);
    if (crypto_secretbox_easy(at, at + TAG, TWO_KEYS, nonce, cookie_key) != 0)
        die_of_crypto();
    say_hello(connection, &client, hello_key);
    say_welcome(connection, &server, cookie, hello_key);
    log_session_key(connection, &client, &server);
    say_initiate(connection, &client, &server, cookie);
    say_ready(connection);
}

/* ---- Connections ---- */

static void open_connection(struct connection *connection, uint64_t number)
{
    struct side *client = &connection->side[CLIENT];
    struct side *server = &connection->side[SERVER];

    connection->number = number;
    client->address = FIRST_CLIENT_ADDRESS + (uint32_t)(number / CLIENT_PORTS);
    client->port = (uint16_t)(FIRST_CLIENT_PORT + number % CLIENT_PORTS);
    client->seq = 1000 + (uint32_t)number;
    server->address = SERVER_ADDRESS;
    server->port = SERVER_PORT;
    server->seq = 2000000000U + (uint32_t)number;
    write_packet(connection, CLIENT, SYN, NULL, 0);
    write_packet(connection, SERVER, SYN | ACK, NULL, 0);
    write_packet(connection, CLIENT, ACK, NULL, 0);
    greet(connection, 0, 10);
    greet(connection, 10, 11);
    greet(connection, 11, 64);
    if (options.curve)
        shake_hands_curve(connection);
    else
        shake_hands_null(connection);
}

/* The text "CONNECTION.MESSAGE " and then the alphabet, over and over. */
static void fill_payload(uint8_t *payload, const struct connection *connection)
{
    char name[48];
    int printed = snprintf(name, sizeof name, "%" PRIu64 ".%" PRIu64 " ", connection->number,
                           connection->sent);
    size_t len = printed < 0 ? 0 : (size_t)printed;
    size_t i;

    if (len > options.size)
        len = options.size;
    memcpy(payload, name, len);
    for (i = len; i < options.size && i < len + 26; i++)
        payload[i] = (uint8_t)('a' + (i - len));
    while (i < options.size) { /* doubles what is there of the alphabet */
        size_t more = i - len > options.size - i ? options.size - i : i - len;

        memcpy(payload + i, payload + len, more);
        i += more;
    }
}

/* libzmq sends a MESSAGE with flags 0 or 2: MORE and COMMAND are inside the box. */
static void add_sealed(struct connection *connection)
{
    struct side *from = &connection->side[CLIENT];
    uint8_t *at = add_frame(from, 0, 8 + 8 + TAG + 1 + options.size);
    uint8_t nonce[NONCE];

    at = put_nonce(append(at, "\7MESSAGE", 8), nonce, "CurveZMQMESSAGEC", from);
    at[TAG] = 0;
    fill_payload(at + TAG + 1, connection);
    seal(at, 1 + options.size, nonce, connection->session_key);
}

static void send_message(struct connection *connection)
{
    struct side *from = &connection->side[CLIENT];
    size_t begin = from->pending_len;

    if (options.curve)
        add_sealed(connection);
    else
        fill_payload(add_frame(from, 0, options.size), connection);
    connection->sent++;
    made.messages++;
    if (options.split && from->pending[begin] & FLAG_LONG)
        send_pending(connection, CLIENT, begin + options.split, true);
    if (options.pack && connection->sent % options.pack == 0)
        send_all(connection, CLIENT);
    else
        send_pending(connection, CLIENT, from->pending_len, false);
}

static void close_connection(struct connection *connection)
{
    send_all(connection, CLIENT);
    write_packet(connection, CLIENT, FIN | ACK, NULL, 0);
    write_packet(connection, SERVER, FIN | ACK, NULL, 0);
    write_packet(connection, CLIENT, ACK, NULL, 0);
    free(connection->side[CLIENT].pending);
    free(connection->side[SERVER].pending);
}

static void make_connections(void)
{
    struct connection *all = (struct connection *)calloc((size_t)options.connections, sizeof *all);

    if (!all)
        die("memory");
    make_pair(&permanent[CLIENT], "permanent client", 0);
    make_pair(&permanent[SERVER], "permanent server", 0);
    for (uint64_t i = 0; i < options.connections; i++)
        open_connection(&all[i], i);
    for (uint64_t message = 0; message < options.count; message++) {
        for (uint64_t i = 0; i < options.connections; i++)
            send_message(&all[i]);
    }
    for (uint64_t i = 0; i < options.connections; i++)
        close_connection(&all[i]);
    free(all);
}

/* ---- Files and options ---- */

/* NAME.keys beside NAME.pcap, for its owner alone. */
static void open_key_log(const char *capture_path)
{
    static const char ending[] = ".pcap";
    size_t len = strlen(capture_path);
    char path[4096];
    int file;

    if (len >= strlen(ending) && strcmp(capture_path + len - strlen(ending), ending) == 0)
        len -= strlen(ending);
    if (len > sizeof path - sizeof ".keys") {
        errno = ENAMETOOLONG;
        die(capture_path);
    }
    (void)snprintf(path, sizeof path, "%.*s.keys", (int)len, capture_path);
    file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    key_log = file < 0 ? NULL : fdopen(file, "w");
    if (!key_log)
        die(path);
}

static const char usage[] =
    "usage: zmtp-generate [OPTION...] OUT.pcap\n"
    "  --mechanism NULL|CURVE  (NULL)  CURVE also writes the key log OUT.keys\n"
    "  --count N               messages in each connection (1000)\n"
    "  --size N                octets in a message (32)\n"
    "  --connections N         which take turns, one message each (1)\n"
    "  --segment N             octets in a full TCP segment (1448; 65483 is a loopback's)\n"
    "  --pack N                end a segment behind every N messages (0: only full segments)\n"
    "  --split N               end a segment behind N octets of each header of 9 (0: anywhere)\n"
    "The client sends. Prints what it made as JSON.\n";

_Noreturn static void refuse(void)
{
    (void)fputs(usage, stderr);
    exit(2);
}

static uint64_t number_within(const char *text, uint64_t least, uint64_t most)
{
    char *end;
    uint64_t number;

    errno = 0;
    number = strtoull(text, &end, 10);
    if (errno || end == text || *end || *text == '-' || number < least || number > most)
        refuse();
    return number;
}

static void take_option(int option, const char *value)
{
    switch (option) {
    case 'm':
        options.curve = strcmp(value, "CURVE") == 0;
        if (!options.curve && strcmp(value, "NULL") != 0)
            refuse();
        break;
    case 'n':
        options.count = number_within(value, 0, UINT32_MAX);
        break;
    case 's':
        options.size = number_within(value, 0, UINT32_MAX);
        break;
    case 'c':
        options.connections = number_within(value, 1, 10000000);
        break;
    case 'g':
        full_segment = number_within(value, 1, MAX_SEGMENT);
        break;
    case 'p':
        options.pack = number_within(value, 0, UINT32_MAX);
        break;
    case 'x':
        options.split = number_within(value, 0, LONG_HEADER - 1);
        break;
    case 'h':
        (void)fputs(usage, stdout);
        exit(0);
    default:
        refuse();
    }
}

int main(int argc, char **argv)
{
    static const struct option names[] = {{"mechanism", required_argument, NULL, 'm'},
                                          {"count", required_argument, NULL, 'n'},
                                          {"size", required_argument, NULL, 's'},
                                          {"connections", required_argument, NULL, 'c'},
                                          {"segment", required_argument, NULL, 'g'},
                                          {"pack", required_argument, NULL, 'p'},
                                          {"split", required_argument, NULL, 'x'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    int option;

    while ((option = getopt_long(argc, argv, "h", names, NULL)) != -1)
        take_option(option, optarg);
    if (optind + 1 != argc)
        refuse();
    if (sodium_init() < 0)
        die_of_crypto();
    open_capture(argv[optind]);
    if (options.curve)
        open_key_log(argv[optind]);
    make_connections();
    close_capture();
    if (key_log && fclose(key_log) != 0)
        die("close");
    (void)printf("{\"packets\": %" PRIu64 ", \"connections\": %" PRIu64 ", \"commands\": %" PRIu64
                 ", \"messages\": %" PRIu64 ", \"body_octets\": %" PRIu64 "}\n",
                 packets_written, options.connections, made.commands, made.messages,
                 made.body_octets);
    return 0;
}
