/* place.c - where in a TCP stream the next ZMTP frame begins.
 *
 * Frames carry nothing that marks where they begin, so the place is counted: each side's state
 * holds the sequence number of its next frame.  Data that begin elsewhere belong to an earlier
 * frame, or follow a gap; then the next frame is found where that can be proven (the end of a frame
 * whose header was seen, a MESSAGE that names itself) or is very likely (the segment holds exactly
 * whole frames), and else the data have no place.
 *
 * All this happens in the first pass.  Memos keep what a later visit could not tell.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "zmtp.h"

/* ---- Where we are in the stream ---- */

unsigned zmtp_direction(const struct tcp_analysis *tcpd)
{
    return tcpd && tcpd->fwd == &tcpd->flow2 ? 1 : 0;
}

bool zmtp_at_stream_start(const struct tcp_analysis *tcpd, const struct tcpinfo *tcpinfo)
{
    /* Relative or absolute sequence numbers, as the user set in TCP's preferences. */
    return tcpd && (tcpinfo->seq == 1 || tcpinfo->seq == tcpd->fwd->base_seq + 1);
}

static int32_t distance(uint32_t from, uint32_t to)
{
    return (int32_t)(to - from);
}

/* ---- Where the first frame begins ---- */

/* Find a frame in data that do not begin where the last frame ended. */
static int32_t resynchronise(struct zmtp_ctx *ctx)
{
    const struct zmtp_mechanism *mechanism = NULL;
    int found = zmtp_find_protected(ctx->tvb, 0, &mechanism);

    ctx->part = -1;
    if (found >= 0) {
        zmtp_learn_mechanism(ctx, mechanism);
        return found;
    }
    mechanism = zmtp_conn_mechanism(ctx);
    if (mechanism->protects && mechanism->protects(ctx) && ctx->conn->settled.packet)
        return ZMTP_NO_BOUNDARY;
    return zmtp_frames_plausible(ctx->tvb, 0, zmtp_conn_unversioned(ctx)) ? 0 : ZMTP_NO_BOUNDARY;
}

static void begin_unversioned(struct zmtp_ctx *ctx)
{
    ctx->peer->unversioned = true;
    ctx->peer->version = ZMTP_1_0;
    ctx->peer->version_frame = ctx->pinfo->num;
}

/* Whether the octets can open a ZMTP 1.0 stream: a frame whose flags are 00 or 01 (RFC 13). */
static bool can_begin_1_0(tvbuff_t *tvb)
{
    struct zmtp_header header;

    return !zmtp_frame_header(tvb, 0, true, &header) ||
           (tvb_get_uint8(tvb, 0) != 0 && (header.flags & ~ZMTP_FLAG_MORE) == 0);
}

/* A ZMTP 1.0 peer opens with one frame, its identity, and waits. */
static bool is_identity_1_0(tvbuff_t *tvb)
{
    return tvb_captured_length(tvb) >= 2 && tvb_get_uint8(tvb, 0) == tvb_reported_length(tvb) - 1 &&
           tvb_get_uint8(tvb, 1) == 0;
}

/* The stream begins here, and not as ZMTP does: what others begin with. */
static void note_foreign(struct zmtp_ctx *ctx)
{
    static const struct {
        const char *octets;
        size_t len;
        const char *name;
    } others[] = {
        {"HTTP/", 5, "an HTTP answer"},
        {"GET ", 4, "an HTTP request"},
        {"POST ", 5, "an HTTP request"},
        {"HEAD ", 5, "an HTTP request"},
        {"\x16\x03", 2, "TLS"},
        {"\x15\x03", 2, "a TLS alert"},
        {"<!DOCTYPE", 9, "a web page"},
        {"<html", 5, "a web page"},
        {"SSH-", 4, "SSH"},
    };
    struct zmtp_side *side = zmtp_side(ctx);

    side->foreign = true;
    for (size_t i = 0; i < array_length(others); i++) {
        if (tvb_captured_length(ctx->tvb) >= others[i].len &&
            tvb_memeql(ctx->tvb, 0, (const uint8_t *)others[i].octets, others[i].len) == 0)
            side->looks_like = others[i].name;
    }
}

/* The first data of one side. */
static struct zmtp_start first_data(struct zmtp_ctx *ctx, bool at_start, bool saw_syn)
{
    struct zmtp_peer *peer = ctx->peer;
    struct zmtp_start start = {0, false};
    bool versioned_side = ctx->other->signature_seen && !ctx->other->unversioned;

