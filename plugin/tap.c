/* tap.c - counts frames, and tells listeners of them.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "zmtp.h"

#include <epan/tap.h>

#define MAX_IDENTITY 255 /* RFC 23 "Identity" */

static int tap_id = -1;

/* ---- Sides ---- */

static void count_part(struct zmtp_side *side, const struct zmtp_told *told)
{
    side->parts++;
    if (!told->more)
        side->messages++;
    if (told->boxed && !told->measured)
        side->octets_unknown = true;
    side->octets += told->payload;
}

static void count_box(struct zmtp_side *side, const struct zmtp_told *told)
{
    side->boxes++;
    if (told->opened)
        side->boxes_opened++;
    side->protected_octets += told->octets;
    side->boxed_octets += told->boxed_payload;
    if (!told->measured)
        side->unmeasured_octets += told->octets;
}

static unsigned size_range(const struct zmtp_told *told)
{
    static const uint64_t first[] = {
#define COMMAND(symbol, name)
#define SIZE(first, name) first,
#include "statistics.def"
#undef COMMAND
#undef SIZE
    };
    unsigned i = array_length(first) - 1;

    if (told->boxed && !told->measured)
        return ZMTP_SIZE_UNKNOWN;
    while (told->payload < first[i])
        i--;
    return i;
}

static bool is_command(const struct zmtp_told *told)
{
    return told->kind == ZMTP_TOLD_COMMAND || told->kind == ZMTP_TOLD_SUBSCRIPTION;
}

static void count(struct zmtp_side *side, const struct zmtp_told *told)
{
    if (told->kind == ZMTP_TOLD_PART) {
        count_part(side, told);
        side->sizes[size_range(told)]++;
    } else if (is_command(told)) {
        side->commands[told->command]++;
    }
    if (told->boxed)
        count_box(side, told);
}

void zmtp_note_identity(struct zmtp_ctx *ctx, tvbuff_t *tvb, unsigned offset, unsigned len)
{
    struct zmtp_side *side = zmtp_side(ctx);

    if (!ctx->first_pass || side->identity || len == 0 || len > MAX_IDENTITY)
        return;
    side->identity = (const uint8_t *)tvb_memdup(wmem_file_scope(), tvb, (int)offset, len);
    side->identity_len = (uint8_t)len;
}

/* ---- Frames ---- */

void zmtp_tap_begin(struct zmtp_ctx *ctx)
{
    struct zmtp_tap *tap;

    if (!have_tap_listener(tap_id))
        return;
    tap = wmem_new0(ctx->pinfo->pool, struct zmtp_tap);
    tap->conn = ctx->conn;
    tap->dir = ctx->dir;
    ctx->tap = tap;
    ctx->tap_frames = wmem_array_new(ctx->pinfo->pool, sizeof(struct zmtp_told));
    tap_queue_packet(tap_id, ctx->pinfo, tap); /* who listens looks when the packet is done */
}

void zmtp_frame_begins(struct zmtp_ctx *ctx)
{
    const struct zmtp_story *story = &ctx->conn->story;

    zmtp_frame_ends(ctx);
    memset(&ctx->told, 0, sizeof ctx->told);
    ctx->told.begun = true;
    ctx->told.seq = ctx->seq;
    ctx->told.first = story->first_packet == ctx->pinfo->num && !ctx->told_one;
    ctx->told_one = true;
}

void zmtp_frame_ends(struct zmtp_ctx *ctx)
{
    struct zmtp_told *told = &ctx->told;
    const struct zmtp_moment *settled = &ctx->conn->settled;

    if (!told->begun)
        return;
    told->begun = false;
    told->settles = settled->packet == ctx->pinfo->num && settled->seq == told->seq;
    if (ctx->first_pass)
        count(zmtp_side(ctx), told);
    if (ctx->tap)
        wmem_array_append_one(ctx->tap_frames, *told);
}

void zmtp_tap_end(struct zmtp_ctx *ctx)
{
    zmtp_frame_ends(ctx);
    if (!ctx->tap)
        return;
    ctx->tap->frames = (const struct zmtp_told *)wmem_array_get_raw(ctx->tap_frames);
    ctx->tap->count = wmem_array_get_count(ctx->tap_frames);
}

/* ---- What a frame is ---- */

