#!/usr/bin/env python3
"""Measures warm functions beside what the machine can do at best, and writes their part of Benchmarks/RESULTS.md.

    run.py [--apus PATH] [--quick] [--only PART]... [--soak SECONDS] [--output FILE] [--json FILE]

Each part has servers and data directories of its own on loopback, all ended with it. The load comes from wrk, from
Benchmarks/store/load.c, and for what has to be checked answer by answer from this program, on the same cores as the
server. Beside each number stands the floor that was measured in the same run. Python's standard library only, and what
`scripts/install-deps.sh bench` installs; the model also needs `scripts/install-deps.sh demo`.
"""

import argparse
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
BENCHMARKS = os.path.dirname(HERE)
sys.path += [BENCHMARKS, os.path.join(BENCHMARKS, "store")]

import bench as warm  # noqa: E402
import cold  # noqa: E402
import files  # noqa: E402
import hot  # noqa: E402
import machine  # noqa: E402
import measuring  # noqa: E402
import soak  # noqa: E402

HEADING = "## Warm functions"
EXPECTED = (RuntimeError, OSError, KeyError, http.client.HTTPException, subprocess.SubprocessError)
PARTS = {
    "floors": hot.measure_floors, "resident": hot.measure_resident, "script": hot.measure_script,
    "files": files.measure_files, "model": files.measure_model, "cold": cold.measure_cold, "soak": soak.measure_soak,
}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = os.path.join(os.path.dirname(BENCHMARKS), ".build", "release", "apus")
    parser.add_argument("--apus", default=os.environ.get("APUS", default))
    parser.add_argument("--quick", action="store_true", help="short and once: to try the program, not for results")
    parser.add_argument("--only", action="append", help=f"only these parts, with commas: {', '.join(PARTS)}")
    parser.add_argument("--soak", type=float, metavar="SECONDS", help="length of the mixed load (default 600; with --quick 20)")
    parser.add_argument("--seed", type=int, default=5, help="of the kills of the mixed load")
    parser.add_argument("--output", help="where to write (default RESULTS.md; with --quick or --only nowhere)")
    parser.add_argument("--json", help="where to write the numbers for programs")
    parser.add_argument("--keep", action="store_true", help="keep the working directory, with the servers' logs")
    options = parser.parse_args()
    options.apus = os.path.abspath(options.apus)
    if not os.access(options.apus, os.X_OK):
        sys.exit(f"{options.apus} is no program: build it with `make build`, or name it with --apus")
    options.parts = list(PARTS) if options.only is None else [part for words in options.only for part in words.split(",")]
    unknown = [part for part in options.parts if part not in PARTS]
    if unknown:
        sys.exit(f"there is no part {unknown[0]}; there are {', '.join(PARTS)}")
    if options.output is None and not (options.quick or options.only):
        options.output = os.path.join(BENCHMARKS, "RESULTS.md")
    options.soak = options.soak or (20 if options.quick else 600)
    return options


def section(bench, command, minutes, load, failures):
    """The part of RESULTS.md."""
    lines = [
        HEADING, "",
        f"- machine: {machine.describe()}; {machine.disk(os.path.dirname(bench.folder))}",
        f"- date: {machine.today()}; {minutes:.0f} minutes; load average before {load:.1f}",
        f"- command: `{command}`",
        "- load: wrk (one or two threads), `Benchmarks/store/load.c` and Python on the same cores as the server; "
        f"{bench.rounds} × {bench.seconds} s each, the middle one counts", "",
        *measuring.table(measuring.HEADS, bench.rows), ""]
    return "\n".join(lines + [f"Not measured: {name}: {text}" for name, text in failures.items()])


def main():
    # Both go through the `finally` that stop the servers.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    options = arguments()
    load = os.getloadavg()[0]
    if load > 0.5:
        print(f"this machine is busy (load average {load:.1f}): ratios say more than rates")
    folder = tempfile.mkdtemp(prefix="apus-warm-")
    begin, failures = time.monotonic(), {}
    try:
        bench = warm.Warm(options, folder)
        bench.soak, bench.seed = options.soak, options.seed
        for name in options.parts:
            print(f"{name}: {PARTS[name].__doc__.strip().splitlines()[0]} (after {time.monotonic() - begin:.0f} s)", flush=True)
            try:
                PARTS[name](bench)
            except EXPECTED as error:
                failures[name] = str(error).strip()
                print(f"  NOT MEASURED: {error}", flush=True)
    finally:
        if options.keep:
            print(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    aims = [row for row in bench.rows if row[-1]]
    print(f"aims met: {sum(row[-1] == 'yes' for row in aims)} of {len(aims)}")
    for row in aims:
        if row[-1] != "yes":
            print("missed: " + " | ".join(cell for cell in row if cell))
    if options.json:
        rows = [dict(zip(("what", "apus", "beside", "ratio", "aim", "met"), row)) for row in bench.rows]
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"machine": machine.describe(), "date": machine.today(), "load": load, "rows": rows,
                       "numbers": bench.numbers, "failures": failures}, file, indent=1)
    if options.output:
        words = ["python3", os.path.relpath(sys.argv[0]), *sys.argv[1:]]
        minutes = (time.monotonic() - begin) / 60
        measuring.replace_part(options.output, HEADING, section(bench, " ".join(words), minutes, load, failures))
        print(f"written: {options.output}")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
