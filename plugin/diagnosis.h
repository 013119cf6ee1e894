/* diagnosis.h - what happened to a connection: facts that are noted while it is dissected, and the
 * verdict that follows from them.
 *
 * Facts are noted in the first pass by the files that dissect, and are of constant size for each
 * connection.  The verdict is made of them whenever somebody asks (diagnosis.c): for a frame of the
 * tree, or for the connection table when the capture has been read.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef ZMTP_DIAGNOSIS_H
#define ZMTP_DIAGNOSIS_H

#include <wireshark.h>

#include <epan/address.h>
#include <wsutil/nstime.h>

#include "findings.h"
#include "statistics.h"

struct zmtp_conn;
struct tcp_analysis;

/* ---- Facts ---- */

/* What a side has said: bits of struct zmtp_side.said. */
enum zmtp_said {
    ZMTP_SAID_HELLO = 1 << 0,
    ZMTP_SAID_WELCOME = 1 << 1,
    ZMTP_SAID_INITIATE = 1 << 2,
    ZMTP_SAID_READY = 1 << 3,
    ZMTP_SAID_ERROR = 1 << 4,
    ZMTP_SAID_SEALED_READY = 1 << 5, /* GSSAPI's, in a token */
    /* GSSAPI: what was in INITIATE. */
    ZMTP_SAID_TICKET = 1 << 6,        /* AP-REQ, or another first token of a client */
    ZMTP_SAID_TICKET_ANSWER = 1 << 7, /* AP-REP, or a SPNEGO answer */
    ZMTP_SAID_OFFER = 1 << 8,         /* the SPNEGO hint of a server that has no key */
    ZMTP_SAID_KRB_ERROR = 1 << 9,
};

/* A PING that was not answered yet. */
struct zmtp_ping {
    uint32_t packet; /* 0: there is none */
    uint32_t seq;
    nstime_t at;
    uint16_t ttl; /* tenths of a second, 0: none told */
};

/* One side of a connection. */
struct zmtp_side {
    unsigned said;               /* enum zmtp_said */
    bool lost;                   /* data are missing between what was seen */
    bool foreign;                /* what it began with is no ZMTP */
    const char *looks_like;      /* then: "HTTP", "TLS", "SSH"; NULL: nothing known */
    char mechanism_name[81];     /* in its greeting, 20 octets that may be escaped; "": not told */
    bool socket_type_unknown;    /* told one that is not known */
    const char *malformed;       /* what is wrong with a handshake command; NULL: nothing */
    uint64_t large_before_ready; /* octets of a large frame before the end of the handshake */
    uint32_t large_seq;          /* TCP sequence number of that frame */
    const uint8_t *identity;     /* lives as long as the capture file; NULL: none */
    uint8_t identity_len;        /* octets */
    uint64_t messages;           /* ended here; a MESSAGE that stays closed counts as one */
    uint64_t parts;              /* application frames, and MESSAGEs that stay closed */
    uint64_t octets;             /* of their payload */
    bool octets_unknown;         /* a GSSAPI MESSAGE stays closed, which adds none */
    uint64_t protected_octets;   /* of protected MESSAGE frames, headers and all */
    uint64_t boxes;              /* protected MESSAGEs */
    uint64_t boxes_opened;
    uint64_t boxed_octets;      /* what was in them, as far as it is known */
    uint64_t unmeasured_octets; /* of protected_octets: those of which it is not known */
    uint32_t commands[ZMTP_COMMANDS];
    uint32_t sizes[ZMTP_SIZES]; /* parts */
    struct zmtp_ping ping;      /* the first one since the other side's last frame, unanswered */
    struct zmtp_ping last_ping; /* answered or not */
    nstime_t last_at;           /* of its last frame */
};

/* What is known of the client's server key (CURVE). */
enum zmtp_server_key {
    ZMTP_SERVER_KEY_UNKNOWN,  /* no key that could tell was given */
    ZMTP_SERVER_KEY_RIGHT,    /* HELLO opens */
    ZMTP_SERVER_KEY_NOT_GIVEN /* HELLO opens with none of the keys given */
};

#define ZMTP_MAX_STEPS 8

/* A command of the handshake, by which the next one links to it. */
struct zmtp_step {
    uint32_t packet;
    uint32_t seq;
    nstime_t at;
    uint8_t dir;
};

/* A frame at which libzmq closes. */
struct zmtp_offence {
    enum zmtp_finding finding; /* ZMTP_NO_FINDING: there was none */
    uint32_t packet;
    nstime_t at;
    uint8_t dir;
};

