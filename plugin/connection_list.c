/* connection_list.c - collects the connections of a capture, and the TCP connections beside them
 * that hold no ZMTP at all.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "connections.h"

#include <epan/tap.h>

/* TCP connections of which the list remembers something: 90 octets each. */
#define MAX_TCP_STREAMS 1000000

#define MAX_ADDRESS_LEN 16

struct endpoint {
    uint8_t octets[MAX_ADDRESS_LEN];
    uint16_t port;
    uint8_t len;
    bool is_ip6;
};

/* One TCP connection.  Index 0 is who sent its first packet. */
struct tcp_stream {
    uint32_t first_packet; /* 0: not seen */
    nstime_t begun_at;
    uint32_t first_seq[2];
    uint32_t octets[2];
    struct endpoint end[2];
    bool started[2];
    bool syn[2];
    bool syn_ack[2];
    bool reset[2];
};

struct zmtp_list {
    uint32_t file; /* which capture file it is about */
    char *filter;
    GPtrArray *conns;
    GHashTable *seen; /* the same, to find them */
    const struct zmtp_conn *latest;
    GArray *streams; /* struct tcp_stream by TCP stream number */
    nstime_t start;  /* of the capture: its first packet */
};

/* ---- Capture files ---- */

/* Counts them: what hangs on a capture file is gone when it is closed. */
static uint32_t current_file;

static void on_file_end(void)
{
    current_file++;
}

static void empty(struct zmtp_list *list)
{
    g_ptr_array_set_size(list->conns, 0);
    g_hash_table_remove_all(list->seen);
    g_array_set_size(list->streams, 0);
    list->latest = NULL;
    list->file = current_file;
}

static void on_reset(void *data)
{
    empty((struct zmtp_list *)data);
}

static void look_at_file(struct zmtp_list *list)
{
    if (list->file != current_file)
        empty(list);
}

/* ---- Connections ---- */

static tap_packet_status on_zmtp(void *data, packet_info *pinfo, epan_dissect_t *edt _U_,
                                 const void *tapped, tap_flags_t flags _U_)
{
    struct zmtp_list *list = (struct zmtp_list *)data;
    struct zmtp_conn *conn = ((const struct zmtp_tap *)tapped)->conn;

    look_at_file(list);
    nstime_delta(&list->start, &pinfo->abs_ts, &pinfo->rel_ts);
    if (conn == list->latest)
        return TAP_PACKET_REDRAW;
    list->latest = conn;
    if (g_hash_table_add(list->seen, conn))
        g_ptr_array_add(list->conns, conn);
    return TAP_PACKET_REDRAW;
}

static int compare(const void *a, const void *b)
{
    const struct zmtp_conn *one = *(const struct zmtp_conn *const *)a;
    const struct zmtp_conn *two = *(const struct zmtp_conn *const *)b;

    if (one->story.first_packet != two->story.first_packet)
        return one->story.first_packet < two->story.first_packet ? -1 : 1;
    return one->story.tcpd->stream < two->story.tcpd->stream ? -1 : 1;
}

const GPtrArray *zmtp_list_sort(struct zmtp_list *list)
{
    look_at_file(list);
    g_ptr_array_sort(list->conns, compare);
    return list->conns;
}

const char *zmtp_list_filter(const struct zmtp_list *list)
{
    return list->filter;
}

bool zmtp_list_has(const struct zmtp_list *list, const struct zmtp_conn *conn)
{
    return g_hash_table_contains(list->seen, conn);
}

double zmtp_list_seconds(const struct zmtp_list *list, const nstime_t *at)
{
    nstime_t since;

    nstime_delta(&since, at, &list->start);
    return nstime_to_sec(&since);
}

struct zmtp_totals *zmtp_list_totals(struct zmtp_list *list)
{
    struct zmtp_totals *totals = g_new0(struct zmtp_totals, 1);
    wmem_allocator_t *scope = wmem_allocator_new(WMEM_ALLOCATOR_SIMPLE);

    look_at_file(list);
    totals->findings = g_new0(uint64_t, ZMTP_FINDINGS);
    for (unsigned i = 0; i < list->conns->len; i++) {
        const struct zmtp_conn *conn = (const struct zmtp_conn *)g_ptr_array_index(list->conns, i);
        struct zmtp_diagnosis verdict;

        zmtp_diagnose(scope, conn, &verdict);
        totals->connections++;
        totals->outcomes[verdict.outcome]++;
        if (verdict.finding != ZMTP_NO_FINDING)
            totals->findings[verdict.finding]++;
        totals->mechanisms[zmtp_mechanism_of(conn)]++;
        zmtp_totals_add_side(totals, &conn->story.side[0]);
        zmtp_totals_add_side(totals, &conn->story.side[1]);
        wmem_free_all(scope);
    }
    wmem_destroy_allocator(scope);
    return totals;
}

