# The program behind scripts/bench: options, the table, and the other questions it answers.
# SPDX-License-Identifier: GPL-2.0-or-later
"""usage: scripts/bench [OPTION...]

Builds the plugin, the floor (the least that a dissector can do) and a generator of captures in build-bench/, makes
the captures, measures, and prints a table. A figure counts only where the dissector shows every frame that was made.
Exits with 1 when a measurement failed, or, of all the data, when a goal is missed.

  --sets a,b,...   only these sets (see plugin/bench/BENCHMARKS.md); else all
  --runs N         runs of each command (5)
  --part N         an Nth of the data (1)
  --quick          --part 20 --runs 2: does it work, and roughly how fast
  --check          no times: does every dissector show every frame, also of long headers cut after 1 to 8 octets
  --callgrind      no times: instructions for each message, by function (needs valgrind)
  --linear         no table: time and memory per message against ten times as many, and per octet of huge frames
  --heuristic      no table: detection by heuristic against Decode As
  --lua FILE       a ZMTP dissector in Lua to compare with, named zmtp, for a Wireshark that has no such itself (4.0)
  --lua-fields A,B its fields with the length of each frame and with the octets (zmtp.frame.length,zmtp.frame)
  --compare DIR    another build folder whose plugin to compare with
  --data DIR       keep the captures there (about 2 GB), and use what is there
  --limit SECONDS  for each command (300)
  --json FILE      write the figures there; - is the standard output, and the table goes to the standard error
  --from FILE      measure nothing, take the figures of --json
  --write FILE     put the table into this page, between the marks for this release of Wireshark

Environment: ZMTP_BUILD is a build folder with all of it; nothing is installed or built then."""
import collections
import dataclasses
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys

from zmtp_bench_runs import (LOOPBACK_SEGMENT, MEBIBYTE, SETS, SOURCE, Bench, Failure, Set, build, failure,
                             interleaved, machine, median, ratios)

QUICK_PART, QUICK_RUNS = 20, 2
CHECK_PART = 100
CALLGRIND_PARTS = 200, 100  # of the data, compared
CALLGRIND_FUNCTIONS = 25
GOAL, GOAL_WITH_TREE, GOAL_HUGE_FRAME_4_0 = 1.25, 1.6, 1.1  # times the floor
GOAL_LUA = 3
GOAL_MEMORY = 32  # MiB more than the floor
GOAL_GROWTH = 1.10
GOAL_HEURISTIC = 1.03  # what two runs of the same command differ by on a quiet machine


def parse(arguments):
    options = {"sets": list(SETS), "runs": 5, "part": 1, "limit": 300,
               "lua-fields": "zmtp.frame.length,zmtp.frame"}
    flags = {"--check", "--callgrind", "--linear", "--heuristic"}
    values = {"--sets", "--runs", "--part", "--limit", "--lua", "--lua-fields", "--compare", "--data", "--json",
              "--from", "--write"}
    left = list(arguments)
    while left:
        option, equals, value = left.pop(0).partition("=")
        if option in ("-h", "--help"):
            print(__doc__)
            sys.exit()
        if option == "--quick":
            options.update(part=QUICK_PART, runs=QUICK_RUNS)
        elif option in flags and not equals:
            options[option[2:]] = True
        elif option in values and (equals or left):
            options[option[2:]] = value if equals else left.pop(0)
        else:
            raise Failure(f"what is {option}? --help tells")
    if isinstance(options["sets"], str):
        options["sets"] = options["sets"].split(",")
    unknown = set(options["sets"]) - set(SETS)
    if unknown:
        raise Failure(f"no set {', '.join(sorted(unknown))}; there are {', '.join(SETS)}")
    if options["lua-fields"].count(",") != 1:
        raise Failure("--lua-fields needs two names")
    for name in ("runs", "part", "limit"):
        if not str(options[name]).isdigit() or int(options[name]) < 1:
            raise Failure(f"--{name} needs a number")
        options[name] = int(options[name])
    return options


def progress(text):
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def told_command(arguments):
    """What repeats this run: without the files of this machine."""
    left, told = list(arguments), ["scripts/bench"]
    while left:
        option, equals, value = left.pop(0).partition("=")
        takes_file = option in ("--data", "--json", "--write", "--from")
        if takes_file and not equals and left:
            left.pop(0)
        elif not takes_file:
            told.append(option + equals + value)
    return " ".join(told)


