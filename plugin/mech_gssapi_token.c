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

#define CFX_HEADER_LEN 16 /* RFC 4121 4.2.6.2 */
#define CFX_SENT_BY_ACCEPTOR 0x01
#define CFX_SEALED 0x02
#define CFX_ACCEPTOR_SUBKEY 0x04
#define CFX_WRAP 0x0504
#define CFX_RRC_AT 6

#define AP_REQ 0x0100 /* RFC 4121 4.1 */
#define AP_REP 0x0200
#define KRB_ERROR 0x0300

#define OLD_WRAP 0x0201       /* RFC 1964 1.2.2: TOK_ID, SGN_ALG, SEAL_ALG, ... */
#define OLD_RC4_HEADER_LEN 32 /* RFC 4757 7.3: all that comes before the data */
#define SIGN_RC4 0x1100
#define SEAL_NONE 0xffff
#define SEAL_RC4 0x1000
#define MAX_PAD 8
#define KEYTAB_FIRST 5 /* octet of MIT's format, which Heimdal has too */

#define FRAMING_TAG 0x60 /* RFC 2743 3.1: [APPLICATION 0], length, OID */
#define OID_TAG 0x06
#define SPNEGO_REPLY_TAG 0xa1 /* RFC 4178 4.2: [1] */

static dissector_handle_t gssapi_handle;
static dissector_handle_t gssapi_verf_handle;

/* ---- Headers ---- */

static void read_cfx(tvbuff_t *token, struct zmtp_gss_header *header)
{
    uint8_t flags = tvb_get_uint8(token, 2);

    header->kind = ZMTP_GSS_WRAP;
    header->cfx = true;
    header->sender = flags & CFX_SENT_BY_ACCEPTOR ? ZMTP_GSS_ACCEPTOR : ZMTP_GSS_INITIATOR;
    header->sealed = (flags & CFX_SEALED) != 0;
    header->acceptor_subkey = (flags & CFX_ACCEPTOR_SUBKEY) != 0;
    header->extra_count = tvb_get_ntohs(token, 4);
    header->right_rotated = tvb_get_ntohs(token, CFX_RRC_AT);
}

/* Without data behind its header there is nothing in it, and Wireshark crashes at one with RC4 (4.0
 * does; the code of 4.4 is the same). */
static void read_old_wrap(tvbuff_t *token, unsigned offset, struct zmtp_gss_header *header)
{
    uint16_t seal;

    if (tvb_captured_length(token) <= offset + OLD_RC4_HEADER_LEN)
        return;
    seal = tvb_get_ntohs(token, (int)offset + 4);
    header->kind = ZMTP_GSS_WRAP;
    header->sealed = seal != SEAL_NONE;
    header->other_cipher =
        tvb_get_ntohs(token, (int)offset + 2) != SIGN_RC4 || (header->sealed && seal != SEAL_RC4);
}

/* A Kerberos token behind its framing. */
static void read_kerberos(tvbuff_t *token, unsigned offset, struct zmtp_gss_header *header)
{
    header->kind = ZMTP_GSS_UNKNOWN;
    if (tvb_captured_length(token) < offset + 2)
        return;
    switch (tvb_get_ntohs(token, (int)offset)) {
    case AP_REQ:
        header->kind = ZMTP_GSS_AP_REQ;
        header->sender = ZMTP_GSS_INITIATOR;
        break;
    case AP_REP:
        header->kind = ZMTP_GSS_AP_REP;
        header->sender = ZMTP_GSS_ACCEPTOR;
        break;
    case KRB_ERROR:
        header->kind = ZMTP_GSS_KRB_ERROR;
        header->sender = ZMTP_GSS_ACCEPTOR;
        break;
    case OLD_WRAP:
        read_old_wrap(token, offset, header);
        break;
    default:
        break;
    }
}

/* The length of all that follows (X.690 8.1.3), at octet 1.  Returns the offset behind it; 0: there
 * is none, or more than there is. */
static unsigned read_length(tvbuff_t *token)
{
    unsigned have = tvb_captured_length(token);
    unsigned offset = 2;
    unsigned octets;
    uint32_t len;

    if (have < offset)
        return 0;
    len = tvb_get_uint8(token, 1);
    if (len & 0x80) {
        octets = len & 0x7f;
        if (octets < 1 || octets > 4 || have < offset + octets)
            return 0;
        len = 0;
        while (octets-- > 0)
            len = len << 8 | tvb_get_uint8(token, (int)offset++);
    }
    return len <= tvb_reported_length(token) - offset ? offset : 0;
}

static void read_framed(tvbuff_t *token, struct zmtp_gss_header *header)
{
    static const uint8_t kerberos_oid[] = {OID_TAG, 9,    0x2a, 0x86, 0x48, 0x86,
                                           0xf7,    0x12, 0x01, 0x02, 0x02};
    unsigned offset = read_length(token);

    if (offset == 0)
        header->kind = ZMTP_GSS_MALFORMED;
    else if (tvb_captured_length(token) >= offset + sizeof kerberos_oid &&
             tvb_memeql(token, (int)offset, kerberos_oid, sizeof kerberos_oid) == 0)
        read_kerberos(token, offset + (unsigned)sizeof kerberos_oid, header);
    else
        header->kind = ZMTP_GSS_OTHER;
}

