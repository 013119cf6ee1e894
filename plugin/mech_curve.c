/* mech_curve.c - CURVE (RFC 25, 26): authenticated, encrypted connections.
 *
 * Sizes in octets; [ ] is a box: what only the holders of the right keys can open.
 *
 *   HELLO     C->S  version 2, padding 72, C' 32, nonce 8, [64 zeros] 80
 *   WELCOME   S->C  nonce 16, [S' 32, cookie 96] 144
 *   INITIATE  C->S  cookie 96, nonce 8, [C 32, nonce 16, vouch 80, metadata] 144 and more
 *   READY     S->C  nonce 8, [metadata] 16 and more
 *   MESSAGE   both  nonce 8, [flags 1, payload] 17 and more
 *   cookie          nonce 16, [C' 32, s' 32] 80, under a key that only the server knows
 *   vouch           [C' 32, S 32] 80
 *
 * RFC 26's prose gives HELLO 70 octets of padding; its grammar and every peer have 72.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "mech_curve.h"

#define NAME_LEN 8 /* "\x07MESSAGE" */

#define HELLO_PADDING_AT 2
#define HELLO_PADDING_LEN 72
#define HELLO_KEY_AT ZMTP_CURVE_HELLO_KEY_AT
#define HELLO_NONCE_AT 106
#define HELLO_BOX_AT 114
#define HELLO_LEN ZMTP_CURVE_HELLO_LEN
#define WELCOME_BOX_AT 16
#define WELCOME_LEN 160
#define INITIATE_NONCE_AT 96
#define INITIATE_BOX_AT 104
#define INITIATE_MIN 248
#define VOUCH_NONCE_AT 32 /* in the box of INITIATE */
#define VOUCH_BOX_AT 48
#define VOUCH_METADATA_AT 128
#define READY_BOX_AT 8
#define READY_MIN 24
#define MESSAGE_BOX_MIN 17
#define NONCE_ZEROS 4
#define FIRST_NONCE 1 /* that each side begins with */
#define INITIATE_NONCE 2

#define PAYLOAD_MORE 0x01 /* RFC 26 "payload"; not the values of the frame's flags */
#define PAYLOAD_COMMAND 0x02

static int hf_version = -1;
static int hf_version_major = -1;
static int hf_version_minor = -1;
static int hf_padding = -1;
static int hf_client_transient = -1;
static int hf_server_transient = -1;
static int hf_client_permanent = -1;
static int hf_server_permanent = -1;
static int hf_nonce = -1;
static int hf_counter = -1;
static int hf_signature = -1;
static int hf_box = -1;
static int hf_cookie = -1;
static int hf_vouch = -1;
static int hf_zeros = -1;
static int hf_vouched_key = -1;
static int hf_cookie_key = -1;
static int hf_decrypted = -1;
static int hf_key_source = -1;
static int hf_not_decrypted = -1;
static int hf_server_key_check = -1;
static int hf_payload_flags = -1;
static int hf_payload_more = -1;
static int hf_payload_command = -1;
static int ett_version = -1;
static int ett_box = -1;
static int ett_payload_flags = -1;

/* ---- Sessions ---- */

/* The sessions of a connection, by the direction of the client: each side that sends HELLO has one.
 */
struct curve_state {
    struct zmtp_curve_session *session[2];
    struct zmtp_curve_checks checks;
};

static void free_state(void *data)
{
    struct curve_state *state = (struct curve_state *)data;

    zmtp_curve_session_free(state->session[0]);
    zmtp_curve_session_free(state->session[1]);
}

static struct curve_state *state_of_conn(struct zmtp_conn *conn)
{
    return (struct curve_state *)zmtp_conn_state(conn, &zmtp_mechanism_curve,
                                                 sizeof(struct curve_state), free_state);
}

static struct curve_state *state_of(struct zmtp_ctx *ctx)
{
    return state_of_conn(ctx->conn);
}

struct zmtp_curve_checks *zmtp_curve_checks_of(struct zmtp_conn *conn)
{
    return &state_of_conn(conn)->checks;
}

/* The session of the handshake in which `client_dir` is the client's direction. */
static struct zmtp_curve_session *session_of(struct zmtp_ctx *ctx, unsigned client_dir)
{
    struct zmtp_curve_session **session = &state_of(ctx)->session[client_dir];
    struct zmtp_keyring *ring = zmtp_keys(); /* a live key log may have grown */

