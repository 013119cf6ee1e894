# Each rule of zmtp-verify is tripped by at least one altered capture, which trips no other.
# SPDX-License-Identifier: GPL-2.0-or-later
import json
import os
import pathlib
import subprocess
import tempfile

import pytest

from plant.planting import Plant, unaltered
from plant.plants import PLANTS
from tools import BUILD, SCRIPTS

# One run of the verifier looks at all of them, so that all tests of them belong to one worker.
pytestmark = pytest.mark.xdist_group("planted")


def verify(*arguments):
    """What zmtp-verify says, as JSON."""
    done = subprocess.run([SCRIPTS / "zmtp-verify", "--json", *arguments], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=900, check=False,
                          env={**os.environ, "ZMTP_BUILD": str(BUILD)})
    assert done.returncode in (0, 1), done.stderr
    return json.loads(done.stdout)


def unaltered_name(plant):
    return f"{plant.base}-with-{len(plant.keys)}"


@pytest.fixture(scope="module")
def tripped():
    """{name: the rules that this plant, or its base, trips}."""
    with tempfile.TemporaryDirectory() as path:
        folder = pathlib.Path(path)
        for name, plant in PLANTS.items():
            plant.write(folder, name)
            if not (folder / f"{unaltered_name(plant)}.pcap").exists():
                Plant("none", plant.base, unaltered, plant.keys).write(folder, unaltered_name(plant))
        return {pathlib.Path(file["file"]).stem: {deviation["rule"] for deviation in file["deviations"]}
                for file in verify(folder)["files"]}


@pytest.mark.parametrize("name", PLANTS)
def test_a_plant_trips_its_rule_and_no_other(tripped, name):
    plant = PLANTS[name]
    before = tripped[unaltered_name(plant)]
    assert plant.rule not in before
    assert tripped[name] - before == {plant.rule}


def test_each_rule_has_a_plant():
    assert {rule["id"] for rule in verify("--rules")["rules"]} == {plant.rule for plant in PLANTS.values()}