/* Message types 1 (negotiate) and 3 (authenticate) are the client's, 2 (challenge) the server's. */
static void read_ntlmssp(tvbuff_t *token, struct zmtp_gss_header *header)
{
    static const uint8_t signature[] = {'N', 'T', 'L', 'M', 'S', 'S', 'P', 0};

    if (tvb_captured_length(token) <= sizeof signature ||
        tvb_memeql(token, 0, signature, sizeof signature) != 0)
        return;
    header->kind = ZMTP_GSS_NTLMSSP;
    header->sender =
        tvb_get_uint8(token, sizeof signature) == 2 ? ZMTP_GSS_ACCEPTOR : ZMTP_GSS_INITIATOR;
}

void zmtp_gss_read_header(tvbuff_t *token, struct zmtp_gss_header *header)
{
    unsigned have = tvb_captured_length(token);
    uint8_t first = have > 0 ? tvb_get_uint8(token, 0) : 0;

    memset(header, 0, sizeof *header);
    if (have >= CFX_HEADER_LEN && tvb_get_ntohs(token, 0) == CFX_WRAP)
        read_cfx(token, header);
    else if (first == FRAMING_TAG)
        read_framed(token, header);
    else if (first == SPNEGO_REPLY_TAG)
        header->kind = read_length(token) ? ZMTP_GSS_REPLY : ZMTP_GSS_MALFORMED;
    else
        read_ntlmssp(token, header);
    /* A cut token can lack its length; then there is nothing wrong with it. */
    if (header->kind == ZMTP_GSS_MALFORMED && have < tvb_reported_length(token))
        header->kind = ZMTP_GSS_UNKNOWN;
}

const char *zmtp_gss_kind_name(enum zmtp_gss_kind kind)
{
    switch (kind) {
    case ZMTP_GSS_AP_REQ:
        return "AP-REQ";
    case ZMTP_GSS_AP_REP:
        return "AP-REP";
    case ZMTP_GSS_KRB_ERROR:
        return "KRB-ERROR";
    case ZMTP_GSS_WRAP:
        return "Wrap";
    case ZMTP_GSS_NTLMSSP:
        return "NTLMSSP";
    default:
        return "";
    }
}

/* ---- Wireshark's dissectors ---- */

struct gss_call {
    dissector_handle_t handle;
    gssapi_encrypt_info_t info;
    int used;        /* octets of the token that are no data */
    GSList *sources; /* the data sources that they added */
};

static void call_dissector_for_gss(struct zmtp_ctx *ctx, tvbuff_t *token, proto_tree *tree,
                                   void *data)
{
    struct gss_call *call = (struct gss_call *)data;

    call->used = call_dissector_only(call->handle, token, ctx->pinfo, tree, &call->info);
}

static void call_gss(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *token, struct gss_call *call)
{
    packet_info *pinfo = ctx->pinfo;
    GSList *sources = pinfo->data_src;

    pinfo->data_src = NULL;
    /* Where nobody looks at our items, somebody may look at Kerberos'. */
    zmtp_call_apart(ctx, token, tree ? tree : ctx->root, call_dissector_for_gss, call);
    call->sources = pinfo->data_src;
    pinfo->data_src = sources;
}

bool zmtp_gss_dissect_token(struct zmtp_ctx *ctx, proto_tree *tree, tvbuff_t *token,
                            const struct zmtp_gss_header *header)
{
    struct gss_call call = {.handle = gssapi_handle};

    /* Of a token that claims to be longer, Wireshark would wait for the rest, and take the tokens
     * of later commands for it; other kinds it does not know. */
    if (!gssapi_handle || header->kind == ZMTP_GSS_UNKNOWN || header->kind == ZMTP_GSS_MALFORMED)
        return false;
    call_gss(ctx, tree, token, &call);
    ctx->pinfo->data_src = g_slist_concat(ctx->pinfo->data_src, call.sources);
    return call.sources != NULL;
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
                          const struct zmtp_gss_header *header, bool with_keys)
{
    struct gss_call call = {.handle = gssapi_verf_handle,
                            .info = {.decrypt_gssapi_tvb = with_keys ? DECRYPT_GSSAPI_NORMAL : 0}};

    /* Their code for tokens in MESSAGE trusts lengths: it gets none but those that were checked. */
    if (!gssapi_verf_handle || header->kind != ZMTP_GSS_WRAP)
        return NULL;
    call_gss(ctx, tree, token, &call);
    /* They add two data sources for each token: the octets un-rotated, and the plaintext with its
     * excess.  Both are of no use to a person, who gets the plaintexts side by side in one, and a
     * thousand tokens in a segment would make it a long list to walk. */
    g_slist_free(call.sources);
    if (header->other_cipher)
        return NULL;
    return header->sealed ? call.info.gssapi_decrypted_tvb : signed_data(token, header, call.used);
}

unsigned zmtp_gss_excess_at(tvbuff_t *token, tvbuff_t *plain, unsigned offset)
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
#define WHICH_KEY                                                                                  \
    "there stand the name of the service (sname), the encryption type and the number (kvno) of "   \
    "the key that is needed"

