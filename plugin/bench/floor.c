/* floor.c - the least that a ZMTP dissector can do, as a yardstick for the plugin: it finds the
 * frames with tcp_dissect_pdus and adds four tree items for each.
 *
 * It takes every connection for ZMTP 3 and remembers nothing.  With ZMTP_FLOOR_KEYS, a key log of
 * session keys, it opens each MESSAGE and shows the plaintext in place of the box: with the only
 * key of the log, or with that of the connection, which HELLO tells.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <wireshark.h>

#include <epan/conversation.h>
#include <epan/dissectors/packet-tcp.h>
#include <epan/packet.h>
#include <epan/proto.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../compat.h"

#define SERVER_PORT 5590
#define GREETING_LEN 64
#define FLAG_LONG 2
#define FLAG_COMMAND 4

enum { SHORT_HEADER = 2, LONG_HEADER = 9, KEY = 32, NONCE = 24, TAG = 16, TWO_KEYS = 64 };
enum { HELLO_LEN = 200, HELLO_KEY = 80, MESSAGE_NAME = 8, SEALED_LEN = MESSAGE_NAME + 8 + TAG + 1 };

static int proto = -1;
static int hf_flags = -1;
static int hf_length = -1;
static int hf_data = -1;
static int hf_other = -1;
static int ett = -1;
static dissector_handle_t handle;

static GHashTable *keys; /* by C', where there are several */
static const uint8_t *only_key;
static const uint8_t *key; /* of the segment being dissected */

static guint key_hash(gconstpointer public_key)
{
    guint hash;

    memcpy(&hash, public_key, sizeof hash);
    return hash;
}

static gboolean key_equal(gconstpointer one, gconstpointer other)
{
    return memcmp(one, other, KEY) == 0;
}

static void read_keys(const char *path)
{
    char line[512];
    FILE *log = fopen(path, "r");

    keys = g_hash_table_new(key_hash, key_equal);
    while (log && fgets(line, sizeof line, log)) {
        char **word = g_strsplit(g_strchomp(line), " ", 4);
        uint8_t *pair = (uint8_t *)g_malloc(TWO_KEYS); /* the client's key, the session's */

        if (g_strv_length(word) != 4 ||
            sodium_hex2bin(pair, KEY, word[1], TWO_KEYS, NULL, NULL, NULL) != 0 ||
            sodium_hex2bin(pair + KEY, KEY, word[3], TWO_KEYS, NULL, NULL, NULL) != 0) {
            (void)fprintf(stderr, "floor: %s: not a key log of session keys\n", path);
            exit(1);
        }
        g_hash_table_insert(keys, pair, pair + KEY);
        only_key = g_hash_table_size(keys) == 1 ? pair + KEY : NULL;
        g_strfreev(word);
    }
    if (!log || g_hash_table_size(keys) == 0) {
        (void)fprintf(stderr, "floor: no keys in %s\n", path);
        exit(1);
    }
    (void)fclose(log);
}

/* The whole PDU's length, as tcp_dissect_pdus asks for it; 0: it takes one more segment to know. */
static guint get_length(packet_info *pinfo _U_, tvbuff_t *tvb, int offset, void *data _U_)
{
    uint8_t flags = tvb_get_uint8(tvb, offset);
    uint64_t len;

    if (flags == 0xff)
        return GREETING_LEN;
    if (!(flags & FLAG_LONG))
        return SHORT_HEADER + (guint)tvb_get_uint8(tvb, offset + 1);
    if (tvb_reported_length_remaining(tvb, offset) < LONG_HEADER)
        return 0;
    len = tvb_get_ntoh64(tvb, offset + 1);
    return len > G_MAXINT32 - LONG_HEADER ? LONG_HEADER : LONG_HEADER + (guint)len;
}

/* The plaintext behind its flags octet, or NULL. */
static uint8_t *open_box(packet_info *pinfo, tvbuff_t *tvb, int body, unsigned box_len)
{
    const uint8_t *short_nonce = tvb_get_ptr(tvb, body + MESSAGE_NAME, (int)(8 + box_len));
    uint8_t *plaintext = (uint8_t *)wmem_alloc(pinfo->pool, box_len - TAG);
    uint8_t nonce[NONCE];

    memcpy(nonce, pinfo->srcport == SERVER_PORT ? "CurveZMQMESSAGES" : "CurveZMQMESSAGEC", 16);
    memcpy(nonce + 16, short_nonce, 8);
    if (crypto_box_open_easy_afternm(plaintext, short_nonce + 8, box_len, nonce, key) != 0)
        return NULL;
    return plaintext + 1;
}

