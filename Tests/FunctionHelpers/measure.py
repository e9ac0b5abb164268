#!/usr/bin/env python3
"""Measures what apus_function costs: calls a second and the time of one call, over pipes as Apus has them.

    Tests/FunctionHelpers/measure.py [--calls 1000] [--size 4096] [--window 1]

`window` is how many calls are under way at once. Prints a table; asserts nothing.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

HELPERS = pathlib.Path(__file__).resolve().parents[2] / "Helpers" / "python"
PROGRAMS = {
    "inline": "apus_function.serve(lambda call: str(len(call.bytes())))",
    "inline, no file": "apus_function.serve(lambda call: 'x')",
    "fork": "apus_function.serve(lambda call: str(len(call.bytes())), fork=True, concurrency=4)",
    "fork, 200 MiB": "ballast = bytearray(os.urandom(1) * (200 << 20))\n"
    "apus_function.serve(lambda call: str(len(call.bytes())), fork=True, concurrency=4)",
    "batch of 16": "apus_function.serve_batch(lambda calls: [str(len(call.bytes())) for call in calls])",
    "process a call": None,
}


def lines(paths, folder, batch):
    calls = [
        {"id": "job-%06d" % number, "input": path, "output_dir": folder, "event": None}
        for number, path in enumerate(paths)
    ]
    if batch:
        groups = [calls[start : start + 16] for start in range(0, len(calls), 16)]
        return [(len(group), json.dumps({"id": "b", "batch": group}).encode() + b"\n") for group in groups]
    return [(1, json.dumps(call).encode() + b"\n") for call in calls]


def drive(program, todo, window, environment):
    """Seconds for all calls, and for each turn."""
    process = subprocess.Popen(
        [sys.executable, "-c", "import apus_function, os\n" + program],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, bufsize=0,
    )
    process.stdout.read(1)  # The empty line says that it serves.
    times, pending, buffer = [], 0, b""
    began = time.perf_counter()
    queue = iter(todo)
    done, started = 0, {}
    total = sum(count for count, _ in todo)
    while done < total:
        while pending < window:
            count, line = next(queue, (0, b""))
            if not count:
                break
            process.stdin.write(line)
            pending += count
            sent = time.perf_counter()
        buffer += process.stdout.read(65536)
        count = buffer.count(b"\n")
        if count and b'"ok":false' in buffer:
            sys.exit(buffer.decode())
        buffer = buffer[buffer.rfind(b"\n") + 1 :]
        done += count
        pending -= count
        if window == 1:
            times.append(time.perf_counter() - sent)
    seconds = time.perf_counter() - began
    process.stdin.close()
    process.wait()
    return seconds, sorted(times)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--window", type=int, default=1)
    options = parser.parse_args()
    environment = {**os.environ, "PYTHONPATH": str(HELPERS)}
    with tempfile.TemporaryDirectory() as folder:
        paths = [os.path.join(folder, "%d.bin" % number) for number in range(options.calls)]
        for path in paths:
            with open(path, "wb") as file:
                file.write(os.urandom(options.size))
        print(f"{options.calls} calls, files of {options.size} bytes, {options.window} under way at once")
        for name, program in PROGRAMS.items():
            if program is None:
                began = time.perf_counter()
                for path in paths[:50]:
                    subprocess.run([sys.executable, "-c", "print(len(open(%r, 'rb').read()))" % path], capture_output=True)
                seconds, times = (time.perf_counter() - began) * len(paths) / 50, []
            else:
                todo = lines(paths, folder, name.startswith("batch"))
                seconds, times = drive(program, todo, options.window, environment)
            middle = f"{times[len(times) // 2] * 1e6:8.0f} µs p50" if times else ""
            print(f"{name:18}{options.calls / seconds:10.0f} calls/s{middle}")


main()
