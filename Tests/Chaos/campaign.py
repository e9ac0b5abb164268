#!/usr/bin/env python3
"""Three clusters in a line, random uploads, and everything going wrong; then an oracle says whether anything was lost.

    campaign.py [--seconds N] [--seed N] [--tolerate KIND,…] [--keep] …

The environment variable APUS names the binary. Exit status: 0 nothing was lost, doubled, wrong or left behind; 1
something was; 2 the campaign itself did not work.
"""

import argparse
import os
import random
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
import traceback

import image
import leftovers
import sabotage
import services
from cluster import Clock, Cluster
from disk import KINDS, Disk
from faults import Faults
from ledger import Ledger
from link import Links
from oracle import Oracle
from plan import FAULTS, Plan
from records import Records
from report import Report, Timeline
from workload import Workload

FLAGS = ["--cpu", "4", "--memory", "4Gi", "--delivery-pause", "2s", "--grace", "3s", "--sandbox", "container"]
MEBIBYTE = 1 << 20


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=120, help="how long uploads and faults come (default 120)")
    parser.add_argument("--seed", type=int, help="makes the plan; printed where it is not given")
    parser.add_argument("--rate", type=float, default=2.0, help="operations a second, bursts aside (default 2)")
    parser.add_argument("--pause", type=float, default=2.5, help="seconds between faults, on average (default 2.5)")
    parser.add_argument("--faults", default="", help=f"only these kinds, with commas: {' '.join(FAULTS)}")
    parser.add_argument("--without", default="", help="all kinds of faults but these, with commas")
    parser.add_argument("--settle", type=int, default=180, help="seconds in which all must come to its end (180)")
    parser.add_argument("--tolerate", default="", help="kinds of problems that do not fail the campaign, with commas")
    parser.add_argument("--disk", choices=KINDS, help="what clusters lie on (default: tmpfs as root, else none)")
    parser.add_argument("--no-containers", action="store_true", help="without container sandboxes")
    parser.add_argument(
        "--sabotage", action="store_true", help="do harm at the end, and fail unless all of it is found"
    )
    parser.add_argument("--keep", action="store_true", help="keep the directory also when all is well")
    parser.add_argument("--plan", action="store_true", help="print the plan and do nothing")
    options = parser.parse_args()
    options.seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 31)
    wanted, unwanted, options.tolerate = (
        set(filter(None, text.split(","))) for text in (options.faults, options.without, options.tolerate)
    )
    for kind in (wanted | unwanted) - set(FAULTS):
        parser.error(f"unknown fault {kind}")
    options.faults = (wanted or set(FAULTS)) - unwanted
    options.disk = options.disk or ("tmpfs" if os.geteuid() == 0 else "none")
    if not options.plan and not os.access(os.environ.get("APUS", ""), os.X_OK):
        parser.error("the environment variable APUS must name the built binary")
    return options