    peer->started = true;
    peer->start_seq = ctx->tvb_seq;
    if (zmtp_looks_like_signature(ctx->tvb) != ZMTP_NO) {
        peer->saw_start = peer->in_greeting = true;
        return start;
    }
    if (at_start && can_begin_1_0(ctx->tvb) &&
        (saw_syn || (!versioned_side && is_identity_1_0(ctx->tvb)))) {
        peer->saw_start = true;
        begin_unversioned(ctx);
        return start;
    }
    if (at_start && saw_syn)
        note_foreign(ctx);
    start.gap = true;
    start.boundary = resynchronise(ctx);
    if (start.boundary == ZMTP_NO_BOUNDARY && !versioned_side &&
        zmtp_frames_plausible(ctx->tvb, 0, true)) {
        begin_unversioned(ctx);
        start.boundary = 0;
    }
    return start;
}

/* First pass: compare with where the next frame was expected. */
static struct zmtp_start locate(struct zmtp_ctx *ctx, bool at_start, bool saw_syn)
{
    struct zmtp_peer *peer = ctx->peer;
    int32_t len = (int32_t)tvb_reported_length(ctx->tvb);
    struct zmtp_start start = {0, false};
    int32_t ahead;

    if (!peer->started)
        return first_data(ctx, at_start, saw_syn);
    if (!peer->have_next) { /* earlier data had no place; look again */
        start.gap = true;
        start.boundary = resynchronise(ctx);
        return start;
    }
    ahead = distance(ctx->tvb_seq, peer->next_seq);
    if (ahead == 0)
        return start;
    if (ahead > 0) { /* the rest of an earlier frame, or octets seen before */
        start.boundary = MIN(ahead, len);
        return start;
    }
    start.gap = true;
    if (peer->in_greeting && zmtp_greeting_resumes(ctx))
        return start;
    peer->in_greeting = false;
    ahead = distance(ctx->tvb_seq, peer->pending_end);
    if (ahead >= 0 && peer->pending_end != peer->next_seq) {
        ctx->part = -1;
        start.boundary = MIN(ahead, len); /* the lost data were within one frame */
    } else {
        start.boundary = resynchronise(ctx);
    }
    return start;
}

static struct zmtp_start recall(const struct zmtp_ctx *ctx)
{
    struct zmtp_start start = {0, false};

    if (zmtp_memo_get(ctx->pinfo, ZMTP_MEMO_GAP, ctx->tvb_seq, &start.boundary))
        start.gap = true;
    else
        zmtp_memo_get(ctx->pinfo, ZMTP_MEMO_CONTINUED, ctx->tvb_seq, &start.boundary);
    return start;
}

/* A signature where frames were expected opens another connection on the same four-tuple: 0xff is
 * no flags octet. */
static bool begins_anew(const struct zmtp_ctx *ctx)
{
    const struct zmtp_peer *peer = ctx->peer;
    /* Right behind the last frame it is the same TCP connection, and no ZMTP. */
    bool old_data = peer->have_next && distance(peer->start_seq, ctx->tvb_seq) >= 0 &&
                    distance(ctx->tvb_seq, peer->next_seq) >= 0;

    return peer->started && !old_data && ctx->tvb_seq != peer->start_seq &&
           tvb_captured_length(ctx->tvb) >= ZMTP_SIGNATURE_LEN &&
           zmtp_looks_like_signature(ctx->tvb) == ZMTP_YES;
}

struct zmtp_start zmtp_place_first_frame(struct zmtp_ctx *ctx, conversation_t *conversation,
                                         const struct tcp_analysis *tcpd,
                                         const struct tcpinfo *tcpinfo)
{
    struct zmtp_start start;

    if (!ctx->first_pass) {
        start = recall(ctx);
        zmtp_memo_get(ctx->pinfo, ZMTP_MEMO_PART, ctx->tvb_seq, &ctx->part);
        return start;
    }
    if (begins_anew(ctx))
        zmtp_use_conn(ctx, zmtp_conn_new(conversation, ctx->pinfo));
    ctx->part = ctx->peer->part;
    start = locate(ctx, zmtp_at_stream_start(tcpd, tcpinfo), zmtp_saw_syn(tcpd));
    if (start.gap || start.boundary != 0)
        zmtp_memo_put(ctx->pinfo, start.gap ? ZMTP_MEMO_GAP : ZMTP_MEMO_CONTINUED, ctx->tvb_seq,
                      start.boundary);
    if (ctx->part != 0)
        zmtp_memo_put(ctx->pinfo, ZMTP_MEMO_PART, ctx->tvb_seq, ctx->part);
    return start;
}
