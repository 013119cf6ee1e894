/* wireshark.c - starts libwireshark with the plugin compiled in, and the listeners of its taps.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "wireshark.h"

#include <epan/column.h>
#include <epan/prefs.h>
#include <epan/stat_tap_ui.h>
#include <epan/stats_tree_priv.h>
#include <epan/tap.h>
#include <epan/timestamp.h>
#include <wsutil/filesystem.h>
#include <wsutil/privileges.h>
#include <wsutil/report_message.h>
#include <wsutil/wslog.h>

#include <sanitizer/lsan_interface.h>
#include <stdio.h>
#include <stdlib.h>

#include "../compat.h"
#include "../connections.h"
#include "../zmtp.h"

void plugin_register(void); /* plugin.c */

static stat_tap_table_ui *window; /* Wireshark's, which the plugin fills */
static column_info packet_list;
static unsigned opened;

void end_run(const char *condition, const char *file, int line)
{
    (void)fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, condition);
    abort();
}

void require_text(const char *text)
{
    if (text && !g_utf8_validate(text, -1, NULL)) {
        (void)fprintf(stderr, "not UTF-8: \"%s\"\n", text);
        abort();
    }
}

/* ---- What is told to the user ---- */

static void on_message(const char *format, va_list arguments)
{
    char *text = g_strdup_vprintf(format, arguments);

    require_text(text);
    g_free(text);
}

/* ---- Listeners ---- */

static tap_packet_status on_zmtp(void *data, packet_info *pinfo, epan_dissect_t *edt,
                                 const void *tapped, tap_flags_t flags)
{
    const struct zmtp_tap *tap = (const struct zmtp_tap *)tapped;

    (void)data;
    (void)pinfo;
    (void)edt;
    (void)flags;
    for (unsigned i = 0; i < tap->count; i++)
        opened += tap->frames[i].boxed && tap->frames[i].opened;
    return TAP_PACKET_DONT_REDRAW;
}

static void reset_count(void *data)
{
    *(unsigned *)data = 0;
}

static void listen(const char *tap, void *data, unsigned flags, tap_reset_cb reset,
                   tap_packet_cb packet, tap_draw_cb draw)
{
    REQUIRE(register_tap_listener(tap, data, NULL, flags, reset, packet, draw, NULL) == NULL);
}

/* The node after this one, each before what is in it; NULL: it was the last. */
static const stat_node *next_node(const stat_node *node)
{
    if (node->children)
        return node->children;
    while (node && !node->next)
        node = node->parent;
    return node ? node->next : NULL;
}

/* Wireshark's part of it, numbers, takes longer than all the rest of an execution. */
static void draw_stats_tree(void *data)
{
    for (const stat_node *node = &((const stats_tree *)data)->root; node; node = next_node(node))
        require_text(node->name);
}

static void listen_with_stats_tree(void)
{
    stats_tree_cfg *config = stats_tree_get_cfg_by_abbr("zmtp");
    stats_tree *tree;

    REQUIRE(config);
    tree = stats_tree_new(config, NULL, NULL);
    listen(config->tapname, tree, config->flags, stats_tree_reset, stats_tree_packet,
           draw_stats_tree);
    if (config->init)
        config->init(tree);
}

static void reset_window(void *data)
{
    reset_stat_table(((stat_data_t *)data)->stat_tap_data);
}

/* Reads the texts as the window does. */
static void draw_window(void *data)
{
    const stat_tap_table_ui *ui = ((stat_data_t *)data)->stat_tap_data;

    for (unsigned i = 0; i < ui->tables->len; i++) {
        const stat_tap_table *table = g_array_index(ui->tables, stat_tap_table *, i);

        for (unsigned row = 0; row < table->num_elements; row++) {
            for (unsigned column = 0; column < table->num_fields; column++) {
                const stat_tap_table_item_type *item = &table->elements[row][column];

                if (item->type == TABLE_ITEM_STRING)
                    require_text(item->value.string_value);
            }
        }
    }
}

static void listen_with_window(void)
{
    stat_data_t *data = g_new0(stat_data_t, 1);

    window = stat_tap_by_name(ZMTP_CONNECTIONS_WINDOW_CLI);
    REQUIRE(window);
    data->stat_tap_data = window;
    window->stat_tap_init_cb(window);
    listen("zmtp", data, 0, reset_window, window->packet_func, draw_window);
}

static void start_listeners(void)
{
    static const tap_reg_t none[] = {{NULL, NULL}};

    register_all_tap_listeners((tap_reg_t *)none);
    REQUIRE(process_stat_cmd_arg("zmtp,connections"));
    REQUIRE(process_stat_cmd_arg("zmtp,connections,json"));
    start_requested_stats();
    listen_with_stats_tree();
    listen_with_window();
    listen("zmtp", &opened, 0, reset_count, on_zmtp, NULL);
}

/* ---- Dissectors of payloads ---- */

#define PORT_BY_TABLE 40001 /* clients' ports: tcp.c */
#define ROW_BY_USER "\"40002\",\"spnego\""

/* Takes payloads with an H, and often reads beyond their end, as other people's dissectors do. */
static zmtp_bool dissect_badly(tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree, void *data)
{
    (void)pinfo;
    (void)data;
    if (tvb_get_uint8(tvb, 0) != 'H')
        return ZMTP_FALSE;
    proto_tree_add_item(tree, proto_get_id_by_filter_name("data"), tvb, 0, -1, ENC_NA);
    (void)tvb_get_uint8(tvb, tvb_get_uint8(tvb, 1));
    return ZMTP_TRUE;
}

