/* message.c - what applications sent: parts of messages, and subscriptions in message form.
 *
 * It is the only place that does this, whether the octets came in the clear or out of a box.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "zmtp.h"

/* RFC 23, before 3.1: a message whose first octet is 1 subscribes, 0 cancels. */
#define SUBSCRIBE_OCTET 1

static int hf_data = -1;
static int hf_data_text = -1;
static int hf_part = -1;
static int hf_subscribe = -1;
static int hf_cancel = -1;

/* ---- Plaintexts ---- */

/* Part numbers are lost with what stays closed; a memo tells a later visit where they were. */
void zmtp_count_protected(struct zmtp_ctx *ctx, bool opened)
{
    int32_t memo;

    if (!ctx->first_pass) {
        if (opened && zmtp_memo_get(ctx->pinfo, ZMTP_MEMO_PART_LOST, ctx->seq, &memo))
            ctx->part = -1;
    } else if (!opened) {
        ctx->peer->unopened = true;
    } else if (ctx->peer->unopened) {
        ctx->peer->unopened = false;
        ctx->part = -1;
        zmtp_memo_put(ctx->pinfo, ZMTP_MEMO_PART_LOST, ctx->seq, 0);
    }
}

uint8_t *zmtp_plaintext_room(struct zmtp_ctx *ctx, unsigned len)
{
    struct zmtp_plaintexts *all = &ctx->plaintexts;

    if (!all->octets || all->size - all->used < len) {
        /* A plaintext is shorter than its frame, so what is left of the call holds all of them. */
        zmtp_plaintexts_end(ctx);
        all->size = MAX(len, tvb_captured_length(ctx->tvb) - ctx->offset);
        all->octets = (uint8_t *)wmem_alloc(ctx->pinfo->pool, all->size);
    }
    return all->octets + all->used;
}

tvbuff_t *zmtp_plaintext_keep(struct zmtp_ctx *ctx, unsigned len, const char *source_name)
{
    struct zmtp_plaintexts *all = &ctx->plaintexts;

    if (!all->tvb) {
        all->tvb = tvb_new_child_real_data(ctx->tvb, all->octets, all->size, (int)all->size);
        add_new_data_source(ctx->pinfo, all->tvb, source_name);
    }
    all->used += len;
    return tvb_new_subset_length(all->tvb, (int)(all->used - len), (int)len);
}

void zmtp_plaintexts_end(struct zmtp_ctx *ctx)
{
    struct zmtp_plaintexts *all = &ctx->plaintexts;

    if (all->tvb)
        tvb_set_reported_length(all->tvb, all->used); /* what was not used is not shown */
    memset(all, 0, sizeof *all);
}

/* ---- Subscriptions ---- */

static const char *const subscription_names[] = {"SUBSCRIBE", "CANCEL", "SUBSCRIBE or CANCEL"};

void zmtp_show_subscription(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *topic,
                            enum zmtp_subscription kind)
{
    unsigned len = tvb_captured_length(topic);
    const char *text = zmtp_printable(ctx->pinfo, topic, 0, len);

    proto_tree_add_item(tree, kind == ZMTP_CANCEL ? hf_cancel : hf_subscribe, topic, 0, (int)len,
                        ENC_NA);
    zmtp_info_add_format(ctx, "%s %s", subscription_names[kind], text);
}

void zmtp_dissect_subscription(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *topic,
                               enum zmtp_subscription kind)
{
    static const enum zmtp_command commands[] = {ZMTP_COMMAND_SUBSCRIBE_MESSAGE,
                                                 ZMTP_COMMAND_CANCEL_MESSAGE,
                                                 ZMTP_COMMAND_SUBSCRIBE_OR_CANCEL};

    zmtp_tell_subscription(ctx, commands[kind]);
    zmtp_show_role(ctx, tree, topic);
    proto_item_append_text(ctx->root, ", %s", subscription_names[kind]);
    zmtp_show_subscription(ctx, tree, topic, kind);
}

/* A subscription has one part, so it is none within a message; behind a gap that is not known, and
 * a subscriber sends hardly anything else.  Since 3.1 subscriptions are commands, and an XSUB
 * application's own message may begin with 01. */
static bool is_subscription(const struct zmtp_ctx *ctx, tvbuff_t *payload, bool more)
{
    enum zmtp_version version = zmtp_conn_version(ctx);

    return !more && ctx->part <= 0 && version != ZMTP_VERSION_UNKNOWN && version < ZMTP_3_1 &&
           tvb_captured_length(payload) > 0 && tvb_get_uint8(payload, 0) <= SUBSCRIBE_OCTET &&
           zmtp_sender_subscribes(ctx);
}

