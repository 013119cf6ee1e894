/* info.c - the Info column: what the frames of a packet say, as a short story.
 *
 * Commands are told one by one; application frames that follow each other are told together, part
 * by part within a message and message by message within a packet.  The text is bounded, whatever a
 * packet holds, and the column is written once per call: appending to it has a cost that grows
 * with its length.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "zmtp.h"

#include <wsutil/str_util.h>

#define MAX_ENTRIES 10
#define SEPARATOR "; "

void zmtp_info_begin(struct zmtp_ctx *ctx)
{
    memset(&ctx->info, 0, sizeof ctx->info);
    ctx->info.wanted = col_get_writable(ctx->pinfo->cinfo, COL_INFO);
    if (ctx->info.wanted)
        ctx->info.text = wmem_strbuf_new(ctx->pinfo->pool, "");
}

static void write_entry(struct zmtp_info *info, const char *text)
{
    if (info->entries == MAX_ENTRIES) {
        info->left_out++;
        return;
    }
    if (info->entries++)
        wmem_strbuf_append(info->text, SEPARATOR);
    wmem_strbuf_append(info->text, text);
}

/* The texts of one message's parts: empty parts and binary ones are left out. */
static void write_previews(struct zmtp_ctx *ctx, wmem_strbuf_t *text)
{
    unsigned count = MIN(ctx->info.run.frames, ZMTP_INFO_PREVIEWS);
    const char *before = ": ";

    if (ctx->info.run.messages > 1)
        return;
    for (unsigned i = 0; i < count; i++) {
        tvbuff_t *payload = ctx->info.run.payloads[i];
        const char *preview = payload ? zmtp_text_preview(ctx->pinfo, payload) : NULL;

        if (preview) {
            wmem_strbuf_append_printf(text, "%s%s", before, preview);
            before = " ";
        }
    }
    if (*before == ' ' && ctx->info.run.frames > count)
        wmem_strbuf_append(text, " ...");
}

/* "MESSAGE 3 parts, 812 bytes (decrypted): \"weather\"", "MESSAGE part 2, 5 bytes, more to come",
 * "4 MESSAGEs, 96 bytes". */
static void write_run(struct zmtp_ctx *ctx)
{
    static const char *const protection[] = {"", " (decrypted)", " (encrypted)"};
    struct zmtp_info *info = &ctx->info;
    wmem_strbuf_t *text;
    bool continued;

    if (info->run.frames == 0)
        return;
    text = wmem_strbuf_new(ctx->pinfo->pool, "");
    continued = info->run.first_part > 1 || info->run.more;
    if (info->run.messages > 1) {
        wmem_strbuf_append_printf(text, "%u MESSAGEs, ", info->run.messages);
        if (info->run.frames > info->run.messages)
            wmem_strbuf_append_printf(text, "%u parts, ", info->run.frames);
    } else if (info->run.first_part == 0) { /* not known: only the octets can be told */
        wmem_strbuf_append(text, "MESSAGE ");
    } else if (!continued) {
        wmem_strbuf_append(text, "MESSAGE ");
        if (info->run.frames > 1)
            wmem_strbuf_append_printf(text, "%u parts, ", info->run.frames);
    } else if (info->run.frames == 1) {
        wmem_strbuf_append_printf(text, "MESSAGE part %d, ", info->run.first_part);
    } else {
        wmem_strbuf_append_printf(text, "MESSAGE parts %d-%d, ", info->run.first_part,
                                  info->run.last_part);
    }
    wmem_strbuf_append_printf(text, "%" PRIu64 " byte%s", info->run.octets,
                              plurality(info->run.octets, "", "s"));
    if (info->run.more)
        wmem_strbuf_append(text, ", more to come");
    wmem_strbuf_append(text, protection[info->run.protection]);
    write_previews(ctx, text);
    memset(&info->run, 0, sizeof info->run);
    write_entry(info, wmem_strbuf_get_str(text));
}

void zmtp_info_add(struct zmtp_ctx *ctx, const char *text)
{
    if (!ctx->info.wanted)
        return;
    write_run(ctx);
    write_entry(&ctx->info, text);
}

void zmtp_info_add_format(struct zmtp_ctx *ctx, const char *format, ...)
{
    va_list args;

    if (!ctx->info.wanted)
        return;
    va_start(args, format);
    zmtp_info_add(ctx, wmem_strdup_vprintf(ctx->pinfo->pool, format, args));
    va_end(args);
}

void zmtp_info_add_data(struct zmtp_ctx *ctx, int32_t part, bool more, uint64_t octets,
                        tvbuff_t *payload, enum zmtp_protection protection)
{
    struct zmtp_info *info = &ctx->info;

    if (!info->wanted)
        return;
    if (info->run.frames && info->run.protection != protection)
        write_run(ctx);
    if (info->run.frames == 0)
        info->run.first_part = part;
    if (info->run.frames == 0 || part == 1 || (part == 0 && !info->run.more))
        info->run.messages++;
    if (info->run.frames < ZMTP_INFO_PREVIEWS)
        info->run.payloads[info->run.frames] = payload;
    info->run.frames++;
    info->run.last_part = part;
    info->run.more = more;
    info->run.octets += octets;
    info->run.protection = protection;
}

void zmtp_info_end(struct zmtp_ctx *ctx)
{
    const char *before;

    if (!ctx->info.wanted)
        return;
    write_run(ctx);
    if (ctx->info.left_out)
        wmem_strbuf_append_printf(ctx->info.text, SEPARATOR "and %u more", ctx->info.left_out);
    if (wmem_strbuf_get_len(ctx->info.text) == 0)
        return;
    /* Behind an earlier call's text, but not behind TCP's remarks, which end in a blank. */
    before = col_get_text(ctx->pinfo->cinfo, COL_INFO);
    if (before && *before && !g_str_has_suffix(before, " "))
        col_append_str(ctx->pinfo->cinfo, COL_INFO, SEPARATOR);
    col_append_str(ctx->pinfo->cinfo, COL_INFO, wmem_strbuf_get_str(ctx->info.text));
}
