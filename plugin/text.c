/* text.c - octets from the wire as text for people.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "zmtp.h"

#include <string.h>

#define MAX_SHOWN_OCTETS 48
#define MAX_UTF8_OCTETS 4 /* of one character */

const char *zmtp_printable(packet_info *pinfo, tvbuff_t *tvb, unsigned offset, unsigned len)
{
    unsigned shown = MIN(len, MAX_SHOWN_OCTETS);
    const char *dots = shown < len ? "..." : "";

    if (len == 0)
        return "\"\"";
    shown = MIN(shown, (unsigned)tvb_captured_length_remaining(tvb, (int)offset));
    if (tvb_ascii_isprint(tvb, (int)offset, (int)shown))
        return wmem_strdup_printf(pinfo->pool, "\"%s\"%s",
                                  tvb_format_text(pinfo->pool, tvb, (int)offset, (int)shown), dots);
    return wmem_strdup_printf(pinfo->pool, "0x%s%s",
                              tvb_bytes_to_str(pinfo->pool, tvb, (int)offset, (int)shown), dots);
}

const char *zmtp_printable_word(packet_info *pinfo, tvbuff_t *tvb, unsigned offset, unsigned len)
{
    const char *text = zmtp_printable(pinfo, tvb, offset, len);
    size_t quoted = strlen(text);

    if (len > 0 && text[0] == '"' && text[quoted - 1] == '"' && !strchr(text, ' '))
        return wmem_strndup(pinfo->pool, text + 1, quoted - 2);
    return text;
}

/* How many of these octets, the first of a longer text, are whole characters of UTF-8; 0: it is
 * none. */
static unsigned whole_characters(const uint8_t *octets, unsigned len)
{
    const char *end;
    unsigned whole;

    if (g_utf8_validate((const char *)octets, (gssize)len, &end))
        return len;
    whole = (unsigned)(end - (const char *)octets);
    return len - whole < MAX_UTF8_OCTETS ? whole : 0;
}

const char *zmtp_name_text(packet_info *pinfo, tvbuff_t *tvb, unsigned offset, unsigned len)
{
    unsigned shown = MAX_SHOWN_OCTETS;
    unsigned whole;

    if (len <= shown)
        return tvb_format_text(pinfo->pool, tvb, (int)offset, (int)len);
    whole = whole_characters(tvb_get_ptr(tvb, (int)offset, (int)len), shown);
    return wmem_strdup_printf(
        pinfo->pool, "%s...",
        tvb_format_text(pinfo->pool, tvb, (int)offset, (int)(whole ? whole : shown)));
}

const char *zmtp_text_preview(packet_info *pinfo, tvbuff_t *payload)
{
    unsigned len = tvb_reported_length(payload);
    unsigned shown = MIN(MIN(len, MAX_SHOWN_OCTETS), tvb_captured_length(payload));
    const uint8_t *octets = tvb_get_ptr(payload, 0, (int)shown);

    if (shown < len)
        shown = whole_characters(octets, shown);
    else if (!g_utf8_validate((const char *)octets, (gssize)shown, NULL))
        return NULL;
    if (shown == 0)
        return NULL;
    for (unsigned i = 0; i < shown; i++) {
        if (g_ascii_iscntrl((char)octets[i]) && !g_ascii_isspace((char)octets[i]))
            return NULL;
    }
    return wmem_strdup_printf(pinfo->pool, "\"%s\"%s",
                              tvb_format_text(pinfo->pool, payload, 0, (int)shown),
                              shown < len ? "..." : "");
}

/* NUL would end the string for Wireshark, which then complains of what is behind it.  The last two
 * code points of the first plane are no characters, and Wireshark writes them into XML, which
 * forbids them. */
bool zmtp_is_awkward_text(const uint8_t *octets, unsigned len)
{
    if (memchr(octets, '\0', len))
        return true;
    for (unsigned i = 0; i + 2 < len; i++) {
        if (octets[i] == 0xef && octets[i + 1] == 0xbf && octets[i + 2] >= 0xbe)
            return true;
    }
    return false;
}

proto_item *zmtp_add_text(struct zmtp_ctx *ctx, proto_tree *tree, int hf, tvbuff_t *tvb,
                          unsigned offset, unsigned len)
{
    unsigned have = MIN(len, (unsigned)tvb_captured_length_remaining(tvb, (int)offset));

    if (have > 0 && zmtp_is_awkward_text(tvb_get_ptr(tvb, (int)offset, (int)have), have))
        return proto_tree_add_string(
            tree, hf, tvb, (int)offset, (int)have,
            tvb_format_text(ctx->pinfo->pool, tvb, (int)offset, (int)have));
    return proto_tree_add_item(tree, hf, tvb, (int)offset, (int)len, ENC_UTF_8 | ENC_NA);
}