void zmtp_totals_free(struct zmtp_totals *totals)
{
    g_free(totals->findings);
    g_free(totals);
}

/* ---- TCP connections ---- */

static void set_endpoint(struct endpoint *end, const address *from, uint32_t port)
{
    end->len = (uint8_t)from->len;
    memcpy(end->octets, from->data, end->len);
    end->port = (uint16_t)port;
    end->is_ip6 = from->type == AT_IPv6;
}

static bool is_endpoint(const struct endpoint *end, const address *of, uint32_t port)
{
    return end->port == port && end->len == of->len && memcmp(end->octets, of->data, end->len) == 0;
}

/* NULL: the list does not remember it.  The addresses are TCP's: what is in it may have others. */
static struct tcp_stream *stream_of(struct zmtp_list *list, const packet_info *pinfo,
                                    const tcp_info_t *tcp)
{
    uint32_t number = tcp->th_stream;
    struct tcp_stream *stream;

    if (number >= MAX_TCP_STREAMS || !zmtp_is_ip(&tcp->ip_src) || !zmtp_is_ip(&tcp->ip_dst))
        return NULL;
    if (number >= list->streams->len)
        g_array_set_size(list->streams, number + 1);
    stream = &g_array_index(list->streams, struct tcp_stream, number);
    if (!stream->first_packet) {
        stream->first_packet = pinfo->num;
        stream->begun_at = pinfo->abs_ts;
        set_endpoint(&stream->end[0], &tcp->ip_src, tcp->th_sport);
        set_endpoint(&stream->end[1], &tcp->ip_dst, tcp->th_dport);
    }
    return stream;
}

/* How far the data reach that a side has sent: what came twice counts once. */
static void count_octets(struct tcp_stream *stream, unsigned dir, const tcp_info_t *tcp)
{
    bool syn = (tcp->th_flags & TH_SYN) != 0;
    uint32_t from = tcp->th_rawseq + (syn ? 1 : 0);
    uint32_t reached;

    if (!stream->started[dir]) {
        stream->started[dir] = true;
        stream->first_seq[dir] = from;
    }
    if (!tcp->th_have_seglen || tcp->th_seglen == 0 || syn)
        return;
    reached = from + tcp->th_seglen - stream->first_seq[dir];
    if (reached < INT32_MAX && reached > stream->octets[dir])
        stream->octets[dir] = reached;
}

static tap_packet_status on_tcp(void *data, packet_info *pinfo, epan_dissect_t *edt _U_,
                                const void *tapped, tap_flags_t flags _U_)
{
    struct zmtp_list *list = *(struct zmtp_list **)data;
    const tcp_info_t *tcp = (const tcp_info_t *)tapped;
    struct tcp_stream *stream;
    unsigned dir;

    look_at_file(list);
    stream = stream_of(list, pinfo, tcp);
    if (!stream)
        return TAP_PACKET_DONT_REDRAW;
    dir = is_endpoint(&stream->end[0], &tcp->ip_src, tcp->th_sport) ? 0 : 1;
    if (tcp->th_flags & TH_SYN) {
        if (tcp->th_flags & TH_ACK)
            stream->syn_ack[dir] = true;
        else
            stream->syn[dir] = true;
    }
    if (tcp->th_flags & TH_RST)
        stream->reset[dir] = true;
    count_octets(stream, dir, tcp);
    return TAP_PACKET_DONT_REDRAW;
}

/* A text that only the same endpoint has. */
static char *endpoint_key(const uint8_t *octets, unsigned len, uint16_t port)
{
    GString *key = g_string_new(NULL);

    for (unsigned i = 0; i < len; i++)
        g_string_append_printf(key, "%02x", octets[i]);
    g_string_append_printf(key, ":%u", port);
    return g_string_free(key, FALSE);
}

static GHashTable *servers_of(const struct zmtp_list *list)
{
    GHashTable *servers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    for (unsigned i = 0; i < list->conns->len; i++) {
        const struct zmtp_conn *conn = (const struct zmtp_conn *)g_ptr_array_index(list->conns, i);
        unsigned dir = !zmtp_connector(conn);
        const address *server = &conn->story.address[dir];

        g_hash_table_add(servers, endpoint_key((const uint8_t *)server->data, (unsigned)server->len,
                                               conn->story.port[dir]));
    }
    return servers;
}

static bool is_server(GHashTable *servers, const struct endpoint *end)
{
    char *key = endpoint_key(end->octets, end->len, end->port);
    bool found = g_hash_table_contains(servers, key);

    g_free(key);
    return found;
}

/* Which end is a server of ZMTP connections; -1: none. */
static int server_end(GHashTable *servers, const struct tcp_stream *stream)
{
    if (stream->syn[0] || stream->syn_ack[1])
        return is_server(servers, &stream->end[1]) ? 1 : -1;
    if (stream->syn_ack[0])
        return is_server(servers, &stream->end[0]) ? 0 : -1;
    if (is_server(servers, &stream->end[1]))
        return 1;
    return is_server(servers, &stream->end[0]) ? 0 : -1;
}