# ---- The table ----

def opponents(bench, what, keys):
    """Who is measured on a set besides the plugin and the floor."""
    others = [bench.tcp]
    if not keys and bench.series >= (4, 4) and not what.builtin_fails:
        others.append(bench.builtin)
    if not keys and bench.lua:
        others.append(bench.lua)
    if bench.other:
        others.append(bench.other)
    return others


def measure_case(bench, data, tree, keys, runs):
    """A row of the table, as JSON."""
    row = {"set": data.set.name, "about": data.set.about, "messages": data.set.messages, "tree": tree, "keys": keys,
           "dissectors": {}}
    who = [bench.floor, bench.plugin, *opponents(bench, data.set, keys)]
    wrong = {one.name: bench.count(one, data, keys) for one in who if one is not bench.tcp}
    found = interleaved(runs, {
        one.name: (lambda one=one: bench.measure(one, data, tree, keys)) for one in who if not wrong.get(one.name)},
        lambda text: progress(f"{data.set.name} {'tree ' if tree else ''}{'keys ' if keys else ''}{text}"))
    for one in who:
        entry = row["dissectors"][one.name] = {"failed": wrong.get(one.name) or failure(found[one.name])}
        if entry["failed"]:
            continue
        entry.update(cpu=[round(run.cpu, 3) for run in found[one.name]],
                     seconds=round(median(found[one.name], "cpu"), 3), peak=round(median(found[one.name], "peak"), 1))
    usable = {name: runs for name, runs in found.items() if not row["dissectors"][name]["failed"]}
    if "plugin" in usable:
        row["ratios"] = {name: [round(part, 3) for part in ratios(usable["plugin"], other)]
                         for name, other in usable.items() if name != "plugin"}
    return row


def goal(row, series):
    if row["set"] == "g" and series < (4, 4):
        return GOAL_HUGE_FRAME_4_0  # Wireshark 4.0 itself is quadratic there
    return GOAL_WITH_TREE if row["tree"] and not row["keys"] else GOAL


def verdicts(row, series):
    """[what is missed] of a row."""
    dissectors, found = row["dissectors"], row.get("ratios", {})
    missed = [f"{name} failed: {entry['failed']}" for name, entry in dissectors.items() if entry["failed"]]
    if "floor" in found:
        if found["floor"][0] > goal(row, series):
            missed.append(f"{found['floor'][0]:.2f} x floor")
        if dissectors["plugin"]["peak"] > dissectors["floor"]["peak"] + GOAL_MEMORY:
            missed.append("memory")
    if "built-in" in found and found["built-in"][0] > 1:
        missed.append("slower than built-in")
    if "lua" in found and found["lua"][0] > 1 / GOAL_LUA:
        missed.append(f"not {GOAL_LUA} x faster than Lua")
    return missed


def cell(row, name):
    entry = row["dissectors"].get(name)
    if not entry:
        return ""
    return "failed" if entry["failed"] else f"{entry['seconds']:.2f}"


def ratio_cell(row, name):
    if name not in row.get("ratios", {}):
        return ""
    middle, least, most = row["ratios"][name]
    return f"{middle:.2f} ({least:.2f}-{most:.2f})"


def over_tcp(row):
    """Microseconds for each message over what TCP alone takes."""
    dissectors = row["dissectors"]
    if any(dissectors[name]["failed"] for name in ("tcp", "floor", "plugin")):
        return ""
    return " / ".join(f"{(dissectors[name]['seconds'] - dissectors['tcp']['seconds']) * 1e6 / row['messages']:.2f}"
                      for name in ("floor", "plugin"))


def peaks(row):
    return " / ".join(f"{row['dissectors'][name]['peak']:.0f}" if not row["dissectors"][name]["failed"] else "?"
                      for name in ("floor", "plugin"))


def head(result):
    on = result["machine"]
    cells = ["set", "tree", "keys", "TCP only", "floor", "plugin", "plugin / floor", "goal",
             "us a message over TCP: floor / plugin", "peak MB: floor / plugin"]
    for name in result["others"]:
        cells += [name, f"plugin / {name}"]
    cells.append("verdict")
    return [f"Wireshark {on['tshark']}, libsodium {on['libsodium']}, {on['system']}; {on['processor']}, "
            f"{on['cores']} cores, {on['memory']}; {on['date']}; {result['runs']} runs; `{result['command']}`", "",
            f"| {' | '.join(cells)} |", f"|{' --- |' * len(cells)}"]


