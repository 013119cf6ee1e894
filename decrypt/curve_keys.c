/*
 * The keys of one CURVE connection (RFC 26): which one opens a box, and how it is found.
 *
 * Three shared keys matter: (C',S) opens HELLO and WELCOME, (C',S') is the session key k of
 * INITIATE, READY and MESSAGE, (C,S') opens the vouch. Any of them needs one side's secret key and
 * the other's public key.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "curve_keys.h"

#include <sodium.h>
#include <string.h>

/* ---- Facts and boxes --------------------------------------------------------------------- */

/* The first value stays; seen again in an earlier frame it is known from there on. */
void zmtp_fact_learn(struct fact *fact, uint32_t now, const uint8_t key[ZMTP_KEY_SIZE])
{
    if (!fact->known) {
        fact->known = true;
        fact->since = now;
        memcpy(fact->key, key, ZMTP_KEY_SIZE);
    } else if (now < fact->since && memcmp(fact->key, key, ZMTP_KEY_SIZE) == 0) {
        fact->since = now;
    }
}

const uint8_t *zmtp_fact_at(const struct fact *fact, uint32_t now)
{
    return fact->known && fact->since <= now ? fact->key : NULL;
}

bool zmtp_box_open(struct box *box, const uint8_t key[ZMTP_KEY_SIZE])
{
    for (size_t i = 0; i < box->nonce_count; i++) {
        if (crypto_box_open_easy_afternm(box->out, box->data, box->len, box->nonces[i], key) == 0) {
            box->opened_by = i;
            return true;
        }
    }
    return false;
}

struct zmtp_box_result zmtp_box_result(enum zmtp_box_status status, enum zmtp_key_kind kind,
                                       enum zmtp_key_source source)
{
    return (struct zmtp_box_result){status, kind, source};
}

struct zmtp_box_result zmtp_box_no_key(void)
{
    return zmtp_box_result(ZMTP_BOX_NO_KEY, ZMTP_KEY_NONE, ZMTP_SOURCE_KEYLOG);
}

/* ---- Shared keys ------------------------------------------------------------------------- */

/* A shared key out of a key pair's halves; stays unknown when the public key is a bad point. */
static struct shared_key diffie_hellman(const uint8_t public_key[ZMTP_KEY_SIZE],
                                        const uint8_t secret[ZMTP_KEY_SIZE],
                                        enum zmtp_key_kind kind, enum zmtp_key_source source)
{
    struct shared_key shared = {.proven_since = NEVER, .kind = kind, .source = source};

    shared.known = crypto_box_beforenm(shared.key, public_key, secret) == 0;
    return shared;
}

static void teach_with(struct shared_key *shared, struct fact *fact,
                       const uint8_t lesson[ZMTP_KEY_SIZE])
{
    shared->teaches = fact;
    memcpy(shared->lesson, lesson, ZMTP_KEY_SIZE);
}

static bool usable_at(const struct shared_key *shared, uint32_t now)
{
    return shared->known && shared->usable_since <= now;
}

static bool open_with(struct shared_key *shared, uint32_t now, struct box *box)
{
    if (!shared->known || !zmtp_box_open(box, shared->key)) {
        return false;
    }
    if (now < shared->proven_since) {
        shared->proven_since = now;
    }
    if (shared->teaches) {
        zmtp_fact_learn(shared->teaches, now, shared->lesson);
    }
    return true;
}

static struct zmtp_box_result opened_result(const struct shared_key *shared)
{
    return zmtp_box_result(ZMTP_BOX_OPENED, shared->kind, shared->source);
}

/*
 * Opens a box with the key of the session that is already there. True when that settles `result`.
 * A key that fails here and had opened nothing before this frame leaves it open why: the first time
 * this box was seen, the key was not there yet.
 */
static bool settle(struct shared_key *shared, uint32_t now, struct box *box,
                   struct zmtp_box_result *result)
{
    if (!usable_at(shared, now)) {
        return false;
    }
    if (open_with(shared, now, box)) {
        *result = opened_result(shared);
        return true;
    }
    if (shared->certain || shared->proven_since < now) {
        *result = zmtp_box_result(ZMTP_BOX_DAMAGED, shared->kind, shared->source);
        return true;
    }
    return false;
}

/* Makes `candidate` the session's key if it opens the box; wipes it. */
static bool adopt(struct shared_key *shared, struct shared_key *candidate, uint32_t now,
                  struct box *box)
{
    bool opened = open_with(candidate, now, box);

    if (opened) {
        *shared = *candidate;
    }
    sodium_memzero(candidate, sizeof *candidate);
    return opened;
}

/* ---- Guessing ---------------------------------------------------------------------------- */

