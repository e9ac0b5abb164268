#!/usr/bin/env python3
"""Measures Apus's object store beside others on the same disk, and writes its part of Benchmarks/RESULTS.md.

    run.py [--apus PATH] [--quick] [--only CELL]... [--peers LIST] [--scale] [--output FILE] [--json FILE]

All servers run on loopback, each with its own folder under --folder; one cell after the other, and within a cell one
server after the other, so that what is compared was measured within seconds. The load comes from load.c, compiled here.
Standard library only, and the peers that `scripts/install-deps.sh bench` installs.
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
sys.path.insert(0, BENCHMARKS)

import cells  # noqa: E402
import disk  # noqa: E402
import load  # noqa: E402
import peers  # noqa: E402
import report  # noqa: E402
import scale  # noqa: E402

EXPECTED = (RuntimeError, OSError, KeyError, http.client.HTTPException, subprocess.SubprocessError)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = os.path.join(os.path.dirname(BENCHMARKS), ".build", "release", "apus")
    parser.add_argument("--apus", default=os.environ.get("APUS", default))
    parser.add_argument("--quick", action="store_true", help="short cells: to try the program, not for results")
    parser.add_argument("--only", action="append", help="only these cells, with commas: put-16, put (all of them), scale")
    parser.add_argument("--peers", help="only these servers, with commas: apus (all of it), apus-never, nginx, …")
    parser.add_argument("--seconds", type=float, help="length of a small cell (default 3; with --quick 1)")
    parser.add_argument("--scale", action="store_true", help="also a million objects in a bucket, and 10,000 buckets")
    parser.add_argument("--scale-objects", type=int, default=1_000_000)
    parser.add_argument("--scale-buckets", type=int, default=10_000)
    parser.add_argument("--folder", help="where the servers keep their data (default: the temporary directory)")
    parser.add_argument("--output", help="where to write (default RESULTS.md; with --quick, --only, --peers nowhere)")
    parser.add_argument("--json", help="where to write the numbers for programs")
    parser.add_argument("--keep", action="store_true", help="keep the folder, with the servers' logs")
    options = parser.parse_args()
    options.apus = os.path.abspath(options.apus)
    if not os.access(options.apus, os.X_OK):
        sys.exit(f"{options.apus} is no program: build it with `make build`, or name it with --apus")
    if options.output is None and not (options.quick or options.only or options.peers):
        options.output = os.path.join(BENCHMARKS, "RESULTS.md")
    options.seconds = options.seconds or (1 if options.quick else 3)
    return options


def chosen_cells(options):
    """The cells to run; the word "scale" among them asks for that part."""
    known = cells.all_cells(options.quick)
    if options.only is None:
        return known
    wanted = [word for words in options.only for word in words.split(",")]
    options.scale = options.scale or "scale" in wanted
    if wanted == ["scale"]:
        return {}
    found = {
        name: cell for name, cell in known.items()
        if any(name == word or name.startswith(word + "-") and name not in wanted for word in wanted)}
    if not found:
        sys.exit(f"no such cell; there are {', '.join(known)}, scale")
    return found


def started_peers(options, folder, failures):
    """The servers, running; those that do not start are noted."""
    makers, running = peers.all_peers(options.apus), []
    wanted = options.peers.split(",") if options.peers else list(makers)
    for name, make in makers.items():
        if name not in wanted and not (name.startswith("apus-") and "apus" in wanted):
            continue
        try:
            peer = make(folder)
            running.append(peer)
            peer.start()
            peer.idle = peer.memory("VmRSS")
            peer.make_bucket(cells.BUCKET)
            peer.syncs = peers.count_syncs(peer, cells.BUCKET, bytes(4096))
            print(f"  {name}: {peer.idle >> 20} MiB idle, a small PUT syncs: {peer.syncs}", flush=True)
        except EXPECTED as error:
            failures[name] = str(error).strip()
            print(f"  {name} FAILED: {error}", flush=True)
            if running and running[-1].name == name:
                running.pop().stop()
    return running


def measure_machine(options, folder, results):
    """The disk and hashing alone."""
    quick = options.quick
    results.machine = {
        "sequential": disk.sequential(folder, quick), "synced-1": disk.synced(folder, quick, 1),
        "synced-16": disk.synced(folder, quick, 16), "hashing": disk.hashing(quick)}
    for line in report.machine_lines(results):
        print("  " + line, flush=True)


def measure(options, folder, results):
    """All cells on all servers."""
    generator = load.Generator(folder)
    run = cells.Run(generator, options.seconds)
    print("servers:", flush=True)
    running = started_peers(options, folder, results.failures)
    results.peers = {peer.name: {"syncs": peer.syncs, "idle": peer.idle} for peer in running}
    begin = time.monotonic()
    first = next((peer for peer in running if peer.name.startswith("apus-")), None)
    try:
        for name, cell in results.cells.items():
            print(f"{name}: {cell.label} (after {time.monotonic() - begin:.0f} s)", flush=True)
            for peer in running:
                if not cell.fits(peer, first):
                    continue
                if cell.writes:
                    cells.settle()
                try:
                    results.found[name, peer.name] = cell.work(run, peer)
                    print(f"  {peer.name:12} {report.words(cell, results.found[name, peer.name])}", flush=True)
                except EXPECTED as error:
                    results.failures[f"{name} on {peer.name}"] = str(error).strip()
                    print(f"  {peer.name:12} FAILED: {error}", flush=True)
    finally:
        for peer in running:
            peer.stop()


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # Goes through the `finally` that stop the servers.
    options = arguments()
    results = report.Results(chosen_cells(options))
    results.load = os.getloadavg()[0]
    if results.load > 0.5:
        print(f"this machine is busy (load average {results.load:.1f}): ratios and processor time say more than rates")
    folder = tempfile.mkdtemp(prefix="apus-bench-", dir=options.folder)
    begin = time.monotonic()
    try:
        if options.only is None:
            print("machine:", flush=True)
            measure_machine(options, folder, results)
        if results.cells:
            measure(options, folder, results)
        if options.scale:
            print("scale:", flush=True)
            try:
                results.scale = scale.measure(options, folder)
            except EXPECTED as error:
                results.failures["scale"] = str(error).strip()
    finally:
        if options.keep:
            print(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    results.minutes = (time.monotonic() - begin) / 60
    for aim in report.aims(results):
        print(" | ".join(aim))
    for name, text in results.failures.items():
        print(f"FAILED: {name}: {text}")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(report.plain(results), file, indent=1)
    if options.output:
        words = ["python3", os.path.relpath(sys.argv[0]), *sys.argv[1:]]
        report.write(results, options, folder, " ".join(words))
        print(f"written: {options.output}")
    sys.exit(1 if results.failures else 0)


if __name__ == "__main__":
    main()
