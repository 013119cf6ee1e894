/* mech_gssapi.c - GSSAPI as libzmq speaks it (RFC 38 leaves nearly all of it open).
 *
 *   client: INITIATE (4-octet length, token)   server: INITIATE (token), as often as GSS-API asks
 *   client: an empty command                   both: READY
 * With encryption everything after that, READY too, is a MESSAGE: 4-octet length, wrapped token.
 * READY is told from traffic by the COMMAND flag of its frame.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "zmtp.h"

#define MESSAGE_NAME_LEN 7
#define TOKEN_LENGTH_LEN 4

static int hf_token = -1;
static int hf_token_length = -1;
static int hf_decrypted = -1;

/* 4-octet length, token.  Returns the token's length, or -1. */
static int dissect_token(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *tvb, unsigned offset)
{
    unsigned there = tvb_reported_length(tvb) - offset;
    uint32_t len;

    if (there < TOKEN_LENGTH_LEN ||
        (len = tvb_get_ntohl(tvb, (int)offset)) != there - TOKEN_LENGTH_LEN) {
        zmtp_malformed(ctx, ctx->root,
                       "The token's 4-octet length does not fit the %u octets that are there",
                       there);
        return -1;
    }
    proto_tree_add_item(tree, hf_token_length, tvb, (int)offset, TOKEN_LENGTH_LEN, ENC_BIG_ENDIAN);
    offset += TOKEN_LENGTH_LEN;
    proto_tree_add_item(tree, hf_token, tvb, (int)offset,
                        tvb_captured_length_remaining(tvb, (int)offset), ENC_NA);
    return (int)len;
}

static bool gssapi_command(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *data, const char *name)
{
    if (strcmp(name, "INITIATE") == 0) {
        int len;

        zmtp_learn_client(ctx, true); /* the first INITIATE is the client's */
        zmtp_show_role(ctx, tree, data);
        len = dissect_token(ctx, tree, data, 0);
        zmtp_info_add_format(ctx, "GSSAPI INITIATE%s, %d byte token", len < 0 ? " (malformed)" : "",
                             MAX(len, 0));
        return true;
    }
    if (strcmp(name, "READY") == 0) {
        wmem_strbuf_t *summary = wmem_strbuf_new(ctx->pinfo->pool, "GSSAPI READY");

        zmtp_show_role(ctx, tree, data);
        zmtp_dissect_metadata(ctx, tree, data, 0, summary);
        zmtp_info_add(ctx, wmem_strbuf_get_str(summary));
        zmtp_ready_seen(ctx, true);
        return true;
    }
    if (*name == '\0' && tvb_reported_length(data) == 0) {
        proto_item_append_text(ctx->root, ", GSSAPI empty command");
        zmtp_show_role(ctx, tree, data);
        zmtp_info_add(ctx, "GSSAPI empty command");
        return true;
    }
    return false;
}

/* MESSAGE whose token length fits the frame. */
static bool gssapi_claims(tvbuff_t *tvb, unsigned body, uint64_t body_len)
{
    unsigned token_at = body + 1 + MESSAGE_NAME_LEN;
    unsigned behind = 1 + MESSAGE_NAME_LEN + TOKEN_LENGTH_LEN;

    return body_len >= behind && tvb_captured_length(tvb) >= body + behind &&
           zmtp_is_protected(tvb, body) && tvb_get_ntohl(tvb, (int)token_at) == body_len - behind;
}

static void gssapi_protected(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *body,
                             bool outer_command)
{
    const char *what = outer_command ? "READY" : "MESSAGE";
    int len;

    zmtp_add_command_name(ctx, tree, body, 0, MESSAGE_NAME_LEN);
    proto_item_append_text(ctx->root, ", GSSAPI %s (encrypted)", what);
    zmtp_show_role(ctx, tree, body);
    len = dissect_token(ctx, tree, body, 1 + MESSAGE_NAME_LEN);
    proto_item_set_generated(proto_tree_add_boolean(tree, hf_decrypted, body, 0, 0, 0));
    zmtp_info_add_format(ctx, "GSSAPI %s, %d byte token (encrypted)", what, MAX(len, 0));
    if (outer_command)
        zmtp_ready_seen(ctx, true);
}

static void gssapi_register(const struct zmtp_registry *registry)
{
    static hf_register_info hf[] = {
        {&hf_token_length,
         {"Token length", "zmtp.gssapi.token.length", FT_UINT32, BASE_DEC, NULL, 0x0, NULL, HFILL}},
        {&hf_token, {"Token", "zmtp.gssapi.token", FT_BYTES, BASE_NONE, NULL, 0x0, NULL, HFILL}},
        {&hf_decrypted,
         {"Decrypted", "zmtp.gssapi.decrypted", FT_BOOLEAN, BASE_NONE, TFS(&tfs_yes_no), 0x0,
          "Whether the token could be opened", HFILL}},
    };

    proto_register_field_array(registry->proto, hf, array_length(hf));
}

const struct zmtp_mechanism zmtp_mechanism_gssapi = {
    .name = "GSSAPI",
    .prefix = "GSSAPI ",
    .claims = gssapi_claims,
    .command = gssapi_command,
    .protected_frame = gssapi_protected,
    .register_fields = gssapi_register,
};
