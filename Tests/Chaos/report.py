"""The timeline of a campaign, and what is said at its end."""

import collections
import json
import threading
import time

from plan import FAULTS


class Timeline:
    """Everything that happened, a JSON line each, with seconds since the begin."""

    def __init__(self, path):
        self.path = path
        self.file = open(path, "w", encoding="utf-8", buffering=1)  # noqa: SIM115 # closed by `close`
        self.lock = threading.Lock()
        self.begin = time.monotonic()

    def note(self, what, **fields):
        line = {"t": round(time.monotonic() - self.begin, 3), "what": what, **fields}
        with self.lock:
            if not self.file.closed:
                self.file.write(json.dumps(line, default=str) + "\n")

    def close(self):
        with self.lock:
            self.file.close()


class Report:
    """What a campaign was and what came of it."""

    def __init__(self, plan, tolerated):
        self.plan, self.tolerated = plan, tolerated
        self.problems, self.facts, self.jobs = [], {}, 0
        self.left_out = ", ".join(sorted(set(FAULTS) - plan.kinds))

    def add(self, kind, text):
        self.problems.append((kind, text))

    def counts(self):
        return collections.Counter(kind for kind, _ in self.problems)

    @property
    def failures(self):
        return [(kind, text) for kind, text in self.problems if kind not in self.tolerated]

    def print(self, limit=12):
        """Facts, then a few problems of each kind, then the verdict and a row for the table of campaigns."""
        for name, value in self.facts.items():
            print(f"  {name:<22} {value}")
        for kind, count in sorted(self.counts().items()):
            note = " (tolerated)" if kind in self.tolerated else ""
            print(f"\n{kind}{note}: {count}")
            for text in [text for one, text in self.problems if one == kind][:limit]:
                print(f"    {text}")
            if count > limit:
                print(f"    … {count - limit} more in problems.txt")
        counts = self.counts()
        row = {
            "seed": self.plan.seed, "length": f"{self.plan.seconds} s", "faults left out": self.left_out or "none",
            "uploads": self.facts.get("acknowledged uploads"), "faults": self.facts.get("faults"), "jobs": self.jobs,
            "lost": counts["lost"], "doubled": counts["doubled"], "webhooks": counts["webhook"],
            "wrong": counts["wrong"], "infrastructure": counts["infrastructure"],
            "unended": counts["unended"] + counts["unsettled"], "left over": counts["leftover"],
            "ended": counts["ended"],
        }  # fmt: skip
        print()
        for cells in (row.keys(), row.values()):
            print("| " + " | ".join(map(str, cells)) + " |")
        print(f"\nchaos: {'FAILED' if self.failures else 'passed'}; seed {self.plan.seed}", flush=True)

    def write(self, path):
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(f"{kind}: {text}\n" for kind, text in self.problems)
