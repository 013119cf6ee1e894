/* detect.c - is this ZMTP?  The TCP heuristic, and the search for a place to begin in the middle of
 * a stream.
 *
 * Two things are certain enough to claim a connection: the signature that opens ZMTP 2.0 and 3.x,
 * and a frame that holds a CURVE or GSSAPI MESSAGE, where the start is not in the capture. ZMTP 1.0
 * and NULL traffic without its start look like anything: they need "Decode As".
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "zmtp.h"

#include <string.h>

#define SIGNATURE_FIRST 0xff
#define SIGNATURE_LAST 0x7f
/* All implementations known send a 64-bit number below 65536 between FF and 7F. */
#define SIGNATURE_ZEROS 6
#define MAX_REVISION 3

#define MESSAGE_NAME_LEN 8

#define SHORT_HEADER_LEN 2
#define LONG_HEADER_LEN ZMTP_LONG_HEADER_LEN

static const uint8_t message_name[MESSAGE_NAME_LEN] = {7, 'M', 'E', 'S', 'S', 'A', 'G', 'E'};

/* ---- Frames that name themselves ---- */

bool zmtp_all_zero(const uint8_t *octets, unsigned len)
{
    for (unsigned i = 0; i < len; i++) {
        if (octets[i])
            return false;
    }
    return true;
}

/* The mechanism whose protected frame has its body at body, NULL when it is none. */
static const struct zmtp_mechanism *claimed(tvbuff_t *tvb, unsigned body, uint64_t body_len)
{
    for (const struct zmtp_mechanism *const *mechanism = zmtp_mechanisms; *mechanism; mechanism++) {
        if ((*mechanism)->claims && (*mechanism)->claims(tvb, body, body_len))
            return *mechanism;
    }
    return NULL;
}

/* The size of the frame header that ends at body and does not begin before from; 0: there is none.
 */
static unsigned header_before(tvbuff_t *tvb, unsigned from, unsigned body, uint64_t *body_len)
{
    const uint8_t any_flags = ZMTP_FLAG_COMMAND | ZMTP_FLAG_MORE;
    int at = (int)body;

    /* The long form first: the end of its length can look like a short header, but hardly can the
     * end of a box look like the start of a long one. */
    if (body >= from + LONG_HEADER_LEN &&
        (tvb_get_uint8(tvb, at - LONG_HEADER_LEN) & ~any_flags) == ZMTP_FLAG_LONG) {
        *body_len = tvb_get_ntoh64(tvb, at - LONG_HEADER_LEN + 1);
        if (*body_len <= UINT32_MAX)
            return LONG_HEADER_LEN;
    }
    if (body >= from + SHORT_HEADER_LEN &&
        (tvb_get_uint8(tvb, at - SHORT_HEADER_LEN) & ~any_flags) == 0 &&
        tvb_get_uint8(tvb, at - 1) > MESSAGE_NAME_LEN) {
        *body_len = tvb_get_uint8(tvb, at - 1);
        return SHORT_HEADER_LEN;
    }
    return 0;
}

int zmtp_find_protected(tvbuff_t *tvb, unsigned offset, const struct zmtp_mechanism **mechanism)
{
    unsigned end = tvb_captured_length(tvb);
    const uint8_t *octets;
    unsigned at = offset;

    if (end < offset + SHORT_HEADER_LEN + MESSAGE_NAME_LEN)
        return -1;
    octets = tvb_get_ptr(tvb, 0, (int)end);
    while (at + MESSAGE_NAME_LEN <= end) {
        const uint8_t *found = (const uint8_t *)memchr(octets + at, message_name[0], end - at);
        unsigned body;
        unsigned header;
        uint64_t body_len;

        if (!found || (body = (unsigned)(found - octets)) + MESSAGE_NAME_LEN > end)
            return -1;
        at = body + 1;
        if (memcmp(found, message_name, MESSAGE_NAME_LEN) != 0)
            continue;
        header = header_before(tvb, offset, body, &body_len);
        if (header && (*mechanism = claimed(tvb, body, body_len)) != NULL)
            return (int)(body - header);
    }
    return -1;
}

const struct zmtp_mechanism *zmtp_guess_mechanism(tvbuff_t *body)
{
    return claimed(body, 0, tvb_reported_length(body));
}

bool zmtp_is_protected(tvbuff_t *tvb, unsigned body)
{
    return tvb_captured_length(tvb) >= body + MESSAGE_NAME_LEN &&
           tvb_memeql(tvb, (int)body, message_name, MESSAGE_NAME_LEN) == 0;
}

