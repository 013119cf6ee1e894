/* stats_tree.c - tshark -z zmtp,tree, and Wireshark's Statistics menu: counts of mechanisms,
 * outcomes, commands and sizes, and what protection costs.
 *
 * A frame is counted where it stands.  What belongs to a connection can change as long as it goes
 * on, often at its very end, when TCP is closed: then the connection is moved from one node to
 * another, so that the counts are right in one pass.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "zmtp.h"

#include <epan/stats_tree.h>
#include <epan/tap.h>

#ifdef STATS_TREE_MENU_SEPARATOR
#define MENU_NAME "ZMTP" STATS_TREE_MENU_SEPARATOR "Counts"
#else
#define MENU_NAME "ZMTP/Counts"
#endif

/* Nodes that are always there, by which the others are found. */
enum parent {
    CONNECTIONS,
    MECHANISMS,
    OUTCOMES,
    FINDINGS,
    COMMANDS,
    PARTS,
    BOXES,
    PROTECTED,
    PARENTS
};

#define MAX_NODES                                                                                  \
    (PARENTS + ZMTP_OUTCOMES + ZMTP_FINDINGS + ZMTP_OF_COUNT + ZMTP_COMMANDS + ZMTP_SIZES + 8)

/* One tree; the user can have several, with different filters. */
struct state {
    stats_tree *tree; /* NULL: it is gone, and another one may have this */
    struct zmtp_totals totals;
    GHashTable *counted; /* connection -> as what it was counted */
    int parents[PARENTS];
    uint64_t shown[MAX_NODES];
    unsigned node; /* while nodes are shown: the next one */
};

/* Of all trees.  One lives as long as its listener of the tap "tcp", which is not removed with the
 * tree: Wireshark 4.6 ends trees while it goes through the list of all listeners. */
static GSList *states;

/* ---- Nodes ---- */

/* Only what has changed: a tree has a hundred nodes. */
static void set_node(struct state *state, const char *name, int above, bool has_children,
                     uint64_t value)
{
    uint64_t *shown = &state->shown[state->node++];

    if (*shown == value)
        return;
    *shown = value;
    stats_tree_manip_node_int(MN_SET, state->tree, name, above, has_children,
                              (int)MIN(value, INT_MAX));
}

static void show(struct state *state, enum parent parent, const char *name, uint64_t value)
{
    set_node(state, name, state->parents[parent], false, value);
}

static const char *const parent_names[PARENTS] = {
    [CONNECTIONS] = "Connections",
    [MECHANISMS] = "By mechanism",
    [OUTCOMES] = "By outcome of the handshake",
    [FINDINGS] = "By finding",
    [COMMANDS] = "Commands and subscriptions",
    [PARTS] = "Message parts by octets",
    [BOXES] = "Protected MESSAGE frames",
    [PROTECTED] = "Octets of protected MESSAGE frames",
};

static const int parents_of_parents[PARENTS] = {[CONNECTIONS] = -1,
                                                [MECHANISMS] = CONNECTIONS,
                                                [OUTCOMES] = CONNECTIONS,
                                                [FINDINGS] = CONNECTIONS,
                                                [COMMANDS] = -1,
                                                [PARTS] = -1,
                                                [BOXES] = -1,
                                                [PROTECTED] = -1};

static void show_parent(struct state *state, enum parent parent, uint64_t value)
{
    int above = parents_of_parents[parent];

    set_node(state, parent_names[parent], above < 0 ? 0 : state->parents[above], true, value);
}

static uint64_t sum(const uint64_t *counts, unsigned len)
{
    uint64_t total = 0;

    for (unsigned i = 0; i < len; i++)
        total += counts[i];
    return total;
}

