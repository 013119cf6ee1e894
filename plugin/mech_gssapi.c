/* mech_gssapi.c - GSSAPI as libzmq speaks it (RFC 38 leaves nearly all of it open).
 *
 *   client: INITIATE (4-octet length, token)   server: INITIATE (token), as often as GSS-API asks
 *   client: an empty command                   both: READY
 *
 * In plaintext mode READY and traffic are as with NULL.  With encryption everything after the
 * tokens, READY too, is a MESSAGE: 4-octet length, Wrap token; in the token flags 1, payload.
 * READY is told from traffic by the COMMAND flag of its frame.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "mech_gssapi.h"

#define NAME_LEN 8 /* "\x07MESSAGE" */
#define TOKEN_LENGTH_LEN 4

#define PAYLOAD_MORE 0x01 /* libzmq; the last two since 4.3.6 */
#define PAYLOAD_COMMAND 0x02
#define PAYLOAD_SUBSCRIBE 0x04
#define PAYLOAD_CANCEL 0x08

#define READY_METADATA_AT 7 /* behind flags and "\x05READY" */

static int hf_token = -1;
static int hf_token_length = -1;
static int hf_sealed = -1;
static int hf_decrypted = -1;
static int hf_not_decrypted = -1;
static int hf_payload_flags = -1;
static int hf_payload_more = -1;
static int hf_payload_command = -1;
static int hf_payload_subscribe = -1;
static int hf_payload_cancel = -1;
static int ett_token = -1;
static int ett_payload_flags = -1;

/* ---- The connection ---- */

struct gssapi_state {
    struct zmtp_moment
        ticket; /* the first whole tokens of these kinds, and the first that told keys */
    struct zmtp_moment answer;
    struct zmtp_moment error;
    struct zmtp_moment ticket_opened;
    struct zmtp_moment answer_opened;
    struct zmtp_moment clear[2];   /* by direction: READY in the clear */
    struct zmtp_moment wrapped[2]; /* by direction: the first Wrap token */
    struct zmtp_moment ready[2];   /* by direction: the first MESSAGE with the COMMAND flag */
    struct zmtp_moment excess_learned;
    unsigned excess; /* octets too many, see zmtp_gss_excess_at */
};

static struct gssapi_state *state_of(const struct zmtp_ctx *ctx)
{
    return (struct gssapi_state *)zmtp_conn_state(ctx->conn, &zmtp_mechanism_gssapi,
                                                  sizeof(struct gssapi_state), NULL);
}

/* Both sides encrypt, or neither. */
static bool gssapi_protects(const struct zmtp_ctx *ctx)
{
    const struct gssapi_state *state = state_of(ctx);

    return zmtp_moment_is_past(ctx, &state->wrapped[0]) ||
           zmtp_moment_is_past(ctx, &state->wrapped[1]);
}

static bool plaintext_mode(const struct zmtp_ctx *ctx)
{
    return zmtp_moment_is_past(ctx, &state_of(ctx)->clear[ctx->dir]) && !gssapi_protects(ctx);
}

static void learn_role(struct zmtp_ctx *ctx, enum zmtp_gss_sender sender)
{
    if (sender != ZMTP_GSS_SENDER_UNKNOWN)
        zmtp_learn_client(ctx, sender == ZMTP_GSS_INITIATOR);
}

/* ---- Tokens ---- */

/* The token that follows its 4-octet length; bare: where the length is missing it is the whole
 * rest (as one can read RFC 38).  NULL: there is none. */
static tvbuff_t *show_token(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *data, unsigned offset,
                            bool bare, proto_tree **token_tree)
{
    unsigned there = tvb_reported_length(data) - offset;
    bool has_length =
        there >= TOKEN_LENGTH_LEN && tvb_get_ntohl(data, (int)offset) == there - TOKEN_LENGTH_LEN;
    tvbuff_t *token;
    proto_item *item;

    if (!has_length && !bare) {
        zmtp_malformed(ctx, ctx->root,
                       "The token's 4-octet length does not fit the %u octets that are there",
                       there);
        return NULL;
    }
    if (has_length) {
        proto_tree_add_item(tree, hf_token_length, data, (int)offset, TOKEN_LENGTH_LEN,
                            ENC_BIG_ENDIAN);
        offset += TOKEN_LENGTH_LEN;
    }
    token = tvb_new_subset_remaining(data, (int)offset);
    item = proto_tree_add_item(tree, hf_token, token, 0, (int)tvb_captured_length(token), ENC_NA);
    *token_tree = proto_item_add_subtree(item, ett_token);
    return token;
}

