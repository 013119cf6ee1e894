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

#include <epan/strutil.h>
#include <wsutil/str_util.h>

#define AT_REVISION 10
#define AT_MINOR 11 /* or the socket type of the 2.0 form */
#define AT_MECHANISM 12
#define AT_AS_SERVER 32
#define AT_FILLER 33
#define FILLER_LEN 31

#define REVISION_1_0 0 /* RFC 15 "revision"; 2 and above are not ZMTP 2.0 for libzmq */
#define REVISION_2_0 1

#define MAX_IDENTITY 255 /* RFC 13, RFC 15 */

/* Where the greeting was cut when it arrived: a later visit must cut it in the same places. */
#define ZMTP_CUT_SIGNATURE 0x01
#define ZMTP_CUT_REVISION 0x02

static int hf_signature = -1;
static int hf_version = -1;
static int hf_version_major = -1;
static int hf_version_minor = -1;
static int hf_revision = -1;
static int hf_socket_type_code = -1;
static int hf_socket_type = -1;
static int hf_mechanism = -1;
static int hf_as_server = -1;
static int hf_filler = -1;
static int hf_identity = -1;
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

/* To a 1.0 peer the greeting is the signature and the identity whose header it is. */
static void learn_length_1_0(struct zmtp_ctx *ctx)
{
    struct zmtp_peer *peer = ctx->peer;

    if (ctx->other->unversioned && !peer->greeting_len && peer->revision == 0xff &&
        peer->signature_seen)
        peer->greeting_len = ZMTP_SIGNATURE_LEN + peer->identity_len;
}

bool zmtp_in_greeting(struct zmtp_ctx *ctx, uint32_t seq)
{
    struct zmtp_peer *peer = ctx->peer;
    uint32_t at = seq - peer->start_seq;

    if (peer->unversioned || !peer->saw_start || ctx->pinfo->num < peer->start_frame)
        return false;
    if (ctx->first_pass)
        learn_length_1_0(ctx);
    /* Sequence numbers repeat after 4 GB, packet numbers do not. */
    if (peer->greeting_frame && peer->greeting_frame < ctx->pinfo->num)
        return false;
    return at < (peer->greeting_len ? peer->greeting_len : ZMTP_GREETING_3_LEN);
}

/* Decide the greeting's length once enough is known; peer->greeting_len stays 0 until then.
 * `at` is the place in the greeting of the octet at `offset`, `have` how many are there. */
static void learn_length(struct zmtp_ctx *ctx, tvbuff_t *tvb, unsigned offset, unsigned at,
                         unsigned have)
{
    struct zmtp_peer *peer = ctx->peer;
    const struct zmtp_peer *other = ctx->other;

    if (peer->revision == 0xff && at <= AT_REVISION && at + have > AT_REVISION &&
        !other->unversioned)
        peer->revision = tvb_get_uint8(tvb, (int)(offset + AT_REVISION - at));
    if (peer->greeting_len || other->unversioned)
        return;
    if (peer->revision == 0xff)
        return;
    if (peer->revision <= REVISION_2_0) {
        peer->greeting_len = ZMTP_GREETING_2_LEN;
    } else if (other->revision != 0xff) {
        peer->greeting_len =
            other->revision <= REVISION_2_0 ? ZMTP_GREETING_2_LEN : ZMTP_GREETING_3_LEN;
    } else if (at <= AT_MECHANISM && at + have > AT_MECHANISM) {
        /* The other side is not in the capture.  A mechanism begins with a letter; in the 2.0 form
         * this is the flags octet of the identity frame. */
        peer->greeting_len = tvb_get_uint8(tvb, (int)(offset + AT_MECHANISM - at)) < ' '
                                 ? ZMTP_GREETING_2_LEN
                                 : ZMTP_GREETING_3_LEN;
    }
}

unsigned zmtp_greeting_piece(struct zmtp_ctx *ctx, tvbuff_t *tvb, unsigned offset, unsigned at,
                             unsigned have, unsigned *needed)
{
    struct zmtp_peer *peer = ctx->peer;

    *needed = DESEGMENT_ONE_MORE_SEGMENT;
    if (!ctx->first_pass) {
        unsigned end = peer->greeting_len;

        if (at < ZMTP_SIGNATURE_LEN && (peer->cuts & ZMTP_CUT_SIGNATURE))
            end = ZMTP_SIGNATURE_LEN;
        else if (at <= AT_REVISION && (peer->cuts & ZMTP_CUT_REVISION))
            end = AT_MINOR;
        return end > at && at + have >= end ? end - at : 0;
    }
    if (at + have < ZMTP_SIGNATURE_LEN)
        return 0;
    if (at == 0) {
        peer->signature_seen = true;
        peer->identity_len = identity_after_signature(tvb, offset);
        learn_length_1_0(ctx);
    }
    learn_length(ctx, tvb, offset, at, have);
    if (peer->greeting_len && at + have >= peer->greeting_len)
        return peer->greeting_len - at;
    if (at <= AT_REVISION && at + have >= AT_MINOR && !ctx->other->unversioned) {
        peer->cuts |= ZMTP_CUT_REVISION;
        return AT_MINOR - at;
    }
    if (at < ZMTP_SIGNATURE_LEN) {
        peer->cuts |= ZMTP_CUT_SIGNATURE;
        return ZMTP_SIGNATURE_LEN - at;
    }
    if (peer->greeting_len)
        *needed = peer->greeting_len - at - have;
    return 0;
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
    if (major >= 3)
        learn_version(ctx, minor == 0 && major == 3 ? ZMTP_3_0 : ZMTP_3_1);
    else
        learn_version(ctx, ZMTP_3_0);
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
        proto_tree_add_string(ctx->tree, hf_socket_type, tvb, AT_MINOR - (int)at, 1, name));
    zmtp_learn_socket_type(ctx, name);
    wmem_strbuf_append_printf(summary, " %s %s",
                              ctx->peer->revision == REVISION_1_0 ? "1.0" : "2.0", name);
    learn_version(ctx, ctx->peer->revision == REVISION_1_0 ? ZMTP_1_0 : ZMTP_2_0);
}

