"""The loads: each cell is one kind of request with so many connections, sent to one server for some seconds."""

import dataclasses
import hashlib
import http.client
import os
import random
import re
import threading
import time
import urllib.parse

import load
import signing

SMALL, LARGE, HUGE, PART = 4096, 64 << 20, 1 << 30, 16 << 20
BUCKET = "bench"
READ_BUCKET = "bench-read"
READ_KEYS = 2048
PAGE = 1000


@dataclasses.dataclass
class Result:
    """What one server did in one cell."""

    rate: float  # Requests a second.
    mebibytes: float  # Of content a second, 0 where it says nothing.
    p50: float  # Seconds.
    p99: float
    cpu: float  # Processor seconds of the server a request.
    peak: int  # Most resident bytes during the cell.
    busy: float  # Share of the time in which the load generator's thread ran.
    requests: int


class Run:
    """What the cells share: the generator, and how long each lasts."""

    def __init__(self, generator, seconds):
        self.generator, self.payload = generator, generator.payload
        self.seconds = seconds

    def send(self, peer, requests, connections, size, seconds=None, loop=False):
        """Sends them and turns the counts into a result; an error in any answer is an error of the cell."""
        counted = self.generator.send(peer, requests, connections, seconds or self.seconds, loop)
        if counted["bad"] or not counted["good"]:
            raise RuntimeError(f"{counted['bad']} of {counted['bad'] + counted['good']} answers wrong: {counted['error']}")
        good, taken = counted["good"], counted["seconds"]
        return Result(
            good / taken, good * size / taken / (1 << 20), counted["p50"] / 1e6, counted["p99"] / 1e6,
            counted["server_cpu"] / good, counted["peak"], counted["cpu"] / taken, good)

    def check(self, peer, request):
        """Reads an object back and compares it with what was sent."""
        _, data = peer.request("GET", request.path)
        if data != self.payload.cut(request.offset, request.length):
            raise RuntimeError(f"{request.path} came back with other bytes ({len(data)} of {request.length})")


def put_of(key, size, offset=0, bucket=BUCKET, digest=signing.UNSIGNED):
    return load.Request("PUT", f"/{bucket}/{key}", offset=offset, length=size, digest=digest)


def get_of(key, size, method="GET", bucket=BUCKET):
    flags = load.HEAD_ONLY if method == "HEAD" else 0
    return load.Request(method, f"/{bucket}/{key}", want=size, flags=flags)


def settle(seconds=10):
    """Lets what the last cell left in memory go to the disk, so that the next does not wait for it.

    Where others write to the same disk without end, it gives up after that time.
    """
    flush = threading.Thread(target=os.sync, daemon=True)
    flush.start()
    flush.join(seconds)
    time.sleep(0.2)


def small_puts(prefix, count):
    """PUTs of new keys, each with other bytes."""
    return [put_of(f"{prefix}-{index:06}", SMALL, index * SMALL) for index in range(count)]


def read_keys(peer):
    """How many objects there are to read; fewer where each write is synced, which can take 0.1 s."""
    return READ_KEYS // 8 if peer.sync_writes else READ_KEYS


