/* greeting.c - how a connection opens.
 *
 * ZMTP 3.x (RFC 23, 64 octets):
 *   signature      FF, 8 octets, 7F
 *   version        major, minor
 *   mechanism      20 octets, padded with 00
 *   as-server      00 or 01
 *   filler         31 octets
 * ZMTP 2.0 (RFC 15, 12 octets): signature, revision 01, socket type; then the identity as a frame.
 * ZMTP 1.0 (RFC 13): nothing; the first frame is the identity.
 *
 * Peers that speak several versions send it in pieces: what follows the signature depends on the
 * other side.  To a 1.0 peer the signature is the header of the identity frame (its 8 octets are
 * the length); to a 2.0 peer a 3.x implementation sends the 2.0 form with its own revision.  Each
 * piece is therefore dissected in the packet that brings it.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "zmtp.h"

#define AT_REVISION 10
#define AT_MINOR 11 /* or the socket type of the 2.0 form */
#define AT_MECHANISM 12
#define AT_AS_SERVER 32
#define AT_FILLER 33
#define FILLER_LEN 31

#define REVISION_1_0 0 /* RFC 15 "revision"; 2 and above are not ZMTP 2.0 for libzmq */
#define REVISION_2_0 1

#define MAX_IDENTITY 255 /* RFC 13, RFC 15 */

/* Which greeting it is, which tells its length. */
enum form { FORM_UNKNOWN, FORM_1_0, FORM_2_0, FORM_3 };

static int hf_signature = -1;
static int hf_version = -1;
static int hf_version_major = -1;
static int hf_version_minor = -1;
static int hf_revision = -1;
static int hf_socket_type_code = -1;
static int hf_as_server = -1;
static int hf_filler = -1;
int zmtp_hf_socket_type = -1;
int zmtp_hf_identity = -1;
int zmtp_hf_mechanism = -1;
static int ett_version = -1;

/* RFC 15 "socket-type". */
static const value_string socket_types_2[] = {
    {0, "PAIR"},   {1, "PUB"},  {2, "SUB"},  {3, "REQ"},  {4, "REP"},   {5, "DEALER"},
    {6, "ROUTER"}, {7, "PULL"}, {8, "PUSH"}, {9, "XPUB"}, {10, "XSUB"}, {0, NULL},
};

/* ---- How long it is ---- */

/* Length of the identity that follows a signature which a 1.0 peer reads as a frame header. */
static uint8_t identity_after_signature(tvbuff_t *tvb, unsigned offset)
{
    uint64_t len = tvb_get_ntoh64(tvb, (int)offset + 1);

    return len >= 1 && len <= MAX_IDENTITY + 1 ? (uint8_t)(len - 1) : 0;
}

static unsigned greeting_len(const struct zmtp_peer *peer)
{
    switch ((enum form)peer->form) {
    case FORM_1_0:
        return ZMTP_SIGNATURE_LEN + peer->identity_len;
    case FORM_2_0:
        return ZMTP_GREETING_2_LEN;
    default:
        return ZMTP_GREETING_3_LEN;
    }
}

static void end_greeting(struct zmtp_peer *peer, unsigned len)
{
    peer->in_greeting = false;
    peer->greeting_len = len;
}

/* Whether a mechanism stands in its place, as far as the piece goes: it begins with a letter.  In
 * the 2.0 form this is the flags octet of the identity frame. */
static bool mechanism_follows(tvbuff_t *tvb, unsigned offset, unsigned at, unsigned have)
{
    return at <= AT_MECHANISM && at + have > AT_MECHANISM &&
           tvb_get_uint8(tvb, (int)(offset + AT_MECHANISM - at)) >= ' ';
}