/* A row of trials of what may be the server's half of a shared key. C' is known. */
struct trials {
    struct zmtp_curve_session *session;
    uint32_t now;
    struct box *box;
    struct shared_key *shared; /* what is looked for, */
    struct fact *teaches;      /* and whose public key it then tells */
    unsigned left;
    bool *limited; /* set when there are more keys than may be tried */
};

/*
 * Tries one key: its public key with c' where that is known (`client` is not NULL), otherwise its
 * secret key with C'.
 */
static bool try_server(struct trials *trials, const struct zmtp_key *server,
                       const struct zmtp_key *client, enum zmtp_key_kind kind)
{
    const struct fact *client_transient = &trials->session->client_transient;
    struct shared_key candidate =
        client ? diffie_hellman(server->public_key, client->secret, kind, client->source)
               : diffie_hellman(client_transient->key, server->secret, kind, server->source);

    candidate.usable_since = client_transient->since;
    teach_with(&candidate, trials->teaches, server->public_key);
    return adopt(trials->shared, &candidate, trials->now, trials->box);
}

/* Tries the keys of a class, but for the client's own. */
static bool try_class(struct trials *trials, enum zmtp_key_class class, uint64_t newer_than,
                      const struct zmtp_key *client, enum zmtp_key_kind kind)
{
    struct zmtp_keyring *ring = trials->session->ring;
    struct zmtp_keyring_walk walk = zmtp_keyring_walk_start(ring, class, newer_than);
    struct zmtp_key server;

    while (zmtp_keyring_walk_next(&walk, &server)) {
        if (memcmp(server.public_key, trials->session->client_transient.key, ZMTP_KEY_SIZE) == 0) {
            continue;
        }
        if (trials->left == 0 || !zmtp_keyring_spend(ring, ZMTP_TRIAL_DIFFIE_HELLMAN, 1)) {
            *trials->limited = true;
            break;
        }
        trials->left--;
        if (try_server(trials, &server, client, kind)) {
            zmtp_keyring_refund(ring, ZMTP_TRIAL_DIFFIE_HELLMAN, 1);
            return true;
        }
    }
    return false;
}

static struct shared_key given_session_key(const struct zmtp_key *key, uint32_t usable_since)
{
    struct shared_key shared = {
        .known = true,
        .usable_since = usable_since,
        .proven_since = NEVER,
        .kind = ZMTP_KEY_SESSION,
        .source = key->source,
    };

    memcpy(shared.key, key->secret, ZMTP_KEY_SIZE);
    return shared;
}

/* Tries session keys on a box of a connection whose HELLO was not seen. */
static bool try_session_keys(struct zmtp_curve_session *session, uint32_t now, struct box *box)
{
    struct zmtp_keyring *ring = session->ring;
    struct zmtp_keyring_walk walk =
        zmtp_keyring_walk_start(ring, ZMTP_SESSION_KEYS, session->sessions_tried);
    struct zmtp_key key;
    uint64_t cost = box->nonce_count * (box->len / 1024 + 1);
    uint64_t spent = 0;

    session->sessions_tried = zmtp_keyring_generation(ring);
    for (unsigned left = ZMTP_MAX_SESSION_KEY_TRIALS; zmtp_keyring_walk_next(&walk, &key); left--) {
        spent += cost;
        if (left == 0 || spent > ZMTP_MAX_SESSION_KEY_KBYTES ||
            !zmtp_keyring_spend(ring, ZMTP_TRIAL_SESSION_KEY, cost)) {
            session->session_limited = true;
            break;
        }

        struct shared_key candidate = given_session_key(&key, 0);
        if (adopt(&session->session_key, &candidate, now, box)) {
            zmtp_keyring_refund(ring, ZMTP_TRIAL_SESSION_KEY, cost);
            return true;
        }
    }
    return false;
}

/* ---- (C',S): HELLO and WELCOME ----------------------------------------------------------- */

/* Tries the key that opened the last connection. */
static bool try_last_server(struct trials *trials, const struct zmtp_key *client,
                            enum zmtp_key_kind kind)
{
    const struct zmtp_keyring *ring = trials->session->ring;
    const uint8_t *last = zmtp_keyring_last_server(ring);
    struct zmtp_key server;

    return last &&
           (zmtp_keyring_find(ring, ZMTP_KEY_PAIRS, last, &server) ||
            (client && zmtp_keyring_find(ring, ZMTP_PUBLIC_KEYS, last, &server))) &&
           try_server(trials, &server, client, kind);
}

