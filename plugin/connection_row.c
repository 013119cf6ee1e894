/* connection_row.c - what the row of one connection says.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "connections.h"

#include <epan/to_str.h>

#define MAX_IDENTITY_TEXT 24 /* octets of it, for people */

const char *zmtp_row_text(wmem_allocator_t *scope, const char *text)
{
    char *valid;
    const char *kept;

    if (!text || g_utf8_validate(text, -1, NULL))
        return text;
    valid = g_utf8_make_valid(text, -1);
    kept = wmem_strdup(scope, valid);
    g_free(valid);
    return kept;
}

static bool is_printable(const uint8_t *octets, unsigned len)
{
    for (unsigned i = 0; i < len; i++) {
        if (!g_ascii_isprint(octets[i]) || octets[i] == '"' || octets[i] == '\\')
            return false;
    }
    return true;
}

const char *zmtp_row_identity(wmem_allocator_t *scope, const struct zmtp_side *side)
{
    unsigned len = MIN(side->identity_len, MAX_IDENTITY_TEXT);
    const char *dots = side->identity_len > len ? "..." : "";

    if (!side->identity)
        return NULL;
    if (is_printable(side->identity, len))
        return wmem_strdup_printf(scope, "\"%.*s%s\"", (int)len, (const char *)side->identity,
                                  dots);
    return wmem_strdup_printf(scope, "0x%s%s", bytes_to_str_punct(scope, side->identity, len, 0),
                              dots);
}

static const char *endpoint(wmem_allocator_t *scope, const struct zmtp_conn *conn, unsigned dir)
{
    return zmtp_endpoint_text(scope, &conn->story.address[dir], conn->story.port[dir]);
}

/* The lower of both sides'. */
static const char *version_text(const struct zmtp_conn *conn)
{
    enum zmtp_version agreed = ZMTP_VERSION_UNKNOWN;

    for (int dir = 0; dir < 2; dir++) {
        const struct zmtp_peer *peer = &conn->peer[dir];

        if (peer->version_frame && (agreed == ZMTP_VERSION_UNKNOWN || peer->version < agreed))
            agreed = peer->version;
    }
    switch (agreed) {
    case ZMTP_1_0:
        return "1.0";
    case ZMTP_2_0:
        return "2.0";
    case ZMTP_3_0:
        return "3.0";
    case ZMTP_3_1:
        return "3.1";
    default:
        return NULL;
    }
}

static const char *pair(wmem_allocator_t *scope, const char *client, const char *server)
{
    if (!client && !server)
        return "?";
    return wmem_strdup_printf(scope, "%s/%s", client ? client : "?", server ? server : "?");
}

static const char *announced(wmem_allocator_t *scope, const struct zmtp_conn *conn, unsigned dir)
{
    const char *name = conn->story.side[dir].mechanism_name;

    return *name ? zmtp_row_text(scope, name) : NULL;
}

static const char *mechanism_text(wmem_allocator_t *scope, const struct zmtp_row *row)
{
    enum zmtp_mechanism_of mechanism = zmtp_mechanism_of(row->conn);
    const char *client = announced(scope, row->conn, row->client);
    const char *server = announced(scope, row->conn, row->server);

    if (mechanism == ZMTP_OF_NONE)
        return "none";
    if (client && server && strcmp(client, server) == 0)
        return client;
    if (!client && !server && mechanism != ZMTP_OF_UNKNOWN)
        return zmtp_mechanism_of_name(mechanism);
    return pair(scope, client, server);
}

/* NULL: not known */
static const char *socket_text(const struct zmtp_row *row, unsigned dir)
{
    const struct zmtp_conn *conn = row->conn;
    const struct zmtp_side *side = &conn->story.side[dir];
    enum zmtp_mechanism_of mechanism = zmtp_mechanism_of(conn);
    bool told = zmtp_handshake_complete(conn);

    if (conn->peer[dir].socket_type || side->socket_type_unknown)
        return conn->peer[dir].socket_type;
    if (mechanism == ZMTP_OF_CURVE)
        told = side->said & (dir == row->client ? ZMTP_SAID_INITIATE : ZMTP_SAID_READY);
    else if (mechanism != ZMTP_OF_GSSAPI)
        told = false;
    return told ? "encrypted" : NULL;
}

static const char *sockets_text(wmem_allocator_t *scope, const struct zmtp_row *row)
{
    const char *client = socket_text(row, row->client);
    const char *server = socket_text(row, row->server);

    if (client && server && strcmp(client, "encrypted") == 0 && strcmp(server, client) == 0)
        return client;
    return pair(scope, client, server);
}

static double seconds_to_end(const struct zmtp_conn *conn)
{
    nstime_t ended_at;

    return zmtp_ended_at(conn, &ended_at) ? zmtp_seconds_between(&conn->story.begun_at, &ended_at)
                                          : -1;
}

