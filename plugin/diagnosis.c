/* diagnosis.c - from the facts of a connection to the verdict: how its handshake ended, and why.
 *
 * libzmq answers most failures with silence, so the verdict comes from what was said last, by whom,
 * and who closed then.  What the capture cannot decide is worded as a possibility, and where data
 * are missing nothing is said to have failed.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "zmtp.h"

#define NOBODY 2      /* no direction: has closed */
#define ROUND_TRIPS 3 /* where the network is slower than that */

/* ---- Words ---- */

struct view {
    wmem_allocator_t *scope;
    const struct zmtp_conn *conn;
    unsigned client; /* directions */
    unsigned server;
    const struct zmtp_side *from_client;
    const struct zmtp_side *from_server;
    struct zmtp_ending end;
    bool at_once; /* the end came without a wait */
    struct zmtp_diagnosis *verdict;
};

/* "127.0.0.1:5555" */
static const char *who(const struct view *view, unsigned dir)
{
    const struct zmtp_story *story = &view->conn->story;

    return zmtp_endpoint_text(view->scope, &story->address[dir], story->port[dir]);
}

static const char *wait_text(const struct view *view)
{
    double seconds = view->end.seconds;

    if (seconds < ZMTP_AT_ONCE) /* else it was a timer: one digit will do, and is always the same */
        return wmem_strdup_printf(view->scope, "%.1f ms", MAX(seconds, 0) * 1000);
    return wmem_strdup_printf(view->scope, "%.1f s", seconds);
}

static void conclude(const struct view *view, enum zmtp_outcome outcome, const char *text)
{
    view->verdict->outcome = outcome;
    view->verdict->certain = true;
    view->verdict->text = text;
}

/* What goes on as long as nobody closes. */
static bool is_silence(enum zmtp_finding finding)
{
    switch (finding) {
    case ZMTP_FINDING_NO_GREETING:
    case ZMTP_FINDING_PARTIAL_GREETING:
    case ZMTP_FINDING_BOTH_SERVERS:
    case ZMTP_FINDING_NO_WELCOME:
    case ZMTP_FINDING_SILENT_AFTER_INITIATE:
    case ZMTP_FINDING_GSSAPI_NOT_BEGUN:
    case ZMTP_FINDING_GSSAPI_UNANSWERED:
        return true;
    default:
        return false;
    }
}

/* A failure; while TCP is open it is one only so far. */
static void failed(const struct view *view, enum zmtp_finding finding, bool certain,
                   const char *format, ...) G_GNUC_PRINTF(4, 5);

static void failed(const struct view *view, enum zmtp_finding finding, bool certain,
                   const char *format, ...)
{
    struct zmtp_diagnosis *verdict = view->verdict;
    va_list args;

    va_start(args, format);
    verdict->text = wmem_strdup_vprintf(view->scope, format, args);
    va_end(args);
    if (view->end.closed) {
        verdict->outcome = ZMTP_OUTCOME_FAILED;
        verdict->finding = finding;
        verdict->certain = certain;
        verdict->advice = zmtp_finding_advice(finding);
    } else {
        verdict->outcome = ZMTP_OUTCOME_UNFINISHED;
        verdict->text = "The capture ends during the handshake";
        if (is_silence(finding)) {
            verdict->text = wmem_strdup_printf(view->scope, "%s. If nothing follows: %s",
                                               verdict->text, zmtp_finding_text(finding));
            verdict->advice = zmtp_finding_advice(finding);
        }
    }
}

static void failed_as_known(const struct view *view, enum zmtp_finding finding)
{
    failed(view, finding, false, "%s", zmtp_finding_text(finding));
}

/* Whether that side closed, or may have. */
static bool closed_by(const struct view *view, unsigned dir)
{
    return view->end.by < 0 || view->end.by == (int)dir;
}

/* ---- Greetings ---- */

