"""The floors, and calls of warm functions over /run beside them."""

import os
import sys

from bench import BODY, FUNCTIONS, HELPERS, command, latencies, make_service, python_function, rate, time_text
from peers import Nginx

CONNECTIONS = (1, 16, 64)


class Constant(Nginx):
    """nginx, one worker a core, that answers each request with the same line."""

    location = 'default_type text/plain; return 200 "hello\\n";'


def measure_floors(bench):
    """Starts of processes, and calls of the echo functions over bare pipes."""
    for name, words in (("fork+exec of /bin/true", ("/bin/true",)), ("fork+exec of `sh -c true`", ("/bin/sh", "-c", "true"))):
        for in_flight in (1, 16):
            counted = bench.keep(f"{name}, {in_flight} at once", bench.spawned(in_flight, *words))
            bench.row(f"floor: {name}, {in_flight} at once", "", f"{rate(counted)}, {latencies(counted)}")
    python = ["/usr/bin/env", f"PYTHONPATH={HELPERS}", sys.executable, os.path.join(FUNCTIONS, "echo.py")]
    programs = {"C": [bench.echo], "Python": python, "Python, fork per call": [*python, "--fork"]}
    for language, words in programs.items():
        for outstanding in (1, 16):
            counted = bench.floor("calls", outstanding, bench.seconds, bench.body, bench.tools, *words)
            bench.keep(f"pipes, {language}, {outstanding}", counted)
            bench.row(
                f"floor: echo in {language} over bare pipes, {outstanding} outstanding", "",
                f"{rate(counted)}, {latencies(counted)}")


def plural(connections):
    return "1 connection" if connections == 1 else f"{connections} connections"


def measure_resident(bench):
    """Resident echo of 1 KiB over /run, beside nginx and the empty route of the same server."""
    with bench.running(Constant(bench.place("nginx"))) as nginx, bench.apus() as apus:
        floors = {}
        for connections in CONNECTIONS:
            floors[connections] = (
                bench.middle(lambda: bench.wrk(f"http://127.0.0.1:{nginx.port}/", connections, "POST", bench.body)),
                bench.middle(lambda: bench.wrk(f"http://127.0.0.1:{apus.server.api_port}/health", connections, "GET", "-")))
            for name, counted in zip(("nginx", "empty route"), floors[connections]):
                bench.keep(f"{name}, {connections}", counted)
                what = "nginx, constant answer to POST 1 KiB" if name == "nginx" else "empty route of Apus (GET /health)"
                bench.row(f"floor: {what}, {plural(connections)}", "", f"{rate(counted)}, {latencies(counted)}")
        one_instance = {"min": 1, "max": 1, "concurrency": 64}
        make_service(apus, "echo-c", command(bench.echo), "resident", one_instance)
        show_echo(bench, apus, "C", "echo-c", nginx, floors)
        make_service(apus, "echo-python", python_function("echo.py"), "resident", one_instance)
        show_echo(bench, apus, "Python", "echo-python", nginx, floors)


def show_echo(bench, apus, language, service, nginx, floors):
    """The rows of one echo program; the aims are those of the one in C."""
    aims = language == "C"
    for connections in CONNECTIONS:
        own = bench.middle(lambda: bench.load_run(apus, service, connections))
        bench.keep(f"resident, {language}, {connections}", own)
        # nginx once more right beside it: the machine's neighbours come and go.
        again = bench.wrk(f"http://127.0.0.1:{nginx.port}/", connections, "POST", bench.body)
        floor = max(again["rate"], floors[connections][0]["rate"])
        empty = floors[connections][1]["rate"]
        met = own["rate"] >= 0.2 * floor and own["rate"] >= 0.5 * empty
        is_aim = aims and connections == 16
        bench.row(
            f"resident echo in {language}, 1 KiB over /run, {plural(connections)}", f"{rate(own)}, {latencies(own)}",
            f"nginx {floor:,.0f}/s, empty route {empty:,.0f}/s",
            f"{own['rate'] / floor:.2f} × nginx, {own['rate'] / empty:.2f} × route",
            "≥ 0.2 × nginx, ≥ 0.5 × route" if is_aim else "", met if is_aim else None)
        bench.row("processor time of the server a call", time_text(own["cpu"]))
        if aims and connections == 1:
            bench.row("resident echo in C, one connection, p50", time_text(own["p50"]),
                      f"nginx {time_text(floors[1][0]['p50'])}, empty route {time_text(floors[1][1]['p50'])}", "",
                      "≤ 0.2 ms", own["p50"] <= 0.0002)
        if is_aim:
            bench.row("resident echo in C, 16 connections, p99", time_text(own["p99"]),
                      f"nginx {time_text(floors[16][0]['p99'])}", "", "≤ 5 ms", own["p99"] <= 0.005)


def measure_script(bench):
    """`cat` in script mode over /run, beside `sh -c true`."""
    script = os.path.join(bench.tools, "cat.sh")
    with open(script, "w", encoding="ascii") as file:
        file.write('#!/bin/sh\ncat "$1"\n')
    programs = {"true": ("/bin/sh", "-c", "true"), "cat": ("/bin/sh", script, bench.body)}
    floors = {(name, count): bench.keep(f"sh, {name}, {count}", bench.spawned(count, *words))
              for count in (1, 16) for name, words in programs.items()}
    with bench.apus() as apus:
        make_service(apus, "cat", 'cat "$INPUT_FILE_PATH"')
        # Instances start as they are needed; what is measured begins with all of them there.
        bench.load_run(apus, "cat", 16)
        show_script(bench, apus, "cat", floors)
        kinds = {"min": 1, "max": 16, "fresh": True}
        make_service(apus, "fresh", 'cat "$INPUT_FILE_PATH"', instances=kinds)
        own = bench.keep("script, fresh, 1", bench.middle(lambda: bench.load_run(apus, "fresh", 1)))
        bench.row("the same with a fresh layer for each invocation, one connection", f"{rate(own)}, {latencies(own)}")


def show_script(bench, apus, service, floors):
    """The rows of the script."""
    one = bench.keep("script, 1", bench.middle(lambda: bench.load_run(apus, service, 1)))
    floor, over = floors["true", 1], one["p50"] - floors["true", 1]["p50"]
    bench.row(
        f"script `cat`, {len(BODY) >> 10} KiB over /run, one connection, p50", time_text(one["p50"]),
        f"`sh -c true` {time_text(floor['p50'])}", f"{over * 1000:+.2f} ms", "≤ `sh -c true` + 1 ms", over <= 0.001)
    floor, over = floors["cat", 1], one["p50"] - floors["cat", 1]["p50"]
    bench.row("the same beside the same script by a bare `sh`, which starts `cat` as well", time_text(one["p50"]),
              time_text(floor["p50"]), f"{over * 1000:+.2f} ms", "≤ `sh` + 1 ms", over <= 0.001)
    bench.row("processor time of the server a call", time_text(one["cpu"]))
    many = bench.keep("script, 16", bench.middle(lambda: bench.load_run(apus, service, 16)))
    floor = floors["true", 16]["rate"]
    bench.row(
        "script `cat` over /run, 16 connections", f"{rate(many)}, {latencies(many)}",
        f"`sh -c true` {floor:,.0f}/s, the script by a bare `sh` {floors['cat', 16]['rate']:,.0f}/s",
        f"{many['rate'] / floor:.2f} ×, {many['rate'] / floors['cat', 16]['rate']:.2f} ×", "≥ 1,800/s", many["rate"] >= 1800)