/* Where the keys of the connection can be, and where Wireshark found some. */
static void remember_token(struct zmtp_ctx *ctx, tvbuff_t *token,
                           const struct zmtp_gss_header *header, const char *role, bool opened)
{
    struct gssapi_state *state = state_of(ctx);
    bool from_server = role ? *role == 's' : header->kind == ZMTP_GSS_REPLY;

    if (header->kind == ZMTP_GSS_KRB_ERROR)
        zmtp_note_said(ctx, ZMTP_SAID_KRB_ERROR);
    else if (header->sender == ZMTP_GSS_INITIATOR)
        zmtp_note_said(ctx, ZMTP_SAID_TICKET);
    else if (header->sender == ZMTP_GSS_ACCEPTOR || header->kind == ZMTP_GSS_REPLY)
        zmtp_note_said(ctx, ZMTP_SAID_TICKET_ANSWER);
    else if (from_server)
        zmtp_note_said(ctx, ZMTP_SAID_OFFER);
    if (tvb_captured_length(token) < tvb_reported_length(token))
        return;
    switch (header->kind) {
    case ZMTP_GSS_AP_REQ:
    case ZMTP_GSS_AP_REP:
    case ZMTP_GSS_OTHER:
    case ZMTP_GSS_REPLY:
        zmtp_moment_keep(ctx, from_server ? &state->answer : &state->ticket);
        if (opened)
            zmtp_moment_keep(ctx, from_server ? &state->answer_opened : &state->ticket_opened);
        break;
    case ZMTP_GSS_KRB_ERROR:
        zmtp_moment_keep(ctx, &state->error);
        break;
    default:
        break;
    }
}

/* Who sent it, as far as that is known.  The client begins: SPNEGO and tokens that nobody knows do
 * not tell, but the first one is the client's. */
static const char *role_of_token(struct zmtp_ctx *ctx, const struct zmtp_gss_header *header)
{
    learn_role(ctx, header->sender);
    if (header->sender != ZMTP_GSS_SENDER_UNKNOWN)
        return header->sender == ZMTP_GSS_INITIATOR ? "client" : "server";
    if (header->kind != ZMTP_GSS_REPLY && ctx->peer->saw_start)
        learn_role(ctx, ZMTP_GSS_INITIATOR);
    return zmtp_sender_role(ctx);
}

/* INITIATE, and HELLO of RFC 38. */
static void dissect_handshake(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *data,
                              const char *name)
{
    bool hello = strcmp(name, "HELLO") == 0;
    struct zmtp_gss_header header;
    proto_tree *token_tree;
    tvbuff_t *token = show_token(ctx, tree, data, 0, hello, &token_tree);
    const char *kind;
    const char *role;

    if (!token) {
        zmtp_info_add_format(ctx, "GSSAPI %s (malformed)", name);
        return;
    }
    zmtp_gss_read_header(token, &header);
    if (header.kind == ZMTP_GSS_MALFORMED)
        zmtp_malformed(ctx, ctx->root, "The token's own length is no length, or more than it has");
    role = role_of_token(ctx, &header);
    remember_token(ctx, token, &header, role,
                   zmtp_gss_dissect_token(ctx, token_tree, token, &header));
    zmtp_show_role_as(tree, data, role);
    kind = zmtp_gss_kind_name(header.kind);
    zmtp_info_add_format(ctx, "GSSAPI %s %s%s%u byte token", name, kind, *kind ? ", " : "",
                         tvb_reported_length(token));
}

static void dissect_ready(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *data,
                          const char *protection)
{
    wmem_strbuf_t *summary = wmem_strbuf_new(ctx->pinfo->pool, "GSSAPI READY");

    zmtp_dissect_metadata(ctx, tree, data, 0, summary);
    wmem_strbuf_append(summary, protection);
    zmtp_info_add(ctx, wmem_strbuf_get_str(summary));
    zmtp_ready_seen(ctx, true);
}

/* ---- What was in a token ---- */

/* Where the metadata of a sealed READY end, the rest must be octets too many.  -1: nothing can be
 * learned, for these are no metadata. */