def line(result, row):
    missed = verdicts(row, tuple(result["series"]))
    cells = [f"{row['set']} {row['about']}", "yes" if row["tree"] else "no", "yes" if row["keys"] else "no",
             cell(row, "tcp"), cell(row, "floor"), cell(row, "plugin"), ratio_cell(row, "floor"),
             f"{goal(row, tuple(result['series'])):.2f}", over_tcp(row), peaks(row)]
    for name in result["others"]:
        cells += [cell(row, name), ratio_cell(row, name)]
    return f"| {' | '.join([*cells, '; '.join(missed) or 'met'])} |"


def foot(result):
    rows = result["rows"]
    met = sum(not verdicts(row, tuple(result["series"])) for row in rows)
    lines = ["", f"{met} of {len(rows)} goals met. Seconds are processor time, user and system, of the whole tshark; "
             "ratios are medians of pairs (least-most)."]
    if "built-in" in result["others"] and any(SETS[row["set"]].builtin_fails for row in rows):
        lines.append("The built-in dissector is not run on b and d: it loses step where a segment ends within the "
                     "header of a long frame.")
    return lines


def table(result):
    lines = [*head(result), *(line(result, row) for row in result["rows"]), *foot(result)]
    return "\n".join(lines) + "\n"


def measure_table(bench, options, tell):
    """The figures; tells each line of the table as soon as it can."""
    others = [one.name for one in (bench.lua, bench.other) if one]
    result = {"machine": machine(), "series": list(bench.series), "runs": options["runs"],
              "others": ["built-in", *others] if bench.series >= (4, 4) else others,
              "command": told_command(sys.argv[1:]), "rows": []}
    tell(head(result))
    for name in options["sets"]:
        what = SETS[name].scaled(options["part"])
        progress(f"{name}: making the capture")
        data = bench.generate(what)
        for keys in (False, True) if what.has_keys else (False,):
            for tree in (False, True):
                result["rows"].append(measure_case(bench, data, tree, keys, options["runs"]))
                progress("")
                tell([line(result, result["rows"][-1])])
        bench.forget(what)
    tell(foot(result))
    return result


def write_page(path, series, text):
    page = pathlib.Path(path).read_text()
    begin, end = (f"<!-- {word} of the table of {'.'.join(map(str, series))} -->" for word in ("begin", "end"))
    if page.count(begin) != 1 or page.count(end) != 1:
        raise Failure(f"{path}: it needs the lines {begin} and {end}")
    before, _, rest = page.partition(begin)
    pathlib.Path(path).write_text(f"{before}{begin}\n{text}{end}{rest.partition(end)[2]}")


# ---- Other questions ----

def check(bench, options):
    """Whether all see all, in one pass and in two."""
    sets = [SETS[name].scaled(CHECK_PART) for name in options["sets"]]
    for mechanism in ("NULL", "CURVE"):
        sets += [Set("split", mechanism, 100, 1000, split=octets) for octets in range(1, 9)]
    bad = 0
    for what in sets:
        data = bench.generate(what)
        wrong = {}
        for keys in (False, True) if what.has_keys else (False,):
            for passes in (1, 2):
                for dissector in (bench.floor, bench.plugin):
                    progress(f"{what.name}: {dissector.name}")
                    wrong[f"{dissector.name}, {'' if keys else 'no '}keys, -{passes}"] = \
                        bench.count(dissector, data, keys, passes=passes)
        bench.forget(what)
        progress("")
        bad += sum(map(bool, wrong.values()))
        print(f"{what.name} {what.about}:", "; ".join(f"{how}: {text}" for how, text in wrong.items() if text) or
              f"right in {len(wrong)} ways", flush=True)
    print(f"{bad} wrong")
    return not bad


