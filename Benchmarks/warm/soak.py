"""Mixed load for a long time while instances are killed: every answer is checked, every job is looked for."""

import collections
import hashlib
import http.client
import os
import random
import signal
import threading
import time

import backlog
import server
from bench import command, make_service, python_function
from files import ENDED, folders
from measuring import mebibytes

# What a killed script costs is an attempt of its job; that the job succeeds nevertheless is what is shown here.
RETRY = {"script": 100, "infrastructure": 100, "backoff": "50ms", "maximum_backoff": "200ms"}
DIGEST = 'sha256sum "$INPUT_FILE_PATH" | cut -c 1-64 | tr -d "\\n" > "$TMP_OUTPUT_DIR/$(basename "$INPUT_FILE_PATH").sha256"'
WRONG, GOOD, REFUSED, CUT = "wrong", "good", "refused", "cut off"


class Mixture:
    """The threads that call, what they counted, and the files that were acknowledged."""

    def __init__(self, apus):
        self.apus, self.done = apus, threading.Event()
        self.counts = collections.defaultdict(collections.Counter)
        self.notes = []
        self.acknowledged = collections.defaultdict(dict)  # By service: each file's wanted result.
        self.kills, self.lock = [], threading.Lock()

    def count(self, kind, result, note=""):
        with self.lock:
            self.counts[kind][result] += 1
            if result != GOOD and len(self.notes) < 200:
                self.notes.append(f"{time.monotonic():.1f} {kind} {result}: {note}")

    def call(self, service, seed):
        """Synchronous calls whose answer has to be their own text."""
        dice, number = random.Random(f"{service} {seed}"), 0
        caller = server.Caller(self.apus.server, service)
        while not self.done.is_set():
            number += 1
            body = f"{service} {seed} {number} ".encode() + b"\"ab\\ \t\n" * dice.randrange(1, 400) + b"."
            self.once(service, lambda: self.judge(*caller.call(body), body), caller)

    @staticmethod
    def judge(status, answer, body):
        if status != 200:
            return REFUSED, f"{status} {answer[:200]!r}"
        if answer != body:
            return WRONG, f"asked {body[:60]!r} ({len(body)}), got {answer[:200]!r} ({len(answer)})"
        return GOOD, ""

    def once(self, kind, work, caller):
        try:
            result, note = work()
        except (OSError, http.client.HTTPException) as error:
            caller.connection.close()
            result, note = CUT, repr(error)
        self.count(kind, result, note)

    def stream(self, seed):
        """Streams of events, which have to be those of the lines that were sent, in their order."""
        dice, number = random.Random(f"stream {seed}"), 0
        caller = server.Caller(self.apus.server, "stream")
        caller.headers["Accept"] = "text/event-stream"
        while not self.done.is_set():
            number += 1
            lines = [f"{seed}-{number}-{index}" for index in range(dice.randrange(1, 10))]
            self.once("stream", lambda: self.judge_stream(caller, lines), caller)

    @staticmethod
    def judge_stream(caller, lines):
        try:
            status, answer = caller.call("\n".join(lines).encode())
            whole = True
        except http.client.IncompleteRead as error:
            caller.connection.close()
            status, answer, whole = 200, error.partial, False
        if status != 200:
            return REFUSED, f"{status} {answer[:200]!r}"
        wanted = "".join(f"data: {line}\n\n" for line in [*lines, "end"]).encode()
        if answer == wanted:
            return GOOD, ""
        if not whole and wanted.startswith(answer):
            return CUT, f"after {len(answer)} of {len(wanted)} bytes"
        return WRONG, f"wanted {wanted[:100]!r}, got {answer[:200]!r}"

    def put(self, services, pause):
        """Files for services in turn; what was acknowledged has to come to a result."""
        store, number = self.apus.server.store(), 0
        while not self.done.wait(pause):
            number += 1
            service, body = services[number % len(services)], os.urandom(1000)
            store.put(f"/{service}/in/{number}", body)
            self.acknowledged[service][f"in/{number}"] = hashlib.sha256(body).hexdigest().encode()

    def kill(self, dice, pause):
        """Kills a process of an instance now and then."""
        while not self.done.wait(dice.uniform(0.5 * pause, 1.5 * pause)):
            found = instances(self.apus)
            if not found:
                continue
            pid, name = dice.choice(found)
            try:
                os.kill(pid, signal.SIGKILL)
                self.kills.append(name)
            except ProcessLookupError:
                pass


def instances(apus):
    """Processes of the served Apus that belong to instances, with their names; never Apus itself."""
    found, inside = [], set()
    for pid in apus.pids()[1:]:
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
                name, _, rest = stat.read().partition("(")[2].rpartition(")")
        except OSError:
            continue
        if name == "apus-init" or int(rest.split()[1]) in inside:
            inside.add(pid)
            found.append((pid, name))
    return found


def sample(apus):
    """Resident bytes and open descriptors of the server alone."""
    return apus.server.memory(), len(os.listdir(f"/proc/{apus.process.pid}/fd"))


def make_services(apus, bench):
    """The four kinds of services; those that this Apus does not know are left out, and named."""
    missing = []
    makers = {
        "echo": (command(bench.echo), "resident", {"min": 1, "max": 2, "concurrency": 8}, {}),
        "cat": ('cat "$INPUT_FILE_PATH"', "script", None, {}),
        "stream": (
            python_function("stream.py"), "server", {"min": 1, "max": 2, "concurrency": 8}, {"server": {"port": 8080}}),
        "files-resident": (
            python_function("digest.py"), "resident", {"max": 2, "concurrency": 2}, folders("files-resident")),
        "files-script": (DIGEST, "script", None, folders("files-script")),
    }
    made = []
    for name, (script, mode, kinds, fields) in makers.items():
        try:
            make_service(apus, name, script, mode, kinds, **fields, **({"retry": RETRY} if "input" in fields else {}))
            made.append(name)
        except RuntimeError as error:
            missing.append(str(error))
    return made, missing


