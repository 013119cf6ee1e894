/* json_lines.c - tshark -z zmtp,connections,json[,filter]: a line of JSON for each connection, and
 * one with the totals.  STATISTICS.md says what each member means.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "connections.h"

#include <epan/to_str.h>
#include <wsutil/json_dumper.h>

#include <stdio.h>

struct line {
    json_dumper dumper;
    wmem_allocator_t *scope;
};

/* ---- Members ---- */

static void put_text(struct line *line, const char *name, const char *text)
{
    json_dumper_set_member_name(&line->dumper, name);
    if (text)
        json_dumper_value_string(&line->dumper, zmtp_row_text(line->scope, text));
    else
        json_dumper_value_anyf(&line->dumper, "null");
}

static void put_number(struct line *line, const char *name, uint64_t number)
{
    json_dumper_set_member_name(&line->dumper, name);
    json_dumper_value_anyf(&line->dumper, "%" PRIu64, number);
}

/* Zero means that there is none. */
static void put_frame(struct line *line, const char *name, uint32_t frame)
{
    json_dumper_set_member_name(&line->dumper, name);
    if (frame)
        json_dumper_value_anyf(&line->dumper, "%u", frame);
    else
        json_dumper_value_anyf(&line->dumper, "null");
}

static void put_bool(struct line *line, const char *name, bool value)
{
    json_dumper_set_member_name(&line->dumper, name);
    json_dumper_value_anyf(&line->dumper, value ? "true" : "false");
}

/* With a point, whatever the user's language has; negative: not known. */
static void put_seconds(struct line *line, const char *name, double seconds)
{
    char text[G_ASCII_DTOSTR_BUF_SIZE];

    json_dumper_set_member_name(&line->dumper, name);
    if (seconds >= 0)
        json_dumper_value_anyf(&line->dumper, "%s",
                               g_ascii_formatd(text, sizeof text, "%.6f", seconds));
    else
        json_dumper_value_anyf(&line->dumper, "null");
}

static void begin_object(struct line *line, const char *name)
{
    json_dumper_set_member_name(&line->dumper, name);
    json_dumper_begin_object(&line->dumper);
}

static void begin_line(struct line *line, wmem_allocator_t *scope, const char *type)
{
    memset(line, 0, sizeof *line);
    line->dumper.output_file = stdout;
    line->scope = scope;
    json_dumper_begin_object(&line->dumper);
    put_text(line, "type", type);
}

static void end_line(struct line *line)
{
    json_dumper_end_object(&line->dumper);
    json_dumper_finish(&line->dumper); /* ends the line too */
}

/* ---- A connection ---- */

static void put_endpoint(struct line *line, const struct zmtp_conn *conn, unsigned dir,
                         const char *address_name, const char *port_name)
{
    put_text(line, address_name, address_to_str(line->scope, &conn->story.address[dir]));
    put_number(line, port_name, conn->story.port[dir]);
}

static void put_counts(struct line *line, const uint32_t *commands, const uint32_t *sizes)
{
    begin_object(line, "commands");
    for (unsigned i = 0; i < ZMTP_COMMANDS; i++) {
        if (commands[i])
            put_number(line, zmtp_command_name((enum zmtp_command)i), commands[i]);
    }
    json_dumper_end_object(&line->dumper);
    begin_object(line, "part_sizes");
    for (unsigned i = 0; i < ZMTP_SIZES; i++) {
        if (sizes[i])
            put_number(line, zmtp_size_name(i), sizes[i]);
    }
    json_dumper_end_object(&line->dumper);
}

static const char *identity_hex(const struct line *line, const struct zmtp_side *side)
{
    wmem_strbuf_t *hex = wmem_strbuf_new(line->scope, NULL);

    for (unsigned i = 0; i < side->identity_len; i++)
        wmem_strbuf_append_printf(hex, "%02x", side->identity[i]);
    return side->identity ? wmem_strbuf_get_str(hex) : NULL;
}

static const char *identity_text(const struct line *line, const struct zmtp_side *side)
{
    return side->identity
               ? zmtp_format_text(line->scope, (const char *)side->identity, side->identity_len)
               : NULL;
}

