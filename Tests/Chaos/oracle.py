"""Knows what must exist at the end, byte for byte, from what clients were told; says what does not."""

import collections
import dataclasses
import hashlib
import os

from services import CLUSTER, RELAYS, TRIGGERS, WRITE_FAILED

SUCCEEDED = "succeeded"
KINDS = {
    "lost": "an acknowledged upload or a result without its job, or a result that is not there",
    "doubled": "a second job or a second result for one upload",
    "webhook": "a second job for a webhook's document that was posted twice",
    "wrong": "an outcome or a content that is not what the upload asks for",
    "infrastructure": "a job that failed although its script did not: the machine's fault ended it",
    "unended": "a job that has not ended",
}


@dataclasses.dataclass
class Problem:
    kind: str
    text: str


class Oracle:
    """Checks a settled line, whose clusters serve."""

    def __init__(self, ledger, clusters, records, script_ledger):
        self.ledger, self.clusters = ledger, clusters
        self.jobs = {name: records[name].jobs() for name in clusters}
        self.ran = self._ran(script_ledger)
        self.problems = []
        self.outcomes = collections.Counter()
        self.checked_bytes = 0

    def check(self):
        self._objects()
        results = {name: {} for name in "ABC"}
        self._first(results)
        self._audits(results["A"].pop("audit", {}))
        relayed = {}
        for service in RELAYS:
            for job, uploads in results["A"].get(service, {}).items():
                relayed[f"mid/{job.name}~{base(uploads[0].key)}"] = ([job], uploads)
        middle = self._next("B", "line", "mid/", "middle", relayed)
        late = self._next("C", "line", "late/", "last", moved(middle, "mid/", "late/"))
        self._next("C", "final", "out/", None, moved(late, "late/", "out/"))
        return self.problems

    def _say(self, kind, text):
        self.problems.append(Problem(kind, text))

    # What clients put

    def _objects(self):
        """Each key holds what nothing surely came after, whole."""
        for bucket in ("line", "hooks"):
            there = self._versions("A", bucket, "")
            known = {key for where, key in self.ledger.by_key if where == bucket}
            for key in sorted(set(there) - known):
                self._say("wrong", f"A {bucket}/{key!r}: nobody put this object")
            for key in sorted(known):
                possible = self.ledger.possible_now(bucket, key)
                if key not in there:
                    if None not in possible:
                        self._say("lost", f"A {bucket}/{key!r}: the object is not there; put by {ids(possible)}")
                    continue
                size, digest, _ = self._read("A", bucket, key)
                if (size, digest) not in {(one.size, one.digest) for one in possible if one}:
                    self._say("wrong", f"A {bucket}/{key!r}: {size} bytes, which nobody put last; {ids(possible)}")

    # Jobs of the first cluster

    def _first(self, results):
        jobs = collections.defaultdict(list)
        for job in map(Job, self.jobs["A"]):
            if job.upload not in self.ledger.attempts:
                self._say("wrong", f"A {job}: its event is of no upload of ours")
            jobs[job.service, job.upload].append(job)
        for attempt in self.ledger.uploads():
            is_certain = attempt.acknowledged is not None
            if attempt.kind == "hook":
                wanted, is_certain = ["hook"], attempt.posts > 0
            else:
                wanted = TRIGGERS[attempt.key.split("/")[0]]
            for service in wanted:
                found = jobs.pop((service, attempt.id), [])
                what = f"A {service}: upload {attempt.id} of {attempt.bucket}/{attempt.key!r}"
                if is_certain and not found:
                    self._say("lost", f"{what} has no job")
                if len(found) > 1:
                    kind = "webhook" if attempt.kind == "hook" else "doubled"
                    self._say(kind, f"{what} has {len(found)} jobs: {', '.join(job.name for job in found)}")
                for job in found:
                    possible = self.ledger.visible_to(attempt)
                    if self._judge(job, possible, self.ledger.may_be_gone(attempt)):
                        results["A"].setdefault(service, {})[job] = possible
        for (service, upload), found in jobs.items():
            if upload in self.ledger.attempts:
                self._say("wrong", f"A {service}: upload {upload} triggered it, which it must not: {found[0]}")

    def _judge(self, job, possible, may_be_gone=False):
        """Whether a result must exist; says what is wrong with how the job ended. Counts outcomes."""
        if job.has_ended and job.state != SUCCEEDED and not job.message:
            self._say("wrong", f"{job}: it failed and nobody can read why")
        orders = {attempt.failures.get(job.service) for attempt in possible}
        if not job.has_ended:
            self._say("unended", f"{job}")
        elif job.state == SUCCEEDED:
            if None not in orders and job.name not in self.ledger.killed:
                self._say("wrong", f"{job}: its content asks for exit code {orders}")
            if CLUSTER[job.service] and job.service != "boxed" and (job.service, job.name) not in self.ran:
                self._say("wrong", f"{job}: its script never ran")
        elif job.exit_code in orders - {None}:
            self.outcomes["failed as ordered"] += 1
            return False
        elif job.name in self.ledger.killed:
            self.outcomes["failed as killed"] += 1
            return False
        elif may_be_gone and job.exit_code is None and "not there any more" in (job.message or ""):
            self.outcomes["failed as deleted"] += 1
            return False
        elif job.exit_code is None or job.exit_code == WRITE_FAILED:
            self._say("infrastructure", f"{job}")
        else:
            self._say("wrong", f"{job}: its content asks for {orders}")
        if job.state == SUCCEEDED:
            self.outcomes["succeeded"] += 1
        return job.state == SUCCEEDED

    def _audits(self, jobs):
        there = self._versions("A", "audit", "out/")
        for job, possible in jobs.items():
            key = f"out/{job.name}~{base(possible[0].key)}"
            count = there.pop(key, 0)
            self._count(count, f"A audit/{key!r}", job)
            if count and self._body("A", "audit", key).decode(errors="replace").strip() not in {
                a.digest for a in possible
            }:
                self._say("wrong", f"A audit/{key!r}: not the sum of what was put")
        for key in there:
            self._say("wrong", f"A audit/{key!r}: a result of no job that succeeded")

    # What comes over a link, or at the end of the line

    def _next(self, name, bucket, prefix, service, expected):
        """Checks results that have arrived, and the jobs that they trigger; returns those whose results must follow.

        `expected` has for each key the jobs on the way so far, the last first, and the uploads that it may come from.
        """
        there = self._versions(name, bucket, prefix)
        jobs = collections.defaultdict(list)
        for job in map(Job, self.jobs[name]):
            if job.service == service:
                jobs[job.input].append(job)
        following = {}
        for key, (way, possible) in expected.items():
            count = there.pop(key, 0)
            self._count(count, f"{name} {bucket}/{key!r}", way[0][0] if isinstance(way[0], tuple) else way[0])
            if not count:
                continue
            seen = self._arrived(name, bucket, key, way, possible)
            found = jobs.pop(key, [])
            if service and not found:
                self._say("lost", f"{name} {service}: the result {key!r} has no job")
            if len(found) > count:
                self._say("doubled", f"{name} {service}: the result {key!r} has {len(found)} jobs")
            ended_well = [job for job in found if self._judge(job, seen)]
            if ended_well:
                following[key] = ([*ended_well, *way] if len(ended_well) == 1 else [tuple(ended_well), *way], seen)
        for key in there:
            self._say("wrong", f"{name} {bucket}/{key!r}: a result of no job that succeeded")
        for key, found in jobs.items():
            self._say("wrong", f"{name} {service}: {found[0]} was triggered by {key!r}, which is not there")
        return following

    def _count(self, count, what, job):
        if count == 0:
            self._say("lost", f"{what}: the result of {job} is not there")
        if count > 1:
            self._say("doubled", f"{what}: the result of {job} is there {count} times")

    def _arrived(self, name, bucket, key, way, possible):
        """Compares a result with what the uploads make of it; returns the uploads that it can be of."""
        lines = len(way)
        size, digest, head = self._read(name, bucket, key, skip=lines)
        for line, job in zip(head, way, strict=False):
            names = job if isinstance(job, tuple) else (job,)
            if line not in {f"via {one.service} {one.name}".encode() for one in names}:
                self._say("wrong", f"{name} {bucket}/{key!r}: {line[:80]!r} in place of the line of {names[0]}")
        seen = [attempt for attempt in possible if (attempt.size, attempt.digest) == (size, digest)]
        if not seen and len({id(one) for one in possible}):
            self._say("wrong", f"{name} {bucket}/{key!r}: {size} bytes that are not those of {ids(possible)}")
        return seen or possible

    # Reading

    def _versions(self, name, bucket, prefix):
        """How many versions each key has; a marker counts as one, since nobody deletes results."""
        pages = self.clusters[name].boto().get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix)
        counts = collections.Counter()
        for page in pages:
            counts.update(item["Key"] for item in page.get("Versions", []))
            if bucket not in ("line", "hooks") or name != "A":
                counts.update(item["Key"] for item in page.get("DeleteMarkers", []))
        return counts

    def _stream(self, name, bucket, key):
        if not hasattr(self, "_clients"):
            self._clients = {cluster: self.clusters[cluster].boto() for cluster in self.clusters}
        return self._clients[name].get_object(Bucket=bucket, Key=key)["Body"]

    def _body(self, name, bucket, key):
        return self._stream(name, bucket, key).read()

    def _read(self, name, bucket, key, skip=0):
        """Size and digest of an object behind its first lines, and those lines."""
        size, digest, pending, lines = 0, hashlib.sha256(), b"", []
        for piece in self._stream(name, bucket, key).iter_chunks(1 << 20):
            self.checked_bytes += len(piece)
            pending += piece
            while len(lines) < skip and b"\n" in pending:
                line, _, pending = pending.partition(b"\n")
                lines.append(line)
            if len(lines) == skip:
                size, pending = size + len(pending), self._add(digest, pending)
        return size + len(pending), digest.hexdigest(), lines

    @staticmethod
    def _add(digest, piece):
        digest.update(piece)
        return b""

    @staticmethod
    def _ran(path):
        if not os.path.exists(path):
            return set()
        with open(path, encoding="utf-8") as file:
            return {tuple(line.split()) for line in file}


class Job:
    """A row of a cluster's jobs."""

    def __init__(self, row):
        self.name, self.service, self.state = row["name"], row["service"], row["state"].lower()
        self.upload, self.exit_code, self.message = row["upload"], row["exit_code"], row["message"]
        self.input, self.attempts = row["input_key"], row["attempts"]
        self.has_ended = row["finished"] is not None

    def __str__(self):
        return f"{self.name} {self.state} exit {self.exit_code} attempts {self.attempts} ({self.message})"


def base(key):
    return key.rpartition("/")[2]


def moved(jobs, before, after):
    """The same under the keys at the next place."""
    return {after + key.removeprefix(before): value for key, value in jobs.items()}


def ids(attempts):
    return ", ".join(attempt.id if attempt else "(deleted)" for attempt in attempts) or "nobody"