/* First pass: learn what the piece at offset tells; `at` is its place in the greeting. */
static void learn_form(struct zmtp_ctx *ctx, unsigned at, unsigned have)
{
    struct zmtp_peer *peer = ctx->peer;
    const struct zmtp_peer *other = ctx->other;
    tvbuff_t *tvb = ctx->tvb;

    if (at == 0 && have >= ZMTP_SIGNATURE_LEN) {
        peer->signature_seen = true;
        peer->identity_len = identity_after_signature(tvb, ctx->offset);
    }
    if (peer->form == FORM_UNKNOWN && peer->revision == 0xff && other->unversioned)
        peer->form = FORM_1_0;
    if (peer->form != FORM_UNKNOWN)
        return;
    if (peer->revision == 0xff) {
        if (at > AT_REVISION || at + have <= AT_REVISION)
            return;
        peer->revision = tvb_get_uint8(tvb, (int)(ctx->offset + AT_REVISION - at));
    }
    if (peer->revision > REVISION_2_0 &&
        (mechanism_follows(tvb, ctx->offset, at, have) ||
         (other->revision != 0xff && other->revision > REVISION_2_0)))
        peer->form = FORM_3; /* who sends all at once does so to an older peer too */
    else if (peer->revision <= REVISION_2_0 || other->revision != 0xff ||
             (at <= AT_MECHANISM && at + have > AT_MECHANISM))
        peer->form = FORM_2_0;
}

/* First pass: the length of the piece, 0: wait. */
static unsigned next_piece(struct zmtp_ctx *ctx, unsigned at, unsigned have, unsigned *needed)
{
    const struct zmtp_peer *peer = ctx->peer;
    unsigned len = greeting_len(peer);

    *needed = DESEGMENT_ONE_MORE_SEGMENT;
    if (peer->form != FORM_UNKNOWN && at + have >= len)
        return len - at;
    if (at <= AT_REVISION && at + have > AT_REVISION && peer->form != FORM_1_0)
        return AT_MINOR - at;
    if (at == 0 && have >= ZMTP_SIGNATURE_LEN)
        return ZMTP_SIGNATURE_LEN;
    if (peer->form != FORM_UNKNOWN)
        *needed = len - at - have;
    return 0;
}

/* A piece as a memo: a later visit must show just the same, whatever was learned since. */
#define PIECE_FORM_SHIFT 16

bool zmtp_in_greeting(const struct zmtp_ctx *ctx)
{
    const struct zmtp_peer *peer = ctx->peer;
    int32_t memo;

    if (peer->unversioned || !peer->saw_start)
        return false;
    if (!ctx->first_pass)
        return ctx->pinfo->num <= peer->greeting_frame &&
               zmtp_memo_get(ctx->pinfo, ZMTP_MEMO_GREETING, ctx->seq, &memo);
    /* To a 1.0 peer a signature without an identity is all. */
    if (ctx->other->unversioned && peer->form == FORM_UNKNOWN && peer->revision == 0xff &&
        peer->signature_seen && peer->identity_len == 0)
        return false;
    return peer->in_greeting;
}

bool zmtp_greeting_resumes(struct zmtp_ctx *ctx)
{
    struct zmtp_peer *peer = ctx->peer;

    /* libzmq sends the major version as a segment of its own.  Without it the rest still tells what
     * it is, when it is whole and a mechanism stands in its place. */
    if (ctx->tvb_seq - peer->start_seq != AT_MINOR ||
        tvb_captured_length(ctx->tvb) < ZMTP_GREETING_3_LEN - AT_MINOR ||
        !g_ascii_isupper(tvb_get_uint8(ctx->tvb, AT_MECHANISM - AT_MINOR)))
        return false;
    peer->revision = 3;
    peer->form = FORM_3;
    return true;
}

static void remember_piece(struct zmtp_ctx *ctx, unsigned len)
{
    ctx->peer->greeting_frame = ctx->pinfo->num;
    zmtp_memo_put(ctx->pinfo, ZMTP_MEMO_GREETING, ctx->seq,
                  (int32_t)(len | (unsigned)ctx->greeting_form << PIECE_FORM_SHIFT));
}

unsigned zmtp_greeting_piece(struct zmtp_ctx *ctx, unsigned have, unsigned reported,
                             unsigned *needed)
{
    bool may_wait = have == reported && ctx->pinfo->can_desegment;
    unsigned at = ctx->seq - ctx->peer->start_seq;
    int32_t memo;
    unsigned len;

    if (!ctx->first_pass) {
        *needed = DESEGMENT_ONE_MORE_SEGMENT;
        if (!zmtp_memo_get(ctx->pinfo, ZMTP_MEMO_GREETING, ctx->seq, &memo))
            return 0;
        ctx->greeting_form = (uint8_t)((unsigned)memo >> PIECE_FORM_SHIFT);
        return (unsigned)memo & ((1U << PIECE_FORM_SHIFT) - 1);
    }
    learn_form(ctx, at, have);
    len = next_piece(ctx, at, have, needed);
    if (len == 0 && may_wait) {
        remember_piece(ctx, 0);
        return 0;
    }
    if (len == 0) /* as far as it goes */
        len = MIN(reported, greeting_len(ctx->peer) - MIN(at, greeting_len(ctx->peer) - 1));
    ctx->greeting_form = ctx->peer->form;
    if (at + len >= greeting_len(ctx->peer) && (ctx->peer->form != FORM_UNKNOWN || len > have))
        end_greeting(ctx->peer, greeting_len(ctx->peer));
    remember_piece(ctx, len);
    return len;
}

