# What the tests of GSSAPI share.
# SPDX-License-Identifier: GPL-2.0-or-later
from corpus import all_captures
from pdml import experts, fields, is_true, shows

DECRYPTED = "zmtp.gssapi.decrypted"
CLOSED = "zmtp.gssapi.not_decrypted"
TOKEN = "zmtp.gssapi.token"
DECRYPT_ON = ("-o", "kerberos.decrypt:TRUE")


def sample_named(name):
    return next(sample for sample in all_captures() if sample.id == f"libzmq-4.3.4/gssapi-{name}")


SESSION, OTHER = sample_named("req-rep"), sample_named("push-pull")


def reasons(packets):
    """The distinct reasons why tokens stay closed."""
    return sorted(set(shows(packets, CLOSED)))


def names(packets):
    return [expert.name for expert in experts(packets)]


def opened(packets):
    return [is_true(field) for _, field in fields(packets, DECRYPTED)]
