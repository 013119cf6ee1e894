/* segments.c - writes TCP connections into a capture: right lengths, sequence numbers and
 * checksums, with acknowledgements.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "segments.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECORD_LEN 16
#define ETHERNET_LEN 14
#define IP_LEN 20
#define TCP_LEN 32 /* with the time stamp option */
#define SEGMENTS_PER_ACK 2
#define MICROSECONDS_PER_PACKET 10
#define START_TIME 1700000000U

size_t full_segment = 1448;
uint64_t packets_written;

static FILE *capture;

_Noreturn void die(const char *what)
{
    (void)fprintf(stderr, "zmtp-generate: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* ---- Octets ---- */

static void put16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

void put32(uint8_t *at, uint32_t value)
{
    put16(at, value >> 16);
    put16(at + 2, value);
}

void put64(uint8_t *at, uint64_t value)
{
    put32(at, (uint32_t)(value >> 32));
    put32(at + 4, (uint32_t)value);
}

/* ---- Packets ---- */

static uint64_t add_octets(uint64_t sum, const uint8_t *octets, size_t len)
{
    for (; len > 1; octets += 2, len -= 2)
        sum += (uint32_t)octets[0] << 8 | octets[1];
    return len ? sum + ((uint32_t)octets[0] << 8) : sum;
}

static uint16_t checksum(uint64_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

static void put_ip(uint8_t *ip, struct side *from, const struct side *to, size_t len)
{
    memset(ip, 0, IP_LEN);
    ip[0] = 0x45;
    put16(ip + 2, (uint32_t)len);
    put16(ip + 4, from->ip_id++);
    ip[6] = 0x40; /* don't fragment */
    ip[8] = 64;
    ip[9] = 6; /* TCP */
    put32(ip + 12, from->address);
    put32(ip + 16, to->address);
    put16(ip + 10, checksum(add_octets(0, ip, IP_LEN)));
}

static void put_tcp(uint8_t *tcp, const struct side *from, const struct side *to, unsigned flags,
                    uint32_t now)
{
    uint8_t *option = tcp + 20;

    put16(tcp, from->port);
    put16(tcp + 2, to->port);
    put32(tcp + 4, from->seq);
    put32(tcp + 8, flags & ACK ? to->seq : 0);
    tcp[12] = TCP_LEN / 4 << 4;
    tcp[13] = (uint8_t)flags;
    put16(tcp + 14, 65535);
    put32(tcp + 16, 0); /* checksum, urgent pointer */
    if (flags & SYN) {
        put32(option, 0x02040000U | (uint32_t)full_segment); /* largest segment */
        put32(option + 4, 0x03030701U);                      /* window scale */
        put32(option + 8, 0x01010101U);
        return;
    }
    put32(option, 0x0101080aU); /* time stamps */
    put32(option + 4, now);
    put32(option + 8, now);
}

void write_packet(struct connection *connection, int direction, unsigned flags,
                  const uint8_t *payload, size_t len)
{
    static uint8_t packet[RECORD_LEN + ETHERNET_LEN + IP_LEN + TCP_LEN + MAX_SEGMENT];
    uint8_t *ethernet = packet + RECORD_LEN;
    uint8_t *ip = ethernet + ETHERNET_LEN;
    uint8_t *tcp = ip + IP_LEN;
    struct side *from = &connection->side[direction];
    struct side *to = &connection->side[!direction];
    uint64_t now = packets_written++ * MICROSECONDS_PER_PACKET;
    uint32_t captured = (uint32_t)(ETHERNET_LEN + IP_LEN + TCP_LEN + len);
    uint32_t record[4] = {START_TIME + (uint32_t)(now / 1000000), (uint32_t)(now % 1000000),
                          captured, captured};
    uint64_t sum;

    memcpy(packet, record, sizeof record); /* in this machine's order, as pcap allows */
    memcpy(ethernet, "\2\0\0\0\0\0\2\0\0\0\0\0\10\0", ETHERNET_LEN);
    ethernet[5] = (uint8_t)!direction;
    ethernet[11] = (uint8_t)direction;
    put_ip(ip, from, to, IP_LEN + TCP_LEN + len);
    put_tcp(tcp, from, to, flags, (uint32_t)(now / 1000) + 1);
    if (len)
        memcpy(tcp + TCP_LEN, payload, len);
    sum = add_octets(6 /* TCP */ + TCP_LEN + len, ip + 12, 8);
    put16(tcp + 16, checksum(add_octets(sum, tcp, TCP_LEN + len)));
    if (fwrite(packet, RECORD_LEN + captured, 1, capture) != 1)
        die("write");
    from->seq += (uint32_t)len + (flags & (SYN | FIN) ? 1 : 0);
    from->unacknowledged += len > 0;
    to->unacknowledged = 0;
}

void send_pending(struct connection *connection, int direction, size_t len, bool all)
{
    struct side *from = &connection->side[direction];
    size_t at = 0;

    while (at < len && (all || len - at >= full_segment)) {
        size_t part = len - at > full_segment ? full_segment : len - at;

        write_packet(connection, direction, ACK | (at + part == len ? PSH : 0), from->pending + at,
                     part);
        at += part;
        if (from->unacknowledged >= SEGMENTS_PER_ACK)
            write_packet(connection, !direction, ACK, NULL, 0);
    }
    from->pending_len -= at;
    memmove(from->pending, from->pending + at, from->pending_len);
}

void send_all(struct connection *connection, int direction)
{
    send_pending(connection, direction, connection->side[direction].pending_len, true);
}

uint8_t *room(struct side *from, size_t len)
{
    uint8_t *at;

    if (from->pending_len + len > from->pending_size) {
        from->pending_size = from->pending_len + len;
        from->pending = (uint8_t *)realloc(from->pending, from->pending_size);
        if (!from->pending)
            die("memory");
    }
    at = from->pending + from->pending_len;
    from->pending_len += len;
    return at;
}

/* ---- The file ---- */

void open_capture(const char *path)
{
    /* pcap 2.4 with microseconds, packets up to 256 KiB, Ethernet; in this machine's order */
    uint32_t header[6] = {0xa1b2c3d4U, 0, 0, 0, 262144, 1};
    uint16_t version[2] = {2, 4};

    memcpy(&header[1], version, sizeof version);
    capture = fopen(path, "wb");
    if (!capture || fwrite(header, sizeof header, 1, capture) != 1)
        die(path);
}

void close_capture(void)
{
    if (fclose(capture) != 0)
        die("close");
}
