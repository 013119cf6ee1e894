/* zmtp.h - what the files of the dissector share: the state of a connection, the frame being
 * dissected, and the interface of a security mechanism.
 *
 * Three lifetimes, each said where it is declared:
 *   - program: registrations (handles, fields), made once;
 *   - capture file: struct zmtp_conn and its peers, and memos for the few packets that need one;
 *   - packet: struct zmtp_ctx and what hangs on it.
 *
 * Rule for everything in the second group: a later visit to a packet must show what the first
 * visit showed.  What was learned in frame N is therefore used only for frames >= N.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef ZMTP_H
#define ZMTP_H

#include <wireshark.h>

#include <epan/conversation.h>
#include <epan/expert.h>
#include <epan/packet.h>
#include <epan/prefs.h>
#include <epan/dissectors/packet-tcp.h>

#include "compat.h"
#include "diagnosis.h"
#include "findings.h"
#include "statistics.h"

/* ---- Versions and sizes ---- */

/* Major version in the high octet, so that the lower of two versions is the smaller number. */
enum zmtp_version {
    ZMTP_VERSION_UNKNOWN = 0,
    ZMTP_1_0 = 0x100, /* RFC 13 */
    ZMTP_2_0 = 0x200, /* RFC 15 */
    ZMTP_3_0 = 0x300, /* RFC 23 */
    ZMTP_3_1 = 0x301, /* RFC 37 */
};

#define ZMTP_SIGNATURE_LEN 10  /* FF, 8 octets, 7F: RFC 23 "greeting" */
#define ZMTP_GREETING_2_LEN 12 /* signature, revision, socket type: RFC 15 */
#define ZMTP_GREETING_3_LEN 64 /* RFC 23 "greeting" */
#define ZMTP_MECHANISM_LEN 20  /* RFC 23 "mechanism" */
#define ZMTP_LONG_HEADER_LEN 9 /* flags and 8 octets of length: RFC 23 "frame" */

#define ZMTP_FLAG_MORE 0x01 /* RFC 23 "flags" */
#define ZMTP_FLAG_LONG 0x02
#define ZMTP_FLAG_COMMAND 0x04
#define ZMTP_FLAG_RESERVED 0xf8

/* ---- A connection (lifetime: capture file) ---- */

struct zmtp_mechanism;

/* Where in the capture something was learned: a packet, and the TCP sequence number of the frame in
 * it.  Packet 0: it was not. */
struct zmtp_moment {
    uint32_t packet;
    uint32_t seq;
};

/* One side of a connection, as the octets that it sent show it. */
struct zmtp_peer {
    bool unversioned;        /* ZMTP 1.0: began with a frame instead of a signature */
    bool saw_start;          /* its first octets were seen */
    uint32_t start_seq;      /* TCP sequence number of the first octet */
    uint32_t greeting_frame; /* last packet with a piece of the greeting */
    uint32_t greeting_len;   /* octets before the first frame, when the greeting is over */
    uint32_t identity_frame; /* packet with the identity frame of ZMTP 1.0 and 2.0 */
    uint32_t version_frame;  /* packet that told the version; 0: none did */
    enum zmtp_version version;
    const struct zmtp_mechanism *mechanism;
    const char *socket_type; /* static text, NULL: not known */
    struct zmtp_moment socket_type_learned;

    /* Used in the first pass only. */
    bool started; /* some octets of it were seen */
    bool in_greeting;
    bool signature_seen;
    uint8_t form;         /* of the greeting: enum form of greeting.c */
    uint8_t revision;     /* 11th octet of the greeting; 0xff: not seen */
    uint8_t identity_len; /* of an identity that would follow the signature, see greeting.c */
    bool have_next;
    uint32_t next_seq;    /* where the next frame begins */
    uint32_t pending_end; /* where a frame that is being reassembled ends; else next_seq */
    int32_t part;         /* parts seen of the unfinished multipart message; -1: not known */
    bool unopened;        /* a MESSAGE stayed closed: it may have held any part of a message */
    bool ready;           /* sent READY */
};

