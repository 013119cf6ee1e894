# Writes every altered capture into a folder, to look at: python3 -m plant FOLDER [RULE...], from test-captures.
# SPDX-License-Identifier: GPL-2.0-or-later
import pathlib
import sys

from plant.plants import PLANTS

folder = pathlib.Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
for name, plant in PLANTS.items():
    if plant.rule in sys.argv[2:] or not sys.argv[2:]:
        print(plant.write(folder, name, plant.after()))
