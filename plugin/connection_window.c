/* connection_window.c - the connections as a table in Wireshark's Statistics menu.
 *
 * Wireshark keeps pointers to rows as long as a window shows them, so rows of an earlier run are
 * freed when no other window is open.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "connections.h"

#include <epan/stat_tap_ui.h>
#include <epan/tap.h>

#define TITLE "ZMTP Connections"

enum column {
    STREAM,
    FRAME,
    CLIENT,
    SERVER,
    ROLES,
    VERSION,
    MECHANISM,
    SOCKETS,
    HANDSHAKE,
    READY,
    MESSAGES_UP,
    OCTETS_UP,
    MESSAGES_DOWN,
    OCTETS_DOWN,
    BOXES,
    SENTENCE,
    COLUMNS
};

static stat_tap_table_item columns[COLUMNS] = {
    [STREAM] = {TABLE_ITEM_UINT, TAP_ALIGN_RIGHT, "Stream", "%u"},
    [FRAME] = {TABLE_ITEM_UINT, TAP_ALIGN_RIGHT, "First frame", "%u"},
    [CLIENT] = {TABLE_ITEM_STRING, TAP_ALIGN_LEFT, "Client", "%s"},
    [SERVER] = {TABLE_ITEM_STRING, TAP_ALIGN_LEFT, "Server", "%s"},
    [ROLES] = {TABLE_ITEM_STRING, TAP_ALIGN_LEFT, "Roles", "%s"},
    [VERSION] = {TABLE_ITEM_STRING, TAP_ALIGN_LEFT, "ZMTP", "%s"},
    [MECHANISM] = {TABLE_ITEM_STRING, TAP_ALIGN_LEFT, "Mechanism", "%s"},
    [SOCKETS] = {TABLE_ITEM_STRING, TAP_ALIGN_LEFT, "Sockets", "%s"},
    [HANDSHAKE] = {TABLE_ITEM_STRING, TAP_ALIGN_LEFT, "Handshake", "%s"},
    [READY] = {TABLE_ITEM_FLOAT, TAP_ALIGN_RIGHT, "Ready after (s)", "%f"},
    [MESSAGES_UP] = {TABLE_ITEM_UINT, TAP_ALIGN_RIGHT, "Messages up", "%u"},
    [OCTETS_UP] = {TABLE_ITEM_UINT, TAP_ALIGN_RIGHT, "Payload octets up", "%u"},
    [MESSAGES_DOWN] = {TABLE_ITEM_UINT, TAP_ALIGN_RIGHT, "Messages down", "%u"},
    [OCTETS_DOWN] = {TABLE_ITEM_UINT, TAP_ALIGN_RIGHT, "Payload octets down", "%u"},
    [BOXES] = {TABLE_ITEM_STRING, TAP_ALIGN_LEFT, "Encrypted frames opened", "%s"},
    [SENTENCE] = {TABLE_ITEM_STRING, TAP_ALIGN_LEFT, "What happened, and what to check", "%s"},
};

static GHashTable *rows;   /* connection -> its row */
static GPtrArray *retired; /* rows of earlier runs */

/* ---- Rows ---- */

static void free_row(void *data)
{
    stat_tap_table_item_type *row = (stat_tap_table_item_type *)data;

    for (unsigned i = 0; i < COLUMNS; i++) {
        if (row[i].type == TABLE_ITEM_STRING)
            g_free((void *)row[i].value.string_value);
    }
    g_free(row);
}

static void set_text(stat_tap_table_item_type *row, enum column column, const char *text)
{
    char *before =
        row[column].type == TABLE_ITEM_STRING ? (char *)row[column].value.string_value : NULL;

    row[column].type = TABLE_ITEM_STRING;
    row[column].value.string_value = g_strdup(text);
    g_free(before);
}

static void set_number(stat_tap_table_item_type *row, enum column column, uint64_t number)
{
    row[column].type = TABLE_ITEM_UINT;
    row[column].value.uint_value = (unsigned)MIN(number, UINT_MAX);
}

/* Messages that can be read, and the payload of these and of all that stays closed. */
static void set_messages(stat_tap_table_item_type *row, enum column messages, enum column octets,
                         const struct zmtp_side *side)
{
    set_number(row, messages, side->messages - (side->boxes - side->boxes_opened));
    set_number(row, octets, side->octets);
}

static void set_boxes(stat_tap_table_item_type *row, const struct zmtp_side *client,
                      const struct zmtp_side *server)
{
    uint64_t boxes = client->boxes + server->boxes;
    char text[64];

    g_snprintf(text, sizeof text, "%" PRIu64 " of %" PRIu64,
               client->boxes_opened + server->boxes_opened, boxes);
    set_text(row, BOXES, boxes ? text : "");
}

