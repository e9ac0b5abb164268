"""A bucket with very many objects, and very many buckets: how long a page takes, how long a start, how much memory."""

import http.client
import os
import re
import statistics
import time
import urllib.parse

import cells
import load
import peers
import signing

BATCH = 50_000
DIRECTORY = 1000  # Objects below one common prefix.
PAGES = 20
BUCKET, FEW = "bench-many", "bench-few"
HELD_BUCKET = "many-00007"


class Asker:
    """One kept connection that asks for lists and says how long each took."""

    def __init__(self, peer):
        self.peer, self.connection = peer, http.client.HTTPConnection("127.0.0.1", peer.port, timeout=120)

    def get(self, path, query=""):
        """The answer's text, and the seconds until it was there."""
        headers = self.peer.headers("GET", path, query, signing.UNSIGNED)
        begin = time.monotonic()
        self.connection.request("GET", f"{path}?{query}" if query else path, headers=headers)
        answer = self.connection.getresponse()
        text = answer.read().decode()
        taken = time.monotonic() - begin
        if answer.status != 200:
            raise RuntimeError(f"GET {path}?{query}: {answer.status} {text[:300]}")
        return text, taken

    def pages(self, bucket, expected, **wanted):
        """The median seconds of one page, asked for several times; it has so many entries."""
        query = urllib.parse.urlencode(sorted({"list-type": "2", **wanted}.items()), quote_via=urllib.parse.quote, safe="")
        times = []
        for _ in range(PAGES):
            text, taken = self.get(f"/{bucket}", query)
            found = text.count("<Key>") + text.count("<CommonPrefixes>")
            if found != expected:
                raise RuntimeError(f"a page of {bucket} with {query} has {found} entries, not {expected}")
            times.append(taken)
        return statistics.median(times)

    def walk(self, bucket):
        """All pages one after the other: how many keys, and the seconds of each."""
        keys, times, token = 0, [], None
        while True:
            query = "" if token is None else "continuation-token=" + urllib.parse.quote(token, safe="") + "&"
            text, taken = self.get(f"/{bucket}", query + "list-type=2")
            keys += text.count("<Key>")
            times.append(taken)
            found = re.search(r"<NextContinuationToken>([^<]+)<", text)
            if not found:
                return keys, times
            token = found.group(1).replace("&amp;", "&")


def key(index):
    return f"d{index // DIRECTORY:05}/o{index % DIRECTORY:05}"


def fill(generator, peer, make, count):
    """Sends so many requests in batches, since signatures age; the seconds without the signing, and the peak memory."""
    taken = peak = 0
    for first in range(0, count, BATCH):
        requests = [make(index) for index in range(first, min(count, first + BATCH))]
        counted = generator.send(peer, requests, 64, 900)
        if counted["bad"] or counted["good"] != len(requests):
            raise RuntimeError(f"filling: {counted['bad']} wrong answers: {counted['error']}")
        taken, peak = taken + counted["seconds"], max(peak, counted["peak"])
        print(f"    {first + len(requests):,} of {count:,}", flush=True)
    return taken, peak


def milliseconds(value):
    return f"{value * 1000:.1f} ms"


def measure(options, folder):
    """The rows of the table: what, Apus, aim, met."""
    rows = []

    def row(what, value, aim="", met=None):
        rows.append((what, value, aim, "" if met is None else "yes" if met else "NO"))
        print("  " + " | ".join(cell for cell in rows[-1] if cell), flush=True)

    generator = load.Generator(folder)
    peer = peers.Apus(os.path.join(folder, "scale"), options.apus, "never")
    try:
        peer.start()
        small = peer.memory("VmRSS")
        measure_fill(options, generator, peer, row)
        measure_start(peer, row)
        measure_lists(options, peer, row, small)
    finally:
        peer.stop()
    return rows


def measure_fill(options, generator, peer, row):
    objects, buckets = options.scale_objects, options.scale_buckets
    for bucket in (BUCKET, FEW):
        peer.make_bucket(bucket)
    fill(generator, peer, lambda index: cells.put_of(key(index), 16, index * 16, FEW), 2 * DIRECTORY)
    taken, peak = fill(generator, peer, lambda index: cells.put_of(key(index), 16, index * 16, BUCKET), objects)
    row(f"{objects:,} objects of 16 bytes into one bucket, 64 connections", f"{taken:.0f} s, {objects / taken:,.0f}/s")
    taken, most = fill(generator, peer, lambda index: load.Request("PUT", f"/many-{index:05}"), buckets)
    row(f"{buckets:,} buckets made, 64 connections", f"{taken:.1f} s, {buckets / taken:,.0f}/s")
    row("most memory resident while filling", f"{max(peak, most) >> 20} MiB")


def measure_start(peer, row):
    """Starts with all that there: after an orderly stop, and after the process was killed."""
    own = peer.server
    own.stop(keep=True)
    own.flags[own.flags.index("never")] = "always"
    taken = own.start()
    row("start to ready", milliseconds(taken), "≤ 1 s", taken <= 1)
    own.process.kill()
    own.process.wait()
    taken = own.start()
    peer.process = own.process
    row("start to ready after it was killed", milliseconds(taken), "≤ 1 s", taken <= 1)


def measure_lists(options, peer, row, small):
    objects, asker = options.scale_objects, Asker(peer)
    base = asker.pages(FEW, 1000)
    row(f"LIST, page of 1,000 in a bucket of {2 * DIRECTORY:,}", milliseconds(base))
    for what, wanted in (
            ("the first", {}), ("in the middle", {"start-after": key(objects // 2)}),
            ("the last but one", {"start-after": key(objects - 1500)})):
        taken = asker.pages(BUCKET, 1000, **wanted)
        row(f"LIST, page of 1,000 among {objects:,}, {what}", milliseconds(taken), f"≤ 2 × {milliseconds(base)}",
            taken <= 2 * base)
    prefixes = min(1000, objects // DIRECTORY)
    taken = asker.pages(BUCKET, prefixes, delimiter="/")
    row(f"LIST with a delimiter, {prefixes:,} common prefixes of {DIRECTORY:,} objects each", milliseconds(taken))
    keys, times = asker.walk(BUCKET)
    if keys != objects:
        raise RuntimeError(f"walking the pages found {keys} of {objects} keys")
    early, late = (statistics.median(part) for part in (times[:PAGES], times[-PAGES - 1:-1] or times))
    row("LIST, all pages one after the other",
        f"{sum(times):.1f} s; the first {milliseconds(early)}, the last {milliseconds(late)}",
        "last ≤ 1.5 × first", late <= 1.5 * early)
    times = []
    for _ in range(5):
        text, taken = asker.get("/")
        times.append(taken)
    if text.count("<Bucket>") < options.scale_buckets:
        raise RuntimeError(f"the list of buckets has {text.count('<Bucket>')} of {options.scale_buckets}")
    row(f"list of all {options.scale_buckets:,} buckets", milliseconds(statistics.median(times)))
    taken = asker.pages(HELD_BUCKET, 0)
    row("LIST in one of them, empty", milliseconds(taken))
    most = peer.memory()
    row("most memory resident after the start, lists included", f"{most >> 20} MiB", f"≤ {small >> 20} MiB + 64 MiB",
        most <= small + (64 << 20))
