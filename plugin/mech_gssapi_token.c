/* mech_gssapi_token.c - GSS-API tokens: what their headers tell, and Wireshark's own dissectors for
 * the rest.  There is no Kerberos and no cryptography here.
 *
 * A keytab is given to Wireshark's Kerberos dissector (preferences kerberos.decrypt and
 * kerberos.file).  It opens the ticket in AP-REQ, and the keys in it and in AP-REP then open the
 * Wrap tokens of every connection in the capture.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "mech_gssapi.h"

#include <epan/dissectors/packet-gssapi.h>
#include <epan/prefs-int.h>
#include <glib/gstdio.h>

#include <unistd.h>

#define CFX_HEADER_LEN 16 /* RFC 4121 4.2.6.2 */
#define CFX_SENT_BY_ACCEPTOR 0x01
#define CFX_SEALED 0x02
#define CFX_ACCEPTOR_SUBKEY 0x04
#define CFX_WRAP 0x0504
#define CFX_RRC_AT 6

#define OLD_HEADER_LEN 6 /* RFC 1964 1.2.2: TOK_ID, SGN_ALG, SEAL_ALG */
#define OLD_WRAP 0x0201
#define SIGN_RC4 0x1100
#define SEAL_NONE 0xffff
#define SEAL_RC4 0x1000
#define MAX_PAD 8

#define FRAMING_TAG 0x60 /* RFC 2743 3.1: [APPLICATION 0] length OID */
#define OID_TAG 0x06

static dissector_handle_t gssapi_handle;
static dissector_handle_t gssapi_verf_handle;

/* ---- Headers ---- */

static const struct {
    const char *name;
    enum zmtp_gss_sender sender;
    uint16_t id;
} token_kinds[] = {
    {"AP-REQ", ZMTP_GSS_INITIATOR, 0x0100},
    {"AP-REP", ZMTP_GSS_ACCEPTOR, 0x0200},
    {"KRB-ERROR", ZMTP_GSS_ACCEPTOR, 0x0300},
    {"Wrap", ZMTP_GSS_SENDER_UNKNOWN, OLD_WRAP},
};

static void read_cfx(tvbuff_t *token, struct zmtp_gss_header *header)
{
    uint8_t flags = tvb_get_uint8(token, 2);

    header->name = "Wrap";
    header->wrap = header->cfx = true;
    header->sender = flags & CFX_SENT_BY_ACCEPTOR ? ZMTP_GSS_ACCEPTOR : ZMTP_GSS_INITIATOR;
    header->sealed = (flags & CFX_SEALED) != 0;
    header->acceptor_subkey = (flags & CFX_ACCEPTOR_SUBKEY) != 0;
    header->extra_count = tvb_get_ntohs(token, 4);
    header->right_rotated = tvb_get_ntohs(token, CFX_RRC_AT);
}

/* A Kerberos token behind its framing. */
static void read_framed(tvbuff_t *token, unsigned offset, struct zmtp_gss_header *header)
{
    uint16_t id;

    if (tvb_captured_length(token) < offset + OLD_HEADER_LEN)
        return;
    id = tvb_get_ntohs(token, (int)offset);
    for (size_t i = 0; i < array_length(token_kinds); i++) {
        if (token_kinds[i].id == id) {
            header->name = token_kinds[i].name;
            header->sender = token_kinds[i].sender;
        }
    }
    if (id == OLD_WRAP) {
        uint16_t seal = tvb_get_ntohs(token, (int)offset + 4);

        header->wrap = true;
        header->sealed = seal != SEAL_NONE;
        header->other_cipher = tvb_get_ntohs(token, (int)offset + 2) != SIGN_RC4 ||
                               (header->sealed && seal != SEAL_RC4);
    }
}

/* [APPLICATION 0], the length of all that follows, the mechanism's OID.  Returns the offset behind
 * it, 0: the length is more than there is, or no length. */
