# fuzz-captures --valgrind: reads the corpus as it is under valgrind's memcheck, and names what the plugin does wrong.
# SPDX-License-Identifier: GPL-2.0-or-later
import concurrent.futures
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from corpus import all_captures
from fuzz_captures_packets import moved, read_packets, record, write_records
from fuzz_captures_run import KEYS, OUTPUTS, Run
from tshark import Tshark
from zmtp_common import several

SUPPRESSIONS = Path(__file__).resolve().parent / "fuzz-captures.supp"
SECONDS = 1200  # for a bundle
VALGRIND = ("--tool=memcheck", "--leak-check=full", "--show-leak-kinds=definite,indirect,possible", "--num-callers=40",
            "--keep-debuginfo=yes", "--xml=yes", f"--suppressions={SUPPRESSIONS}")
PLUGIN = "zmtp.so"
# A tree in two passes, all tables without one, and what is shown where nothing can be opened.
WAYS = (("a tree in two passes, all keys", (*OUTPUTS["tree"], "-2"), KEYS["all keys"]),
        ("all tables, session keys", (*OUTPUTS["connections"], *OUTPUTS["connections as json"], *OUTPUTS["counts"]),
         KEYS["session keys"]),
        ("summary, tree and octets, without keys", OUTPUTS["octets"], KEYS["without keys"]))


def check_corpus(options):
    """Prints what memcheck finds with the plugin on the stack. Returns the exit status."""
    tshark = Tshark(options.plugins)
    try:
        run = Run(tshark)
        if run.sanitized:
            raise OSError("a sanitized plugin does not run under valgrind")
        if not shutil.which("valgrind"):
            raise OSError("valgrind is not installed")
        samples = all_captures()
        bundles = -(-len(samples) // options.bundle)
        parts = [samples[number::bundles] for number in range(bundles)]  # some of every folder in each
        if options.only >= 0:
            parts = parts[options.only:options.only + 1]
        tasks = [(run, part, way) for part in parts for way in WAYS]
        found = set()
        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            for (_, part, way), problems in zip(tasks, pool.map(check_bundle, tasks)):
                print(f"{part[0].id} and {len(part) - 1} more, {way[0]}: {several(len(problems), 'finding')}",
                      flush=True)
                for problem in problems - found:
                    print(f"FINDING: {problem}", flush=True)
                found |= problems
        print(f"valgrind: {several(sum(map(len, parts)), 'capture')} in {len(WAYS)} ways, "
              f"{several(len(found), 'finding')}")
        return 1 if found else 0
    finally:
        tshark.remove()


def check_bundle(task):
    """The problems, as texts, of some captures read in one way."""
    run, samples, (_, arguments, endings) = task
    folder = run.new_folder("valgrind")
    try:
        capture, report, arguments = folder / "bundle.pcap", folder / "valgrind.xml", list(arguments)
        write_records(capture, [record(packet) for number, sample in enumerate(samples)
                                for packet in moved(read_packets(sample.capture), number)])
        for sample in samples:
            arguments += sample.arguments
        report.touch()
        run.tshark.hand_over(report)
        command = run.arguments(capture, arguments, run.keys(samples, endings, folder))
        done = subprocess.run(
            run.command([*VALGRIND, f"--xml-file={report}", "tshark", *command], "valgrind",
                        WIRESHARK_DEBUG_WMEM_OVERRIDE="simple"),  # so that it sees each allocation
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=SECONDS, check=False)
        if done.returncode:
            return {f"exit status {done.returncode}: {done.stderr.decode(errors='replace')[-2000:]}"}
        return set(errors_of(report))
    except subprocess.TimeoutExpired:
        return {f"more than {SECONDS} s"}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def errors_of(report):
    """A text for each error of valgrind's report with the plugin on a stack."""
    for error in ElementTree.parse(report).iter("error"):
        frames = list(error.iter("frame"))
        if any((frame.findtext("obj") or "").endswith(f"/{PLUGIN}") for frame in frames):
            what = error.findtext("what") or error.findtext("xwhat/text")
            # How much a leak lost differs from run to run; where it was lost does not.
            kind = error.findtext("kind")
            yield "\n".join([f"{kind}" if kind.startswith("Leak") else f"{kind}: {what}", *map(place_of, frames)])


def place_of(frame):
    name, file, line = (frame.findtext(tag) for tag in ("fn", "file", "line"))
    return f"    {name or '?'} ({file}:{line})" if file else f"    {name or '?'} (in {frame.findtext('obj')})"
