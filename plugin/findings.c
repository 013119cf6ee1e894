/* findings.c - expert items from the table in findings.def.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "zmtp.h"

static expert_field fields[ZMTP_FINDINGS] = {
#define FINDING(symbol, name, group, severity, text, advice, cause)                                \
    [ZMTP_FINDING_##symbol] = EI_INIT,
#include "findings.def"
};

static const struct {
    const char *name;
    const char *text;
    const char *advice;
} findings[ZMTP_FINDINGS] = {
#define FINDING(symbol, name, group, severity, text, advice, cause)                                \
    [ZMTP_FINDING_##symbol] = {name, text, advice},
#include "findings.def"
};

/* Wireshark cuts the text of an expert item here. */
#define FINDING(symbol, name, group, severity, text, advice, cause)                                \
    _Static_assert(sizeof(text ". " advice) <= ITEM_LABEL_LENGTH, name " is too long");
#include "findings.def"

const char *zmtp_finding_name(enum zmtp_finding finding)
{
    return findings[finding].name;
}

const char *zmtp_finding_text(enum zmtp_finding finding)
{
    return findings[finding].text;
}

const char *zmtp_finding_advice(enum zmtp_finding finding)
{
    return findings[finding].advice;
}

/* Whether libzmq closes at a frame of which this is found. */
static bool is_offence(enum zmtp_finding finding)
{
    switch (finding) {
    case ZMTP_FINDING_NONCE_REPEATED:
    case ZMTP_FINDING_NONCE_NOT_INCREASING:
    case ZMTP_FINDING_CURVE_DAMAGED:
    case ZMTP_FINDING_GSSAPI_DAMAGED:
    case ZMTP_FINDING_COMMAND_MALFORMED:
    case ZMTP_FINDING_METADATA_MALFORMED:
    case ZMTP_FINDING_UNPROTECTED:
    case ZMTP_FINDING_LENGTH_INVALID:
        return true;
    default:
        return false;
    }
}

static void remember_offence(struct zmtp_ctx *ctx, enum zmtp_finding finding)
{
    struct zmtp_offence *offence = &ctx->conn->story.offence;

    if (ctx->first_pass && is_offence(finding) && !ctx->conn->story.closed_packet) {
        offence->finding = finding;
        offence->packet = ctx->pinfo->num;
        offence->at = ctx->pinfo->abs_ts;
        offence->dir = (uint8_t)ctx->dir;
    }
}

/* ---- Showing them ---- */

/* In one call by TCP, of which a packet has one or two.  Wireshark's taps take 5000 of a packet. */
#define MAX_SHOWN 2000

/* Whether one more is shown; says so where it is the first that is not. */
static bool is_one_more_shown(struct zmtp_ctx *ctx)
{
    if (ctx->shown_findings < MAX_SHOWN) {
        ctx->shown_findings++;
        return true;
    }
    zmtp_leave_out(ctx);
    return false;
}

void zmtp_leave_out(struct zmtp_ctx *ctx)
{
    if (!ctx->left_out)
        expert_add_info(ctx->pinfo, ctx->root, &fields[ZMTP_FINDING_NOT_ALL_SHOWN]);
    ctx->left_out = true;
}

void zmtp_find(struct zmtp_ctx *ctx, proto_item *item, enum zmtp_finding finding)
{
    remember_offence(ctx, finding);
    if (!is_one_more_shown(ctx))
        return;
    expert_add_info(ctx->pinfo, item ? item : ctx->root, &fields[finding]);
}

void zmtp_find_format(struct zmtp_ctx *ctx, proto_item *item, enum zmtp_finding finding,
                      const char *format, ...)
{
    va_list args;

    remember_offence(ctx, finding);
    if (!is_one_more_shown(ctx))
        return;
    va_start(args, format);
    expert_add_info_format(ctx->pinfo, item ? item : ctx->root, &fields[finding], "%s. %s",
                           wmem_strdup_vprintf(ctx->pinfo->pool, format, args),
                           findings[finding].advice);
    va_end(args);
}

void zmtp_register_findings(const struct zmtp_registry *registry)
{
    static ei_register_info items[] = {
#define FINDING(symbol, name, group, severity, text, advice, cause)                                \
    {&fields[ZMTP_FINDING_##symbol], {name, PI_##group, PI_##severity, text ". " advice, EXPFILL}},
#include "findings.def"
    };

    expert_register_field_array(registry->expert, items, array_length(items));
}