static unsigned read_framing(tvbuff_t *token, bool *kerberos)
{
    static const uint8_t kerberos_oid[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02};
    unsigned have = tvb_captured_length(token);
    unsigned offset = 2;
    unsigned len_octets;
    uint32_t len;

    if (have < offset)
        return 0;
    len = tvb_get_uint8(token, 1);
    if (len & 0x80) { /* X.690 8.1.3.5: so many octets of length follow */
        len_octets = len & 0x7f;
        if (len_octets < 1 || len_octets > 4 || have < offset + len_octets)
            return 0;
        len = 0;
        while (len_octets-- > 0)
            len = len << 8 | tvb_get_uint8(token, (int)offset++);
    }
    if (len > tvb_reported_length(token) - offset)
        return 0;
    *kerberos = have >= offset + 2 + sizeof kerberos_oid &&
                tvb_get_uint8(token, (int)offset) == OID_TAG &&
                tvb_get_uint8(token, (int)offset + 1) == sizeof kerberos_oid &&
                tvb_memeql(token, (int)offset + 2, kerberos_oid, sizeof kerberos_oid) == 0;
    return offset + 2 + (unsigned)sizeof kerberos_oid;
}

bool zmtp_gss_read_header(tvbuff_t *token, struct zmtp_gss_header *header)
{
    unsigned have = tvb_captured_length(token);
    bool kerberos = false;
    unsigned offset;

    memset(header, 0, sizeof *header);
    if (have >= CFX_HEADER_LEN && tvb_get_ntohs(token, 0) == CFX_WRAP) {
        read_cfx(token, header);
    } else if (have >= 1 && tvb_get_uint8(token, 0) == FRAMING_TAG) {
        offset = read_framing(token, &kerberos);
        if (offset == 0)
            return have < tvb_reported_length(token);
        if (kerberos)
            read_framed(token, offset, header);
        else
            header->sender = ZMTP_GSS_INITIATOR; /* RFC 2743 3.1: of the initial token only */
    }
    return true;
}

/* ---- Wireshark's dissectors ---- */

struct gss_call {
    dissector_handle_t handle;
    gssapi_encrypt_info_t info;
    int used; /* octets of the token that are no data */
};

static void call_gss(struct zmtp_ctx *ctx, tvbuff_t *token, proto_tree *tree, void *data)
{
    struct gss_call *call = (struct gss_call *)data;

    call->used = call_dissector_only(call->handle, token, ctx->pinfo, tree, &call->info);
}

/* They add two data sources for each token: the octets un-rotated, and the plaintext with its
 * excess.  Both are of no use to a person, who gets the plaintexts side by side in one, and a
 * thousand tokens in a segment would make it a long list to walk. */
static void call_without_sources(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *token,
                                 struct gss_call *call)
{
    packet_info *pinfo = ctx->pinfo;
    GSList *sources = pinfo->data_src;

    pinfo->data_src = NULL;
    zmtp_call_apart(ctx, token, tree, call_gss, call);
    g_slist_free(pinfo->data_src);
    pinfo->data_src = sources;
}

void zmtp_gss_dissect_token(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *token)
{
    struct gss_call call = {.handle = gssapi_handle};

    if (gssapi_handle)
        zmtp_call_apart(ctx, token, tree, call_gss, &call);
}

/* Of a token that is only signed. */
static tvbuff_t *signed_data(tvbuff_t *token, const struct zmtp_gss_header *header, int used)
{
    unsigned len = tvb_captured_length(token);
    unsigned at = CFX_HEADER_LEN;
    unsigned pad;

    if (len < tvb_reported_length(token))
        return NULL;
    if (header->cfx) {
        if (len - at < header->extra_count ||
            (header->right_rotated != 0 && header->right_rotated != header->extra_count))
            return NULL;
        if (header->right_rotated != 0)
            at += header->extra_count; /* the checksum comes first */
        return tvb_new_subset_length(token, (int)at,
                                     (int)(len - CFX_HEADER_LEN - header->extra_count));
    }
    /* RFC 1964 1.2.2.3: 1 to 8 octets of padding, which tell how many they are. */
    if (used <= 0 || (unsigned)used >= len)
        return NULL;
    pad = tvb_get_uint8(token, (int)len - 1);
    if (pad < 1 || pad > MAX_PAD || pad > len - (unsigned)used)
        return NULL;
    return tvb_new_subset_length(token, used, (int)(len - pad) - used);
}