static int excess_of_ready(tvbuff_t *token, tvbuff_t *plain)
{
    unsigned end = tvb_captured_length(plain);
    unsigned offset = READY_METADATA_AT;

    while (offset < end) {
        unsigned name_len = tvb_get_uint8(plain, (int)offset);
        unsigned value_at = offset + 1 + name_len + 4;
        unsigned excess = zmtp_gss_excess_at(token, plain, offset);
        uint32_t value_len;

        if (excess)
            return (int)excess;
        if (name_len == 0 || value_at > end ||
            (value_len = tvb_get_ntohl(plain, (int)(value_at - 4))) > end - value_at)
            return -1;
        offset = value_at + value_len;
    }
    return 0;
}

/* How many octets too many the sealed tokens of this connection have. */
static void learn_excess(const struct zmtp_ctx *ctx, tvbuff_t *token,
                         const struct zmtp_gss_header *header, tvbuff_t *plain)
{
    struct gssapi_state *state = state_of(ctx);
    int excess;

    /* EC, which nothing here authenticates, changes how much Wireshark takes for the plaintext. */
    if (!ctx->first_pass || state->excess_learned.packet || !header->cfx || !header->sealed ||
        header->extra_count)
        return;
    excess = excess_of_ready(token, plain);
    if (excess >= 0) {
        state->excess = (unsigned)excess;
        zmtp_moment_keep(ctx, &state->excess_learned);
    }
}

static bool is_ready(tvbuff_t *plain)
{
    static const uint8_t ready[] = {5, 'R', 'E', 'A', 'D', 'Y'};

    return tvb_captured_length(plain) >= READY_METADATA_AT &&
           tvb_memeql(plain, 1, ready, sizeof ready) == 0;
}

/* The plaintext without the octets too many, which are never guessed from a payload. */
static tvbuff_t *without_excess(struct zmtp_ctx *ctx, tvbuff_t *token,
                                const struct zmtp_gss_header *header, tvbuff_t *plain)
{
    const struct gssapi_state *state = state_of(ctx);
    unsigned len = tvb_captured_length(plain);

    if (!header->cfx || !header->sealed)
        return plain;
    if (!zmtp_moment_has_come(ctx, &state->excess_learned)) {
        if ((len > 4 && zmtp_gss_excess_at(token, plain, len - 4)) ||
            (len > 12 && zmtp_gss_excess_at(token, plain, len - 12)))
            zmtp_find(ctx, NULL, ZMTP_FINDING_GSSAPI_EXCESS_UNKNOWN);
        return plain;
    }
    if (state->excess == 0 || len <= state->excess || header->extra_count)
        return plain;
    if (zmtp_gss_excess_at(token, plain, len - state->excess) == 0)
        zmtp_find(ctx, NULL, ZMTP_FINDING_GSSAPI_HEADER_CHANGED);
    return tvb_new_subset_length(plain, 0, (int)(len - state->excess));
}

/* A plaintext in the data source for those of this call. */
static tvbuff_t *keep(struct zmtp_ctx *ctx, tvbuff_t *plain)
{
    unsigned len = tvb_captured_length(plain);

    tvb_memcpy(plain, zmtp_plaintext_room(ctx, len), 0, len);
    return zmtp_plaintext_keep(ctx, len, "Decrypted GSSAPI MESSAGE");
}

/* libzmq 4.3.3 to 4.3.5 lose what kind of thing a subscription is, and send the bare topic. */
static bool lost_its_kind(const struct zmtp_ctx *ctx, uint8_t flags)
{
    return (flags & (PAYLOAD_MORE | PAYLOAD_COMMAND)) == 0 && zmtp_sender_is_sub(ctx) &&
           zmtp_conn_version(ctx) >= ZMTP_3_1;
}

static void show_payload_flags(proto_tree *tree, tvbuff_t *opened)
{
    static int *const flag_fields[] = {&hf_payload_cancel, &hf_payload_subscribe,
                                       &hf_payload_command, &hf_payload_more, NULL};

    proto_tree_add_bitmask(tree, opened, 0, hf_payload_flags, ett_payload_flags, flag_fields,
                           ENC_NA);
}