struct zmtp_conn {
    struct zmtp_peer peer[2];             /* indexed by direction, see zmtp_ctx.dir */
    const struct zmtp_mechanism *guessed; /* mechanism found without a greeting */
    uint32_t guessed_frame;
    int client; /* direction of the security client (who sent HELLO), -1: not known */
    struct zmtp_moment client_learned;
    struct zmtp_conn_state *states; /* of the mechanisms, see zmtp_conn_state */
    struct zmtp_moment settled;     /* the outcome of the handshake, where a frame tells it */
    enum zmtp_finding settled_as;   /* ZMTP_NO_FINDING: complete */
    const char *settled_text;
    struct zmtp_moment first_message; /* in ZMTP 1.0 and 2.0, which have no handshake */
    struct zmtp_story story;          /* for the diagnosis */
};

/* ---- A packet ---- */

enum zmtp_protection { ZMTP_CLEAR, ZMTP_DECRYPTED, ZMTP_ENCRYPTED };

#define ZMTP_INFO_PREVIEWS 4

/* The Info column, built while the frames of one call are dissected (info.c). */
struct zmtp_info {
    bool wanted; /* there is a column */
    wmem_strbuf_t *text;
    unsigned entries;
    unsigned left_out;
    struct { /* application frames that will be told together */
        unsigned frames;
        unsigned messages;
        int32_t first_part;
        int32_t last_part;
        bool more;
        uint64_t octets;
        enum zmtp_protection protection;
        tvbuff_t *payloads[ZMTP_INFO_PREVIEWS]; /* of the first frames; NULL: not opened */
    } run;
};

/* Plaintexts of one call, side by side in one data source: adding a source costs as much as there
 * are sources already, and one segment can hold a thousand small messages (message.c). */
struct zmtp_plaintexts {
    uint8_t *octets;
    unsigned size;
    unsigned used;
    tvbuff_t *tvb; /* NULL until the first box was opened */
};

/* Who may want the application frames of one call (handoff.c). */
struct zmtp_takers {
    bool known;
    dissector_handle_t by_name; /* NULL: nobody */
    bool any_heuristic;
};

/* A frame's header (RFC 13, RFC 23 "frame"). */
struct zmtp_header {
    unsigned size;
    uint8_t flags;
    bool unversioned; /* ZMTP 1.0: the length comes first, and counts the flags octet */
    uint64_t body_len;
};

/* One call by TCP: a run of frames in one direction. */
struct zmtp_ctx {
    packet_info *pinfo;
    proto_tree *top;
    struct zmtp_conn *conn;
    struct zmtp_peer *peer; /* who sent this */
    struct zmtp_peer *other;
    unsigned dir; /* index of peer in conn->peer */
    bool first_pass;
    bool shown;             /* somebody looks at our items */
    tvbuff_t *tvb;          /* all octets of the call */
    uint32_t tvb_seq;       /* TCP sequence number of its first octet */
    int32_t part;           /* parts seen of the unfinished multipart message; -1: not known */
    unsigned memo_findings; /* first pass: with a memo, see zmtp_remember_finding */
    unsigned shown_findings;
    bool left_out; /* it was said that not all of this packet is shown */
    struct zmtp_info info;
    struct zmtp_plaintexts plaintexts;
    struct zmtp_tap *tap; /* NULL: nobody listens */
    wmem_array_t *tap_frames;
    bool told_one; /* a frame of this call */
    struct zmtp_takers takers;

    /* The frame being dissected. */
    bool gap;         /* data are missing before it */
    uint32_t seq;     /* TCP sequence number of its first octet */
    unsigned offset;  /* of the frame in tvb */
    proto_item *root; /* of the frame; where nobody looks, of all frames of the call */
    proto_tree
        *tree; /* NULL where nobody looks; what runs for every message then spares the calls */
    uint8_t greeting_form; /* of a piece of a greeting: enum form of greeting.c */
    struct zmtp_told told;
};

