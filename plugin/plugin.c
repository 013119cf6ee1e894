/* plugin.c - the symbols that Wireshark looks for in a plugin library.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <wireshark.h>

#include <epan/proto.h>
#include <epan/tap.h>

#include "compat.h"
#include "zmtp.h"

/* WS_PLUGIN_DESC_DISSECTOR of Wireshark 4.4 and later; 4.0 has no descriptions and never asks. */
#define PLUGIN_IS_DISSECTOR (1U << 0)

WS_DLL_PUBLIC_DEF const char plugin_version[] = ZMTP_PLUGIN_VERSION;
WS_DLL_PUBLIC_DEF const int plugin_want_major = WIRESHARK_VERSION_MAJOR;
WS_DLL_PUBLIC_DEF const int plugin_want_minor = WIRESHARK_VERSION_MINOR;

WS_DLL_PUBLIC_DEF void plugin_register(void);
WS_DLL_PUBLIC_DEF uint32_t plugin_describe(void);

void plugin_register(void)
{
    static proto_plugin plugin;
    static tap_plugin taps;

    plugin.register_protoinfo = zmtp_register_protocol;
    plugin.register_handoff = zmtp_register_handoff;
    proto_register_plugin(&plugin);
    taps.register_tap_listener = zmtp_register_connections;
    tap_register_plugin(&taps);
}

uint32_t plugin_describe(void)
{
    return PLUGIN_IS_DISSECTOR;
}
