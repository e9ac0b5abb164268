"""Floods: events on their way to jobs, a million that wait, and what somebody else's job notices of it."""

import os
import statistics
import sys
import threading
import time

import backlog
import baselines

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "store"))
import load  # noqa: E402
import peers  # noqa: E402

NOOP = "#!/bin/sh\n:\n"
JOB_SECONDS = 1


def source(bucket):
    return [{"storage_provider": "minio", "path": f"{bucket}/in"}]


class Passerby:
    """Puts a file for another service now and then, and notes how long until its script runs."""

    def __init__(self, one):
        self.api, self.store, self.number = one.api(), one.store(), 0

    def pass_by(self, seconds=600):
        """Seconds from the answer to the PUT until the script runs."""
        self.number += 1
        key = f"in/{self.number}"
        self.store.put(f"/calm/{key}", b"x")
        answered = time.time_ns()
        found = []

        def has_ended():
            found[:] = [
                job for job in self.api.jobs("calm", 3, ("succeeded",))["jobs"] if job.get("input", {}).get("key") == key]
            return found

        backlog.wait_until(has_ended, f"the job for {key}", seconds)
        return (baselines.printed_time(self.api.log("calm", found[0]["name"])) - answered) / 1e9


def measure_events(bench, percentile, milliseconds):
    """From PUT to the row of a job: events a second, and what another service's job notices meanwhile."""
    count = 3_000 if bench.quick else 60_000
    folder = os.path.join(bench.folder, "flood")
    os.makedirs(folder)
    generator = load.Generator(folder)
    peer = peers.Apus(os.path.join(folder, "apus"), bench.binary, "always")
    peer.start()
    try:
        api = peer.server.api()
        for name in ("flood", "calm"):
            api.create_service(name, baselines.SCRIPT, sandbox="process", input=source(name))
        api.request("POST", "/apus/v1/services/flood/pause")
        passerby = Passerby(peer.server)
        alone = [passerby.pass_by() for _ in range(10)]
        requests = [load.Request("PUT", f"/flood/in/{index}", length=100) for index in range(count)]
        meanwhile, done = [], threading.Event()

        def walk():
            while not done.is_set():
                meanwhile.append(passerby.pass_by())
                time.sleep(0.2)

        walker = threading.Thread(target=walk)
        walker.start()
        counted = generator.send(peer, requests, 16, 600)
        begin = time.monotonic() - counted["seconds"]
        backlog.wait_until(lambda: api.count("flood", ("queued",)) >= counted["good"], "all events are jobs")
        seconds = time.monotonic() - begin
        done.set()
        walker.join()
        if counted["bad"]:
            raise RuntimeError(f"{counted['bad']} uploads failed: {counted['error']}")
        bench.row(
            f"events, PUT → job's row, {count:,} over 16 connections, synced", f"{count / seconds:.0f} events/s",
            f"PUTs alone {count / counted['seconds']:.0f}/s")
        bench.row(
            "another service meanwhile: PUT → script, p50 and worst",
            f"{milliseconds(percentile(meanwhile, 0.5))}, {milliseconds(max(meanwhile))}",
            f"without the flood {milliseconds(statistics.median(alone))}", "", f"< {JOB_SECONDS} s", max(meanwhile) < JOB_SECONDS)
    finally:
        peer.stop()


def measure_outbox(bench, milliseconds):
    """A million events of one bucket that are not routed yet, whose jobs fill the machine, and one event of another."""
    count = 20_000 if bench.quick else 1_000_000
    with bench.server("--sandbox", "process", "--cpu", "2") as one:
        api = one.api()
        api.create_service(
            "flood", f"#!/bin/sh\nexec sleep {JOB_SECONDS}\n", sandbox="process", cpu="0.5", input=source("flood"))
        api.create_service("calm", baselines.SCRIPT, sandbox="process", cpu="0.5", input=source("calm"))
        one.store().put("/flood/in/first", b"x")
        backlog.wait_until(lambda: api.count("flood", ("queued", "running", "succeeded")) == 1, "the first event is a job")
        one.kill()
        backlog.fill_outbox(one.data, "flood", count)
        one.start()
        begin, passerby = time.monotonic(), Passerby(one)
        delays = []
        while one.api().count("flood", ()) < count and len(delays) < 10:
            delays.append(passerby.pass_by())
        api = one.api()
        backlog.wait_until(lambda: api.count("flood", ()) >= count, "all events are jobs", 1200, 0.2)
        seconds = time.monotonic() - begin
    bench.row(f"{count:,} events that wait at the start → jobs' rows", f"{count / seconds:.0f} events/s")
    bench.row(
        f"another service behind them, whose jobs fill the machine for {JOB_SECONDS} s each: PUT → script, worst",
        milliseconds(max(delays)), "", "", f"≤ {JOB_SECONDS} s", max(delays) <= JOB_SECONDS)


def measure_backlog(bench, mebibytes):
    """A million jobs that wait: the start after a kill, resident size, jobs a second."""
    count = 20_000 if bench.quick else 1_000_000
    with bench.server("--sandbox", "process") as one:
        api = one.api()
        api.create_service("waiter", NOOP, sandbox="process")
        api.request("POST", "/apus/v1/services/waiter/pause")
        api.post_job("waiter", b'{"n": 1}')
        one.kill()
        begin = time.monotonic()
        backlog.fill_queue(one.data, "waiter", count - 1)
        filled = time.monotonic() - begin
        starts = []
        for _ in range(3):
            starts.append(one.start())
            one.kill()
        one.start()
        api = one.api()
        waiting = api.count("waiter", ("queued",))
        if waiting != count:
            raise RuntimeError(f"{waiting} of {count} jobs wait")
        begin = time.monotonic()
        reason = api.jobs("waiter", 50)["jobs"][0].get("reason") or ""
        page = time.monotonic() - begin
        if "paused" not in reason:
            raise RuntimeError(f"a job of a paused service says {reason!r}")
        time.sleep(5)
        size = one.memory()
        api.request("POST", "/apus/v1/services/waiter/resume")
        time.sleep(2)
        seconds = 5 if bench.quick else 30
        before, begin, cpu = api.count("waiter", ("succeeded",)), time.monotonic(), one.cpu_seconds()
        time.sleep(seconds)
        ended, elapsed = api.count("waiter", ("succeeded",)) - before, time.monotonic() - begin
        cpu = one.cpu_seconds() - cpu
        peak = one.memory("VmHWM")
        # Else they would start until the server is gone.
        api.request("POST", "/apus/v1/services/waiter/pause")
    worst = max(starts)
    bench.row(f"start to ready after SIGKILL, {count:,} jobs waiting, worst of 3", f"{worst * 1000:.0f} ms", "", "",
              "≤ 2 s", worst <= 2)
    bench.row(f"resident size, {count:,} jobs waiting", mebibytes(size), "", "", "≤ 150 MB", size <= 150e6)
    bench.row(
        f"jobs through the queue, no-op, process, {count:,} waiting", f"{ended / elapsed:.0f} jobs/s",
        f"{cpu / max(1, ended) * 1000:.2f} ms of the server's processor time a job, peak {mebibytes(peak)}")
    bench.row("one page of 50 of them", f"{page * 1000:.1f} ms", f"the queue was filled in {filled:.0f} s (backlog.py)")
