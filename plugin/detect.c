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
#define CURVE_MESSAGE_MIN 33 /* RFC 26: name 8, nonce 8, box of 17 and more */
#define CURVE_NONCE_LEN 8
#define CURVE_HELLO_LEN 200
#define GSSAPI_MESSAGE_MIN 12 /* name 8, token length 4 */
/* No session lives for 2^40 messages: a true short nonce has zeros at one end (old libzmq wrote it
 * in host byte order). */
#define NONCE_ZEROS 3

#define SHORT_HEADER_LEN 2
#define LONG_HEADER_LEN 9

static const uint8_t message_name[MESSAGE_NAME_LEN] = {7, 'M', 'E', 'S', 'S', 'A', 'G', 'E'};

/* ---- Frames that name themselves ---- */

static bool all_zero(const uint8_t *octets, unsigned len)
{
    for (unsigned i = 0; i < len; i++) {
        if (octets[i])
            return false;
    }
    return true;
}

static bool nonce_plausible(const uint8_t *nonce)
{
    return all_zero(nonce, NONCE_ZEROS) ||
           all_zero(nonce + CURVE_NONCE_LEN - NONCE_ZEROS, NONCE_ZEROS);
}

/* The mechanism of the MESSAGE whose body begins at body, NULL when it is none. */
static const struct zmtp_mechanism *protected_body(tvbuff_t *tvb, unsigned body, uint64_t body_len)
{
    unsigned have = tvb_captured_length(tvb) - body;

    if (body_len >= GSSAPI_MESSAGE_MIN && have >= GSSAPI_MESSAGE_MIN &&
        tvb_get_ntohl(tvb, (int)body + MESSAGE_NAME_LEN) == body_len - GSSAPI_MESSAGE_MIN)
        return &zmtp_mechanism_gssapi;
    if (body_len >= CURVE_MESSAGE_MIN && have >= MESSAGE_NAME_LEN + CURVE_NONCE_LEN &&
        nonce_plausible(tvb_get_ptr(tvb, (int)body + MESSAGE_NAME_LEN, CURVE_NONCE_LEN)))
        return &zmtp_mechanism_curve;
    return NULL;
}

/* The size of the frame header that ends at body and does not begin before from; 0: there is none.
 */
static unsigned header_before(tvbuff_t *tvb, unsigned from, unsigned body, uint64_t *body_len)
{
    int at = (int)body;

    if (body >= from + SHORT_HEADER_LEN &&
        (tvb_get_uint8(tvb, at - SHORT_HEADER_LEN) & ~ZMTP_FLAG_COMMAND) == 0 &&
        tvb_get_uint8(tvb, at - 1) >= GSSAPI_MESSAGE_MIN) {
        *body_len = tvb_get_uint8(tvb, at - 1);
        return SHORT_HEADER_LEN;
    }
    if (body >= from + LONG_HEADER_LEN &&
        (tvb_get_uint8(tvb, at - LONG_HEADER_LEN) & ~ZMTP_FLAG_COMMAND) == ZMTP_FLAG_LONG) {
        *body_len = tvb_get_ntoh64(tvb, at - LONG_HEADER_LEN + 1);
        return *body_len <= UINT32_MAX ? LONG_HEADER_LEN : 0;
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
        if (header && (*mechanism = protected_body(tvb, body, body_len)) != NULL)
            return (int)(body - header);
    }
    return -1;
}

const struct zmtp_mechanism *zmtp_guess_mechanism(tvbuff_t *body)
{
    static const uint8_t curve_hello[] = {5, 'H', 'E', 'L', 'L', 'O', 1, 0}; /* RFC 26 "hello" */
    unsigned len = tvb_captured_length(body);

    if (len >= CURVE_HELLO_LEN && tvb_memeql(body, 0, curve_hello, sizeof curve_hello) == 0)
        return &zmtp_mechanism_curve;
    if (len >= MESSAGE_NAME_LEN && tvb_memeql(body, 0, message_name, MESSAGE_NAME_LEN) == 0)
        return protected_body(body, 0, tvb_reported_length(body));
    return NULL;
}

bool zmtp_is_protected(tvbuff_t *body)
{
    return tvb_captured_length(body) >= MESSAGE_NAME_LEN &&
           tvb_memeql(body, 0, message_name, MESSAGE_NAME_LEN) == 0;
}

/* ---- Frames that must be guessed ---- */

unsigned zmtp_frame_header(tvbuff_t *tvb, unsigned offset, bool unversioned, uint64_t *body_len,
                           unsigned *needed)
{
    unsigned have = (unsigned)tvb_captured_length_remaining(tvb, (int)offset);
    uint8_t first;

    *needed = SHORT_HEADER_LEN;
    if (have < SHORT_HEADER_LEN)
        return 0;
    first = tvb_get_uint8(tvb, (int)offset);
    if (unversioned) {
        /* RFC 13: length octet, or FF and 8 octets; the length counts the flags octet behind it. */
        if (first != 0xff) {
            *body_len = first ? first - 1U : 0;
            return SHORT_HEADER_LEN;
        }
        *needed = LONG_HEADER_LEN + 1;
        if (have < *needed)
            return 0;
        *body_len = tvb_get_ntoh64(tvb, (int)offset + 1);
        *body_len -= *body_len ? 1 : 0;
        return LONG_HEADER_LEN + 1;
    }
    if (!(first & ZMTP_FLAG_LONG)) {
        *body_len = tvb_get_uint8(tvb, (int)offset + 1);
        return SHORT_HEADER_LEN;
    }
    *needed = LONG_HEADER_LEN;
    if (have < LONG_HEADER_LEN)
        return 0;
    *body_len = tvb_get_ntoh64(tvb, (int)offset + 1);
    return LONG_HEADER_LEN;
}

