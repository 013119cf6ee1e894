/* tcp_facts.c - what TCP's own analysis and its tap tell of a connection: who opened it, how it
 * ended, and whether all that was sent is in the capture.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "zmtp.h"

#include <epan/to_str.h>

/* packet-tcp.c keeps these to itself: bits of tcp_flow_t.static_flags and of
 * tcp_analysis.conversation_completeness. */
#define TCP_FLOW_SAW_SYN 0x02
#define TCP_FLOW_SAW_SYNACK 0x04
#define TCP_SAW_FIN 0x10
#define TCP_SAW_RST 0x20

static const tcp_flow_t *flow_of(const struct zmtp_conn *conn, unsigned dir)
{
    return dir == 0 ? &conn->story.tcpd->flow1 : &conn->story.tcpd->flow2;
}

static bool saw_syn(const tcp_flow_t *flow)
{
    return (flow->static_flags & (TCP_FLOW_SAW_SYN | TCP_FLOW_SAW_SYNACK)) != 0;
}

bool zmtp_saw_syn(const struct tcp_analysis *tcpd)
{
    return tcpd && saw_syn(tcpd->fwd);
}

bool zmtp_saw_syn_of(const struct zmtp_conn *conn, unsigned dir)
{
    return saw_syn(flow_of(conn, dir));
}

unsigned zmtp_connector(const struct zmtp_conn *conn)
{
    for (unsigned dir = 0; dir < 2; dir++) {
        if (flow_of(conn, dir)->static_flags & TCP_FLOW_SAW_SYN)
            return dir;
        if (flow_of(conn, dir)->static_flags & TCP_FLOW_SAW_SYNACK)
            return !dir;
    }
    return conn->story.port[1] > conn->story.port[0] ? 1 : 0;
}

unsigned zmtp_client_side(const struct zmtp_conn *conn)
{
    return conn->client >= 0 ? (unsigned)conn->client : zmtp_connector(conn);
}

bool zmtp_is_ip(const address *address)
{
    return (address->type == AT_IPv4 && address->len == 4) ||
           (address->type == AT_IPv6 && address->len == 16);
}

const char *zmtp_endpoint_text(wmem_allocator_t *scope, const address *address, uint16_t port)
{
    return wmem_strdup_printf(scope, address->type == AT_IPv6 ? "[%s]:%u" : "%s:%u",
                              address_to_str(scope, address), port);
}

double zmtp_seconds_between(const nstime_t *from, const nstime_t *to)
{
    return nstime_to_sec(to) - nstime_to_sec(from);
}

/* FIN is the last octet of who closed first; else the last packet was near the end. */
static const nstime_t *end_by_analysis(const struct zmtp_conn *conn, int by)
{
    const tcp_flow_t *flow = by < 0 ? NULL : flow_of(conn, (unsigned)by);

    return flow && flow->tcp_analyze_seq_info &&
                   !nstime_is_zero(&flow->tcp_analyze_seq_info->nextseqtime)
               ? &flow->tcp_analyze_seq_info->nextseqtime
               : &conn->story.tcpd->ts_prev;
}

void zmtp_ending(const struct zmtp_conn *conn, struct zmtp_ending *ending)
{
    const struct zmtp_story *story = &conn->story;
    uint8_t seen = story->tcpd->conversation_completeness;

    memset(ending, 0, sizeof *ending);
    ending->by = -1;
    if (story->closed_packet) {
        ending->closed = true;
        ending->reset = story->reset;
        ending->by = story->closed_by;
        ending->seconds = zmtp_seconds_between(&story->last_at, &story->closed_at);
        return;
    }
    if (!(seen & (TCP_SAW_FIN | TCP_SAW_RST)))
        return;
    ending->closed = true;
    ending->reset = !(seen & TCP_SAW_FIN);
    for (int dir = 0; dir < 2; dir++) {
        if (flow_of(conn, (unsigned)dir)->closing_initiator)
            ending->by = dir;
    }
    ending->seconds = zmtp_seconds_between(&story->last_at, end_by_analysis(conn, ending->by));
}

bool zmtp_ended_at(const struct zmtp_conn *conn, nstime_t *at)
{
    const struct zmtp_story *story = &conn->story;
    struct zmtp_ending ending;

    zmtp_ending(conn, &ending);
    *at = story->closed_packet ? story->closed_at : *end_by_analysis(conn, ending.by);
    return ending.closed;
}

uint32_t zmtp_octets_sent(const struct zmtp_conn *conn, unsigned dir)
{
    const tcp_flow_t *flow = flow_of(conn, dir);
    uint32_t first = flow->base_seq + 1;
    uint32_t next;

    if (!zmtp_saw_syn_of(conn, dir) || !flow->tcp_analyze_seq_info)
        return 0;
    next = flow->tcp_analyze_seq_info->nextseq;
    if (conn->story.tcpd->conversation_completeness & TCP_SAW_FIN)
        next--; /* FIN counts as one, and nearly always both sides send it */
    return next - first < INT32_MAX ? next - first : 0;
}

bool zmtp_is_missing(const struct zmtp_conn *conn, unsigned dir)
{
    const struct zmtp_peer *peer = &conn->peer[dir];
    const tcp_flow_t *flow = flow_of(conn, dir);
    const tcp_flow_t *back = flow_of(conn, !dir);
    uint32_t sent = zmtp_octets_sent(conn, dir);

    if (conn->story.side[dir].lost)
        return true;
    if (!zmtp_saw_syn_of(conn, dir) || !flow->tcp_analyze_seq_info || !back->tcp_analyze_seq_info)
        return false;
    if (back->tcp_analyze_seq_info->lastack &&
        (int32_t)(back->tcp_analyze_seq_info->lastack - flow->tcp_analyze_seq_info->nextseq) > 0)
        return true;
    if (!peer->started || !peer->saw_start)
        return false;
    if (peer->in_greeting)
        return sent >= ZMTP_GREETING_3_LEN;
    return peer->have_next && sent > peer->next_seq - peer->start_seq + ZMTP_LONG_HEADER_LEN &&
           sent >= peer->pending_end - peer->start_seq;
}
