/* stream.c - from a TCP stream to ZMTP frames.
 *
 *   frame  = flags length body     the greeting comes before the first of them
 *   flags  = OCTET                 bit 0 MORE, bit 1 LONG, bit 2 COMMAND (RFC 23 "flags")
 *   length = OCTET / 8OCTET        8 octets when LONG is set
 * ZMTP 1.0 (RFC 13) has the length first (FF and 8 octets when it is long), then the flags.
 *
 * TCP is asked for the rest of a frame that is not whole; place.c says where the first one begins.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "zmtp.h"

#include <epan/exceptions.h>
#include <epan/show_exception.h>

/* A longer frame is not put together: TCP sequence numbers and Wireshark's buffers end at 2^31. */
#define MAX_FRAME_LEN 0x40000000U
/* What TCP is asked for at once stays below the numbers that have a meaning of their own there:
 * DESEGMENT_ONE_MORE_SEGMENT and DESEGMENT_UNTIL_FIN. */
#define MAX_WAIT_LEN 0x0fff0000U

static int hf_flags = -1;
static int hf_flags_reserved = -1;
static int hf_flags_command = -1;
static int hf_flags_long = -1;
static int hf_flags_more = -1;
static int hf_length = -1;
static int hf_continuation = -1;
static int hf_undissected = -1;
static int ett_zmtp = -1;
static int ett_flags = -1;
static int expert_proto = -1; /* where the fields of expert items are */

static const value_string flags_vals[] = {
    {0x00, "Message"},
    {0x01, "Message, more"},
    {0x02, "Message, long"},
    {0x03, "Message, long, more"},
    {0x04, "Command"},
    {0x06, "Command, long"},
    {0, NULL},
};

/* Wireshark takes more items than a preference allows, a million, for an endless loop, and gives up
 * the packet.  At half of them our items stop. */
bool zmtp_tree_is_full(const struct zmtp_ctx *ctx)
{
    return ctx->top && PTREE_DATA(ctx->top)->count >= prefs.gui_max_tree_items / 2;
}

/* The item of the frame.  Where items are not shown, one stands for all frames from here on: to it
 * belong findings, and Wireshark's list of the protocols in the packet. */
static void add_root(struct zmtp_ctx *ctx, tvbuff_t *tvb, unsigned offset, int len)
{
    bool full = ctx->shown && zmtp_tree_is_full(ctx);

    ctx->shown = ctx->shown && !full;
    if (ctx->shown) {
        /* A tvb of its own, since the value of a protocol's item is its tvb from the beginning. */
        ctx->root = proto_tree_add_item(
            ctx->top, zmtp_proto, tvb_new_subset_length(tvb, (int)offset, len), 0, len, ENC_NA);
        ctx->tree = proto_item_add_subtree(ctx->root, ett_zmtp);
    } else if (!ctx->root || ctx->tree) {
        ctx->root = proto_tree_add_item(
            ctx->top, zmtp_proto, tvb_new_subset_remaining(ctx->tvb, (int)ctx->offset), 0,
            tvb_captured_length_remaining(ctx->tvb, (int)ctx->offset), ENC_NA);
        ctx->tree = NULL;
    }
    if (full)
        zmtp_leave_out(ctx);
}

static void begin_frame_item(struct zmtp_ctx *ctx, tvbuff_t *tvb, unsigned offset, int len)
{
    if (ctx->top)
        add_root(ctx, tvb, offset, len);
    zmtp_frame_begins(ctx);
    ctx->told.octets = (unsigned)len;
    if (ctx->gap) {
        zmtp_find(ctx, NULL, ZMTP_FINDING_GAP);
        if (ctx->first_pass)
            zmtp_side(ctx)->lost = true;
    }
    ctx->gap = false;
}

static void end_frame_item(struct zmtp_ctx *ctx)
{
    zmtp_frame_ends(ctx);
    zmtp_show_diagnosis(ctx);
}

