/* lean.c - a new session for each input, at a hundredth of its usual cost.
 *
 * Wireshark's some 2000 protocols prepare themselves for each session, and clean up after it. The
 * fuzzer needs a few of them; the others are turned off. The functions here stand in for those of
 * the same names in Wireshark's libraries, and leave out what protocols that are off ask for.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <dlfcn.h>
#include <string.h>

#include "wireshark.h"

#include <epan/expert.h>
#include <epan/reassemble.h>
#include <epan/wmem_scopes.h>

#include "../compat.h"

/* What carries ZMTP, what is in it, and what those call. */
static const char *const needed[] = {"frame",  "raw",         "ip",       "ipv6",
                                     "tcp",    "zmtp",        "data",     "gss-api",
                                     "spnego", "spnego-krb5", "kerberos", "ber"};

/* The plugin's own, not Wireshark's: adopt.c. */
#define DISSECTOR (ZMTP_WIRESHARK_AT_LEAST(4, 4) ? "zmtp_security" : "zmtp")

bool trees_are_seen;

/* Who is registering: NULL while it is Wireshark itself. */
static const char *registering;

static bool is_needed(const char *protocol)
{
    for (unsigned i = 0; i < array_length(needed); i++) {
        if (strcmp(protocol, needed[i]) == 0)
            return true;
    }
    return strncmp(protocol, "_ws.", 4) == 0;
}

static bool is_wanted(void)
{
    return !registering || is_needed(registering);
}

/* The function that this one stands in for. */
static void *original(const char *name)
{
    void *function = dlsym(RTLD_NEXT, name);

    REQUIRE(function);
    return function;
}

int proto_register_protocol(const char *name, const char *short_name, const char *filter_name)
{
    int (*call)(const char *, const char *, const char *);

    *(void **)&call = original("proto_register_protocol");
    registering = filter_name;
    return call(name, short_name, filter_name);
}

/* Where Wireshark has a "zmtp" of its own the plugin registers none, but comes by here first. */
expert_module_t *expert_register_protocol(int id)
{
    expert_module_t *(*call)(int);

    *(void **)&call = original("expert_register_protocol");
    registering = proto_get_protocol_filter_name(id);
    return call(id);
}

void register_init_routine(void (*routine)(void))
{
    void (*call)(void (*)(void));

    *(void **)&call = original("register_init_routine");
    if (is_wanted())
        call(routine);
}

void register_cleanup_routine(void (*routine)(void))
{
    void (*call)(void (*)(void));

    *(void **)&call = original("register_cleanup_routine");
    if (is_wanted())
        call(routine);
}

void reassembly_table_register(reassembly_table *table, const reassembly_table_functions *functions)
{
    void (*call)(reassembly_table *, const reassembly_table_functions *);

    *(void **)&call = original("reassembly_table_register");
    if (is_wanted())
        call(table, functions);
}

wmem_map_t *wmem_map_new_autoreset(wmem_allocator_t *map, wmem_allocator_t *data, GHashFunc hash,
                                   GEqualFunc equal)
{
    wmem_map_t *(*call)(wmem_allocator_t *, wmem_allocator_t *, GHashFunc, GEqualFunc);

    *(void **)&call = original("wmem_map_new_autoreset");
    return is_wanted() ? call(map, data, hash, equal) : wmem_map_new(map, hash, equal);
}

wmem_tree_t *wmem_tree_new_autoreset(wmem_allocator_t *tree, wmem_allocator_t *data)
{
    wmem_tree_t *(*call)(wmem_allocator_t *, wmem_allocator_t *);

    *(void **)&call = original("wmem_tree_new_autoreset");
    return is_wanted() ? call(tree, data) : wmem_tree_new(tree);
}

/* ---- Trees ---- */

static dissector_t dissect_zmtp;
static heur_dissector_t recognize_zmtp;

/* Items of the packet and of TCP cost more than the plugin's, and nobody is to look at them: the
 * tree is visible while the plugin has it. After an exception it stays so, which only costs time.
 */