    if (!*session)
        *session = zmtp_curve_session_new(ring);
    return *session;
}

/* Traffic belongs to the session of the client that is known; to the first while none is. */
static struct zmtp_curve_session *traffic_session(struct zmtp_ctx *ctx)
{
    return session_of(ctx, ctx->conn->client > 0 ? 1 : 0);
}

/* A box told who is who, in a connection whose start is not in the capture. */
static void learn_sender(struct zmtp_ctx *ctx, enum zmtp_sender sender)
{
    struct curve_state *state = state_of(ctx);
    bool unknown = ctx->conn->client < 0;

    zmtp_learn_client(ctx, sender == ZMTP_SENDER_CLIENT);
    if (unknown && ctx->conn->client == 1) {
        state->session[1] = state->session[0];
        state->session[0] = NULL;
    }
}

/* ---- Boxes ---- */

/* Whether all octets of a box are in the capture: only then is it opened. */
static bool is_whole(tvbuff_t *tvb, unsigned offset, unsigned len)
{
    return tvb_captured_length(tvb) >= offset && tvb_captured_length(tvb) - offset >= len;
}

static const struct zmtp_box_result not_tried = {.status = ZMTP_BOX_NO_KEY};

/* The box, and whether it was opened, with what, or why not. */
static proto_tree *show_box(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *tvb, int hf,
                            unsigned offset, unsigned len, enum zmtp_curve_box kind,
                            const struct zmtp_curve_session *session, struct zmtp_box_result result)
{
    bool opened = result.status == ZMTP_BOX_OPENED;
    bool whole = is_whole(tvb, offset, len);
    unsigned have = whole ? len : tvb_captured_length(tvb) - MIN(tvb_captured_length(tvb), offset);
    proto_item *box = proto_tree_add_item(tree, hf, tvb, (int)MIN(offset, tvb_captured_length(tvb)),
                                          (int)have, ENC_NA);
    proto_tree *box_tree = proto_item_add_subtree(box, ett_box);
    proto_item *item = proto_tree_add_boolean(box_tree, hf_decrypted, tvb, 0, 0, opened);

    proto_item_set_generated(item);
    if (result.status == ZMTP_BOX_DAMAGED)
        zmtp_find(ctx, box, ZMTP_FINDING_CURVE_DAMAGED);
    else if (result.status == ZMTP_BOX_WRONG_KEY && kind != ZMTP_CURVE_VOUCH)
        zmtp_find(ctx, box, ZMTP_FINDING_CURVE_WRONG_KEY);
    if (!tree)
        return box_tree;
    if (opened)
        item = proto_tree_add_string(box_tree, hf_key_source, tvb, 0, 0,
                                     zmtp_curve_key_source(result));
    else
        item = proto_tree_add_string(box_tree, hf_not_decrypted, tvb, 0, 0,
                                     whole ? zmtp_curve_why_not(ctx, kind, session, result)
                                           : "cut short in the capture");
    proto_item_set_generated(item);
    return box_tree;
}

/* A data source of octets that live as long as the packet. */
static tvbuff_t *new_source(struct zmtp_ctx *ctx, const uint8_t *octets, unsigned len,
                            const char *name)
{
    tvbuff_t *tvb = tvb_new_child_real_data(ctx->tvb, octets, len, (int)len);

    add_new_data_source(ctx->pinfo, tvb, name);
    return tvb;
}

static tvbuff_t *copy_to_source(struct zmtp_ctx *ctx, const uint8_t *plain, unsigned len,
                                const char *name)
{
    return new_source(ctx, (const uint8_t *)wmem_memdup(ctx->pinfo->pool, plain, len), len, name);
}

static proto_item *show_key(proto_tree *tree, int hf, tvbuff_t *tvb, unsigned offset)
{
    return proto_tree_add_item(tree, hf, tvb, (int)offset, ZMTP_KEY_SIZE, ENC_NA);
}

/* Permanent keys stand in people's files as Z85. */
static void add_z85(proto_item *item, const uint8_t key[ZMTP_KEY_SIZE])
{
    char z85[ZMTP_KEY_Z85_LENGTH + 1];

    zmtp_key_to_z85(key, z85);
    proto_item_append_text(item, " (Z85 %s)", z85);
}

