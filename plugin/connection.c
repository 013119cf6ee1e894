/* connection.c - what is remembered of a ZMTP connection, and memos for single packets.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "zmtp.h"

#include <epan/proto_data.h>
#include <wsutil/wmem/wmem_user_cb.h>

/* ---- Connections ---- */

struct zmtp_conn_state {
    struct zmtp_conn_state *next;
    const struct zmtp_mechanism *mechanism;
    void (*free_state)(void *state);
    void *state;
};

static zmtp_bool on_file_closed(wmem_allocator_t *scope _U_, wmem_cb_event_t event _U_,
                                void *user_data)
{
    struct zmtp_conn_state *entry = (struct zmtp_conn_state *)user_data;

    entry->free_state(entry->state);
    return ZMTP_FALSE;
}

void *zmtp_conn_state(struct zmtp_conn *conn, const struct zmtp_mechanism *mechanism, size_t size,
                      void (*free_state)(void *state))
{
    struct zmtp_conn_state *entry = conn->states;

    while (entry && entry->mechanism != mechanism)
        entry = entry->next;
    if (!entry) {
        entry = wmem_new(wmem_file_scope(), struct zmtp_conn_state);
        entry->next = conn->states;
        entry->mechanism = mechanism;
        entry->free_state = free_state;
        entry->state = wmem_alloc0(wmem_file_scope(), size);
        conn->states = entry;
        if (free_state)
            wmem_register_callback(wmem_file_scope(), on_file_closed, entry);
    }
    return entry->state;
}

/* Connections of one TCP conversation, by the number of the packet that began each: several follow
 * each other where a capture lacks the SYN between them. */
static wmem_tree_t *conn_tree(conversation_t *conversation)
{
    wmem_tree_t *tree = (wmem_tree_t *)conversation_get_proto_data(conversation, zmtp_proto);

    if (!tree) {
        tree = wmem_tree_new(wmem_file_scope());
        conversation_add_proto_data(conversation, zmtp_proto, tree);
    }
    return tree;
}

struct zmtp_conn *zmtp_conn_new(conversation_t *conversation, packet_info *pinfo)
{
    struct zmtp_conn *conn = wmem_new0(wmem_file_scope(), struct zmtp_conn);

    conn->client = -1;
    for (int dir = 0; dir < 2; dir++)
        conn->peer[dir].revision = 0xff;
    zmtp_begin_story(conn, conversation, pinfo);
    wmem_tree_insert32(conn_tree(conversation), pinfo->num, conn);
    return conn;
}

struct zmtp_conn *zmtp_conn_find(conversation_t *conversation, const packet_info *pinfo)
{
    wmem_tree_t *tree = (wmem_tree_t *)conversation_get_proto_data(conversation, zmtp_proto);

    return tree ? (struct zmtp_conn *)wmem_tree_lookup32_le(tree, pinfo->num) : NULL;
}

struct zmtp_conn *zmtp_conn_get(conversation_t *conversation, packet_info *pinfo)
{
    struct zmtp_conn *conn = zmtp_conn_find(conversation, pinfo);

    return conn ? conn : zmtp_conn_new(conversation, pinfo);
}

void zmtp_use_conn(struct zmtp_ctx *ctx, struct zmtp_conn *conn)
{
    ctx->conn = conn;
    ctx->peer = &conn->peer[ctx->dir];
    ctx->other = &conn->peer[!ctx->dir];
}

/* ---- Moments ---- */

static bool is_now(const struct zmtp_ctx *ctx, const struct zmtp_moment *moment)
{
    return moment->packet == ctx->pinfo->num && moment->seq == ctx->seq;
}

bool zmtp_moment_is_past(const struct zmtp_ctx *ctx, const struct zmtp_moment *moment)
{
    if (moment->packet == ctx->pinfo->num)
        return (int32_t)(ctx->seq - moment->seq) > 0;
    return moment->packet && moment->packet < ctx->pinfo->num;
}