static void fill_row(stat_tap_table_item_type *row, const struct zmtp_conn *conn)
{
    wmem_allocator_t *scope = wmem_allocator_new(WMEM_ALLOCATOR_SIMPLE);
    const struct zmtp_side *client;
    const struct zmtp_side *server;
    struct zmtp_row told;

    zmtp_row_fill(scope, &told, conn);
    client = &conn->story.side[told.client];
    server = &conn->story.side[told.server];
    set_number(row, STREAM, conn->story.tcpd->stream);
    set_number(row, FRAME, conn->story.first_packet);
    set_text(row, CLIENT, told.client_text);
    set_text(row, SERVER, told.server_text);
    set_text(row, ROLES, told.security_roles ? "security" : "TCP");
    set_text(row, VERSION, told.version ? told.version : "?");
    set_text(row, MECHANISM, told.mechanism);
    set_text(row, SOCKETS, told.sockets);
    set_text(row, HANDSHAKE, zmtp_row_handshake(told.verdict.outcome));
    row[READY].type = told.ready_seconds >= 0 ? TABLE_ITEM_FLOAT : TABLE_ITEM_NONE;
    row[READY].value.float_value = told.ready_seconds;
    set_messages(row, MESSAGES_UP, OCTETS_UP, client);
    set_messages(row, MESSAGES_DOWN, OCTETS_DOWN, server);
    set_boxes(row, client, server);
    set_text(row, SENTENCE, zmtp_row_sentence(scope, &told));
    wmem_destroy_allocator(scope);
}

/* What a row depends on; in a file that has been read it does not change. */
static unsigned fingerprint(const struct zmtp_conn *conn)
{
    const struct zmtp_story *story = &conn->story;
    const struct zmtp_side *side = story->side;

    return (unsigned)(side[0].parts + side[1].parts) * 31 + story->last_packet + story->last_seq +
           story->closed_packet + side[0].said + (side[1].said << 8);
}

/* ---- The table ---- */

static stat_tap_table_item_type *add_row(stat_tap_table *table)
{
    stat_tap_table_item_type empty[COLUMNS];

    memset(empty, 0, sizeof empty);
    stat_tap_init_table_row(table, table->num_elements, COLUMNS, empty);
    return table->elements[table->num_elements - 1];
}

static tap_packet_status on_zmtp(void *data, packet_info *pinfo _U_, epan_dissect_t *edt _U_,
                                 const void *tapped, tap_flags_t flags _U_)
{
    stat_data_t *stat = (stat_data_t *)data;
    stat_tap_table *table = g_array_index(stat->stat_tap_data->tables, stat_tap_table *, 0);
    const struct zmtp_conn *conn = ((const struct zmtp_tap *)tapped)->conn;
    stat_tap_table_item_type *row = (stat_tap_table_item_type *)g_hash_table_lookup(rows, conn);
    unsigned now = fingerprint(conn);

    if (row && row[0].user_data.uint_value == now)
        return TAP_PACKET_DONT_REDRAW;
    if (!row) {
        row = add_row(table);
        g_hash_table_insert(rows, (void *)conn, row);
    }
    row[0].user_data.uint_value = now;
    fill_row(row, conn);
    return TAP_PACKET_REDRAW;
}

/* Another run: the rows of this one are not shown anymore, but a second window may have them. */
static void on_reset(stat_tap_table *table)
{
    for (unsigned i = 0; i < table->num_elements; i++)
        g_ptr_array_add(retired, table->elements[i]);
    table->num_elements = 0;
    g_hash_table_remove_all(rows);
}

static void free_item(stat_tap_table *table _U_, unsigned row _U_, unsigned column _U_,
                      stat_tap_table_item_type *item)
{
    g_hash_table_remove_all(rows);
    if (item->type == TABLE_ITEM_STRING)
        g_free((void *)item->value.string_value);
    item->type = TABLE_ITEM_NONE;
}

static void on_init(stat_tap_table_ui *stat)
{
    stat_tap_table *table = stat_tap_find_table(stat, TITLE);

    if (!rows) {
        rows = g_hash_table_new(g_direct_hash, g_direct_equal);
        retired = g_ptr_array_new_with_free_func(free_row);
    }
    if (table) {
        if (stat->stat_tap_reset_table_cb)
            stat->stat_tap_reset_table_cb(table);
    } else {
        stat_tap_add_table(stat, stat_tap_init_table(TITLE, COLUMNS, 0, NULL));
    }
    if (stat->refcount <= 1 && !table)
        g_ptr_array_set_size(retired, 0);
}

/* The connections of a file that is closed are gone; its rows stay, with their own texts. */
static void on_file_end(void)
{
    if (rows)
        g_hash_table_remove_all(rows);
}

void zmtp_register_connections_window(void)
{
    static stat_tap_table_ui ui = {.group = REGISTER_PACKET_STAT_GROUP_UNSORTED,
                                   .title = TITLE,
                                   .tap_name = "zmtp",
                                   .cli_string = ZMTP_CONNECTIONS_WINDOW_CLI,
                                   .stat_tap_init_cb = on_init,
                                   .packet_func = on_zmtp,
                                   .stat_tap_reset_table_cb = on_reset,
                                   .stat_tap_free_table_item_cb = free_item,
                                   .nfields = COLUMNS,
                                   .fields = columns};

    register_stat_tap_table_ui(&ui);
    register_cleanup_routine(on_file_end);
}