static void show_permanent_key(proto_tree *tree, int hf, tvbuff_t *tvb, unsigned offset)
{
    add_z85(show_key(tree, hf, tvb, offset), tvb_get_ptr(tvb, (int)offset, ZMTP_KEY_SIZE));
}

/* expected: see zmtp_curve_check_nonce. */
static void show_short_nonce(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *tvb, unsigned offset,
                             unsigned expected)
{
    proto_item *item =
        proto_tree_add_item(tree, hf_nonce, tvb, (int)offset, ZMTP_SHORT_NONCE_SIZE, ENC_NA);

    proto_tree_add_item(tree, hf_counter, tvb, (int)offset, ZMTP_SHORT_NONCE_SIZE, ENC_BIG_ENDIAN);
    zmtp_curve_check_nonce(ctx, item, &state_of(ctx)->checks,
                           tvb_get_ptr(tvb, (int)offset, ZMTP_SHORT_NONCE_SIZE), expected);
}

/* A public key that earlier boxes or the key log told; NULL: it is not known. */
static proto_item *show_known_key(proto_tree *tree, int hf, tvbuff_t *tvb, const uint8_t *key)
{
    proto_item *item = NULL;

    if (key) {
        item = proto_tree_add_bytes_with_length(tree, hf, tvb, 0, 0, key, ZMTP_KEY_SIZE);
        proto_item_set_generated(item);
    }
    return item;
}

/* The cookie's other half is s', a secret: it is in no tree and in no data source. */
static proto_item *show_cookie(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *tvb,
                               unsigned offset, struct zmtp_curve_session *session)
{
    uint8_t client_transient[ZMTP_KEY_SIZE];
    struct zmtp_box_result result = not_tried;
    proto_tree *box;

    if (is_whole(tvb, offset, ZMTP_COOKIE_SIZE))
        result = zmtp_curve_open_cookie(session, ctx->pinfo->num,
                                        tvb_get_ptr(tvb, (int)offset, ZMTP_COOKIE_SIZE),
                                        client_transient);
    box = show_box(ctx, tree, tvb, hf_cookie, offset, ZMTP_COOKIE_SIZE, ZMTP_CURVE_COOKIE, session,
                   result);
    if (result.status == ZMTP_BOX_OPENED)
        show_key(box, hf_cookie_key,
                 copy_to_source(ctx, client_transient, ZMTP_KEY_SIZE,
                                "Decrypted CURVE cookie (without s')"),
                 0);
    return proto_tree_get_parent(box);
}

/* ---- Handshake ---- */

static void dissect_hello(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *data,
                          wmem_strbuf_t *summary _U_)
{
    struct zmtp_curve_session *session = session_of(ctx, ctx->dir);
    uint8_t plain[ZMTP_HELLO_PLAIN_SIZE];
    struct zmtp_box_result result = not_tried;
    struct zmtp_curve_hello_items items;
    const uint8_t *server_key;
    const char *check = NULL;
    proto_tree *sub;
    proto_item *item;
    uint8_t major = tvb_get_uint8(data, 0);
    uint8_t minor = tvb_get_uint8(data, 1);

    items.version = proto_tree_add_string(
        tree, hf_version, data, 0, 2, wmem_strdup_printf(ctx->pinfo->pool, "%u.%u", major, minor));
    sub = proto_item_add_subtree(items.version, ett_version);
    proto_tree_add_item(sub, hf_version_major, data, 0, 1, ENC_NA);
    proto_tree_add_item(sub, hf_version_minor, data, 1, 1, ENC_NA);
    items.padding =
        proto_tree_add_item(tree, hf_padding, data, HELLO_PADDING_AT, HELLO_PADDING_LEN, ENC_NA);
    items.client_transient = show_key(tree, hf_client_transient, data, HELLO_KEY_AT);
    zmtp_curve_note_client_transient(session, ctx->pinfo->num,
                                     tvb_get_ptr(data, HELLO_KEY_AT, ZMTP_KEY_SIZE));
    if (is_whole(data, 0, HELLO_LEN))
        zmtp_curve_check_hello(ctx, &state_of(ctx)->checks, data, &items);
    show_short_nonce(ctx, tree, data, HELLO_NONCE_AT, FIRST_NONCE);
    if (is_whole(data, HELLO_BOX_AT, ZMTP_HELLO_BOX_SIZE))
        result = zmtp_curve_open_hello(session, ctx->pinfo->num,
                                       tvb_get_ptr(data, HELLO_KEY_AT, ZMTP_KEY_SIZE),
                                       tvb_get_ptr(data, HELLO_NONCE_AT, ZMTP_SHORT_NONCE_SIZE),
                                       tvb_get_ptr(data, HELLO_BOX_AT, ZMTP_HELLO_BOX_SIZE), plain);
    sub = show_box(ctx, tree, data, hf_signature, HELLO_BOX_AT, ZMTP_HELLO_BOX_SIZE,
                   ZMTP_CURVE_HELLO, session, result);
    if (tvb_memeql(data, HELLO_KEY_AT, zmtp_curve_client_transient(session, ctx->pinfo->num),
                   ZMTP_KEY_SIZE) == 0)
        check = zmtp_curve_check_server_key(ctx, session, result);
    if (check)
        proto_item_set_generated(
            proto_tree_add_string(sub, hf_server_key_check, data, 0, 0, check));
    if (ctx->first_pass)
        zmtp_curve_note_server_key(ctx, session, result);
    if (result.status != ZMTP_BOX_OPENED)
        return;
    server_key = zmtp_curve_server_permanent(session, ctx->pinfo->num);
    item = show_known_key(sub, hf_server_permanent, data, server_key);
    if (server_key)
        add_z85(item, server_key);
    proto_tree_add_item(sub, hf_zeros,
                        copy_to_source(ctx, plain, sizeof plain, "Decrypted CURVE HELLO signature"),
                        0, sizeof plain, ENC_NA);
}

