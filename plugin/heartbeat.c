/* heartbeat.c - PING and PONG (RFC 37): which PING was the last that anybody heard.
 *
 * What becomes of a PING is known when the connection has ended, so it is said from the second
 * visit on.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "zmtp.h"

/* A peer answers PING at once; who closes sooner has not waited for the answer.  A second PING
 * shows that one was waited for. */
#define PATIENCE 0.5
#define PATIENCE_AGAIN 0.3 /* who sends another PING has waited already */
/* Timers and networks are not exact. */
#define TTL_EARLIEST 0.9
#define TTL_LATEST 1.5
#define TTL_UNITS 10.0 /* a second */

static bool is_this(const struct zmtp_ctx *ctx, const struct zmtp_ping *ping)
{
    return ping->packet == ctx->pinfo->num && ping->seq == ctx->seq;
}

/* Frames of that side came since then. */
static bool heard_since(const struct zmtp_side *side, const nstime_t *when)
{
    return nstime_cmp(&side->last_at, when) >= 0;
}

static void remember_ping(const struct zmtp_ctx *ctx, struct zmtp_ping *ping, uint16_t ttl)
{
    ping->packet = ctx->pinfo->num;
    ping->seq = ctx->seq;
    ping->at = ctx->pinfo->abs_ts;
    ping->ttl = ttl;
}

/* The sender waited for an answer, and closed. */
static bool was_lost(const struct zmtp_conn *conn, unsigned dir, int closed_by, double seconds)
{
    const struct zmtp_side *mine = &conn->story.side[dir];
    const struct zmtp_side *others = &conn->story.side[!dir];
    bool again = mine->last_ping.packet != mine->ping.packet;
    bool patient = seconds >= (again ? PATIENCE_AGAIN : PATIENCE);

    return (closed_by < 0 || closed_by == (int)dir) && conn->peer[!dir].started &&
           !zmtp_is_missing(conn, !dir) && !heard_since(others, &mine->ping.at) && patient;
}

/* The receiver waited for something to follow, and closed. */
static bool has_expired(const struct zmtp_conn *conn, unsigned dir, int closed_by, double seconds)
{
    const struct zmtp_side *mine = &conn->story.side[dir];

    double ttl = mine->last_ping.ttl / TTL_UNITS;

    return closed_by == (int)!dir && !zmtp_is_missing(conn, dir) && ttl > 0 &&
           nstime_cmp(&mine->last_at, &mine->last_ping.at) <= 0 && seconds >= ttl * TTL_EARLIEST &&
           seconds <= ttl * TTL_LATEST + 1;
}

const struct zmtp_ping *zmtp_heartbeat_fate(const struct zmtp_conn *conn, unsigned dir,
                                            enum zmtp_finding *finding, double *seconds)
{
    const struct zmtp_side *mine = &conn->story.side[dir];
    struct zmtp_ending ending;
    nstime_t ended_at;

    if (!mine->last_ping.packet || !zmtp_ended_at(conn, &ended_at))
        return NULL;
    zmtp_ending(conn, &ending);
    if (mine->ping.packet) {
        *seconds = zmtp_seconds_between(&mine->ping.at, &ended_at);
        *finding = ZMTP_FINDING_HEARTBEAT_LOST;
        if (was_lost(conn, dir, ending.by, *seconds))
            return &mine->ping;
    }
    *seconds = zmtp_seconds_between(&mine->last_ping.at, &ended_at);
    *finding = ZMTP_FINDING_HEARTBEAT_EXPIRED;
    return has_expired(conn, dir, ending.by, *seconds) ? &mine->last_ping : NULL;
}

static void judge(struct zmtp_ctx *ctx, proto_item *item)
{
    enum zmtp_finding finding;
    double seconds;
    const struct zmtp_ping *ping = zmtp_heartbeat_fate(ctx->conn, ctx->dir, &finding, &seconds);

    if (!ping || !is_this(ctx, ping))
        return;
    if (finding == ZMTP_FINDING_HEARTBEAT_LOST)
        zmtp_find_format(ctx, item, finding,
                         "This PING was never answered, and the connection was closed %.1f s later",
                         seconds);
    else
        zmtp_find_format(ctx, item, finding,
                         "Nothing came within the TTL of this PING, and its receiver closed the "
                         "connection %.1f s later",
                         seconds);
}

void zmtp_ping_seen(struct zmtp_ctx *ctx, proto_item *item, uint16_t ttl)
{
    struct zmtp_side *mine = zmtp_side(ctx);

    if (!ctx->first_pass) {
        judge(ctx, item);
        return;
    }
    remember_ping(ctx, &mine->last_ping, ttl);
    if (mine->ping.packet == 0 || heard_since(&ctx->conn->story.side[!ctx->dir], &mine->ping.at))
        remember_ping(ctx, &mine->ping, ttl);
}

void zmtp_pong_seen(struct zmtp_ctx *ctx)
{
    if (ctx->first_pass)
        ctx->conn->story.side[!ctx->dir].ping.packet = 0;
}
