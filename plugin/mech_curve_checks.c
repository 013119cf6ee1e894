/* mech_curve_checks.c - what CURVE asks of its peers: nonces that rise, keys that are new, a cookie
 * that comes back unchanged, and a vouch for this very connection.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "mech_curve.h"

#include "../decrypt/curve.h"

/* Nonces of neighbouring commands are not further apart: by that the byte order is found. */
#define NEAR 0x100000000ULL
#define HALF 4 /* octets of half a nonce: no session lives for 2^32 commands */
#define HALF_RANGE (1ULL << 63)

#define HELLO_VERSION_LEN 2
#define HELLO_SAME_FROM 106 /* nonce and box, behind C' */
#define INITIATE_NAME_LEN 9
#define INITIATE_SAFE 513 /* octets of a buffer in libzmq before 4.3.2 */

/* ---- Nonces ---- */

enum byte_order { UNKNOWN_ORDER, NETWORK_ORDER, HOST_ORDER };

static uint64_t number(const uint8_t *nonce, enum byte_order order)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < ZMTP_SHORT_NONCE_SIZE; i++)
        value = value << 8 | nonce[order == HOST_ORDER ? ZMTP_SHORT_NONCE_SIZE - 1 - i : i];
    return value;
}

/* What one nonce alone looks like. */
static enum byte_order order_of(const uint8_t *nonce)
{
    bool high = !zmtp_all_zero(nonce, HALF);
    bool low = !zmtp_all_zero(nonce + HALF, HALF);

    if (high == low)
        return UNKNOWN_ORDER;
    return high ? HOST_ORDER : NETWORK_ORDER;
}

/* Whether it comes soon after the last one, in this order. */
static bool is_next(const uint8_t *last, const uint8_t *nonce, enum byte_order order)
{
    uint64_t step = number(nonce, order) - number(last, order);

    return step > 0 && step <= NEAR;
}

static enum byte_order order_of_both(const uint8_t *last, const uint8_t *nonce)
{
    bool network = is_next(last, nonce, NETWORK_ORDER);
    bool host = is_next(last, nonce, HOST_ORDER);

    if (network != host)
        return network ? NETWORK_ORDER : HOST_ORDER;
    return order_of(last) == order_of(nonce) ? order_of(nonce) : UNKNOWN_ORDER;
}

/* How the nonce compares with the last one. */
static enum zmtp_finding compare(const struct zmtp_curve_nonce *last, const uint8_t *nonce)
{
    enum byte_order order = (enum byte_order)last->order;

    if (memcmp(last->octets, nonce, ZMTP_SHORT_NONCE_SIZE) == 0)
        return ZMTP_FINDING_NONCE_REPEATED;
    if (order != UNKNOWN_ORDER && number(nonce, order) < number(last->octets, order))
        return ZMTP_FINDING_NONCE_NOT_INCREASING;
    return ZMTP_NO_FINDING;
}

/* First pass: the findings of this nonce, as bits. */
enum { REPEATED = 1, FALLING = 2, UNEXPECTED = 4, BYTE_ORDER_TOLD = 8 };

static int32_t take_nonce(const struct zmtp_ctx *ctx, struct zmtp_curve_nonce *last,
                          const uint8_t *nonce, unsigned expected)
{
    bool was_host = last->order == HOST_ORDER;
    int32_t found = 0;

    if (last->seen && (int32_t)(ctx->seq - last->seq) <= 0)
        return 0; /* data that were seen before */
    if (last->order == UNKNOWN_ORDER)
        last->order = (uint8_t)(last->seen                      ? order_of_both(last->octets, nonce)
                                : order_of(nonce) == HOST_ORDER ? HOST_ORDER
                                                                : UNKNOWN_ORDER);
    if (last->seen) {
        enum zmtp_finding finding = compare(last, nonce);

        found = finding == ZMTP_FINDING_NONCE_REPEATED         ? REPEATED
                : finding == ZMTP_FINDING_NONCE_NOT_INCREASING ? FALLING
                                                               : 0;
    }
    if (last->order == HOST_ORDER && !was_host)
        found |= BYTE_ORDER_TOLD;
    if (expected && !found && last->order != HOST_ORDER &&
        number(nonce, NETWORK_ORDER) !=
            (last->seen ? number(last->octets, NETWORK_ORDER) + 1 : expected))
        found |= UNEXPECTED;
    last->seen = true;
    last->seq = ctx->seq;
    if (!(found & FALLING)) /* receivers go on from the highest */
        memcpy(last->octets, nonce, ZMTP_SHORT_NONCE_SIZE);
    return found;
}