static void dissect_opened(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *opened, bool sealed)
{
    uint8_t flags = tvb_get_uint8(opened, 0);
    tvbuff_t *payload = tvb_new_subset_remaining(opened, 1);

    zmtp_tell_box(ctx, true, true, tvb_reported_length(payload));
    show_payload_flags(tree, opened);
    if (flags & PAYLOAD_COMMAND) {
        zmtp_dissect_command(ctx, tree, payload, false);
    } else if (flags & (PAYLOAD_SUBSCRIBE | PAYLOAD_CANCEL)) {
        zmtp_dissect_subscription(ctx, tree, payload,
                                  flags & PAYLOAD_CANCEL ? ZMTP_CANCEL : ZMTP_SUBSCRIBE);
    } else if (lost_its_kind(ctx, flags)) {
        zmtp_dissect_subscription(ctx, tree, payload, ZMTP_SUBSCRIBE_OR_CANCEL);
        zmtp_find(ctx, NULL, ZMTP_FINDING_GSSAPI_SUBSCRIPTION_KIND);
    } else {
        zmtp_dissect_payload(ctx, tree, payload, (flags & PAYLOAD_MORE) != 0,
                             sealed ? ZMTP_DECRYPTED : ZMTP_CLEAR);
    }
}

static void dissect_opened_ready(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *opened,
                                 bool sealed)
{
    proto_item_append_text(ctx->root, ", GSSAPI READY");
    zmtp_tell_command(ctx, "READY");
    zmtp_show_role(ctx, tree, opened);
    show_payload_flags(tree, opened);
    zmtp_add_command_name(ctx, tree, opened, 1, READY_METADATA_AT - 2);
    dissect_ready(ctx, tree, tvb_new_subset_remaining(opened, READY_METADATA_AT),
                  sealed ? " (decrypted)" : " (signed)");
}

static struct zmtp_gss_known what_is_known(const struct zmtp_ctx *ctx)
{
    const struct gssapi_state *state = state_of(ctx);

    return (struct zmtp_gss_known){
        .ticket_frame = zmtp_moment_is_past(ctx, &state->ticket) ? state->ticket.packet : 0,
        .answer_frame = zmtp_moment_is_past(ctx, &state->answer) ? state->answer.packet : 0,
        .error_frame = zmtp_moment_is_past(ctx, &state->error) ? state->error.packet : 0,
        .ticket_opened = zmtp_moment_is_past(ctx, &state->ticket_opened),
        .answer_opened = zmtp_moment_is_past(ctx, &state->answer_opened),
    };
}

static void show_closed(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *token,
                        const struct zmtp_gss_header *header, const struct zmtp_gss_known *known,
                        bool ready)
{
    proto_item *item = NULL;

    if (tree) {
        item = proto_tree_add_string(tree, hf_not_decrypted, token, 0, 0,
                                     zmtp_gss_why_not(ctx, token, header, known));
        proto_item_set_generated(item);
    }
    if (zmtp_gss_is_damaged(token, header, known))
        zmtp_find(ctx, item, ZMTP_FINDING_GSSAPI_DAMAGED);
    zmtp_show_role(ctx, ctx->tree, token);
    proto_item_append_text(ctx->root, ", GSSAPI %s, %u byte token (%s)",
                           ready ? "READY" : "MESSAGE", tvb_reported_length(token),
                           tvb_captured_length(token) < tvb_reported_length(token)
                               ? "cut short in the capture"
                               : "encrypted");
    if (ready) {
        zmtp_tell_command(ctx, "READY");
        zmtp_info_add(ctx, "GSSAPI READY (encrypted)");
        zmtp_ready_seen(ctx, true);
    } else {
        zmtp_tell_box(ctx, false, false, 0);
        zmtp_info_add_data(ctx, 0, false, tvb_reported_length(token), NULL, ZMTP_ENCRYPTED);
    }
}

/* What its header tells, and whether it was opened. */
static void show_protection(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *token,
                            const struct zmtp_gss_header *header, bool opened)
{
    proto_item *item = NULL;

    if (header->kind == ZMTP_GSS_WRAP) {
        item = proto_tree_add_boolean(tree, hf_sealed, token, 0, 0, header->sealed);
        proto_item_set_generated(item);
        if (!header->sealed)
            zmtp_find(ctx, item, ZMTP_FINDING_GSSAPI_SIGNED_ONLY);
        else if (header->extra_count)
            zmtp_find(ctx, item, ZMTP_FINDING_GSSAPI_EXTRA_COUNT);
    }
    if (header->sealed || !opened)
        proto_item_set_generated(proto_tree_add_boolean(tree, hf_decrypted, token, 0, 0, opened));
}

