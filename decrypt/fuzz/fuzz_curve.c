/*
 * Fuzzes a CURVE session: any keys, given and taken away in any order, and the boxes of a real
 * handshake, whole, changed and cut, in any order of frames. A box that was changed must never
 * open, an opened one must hold what was sealed, and nothing else may be written.
 *
 * The input is a row of operations, a few octets each.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "decrypt/curve.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "decrypt/tests/handshake.h"
#include "oracle.h"

enum { GIVE, GIVE_OWN, DROP, OPEN, ASK, OPERATIONS };

enum { CHANGED_NOTHING, CHANGED_NONCE, CHANGED_BOX, CHANGED_LENGTH, CHANGES };

enum { MAX_OPERATIONS = 64, MAX_BOX = INITIATE_PLAIN_SIZE + ZMTP_BOX_OVERHEAD };

/* A box as the plugin hands it over: memory of just its size, so that ASan sees a step beyond. */
struct parcel {
    uint8_t *nonce;
    uint8_t *box;
    size_t box_len;
    uint8_t *out;
    size_t out_len;
    const uint8_t *plain;
    bool changed;
};

struct contents {
    const uint8_t *nonce;
    size_t nonce_len;
    const uint8_t *box;
    size_t box_len;
    const uint8_t *plain;
    size_t plain_len;
    bool any_length; /* the caller says how long the box is */
};

static const uint8_t zeros[ZMTP_HELLO_PLAIN_SIZE];

static struct contents contents_of(const struct handshake *h, enum box_name name)
{
#define SHORT ZMTP_SHORT_NONCE_SIZE
#define LONG ZMTP_LONG_NONCE_SIZE
    const struct contents all[BOX_COUNT] = {
        [BOX_HELLO] = {h->hello_nonce, SHORT, h->hello, sizeof h->hello, zeros, sizeof zeros, 0},
        [BOX_WELCOME] = {h->welcome_nonce, LONG, h->welcome, sizeof h->welcome, h->welcome_plain,
                         sizeof h->welcome_plain, 0},
        [BOX_COOKIE] = {zeros, SHORT, h->cookie, sizeof h->cookie, h->client_transient.public_key,
                        ZMTP_KEY_SIZE, 0},
        [BOX_INITIATE] = {h->initiate_nonce, SHORT, h->initiate, sizeof h->initiate,
                          h->initiate_plain, sizeof h->initiate_plain, 1},
        [BOX_VOUCH] = {h->vouch_nonce, LONG, h->vouch, sizeof h->vouch, h->vouch_plain,
                       sizeof h->vouch_plain, 0},
        [BOX_READY] = {h->ready_nonce, SHORT, h->ready, sizeof h->ready, h->ready_plain,
                       sizeof h->ready_plain, 1},
        [BOX_CLIENT_MESSAGE] = {h->client_message_nonce, SHORT, h->client_message,
                                sizeof h->client_message, h->client_message_plain,
                                sizeof h->client_message_plain, 1},
        [BOX_SERVER_MESSAGE] = {h->server_message_nonce, SHORT, h->server_message,
                                sizeof h->server_message, h->server_message_plain,
                                sizeof h->server_message_plain, 1},
    };

    return all[name];
}

static uint8_t *copy(const uint8_t *data, size_t len)
{
    uint8_t *octets = malloc(len + (len == 0));

    REQUIRE(octets != NULL);
    memcpy(octets, data, len);
    return octets;
}

static void change(struct parcel *parcel, const struct contents *contents, uint8_t how,
                   struct steering *steering)
{
    uint8_t position = take_octet(steering);
    uint8_t flip = take_octet(steering);

    if (how == CHANGED_NONCE && contents->nonce != zeros) {
        parcel->nonce[position % contents->nonce_len] ^= flip;
        parcel->changed = flip != 0;
    } else if (how == CHANGED_BOX && parcel->box_len > 0) {
        parcel->box[position % parcel->box_len] ^= flip;
        parcel->changed = flip != 0;
    }
}