/* Octets before the first frame that can be told. */
static void show_leading(struct zmtp_ctx *ctx, const struct zmtp_start *start)
{
    unsigned len = start->boundary == ZMTP_NO_BOUNDARY ? tvb_reported_length(ctx->tvb)
                                                       : (unsigned)start->boundary;
    unsigned have = MIN(len, tvb_captured_length(ctx->tvb));
    proto_item *item;

    if (len == 0)
        return;
    begin_frame_item(ctx, ctx->tvb, 0, (int)have);
    if (start->boundary == ZMTP_NO_BOUNDARY) {
        if (ctx->first_pass)
            zmtp_side(ctx)->lost = true;
        item = proto_tree_add_item(ctx->tree, hf_undissected, ctx->tvb, 0, (int)have, ENC_NA);
        zmtp_find(ctx, item, ZMTP_FINDING_NOT_ALIGNED);
        proto_item_append_text(ctx->root, ", data without a known frame (%u octets)", len);
        zmtp_info_add_format(ctx, "Data without a known frame, %u bytes", len);
        zmtp_show_diagnosis(ctx);
    } else {
        proto_tree_add_item(ctx->tree, hf_continuation, ctx->tvb, 0, (int)have, ENC_NA);
        proto_item_append_text(ctx->root, ", continuation (%u octets)", len);
        zmtp_info_add_format(ctx, "Continuation, %u bytes", len);
    }
}

/* ---- Frames ---- */

static void expect_next(struct zmtp_ctx *ctx, uint32_t seq)
{
    if (ctx->first_pass) {
        ctx->peer->have_next = true;
        ctx->peer->next_seq = ctx->peer->pending_end = seq;
    }
}

/* Ask TCP for more octets and be called again with all of them.  False: there will be none.
 * While the length of a frame is not known, len is DESEGMENT_ONE_MORE_SEGMENT: to ask twice within
 * one segment makes Wireshark 4.0 lose the data on later visits. */
static bool wait_for_more(struct zmtp_ctx *ctx, unsigned len)
{
    if (!ctx->pinfo->can_desegment)
        return false;
    ctx->pinfo->desegment_offset = (int)ctx->offset;
    ctx->pinfo->desegment_len = len;
    expect_next(ctx, ctx->seq);
    return true;
}

/* The header of the frame at `at`.  Returns the item of its length. */
static proto_item *show_header(struct zmtp_ctx *ctx, tvbuff_t *tvb, unsigned at,
                               const struct zmtp_header *header)
{
    static int *const flag_fields[] = {&hf_flags_reserved, &hf_flags_command, &hf_flags_long,
                                       &hf_flags_more, NULL};
    uint8_t reserved = header->unversioned ? (uint8_t)~ZMTP_FLAG_MORE : ZMTP_FLAG_RESERVED;
    unsigned flags_at = header->unversioned ? at + header->size - 1 : at;
    bool long_form = header->size > 2;
    int length_at = (int)(header->unversioned && !long_form ? at : at + 1);
    proto_item *flags = NULL;
    proto_item *length = NULL;

    if (ctx->tree) {
        flags = proto_tree_add_bitmask(ctx->tree, tvb, flags_at, hf_flags, ett_flags, flag_fields,
                                       ENC_BIG_ENDIAN);
        length = proto_tree_add_item(ctx->tree, hf_length, tvb, length_at, long_form ? 8 : 1,
                                     ENC_BIG_ENDIAN);
    }
    if (header->flags & reserved)
        zmtp_find(ctx, flags, ZMTP_FINDING_RESERVED_FLAGS);
    if (header->unversioned && header->body_len == 0 && tvb_get_uint8(tvb, length_at) == 0)
        zmtp_find(ctx, length, ZMTP_FINDING_LENGTH_ZERO);
    return length;
}

/* The first frame of each side in ZMTP 1.0 and 2.0; where 1.0 answers a signature, that side's
 * identity was part of its greeting. */
static bool is_identity_frame(struct zmtp_ctx *ctx)
{
    struct zmtp_peer *peer = ctx->peer;
    enum zmtp_version version = zmtp_conn_version(ctx);

    if (version == ZMTP_VERSION_UNKNOWN || version > ZMTP_2_0 || !peer->saw_start ||
        (zmtp_other_unversioned(ctx) && !peer->unversioned) ||
        ctx->seq != peer->start_seq + (peer->unversioned ? 0 : peer->greeting_len))
        return false;
    if (ctx->first_pass && !peer->identity_frame)
        peer->identity_frame = ctx->pinfo->num;
    return peer->identity_frame == ctx->pinfo->num;
}

void zmtp_mark_unprotected(struct zmtp_ctx *ctx, proto_item *item)
{
    zmtp_find(ctx, item, ZMTP_FINDING_UNPROTECTED);
}

/* A message outside of a box where all traffic belongs in one: it is no data of the application. */
static void show_unprotected(struct zmtp_ctx *ctx, tvbuff_t *body)
{
    proto_item *item = proto_tree_add_item(ctx->tree, hf_undissected, body, 0,
                                           (int)tvb_captured_length(body), ENC_NA);

    zmtp_mark_unprotected(ctx, item);
    proto_item_append_text(ctx->root, ", unprotected frame");
    zmtp_info_add_format(ctx, "Unprotected frame, %u bytes", tvb_reported_length(body));
}

