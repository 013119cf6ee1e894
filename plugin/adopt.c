/* adopt.c - living with the built-in "zmtp" of Wireshark 4.4 and later.
 *
 * A protocol's name can be registered once, and nothing registered can be taken back.  So where the
 * built-in exists this plugin puts its fields and preferences on that protocol, and makes every TCP
 * port that was given to the built-in (Decode As, zmtp.tcp.port, saved entries) its own.  On 4.0 it
 * registers the protocol itself.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "zmtp.h"

#define PROTOCOL_NAME "ZeroMQ Message Transport Protocol"

static dissector_handle_t ours;
static dissector_handle_t builtin; /* NULL: there is none */

dissector_handle_t zmtp_handle(void)
{
    return ours;
}

void zmtp_adopt_protocol(struct zmtp_registry *registry, dissector_t dissector)
{
    registry->proto = proto_get_id_by_filter_name("zmtp");
    if (registry->proto == -1) {
        registry->proto = proto_register_protocol(PROTOCOL_NAME, "ZMTP", "zmtp");
        registry->prefs = prefs_register_protocol(registry->proto, NULL);
        ours = register_dissector("zmtp", dissector, registry->proto);
        return;
    }
    registry->prefs = prefs_find_module("zmtp");
    builtin = find_dissector("zmtp");
    /* Not offered in Decode As: there, two entries "ZMTP" would make every use ambiguous. */
    ours = register_dissector("zmtp_security", dissector, registry->proto);
}

static void take_port(const char *table, ftenum_t type _U_, void *key, void *value,
                      void *user_data _U_)
{
    if (dtbl_entry_get_handle((dtbl_entry_t *)value) == builtin)
        dissector_change_uint(table, GPOINTER_TO_UINT(key), ours);
}

/* When a file is opened, preferences and Decode As entries have been read. */
static void take_ports(void)
{
    dissector_table_foreach("tcp.port", take_port, NULL);
}

void zmtp_adopt_handoff(void)
{
    if (builtin)
        register_init_routine(take_ports);
    else
        dissector_add_uint_range_with_preference("tcp.port", "", ours);
}
