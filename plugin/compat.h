/* compat.h - the differences between Wireshark 4.0, 4.4 and 4.6 that this plugin meets, in one
 * place.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef ZMTP_COMPAT_H
#define ZMTP_COMPAT_H

#include <ws_version.h>

#define ZMTP_WIRESHARK_AT_LEAST(major, minor)                                                      \
    (WIRESHARK_VERSION_MAJOR > (major) ||                                                          \
     (WIRESHARK_VERSION_MAJOR == (major) && WIRESHARK_VERSION_MINOR >= (minor)))

/* Where format_text is declared. */
#if ZMTP_WIRESHARK_AT_LEAST(4, 4)
#include <wsutil/str_util.h>
#else
#include <epan/strutil.h>
#endif

#if ZMTP_WIRESHARK_AT_LEAST(4, 6)
#include <epan/tfs.h> /* before, packet.h brought it */
/* What the function that starts a statistic returns; before 4.6 it ends the program itself. */
typedef bool zmtp_stat_started;
#define ZMTP_STAT_STARTED return true
#define ZMTP_STAT_NOT_STARTED return false
#else
typedef void zmtp_stat_started;
#define ZMTP_STAT_STARTED return
#define ZMTP_STAT_NOT_STARTED exit(1)
#endif

#if ZMTP_WIRESHARK_AT_LEAST(4, 4)
/* What callbacks return, and which names the octet getters have. */
typedef bool zmtp_bool;
#define ZMTP_TRUE true
#define ZMTP_FALSE false
#define zmtp_format_text(scope, text, len) format_text((scope), (text), (len))
#else
typedef gboolean zmtp_bool;
#define ZMTP_TRUE TRUE
#define ZMTP_FALSE FALSE
#define tvb_get_uint8 tvb_get_guint8
#define zmtp_format_text(scope, text, len) format_text((scope), (const guchar *)(text), (len))
/* packet-gssapi.h of 4.0 names these and declares them nowhere. */
typedef struct _dcerpc_info dcerpc_info;
typedef struct _dcerpc_auth_info dcerpc_auth_info;
#endif

#endif
