/* tcp.c - IP packets with the segments of TCP connections.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "tcp.h"

#include <epan/ipproto.h>

enum { IP4_HEADER = 20, IP6_HEADER = 40, TCP_HEADER = 20, MAX_HEADERS = IP6_HEADER + TCP_HEADER };

static void put16(uint8_t *to, unsigned number)
{
    to[0] = (uint8_t)(number >> 8);
    to[1] = (uint8_t)number;
}

static void put32(uint8_t *to, uint32_t number)
{
    put16(to, number >> 16);
    put16(to + 2, number & 0xffff);
}

/* Connections 0 and 1 come from one host, 2 from another, 3 goes over IPv6. */
void tcp_init(struct tcp *tcp, struct capture *capture, unsigned number)
{
    memset(tcp, 0, sizeof *tcp);
    tcp->capture = capture;
    tcp->is_ip6 = number == 3;
    tcp->host[CLIENT] = number == 2 ? 3 : 2;
    tcp->host[SERVER] = 1;
    tcp->port[CLIENT] = (uint16_t)(40000 + number);
    tcp->port[SERVER] = ZMTP_PORT;
    tcp->next_seq[CLIENT] = 1000;
    tcp->next_seq[SERVER] = number == 1 ? UINT32_MAX - 50 : 70000; /* one of them wraps around */
}

void tcp_clear(struct tcp *tcp)
{
    g_free(tcp->delayed);
    tcp->delayed = NULL;
}

void tcp_restart(struct tcp *tcp, bool same_port)
{
    if (!same_port)
        tcp->port[CLIENT] = (uint16_t)(tcp->port[CLIENT] + 10);
    tcp->next_seq[CLIENT] += 1000000;
    tcp->next_seq[SERVER] += 1000000;
}

static unsigned put_ip(const struct tcp *tcp, uint8_t *to, unsigned from, unsigned len)
{
    if (tcp->is_ip6) {
        to[0] = 0x60;
        put16(to + 4, TCP_HEADER + len);
        to[6] = IP_PROTO_TCP;
        to[7] = 64;
        to[8] = to[24] = 0xfd;
        to[23] = tcp->host[from];
        to[39] = tcp->host[!from];
        return IP6_HEADER;
    }
    to[0] = 0x45;
    put16(to + 2, IP4_HEADER + TCP_HEADER + len);
    to[8] = 64;
    to[9] = IP_PROTO_TCP;
    to[12] = to[16] = 10;
    to[15] = tcp->host[from];
    to[19] = tcp->host[!from];
    return IP4_HEADER;
}

static unsigned put_headers(const struct tcp *tcp, uint8_t *to, unsigned from, unsigned flags,
                            uint32_t seq, unsigned len)
{
    unsigned at;

    memset(to, 0, MAX_HEADERS);
    at = put_ip(tcp, to, from, len);
    put16(to + at, tcp->port[from]);
    put16(to + at + 2, tcp->port[!from]);
    put32(to + at + 4, seq);
    put32(to + at + 8, flags & TCP_ACK ? tcp->next_seq[!from] : 0);
    to[at + 12] = TCP_HEADER / 4 << 4;
    to[at + 13] = (uint8_t)flags;
    put16(to + at + 14, 65535);
    return at + TCP_HEADER;
}

static struct packet *capture_packet(struct tcp *tcp, const uint8_t *octets, unsigned len,
                                     unsigned cut)
{
    struct packet *packet = add_packet(tcp->capture, octets, len, len - MIN(cut, len));

    if (packet) {
        packet->microseconds = 100 + tcp->microseconds;
        tcp->microseconds = 0;
    }
    return packet;
}

static void capture_delayed(struct tcp *tcp)
{
    if (tcp->delayed)
        (void)capture_packet(tcp, tcp->delayed, tcp->delayed_len, 0);
    tcp_clear(tcp);
}

struct packet *tcp_send(struct tcp *tcp, unsigned from, unsigned flags, const uint8_t *data,
                        unsigned len)
{
    uint8_t *octets = (uint8_t *)g_malloc(MAX_HEADERS + len);
    unsigned fate = tcp->fate;
    uint32_t seq = tcp->next_seq[from] - (fate & FATE_OVERLAPS ? tcp->cut : 0);
    unsigned headers = put_headers(tcp, octets, from, flags, seq, len);
    struct packet *packet = NULL;

    if (len > 0)
        memcpy(octets + headers, data, len);
    tcp->next_seq[from] += len + ((flags & TCP_SYN) != 0) + ((flags & TCP_FIN) != 0);
    tcp->fate = 0;
    if (fate & FATE_DELAYED && !tcp->delayed) {
        tcp->delayed = octets;
        tcp->delayed_len = headers + len;
        return NULL;
    }
    if (!(fate & FATE_LOST))
        packet = capture_packet(tcp, octets, headers + len,
                                fate & FATE_CUT ? MIN(tcp->cut, headers + len - 1) : 0);
    if (fate & FATE_REPEATED)
        (void)capture_packet(tcp, octets, headers + len, 0);
    capture_delayed(tcp);
    g_free(octets);
    return packet;
}

void tcp_open(struct tcp *tcp)
{
    (void)tcp_send(tcp, CLIENT, TCP_SYN, NULL, 0);
    (void)tcp_send(tcp, SERVER, TCP_SYN | TCP_ACK, NULL, 0);
    (void)tcp_send(tcp, CLIENT, TCP_ACK, NULL, 0);
}