class Campaign:
    """The parts of one campaign, in the order in which they are made."""

    def __init__(self, options, plan, folder):
        self.options, self.plan, self.folder = options, plan, folder
        self.timeline = Timeline(os.path.join(folder, "timeline.jsonl"))
        self.report = Report(plan, options.tolerate)
        self.ledger = Ledger()
        self.clusters = {}
        self.harmed = []
        self.script_ledger = os.path.join(folder, "scripts.txt")

    def make_clusters(self):
        library = Clock.build(self.folder)
        if not library:
            print("no C compiler: clocks do not jump")
        size = 256 * MEBIBYTE + 4 * self.plan.bytes
        for name in "ABC":
            disk = Disk(self.options.disk, os.path.join(self.folder, f"disk-{name}"), size)
            self.clusters[name] = Cluster(name, self.folder, disk, library, self.timeline, FLAGS)
        self.records = {name: Records(cluster.data) for name, cluster in self.clusters.items()}

    def run(self):
        """From the first start to the last check; the report has what came of it."""
        self.make_clusters()
        ports = {name: cluster.s3_port for name, cluster in self.clusters.items()}
        with Links(**{"in": ports["A"], "A_B": ports["B"], "B_C": ports["C"]}) as links:
            for cluster in self.clusters.values():
                cluster.start_patiently()
            has_containers = not self.options.no_containers and image.works(self.clusters["A"], self.folder)
            services.create(self.clusters, links, self.script_ledger, f"CHAOS_MARK={self.folder}", has_containers)
            print(f"containers: {'yes' if has_containers else 'no'}; disks: {self.options.disk}", flush=True)
            self.disturb(links, has_containers)
            settled = self.settle()
            if settled:
                if self.options.sabotage:
                    self.harmed = sabotage.harm(self.clusters)
                self.judge()
                self.kill_once_more()
            self.end()

    def disturb(self, links, has_containers):
        workload = Workload(self.plan, self.clusters["A"], links["in"], self.ledger, self.timeline, has_containers)
        faults = Faults(self.plan, self.clusters, links, self.records, self.ledger, self.timeline)
        for cluster in self.clusters.values():
            cluster.watch()
        begin = time.monotonic()
        faults.start(begin)
        workload.run(begin)
        time.sleep(max(0.0, begin + self.plan.seconds - time.monotonic()))
        faults.stop()
        for text in faults.failed:
            self.report.add("campaign", text)
        uploads, acknowledged = self.ledger.uploads(), self.ledger.acknowledged()
        self.report.facts.update(
            {
                "acknowledged uploads": len(acknowledged),
                "unacknowledged tries": len(uploads) - len(acknowledged),
                "bytes": sum(attempt.size for attempt in acknowledged),
                "faults": sum(faults.counts.values()),
                "faults by kind": ", ".join(f"{kind} {count}" for kind, count in sorted(faults.counts.items())),
                "faults that hit nothing": ", ".join(f"{k} {n}" for k, n in sorted(faults.missed.items())) or "none",
                "bytes over links": ", ".join(f"{name} {link.bytes}" for name, link in links.links.items()),
            }
        )

    def settle(self):
        """Waits until nothing waits anywhere; false where that takes too long, with what waits in the report."""
        begin = time.monotonic()
        print(
            f"faults are over after {begin - self.timeline.begin:.0f} s; waiting for all to come to its end", flush=True
        )
        quiet, waiting = 0, {}
        while time.monotonic() - begin < self.options.settle:
            try:
                # In the order of the line: what has left one cluster is in the next.
                waiting = {name: self.records[name].waiting() for name in "ABC"}
                quiet = quiet + 1 if not any(waiting.values()) else 0
            except sqlite3.Error as error:
                quiet, waiting = 0, {"error": str(error)}
            if quiet == 3:
                seconds = time.monotonic() - begin
                self.timeline.note("settled", seconds=seconds)
                self.report.facts["seconds to settle"] = f"{seconds:.1f}"
                return True
            time.sleep(0.5)
        self.report.facts["seconds to settle"] = f"not within {self.options.settle}: {waiting}"
        self.report.add("unsettled", str(waiting))
        for name, counts in waiting.items():
            if counts and name in self.records:
                for reason in self.records[name].reasons():
                    self.report.add("unsettled", f"{name}: {reason}")
        return False

    def judge(self):
        oracle = Oracle(self.ledger, self.clusters, self.records, self.script_ledger)
        for problem in oracle.check():
            self.report.add(problem.kind, problem.text)
        self.report.facts["jobs"] = ", ".join(f"{name} {len(jobs)}" for name, jobs in oracle.jobs.items())
        self.report.jobs = sum(map(len, oracle.jobs.values()))
        self.report.facts["outcomes"] = ", ".join(f"{what} {n}" for what, n in sorted(oracle.outcomes.items()))
        again = [job["attempts"] for jobs in oracle.jobs.values() for job in jobs if job["attempts"] > 1]
        self.report.facts["jobs that ran again"] = f"{len(again)}, at most {max(again, default=1)} times"
        self.report.facts["bytes compared"] = oracle.checked_bytes

    def kill_once_more(self):
        """What is recorded stays recorded, and nothing begins again."""
        before = {name: ended(self.records[name]) for name in "ABC"}
        for cluster in self.clusters.values():
            cluster.pause("kill", 0)
        for name, records in self.records.items():
            if records.waiting().keys() - {"garbage"}:
                self.report.add("wrong", f"{name}: after a last SIGKILL there is work again: {records.waiting()}")
            changed = before[name] ^ ended(records)
            if changed:
                self.report.add("wrong", f"{name}: changed by a last SIGKILL: {sorted(changed)[:5]}")

    def end(self):
        for name, cluster in self.clusters.items():
            status = cluster.end()
            if status != 0:
                self.report.add("ended", f"{name}: SIGTERM at the end: {status}")
            for end in cluster.ends:
                # A start on a full disk may be refused; it has to work once there is room.
                if end["how"] != "did not start" or end["free"] is None or end["free"] > MEBIBYTE:
                    self.report.add("ended", f"{name}: {end}")
        refused = sum(end["how"] == "did not start" for cluster in self.clusters.values() for end in cluster.ends)
        self.report.facts["starts"] = ", ".join(
            f"{name} {cluster.starts} (slowest {cluster.slowest_start:.2f} s)"
            for name, cluster in self.clusters.items()
        ) + (f"; {refused} refused" if refused else "")
        process = sabotage.leave(self.clusters["B"]) if self.options.sabotage else None
        for text in leftovers.find(self.clusters, self.folder):
            self.report.add("leftover", text)
        if process:
            process.kill()
            process.wait()


def ended(records):
    return {(job["name"], job["state"], job["exit_code"], job["finished"]) for job in records.jobs()}


def main():
    options = arguments()
    plan = Plan(options.seed, options.seconds, options.rate, options.pause, options.faults)
    print(
        f"chaos: seed {options.seed}, {options.seconds} s: {len(plan.operations)} operations, {plan.bytes} bytes, "
        f"{len(plan.faults)} faults",
        flush=True,
    )
    if options.plan:
        for step in sorted([*plan.operations, *plan.faults], key=lambda step: step.at):
            print(step)
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = tempfile.mkdtemp(prefix="apus-chaos-")
    campaign = Campaign(options, plan, folder)
    is_well = False
    try:
        campaign.run()
        campaign.report.print()
        is_well = not campaign.report.failures
        if options.sabotage:
            missed = sabotage.missed(campaign.report, campaign.harmed)
            print(f"chaos: of what was harmed on purpose, not found: {missed or 'nothing'}")
            is_well = not missed
    except Exception:  # noqa: BLE001 # whatever it is, it is said, and what was started ends
        traceback.print_exc()
        return 2
    finally:
        clean_up(campaign, folder, options.keep or not is_well)
    return 0 if is_well else 1


def clean_up(campaign, folder, is_kept):
    for cluster in campaign.clusters.values():
        cluster.watching.set()
        if cluster.process and cluster.process.poll() is None:
            cluster.kill()
        if is_kept and cluster.disk.kind != "none":
            # The disk goes with its mount; what it held stays beside it.
            shutil.copytree(cluster.disk.path, os.path.join(folder, f"kept-{cluster.name}"), symlinks=True)
        cluster.disk.unmount()
    campaign.timeline.close()
    if is_kept:
        campaign.report.write(os.path.join(folder, "problems.txt"))
        print(f"directories, logs (*/apus.log), timeline.jsonl, problems.txt: {folder}", flush=True)
    else:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