/* By each way that the plugin finds one. */
static void hand_off_payloads(void)
{
    heur_dissector_add("zmtp", dissect_badly, "ZMTP of the fuzzer", "fuzz_zmtp",
                       proto_get_id_by_filter_name("data"), HEURISTIC_ENABLE);
    dissector_add_uint("zmtp.protocol", PORT_BY_TABLE, find_dissector("gssapi"));
    set_preference("uat:zmtp_tcp_protocols", ROW_BY_USER);
}

/* ---- The start ---- */

/* Memory that was freed a while ago is used again, which makes an execution a good deal faster. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "quarantine_size_mb=4:malloc_context_size=10";
}

/* A keytab that cannot be read is not freed there; the plugin reads none. */
const char *__lsan_default_suppressions(void)
{
    return "leak:libkrb5.so\n";
}

static void start_once(void)
{
    static const struct report_message_routines routines = {.vreport_failure = on_message,
                                                            .vreport_warning = on_message};
    /* Not the user's own settings, and each allocation on its own, so that ASan sees its end. */
    REQUIRE(g_setenv("XDG_CONFIG_HOME", "/nonexistent", TRUE));
    REQUIRE(g_setenv("WIRESHARK_CONFIG_DIR", "/nonexistent", TRUE));
    /* Each new session would read the lists of manufacturers and services again. */
    REQUIRE(g_setenv("WIRESHARK_DATA_DIR", "/nonexistent", TRUE));
    REQUIRE(g_setenv("WIRESHARK_DEBUG_WMEM_OVERRIDE", "simple", TRUE));
    REQUIRE(g_setenv("WIRESHARK_ABORT_ON_DISSECTOR_BUG", "1", TRUE));
    REQUIRE(g_setenv("WIRESHARK_ABORT_ON_TOO_MANY_ITEMS", "1", TRUE));
    REQUIRE(g_setenv("G_SLICE", "always-malloc", TRUE));
    ws_log_set_level(LOG_LEVEL_WARNING);
#if ZMTP_WIRESHARK_AT_LEAST(4, 4)
    ws_log_set_fatal_level(LOG_LEVEL_WARNING);
#else
    ws_log_set_fatal(LOG_LEVEL_WARNING);
#endif
    (void)g_log_set_always_fatal(G_LOG_FATAL_MASK | G_LOG_LEVEL_CRITICAL);
    init_process_policies();
#if ZMTP_WIRESHARK_AT_LEAST(4, 6)
    REQUIRE(configuration_init("fuzz") == NULL);
#else
    REQUIRE(configuration_init("fuzz", NULL) == NULL);
#endif
    init_report_message("fuzz", &routines);
    timestamp_set_type(TS_RELATIVE);
    timestamp_set_precision(TS_PREC_AUTO);
    wtap_init(ZMTP_FALSE);
    plugin_register();
    REQUIRE(epan_init(NULL, NULL, ZMTP_FALSE));
    /* That needs a database, which only the whole program opens. */
#if ZMTP_WIRESHARK_AT_LEAST(4, 4)
    set_preference("nameres.maxmind_geoip", "FALSE");
#else
    set_preference("ip.use_geoip", "FALSE");
    set_preference("ipv6.use_geoip", "FALSE");
#endif
    set_preference("gui.column.format", "\"Protocol\",\"%p\",\"Info\",\"%i\"");
    build_column_format_array(&packet_list, prefs.num_cols, ZMTP_TRUE);
    turn_off_other_protocols();
    hand_off_payloads();
    start_listeners();
}

void start_wireshark(void)
{
    REQUIRE(freopen("/dev/null", "w", stdout));
    /* What GLib, libwireshark and the registrations of the plugin allocate once, they never free.
     */
    __lsan_disable();
    start_once();
    __lsan_enable();
}

void set_preference(const char *name, const char *value)
{
    char *text = g_strdup_printf("%s:%s", name, value);
    char *error = NULL;
    prefs_set_pref_e status = prefs_set_pref(text, &error);

    if (status != PREFS_SET_OK) {
        (void)fprintf(stderr, "preference %s: %d %s\n", name, status, error ? error : "");
        abort();
    }
    g_free(text);
}

column_info *columns(void)
{
    return &packet_list;
}

epan_t *open_session(const struct packet_provider_funcs *functions,
                     struct packet_provider_data *data)
{
    /* The plugin keeps the rows of a window until it is opened anew. */
    free_stat_tables(window);
    window->stat_tap_init_cb(window);
    reset_tap_listeners();
    return open_lean_session(functions, data);
}

void draw_tables(void)
{
    draw_tap_listeners(ZMTP_TRUE);
}

unsigned boxes_opened(void)
{
    return opened;
}

void dissect_packet(epan_dissect_t *edt, wtap_rec *rec, const uint8_t *octets, frame_data *frame)
{
#if ZMTP_WIRESHARK_AT_LEAST(4, 6)
    ws_buffer_clean(&rec->data);
    ws_buffer_append(&rec->data, octets, frame->cap_len);
    epan_dissect_run_with_taps(edt, WTAP_FILE_TYPE_SUBTYPE_UNKNOWN, rec, frame, &packet_list);
#else
    tvbuff_t *tvb = tvb_new_real_data(octets, frame->cap_len, (int)frame->pkt_len);

    epan_dissect_run_with_taps(edt, WTAP_FILE_TYPE_SUBTYPE_UNKNOWN, rec, tvb, frame, &packet_list);
#endif
}
