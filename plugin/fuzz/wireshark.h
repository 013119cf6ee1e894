/* wireshark.h - libwireshark within the fuzzer: started once, with the plugin in it and everything
 * that looks at what the plugin shows.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef FUZZ_WIRESHARK_H
#define FUZZ_WIRESHARK_H

#include <stdbool.h>

#include <wireshark.h>

#include <epan/column-info.h>
#include <epan/epan.h>
#include <epan/packet.h>
#include <epan/tvbuff.h>
#include <wiretap/wtap.h>

/* Ends the run: that is what the fuzzer calls a finding. */
#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition))                                                                          \
            end_run(#condition, __FILE__, __LINE__);                                               \
    } while (0)
void end_run(const char *condition, const char *file, int line);

/* The fuzzed program is not to be told of: what it writes goes nowhere. */
void start_wireshark(void);

/* lean.c: whether the plugin's part of the tree is visible, in a tree that is not. */
extern bool trees_are_seen;

/* lean.c: all but ZMTP and what it needs is turned off, and sessions do little else. */
void turn_off_other_protocols(void);
epan_t *open_lean_session(const struct packet_provider_funcs *functions,
                          struct packet_provider_data *data);

/* "tcp.relative_sequence_numbers:FALSE", as after tshark's -o. */
void set_preference(const char *name, const char *value);

column_info *columns(void);

/* Text for people must be UTF-8. */
void require_text(const char *text);

/* A capture file is opened, its taps begin anew; it was read, and the taps show their tables. */
epan_t *open_session(const struct packet_provider_funcs *functions,
                     struct packet_provider_data *data);
void draw_tables(void);

/* Boxes that the plugin told it has opened, since the session began. */
unsigned boxes_opened(void);

/* One packet, as tshark has it dissected. */
void dissect_packet(epan_dissect_t *edt, wtap_rec *rec, const uint8_t *octets, frame_data *frame);

#endif