static void put_side(struct line *line, const struct zmtp_conn *conn, unsigned dir,
                     const char *name)
{
    const struct zmtp_side *side = &conn->story.side[dir];

    begin_object(line, name);
    put_endpoint(line, conn, dir, "address", "port");
    put_text(line, "mechanism", *side->mechanism_name ? side->mechanism_name : NULL);
    put_text(line, "socket_type", conn->peer[dir].socket_type);
    put_text(line, "identity", identity_hex(line, side));
    put_text(line, "identity_text", identity_text(line, side));
    put_number(line, "messages", side->messages);
    put_bool(line, "messages_known", side->boxes == side->boxes_opened);
    put_number(line, "parts", side->parts);
    put_number(line, "octets", side->octets);
    put_bool(line, "octets_known", !side->octets_unknown);
    put_number(line, "boxes", side->boxes);
    put_number(line, "boxes_opened", side->boxes_opened);
    put_number(line, "protected_octets", side->protected_octets);
    put_number(line, "protected_payload", side->boxed_octets);
    put_number(line, "protected_unknown", side->unmeasured_octets);
    put_counts(line, side->commands, side->sizes);
    json_dumper_end_object(&line->dumper);
}

static const char *mechanism_of(const struct zmtp_conn *conn)
{
    enum zmtp_mechanism_of mechanism = zmtp_mechanism_of(conn);

    return mechanism == ZMTP_OF_UNKNOWN ? NULL : zmtp_mechanism_of_name(mechanism);
}

static void put_verdict(struct line *line, const struct zmtp_row *row)
{
    const struct zmtp_diagnosis *verdict = &row->verdict;

    put_text(line, "outcome", zmtp_outcome_name(verdict->outcome));
    put_text(line, "finding",
             verdict->finding == ZMTP_NO_FINDING ? NULL : zmtp_finding_name(verdict->finding));
    put_bool(line, "certain", verdict->certain);
    put_text(line, "what", verdict->text);
    put_text(line, "advice", verdict->advice);
    put_seconds(line, "ready_seconds", row->ready_seconds);
}

static void put_ending(struct line *line, const struct zmtp_row *row)
{
    const char *by = NULL;

    if (row->ending.closed && row->ending.by >= 0)
        by = row->ending.by == (int)row->client ? "client" : "server";
    put_bool(line, "closed", row->ending.closed);
    put_text(line, "closed_by", by);
    put_bool(line, "reset", row->ending.reset);
    put_seconds(line, "seconds", row->seconds);
}

static void put_relations(struct line *line, const struct zmtp_story *story)
{
    const struct zmtp_conn *before = story->attempt_before;
    const struct zmtp_conn *secured = story->unsecured_after;

    put_number(line, "attempt", story->attempt);
    put_frame(line, "attempt_before", before ? before->story.first_packet : 0);
    put_frame(line, "unsecured_after", secured ? secured->story.first_packet : 0);
}

static void print_connection(wmem_allocator_t *scope, const struct zmtp_row *row)
{
    const struct zmtp_conn *conn = row->conn;
    struct line line;

    begin_line(&line, scope, "connection");
    put_number(&line, "stream", conn->story.tcpd->stream);
    put_number(&line, "first_frame", conn->story.first_packet);
    put_seconds(&line, "begun", nstime_to_sec(&conn->story.begun_at));
    put_text(&line, "roles", row->security_roles ? "security" : "tcp");
    put_text(&line, "version", row->version);
    put_text(&line, "mechanism", mechanism_of(conn));
    put_verdict(&line, row);
    put_ending(&line, row);
    put_relations(&line, &conn->story);
    put_side(&line, conn, row->client, "client");
    put_side(&line, conn, row->server, "server");
    end_line(&line);
}

