/* segments.h - TCP connections of a capture that is being written, and the octets that wait for a
 * segment.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef ZMTP_BENCH_SEGMENTS_H
#define ZMTP_BENCH_SEGMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAX_SEGMENT (65535 - 20 - 32) /* without the headers of IP and TCP */

enum { FIN = 1, SYN = 2, PSH = 8, ACK = 16 };
enum { CLIENT, SERVER };
enum { KEY = 32 };

struct side {
    uint32_t address;
    uint16_t port;
    uint16_t ip_id;
    uint32_t seq;
    unsigned unacknowledged; /* segments */
    uint64_t nonce;          /* of the next box */
    uint8_t *pending;        /* octets that no segment has taken yet */
    size_t pending_len;
    size_t pending_size;
};

struct connection {
    struct side side[2];
    uint8_t session_key[KEY];
    uint64_t number;
    uint64_t sent; /* messages */
};

extern size_t full_segment; /* octets */
extern uint64_t packets_written;

_Noreturn void die(const char *what);

void put32(uint8_t *at, uint32_t value);
void put64(uint8_t *at, uint64_t value);

void open_capture(const char *path);
void close_capture(void);

void write_packet(struct connection *connection, int direction, unsigned flags,
                  const uint8_t *payload, size_t len);

/* Room for len octets behind those that are pending. */
uint8_t *room(struct side *from, size_t len);

/* Sends pending octets, up to this many: all of them, or as many as fill segments. */
void send_pending(struct connection *connection, int direction, size_t len, bool all);
void send_all(struct connection *connection, int direction);

#endif
