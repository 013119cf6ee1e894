/* capture.c - reads a capture in memory as tshark reads a file, and looks at all that is shown.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "capture.h"

#include <epan/column-utils.h>
#include <epan/epan_dissect.h>
#include <epan/proto.h>
#include <epan/tap.h>

#include "../zmtp.h"

#define SECONDS_AT_START 1700000000
#define MICROSECONDS 1000000

struct packet *add_packet(struct capture *capture, const uint8_t *octets, unsigned len,
                          unsigned captured)
{
    struct packet *packet = &capture->packets[capture->count];

    if (capture->count == MAX_PACKETS)
        return NULL;
    capture->count++;
    memset(packet, 0, sizeof *packet);
    packet->octets = (uint8_t *)g_memdup2(octets, captured);
    packet->len = len;
    packet->captured = captured;
    return packet;
}

void empty_capture(struct capture *capture)
{
    for (unsigned i = 0; i < capture->count; i++) {
        g_free(capture->packets[i].octets);
        g_free(capture->packets[i].payload.octets);
        g_free(capture->packets[i].keys);
    }
    capture->count = 0;
}

/* ---- Looking at what is shown ---- */

/* Wireshark 4.0's proto_item_append_text can cut a text that is too long within a character. */
static void require_label(const char *label)
{
    const char *end;

    if (strlen(label) < ITEM_LABEL_LENGTH - 1 ||
        (!g_utf8_validate(label, -1, &end) && strlen(end) >= 4))
        require_text(label);
}

static void look_at_item(proto_node *node, void *user_data)
{
    char label[ITEM_LABEL_LENGTH];

    (void)user_data;
    if (node->finfo) {
        if (node->finfo->rep) {
            require_label(node->finfo->rep->representation);
        } else {
#if ZMTP_WIRESHARK_AT_LEAST(4, 6)
            proto_item_fill_label(node->finfo, label, NULL);
#else
            proto_item_fill_label(node->finfo, label);
#endif
            require_label(label);
        }
    }
    proto_tree_children_foreach(node, look_at_item, NULL);
}

/* Whether zmtp.data has these octets somewhere in the packet. */
static bool shows(epan_dissect_t *edt, const struct payload *payload)
{
    const GPtrArray *items =
        proto_find_finfo(edt->tree, proto_registrar_get_byname("zmtp.data")->id);
    bool found = false;

    for (unsigned i = 0; i < items->len && !found; i++) {
        const field_info *item = (const field_info *)g_ptr_array_index(items, i);

        found = item->length == (int)payload->len &&
                tvb_memeql(item->ds_tvb, item->start, payload->octets, payload->len) == 0;
    }
    g_ptr_array_free((GPtrArray *)items, TRUE);
    return found;
}

static void look_at_packet(epan_dissect_t *edt, const struct packet *packet,
                           const struct reading *reading, enum tree tree)
{
    require_text(col_get_text(columns(), COL_PROTOCOL));
    require_text(col_get_text(columns(), COL_INFO));
    if (tree == TREE_SEEN)
        proto_tree_children_foreach(edt->tree, look_at_item, NULL);
    if (tree == TREE_SEEN && reading->payloads && packet->payload.octets)
        REQUIRE(shows(edt, &packet->payload));
}

/* ---- Reading ---- */

static const nstime_t *time_of_frame(struct packet_provider_data *provider, uint32_t number)
{
    const struct capture *capture = (const struct capture *)provider;

    return number > 0 && number <= capture->count ? &capture->frames[number - 1].abs_ts : NULL;
}