/* Tries every key that may be S, with c', or s, with C': those that were not tried before. */
static bool try_servers(struct trials *trials)
{
    struct zmtp_curve_session *session = trials->session;
    uint64_t tried = session->handshake_tried;
    struct zmtp_key client;

    session->handshake_tried = zmtp_keyring_generation(session->ring);
    if (!zmtp_keyring_find(session->ring, ZMTP_KEY_PAIRS, session->client_transient.key, &client)) {
        return (tried == 0 && try_last_server(trials, NULL, ZMTP_KEY_SERVER_PERMANENT)) ||
               try_class(trials, ZMTP_KEY_PAIRS, tried, NULL, ZMTP_KEY_SERVER_PERMANENT);
    }

    /* Public keys alone could not be tried before c' came. */
    uint64_t publics_tried = client.added > tried ? 0 : tried;

    return (tried == 0 && try_last_server(trials, &client, ZMTP_KEY_CLIENT_TRANSIENT)) ||
           try_class(trials, ZMTP_PUBLIC_KEYS, publics_tried, &client, ZMTP_KEY_CLIENT_TRANSIENT) ||
           try_class(trials, ZMTP_KEY_PAIRS, tried, &client, ZMTP_KEY_CLIENT_TRANSIENT);
}

/* S is not on the wire, so it is guessed. */
static bool find_handshake_key(struct zmtp_curve_session *session, uint32_t now, struct box *box)
{
    if (!zmtp_fact_at(&session->client_transient, now) || usable_at(&session->handshake_key, now)) {
        return false;
    }

    struct trials trials = {
        .session = session,
        .now = now,
        .box = box,
        .shared = &session->handshake_key,
        .teaches = &session->server_permanent,
        .left = ZMTP_MAX_DH_TRIALS,
        .limited = &session->handshake_limited,
    };

    if (try_servers(&trials)) {
        zmtp_keyring_note_server(session->ring, session->server_permanent.key);
        return true;
    }
    if (session->handshake_trials == 0 || now < session->handshake_trials_since) {
        session->handshake_trials_since = now;
    }
    session->handshake_trials += ZMTP_MAX_DH_TRIALS - trials.left;
    return false;
}

struct zmtp_box_result zmtp_open_handshake_box(struct zmtp_curve_session *session, uint32_t now,
                                               struct box *box)
{
    struct zmtp_box_result result;

    if (settle(&session->handshake_key, now, box, &result)) {
        return result;
    }
    return find_handshake_key(session, now, box) ? opened_result(&session->handshake_key)
                                                 : zmtp_box_no_key();
}

/* ---- k = (C',S'): INITIATE, READY and MESSAGE -------------------------------------------- */

/* Finds s' by what is known at `now`: out of the cookie, or the pair that the user gave. */
static bool find_server_secret(const struct zmtp_curve_session *session, uint32_t now,
                               struct zmtp_key *key, enum zmtp_key_kind *kind)
{
    const uint8_t *server_transient = zmtp_fact_at(&session->server_transient, now);

    if (zmtp_fact_at(&session->server_secret, now)) {
        *key = (struct zmtp_key){.secret = session->server_secret.key,
                                 .source = session->server_secret_source};
        *kind = ZMTP_KEY_COOKIE;
        return true;
    }
    *kind = ZMTP_KEY_SERVER_TRANSIENT;
    return server_transient &&
           zmtp_keyring_find(session->ring, ZMTP_KEY_PAIRS, server_transient, key);
}

/* k, where one transient secret key and the other public key are known: that cannot be wrong. */
static bool compute_session_key(struct zmtp_curve_session *session, uint32_t now)
{
    const uint8_t *client = zmtp_fact_at(&session->client_transient, now);
    const uint8_t *server = zmtp_fact_at(&session->server_transient, now);
    enum zmtp_key_kind kind = ZMTP_KEY_CLIENT_TRANSIENT;
    struct shared_key shared = {.known = false};
    struct zmtp_key key;

    if (!client || !server) {
        return false;
    }
    if (zmtp_keyring_find(session->ring, ZMTP_KEY_PAIRS, client, &key)) {
        shared = diffie_hellman(server, key.secret, kind, key.source);
    } else if (find_server_secret(session, now, &key, &kind)) {
        shared = diffie_hellman(client, key.secret, kind, key.source);
    }
    if (!shared.known) {
        return false;
    }

    uint32_t client_since = session->client_transient.since;
    uint32_t server_since = session->server_transient.since;
    shared.certain = true;
    shared.usable_since = client_since > server_since ? client_since : server_since;
    session->session_key = shared;
    sodium_memzero(&shared, sizeof shared);
    return true;
}