static const char *attempt_text(wmem_allocator_t *scope, const struct zmtp_row *row)
{
    const struct zmtp_story *story = &row->conn->story;
    const struct zmtp_conn *before = story->attempt_before;

    if (!before || row->verdict.outcome != ZMTP_OUTCOME_FAILED)
        return NULL;
    return wmem_strdup_printf(
        scope, "Attempt %u from this address; the one before began %.1f s earlier, in frame %u",
        story->attempt, zmtp_seconds_between(&before->story.begun_at, &story->begun_at),
        before->story.first_packet);
}

void zmtp_row_fill(wmem_allocator_t *scope, struct zmtp_row *row, const struct zmtp_conn *conn)
{
    memset(row, 0, sizeof *row);
    row->conn = conn;
    zmtp_diagnose(scope, conn, &row->verdict);
    row->verdict.text = zmtp_row_text(scope, row->verdict.text);
    row->client = zmtp_client_side(conn);
    row->server = !row->client;
    row->security_roles = conn->client >= 0;
    row->client_text = endpoint(scope, conn, row->client);
    row->server_text = endpoint(scope, conn, row->server);
    row->version = version_text(conn);
    row->mechanism = mechanism_text(scope, row);
    row->sockets = sockets_text(scope, row);
    row->ready_seconds = zmtp_handshake_complete(conn)
                             ? zmtp_seconds_between(&conn->story.begun_at, &conn->story.settled_at)
                             : -1;
    zmtp_ending(conn, &row->ending);
    row->seconds = seconds_to_end(conn);
    row->attempt = attempt_text(scope, row);
}

/* ---- Sentences ---- */

const char *zmtp_row_plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}

const char *zmtp_row_handshake(enum zmtp_outcome outcome)
{
    static const char *const names[] = {"complete", "joined later", "unfinished", "none", "failed"};

    return names[outcome];
}

const char *zmtp_row_seconds(wmem_allocator_t *scope, double seconds)
{
    if (seconds < 0)
        return "-";
    if (seconds < 1)
        return wmem_strdup_printf(scope, "%.1f ms", seconds * 1000);
    return wmem_strdup_printf(scope, "%.2f s", seconds);
}

/* For those of which there is nothing else to tell. */
static const char *ending_text(wmem_allocator_t *scope, const struct zmtp_row *row)
{
    const struct zmtp_ending *ending = &row->ending;
    const char *who;

    if (!ending->closed)
        return "; open when the capture ends";
    who = ending->by == (int)row->client ? "the client" : "the server";
    if (ending->by < 0)
        who = "TCP was";
    return wmem_strdup_printf(scope, "; %s %s%s after %s", who, ending->reset ? "reset" : "closed",
                              ending->reset && ending->by >= 0 ? " TCP" : "",
                              zmtp_row_seconds(scope, row->seconds));
}

static void append_stop(wmem_strbuf_t *text)
{
    const char *octets = wmem_strbuf_get_str(text);
    size_t len = wmem_strbuf_get_len(text);

    if (len > 0 && !strchr(".?!", octets[len - 1]))
        wmem_strbuf_append_c(text, '.');
}

/* Does the verdict leave open how TCP ended? */
static bool lacks_ending(const struct zmtp_diagnosis *verdict)
{
    return verdict->outcome != ZMTP_OUTCOME_FAILED && verdict->outcome != ZMTP_OUTCOME_UNFINISHED &&
           verdict->finding == ZMTP_NO_FINDING && !strstr(verdict->text, "closed");
}

const char *zmtp_row_sentence(wmem_allocator_t *scope, const struct zmtp_row *row)
{
    wmem_strbuf_t *text = wmem_strbuf_new(scope, NULL);
    const struct zmtp_diagnosis *verdict = &row->verdict;
    const char *what = verdict->text;

    if (strcmp(what, "complete") == 0)
        what = "handshake complete";
    wmem_strbuf_append_unichar(text, g_unichar_toupper(g_utf8_get_char(what)));
    wmem_strbuf_append(text, g_utf8_next_char(what));
    if (lacks_ending(verdict))
        wmem_strbuf_append(text, ending_text(scope, row));
    append_stop(text);
    if (verdict->advice) {
        wmem_strbuf_append_printf(text, " %s", verdict->advice);
        append_stop(text);
    }
    if (row->attempt)
        wmem_strbuf_append_printf(text, " %s.", row->attempt);
    return wmem_strbuf_get_str(text);
}

const char *zmtp_row_again(wmem_allocator_t *scope, const struct zmtp_row *row)
{
    const struct zmtp_story *story = &row->conn->story;
    const struct zmtp_conn *before = story->attempt_before;
    struct zmtp_diagnosis verdict;

    if (!row->attempt)
        return NULL;
    zmtp_diagnose(scope, before, &verdict);
    if (verdict.outcome != row->verdict.outcome || verdict.finding != row->verdict.finding ||
        verdict.certain != row->verdict.certain)
        return NULL;
    return wmem_strdup_printf(
        scope,
        "The same again: attempt %u from this address, %.1f s after the one before (frame %u).",
        story->attempt, zmtp_seconds_between(&before->story.begun_at, &story->begun_at),
        before->story.first_packet);
}
