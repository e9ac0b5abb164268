#!/usr/bin/env python3
"""Measures a release build of Apus on this machine and writes Benchmarks/RESULTS.md.

    run.py [--apus PATH] [--quick] [--only NAME]... [--output FILE]

The binary is --apus, or $APUS, or .build/release/apus. Each measurement has a server and a data directory of its own on
loopback. The load comes from this program on the same machine, so it takes its share of the processors; ratios to the
baselines of the same run say more than the numbers. Standard library only.
"""

import argparse
import http.client
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import baselines
import floods
import machine
from measuring import HEADS, Bench, in_threads, mebibytes, milliseconds, percentile, table

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
KEPT_FROM = "## What limits it"

FINAL = ("succeeded", "failed", "cancelled")


def measure_start(bench):
    """Time from exec to ready on an empty data directory, and of a plain command."""
    times = []
    for _ in range(3 if bench.quick else 15):
        one = bench.server()
        times.append(one.start())
        one.stop()
    middle = statistics.median(times)
    bench.row("start to ready, empty data directory, p50", milliseconds(middle), aim="≤ 300 ms", met=middle <= 0.3)
    bench.row("start to ready, empty data directory, worst", milliseconds(max(times)), aim="≤ 300 ms", met=max(times) <= 0.3)
    times = []
    for _ in range(5 if bench.quick else 30):
        begin = time.monotonic()
        subprocess.run([bench.binary, "version"], stdout=subprocess.DEVNULL, check=True)
        times.append(time.monotonic() - begin)
    middle = statistics.median(times)
    bench.row("`apus version`, p50", milliseconds(middle), aim="≤ 50 ms", met=middle <= 0.05)


def measure_idle(bench):
    """Resident size with nothing to do."""
    with bench.server() as one:
        time.sleep(2 if bench.quick else 10)
        before, seconds = one.cpu_seconds(), 2 if bench.quick else 10
        time.sleep(seconds)
        size, load = one.memory(), (one.cpu_seconds() - before) / seconds
    bench.row("resident size, idle", mebibytes(size), aim="≤ 60 MB", met=size <= 60e6)
    bench.row("processor, idle", f"{load * 100:.2f} % of one core")


