/* fuzz_dissector.c - fuzzes the whole dissector, through TCP.
 *
 * The input says in records what several pairs of peers do; of that a capture is made, and read.
 *
 *   input  = options record*
 *   record = operation length data     operation: 4 bits what, 1 who sends, 2 which connection;
 *                                      length: 2 octets
 *
 * Besides what sanitizers find, it requires that the boxes of regular peers are opened and show
 * what was sealed, and that all text for people is UTF-8.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "key_files.h"
#include "peers.h"
#include "records.h"

#include <stdlib.h>

#include "../zmtp.h"

enum { CONNECTIONS = 4, MAX_RECORDS = 100 };

/* One run's. */
struct script {
    struct capture capture;
    struct peers peers[CONNECTIONS];
    unsigned given; /* which of the peers' keys: GIVE_SESSION_KEY and so on */
    bool as_text;   /* they come as lines of a key log, or in a block */
    char *keys;     /* for the key log, before the next packet */
    unsigned keys_len;
    bool other_keys;
};

static struct handshake handshakes[CONNECTIONS];

static void make_handshakes(void)
{
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        char seed[] = {'f', 'u', 'z', 'z', (char)('0' + i), '\0'};

        make_handshake_from_seed(&handshakes[i], seed);
    }
}

/* ---- Records ---- */

static void greet(struct peers *peers, unsigned from, const struct record *record)
{
    static const char *const mechanisms[] = {"NULL", "PLAIN", "CURVE", "GSSAPI", "OTHER", ""};
    unsigned which = record->len > 0 ? record->data[0] : 0;

    peers_greet(peers, from, mechanisms[which % array_length(mechanisms)],
                record->len > 1 ? record->data[1] : 1);
}

static void command(struct peers *peers, unsigned from, const struct record *record)
{
    static const char *const names[] = {"READY", "ERROR",    "PING",    "PONG",      "SUBSCRIBE",
                                        "HELLO", "INITIATE", "WELCOME", "CANCEL",    "MESSAGE",
                                        "JOIN",  "LEAVE",    "",        "TERMINATE", "READY2"};

    if (record->len > 0)
        peers_send_command(peers, from, names[record->data[0] % array_length(names)],
                           record->data + 1, record->len - 1);
}

static void step(struct peers *peers, unsigned from, const struct record *record)
{
    if (record->len > 0)
        peers_step(peers, from, (enum step)(record->data[0] % STEPS), record->data + 1,
                   record->len - 1);
}

static void frame(struct peers *peers, unsigned from, const struct record *record)
{
    if (record->len > 0)
        (void)peers_send_frame(peers, from, record->data[0], record->data + 1, record->len - 1);
}

/* What happens to the next segment. */
static void decide_fate(struct peers *peers, const struct record *record)
{
    if (record->len > 0)
        peers->tcp.fate = record->data[0];
    if (record->len > 1)
        peers->tcp.cut = record->data[1];
}

/* A segment with flags, of which the sequence number can be elsewhere. */
static void segment(struct peers *peers, unsigned from, const struct record *record)
{
    if (record->len > 2)
        peers->tcp.next_seq[from] += (uint32_t)(int16_t)(record->data[1] << 8 | record->data[2]);
    if (record->len > 0)
        (void)tcp_send(&peers->tcp, from, record->data[0], record->data + MIN(3, record->len),
                       record->len - MIN(3, record->len));
}

static void add_keys(struct script *script, const struct record *record)
{
    script->other_keys = true;
    expect_key_log(record->len > 0);
    script->keys = (char *)g_realloc(script->keys, script->keys_len + record->len + 1);
    memcpy(script->keys + script->keys_len, record->data, record->len);
    script->keys_len += record->len;
}

/* Whether regular peers do it once they have shaken hands. */
static bool is_regular(enum operation operation)
{
    return operation == BOX || operation == SIZE || operation == TIME || operation == SHAKE_HANDS;
}

static void operate(struct script *script, const struct record *record)
{
    struct peers *peers = &script->peers[record->connection];
    unsigned from = record->from;
    unsigned first = record->len > 0 ? record->data[0] : 0;

    if (!is_regular(record->operation))
        peers->regular = false;
    switch (record->operation) {
    case OCTETS:
        (void)peers_send(peers, from, record->data, record->len);
        break;
    case FRAME:
        frame(peers, from, record);
        break;
    case COMMAND:
        command(peers, from, record);
        break;
    case GREETING:
        greet(peers, from, record);
        break;
    case OPEN:
        tcp_open(&peers->tcp);
        break;
    case SHAKE_HANDS:
        peers_shake_hands(peers);
        break;
    case STEP:
        step(peers, from, record);
        break;
    case BOX:
        peers_send_box(peers, from, record->data, record->len);
        break;
    case SIZE:
        peers->segment_size = first;
        break;
    case FATE:
        decide_fate(peers, record);
        break;
    case SEGMENT:
        segment(peers, from, record);
        break;
    case RESTART:
        tcp_restart(&peers->tcp, first & 1);
        break;
    case TIME:
        peers->tcp.microseconds = first * first * 1000;
        break;
    case KEY_LOG:
        add_keys(script, record);
        break;
    case KEY_ROW:
        script->other_keys = true;
        add_key_row(peers->keys, record->data, record->len);
        break;
    case CERTIFICATE:
        script->other_keys = true;
        give_certificate(peers->keys, record->data, record->len);
        break;
    }
}