static bool greeting_whole(const struct zmtp_peer *peer)
{
    return peer->saw_start && !peer->in_greeting && (peer->unversioned || peer->greeting_len > 0);
}

/* Octets of the greeting that came, as far as that is known. */
static uint32_t greeting_octets(const struct view *view, unsigned dir)
{
    const struct zmtp_peer *peer = &view->conn->peer[dir];
    uint32_t sent = zmtp_octets_sent(view->conn, dir);
    uint32_t dissected = peer->started && peer->have_next ? peer->next_seq - peer->start_seq : 0;

    return MAX(sent, dissected);
}

static void diagnose_half_greeting(const struct view *view, unsigned dir)
{
    const struct zmtp_peer *other = &view->conn->peer[!dir];
    const struct zmtp_side *theirs = &view->conn->story.side[!dir];
    uint32_t octets = greeting_octets(view, dir);

    bool closes = view->end.closed && view->at_once && closed_by(view, dir);

    if (closes && theirs->parts)
        failed(view, ZMTP_FINDING_HANDSHAKE_MALFORMED, false,
               "%s closed because %s sent a message before the handshake was complete",
               who(view, dir), who(view, !dir));
    else if (closes && theirs->said)
        failed(
            view, ZMTP_FINDING_CLOSED_IN_GREETING, false,
            "%s closed during the greetings: %s had sent more than its greeting, without waiting "
            "for an answer",
            who(view, dir), who(view, !dir));
    else if (closes && octets >= ZMTP_SIGNATURE_LEN && greeting_whole(other) &&
             *theirs->mechanism_name)
        failed(
            view, ZMTP_FINDING_MECHANISM_MISMATCH, false,
            "%s closed when %s announced %s, before sending its own mechanism, which most likely "
            "differs",
            who(view, dir), who(view, !dir), theirs->mechanism_name);
    else
        failed(view, ZMTP_FINDING_PARTIAL_GREETING, true,
               "%s sent only the first %u octets of its greeting, and %s", who(view, dir), octets,
               view->end.by == (int)dir ? "closed" : "the other side gave up");
}

static void diagnose_missing_greeting(const struct view *view, unsigned dir)
{
    uint32_t octets = zmtp_octets_sent(view->conn, dir);

    if (!zmtp_saw_syn_of(view->conn, dir))
        conclude(view, ZMTP_OUTCOME_UNFINISHED, "Only one side's packets are in the capture");
    else if (octets >= ZMTP_SIGNATURE_LEN)
        failed(view, ZMTP_FINDING_NOT_ZMTP, false, "%s sent %u octets that were not taken for ZMTP",
               who(view, dir), octets);
    else if (octets > 0)
        diagnose_half_greeting(view, dir);
    else if (view->at_once && closed_by(view, dir) && greeting_whole(&view->conn->peer[!dir]))
        failed(view, ZMTP_FINDING_MECHANISM_MISMATCH, false,
               "%s closed at once when %s announced %s, before it said anything: it probably wants "
               "another mechanism, or is not ZeroMQ",
               who(view, dir), who(view, !dir), view->conn->story.side[!dir].mechanism_name);
    else
        failed(view, ZMTP_FINDING_NO_GREETING, true, "%s greeted, and %s never said anything: %s",
               who(view, !dir), who(view, dir),
               zmtp_connector(view->conn) == dir ? "a port check, or its process hangs"
               : view->at_once && closed_by(view, dir)
                   ? "it closed at once, as a proxy does when its server is not there"
                   : "its process hangs, or a proxy accepts for a server that is not there");
}

/* ---- ZMTP 1.0 and 2.0 ---- */

static bool speaks_old(const struct zmtp_peer *peer)
{
    return peer->version != ZMTP_VERSION_UNKNOWN && peer->version <= ZMTP_2_0 &&
           peer->revision <= 1;
}

