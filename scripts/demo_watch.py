#!/usr/bin/env python3
"""Shows the way of every file of the demonstration through both clusters, until the last result has landed.

    demo_watch.py --edge URL --cloud URL --bucket B --videos NAME...    passwords: EDGE_PASSWORD, CLOUD_PASSWORD
    demo_watch.py --wait URL [--pid PID]                                waits until a cluster answers

On a terminal a table is redrawn; elsewhere each change is a line. Exit status 1: a job failed, or the time was up.
"""

import argparse
import base64
import datetime
import json
import os
import shutil
import signal
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

FINAL = {"succeeded", "failed", "cancelled"}
STAGES = (("edge", "frames"), ("edge", "anonymise"), ("cloud", "detect"))
SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


class Cluster:
    """The few requests that the display needs."""

    def __init__(self, name, url, password):
        self.name, self.url = name, url.rstrip("/")
        self.authorization = "Basic " + base64.b64encode(f"admin:{password}".encode()).decode()
        self.trouble = None

    def get(self, path, **query):
        address = f"{self.url}{path}?{urllib.parse.urlencode({k: v for k, v in query.items() if v})}"
        request = urllib.request.Request(address, headers={"Authorization": self.authorization})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def pages(self, path, member, token, parameter, **query):
        """All entries of a paged listing."""
        found, page = [], None
        while True:
            answer = self.get(path, **query, **{parameter: page})
            found += answer[member]
            page = answer.get(token)
            if not page:
                return found

    def jobs(self, service):
        return self.pages("/apus/v1/jobs", "jobs", "next", "after", service=service, limit=500)

    def keys(self, bucket, folder):
        listing = self.pages(f"/system/buckets/{bucket}", "objects", "next_page", "page", limit=500)
        names = [item["object_name"] for item in listing]
        return [name for name in names if name.startswith(folder + "/") and not name.endswith("/")]


def moment(text):
    """Seconds since 1970 of an RFC 3339 time, or None."""
    if not text:
        return None
    head, _, fraction = text.rstrip("Z").partition(".")
    whole = datetime.datetime.fromisoformat(head).replace(tzinfo=datetime.timezone.utc).timestamp()
    return whole + (float("0." + fraction) if fraction else 0)


def seconds(value):
    if value is None:
        return ""
    return f"{value * 1000:.0f} ms" if value < 0.0995 else f"{value:.1f} s"


def stem(key):
    return os.path.splitext(os.path.basename(key))[0]


class Way:
    """One file on its way: its jobs, one for each stage it has reached."""

    def __init__(self, name, video):
        self.name, self.video = name, video
        self.jobs = {}

    def begin(self):
        first = self.jobs.get("frames") or self.video and self.video.jobs.get("frames")
        return moment(first["created"]) if first else None

    def end(self):
        last = self.jobs.get("detect")
        return moment(last["finished"]) if last and last["state"] == "succeeded" else None

    def total(self):
        return self.end() - self.begin() if self.begin() and self.end() else None


class Watch:
    """Both clusters' jobs, brought together file by file."""

    def __init__(self, clusters, bucket, videos):
        self.clusters, self.bucket = clusters, bucket
        self.videos = {stem(name): Way(name, None) for name in videos}
        self.frames = {}
        self.expected = None
        self.begin = time.time()
        self.landed = 0

    def poll(self):
        for cluster_name, service in STAGES:
            cluster = self.clusters[cluster_name]
            try:
                for job in cluster.jobs(service):
                    self.note(service, job)
                cluster.trouble = None
            except (OSError, ValueError) as error:
                cluster.trouble = f"{cluster.name} does not answer: {getattr(error, 'reason', error)}"
        videos_done = all(self.state(way, "frames") == "succeeded" for way in self.videos.values())
        try:
            if videos_done and self.expected is None:
                self.expected = {stem(key) for key in self.clusters["edge"].keys(self.bucket, "frames")}
                for name in self.expected:
                    self.way(name)
        except (OSError, ValueError) as error:
            self.clusters["edge"].trouble = f"edge does not answer: {error}"
        self.landed = sum(self.state(way, "detect") == "succeeded" for way in self.frames.values())

    def way(self, name):
        if name not in self.frames:
            video = self.videos.get(name.rsplit("-", 1)[0])
            self.frames[name] = Way(name, video)
        return self.frames[name]

    def note(self, service, job):
        if not job.get("input"):
            return
        name = stem(job["input"]["key"])
        way = self.videos.get(name) if service == "frames" else self.way(name)
        if way is not None:
            way.jobs[service] = job

    @staticmethod
    def state(way, service):
        job = way.jobs.get(service)
        return job["state"] if job else None

    def failures(self):
        found = []
        for way in list(self.videos.values()) + list(self.frames.values()):
            for service, job in way.jobs.items():
                if job["state"] in ("failed", "cancelled"):
                    found.append(f"{way.name}: {service} {job['state']}: {job.get('message') or 'no message'}")
        return found

    def is_over(self):
        """Whether nothing more can come."""
        if any(self.state(way, "frames") not in FINAL for way in self.videos.values()):
            return False
        if self.expected is None:
            return (
                any(self.state(way, "frames") != "succeeded" for way in self.videos.values())
                and not self.open_frames()
            )
        return not self.open_frames()

    def open_frames(self):
        return [
            way
            for way in self.frames.values()
            if not any(job["state"] in ("failed", "cancelled") for job in way.jobs.values())
            and self.state(way, "detect") != "succeeded"
        ]