void zmtp_tell_command(struct zmtp_ctx *ctx, const char *name)
{
    unsigned command = 0;

    if (strcmp(name, "MESSAGE") == 0)
        return; /* what is in it will be told */
    while (command < ZMTP_COMMAND_EMPTY &&
           strcmp(name, zmtp_command_name((enum zmtp_command)command)) != 0)
        command++;
    if (command == ZMTP_COMMAND_EMPTY && *name)
        command = ZMTP_COMMAND_OTHER;
    ctx->told.kind = ZMTP_TOLD_COMMAND;
    ctx->told.command = (enum zmtp_command)command;
}

void zmtp_tell_subscription(struct zmtp_ctx *ctx, enum zmtp_command command)
{
    ctx->told.kind = ZMTP_TOLD_SUBSCRIPTION;
    ctx->told.command = command;
}

void zmtp_tell_part(struct zmtp_ctx *ctx, uint64_t payload, bool more)
{
    ctx->told.kind = ZMTP_TOLD_PART;
    ctx->told.payload = payload;
    ctx->told.more = more;
}

void zmtp_tell_box(struct zmtp_ctx *ctx, bool opened, bool measured, uint64_t payload)
{
    ctx->told.boxed = true;
    ctx->told.opened = opened;
    ctx->told.measured = measured;
    ctx->told.boxed_payload = payload;
    if (!opened)
        zmtp_tell_part(ctx, payload, false);
}

/* ---- Totals ---- */

const char *zmtp_command_name(enum zmtp_command command)
{
    static const char *const names[] = {
#define COMMAND(symbol, name) name,
#define SIZE(first, name)
#include "statistics.def"
#undef COMMAND
#undef SIZE
    };

    return names[command];
}

const char *zmtp_size_name(unsigned size)
{
    static const char *const names[] = {
#define COMMAND(symbol, name)
#define SIZE(first, name) name,
#include "statistics.def"
#undef COMMAND
#undef SIZE
        "unknown"};

    return names[size];
}

const char *zmtp_mechanism_of_name(enum zmtp_mechanism_of mechanism)
{
    static const char *const names[] = {"NULL", "PLAIN",     "CURVE",  "GSSAPI",
                                        "none", "different", "unknown"};

    return names[mechanism];
}

static enum zmtp_mechanism_of mechanism_by_name(const char *name)
{
    for (unsigned i = 0; i <= ZMTP_OF_GSSAPI; i++) {
        if (strcmp(name, zmtp_mechanism_of_name((enum zmtp_mechanism_of)i)) == 0)
            return (enum zmtp_mechanism_of)i;
    }
    return ZMTP_OF_UNKNOWN;
}

enum zmtp_mechanism_of zmtp_mechanism_of(const struct zmtp_conn *conn)
{
    const char *a = conn->story.side[0].mechanism_name;
    const char *b = conn->story.side[1].mechanism_name;

    for (int dir = 0; dir < 2; dir++) {
        const struct zmtp_peer *peer = &conn->peer[dir];

        if (peer->version_frame && peer->version <= ZMTP_2_0)
            return ZMTP_OF_NONE;
    }
    if (*a && *b && strcmp(a, b) != 0)
        return ZMTP_OF_DIFFERENT;
    if (*a || *b)
        return mechanism_by_name(*a ? a : b);
    return conn->guessed ? mechanism_by_name(conn->guessed->name) : ZMTP_OF_UNKNOWN;
}

uint64_t zmtp_overhead(const struct zmtp_totals *totals)
{
    return totals->protected_octets - totals->unmeasured_octets - totals->boxed_octets;
}

void zmtp_totals_add_side(struct zmtp_totals *totals, const struct zmtp_side *side)
{
    for (unsigned i = 0; i < ZMTP_COMMANDS; i++)
        totals->commands[i] += side->commands[i];
    for (unsigned i = 0; i < ZMTP_SIZES; i++)
        totals->sizes[i] += side->sizes[i];
    totals->messages += side->messages;
    totals->parts += side->parts;
    totals->octets += side->octets;
    totals->boxes += side->boxes;
    totals->boxes_opened += side->boxes_opened;
    totals->protected_octets += side->protected_octets;
    totals->boxed_octets += side->boxed_octets;
    totals->unmeasured_octets += side->unmeasured_octets;
}

void zmtp_totals_add_frame(struct zmtp_totals *totals, const struct zmtp_told *told)
{
    struct zmtp_side one = {.messages = 0};

    count(&one, told);
    zmtp_totals_add_side(totals, &one);
}

void zmtp_register_tap(void)
{
    tap_id = register_tap("zmtp");
}