/* What was in a token, or NULL.  Wireshark keeps the keys of all connections between passes, so
 * that it could open later what it could not at first: those count that the first pass had. */
static tvbuff_t *unwrap(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *token,
                        const struct zmtp_gss_header *header, const struct zmtp_gss_known *known)
{
    bool has_key = header->acceptor_subkey ? known->answer_opened
                                           : known->ticket_opened || known->answer_opened;
    tvbuff_t *plain;
    int32_t memo;

    if (has_key && !ctx->first_pass &&
        zmtp_memo_get(ctx->pinfo, ZMTP_MEMO_STAYS_CLOSED, ctx->seq, &memo))
        has_key = false;
    plain = zmtp_gss_unwrap(ctx, tree, token, header, has_key);
    if (has_key && ctx->first_pass && !plain)
        zmtp_memo_put(ctx->pinfo, ZMTP_MEMO_STAYS_CLOSED, ctx->seq, 0);
    return plain && tvb_captured_length(plain) > 0 ? plain : NULL;
}

/* A token with a payload; outer_command: its frame had the COMMAND flag, as READY's has. */
static void dissect_message(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *token,
                            proto_tree *token_tree, bool outer_command)
{
    struct gssapi_state *state = state_of(ctx);
    struct zmtp_gss_known known = what_is_known(ctx);
    struct zmtp_gss_header header;
    tvbuff_t *plain;
    bool first_command = outer_command && zmtp_moment_keep(ctx, &state->ready[ctx->dir]);
    bool first_wrap;
    bool ready;

    zmtp_gss_read_header(token, &header);
    first_wrap = header.kind == ZMTP_GSS_WRAP && zmtp_moment_keep(ctx, &state->wrapped[ctx->dir]);
    plain = unwrap(ctx, token_tree, token, &header, &known);
    learn_role(ctx, header.sender);
    /* Anybody can change the COMMAND flag, which is outside of the token. */
    ready = plain ? (outer_command || first_wrap) && is_ready(plain) : first_command;
    if (ready)
        zmtp_note_said(ctx, ZMTP_SAID_READY | ZMTP_SAID_SEALED_READY);
    else
        zmtp_count_protected(ctx, plain != NULL);
    show_protection(ctx, token_tree, token, &header, plain != NULL);
    if (!plain) {
        show_closed(ctx, token_tree, token, &header, &known, ready);
    } else {
        if (ready)
            learn_excess(ctx, token, &header, plain);
        plain = without_excess(ctx, token, &header, plain);
        if (header.sealed)
            plain = keep(ctx, plain);
        if (ready)
            dissect_opened_ready(ctx, tree, plain, header.sealed);
        else
            dissect_opened(ctx, tree, plain, header.sealed);
    }
}

/* ---- Frames ---- */

static void show_empty_command(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *data)
{
    zmtp_find(ctx, NULL, ZMTP_FINDING_GSSAPI_EMPTY_COMMAND);
    zmtp_tell_command(ctx, "");
    proto_item_append_text(ctx->root, ", GSSAPI empty command");
    zmtp_show_role(ctx, tree, data);
    zmtp_info_add(ctx, "GSSAPI empty command");
}

/* MESSAGE as one can read RFC 38 "command bodies"; libzmq never sends it as a command. */
static void dissect_message_command(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *data)
{
    proto_tree *token_tree;
    tvbuff_t *token;

    zmtp_find(ctx, NULL, ZMTP_FINDING_GSSAPI_RFC_38);
    token = show_token(ctx, tree, data, 0, true, &token_tree);
    dissect_message(ctx, tree, token, token_tree, false);
}

static bool gssapi_command(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *data, const char *name)
{
    bool protected_before = gssapi_protects(ctx);

    if (strcmp(name, "MESSAGE") == 0) {
        dissect_message_command(ctx, tree, data);
        return true;
    }
    if (strcmp(name, "INITIATE") == 0) {
        dissect_handshake(ctx, tree, data, name);
    } else if (strcmp(name, "READY") == 0) {
        zmtp_moment_keep(ctx, &state_of(ctx)->clear[ctx->dir]);
        zmtp_show_role(ctx, tree, data);
        dissect_ready(ctx, tree, data, "");
    } else if (*name == '\0' && tvb_reported_length(data) == 0) {
        show_empty_command(ctx, tree, data);
    } else if (strcmp(name, "HELLO") == 0) {
        zmtp_find(ctx, NULL, ZMTP_FINDING_GSSAPI_RFC_38);
        dissect_handshake(ctx, tree, data, name);
    } else {
        return false;
    }
    if (protected_before)
        zmtp_mark_unprotected(ctx, ctx->root);
    return true;
}