/* ---- Frames that must be guessed ---- */

/* RFC 13: length octet, or FF and 8 octets; the length counts the flags octet behind it. */
static bool frame_header_1_0(tvbuff_t *tvb, unsigned offset, unsigned have,
                             struct zmtp_header *header)
{
    uint64_t len;

    if (tvb_get_uint8(tvb, (int)offset) != 0xff) {
        len = tvb_get_uint8(tvb, (int)offset);
    } else {
        header->size = LONG_HEADER_LEN + 1;
        if (have < header->size)
            return false;
        len = tvb_get_ntoh64(tvb, (int)offset + 1);
    }
    header->body_len = len > 0 ? len - 1 : 0;
    header->flags = tvb_get_uint8(tvb, (int)(offset + header->size - 1));
    return true;
}

bool zmtp_frame_header(tvbuff_t *tvb, unsigned offset, bool unversioned, struct zmtp_header *header)
{
    unsigned have = (unsigned)tvb_captured_length_remaining(tvb, (int)offset);

    header->unversioned = unversioned;
    header->size = SHORT_HEADER_LEN;
    if (have < SHORT_HEADER_LEN)
        return false;
    if (unversioned)
        return frame_header_1_0(tvb, offset, have, header);
    header->flags = tvb_get_uint8(tvb, (int)offset);
    header->body_len = tvb_get_uint8(tvb, (int)offset + 1);
    if (header->flags & ZMTP_FLAG_LONG) {
        header->size = LONG_HEADER_LEN;
        if (have < LONG_HEADER_LEN)
            return false;
        header->body_len = tvb_get_ntoh64(tvb, (int)offset + 1);
    }
    return true;
}

static bool header_plausible(const struct zmtp_header *header)
{
    if (header->unversioned)
        return (header->flags & ~ZMTP_FLAG_MORE) == 0;
    if ((header->flags & ZMTP_FLAG_RESERVED) ||
        (header->flags & (ZMTP_FLAG_COMMAND | ZMTP_FLAG_MORE)) ==
            (ZMTP_FLAG_COMMAND | ZMTP_FLAG_MORE))
        return false;
    /* Real peers use the long form only where the short one does not do. */
    return !(header->flags & ZMTP_FLAG_LONG) || header->body_len > 255;
}

bool zmtp_frames_plausible(tvbuff_t *tvb, unsigned offset, bool unversioned)
{
    unsigned end = tvb_captured_length(tvb);
    bool has_body = false;

    if (end != tvb_reported_length(tvb))
        return false;
    while (offset < end) {
        struct zmtp_header header;

        if (!zmtp_frame_header(tvb, offset, unversioned, &header) || !header_plausible(&header) ||
            (unversioned && tvb_get_uint8(tvb, (int)offset) == 0) ||
            header.body_len > end - offset - header.size)
            return false;
        has_body = has_body || header.body_len > 0;
        offset += header.size + (unsigned)header.body_len;
    }
    return has_body; /* else it may be a run of zeros */
}

/* ---- The heuristic ---- */

/* Whether a mechanism stands behind the version: 20 octets, upper case, padded with zeros. */
static bool mechanism_plausible(tvbuff_t *tvb)
{
    const uint8_t *name;
    unsigned len = 0;

    if (tvb_captured_length(tvb) < 12 + ZMTP_MECHANISM_LEN)
        return false;
    name = tvb_get_ptr(tvb, 12, ZMTP_MECHANISM_LEN);
    while (len < ZMTP_MECHANISM_LEN && (g_ascii_isupper(name[len]) || g_ascii_isdigit(name[len]) ||
                                        name[len] == '-' || name[len] == '_'))
        len++;
    return len > 0 && zmtp_all_zero(name + len, ZMTP_MECHANISM_LEN - len);
}

enum zmtp_verdict zmtp_looks_like_signature(tvbuff_t *tvb)
{
    unsigned have = tvb_captured_length(tvb);
    unsigned zeros = MIN(have - 1, SIGNATURE_ZEROS);
    bool usual;