/* ---- Registration (packet-zmtp.c) ---- */

/* What each file needs to register its own fields, expert items and preferences. */
struct zmtp_registry {
    int proto;
    expert_module_t *expert;
    module_t *prefs;
};

extern int zmtp_proto;
extern int zmtp_hf_socket_type, zmtp_hf_identity, zmtp_hf_mechanism; /* used in several files */

void zmtp_register_protocol(void);
void zmtp_register_handoff(void);

/* ---- The built-in dissector of Wireshark 4.4 and later (adopt.c) ---- */

/* Find or make the protocol "zmtp" and its preferences; fills in the registry. */
void zmtp_adopt_protocol(struct zmtp_registry *registry, dissector_t dissector);
void zmtp_adopt_handoff(void);
dissector_handle_t zmtp_handle(void);

/* ---- TCP stream to frames (stream.c, place.c, detect.c) ---- */

int zmtp_dissect_tcp(tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree, void *data);
void zmtp_register_stream(const struct zmtp_registry *registry);

zmtp_bool zmtp_heuristic_tcp(tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree, void *data);

/* ZMTP_PERHAPS: the octets are the beginning of a signature. */
enum zmtp_verdict { ZMTP_NO, ZMTP_PERHAPS, ZMTP_YES };
enum zmtp_verdict zmtp_looks_like_signature(tvbuff_t *tvb);

#define ZMTP_NO_BOUNDARY (-1)

struct zmtp_start {
    int32_t boundary; /* offset of the first frame, or ZMTP_NO_BOUNDARY */
    bool gap;         /* data are missing before it */
};

/* Where the first frame of a call begins; may find that another connection has begun. */
struct zmtp_start zmtp_place_first_frame(struct zmtp_ctx *ctx, conversation_t *conversation,
                                         const struct tcp_analysis *tcpd,
                                         const struct tcpinfo *tcpinfo);

/* Which side of the TCP conversation sends: index of struct zmtp_conn.peer. */
unsigned zmtp_direction(const struct tcp_analysis *tcpd);
/* Whether the data begin where the stream began, and whether the capture proves that. */
bool zmtp_at_stream_start(const struct tcp_analysis *tcpd, const struct tcpinfo *tcpinfo);
bool zmtp_saw_syn(const struct tcp_analysis *tcpd);

/* Look for a frame that holds a CURVE or GSSAPI MESSAGE, from offset on.  Returns the offset of the
 * frame's first octet and the mechanism, or -1. */
int zmtp_find_protected(tvbuff_t *tvb, unsigned offset, const struct zmtp_mechanism **mechanism);

/* Whether the frame body at offset body is a protected MESSAGE by its name. */
bool zmtp_is_protected(tvbuff_t *tvb, unsigned body);
bool zmtp_all_zero(const uint8_t *octets, unsigned len);
/* The mechanism that a frame body proves where no greeting was seen; NULL: none. */
const struct zmtp_mechanism *zmtp_guess_mechanism(tvbuff_t *body);

/* Whether the octets from offset on are whole frames from here to the end, as far as one can tell.
 */
bool zmtp_frames_plausible(tvbuff_t *tvb, unsigned offset, bool unversioned);

/* Read the frame header at offset.  False when more octets are needed (header->size: how many in
 * all).  Only captured octets are read. */
bool zmtp_frame_header(tvbuff_t *tvb, unsigned offset, bool unversioned,
                       struct zmtp_header *header);

/* Whether the tree shall take no more items: then zmtp_leave_out says so. */
bool zmtp_tree_is_full(const struct zmtp_ctx *ctx);

/* Say that this item should have been protected. */
void zmtp_mark_unprotected(struct zmtp_ctx *ctx, proto_item *item);

/* ---- Connections and memos (connection.c) ---- */

/* The connection that a packet belongs to; makes one in the first pass.  Several connections can
 * use the same TCP conversation one after another. */
