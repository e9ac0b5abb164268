"""From no instance at all to the first answer, in a process and in a container."""

import os
import shutil
import time

import backlog
import baselines
import server
from bench import BODY, command, make_service, median, time_text

IDLE = {"min": 0, "max": 1, "idle": "1s"}


def measure_cold(bench):
    """Scale from zero to the first answer, beside fork and exec and the bare OCI runtime."""
    count = 3 if bench.quick else 20
    folder = bench.place("image")
    floor = bench.spawned(1, "/bin/sh", "-c", f"cat {bench.body}")["p50"]
    with bench.apus() as apus:
        make_service(apus, "cat", 'cat "$INPUT_FILE_PATH"', instances=IDLE)
        make_service(apus, "echo", command(bench.echo), "resident", IDLE)
        for service in ("cat", "echo"):
            found = median(bench.keep(f"cold, process, {service}", first_answers(apus, service, count)))
            bench.row(f"from zero to the first answer, process, {kind(service)}, p50 of {count}", time_text(found),
                      f"`sh -c cat` {time_text(floor)}", f"{(found - floor) * 1000:+.1f} ms", "≤ 20 ms", found <= 0.02)
    root = baselines.make_root(folder)
    shutil.copy(bench.compile("functions/echo.c", "-static", name="echo-static"), os.path.join(root, "bin", "echo-function"))
    archive = os.path.join(folder, "image.tar")
    baselines.make_archive(root, archive)
    runtime = baselines.Runtime(folder, root)
    if runtime.program is None:
        raise RuntimeError(f"no OCI runtime works here: {runtime.reason}")
    floor = median(bench.keep(f"{runtime.name} run", runtime.starts(count)))
    with bench.apus("container") as apus:
        apus.server.api().add_image("bench", archive)
        scripts = {"cat": ('cat "$INPUT_FILE_PATH"', "script"), "echo": ("exec /bin/echo-function", "resident")}
        for service, script in scripts.items():
            make_service(apus, service, *script, IDLE, image="bench", sandbox="container")
            found = median(bench.keep(f"cold, container, {service}", first_answers(apus, service, count)))
            bench.row(
                f"from zero to the first answer, container, {kind(service)}, p50 of {count}", time_text(found),
                f"bare {runtime.name} run {time_text(floor)}", f"{(found - floor) * 1000:+.1f} ms",
                f"≤ {runtime.name} + 30 ms", found <= floor + 0.03)


def kind(service):
    return "script" if service == "cat" else "resident"


def first_answers(apus, service, count):
    """Seconds from a request to its answer, each when the instance of the one before has ended."""
    caller, seconds = server.Caller(apus.server, service), []
    time.sleep(1)
    idle = len(apus.pids())
    for number in range(count + 1):
        begin = time.monotonic()
        caller.check(BODY, BODY)
        if number:  # The first one warms up the server itself.
            seconds.append(time.monotonic() - begin)
        # More time than instances are kept idle, and until no more processes are there than at the start.
        time.sleep(1.2)
        backlog.wait_until(lambda: len(apus.pids()) <= idle, f"the end of the instances of {service}", 15)
    return seconds
