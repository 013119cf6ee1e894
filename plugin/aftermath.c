/* aftermath.c - what happened to a session whose handshake was good: the first of these that is so.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "zmtp.h"

static bool soon_after(const nstime_t *what, const nstime_t *end)
{
    double seconds = zmtp_seconds_between(what, end);

    return seconds >= 0 && seconds <= ZMTP_AT_ONCE;
}

static const char *opening(const struct zmtp_conn *conn)
{
    return zmtp_handshake_complete(conn) ? "the handshake was complete; " : "";
}

/* Somebody broke the protocol, and the other side closed at it. */
static const char *offence_text(wmem_allocator_t *scope, const struct zmtp_conn *conn,
                                struct zmtp_diagnosis *diagnosis)
{
    const struct zmtp_offence *offence = &conn->story.offence;
    struct zmtp_ending ending;
    nstime_t ended_at;

    if (offence->finding == ZMTP_NO_FINDING || !zmtp_ended_at(conn, &ended_at))
        return NULL;
    zmtp_ending(conn, &ending);
    if (ending.by == (int)offence->dir || !soon_after(&offence->at, &ended_at))
        return NULL;
    diagnosis->finding = offence->finding;
    return wmem_strdup_printf(scope, "%sthe connection was closed at frame %u: %s", opening(conn),
                              offence->packet, zmtp_finding_text(offence->finding));
}

static const char *role_of(const struct zmtp_conn *conn, unsigned dir)
{
    return zmtp_client_side(conn) == dir ? "client" : "server";
}

static const char *heartbeat_text(wmem_allocator_t *scope, const struct zmtp_conn *conn,
                                  struct zmtp_diagnosis *diagnosis)
{
    for (unsigned dir = 0; dir < 2; dir++) {
        double seconds;
        const struct zmtp_ping *ping =
            zmtp_heartbeat_fate(conn, dir, &diagnosis->finding, &seconds);

        if (!ping)
            continue;
        if (diagnosis->finding == ZMTP_FINDING_HEARTBEAT_LOST)
            return wmem_strdup_printf(
                scope,
                "%slater the %s's PING in frame %u was never answered, and it closed after %.1f s",
                opening(conn), role_of(conn, dir), ping->packet, seconds);
        return wmem_strdup_printf(scope,
                                  "%slater nothing came from the %s within "
                                  "the TTL of %.1f s of its PING in frame %u, and the %s closed",
                                  opening(conn), role_of(conn, dir), ping->ttl / 10.0, ping->packet,
                                  role_of(conn, !dir));
    }
    diagnosis->finding = ZMTP_NO_FINDING;
    return NULL;
}

static const char *unsecured_text(wmem_allocator_t *scope, const struct zmtp_conn *conn,
                                  struct zmtp_diagnosis *diagnosis)
{
    const struct zmtp_conn *before = conn->story.unsecured_after;

    if (!before)
        return NULL;
    diagnosis->finding = ZMTP_FINDING_UNSECURED_SESSION;
    return wmem_strdup_printf(scope,
                              "The session works, but has less security than an earlier one to the "
                              "same server port (frame %u; CVE-2014-7202)",
                              before->story.first_packet);
}

static const char *identity_text(wmem_allocator_t *scope, const struct zmtp_conn *conn,
                                 struct zmtp_diagnosis *diagnosis)
{
    const struct zmtp_conn *before = conn->story.identity_of;

    if (!before)
        return NULL;
    diagnosis->finding = ZMTP_FINDING_IDENTITY_REPEATED;
    return wmem_strdup_printf(scope,
                              "The handshake was complete, with an Identity that another "
                              "connection to the same ROUTER uses (frame %u), whose end was not "
                              "seen: one of the two is not heard",
                              before->story.first_packet);
}

/* A socket type that only its sender knows. */
static const char *type_text(wmem_allocator_t *scope, const struct zmtp_conn *conn,
                             struct zmtp_diagnosis *diagnosis)
{
    struct zmtp_ending ending;
    nstime_t ended_at;

    if (!zmtp_ended_at(conn, &ended_at) || !soon_after(&conn->story.settled_at, &ended_at))
        return NULL;
    zmtp_ending(conn, &ending);
    for (unsigned dir = 0; dir < 2; dir++) {
        if (!conn->story.side[dir].socket_type_unknown || ending.by != (int)!dir)
            continue;
        diagnosis->finding = ZMTP_FINDING_INCOMPATIBLE_SOCKETS;
        return wmem_strdup_printf(scope,
                                  "The handshake was complete, and the %s closed at once: the %s's "
                                  "socket type is not one that it knows",
                                  role_of(conn, !dir), role_of(conn, dir));
    }
    return NULL;
}

/* Not all of a frame came. */
static const char *cut_text(wmem_allocator_t *scope, const struct zmtp_conn *conn,
                            struct zmtp_diagnosis *diagnosis _U_)
{
    struct zmtp_ending ending;

    zmtp_ending(conn, &ending);
    for (unsigned dir = 0; dir < 2; dir++) {
        const struct zmtp_peer *peer = &conn->peer[dir];
        uint32_t octets = peer->pending_end - peer->next_seq;

        if (ending.closed && peer->have_next && octets > 0 && !zmtp_is_missing(conn, dir))
            return wmem_strdup_printf(
                scope,
                "%sthe connection was closed in the middle of a frame of %u octets from the %s",
                opening(conn), octets, role_of(conn, dir));
    }
    return NULL;
}

void zmtp_diagnose_session(wmem_allocator_t *scope, const struct zmtp_conn *conn,
                           struct zmtp_diagnosis *diagnosis)
{
    static const char *(*const texts[])(wmem_allocator_t * scope, const struct zmtp_conn *conn,
                                        struct zmtp_diagnosis *diagnosis) = {
        offence_text, heartbeat_text, unsecured_text, identity_text, type_text, cut_text};
    const char *text = NULL;

    for (size_t i = 0; i < array_length(texts) && !text; i++)
        text = texts[i](scope, conn, diagnosis);
    if (text) {
        diagnosis->text = text;
        diagnosis->certain = diagnosis->finding == ZMTP_FINDING_UNSECURED_SESSION;
        diagnosis->advice =
            diagnosis->finding == ZMTP_NO_FINDING ? NULL : zmtp_finding_advice(diagnosis->finding);
    }
}