struct zmtp_conn *zmtp_conn_get(conversation_t *conversation, packet_info *pinfo);
struct zmtp_conn *zmtp_conn_new(conversation_t *conversation, packet_info *pinfo);
/* The same; NULL where there is none. */
struct zmtp_conn *zmtp_conn_find(conversation_t *conversation, const packet_info *pinfo);
/* Have the call belong to this connection. */
void zmtp_use_conn(struct zmtp_ctx *ctx, struct zmtp_conn *conn);

/* First pass: make this frame the moment, unless there is one.  Whether it is this frame. */
bool zmtp_moment_keep(const struct zmtp_ctx *ctx, struct zmtp_moment *moment);
/* Whether the moment was before this frame, or in it. */
bool zmtp_moment_is_past(const struct zmtp_ctx *ctx, const struct zmtp_moment *moment);
bool zmtp_moment_has_come(const struct zmtp_ctx *ctx, const struct zmtp_moment *moment);

/* The lower of both sides' versions as known in this packet. */
enum zmtp_version zmtp_conn_version(const struct zmtp_ctx *ctx);
bool zmtp_conn_unversioned(const struct zmtp_ctx *ctx);
/* Whether the other side is known, in this packet, to speak ZMTP 1.0. */
bool zmtp_other_unversioned(const struct zmtp_ctx *ctx);
/* A mechanism's own state, `size` octets, zeros at first.  It lives as long as the capture file;
 * free_state, when not NULL, then frees what hangs on it.  Each mechanism has its own: hostile
 * peers can name different ones on one connection. */
void *zmtp_conn_state(struct zmtp_conn *conn, const struct zmtp_mechanism *mechanism, size_t size,
                      void (*free_state)(void *state));
const struct zmtp_mechanism *zmtp_conn_mechanism(const struct zmtp_ctx *ctx);
/* Whether a greeting or a frame told it; else NULL is taken for granted. */
bool zmtp_conn_mechanism_known(const struct zmtp_ctx *ctx);
void zmtp_learn_mechanism(struct zmtp_ctx *ctx, const struct zmtp_mechanism *mechanism);

/* Role of the sender in the security handshake: "client", "server" or NULL. */
const char *zmtp_sender_role(const struct zmtp_ctx *ctx);
void zmtp_learn_client(struct zmtp_ctx *ctx, bool sender_is_client);
void zmtp_learn_socket_type(struct zmtp_ctx *ctx, const char *name);

/* Socket type of the sender, or NULL.  Where only the other side's is known and it has one
 * possible kind of partner, that is used. */
bool zmtp_sender_subscribes(const struct zmtp_ctx *ctx);
/* Whether the sender is known to be a SUB socket, which cannot send messages (RFC 29). */
bool zmtp_sender_is_sub(const struct zmtp_ctx *ctx);

/* A memo keeps a number for a later visit to this packet; the key is a TCP sequence number, unique
 * within a packet and direction.  Made in the first pass, and only where a packet is special. */
enum zmtp_memo_kind {
    ZMTP_MEMO_CONTINUED,    /* where the first frame begins behind the rest of an earlier frame */
    ZMTP_MEMO_GAP,          /* ... behind missing data; -1: it could not be found */
    ZMTP_MEMO_PART,         /* parts seen before the first frame */
    ZMTP_MEMO_PART_LOST,    /* from this frame on part numbers are not known */
    ZMTP_MEMO_GREETING,     /* a piece of the greeting, see greeting.c */
    ZMTP_MEMO_STAYS_CLOSED, /* the key that there is does not open it */
    ZMTP_MEMO_FINDING,      /* + enum zmtp_finding: it was found here (zmtp_remember_finding) */
};
void zmtp_memo_put(packet_info *pinfo, enum zmtp_memo_kind kind, uint32_t seq, int32_t value);
bool zmtp_memo_get(packet_info *pinfo, enum zmtp_memo_kind kind, uint32_t seq, int32_t *value);

/* First pass: note with a memo that the finding belongs to this frame, if it is so; value says
 * more. Returns the value, on later visits too; 0: it was not found here. */
