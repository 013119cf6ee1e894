/* statistics.h - what is counted, and who hears of it.
 *
 * Each frame is told once (struct zmtp_told): in the first pass it goes into the counts of its side
 * (struct zmtp_side), and in each pass to the listeners of the tap "zmtp", if there are any.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef ZMTP_STATISTICS_H
#define ZMTP_STATISTICS_H

#include <wireshark.h>

struct zmtp_conn;
struct zmtp_ctx;
struct zmtp_side;

/* ---- Frames ---- */

enum zmtp_told_kind {
    ZMTP_TOLD_OTHER, /* none of these: malformed, unprotected, without a place */
    ZMTP_TOLD_GREETING,
    ZMTP_TOLD_IDENTITY, /* the frame of ZMTP 1.0 and 2.0 */
    ZMTP_TOLD_COMMAND,
    ZMTP_TOLD_SUBSCRIPTION, /* one that is no command */
    ZMTP_TOLD_PART          /* of a message; also a protected MESSAGE that stays closed */
};

/* Commands, and subscriptions that are none: what people and scripts call them (statistics.def). */
enum zmtp_command {
#define COMMAND(symbol, name) ZMTP_COMMAND_##symbol,
#define SIZE(first, name)
#include "statistics.def"
#undef COMMAND
#undef SIZE
    ZMTP_COMMANDS
};

/* Ranges of the size of a part. */
enum {
#define COMMAND(symbol, name)
#define SIZE(first, name) ZMTP_SIZE_##first,
#include "statistics.def"
#undef COMMAND
#undef SIZE
    ZMTP_SIZE_UNKNOWN, /* a GSSAPI MESSAGE that stays closed */
    ZMTP_SIZES
};

/* One frame, or one piece of a greeting. */
struct zmtp_told {
    bool begun; /* and not counted yet */
    enum zmtp_told_kind kind;
    enum zmtp_command command; /* of a command or subscription */
    bool first;                /* of its connection */
    bool settles;              /* the handshake */
    bool boxed;                /* a protected MESSAGE */
    bool opened;               /* which could be opened */
    bool measured;             /* it is known how many octets are in it */
    bool more;                 /* more parts follow */
    uint32_t seq;              /* TCP sequence number of its first octet */
    uint64_t octets;           /* on the wire, header and all */
    uint64_t payload;          /* of a part */
    uint64_t boxed_payload;    /* what was in the box */
};

/* What a listener of the tap "zmtp" gets: all frames of one call by TCP, which may be thousands, or
 * none where a frame is not whole yet.  Wireshark's queue takes 5000 calls for each packet. */
struct zmtp_tap {
    struct zmtp_conn *conn;
    unsigned dir;
    const struct zmtp_told *frames;
    unsigned count;
};

void zmtp_register_tap(void);
/* A call begins; frame by frame; it ends, however it does. */
void zmtp_tap_begin(struct zmtp_ctx *ctx);
void zmtp_frame_begins(struct zmtp_ctx *ctx);
void zmtp_frame_ends(struct zmtp_ctx *ctx);
void zmtp_tap_end(struct zmtp_ctx *ctx);

/* What the frame is. */
void zmtp_tell_command(struct zmtp_ctx *ctx, const char *name);
void zmtp_tell_subscription(struct zmtp_ctx *ctx, enum zmtp_command command);
void zmtp_tell_part(struct zmtp_ctx *ctx, uint64_t payload, bool more);
/* A protected MESSAGE; payload: what is in it, as far as that is known. */
void zmtp_tell_box(struct zmtp_ctx *ctx, bool opened, bool measured, uint64_t payload);
/* First pass: the sender's routing identity. */
void zmtp_note_identity(struct zmtp_ctx *ctx, tvbuff_t *tvb, unsigned offset, unsigned len);

/* ---- Totals ---- */

/* Mechanisms of connections: those that both sides announced, and: */
enum zmtp_mechanism_of {
    ZMTP_OF_NULL,
    ZMTP_OF_PLAIN,
    ZMTP_OF_CURVE,
    ZMTP_OF_GSSAPI,
    ZMTP_OF_NONE,      /* ZMTP 1.0 and 2.0 have none */
    ZMTP_OF_DIFFERENT, /* the two sides announced different ones */
    ZMTP_OF_UNKNOWN,
    ZMTP_OF_COUNT
};
enum zmtp_mechanism_of zmtp_mechanism_of(const struct zmtp_conn *conn);
const char *zmtp_mechanism_of_name(enum zmtp_mechanism_of mechanism);
const char *zmtp_command_name(enum zmtp_command command);
const char *zmtp_size_name(unsigned size);

#define ZMTP_OUTCOMES 5         /* enum zmtp_outcome */
#define ZMTP_MESSAGE_NAME_LEN 8 /* "\x07MESSAGE" */

struct zmtp_totals {
    uint64_t connections;
    uint64_t outcomes[ZMTP_OUTCOMES];
    uint64_t *findings; /* by enum zmtp_finding: why it failed, or what else happened */
    uint64_t mechanisms[ZMTP_OF_COUNT];
    uint64_t commands[ZMTP_COMMANDS];
    uint64_t sizes[ZMTP_SIZES];
    uint64_t messages;
    uint64_t parts;
    uint64_t octets;
    uint64_t boxes;
    uint64_t boxes_opened;
    uint64_t protected_octets;
    uint64_t boxed_octets;      /* what was in boxes, as far as it is known */
    uint64_t unmeasured_octets; /* of protected_octets: boxes of which it is not known */
};
/* Octets that protection cost, without the boxes of which it is not known. */
uint64_t zmtp_overhead(const struct zmtp_totals *totals);
void zmtp_totals_add_frame(struct zmtp_totals *totals, const struct zmtp_told *told);
void zmtp_totals_add_side(struct zmtp_totals *totals, const struct zmtp_side *side);

/* ---- The parts that people see ---- */

void zmtp_register_stats_tree(void);
/* -z zmtp,connections: what Wireshark's and tshark's main program call. */
void zmtp_register_connections(void);
/* The same in Wireshark's menu. */
void zmtp_register_connections_window(void);

#endif