static void show_mechanism(struct zmtp_ctx *ctx, tvbuff_t *body,
                           const struct zmtp_mechanism *mechanism)
{
    if (ctx->tree)
        proto_item_set_generated(
            proto_tree_add_string(ctx->tree, zmtp_hf_mechanism, body, 0, 0, mechanism->name));
}

/* The frame at `at`; of its body `have` octets are in the capture. */
static void dissect_frame(struct zmtp_ctx *ctx, tvbuff_t *tvb, unsigned at, unsigned have,
                          const struct zmtp_header *header)
{
    tvbuff_t *body = tvb_new_subset_length_caplen(tvb, (int)(at + header->size), (int)have,
                                                  (int)header->body_len);
    bool more = (header->flags & ZMTP_FLAG_MORE) != 0;
    enum zmtp_version version;
    const struct zmtp_mechanism *mechanism;
    bool command;

    begin_frame_item(ctx, tvb, at, (int)(header->size + have));
    ctx->told.octets = header->size + (unsigned)header->body_len;
    zmtp_show_large(ctx, show_header(ctx, tvb, at, header), header);
    if (is_identity_frame(ctx)) {
        zmtp_dissect_identity(ctx, body);
        return;
    }
    version = zmtp_conn_version(ctx);
    if (version == ZMTP_1_0 || version == ZMTP_2_0) {
        zmtp_dissect_payload(ctx, ctx->tree, body, more, ZMTP_CLEAR);
        zmtp_check_session(ctx);
        return;
    }
    if (version == ZMTP_VERSION_UNKNOWN)
        zmtp_learn_mechanism(ctx, zmtp_guess_mechanism(body));
    mechanism = zmtp_conn_mechanism(ctx);
    command = (header->flags & ZMTP_FLAG_COMMAND) != 0;
    show_mechanism(ctx, body, mechanism);
    if (mechanism->protected_frame && zmtp_is_protected(body, 0) &&
        mechanism->protected_frame(ctx, ctx->tree, body, command)) {
        zmtp_check_session(ctx); /* GSSAPI's READY */
        return;
    }
    if (command)
        zmtp_dissect_command(ctx, ctx->tree, body, true);
    else if (mechanism->protects && mechanism->protects(ctx))
        show_unprotected(ctx, body);
    else
        zmtp_dissect_payload(ctx, ctx->tree, body, more, ZMTP_CLEAR);
    zmtp_check_session(ctx);
}

/* A frame that nobody can put together; the rest of it is shown as it comes. */
static void show_oversized(struct zmtp_ctx *ctx, const struct zmtp_header *header)
{
    unsigned have = (unsigned)tvb_captured_length_remaining(ctx->tvb, (int)ctx->offset);
    tvbuff_t *tvb = tvb_new_subset_length(ctx->tvb, (int)ctx->offset, (int)have);
    bool invalid = header->body_len > INT64_MAX;
    proto_item *item;

    begin_frame_item(ctx, tvb, 0, (int)have);
    item = show_header(ctx, tvb, 0, header);
    zmtp_find(ctx, item, invalid ? ZMTP_FINDING_LENGTH_INVALID : ZMTP_FINDING_LENGTH_LARGE);
    zmtp_show_large(ctx, item, header);
    if (have > header->size)
        proto_tree_add_item(ctx->tree, hf_undissected, tvb, (int)header->size,
                            (int)(have - header->size), ENC_NA);
    proto_item_append_text(ctx->root, ", frame of %" PRIu64 " octets", header->body_len);
    zmtp_info_add_format(ctx, "Frame of %" PRIu64 " bytes", header->body_len);
    if (invalid && ctx->first_pass)
        ctx->peer->have_next = false; /* nobody knows what follows */
    else
        expect_next(ctx, ctx->seq + (header->body_len < INT32_MAX - header->size
                                         ? header->size + (uint32_t)header->body_len
                                         : INT32_MAX));
}

/* What the capture cuts off of a handshake may have said anything. */
static void note_cut(struct zmtp_ctx *ctx, bool cut)
{
    if (cut && ctx->first_pass && !ctx->conn->settled.packet)
        zmtp_side(ctx)->lost = true;
}

