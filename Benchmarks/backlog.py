"""A queue and an outbox with very many entries: how they get there in no time, and what is measured then.

Real uploads fill a queue with some thousand jobs a second. `fill_queue` and `fill_outbox` copy what one real upload left,
as often as it takes, in the databases of a server that does not run: the rows are those that the server wrote, but for
names and numbers. Both rely on nothing else than the tables `job` and `events`; triggers do what they do for real rows.
"""

import os
import sqlite3
import time


def connect(path):
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA cache_size = -200000")
    return connection


def copies(connection, table, key, count, changes, where, arguments):
    """Inserts `count` copies of the first row that matches, with other values in some columns."""
    columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})") if row[1] != key]
    values = [changes.get(column, f"one.{column}") for column in columns]
    sql = f"""
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
        INSERT INTO {table} ({", ".join(columns)})
        SELECT {", ".join(values)} FROM (SELECT * FROM {table} WHERE {where} LIMIT 1) AS one, n"""
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(sql, (count, *arguments))
    made = connection.execute("SELECT changes()").fetchone()[0]
    connection.execute("COMMIT")
    if made != count:
        raise RuntimeError(f"{made} of {count} rows made in {table}: is there one to copy?")


def fill_queue(data, service, count):
    """Adds waiting jobs to a server's state, as copies of one that a client posted and that waits."""
    connection = connect(os.path.join(data, "state.sqlite"))
    changes = {"name": "one.service || '-' || lower(hex(randomblob(16)))"}
    copies(
        connection, "job", "number", count, changes,
        "service = ? AND state = 'queued' AND event_sequence IS NULL", (service,))
    connection.close()


def fill_outbox(data, bucket, count):
    """Adds events that were not routed yet to a server's object store, as copies of one that waits there."""
    connection = connect(os.path.join(data, "objects", "index.sqlite"))
    copies(
        connection, "events", "sequence", count, {"key": "one.key || '-' || n.i"}, "bucket = ?", (bucket,))
    connection.close()


def wait_until(condition, what, seconds=600, pause=0.02):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"{what}: not within {seconds} s")
        time.sleep(pause)
