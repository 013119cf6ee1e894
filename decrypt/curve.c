/*
 * CURVE (RFC 26): opens the boxes of one connection, and keeps what they tell.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "curve.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "curve_keys.h"

const char *zmtp_key_kind_name(enum zmtp_key_kind kind)
{
    static const char *const names[] = {
        [ZMTP_KEY_NONE] = "none",
        [ZMTP_KEY_SESSION] = "session key",
        [ZMTP_KEY_CLIENT_TRANSIENT] = "client transient secret key",
        [ZMTP_KEY_SERVER_TRANSIENT] = "server transient secret key",
        [ZMTP_KEY_CLIENT_PERMANENT] = "client permanent secret key",
        [ZMTP_KEY_SERVER_PERMANENT] = "server permanent secret key",
        [ZMTP_KEY_COOKIE] = "cookie key",
    };

    return names[kind];
}

struct zmtp_curve_session *zmtp_curve_session_new(struct zmtp_keyring *ring)
{
    struct zmtp_curve_session *session = calloc(1, sizeof *session);

    if (session) {
        session->ring = ring;
    }
    return session;
}

void zmtp_curve_session_free(struct zmtp_curve_session *session)
{
    if (session) {
        sodium_memzero(session, sizeof *session);
        free(session);
    }
}

const uint8_t *zmtp_curve_client_transient(const struct zmtp_curve_session *session, uint32_t now)
{
    return zmtp_fact_at(&session->client_transient, now);
}

const uint8_t *zmtp_curve_server_transient(const struct zmtp_curve_session *session, uint32_t now)
{
    return zmtp_fact_at(&session->server_transient, now);
}

const uint8_t *zmtp_curve_client_permanent(const struct zmtp_curve_session *session, uint32_t now)
{
    return zmtp_fact_at(&session->client_permanent, now);
}

const uint8_t *zmtp_curve_server_permanent(const struct zmtp_curve_session *session, uint32_t now)
{
    return zmtp_fact_at(&session->server_permanent, now);
}

bool zmtp_curve_has_secret_of(const struct zmtp_curve_session *session,
                              const uint8_t public_key[ZMTP_KEY_SIZE])
{
    struct zmtp_key key;

    return zmtp_keyring_find(session->ring, ZMTP_KEY_PAIRS, public_key, &key);
}

void zmtp_curve_what_is_known(const struct zmtp_curve_session *session, uint32_t now,
                              struct zmtp_curve_known *known)
{
    const uint8_t *client_transient = zmtp_fact_at(&session->client_transient, now);
    const struct shared_key *handshake_key = &session->handshake_key;

    *known = (struct zmtp_curve_known){
        .any_key = zmtp_keyring_count(session->ring) > 0,
        .client_transient_public = client_transient != NULL,
        .client_transient_secret =
            client_transient && zmtp_curve_has_secret_of(session, client_transient),
        .handshake_opened = handshake_key->known && handshake_key->proven_since <= now,
        .server_transient_public = zmtp_fact_at(&session->server_transient, now) != NULL,
        .session_limited = session->session_limited,
    };
    if (session->handshake_trials_since <= now) {
        known->not_the_server = session->handshake_trials;
        known->handshake_limited = session->handshake_limited;
    }
    known->server_permanent_secret =
        known->handshake_opened && handshake_key->kind == ZMTP_KEY_SERVER_PERMANENT;
}

/* ---- Nonces ------------------------------------------------------------------------------ */

enum nonce_kind {
    NONCE_HELLO,
    NONCE_WELCOME,
    NONCE_COOKIE,
    NONCE_INITIATE,
    NONCE_VOUCH,
    NONCE_READY,
    NONCE_CLIENT_MESSAGE,
    NONCE_SERVER_MESSAGE,
};

/* What the 24 octets of a nonce begin with; the wire carries the rest. Section of RFC 26 beside. */
static const char *const nonce_prefixes[] = {
    [NONCE_HELLO] = "CurveZMQHELLO---",          /* "HELLO command" */
    [NONCE_WELCOME] = "WELCOME-",                /* "WELCOME command" */
    [NONCE_COOKIE] = "COOKIE--",                 /* "WELCOME command" */
    [NONCE_INITIATE] = "CurveZMQINITIATE",       /* "INITIATE command" */
    [NONCE_VOUCH] = "VOUCH---",                  /* "INITIATE command" */
    [NONCE_READY] = "CurveZMQREADY---",          /* "READY command" */
    [NONCE_CLIENT_MESSAGE] = "CurveZMQMESSAGEC", /* "MESSAGE command" */
    [NONCE_SERVER_MESSAGE] = "CurveZMQMESSAGES", /* "MESSAGE command" */
};

