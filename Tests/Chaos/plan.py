"""What a campaign will do, made from its seed alone: uploads and faults, each at its moment.

The same seed and length give the same plan. What the clusters make of it depends on the machine's mood.
"""

import dataclasses
import random

MEBIBYTE = 1 << 20
# No part of a multipart upload but the last may be smaller (S3).
PART = 5 * MEBIBYTE
LARGEST = 32 * MEBIBYTE

ODD_NAMES = [
    "plain.txt", "with space", "two  spaces ", "plus+sign", "per%cent%2Fescaped", "quote'single", 'quote"double',
    "question?mark", "hash#tag", "amp&ersand=equals", "semi;colon", "back\\slash", "-rf", "--help", "*", "$HOME", "`id`",
    "~tilde", "ümläut", "日本語.txt", "🐦.bin", "e\u0301 combining", "a:b", "[brackets]", "{braces}", "<angle>", ".hidden",
    "..dots", "dots..", "comma,", "pipe|", "UPPER.TXT", "x" * 150,
]  # fmt: skip
FAULTS = {
    # kind: what it may be aimed at, and the shortest and the longest time that it lasts, in seconds
    "kill": ("ABC", 0.0, 3.0),
    "terminate": ("ABC", 0.0, 2.0),
    "freeze": ("ABC", 0.5, 6.0),
    "kill-script": ("ABC", 0.0, 0.0),
    "freeze-script": ("ABC", 0.5, 4.0),
    "kill-runtime": ("A", 0.0, 0.0),
    "disk-full": ("ABC", 2.0, 10.0),
    "clock": ("ABC", 2.0, 10.0),
    "flood": ("ABC", 1.0, 5.0),
    "cut": (("in", "A-B", "B-C"), 0.5, 12.0),
    "reset": (("in", "A-B", "B-C"), 0.0, 0.0),
    "no-answers": (("in", "A-B", "B-C"), 0.5, 4.0),
    "slow": (("in", "A-B", "B-C"), 2.0, 10.0),
    "stall": (("in", "A-B", "B-C"), 1.0, 12.0),
}
CLOCK_JUMPS = [-86_400, -3600, -600, -30, 30, 600, 3600, 86_400]


@dataclasses.dataclass(frozen=True)
class Operation:
    """One thing that a client does: `put`, `delete`, or `hook`, which puts an object and posts its document twice."""

    number: int
    at: float
    kind: str
    bucket: str
    key: str
    size: int = 0
    parts: int = 0
    # What the content tells a service to do: ("fail", service, exit code) or ("slow", service, seconds).
    orders: tuple = ()

    def content(self, seed):
        """Its bytes: the orders in a line, then noise from the seed."""
        head = "".join(" ".join(map(str, order)) + "\n" for order in self.orders).encode()
        noise = random.Random(f"{seed}/{self.number}").randbytes(max(0, self.size - len(head)))
        return (head + noise)[: self.size]


@dataclasses.dataclass(frozen=True)
class Fault:
    number: int
    at: float
    kind: str
    target: str
    seconds: float
    # Seconds of a clock's jump, bytes a second of a slow link, bytes left on a full disk, or connections.
    amount: int = 0


class Plan:
    """Operations and faults of a campaign, in the order of their moments."""

    def __init__(self, seed, seconds, rate=2.0, pause=2.5, kinds=None):
        self.seed, self.seconds = seed, seconds
        self.kinds = set(kinds or FAULTS)
        self.operations = self._operations(random.Random(f"operations {seed}"), rate)
        self.faults = self._faults(random.Random(f"faults {seed}"), pause, self.kinds)
        self.bytes = sum(operation.size for operation in self.operations)

    def _moments(self, chance, rate):
        """Moments of the operations: single ones, and each 20 seconds or so a burst of up to 40 at once."""
        moments, now = [], 0.0
        burst = chance.uniform(5, 20)
        while now < self.seconds:
            now += chance.expovariate(rate)
            moments.append(now)
            if now > burst:
                moments += [now] * chance.randint(10, 40)
                burst = now + chance.uniform(10, 40)
        return [moment for moment in moments if moment < self.seconds]

    def _operations(self, chance, rate):
        # Bounded, whatever the length: each byte is kept about six times on small disks.
        budget = min(512, 64 + self.seconds // 8) * MEBIBYTE
        operations, keys = [], []
        for number, at in enumerate(self._moments(chance, rate)):
            kind = chance.choices(["put", "again", "delete", "hook"], [70, 12, 4, 14])[0]
            if kind in ("again", "delete") and keys:
                bucket, key = chance.choice(keys[-60:])
            else:
                folder = chance.choices(["in", "boxed", "other"], [80, 12, 8])[0]
                name = chance.choice(ODD_NAMES) if chance.random() < 0.4 else f"file-{chance.randrange(10**6)}"
                # A folder of its own keeps apart what is not meant to be overwritten.
                bucket, key = "line", f"{folder}/{number:05}/{name}"
                if kind == "hook":
                    bucket, key = "hooks", f"{number:05}/{name}"
                kind = "hook" if kind == "hook" else "put"
                if bucket == "line":
                    keys.append((bucket, key))
            if kind == "delete":
                operations.append(Operation(number, at, "delete", bucket, key))
                continue
            kind = "put" if kind == "again" else kind
            size = self._size(chance)
            if size > budget:
                size = chance.randint(0, 4096)
            budget -= size
            parts = 0
            if size > PART and chance.random() < 0.7:
                parts = -(-size // PART)
            elif 0 < size <= PART and chance.random() < 0.05:
                parts = 1
            operations.append(Operation(number, at, kind, bucket, key, size, parts, self._orders(chance, size)))
        return operations

    @staticmethod
    def _size(chance):
        low, high = chance.choices(
            [(0, 0), (1, 4096), (4097, 1 << 18), (1 << 18, 3 * MEBIBYTE), (3 * MEBIBYTE, LARGEST)], [5, 62, 26, 6, 1]
        )[0]
        if chance.random() < 0.1:
            # Where the object store changes its way: content within the index, or in a file.
            return chance.choice([16_383, 16_384, 16_385, 262_143, 262_144, 262_145])
        return chance.randint(low, high)

    @staticmethod
    def _orders(chance, size):
        if size < 64:
            return ()
        orders = []
        if chance.random() < 0.12:
            service = chance.choice(["first", "audit", "boxed", "hook", "middle", "last"])
            orders.append(("fail", service, chance.randint(1, 60)))
        if chance.random() < 0.25:
            service = chance.choice(["first", "audit", "boxed", "hook", "middle", "last"])
            orders.append(("slow", service, chance.choice(["0.3", "0.5", "1", "2", "4"])))
        return tuple(orders)

    def _faults(self, chance, pause, kinds):
        """Each kind comes once before any comes again, so that short campaigns see many."""
        faults, deck, now = [], [], min(3.0, self.seconds / 4)
        while True:
            now += chance.expovariate(1 / pause)
            if now >= self.seconds:
                return faults
            if not deck:
                deck = chance.sample(sorted(kinds), len(kinds))
            kind = deck.pop()
            targets, shortest, longest = FAULTS[kind]
            amount = {
                "clock": chance.choice(CLOCK_JUMPS),
                "slow": chance.choice([5_000, 20_000, 100_000, 400_000]),
                "disk-full": chance.choice([0, 4096, 65_536, 1 << 20]),
                "flood": chance.choice([300, 600]),
            }.get(kind, 0)
            seconds = round(chance.uniform(shortest, longest), 2)
            faults.append(Fault(len(faults), now, kind, chance.choice(targets), seconds, amount))