/* ---- What it says ---- */

/* Whether the field at `field`, len octets, is in this piece (which begins at `at`). */
static bool in_piece(tvbuff_t *tvb, unsigned at, unsigned field, unsigned len)
{
    return field >= at && field + len <= at + tvb_captured_length(tvb);
}

static void learn_version(struct zmtp_ctx *ctx, enum zmtp_version version)
{
    if (ctx->first_pass && !ctx->peer->version_frame) {
        ctx->peer->version = version;
        ctx->peer->version_frame = ctx->pinfo->num;
    }
}

static void dissect_version(struct zmtp_ctx *ctx, tvbuff_t *tvb, unsigned at,
                            wmem_strbuf_t *summary)
{
    bool minor_here = in_piece(tvb, at, AT_MINOR, 1);
    uint32_t major = ctx->peer->revision;
    proto_tree *tree;
    proto_item *item;
    uint32_t minor;

    if (!minor_here) { /* only the major version has come */
        proto_tree_add_item_ret_uint(ctx->tree, hf_version_major, tvb, AT_REVISION - (int)at, 1,
                                     ENC_NA, &major);
        wmem_strbuf_append_printf(summary, ", ZMTP %u", major);
        return;
    }
    minor = tvb_get_uint8(tvb, AT_MINOR - (int)at);
    item = proto_tree_add_string(
        ctx->tree, hf_version, tvb, at < AT_REVISION ? AT_REVISION - (int)at : 0,
        at <= AT_REVISION ? 2 : 1, wmem_strdup_printf(ctx->pinfo->pool, "%u.%u", major, minor));
    tree = proto_item_add_subtree(item, ett_version);
    if (in_piece(tvb, at, AT_REVISION, 1))
        proto_tree_add_item(tree, hf_version_major, tvb, AT_REVISION - (int)at, 1, ENC_NA);
    proto_tree_add_item(tree, hf_version_minor, tvb, AT_MINOR - (int)at, 1, ENC_NA);
    wmem_strbuf_append_printf(summary, " %u.%u", major, minor);
    /* libzmq takes what is neither 1.0, 2.0 nor 3.0 for 3.1. */
    learn_version(ctx, major == 3 && minor == 0 ? ZMTP_3_0 : ZMTP_3_1);
}

/* The 2.0 form: revision, socket type. */
static void dissect_revision_2(struct zmtp_ctx *ctx, tvbuff_t *tvb, unsigned at,
                               wmem_strbuf_t *summary)
{
    uint32_t code;
    const char *name;

    if (in_piece(tvb, at, AT_REVISION, 1))
        proto_tree_add_item(ctx->tree, hf_revision, tvb, AT_REVISION - (int)at, 1, ENC_NA);
    if (!in_piece(tvb, at, AT_MINOR, 1)) {
        wmem_strbuf_append_printf(summary, ", revision %u", ctx->peer->revision);
        return;
    }
    proto_tree_add_item_ret_uint(ctx->tree, hf_socket_type_code, tvb, AT_MINOR - (int)at, 1, ENC_NA,
                                 &code);
    name = val_to_str_const(code, socket_types_2, "unknown");
    proto_item_set_generated(
        proto_tree_add_string(ctx->tree, zmtp_hf_socket_type, tvb, AT_MINOR - (int)at, 1, name));
    zmtp_learn_socket_type(ctx, name);
    wmem_strbuf_append_printf(summary, " %s %s",
                              ctx->peer->revision == REVISION_1_0 ? "1.0" : "2.0", name);
    learn_version(ctx, ctx->peer->revision == REVISION_1_0 ? ZMTP_1_0 : ZMTP_2_0);
}