/* `wire` has what is missing of the nonce: RFC 26 has short nonces (8) and long ones (16). */
static void add_nonce(struct box *box, enum nonce_kind kind, const uint8_t *wire)
{
    uint8_t *nonce = box->nonces[box->nonce_count++];
    size_t prefix_len = strlen(nonce_prefixes[kind]);

    memcpy(nonce, nonce_prefixes[kind], prefix_len);
    memcpy(nonce + prefix_len, wire, crypto_box_NONCEBYTES - prefix_len);
}

static struct box make_box(enum nonce_kind kind, const uint8_t *wire_nonce, const uint8_t *data,
                           size_t len, uint8_t *out)
{
    struct box box = {.data = data, .len = len};

    box.out = out;
    add_nonce(&box, kind, wire_nonce);
    return box;
}

/* ---- Boxes, in the order of the wire ----------------------------------------------------- */

void zmtp_curve_note_client_transient(struct zmtp_curve_session *session, uint32_t now,
                                      const uint8_t client_transient[ZMTP_KEY_SIZE])
{
    zmtp_fact_learn(&session->client_transient, now, client_transient);
}

struct zmtp_box_result zmtp_curve_open_hello(struct zmtp_curve_session *session, uint32_t now,
                                             const uint8_t client_transient[ZMTP_KEY_SIZE],
                                             const uint8_t nonce[ZMTP_SHORT_NONCE_SIZE],
                                             const uint8_t box[ZMTP_HELLO_BOX_SIZE],
                                             uint8_t out[ZMTP_HELLO_PLAIN_SIZE])
{
    struct box hello = make_box(NONCE_HELLO, nonce, box, ZMTP_HELLO_BOX_SIZE, out);

    zmtp_fact_learn(&session->client_transient, now, client_transient);
    if (memcmp(session->client_transient.key, client_transient, ZMTP_KEY_SIZE) != 0) {
        return zmtp_box_no_key(); /* a second client in one session: see curve.h */
    }
    return zmtp_open_handshake_box(session, now, &hello);
}

struct zmtp_box_result zmtp_curve_open_welcome(struct zmtp_curve_session *session, uint32_t now,
                                               const uint8_t nonce[ZMTP_LONG_NONCE_SIZE],
                                               const uint8_t box[ZMTP_WELCOME_BOX_SIZE],
                                               uint8_t out[ZMTP_WELCOME_PLAIN_SIZE])
{
    struct box welcome = make_box(NONCE_WELCOME, nonce, box, ZMTP_WELCOME_BOX_SIZE, out);
    struct zmtp_box_result result = zmtp_open_handshake_box(session, now, &welcome);

    if (result.status == ZMTP_BOX_OPENED) {
        zmtp_fact_learn(&session->server_transient, now, out);
    }
    return result;
}

/* Keeps s' of an opened cookie, unless it is another connection's. */
static void learn_server_secret(struct zmtp_curve_session *session, uint32_t now,
                                const uint8_t plain[2 * ZMTP_KEY_SIZE], enum zmtp_key_source source)
{
    const uint8_t *secret = plain + ZMTP_KEY_SIZE;
    uint8_t server_transient[ZMTP_KEY_SIZE];

    if (memcmp(plain, session->client_transient.key, ZMTP_KEY_SIZE) != 0 ||
        !zmtp_public_from_secret(secret, server_transient)) {
        return;
    }
    zmtp_fact_learn(&session->server_transient, now, server_transient);
    if (memcmp(session->server_transient.key, server_transient, ZMTP_KEY_SIZE) == 0) {
        zmtp_fact_learn(&session->server_secret, now, secret);
        session->server_secret_source = source;
    }
}

