"""What the programs of this directory share: rows of a table, statistics, threads, and their part of RESULTS.md."""

import os
import re
import threading

import server

HEADS = ("what", "Apus", "next to it, same run", "ratio", "aim", "met")


class Bench:
    """What the measurements share: the binary, how much to measure, a place for files, and the table's rows."""

    def __init__(self, options, folder):
        self.binary, self.quick, self.folder = options.apus, options.quick, folder
        self.rows = []
        self.fork_exec = None
        self.number = 0

    def place(self, name):
        """A new directory for a part of the run."""
        self.number += 1
        path = os.path.join(self.folder, f"{name}-{self.number}")
        os.makedirs(path)
        return path

    def server(self, *flags):
        return server.Server(self.binary, self.place("server"), flags)

    def row(self, name, value, baseline="", ratio="", aim="", met=None):
        self.rows.append((name, value, baseline, ratio, aim, "" if met is None else "yes" if met else "NO"))
        print("  " + " | ".join(cell for cell in self.rows[-1] if cell), flush=True)


def percentile(values, share):
    """The value below which that share of the values lies (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(share * len(ordered) + 0.5) - 1))]


def milliseconds(seconds):
    return f"{seconds * 1000:.1f} ms"


def mebibytes(count):
    return f"{count / (1 << 20):.1f} MiB"


def in_threads(count, threads, make, work):
    """Calls `work(make(), index)` for each index, spread over threads that each have a connection of their own."""
    failures = []

    def loop(first):
        try:
            connection = make()
            for index in range(first, count, threads):
                work(connection, index)
        except Exception as error:  # Reported below, in the thread that asked.
            failures.append(error)

    running = [threading.Thread(target=loop, args=(first,)) for first in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    if failures:
        raise failures[0]


def table(heads, rows):
    """The lines of a table."""
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    return lines + ["| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in rows]


def replace_part(path, heading, text):
    """Puts the text, which begins with the heading, in place of that part of the file; all other parts stay."""
    before, after = "", ""
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            before, _, rest = file.read().partition(heading + "\n")
        following = re.search(r"^## ", rest, re.MULTILINE)
        after = rest[following.start():] if following else ""
    whole = before.rstrip() + "\n\n" + text.rstrip() + "\n" + (f"\n{after}" if after else "")
    with open(path, "w", encoding="utf-8") as file:
        file.write(whole.lstrip())