static void show_connections(struct state *state)
{
    const struct zmtp_totals *totals = &state->totals;

    show_parent(state, CONNECTIONS, totals->connections);
    show_parent(state, MECHANISMS, totals->connections);
    for (unsigned i = 0; i < ZMTP_OF_COUNT; i++)
        show(state, MECHANISMS, zmtp_mechanism_of_name((enum zmtp_mechanism_of)i),
             totals->mechanisms[i]);
    show_parent(state, OUTCOMES, totals->connections);
    for (unsigned i = 0; i < ZMTP_OUTCOMES; i++)
        show(state, OUTCOMES, zmtp_outcome_name((enum zmtp_outcome)i), totals->outcomes[i]);
    show_parent(state, FINDINGS, sum(totals->findings, ZMTP_FINDINGS));
    for (unsigned i = ZMTP_NO_FINDING + 1; i < ZMTP_FINDINGS; i++)
        show(state, FINDINGS, zmtp_finding_name((enum zmtp_finding)i), totals->findings[i]);
}

static void show_frames(struct state *state)
{
    const struct zmtp_totals *totals = &state->totals;

    show_parent(state, COMMANDS, sum(totals->commands, ZMTP_COMMANDS));
    for (unsigned i = 0; i < ZMTP_COMMANDS; i++)
        show(state, COMMANDS, zmtp_command_name((enum zmtp_command)i), totals->commands[i]);
    show_parent(state, PARTS, totals->parts);
    for (unsigned i = 0; i < ZMTP_SIZES; i++)
        show(state, PARTS, zmtp_size_name(i), totals->sizes[i]);
    show_parent(state, BOXES, totals->boxes);
    show(state, BOXES, "opened", totals->boxes_opened);
    show(state, BOXES, "not opened", totals->boxes - totals->boxes_opened);
    show_parent(state, PROTECTED, totals->protected_octets);
    show(state, PROTECTED, "Payload", totals->boxed_octets);
    show(state, PROTECTED, "Not known: GSSAPI frames that stay closed", totals->unmeasured_octets);
    show(state, PROTECTED, "Added by protection", zmtp_overhead(totals));
    show(state, PROTECTED, "The name MESSAGE alone", totals->boxes * ZMTP_MESSAGE_NAME_LEN);
}

static void show_all(struct state *state)
{
    state->node = 0;
    show_connections(state);
    show_frames(state);
}

/* ---- Connections ---- */

/* What a connection was counted as, in one number; 0: it was not counted. */
#define COUNTED 1U
#define OUTCOME_SHIFT 1
#define MECHANISM_SHIFT 8
#define FINDING_SHIFT 16

static void add(struct zmtp_totals *totals, unsigned counted, uint64_t by)
{
    unsigned outcome = counted >> OUTCOME_SHIFT & 0x7f;

    totals->connections += by;
    totals->outcomes[outcome] += by;
    totals->mechanisms[counted >> MECHANISM_SHIFT & 0xff] += by;
    if (counted >> FINDING_SHIFT != ZMTP_NO_FINDING)
        totals->findings[counted >> FINDING_SHIFT] += by;
}

static void count_one(struct state *state, struct zmtp_conn *conn)
{
    unsigned before = GPOINTER_TO_UINT(g_hash_table_lookup(state->counted, conn));
    wmem_allocator_t *scope = wmem_allocator_new(WMEM_ALLOCATOR_SIMPLE);
    struct zmtp_diagnosis verdict;
    unsigned now;

    zmtp_diagnose(scope, conn, &verdict);
    wmem_destroy_allocator(scope);
    now = COUNTED | (unsigned)verdict.outcome << OUTCOME_SHIFT |
          (unsigned)zmtp_mechanism_of(conn) << MECHANISM_SHIFT |
          (unsigned)verdict.finding << FINDING_SHIFT;
    if (now == before)
        return;
    if (before)
        add(&state->totals, before, (uint64_t)-1);
    add(&state->totals, now, 1);
    g_hash_table_insert(state->counted, conn, GUINT_TO_POINTER(now));
}

/* What an attempt shows can tell more about the one before. */
static void count_connection(struct state *state, struct zmtp_conn *conn)
{
    struct zmtp_conn *before = (struct zmtp_conn *)conn->story.attempt_before;

    count_one(state, conn);
    if (before && g_hash_table_contains(state->counted, before))
        count_one(state, before);
}

