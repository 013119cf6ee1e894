/* handshake.c - how the security handshake goes: its steps, links between them, and the outcome.
 *
 * The outcome stands on the frame that settles it (zmtp.handshake.result).  Often that is no frame
 * but the end of TCP, or silence: then it stands on the last frame, from the second visit on, when
 * it is known.  The other frames of a connection that failed tell it as zmtp.diagnosis.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "zmtp.h"

#include <epan/tap.h>

/* How many earlier connections of two hosts are looked through for one that failed. */
#define MAX_LOOK_BACK 8

static int hf_result = -1;
static int hf_diagnosis = -1;
static int hf_request_in = -1;
static int hf_response_in = -1;
static int hf_response_time = -1;
static int hf_attempt = -1;
static int hf_attempt_before = -1;
static int hf_attempt_interval = -1;

/* ---- The beginning ---- */

static bool has_failed(const struct zmtp_conn *conn, wmem_allocator_t *scope)
{
    struct zmtp_diagnosis diagnosis;

    zmtp_diagnose(scope, conn, &diagnosis);
    return diagnosis.outcome == ZMTP_OUTCOME_FAILED;
}

/* A client that fails tries again: find the attempt before. */
static void find_attempt_before(struct zmtp_conn *conn, wmem_allocator_t *scope)
{
    struct zmtp_story *story = &conn->story;
    const address *client = &story->address[zmtp_connector(conn)];
    struct zmtp_conn **latest = (struct zmtp_conn **)zmtp_common(
        ZMTP_COMMON_PAIR, conn, client->data, (unsigned)client->len);
    struct zmtp_conn *before = *latest;

    story->same_pair_before = *latest;
    *latest = conn;
    story->attempt = 1;
    for (unsigned i = 0; before && i < MAX_LOOK_BACK; i++) {
        if (has_failed(before, scope)) {
            story->attempt_before = before;
            before->story.attempt_after = conn;
            story->attempt = before->story.attempt + 1;
            return;
        }
        before = before->story.same_pair_before;
    }
}

void zmtp_begin_story(struct zmtp_conn *conn, conversation_t *conversation, packet_info *pinfo)
{
    struct tcp_analysis *tcpd = get_tcp_conversation_data(conversation, pinfo);
    struct zmtp_story *story = &conn->story;
    unsigned dir = zmtp_direction(tcpd);

    story->tcpd = tcpd;
    story->first_packet = pinfo->num;
    story->begun_at = story->last_at = pinfo->abs_ts;
    copy_address_wmem(wmem_file_scope(), &story->address[dir], &pinfo->src);
    copy_address_wmem(wmem_file_scope(), &story->address[!dir], &pinfo->dst);
    story->port[dir] = (uint16_t)pinfo->srcport;
    story->port[!dir] = (uint16_t)pinfo->destport;
    find_attempt_before(conn, pinfo->pool);
}

struct zmtp_side *zmtp_side(const struct zmtp_ctx *ctx)
{
    return &ctx->conn->story.side[ctx->dir];
}

/* ---- Steps ---- */

void zmtp_note_said(struct zmtp_ctx *ctx, unsigned said)
{
    if (ctx->first_pass)
        zmtp_side(ctx)->said |= said;
}

void zmtp_note_malformed(struct zmtp_ctx *ctx, const char *text)
{
    struct zmtp_side *side = zmtp_side(ctx);

    if (ctx->first_pass && !ctx->conn->settled.packet && !side->malformed)
        side->malformed = wmem_strdup(wmem_file_scope(), text);
}

static unsigned said_by_name(const char *name)
{
    static const struct {
        const char *name;
        unsigned said;
    } commands[] = {{"HELLO", ZMTP_SAID_HELLO},
                    {"WELCOME", ZMTP_SAID_WELCOME},
                    {"INITIATE", ZMTP_SAID_INITIATE},
                    {"READY", ZMTP_SAID_READY},
                    {"ERROR", ZMTP_SAID_ERROR}};

    for (size_t i = 0; i < array_length(commands); i++) {
        if (strcmp(name, commands[i].name) == 0)
            return commands[i].said;
    }
    return 0;
}

static void remember_step(const struct zmtp_ctx *ctx)
{
    struct zmtp_story *story = &ctx->conn->story;
    struct zmtp_step *step;

    if (!ctx->first_pass || story->step_count == ZMTP_MAX_STEPS || zmtp_handshake_over(ctx))
        return;
    step = &story->steps[story->step_count++];
    step->packet = ctx->pinfo->num;
    step->seq = ctx->seq;
    step->at = ctx->pinfo->abs_ts;
    step->dir = (uint8_t)ctx->dir;
}