struct zmtp_box_result zmtp_curve_open_cookie(struct zmtp_curve_session *session, uint32_t now,
                                              const uint8_t cookie[ZMTP_COOKIE_SIZE],
                                              uint8_t client_transient[ZMTP_KEY_SIZE])
{
    const uint8_t *known_client = zmtp_fact_at(&session->client_transient, now);
    struct zmtp_key key;

    if (!known_client || !zmtp_keyring_find(session->ring, ZMTP_COOKIE_KEYS, known_client, &key)) {
        return zmtp_box_no_key();
    }

    uint8_t plain[2 * ZMTP_KEY_SIZE];
    struct box box = make_box(NONCE_COOKIE, cookie, cookie + ZMTP_LONG_NONCE_SIZE,
                              ZMTP_COOKIE_SIZE - ZMTP_LONG_NONCE_SIZE, plain);

    if (zmtp_box_open(&box, key.secret)) {
        memcpy(client_transient, plain, ZMTP_KEY_SIZE);
        learn_server_secret(session, now, plain, key.source);
        sodium_memzero(plain, sizeof plain);
        return zmtp_box_result(ZMTP_BOX_OPENED, ZMTP_KEY_COOKIE, key.source);
    }

    bool opened_before = session->server_secret.known && session->server_secret.since < now;
    return zmtp_box_result(opened_before ? ZMTP_BOX_DAMAGED : ZMTP_BOX_WRONG_KEY, ZMTP_KEY_COOKIE,
                           key.source);
}

struct zmtp_box_result zmtp_curve_open_initiate(struct zmtp_curve_session *session, uint32_t now,
                                                const uint8_t nonce[ZMTP_SHORT_NONCE_SIZE],
                                                const uint8_t *box, size_t box_len, uint8_t *out)
{
    struct box initiate = make_box(NONCE_INITIATE, nonce, box, box_len, out);
    struct zmtp_box_result result = zmtp_open_session_box(session, now, &initiate);

    if (result.status == ZMTP_BOX_OPENED && box_len >= ZMTP_BOX_OVERHEAD + ZMTP_KEY_SIZE) {
        zmtp_fact_learn(&session->client_permanent, now, out);
    }
    return result;
}

struct zmtp_box_result zmtp_curve_open_ready(struct zmtp_curve_session *session, uint32_t now,
                                             const uint8_t nonce[ZMTP_SHORT_NONCE_SIZE],
                                             const uint8_t *box, size_t box_len, uint8_t *out)
{
    struct box ready = make_box(NONCE_READY, nonce, box, box_len, out);

    return zmtp_open_session_box(session, now, &ready);
}

struct zmtp_box_result zmtp_curve_open_message(struct zmtp_curve_session *session, uint32_t now,
                                               enum zmtp_sender *sender,
                                               const uint8_t nonce[ZMTP_SHORT_NONCE_SIZE],
                                               const uint8_t *box, size_t box_len, uint8_t *out)
{
    static const enum zmtp_sender senders[] = {ZMTP_SENDER_CLIENT, ZMTP_SENDER_SERVER};
    static const enum nonce_kind kinds[] = {NONCE_CLIENT_MESSAGE, NONCE_SERVER_MESSAGE};
    struct box message = {.data = box, .len = box_len};

    message.out = out;
    for (size_t i = 0; i < sizeof senders / sizeof *senders; i++) {
        if (*sender == ZMTP_SENDER_UNKNOWN || *sender == senders[i]) {
            add_nonce(&message, kinds[i], nonce);
        }
    }

    struct zmtp_box_result result = zmtp_open_session_box(session, now, &message);
    if (result.status == ZMTP_BOX_OPENED && *sender == ZMTP_SENDER_UNKNOWN) {
        *sender = senders[message.opened_by];
    }
    return result;
}

struct zmtp_box_result zmtp_curve_open_vouch(struct zmtp_curve_session *session, uint32_t now,
                                             const uint8_t client_permanent[ZMTP_KEY_SIZE],
                                             const uint8_t nonce[ZMTP_LONG_NONCE_SIZE],
                                             const uint8_t box[ZMTP_VOUCH_BOX_SIZE],
                                             uint8_t out[ZMTP_VOUCH_PLAIN_SIZE])
{
    struct box vouch = make_box(NONCE_VOUCH, nonce, box, ZMTP_VOUCH_BOX_SIZE, out);
    struct zmtp_box_result result = zmtp_open_vouch_box(session, now, client_permanent, &vouch);
    const uint8_t *client_transient = zmtp_fact_at(&session->client_transient, now);

    /* A vouch for another C' was stolen from another connection: it tells nothing of this one. */
    if (result.status == ZMTP_BOX_OPENED && client_transient &&
        memcmp(out, client_transient, ZMTP_KEY_SIZE) == 0) {
        zmtp_fact_learn(&session->server_permanent, now, out + ZMTP_KEY_SIZE);
    }
    return result;
}
