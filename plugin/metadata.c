/* metadata.c - connection properties, as READY and INITIATE carry them (RFC 23 "metadata").
 *
 *   property = name value
 *   name     = OCTET 1*255name-char      length, then the name
 *   value    = 4OCTET *OCTET             length, then the value
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "zmtp.h"

#define VALUE_LENGTH_LEN 4
#define MAX_SUMMARY_OCTETS 200

static int hf_key = -1;
static int hf_key_length = -1;
static int hf_value = -1;
static int hf_value_length = -1;
static int hf_rest = -1;
static int ett_property = -1;

/* The properties that have a field of their own; RFC 23 compares names without case. */
static void show_known_property(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *tvb,
                                const char *name, unsigned offset, unsigned len)
{
    if (g_ascii_strcasecmp(name, "Socket-Type") == 0) {
        zmtp_add_text(ctx, tree, zmtp_hf_socket_type, tvb, offset, len);
        zmtp_learn_socket_type(ctx, tvb_format_text(ctx->pinfo->pool, tvb, (int)offset, (int)len));
    } else if (g_ascii_strcasecmp(name, "Identity") == 0) {
        proto_tree_add_item(tree, zmtp_hf_identity, tvb, (int)offset, (int)len, ENC_NA);
        zmtp_note_identity(ctx, tvb, offset, len);
    }
}

void zmtp_dissect_metadata(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *tvb, unsigned offset,
                           wmem_strbuf_t *summary)
{
    unsigned end = tvb_reported_length(tvb);

    if (tvb_captured_length(tvb) < end) /* what is missing ends the dissection */
        zmtp_info_add_format(ctx, "%s (cut short)", wmem_strbuf_get_str(summary));
    while (offset < end) {
        unsigned name_len = tvb_get_uint8(tvb, (int)offset);
        unsigned value_at = offset + 1 + name_len + VALUE_LENGTH_LEN;
        uint32_t value_len;
        proto_tree *property;
        const char *label;

        if (name_len == 0 || value_at > end ||
            (value_len = tvb_get_ntohl(tvb, (int)(value_at - VALUE_LENGTH_LEN))) > end - value_at) {
            zmtp_find_format(
                ctx,
                proto_tree_add_item(tree, hf_rest, tvb, (int)offset, (int)(end - offset), ENC_NA),
                ZMTP_FINDING_METADATA_MALFORMED,
                "Metadata is cut short or damaged: no whole property in the last %u "
                "octets (RFC 23: name length, name, 4-octet value length, value)",
                end - offset);
            zmtp_note_malformed(ctx, "metadata that cannot be read");
            return;
        }
        if (tree && zmtp_tree_is_full(ctx)) {
            zmtp_leave_out(ctx);
            tree = NULL;
        }
        label = zmtp_name_text(ctx->pinfo, tvb, offset + 1, name_len);
        property = proto_tree_add_subtree_format(
            tree, tvb, (int)offset, (int)(1 + name_len + VALUE_LENGTH_LEN + value_len),
            ett_property, NULL, "Property: %s = %s", label,
            zmtp_printable(ctx->pinfo, tvb, value_at, value_len));
        proto_tree_add_item(property, hf_key_length, tvb, (int)offset, 1, ENC_BIG_ENDIAN);
        zmtp_add_text(ctx, property, hf_key, tvb, offset + 1, name_len);
        proto_tree_add_item(property, hf_value_length, tvb, (int)(value_at - VALUE_LENGTH_LEN),
                            VALUE_LENGTH_LEN, ENC_BIG_ENDIAN);
        zmtp_add_text(ctx, property, hf_value, tvb, value_at, value_len);
        show_known_property(ctx, property, tvb, label, value_at, value_len);
        if (value_len > 0 && wmem_strbuf_get_len(summary) < MAX_SUMMARY_OCTETS)
            wmem_strbuf_append_printf(summary, " %s=%s", label,
                                      zmtp_printable_word(ctx->pinfo, tvb, value_at, value_len));
        offset = value_at + value_len;
    }
}

void zmtp_register_metadata(const struct zmtp_registry *registry)
{
    static hf_register_info hf[] = {
        {&hf_key,
         {"Metadata key", "zmtp.metadata.key", FT_STRING, BASE_NONE, NULL, 0x0,
          "Name of a connection property", HFILL}},
        {&hf_key_length,
         {"Metadata key length", "zmtp.metadata.key.length", FT_UINT8, BASE_DEC, NULL, 0x0, NULL,
          HFILL}},
        {&hf_value,
         {"Metadata value", "zmtp.metadata.value", FT_STRING, BASE_NONE, NULL, 0x0,
          "Value of a connection property", HFILL}},
        {&hf_value_length,
         {"Metadata value length", "zmtp.metadata.value.length", FT_UINT32, BASE_DEC, NULL, 0x0,
          NULL, HFILL}},
        {&hf_rest,
         {"Rest", "zmtp.metadata.rest", FT_BYTES, BASE_NONE, NULL, 0x0,
          "Octets that should be properties and are none", HFILL}},
    };
    static int *ett[] = {&ett_property};

    proto_register_field_array(registry->proto, hf, array_length(hf));
    proto_register_subtree_array(ett, array_length(ett));
}
