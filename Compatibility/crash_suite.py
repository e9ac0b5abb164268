"""Fifty uploads and five kills: every upload that was answered ends in exactly one recorded result."""

import os
import shutil
import threading
import time

from botocore.exceptions import BotoCoreError, ClientError

from apus import Apus, has_succeeded, is_done
from cases import case, equal, eventually, expect
from invocation_suite import minio

UPLOADS, KILLS = 50, 5
MARK = "APUS_CRASH_TEST_MARK"


class Uploader(threading.Thread):
    """Puts objects until enough were acknowledged.

    A failed put is not repeated under its key: nobody knows whether it counts.
    """

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server = server
        self.acknowledged, self.uncertain = [], []
        self.finished = threading.Event()

    def run(self):
        s3 = self.server.boto(connect_timeout=2, read_timeout=5)
        number = 0
        while len(self.acknowledged) < UPLOADS and not self.finished.is_set():
            key = f"in/{number:04}"
            number += 1
            try:
                s3.put_object(Bucket="crash", Key=key, Body=key.encode())
                self.acknowledged.append(key)
                time.sleep(0.05)
            except (BotoCoreError, ClientError):
                self.uncertain.append(key)
                time.sleep(0.1)


def marked_processes(mark):
    """Processes of this machine that carry a mark in their environment."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/environ", "rb") as file:
                    if mark.encode() in file.read():
                        found.append(int(entry))
            except OSError:
                continue
    return found


def descends(pid, ancestor):
    """Whether a process was started by that one, or by one that was."""
    while pid > 1:
        if pid == ancestor:
            return True
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
                pid = int(file.read().rpartition(")")[2].split()[1])
        except OSError:
            return False
    return False


@case(f"{UPLOADS} uploads and {KILLS} SIGKILLs: each upload ends in exactly one recorded result")
def campaign(context):
    server = Apus("crash", context.folder)
    mark = f"{MARK}_{os.getpid()}_{time.time_ns()}"
    uploader = Uploader(server)
    try:
        server.start()
        server.create_service(
            "crash",
            'sleep 0.2; sed "s/^/result of /" "$INPUT_FILE_PATH" > "$TMP_OUTPUT_DIR/$(basename "$INPUT_FILE_PATH")"\n',
            input=[minio("crash/in")],
            output=[minio("crash/out")],
            environment={"variables": {"CRASH_MARK": mark}},
        )
        uploader.start()
        for number in range(KILLS):
            goal = (number + 1) * UPLOADS // (KILLS + 1)
            eventually(lambda: len(uploader.acknowledged) >= goal, f"{goal} acknowledged uploads", 60, 0.01)
            eventually(
                lambda: any(job["state"].lower() == "running" for job in server.jobs("crash")),
                "a running job",
                20,
                0.01,
            )
            server.kill()
            server.start()
        uploader.join(60)
        expect(len(uploader.acknowledged) == UPLOADS, f"only {len(uploader.acknowledged)} uploads were acknowledged")
        check(server, uploader)
        # A shell that waits for the next job in a warm instance of the server that runs carries the mark, too.
        eventually(
            lambda: all(descends(pid, server.process.pid) for pid in marked_processes(mark)),
            "scripts of killed servers are gone", 20)
        # What is recorded stays recorded.
        server.kill()
        server.start()
        check(server, uploader)
        equal(server.stop(), 0, "exit status after SIGTERM")
    finally:
        uploader.finished.set()
        server.stop()
        shutil.rmtree(server.data, ignore_errors=True)


def check(server, uploader):
    s3 = server.boto()

    def keys(prefix):
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket="crash", Prefix=prefix)
        return [item["Key"] for page in pages for item in page.get("Contents", []) if not item["Key"].endswith("/")]

    stored = keys("in/")
    lost = set(uploader.acknowledged) - set(stored)
    expect(not lost, f"acknowledged and lost: {sorted(lost)}")
    expect(set(stored) <= set(uploader.acknowledged) | set(uploader.uncertain), "objects that nobody put")

    def probe():
        jobs = server.jobs("crash")
        return jobs if len(jobs) >= len(stored) and all(map(is_done, jobs)) else None

    jobs = eventually(probe, f"{len(stored)} ended jobs", 90, 0.3)
    equal(sorted(job["input"]["key"] for job in jobs), sorted(stored), "jobs, one for each stored object")
    failed = [job for job in jobs if not has_succeeded(job)]
    expect(not failed, f"{len(failed)} jobs failed, for example {failed[:1]}")
    equal(sorted(keys("out/")), sorted(key.replace("in/", "out/") for key in stored), "results")
    for key in stored:
        body = s3.get_object(Bucket="crash", Key=key.replace("in/", "out/"))["Body"].read()
        equal(body, b"result of " + key.encode(), f"result of {key}")
    again = [job["attempts"] for job in jobs if job["attempts"] > 1]
    expect(max(again, default=1) <= KILLS + 2, f"attempts: {again}")