/* Looks k up by C' and S'. True when one opened the box; a key that did not is a wrong key. */
static bool find_session_key(struct zmtp_curve_session *session, uint32_t now, struct box *box,
                             struct zmtp_box_result *result)
{
    enum { NAMES = 2 };
    const struct fact *names[NAMES] = {&session->client_transient, &session->server_transient};
    bool may_adopt = !usable_at(&session->session_key, now);

    for (size_t i = 0; i < NAMES; i++) {
        struct zmtp_key key;

        if (!zmtp_fact_at(names[i], now) ||
            !zmtp_keyring_find(session->ring, ZMTP_SESSION_KEYS, names[i]->key, &key)) {
            continue;
        }

        struct shared_key candidate = given_session_key(&key, names[i]->since);
        if (names[i] == &session->client_transient &&
            memcmp(key.public_key, key.other_public, ZMTP_KEY_SIZE) != 0) {
            teach_with(&candidate, &session->server_transient, key.other_public);
        }
        if (may_adopt && adopt(&session->session_key, &candidate, now, box)) {
            *result = opened_result(&session->session_key);
            return true;
        }
        sodium_memzero(&candidate, sizeof candidate);
        *result = zmtp_box_result(ZMTP_BOX_WRONG_KEY, ZMTP_KEY_SESSION, key.source);
    }
    return false;
}

/* Nothing is known by name: tries what may be k or, where C' is known, s'. */
static bool guess_session_key(struct zmtp_curve_session *session, uint32_t now, struct box *box)
{
    if (!zmtp_fact_at(&session->client_transient, now)) {
        return try_session_keys(session, now, box);
    }
    if (zmtp_fact_at(&session->server_transient, now)) {
        return false; /* s' would have been found by S' */
    }

    struct trials trials = {
        .session = session,
        .now = now,
        .box = box,
        .shared = &session->session_key,
        .teaches = &session->server_transient,
        .left = ZMTP_MAX_DH_TRIALS,
        .limited = &session->session_limited,
    };
    uint64_t tried = session->secrets_tried;

    session->secrets_tried = zmtp_keyring_generation(session->ring);
    return try_class(&trials, ZMTP_KEY_PAIRS, tried, NULL, ZMTP_KEY_SERVER_TRANSIENT);
}

struct zmtp_box_result zmtp_open_session_box(struct zmtp_curve_session *session, uint32_t now,
                                             struct box *box)
{
    struct zmtp_box_result result = zmtp_box_no_key();

    if (box->len < ZMTP_BOX_OVERHEAD) {
        return zmtp_box_result(ZMTP_BOX_DAMAGED, ZMTP_KEY_NONE, ZMTP_SOURCE_KEYLOG);
    }
    if (settle(&session->session_key, now, box, &result) ||
        find_session_key(session, now, box, &result) ||
        /* The key is there and does not fit: guessing more is no use. */
        usable_at(&session->session_key, now)) {
        return result;
    }
    if (compute_session_key(session, now)) {
        (void)settle(&session->session_key, now, box, &result);
        return result;
    }
    if (guess_session_key(session, now, box)) {
        return opened_result(&session->session_key);
    }
    return result;
}

/* ---- (C,S'): the vouch ------------------------------------------------------------------- */

/* Each INITIATE has one vouch, so its key is computed when it is needed. Wipes `shared`. */
static void try_vouch(struct shared_key *shared, uint32_t now, struct box *box,
                      struct zmtp_box_result *result)
{
    *result = open_with(shared, now, box)
                  ? opened_result(shared)
                  : zmtp_box_result(ZMTP_BOX_WRONG_KEY, shared->kind, shared->source);
    sodium_memzero(shared, sizeof *shared);
}

struct zmtp_box_result zmtp_open_vouch_box(struct zmtp_curve_session *session, uint32_t now,
                                           const uint8_t client_permanent[ZMTP_KEY_SIZE],
                                           struct box *box)
{
    const uint8_t *server_transient = zmtp_fact_at(&session->server_transient, now);
    struct zmtp_box_result result = zmtp_box_no_key();
    enum zmtp_key_kind kind = ZMTP_KEY_NONE;
    struct shared_key shared;
    struct zmtp_key key;

    if (server_transient &&
        zmtp_keyring_find(session->ring, ZMTP_KEY_PAIRS, client_permanent, &key)) {
        shared =
            diffie_hellman(server_transient, key.secret, ZMTP_KEY_CLIENT_PERMANENT, key.source);
        try_vouch(&shared, now, box, &result);
    }
    if (result.status != ZMTP_BOX_OPENED && find_server_secret(session, now, &key, &kind)) {
        shared = diffie_hellman(client_permanent, key.secret, kind, key.source);
        try_vouch(&shared, now, box, &result);
    }
    return result;
}
