/* capture.h - a capture file in memory, and how it is read.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef FUZZ_CAPTURE_H
#define FUZZ_CAPTURE_H

#include "wireshark.h"

enum { MAX_PACKETS = 200 };

/* What a packet must show: the payload of the last box that ends in it. */
struct payload {
    uint8_t *octets;
    unsigned len;
};

struct packet {
    uint8_t *octets; /* raw IP: as much as was captured, in memory of just that size */
    unsigned len;
    unsigned captured;
    uint64_t microseconds; /* since the packet before it */
    struct payload payload;
    char *keys; /* what the key log gets before the packet is read; NULL: nothing */
    unsigned keys_len;
};

struct capture {
    struct packet packets[MAX_PACKETS];
    frame_data frames[MAX_PACKETS];
    unsigned count;
};

/* NULL: the capture is full. */
struct packet *add_packet(struct capture *capture, const uint8_t *octets, unsigned len,
                          unsigned captured);
void empty_capture(struct capture *capture);

/* As a pcap file, for tshark. */
void write_capture(const struct capture *capture, const char *path);

enum tree { NO_TREE, TREE_UNSEEN, TREE_SEEN }; /* seen: with the text of each item */

struct reading {
    enum tree tree;
    bool second_pass;
    bool draw;
    bool payloads; /* each packet's must be found in its tree */
    bool boxes_known;
    unsigned boxes; /* MESSAGEs that must be opened, in each pass */
    void (*on_open)(void *user_data);
    void (*on_keys)(void *user_data, const char *keys, unsigned len);
    void *user_data;
};

void read_capture(struct capture *capture, const struct reading *reading);

#endif