static bool diagnose_old(const struct view *view)
{
    const struct zmtp_conn *conn = view->conn;

    for (unsigned dir = 0; dir < 2; dir++) {
        const struct zmtp_peer *old = &conn->peer[dir];
        const struct zmtp_peer *newer = &conn->peer[!dir];
        const struct zmtp_side *side = conn->story.side;

        if (!old->unversioned && !speaks_old(old))
            continue;
        if (newer->unversioned || speaks_old(newer) || newer->identity_frame ||
            side[!dir].parts > 0 || !view->end.closed || !closed_by(view, !dir) || !view->at_once) {
            conclude(view, ZMTP_OUTCOME_NO_HANDSHAKE,
                     old->unversioned
                         ? "A ZMTP 1.0 session, which has no handshake and no security"
                         : "A ZMTP 2.0 session, which has no handshake and no security");
            zmtp_diagnose_session(view->scope, conn, view->verdict);
            return true;
        }
        failed(view, ZMTP_FINDING_PEER_TOO_OLD, false,
               "%s speaks ZMTP %s, which has no security, and %s closed at that: it probably "
               "requires some (a mechanism, or a ZAP domain)",
               who(view, dir), old->unversioned ? "1.0" : "2.0", who(view, !dir));
        return true;
    }
    return false;
}

/* ---- NULL ---- */

static void diagnose_null(const struct view *view)
{
    const struct zmtp_conn *conn = view->conn;
    unsigned told = conn->story.side[0].said & ZMTP_SAID_READY ? 0 : 1;
    const char *type = conn->peer[told].socket_type;

    if (!(conn->story.side[told].said & ZMTP_SAID_READY)) {
        if (view->at_once)
            failed_as_known(view, ZMTP_FINDING_CLOSED_IN_GREETING);
        else
            failed(view, ZMTP_FINDING_NO_WELCOME, false,
                   "Neither side sent READY within %s: a ZAP handler does not answer, or a process "
                   "hangs",
                   wait_text(view));
    } else if (view->at_once && closed_by(view, !told)) {
        failed(view, ZMTP_FINDING_INCOMPATIBLE_SOCKETS, false,
               "%s closed when %s said that it is a %s socket, instead of sending READY: its own "
               "type probably cannot talk to that (or its ZAP handler answered 300)",
               who(view, !told), who(view, told), type ? type : "(unknown)");
    } else {
        failed(view, ZMTP_FINDING_NO_WELCOME, false,
               "%s never sent READY: its ZAP handler does not answer (or answered 300: later), or "
               "the process hangs",
               who(view, !told));
    }
}

/* ---- PLAIN and CURVE ---- */

/* In another attempt the other side sent HELLO: so both do. */
static bool roles_are_swapped(const struct zmtp_conn *conn, const struct zmtp_conn *other)
{
    return other && other->client >= 0 && conn->client >= 0 &&
           other->peer[other->client].mechanism == conn->peer[conn->client].mechanism &&
           (zmtp_connector(other) == (unsigned)other->client) !=
               (zmtp_connector(conn) == (unsigned)conn->client);
}

