# zmtp-keylog-check: what it counts, what it complains about, and what it must not tell.
# SPDX-License-Identifier: GPL-2.0-or-later
import subprocess

import pytest

from tools import PAIR, SESSION, STRANGER, run, secrets_of

GOOD = f"# comment\n\n{SESSION}\n{PAIR}\nCURVE_NEW_KEY 12\n{SESSION}\n"
BAD = f"{SESSION}\n{SESSION[:-1]}\n{STRANGER}\nCURVE_SESSION_KEY\n"


@pytest.fixture
def check(tmp_path):
    """Runs the checker on a key log of this text; returns (status, output, complaints)."""
    def run_check(text, *options, name="test.keys"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        done = run("zmtp-keylog-check", *options, path)
        for secret in secrets_of(GOOD + BAD):
            assert secret[:16] not in done.stderr and ("--good" in options or secret[:16] not in done.stdout)
        return done.returncode, done.stdout.replace(f"{path}", name), done.stderr.replace(f"{path}", name)
    return run_check


def test_good_log_is_counted(check):
    assert check(GOOD) == (0, "test.keys: 2 added, 1 duplicates, 1 unknown labels, 0 malformed, 0 mismatched\n", "")


def test_last_line_needs_no_line_end(check):
    status, output, _ = check(GOOD + PAIR)
    assert (status, "2 added, 2 duplicates" in output) == (0, True)


def test_bad_lines_are_named_with_file_and_line(check):
    status, output, complaints = check(BAD)
    assert status == 1
    assert output == "test.keys: 1 added, 0 duplicates, 0 unknown labels, 2 malformed, 1 mismatched\n"
    assert complaints.splitlines() == [
        "test.keys: line 2: field 4: 63 characters: a Z85 key has 40, a hex key 64",
        "test.keys: line 3: the secret key does not belong to the public key",
        "test.keys: line 4: CURVE_SESSION_KEY needs 3 keys, found 0",
    ]


def test_bad_last_line_without_line_end_is_named(check):
    status, _, complaints = check(SESSION[:-1])
    assert status == 1 and "line 1:" in complaints


def test_after_eight_bad_lines_the_others_are_summed_up(check):
    _, output, complaints = check("CURVE_SECRET_KEY\n" * 20)
    assert len(complaints.splitlines()) == 9
    assert complaints.splitlines()[-1] == "test.keys: line 9: 12 more malformed lines"
    assert "20 malformed" in output


def test_good_lines_can_be_taken_out(check):
    assert check(GOOD, "--good")[:2] == (0, GOOD)
    status, output, complaints = check(BAD + "# end", "--good")
    assert (status, output) == (1, f"{SESSION}\n# end")
    assert complaints.splitlines()[-1].startswith("test.keys: 1 added, ")


def test_octets_that_are_no_text_do_no_harm(check):
    status, output, _ = check(bytes(range(256)) * 300 + b"\n" + SESSION.encode())
    assert status == 0 and ": 1 added, " in output


def test_each_file_has_its_line_and_the_worst_decides(tmp_path):
    good, bad = tmp_path / "good", tmp_path / "bad"
    good.write_text(GOOD)
    bad.write_text(BAD)
    done = run("zmtp-keylog-check", bad, good)
    assert done.returncode == 1 and [line.split(":")[0] for line in done.stdout.splitlines()] == [str(bad), str(good)]

    done = run("zmtp-keylog-check", tmp_path / "absent", good)
    assert done.returncode == 2 and len(done.stdout.splitlines()) == 1
    assert done.stderr == f"zmtp-keylog-check: cannot read {tmp_path / 'absent'}: No such file or directory\n"


def test_a_folder_is_not_a_key_log(tmp_path):
    done = run("zmtp-keylog-check", tmp_path)
    assert done.returncode == 2 and "Is a directory" in done.stderr


def test_standard_input_is_a_key_log():
    done = run("zmtp-keylog-check", "-", input=GOOD)
    assert done.returncode == 0 and done.stdout.startswith("standard input: 2 added, ")


@pytest.mark.parametrize("arguments", [(), ("--nonsense",), ("--good",)])
def test_wrong_usage_is_told(arguments):
    done = run("zmtp-keylog-check", *arguments, stdin=subprocess.DEVNULL)
    assert done.returncode == 2 and done.stderr.startswith("usage:") and not done.stdout


def test_help_is_output():
    done = run("zmtp-keylog-check", "-h")
    assert done.returncode == 0 and done.stdout.startswith("usage:")