void zmtp_curve_check_nonce(struct zmtp_ctx *ctx, proto_item *item,
                            struct zmtp_curve_checks *checks, const uint8_t *nonce,
                            unsigned expected)
{
    int32_t found = 0;

    if (ctx->first_pass)
        found = take_nonce(ctx, &checks->nonce[ctx->dir], nonce, expected);
    found = zmtp_remember_finding(ctx, ZMTP_FINDING_NONCE_REPEATED, found);
    if (found & REPEATED)
        zmtp_find(ctx, item, ZMTP_FINDING_NONCE_REPEATED);
    if (found & FALLING)
        zmtp_find(ctx, item, ZMTP_FINDING_NONCE_NOT_INCREASING);
    if (found & UNEXPECTED)
        zmtp_find(ctx, item, ZMTP_FINDING_NONCE_UNEXPECTED);
    if (found & BYTE_ORDER_TOLD)
        zmtp_find(ctx, item, ZMTP_FINDING_NONCE_BYTE_ORDER);
}

/* ---- HELLO ---- */

struct zmtp_curve_hello {
    struct zmtp_conn *conn;
    uint32_t packet;
    uint8_t rest[ZMTP_SHORT_NONCE_SIZE + ZMTP_HELLO_BOX_SIZE];
};

enum { REUSED = 1, SAME_OCTETS = 2, ANOTHER_ANSWER = 3 };

static struct zmtp_curve_hello **hello_with(const uint8_t *client_transient)
{
    return (struct zmtp_curve_hello **)zmtp_common(ZMTP_COMMON_TRANSIENT, NULL, client_transient,
                                                   ZMTP_KEY_SIZE);
}

/* First pass: compare with the first HELLO of this C'.  A TCP proxy passes HELLO on before it is
 * answered: whether it is that shows when both have their WELCOME. */
static int32_t compare_hello(struct zmtp_ctx *ctx, struct zmtp_curve_checks *checks,
                             struct zmtp_curve_hello *before, const uint8_t *rest)
{
    const struct zmtp_side *sides = before->conn->story.side;
    struct zmtp_ending ending;

    if (before->conn == ctx->conn)
        return 0;
    checks->same_transient = before;
    if (memcmp(before->rest, rest, sizeof before->rest) != 0)
        return REUSED;
    zmtp_ending(before->conn, &ending);
    if (!ending.closed && !((sides[0].said | sides[1].said) & ZMTP_SAID_WELCOME)) {
        checks->perhaps_passed_on = true;
        return 0;
    }
    return SAME_OCTETS;
}

static void show_reuse(struct zmtp_ctx *ctx, proto_item *item,
                       const struct zmtp_curve_checks *checks, int32_t found)
{
    static const char *const same[] = {"", "", " with the same octets",
                                       " with the same octets and another WELCOME"};

    if (found && checks->same_transient)
        zmtp_find_format(
            ctx, item, ZMTP_FINDING_TRANSIENT_KEY_REUSED,
            "The same client transient key as in frame %u (TCP stream %u)%s: RFC 26 wants a new "
            "one",
            checks->same_transient->packet, checks->same_transient->conn->story.tcpd->stream,
            same[found]);
}

static void check_transient(struct zmtp_ctx *ctx, proto_item *item,
                            struct zmtp_curve_checks *checks, const uint8_t *client_transient,
                            const uint8_t *rest)
{
    int32_t found = 0;

    if (ctx->first_pass && !checks->hello_seen) { /* one entry for each connection at most */
        struct zmtp_curve_hello **first = hello_with(client_transient);

        if (*first) {
            found = compare_hello(ctx, checks, *first, rest);
        } else {
            *first = wmem_new(wmem_file_scope(), struct zmtp_curve_hello);
            (*first)->conn = ctx->conn;
            (*first)->packet = ctx->pinfo->num;
            memcpy((*first)->rest, rest, sizeof(*first)->rest);
        }
    }
    show_reuse(ctx, item, checks,
               zmtp_remember_finding(ctx, ZMTP_FINDING_TRANSIENT_KEY_REUSED, found));
}

/* Another HELLO on the same TCP connection, whose beginning is not in the capture, counts anew. */
static void begin_session(const struct zmtp_ctx *ctx, struct zmtp_curve_checks *checks,
                          const uint8_t *client_transient)
{
    if (!ctx->first_pass)
        return;
    if (!checks->hello_seen ||
        memcmp(checks->client_transient, client_transient, sizeof checks->client_transient) != 0)
        memset(checks->nonce, 0, sizeof checks->nonce);
    checks->hello_seen = true;
    memcpy(checks->client_transient, client_transient, sizeof checks->client_transient);
}