static void diagnose_hello(const struct view *view)
{
    const struct zmtp_story *story = &view->conn->story;
    bool curve = view->conn->peer[view->client].mechanism == &zmtp_mechanism_curve;

    if (roles_are_swapped(view->conn, story->attempt_before) ||
        roles_are_swapped(view->conn, story->attempt_after)) {
        failed(view, ZMTP_FINDING_BOTH_CLIENTS, true,
               "Each side sends HELLO, as other attempts show: both are set up as clients");
        return;
    }
    if (closed_by(view, view->server) && zmtp_connector(view->conn) == view->server &&
        (curve ? story->server_key == ZMTP_SERVER_KEY_UNKNOWN : view->at_once)) {
        failed(view, ZMTP_FINDING_BOTH_CLIENTS, false,
               "%s, which listens, began the security handshake, and %s closed at it: both are set "
               "up as clients, or %s",
               who(view, view->client), who(view, view->server),
               curve ? "the client has a wrong server key"
                     : "no ZAP handler runs in the server's process");
        return;
    }
    if (!closed_by(view, view->server) && view->at_once) {
        failed(view, ZMTP_FINDING_NO_WELCOME, false,
               "The client closed %s after HELLO, too soon to have waited for an answer: it was "
               "ended, or packets of the server are not in the capture",
               wait_text(view));
    } else if (!closed_by(view, view->server)) {
        failed(view, ZMTP_FINDING_NO_WELCOME, true,
               "HELLO was never answered, and the client gave up after %s", wait_text(view));
    } else if (!curve && view->at_once) {
        failed(
            view, ZMTP_FINDING_NO_WELCOME, false,
            "The other side closed at HELLO without an ERROR: it is set up as a client too, or no "
            "ZAP handler runs in its process");
    } else if (!curve) {
        failed(view, ZMTP_FINDING_NO_WELCOME, false,
               "The server did not answer HELLO for %s, then closed: its ZAP handler probably "
               "answered 300 (try later) or nothing",
               wait_text(view));
    } else if (story->server_key == ZMTP_SERVER_KEY_RIGHT) {
        failed_as_known(view, ZMTP_FINDING_HELLO_REFUSED);
    } else if (story->server_key == ZMTP_SERVER_KEY_NOT_GIVEN) {
        failed(
            view, ZMTP_FINDING_WRONG_SERVER_KEY, true,
            "The client has a wrong server key: HELLO opens with none of the %u keys given here, "
            "provided that the server's is among them, and the server closed",
            story->server_keys_tried);
    } else {
        failed_as_known(view, ZMTP_FINDING_WRONG_SERVER_KEY);
    }
}

static void diagnose_initiate(const struct view *view)
{
    const struct zmtp_story *story = &view->conn->story;
    const char *type = view->conn->peer[view->client].socket_type;

    if (story->cookie_changed)
        failed(view, ZMTP_FINDING_CLOSED_AFTER_INITIATE, true,
               "The server closed at INITIATE: its cookie is not the one that WELCOME gave");
    else if (story->vouch_mismatch)
        failed(view, ZMTP_FINDING_CLOSED_AFTER_INITIATE, true,
               "The server closed at INITIATE: the vouch in it is for other keys than those of "
               "this connection");
    else if (view->at_once && closed_by(view, view->server))
        failed(view, ZMTP_FINDING_CLOSED_AFTER_INITIATE, false,
               "The server closed right after INITIATE, without an ERROR: its socket type probably "
               "cannot talk to the client's%s%s (or its ZAP handler answered 300)",
               type ? " " : "", type ? type : "");
    else
        failed(view, ZMTP_FINDING_SILENT_AFTER_INITIATE, false,
               "The server did not answer INITIATE for %s: its ZAP handler probably answered 300 "
               "(temporary failure) or nothing at all",
               wait_text(view));
}

static void diagnose_client_server(const struct view *view)
{
    unsigned client = view->from_client->said;
    unsigned server = view->from_server->said;
    const char *malformed =
        view->from_client->malformed ? view->from_client->malformed : view->from_server->malformed;

    if (malformed)
        failed(view, ZMTP_FINDING_HANDSHAKE_MALFORMED, true,
               "The connection was closed after a command that is not well-formed: %s", malformed);
    else if (!((client | server) & ZMTP_SAID_HELLO) && view->at_once)
        failed_as_known(view, ZMTP_FINDING_CLOSED_IN_GREETING);
    else if (!((client | server) & ZMTP_SAID_HELLO))
        failed_as_known(view, ZMTP_FINDING_BOTH_SERVERS);
    else if (!(server & ZMTP_SAID_WELCOME))
        diagnose_hello(view);
    else if (!(client & ZMTP_SAID_INITIATE) && view->from_client->boxes)
        failed(view, ZMTP_FINDING_HANDSHAKE_MALFORMED, true,
               "The client sent a MESSAGE instead of INITIATE, and the connection was closed");
    else if (!(client & ZMTP_SAID_INITIATE))
        failed(view, ZMTP_FINDING_CLOSED_AFTER_WELCOME, false,
               closed_by(view, view->client)
                   ? "The client closed after WELCOME instead of sending INITIATE"
                   : "INITIATE never came after WELCOME, and the server gave up");
    else
        diagnose_initiate(view);
}