def cell(job, tick):
    """What the table says of a job."""
    if job is None:
        return "·"
    durations = job.get("durations") or {}
    state = job["state"]
    if state == "succeeded":
        return "✓ " + seconds(sum(durations.get(part) or 0 for part in ("stage_in", "run", "stage_out")))
    if state in ("failed", "cancelled"):
        return "✗ " + state
    if state == "queued":
        return "waits"
    if state == "delivering":
        return "→ on its way" if not any(d.get("error") for d in job.get("deliveries", [])) else "→ waits for cloud"
    names = {"staging_in": "in", "running": "runs", "staging_out": "out"}
    started = moment(job.get("started"))
    running = f" {max(0, time.time() - started):.0f} s" if started else ""
    return f"{SPINNER[tick % len(SPINNER)]} {names.get(state, state)}{running}"


HEADER = ("file", "edge: frames", "edge: anonymise", "cloud: detect", "since upload")
WIDTHS = (20, 15, 19, 15, 13)


def row(cells):
    return "".join(text[: width - 1].ljust(width) for text, width in zip(cells, WIDTHS)).rstrip()


def lines(watch, tick, height):
    """The table as it stands, cut to a height."""
    elapsed = time.time() - watch.begin
    known = len(watch.expected) if watch.expected is not None else "?"
    result = [f"{elapsed:5.0f} s   {watch.landed} of {known} results have landed", "", row(HEADER)]
    for way in watch.videos.values():
        count = sum(frame.video is way for frame in watch.frames.values())
        result.append(row((way.name, cell(way.jobs.get("frames"), tick), f"{count} images" if count else "", "", "")))
    frames = sorted(watch.frames.values(), key=lambda way: way.name)
    room = height - len(result) - 3 - sum(1 for cluster in watch.clusters.values() if cluster.trouble)
    if len(frames) > room:
        # Where not all fit: those under way first, then the latest that are done.
        moving = [way for way in frames if way.jobs and watch.state(way, "detect") not in FINAL]
        done = sorted((way for way in frames if way.end()), key=lambda way: way.end())
        chosen = (moving[: max(0, room - 1)] + done[::-1])[: max(0, room - 1)]
        hidden = len(frames) - len(chosen)
        frames = sorted(chosen, key=lambda way: way.name)
    else:
        hidden = 0
    for way in frames:
        total = seconds(way.total()) if way.end() else ""
        result.append(
            row((way.name, "", cell(way.jobs.get("anonymise"), tick), cell(way.jobs.get("detect"), tick), total))
        )
    if hidden:
        result.append(f"… and {hidden} more")
    result += [f"! {cluster.trouble}" for cluster in watch.clusters.values() if cluster.trouble]
    return result


def follow_on_terminal(watch, deadline):
    drawn, tick = 0, 0
    sys.stdout.write("\x1b[?25l")
    try:
        while True:
            if tick % 3 == 0:
                watch.poll()
            size = shutil.get_terminal_size()
            text = [line[: size.columns - 1] for line in lines(watch, tick, size.lines)]
            sys.stdout.write((f"\x1b[{drawn}A" if drawn else "") + "\r\x1b[J" + "\n".join(text) + "\n")
            sys.stdout.flush()
            drawn, tick = len(text), tick + 1
            if watch.is_over() or time.time() > deadline:
                return
            time.sleep(0.15)
    finally:
        sys.stdout.write("\x1b[?25h")
        sys.stdout.flush()


