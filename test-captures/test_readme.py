# The README says what is true.
# SPDX-License-Identifier: GPL-2.0-or-later
import pathlib
import subprocess

import pytest

TOP = pathlib.Path(__file__).parent.parent


def test_the_field_table_is_what_the_plugin_registers(tshark):
    listed = tshark(None, "-G", "fields")
    if "\tzmtp.unsupported_version\t" in listed:
        pytest.skip("this Wireshark has a zmtp of its own, whose fields are listed too")
    done = subprocess.run([TOP / "scripts" / "field-table", "--check", TOP / "README.md"], input=listed,
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