def fill_reads(run, peer):
    """The objects for GET, HEAD and LIST, once."""
    if "read" in peer.made:
        return
    peer.make_bucket(READ_BUCKET)
    requests = [put_of(f"read-{index:06}", SMALL, index * SMALL, READ_BUCKET) for index in range(read_keys(peer))]
    run.send(peer, requests, 16, SMALL, seconds=300)
    run.check(peer, requests[len(requests) // 2])
    peer.made["read"] = [request.path for request in requests]
    settle()


def put_small(run, peer, connections):
    prefix = f"c{connections}"
    run.send(peer, small_puts(f"w{connections}", 100), connections, SMALL, 0.5)
    requests = small_puts(prefix, int(run.seconds * 12_000))
    result = run.send(peer, requests, connections, SMALL)
    done = requests[:max(1, result.requests - connections)]
    for request in random.sample(done, min(3, len(done))):
        run.check(peer, request)
    peer.made[f"delete-{connections}"] = done
    return result


def get_small(run, peer, connections, method="GET"):
    fill_reads(run, peer)
    requests = [get_of(f"read-{index:06}", SMALL, method, READ_BUCKET) for index in range(READ_KEYS)]
    random.shuffle(requests)
    run.send(peer, requests, connections, SMALL, 0.3, loop=True)
    return run.send(peer, requests, connections, SMALL if method == "GET" else 0, loop=True)


def list_small(run, peer, connections):
    """Pages of 1,000 keys, from several places in the bucket."""
    fill_reads(run, peer)
    requests = []
    for start in range(0, READ_KEYS - PAGE, 256):
        after = urllib.parse.quote(f"read-{start:06}", safe="")
        query = f"list-type=2&max-keys={PAGE}&start-after={after}"
        if not requests:
            _, page = peer.request("GET", f"/{READ_BUCKET}", query)
            keys = re.findall(rb"<Key>([^<]*)</Key>", page)
            if keys != [b"read-%06d" % (start + 1 + index) for index in range(PAGE)]:
                raise RuntimeError(f"a page of {PAGE} keys came with {len(keys)}, from {keys[:1]}")
        requests.append(load.Request("GET", f"/{READ_BUCKET}", query, want=int(len(page) * 0.98), flags=load.AT_LEAST))
    return run.send(peer, requests, connections, 0, loop=True)


def delete_small(run, peer, connections):
    made = peer.made.pop(f"delete-{connections}", None)
    if made is None:
        made = small_puts(f"d{connections}", 2000)
        run.send(peer, made, 16, SMALL, 60)
        settle()
    result = run.send(peer, [load.Request("DELETE", request.path) for request in made], connections, 0)
    try:
        peer.request("GET", made[0].path)
    except RuntimeError:
        return result
    raise RuntimeError(f"{made[0].path} is still there after its DELETE")


def mixed_small(run, peer, connections):
    """Seven GETs to three PUTs of new keys, in random order."""
    fill_reads(run, peer)
    count, readable = int(run.seconds * 20_000), read_keys(peer)
    puts = iter(small_puts(f"m{random.randrange(1 << 30)}", count))
    requests = [
        get_of(f"read-{random.randrange(readable):06}", SMALL, bucket=READ_BUCKET) if random.random() < 0.7 else next(puts)
        for _ in range(count)]
    return run.send(peer, requests, connections, SMALL)


def remove(peer, requests):
    for request in requests:
        peer.request("DELETE", request.path, expected=(200, 204, 404))


def put_large(run, peer, connections, size, count, signed=False):
    """Large objects; one stays for the GETs. With `signed`, the content's SHA-256 is part of the signature."""
    digest = hashlib.sha256(run.payload.bytes).hexdigest() if signed else signing.UNSIGNED
    requests = [put_of(f"large-{size >> 20}-{index}", size, digest=digest) for index in range(count)]
    result = run.send(peer, requests, connections, size, seconds=run.seconds * 2)
    check_large(run, peer, requests[0], size)
    kept = [] if signed else requests[:connections]
    remove(peer, requests[len(kept):])
    if kept:
        peer.made[f"large-{size}"] = kept
    return result


def get_large(run, peer, connections, size, count):
    if f"large-{size}" not in peer.made:
        put_large(run, peer, connections, size, connections)
        settle()
    requests = [get_of(f"large-{size >> 20}-{index % connections}", size) for index in range(count)]
    result = run.send(peer, requests, connections, size, seconds=run.seconds)
    remove(peer, peer.made.pop(f"large-{size}"))
    return result


def multipart(run, peer, connections, size):
    """One object in parts of 16 MiB: initiate, the parts over all connections, complete; the time is that of all three."""
    path, parts = f"/{BUCKET}/multipart", size // PART
    tags = {place: hashlib.md5(run.payload.cut(place, PART)).hexdigest() for place in range(0, run.payload.size, PART)}
    begin = time.monotonic()
    _, text = peer.request("POST", path, "uploads=")
    upload = urllib.parse.quote(re.search(rb"<UploadId>([^<]+)<", text).group(1).decode(), safe="")
    opened = time.monotonic() - begin
    requests = [
        load.Request("PUT", path, f"partNumber={index + 1}&uploadId={upload}", (index * PART) % run.payload.size, PART)
        for index in range(parts)]
    result = run.send(peer, requests, connections, PART, seconds=120)
    lines = "".join(
        f"<Part><PartNumber>{index + 1}</PartNumber><ETag>\"{tags[request.offset]}\"</ETag></Part>"
        for index, request in enumerate(requests))
    begin = time.monotonic()
    body = f"<CompleteMultipartUpload>{lines}</CompleteMultipartUpload>".encode()
    before = peer.cpu_seconds()
    _, text = peer.request("POST", path, f"uploadId={upload}", body)
    closed = time.monotonic() - begin
    if b"<ETag>" not in text:
        raise RuntimeError(f"completing the upload: {text[:300]!r}")
    seconds = result.requests / result.rate + opened + closed
    cpu = result.cpu * result.requests + peer.cpu_seconds() - before
    check_large(run, peer, load.Request("PUT", path, length=size), size)
    remove(peer, requests[:1])
    return dataclasses.replace(result, rate=1 / seconds, mebibytes=size / seconds / (1 << 20), cpu=cpu)


def check_large(run, peer, request, size):
    """The length, and the bytes at the beginning, in the middle and at the end."""
    for first in (0, size // 2 + 12345, size - 65536):
        connection = http.client.HTTPConnection("127.0.0.1", peer.port, timeout=120)
        headers = {**peer.headers("GET", request.path, "", signing.UNSIGNED), "range": f"bytes={first}-{first + 65535}"}
        connection.request("GET", request.path, headers=headers)
        answer = connection.getresponse()
        data, total = answer.read(65537), (answer.headers.get("content-range") or "/").rpartition("/")[2]
        connection.close()
        # rclone answers a range with 200, and Content-Range.
        if answer.status not in (200, 206) or total != str(size) or data != run.payload.cut(request.offset + first, 65536):
            raise RuntimeError(f"{request.path} came back wrong at {first}: {answer.status}, length {total}")


@dataclasses.dataclass
class Cell:
    """A row of the table."""

    label: str
    work: object  # (run, peer) → Result
    large: bool = False
    writes: bool = False  # Durability matters.
    needs: str = ""  # An attribute that a server must have.

    def fits(self, peer, first):
        """Whether it says something about this server. What only reads is measured on the first Apus."""
        if self.needs and not getattr(peer, self.needs):
            return False
        if peer.sync_writes and (self.large or not self.writes):
            return False
        return self.writes or not peer.name.startswith("apus-") or peer is first


def all_cells(quick):
    """By name, in the order in which they run."""
    cells = {}
    for connections in (1, 16) if quick else (1, 16, 64):
        many = f"{connections} connection{'s' * (connections > 1)}"
        for name, work, writes, needs in (
                ("put", put_small, True, ""), ("get", get_small, False, ""),
                ("head", lambda run, peer, n: get_small(run, peer, n, "HEAD"), False, ""),
                ("list", list_small, False, "lists"), ("delete", delete_small, True, "")):
            what = f"LIST, page of {PAGE:,}" if name == "list" else f"{name.upper()} 4 KiB"
            cells[f"{name}-{connections}"] = Cell(
                f"{what}, {many}", lambda run, peer, work=work, n=connections: work(run, peer, n), False, writes, needs)
    cells["mixed-16"] = Cell(
        "70 % GET, 30 % PUT 4 KiB, 16 connections", lambda run, peer: mixed_small(run, peer, 16), False, True)
    count = 8 if quick else 24
    cells["put-64m"] = Cell(
        "PUT 64 MiB, 4 connections", lambda run, peer: put_large(run, peer, 4, LARGE, count), True, True)
    cells["get-64m"] = Cell(
        "GET 64 MiB, 4 connections", lambda run, peer: get_large(run, peer, 4, LARGE, 4 * count), True)
    cells["put-64m-signed"] = Cell(
        "PUT 64 MiB with signed content, 4 connections",
        lambda run, peer: put_large(run, peer, 4, LARGE, count, signed=True), True, True)
    cells["put-1g"] = Cell("PUT 1 GiB, 1 connection", lambda run, peer: put_large(run, peer, 1, HUGE, 1), True, True)
    cells["get-1g"] = Cell(
        "GET 1 GiB, 1 connection", lambda run, peer: get_large(run, peer, 1, HUGE, 1 if quick else 4), True)
    cells["multipart-1g"] = Cell(
        "multipart 1 GiB, parts of 16 MiB, 8 connections", lambda run, peer: multipart(run, peer, 8, HUGE), True, True,
        "multipart")
    return cells
