/* connection_table.c - tshark -z zmtp,connections[,json][,filter]: one entry for each connection,
 * with a sentence that says what happened to it.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "connections.h"

#include <epan/stat_tap_ui.h>
#include <epan/tap.h>

#include <stdio.h>
#include <stdlib.h>

#define LINE_LEN 100
#define RULE                                                                                       \
    "============================================================================================" \
    "===="

struct widths {
    int client;
    int server;
    int mechanism;
    int sockets;
};

struct table {
    struct zmtp_list *list;
    wmem_allocator_t *scope; /* of one connection */
    struct widths widths;
    uint64_t complete_with_finding;
    bool names_steps; /* a sentence does, of the handshake of CURVE or PLAIN */
    bool names_zap;
};

/* ---- Text ---- */

/* Broken at blanks; all others stay as they are, since peers' names may have several. */
static void print_wrapped(unsigned indent, const char *text)
{
    size_t column = 0; /* 0: at the beginning of a line */

    for (;;) {
        size_t len = strcspn(text, " ");

        if (column && column + 1 + len > LINE_LEN) {
            putchar('\n');
            column = 0;
        }
        if (column)
            printf(" %.*s", (int)len, text);
        else
            printf("%*s%.*s", (int)indent, "", (int)len, text);
        column += (column ? 1 : indent) + len;
        if (!text[len])
            break;
        text += len + 1;
    }
    putchar('\n');
}

static uint64_t closed_boxes(const struct zmtp_side *side)
{
    return side->boxes - side->boxes_opened;
}

/* Boxes that stay closed are no messages, as far as anybody knows. */
static uint64_t messages(const struct zmtp_side *side)
{
    return side->messages - closed_boxes(side);
}

static const char *amount(wmem_allocator_t *scope, const struct zmtp_side *side)
{
    uint64_t count = messages(side);

    if (count == 0 || closed_boxes(side))
        return wmem_strdup_printf(scope, "%" PRIu64, count);
    return wmem_strdup_printf(scope, "%" PRIu64 " (%" PRIu64 " octet%s)", count, side->octets,
                              zmtp_row_plural(side->octets));
}

static void add_messages(wmem_allocator_t *scope, wmem_strbuf_t *text, const struct zmtp_row *row)
{
    const struct zmtp_side *client = &row->conn->story.side[row->client];
    const struct zmtp_side *server = &row->conn->story.side[row->server];

    if (messages(client) || messages(server)) {
        wmem_strbuf_append_printf(text, "; messages: %s up,", amount(scope, client));
        wmem_strbuf_append_printf(text, " %s down", amount(scope, server));
    }
    if (closed_boxes(client) || closed_boxes(server))
        wmem_strbuf_append_printf(
            text, "; encrypted frames: %" PRIu64 " up, %" PRIu64 " down (not decrypted%s)",
            closed_boxes(client), closed_boxes(server),
            client->boxes_opened || server->boxes_opened ? "" : ": no key opens them");
}

static void print_numbers(const struct table *table, const struct zmtp_row *row)
{
    wmem_strbuf_t *text = wmem_strbuf_new(table->scope, NULL);
    const struct zmtp_story *story = &row->conn->story;
    const struct zmtp_side *client = &story->side[row->client];
    const struct zmtp_side *server = &story->side[row->server];

    wmem_strbuf_append_printf(text, "first frame %u, at %.3f s", story->first_packet,
                              zmtp_list_seconds(table->list, &story->begun_at));
    add_messages(table->scope, text, row);
    if (client->identity)
        wmem_strbuf_append_printf(text, "; client's identity %s",
                                  zmtp_row_identity(table->scope, client));
    if (server->identity)
        wmem_strbuf_append_printf(text, "; server's identity %s",
                                  zmtp_row_identity(table->scope, server));
    print_wrapped(7, wmem_strbuf_get_str(text));
}

/* In full only where the attempt before, which stands above, was not the same. */
static const char *sentence(const struct table *table, const struct zmtp_row *row)
{
    const char *again = NULL;

    if (row->attempt && zmtp_list_has(table->list, row->conn->story.attempt_before))
        again = zmtp_row_again(table->scope, row);
    return again ? again : zmtp_row_sentence(table->scope, row);
}

static void print_line(const struct widths *widths, const char *stream, const char *client,
                       const char *server, const char *roles, const char *version,
                       const char *mechanism, const char *sockets, const char *handshake,
                       const char *ready)
{
    printf("%6s %-*s %-*s %-8s %-4s %-*s %-*s %-12s %s\n", stream, widths->client, client,
           widths->server, server, roles, version, widths->mechanism, mechanism, widths->sockets,
           sockets, handshake, ready);
}

