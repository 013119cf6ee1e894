/* handoff.c - which dissector gets the payload of an application frame.
 *
 * In this order: the user's table zmtp_tcp_protocols (ports to protocol names), the dissector table
 * zmtp.protocol (by TCP port, for Lua scripts and plugins), the heuristic list zmtp.  The first two
 * have these names in the built-in dissector of Wireshark 4.4 and later, which then owns them.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "zmtp.h"

#include <epan/exceptions.h>
#include <epan/show_exception.h>
#include <epan/uat-int.h>
#include <epan/uat.h>

#define UAT_NAME "ZMTP TCP Protocols"
#define UAT_FILE "zmtp_tcp_protocols"
#define HEURISTICS "zmtp"
#define MAX_PORT 65535
#define MAX_LAYERS 32

static dissector_table_t protocol_table;
static heur_dissector_list_t heuristics;
static uat_t *port_uat;

/* ---- The user's table, where there is no built-in dissector that has it ---- */

struct port_protocol {
    range_t *ports;
    char *protocol;
};

static struct port_protocol *port_protocols;
static unsigned port_protocol_count;

UAT_RANGE_CB_DEF(port_protocols, ports, struct port_protocol)
UAT_CSTRING_CB_DEF(port_protocols, protocol, struct port_protocol)

static void *port_protocol_copy(void *to, const void *from, size_t size _U_)
{
    struct port_protocol *copy = (struct port_protocol *)to;
    const struct port_protocol *row = (const struct port_protocol *)from;

    copy->ports = row->ports ? range_copy(NULL, row->ports) : NULL;
    copy->protocol = g_strdup(row->protocol);
    return copy;
}

static zmtp_bool port_protocol_update(void *record, char **error)
{
    const struct port_protocol *row = (const struct port_protocol *)record;

    if (!row->ports || row->ports->nranges == 0) {
        *error = g_strdup("Must specify TCP port(s) (like 8000 or 8000,8008-8088)");
        return ZMTP_FALSE;
    }
    if (row->protocol && *row->protocol && !find_dissector(row->protocol)) {
        *error = g_strdup_printf("There is no dissector named \"%s\"", row->protocol);
        return ZMTP_FALSE;
    }
    *error = NULL;
    return ZMTP_TRUE;
}

static void port_protocol_free(void *record)
{
    struct port_protocol *row = (struct port_protocol *)record;

    wmem_free(NULL, row->ports);
    g_free(row->protocol);
}

static uat_t *make_uat(module_t *prefs)
{
    static uat_field_t columns[] = {
        UAT_FLD_RANGE(port_protocols, ports, "TCP Ports", MAX_PORT,
                      "TCP ports on which the payload of ZMTP is dissected as protocol"),
        UAT_FLD_CSTRING(port_protocols, protocol, "Protocol", "Protocol of the payload"),
        UAT_END_FIELDS};
    uat_t *uat =
        uat_new(UAT_NAME, sizeof(struct port_protocol), UAT_FILE, ZMTP_TRUE, &port_protocols,
                &port_protocol_count, UAT_AFFECTS_DISSECTION | UAT_AFFECTS_FIELDS, NULL,
                port_protocol_copy, port_protocol_update, port_protocol_free, NULL, NULL, columns);

    prefs_register_uat_preference(prefs, "tcp_protocols", "ZMTP TCP protocols",
                                  "Protocol of the payload of ZMTP by TCP port", uat);
    return uat;
}

/* ---- Looking one up ---- */

/* One column of a row as text, whoever registered the table. */
static char *cell(const uat_t *uat, void *row, unsigned column)
{
    char *text = NULL;
    unsigned len = 0;

    uat->fields[column].cb.tostr(row, &text, &len, uat->fields[column].cbdata.tostr,
                                 uat->fields[column].fld_data);
    return text;
}

static dissector_handle_t by_user_table(packet_info *pinfo)
{
    unsigned rows = port_uat ? *port_uat->nrows_p : 0;
    dissector_handle_t handle = NULL;

    for (unsigned i = 0; i < rows && !handle; i++) {
        void *row = (char *)*port_uat->user_ptr + i * port_uat->record_size;
        char *ports_text = cell(port_uat, row, 0);
        char *protocol = cell(port_uat, row, 1);
        range_t *ports = NULL;

        if (ports_text && protocol &&
            range_convert_str(pinfo->pool, &ports, ports_text, MAX_PORT) == CVT_NO_ERROR &&
            (value_is_in_range(ports, pinfo->srcport) || value_is_in_range(ports, pinfo->destport)))
            handle = find_dissector(protocol);
        g_free(ports_text);
        g_free(protocol);
    }
    return handle;
}

static dissector_handle_t by_port(packet_info *pinfo)
{
    dissector_handle_t handle = dissector_get_uint_handle(protocol_table, pinfo->destport);

    return handle ? handle : dissector_get_uint_handle(protocol_table, pinfo->srcport);
}

static void on_heuristic(const char *list _U_, struct heur_dtbl_entry *entry, void *any)
{
    /* As Wireshark decides which ones to call. */
    if (!entry->protocol || (entry->enabled && proto_is_protocol_enabled(entry->protocol)))
        *(bool *)any = true;
}