static bool show(proto_tree *tree)
{
    return tree && trees_are_seen && !proto_tree_set_visible(tree, ZMTP_TRUE);
}

static int dissect_seen(tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree, void *data)
{
    bool hidden = show(tree);
    int used = dissect_zmtp(tvb, pinfo, tree, data);

    if (hidden)
        proto_tree_set_visible(tree, ZMTP_FALSE);
    return used;
}

static zmtp_bool recognize_seen(tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree, void *data)
{
    bool hidden = show(tree);
    zmtp_bool taken = recognize_zmtp(tvb, pinfo, tree, data);

    if (hidden)
        proto_tree_set_visible(tree, ZMTP_FALSE);
    return taken;
}

dissector_handle_t register_dissector(const char *name, dissector_t dissector, const int protocol)
{
    dissector_handle_t (*call)(const char *, dissector_t, const int);

    *(void **)&call = original("register_dissector");
    if (strcmp(name, DISSECTOR) != 0)
        return call(name, dissector, protocol);
    dissect_zmtp = dissector;
    return call(name, dissect_seen, protocol);
}

void heur_dissector_add(const char *list, heur_dissector_t dissector, const char *display_name,
                        const char *name, const int protocol, heuristic_enable_e enable)
{
    void (*call)(const char *, heur_dissector_t, const char *, const char *, const int,
                 heuristic_enable_e);

    *(void **)&call = original("heur_dissector_add");
    if (strcmp(name, "zmtp_tcp") == 0) {
        recognize_zmtp = dissector;
        dissector = recognize_seen;
    }
    call(list, dissector, display_name, name, protocol, enable);
}

/* ---- Names of addresses ---- */

/* What a session opens with is the resolver of names, which forgets its tables and does not free
 * them. It gets the same ones again, for the memory of millions of sessions. */
static bool opening;
static unsigned maps_given;

epan_t *open_lean_session(const struct packet_provider_funcs *functions,
                          struct packet_provider_data *data)
{
    epan_t *session;

    opening = true;
    maps_given = 0;
    session = epan_new(data, functions);
    opening = false;
    return session;
}

wmem_map_t *wmem_map_new(wmem_allocator_t *scope, GHashFunc hash, GEqualFunc equal)
{
    static wmem_map_t *maps[32];
    static wmem_map_t *(*call)(wmem_allocator_t *, GHashFunc, GEqualFunc);
    wmem_map_t **map = &maps[maps_given];

    if (!call)
        *(void **)&call = original("wmem_map_new");
    if (!opening || scope != wmem_epan_scope())
        return call(scope, hash, equal);
    maps_given++;
    REQUIRE(maps_given < array_length(maps));
    if (!*map)
        *map = call(scope, hash, equal);
    return *map;
}

wmem_list_t *wmem_list_new(wmem_allocator_t *scope)
{
    static wmem_list_t *(*call)(wmem_allocator_t *);
    static wmem_list_t *list;

    if (!call)
        *(void **)&call = original("wmem_list_new");
    if (!opening || scope != wmem_epan_scope())
        return call(scope);
    if (!list)
        list = call(scope);
    return list;
}

/* Each session would read Wireshark's data files again; root may not say where they are. */
zmtp_bool started_with_special_privs(void)
{
    return ZMTP_FALSE;
}

/* ... and the settings of c-ares. */
int ares_init(void *channel);
int ares_init(void *channel)
{
    (void)channel;
    return 1; /* ARES_ENODATA */
}

void turn_off_other_protocols(void)
{
    void *cookie = NULL;

    for (int id = proto_get_first_protocol(&cookie); id >= 0;
         id = proto_get_next_protocol(&cookie)) {
        if (!is_needed(proto_get_protocol_filter_name(id)) && proto_can_toggle_protocol(id) &&
            !proto_is_pino(find_protocol_by_id(id)))
            proto_set_decoding(id, ZMTP_FALSE);
    }
}