def profile(bench, dissector, what, keys, folder):
    """Instructions by function, and the sum under ""."""
    data = bench.generate(what)
    out = folder / f"{what.name}-{dissector.name}{'-keys' if keys else ''}-{what.messages}.out"
    inside = bench.tool.folder / "home" / "callgrind.out"
    arguments = ["--tool=callgrind", f"--callgrind-out-file={inside}", "tshark",
                 *bench.arguments(dissector, data, keys), "-q", "-z", "io,stat,0"]
    run = bench.run(bench.command(dissector, data, keys, arguments, "valgrind"))
    found = re.search(r"Collected : (\d+)", run.errors)
    if run.failed or not found:
        raise Failure(f"callgrind: {run.failed or run.errors[-300:]}")
    shutil.copy(inside, out)
    said = subprocess.run(["callgrind_annotate", "--threshold=100", "--auto=no", out], capture_output=True, text=True,
                          check=True).stdout
    functions = collections.Counter({"": int(found.group(1))})
    for count, function, library in re.findall(r"^ *([\d,]+) \([ \d.]+%\) +(\S+)(?: \[(.*)\])?$", said, re.MULTILINE):
        name = function.rpartition(":")[2] + (f" in {pathlib.Path(library).name}" if library else "")
        functions[name] += int(count.replace(",", ""))
    return functions


def callgrind(bench, options):
    """Two sizes, so that what the start takes cancels out."""
    if not shutil.which("callgrind_annotate"):
        raise Failure("--callgrind needs valgrind")
    folder = bench.build / "callgrind"
    folder.mkdir(exist_ok=True)
    for name in options["sets"]:
        small, big = (SETS[name].scaled(divisor) for divisor in CALLGRIND_PARTS)
        # Of one message the octets count.
        unit, step = ("message", big.messages - small.messages) if big.messages > small.messages else \
            ("octet", big.size - small.size)
        for keys in (False, True) if SETS[name].has_keys else (False,):
            each = {}
            for dissector in (bench.floor, bench.plugin):
                few, many = (profile(bench, dissector, what, keys, folder) for what in (small, big))
                each[dissector] = {function: (many[function] - few[function]) / step for function in many}
            floor, plugin = each[bench.floor], each[bench.plugin]
            print(f"\n{name} {SETS[name].about}, {'keys' if keys else 'no keys'}, no tree\n"
                  f"\n| instructions a{'n' if unit == 'octet' else ''} {unit} | floor | plugin |\n| --- | --- | --- |\n"
                  f"| all ({plugin[''] / floor['']:.2f} x floor) | {floor['']:.1f} | {plugin['']:.1f} |")
            for function in sorted(plugin, key=plugin.get, reverse=True)[1:CALLGRIND_FUNCTIONS]:
                print(f"| {function} | {floor.get(function, 0):.1f} | {plugin[function]:.1f} |", flush=True)
    print(f"\nThe profiles are in {folder}: callgrind_annotate FILE.")
    return True


GROWTHS = (
    # what, unit, [small, big] and the number of units in each
    ("messages, NULL", Set("a", "NULL", 1_000_000), Set("a", "NULL", 10_000_000), "messages"),
    ("messages, CURVE with keys", Set("c", "CURVE", 1_000_000), Set("c", "CURVE", 10_000_000), "messages"),
    ("connections, CURVE with keys", Set("f", "CURVE", 10, connections=10_000),
     Set("f", "CURVE", 10, connections=100_000), "connections"),
    ("octets in one frame, CURVE with keys", Set("g", "CURVE", 1, 64 * MEBIBYTE),
     Set("g", "CURVE", 1, 512 * MEBIBYTE), "size"),
)


