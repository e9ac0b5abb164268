"""Does the plan's faults, each in a thread of its own, and takes them back."""

import os
import random
import signal
import sqlite3
import threading
import time

# How long a fault waits for something that it can hit.
AIM = 2.0


class Faults:
    """What goes wrong, on purpose."""

    def __init__(self, plan, clusters, links, records, ledger, timeline):
        self.plan, self.clusters, self.links, self.records = plan, clusters, links, records
        self.ledger, self.timeline = ledger, timeline
        self.counts, self.missed = {}, {}
        self.threads = []
        self.stopped = threading.Event()
        self.failed = []

    def start(self, begin):
        """Begins them at their moments, counted from `begin`, in the background."""
        self.conductor = threading.Thread(target=self._conduct, args=(begin,), name="faults", daemon=True)
        self.conductor.start()

    def _conduct(self, begin):
        for fault in self.plan.faults:
            if self.stopped.wait(max(0.0, begin + fault.at - time.monotonic())):
                return
            thread = threading.Thread(target=self._do, args=(fault,), name=f"fault {fault.number}", daemon=True)
            thread.start()
            self.threads.append(thread)

    def stop(self):
        """No more faults; those under way end, and everything is healed."""
        self.stopped.set()
        self.conductor.join()
        for thread in self.threads:
            thread.join(200)
            if thread.is_alive():
                self.failed.append(f"{thread.name} did not end")
        for link in self.links.links.values():
            link.heal()
        for cluster in self.clusters.values():
            cluster.disk.empty()
            if cluster.clock:
                cluster.clock.jump(0)

    def _do(self, fault):
        self.timeline.note(
            "fault", number=fault.number, kind=fault.kind, target=fault.target, seconds=fault.seconds,
            amount=fault.amount,
        )  # fmt: skip
        try:
            done = getattr(self, "do_" + fault.kind.replace("-", "_"))(fault)
        except Exception as error:  # noqa: BLE001 # said in the report
            self.failed.append(f"fault {fault.number} ({fault.kind}): {type(error).__name__}: {error}")
            self.timeline.note("fault-failed", number=fault.number, error=str(error)[:500])
            return
        counts = self.missed if done is False else self.counts
        counts[fault.kind] = counts.get(fault.kind, 0) + 1
        self.timeline.note("fault-missed" if done is False else "fault-over", number=fault.number, hit=done)

    # Apus

    def do_kill(self, fault):
        self.clusters[fault.target].pause("kill", fault.seconds)

    def do_terminate(self, fault):
        self.clusters[fault.target].pause("terminate", fault.seconds)

    def do_freeze(self, fault):
        self.clusters[fault.target].freeze(fault.seconds)

    def do_flood(self, fault):
        self.clusters[fault.target].flood(fault.amount, fault.seconds)

    def do_disk_full(self, fault):
        disk = self.clusters[fault.target].disk
        if not disk.can_be_filled:
            return False
        end = time.monotonic() + fault.seconds
        while time.monotonic() < end and not self.stopped.is_set():
            disk.fill(fault.amount)
            time.sleep(0.1)
        disk.empty()
        return None

    def do_clock(self, fault):
        clock = self.clusters[fault.target].clock
        if not clock:
            return False
        clock.jump(fault.amount)
        self.stopped.wait(fault.seconds)
        clock.jump(0)
        return None

    # What it started

    def do_kill_script(self, fault):
        cluster = self.clusters[fault.target]
        process, job = self._aim(cluster.scripts, fault)
        if not process:
            return False
        self.ledger.killed.add(job)
        # The first is the script's shell; the others would only change what it does next.
        victims = sorted(other for other, name in cluster.scripts() if name == job) or [process]
        for victim in victims:
            self._signal(victim, signal.SIGKILL)
        return [job, *victims]

    def do_freeze_script(self, fault):
        process, job = self._aim(self.clusters[fault.target].scripts, fault)
        if not process:
            return False
        self._signal(process, signal.SIGSTOP)
        self.stopped.wait(fault.seconds)
        self._signal(process, signal.SIGCONT)
        return [job, process]

    def do_kill_runtime(self, fault):
        process, what = self._aim(self.clusters[fault.target].runtimes, fault)
        if not process:
            return False
        try:
            jobs = self.records[fault.target].unended("boxed")
        except sqlite3.Error:
            jobs = []
        self.ledger.killed.update(jobs)
        self._signal(process, signal.SIGKILL)
        return [what, process, *jobs]

    def _aim(self, find, fault):
        """One of the processes that there are, or are soon."""
        chance = random.Random(f"{self.plan.seed}/{fault.number}")
        end = time.monotonic() + AIM
        while time.monotonic() < end:
            found = find()
            if found:
                return chance.choice(sorted(found))
            time.sleep(0.02)
        return None, None

    @staticmethod
    def _signal(process, number):
        try:
            os.kill(process, number)
        except ProcessLookupError:
            pass  # It ended meanwhile, which is as good.

    # Links

    def do_cut(self, fault):
        return self._for_a_while(fault, lambda link: link.cut(), lambda link: setattr(link, "is_cut", False))

    def do_reset(self, fault):
        self.links[fault.target].reset()

    def do_no_answers(self, fault):
        return self._set_for_a_while(fault, "loses_answers", True, False)

    def do_slow(self, fault):
        return self._set_for_a_while(fault, "rate", fault.amount, 0)

    def do_stall(self, fault):
        return self._set_for_a_while(fault, "is_stalled", True, False)

    def _set_for_a_while(self, fault, name, value, usual):
        return self._for_a_while(
            fault, lambda link: setattr(link, name, value), lambda link: setattr(link, name, usual)
        )

    def _for_a_while(self, fault, begin, end):
        link = self.links[fault.target]
        begin(link)
        self.stopped.wait(fault.seconds)
        end(link)
