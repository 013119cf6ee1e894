/* peers.c - what ZMTP peers send: greetings, frames, CURVE's handshake and boxes (RFC 23, 26).
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "peers.h"

#include <sodium.h>

enum { MAX_HEADER = 9, MAX_SEGMENTS = 64, SHORT_FRAME = 255, NAME_SIZE = 16 };
enum { FLAG_LONG = 2, FLAG_COMMAND = 4 };
enum { PAYLOAD_COMMAND = 2 }; /* RFC 26 "payload" */

static const uint8_t usual_metadata[] = "\x0bSocket-Type\0\0\0\4PAIR";

void peers_init(struct peers *peers, struct capture *capture, unsigned number,
                const struct handshake *keys)
{
    memset(peers, 0, sizeof *peers);
    tcp_init(&peers->tcp, capture, number);
    peers->keys = keys;
    peers->client = CLIENT;
}

/* ---- Octets, frames and commands ---- */

struct packet *peers_send(struct peers *peers, unsigned from, const uint8_t *data, unsigned len)
{
    unsigned segments = 0;
    struct packet *packet;

    peers->begun = true;
    do {
        unsigned size =
            peers->segment_size && ++segments < MAX_SEGMENTS ? MIN(peers->segment_size, len) : len;

        packet = tcp_send(&peers->tcp, from, TCP_PSH | TCP_ACK, data, size);
        data += size;
        len -= size;
    } while (len > 0);
    return packet;
}

struct packet *peers_send_frame(struct peers *peers, unsigned from, uint8_t flags,
                                const uint8_t *body, unsigned len)
{
    uint8_t *frame = (uint8_t *)g_malloc0(MAX_HEADER + len);
    unsigned header = 2;
    struct packet *packet;

    frame[0] = flags;
    if (len > SHORT_FRAME || flags & FLAG_LONG) {
        header = MAX_HEADER;
        frame[0] |= FLAG_LONG;
        frame[7] = (uint8_t)(len >> 8);
    }
    frame[header - 1] = (uint8_t)len;
    if (len > 0)
        memcpy(frame + header, body, len);
    packet = peers_send(peers, from, frame, header + len);
    g_free(frame);
    return packet;
}

/* A name and what follows it. */
static unsigned put_name(uint8_t *body, const char *name)
{
    unsigned len = 0;

    for (; name[len]; len++)
        body[1 + len] = (uint8_t)name[len];
    body[0] = (uint8_t)len;
    return 1 + len;
}

void peers_send_command(struct peers *peers, unsigned from, const char *name, const uint8_t *data,
                        unsigned len)
{
    uint8_t *body = (uint8_t *)g_malloc(NAME_SIZE + len);
    unsigned at = put_name(body, name);

    if (len > 0)
        memcpy(body + at, data, len);
    (void)peers_send_frame(peers, from, FLAG_COMMAND, body, at + len);
    g_free(body);
}

void peers_greet(struct peers *peers, unsigned from, const char *mechanism, uint8_t minor)
{
    uint8_t greeting[GREETING_SIZE] = {0xff, [9] = 0x7f, [10] = 3};

    greeting[11] = minor;
    for (unsigned i = 0; mechanism[i]; i++)
        greeting[12 + i] = (uint8_t)mechanism[i];
    greeting[32] = from != peers->client;
    (void)peers_send(peers, from, greeting, sizeof greeting);
}

/* ---- CURVE ---- */

/* The plaintext in a box under the session key, behind the octets of its nonce that are sent. */
static unsigned seal(struct peers *peers, unsigned from, const char *prefix, const uint8_t *plain,
                     unsigned len, uint8_t *out)
{
    uint8_t nonce[crypto_box_NONCEBYTES] = {0};

    memcpy(nonce, prefix, ZMTP_LONG_NONCE_SIZE);
    nonce[sizeof nonce - 1] = ++peers->nonce[from];
    memcpy(out, nonce + ZMTP_LONG_NONCE_SIZE, ZMTP_SHORT_NONCE_SIZE);
    REQUIRE(crypto_box_easy_afternm(out + ZMTP_SHORT_NONCE_SIZE, plain, len, nonce,
                                    peers->keys->session_key) == 0);
    return ZMTP_SHORT_NONCE_SIZE + ZMTP_BOX_OVERHEAD + len;
}

