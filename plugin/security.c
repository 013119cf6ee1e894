/* security.c - what a session lacks or weakens, said on the frame with which it begins; and frames
 * that nobody sends in a handshake.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "zmtp.h"

/* No command of a handshake is larger, but for Kerberos tickets, which grow with the user's groups:
 * Windows limits them to 65535 octets. */
#define LARGE_FRAME 8192
#define LARGE_TOKEN 65536

#define IPV4_LOOPBACK 127
#define REVISION_3_0 3 /* the octet that is 1 in the greeting of ZMTP 2.0 */

/* ---- Addresses ---- */

static bool is_loopback(const address *address)
{
    static const uint8_t mapped[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    const uint8_t *octets = (const uint8_t *)address->data;

    if (address->type == AT_IPv4)
        return octets[0] == IPV4_LOOPBACK;
    if (memcmp(octets, mapped, sizeof mapped) == 0)
        return octets[sizeof mapped] == IPV4_LOOPBACK;
    return zmtp_all_zero(octets, 15) && octets[15] == 1;
}

bool zmtp_on_network(const struct zmtp_ctx *ctx)
{
    const address *source = &ctx->pinfo->src;
    const address *target = &ctx->pinfo->dst;

    return zmtp_is_ip(source) && zmtp_is_ip(target) && !is_loopback(source) &&
           !is_loopback(target) && !addresses_equal(source, target);
}

/* ---- Mechanisms ---- */

static bool is_old(enum zmtp_version version)
{
    return version == ZMTP_1_0 || version == ZMTP_2_0;
}

static bool greeted_with_null(const struct zmtp_ctx *ctx, const struct zmtp_peer *peer)
{
    return peer->mechanism == &zmtp_mechanism_null && peer->version_frame &&
           peer->version_frame <= ctx->pinfo->num;
}

bool zmtp_is_unsecured(const struct zmtp_ctx *ctx)
{
    return is_old(zmtp_conn_version(ctx)) ||
           (zmtp_conn_mechanism(ctx) == &zmtp_mechanism_null &&
            (greeted_with_null(ctx, ctx->peer) || greeted_with_null(ctx, ctx->other)));
}

/* "A NULL session", and the like. */
static const char *session_name(const struct zmtp_ctx *ctx)
{
    enum zmtp_version version = zmtp_conn_version(ctx);

    if (is_old(version))
        return version == ZMTP_1_0 ? "ZMTP 1.0" : "ZMTP 2.0";
    return zmtp_conn_mechanism(ctx)->name;
}

static const char *mechanism_name(const struct zmtp_conn *conn)
{
    for (unsigned dir = 0; dir < 2; dir++) {
        if (conn->peer[dir].mechanism)
            return conn->peer[dir].mechanism->name;
    }
    return conn->guessed ? conn->guessed->name : "NULL";
}

/* ---- A session begins ---- */

/* First pass: whether the server port had better security before. */
static void compare_with_earlier(struct zmtp_ctx *ctx)
{
    static const uint8_t plain[] = {'P'};
    struct zmtp_conn *conn = ctx->conn;
    const struct zmtp_mechanism *mechanism = zmtp_conn_mechanism(ctx);
    bool old = is_old(zmtp_conn_version(ctx));
    struct zmtp_conn **secured =
        (struct zmtp_conn **)zmtp_common(ZMTP_COMMON_SECURED, conn, NULL, 0);
    struct zmtp_conn **authenticated =
        (struct zmtp_conn **)zmtp_common(ZMTP_COMMON_SECURED, conn, plain, sizeof plain);

    if (!old && (mechanism == &zmtp_mechanism_curve || mechanism == &zmtp_mechanism_gssapi)) {
        if (!*secured)
            *secured = conn;
    } else if (!old && mechanism == &zmtp_mechanism_plain) {
        conn->story.unsecured_after = *secured;
        if (!*authenticated)
            *authenticated = conn;
    } else if (zmtp_is_unsecured(ctx)) {
        conn->story.unsecured_after = *secured ? *secured : *authenticated;
    }
}

static void check_earlier(struct zmtp_ctx *ctx)
{
    const struct zmtp_conn *before;

    if (ctx->first_pass)
        compare_with_earlier(ctx);
    before = ctx->conn->story.unsecured_after;
    if (before)
        zmtp_find_format(ctx, NULL, ZMTP_FINDING_UNSECURED_SESSION,
                         "%s on a server port where %s was used before (frame %u, TCP stream %u; "
                         "CVE-2014-7202)",
                         session_name(ctx), mechanism_name(before), before->settled.packet,
                         before->story.tcpd->stream);
}

/* Whether this side speaks more than the version in use. */
static bool could_more(const struct zmtp_peer *peer, enum zmtp_version used)
{
    if (peer->unversioned || !peer->signature_seen)
        return false;
    return used == ZMTP_1_0 || (peer->revision >= REVISION_3_0 && peer->revision != 0xff);
}

static void check_version(struct zmtp_ctx *ctx)
{
    enum zmtp_version version = zmtp_conn_version(ctx);

    bool lowered =
        is_old(version) && (could_more(ctx->peer, version) || could_more(ctx->other, version));

    if (zmtp_remember_finding(ctx, ZMTP_FINDING_DOWNGRADE, lowered))
        zmtp_find_format(ctx, NULL, ZMTP_FINDING_DOWNGRADE,
                         "%s is used although one side speaks a later version, because of the "
                         "other",
                         session_name(ctx));
}

/* ---- Identities ---- */

static bool is_router(const struct zmtp_conn *conn, unsigned dir)
{
    const char *type = conn->peer[dir].socket_type;

    return type && strcmp(type, "ROUTER") == 0;
}

/* First pass: look for a peer of the same ROUTER that has the same Identity now.  Only the side
 * that listens is known to be the same ROUTER by its port. */
static void compare_identities(struct zmtp_ctx *ctx)
{
    struct zmtp_conn *conn = ctx->conn;
    unsigned dir = zmtp_connector(conn);
    const struct zmtp_side *side = &conn->story.side[dir];
    const struct zmtp_conn *before;
    struct zmtp_ending ending;
    struct zmtp_conn **latest;

    if (!is_router(conn, !dir) || !side->identity || side->identity_len == 0)
        return;
    latest = (struct zmtp_conn **)zmtp_common(ZMTP_COMMON_IDENTITY, conn, side->identity,
                                              side->identity_len);
    before = *latest;
    *latest = conn;
    if (!before || before->story.side[0].lost || before->story.side[1].lost)
        return;
    zmtp_ending(before, &ending);
    /* From the same port it is the same client again: its old connection has ended. */
    if (!ending.closed && before->story.port[zmtp_connector(before)] != conn->story.port[dir])
        conn->story.identity_of = before;
}

/* Which sides lack an Identity where both are ROUTER: bits by direction. */
static int32_t missing_identities(const struct zmtp_conn *conn)
{
    const struct zmtp_side *side = conn->story.side;

    if (!is_router(conn, 0) || !is_router(conn, 1))
        return 0;
    return (side[0].identity && side[0].identity_len ? 0 : 1) |
           (side[1].identity && side[1].identity_len ? 0 : 2);
}

static void check_identities(struct zmtp_ctx *ctx)
{
    const struct zmtp_conn *conn = ctx->conn;
    const struct zmtp_conn *before;
    int32_t missing;

    if (ctx->first_pass)
        compare_identities(ctx);
    before = conn->story.identity_of;
    if (before)
        zmtp_find_format(
            ctx, NULL, ZMTP_FINDING_IDENTITY_REPEATED,
            "This Identity is in use on TCP stream %u (frame %u) too, whose end was not seen: this "
            "ROUTER hears only one of them",
            before->story.tcpd->stream, before->story.first_packet);
    missing = zmtp_remember_finding(ctx, ZMTP_FINDING_IDENTITY_MISSING, missing_identities(conn));
    for (unsigned dir = 0; dir < 2; dir++) {
        if (missing & 1 << dir)
            zmtp_find_format(ctx, NULL, ZMTP_FINDING_IDENTITY_MISSING,
                             "The ROUTER that %s has no Identity, and the other side is a ROUTER "
                             "too",
                             dir == zmtp_connector(conn) ? "connects" : "listens");
    }
}

/* ---- When ---- */

/* A ZMTP 1.0 peer's first frame may not have been ours to dissect yet (detect.c). */
static bool is_proven_old(const struct zmtp_peer *a, const struct zmtp_peer *b)
{
    return a->saw_start && (b->saw_start || b->unversioned);
}

static bool begins_here(struct zmtp_ctx *ctx)
{
    struct zmtp_conn *conn = ctx->conn;

    if (!is_old(zmtp_conn_version(ctx)))
        return zmtp_handshake_complete(conn) && zmtp_moment_has_come(ctx, &conn->settled) &&
               !zmtp_moment_is_past(ctx, &conn->settled);
    if (ctx->first_pass && (conn->first_message.packet || !(is_proven_old(ctx->peer, ctx->other) ||
                                                            is_proven_old(ctx->other, ctx->peer))))
        return false;
    return zmtp_moment_keep(ctx, &conn->first_message);
}

void zmtp_check_session(struct zmtp_ctx *ctx)
{
    if (!begins_here(ctx))
        return;
    check_earlier(ctx);
    check_version(ctx);
    check_identities(ctx);
    if (zmtp_is_unsecured(ctx) && zmtp_on_network(ctx))
        zmtp_find_format(ctx, NULL, ZMTP_FINDING_NULL_ON_NETWORK,
                         "A session without authentication or encryption (%s), between two "
                         "machines",
                         session_name(ctx));
}

/* ---- Large frames ---- */

/* Whether the sender may have seen the end of the handshake, although its last command is not
 * before this frame in the capture: packets of two directions can change places. */
static bool may_be_done(const struct zmtp_ctx *ctx, const struct zmtp_mechanism *mechanism,
                        bool command)
{
    unsigned said = ctx->conn->story.side[ctx->dir].said;

    if (mechanism == &zmtp_mechanism_null || mechanism == &zmtp_mechanism_gssapi)
        return (said & ZMTP_SAID_READY) != 0;
    return (said & ZMTP_SAID_INITIATE) && !command;
}

static bool is_large(const struct zmtp_ctx *ctx, const struct zmtp_header *header)
{
    const struct zmtp_conn *conn = ctx->conn;
    const struct zmtp_mechanism *mechanism = ctx->peer->mechanism;
    uint64_t limit = mechanism == &zmtp_mechanism_gssapi ? LARGE_TOKEN : LARGE_FRAME;

    return header->body_len > limit && zmtp_conn_version(ctx) >= ZMTP_3_0 && mechanism &&
           ctx->peer->saw_start && ctx->other->saw_start && !ctx->gap && !conn->settled.packet &&
           !conn->story.side[0].lost && !conn->story.side[1].lost &&
           !may_be_done(ctx, mechanism, (header->flags & ZMTP_FLAG_COMMAND) != 0);
}

void zmtp_check_header(struct zmtp_ctx *ctx, const struct zmtp_header *header)
{
    struct zmtp_side *side = zmtp_side(ctx);

    if (ctx->first_pass && !side->large_before_ready && is_large(ctx, header)) {
        side->large_before_ready = header->body_len;
        side->large_seq = ctx->seq;
    }
}

void zmtp_show_large(struct zmtp_ctx *ctx, proto_item *item, const struct zmtp_header *header)
{
    const struct zmtp_side *side = zmtp_side(ctx);
    bool here = ctx->first_pass && side->large_seq == ctx->seq;

    if (side->large_before_ready &&
        zmtp_remember_finding(ctx, ZMTP_FINDING_LARGE_BEFORE_READY, here))
        zmtp_find_format(ctx, item, ZMTP_FINDING_LARGE_BEFORE_READY,
                         "A large frame, %" PRIu64 " octets, before the handshake has ended",
                         header->body_len);
}