/* The ports of a packet do not change: look once for all its frames. */
static void find_takers(struct zmtp_ctx *ctx)
{
    struct zmtp_takers *takers = &ctx->takers;

    if (takers->known)
        return;
    takers->known = true;
    takers->by_name = by_user_table(ctx->pinfo);
    if (!takers->by_name)
        takers->by_name = by_port(ctx->pinfo);
    heur_dissector_table_foreach(HEURISTICS, on_heuristic, &takers->any_heuristic);
}

static void dissect_handed_off(struct zmtp_ctx *ctx, tvbuff_t *payload, proto_tree *tree,
                               void *data _U_)
{
    dissector_handle_t handle = ctx->takers.by_name;
    heur_dtbl_entry_t *entry;

    if (handle && call_dissector_only(handle, payload, ctx->pinfo, tree, NULL) > 0)
        return;
    (void)dissector_try_heuristic(heuristics, payload, ctx->pinfo, tree, &entry, NULL);
}

/* ---- Other people's dissectors ---- */

/* What one of them may change of the packet, or leave changed by an exception. */
struct saved_packet {
    zmtp_bool info_writable;
    zmtp_bool protocol_writable;
    const char *current_proto;
    uint16_t can_desegment;
    uint16_t saved_can_desegment;
    int desegment_offset;
    uint32_t desegment_len;
    uint32_t srcport;
    uint32_t destport;
    unsigned layers;
    unsigned items; /* in the tree */
};

static void save_packet(packet_info *pinfo, struct saved_packet *saved)
{
    saved->info_writable = col_get_writable(pinfo->cinfo, COL_INFO);
    saved->protocol_writable = col_get_writable(pinfo->cinfo, COL_PROTOCOL);
    saved->current_proto = pinfo->current_proto;
    saved->can_desegment = pinfo->can_desegment;
    saved->saved_can_desegment = pinfo->saved_can_desegment;
    saved->desegment_offset = pinfo->desegment_offset;
    saved->desegment_len = pinfo->desegment_len;
    saved->srcport = pinfo->srcport;
    saved->destport = pinfo->destport;
    saved->layers = wmem_list_count(pinfo->layers);
}

static void restore_packet(packet_info *pinfo, const struct saved_packet *saved)
{
    col_set_writable(pinfo->cinfo, COL_INFO, saved->info_writable);
    col_set_writable(pinfo->cinfo, COL_PROTOCOL, saved->protocol_writable);
    pinfo->current_proto = saved->current_proto;
    pinfo->can_desegment = saved->can_desegment;
    pinfo->saved_can_desegment = saved->saved_can_desegment;
    pinfo->desegment_offset = saved->desegment_offset;
    pinfo->desegment_len = saved->desegment_len;
    pinfo->srcport = saved->srcport;
    pinfo->destport = saved->destport;
    /* Each call leaves a layer, of which Wireshark allows a few hundred; a packet can hold more
     * payloads.  The first few stay, for the list of protocols in the frame. */
    while (wmem_list_count(pinfo->layers) > MAX(saved->layers, MAX_LAYERS))
        wmem_list_remove_frame(pinfo->layers, wmem_list_tail(pinfo->layers));
}

void zmtp_call_apart(struct zmtp_ctx *ctx, tvbuff_t *tvb, proto_tree *tree,
                     void (*call)(struct zmtp_ctx *ctx, tvbuff_t *tvb, proto_tree *tree,
                                  void *data),
                     void *data)
{
    packet_info *pinfo = ctx->pinfo;
    struct saved_packet saved;

    save_packet(pinfo, &saved);
    saved.items = ctx->top ? PTREE_DATA(ctx->top)->count : 0;
    /* The columns tell of ZMTP: one packet can hold many payloads. */
    col_set_writable(pinfo->cinfo, COL_INFO, ZMTP_FALSE);
    col_set_writable(pinfo->cinfo, COL_PROTOCOL, ZMTP_FALSE);
    TRY
    {
        call(ctx, tvb, tree, data);
    }
    CATCH_BOUNDS_AND_DISSECTOR_ERRORS
    {
        show_exception(tvb, pinfo, tree, EXCEPT_CODE, GET_MESSAGE);
    }
    FINALLY
    {
        restore_packet(pinfo, &saved);
    }
    ENDTRY;
    /* Who makes too many items is stopped, and Wireshark counts from 0 again. */
    if (ctx->top && PTREE_DATA(ctx->top)->count < saved.items)
        ctx->shown = false;
}

void zmtp_hand_off(struct zmtp_ctx *ctx, tvbuff_t *payload)
{
    if (tvb_reported_length(payload) == 0)
        return;
    find_takers(ctx);
    if (ctx->takers.by_name || ctx->takers.any_heuristic)
        /* The payload is whole: whatever is wrong with it is its own. */
        zmtp_call_apart(ctx, payload, ctx->top, dissect_handed_off, NULL);
}

void zmtp_register_handoff_tables(const struct zmtp_registry *registry)
{
    protocol_table = find_dissector_table("zmtp.protocol");
    if (!protocol_table)
        protocol_table = register_dissector_table("zmtp.protocol", "ZMTP Data Type",
                                                  registry->proto, FT_UINT16, BASE_DEC);
    port_uat = uat_get_table_by_name(UAT_NAME);
    if (!port_uat)
        port_uat = make_uat(registry->prefs);
    heuristics = register_heur_dissector_list(HEURISTICS, registry->proto);
}