/* Links to the command that this one answers, and to the answer. */
static void show_links(const struct zmtp_ctx *ctx, proto_tree *tree)
{
    const struct zmtp_story *story = &ctx->conn->story;
    const struct zmtp_step *steps = story->steps;
    unsigned i = 0;
    nstime_t time;

    while (i < story->step_count && !(steps[i].packet == ctx->pinfo->num &&
                                      steps[i].seq == ctx->seq && steps[i].dir == ctx->dir))
        i++;
    if (i == story->step_count)
        return;
    if (i > 0 && steps[i - 1].dir != ctx->dir) {
        proto_item_set_generated(
            proto_tree_add_uint(tree, hf_request_in, ctx->tvb, 0, 0, steps[i - 1].packet));
        nstime_delta(&time, &steps[i].at, &steps[i - 1].at);
        proto_item_set_generated(
            proto_tree_add_time(tree, hf_response_time, ctx->tvb, 0, 0, &time));
    }
    if (i + 1 < story->step_count && steps[i + 1].dir != ctx->dir)
        proto_item_set_generated(
            proto_tree_add_uint(tree, hf_response_in, ctx->tvb, 0, 0, steps[i + 1].packet));
}

void zmtp_handshake_step(struct zmtp_ctx *ctx, proto_tree *tree, const char *name)
{
    unsigned said = said_by_name(name);

    if (said == 0)
        return;
    zmtp_note_said(ctx, said);
    remember_step(ctx);
    if (tree)
        show_links(ctx, tree);
    if (said == ZMTP_SAID_HELLO && (ctx->conn->story.side[!ctx->dir].said & ZMTP_SAID_HELLO))
        zmtp_handshake_failed(ctx, ZMTP_FINDING_BOTH_CLIENTS, "%s",
                              zmtp_finding_text(ZMTP_FINDING_BOTH_CLIENTS));
}

/* ---- The outcome ---- */

static void show_attempt(const struct zmtp_ctx *ctx, proto_tree *tree)
{
    const struct zmtp_story *story = &ctx->conn->story;
    proto_item *item;
    nstime_t interval;

    if (!story->attempt_before)
        return;
    item = proto_tree_add_uint(tree, hf_attempt, ctx->tvb, 0, 0, story->attempt);
    proto_item_set_generated(item);
    item = proto_tree_add_uint(tree, hf_attempt_before, ctx->tvb, 0, 0,
                               story->attempt_before->story.first_packet);
    proto_item_set_generated(item);
    nstime_delta(&interval, &story->begun_at, &story->attempt_before->story.begun_at);
    item = proto_tree_add_time(tree, hf_attempt_interval, ctx->tvb, 0, 0, &interval);
    proto_item_set_generated(item);
}

static void show_result(struct zmtp_ctx *ctx, enum zmtp_finding finding, const char *text)
{
    proto_item *item = proto_tree_add_string(ctx->tree, hf_result, ctx->tvb, 0, 0, text);

    proto_item_set_generated(item);
    if (finding == ZMTP_NO_FINDING)
        return;
    zmtp_find_format(ctx, item, finding, "%s", text);
    show_attempt(ctx, ctx->tree);
}

static void settle(struct zmtp_ctx *ctx, enum zmtp_finding finding, const char *text)
{
    struct zmtp_conn *conn = ctx->conn;

    if (ctx->first_pass && !conn->settled.packet) {
        conn->settled_as = finding;
        conn->settled_text = wmem_strdup(wmem_file_scope(), text);
        conn->story.settled_at = ctx->pinfo->abs_ts;
    }
    if (zmtp_moment_keep(ctx, &conn->settled))
        show_result(ctx, conn->settled_as, conn->settled_text);
}

void zmtp_handshake_failed(struct zmtp_ctx *ctx, enum zmtp_finding finding, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    settle(ctx, finding, wmem_strdup_vprintf(ctx->pinfo->pool, format, args));
    va_end(args);
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
        zmtp_handshake_failed(ctx, ZMTP_FINDING_INCOMPATIBLE_SOCKETS,
                              "socket types %s and %s cannot talk to each other", b, a);
    else
        settle(ctx, ZMTP_NO_FINDING, "complete");
}

bool zmtp_handshake_over(const struct zmtp_ctx *ctx)
{
    return zmtp_moment_is_past(ctx, &ctx->conn->settled);
}

bool zmtp_handshake_complete(const struct zmtp_conn *conn)
{
    return conn->settled.packet && conn->settled_as == ZMTP_NO_FINDING;
}

/* ---- The diagnosis ---- */

static bool is_last_frame(const struct zmtp_ctx *ctx)
{
    const struct zmtp_story *story = &ctx->conn->story;

    return story->last_packet == ctx->pinfo->num && story->last_seq == ctx->seq &&
           story->last_dir == ctx->dir;
}

static void remember_frame(struct zmtp_ctx *ctx)
{
    struct zmtp_story *story = &ctx->conn->story;

    zmtp_side(ctx)->last_at = ctx->pinfo->abs_ts;
    if (zmtp_handshake_complete(ctx->conn))
        return;
    story->last_packet = ctx->pinfo->num;
    story->last_seq = ctx->seq;
    story->last_at = ctx->pinfo->abs_ts;
    story->last_dir = (uint8_t)ctx->dir;
}

