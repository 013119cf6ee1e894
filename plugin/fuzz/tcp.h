/* tcp.h - TCP connections whose segments can be lost, repeated, swapped and cut by the capture.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef FUZZ_TCP_H
#define FUZZ_TCP_H

#include "capture.h"

enum { CLIENT, SERVER };

enum {
    TCP_FIN = 0x01,
    TCP_SYN = 0x02,
    TCP_RST = 0x04,
    TCP_PSH = 0x08,
    TCP_ACK = 0x10,
};

#define ZMTP_PORT 45678 /* of the servers; no other protocol has it */

/* What happens to the next segment, once. */
enum fate { FATE_LOST = 1, FATE_REPEATED = 2, FATE_DELAYED = 4, FATE_CUT = 8, FATE_OVERLAPS = 16 };

struct tcp {
    struct capture *capture;
    bool is_ip6;
    uint8_t host[2]; /* last octet of the address */
    uint16_t port[2];
    uint32_t next_seq[2];
    unsigned fate;
    unsigned cut; /* octets that the capture leaves away */
    unsigned microseconds;
    uint8_t *delayed; /* comes after the next one */
    unsigned delayed_len;
};

void tcp_init(struct tcp *tcp, struct capture *capture, unsigned number);
void tcp_clear(struct tcp *tcp);
/* Another connection between the same programs, from another port or from the same one. */
void tcp_restart(struct tcp *tcp, bool same_port);

/* The packet that ends with the data; NULL: none was captured. */
struct packet *tcp_send(struct tcp *tcp, unsigned from, unsigned flags, const uint8_t *data,
                        unsigned len);
/* SYN, SYN ACK, ACK. */
void tcp_open(struct tcp *tcp);

#endif
