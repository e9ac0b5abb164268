"""What clients were told: every upload and deletion, when it began, and whether and when it was acknowledged."""

import dataclasses
import hashlib
import threading


@dataclasses.dataclass
class Attempt:
    """One try of an operation. One that was not acknowledged may have happened, or happen until its connection ends."""

    id: str
    kind: str
    bucket: str
    key: str
    began: float
    size: int = 0
    digest: str = ""
    # Exit codes that services make of the content, by name.
    failures: dict = dataclasses.field(default_factory=dict)
    acknowledged: float | None = None
    # How often its document was posted and taken as a job.
    posts: int = 0

    def is_surely_before(self, other):
        return self.acknowledged is not None and self.acknowledged < other.began


class Ledger:
    """Filled by the workload, read by the oracle."""

    def __init__(self):
        self.lock = threading.Lock()
        self.attempts = {}
        self.by_key = {}
        # Jobs whose processes were killed: they may have failed by it.
        self.killed = set()

    def begin(self, attempt):
        with self.lock:
            self.attempts[attempt.id] = attempt
            self.by_key.setdefault((attempt.bucket, attempt.key), []).append(attempt)
        return attempt

    def uploads(self):
        return [attempt for attempt in self.attempts.values() if attempt.kind != "delete"]

    def acknowledged(self):
        return [attempt for attempt in self.uploads() if attempt.acknowledged is not None]

    def visible_to(self, attempt):
        """Uploads that a job of this upload may have seen: it gets what lies under the key when it begins."""
        return [
            other
            for other in self.by_key[attempt.bucket, attempt.key]
            if other.kind != "delete" and (other is attempt or not other.is_surely_before(attempt))
        ]

    def may_be_gone(self, attempt):
        """Whether a deletion may have come after the upload."""
        others = self.by_key[attempt.bucket, attempt.key]
        return any(other.kind == "delete" and not other.is_surely_before(attempt) for other in others)

    def possible_now(self, bucket, key):
        """What may lie under a key now: uploads (and None for nothing) that nothing surely came after."""
        attempts = self.by_key[bucket, key]
        last = [
            one for one in attempts if not any(one.is_surely_before(other) and other.acknowledged for other in attempts)
        ]
        possible = [one if one.kind != "delete" else None for one in last]
        if not any(one.acknowledged for one in attempts):
            possible.append(None)
        return possible


def digest(content):
    return hashlib.sha256(content).hexdigest()