struct zmtp_story {
    struct zmtp_side side[2]; /* by direction */
    const struct tcp_analysis *tcpd;
    uint32_t first_packet;
    nstime_t begun_at;
    nstime_t settled_at;
    uint32_t last_packet; /* the last frame, as long as the handshake goes on */
    uint32_t last_seq;
    nstime_t last_at;
    uint8_t last_dir;
    address address[2]; /* by direction, of the sender */
    uint16_t port[2];
    struct zmtp_step steps[ZMTP_MAX_STEPS];
    unsigned step_count;
    enum zmtp_server_key server_key;
    unsigned server_keys_tried;
    bool cookie_changed;
    bool vouch_mismatch;
    const struct zmtp_conn *unsecured_after; /* a secured one on the same server port, before */
    const struct zmtp_conn *identity_of;     /* an open one to the same ROUTER, same Identity */
    struct zmtp_conn *same_pair_before;      /* the one before of the same hosts and server port */
    const struct zmtp_conn *attempt_before;  /* the latest of these that had failed */
    const struct zmtp_conn *attempt_after;   /* to which this is the attempt before */
    unsigned attempt;                        /* 1: the first */
    struct zmtp_offence offence;             /* the latest */
    /* The end of TCP, where the tap saw it; else tcpd tells. */
    uint32_t closed_packet; /* 0: not seen */
    nstime_t closed_at;
    uint8_t closed_by; /* direction */
    bool reset;
};

/* ---- The verdict ---- */

enum zmtp_outcome {
    ZMTP_OUTCOME_COMPLETE,
    ZMTP_OUTCOME_JOINED,       /* the capture began after the handshake */
    ZMTP_OUTCOME_UNFINISHED,   /* it ended during the handshake, or data are missing */
    ZMTP_OUTCOME_NO_HANDSHAKE, /* ZMTP 1.0 and 2.0 have none, and all is well */
    ZMTP_OUTCOME_FAILED
};

struct zmtp_diagnosis {
    enum zmtp_outcome outcome;
    enum zmtp_finding finding; /* why it failed, or what happened then; ZMTP_NO_FINDING: nothing */
    bool certain;              /* else the capture allows other causes */
    const char *text;          /* what happened, without the full stop */
    const char *advice;        /* what to look at next; NULL: nothing */
};

/* For scripts: "complete", "joined", "unfinished", "no_handshake", "failed". */
const char *zmtp_outcome_name(enum zmtp_outcome outcome);

/* The verdict as of what has been read; text is allocated in scope. */
void zmtp_diagnose(wmem_allocator_t *scope, const struct zmtp_conn *conn,
                   struct zmtp_diagnosis *verdict);

/* What happened after a handshake that was complete, or where there is none: says it in a diagnosis
 * that has only an outcome so far. */
void zmtp_diagnose_session(wmem_allocator_t *scope, const struct zmtp_conn *conn,
                           struct zmtp_diagnosis *diagnosis);

/* ---- What TCP tells (tcp_facts.c) ---- */

double zmtp_seconds_between(const nstime_t *from, const nstime_t *to);
/* Peers answer within a round trip; who takes longer than these seconds has waited for something.
 * libzmq's handshake timer is 30 s, and nobody sets it below this. */
#define ZMTP_AT_ONCE 0.15

/* IPv4 or IPv6, with as many octets as these have. */
bool zmtp_is_ip(const address *address);
/* "127.0.0.1:5555", "[::1]:5555" */
const char *zmtp_endpoint_text(wmem_allocator_t *scope, const address *address, uint16_t port);

/* How TCP ended, as far as that is known. */
struct zmtp_ending {
    bool closed;
    bool reset;
    int by;         /* direction of who closed first, -1: not known */
    double seconds; /* from the last frame before to the end, as far as known */
};
void zmtp_ending(const struct zmtp_conn *conn, struct zmtp_ending *ending);
/* When that was; false: it has not ended. */
bool zmtp_ended_at(const struct zmtp_conn *conn, nstime_t *at);

/* Who opened the TCP connection: direction; where no SYN was seen the side with the higher port. */
unsigned zmtp_connector(const struct zmtp_conn *conn);
/* The security client where it is known, else who opened the TCP connection. */
unsigned zmtp_client_side(const struct zmtp_conn *conn);

/* Whether a side's SYN was seen, or its SYN-ACK. */
bool zmtp_saw_syn_of(const struct zmtp_conn *conn, unsigned dir);
/* Octets that a side has sent in all, as TCP's numbers tell; 0 also where they do not. */
uint32_t zmtp_octets_sent(const struct zmtp_conn *conn, unsigned dir);
/* Whether octets of it were sent that are neither dissected nor waited for, or the other side
 * acknowledged more than was captured. */
bool zmtp_is_missing(const struct zmtp_conn *conn, unsigned dir);

#endif
