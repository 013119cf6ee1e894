# What the tests of the programs share that a person runs: where they are, and key log lines for them.
# SPDX-License-Identifier: GPL-2.0-or-later
import functools
import importlib.machinery
import importlib.util
import os
import pathlib
import re
import subprocess

from corpus import HERE, key_lines

SCRIPTS = HERE.parent / "scripts"
BUILD = pathlib.Path(os.environ.get("ZMTP_PLUGIN_DIR", HERE.parent / "build" / "plugins")).absolute().parent

CURVE = HERE / "libzmq-4.3.4" / "curve-req-rep"
SESSION = next(line for line in key_lines(CURVE.with_suffix(".keys")) if line.startswith("CURVE_SESSION_KEY"))
PAIR, OTHER_PAIR = [line for line in key_lines(HERE / "libzmq-4.3.4" / "both-curve-clients.permanent.keys")
                    if line.startswith("CURVE_SECRET_KEY")][:2]
STRANGER = " ".join([*PAIR.split()[:2], OTHER_PAIR.split()[2]])  # a public key and the secret key of another


def secrets_of(text):
    return {line.split()[-1] for line in text.splitlines() if line.startswith("CURVE_") and len(line.split()[-1]) > 40}


def run(program, *arguments, stdin=None, **keywords):
    """Runs a program of the build or of scripts/; nothing of it may wait for input."""
    path = BUILD / program if (BUILD / program).exists() else SCRIPTS / program
    if "input" not in keywords:
        keywords["stdin"] = stdin or subprocess.DEVNULL
    keywords.setdefault("env", {**os.environ, "ZMTP_BUILD": str(BUILD)})
    return subprocess.run([path, *arguments], capture_output=True, text=True, errors="replace", timeout=60, check=False,
                          **keywords)


@functools.lru_cache
def program_module(program):
    """A Python program of scripts/, for tests of what cannot be brought about from outside."""
    loader = importlib.machinery.SourceFileLoader(program.replace("-", "_"), str(SCRIPTS / program))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


@functools.lru_cache
def wireshark_version():
    said = subprocess.run(["tshark", "--version"], capture_output=True, text=True, check=True).stdout
    return tuple(int(number) for number in re.search(r"(\d+)\.(\d+)", said).groups())