int32_t zmtp_remember_finding(struct zmtp_ctx *ctx, enum zmtp_finding finding, int32_t value);

/* ---- What connections have in common (common.c) ---- */

enum zmtp_common {
    ZMTP_COMMON_PAIR,     /* server port and client address: the latest connection */
    ZMTP_COMMON_SECURED,  /* server port: a connection that was secured */
    ZMTP_COMMON_IDENTITY, /* server port and Identity: the latest connection */
    ZMTP_COMMON_TRANSIENT /* C': the first connection */
};
/* Where the capture's connections keep something in common, NULL at first: by kind, by the server
 * port of a connection (NULL: of none), and by more octets.  Lives as long as the capture file. */
void **zmtp_common(enum zmtp_common kind, const struct zmtp_conn *server_of, const void *more,
                   unsigned more_len);
void zmtp_register_common(void);

/* ---- How the handshake goes (handshake.c) ---- */

/* A connection begins with this packet. */
void zmtp_begin_story(struct zmtp_conn *conn, conversation_t *conversation, packet_info *pinfo);
/* A TCP packet was tapped; the connection, if it was its FIN or RST. */
struct zmtp_conn *zmtp_note_end(packet_info *pinfo, const tcp_info_t *header);
/* The facts about the sender of this frame; they may be written in the first pass only. */
struct zmtp_side *zmtp_side(const struct zmtp_ctx *ctx);
/* First pass: the sender said this (enum zmtp_said). */
void zmtp_note_said(struct zmtp_ctx *ctx, unsigned said);
/* A command of the handshake by its name: what it says, and links to the commands around it. */
void zmtp_handshake_step(struct zmtp_ctx *ctx, proto_tree *tree, const char *name);
/* First pass: a command of the handshake is not well-formed; text says how. */
void zmtp_note_malformed(struct zmtp_ctx *ctx, const char *text);
/* READY: it settles the handshake, unless both sides have to send one. */
void zmtp_ready_seen(struct zmtp_ctx *ctx, bool both_needed);
/* This frame settles it: with a failure. */
void zmtp_handshake_failed(struct zmtp_ctx *ctx, enum zmtp_finding finding, const char *format, ...)
    G_GNUC_PRINTF(3, 4);
/* Whether an earlier frame settled it. */
bool zmtp_handshake_over(const struct zmtp_ctx *ctx);
/* The same, for who looks in the first pass or behind it. */
bool zmtp_handshake_complete(const struct zmtp_conn *conn);
/* A frame, or a piece of a greeting, was dissected: show why the handshake failed, if it did. */
void zmtp_show_diagnosis(struct zmtp_ctx *ctx);
void zmtp_register_handshake(const struct zmtp_registry *registry);
void zmtp_handshake_handoff(void);

/* ---- Security (security.c, heartbeat.c, pickle.c) ---- */

/* The header of the frame at ctx->seq has come, its body perhaps not yet. */
void zmtp_check_header(struct zmtp_ctx *ctx, const struct zmtp_header *header);
/* Say that this frame is large, if it was when its header came. */
void zmtp_show_large(struct zmtp_ctx *ctx, proto_item *item, const struct zmtp_header *header);
/* A frame was dissected: if a session begins with it, say what there is to say about that. */
void zmtp_check_session(struct zmtp_ctx *ctx);
/* Whether the packet goes from one machine to another, and neither address is loopback. */
bool zmtp_on_network(const struct zmtp_ctx *ctx);
/* Whether the connection is known to have neither authentication nor encryption. */
bool zmtp_is_unsecured(const struct zmtp_ctx *ctx);
bool zmtp_is_pickle(tvbuff_t *payload);
/* PING and PONG; ttl is in tenths of a second, 0: none. */
void zmtp_ping_seen(struct zmtp_ctx *ctx, proto_item *item, uint16_t ttl);
void zmtp_pong_seen(struct zmtp_ctx *ctx);
/* The PING of this side after which the connection was given up, and how; NULL: none. */
const struct zmtp_ping *zmtp_heartbeat_fate(const struct zmtp_conn *conn, unsigned dir,
                                            enum zmtp_finding *finding, double *seconds);