void zmtp_show_diagnosis(struct zmtp_ctx *ctx)
{
    const struct zmtp_conn *conn = ctx->conn;
    struct zmtp_diagnosis diagnosis;

    if (ctx->first_pass)
        remember_frame(ctx);
    if (zmtp_handshake_complete(conn) || (!conn->settled.packet && ctx->first_pass))
        return;
    zmtp_diagnose(ctx->pinfo->pool, conn, &diagnosis);
    if (diagnosis.outcome != ZMTP_OUTCOME_FAILED)
        return;
    if (!conn->settled.packet && is_last_frame(ctx))
        show_result(ctx, diagnosis.finding, diagnosis.text);
    proto_item_set_generated(proto_tree_add_string(
        ctx->tree, hf_diagnosis, ctx->tvb, 0, 0,
        wmem_strdup_printf(ctx->pinfo->pool, "%s. %s", diagnosis.text, diagnosis.advice)));
}

/* ---- The end ---- */

struct zmtp_conn *zmtp_note_end(packet_info *pinfo, const tcp_info_t *header)
{
    conversation_t *conversation;
    struct zmtp_story *story;
    struct zmtp_conn *conn;

    if (!(header->th_flags & (TH_FIN | TH_RST)))
        return NULL;
    conversation = find_conversation_pinfo(pinfo, 0);
    conn = conversation ? zmtp_conn_find(conversation, pinfo) : NULL;
    if (!conn || conn->story.tcpd->stream != header->th_stream)
        return NULL; /* another TCP connection, around that one or in it */
    story = &conn->story;
    if (!story->closed_packet || pinfo->num < story->closed_packet) {
        story->closed_packet = pinfo->num;
        story->closed_at = pinfo->abs_ts;
        story->closed_by = (uint8_t)(header->th_sport == story->port[1] &&
                                     addresses_equal(&header->ip_src, &story->address[1]));
        story->reset = (header->th_flags & TH_RST) != 0;
    }
    return conn;
}

static tap_packet_status on_tcp(void *data _U_, packet_info *pinfo, epan_dissect_t *edt _U_,
                                const void *tcp, tap_flags_t flags _U_)
{
    zmtp_note_end(pinfo, (const tcp_info_t *)tcp);
    return TAP_PACKET_DONT_REDRAW;
}

void zmtp_register_handshake(const struct zmtp_registry *registry)
{
    static hf_register_info hf[] = {
        {&hf_result,
         {"Handshake result", "zmtp.handshake.result", FT_STRING, BASE_NONE, NULL, 0x0,
          "How the security handshake ended", HFILL}},
        {&hf_diagnosis,
         {"Diagnosis", "zmtp.diagnosis", FT_STRING, BASE_NONE, NULL, 0x0,
          "Why the handshake of this connection failed, on each of its frames", HFILL}},
        {&hf_request_in,
         {"Answer to", "zmtp.request_in", FT_FRAMENUM, BASE_NONE,
          FRAMENUM_TYPE(FT_FRAMENUM_REQUEST), 0x0, "The command that this one answers", HFILL}},
        {&hf_response_in,
         {"Answered in", "zmtp.response_in", FT_FRAMENUM, BASE_NONE,
          FRAMENUM_TYPE(FT_FRAMENUM_RESPONSE), 0x0, "The command that answers this one", HFILL}},
        {&hf_response_time,
         {"Time to answer", "zmtp.response_time", FT_RELATIVE_TIME, BASE_NONE, NULL, 0x0,
          "From the command that this one answers", HFILL}},
        {&hf_attempt,
         {"Attempt", "zmtp.handshake.attempt", FT_UINT32, BASE_DEC, NULL, 0x0,
          "Failed connections of late from this address to this server, with this one", HFILL}},
        {&hf_attempt_before,
         {"Attempt before", "zmtp.handshake.attempt_before", FT_FRAMENUM, BASE_NONE, NULL, 0x0,
          "First frame of the failed connection before this one", HFILL}},
        {&hf_attempt_interval,
         {"Time since the attempt before", "zmtp.handshake.attempt_interval", FT_RELATIVE_TIME,
          BASE_NONE, NULL, 0x0, "From the beginning of the failed connection before this one",
          HFILL}},
    };

    proto_register_field_array(registry->proto, hf, array_length(hf));
}

void zmtp_handshake_handoff(void)
{
    GString *error = register_tap_listener("tcp", &hf_result, NULL, TL_IS_DISSECTOR_HELPER, NULL,
                                           on_tcp, NULL, NULL);

    if (error)
        g_string_free(error, TRUE); /* then the end of TCP is told by its analysis alone */
}
