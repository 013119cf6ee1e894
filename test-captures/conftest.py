# What all capture tests share: the tshark fixture, the corpus, and --accept.
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Run through ctest, or by hand: ZMTP_PLUGIN_DIR=build/plugins /usr/bin/python3 -m pytest test-captures
import os
import pathlib
import sys
import tempfile

import pytest

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE))

# pylint: disable=wrong-import-position
from bulk import SANITIZED  # noqa: E402
from corpus import all_captures  # noqa: E402
from tshark import Tshark  # noqa: E402


def pytest_addoption(parser):
    parser.addoption("--accept", action="store_true", help="rewrite the golden .tree files; read the diff afterwards")


def pytest_generate_tests(metafunc):
    for name, wanted in (("sample", lambda _: True), ("curve_sample", lambda sample: sample.has_keys),
                         ("gssapi_sample", lambda sample: sample.keytab),
                         ("protected_sample", lambda sample: sample.opened_by)):
        if name in metafunc.fixturenames:
            # Sanitized, each run takes three times as long: without those that say the same as libzmq-4.3.4's.
            samples = [sample for sample in all_captures() if wanted(sample)
                       and not (SANITIZED and sample.id.startswith("libzmq-4.3.5/"))]
            metafunc.parametrize(name, [
                pytest.param(sample, id=sample.id, marks=pytest.mark.xdist_group(sample.id)) for sample in samples])


@pytest.fixture(scope="session")
def tshark():
    """A Tshark (see tshark.py) with the plugin of ZMTP_PLUGIN_DIR."""
    plugin_dir = os.environ.get("ZMTP_PLUGIN_DIR", HERE.parent / "build" / "plugins")
    if not list(pathlib.Path(plugin_dir).rglob("zmtp.so")):
        pytest.exit(f"no zmtp.so under {plugin_dir}: build first, or set ZMTP_PLUGIN_DIR", returncode=2)
    os.umask(0o022)
    tool = Tshark(plugin_dir)
    yield tool
    tool.remove()


@pytest.fixture
def folder(tshark):
    """A new folder whose files tshark can read, also where it runs as another user than the tests."""
    path = pathlib.Path(tempfile.mkdtemp(dir=tshark.folder))
    path.chmod(0o755)
    return path
