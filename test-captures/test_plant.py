# The altering of captures itself: what is told again unaltered is the same conversation.
# SPDX-License-Identifier: GPL-2.0-or-later
import pytest

from plant.talk import recorded, write
from plant.plants import PLANTS
from corpus import all_captures
