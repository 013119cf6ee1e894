/* command.c - commands (RFC 23 "command"): a table of those that every mechanism has; what belongs
 * to one mechanism is asked of that mechanism first.
 *
 *   command-body = command-name command-data
 *   command-name = OCTET 1*255command-name-char
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "zmtp.h"

#define PING_TTL_LEN 2
#define PING_CONTEXT_MAX 16 /* RFC 37 "ping-context" */
#define PADDED_NAME_LEN 8

static int hf_command_name = -1;
static int hf_command_name_length = -1;
static int hf_command_data = -1;
static int hf_reason = -1;
static int hf_reason_length = -1;
static int hf_ping_ttl = -1;
static int hf_ping_context = -1;
static int hf_group = -1;
static int hf_role = -1;

void zmtp_malformed(struct zmtp_ctx *ctx, proto_item *item, const char *format, ...)
{
    va_list args;
    const char *text;

    va_start(args, format);
    text = wmem_strdup_vprintf(ctx->pinfo->pool, format, args);
    va_end(args);
    zmtp_find_format(ctx, item, ZMTP_FINDING_COMMAND_MALFORMED, "%s", text);
    zmtp_note_malformed(ctx, text);
}

void zmtp_show_role_as(proto_tree *tree, tvbuff_t *tvb, const char *role)
{
    if (role)
        proto_item_set_generated(proto_tree_add_string(tree, hf_role, tvb, 0, 0, role));
}

void zmtp_show_role(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *tvb)
{
    zmtp_show_role_as(tree, tvb, zmtp_sender_role(ctx));
}

proto_item *zmtp_add_command_name(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *tvb,
                                  unsigned offset, unsigned len)
{
    if (!tree)
        return NULL;
    proto_tree_add_item(tree, hf_command_name_length, tvb, (int)offset, 1, ENC_BIG_ENDIAN);
    if (zmtp_is_protected(tvb, offset)) /* nearly every frame: text from the tvb costs more */
        return proto_tree_add_string(tree, hf_command_name, tvb, (int)offset + 1, (int)len,
                                     "MESSAGE");
    return zmtp_add_text(ctx, tree, hf_command_name, tvb, offset + 1, len);
}

/* ---- Commands of every mechanism ---- */

/* SUBSCRIBE, CANCEL: RFC 37 "subscribe", "cancel". */
static void dissect_subscribe(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *data)
{
    zmtp_show_subscription(ctx, tree, data, ZMTP_SUBSCRIBE);
}

static void dissect_cancel(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *data)
{
    zmtp_show_subscription(ctx, tree, data, ZMTP_CANCEL);
}

static void show_group(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *data, const char *name)
{
    unsigned len = tvb_reported_length(data);

    zmtp_add_text(ctx, tree, hf_group, data, 0, len);
    zmtp_info_add_format(ctx, "%s %s", name, zmtp_printable(ctx->pinfo, data, 0, len));
}

/* JOIN, LEAVE: RFC 48 (RADIO-DISH). */
static void dissect_join(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *data)
{
    show_group(ctx, tree, data, "JOIN");
}

static void dissect_leave(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *data)
{
    show_group(ctx, tree, data, "LEAVE");
}

static void show_ping_context(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *data,
                              unsigned offset, wmem_strbuf_t *summary)
{
    unsigned len = tvb_reported_length(data) - offset;
    proto_item *item;

    if (len == 0)
        return;
    item = zmtp_add_text(ctx, tree, hf_ping_context, data, offset, len);
    if (len > PING_CONTEXT_MAX)
        zmtp_malformed(ctx, item, "The context has %u octets; RFC 37 allows %u", len,
                       PING_CONTEXT_MAX);
    wmem_strbuf_append_printf(summary, " %s", zmtp_printable(ctx->pinfo, data, offset, len));
}

/* PING: RFC 37 "ping": TTL in tenths of a second, context. */
static void dissect_ping(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *data)
{
    wmem_strbuf_t *summary = wmem_strbuf_new(ctx->pinfo->pool, "PING");
    proto_item *item;
    uint32_t ttl;

    if (tvb_reported_length(data) < PING_TTL_LEN) {
        zmtp_malformed(ctx, ctx->root, "PING is cut short: %u octets, but its TTL alone has %d",
                       tvb_reported_length(data), PING_TTL_LEN);
        zmtp_info_add(ctx, "PING (malformed)");
        return;
    }
    item = proto_tree_add_item_ret_uint(tree, hf_ping_ttl, data, 0, PING_TTL_LEN, ENC_BIG_ENDIAN,
                                        &ttl);
    proto_item_append_text(item, " (%u.%u seconds)", ttl / 10, ttl % 10);
    wmem_strbuf_append_printf(summary, " ttl=%u.%us", ttl / 10, ttl % 10);
    show_ping_context(ctx, tree, data, PING_TTL_LEN, summary);
    zmtp_ping_seen(ctx, item, (uint16_t)ttl);
    zmtp_info_add(ctx, wmem_strbuf_get_str(summary));
}