static void say_hello(struct peers *peers, unsigned from)
{
    uint8_t data[194] = {1};

    peers->client = from;
    peers->nonce[from] = 1;
    memcpy(data + 74, peers->keys->client_transient.public_key, ZMTP_KEY_SIZE);
    memcpy(data + 106, peers->keys->hello_nonce, ZMTP_SHORT_NONCE_SIZE);
    memcpy(data + 114, peers->keys->hello, ZMTP_HELLO_BOX_SIZE);
    peers_send_command(peers, from, "HELLO", data, sizeof data);
}

static void say_welcome(struct peers *peers, unsigned from)
{
    uint8_t data[ZMTP_LONG_NONCE_SIZE + ZMTP_WELCOME_BOX_SIZE];

    memcpy(data, peers->keys->welcome_nonce, ZMTP_LONG_NONCE_SIZE);
    memcpy(data + ZMTP_LONG_NONCE_SIZE, peers->keys->welcome, ZMTP_WELCOME_BOX_SIZE);
    peers_send_command(peers, from, "WELCOME", data, sizeof data);
}

static void say_initiate(struct peers *peers, unsigned from, const uint8_t *metadata, unsigned len)
{
    enum { PLAIN = 128 }; /* octets before the metadata: key, nonce and vouch */
    uint8_t *plain = (uint8_t *)g_malloc(PLAIN + len);
    uint8_t *data = (uint8_t *)g_malloc(ZMTP_COOKIE_SIZE + ZMTP_SHORT_NONCE_SIZE +
                                        ZMTP_BOX_OVERHEAD + PLAIN + len);

    memcpy(plain, peers->keys->initiate_plain, PLAIN);
    memcpy(plain + PLAIN, metadata, len);
    memcpy(data, peers->keys->cookie, ZMTP_COOKIE_SIZE);
    len = seal(peers, from, "CurveZMQINITIATE", plain, PLAIN + len, data + ZMTP_COOKIE_SIZE);
    peers_send_command(peers, from, "INITIATE", data, ZMTP_COOKIE_SIZE + len);
    g_free(plain);
    g_free(data);
}

static void say_ready(struct peers *peers, unsigned from, const uint8_t *metadata, unsigned len)
{
    uint8_t *data = (uint8_t *)g_malloc(ZMTP_SHORT_NONCE_SIZE + ZMTP_BOX_OVERHEAD + len);

    len = seal(peers, from, "CurveZMQREADY---", metadata, len, data);
    peers_send_command(peers, from, "READY", data, len);
    g_free(data);
}

void peers_step(struct peers *peers, unsigned from, enum step step, const uint8_t *metadata,
                unsigned len)
{
    if (step == STEP_HELLO)
        say_hello(peers, from);
    else if (step == STEP_WELCOME)
        say_welcome(peers, from);
    else if (step == STEP_INITIATE)
        say_initiate(peers, from, metadata, len);
    else
        say_ready(peers, from, metadata, len);
}

void peers_shake_hands(struct peers *peers)
{
    peers->regular = !peers->begun;
    tcp_open(&peers->tcp);
    peers_greet(peers, CLIENT, "CURVE", 1);
    peers_greet(peers, SERVER, "CURVE", 1);
    for (unsigned step = 0; step < STEPS; step++)
        peers_step(peers, step % 2 ? SERVER : CLIENT, (enum step)step, usual_metadata,
                   sizeof usual_metadata - 1);
}

/* What a regular peer sends is told by zmtp.data. */
static void expect(struct packet *packet, const uint8_t *plain, unsigned len)
{
    if (!packet || len < 2 || plain[0] & PAYLOAD_COMMAND)
        return;
    g_free(packet->payload.octets);
    packet->payload.octets = (uint8_t *)g_memdup2(plain + 1, len - 1);
    packet->payload.len = len - 1;
}

void peers_send_box(struct peers *peers, unsigned from, const uint8_t *plain, unsigned len)
{
    const char *prefix = from == peers->client ? "CurveZMQMESSAGEC" : "CurveZMQMESSAGES";
    uint8_t *body =
        (uint8_t *)g_malloc(NAME_SIZE + ZMTP_SHORT_NONCE_SIZE + ZMTP_BOX_OVERHEAD + len);
    unsigned at = put_name(body, "MESSAGE");
    struct packet *packet;

    at += seal(peers, from, prefix, plain, len, body + at);
    packet = peers_send_frame(peers, from, 0, body, at);
    if (len > 0)
        peers->boxes++;
    expect(packet, plain, len);
    g_free(body);
}
