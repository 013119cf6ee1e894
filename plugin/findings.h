/* findings.h - the expert items, all of which stand in findings.def.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef ZMTP_FINDINGS_H
#define ZMTP_FINDINGS_H

#include <wireshark.h>

#include <epan/proto.h>

struct zmtp_ctx;
struct zmtp_registry;

enum zmtp_finding {
    ZMTP_NO_FINDING,
#define FINDING(symbol, name, group, severity, text, advice, cause) ZMTP_FINDING_##symbol,
#include "findings.def"
    ZMTP_FINDINGS
};

/* Add an expert item to item (NULL: the frame's own item): "text. advice." */
void zmtp_find(struct zmtp_ctx *ctx, proto_item *item, enum zmtp_finding finding);
/* The same with a text that says more than the table's. */
void zmtp_find_format(struct zmtp_ctx *ctx, proto_item *item, enum zmtp_finding finding,
                      const char *format, ...) G_GNUC_PRINTF(4, 5);

/* Say that not all of this packet is shown, if that was not said. */
void zmtp_leave_out(struct zmtp_ctx *ctx);

const char *zmtp_finding_name(enum zmtp_finding finding); /* "zmtp.gap" */
const char *zmtp_finding_text(enum zmtp_finding finding);
const char *zmtp_finding_advice(enum zmtp_finding finding);

void zmtp_register_findings(const struct zmtp_registry *registry);

#endif