static tap_packet_status on_tcp(void *data, packet_info *pinfo, epan_dissect_t *edt _U_,
                                const void *tapped, tap_flags_t flags _U_)
{
    struct state *state = (struct state *)data;
    struct zmtp_conn *conn;

    if (!state->tree)
        return TAP_PACKET_DONT_REDRAW;
    /* Which of the tap's listeners is called first is not certain. */
    conn = zmtp_note_end(pinfo, (const tcp_info_t *)tapped);
    if (conn && g_hash_table_contains(state->counted, conn)) {
        count_connection(state, conn);
        show_all(state);
    }
    return TAP_PACKET_DONT_REDRAW;
}

/* ---- The tree ---- */

static void free_state(void *data)
{
    struct state *state = (struct state *)data;

    states = g_slist_remove(states, state);
    g_hash_table_destroy(state->counted);
    g_free(state->totals.findings);
    g_free(state);
}

static struct state *state_of(const stats_tree *tree)
{
    for (GSList *entry = states; entry; entry = entry->next) {
        struct state *state = (struct state *)entry->data;

        if (state->tree == tree)
            return state;
    }
    return NULL;
}

static void forget(struct state *state)
{
    uint64_t *findings = state->totals.findings;

    g_hash_table_remove_all(state->counted);
    memset(findings, 0, ZMTP_FINDINGS * sizeof *findings);
    memset(&state->totals, 0, sizeof state->totals);
    state->totals.findings = findings;
    memset(state->shown, 0, sizeof state->shown);
}

static void on_reset(void *data)
{
    forget((struct state *)data);
}

static struct state *new_state(void)
{
    struct state *state = g_new0(struct state, 1);
    GString *error;

    state->counted = g_hash_table_new(g_direct_hash, g_direct_equal);
    state->totals.findings = g_new0(uint64_t, ZMTP_FINDINGS);
    states = g_slist_prepend(states, state);
    error = register_tap_listener("tcp", state, NULL, TL_IS_DISSECTOR_HELPER, on_reset, on_tcp,
                                  NULL, free_state);
    if (error)
        g_string_free(error, TRUE);
    return state;
}

/* Nodes that are there from the beginning. */
static void show_always(struct state *state)
{
    for (unsigned i = 0; i < ZMTP_OF_COUNT; i++)
        stats_tree_manip_node_int(MN_SET, state->tree,
                                  zmtp_mechanism_of_name((enum zmtp_mechanism_of)i),
                                  state->parents[MECHANISMS], FALSE, 0);
    for (unsigned i = 0; i < ZMTP_OUTCOMES; i++)
        stats_tree_manip_node_int(MN_SET, state->tree, zmtp_outcome_name((enum zmtp_outcome)i),
                                  state->parents[OUTCOMES], FALSE, 0);
}

static void on_init(stats_tree *tree)
{
    struct state *state = state_of(tree);

    if (!state)
        state = state_of(NULL);
    if (!state)
        state = new_state();
    forget(state);
    state->tree = tree;
    for (unsigned i = 0; i < PARENTS; i++) {
        int above = parents_of_parents[i];

        state->parents[i] = stats_tree_create_node(
            tree, parent_names[i], above < 0 ? 0 : state->parents[above], STAT_DT_INT, TRUE);
    }
    show_always(state);
}

static void on_cleanup(stats_tree *tree)
{
    struct state *state = state_of(tree);

    if (state) {
        forget(state);
        state->tree = NULL;
    }
}

static tap_packet_status on_zmtp(stats_tree *tree, packet_info *pinfo _U_, epan_dissect_t *edt _U_,
                                 const void *tapped, tap_flags_t flags _U_)
{
    const struct zmtp_tap *tap = (const struct zmtp_tap *)tapped;
    struct state *state = state_of(tree);

    if (!state)
        return TAP_PACKET_DONT_REDRAW;
    for (unsigned i = 0; i < tap->count; i++)
        zmtp_totals_add_frame(&state->totals, &tap->frames[i]);
    count_connection(state, tap->conn);
    show_all(state);
    return TAP_PACKET_REDRAW;
}

void zmtp_register_stats_tree(void)
{
    stats_tree_register_plugin("zmtp", "zmtp", MENU_NAME, 0, on_zmtp, on_init, on_cleanup);
}
