/* certificates.h - keys in files.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef CERTIFICATES_H
#define CERTIFICATES_H

#include "../decrypt/certificate.h"

/*
 * Reads the keys of a connection file, a JSON object: where CURVE is on, Jupyter's has
 * curve_publickey and curve_secretkey, and ipyparallel's has curve_serverkey. `text` ends in NUL,
 * and is changed where it has these. The results are those of zmtp_certificate_from_keys.
 */
enum zmtp_certificate_status zmtp_certificate_from_json(char *text,
                                                        struct zmtp_certificate *certificate,
                                                        struct zmtp_certificate_problem *problem);

#endif