/* ---- GSSAPI ---- */

/* The tickets were accepted, and something at READY was not. */
static void diagnose_gssapi_ready(const struct view *view)
{
    const struct zmtp_story *story = &view->conn->story;

    for (unsigned dir = 0; dir < 2; dir++) {
        const char *type = view->conn->peer[dir].socket_type;

        if (!view->conn->peer[dir].ready || view->conn->peer[!dir].ready)
            continue;
        failed(view, ZMTP_FINDING_GSSAPI_REFUSED, false,
               "The tickets were accepted, and %s closed at the %s READY of %s%s%s%s",
               who(view, !dir),
               story->side[dir].said & ZMTP_SAID_SEALED_READY ? "encrypted" : "unencrypted",
               who(view, dir), type ? " (" : "", type ? type : "", type ? ")" : "");
        return;
    }
    if (!view->at_once && closed_by(view, view->server))
        failed(view, ZMTP_FINDING_SILENT_AFTER_INITIATE, false,
               "The ticket was accepted, and then the server said nothing for %s and closed: its "
               "ZAP handler probably refused the client or does not answer",
               wait_text(view));
    else
        failed_as_known(view, ZMTP_FINDING_GSSAPI_REFUSED);
}

static void diagnose_gssapi(const struct view *view)
{
    unsigned client = view->from_client->said;
    unsigned server = view->from_server->said;

    if ((client | server) & ZMTP_SAID_KRB_ERROR)
        failed_as_known(view, ZMTP_FINDING_GSSAPI_KRB_ERROR);
    else if (!((client | server) & ZMTP_SAID_INITIATE))
        failed_as_known(view, view->at_once ? ZMTP_FINDING_CLOSED_IN_GREETING
                                            : ZMTP_FINDING_GSSAPI_NOT_BEGUN);
    else if ((client & ZMTP_SAID_TICKET) && (server & ZMTP_SAID_TICKET))
        failed_as_known(view, ZMTP_FINDING_BOTH_CLIENTS);
    else if (server & ZMTP_SAID_OFFER)
        failed_as_known(view, ZMTP_FINDING_GSSAPI_NO_KEYTAB);
    else if (!(server & ZMTP_SAID_INITIATE))
        failed_as_known(view, ZMTP_FINDING_GSSAPI_UNANSWERED);
    else
        diagnose_gssapi_ready(view);
}

/* ---- The verdict ---- */

static const char handshake_missing[] = "Data of the handshake are missing from the capture";

/* Who sends messages was ready, and saw the end of the handshake: its READY is not in the capture.
 */
static bool goes_on(const struct view *view)
{
    const struct zmtp_conn *conn = view->conn;
    const struct zmtp_mechanism *mechanism = conn->peer[0].mechanism;
    bool both_ready = mechanism == &zmtp_mechanism_null || mechanism == &zmtp_mechanism_gssapi;

    for (unsigned dir = 0; dir < 2; dir++) {
        const struct zmtp_side *side = &conn->story.side[dir];

        if ((both_ready || dir == view->server) && !conn->peer[dir].ready &&
            side->parts + side->boxes > 0)
            return true;
    }
    return false;
}