static void describe(wtap_rec *rec, const struct packet *packet, uint64_t time)
{
    memset(rec, 0, offsetof(wtap_rec, options_buf));
#if ZMTP_WIRESHARK_AT_LEAST(4, 6)
    wtap_setup_packet_rec(rec, WTAP_ENCAP_RAW_IP); /* its name, too */
#endif
    rec->rec_type = REC_TYPE_PACKET;
    rec->presence_flags = WTAP_HAS_TS | WTAP_HAS_CAP_LEN;
    rec->ts.secs = (time_t)(SECONDS_AT_START + time / MICROSECONDS);
    rec->ts.nsecs = (int)(time % MICROSECONDS) * 1000;
    rec->tsprec = WTAP_TSPREC_USEC;
    rec->rec_header.packet_header.caplen = packet->captured;
    rec->rec_header.packet_header.len = packet->len;
    rec->rec_header.packet_header.pkt_encap = WTAP_ENCAP_RAW_IP;
}

static void read_once(epan_t *session, struct capture *capture, wtap_rec *rec,
                      const struct reading *reading, bool first)
{
    enum tree tree = first && reading->second_pass ? NO_TREE : reading->tree;
    epan_dissect_t *edt = epan_dissect_new(session, tree != NO_TREE, false);
    nstime_t elapsed = NSTIME_INIT_ZERO;
    const frame_data *reference = NULL;
    uint64_t time = 0;
    uint32_t octets = 0;

    trees_are_seen = tree == TREE_SEEN;
    for (unsigned i = 0; i < capture->count; i++) {
        const struct packet *packet = &capture->packets[i];
        frame_data *frame = &capture->frames[i];

        time += packet->microseconds;
        describe(rec, packet, time);
        if (first) {
            frame_data_init(frame, i + 1, rec, 0, octets);
            if (packet->keys)
                reading->on_keys(reading->user_data, packet->keys, packet->keys_len);
        }
        frame_data_set_before_dissect(frame, &elapsed, &reference, i > 0 ? frame - 1 : NULL);
        dissect_packet(edt, rec, packet->octets, frame);
        look_at_packet(edt, packet, reading, tree);
        frame_data_set_after_dissect(frame, &octets);
        epan_dissect_reset(edt);
    }
    epan_dissect_free(edt);
    if (reading->boxes_known)
        REQUIRE(boxes_opened() == reading->boxes);
}

void write_capture(const struct capture *capture, const char *path)
{
    /* In this machine's octet order, which the magic number tells: version 2.4, LINKTYPE_RAW. */
    const uint32_t header[] = {0xa1b2c3d4, 4 << 16 | 2, 0, 0, 65535, 101};
    FILE *file = fopen(path, "wb");
    uint64_t time = 0;

    REQUIRE(file);
    REQUIRE(fwrite(header, sizeof header, 1, file) == 1);
    for (unsigned i = 0; i < capture->count; i++) {
        const struct packet *packet = &capture->packets[i];
        uint32_t record[4];

        time += packet->microseconds;
        record[0] = (uint32_t)(SECONDS_AT_START + time / MICROSECONDS);
        record[1] = (uint32_t)(time % MICROSECONDS);
        record[2] = packet->captured;
        record[3] = packet->len;
        REQUIRE(fwrite(record, sizeof record, 1, file) == 1);
        REQUIRE(fwrite(packet->octets, 1, packet->captured, file) == packet->captured);
    }
    REQUIRE(fclose(file) == 0);
}

void read_capture(struct capture *capture, const struct reading *reading)
{
    static const struct packet_provider_funcs functions = {.get_frame_ts = time_of_frame};
    static wtap_rec rec;
    static bool rec_ready;
    epan_t *session = open_session(&functions, (struct packet_provider_data *)capture);

    if (!rec_ready) {
#if ZMTP_WIRESHARK_AT_LEAST(4, 6)
        wtap_rec_init(&rec, 0);
#else
        wtap_rec_init(&rec);
#endif
        rec_ready = true;
    }
    if (reading->on_open)
        reading->on_open(reading->user_data);
    read_once(session, capture, &rec, reading, true);
    if (reading->second_pass) {
        reset_tap_listeners();
        read_once(session, capture, &rec, reading, false);
    }
    if (reading->draw)
        draw_tables();
    for (unsigned i = 0; i < capture->count; i++)
        frame_data_destroy(&capture->frames[i]);
    epan_free(session);
}
