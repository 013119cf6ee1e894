/* packet-zmtp.c - the ZeroMQ Message Transport Protocol: registration.
 *
 * ZMTP 1.0, 2.0, 3.0 and 3.1 (RFC 13, 15, 23, 37 of rfc.zeromq.org) over TCP, with the mechanisms
 * NULL, PLAIN (RFC 24), CURVE (RFC 25, 26) and GSSAPI (RFC 38).
 *
 * How a packet goes: TCP calls stream.c, which cuts the stream into a greeting (greeting.c) and
 * frames.  A frame is a command (command.c, and the mechanism's own in mech_*.c), a protected
 * MESSAGE (mech_*.c, which opens it where keys.c has a key), or an application's (message.c).
 *
 * What is wrong with a frame is a row of findings.def.  Why a connection failed is told by facts
 * that are noted on the way (struct zmtp_story in diagnosis.h): handshake.c puts the verdict of
 * diagnosis.c into the tree, and connection_*.c, json_lines.c and stats_tree.c make tables of all
 * connections.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "connections.h"
#include "zmtp.h"

int zmtp_proto = -1;

void zmtp_register_protocol(void)
{
    struct zmtp_registry registry;

    zmtp_adopt_protocol(&registry, zmtp_dissect_tcp);
    zmtp_proto = registry.proto;
    registry.expert = expert_register_protocol(registry.proto);

    zmtp_register_findings(&registry);
    zmtp_register_stream(&registry);
    zmtp_register_greeting(&registry);
    zmtp_register_common();
    zmtp_register_tap();
    zmtp_register_list();
    zmtp_register_stats_tree();
    zmtp_register_connections_window();
    zmtp_register_handshake(&registry);
    zmtp_register_command(&registry);
    zmtp_register_metadata(&registry);
    zmtp_register_message(&registry);
    zmtp_register_handoff_tables(&registry);
    zmtp_register_keys(&registry);
    for (const struct zmtp_mechanism *const *mechanism = zmtp_mechanisms; *mechanism; mechanism++) {
        if ((*mechanism)->register_fields)
            (*mechanism)->register_fields(&registry);
    }
}

void zmtp_register_handoff(void)
{
    zmtp_adopt_handoff();
    zmtp_handshake_handoff();
    heur_dissector_add("tcp", zmtp_heuristic_tcp, "ZMTP over TCP", "zmtp_tcp", zmtp_proto,
                       HEURISTIC_ENABLE);
    for (const struct zmtp_mechanism *const *mechanism = zmtp_mechanisms; *mechanism; mechanism++) {
        if ((*mechanism)->register_handoff)
            (*mechanism)->register_handoff();
    }
}