static void diagnose_handshake(const struct view *view)
{
    const struct zmtp_conn *conn = view->conn;
    const struct zmtp_mechanism *mechanism = conn->peer[0].mechanism;
    uint64_t large =
        MAX(view->from_client->large_before_ready, view->from_server->large_before_ready);

    if (goes_on(view))
        conclude(view, ZMTP_OUTCOME_UNFINISHED, handshake_missing);
    else if (large)
        failed(view, ZMTP_FINDING_LARGE_BEFORE_READY, true,
               "A frame of %" PRIu64 " octets was announced before the handshake had ended", large);
    else if (mechanism == &zmtp_mechanism_null)
        diagnose_null(view);
    else if (mechanism == &zmtp_mechanism_gssapi)
        diagnose_gssapi(view);
    else if (mechanism)
        diagnose_client_server(view);
    else
        conclude(view, ZMTP_OUTCOME_UNFINISHED,
                 wmem_strdup_printf(view->scope, "The mechanism %s is not known here",
                                    view->from_client->mechanism_name));
}

static void diagnose_settled(const struct view *view)
{
    const struct zmtp_conn *conn = view->conn;

    if (conn->settled_as == ZMTP_NO_FINDING) {
        conclude(view, ZMTP_OUTCOME_COMPLETE, "complete");
        zmtp_diagnose_session(view->scope, conn, view->verdict);
        return;
    }
    conclude(view, ZMTP_OUTCOME_FAILED, conn->settled_text);
    view->verdict->certain = conn->settled_as != ZMTP_FINDING_WRONG_SERVER_KEY ||
                             conn->story.server_key == ZMTP_SERVER_KEY_NOT_GIVEN;
    view->verdict->finding = conn->settled_as;
    view->verdict->advice = zmtp_finding_advice(conn->settled_as);
}

void zmtp_diagnose(wmem_allocator_t *scope, const struct zmtp_conn *conn,
                   struct zmtp_diagnosis *verdict)
{
    const struct zmtp_peer *peer = conn->peer;
    const struct zmtp_side *side = conn->story.side;
    struct view view = {.scope = scope, .conn = conn, .verdict = verdict};

    memset(verdict, 0, sizeof *verdict);
    view.client = zmtp_client_side(conn);
    view.server = !view.client;
    view.from_client = &side[view.client];
    view.from_server = &side[view.server];
    zmtp_ending(conn, &view.end);
    view.at_once = view.end.seconds <
                   MAX(ZMTP_AT_ONCE, ROUND_TRIPS * nstime_to_sec(&conn->story.tcpd->ts_first_rtt));
    if (conn->settled.packet) {
        diagnose_settled(&view);
    } else if (side[0].foreign || side[1].foreign) {
        unsigned dir = side[0].foreign ? 0 : 1;

        failed(&view, ZMTP_FINDING_NOT_ZMTP, true, "%s does not speak ZMTP: %s%s", who(&view, dir),
               side[dir].looks_like ? "it began with " : "its first octets are no greeting",
               side[dir].looks_like ? side[dir].looks_like : "");
    } else if (!peer[0].saw_start && !peer[1].saw_start) {
        conclude(&view, ZMTP_OUTCOME_JOINED, "The capture began after the handshake");
    } else if (zmtp_is_missing(conn, 0) || zmtp_is_missing(conn, 1)) {
        conclude(&view, ZMTP_OUTCOME_UNFINISHED, handshake_missing);
    } else if (diagnose_old(&view)) {
        /* said */
    } else if (!peer[0].started || !peer[1].started) {
        diagnose_missing_greeting(&view, peer[0].started ? 1 : 0);
    } else if (!greeting_whole(&peer[0]) || !greeting_whole(&peer[1])) {
        diagnose_half_greeting(&view, greeting_whole(&peer[0]) ? 1 : 0);
    } else {
        diagnose_handshake(&view);
    }
}

const char *zmtp_outcome_name(enum zmtp_outcome outcome)
{
    static const char *const names[] = {"complete", "joined", "unfinished", "no_handshake",
                                        "failed"};

    return names[outcome];
}