/* Both sides have told theirs: who comes second settles it. */
static void compare_mechanisms(struct zmtp_ctx *ctx)
{
    const struct zmtp_story *story = &ctx->conn->story;
    const char *mine = story->side[ctx->dir].mechanism_name;
    const char *others = story->side[!ctx->dir].mechanism_name;
    bool connects = zmtp_connector(ctx->conn) == ctx->dir;

    if (*others && strcmp(mine, others) != 0)
        zmtp_handshake_failed(ctx, ZMTP_FINDING_MECHANISM_MISMATCH,
                              "The side that connects announces %s, and the side that listens %s",
                              connects ? mine : others, connects ? others : mine);
}

static void dissect_mechanism(struct zmtp_ctx *ctx, tvbuff_t *tvb, unsigned at,
                              wmem_strbuf_t *summary)
{
    const uint8_t *name;
    bool as_server;

    proto_tree_add_item_ret_string(ctx->tree, zmtp_hf_mechanism, tvb, AT_MECHANISM - (int)at,
                                   ZMTP_MECHANISM_LEN, ENC_ASCII | ENC_NA, ctx->pinfo->pool, &name);
    wmem_strbuf_append_printf(
        summary, " %s",
        zmtp_format_text(ctx->pinfo->pool, (const char *)name, strlen((const char *)name)));
    if (ctx->first_pass) {
        ctx->peer->mechanism = zmtp_mechanism_find((const char *)name);
        g_strlcpy(
            zmtp_side(ctx)->mechanism_name,
            zmtp_format_text(ctx->pinfo->pool, (const char *)name, strlen((const char *)name)),
            sizeof zmtp_side(ctx)->mechanism_name);
    }
    compare_mechanisms(ctx);
    if (!in_piece(tvb, at, AT_AS_SERVER, 1))
        return;
    as_server = tvb_get_uint8(tvb, AT_AS_SERVER - (int)at) != 0;
    proto_tree_add_item(ctx->tree, hf_as_server, tvb, AT_AS_SERVER - (int)at, 1, ENC_NA);
    if (as_server)
        wmem_strbuf_append(summary, ", as server");
    if (in_piece(tvb, at, AT_FILLER, FILLER_LEN))
        proto_tree_add_item(ctx->tree, hf_filler, tvb, AT_FILLER - (int)at, FILLER_LEN, ENC_NA);
}

/* The rest of a signature that a 1.0 peer reads as the header of an identity frame. */
static void dissect_identity_1(struct zmtp_ctx *ctx, tvbuff_t *tvb, unsigned at,
                               wmem_strbuf_t *summary)
{
    unsigned from = at < ZMTP_SIGNATURE_LEN ? ZMTP_SIGNATURE_LEN - at : 0;
    unsigned len = tvb_captured_length(tvb) > from ? tvb_captured_length(tvb) - from : 0;

    proto_tree_add_item(ctx->tree, zmtp_hf_identity, tvb, (int)from, (int)len, ENC_NA);
    zmtp_note_identity(ctx, tvb, from, len);
    wmem_strbuf_append_printf(summary, ", identity %s", zmtp_printable(ctx->pinfo, tvb, from, len));
    learn_version(ctx, ZMTP_3_0); /* what it speaks is up to the other side */
}

void zmtp_dissect_greeting(struct zmtp_ctx *ctx, unsigned len)
{
    unsigned have = (unsigned)tvb_captured_length_remaining(ctx->tvb, (int)ctx->offset);
    tvbuff_t *tvb = tvb_new_subset_length(ctx->tvb, (int)ctx->offset, (int)MIN(len, have));
    unsigned at = ctx->seq - ctx->peer->start_seq;
    enum form form = (enum form)ctx->greeting_form;
    wmem_strbuf_t *summary = wmem_strbuf_new(ctx->pinfo->pool, "Greeting");
    bool minor_here = in_piece(tvb, at, AT_MINOR, 1);
    bool revision_here = in_piece(tvb, at, AT_REVISION, 1);

    if (in_piece(tvb, at, 0, ZMTP_SIGNATURE_LEN)) {
        proto_tree_add_item(ctx->tree, hf_signature, tvb, 0, ZMTP_SIGNATURE_LEN, ENC_NA);
        if (tvb_captured_length(tvb) == ZMTP_SIGNATURE_LEN)
            wmem_strbuf_append(summary, " signature");
    }
    if (form == FORM_1_0)
        dissect_identity_1(ctx, tvb, at, summary);
    else if (minor_here ? form == FORM_2_0 : revision_here && ctx->peer->revision <= REVISION_2_0)
        dissect_revision_2(ctx, tvb, at, summary);
    else if (minor_here || revision_here)
        dissect_version(ctx, tvb, at, summary);
    if (form == FORM_3 && in_piece(tvb, at, AT_MECHANISM, ZMTP_MECHANISM_LEN))
        dissect_mechanism(ctx, tvb, at, summary);
    proto_item_append_text(ctx->root, ", %s", wmem_strbuf_get_str(summary));
    zmtp_info_add(ctx, wmem_strbuf_get_str(summary));
}

