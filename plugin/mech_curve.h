/* mech_curve.h - what the files of the mechanism CURVE share.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef MECH_CURVE_H
#define MECH_CURVE_H

#include "zmtp.h"

#include "../decrypt/curve.h"

/* Boxes by the keys that they need.  SESSION: INITIATE, READY and MESSAGE. */
enum zmtp_curve_box {
    ZMTP_CURVE_HELLO,
    ZMTP_CURVE_WELCOME,
    ZMTP_CURVE_COOKIE,
    ZMTP_CURVE_VOUCH,
    ZMTP_CURVE_SESSION
};

/* ---- What the user's keys did (mech_curve_keys.c); all texts are for people ---- */

/* What opened a box: "key log (session key)".  Lives as long as the program. */
const char *zmtp_curve_key_source(struct zmtp_box_result result);

/* Why a box stays closed, and what would open it.  Packet scope. */
const char *zmtp_curve_why_not(struct zmtp_ctx *ctx, enum zmtp_curve_box kind,
                               const struct zmtp_curve_session *session,
                               struct zmtp_box_result result);

/* What HELLO, which opened or not, shows about the server key that the client was given; NULL: no
 * key that could tell was given.  Packet scope. */
const char *zmtp_curve_check_server_key(struct zmtp_ctx *ctx,
                                        const struct zmtp_curve_session *session,
                                        struct zmtp_box_result result);

#endif