static void dissect_welcome(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *data,
                            wmem_strbuf_t *summary _U_)
{
    struct zmtp_curve_session *session = session_of(ctx, !ctx->dir);
    uint8_t plain[ZMTP_WELCOME_PLAIN_SIZE];
    struct zmtp_box_result result = not_tried;
    proto_tree *box;
    tvbuff_t *opened;

    proto_tree_add_item(tree, hf_nonce, data, 0, ZMTP_LONG_NONCE_SIZE, ENC_NA);
    if (is_whole(data, 0, WELCOME_LEN))
        zmtp_curve_note_welcome(ctx, &state_of(ctx)->checks, data);
    if (is_whole(data, WELCOME_BOX_AT, ZMTP_WELCOME_BOX_SIZE))
        result = zmtp_curve_open_welcome(
            session, ctx->pinfo->num, tvb_get_ptr(data, 0, ZMTP_LONG_NONCE_SIZE),
            tvb_get_ptr(data, WELCOME_BOX_AT, ZMTP_WELCOME_BOX_SIZE), plain);
    box = show_box(ctx, tree, data, hf_box, WELCOME_BOX_AT, ZMTP_WELCOME_BOX_SIZE,
                   ZMTP_CURVE_WELCOME, session, result);
    if (result.status != ZMTP_BOX_OPENED)
        return;
    zmtp_curve_note_cookie(ctx, &state_of(ctx)->checks, plain + ZMTP_KEY_SIZE);
    opened = copy_to_source(ctx, plain, sizeof plain, "Decrypted CURVE WELCOME");
    show_key(box, hf_server_transient, opened, 0);
    show_cookie(ctx, box, opened, ZMTP_KEY_SIZE, session);
}

static void show_vouch(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *opened,
                       struct zmtp_curve_session *session)
{
    const uint8_t *client_transient = zmtp_curve_client_transient(session, ctx->pinfo->num);
    const uint8_t *server_permanent = zmtp_curve_server_permanent(session, ctx->pinfo->num);
    uint8_t plain[ZMTP_VOUCH_PLAIN_SIZE];
    struct zmtp_box_result result;
    proto_tree *box;
    tvbuff_t *tvb;