def wait_for(api, service, key, seconds=60):
    """Waits for the end of the job whose input has this key; the job."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for job in api.jobs(service, 3)["jobs"]:
            if job.get("input", {}).get("key") == key and job["state"] in FINAL:
                if job["state"] != "succeeded":
                    raise RuntimeError(f"the job for {key} {job['state']}: {job.get('message') or job.get('reason')}")
                return job
        time.sleep(0.005)
    raise RuntimeError(f"no job for {key} ended within {seconds} s")


def latencies(one, service, bucket, count, pause):
    """Seconds from sending a PUT, and from its answer, until the script runs, one file after the other."""
    api, store = one.api(), one.store()
    from_send, from_answer = [], []
    for index in range(-3, count):
        key = f"in/{index}"
        sent = time.time_ns()
        store.put(f"/{bucket}/{key}", b"x")
        answered = time.time_ns()
        # Asking at once would take time from what is measured.
        time.sleep(pause)
        job = wait_for(api, service, key)
        ran = baselines.printed_time(api.log(service, job["name"]))
        if index >= 0:  # The first ones warm up.
            from_send.append((ran - sent) / 1e9)
            from_answer.append((ran - answered) / 1e9)
    return from_send, from_answer


def measure_process(bench):
    """From an uploaded file to the start of the script in a process sandbox, next to fork and exec."""
    count = 20 if bench.quick else 200
    base = baselines.fork_exec(count, bench.folder)
    with bench.server("--sandbox", "process") as one:
        one.api().create_service(
            "latency", baselines.SCRIPT, sandbox="process", input=[{"storage_provider": "minio", "path": "latency/in"}])
        from_send, from_answer = latencies(one, "latency", "latency", count, 0.05)
    bench.fork_exec = base
    for share, label in ((0.5, "p50"), (0.99, "p99")):
        own, bare = percentile(from_answer, share), percentile(base, share)
        bench.row(
            f"event (PUT answered) → script, process, {label}", milliseconds(own), f"fork+exec {milliseconds(bare)}",
            f"{own / bare:.1f} ×", "≤ 10 ms" if share == 0.5 else "", own <= 0.01 if share == 0.5 else None)
        bench.row(f"PUT sent → script, process, {label}", milliseconds(percentile(from_send, share)))


def measure_container(bench):
    """The same in a container, next to the bare OCI runtime with the same root file system."""
    folder = os.path.join(bench.folder, "container")
    os.makedirs(folder)
    root = baselines.make_root(folder)
    archive = os.path.join(folder, "bench.tar")
    baselines.make_archive(root, archive)
    runtime = baselines.Runtime(folder, root)
    if runtime.program is None:
        bench.row("event → script, container", "not measured", f"no OCI runtime works here: {runtime.reason}")
        return
    count = 10 if bench.quick else 100
    base = runtime.starts(count)
    with bench.server() as one:
        api = one.api()
        api.add_image("bench", archive)
        api.create_service(
            "latency", baselines.SCRIPT, image="bench", sandbox="container",
            input=[{"storage_provider": "minio", "path": "latency/in"}])
        from_send, from_answer = latencies(one, "latency", "latency", count, 0.3)
    for share, label in ((0.5, "p50"), (0.99, "p99")):
        own, bare = percentile(from_answer, share), percentile(base, share)
        bench.row(
            f"event (PUT answered) → script, container, {label}", milliseconds(own), f"{runtime.name} run {milliseconds(bare)}",
            f"{own / bare:.1f} ×, {(own - bare) * 1000:+.1f} ms", f"≤ {runtime.name} + 30 ms" if share == 0.5 else "",
            own <= bare + 0.03 if share == 0.5 else None)
        bench.row(f"PUT sent → script, container, {label}", milliseconds(percentile(from_send, share)))


def measure_throughput(bench):
    """Jobs a second for a script that does nothing, from the first upload to the last recorded end."""
    count = 200 if bench.quick else 2000
    with bench.server("--sandbox", "process") as one:
        one.api().create_service(
            "noop", "#!/bin/sh\n:\n", sandbox="process", input=[{"storage_provider": "minio", "path": "noop/in"}])
        api, store = one.api(), one.store()
        store.put("/noop/in/warm", b"x")
        wait_for(api, "noop", "in/warm")
        begin = time.monotonic()
        in_threads(count, 8, one.store, lambda connection, index: connection.put(f"/noop/in/{index}", b"x"))
        uploaded = time.monotonic() - begin
        while api.count("noop", FINAL) < count + 1:
            if time.monotonic() - begin > 600:
                raise RuntimeError(f"only {api.count('noop', FINAL)} of {count} jobs ended within 600 s")
            time.sleep(0.05)
        seconds, peak = time.monotonic() - begin, one.memory("VmHWM")
        bad = api.count("noop", ("failed", "cancelled"))
        if bad:
            raise RuntimeError(f"{bad} of {count} no-op jobs did not succeed")
        cpu = one.cpu_seconds()
    base = baselines_rate(bench, 200 if bench.quick else 1000)
    rate = count / seconds
    bench.row(
        f"no-op jobs, process, {count:,} uploads over 8 connections", f"{rate:.0f} jobs/s",
        f"fork+exec one by one {base:.0f}/s", f"{rate / base:.2f} ×", "≥ 200 jobs/s", rate >= 200)
    bench.row("uploads alone in the same run", f"{count / uploaded:.0f} objects/s")
    bench.row("processor time of the server a job", f"{cpu / count * 1000:.2f} ms")
    bench.row("resident size, peak under this load", mebibytes(peak))


def baselines_rate(bench, count):
    """Starts of a no-op script one after the other, a second."""
    script = os.path.join(bench.folder, "noop.sh")
    with open(script, "w", encoding="ascii") as file:
        file.write("#!/bin/sh\n:\n")
    os.chmod(script, 0o755)
    begin = time.monotonic()
    for _ in range(count):
        os.waitpid(os.posix_spawn(script, [script], os.environ), 0)
    return count / (time.monotonic() - begin)


def measure_queue(bench):
    """Resident size while many jobs wait behind one that holds the machine."""
    count = 5_000 if bench.quick else 100_000
    with bench.server("--sandbox", "process", "--cpu", "1") as one:
        api = one.api()
        api.create_service("holder", "#!/bin/sh\nexec sleep 86400\n", sandbox="process", cpu="1")
        api.create_service("waiter", "#!/bin/sh\n:\n", sandbox="process", cpu="1")
        api.post_job("holder", b"{}")
        while api.count("holder", ("running",)) == 0:
            time.sleep(0.02)
        sizes, begin, warm = {0: one.memory()}, time.monotonic(), count // 100
        for done, goal in ((0, warm), (warm, count // 10), (count // 10, count)):
            in_threads(goal - done, 8, one.api, lambda connection, index: connection.post_job("waiter", b'{"n": 1}'))
            time.sleep(1)
            sizes[goal] = one.memory()
        seconds, waiting = time.monotonic() - begin, api.count("waiter", ("queued",))
        begin = time.monotonic()
        reason = api.jobs("waiter", 1)["jobs"][0].get("reason")
        listing = time.monotonic() - begin
        # The holder's process group would outlive the measurement by the grace time.
        api.request("DELETE", f"/system/logs/holder/{api.jobs('holder', 1)['jobs'][0]['name']}")
    if waiting != count or not reason:
        raise RuntimeError(f"{waiting} of {count} jobs wait; the newest says {reason!r}")
    growth = sizes[count] - sizes[warm]
    steps = ", ".join(f"{mebibytes(size)} at {jobs:,}" for jobs, size in sorted(sizes.items()))
    bench.row(
        f"resident size while {count:,} jobs wait", mebibytes(sizes[count]), steps,
        f"{growth / (count - warm):.0f} B a job", "flat", growth <= 16 << 20)
    bench.row("jobs queued by POST /job over 8 connections", f"{count / seconds:.0f} jobs/s")
    bench.row("one page of the job list meanwhile", milliseconds(listing))


def measure_events(bench):
    """Events a second from PUT to the row of a job, and what another service notices of the flood."""
    floods.measure_events(bench, percentile, milliseconds)


def measure_outbox(bench):
    """A million events that wait at the start, and one of another service behind them."""
    floods.measure_outbox(bench, milliseconds)


def measure_backlog(bench):
    """The start after a kill, resident size and jobs a second with a million jobs waiting."""
    floods.measure_backlog(bench, mebibytes)


MEASUREMENTS = {
    "start": measure_start, "idle": measure_idle, "process": measure_process, "container": measure_container,
    "throughput": measure_throughput, "queue": measure_queue, "events": measure_events, "outbox": measure_outbox,
    "backlog": measure_backlog,
}


def report(bench, command, output, failures):
    """Writes the table. What people wrote from the heading "What limits it" on stays."""
    kept = ""
    if os.path.exists(output):
        with open(output, encoding="utf-8") as file:
            _, heading, rest = file.read().partition(KEPT_FROM)
            kept = heading + rest
    lines = [
        "# Measurements", "",
        f"- machine: {machine.describe()}",
        f"- date: {machine.today()}",
        f"- command: `{command}`",
        f"- binary: {os.path.getsize(bench.binary) / (1 << 20):.1f} MiB",
        "- load: this program and its clients run on the same cores as the server", "",
        *table(HEADS, bench.rows),
    ]
    lines += [""] + [f"Not measured: {name}: {text}" for name, text in failures.items()]
    with open(output, "w", encoding="utf-8") as file:
        file.write("\n".join(lines).rstrip() + "\n" + (f"\n{kept}" if kept else ""))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--apus", default=os.environ.get("APUS", os.path.join(ROOT, ".build", "release", "apus")))
    parser.add_argument("--quick", action="store_true", help="fewer repetitions: to try the program, not for results")
    parser.add_argument("--only", action="append", choices=MEASUREMENTS, help="only these measurements; may be repeated")
    parser.add_argument("--output", help="where to write the table (default RESULTS.md; with --quick or --only nowhere)")
    parser.add_argument("--keep", action="store_true", help="keep the working directory, with the servers' logs")
    options = parser.parse_args()
    options.apus = os.path.abspath(options.apus)
    if not os.access(options.apus, os.X_OK):
        sys.exit(f"{options.apus} is no program: build it with `swift build -c release`, or name it with --apus")
    output = options.output
    if output is None and not options.quick and not options.only:
        output = os.path.join(HERE, "RESULTS.md")
    folder = tempfile.mkdtemp(prefix="apus-bench-")
    bench, failures = Bench(options, folder), {}
    try:
        for name in options.only or MEASUREMENTS:
            print(f"{name}: {MEASUREMENTS[name].__doc__.strip()}", flush=True)
            try:
                MEASUREMENTS[name](bench)
            except (RuntimeError, OSError, KeyError, http.client.HTTPException, subprocess.SubprocessError) as error:
                failures[name] = str(error).strip()
                print(f"  FAILED: {error}", flush=True)
    finally:
        if options.keep:
            print(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    if output:
        words = [os.path.relpath(sys.argv[0]), *sys.argv[1:]]
        report(bench, "python3 " + " ".join(words), output, failures)
        print(f"written: {output}")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