/* The greeting piece at ctx->offset.  Returns its length, 0: wait for more. */
static unsigned next_greeting_piece(struct zmtp_ctx *ctx, unsigned have, unsigned reported)
{
    unsigned needed = DESEGMENT_ONE_MORE_SEGMENT;
    unsigned len;

    len = zmtp_greeting_piece(ctx, have, reported, &needed);
    if (len == 0) {
        wait_for_more(ctx, needed);
        return 0;
    }
    begin_frame_item(ctx, ctx->tvb, ctx->offset, (int)MIN(len, have));
    note_cut(ctx, have < len);
    ctx->told.kind = ZMTP_TOLD_GREETING;
    zmtp_dissect_greeting(ctx, len);
    end_frame_item(ctx);
    expect_next(ctx, ctx->seq + len);
    return len;
}

/* A header that is not whole, and will not be. */
static void show_cut_header(struct zmtp_ctx *ctx, unsigned have)
{
    begin_frame_item(ctx, ctx->tvb, ctx->offset, (int)have);
    proto_tree_add_item(ctx->tree, hf_undissected, ctx->tvb, (int)ctx->offset, (int)have, ENC_NA);
    zmtp_info_add(ctx, "Frame cut short");
}

/* A frame of which the capture has `have` octets.  beyond: it ends behind this packet, and TCP did
 * not put it together. */
static void dissect_cut_frame(struct zmtp_ctx *ctx, const struct zmtp_header *header, unsigned have,
                              bool beyond)
{
    int total = (int)(header->size + header->body_len); /* not above MAX_FRAME_LEN by much */
    tvbuff_t *tvb = tvb_new_subset_length_caplen(ctx->tvb, (int)ctx->offset, (int)have, total);

    if (beyond)
        tvb_set_fragment(tvb); /* cut short by the capture, not malformed */
    note_cut(ctx, true);
    dissect_frame(ctx, tvb, 0, have - header->size, header);
    end_frame_item(ctx);
    tvb_ensure_bytes_exist(tvb, 0, total); /* has the standard mark made */
}

/* The frame at ctx->offset.  Returns its length, 0: this is all for now. */
static unsigned next_frame(struct zmtp_ctx *ctx, unsigned have, unsigned reported)
{
    struct zmtp_header header;
    unsigned total;

    if (!zmtp_frame_header(ctx->tvb, ctx->offset, zmtp_conn_unversioned(ctx), &header)) {
        if (have == reported && wait_for_more(ctx, DESEGMENT_ONE_MORE_SEGMENT))
            return 0;
        show_cut_header(ctx, have);
        if (have < reported)
            tvb_ensure_bytes_exist(ctx->tvb, (int)ctx->offset, (int)header.size);
        return 0;
    }
    zmtp_check_header(ctx, &header);
    if (header.body_len > MAX_FRAME_LEN) {
        show_oversized(ctx, &header);
        return 0;
    }
    total = header.size + (unsigned)header.body_len;
    if (total > reported && wait_for_more(ctx, MIN(total - reported, MAX_WAIT_LEN))) {
        if (ctx->first_pass)
            ctx->peer->pending_end = ctx->seq + total;
        return 0;
    }
    expect_next(ctx, ctx->seq + total);
    if (have >= total) {
        dissect_frame(ctx, ctx->tvb, ctx->offset, (unsigned)header.body_len, &header);
        end_frame_item(ctx);
    } else {
        dissect_cut_frame(ctx, &header, have, total > reported);
    }
    return total;
}

static void dissect_frames(struct zmtp_ctx *ctx)
{
    unsigned reported = tvb_reported_length(ctx->tvb);

    while (ctx->offset < reported) {
        unsigned have = (unsigned)tvb_captured_length_remaining(ctx->tvb, (int)ctx->offset);
        unsigned len;

        ctx->seq = ctx->tvb_seq + ctx->offset;
        if (have == 0)
            tvb_ensure_bytes_exist(ctx->tvb, (int)ctx->offset, 1);
        len = zmtp_in_greeting(ctx) ? next_greeting_piece(ctx, have, reported - ctx->offset)
                                    : next_frame(ctx, have, reported - ctx->offset);
        if (len == 0)
            return;
        ctx->offset += len;
    }
}

/* ---- The dissector ---- */

/* Whether anybody looks at our items: the whole tree is shown, or a field of ours is asked for.  Of
 * an invisible tree Wireshark throws the other items away, but every attempt costs time. */
static bool is_shown(proto_tree *tree)
{
    return proto_field_is_referenced(tree, zmtp_proto) || expert_proto < 0 ||
           proto_field_is_referenced(tree, expert_proto);
}