    proto_tree_add_item(tree, hf_nonce, opened, VOUCH_NONCE_AT, ZMTP_LONG_NONCE_SIZE, ENC_NA);
    result = zmtp_curve_open_vouch(session, ctx->pinfo->num, tvb_get_ptr(opened, 0, ZMTP_KEY_SIZE),
                                   tvb_get_ptr(opened, VOUCH_NONCE_AT, ZMTP_LONG_NONCE_SIZE),
                                   tvb_get_ptr(opened, VOUCH_BOX_AT, ZMTP_VOUCH_BOX_SIZE), plain);
    box = show_box(ctx, tree, opened, hf_vouch, VOUCH_BOX_AT, ZMTP_VOUCH_BOX_SIZE, ZMTP_CURVE_VOUCH,
                   session, result);
    if (result.status == ZMTP_BOX_WRONG_KEY)
        zmtp_curve_check_vouch(ctx, proto_tree_get_parent(box), NULL, NULL, NULL);
    if (result.status != ZMTP_BOX_OPENED)
        return;
    zmtp_curve_check_vouch(ctx, proto_tree_get_parent(box), client_transient, server_permanent,
                           plain);
    tvb = copy_to_source(ctx, plain, sizeof plain, "Decrypted CURVE vouch");
    show_key(box, hf_vouched_key, tvb, 0);
    show_permanent_key(box, hf_server_permanent, tvb, ZMTP_KEY_SIZE);
}

/* The nonce and the box, from box_at to the end, that the session key opens.  Returns what was in
 * it, NULL: it stays closed. */
static tvbuff_t *
open_session_box(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *data, unsigned box_at,
                 unsigned expected_nonce, struct zmtp_curve_session *session,
                 struct zmtp_box_result (*open)(struct zmtp_curve_session *session, uint32_t now,
                                                const uint8_t nonce[ZMTP_SHORT_NONCE_SIZE],
                                                const uint8_t *box, size_t box_len, uint8_t *out),
                 const char *source_label, proto_tree **box)
{
    unsigned box_len = tvb_reported_length(data) - box_at;
    unsigned nonce_at = box_at - ZMTP_SHORT_NONCE_SIZE;
    struct zmtp_box_result result = not_tried;
    uint8_t *plain = NULL;

    show_short_nonce(ctx, tree, data, nonce_at, expected_nonce);
    if (is_whole(data, box_at, box_len)) {
        plain = (uint8_t *)wmem_alloc(ctx->pinfo->pool, box_len);
        result =
            open(session, ctx->pinfo->num, tvb_get_ptr(data, (int)nonce_at, ZMTP_SHORT_NONCE_SIZE),
                 tvb_get_ptr(data, (int)box_at, (int)box_len), box_len, plain);
    }
    *box = show_box(ctx, tree, data, hf_box, box_at, box_len, ZMTP_CURVE_SESSION, session, result);
    if (result.status != ZMTP_BOX_OPENED)
        return NULL;
    return new_source(ctx, plain, box_len - ZMTP_BOX_OVERHEAD, source_label);
}

static void dissect_initiate(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *data,
                             wmem_strbuf_t *summary)
{
    struct zmtp_curve_session *session = session_of(ctx, ctx->dir);
    proto_tree *box;
    tvbuff_t *opened;

    zmtp_curve_check_initiate(ctx, &state_of(ctx)->checks, show_cookie(ctx, tree, data, 0, session),
                              data);
    opened = open_session_box(ctx, tree, data, INITIATE_BOX_AT, INITIATE_NONCE, session,
                              zmtp_curve_open_initiate, "Decrypted CURVE INITIATE", &box);
    if (!opened)
        return;
    show_known_key(box, hf_server_transient, data,
                   zmtp_curve_server_transient(session, ctx->pinfo->num));
    show_permanent_key(box, hf_client_permanent, opened, 0);
    show_vouch(ctx, box, opened, session);
    zmtp_dissect_metadata(ctx, box, opened, VOUCH_METADATA_AT, summary);
    wmem_strbuf_append(summary, " (decrypted)");
}

static void dissect_ready(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *data,
                          wmem_strbuf_t *summary)
{
    proto_tree *box;
    tvbuff_t *opened =
        open_session_box(ctx, tree, data, READY_BOX_AT, FIRST_NONCE, session_of(ctx, !ctx->dir),
                         zmtp_curve_open_ready, "Decrypted CURVE READY", &box);

    if (opened) {
        zmtp_dissect_metadata(ctx, box, opened, 0, summary);
        wmem_strbuf_append(summary, " (decrypted)");
    }
    zmtp_ready_seen(ctx, false);
}

