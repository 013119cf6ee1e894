#!/usr/bin/python3
# Records the captures of this folder from real libzmq peers: see ../README.md.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Record captures of real ZeroMQ peers, each in a network namespace of its own."""

import argparse
import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import tempfile

import zmq

import harness
import scenarios_curve_raw  # noqa: F401  (each of these registers its scenarios)
import scenarios_draft  # noqa: F401
import scenarios_failures  # noqa: F401
import scenarios_gssapi  # noqa: F401
import scenarios_gssapi_raw  # noqa: F401
import scenarios_heimdal  # noqa: F401
import scenarios_network  # noqa: F401
import scenarios_patterns  # noqa: F401
import scenarios_payload  # noqa: F401
import scenarios_raw  # noqa: F401
import scenarios_security  # noqa: F401
import scenarios_stopped  # noqa: F401
import scenarios_strangers  # noqa: F401
import table

HERE = pathlib.Path(__file__).resolve().parent
CAPTURES = HERE.parent
KEY_LOGGER = CAPTURES.parent / "decrypt" / "keylogger" / "zmtpkeylog.c"
# Every scenario is recorded with this version, and a part of them with each other one.
FULL_VERSION = "4.3.4"
LONGEST_RUN = 60


def build_preload(library, source, *flags):
    subprocess.run(["gcc", "-O2", "-Wall", "-Wextra", "-fPIC", "-shared", *flags, "-o", library, source],
                   check=True)
    return library


def record_all(names, out):
    """Record each scenario in a process and a folder of its own. Returns the names that failed."""
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        product = build_preload(f"{folder}/libzmtpkeylog.so", KEY_LOGGER, "-std=gnu11", "-fvisibility=hidden")
        # -lsodium: it calls what it does not hook itself.
        transient = build_preload(f"{folder}/transient_preload.so", HERE / "transient_preload.c", "-std=c11",
                                  "-Wl,--no-as-needed", "-lsodium")
        for name in names:
            more = f"{transient}:" if harness.SCENARIOS[name].transient_keys else ""
            with tempfile.TemporaryDirectory(dir=folder) as own:
                recorded = record_apart(name, out, own, {
                    **os.environ,
                    # What a failed run leaves behind goes with its folder.
                    "TMPDIR": own,
                    "LD_PRELOAD": f"{more}{product}",
                    # A process that is forked off logs elsewhere once it is in another folder.
                    "ZMTPKEYLOGFILE": "/proc/self/cwd/keys",
                })
            print(f"{'recorded' if recorded else 'FAILED  '} {name}", flush=True)
            if not recorded:
                failed.append(name)
    return failed


def record_apart(name, out, folder, environment):
    # A session of its own, so that a run which hangs can be ended with its tcpdump.
    process = subprocess.Popen(
        [sys.executable, "-B", str(HERE / "record.py"), "--inside", "--out", str(out.absolute()), name],
        cwd=folder, env=environment, start_new_session=True)
    try:
        return process.wait(LONGEST_RUN) == 0
    except subprocess.TimeoutExpired:
        return False
    finally:
        # Also what is left of a run that libzmq has aborted: its tcpdump, its KDC.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def default_names(version):
    names = []
    for name, wanted in harness.SCENARIOS.items():
        if version != FULL_VERSION and not wanted.every_version:
            continue
        if wanted.needs is not None and not wanted.needs():
            print(f"skipped  {name}: this libzmq or this machine cannot do it")
            continue
        names.append(name)
    return names


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="scenarios (default: all)")
    parser.add_argument("--list", action="store_true", help="list the scenarios")
    parser.add_argument("--table", action="store_true",
                        help="print README.md's table from the NAME.json files")
    parser.add_argument("--out", type=pathlib.Path, metavar="DIR",
                        help="folder for the captures (default: ../libzmq-VERSION)")
    parser.add_argument("--fresh", type=pathlib.Path, metavar="DIR",
                        help="record everything anew into DIR/libzmq-VERSION")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def main():
    options = arguments()
    version = zmq.zmq_version()
    if options.list:
        for name, wanted in harness.SCENARIOS.items():
            print(f"{name:32} {wanted.about}")
        return 0
    if options.table:
        print(table.markdown(CAPTURES))
        return 0
    if os.geteuid() != 0:
        print("record.py: needs root (it makes network namespaces and runs tcpdump).",
              file=sys.stderr)
        return 2
    unknown = [name for name in options.names if name not in harness.SCENARIOS]
    if unknown:
        print(f"record.py: no such scenario: {', '.join(unknown)} (see --list)", file=sys.stderr)
        return 2
    if options.inside:
        harness.record(harness.SCENARIOS[options.names[0]], options.out)
        return 0
    folder = options.out or (options.fresh or CAPTURES) / f"libzmq-{version}"
    failed = record_all(options.names or default_names(version), folder)
    if failed:
        print(f"record.py: failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
