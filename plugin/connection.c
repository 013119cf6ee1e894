/* connection.c - what is remembered of a ZMTP connection, and memos for single packets.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "zmtp.h"

#include <epan/proto_data.h>
#include <wsutil/wmem/wmem_user_cb.h>

static int hf_handshake_result = -1;

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
    wmem_tree_insert32(conn_tree(conversation), pinfo->num, conn);
    return conn;
}

struct zmtp_conn *zmtp_conn_get(conversation_t *conversation, packet_info *pinfo)
{
    struct zmtp_conn *conn =
        (struct zmtp_conn *)wmem_tree_lookup32_le(conn_tree(conversation), pinfo->num);

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

const struct zmtp_mechanism *zmtp_conn_mechanism(const struct zmtp_ctx *ctx)
{
    enum zmtp_version version = zmtp_conn_version(ctx);

    if (ctx->peer->mechanism && peer_version(ctx, ctx->peer))
        return ctx->peer->mechanism;
    if (ctx->other->mechanism && peer_version(ctx, ctx->other))
        return ctx->other->mechanism;
    if (ctx->conn->guessed && ctx->conn->guessed_frame <= ctx->pinfo->num && version != ZMTP_1_0 &&
        version != ZMTP_2_0)
        return ctx->conn->guessed;
    return &zmtp_mechanism_null;
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

/* ---- Outcome of the handshake ---- */

static void settle(struct zmtp_ctx *ctx, const char *text)
{
    struct zmtp_conn *conn = ctx->conn;
    proto_item *item;

    if (ctx->first_pass && !conn->settled.packet)
        conn->settled_text = wmem_strdup(wmem_file_scope(), text);
    if (zmtp_moment_keep(ctx, &conn->settled)) {
        item = proto_tree_add_string(ctx->tree, hf_handshake_result, ctx->tvb, 0, 0,
                                     conn->settled_text);
        proto_item_set_generated(item);
    }
}

/* Which socket types can talk to each other: RFC 28 to 31, and libzmq's draft types. */
static bool types_can_talk(const char *a, const char *b)
{
    static const char *const pairs[][2] = {
        {"REQ", "REP"},        {"REQ", "ROUTER"},    {"DEALER", "REP"},     {"DEALER", "ROUTER"},
        {"DEALER", "DEALER"},  {"ROUTER", "ROUTER"}, {"PUB", "SUB"},        {"PUB", "XSUB"},
        {"XPUB", "SUB"},       {"XPUB", "XSUB"},     {"PUSH", "PULL"},      {"PAIR", "PAIR"},
        {"CLIENT", "SERVER"},  {"RADIO", "DISH"},    {"SCATTER", "GATHER"}, {"PEER", "PEER"},
        {"CHANNEL", "CHANNEL"}};

    for (size_t i = 0; i < array_length(pairs); i++) {
        if ((strcmp(a, pairs[i][0]) == 0 && strcmp(b, pairs[i][1]) == 0) ||
            (strcmp(b, pairs[i][0]) == 0 && strcmp(a, pairs[i][1]) == 0))
            return true;
    }
    return false;
}

void zmtp_ready_seen(struct zmtp_ctx *ctx, bool both_needed)
{
    const char *a = ctx->peer->socket_type;
    const char *b = ctx->other->socket_type;

    if (ctx->first_pass)
        ctx->peer->ready = true;
    if (both_needed && !ctx->other->ready)
        return;
    if (a && b && !types_can_talk(a, b))
        settle(ctx, wmem_strdup_printf(ctx->pinfo->pool,
                                       "socket types %s and %s cannot talk to each other", b, a));
    else
        settle(ctx, "complete");
}

bool zmtp_handshake_over(const struct zmtp_ctx *ctx)
{
    return zmtp_moment_is_past(ctx, &ctx->conn->settled);
}

void zmtp_handshake_failed(struct zmtp_ctx *ctx, const char *why)
{
    settle(ctx, why);
}

void zmtp_register_connection(const struct zmtp_registry *registry)
{
    static hf_register_info hf[] = {
        {&hf_handshake_result,
         {"Handshake result", "zmtp.handshake.result", FT_STRING, BASE_NONE, NULL, 0x0,
          "How the security handshake ended", HFILL}},
    };

    proto_register_field_array(registry->proto, hf, array_length(hf));
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
