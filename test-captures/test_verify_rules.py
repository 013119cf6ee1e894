# Each rule of zmtp-verify is tripped by at least one altered capture, which trips no other.
# SPDX-License-Identifier: GPL-2.0-or-later
import json
import os
import pathlib
import subprocess
import tempfile

import pytest

from bulk import SANITIZED
from plant.planting import base_named
from plant.plants import PLANTS
from tools import BUILD, SCRIPTS

# One run of the verifier looks at all of them: all tests of them belong to one worker.
pytestmark = [pytest.mark.xdist_group("planted"),
              pytest.mark.skipif(SANITIZED, reason="tshark is started without the sanitizer's library")]


def verify(*arguments):
    """The lines of JSON that zmtp-verify prints."""
    done = subprocess.run([SCRIPTS / "zmtp-verify", "--json", *arguments], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode in (0, 1), done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def tripped():
    """({name: rules that this plant trips}, {name: those that its base trips}); known deviations count too."""
    written = {}  # names of the captures of bases
    with tempfile.TemporaryDirectory() as path:
        folder = pathlib.Path(path)
        for part in ("before", "after"):
            (folder / part).mkdir()
        for name, plant in PLANTS.items():
            plant.write(folder / "after", name, plant.after())
            if written.setdefault(_base(plant), name) == name:
                plant.write(folder / "before", name, plant.before())
        bases = {plant.base for plant in PLANTS.values()}
        decode_as = {word for name in bases for word in base_named(name).arguments if word.startswith("tcp.port==")}
        results = verify("--plugins", os.environ.get("ZMTP_PLUGIN_DIR", BUILD / "plugins"), folder,
                         *(word for option in sorted(decode_as) for word in ("-d", option)))
    found = {"before": {}, "after": {}}
    for result in results:
        if result["type"] == "capture":
            file = pathlib.Path(result["file"])
            found[file.parent.name][file.stem] = {one["rule"] for one in result["deviations"]}
    return found["after"], {name: found["before"][written[_base(plant)]] for name, plant in PLANTS.items()}


def _base(plant):
    return plant.base, plant.keys, plant.clean


@pytest.mark.parametrize("name", PLANTS)
def test_a_plant_trips_its_rule_and_no_other(tripped, name):
    after, before = tripped
    assert after[name] - before[name] == {PLANTS[name].rule}


def test_each_rule_has_a_plant():
    assert {line["rule"] for line in verify("--rules")} == {plant.rule for plant in PLANTS.values()}