bool zmtp_moment_has_come(const struct zmtp_ctx *ctx, const struct zmtp_moment *moment)
{
    return is_now(ctx, moment) || zmtp_moment_is_past(ctx, moment);
}

bool zmtp_moment_keep(const struct zmtp_ctx *ctx, struct zmtp_moment *moment)
{
    if (ctx->first_pass && !moment->packet) {
        moment->packet = ctx->pinfo->num;
        moment->seq = ctx->seq;
    }
    return is_now(ctx, moment);
}

/* ---- What is known of a connection, as of one packet ---- */

static enum zmtp_version peer_version(const struct zmtp_ctx *ctx, const struct zmtp_peer *peer)
{
    if (peer->version_frame && peer->version_frame <= ctx->pinfo->num)
        return peer->version;
    return ZMTP_VERSION_UNKNOWN;
}

enum zmtp_version zmtp_conn_version(const struct zmtp_ctx *ctx)
{
    enum zmtp_version a = peer_version(ctx, ctx->peer);
    enum zmtp_version b = peer_version(ctx, ctx->other);

    if (a == ZMTP_VERSION_UNKNOWN)
        return b;
    if (b == ZMTP_VERSION_UNKNOWN)
        return a;
    return a < b ? a : b;
}

bool zmtp_conn_unversioned(const struct zmtp_ctx *ctx)
{
    return zmtp_conn_version(ctx) == ZMTP_1_0;
}

bool zmtp_other_unversioned(const struct zmtp_ctx *ctx)
{
    return ctx->other->unversioned && ctx->other->version_frame <= ctx->pinfo->num;
}

static const struct zmtp_mechanism *told_mechanism(const struct zmtp_ctx *ctx)
{
    enum zmtp_version version = zmtp_conn_version(ctx);

    if (ctx->peer->mechanism && peer_version(ctx, ctx->peer))
        return ctx->peer->mechanism;
    if (ctx->other->mechanism && peer_version(ctx, ctx->other))
        return ctx->other->mechanism;
    if (ctx->conn->guessed && ctx->conn->guessed_frame <= ctx->pinfo->num && version != ZMTP_1_0 &&
        version != ZMTP_2_0)
        return ctx->conn->guessed;
    return NULL;
}

const struct zmtp_mechanism *zmtp_conn_mechanism(const struct zmtp_ctx *ctx)
{
    const struct zmtp_mechanism *mechanism = told_mechanism(ctx);

    return mechanism ? mechanism : &zmtp_mechanism_null;
}

bool zmtp_conn_mechanism_known(const struct zmtp_ctx *ctx)
{
    return told_mechanism(ctx) != NULL;
}

const char *zmtp_sender_role(const struct zmtp_ctx *ctx)
{
    const struct zmtp_conn *conn = ctx->conn;

    if (conn->client < 0 || !zmtp_moment_has_come(ctx, &conn->client_learned))
        return NULL;
    return conn->client == (int)ctx->dir ? "client" : "server";
}

void zmtp_learn_mechanism(struct zmtp_ctx *ctx, const struct zmtp_mechanism *mechanism)
{
    if (ctx->first_pass && mechanism && !ctx->conn->guessed) {
        ctx->conn->guessed = mechanism;
        ctx->conn->guessed_frame = ctx->pinfo->num;
    }
}

void zmtp_learn_client(struct zmtp_ctx *ctx, bool sender_is_client)
{
    if (ctx->first_pass && ctx->conn->client < 0) {
        ctx->conn->client = (int)(sender_is_client ? ctx->dir : !ctx->dir);
        zmtp_moment_keep(ctx, &ctx->conn->client_learned);
    }
}