static void print_row(const struct table *table, const struct zmtp_row *row)
{
    print_line(&table->widths,
               wmem_strdup_printf(table->scope, "%u", row->conn->story.tcpd->stream),
               row->client_text, row->server_text, row->security_roles ? "security" : "TCP",
               row->version ? row->version : "?", row->mechanism, row->sockets,
               zmtp_row_handshake(row->verdict.outcome),
               zmtp_row_seconds(table->scope, row->ready_seconds));
    print_numbers(table, row);
    print_wrapped(10, sentence(table, row));
}

static void print_tcp(const struct table *table, const struct zmtp_tcp_row *row)
{
    print_line(&table->widths, wmem_strdup_printf(table->scope, "%u", row->stream), row->client,
               row->server, "TCP", "-", "-", "-", "-", "-");
    print_wrapped(7,
                  wmem_strdup_printf(table->scope, "first frame %u, at %.3f s", row->first_packet,
                                     zmtp_list_seconds(table->list, &row->begun_at)));
    print_wrapped(10, wmem_strdup_printf(table->scope, "%s.", row->text));
}

/* ---- The whole table ---- */

static void widen(int *width, const char *text)
{
    *width = MAX(*width, (int)strlen(text));
}

static bool names_steps(const struct zmtp_row *row, const char *text)
{
    return zmtp_mechanism_of(row->conn) != ZMTP_OF_GSSAPI &&
           (strstr(text, "HELLO") || strstr(text, "WELCOME") || strstr(text, "INITIATE"));
}

static void look_at_row(struct table *table, const struct zmtp_row *row)
{
    const char *text = sentence(table, row);

    widen(&table->widths.client, row->client_text);
    widen(&table->widths.server, row->server_text);
    widen(&table->widths.mechanism, row->mechanism);
    widen(&table->widths.sockets, row->sockets);
    table->names_steps |= names_steps(row, text);
    table->names_zap |= strstr(text, "ZAP") != NULL;
    if (row->verdict.outcome == ZMTP_OUTCOME_COMPLETE && row->verdict.finding != ZMTP_NO_FINDING)
        table->complete_with_finding++;
}

static void print_header(const struct table *table)
{
    const char *filter = zmtp_list_filter(table->list);

    printf("\n" RULE "\nZMTP connections%s%s\n", filter ? " with a frame that matches: " : "",
           filter ? filter : "");
    puts("Roles: the client began the security handshake, else (TCP) it opened the connection.");
    printf("Messages go up from the client, and down from the server.%s\n",
           filter ? "  Counts are those of whole connections." : "");
    if (table->names_steps)
        puts("CURVE and PLAIN: the client says HELLO, the server WELCOME, the client INITIATE, "
             "the server READY.");
    if (table->names_zap)
        puts("ZAP is the server program's own code that admits clients.");
    putchar('\n');
    print_line(&table->widths, "Stream", "Client", "Server", "Roles", "ZMTP", "Mechanism",
               "Sockets", "Handshake", "Ready after");
}

static void add_outcomes(const struct table *table, wmem_strbuf_t *text,
                         const struct zmtp_totals *totals)
{
    static const enum zmtp_outcome order[ZMTP_OUTCOMES] = {
        ZMTP_OUTCOME_COMPLETE, ZMTP_OUTCOME_FAILED, ZMTP_OUTCOME_UNFINISHED, ZMTP_OUTCOME_JOINED,
        ZMTP_OUTCOME_NO_HANDSHAKE};
    const char *comma = ": ";

    for (unsigned i = 0; i < ZMTP_OUTCOMES; i++) {
        if (!totals->outcomes[order[i]])
            continue;
        wmem_strbuf_append_printf(text, "%s%" PRIu64 " %s", comma, totals->outcomes[order[i]],
                                  order[i] == ZMTP_OUTCOME_NO_HANDSHAKE
                                      ? "without a handshake"
                                      : zmtp_row_handshake(order[i]));
        if (order[i] == ZMTP_OUTCOME_COMPLETE && table->complete_with_finding)
            wmem_strbuf_append_printf(text, " (%" PRIu64 " with a finding)",
                                      table->complete_with_finding);
        comma = ", ";
    }
}