static void print_tcp(wmem_allocator_t *scope, const struct zmtp_tcp_row *row)
{
    struct line line;

    begin_line(&line, scope, "tcp");
    put_number(&line, "stream", row->stream);
    put_number(&line, "first_frame", row->first_packet);
    put_text(&line, "client", row->client);
    put_text(&line, "server", row->server);
    put_text(&line, "state", row->state);
    put_text(&line, "what", row->text);
    put_number(&line, "client_octets", row->octets[0]);
    put_number(&line, "server_octets", row->octets[1]);
    end_line(&line);
}

/* ---- The totals ---- */

static void put_classes(struct line *line, const struct zmtp_totals *totals)
{
    begin_object(line, "outcomes");
    for (unsigned i = 0; i < ZMTP_OUTCOMES; i++)
        put_number(line, zmtp_outcome_name((enum zmtp_outcome)i), totals->outcomes[i]);
    json_dumper_end_object(&line->dumper);
    begin_object(line, "findings");
    for (unsigned i = 0; i < ZMTP_FINDINGS; i++) {
        if (totals->findings[i])
            put_number(line, zmtp_finding_name((enum zmtp_finding)i), totals->findings[i]);
    }
    json_dumper_end_object(&line->dumper);
    begin_object(line, "mechanisms");
    for (unsigned i = 0; i < ZMTP_OF_COUNT; i++)
        put_number(line, zmtp_mechanism_of_name((enum zmtp_mechanism_of)i), totals->mechanisms[i]);
    json_dumper_end_object(&line->dumper);
}

static void put_frames(struct line *line, const struct zmtp_totals *totals)
{
    begin_object(line, "commands");
    for (unsigned i = 0; i < ZMTP_COMMANDS; i++)
        put_number(line, zmtp_command_name((enum zmtp_command)i), totals->commands[i]);
    json_dumper_end_object(&line->dumper);
    begin_object(line, "part_sizes");
    for (unsigned i = 0; i < ZMTP_SIZES; i++)
        put_number(line, zmtp_size_name(i), totals->sizes[i]);
    json_dumper_end_object(&line->dumper);
    put_number(line, "messages", totals->messages);
    put_bool(line, "messages_known", totals->boxes == totals->boxes_opened);
    put_number(line, "parts", totals->parts);
    put_number(line, "octets", totals->octets);
    put_number(line, "boxes", totals->boxes);
    put_number(line, "boxes_opened", totals->boxes_opened);
    put_number(line, "protected_octets", totals->protected_octets);
    put_number(line, "protected_payload", totals->boxed_octets);
    put_number(line, "protected_unknown", totals->unmeasured_octets);
    put_number(line, "protection_overhead", zmtp_overhead(totals));
    put_number(line, "message_name_octets", totals->boxes * ZMTP_MESSAGE_NAME_LEN);
}

static void print_totals(wmem_allocator_t *scope, struct zmtp_list *list, unsigned tcp)
{
    struct zmtp_totals *totals = zmtp_list_totals(list);
    struct line line;

    begin_line(&line, scope, "totals");
    put_text(&line, "filter", zmtp_list_filter(list));
    put_number(&line, "connections", totals->connections);
    put_number(&line, "tcp", tcp);
    put_classes(&line, totals);
    put_frames(&line, totals);
    end_line(&line);
    zmtp_totals_free(totals);
}

void zmtp_draw_json(void *data)
{
    struct zmtp_list *list = (struct zmtp_list *)data;
    const GPtrArray *conns = zmtp_list_sort(list);
    wmem_allocator_t *scope = wmem_allocator_new(WMEM_ALLOCATOR_BLOCK_FAST);
    wmem_array_t *others;

    for (unsigned i = 0; i < conns->len; i++) {
        struct zmtp_row row;

        zmtp_row_fill(scope, &row, (const struct zmtp_conn *)g_ptr_array_index(conns, i));
        print_connection(scope, &row);
        wmem_free_all(scope);
    }
    others = zmtp_list_tcp(scope, list);
    for (unsigned i = 0; i < wmem_array_get_count(others); i++)
        print_tcp(scope, (const struct zmtp_tcp_row *)wmem_array_index(others, i));
    print_totals(scope, list, wmem_array_get_count(others));
    wmem_destroy_allocator(scope);
    (void)fflush(stdout);
}