void zmtp_dissect_identity(struct zmtp_ctx *ctx, tvbuff_t *tvb)
{
    unsigned len = tvb_captured_length(tvb);
    const char *text = len ? zmtp_printable(ctx->pinfo, tvb, 0, len) : "anonymous";
    const char *version = ctx->peer->unversioned ? "Greeting 1.0, " : "";

    ctx->told.kind = ZMTP_TOLD_IDENTITY;
    zmtp_note_identity(ctx, tvb, 0, len);
    proto_tree_add_item(ctx->tree, zmtp_hf_identity, tvb, 0, (int)len, ENC_NA);
    proto_item_append_text(ctx->root, ", %sIdentity %s", version, text);
    zmtp_info_add_format(ctx, "%sIdentity %s", version, text);
    if (ctx->peer->unversioned)
        learn_version(ctx, ZMTP_1_0);
}

void zmtp_register_greeting(const struct zmtp_registry *registry)
{
    static hf_register_info hf[] = {
        {&hf_signature,
         {"Signature", "zmtp.signature", FT_BYTES, BASE_NONE, NULL, 0x0,
          "FF, 8 octets (for ZMTP 1.0 peers: a length), 7F", HFILL}},
        {&hf_version, {"Version", "zmtp.version", FT_STRING, BASE_NONE, NULL, 0x0, NULL, HFILL}},
        {&hf_version_major,
         {"Major version", "zmtp.version.major", FT_UINT8, BASE_DEC, NULL, 0x0, NULL, HFILL}},
        {&hf_version_minor,
         {"Minor version", "zmtp.version.minor", FT_UINT8, BASE_DEC, NULL, 0x0, NULL, HFILL}},
        {&hf_revision,
         {"Revision", "zmtp.revision", FT_UINT8, BASE_DEC, NULL, 0x0,
          "Revision of ZMTP 2.0: 0 means ZMTP 1.0, 1 means ZMTP 2.0", HFILL}},
        {&hf_socket_type_code,
         {"Socket type code", "zmtp.socket_type.code", FT_UINT8, BASE_DEC, VALS(socket_types_2),
          0x0, "Socket type in a ZMTP 2.0 greeting", HFILL}},
        {&zmtp_hf_socket_type,
         {"Socket type", "zmtp.socket_type", FT_STRING, BASE_NONE, NULL, 0x0,
          "Type of the sender's ZeroMQ socket", HFILL}},
        {&zmtp_hf_mechanism,
         {"Mechanism", "zmtp.mechanism", FT_STRINGZ, BASE_NONE, NULL, 0x0, "Security mechanism",
          HFILL}},
        {&hf_as_server,
         {"As-Server", "zmtp.as-server", FT_BOOLEAN, BASE_NONE, TFS(&tfs_yes_no), 0x0,
          "Whether the sender says it is the server of the security handshake; libzmq never does",
          HFILL}},
        {&hf_filler, {"Filler", "zmtp.filler", FT_BYTES, BASE_NONE, NULL, 0x0, NULL, HFILL}},
        {&zmtp_hf_identity,
         {"Identity", "zmtp.identity", FT_BYTES, BASE_NONE, NULL, 0x0,
          "Routing identity that the sender chose", HFILL}},
    };
    static int *ett[] = {&ett_version};

    proto_register_field_array(registry->proto, hf, array_length(hf));
    proto_register_subtree_array(ett, array_length(ett));
}
