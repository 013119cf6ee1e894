# All plants, by a name for each.
# SPDX-License-Identifier: GPL-2.0-or-later
import collections

from plant import plants_patterns, plants_security, plants_zmtp


def _named(plants):
    """{name: plant}: that of its rule, with a number where the rule has several."""
    seen, found = collections.Counter(), {}
    for plant in plants:
        seen[plant.rule] += 1
        number = seen[plant.rule]
        found[plant.rule if number == 1 else f"{plant.rule}-{number}"] = plant
    return found


PLANTS = _named([*plants_zmtp.PLANTS, *plants_security.PLANTS, *plants_patterns.PLANTS])
