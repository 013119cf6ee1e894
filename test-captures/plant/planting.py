# One altered capture: what rule it breaks, which real capture it is made of, and how that is altered.
# SPDX-License-Identifier: GPL-2.0-or-later
import dataclasses
import functools
import shutil
import typing

from corpus import HERE, Sample

from plant.talk import recorded, write

RECORDED = HERE / "libzmq-4.3.4"
ALL_KEYS = (".keys", ".permanent.keys", ".transient.keys", ".cookie.keys")


@functools.cache
def base_named(name):
    return Sample(RECORDED / f"{name}.json")


def unaltered(talk):
    """The change that changes nothing."""
    return talk


@dataclasses.dataclass(frozen=True)
class Plant:
    """`change` gets the Talk of the first connection; its `talks` are all of them."""
    rule: str
    base: str  # the name of a capture of libzmq 4.3.4
    change: typing.Callable
    keys: tuple = (".keys",)  # the key logs that are known
    # What is changed before, where libzmq breaks this very rule.
    clean: typing.Callable = unaltered

    @property
    def key_logs(self):
        base = base_named(self.base)
        return [base.with_ending(end) for end in self.keys if base.with_ending(end).exists()]

    def before(self):
        """The connections of the base."""
        talks = recorded(base_named(self.base).capture, self.key_logs)
        self.clean(talks[0])
        return talks

    def after(self):
        talks = self.before()
        self.change(talks[0])
        return talks

    def write(self, folder, name, talks):
        """Writes these connections as NAME.pcap, and their keys beside it; returns its path."""
        base = base_named(self.base)
        capture = write(folder / f"{name}.pcap", talks, base.port)
        if self.key_logs:
            keys = capture.with_suffix(".keys")
            keys.touch(0o600)  # the plugin warns of key logs that everybody can read
            keys.write_text("".join(log.read_text() for log in self.key_logs))
        if base.keytab:
            shutil.copyfile(base.keytab, capture.with_suffix(".keytab"))
        return capture


def then(talk, name):
    """Another connection to the same port comes after all others: the first one of another capture."""
    talk.talks.append(first_of(name))


def first_of(name):
    """The first connection of a capture."""
    return recorded(base_named(name).capture)[0]