static const char *endpoint_text(wmem_allocator_t *scope, const struct endpoint *end)
{
    address shown;

    set_address(&shown, end->is_ip6 ? AT_IPv6 : AT_IPv4, end->len, end->octets);
    return zmtp_endpoint_text(scope, &shown, end->port);
}

static void tell_state(wmem_allocator_t *scope, const struct tcp_stream *stream, unsigned server,
                       struct zmtp_tcp_row *row)
{
    uint32_t octets = row->octets[0] + row->octets[1];

    if (octets) {
        row->state = "not_zmtp";
        row->text = wmem_strdup_printf(
            scope,
            "%u octet%s from the client and %u from the server, which were not taken for ZMTP. If "
            "they are: -d tcp.port==%u,zmtp",
            row->octets[0], zmtp_row_plural(row->octets[0]), row->octets[1],
            stream->end[server].port);
    } else if (stream->syn[!server] && !stream->syn_ack[server] && stream->reset[server]) {
        row->state = "refused";
        row->text = "TCP was refused: nothing listened at this port then";
    } else if (stream->syn[!server] && !stream->syn_ack[server]) {
        row->state = "unanswered";
        row->text = "TCP's SYN was not answered";
    } else {
        row->state = "silent";
        row->text = "No octet was ever sent";
    }
}

/* The TCP streams that ZMTP connections are in. */
static GHashTable *streams_of(const struct zmtp_list *list)
{
    GHashTable *streams = g_hash_table_new(g_direct_hash, g_direct_equal);

    for (unsigned i = 0; i < list->conns->len; i++) {
        const struct zmtp_conn *conn = (const struct zmtp_conn *)g_ptr_array_index(list->conns, i);

        g_hash_table_add(streams, GUINT_TO_POINTER(conn->story.tcpd->stream));
    }
    return streams;
}

/* Wireshark numbers TCP streams in the order of their first packets. */
wmem_array_t *zmtp_list_tcp(wmem_allocator_t *scope, struct zmtp_list *list)
{
    wmem_array_t *rows = wmem_array_new(scope, sizeof(struct zmtp_tcp_row));
    GHashTable *servers;
    GHashTable *streams;

    look_at_file(list);
    servers = servers_of(list);
    streams = streams_of(list);
    for (unsigned i = 0; i < list->streams->len; i++) {
        const struct tcp_stream *stream = &g_array_index(list->streams, struct tcp_stream, i);
        struct zmtp_tcp_row row = {
            .stream = i, .first_packet = stream->first_packet, .begun_at = stream->begun_at};
        int server;

        if (!stream->first_packet || g_hash_table_contains(streams, GUINT_TO_POINTER(i)))
            continue;
        server = server_end(servers, stream);
        if (server < 0)
            continue;
        row.client = endpoint_text(scope, &stream->end[!server]);
        row.server = endpoint_text(scope, &stream->end[server]);
        row.octets[0] = stream->octets[!server];
        row.octets[1] = stream->octets[server];
        tell_state(scope, stream, (unsigned)server, &row);
        wmem_array_append_one(rows, row);
    }
    g_hash_table_destroy(servers);
    g_hash_table_destroy(streams);
    return rows;
}

/* ---- The list ---- */

static void free_list(void *data)
{
    struct zmtp_list *list = (struct zmtp_list *)data;

    g_ptr_array_free(list->conns, TRUE);
    g_hash_table_destroy(list->seen);
    g_array_free(list->streams, TRUE);
    g_free(list->filter);
    g_free(list);
}

struct zmtp_list *zmtp_list_new(const char *filter, void (*draw)(void *list), GString **error)
{
    struct zmtp_list *list = g_new0(struct zmtp_list, 1);
    struct zmtp_list **for_tcp;

    list->filter = g_strdup(filter);
    list->conns = g_ptr_array_new();
    list->seen = g_hash_table_new(g_direct_hash, g_direct_equal);
    list->streams = g_array_new(FALSE, TRUE, sizeof(struct tcp_stream));
    list->file = current_file;
    *error = register_tap_listener("zmtp", list, filter, TL_REQUIRES_NOTHING, on_reset, on_zmtp,
                                   draw, free_list);
    if (!*error && !filter) { /* a filter chooses ZMTP frames, of which these have none */
        for_tcp = g_new(struct zmtp_list *, 1);
        *for_tcp = list;
        *error = register_tap_listener("tcp", for_tcp, NULL, TL_REQUIRES_NOTHING, NULL, on_tcp,
                                       NULL, g_free);
    }
    return list;
}

void zmtp_register_list(void)
{
    register_cleanup_routine(on_file_end);
}