static void run_script(struct script *script, struct records *records)
{
    struct record record;

    for (unsigned i = 0; i < MAX_RECORDS && next_record(records, &record); i++) {
        unsigned before = script->capture.count;

        operate(script, &record);
        if (script->keys && script->capture.count > before) {
            script->capture.packets[before].keys = script->keys;
            script->capture.packets[before].keys_len = script->keys_len;
            script->keys = NULL;
            script->keys_len = 0;
        }
    }
}

/* ---- Reading ---- */

static void on_open(void *user_data)
{
    const struct script *script = (const struct script *)user_data;

    for (unsigned i = 0; i < CONNECTIONS && script->given; i++) {
        if (script->as_text)
            append_key_lines(&handshakes[i], script->given);
        else
            give_keys(zmtp_keys(), &handshakes[i], script->given, ZMTP_SOURCE_KEYLOG);
    }
    zmtp_keys_renew();
}

static void on_keys(void *user_data, const char *keys, unsigned len)
{
    (void)user_data;
    append_keys(keys, len);
}

/* Whether the keys open messages.  The client's transient key needs WELCOME, which its server's key
 * opens. */
static bool is_enough(unsigned given)
{
    const unsigned with_welcome = GIVE_CLIENT_TRANSIENT_SECRET | GIVE_SERVER_SECRET;

    return given & (GIVE_SESSION_KEY | GIVE_SERVER_TRANSIENT_SECRET) ||
           (given & with_welcome) == with_welcome;
}

/* Whether the plugin must open every box that was sealed; how many there are. */
static bool must_open_all(const struct script *script, unsigned *boxes)
{
    *boxes = 0;
    if (!is_enough(script->given) || script->other_keys || script->capture.count == MAX_PACKETS)
        return false;
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        if (script->peers[i].begun && !script->peers[i].regular)
            return false;
        *boxes += script->peers[i].boxes;
    }
    return true;
}

static void choose_preferences(unsigned options)
{
    static unsigned now;
    unsigned changed = options ^ now;

    now = options;
    if (changed & OUT_OF_ORDER)
        set_preference("tcp.reassemble_out_of_order", options & OUT_OF_ORDER ? "TRUE" : "FALSE");
    if (changed & NO_REASSEMBLY)
        set_preference("tcp.desegment_tcp_streams", options & NO_REASSEMBLY ? "FALSE" : "TRUE");
    if (changed & DECODE_AS) {
        if (options & DECODE_AS)
            dissector_change_uint("tcp.port", ZMTP_PORT, zmtp_handle());
        else
            dissector_reset_uint("tcp.port", ZMTP_PORT);
    }
}

static void read_script(struct script *script, unsigned options)
{
    struct reading reading = {
        .tree = (enum tree)MIN(options & TREE, TREE_SEEN),
        .second_pass = (options & SECOND_PASS) != 0,
        .draw = (options & DRAW) != 0,
        .on_open = on_open,
        .on_keys = on_keys,
        .user_data = script,
    };

    reading.boxes_known = !(options & NO_REASSEMBLY) && must_open_all(script, &reading.boxes);
    reading.payloads = reading.boxes_known;
    if (getenv("ZMTP_FUZZ_PCAP"))
        write_capture(&script->capture, getenv("ZMTP_FUZZ_PCAP"));
    read_capture(&script->capture, &reading);
}

/* The parameters are libFuzzer's. NOLINTNEXTLINE(readability-non-const-parameter) */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    start_wireshark();
    make_handshakes();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct script script;
    struct records records = {data, (unsigned)size};
    unsigned options = next_octet(&records);

    script.given = next_octet(&records);
    script.other_keys = false;
    for (unsigned i = 0; i < CONNECTIONS; i++)
        peers_init(&script.peers[i], &script.capture, i, &handshakes[i]);
    script.as_text = (options & AS_TEXT) != 0;
    begin_key_files(script.as_text);
    if (script.as_text && script.given)
        expect_key_log(true);
    run_script(&script, &records);
    choose_preferences(options);
    read_script(&script, options);
    for (unsigned i = 0; i < CONNECTIONS; i++)
        tcp_clear(&script.peers[i].tcp);
    empty_capture(&script.capture);
    g_free(script.keys);
    script.keys = NULL;
    script.keys_len = 0;
    end_key_files();
    return 0;
}