def linear(bench, options):
    """Time and memory for each message, without the start: a capture of one message shows what that takes."""
    good = True
    print("| growth | dissector | us each: small | big | ratio | octets of memory each: small | big | ratio | verdict |"
          "\n|" + " --- |" * 9)
    for name, small, big, unit in GROWTHS:
        if unit == "size" and bench.series < (4, 4):  # quadratic in Wireshark itself over small segments
            small, big = (dataclasses.replace(what, segment=LOOPBACK_SEGMENT) for what in (small, big))
        small, big = small.scaled(options["part"]), big.scaled(options["part"])
        if small.name not in options["sets"]:
            continue
        start = dataclasses.replace(small, count=1, size=32, connections=1)
        keys = small.has_keys
        datas = [bench.generate(what) for what in (start, small, big)]
        for dissector in (bench.floor, bench.plugin):
            wrong = [bench.count(dissector, data, keys) for data in datas]
            found = interleaved(options["runs"], {
                number: (lambda data=data: bench.measure(dissector, data, False, keys))
                for number, data in enumerate(datas)}, lambda text: progress(f"{name} {dissector.name} {text}"))
            failed = next((text for text in (*wrong, *map(failure, found.values())) if text), "")
            progress("")
            if failed:
                good = False
                print(f"| {name} | {dissector.name} | failed: {failed} |" + " |" * 6)
                continue
            each = [[(median(found[number], what) - median(found[0], what)) * factor / getattr(datas[number].set, unit)
                     for number in (1, 2)] for what, factor in (("cpu", 1e6), ("peak", MEBIBYTE))]
            growth = [many / few if few > 0 else float("inf") for few, many in each]
            met = all(one <= GOAL_GROWTH for one in growth)
            good &= met or dissector is bench.floor
            print(f"| {name} | {dissector.name} | {each[0][0]:.4g} | {each[0][1]:.4g} | {growth[0]:.2f} | "
                  f"{each[1][0]:.4g} | {each[1][1]:.4g} | {growth[1]:.2f} | {'met' if met else 'missed'} |", flush=True)
        for what in (start, small, big):
            bench.forget(what)
    return good


def heuristic(bench, options):
    good = True
    print("| set | Decode As | heuristic | ratio | verdict |\n| --- | --- | --- | --- | --- |")
    for name in options["sets"]:
        what = SETS[name].scaled(options["part"])
        data = bench.generate(what)
        wrong = bench.count(bench.plugin, data, False, decode_as=False)
        found = interleaved(options["runs"], {
            decode_as: (lambda decode_as=decode_as: bench.measure(bench.plugin, data, False, False, decode_as))
            for decode_as in (True, False)}, lambda text: progress(f"{name} {text}"))
        failed = wrong or failure(found[True]) or failure(found[False])
        progress("")
        bench.forget(what)
        if failed:
            good = False
            print(f"| {name} {what.about} | failed: {failed} | | | |")
            continue
        ratio = ratios(found[False], found[True])[0]
        good &= ratio <= GOAL_HEURISTIC
        print(f"| {name} {what.about} | {median(found[True], 'cpu'):.2f} | {median(found[False], 'cpu'):.2f} | "
              f"{ratio:.2f} | {'met' if ratio <= GOAL_HEURISTIC else 'missed'} |", flush=True)
    return good


def answer(options, tell):
    if "from" in options:
        result = json.loads(pathlib.Path(options["from"]).read_text())
        tell([table(result).rstrip()])
        return result, True
    folder = pathlib.Path(os.environ.get("ZMTP_BUILD") or SOURCE / "build-bench").absolute()
    if "ZMTP_BUILD" not in os.environ:
        progress("building")
        build(folder)
    bench = Bench(folder, options.get("data"), options["limit"], options.get("lua"),
                  options["lua-fields"].split(","), pathlib.Path(options["compare"]) if "compare" in options else None)
    try:
        for name, ask in (("check", check), ("callgrind", callgrind), ("linear", linear), ("heuristic", heuristic)):
            if options.get(name):
                return None, ask(bench, options)
        result = measure_table(bench, options, tell)
    finally:
        bench.remove()
    good = not any(verdicts(row, bench.series) for row in result["rows"])
    # Of little data most of the time is the start, and says nothing about goals.
    failed = any(entry["failed"] for row in result["rows"] for entry in row["dissectors"].values())
    return result, not failed if options["part"] > 1 else good


def main():
    os.umask(0o022)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("bench: stopped"))  # and nothing stays
    try:
        options = parse(sys.argv[1:])
        out = sys.stderr if options.get("json") == "-" else sys.stdout
        result, good = answer(options, lambda lines: print(*lines, sep="\n", file=out, flush=True))
        if result and "json" in options:
            text = json.dumps(result, indent=1) + "\n"
            if options["json"] == "-":
                sys.stdout.write(text)
            else:
                pathlib.Path(options["json"]).write_text(text)
        if result and "write" in options:
            write_page(options["write"], result["series"], table(result))
    except Failure as error:
        sys.exit(f"bench: {error}")
    sys.exit(not good)


if __name__ == "__main__":
    main()
