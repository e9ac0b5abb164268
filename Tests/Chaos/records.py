"""What a cluster has written down, read from its databases without changing them."""

import contextlib
import json
import os
import sqlite3

# What triggers services, in any of the clusters.
WANTED = ("line/in/", "line/boxed/", "line/mid/", "line/late/")


class Records:
    """The jobs of one cluster and all that waits in it. Databases are opened for each question, read-only."""

    def __init__(self, data):
        self.state = os.path.join(data, "state.sqlite")
        self.index = os.path.join(data, "objects", "index.sqlite")

    def jobs(self, condition="1"):
        """All jobs as dictionaries, each with the upload that its event names, in the order in which they came."""
        jobs = [dict(row) for row in self._rows(self.state, f"SELECT * FROM job WHERE {condition} ORDER BY number")]
        for job in jobs:
            job["upload"] = upload(job.pop("event", None))
        return jobs

    def unended(self, service):
        """Names of the service's jobs that have not ended."""
        found = self._rows(self.state, "SELECT name FROM job WHERE finished IS NULL AND service = ?", service)
        return [row["name"] for row in found]

    def waiting(self):
        """What is still to be done, by kind, where there is something."""
        with_state = {
            "jobs": "SELECT count(*) AS n FROM job WHERE finished IS NULL",
            "deliveries": "SELECT count(*) AS n FROM delivery",
        }
        counts = {what: self._rows(self.state, sql)[0]["n"] for what, sql in with_state.items()}
        place = self._rows(self.state, "SELECT position FROM router")[0]["position"]
        # An event that nobody wants need not move the place.
        events = self._rows(self.index, "SELECT bucket, key FROM events WHERE sequence > ?", place)
        counts["events"] = sum(f"{row['bucket']}/{row['key']}".startswith(WANTED) for row in events)
        counts["garbage"] = self._rows(self.index, "SELECT count(*) AS n FROM garbage")[0]["n"]
        return {what: count for what, count in counts.items() if count}

    def reasons(self, limit=10):
        """Why jobs wait, for who looks at a campaign that did not settle."""
        sql = """SELECT job.name, job.state, job.message, job.attempts, delivery.attempts AS tries, last_error,
                     next_attempt - CAST(strftime('%s') AS INTEGER) * 1000000000 AS next_in
                 FROM job LEFT JOIN delivery ON delivery.job = job.number WHERE finished IS NULL LIMIT ?"""
        return [dict(row) for row in self._rows(self.state, sql, limit)]

    @staticmethod
    def _rows(path, sql, *arguments):
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=20)) as database:
            database.row_factory = sqlite3.Row
            return database.execute(sql, arguments).fetchall()


def upload(event):
    """The identifier of an upload in the metadata of an event, where it has one."""
    try:
        item = json.loads(event)["Records"][0]["s3"]["object"]
        metadata = {name.lower(): value for name, value in item.get("userMetadata", {}).items()}
        return metadata.get("x-amz-meta-chaos")
    except (TypeError, ValueError, KeyError, IndexError):
        return None