/* ---- Parts of a dissection ---- */

/* greeting.c: the length of the piece of the greeting that begins at ctx->offset, of whose
 * `reported` octets `have` are in the capture; 0: wait for more (*needed: how many, as for
 * desegment_len). */
unsigned zmtp_greeting_piece(struct zmtp_ctx *ctx, unsigned have, unsigned reported,
                             unsigned *needed);
void zmtp_dissect_greeting(struct zmtp_ctx *ctx, unsigned len);
/* Whether the octets at ctx->offset are in the greeting. */
bool zmtp_in_greeting(const struct zmtp_ctx *ctx);
/* First pass: whether the greeting can be read on although octets of it are missing. */
bool zmtp_greeting_resumes(struct zmtp_ctx *ctx);
void zmtp_dissect_identity(struct zmtp_ctx *ctx, tvbuff_t *tvb);
void zmtp_register_greeting(const struct zmtp_registry *registry);

/* command.c: body is a command: name length, name, data.  outer: the frame itself is the command,
 * otherwise it came out of a box. */
void zmtp_dissect_command(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *body, bool outer);
void zmtp_dissect_error(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *data, unsigned offset);
void zmtp_show_role(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *tvb);
void zmtp_show_role_as(proto_tree *tree, tvbuff_t *tvb, const char *role);
proto_item *zmtp_add_command_name(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *tvb,
                                  unsigned offset, unsigned len);
void zmtp_malformed(struct zmtp_ctx *ctx, proto_item *item, const char *format, ...)
    G_GNUC_PRINTF(3, 4);
void zmtp_register_command(const struct zmtp_registry *registry);

/* metadata.c: name and value pairs from offset to the end.  Appends to the text what the Info
 * column shall say (" Socket-Type=REQ"). */
void zmtp_dissect_metadata(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *tvb, unsigned offset,
                           wmem_strbuf_t *summary);
void zmtp_register_metadata(const struct zmtp_registry *registry);

/* message.c: one application frame or a subscription in message form, in the clear or opened. */
void zmtp_dissect_payload(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *payload, bool more,
                          enum zmtp_protection protection);
enum zmtp_subscription { ZMTP_SUBSCRIBE, ZMTP_CANCEL, ZMTP_SUBSCRIBE_OR_CANCEL };
void zmtp_show_subscription(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *topic,
                            enum zmtp_subscription kind);
/* The same, and what belongs around it where it is no command. */
void zmtp_dissect_subscription(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *topic,
                               enum zmtp_subscription kind);
/* A MESSAGE was opened, or was not: then it may have held any part of a message. */
void zmtp_count_protected(struct zmtp_ctx *ctx, bool opened);
/* Room for one more plaintext of len octets, and, when it was opened, the tvb of it.  The name is
 * that of the tab with all of this call's plaintexts. */
uint8_t *zmtp_plaintext_room(struct zmtp_ctx *ctx, unsigned len);
tvbuff_t *zmtp_plaintext_keep(struct zmtp_ctx *ctx, unsigned len, const char *source_name);
void zmtp_plaintexts_end(struct zmtp_ctx *ctx);
void zmtp_register_message(const struct zmtp_registry *registry);

/* handoff.c: give a whole application frame to the dissector of its payload. */
void zmtp_hand_off(struct zmtp_ctx *ctx, tvbuff_t *payload);
/* Call a dissector of other people's that may change neither the columns nor the packet's state; an
 * exception of its own is shown in tree and goes no further. */
void zmtp_call_apart(struct zmtp_ctx *ctx, tvbuff_t *tvb, proto_tree *tree,
                     void (*call)(struct zmtp_ctx *ctx, tvbuff_t *tvb, proto_tree *tree,
                                  void *data),
                     void *data);
void zmtp_register_handoff_tables(const struct zmtp_registry *registry);