def measure_soak(bench):
    """Mixed load with random kills of instances: no wrong answer, no lost job, no growth."""
    with bench.apus() as apus:
        made, missing = make_services(apus, bench)
        mixture = Mixture(apus)
        calls = {"echo": 2, "cat": 2}
        work = [(mixture.call, (name, seed)) for name, many in calls.items() if name in made for seed in range(many)]
        if "stream" in made:
            work.append((mixture.stream, (0,)))
        work += [(mixture.put, ([name for name in made if name.startswith("files")], 0.05)),
                 (mixture.kill, (random.Random(bench.seed), 2))]
        failures, samples = [], drive(mixture, work, bench.soak)
        failures += settle(mixture)
        time.sleep(5)
        samples["idle again"] = sample(apus)
        show(bench, mixture, samples, failures)
        bench.keep("soak", {
            "counts": {kind: dict(counts) for kind, counts in mixture.counts.items()}, "samples": samples,
            "notes": mixture.notes, "lost": failures, "kills": collections.Counter(mixture.kills), "seed": bench.seed})
        if missing:
            raise RuntimeError("; ".join(missing))


def drive(mixture, work, seconds):
    """Runs the threads for that time; what Apus used at start, middle and end, under load."""
    samples, broken = {"before": sample(mixture.apus)}, []

    def guarded(one, words):
        try:
            one(*words)
        except Exception as error:  # Raised again below, in the thread that asked.
            broken.append(error)

    threads = [threading.Thread(target=guarded, args=one, daemon=True) for one in work]
    begin = time.monotonic()
    try:
        for thread in threads:
            thread.start()
        for name, share in (("start", 0.1), ("middle", 0.5), ("end", 1)):
            found = []
            while (left := begin + seconds * share - time.monotonic()) > 0:
                time.sleep(min(left, 0.5))
                # The middle of what was seen lately: single moments say little.
                if left < max(5, seconds * 0.05):
                    found.append(sample(mixture.apus))
                if mixture.apus.process.poll() is not None:
                    raise RuntimeError(f"Apus ended: {mixture.apus.log_tail()}")
            samples[name] = tuple(sorted(values)[len(values) // 2] for values in zip(*found))
    finally:
        mixture.done.set()
        for thread in threads:
            thread.join(60)
    if broken:
        raise RuntimeError(f"a client broke: {broken[0]!r}")
    return samples


def settle(mixture):
    """Waits for the jobs to end; what is wrong with them, each in a line."""
    api, store, wrong = mixture.apus.server.api(), mixture.apus.server.store(), []
    for service, wanted in mixture.acknowledged.items():
        try:
            backlog.wait_until(lambda: api.count(service, ENDED) >= len(wanted), f"the jobs of {service}", 120, 0.1)
        except RuntimeError as error:
            wrong.append(str(error))
        jobs = collections.defaultdict(list)
        for job in api.all_jobs(service):
            jobs[job.get("input", {}).get("key")].append(job["state"])
        for key, digest in wanted.items():
            if jobs[key] != ["succeeded"]:
                wrong.append(f"{service}/{key}: jobs {jobs[key]}")
            elif store.get(f"/{service}/out/{key.removeprefix('in/')}.sha256") != digest:
                wrong.append(f"{service}/{key}: wrong result")
    return wrong


def show(bench, mixture, samples, failures):
    """The rows, and the first things that went wrong."""
    total = sum(mixture.counts.values(), collections.Counter())
    names = ", ".join(f"{count} {name}" for name, count in collections.Counter(mixture.kills).most_common())
    kinds = "; ".join(f"{kind} {counts[GOOD]:,}" for kind, counts in mixture.counts.items())
    bench.row(
        f"mixed load for {bench.soak:.0f} s, {len(mixture.kills)} kills: wrong answers", str(total[WRONG]),
        f"{total[GOOD]:,} right ({kinds})", f"killed: {names or 'nothing'}", "none", total[WRONG] == 0)
    bench.row("calls that were refused or cut off meanwhile", f"{total[REFUSED]} and {total[CUT]}")
    files = sum(map(len, mixture.acknowledged.values()))
    bench.row("files without exactly one job that succeeded and its right result", str(len(failures)), f"{files:,} files",
              "", "none", not failures)
    (start, _), (middle, many), (end, most) = samples["start"], samples["middle"], samples["end"]
    bench.row(
        "resident size of Apus at start, middle, end", ", ".join(map(mebibytes, (start, middle, end))),
        f"before {mebibytes(samples['before'][0])}, idle again {mebibytes(samples['idle again'][0])}",
        f"{end / middle:.2f} × the middle", "end ≤ 1.1 × middle + 2 MiB", end <= 1.1 * middle + (2 << 20))
    bench.row(
        "open descriptors at start, middle, end", f"{samples['start'][1]}, {many}, {most}",
        f"before {samples['before'][1]}, idle again {samples['idle again'][1]}", "", "end ≤ middle + 16 ≥ idle again",
        max(most, samples["idle again"][1]) <= many + 16)
    for line in (mixture.notes + failures)[:20]:
        print("    " + line, flush=True)
