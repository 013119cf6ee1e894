/* mech_null.c - NULL: no security, only READY with metadata both ways (RFC 23 "null").
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "zmtp.h"

static bool null_command(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *data, const char *name)
{
    wmem_strbuf_t *summary;

    if (strcmp(name, "READY") != 0)
        return false;
    summary = wmem_strbuf_new(ctx->pinfo->pool, "READY");
    zmtp_dissect_metadata(ctx, tree, data, 0, summary);
    zmtp_info_add(ctx, wmem_strbuf_get_str(summary));
    zmtp_ready_seen(ctx, true);
    return true;
}

const struct zmtp_mechanism zmtp_mechanism_null = {
    .name = "NULL",
    .prefix = "",
    .command = null_command,
};