static bool header_plausible(tvbuff_t *tvb, unsigned offset, bool unversioned, unsigned header,
                             uint64_t body_len)
{
    uint8_t first = tvb_get_uint8(tvb, (int)offset);

    if (unversioned)
        return first != 0 &&
               (tvb_get_uint8(tvb, (int)(offset + header - 1)) & ~ZMTP_FLAG_MORE) == 0;
    if ((first & ZMTP_FLAG_RESERVED) ||
        (first & (ZMTP_FLAG_COMMAND | ZMTP_FLAG_MORE)) == (ZMTP_FLAG_COMMAND | ZMTP_FLAG_MORE))
        return false;
    /* Real peers use the long form only where the short one does not do. */
    return !(first & ZMTP_FLAG_LONG) || body_len > 255;
}

bool zmtp_frames_plausible(tvbuff_t *tvb, unsigned offset, bool unversioned)
{
    unsigned end = tvb_captured_length(tvb);
    bool has_body = false;

    if (end != tvb_reported_length(tvb))
        return false;
    while (offset < end) {
        uint64_t body_len;
        unsigned needed;
        unsigned header = zmtp_frame_header(tvb, offset, unversioned, &body_len, &needed);

        if (!header || !header_plausible(tvb, offset, unversioned, header, body_len) ||
            body_len > end - offset - header)
            return false;
        has_body = has_body || body_len > 0;
        offset += header + (unsigned)body_len;
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
    return len > 0 && all_zero(name + len, ZMTP_MECHANISM_LEN - len);
}

enum zmtp_verdict zmtp_looks_like_signature(tvbuff_t *tvb)
{
    unsigned have = tvb_captured_length(tvb);
    unsigned zeros = MIN(have - 1, SIGNATURE_ZEROS);
    bool usual;

    if (tvb_get_uint8(tvb, 0) != SIGNATURE_FIRST)
        return ZMTP_NO;
    usual = all_zero(tvb_get_ptr(tvb, 1, (int)zeros), zeros);
    if (have < ZMTP_SIGNATURE_LEN)
        return usual ? ZMTP_PERHAPS : ZMTP_NO;
    if (tvb_get_uint8(tvb, ZMTP_SIGNATURE_LEN - 1) != SIGNATURE_LAST)
        return ZMTP_NO;
    if (have > ZMTP_SIGNATURE_LEN && tvb_get_uint8(tvb, ZMTP_SIGNATURE_LEN) > MAX_REVISION)
        return ZMTP_NO;
    /* RFC 23 says that the 8 octets are not significant: without zeros ask for more evidence. */
    return usual || mechanism_plausible(tvb) ? ZMTP_YES : ZMTP_NO;
}

/* Remember what may be the identity frame of a ZMTP 1.0 peer, in case the other side turns out to
 * speak ZMTP.  It is too little to claim the connection for. */
static void remember_identity_1_0(tvbuff_t *tvb, packet_info *pinfo, conversation_t *conversation,
                                  const struct tcp_analysis *tcpd, const struct tcpinfo *tcpinfo)
{
    struct zmtp_conn *conn;
    struct zmtp_peer *peer;
    unsigned len = tvb_reported_length(tvb);

    if (len < SHORT_HEADER_LEN || tvb_get_uint8(tvb, 0) != len - 1 || tvb_get_uint8(tvb, 1) != 0 ||
        !zmtp_saw_syn(tcpd) || !zmtp_at_stream_start(tcpd, tcpinfo))
        return;
    conn = zmtp_conn_get(conversation, pinfo);
    peer = &conn->peer[zmtp_direction(tcpd)];
    peer->started = true;
    peer->unversioned = true;
    peer->start_seq = tcpinfo->seq;
    peer->start_frame = peer->identity_frame = peer->version_frame = pinfo->num;
    peer->version = ZMTP_1_0;
    peer->have_next = true;
    peer->next_seq = tcpinfo->seq + len;
}

zmtp_bool zmtp_heuristic_tcp(tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree, void *data)
{
    const struct tcpinfo *tcpinfo = (const struct tcpinfo *)data;
    const struct zmtp_mechanism *mechanism;
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
    if (verdict == ZMTP_NO && zmtp_find_protected(tvb, 0, &mechanism) < 0) {
        if (!PINFO_FD_VISITED(pinfo))
            remember_identity_1_0(tvb, pinfo, conversation, tcpd, tcpinfo);
        return ZMTP_FALSE;
    }
    /* From this packet on, so that earlier ones look the same on a later visit. */
    conversation_set_dissector_from_frame_number(conversation, pinfo->num, zmtp_handle());
    zmtp_dissect_tcp(tvb, pinfo, tree, data);
    return ZMTP_TRUE;
}