void zmtp_curve_check_hello(struct zmtp_ctx *ctx, struct zmtp_curve_checks *checks, tvbuff_t *data,
                            const struct zmtp_curve_hello_items *items)
{
    const uint8_t *octets = tvb_get_ptr(data, 0, ZMTP_CURVE_HELLO_LEN);
    const uint8_t *client_transient = octets + ZMTP_CURVE_HELLO_KEY_AT;

    if (octets[0] != 1 || octets[1] != 0) {
        zmtp_find_format(ctx, items->version, ZMTP_FINDING_HELLO_VERSION,
                         "CURVE version %u.%u: 1.0 is the only one (RFC 26)", octets[0], octets[1]);
        zmtp_note_malformed(ctx, wmem_strdup_printf(ctx->pinfo->pool,
                                                    "HELLO of CURVE version %u.%u, not 1.0",
                                                    octets[0], octets[1]));
    }
    if (!zmtp_all_zero(octets + HELLO_VERSION_LEN, ZMTP_CURVE_HELLO_KEY_AT - HELLO_VERSION_LEN))
        zmtp_find(ctx, items->padding, ZMTP_FINDING_HELLO_PADDING);
    check_transient(ctx, items->client_transient, checks, client_transient,
                    octets + HELLO_SAME_FROM);
    begin_session(ctx, checks, client_transient);
}

/* ---- WELCOME ---- */

void zmtp_curve_note_welcome(struct zmtp_ctx *ctx, struct zmtp_curve_checks *checks, tvbuff_t *data)
{
    if (!ctx->first_pass || checks->welcome_seen)
        return;
    checks->welcome_seen = true;
    tvb_memcpy(data, checks->welcome, 0, sizeof checks->welcome);
}

void zmtp_curve_note_cookie(const struct zmtp_ctx *ctx, struct zmtp_curve_checks *checks,
                            const uint8_t cookie[ZMTP_COOKIE_SIZE])
{
    if (checks->cookie_since && checks->cookie_since <= ctx->pinfo->num)
        return;
    checks->cookie_since = ctx->pinfo->num;
    memcpy(checks->cookie, cookie, ZMTP_COOKIE_SIZE);
}

/* ---- INITIATE ---- */

/* The HELLO that looked like another connection's, passed on: is the answer the same too? */
static int32_t compare_welcome(const struct zmtp_ctx *ctx, struct zmtp_curve_checks *checks)
{
    const struct zmtp_curve_checks *before;

    if (!ctx->first_pass || !checks->perhaps_passed_on)
        return 0;
    checks->perhaps_passed_on = false;
    before = zmtp_curve_checks_of(checks->same_transient->conn);
    return before->welcome_seen && checks->welcome_seen &&
                   memcmp(before->welcome, checks->welcome, sizeof before->welcome) != 0
               ? ANOTHER_ANSWER
               : 0;
}

void zmtp_curve_check_initiate(struct zmtp_ctx *ctx, struct zmtp_curve_checks *checks,
                               proto_item *cookie_item, tvbuff_t *data)
{
    unsigned len = tvb_reported_length(data) + INITIATE_NAME_LEN;

    show_reuse(ctx, NULL, checks,
               zmtp_remember_finding(ctx, ZMTP_FINDING_TRANSIENT_KEY_REUSED,
                                     compare_welcome(ctx, checks)));
    if (len > INITIATE_SAFE)
        zmtp_find_format(ctx, NULL, ZMTP_FINDING_INITIATE_LONG,
                         "INITIATE has %u octets: more than 513 overflowed libzmq before 4.3.2 "
                         "(CVE-2019-13132)",
                         len);
    if (!checks->cookie_since || checks->cookie_since > ctx->pinfo->num ||
        tvb_captured_length(data) < ZMTP_COOKIE_SIZE ||
        tvb_memeql(data, 0, checks->cookie, ZMTP_COOKIE_SIZE) == 0)
        return;
    zmtp_find(ctx, cookie_item, ZMTP_FINDING_COOKIE_CHANGED);
    if (ctx->first_pass)
        ctx->conn->story.cookie_changed = true;
}

void zmtp_curve_check_vouch(struct zmtp_ctx *ctx, proto_item *item, const uint8_t *client_transient,
                            const uint8_t *server_permanent, const uint8_t *vouched)
{
    bool other_client =
        vouched && client_transient && memcmp(vouched, client_transient, ZMTP_KEY_SIZE) != 0;
    bool other_server = vouched && server_permanent &&
                        memcmp(vouched + ZMTP_KEY_SIZE, server_permanent, ZMTP_KEY_SIZE) != 0;

    if (vouched && !other_client && !other_server)
        return;
    if (!vouched)
        zmtp_find_format(ctx, item, ZMTP_FINDING_VOUCH_MISMATCH,
                         "The vouch does not open with this connection's keys: it was made with "
                         "others, or damaged");
    else
        zmtp_find_format(ctx, item, ZMTP_FINDING_VOUCH_MISMATCH, "The vouch is for %s",
                         !other_server   ? "another C' than HELLO's"
                         : !other_client ? "another server key than HELLO's"
                                         : "another C' and another server key than HELLO's");
    if (ctx->first_pass)
        ctx->conn->story.vouch_mismatch = true;
}
