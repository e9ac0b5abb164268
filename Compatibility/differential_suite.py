"""The same random operations against Apus and MinIO's server: what differs without a reason is a failure.

MinIO's server is the one in JuiceFS's gateway, over a directory. The seeds are 1, 2, …; run.py's --seeds and
--operations say how many and how long.
"""

import collections
import os
import re
import signal
import subprocess
import time

import requests

import apus
from cases import case, equal, expect
from differential import Operation, Sequence, Side
from differential_answers import differences, facts
from differential_reasons import REASONS, reason

ACCESS_KEY, SECRET_KEY = "differential", "differential-secret"


class Gateway:
    """MinIO's server over a directory, for a `with` statement."""

    def __init__(self, context):
        self.program = context.tool("juicefs")
        self.folder = context.path("gateway", "")
        self.port = apus.free_port()
        self.process = None

    def __enter__(self):
        metadata = f"sqlite3://{self.folder}/meta.db"
        cache = os.path.join(self.folder, "cache")
        command = ["format", "--storage", "file", "--bucket", f"{self.folder}/data/", "--trash-days", "0", metadata]
        run = subprocess.run([self.program, *command, "volume"], capture_output=True, timeout=60)
        expect(run.returncode == 0, f"juicefs format: {run.stderr.decode()[-600:]}")
        command = [self.program, "gateway", metadata, f"127.0.0.1:{self.port}", "--no-banner", "--no-usage-report"]
        command += ["--multi-buckets", "--keep-etag", "--object-tag", "--object-meta", "--cache-dir", cache]
        command += ["--metrics", "127.0.0.1:0", "--log", os.path.join(self.folder, "log")]
        environment = dict(os.environ, MINIO_ROOT_USER=ACCESS_KEY, MINIO_ROOT_PASSWORD=SECRET_KEY, HOME=self.folder)
        with open(os.path.join(self.folder, "output"), "wb") as output:
            self.process = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        end = time.monotonic() + 30
        while time.monotonic() < end and self.process.poll() is None:
            try:
                if requests.get(f"http://127.0.0.1:{self.port}/minio/health/live", timeout=1).status_code == 200:
                    return self
            except OSError:
                time.sleep(0.05)
        self.__exit__()
        raise AssertionError(f"MinIO's server in {self.folder} did not start")

    def __exit__(self, *_):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def compare(context, gateway, seed, count):
    """Runs a seed; returns how often each reason explained something, and what none explained."""
    bucket = f"differential-{seed}"
    mine = Side(context.endpoint, context.access_key, context.secret_key)
    other = Side(f"http://127.0.0.1:{gateway.port}", ACCESS_KEY, SECRET_KEY)
    explained, unexplained = collections.Counter(), []
    for number, operation in enumerate(Sequence(seed, bucket).operations(count)):
        answers = mine.perform(operation, bucket), other.perform(operation, bucket)
        for name, here, there in differences(*(facts(operation, answer) for answer in answers)):
            why = reason(operation, name, here, there)
            if why:
                explained[why] += 1
            else:
                unexplained.append(
                    f"seed {seed}, operation {number}, {operation}\n        {name}: {here!r}, MinIO {there!r}"
                )
        if operation.key and operation.method != "GET" and len({answer[0].status < 300 for answer in answers}) > 1:
            # What only one of them did would show in everything that follows.
            level = [Operation("level", "DELETE", operation.key)]
            if "uploadId" in operation.query:
                level.append(Operation("level", "DELETE", operation.key, {"uploadId": operation.query["uploadId"]}))
            for side in (mine, other):
                for step in level:
                    side.perform(step, bucket)
    return explained, unexplained


@case("random operations: what differs from MinIO has a reason")
def random_operations(context):
    with Gateway(context) as gateway:
        explained, unexplained = collections.Counter(), []
        for seed in range(1, context.seeds + 1):
            more, without = compare(context, gateway, seed, context.operations)
            explained += more
            unexplained += without
    path = context.path("differences.txt")
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(unexplained))
    listed = "\n      ".join(unexplained[:20])
    expect(not unexplained, f"{len(unexplained)} differences without a reason, all in {path}:\n      {listed}")
    print(f"      explained: {', '.join(f'{count} {name}' for name, count in explained.most_common())}")


@case("every reason is told in docs/compatibility.md, and no other")
def documented(context):
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    with open(os.path.join(root, "docs", "compatibility.md"), encoding="utf-8") as file:
        section = file.read().partition("## Differences")[2].partition("\n## ")[0]
    told = re.findall(r"^\| `([a-z-]+)` \|", section, re.MULTILINE)
    equal(sorted(told), sorted(REASONS), "reasons in docs/compatibility.md")