static struct parcel pack(const struct contents *contents, struct steering *steering)
{
    struct parcel parcel = {.box_len = contents->box_len, .plain = contents->plain};
    uint8_t how = take_octet(steering) % CHANGES;

    if (how == CHANGED_LENGTH && contents->any_length) {
        parcel.box_len = take_octet(steering) % (contents->box_len + 1);
        parcel.changed = parcel.box_len != contents->box_len;
    }
    parcel.nonce = copy(contents->nonce, contents->nonce_len);
    parcel.box = copy(contents->box, parcel.box_len);
    change(&parcel, contents, how, steering);
    parcel.out_len = contents->any_length && parcel.box_len < contents->plain_len + 16
                         ? (parcel.box_len > 16 ? parcel.box_len - 16 : 0)
                         : contents->plain_len;
    parcel.out = malloc(parcel.out_len + 1);
    REQUIRE(parcel.out != NULL);
    memset(parcel.out, 0xa5, parcel.out_len + 1);
    return parcel;
}

static void unpack(struct parcel *parcel)
{
    free(parcel->nonce);
    free(parcel->box);
    free(parcel->out);
}

static struct zmtp_box_result open_parcel(struct zmtp_curve_session *session, uint32_t now,
                                          const struct handshake *h, enum box_name name,
                                          enum zmtp_sender *sender, const struct parcel *p)
{
    switch (name) {
    case BOX_HELLO:
        return zmtp_curve_open_hello(session, now, h->client_transient.public_key, p->nonce, p->box,
                                     p->out);
    case BOX_WELCOME:
        return zmtp_curve_open_welcome(session, now, p->nonce, p->box, p->out);
    case BOX_COOKIE:
        return zmtp_curve_open_cookie(session, now, p->box, p->out);
    case BOX_INITIATE:
        return zmtp_curve_open_initiate(session, now, p->nonce, p->box, p->box_len, p->out);
    case BOX_VOUCH:
        return zmtp_curve_open_vouch(session, now, h->client.public_key, p->nonce, p->box, p->out);
    case BOX_READY:
        return zmtp_curve_open_ready(session, now, p->nonce, p->box, p->box_len, p->out);
    case BOX_CLIENT_MESSAGE:
    case BOX_SERVER_MESSAGE:
    case BOX_COUNT:
        break;
    }
    return zmtp_curve_open_message(session, now, sender, p->nonce, p->box, p->box_len, p->out);
}

static void open_box(struct zmtp_curve_session *session, const struct handshake *h,
                     struct steering *steering)
{
    enum box_name name = (enum box_name)(take_octet(steering) % BOX_COUNT);
    uint32_t now = take_octet(steering);
    struct contents contents = contents_of(h, name);
    struct parcel parcel = pack(&contents, steering);
    enum zmtp_sender sender = (enum zmtp_sender)(take_octet(steering) % 3);
    struct zmtp_box_result result = open_parcel(session, now, h, name, &sender, &parcel);

    REQUIRE(zmtp_key_kind_name(result.kind) != NULL);
    REQUIRE(parcel.out[parcel.out_len] == 0xa5);
    if (result.status == ZMTP_BOX_OPENED) {
        REQUIRE(!parcel.changed);
        REQUIRE(result.kind != ZMTP_KEY_NONE && result.source < ZMTP_SOURCES);
        REQUIRE(memcmp(parcel.out, parcel.plain, parcel.out_len) == 0);
    } else {
        for (size_t i = 0; i < parcel.out_len; i++) {
            REQUIRE(parcel.out[i] == 0xa5);
        }
    }
    unpack(&parcel);
}

