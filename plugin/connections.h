/* connections.h - the connections of a capture as a list: what the table, the JSON lines and the
 * window in Wireshark have in common.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef ZMTP_CONNECTIONS_H
#define ZMTP_CONNECTIONS_H

#include "zmtp.h"

#define ZMTP_CONNECTIONS_CLI "zmtp,connections"
/* Another word: Wireshark registers both, and takes the first one that a word begins with. */
#define ZMTP_CONNECTIONS_WINDOW_CLI "zmtp,window"

/* ---- One connection ---- */

/* What its row says.  Allocated in the scope that zmtp_row_fill was given. */
struct zmtp_row {
    const struct zmtp_conn *conn;
    struct zmtp_diagnosis verdict;
    unsigned client; /* directions */
    unsigned server;
    bool security_roles; /* else client is who opened the TCP connection */
    const char *client_text;
    const char *server_text; /* "127.0.0.1:5555" */
    const char *version;     /* agreed: "3.1"; NULL: not known */
    const char *mechanism;   /* for people: "CURVE", "CURVE/NULL" */
    const char *sockets;     /* for people: "REQ/REP", "encrypted" */
    double ready_seconds;    /* from its first packet to the end of the handshake, -1: not known */
    struct zmtp_ending ending;
    double seconds;      /* from its first packet to the end of TCP, -1: not known */
    const char *attempt; /* "Attempt 3 from this address; ..."; NULL: nothing to say */
};
void zmtp_row_fill(wmem_allocator_t *scope, struct zmtp_row *row, const struct zmtp_conn *conn);
/* Text that peers sent, made to be UTF-8 in any case. */
const char *zmtp_row_text(wmem_allocator_t *scope, const char *text);
/* "1.5 ms"; negative: "-" */
const char *zmtp_row_seconds(wmem_allocator_t *scope, double seconds);
/* How the handshake ended, for people: "complete". */
const char *zmtp_row_handshake(enum zmtp_outcome outcome);
/* What happened, and what to check next. */
const char *zmtp_row_sentence(wmem_allocator_t *scope, const struct zmtp_row *row);
/* Instead of it where the attempt before failed in the same way; NULL: it did not. */
const char *zmtp_row_again(wmem_allocator_t *scope, const struct zmtp_row *row);
/* "" or "s", as in "2 octets" */
const char *zmtp_row_plural(uint64_t count);
const char *zmtp_row_identity(wmem_allocator_t *scope, const struct zmtp_side *side);

/* ---- TCP connections to the same servers without a single octet of ZMTP ---- */

struct zmtp_tcp_row {
    uint32_t stream;
    uint32_t first_packet;
    nstime_t begun_at;
    const char *client;
    const char *server;
    const char *state; /* for scripts: "refused", "unanswered", "silent", "not_zmtp" */
    const char *text;
    uint32_t octets[2]; /* of the client, of the server */
};

/* ---- All of them ---- */

struct zmtp_list;
/* Collects from now on; error: why it cannot (the filter is not well-formed, for example).
 * draw is called when the capture has been read. */
struct zmtp_list *zmtp_list_new(const char *filter, void (*draw)(void *list), GString **error);
/* Connections, ordered by their first packets (elements: struct zmtp_conn *). */
const GPtrArray *zmtp_list_sort(struct zmtp_list *list);
const char *zmtp_list_filter(const struct zmtp_list *list);
bool zmtp_list_has(const struct zmtp_list *list, const struct zmtp_conn *conn);
/* Seconds from the first packet of the capture. */
double zmtp_list_seconds(const struct zmtp_list *list, const nstime_t *at);
/* TCP connections without ZMTP whose server is one of the list's, ordered by their first packets
 * (elements: struct zmtp_tcp_row). */
wmem_array_t *zmtp_list_tcp(wmem_allocator_t *scope, struct zmtp_list *list);
/* What all its connections come to; free with zmtp_totals_free. */
struct zmtp_totals *zmtp_list_totals(struct zmtp_list *list);
void zmtp_totals_free(struct zmtp_totals *totals);

void zmtp_register_list(void);

/* Draw callbacks of a struct zmtp_list. */
void zmtp_draw_table(void *data);
void zmtp_draw_json(void *data);

#endif
