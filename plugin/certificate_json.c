/* certificate_json.c - keys in connection files: Jupyter's and ipyparallel's.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "certificates.h"

#include <glib.h>
#include <wsutil/wsjson.h>

enum zmtp_certificate_status zmtp_certificate_from_json(char *text,
                                                        struct zmtp_certificate *certificate,
                                                        struct zmtp_certificate_problem *problem)
{
    enum zmtp_certificate_status status = ZMTP_CERTIFICATE_NONE;
    int count = json_parse(text, NULL, 0);
    jsmntok_t *tokens;

    if (count <= 0)
        return status;
    tokens = g_new0(jsmntok_t, (size_t)count);
    if (json_parse(text, tokens, (unsigned)count) == count && tokens[0].type == JSMN_OBJECT) {
        const char *public_key = json_get_string(text, tokens, "curve_publickey");
        const char *secret_key = json_get_string(text, tokens, "curve_secretkey");

        if (!public_key && !secret_key)
            public_key = json_get_string(text, tokens, "curve_serverkey");
        status = zmtp_certificate_from_keys(public_key, secret_key, certificate, problem);
    }
    g_free(tokens);
    return status;
}