/* MESSAGE whose token length fits the frame. */
static bool gssapi_claims(tvbuff_t *tvb, unsigned body, uint64_t body_len)
{
    unsigned token_at = body + NAME_LEN;
    unsigned behind = NAME_LEN + TOKEN_LENGTH_LEN;

    return body_len >= behind && tvb_captured_length(tvb) >= body + behind &&
           zmtp_is_protected(tvb, body) && tvb_get_ntohl(tvb, (int)token_at) == body_len - behind;
}

static bool gssapi_message(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *body,
                           bool outer_command)
{
    proto_tree *token_tree;
    tvbuff_t *token;

    if (!outer_command && plaintext_mode(ctx))
        return false; /* an application's own words */
    zmtp_add_command_name(ctx, tree, body, 0, NAME_LEN - 1);
    token = show_token(ctx, tree, body, NAME_LEN, false, &token_tree);
    if (token)
        dissect_message(ctx, tree, token, token_tree, outer_command);
    else
        zmtp_info_add(ctx, "GSSAPI MESSAGE (malformed)");
    return true;
}

/* ---- Registration ---- */

static void gssapi_register(const struct zmtp_registry *registry)
{
    static hf_register_info hf[] = {
        {&hf_token_length,
         {"Token length", "zmtp.gssapi.token.length", FT_UINT32, BASE_DEC, NULL, 0x0, NULL, HFILL}},
        {&hf_token, {"Token", "zmtp.gssapi.token", FT_BYTES, BASE_NONE, NULL, 0x0, NULL, HFILL}},
        {&hf_sealed,
         {"Sealed", "zmtp.gssapi.sealed", FT_BOOLEAN, BASE_NONE, TFS(&tfs_yes_no), 0x0,
          "Whether the data in the token are encrypted, or only signed", HFILL}},
        {&hf_decrypted,
         {"Decrypted", "zmtp.gssapi.decrypted", FT_BOOLEAN, BASE_NONE, TFS(&tfs_yes_no), 0x0,
          "Whether the token could be opened", HFILL}},
        {&hf_not_decrypted,
         {"Not decrypted", "zmtp.gssapi.not_decrypted", FT_STRING, BASE_NONE, NULL, 0x0,
          "Why the token was not opened, and what would open it", HFILL}},
        {&hf_payload_flags,
         {"Payload flags", "zmtp.gssapi.payload.flags", FT_UINT8, BASE_HEX, NULL, 0x0,
          "The octet before the payload, inside the token", HFILL}},
        {&hf_payload_more,
         {"More", "zmtp.gssapi.payload.flags.more", FT_BOOLEAN, 8, TFS(&tfs_set_notset),
          PAYLOAD_MORE, "Another part of the message follows", HFILL}},
        {&hf_payload_command,
         {"Command", "zmtp.gssapi.payload.flags.command", FT_BOOLEAN, 8, TFS(&tfs_set_notset),
          PAYLOAD_COMMAND, NULL, HFILL}},
        {&hf_payload_subscribe,
         {"Subscribe", "zmtp.gssapi.payload.flags.subscribe", FT_BOOLEAN, 8, TFS(&tfs_set_notset),
          PAYLOAD_SUBSCRIBE, "The payload is the topic of a subscription", HFILL}},
        {&hf_payload_cancel,
         {"Cancel", "zmtp.gssapi.payload.flags.cancel", FT_BOOLEAN, 8, TFS(&tfs_set_notset),
          PAYLOAD_CANCEL, "The payload is the topic of a cancellation", HFILL}},
    };
    static int *ett[] = {&ett_token, &ett_payload_flags};

    proto_register_field_array(registry->proto, hf, array_length(hf));
    proto_register_subtree_array(ett, array_length(ett));
}

const struct zmtp_mechanism zmtp_mechanism_gssapi = {
    .name = "GSSAPI",
    .prefix = "GSSAPI ",
    .claims = gssapi_claims,
    .protects = gssapi_protects,
    .command = gssapi_command,
    .protected_frame = gssapi_message,
    .register_fields = gssapi_register,
    .register_handoff = zmtp_gss_register_handoff,
};