/* A protocol that is needed was disabled; NULL: none was. */
static const char *why_disabled(packet_info *pinfo)
{
    static const char *const names[] = {"gss-api", "spnego-krb5", "kerberos"};

    for (size_t i = 0; i < array_length(names); i++) {
        int id = proto_get_id_by_filter_name(names[i]);

        if (id >= 0 && !proto_is_protocol_enabled(find_protocol_by_id(id)))
            return wmem_strdup_printf(pinfo->pool, "the protocol %s is disabled in Wireshark",
                                      names[i]);
    }
    return NULL;
}

/* What is wrong with the file itself, or NULL. */
static const char *why_no_keytab(const char *keytab)
{
    const char *path = g_str_has_prefix(keytab, "FILE:") ? keytab + strlen("FILE:") : keytab;
    FILE *file = g_fopen(path, "rb");
    int first;

    if (!file)
        return "cannot be read";
    first = fgetc(file);
    (void)fclose(file);
    return first == KEYTAB_FIRST ? NULL : "is not a keytab";
}

/* The ticket stayed closed. */
static const char *why_no_ticket(packet_info *pinfo, uint32_t ticket_frame)
{
    module_t *kerberos = prefs_find_module("kerberos");
    pref_t *decrypt = kerberos ? prefs_find_preference(kerberos, "decrypt") : NULL;
    pref_t *file = kerberos ? prefs_find_preference(kerberos, "file") : NULL;
    const char *disabled = why_disabled(pinfo);
    const char *keytab;
    const char *wrong;

    if (!decrypt || !file)
        return "this Wireshark was built without Kerberos decryption";
    if (disabled)
        return disabled;
    if (!prefs_get_bool_value(decrypt, pref_current))
        return "Kerberos decryption is off: turn it on and give a keytab with the key of the "
               "service (" HOW_TO_GIVE ")";
    keytab = prefs_get_string_value(file, pref_current);
    if (!keytab || !*keytab)
        return wmem_strdup_printf(pinfo->pool,
                                  "no keytab is set (" HOW_TO_GIVE
                                  "), or the one given with -K has no key for the "
                                  "ticket in frame %u: " WHICH_KEY,
                                  ticket_frame);
    wrong = why_no_keytab(keytab);
    if (wrong)
        return wmem_strdup_printf(pinfo->pool, "the keytab %s %s", keytab, wrong);
    return wmem_strdup_printf(pinfo->pool,
                              "the keytab %s has no key for the ticket in frame %u: " WHICH_KEY,
                              keytab, ticket_frame);
}

/* A sealed token of a kind that Wireshark can open. */
static const char *why_no_key(packet_info *pinfo, const struct zmtp_gss_header *header,
                              const struct zmtp_gss_known *known)
{
    if (known->error_frame && !known->answer_frame)
        return wmem_strdup_printf(pinfo->pool, "the server refused the ticket: KRB-ERROR, frame %u",
                                  known->error_frame);
    if (!known->ticket_frame)
        return "no ticket: the client's INITIATE, which has it, is not in the capture, or not "
               "whole";
    if (header->acceptor_subkey && !known->answer_frame)
        return "no key: the server's INITIATE, which has it, is not in the capture, or not whole";
    if (!known->ticket_opened)
        return why_no_ticket(pinfo, known->ticket_frame);
    return wmem_strdup_printf(pinfo->pool,
                              "no key: it is in the server's INITIATE, frame %u, which does not "
                              "open with the ticket's key; is it damaged?",
                              known->answer_frame);
}

/* Of a kind that opens when the key is known. */
static bool could_be_opened(tvbuff_t *token, const struct zmtp_gss_header *header)
{
    return tvb_captured_length(token) == tvb_reported_length(token) &&
           header->kind == ZMTP_GSS_WRAP && header->sealed && !header->other_cipher;
}

bool zmtp_gss_is_damaged(tvbuff_t *token, const struct zmtp_gss_header *header,
                         const struct zmtp_gss_known *known)
{
    return could_be_opened(token, header) &&
           (header->acceptor_subkey ? known->answer_opened : known->ticket_opened);
}

const char *zmtp_gss_why_not(struct zmtp_ctx *ctx, tvbuff_t *token,
                             const struct zmtp_gss_header *header,
                             const struct zmtp_gss_known *known)
{
    const char *disabled;

    if (zmtp_gss_is_damaged(token, header, known))
        return "damaged: it fails authentication under the keys of this connection";
    if (could_be_opened(token, header))
        return why_no_key(ctx->pinfo, header, known);
    if (tvb_captured_length(token) < tvb_reported_length(token))
        return "cut short in the capture";
    if (header->kind != ZMTP_GSS_WRAP)
        return "not a Wrap token of Kerberos, or one without data";
    disabled = why_disabled(ctx->pinfo);
    if (disabled)
        return disabled;
    if (header->other_cipher)
        return "of the tokens in this old form (RFC 1964) Wireshark opens those with RC4 only";
    return "signed only, but its parts do not fit or are rotated in an unknown way";
}