static const struct handshake_command {
    const char *name;
    bool from_client;
    unsigned min_len; /* of the data behind the name */
    unsigned max_len;
    void (*dissect)(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *data, wmem_strbuf_t *summary);
} handshake_commands[] = {
    {"HELLO", true, HELLO_LEN, HELLO_LEN, dissect_hello},
    {"WELCOME", false, WELCOME_LEN, WELCOME_LEN, dissect_welcome},
    {"INITIATE", true, INITIATE_MIN, UINT_MAX, dissect_initiate},
    {"READY", false, READY_MIN, UINT_MAX, dissect_ready},
};

static void dissect_handshake(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *data,
                              const struct handshake_command *command)
{
    wmem_strbuf_t *summary = wmem_strbuf_new(ctx->pinfo->pool, "CURVE ");
    unsigned len = tvb_reported_length(data);

    wmem_strbuf_append(summary, command->name);
    zmtp_keys_renew();
    zmtp_learn_client(ctx, command->from_client);
    zmtp_show_role(ctx, tree, data);
    if (len < command->min_len || len > command->max_len) {
        zmtp_malformed(ctx, ctx->root,
                       "CURVE %s has %u octets of data and should have %u%s (RFC 26)",
                       command->name, len, command->min_len,
                       command->max_len > command->min_len ? " or more" : "");
        wmem_strbuf_append(summary, " (malformed)");
    } else if (tvb_captured_length(data) < len) {
        wmem_strbuf_append(summary, " (cut short)");
        zmtp_info_add(ctx, wmem_strbuf_get_str(summary));
        command->dissect(ctx, tree, data, summary); /* as far as it goes */
        return;
    } else {
        command->dissect(ctx, tree, data, summary);
    }
    zmtp_info_add(ctx, wmem_strbuf_get_str(summary));
}

static bool curve_command(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *data, const char *name)
{
    for (size_t i = 0; i < array_length(handshake_commands); i++) {
        if (strcmp(name, handshake_commands[i].name) == 0) {
            dissect_handshake(ctx, tree, data, &handshake_commands[i]);
            return true;
        }
    }
    return false;
}

/* ---- Traffic ---- */

static enum zmtp_sender sender_of(const struct zmtp_ctx *ctx)
{
    const char *role = zmtp_sender_role(ctx);

    if (!role)
        return ZMTP_SENDER_UNKNOWN;
    return *role == 'c' ? ZMTP_SENDER_CLIENT : ZMTP_SENDER_SERVER;
}

/* What was in the box: flags, then a command or a part of a message. */
static void dissect_opened(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *opened)
{
    static int *const flag_fields[] = {&hf_payload_command, &hf_payload_more, NULL};
    uint8_t flags = tvb_get_uint8(opened, 0);
    tvbuff_t *payload = tvb_new_subset_remaining(opened, 1);
    /* Some peers (chumak) set MORE on the frame around the box only. */
    bool more = ((flags & PAYLOAD_MORE) |
                 (tvb_get_uint8(ctx->tvb, (int)ctx->offset) & ZMTP_FLAG_MORE)) != 0;

    proto_tree_add_bitmask(tree, opened, 0, hf_payload_flags, ett_payload_flags, flag_fields,
                           ENC_NA);
    if (flags & PAYLOAD_COMMAND)
        zmtp_dissect_command(ctx, tree, payload, false);
    else
        zmtp_dissect_payload(ctx, tree, payload, more, ZMTP_DECRYPTED);
}