/* ---- Messages ---- */

static bool is_text(tvbuff_t *payload, unsigned len)
{
    const uint8_t *octets = tvb_get_ptr(payload, 0, (int)len);

    for (unsigned i = 0; i < len; i++) {
        if (octets[i] < ' ' && octets[i] != '\t' && octets[i] != '\n' && octets[i] != '\r')
            return false;
    }
    return g_utf8_validate((const char *)octets, len, NULL) && !zmtp_is_awkward_text(octets, len);
}

static proto_item *show_data(proto_tree *tree, tvbuff_t *payload)
{
    unsigned len = tvb_captured_length(payload);
    proto_item *item = proto_tree_add_item(tree, hf_data, payload, 0, (int)len, ENC_NA);

    if (len > 0 && is_text(payload, len)) {
        proto_tree_add_item(tree, hf_data_text, payload, 0, (int)len, ENC_UTF_8 | ENC_NA);
        proto_item_set_hidden(item);
    }
    return item;
}

static int32_t next_part(struct zmtp_ctx *ctx, bool more)
{
    int32_t part = ctx->part < 0 ? 0 : ctx->part + 1;

    if (!more)
        ctx->part = 0;
    else if (ctx->part >= 0)
        ctx->part++;
    return part;
}

/* part: its number within the message, 0: not known. */
static proto_item *show_part(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *payload,
                             int32_t part, bool more, enum zmtp_protection protection)
{
    bool numbered = more || part > 1;

    zmtp_show_role(ctx, tree, payload);
    proto_item_append_text(ctx->root, ", MESSAGE");
    if (numbered)
        proto_item_append_text(ctx->root, " part %d", part);
    proto_item_append_text(ctx->root, ", %u octets%s", tvb_reported_length(payload),
                           protection == ZMTP_DECRYPTED ? " (decrypted)" : "");
    if (part > 0 && numbered)
        proto_item_set_generated(proto_tree_add_uint(tree, hf_part, payload, 0, 0, (uint32_t)part));
    return show_data(tree, payload);
}

void zmtp_dissect_payload(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *payload, bool more,
                          enum zmtp_protection protection)
{
    unsigned len = tvb_reported_length(payload);
    proto_item *item = NULL;
    int32_t part;

    if (is_subscription(ctx, payload, more)) {
        zmtp_dissect_subscription(ctx, tree, tvb_new_subset_remaining(payload, 1),
                                  tvb_get_uint8(payload, 0) == SUBSCRIBE_OCTET ? ZMTP_SUBSCRIBE
                                                                               : ZMTP_CANCEL);
        return;
    }
    zmtp_tell_part(ctx, len, more);
    part = next_part(ctx, more);
    if (tree)
        item = show_part(ctx, tree, payload, part, more, protection);
    if (protection == ZMTP_CLEAR && zmtp_is_unsecured(ctx) && zmtp_is_pickle(payload))
        zmtp_find(ctx, item, ZMTP_FINDING_PICKLE);
    zmtp_info_add_data(ctx, part, more, len, payload, protection);
    if (tvb_captured_length(payload) == len)
        zmtp_hand_off(ctx, payload);
}

void zmtp_register_message(const struct zmtp_registry *registry)
{
    static hf_register_info hf[] = {
        {&hf_data,
         {"Data", "zmtp.data", FT_BYTES, BASE_NONE, NULL, 0x0,
          "One part of a message of the application, always in plaintext", HFILL}},
        {&hf_data_text,
         {"Text", "zmtp.data.text", FT_STRING, BASE_NONE, NULL, 0x0,
          "One part of a message, where it is text", HFILL}},
        {&hf_part,
         {"Part", "zmtp.message.part", FT_UINT32, BASE_DEC, NULL, 0x0,
          "Number of this part within a message of several parts", HFILL}},
        {&hf_subscribe,
         {"Subscribe", "zmtp.subscribe", FT_BYTES, BASE_SHOW_ASCII_PRINTABLE, NULL, 0x0, "Topic",
          HFILL}},
        {&hf_cancel,
         {"Cancel", "zmtp.cancel", FT_BYTES, BASE_SHOW_ASCII_PRINTABLE, NULL, 0x0, "Topic", HFILL}},
    };

    proto_register_field_array(registry->proto, hf, array_length(hf));
}