static void dissect_pong(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *data)
{
    wmem_strbuf_t *summary = wmem_strbuf_new(ctx->pinfo->pool, "PONG");

    show_ping_context(ctx, tree, data, 0, summary);
    zmtp_pong_seen(ctx);
    zmtp_info_add(ctx, wmem_strbuf_get_str(summary));
}

static const char *what_was_denied(const struct zmtp_ctx *ctx)
{
    const struct zmtp_mechanism *mechanism = zmtp_conn_mechanism(ctx);

    return mechanism == &zmtp_mechanism_plain   ? " (wrong user name or password)"
           : mechanism == &zmtp_mechanism_curve ? " (its public key is not among those admitted)"
           : mechanism == &zmtp_mechanism_null  ? " (its address or domain is not admitted)"
                                                : "";
}

/* JeroMQ's server cannot open HELLO, and says no more. */
static bool answers_hello(const struct zmtp_ctx *ctx)
{
    const struct zmtp_side *side = ctx->conn->story.side;

    return (side[!ctx->dir].said & ZMTP_SAID_HELLO) && !(side[ctx->dir].said & ZMTP_SAID_WELCOME);
}

/* What ERROR means: libzmq sends ZAP's status codes (RFC 27). */
static void refused(struct zmtp_ctx *ctx, const char *reason)
{
    const struct zmtp_story *story = &ctx->conn->story;
    enum zmtp_finding finding = strcmp(reason, "\"400\"") == 0   ? ZMTP_FINDING_ACCESS_DENIED
                                : strcmp(reason, "\"500\"") == 0 ? ZMTP_FINDING_ZAP_ERROR
                                : strcmp(reason, "\"300\"") == 0 ? ZMTP_FINDING_ZAP_TEMPORARY
                                                                 : ZMTP_FINDING_REFUSED;

    if (finding == ZMTP_FINDING_REFUSED && strcmp(reason, "\"\"") == 0 &&
        zmtp_conn_mechanism(ctx) == &zmtp_mechanism_curve && answers_hello(ctx))
        zmtp_handshake_failed(ctx,
                              story->server_key == ZMTP_SERVER_KEY_RIGHT
                                  ? ZMTP_FINDING_HELLO_REFUSED
                                  : ZMTP_FINDING_WRONG_SERVER_KEY,
                              "The server answered HELLO with an ERROR that says nothing: %s",
                              story->server_key == ZMTP_SERVER_KEY_RIGHT
                                  ? "although the client has the right server key"
                                  : "the client probably has a wrong server key");
    else if (finding == ZMTP_FINDING_REFUSED)
        zmtp_handshake_failed(ctx, finding, "The peer refused with ERROR %s", reason);
    else if (finding == ZMTP_FINDING_ACCESS_DENIED)
        zmtp_handshake_failed(ctx, finding, "%s%s", zmtp_finding_text(finding),
                              what_was_denied(ctx));
    else
        zmtp_handshake_failed(ctx, finding, "%s", zmtp_finding_text(finding));
}

/* ERROR: RFC 23 "error": length, reason. */
void zmtp_dissect_error(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *data, unsigned offset)
{
    unsigned there = tvb_reported_length(data) - offset;
    const struct zmtp_mechanism *mechanism = zmtp_conn_mechanism(ctx);
    const char *reason;
    proto_item *item;
    uint32_t len;

    if (there == 0) {
        zmtp_malformed(ctx, ctx->root, "ERROR is cut short: it has no reason length");
        zmtp_info_add(ctx, "ERROR (malformed)");
        return;
    }
    item = proto_tree_add_item_ret_uint(tree, hf_reason_length, data, (int)offset, 1,
                                        ENC_BIG_ENDIAN, &len);
    if (len != there - 1) {
        zmtp_find_format(ctx, item, ZMTP_FINDING_ERROR_LENGTH,
                         "The reason's length is %u but %u octets follow (libzmq 4.1.0 to "
                         "4.2.0 send this)",
                         len, there - 1);
        len = MIN(len, there - 1);
        if (len == 0)
            len = there - 1;
    }
    zmtp_add_text(ctx, tree, hf_reason, data, offset + 1, len);
    reason = zmtp_printable(ctx->pinfo, data, offset + 1, len);
    zmtp_info_add_format(ctx, "%sERROR %s", mechanism->prefix, reason);
    refused(ctx, reason);
}