static bool curve_message(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *body,
                          bool outer_command _U_)
{
    unsigned len = tvb_reported_length(body);
    unsigned box_at = NAME_LEN + ZMTP_SHORT_NONCE_SIZE;
    unsigned box_len = len > box_at ? len - box_at : 0;
    enum zmtp_sender sender = sender_of(ctx);
    struct zmtp_curve_session *session = traffic_session(ctx);
    struct zmtp_box_result result = not_tried;
    bool whole = tvb_captured_length(body) == len;
    bool opened;

    zmtp_add_command_name(ctx, tree, body, 0, NAME_LEN - 1);
    if (box_len < MESSAGE_BOX_MIN) {
        zmtp_malformed(ctx, ctx->root,
                       "CURVE MESSAGE has %u octets and should have at least %u (RFC 26)", len,
                       box_at + MESSAGE_BOX_MIN);
        zmtp_info_add(ctx, "CURVE MESSAGE (malformed)");
        return true;
    }
    if (whole)
        result = zmtp_curve_open_message(session, ctx->pinfo->num, &sender,
                                         tvb_get_ptr(body, NAME_LEN, ZMTP_SHORT_NONCE_SIZE),
                                         tvb_get_ptr(body, (int)box_at, (int)box_len), box_len,
                                         zmtp_plaintext_room(ctx, box_len - ZMTP_BOX_OVERHEAD));
    opened = result.status == ZMTP_BOX_OPENED;
    zmtp_count_protected(ctx, opened);
    zmtp_tell_box(ctx, opened, true, box_len - MESSAGE_BOX_MIN);
    if (!opened) {
        zmtp_show_role(ctx, tree, body);
        proto_item_append_text(ctx->root, ", CURVE MESSAGE, %u octets (%s)",
                               box_len - MESSAGE_BOX_MIN,
                               whole ? "encrypted" : "cut short in the capture");
        zmtp_info_add_data(ctx, 0, false, box_len - MESSAGE_BOX_MIN, NULL, ZMTP_ENCRYPTED);
    }
    if (whole || tvb_captured_length(body) >= box_at)
        show_short_nonce(ctx, tree, body, NAME_LEN, 0);
    show_box(ctx, tree, body, hf_box, box_at, box_len, ZMTP_CURVE_SESSION, session, result);
    if (opened) {
        learn_sender(ctx, sender);
        dissect_opened(
            ctx, tree,
            zmtp_plaintext_keep(ctx, box_len - ZMTP_BOX_OVERHEAD, "Decrypted CURVE MESSAGE"));
    }
    return true;
}

static bool curve_protects(const struct zmtp_ctx *ctx _U_)
{
    return true;
}

/* ---- Without a greeting ---- */

/* HELLO 1.0 of the right size, or MESSAGE with a nonce as real sessions have it: none lives for
 * 2^32 messages, so there are zeros at one end (old libzmq wrote nonces in host byte order). */
static bool curve_claims(tvbuff_t *tvb, unsigned body, uint64_t body_len)
{
    static const uint8_t hello[] = {5, 'H', 'E', 'L', 'L', 'O', 1, 0};
    unsigned nonce_at = body + NAME_LEN;
    const uint8_t *nonce;

    if (body_len == HELLO_LEN + sizeof hello - 2 &&
        tvb_captured_length(tvb) >= body + sizeof hello &&
        tvb_memeql(tvb, (int)body, hello, sizeof hello) == 0)
        return true;
    if (body_len < NAME_LEN + ZMTP_SHORT_NONCE_SIZE + MESSAGE_BOX_MIN ||
        !zmtp_is_protected(tvb, body) ||
        tvb_captured_length(tvb) < nonce_at + ZMTP_SHORT_NONCE_SIZE)
        return false;
    nonce = tvb_get_ptr(tvb, (int)nonce_at, ZMTP_SHORT_NONCE_SIZE);
    return zmtp_all_zero(nonce, NONCE_ZEROS) ||
           zmtp_all_zero(nonce + ZMTP_SHORT_NONCE_SIZE - NONCE_ZEROS, NONCE_ZEROS);
}

/* ---- Registration ---- */