static void print_totals(const struct table *table, unsigned tcp)
{
    wmem_strbuf_t *text = wmem_strbuf_new(table->scope, NULL);
    struct zmtp_totals *totals = zmtp_list_totals(table->list);
    uint64_t closed = totals->boxes - totals->boxes_opened;
    uint64_t opened = totals->messages - closed;

    wmem_strbuf_append_printf(text, "%" PRIu64 " connection%s", totals->connections,
                              zmtp_row_plural(totals->connections));
    add_outcomes(table, text, totals);
    if (tcp)
        wmem_strbuf_append_printf(text, "; besides, %u TCP connection%s without ZMTP", tcp,
                                  zmtp_row_plural(tcp));
    if (opened)
        wmem_strbuf_append_printf(text, "; %" PRIu64 " message%s", opened, zmtp_row_plural(opened));
    if (closed)
        wmem_strbuf_append_printf(text, "; %" PRIu64 " encrypted frame%s not decrypted", closed,
                                  zmtp_row_plural(closed));
    putchar('\n');
    print_wrapped(0, wmem_strbuf_get_str(text));
    puts(RULE);
    zmtp_totals_free(totals);
}

/* Those before frame. */
static unsigned print_tcp_until(const struct table *table, wmem_array_t *others, unsigned next,
                                uint32_t frame)
{
    for (; next < wmem_array_get_count(others); next++) {
        const struct zmtp_tcp_row *row =
            (const struct zmtp_tcp_row *)wmem_array_index(others, next);

        if (row->first_packet > frame)
            break;
        print_tcp(table, row);
    }
    return next;
}

static void print_rows(struct table *table, const GPtrArray *conns, wmem_array_t *others)
{
    unsigned next = 0;

    for (unsigned i = 0; i < conns->len; i++) {
        struct zmtp_row row;

        zmtp_row_fill(table->scope, &row, (const struct zmtp_conn *)g_ptr_array_index(conns, i));
        next = print_tcp_until(table, others, next, row.conn->story.first_packet);
        print_row(table, &row);
        wmem_free_all(table->scope);
    }
    print_tcp_until(table, others, next, UINT32_MAX);
}

void zmtp_draw_table(void *data)
{
    struct table table = {
        .list = (struct zmtp_list *)data,
        .scope = wmem_allocator_new(WMEM_ALLOCATOR_BLOCK_FAST),
        .widths = {.client = 6, .server = 6, .mechanism = 9, .sockets = 7},
    };
    const GPtrArray *conns = zmtp_list_sort(table.list);
    wmem_allocator_t *kept = wmem_allocator_new(WMEM_ALLOCATOR_SIMPLE);
    wmem_array_t *others = zmtp_list_tcp(kept, table.list);

    for (unsigned i = 0; i < conns->len; i++) {
        struct zmtp_row row;

        zmtp_row_fill(table.scope, &row, (const struct zmtp_conn *)g_ptr_array_index(conns, i));
        look_at_row(&table, &row);
        wmem_free_all(table.scope);
    }
    for (unsigned i = 0; i < wmem_array_get_count(others); i++) {
        const struct zmtp_tcp_row *row = (const struct zmtp_tcp_row *)wmem_array_index(others, i);

        widen(&table.widths.client, row->client);
        widen(&table.widths.server, row->server);
    }
    print_header(&table);
    print_rows(&table, conns, others);
    print_totals(&table, wmem_array_get_count(others));
    (void)fflush(stdout);
    wmem_destroy_allocator(kept);
    wmem_destroy_allocator(table.scope);
}

/* ---- The command line ---- */

/* What follows "zmtp,connections": nothing, ",json", ",filter" or ",json,filter". */
static const char *filter_of(const char *argument, bool *json)
{
    const char *rest = argument + strlen(ZMTP_CONNECTIONS_CLI);

    if (*rest == ',')
        rest++;
    *json = strcmp(rest, "json") == 0 || g_str_has_prefix(rest, "json,");
    if (*json)
        rest += rest[4] ? 5 : 4;
    return *rest ? rest : NULL;
}

static zmtp_stat_started start(const char *argument, void *data _U_)
{
    bool json;
    const char *filter = filter_of(argument, &json);
    GString *error;

    zmtp_list_new(filter, json ? zmtp_draw_json : zmtp_draw_table, &error);
    if (error) {
        (void)fprintf(stderr, "tshark: Couldn't register " ZMTP_CONNECTIONS_CLI " tap: %s\n",
                      error->str);
        g_string_free(error, TRUE);
        ZMTP_STAT_NOT_STARTED;
    }
    ZMTP_STAT_STARTED;
}

void zmtp_register_connections(void)
{
    static stat_tap_ui ui = {.group = REGISTER_STAT_GROUP_GENERIC,
                             .title = "ZMTP Connections",
                             .cli_string = ZMTP_CONNECTIONS_CLI,
                             .tap_init_cb = start};

    register_stat_tap_ui(&ui, NULL);
}