/* info.c */
void zmtp_info_begin(struct zmtp_ctx *ctx);
void zmtp_info_add(struct zmtp_ctx *ctx, const char *text);
void zmtp_info_add_format(struct zmtp_ctx *ctx, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* An application frame; part 0: part numbers are not known; payload NULL: it is encrypted. */
void zmtp_info_add_data(struct zmtp_ctx *ctx, int32_t part, bool more, uint64_t octets,
                        tvbuff_t *payload, enum zmtp_protection protection);
void zmtp_info_end(struct zmtp_ctx *ctx);

/* text.c */
/* Octets as text for the Info column and tree labels: quoted where printable, else hexadecimal;
 * at most a few dozen octets of it.  Packet scope. */
const char *zmtp_printable(packet_info *pinfo, tvbuff_t *tvb, unsigned offset, unsigned len);
/* The same as it stands in "Socket-Type=REQ": bare where it is one word. */
const char *zmtp_printable_word(packet_info *pinfo, tvbuff_t *tvb, unsigned offset, unsigned len);
/* A name from the wire; of a long one the beginning.  Wireshark 4.0 cuts labels after 239 octets,
 * whatever character is there, so text from the wire must end before. */
const char *zmtp_name_text(packet_info *pinfo, tvbuff_t *tvb, unsigned offset, unsigned len);
/* The beginning of a payload in quotes, where that is text; otherwise NULL. */
const char *zmtp_text_preview(packet_info *pinfo, tvbuff_t *payload);
/* Whether octets have what Wireshark cannot show within a string field. */
bool zmtp_is_awkward_text(const uint8_t *octets, unsigned len);
/* A string field of octets that may be anything; the same as proto_tree_add_item with UTF-8, but
 * what Wireshark cannot show is escaped. */
proto_item *zmtp_add_text(struct zmtp_ctx *ctx, proto_tree *tree, int hf, tvbuff_t *tvb,
                          unsigned offset, unsigned len);

/* ---- Keys (keys.c) ---- */

struct zmtp_keyring;
/* The keys that the user gave, never NULL; looked at anew when a source has changed. */
struct zmtp_keyring *zmtp_keys(void);
/* Look now: a handshake is going on, whose keys may just have been written. */
void zmtp_keys_renew(void);
void zmtp_register_keys(const struct zmtp_registry *registry);

/* ---- Security mechanisms (mechanism.c, mech_*.c) ---- */

/* A mechanism is one file and one row in zmtp_mechanisms[]. */
struct zmtp_mechanism {
    const char *name;   /* as in the greeting */
    const char *prefix; /* its name and a blank, for the Info column; "" where it says nothing */
    /* Whether what the sender now says outside of a MESSAGE breaks the protocol; NULL: never. */
    bool (*protects)(const struct zmtp_ctx *ctx);
    /* A command with this name (data: behind the name).  False: not one of this mechanism's. */
    bool (*command)(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *data, const char *name);
    /* Whether the body of body_len octets at offset body of tvb, of which a part may be there, is
     * certainly a frame of this mechanism: for connections whose greeting was not seen. */
    bool (*claims)(tvbuff_t *tvb, unsigned body, uint64_t body_len);
    /* A body that begins like a protected frame ("\x07MESSAGE" ...), NULL where traffic is not
     * protected.  outer_command: the frame had the COMMAND flag.  False: it is none after all. */
    bool (*protected_frame)(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *body,
                            bool outer_command);
    void (*register_fields)(const struct zmtp_registry *registry);
    void (*register_handoff)(void); /* NULL: no other dissector is needed */
};

extern const struct zmtp_mechanism zmtp_mechanism_null, zmtp_mechanism_plain, zmtp_mechanism_curve,
    zmtp_mechanism_gssapi;
extern const struct zmtp_mechanism *const zmtp_mechanisms[];

/* By the name in a greeting, without padding; NULL: not known. */
const struct zmtp_mechanism *zmtp_mechanism_find(const char *name);

#endif