static void curve_register(const struct zmtp_registry *registry)
{
    static hf_register_info hf[] = {
        {&hf_version,
         {"CurveZMQ version", "zmtp.curvezmq.version", FT_STRING, BASE_NONE, NULL, 0x0, NULL,
          HFILL}},
        {&hf_version_major,
         {"Major version", "zmtp.curvezmq.version.major", FT_UINT8, BASE_DEC, NULL, 0x0, NULL,
          HFILL}},
        {&hf_version_minor,
         {"Minor version", "zmtp.curvezmq.version.minor", FT_UINT8, BASE_DEC, NULL, 0x0, NULL,
          HFILL}},
        {&hf_padding, {"Padding", "zmtp.padding", FT_BYTES, BASE_NONE, NULL, 0x0, NULL, HFILL}},
        {&hf_client_transient,
         {"Client transient public key (C')", "zmtp.curvezmq.publickey", FT_BYTES, BASE_NONE, NULL,
          0x0, "Made for this connection; a key log is looked up by it", HFILL}},
        {&hf_server_transient,
         {"Server transient public key (S')", "zmtp.curvezmq.server_transient_key", FT_BYTES,
          BASE_NONE, NULL, 0x0, "Made for this connection", HFILL}},
        {&hf_client_permanent,
         {"Client permanent public key (C)", "zmtp.curvezmq.client_permanent_key", FT_BYTES,
          BASE_NONE, NULL, 0x0, "Who the client is", HFILL}},
        {&hf_server_permanent,
         {"Server permanent public key (S)", "zmtp.curvezmq.server_permanent_key", FT_BYTES,
          BASE_NONE, NULL, 0x0, "The server that the client means to talk to", HFILL}},
        {&hf_nonce, {"Nonce", "zmtp.curvezmq.nonce", FT_BYTES, BASE_NONE, NULL, 0x0, NULL, HFILL}},
        {&hf_counter,
         {"Nonce counter", "zmtp.curvezmq.nonce.counter", FT_UINT64, BASE_DEC, NULL, 0x0,
          "A short nonce as a number", HFILL}},
        {&hf_signature,
         {"Signature box", "zmtp.curvezmq.signature", FT_BYTES, BASE_NONE, NULL, 0x0,
          "Shows that the client knows the server's public key", HFILL}},
        {&hf_box, {"Box", "zmtp.curvezmq.box", FT_BYTES, BASE_NONE, NULL, 0x0, NULL, HFILL}},
        {&hf_cookie,
         {"Cookie", "zmtp.curvezmq.cookie", FT_BYTES, BASE_NONE, NULL, 0x0,
          "Holds the server's state while it keeps none", HFILL}},
        {&hf_vouch,
         {"Vouch box", "zmtp.curvezmq.vouch", FT_BYTES, BASE_NONE, NULL, 0x0,
          "The client's proof that C' is its own", HFILL}},
        {&hf_zeros, {"Zeros", "zmtp.curvezmq.zeros", FT_BYTES, BASE_NONE, NULL, 0x0, NULL, HFILL}},
        {&hf_vouched_key,
         {"Vouched client transient public key (C')", "zmtp.curvezmq.vouch.client_transient_key",
          FT_BYTES, BASE_NONE, NULL, 0x0, NULL, HFILL}},
        {&hf_cookie_key,
         {"Client transient public key (C') in the cookie",
          "zmtp.curvezmq.cookie.client_transient_key", FT_BYTES, BASE_NONE, NULL, 0x0, NULL,
          HFILL}},
        {&hf_decrypted,
         {"Decrypted", "zmtp.curvezmq.decrypted", FT_BOOLEAN, BASE_NONE, TFS(&tfs_yes_no), 0x0,
          "Whether this box was opened", HFILL}},
        {&hf_key_source,
         {"Key source", "zmtp.curvezmq.key_source", FT_STRING, BASE_NONE, NULL, 0x0,
          "Where the key that opened this box came from", HFILL}},
        {&hf_not_decrypted,
         {"Not decrypted", "zmtp.curvezmq.not_decrypted", FT_STRING, BASE_NONE, NULL, 0x0,
          "Why this box was not opened, and what would open it", HFILL}},
        {&hf_server_key_check,
         {"Server key of the client", "zmtp.curvezmq.server_key_check", FT_STRING, BASE_NONE, NULL,
          0x0, "Whether HELLO was made for a server whose key was given", HFILL}},
        {&hf_payload_flags,
         {"Payload flags", "zmtp.curvezmq.payload.flags", FT_UINT8, BASE_HEX, NULL, 0x0,
          "The octet before the payload, inside the box", HFILL}},
        {&hf_payload_more,
         {"More", "zmtp.curvezmq.payload.flags.more", FT_BOOLEAN, 8, TFS(&tfs_set_notset),
          PAYLOAD_MORE, "Another part of the message follows", HFILL}},
        {&hf_payload_command,
         {"Command", "zmtp.curvezmq.payload.flags.command", FT_BOOLEAN, 8, TFS(&tfs_set_notset),
          PAYLOAD_COMMAND, NULL, HFILL}},
    };
    static int *ett[] = {&ett_version, &ett_box, &ett_payload_flags};

    proto_register_field_array(registry->proto, hf, array_length(hf));
    proto_register_subtree_array(ett, array_length(ett));
}

const struct zmtp_mechanism zmtp_mechanism_curve = {
    .name = "CURVE",
    .prefix = "CURVE ",
    .claims = curve_claims,
    .protects = curve_protects,
    .command = curve_command,
    .protected_frame = curve_message,
    .register_fields = curve_register,
};
