/* mechanism.c - the security mechanisms that are known: one row each.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "zmtp.h"

const struct zmtp_mechanism *const zmtp_mechanisms[] = {
    &zmtp_mechanism_null,   &zmtp_mechanism_plain,
    &zmtp_mechanism_gssapi, /* before CURVE: its claim is the stronger one */
    &zmtp_mechanism_curve,  NULL,
};

const struct zmtp_mechanism *zmtp_mechanism_find(const char *name)
{
    for (const struct zmtp_mechanism *const *mechanism = zmtp_mechanisms; *mechanism; mechanism++) {
        if (strcmp((*mechanism)->name, name) == 0)
            return *mechanism;
    }
    return NULL;
}
