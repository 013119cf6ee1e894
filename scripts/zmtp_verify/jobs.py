# Spreads the work: over the cores of this machine, or, with GNU parallel or a Slurm array, over many machines.
# SPDX-License-Identifier: GPL-2.0-or-later
import concurrent.futures
import ctypes
import multiprocessing
import os
import shlex
import signal
import subprocess
import sys

from .check import check, unchecked

PR_SET_PDEATHSIG = 1  # <sys/prctl.h>

_TSHARK = None  # of a worker


def _start(tshark):
    global _TSHARK
    _TSHARK = tshark
    # Ctrl-C ends it, and it ends with its parent, whatever happens to that.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _check(file, options):
    return check(_TSHARK, file, options)


def run_all(files, tshark, jobs, options):
    """Yields a result for each file as it comes."""
    pool = concurrent.futures.ProcessPoolExecutor(jobs, multiprocessing.get_context("fork"), _start, (tshark,))
    waiting = {pool.submit(_check, file, options): file for file in files}
    try:
        for done in concurrent.futures.as_completed(waiting):
            try:
                yield done.result()
            except concurrent.futures.BrokenExecutor:
                yield unchecked(waiting[done], "the process that checked it, or another one, was killed: "
                                               "too little memory?")
    finally:
        pool.shutdown(cancel_futures=True)


def cores():
    return len(os.sched_getaffinity(0))


def shard(files, number, count):
    """The files of part NUMBER (from 1) of COUNT: the same ones on each machine that has the same files."""
    return files[number - 1::count]


def commands(program, count, words):
    """One command line for each of COUNT parts, as GNU parallel reads them."""
    return [shlex.join([program, "--json", "--shard", f"{number}/{count}", *words]) for number in range(1, count + 1)]


def run_by_parallel(program, words, count, logins):
    """Runs all parts by GNU parallel on the machines of --sshlogin, which have the same files and program under the
    same paths. Returns what each printed."""
    # A part that finds deviations ends with 1: that is no failure of its job.
    done = subprocess.run(["parallel", "--keep-order", "--sshlogin", logins, "--workdir", os.getcwd()],
                          input="".join(line + "\n" for line in commands(program, count, words)), text=True,
                          stdout=subprocess.PIPE, stderr=sys.stderr, check=False,
                          # Else it takes the shell from which it seems to be run.
                          env={"PARALLEL_SHELL": "/bin/bash", **os.environ})
    return done.stdout