static void dissect_error(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *data)
{
    zmtp_dissect_error(ctx, tree, data, 0);
}

static const struct {
    const char *name;
    void (*dissect)(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *data);
} common_commands[] = {
    {"SUBSCRIBE", dissect_subscribe}, {"CANCEL", dissect_cancel}, {"JOIN", dissect_join},
    {"LEAVE", dissect_leave},         {"PING", dissect_ping},     {"PONG", dissect_pong},
    {"ERROR", dissect_error},
};

static bool dissect_common(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *data, const char *name)
{
    for (size_t i = 0; i < array_length(common_commands); i++) {
        if (strcmp(name, common_commands[i].name) == 0) {
            common_commands[i].dissect(ctx, tree, data);
            return true;
        }
    }
    return false;
}

/* ---- Any command ---- */

/* libzmq 4.3.4 and 4.3.5 send PLAIN's ERROR without a name length: "^RROR", from a C string literal
 * "\x05E" that compilers read as "\x5E". */
static bool dissect_broken_error(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *body)
{
    static const uint8_t broken[] = {'^', 'R', 'R', 'O', 'R'};
    proto_item *item;

    if (tvb_reported_length(body) <= sizeof broken ||
        tvb_memeql(body, 0, broken, sizeof broken) != 0)
        return false;
    item = proto_tree_add_string(tree, hf_command_name, body, 0, sizeof broken, "ERROR");
    zmtp_find(ctx, item, ZMTP_FINDING_ERROR_NAME);
    zmtp_tell_command(ctx, "ERROR");
    zmtp_show_role(ctx, tree, body);
    zmtp_handshake_step(ctx, tree, "ERROR");
    zmtp_dissect_error(ctx, tree, body, sizeof broken);
    return true;
}

static void show_unknown(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *data, const char *name)
{
    if (tvb_reported_length(data) > 0)
        proto_tree_add_item(tree, hf_command_data, data, 0, -1, ENC_NA);
    if (!zmtp_conn_mechanism_known(ctx)) {
        zmtp_info_add_format(ctx, "%s (unknown command)", name);
        return; /* the greeting is not in the capture: it may well be a command of its mechanism */
    }
    zmtp_find_format(ctx, ctx->root, ZMTP_FINDING_COMMAND_UNKNOWN,
                     "Command %s is not known for mechanism %s", name,
                     zmtp_conn_mechanism(ctx)->name);
    zmtp_info_add_format(ctx, "%s (unknown command)", name);
}

/* The texts of RFC 24, 25 and 38 give commands a name of 8 characters, padded with blanks, in front
 * of which the length octet may stand or not.  Returns the name and where it begins; NULL: this is
 * none of those. */
static const char *padded_name(tvbuff_t *body, unsigned *name_at)
{
    static const struct {
        char padded[PADDED_NAME_LEN + 1];
        const char *name;
    } names[] = {{"HELLO   ", "HELLO"}, {"WELCOME ", "WELCOME"}, {"INITIATE", "INITIATE"},
                 {"READY   ", "READY"}, {"MESSAGE ", "MESSAGE"}, {"ERROR   ", "ERROR"}};

    *name_at = tvb_captured_length(body) > 0 && tvb_get_uint8(body, 0) == PADDED_NAME_LEN ? 1 : 0;
    if (tvb_captured_length(body) < *name_at + PADDED_NAME_LEN)
        return NULL;
    for (size_t i = 0; i < array_length(names); i++) {
        if (tvb_memeql(body, (int)*name_at, (const uint8_t *)names[i].padded, PADDED_NAME_LEN) == 0)
            return *name_at && strlen(names[i].name) == PADDED_NAME_LEN ? NULL : names[i].name;
    }
    return NULL;
}