def follow_as_lines(watch, deadline):
    told = {}
    troubles = {}
    while True:
        watch.poll()
        for cluster in watch.clusters.values():
            if troubles.get(cluster.name) != cluster.trouble:
                troubles[cluster.name] = cluster.trouble
                print(
                    f"{time.time() - watch.begin:7.1f} s  {cluster.trouble or cluster.name + ' answers again'}",
                    flush=True,
                )
        changes = []
        for way in list(watch.videos.values()) + list(watch.frames.values()):
            for cluster, service in STAGES:
                job = way.jobs.get(service)
                if job and told.get((way.name, service)) != job["state"] and job["state"] in FINAL | {"delivering"}:
                    told[way.name, service] = job["state"]
                    changes.append((moment(job.get("finished")) or time.time(), way, cluster, service, job))
        for _, way, cluster, service, job in sorted(changes, key=lambda change: change[0]):
            durations = job.get("durations") or {}
            parts = ", ".join(
                f"{label} {seconds(durations.get(part))}"
                for part, label in (("waiting", "waited"), ("stage_in", "in"), ("run", "ran"), ("stage_out", "out"))
                if durations.get(part) is not None
            )
            why = f": {job['message']}" if job["state"] == "failed" and job.get("message") else ""
            print(
                f"{time.time() - watch.begin:7.1f} s  {way.name:<20} {cluster:<5} {service:<9} "
                f"{job['state']:<10} {parts}{why}",
                flush=True,
            )
        if watch.is_over() or time.time() > deadline:
            return
        time.sleep(0.3)


def summary(watch):
    """The table at the end: for each file, the times of its stages, and in all."""
    print()
    heads = ("file", "stage", "cluster", "waited", "in", "ran", "out", "since upload")
    widths = (20, 11, 9, 10, 9, 9, 9, 13)

    def line(cells):
        print("".join(text.ljust(width) for text, width in zip(cells, widths)).rstrip())

    def stage(name, way, cluster, service, total):
        job = way.jobs.get(service)
        if job is None:
            return
        durations = job.get("durations") or {}
        times = [seconds(durations.get(part)) for part in ("waiting", "stage_in", "run", "stage_out")]
        line((name, service, cluster, *times, total if job["state"] == "succeeded" else job["state"]))

    line(heads)
    for way in watch.videos.values():
        stage(way.name, way, "edge", "frames", "")
    for way in sorted(watch.frames.values(), key=lambda way: way.name):
        stage(way.name, way, "edge", "anonymise", "")
        stage("", way, "cloud", "detect", seconds(way.total()))
    totals = sorted(way.total() for way in watch.frames.values() if way.total() is not None)
    if totals:
        print(
            f"\n{len(totals)} results; from upload to result: first {seconds(totals[0])}, "
            f"middle {seconds(totals[len(totals) // 2])}, last {seconds(totals[-1])}"
        )


def wait_for(url, pid, limit=20):
    """Waits until a cluster says Ok; False when its process has ended or the time is up."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=1) as answer:
                if answer.read() == b"Ok":
                    return True
        except OSError:
            pass
        if pid and not os.path.exists(f"/proc/{pid}"):
            return False
        time.sleep(0.02)
    return False


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wait", metavar="URL")
    parser.add_argument("--pid", type=int)
    parser.add_argument("--edge", metavar="URL")
    parser.add_argument("--cloud", metavar="URL")
    parser.add_argument("--bucket", default="mask-detection")
    parser.add_argument("--videos", nargs="+", default=[])
    parser.add_argument("--timeout", type=float, default=900, help="seconds")
    options = parser.parse_args()
    # Loopback is never behind a proxy.
    urllib.request.install_opener(urllib.request.build_opener(urllib.request.ProxyHandler({})))
    if options.wait:
        sys.exit(0 if wait_for(options.wait, options.pid) else 1)
    clusters = {
        name: Cluster(name, getattr(options, name), os.environ[f"{name.upper()}_PASSWORD"])
        for name in ("edge", "cloud")
    }
    # Ends in order, so that the terminal gets its cursor back.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    watch = Watch(clusters, options.bucket, options.videos)
    deadline = time.time() + options.timeout
    (follow_on_terminal if sys.stdout.isatty() else follow_as_lines)(watch, deadline)
    summary(watch)
    failures = watch.failures()
    for failure in failures:
        print(f"✗ {failure}")
    if not watch.is_over():
        print(
            f"✗ after {options.timeout:.0f} s not every result has landed: "
            f"{watch.landed} of {len(watch.expected or [])}"
        )
        sys.exit(1)
    sys.exit(1 if failures else 0)


main()