void zmtp_learn_socket_type(struct zmtp_ctx *ctx, const char *name)
{
    /* RFC 23 and 37 "Socket-Type"; the draft types of libzmq behind them. */
    static const char *const types[] = {
        "REQ",  "REP",    "DEALER", "ROUTER", "PUB",  "XPUB",   "SUB",     "XSUB", "PUSH",   "PULL",
        "PAIR", "CLIENT", "SERVER", "RADIO",  "DISH", "GATHER", "SCATTER", "PEER", "CHANNEL"};

    if (!ctx->first_pass || ctx->peer->socket_type)
        return;
    for (size_t i = 0; i < array_length(types); i++) {
        if (strcmp(name, types[i]) == 0) {
            ctx->peer->socket_type = types[i];
            zmtp_moment_keep(ctx, &ctx->peer->socket_type_learned);
        }
    }
    zmtp_side(ctx)->socket_type_unknown = !ctx->peer->socket_type;
}

static bool peer_is(const struct zmtp_ctx *ctx, const struct zmtp_peer *peer, const char *type,
                    const char *x_type)
{
    return peer->socket_type && zmtp_moment_has_come(ctx, &peer->socket_type_learned) &&
           (strcmp(peer->socket_type, type) == 0 || strcmp(peer->socket_type, x_type) == 0);
}

bool zmtp_sender_subscribes(const struct zmtp_ctx *ctx)
{
    /* Only SUB and XSUB talk to PUB and XPUB (RFC 29), so the other side's type tells as well. */
    return peer_is(ctx, ctx->peer, "SUB", "XSUB") || peer_is(ctx, ctx->other, "PUB", "XPUB");
}

bool zmtp_sender_is_sub(const struct zmtp_ctx *ctx)
{
    return peer_is(ctx, ctx->peer, "SUB", "SUB");
}

/* ---- Memos ---- */

struct memo {
    struct memo *next;
    uint32_t seq;
    enum zmtp_memo_kind kind;
    int32_t value;
};

/* The only key of ours in a packet's data: all memos of a packet hang on it. */
#define MEMO_KEY 0

void zmtp_memo_put(packet_info *pinfo, enum zmtp_memo_kind kind, uint32_t seq, int32_t value)
{
    struct memo **list =
        (struct memo **)p_get_proto_data(wmem_file_scope(), pinfo, zmtp_proto, MEMO_KEY);
    struct memo *memo = wmem_new(wmem_file_scope(), struct memo);

    if (!list) {
        list = wmem_new0(wmem_file_scope(), struct memo *);
        p_add_proto_data(wmem_file_scope(), pinfo, zmtp_proto, MEMO_KEY, list);
    }
    memo->next = *list;
    memo->seq = seq;
    memo->kind = kind;
    memo->value = value;
    *list = memo;
}

bool zmtp_memo_get(packet_info *pinfo, enum zmtp_memo_kind kind, uint32_t seq, int32_t *value)
{
    struct memo **list =
        (struct memo **)p_get_proto_data(wmem_file_scope(), pinfo, zmtp_proto, MEMO_KEY);

    for (const struct memo *memo = list ? *list : NULL; memo; memo = memo->next) {
        if (memo->kind == kind && memo->seq == seq) {
            *value = memo->value;
            return true;
        }
    }
    return false;
}

/* In one call by TCP: memos are looked for one by one, and the hundredth tells nobody more. */
#define MAX_FINDINGS 100

int32_t zmtp_remember_finding(struct zmtp_ctx *ctx, enum zmtp_finding finding, int32_t value)
{
    enum zmtp_memo_kind kind = (enum zmtp_memo_kind)(ZMTP_MEMO_FINDING + (int)finding);

    if (!ctx->first_pass)
        return zmtp_memo_get(ctx->pinfo, kind, ctx->seq, &value) ? value : 0;
    if (value && ctx->memo_findings++ >= MAX_FINDINGS)
        return 0;
    if (value)
        zmtp_memo_put(ctx->pinfo, kind, ctx->seq, value);
    return value;
}