    if (tvb_get_uint8(tvb, 0) != SIGNATURE_FIRST)
        return ZMTP_NO;
    usual = zmtp_all_zero(tvb_get_ptr(tvb, 1, (int)zeros), zeros);
    if (have < ZMTP_SIGNATURE_LEN)
        return usual ? ZMTP_PERHAPS : ZMTP_NO;
    if (tvb_get_uint8(tvb, ZMTP_SIGNATURE_LEN - 1) != SIGNATURE_LAST)
        return ZMTP_NO;
    /* RFC 37: higher versions are to be accepted.  Here they must show a mechanism, too. */
    if (have > ZMTP_SIGNATURE_LEN && tvb_get_uint8(tvb, ZMTP_SIGNATURE_LEN) > MAX_REVISION)
        return mechanism_plausible(tvb) ? ZMTP_YES : ZMTP_NO;
    /* RFC 23 says that the 8 octets are not significant: without zeros ask for more evidence. */
    return usual || mechanism_plausible(tvb) ? ZMTP_YES : ZMTP_NO;
}

/* Whether the segment holds a MESSAGE that is where frames would have it: at the start of the
 * segment or long enough to leave it, and with another one behind it, if anything.  Other protocols
 * have strings "MESSAGE" with a length before them, too. */
static bool holds_protected(tvbuff_t *tvb)
{
    const struct zmtp_mechanism *mechanism;
    int at = zmtp_find_protected(tvb, 0, &mechanism);
    unsigned reported = tvb_reported_length(tvb);
    struct zmtp_header header;
    unsigned end;

    if (at < 0 || !zmtp_frame_header(tvb, (unsigned)at, false, &header))
        return false;
    if (header.body_len >= reported - (unsigned)at - header.size)
        return at == 0 || header.size == LONG_HEADER_LEN ||
               header.body_len == reported - (unsigned)at - header.size;
    end = (unsigned)at + header.size + (unsigned)header.body_len;
    return tvb_captured_length(tvb) < end + LONG_HEADER_LEN + MESSAGE_NAME_LEN ||
           zmtp_find_protected(tvb, end, &mechanism) == (int)end;
}

/* Remember what may be the identity frame of a ZMTP 1.0 peer, in case the other side turns out to
 * speak ZMTP.  It is too little to claim the connection for. */
static void remember_identity_1_0(tvbuff_t *tvb, packet_info *pinfo, conversation_t *conversation,
                                  const struct tcp_analysis *tcpd, const struct tcpinfo *tcpinfo)
{
    struct zmtp_conn *conn;
    struct zmtp_peer *peer;
    unsigned len = tvb_captured_length(tvb);

    if (len < SHORT_HEADER_LEN || len != tvb_reported_length(tvb) ||
        tvb_get_uint8(tvb, 0) != len - 1 || tvb_get_uint8(tvb, 1) != 0 || !zmtp_saw_syn(tcpd) ||
        !zmtp_at_stream_start(tcpd, tcpinfo))
        return;
    conn = zmtp_conn_get(conversation, pinfo);
    peer = &conn->peer[zmtp_direction(tcpd)];
    peer->started = true;
    peer->unversioned = true;
    peer->start_seq = tcpinfo->seq;
    peer->identity_frame = peer->version_frame = pinfo->num;
    peer->version = ZMTP_1_0;
    peer->have_next = true;
    peer->next_seq = peer->pending_end = tcpinfo->seq + len;
}

zmtp_bool zmtp_heuristic_tcp(tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree, void *data)
{
    const struct tcpinfo *tcpinfo = (const struct tcpinfo *)data;
    conversation_t *conversation;
    struct tcp_analysis *tcpd;
    enum zmtp_verdict verdict;

    if (!tcpinfo || tvb_captured_length(tvb) == 0)
        return ZMTP_FALSE;
    conversation = find_or_create_conversation(pinfo);
    tcpd = get_tcp_conversation_data(conversation, pinfo);
    verdict = zmtp_looks_like_signature(tvb);
    if (verdict == ZMTP_PERHAPS) {
        /* It may come octet by octet: have TCP put the first ten together, then decide. */
        if (!pinfo->can_desegment || !zmtp_at_stream_start(tcpd, tcpinfo) ||
            tvb_reported_length(tvb) != tvb_captured_length(tvb))
            return ZMTP_FALSE;
        pinfo->desegment_offset = 0;
        pinfo->desegment_len = DESEGMENT_ONE_MORE_SEGMENT;
        return ZMTP_TRUE;
    }
    if (verdict == ZMTP_NO && !holds_protected(tvb)) {
        if (!PINFO_FD_VISITED(pinfo))
            remember_identity_1_0(tvb, pinfo, conversation, tcpd, tcpinfo);
        return ZMTP_FALSE;
    }
    /* From this packet on, so that earlier ones look the same on a later visit. */
    conversation_set_dissector_from_frame_number(conversation, pinfo->num, zmtp_handle());
    zmtp_dissect_tcp(tvb, pinfo, tree, data);
    return ZMTP_TRUE;
}