/* The name of a command.  NULL: it has none that fits. */
static const char *show_name(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *body, bool outer,
                             unsigned *data_at)
{
    unsigned len = tvb_reported_length(body);
    unsigned name_len = len > 0 ? tvb_get_uint8(body, 0) : 0;
    const char *name = outer ? padded_name(body, data_at) : NULL;

    if (name) {
        zmtp_find(ctx,
                  proto_tree_add_string(tree, hf_command_name, body, (int)*data_at, PADDED_NAME_LEN,
                                        name),
                  ZMTP_FINDING_COMMAND_PADDED);
        *data_at += PADDED_NAME_LEN;
        return name;
    }
    if (name_len > 0 && name_len + 1 <= len) {
        zmtp_add_command_name(ctx, tree, body, 0, name_len);
        *data_at = 1 + name_len;
        return zmtp_name_text(ctx->pinfo, body, 1, name_len);
    }
    return NULL;
}

static void dissect_nameless(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *body)
{
    const struct zmtp_mechanism *mechanism = zmtp_conn_mechanism(ctx);
    unsigned len = tvb_reported_length(body);

    if (len > 0)
        proto_tree_add_item(tree, hf_command_data, body, 0, (int)len, ENC_NA);
    /* GSSAPI's client sends an empty command between INITIATE and READY. */
    if (mechanism->command && mechanism->command(ctx, tree, body, ""))
        return;
    zmtp_malformed(ctx, ctx->root,
                   "Not a command: its name should have %u octets and the body has %u",
                   len > 0 ? tvb_get_uint8(body, 0) : 0, len);
    zmtp_info_add(ctx, "Command (malformed)");
}

void zmtp_dissect_command(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *body, bool outer)
{
    const struct zmtp_mechanism *mechanism = zmtp_conn_mechanism(ctx);
    unsigned data_at = 0;
    const char *name;
    tvbuff_t *data;

    if (dissect_broken_error(ctx, tree, body))
        return;
    name = show_name(ctx, tree, body, outer, &data_at);
    if (!name) {
        dissect_nameless(ctx, tree, body);
        return;
    }
    data = tvb_new_subset_remaining(body, (int)data_at);
    zmtp_tell_command(ctx, name);
    if (outer)
        zmtp_handshake_step(ctx, tree, name);
    if (outer && mechanism->command && mechanism->command(ctx, tree, data, name)) {
        proto_item_append_text(ctx->root, ", %s%s", mechanism->prefix, name);
        return;
    }
    proto_item_append_text(ctx->root, ", %s", name);
    zmtp_show_role(ctx, tree, body);
    if (outer && mechanism->protects && mechanism->protects(ctx) && zmtp_handshake_over(ctx))
        zmtp_mark_unprotected(ctx, ctx->root);
    if (!dissect_common(ctx, tree, data, name))
        show_unknown(ctx, tree, data, name);
}

void zmtp_register_command(const struct zmtp_registry *registry)
{
    static hf_register_info hf[] = {
        {&hf_command_name,
         {"Command name", "zmtp.command-name", FT_STRING, BASE_NONE, NULL, 0x0, NULL, HFILL}},
        {&hf_command_name_length,
         {"Command name length", "zmtp.command-name.length", FT_UINT8, BASE_DEC, NULL, 0x0, NULL,
          HFILL}},
        {&hf_command_data,
         {"Command data", "zmtp.command.data", FT_BYTES, BASE_NONE, NULL, 0x0,
          "Data of a command that is not known or not well-formed", HFILL}},
        {&hf_reason,
         {"Reason", "zmtp.reason", FT_STRING, BASE_NONE, NULL, 0x0,
          "Why the peer refused; libzmq sends the ZAP status code", HFILL}},
        {&hf_reason_length,
         {"Reason length", "zmtp.reason.length", FT_UINT8, BASE_DEC, NULL, 0x0, NULL, HFILL}},
        {&hf_ping_ttl,
         {"TTL", "zmtp.ping.ttl", FT_UINT16, BASE_DEC, NULL, 0x0, "In tenths of a second", HFILL}},
        {&hf_ping_context,
         {"Context", "zmtp.ping.context", FT_STRING, BASE_NONE, NULL, 0x0,
          "PONG returns the context of the PING it answers", HFILL}},
        {&hf_group,
         {"Group", "zmtp.group", FT_STRING, BASE_NONE, NULL, 0x0, "Group of RADIO and DISH sockets",
          HFILL}},
        {&hf_role,
         {"Role of sender", "zmtp.role", FT_STRING, BASE_NONE, NULL, 0x0,
          "Who the sender is in the security handshake; the client begins it", HFILL}},
    };

    proto_register_field_array(registry->proto, hf, array_length(hf));
}