static void show_body(proto_tree *tree, packet_info *pinfo, tvbuff_t *tvb, int header, int len,
                      bool command)
{
    bool sealed = len >= SEALED_LEN &&
                  tvb_memeql(tvb, header, (const uint8_t *)"\7MESSAGE", MESSAGE_NAME) == 0;
    const uint8_t *plaintext = NULL;

    if (sealed && key)
        plaintext = open_box(pinfo, tvb, header, (unsigned)(len - MESSAGE_NAME - 8));
    if (plaintext)
        proto_tree_add_bytes_with_length(tree, hf_data, tvb, header + SEALED_LEN, len - SEALED_LEN,
                                         plaintext, len - SEALED_LEN);
    else
        proto_tree_add_item(tree, sealed || command ? hf_other : hf_data, tvb, header, len, ENC_NA);
}

static void find_key(packet_info *pinfo, tvbuff_t *tvb, int body, int len)
{
    if (len != HELLO_LEN || tvb_memeql(tvb, body, (const uint8_t *)"\5HELLO", 6) != 0)
        return;
    conversation_add_proto_data(find_or_create_conversation(pinfo), proto,
                                g_hash_table_lookup(keys, tvb_get_ptr(tvb, body + HELLO_KEY, KEY)));
}

static int dissect_frame(tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree, void *data _U_)
{
    int len = (int)tvb_captured_length(tvb);
    uint8_t flags = tvb_get_uint8(tvb, 0);
    int header = flags == 0xff ? 0 : flags & FLAG_LONG ? LONG_HEADER : SHORT_HEADER;
    proto_item *item = proto_tree_add_item(tree, proto, tvb, 0, -1, ENC_NA);
    proto_tree *subtree = proto_item_add_subtree(item, ett);

    if (header == 0)
        return len; /* the greeting */
    proto_tree_add_item(subtree, hf_flags, tvb, 0, 1, ENC_NA);
    proto_tree_add_item(subtree, hf_length, tvb, 1, header - 1, ENC_BIG_ENDIAN);
    if (keys && !only_key)
        find_key(pinfo, tvb, header, len - header);
    if (len > header)
        show_body(subtree, pinfo, tvb, header, len - header, flags & FLAG_COMMAND);
    return len;
}

static int dissect(tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree, void *data)
{
    key = only_key;
    if (keys && !only_key)
        key =
            (const uint8_t *)conversation_get_proto_data(find_or_create_conversation(pinfo), proto);
    col_set_str(pinfo->cinfo, COL_PROTOCOL, "FLOOR");
    col_clear(pinfo->cinfo, COL_INFO);
    tcp_dissect_pdus(tvb, pinfo, tree, TRUE, SHORT_HEADER, get_length, dissect_frame, data);
    return (int)tvb_captured_length(tvb);
}

static void register_protocol(void)
{
    static hf_register_info fields[] = {
        {&hf_flags, {"Flags", "zmtpfloor.flags", FT_UINT8, BASE_HEX, NULL, 0, NULL, HFILL}},
        {&hf_length, {"Length", "zmtpfloor.length", FT_UINT64, BASE_DEC, NULL, 0, NULL, HFILL}},
        {&hf_data, {"Data", "zmtpfloor.data", FT_BYTES, BASE_NONE, NULL, 0, NULL, HFILL}},
        {&hf_other,
         {"Command or box", "zmtpfloor.other", FT_BYTES, BASE_NONE, NULL, 0, NULL, HFILL}},
    };
    static int *trees[] = {&ett};
    const char *path = getenv("ZMTP_FLOOR_KEYS");

    if (path)
        read_keys(path);
    proto = proto_register_protocol("ZMTP floor", "FLOOR", "zmtpfloor");
    proto_register_field_array(proto, fields, array_length(fields));
    proto_register_subtree_array(trees, array_length(trees));
    handle = register_dissector("zmtpfloor", dissect, proto);
}

static void register_handoff(void)
{
    dissector_add_for_decode_as("tcp.port", handle);
}

WS_DLL_PUBLIC_DEF const char plugin_version[] = "0";
WS_DLL_PUBLIC_DEF const int plugin_want_major = WIRESHARK_VERSION_MAJOR;
WS_DLL_PUBLIC_DEF const int plugin_want_minor = WIRESHARK_VERSION_MINOR;

WS_DLL_PUBLIC_DEF void plugin_register(void);
WS_DLL_PUBLIC_DEF uint32_t plugin_describe(void);

void plugin_register(void)
{
    static proto_plugin plugin;

    if (sodium_init() < 0)
        return;
    plugin.register_protoinfo = register_protocol;
    plugin.register_handoff = register_handoff;
    proto_register_plugin(&plugin);
}

uint32_t plugin_describe(void)
{
    return 1; /* a dissector */
}
