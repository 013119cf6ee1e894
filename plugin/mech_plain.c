/* mech_plain.c - PLAIN: a user name and a password in the clear (RFC 24).
 *
 *   client: HELLO (username, password)   server: WELCOME (empty)
 *   client: INITIATE (metadata)          server: READY (metadata), or ERROR
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "zmtp.h"

static int hf_username = -1;
static int hf_username_length = -1;
static int hf_password = -1;
static int hf_password_length = -1;

/* HELLO: each of the two is a length octet and so many octets. */
static bool dissect_hello(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *data)
{
    unsigned len = tvb_reported_length(data);
    unsigned username_len = len > 0 ? tvb_get_uint8(data, 0) : 0;
    unsigned password_at = 1 + username_len;
    unsigned password_len;
    proto_item *item;

    zmtp_learn_client(ctx, true);
    zmtp_show_role(ctx, tree, data);
    password_len = password_at < len ? tvb_get_uint8(data, (int)password_at) : 0;
    if (password_at >= len || password_at + 1 + password_len != len) {
        zmtp_malformed(
            ctx, ctx->root,
            "PLAIN HELLO has %u octets of data, which do not fit the lengths of username "
            "and password in it (RFC 24)",
            len);
        zmtp_info_add(ctx, "PLAIN HELLO (malformed)");
        return true;
    }
    proto_tree_add_item(tree, hf_username_length, data, 0, 1, ENC_NA);
    zmtp_add_text(ctx, tree, hf_username, data, 1, username_len);
    proto_tree_add_item(tree, hf_password_length, data, (int)password_at, 1, ENC_NA);
    item = zmtp_add_text(ctx, tree, hf_password, data, password_at + 1, password_len);
    if (password_len > 0 && zmtp_on_network(ctx))
        zmtp_find(ctx, item, ZMTP_FINDING_PLAIN_IN_CLEAR);
    zmtp_info_add_format(ctx, "PLAIN HELLO username=%s",
                         zmtp_printable_word(ctx->pinfo, data, 1, username_len));
    return true;
}

static bool dissect_welcome(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *data)
{
    zmtp_learn_client(ctx, false);
    zmtp_show_role(ctx, tree, data);
    if (tvb_reported_length(data) > 0)
        zmtp_malformed(ctx, ctx->root, "PLAIN WELCOME has %u octets of data and should have none",
                       tvb_reported_length(data));
    zmtp_info_add(ctx, "PLAIN WELCOME");
    return true;
}

static bool dissect_metadata_command(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *data,
                                     const char *name)
{
    wmem_strbuf_t *summary = wmem_strbuf_new(ctx->pinfo->pool, "PLAIN ");

    wmem_strbuf_append(summary, name);
    zmtp_show_role(ctx, tree, data);
    zmtp_dissect_metadata(ctx, tree, data, 0, summary);
    zmtp_info_add(ctx, wmem_strbuf_get_str(summary));
    return true;
}

static bool plain_command(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *data, const char *name)
{
    if (strcmp(name, "HELLO") == 0)
        return dissect_hello(ctx, tree, data);
    if (strcmp(name, "WELCOME") == 0)
        return dissect_welcome(ctx, tree, data);
    if (strcmp(name, "INITIATE") == 0) {
        zmtp_learn_client(ctx, true);
        return dissect_metadata_command(ctx, tree, data, name);
    }
    if (strcmp(name, "READY") == 0) {
        zmtp_learn_client(ctx, false);
        dissect_metadata_command(ctx, tree, data, name);
        zmtp_ready_seen(ctx, false);
        return true;
    }
    return false;
}

static void plain_register(const struct zmtp_registry *registry)
{
    static hf_register_info hf[] = {
        {&hf_username_length,
         {"Username length", "zmtp.username.length", FT_UINT8, BASE_DEC, NULL, 0x0, NULL, HFILL}},
        {&hf_username, {"Username", "zmtp.username", FT_STRING, BASE_NONE, NULL, 0x0, NULL, HFILL}},
        {&hf_password_length,
         {"Password length", "zmtp.password.length", FT_UINT8, BASE_DEC, NULL, 0x0, NULL, HFILL}},
        {&hf_password,
         {"Password", "zmtp.password", FT_STRING, BASE_NONE, NULL, 0x0,
          "PLAIN sends it in the clear", HFILL}},
    };

    proto_register_field_array(registry->proto, hf, array_length(hf));
}

const struct zmtp_mechanism zmtp_mechanism_plain = {
    .name = "PLAIN",
    .prefix = "PLAIN ",
    .command = plain_command,
    .register_fields = plain_register,
};
