/* mech_curve_keys.c - what the user's keys did for a connection, and what they could not do, in
 * words.
 *
 * Everybody who meets CURVE first tries the server's secret key.  It never opens a message, for
 * CURVE has forward secrecy: so a box that stays closed says what would open it, given the keys
 * that are there.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "mech_curve.h"

#include "../decrypt/keyring.h"

const char *zmtp_curve_key_source(struct zmtp_box_result result)
{
    /* There are few of these and many boxes: each is made once. */
    static const char *names[ZMTP_SOURCES][ZMTP_KEY_COOKIE + 1];
    const char **name = &names[result.source][result.kind];

    if (!*name)
        *name =
            wmem_strdup_printf(wmem_epan_scope(), "%s (%s)", zmtp_key_source_name(result.source),
                               zmtp_key_kind_name(result.kind));
    return *name;
}

#define NOT_ALL_TRIED                                                                              \
    "no key: there are more keys than can be tried on each connection, and none of those that "    \
    "were "                                                                                        \
    "tried fits; give fewer"

static const char *why_no_key_for_hello(const struct zmtp_curve_known *known)
{
    if (known->handshake_limited)
        return NOT_ALL_TRIED;
    if (known->client_transient_secret)
        return "no key: the client's transient secret key is given, but no public key that is the "
               "one of the server it means; with that it opens";
    if (known->not_the_server > 0)
        return "no key: none of the secret keys given is the one of the server that the client "
               "means";
    return "no key: needs the server's permanent secret key, or the client's transient secret key "
           "and the server's public key";
}

static const char *why_no_key_for_welcome(const struct zmtp_curve_known *known)
{
    if (known->handshake_limited)
        return NOT_ALL_TRIED;
    if (!known->client_transient_public)
        return "no key: no HELLO was seen, without which no key opens this";
    return "no key: needs the server's permanent secret key, or the client's transient secret key "
           "and the server's public key; none of those given is it";
}

static const char *why_no_key_for_cookie(const struct zmtp_curve_known *known)
{
    return known->client_transient_public
               ? "no key: needs the server's cookie key"
               : "no key: needs the server's cookie key, which is found by HELLO; none was seen";
}

static const char *why_no_key_for_vouch(const struct zmtp_curve_known *known)
{
    if (!known->server_transient_public)
        return "no key: the server's transient public key is not known (WELCOME was not opened); "
               "with it the client's permanent secret key opens this";
    return "no key: needs the client's permanent or the server's transient secret key";
}

static const char *why_no_key_for_session(const struct zmtp_curve_known *known)
{
    if (known->client_transient_secret && !known->server_transient_public)
        return known->handshake_opened
                   ? "no key: the client's transient secret key is given, but the server's "
                     "transient public key is not known: no WELCOME that opens is in the capture"
                   : "no key: the client's transient secret key is given; give the server's "
                     "public key too, which opens WELCOME, and that tells the rest";
    if (known->server_permanent_secret)
        return "no key: the server's permanent secret key opens HELLO and WELCOME but never this "
               "(forward secrecy); it needs the session key (key log), or a transient secret key";
    if (known->session_limited)
        return NOT_ALL_TRIED;
    if (!known->client_transient_public)
        return "no key: no HELLO was seen, by which keys are found; only a session key can open "
               "this then, and none of those given is the right one";
    return "no key: none of those given is this connection's session key or transient secret key "
           "(found by C' in HELLO); permanent keys never open it, for CURVE has forward secrecy";
}

static const char *why_no_key(enum zmtp_curve_box kind, const struct zmtp_curve_known *known)
{
    if (!known->any_key)
        return "no key: none were given, or none could be read (ZMTP's preferences: key log, "
               "keys, certificates)";
    switch (kind) {
    case ZMTP_CURVE_HELLO:
        return why_no_key_for_hello(known);
    case ZMTP_CURVE_WELCOME:
        return why_no_key_for_welcome(known);
    case ZMTP_CURVE_COOKIE:
        return why_no_key_for_cookie(known);
    case ZMTP_CURVE_VOUCH:
        return why_no_key_for_vouch(known);
    default:
        return why_no_key_for_session(known);
    }
}

const char *zmtp_curve_why_not(struct zmtp_ctx *ctx, enum zmtp_curve_box kind,
                               const struct zmtp_curve_session *session,
                               struct zmtp_box_result result)
{
    struct zmtp_curve_known known;

    switch (result.status) {
    case ZMTP_BOX_WRONG_KEY:
        return wmem_strdup_printf(ctx->pinfo->pool,
                                  "wrong key: the %s that the %s gives for this connection does "
                                  "not open the box",
                                  zmtp_key_kind_name(result.kind),
                                  zmtp_key_source_name(result.source));
    case ZMTP_BOX_DAMAGED:
        return "damaged: it fails authentication under the key that opens this connection's boxes";
    default:
        zmtp_curve_what_is_known(session, ctx->pinfo->num, &known);
        return why_no_key(kind, &known);
    }
}

const char *zmtp_curve_check_server_key(struct zmtp_ctx *ctx,
                                        const struct zmtp_curve_session *session,
                                        struct zmtp_box_result result)
{
    struct zmtp_curve_known known;

    if (result.status == ZMTP_BOX_OPENED)
        return result.kind == ZMTP_KEY_SERVER_PERMANENT
                   ? "right: HELLO was made for the server whose secret key was given"
                   : "known: HELLO was made for the server whose public key was given";
    zmtp_curve_what_is_known(session, ctx->pinfo->num, &known);
    if (known.handshake_limited)
        return wmem_strdup_printf(ctx->pinfo->pool,
                                  "unknown: HELLO does not match the %u keys that were tried, but "
                                  "more are given than can be tried; give fewer",
                                  known.not_the_server);
    if (known.not_the_server == 0)
        return NULL;
    return wmem_strdup_printf(
        ctx->pinfo->pool,
        "wrong or another server's: HELLO does not match the %s keys given (%u tried); if the "
        "server's is among them, the client has a wrong server key",
        known.client_transient_secret ? "public" : "secret", known.not_the_server);
}

void zmtp_curve_note_server_key(struct zmtp_ctx *ctx, const struct zmtp_curve_session *session,
                                struct zmtp_box_result result)
{
    struct zmtp_story *story = &ctx->conn->story;
    struct zmtp_curve_known known;

    if (result.status == ZMTP_BOX_OPENED) {
        story->server_key = ZMTP_SERVER_KEY_RIGHT;
        return;
    }
    zmtp_curve_what_is_known(session, ctx->pinfo->num, &known);
    if (known.not_the_server > 0 && !known.handshake_limited) {
        story->server_key = ZMTP_SERVER_KEY_NOT_GIVEN;
        story->server_keys_tried = known.not_the_server;
    }
}
