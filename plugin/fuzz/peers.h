/* peers.h - two ZMTP peers on a TCP connection, who can do CURVE with keys that are known.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef FUZZ_PEERS_H
#define FUZZ_PEERS_H

#include "tcp.h"

#include "../../decrypt/tests/handshake.h"

enum { GREETING_SIZE = 64 };

enum step { STEP_HELLO, STEP_WELCOME, STEP_INITIATE, STEP_READY, STEPS };

struct peers {
    struct tcp tcp;
    const struct handshake *keys;
    uint8_t nonce[2];      /* of the last box, by sender */
    unsigned client;       /* who is CURVE's client */
    unsigned segment_size; /* 0: as it comes */
    bool begun;
    bool regular; /* they did and said nothing that a peer would not, and all of it was captured */
    unsigned boxes;
};

void peers_init(struct peers *peers, struct capture *capture, unsigned number,
                const struct handshake *keys);

/* The packet with the last octet. */
struct packet *peers_send(struct peers *peers, unsigned from, const uint8_t *data, unsigned len);
struct packet *peers_send_frame(struct peers *peers, unsigned from, uint8_t flags,
                                const uint8_t *body, unsigned len);
void peers_send_command(struct peers *peers, unsigned from, const char *name, const uint8_t *data,
                        unsigned len);
void peers_greet(struct peers *peers, unsigned from, const char *mechanism, uint8_t minor);

/* One command of CURVE's handshake; metadata: of INITIATE and READY. */
void peers_step(struct peers *peers, unsigned from, enum step step, const uint8_t *metadata,
                unsigned len);
/* From SYN to READY, as CURVE peers do it. */
void peers_shake_hands(struct peers *peers);

/* A MESSAGE with the plaintext in its box: flags, then a command or a part of a message. */
void peers_send_box(struct peers *peers, unsigned from, const uint8_t *plain, unsigned len);

#endif