int zmtp_dissect_tcp(tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree, void *data)
{
    const struct tcpinfo *tcpinfo = (const struct tcpinfo *)data;
    conversation_t *conversation = find_or_create_conversation(pinfo);
    struct tcp_analysis *tcpd = get_tcp_conversation_data(conversation, pinfo);
    struct zmtp_ctx *ctx;
    struct zmtp_start start;

    if (!tcpinfo || !tcpd)
        return 0;
    ctx = wmem_new0(pinfo->pool, struct zmtp_ctx);
    ctx->pinfo = pinfo;
    ctx->top = tree;
    ctx->tvb = tvb;
    ctx->tvb_seq = ctx->seq = tcpinfo->seq;
    ctx->first_pass = !PINFO_FD_VISITED(pinfo);
    ctx->shown = is_shown(tree);
    ctx->dir = zmtp_direction(tcpd);
    zmtp_use_conn(ctx, zmtp_conn_get(conversation, pinfo));

    col_set_str(pinfo->cinfo, COL_PROTOCOL, "ZMTP");
    col_clear(pinfo->cinfo, COL_INFO);
    zmtp_info_begin(ctx);
    TRY
    {
        start = zmtp_place_first_frame(ctx, conversation, tcpd, tcpinfo);
        zmtp_tap_begin(ctx);
        show_leading(ctx, &start);
        if (start.boundary != ZMTP_NO_BOUNDARY) {
            ctx->offset = (unsigned)start.boundary;
            ctx->gap = start.gap;
            dissect_frames(ctx);
        }
    }
    CATCH_BOUNDS_ERRORS
    {
        zmtp_info_end(ctx); /* what was read, then what is missing */
        zmtp_info_begin(ctx);
        col_append_str(pinfo->cinfo, COL_INFO, " ");
        show_exception(tvb, pinfo, tree, EXCEPT_CODE, GET_MESSAGE);
    }
    FINALLY
    {
        if (ctx->first_pass)
            ctx->peer->part = ctx->part;
        zmtp_tap_end(ctx);
        zmtp_plaintexts_end(ctx);
        zmtp_info_end(ctx);
    }
    ENDTRY;
    return (int)tvb_captured_length(tvb);
}

/* A capture file is opened; while plugins are registered this protocol is not there yet. */
static void find_expert_proto(void)
{
    expert_proto = proto_get_id_by_filter_name("_ws.expert");
}

void zmtp_register_stream(const struct zmtp_registry *registry)
{
    static hf_register_info hf[] = {
        {&hf_flags,
         {"Flags", "zmtp.flags", FT_UINT8, BASE_HEX, VALS(flags_vals), 0x0, NULL, HFILL}},
        {&hf_flags_reserved,
         {"Reserved", "zmtp.flags.reserved", FT_UINT8, BASE_HEX, NULL, ZMTP_FLAG_RESERVED, NULL,
          HFILL}},
        {&hf_flags_command,
         {"Command", "zmtp.flags.command", FT_UINT8, BASE_HEX, NULL, ZMTP_FLAG_COMMAND, NULL,
          HFILL}},
        {&hf_flags_long,
         {"Long", "zmtp.flags.long", FT_UINT8, BASE_HEX, NULL, ZMTP_FLAG_LONG,
          "The length has 8 octets", HFILL}},
        {&hf_flags_more,
         {"More", "zmtp.flags.more", FT_UINT8, BASE_HEX, NULL, ZMTP_FLAG_MORE,
          "Another part of the message follows", HFILL}},
        {&hf_length,
         {"Length", "zmtp.length", FT_UINT64, BASE_DEC, NULL, 0x0,
          "Octets of the body; in ZMTP 1.0 the flags octet counts too", HFILL}},
        {&hf_continuation,
         {"Continuation", "zmtp.continuation", FT_BYTES, BASE_NONE, NULL, 0x0,
          "Octets of a frame that began in an earlier packet and could not be put together",
          HFILL}},
        {&hf_undissected,
         {"Undissected data", "zmtp.undissected", FT_BYTES, BASE_NONE, NULL, 0x0,
          "Octets that cannot be told apart into frames", HFILL}},
    };
    static int *ett[] = {&ett_zmtp, &ett_flags};

    proto_register_field_array(registry->proto, hf, array_length(hf));
    proto_register_subtree_array(ett, array_length(ett));
    register_init_routine(find_expert_proto);
}