tvbuff_t *zmtp_gss_unwrap(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *token,
                          const struct zmtp_gss_header *header)
{
    struct gss_call call = {.handle = gssapi_verf_handle,
                            .info = {.decrypt_gssapi_tvb = DECRYPT_GSSAPI_NORMAL}};

    if (!gssapi_verf_handle)
        return NULL;
    call_without_sources(ctx, tree, token, &call);
    if (!header->wrap || header->other_cipher)
        return NULL;
    return header->sealed ? call.info.gssapi_decrypted_tvb : signed_data(token, header, call.used);
}

unsigned zmtp_gss_is_excess(tvbuff_t *token, tvbuff_t *plain, unsigned offset)
{
    unsigned len = tvb_captured_length(plain) - offset;
    uint8_t header[CFX_HEADER_LEN];

    if (len == 0 || len > sizeof header)
        return 0;
    tvb_memcpy(token, header, 0, sizeof header);
    /* RFC 4121 4.2.4: the copy has zeros for RRC. */
    header[CFX_RRC_AT] = header[CFX_RRC_AT + 1] = 0;
    return tvb_memeql(plain, (int)offset, header, len) == 0 ? len : 0;
}

void zmtp_gss_register_handoff(void)
{
    gssapi_handle = find_dissector_add_dependency("gssapi", zmtp_proto);
    gssapi_verf_handle = find_dissector_add_dependency("gssapi_verf", zmtp_proto);
}

/* ---- Why not ---- */

#define HOW_TO_GIVE "-o kerberos.decrypt:TRUE -K service.keytab, or the preferences of Kerberos"

static const char *why_no_key(packet_info *pinfo, const struct zmtp_gss_known *known)
{
    module_t *kerberos = prefs_find_module("kerberos");
    pref_t *decrypt = kerberos ? prefs_find_preference(kerberos, "decrypt") : NULL;
    pref_t *file = kerberos ? prefs_find_preference(kerberos, "file") : NULL;
    const char *keytab;
    const char *path;

    if (!decrypt || !file)
        return "this Wireshark was built without Kerberos decryption";
    if (!prefs_get_bool_value(decrypt, pref_current))
        return "Kerberos decryption is off: turn it on and give a keytab with the key of the "
               "service (" HOW_TO_GIVE ")";
    keytab = prefs_get_string_value(file, pref_current);
    if (!keytab || !*keytab)
        return wmem_strdup_printf(
            pinfo->pool,
            "no keytab is set, or the one given with -K has no key for the ticket in frame %u "
            "(" HOW_TO_GIVE ")",
            known->ap_req_frame);
    path = g_str_has_prefix(keytab, "FILE:") ? keytab + strlen("FILE:") : keytab;
    if (g_access(path, R_OK) != 0)
        return wmem_strdup_printf(pinfo->pool, "the keytab %s cannot be read", keytab);
    return wmem_strdup_printf(
        pinfo->pool,
        "the keytab %s has no key for the ticket in frame %u: there stand the name of the service "
        "(sname), the encryption type and the number (kvno) of the key that is needed",
        keytab, known->ap_req_frame);
}

const char *zmtp_gss_why_not(struct zmtp_ctx *ctx, tvbuff_t *token,
                             const struct zmtp_gss_header *header,
                             const struct zmtp_gss_known *known)
{
    if (tvb_captured_length(token) < tvb_reported_length(token))
        return "cut short in the capture";
    if (!header->wrap)
        return "not a Wrap token of Kerberos";
    if (header->other_cipher)
        return "of the tokens in this old form (RFC 1964) Wireshark opens those with RC4 only";
    if (!header->sealed)
        return "signed only, but its parts do not fit or are rotated in an unknown way";
    if (known->others_opened)
        return "damaged: earlier tokens of this connection were opened, this one fails "
               "authentication";
    if (!known->ap_req_frame)
        return "the client's INITIATE is not in the capture, or not whole: the keys of the "
               "connection are in its ticket, so no keytab can open this";
    if (header->acceptor_subkey && !known->ap_rep)
        return "the server's INITIATE is not in the capture, or not whole: it holds the key of "
               "the connection, so no keytab can open this";
    return why_no_key(ctx->pinfo, known);
}