/* Keys of the input's own making, some of them of the handshake. */
static void take_key(const struct handshake *h, struct steering *steering, uint8_t *key)
{
    const uint8_t *const known[] = {
        h->client.public_key,
        h->client.secret,
        h->server.public_key,
        h->server.secret,
        h->cookie_key,
        h->session_key,
        h->client_transient.public_key,
        h->client_transient.secret,
        h->server_transient.public_key,
        h->server_transient.secret,
    };
    size_t which = take_octet(steering) % (sizeof known / sizeof *known + 3);

    if (which < sizeof known / sizeof *known) {
        memcpy(key, known[which], ZMTP_KEY_SIZE);
    } else {
        memset(key, take_octet(steering), ZMTP_KEY_SIZE);
    }
}

static void give_own(struct zmtp_keyring *ring, const struct handshake *h,
                     struct steering *steering)
{
    uint8_t class = take_octet(steering) % ZMTP_KEY_CLASSES;
    enum zmtp_key_source source = (enum zmtp_key_source)(take_octet(steering) % ZMTP_SOURCES);
    uint8_t keys[3][ZMTP_KEY_SIZE];

    for (size_t i = 0; i < 3; i++) {
        take_key(h, steering, keys[i]);
    }
    switch (class) {
    case ZMTP_SESSION_KEYS:
        (void)zmtp_keyring_add_session(ring, keys[0], keys[1], keys[2], source);
        break;
    case ZMTP_KEY_PAIRS:
        (void)zmtp_keyring_add_pair(ring, keys[0], keys[1], source);
        break;
    case ZMTP_PUBLIC_KEYS:
        (void)zmtp_keyring_add_public(ring, keys[0], source);
        break;
    default:
        (void)zmtp_keyring_add_cookie_key(ring, keys[0], keys[1], source);
        break;
    }
}

/* What a session knows is of its own handshake: nothing else has ever opened. */
static void ask(const struct zmtp_curve_session *session, const struct handshake *h, uint32_t now)
{
    struct zmtp_curve_known known;
    const uint8_t *keys[][2] = {
        {zmtp_curve_client_transient(session, now), h->client_transient.public_key},
        {zmtp_curve_client_permanent(session, now), h->client.public_key},
    };

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        REQUIRE(!keys[i][0] || memcmp(keys[i][0], keys[i][1], ZMTP_KEY_SIZE) == 0);
    }
    memset(&known, 0xff, sizeof known);
    zmtp_curve_what_is_known(session, now, &known);
    REQUIRE(known.client_transient_public == (keys[0][0] != NULL));
    REQUIRE(known.server_transient_public == (zmtp_curve_server_transient(session, now) != NULL));
    (void)zmtp_curve_server_permanent(session, now);
    (void)zmtp_curve_has_secret_of(session, h->client.public_key);
}

static void operate(struct zmtp_keyring *ring, struct zmtp_curve_session *session,
                    const struct handshake *h, struct steering *steering)
{
    uint8_t operation = take_octet(steering) % OPERATIONS;

    if (operation == GIVE) {
        unsigned keys = take_octet(steering) | (unsigned)take_octet(steering) << 8;

        give_keys(ring, h, keys, (enum zmtp_key_source)(take_octet(steering) % ZMTP_SOURCES));
    } else if (operation == GIVE_OWN) {
        give_own(ring, h, steering);
    } else if (operation == DROP) {
        zmtp_keyring_drop_source(ring, (enum zmtp_key_source)(take_octet(steering) % ZMTP_SOURCES));
    } else if (operation == OPEN) {
        open_box(session, h, steering);
    } else {
        ask(session, h, take_octet(steering));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct handshake handshake;
    struct steering steering = {data, size};

    if (!*handshake.seed) {
        make_handshake_from_seed(&handshake, "fuzz");
    }

    struct zmtp_keyring *ring = zmtp_keyring_new();
    struct zmtp_curve_session *session = zmtp_curve_session_new(ring);

    REQUIRE(ring && session);
    for (int i = 0; i < MAX_OPERATIONS && steering.size > 0; i++) {
        operate(ring, session, &handshake, &steering);
    }
    zmtp_curve_session_free(session);
    zmtp_keyring_free(ring);
    return 0;
}