static void dissect_mechanism(struct zmtp_ctx *ctx, tvbuff_t *tvb, unsigned at,
                              wmem_strbuf_t *summary)
{
    const uint8_t *name;
    bool as_server;

    proto_tree_add_item_ret_string(ctx->tree, hf_mechanism, tvb, AT_MECHANISM - (int)at,
                                   ZMTP_MECHANISM_LEN, ENC_ASCII | ENC_NA, ctx->pinfo->pool, &name);
    wmem_strbuf_append_printf(
        summary, " %s",
        zmtp_format_text(ctx->pinfo->pool, (const char *)name, strlen((const char *)name)));
    if (ctx->first_pass)
        ctx->peer->mechanism = zmtp_mechanism_find((const char *)name);
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

    if (at + tvb_captured_length(tvb) < ctx->peer->greeting_len)
        return;
    proto_tree_add_item(ctx->tree, hf_identity, tvb, (int)from, (int)len, ENC_NA);
    wmem_strbuf_append_printf(summary, ", identity %s", zmtp_printable(ctx->pinfo, tvb, from, len));
    learn_version(ctx, ZMTP_3_0); /* what it speaks is up to the other side */
}

void zmtp_dissect_greeting(struct zmtp_ctx *ctx, tvbuff_t *tvb, unsigned at)
{
    wmem_strbuf_t *summary = wmem_strbuf_new(ctx->pinfo->pool, "Greeting");
    struct zmtp_peer *peer = ctx->peer;
    bool to_1_0 = ctx->other->unversioned && peer->revision == 0xff;

    if (at == 0 && in_piece(tvb, at, 0, ZMTP_SIGNATURE_LEN)) {
        proto_tree_add_item(ctx->tree, hf_signature, tvb, 0, ZMTP_SIGNATURE_LEN, ENC_NA);
        if (tvb_captured_length(tvb) == ZMTP_SIGNATURE_LEN)
            wmem_strbuf_append(summary, " signature");
    }
    if (to_1_0) {
        if (peer->greeting_len)
            dissect_identity_1(ctx, tvb, at, summary);
    } else if (in_piece(tvb, at, AT_REVISION, 1) || in_piece(tvb, at, AT_MINOR, 1)) {
        if (peer->revision <= REVISION_2_0 ||
            (peer->greeting_len == ZMTP_GREETING_2_LEN && in_piece(tvb, at, AT_MINOR, 1)))
            dissect_revision_2(ctx, tvb, at, summary);
        else
            dissect_version(ctx, tvb, at, summary);
    }
    if (peer->greeting_len == ZMTP_GREETING_3_LEN &&
        in_piece(tvb, at, AT_MECHANISM, ZMTP_MECHANISM_LEN))
        dissect_mechanism(ctx, tvb, at, summary);
    proto_item_append_text(ctx->root, ", %s", wmem_strbuf_get_str(summary));
    zmtp_info_add(ctx, wmem_strbuf_get_str(summary));
}

void zmtp_dissect_identity(struct zmtp_ctx *ctx, tvbuff_t *tvb)
{
    unsigned len = tvb_captured_length(tvb);
    const char *text = len ? zmtp_printable(ctx->pinfo, tvb, 0, len) : "anonymous";
    const char *version = ctx->peer->unversioned ? "Greeting 1.0, " : "";

    proto_tree_add_item(ctx->tree, hf_identity, tvb, 0, (int)len, ENC_NA);
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
        {&hf_socket_type,
         {"Socket type", "zmtp.socket_type", FT_STRING, BASE_NONE, NULL, 0x0,
          "Type of the sender's ZeroMQ socket", HFILL}},
        {&hf_mechanism,
         {"Mechanism", "zmtp.mechanism", FT_STRINGZ, BASE_NONE, NULL, 0x0, "Security mechanism",
          HFILL}},
        {&hf_as_server,
         {"As-Server", "zmtp.as-server", FT_BOOLEAN, BASE_NONE, TFS(&tfs_yes_no), 0x0,
          "Whether the sender says it is the server of the security handshake; libzmq never does",
          HFILL}},
        {&hf_filler, {"Filler", "zmtp.filler", FT_BYTES, BASE_NONE, NULL, 0x0, NULL, HFILL}},
        {&hf_identity,
         {"Identity", "zmtp.identity", FT_BYTES, BASE_NONE, NULL, 0x0,
          "Routing identity that the sender chose", HFILL}},
    };
    static int *ett[] = {&ett_version};

    proto_register_field_array(registry->proto, hf, array_length(hf));
    proto_register_subtree_array(ett, array_length(ett));
}
