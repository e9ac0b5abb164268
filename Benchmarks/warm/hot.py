"""The floors, and calls of warm functions over /run beside them."""

import os
import sys

from bench import BODY, FUNCTIONS, HELPERS, command, latencies, make_service, python_function, rate, time_text
from peers import Nginx

SHELL = ("/bin/sh", "-c", "true")


class Constant(Nginx):
    """nginx, one worker a core, that answers each request with the same line."""

    location = 'default_type text/plain; return 200 "hello\\n";'


def measure_floors(bench):
    """Starts of processes, and calls of the echo functions over bare pipes."""
    python = ["/usr/bin/env", f"PYTHONPATH={HELPERS}", sys.executable, os.path.join(FUNCTIONS, "echo.py")]
    programs = {"C": [bench.echo]}
    if os.path.isdir(HELPERS):
        programs |= {"Python": python, "Python, fork per call": [*python, "--fork"]}
    for count in (1, 16):
        measures = {
            "fork+exec of /bin/true": lambda: bench.spawned(count, "/bin/true"),
            "fork+exec of `sh -c true`": lambda: bench.spawned(count, *SHELL)}
        for language, words in programs.items():
            measures[f"echo in {language} over bare pipes"] = (
                lambda words=words: bench.floor("calls", count, bench.seconds, bench.body, bench.tools, *words))
        for name, counted in bench.side_by_side(measures, f"{count} at once").items():
            bench.row(f"floor: {name}, {count} at once", "", f"{rate(counted)}, {latencies(counted)}")
    if len(programs) == 1:
        raise RuntimeError(f"there is no {HELPERS}: echo in Python")


def measure_resident(bench):
    """Resident echo of 1 KiB over /run, beside nginx and the empty route of the same server."""
    missing = None
    with bench.running(Constant(bench.place("nginx"))) as nginx, bench.apus() as apus:
        site, empty = f"http://127.0.0.1:{nginx.port}/", f"http://127.0.0.1:{apus.server.api_port}/health"
        functions = {"C": command(bench.echo), "Python": python_function("echo.py")}
        try:
            for language, script in functions.items():
                make_service(apus, language.lower(), script, "resident", {"min": 1, "max": 1, "concurrency": 64})
        except RuntimeError as error:
            functions, missing = {}, error
        for count in (1, 16, 64):
            measures = {
                "nginx": lambda: bench.load(nginx, site, count, "POST", bench.body),
                "empty route": lambda: bench.load(apus, empty, count, "GET", "-")}
            for language in functions:
                measures[language] = lambda service=language.lower(): bench.load_run(apus, service, count)
            show_echo(bench, bench.side_by_side(measures, f"{count} connections"), count)
    if missing:
        raise missing


def show_echo(bench, found, count):
    """The rows for so many connections; the aims are those of the program in C."""
    connections = "1 connection" if count == 1 else f"{count} connections"
    nginx, empty = found.pop("nginx"), found.pop("empty route")
    bench.row(f"floor: nginx, constant answer to POST 1 KiB, {connections}", "", f"{rate(nginx)}, {latencies(nginx)}")
    bench.row(f"floor: empty route of Apus (GET /health), {connections}", "", f"{rate(empty)}, {latencies(empty)}")
    for language, own in found.items():
        of_nginx, of_empty = own["rate"] / nginx["rate"], own["rate"] / empty["rate"]
        is_aim = language == "C" and count == 16
        bench.row(
            f"resident echo in {language}, 1 KiB over /run, {connections}", f"{rate(own)}, {latencies(own)}",
            f"nginx {rate(nginx)}, empty route {rate(empty)}", f"{of_nginx:.2f} × nginx, {of_empty:.2f} × route",
            "≥ 0.2 × nginx, ≥ 0.5 × route" if is_aim else "", of_nginx >= 0.2 and of_empty >= 0.5 if is_aim else None)
        for name, at, most in (("p50", 1, 0.0002), ("p99", 16, 0.005)):
            if language == "C" and count == at:
                bench.row(
                    f"resident echo in C, {connections}, {name}", time_text(own[name]),
                    f"nginx {time_text(nginx[name])}, empty route {time_text(empty[name])}", "", f"≤ {most * 1000:g} ms",
                    own[name] <= most)


def measure_script(bench):
    """`cat` in script mode over /run, beside `sh -c true`."""
    script = os.path.join(bench.tools, "cat.sh")
    with open(script, "w", encoding="ascii") as file:
        file.write('#!/bin/sh\ncat "$1"\n')
    with bench.apus() as apus:
        make_service(apus, "cat", 'cat "$INPUT_FILE_PATH"')
        # Instances start as they are needed; what is measured begins with all of them there.
        bench.load_run(apus, "cat", 16)
        for count in (1, 16):
            found = bench.side_by_side({
                "sh -c true": lambda: bench.spawned(count, *SHELL),
                "sh, cat": lambda: bench.spawned(count, "/bin/sh", script, bench.body),
                "script": lambda: bench.load_run(apus, "cat", count)}, f"{count} at once")
            show_script(bench, *found.values(), count)
        make_service(apus, "fresh", 'cat "$INPUT_FILE_PATH"', instances={"max": 16, "fresh": True})
        own = bench.keep("script, fresh", bench.load_run(apus, "fresh", 1))
        bench.row("the same with a fresh layer for each invocation, 1 connection", f"{rate(own)}, {latencies(own)}")


def show_script(bench, shell, cat, own, count):
    """The rows of the script, beside a shell that does nothing, and one that runs the same script."""
    if count == 1:
        over, same = own["p50"] - shell["p50"], own["p50"] - cat["p50"]
        bench.row(
            f"script `cat`, {len(BODY) >> 10} KiB over /run, 1 connection, p50", time_text(own["p50"]),
            f"`sh -c true` {time_text(shell['p50'])}", f"{over * 1000:+.2f} ms", "≤ `sh -c true` + 1 ms", over <= 0.001)
        bench.row(
            "the same beside a bare `sh` with the same script, which starts `cat` as well", f"{rate(own)}, {latencies(own)}",
            time_text(cat["p50"]), f"{same * 1000:+.2f} ms", "≤ `sh` + 1 ms", same <= 0.001)
    else:
        bench.row(
            f"script `cat` over /run, {count} connections", f"{rate(own)}, {latencies(own)}",
            f"`sh -c true` {rate(shell)}, the script by a bare `sh` {rate(cat)}",
            f"{own['rate'] / shell['rate']:.2f} ×, {own['rate'] / cat['rate']:.2f} ×", "≥ 1,800/s", own["rate"] >= 1800)
