"""`apus store` beside a running server and without: verify, backup, export and import; and the setting durability."""

import atexit
import contextlib
import fcntl
import hashlib
import io
import json
import os
import re
import shutil
import sqlite3
import subprocess
import tarfile
import threading

from botocore.exceptions import BotoCoreError, ClientError

import apus
from cases import case, equal, eventually, expect, random_bytes

KEPT, ODD, VERSIONED = "kept", "odd", "versioned"
PART = 5 << 20
# Keys that no file system can have as they are, or not all of them at once.
ODD_KEYS = ["a/../b", "../up", "./here", "a//b", "/begin", "folder/", "folder", "folder/in", "..", "k" * 1024, "50%"]
ODD_KEYS += ["ü/日本語 🎈", "u\u0308", 'with "quotes" & <more>', "line\nbreak", "%2E%2E/b"]
# A verification writes its place down each so many files.
PLACES = 256


class Store:
    """What the cases share: a server that is filled once, its backup, and servers to be ended."""

    server = backup = damaged = None
    others = []


def store(*arguments, status=0, **options):
    """Runs `apus store`; fails when another exit status comes."""
    command = [os.environ["APUS"], "store", *arguments]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False, **options)
    got = done.returncode
    expect(got == status, f"{arguments}: status {got}, want {status}: {done.stdout[-500:]} {done.stderr[-500:]}")
    return done


def verify(data, *flags, status=0):
    """Runs `apus store verify --json`; returns the findings and the summary."""
    lines = store("verify", "--json", *flags, "--data", data, status=status).stdout.decode().splitlines()
    *findings, summary = map(json.loads, lines)
    return findings, summary


def backup(destination, data, *flags):
    """Runs `apus store backup`; returns how many files were added, kept and removed."""
    said = store("backup", destination, "--data", data, *flags).stderr.decode()
    numbers = re.search(r"(\d+) files with \d+ bytes added, (\d+) kept, (\d+) removed", said)
    expect(numbers, f"said: {said!r}")
    return tuple(map(int, numbers.groups()))


def filled(context):
    """The server, with objects of each kind."""
    if Store.server:
        return Store.server
    server = Store.server = apus.Apus("stored", context.folder)
    atexit.register(server.stop)
    server.start()
    s3 = server.boto()
    for bucket in (KEPT, ODD, VERSIONED):
        s3.create_bucket(Bucket=bucket)
    s3.put_bucket_versioning(Bucket=VERSIONED, VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_tagging(Bucket=KEPT, Tagging={"TagSet": [{"Key": "colour", "Value": "red"}]})
    for number, size in enumerate((0, 1, 16 << 10, (16 << 10) + 1, 300_000, 1_000_001)):
        s3.put_object(
            Bucket=KEPT,
            Key=f"size/{number} ü",
            Body=random_bytes(size),
            ContentType="text/x-kept",
            ContentEncoding="x-none",
            CacheControl="no-store",
            Metadata={"size": str(size), "words": "one, two"},
            Tagging="kind=sized&size=" + str(size),
        )
    place = {"Bucket": KEPT, "Key": "parts"}
    place["UploadId"] = s3.create_multipart_upload(**place, Metadata={"in": "parts"})["UploadId"]
    tags = [s3.upload_part(**place, PartNumber=at, Body=random_bytes(size)) for at, size in ((1, PART), (2, 77_777))]
    parts = [{"PartNumber": at, "ETag": part["ETag"]} for at, part in enumerate(tags, 1)]
    s3.complete_multipart_upload(**place, MultipartUpload={"Parts": parts})
    for key in ODD_KEYS:
        s3.put_object(Bucket=ODD, Key=key, Body=b"body of " + key.encode(), Metadata={"length": str(len(key))})
    for number in range(3):
        s3.put_object(Bucket=VERSIONED, Key="three", Body=random_bytes(20_000 + number))
    s3.put_object(Bucket=VERSIONED, Key="deleted", Body=random_bytes(30_000))
    s3.delete_object(Bucket=VERSIONED, Key="deleted")
    return server


def another(context, name, *flags):
    """A server that is not started yet; the last case ends it."""
    server = apus.Apus(name, context.folder, more_flags=flags)
    atexit.register(server.stop)
    Store.others.append(server)
    return server


def seen(server, bucket):
    """All that a client sees of the objects of a bucket, by key."""
    s3, objects = server.boto(), {}
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for entry in page.get("Contents", []):
            place = {"Bucket": bucket, "Key": entry["Key"]}
            got = s3.get_object(**place)
            body = hashlib.sha256(got["Body"].read()).hexdigest()
            fields = ("ETag", "LastModified", "ContentType", "ContentEncoding", "CacheControl", "Metadata", "TagCount")
            first = s3.head_object(**place, PartNumber=1) if "-" in entry["ETag"] else {}
            objects[entry["Key"]] = [body, *map(got.get, fields), first.get("PartsCount"), first.get("ContentLength")]
            if got.get("TagCount"):
                objects[entry["Key"]].append(s3.get_object_tagging(**place)["TagSet"])
    return objects


def versions(server, bucket):
    """The versions and markers of a bucket, newest first, with what they hold."""
    s3 = server.boto()
    page = s3.list_object_versions(Bucket=bucket)
    found = [(entry["Key"], entry["VersionId"], entry["IsLatest"]) for entry in page["DeleteMarkers"]]
    for entry in page["Versions"]:
        got = s3.get_object(Bucket=bucket, Key=entry["Key"], VersionId=entry["VersionId"])
        found.append((entry["Key"], entry["VersionId"], entry["IsLatest"], got["Body"].read()))
    return found


def objects_of(data):
    """The object store of a data directory or a backup."""
    return os.path.join(data, "objects")


def content(objects):
    """The content files of a store: name → path."""
    places = os.walk(os.path.join(objects, "content"))
    return {name: os.path.join(folder, name) for folder, _, names in places for name in names}


def sized(objects, size):
    """The one content file of a size."""
    found = [path for path in content(objects).values() if os.path.getsize(path) == size]
    equal(len(found), 1, f"files of {size} bytes")
    return found[0]


def digests(paths):
    """Name → digest of its bytes, for the files of `content`."""
    found = {}
    for name, path in paths.items():
        with open(path, "rb") as file:
            found[name] = hashlib.sha256(file.read()).hexdigest()
    return found


def restored(context, name, source):
    """A server, not started yet, on a copy of a backup, as the help says it; started on the first, it is no backup."""
    server = another(context, name)
    shutil.copytree(source, server.data)
    return server


@case("verify: all is well, beside a running server and without")
def sound(context):
    server = filled(context)
    said = store("verify", "--data", server.data).stdout.decode()
    expect("all is well" in said, f"said: {said}")
    findings, beside = verify(server.data)
    equal((findings, beside["open"], beside["unverifiable"]), ([], 0, 0), "findings")
    equal(server.stop(), 0, "status of the server")
    findings, alone = verify(server.data)
    equal((findings, alone), ([], beside), "without a server")
    equal(alone["files"], len(content(objects_of(server.data))), "files")
    expect(not os.path.exists(os.path.join(server.data, "objects", "quarantine")), "there is a quarantine")
    server.start()
    nowhere = store("verify", "--data", context.path("nowhere"), status=1)
    expect(b"Error: " in nowhere.stderr and not os.path.exists(context.path("nowhere")), f"{nowhere.stderr}")


class Writer(threading.Thread):
    """Puts numbered objects one after the other, small and large in turn, and replaces one and deletes others."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.s3 = server.boto()
        self.s3.create_bucket(Bucket="live")
        self.written, self.error = 0, None
        self.finished = threading.Event()

    def run(self):
        try:
            while not self.finished.is_set():
                body = b"%06d" % self.written * (3 if self.written % 2 else 4000)
                self.s3.put_object(Bucket="live", Key=f"{self.written:06}", Body=body)
                self.s3.put_object(Bucket=KEPT, Key="replaced", Body=body)
                self.s3.put_object(Bucket=KEPT, Key="passing", Body=body)
                self.s3.delete_object(Bucket=KEPT, Key="passing")
                self.written += 1
        except (BotoCoreError, ClientError) as error:
            self.error = error

    def wait(self, count):
        eventually(lambda: self.written >= count or self.error, f"{count} objects", 30, 0.01)

    def end(self):
        self.finished.set()
        self.join(30)
        expect(not self.error, f"the writer failed: {self.error}")


@case("backup under writes: of one moment; a server on the copy serves the same objects")
def online_backup(context):
    server = filled(context)
    Store.backup = context.path("backup")
    writer = Writer(server)
    writer.start()
    try:
        writer.wait(15)
        before = writer.written
        added, kept, removed = backup(Store.backup, server.data)
        after = writer.written + 1
        writer.wait(after + 15)
    finally:
        writer.end()
    expect(added > 10 and (kept, removed) == (0, 0), f"added {added}, kept {kept}, removed {removed}")
    findings, summary = verify(Store.backup)
    equal((findings, summary["files"]), ([], len(content(objects_of(Store.backup)))), "verification of the backup")
    copy = restored(context, "restored", Store.backup)
    copy.start()
    live = sorted(seen(copy, "live"))
    equal(live, [f"{number:06}" for number in range(len(live))], "objects of one moment")
    expect(before <= len(live) <= after, f"{len(live)} objects, of {before} before and {after} after")
    original = seen(server, "live")
    equal(seen(copy, "live"), {key: original[key] for key in live}, "live")
    for one in (server, copy):
        # Which of their states the copy has depends on its moment.
        for key in ("replaced", "passing"):
            one.boto().delete_object(Bucket=KEPT, Key=key)
    for bucket in (KEPT, ODD):
        equal(seen(copy, bucket), seen(server, bucket), bucket)
    equal(versions(copy, VERSIONED), versions(server, VERSIONED), "versions")
    tags = copy.boto().get_bucket_tagging(Bucket=KEPT)["TagSet"]
    equal(tags, [{"Key": "colour", "Value": "red"}], "tags of the bucket")
    copy.boto().put_object(Bucket=KEPT, Key="new", Body=b"writes go on")
    equal(copy.stop(), 0, "status")


@case("backup again copies what is new and removes what has gone; --copy makes bytes of its own")
def incremental(context):
    server = filled(context)
    s3 = server.boto()
    backup(Store.backup, server.data)
    files = len(content(objects_of(Store.backup)))
    equal(backup(Store.backup, server.data), (0, files, 0), "nothing new")
    for number in range(3):
        s3.put_object(Bucket=KEPT, Key=f"new/{number}", Body=random_bytes(50_000))
    s3.put_object(Bucket=KEPT, Key="new/small", Body=b"in the index")
    s3.delete_object(Bucket="live", Key="000000")
    equal(backup(Store.backup, server.data), (3, files - 1, 1), "three new, one gone")
    equal(verify(Store.backup)[0], [], "findings")
    own = context.path("own")
    equal(backup(own, server.data, "--copy")[0], files + 2, "files copied")
    copied = content(objects_of(own))
    equal(digests(copied), digests(content(objects_of(Store.backup))), "bytes")
    for name, path in content(objects_of(server.data)).items():
        if name in copied:
            expect(not os.path.samefile(path, copied[name]), f"{name} is the same file")
    with open(context.path("full", "file"), "wb") as file:
        file.write(b"somebody's")
    store("backup", context.path("full"), "--data", server.data, status=1)
    equal(os.listdir(context.path("full")), ["file"], "a directory of somebody else's")


SLOW = 'sleep 0.3; tr a-z A-Z < "$INPUT_FILE_PATH" > "$TMP_OUTPUT_DIR/$(basename "$INPUT_FILE_PATH")"'


@case("backup of a live cluster with services and queued jobs: apus serve --data on it runs them; no event is lost")
def whole_cluster(context):
    server = another(context, "whole", "--sandbox", "process", "--cpu", "0.2")
    server.start()
    stores = [{"storage_provider": "minio.default", "path": "slow/in"}]
    results = [{"storage_provider": "minio.default", "path": "slow/out"}]
    server.create_service("slow", SLOW, input=stores, output=results)
    s3 = server.boto()
    for number in range(12):
        s3.put_object(Bucket="slow", Key=f"in/{number:02}", Body=b"text %d" % number)
    # Too large for the database: its event is a file.
    body = "large " * 20_000
    server.request("POST", "/job/slow", 201, data=body, headers={"Authorization": f"Bearer {token(server, 'slow')}"})
    eventually(lambda: any(map(apus.has_succeeded, server.jobs("slow"))), "a job that has ended", 20, 0.05)
    copy = context.path("whole-backup")
    said = store("backup", copy, "--data", server.data).stderr.decode()
    expect("the state, and 1 files of waiting jobs" in said, f"said: {said}")
    waiting = [job for job in server.jobs("slow") if not apus.is_done(job)]
    expect(len(waiting) > 3, f"{len(waiting)} jobs wait")
    s3.put_object(Bucket="slow", Key="in/late", Body=b"after the backup")
    backup(copy, server.data)
    for name in ("credentials.json", "state.sqlite", "BACKUP"):
        equal(os.stat(os.path.join(copy, name)).st_mode & 0o777, 0o600, f"mode of {name}")
    missing = {"work", "logs", "images"} & set(os.listdir(copy))
    equal(missing, set(), "folders that are not in it")
    equal(verify(copy)[0], [], "findings")
    server.kill()
    # With the keys that are in the backup, where it lies.
    keys = (server.user, server.password, server.access_key, server.secret_key)
    again = another(context, "again", "--sandbox", "process")
    again.data = copy
    again.user, again.password, again.access_key, again.secret_key = keys
    again.start()
    eventually(lambda: all(map(apus.is_done, again.jobs("slow"))), "the end of all jobs", 60, 0.1)
    jobs = again.jobs("slow")
    equal((len(jobs), sum(map(apus.has_succeeded, jobs))), (14, 14), "jobs, and those that succeeded")
    want = sorted([f"out/{number:02}" for number in range(12)] + ["out/late"])
    found = [entry["Key"] for entry in again.boto().list_objects_v2(Bucket="slow", Prefix="out/")["Contents"]]
    equal(sorted(key for key in found if "event-file" not in key), want, "results")
    equal(len(found), len(want) + 1, "results, that of the large event included")
    equal(again.boto().get_object(Bucket="slow", Key="out/11")["Body"].read(), b"TEXT 11", "a result")
    refused = store("backup", copy, "--data", Store.server.data, status=1).stderr.decode()
    expect("neither empty nor a backup" in refused, f"said: {refused}")
    equal(again.stop(), 0, "status")
    refused = store("backup", copy, "--data", Store.server.data, status=1).stderr.decode()
    expect("neither empty nor a backup" in refused, f"said: {refused}")


def token(server, service):
    """The token of a service."""
    return server.request("GET", f"/system/services/{service}", 200).json()["token"]


@case("backup: a copy of one is not written into; one that was never finished is refused by verify, export and serve")
def recognised(context):
    server = filled(context)
    one, copy, broken = (context.path(name) for name in ("one", "one-copied", "one-broken"))
    backup(one, server.data)
    shutil.copytree(one, copy)
    refused = store("backup", copy, "--data", server.data, status=1).stderr.decode()
    expect("is a copy of a backup" in refused, f"said: {refused}")
    equal(verify(copy)[0], [], "findings in the copy")
    expect(len(tar("-t", input=store("export", "--data", copy).stdout).splitlines()) > 10, "the copy has no objects")
    refused = store("import", "--data", one, status=1, input=b"").stderr.decode()
    expect("this is a backup" in refused, f"said: {refused}")
    # A first backup that is stopped before its end.
    unreachable = next(iter(content(objects_of(server.data))))
    os.makedirs(os.path.join(broken, "objects", "content", unreachable[-2:], unreachable, "in-the-way"))
    with open(os.path.join(one, "BACKUP"), encoding="utf-8") as marker:
        lines = marker.read().splitlines()
    equal(lines[0], "finished", "the marker's state")
    with open(os.path.join(broken, "lock"), "w", encoding="utf-8") as lock:
        node = os.fstat(lock.fileno()).st_ino
    with open(os.path.join(broken, "BACKUP"), "w", encoding="utf-8") as marker:
        marker.write(f"unfinished\n{node} {broken}\n")
    store("backup", broken, "--data", server.data, status=1)
    for command in ("verify", "export"):
        refused = store(command, "--data", broken, status=1).stderr.decode()
        expect("was not finished" in refused, f"{command} said: {refused}")
    serving = another(context, "unfinished")
    serving.data = broken
    before = sorted(os.listdir(broken))
    try:
        serving.start()
    except AssertionError as error:
        expect("was not finished" in str(error), f"serve said: {error}")
    else:
        expect(False, "the server started on a backup that was not finished")
    equal(sorted(os.listdir(broken)), before, "what is there")
    shutil.rmtree(os.path.join(broken, "objects", "content", unreachable[-2:], unreachable))
    backup(broken, server.data)
    equal(verify(broken)[0], [], "findings once it is finished")


def damaged(context, name):
    """A server on a copy of the backup, in which one file is damaged, one cut, one gone and one unknown."""
    server = restored(context, name, Store.backup)
    objects = os.path.join(server.data, "objects")
    with open(sized(objects, 300_000), "r+b") as file:
        file.seek(200_000)
        byte = file.read(1)[0]
        file.seek(200_000)
        file.write(bytes([byte ^ 1]))
    os.truncate(sized(objects, 1_000_001), 1_000_000)
    os.remove(sized(objects, (16 << 10) + 1))
    unknown = os.path.join(objects, "content", "ff", "f" * 32)
    os.makedirs(os.path.dirname(unknown), exist_ok=True)
    with open(unknown, "wb") as file:
        file.write(b"nobody's")
    return server, objects


WRONG = [
    ("missing-content", KEPT, "size/3 ü"),
    ("unknown-file", None, None),
    ("wrong-bytes", KEPT, "size/4 ü"),
    ("wrong-size", KEPT, "size/5 ü"),
]


def kinds(findings):
    names = ("kind", "bucket", "key")
    return sorted((tuple(map(finding.get, names)) for finding in findings), key=lambda names: names[0])


def is_whole(s3, key):
    """Whether an object can be read to its end."""
    try:
        s3.get_object(Bucket=KEPT, Key=key)["Body"].read()
    except (BotoCoreError, ClientError, OSError):
        return False
    return True


@case("verify beside a server finds damaged, cut, missing and unknown files, exits with 1, and only looks")
def damage_beside(context):
    server, objects = damaged(context, "damaged")
    Store.damaged = server
    server.start()
    before = digests(content(objects))
    findings, summary = verify(server.data, status=1)
    equal(kinds(findings), WRONG, "findings")
    expect(all("repair" not in finding for finding in findings), f"repairs: {findings}")
    equal((summary["repaired"], summary["open"]), (0, 4), "summary")
    said = store("verify", "--data", server.data, status=1).stdout.decode()
    expect("wrong-bytes  kept/size/4 ü" in said and "stop the server" in said, f"said: {said}")
    equal(digests(content(objects)), before, "files")
    expect(not os.path.exists(os.path.join(objects, "quarantine")), "there is a quarantine")
    for number in (3, 4, 5):
        expect(not is_whole(server.boto(), f"size/{number} ü"), f"size/{number} is served as if nothing had happened")
    equal(server.stop(), 0, "status")


@case("verify without a server sets apart what is wrong, tells it, deletes nothing; the rest is served")
def damage_alone(context):
    server = Store.damaged
    objects = os.path.join(server.data, "objects")
    before = digests(content(objects))
    findings, summary = verify(server.data, status=1)
    equal(kinds(findings), WRONG, "findings")
    equal((summary["repaired"], summary["open"]), (3, 3), "summary")
    quarantine = os.path.join(objects, "quarantine")
    apart = {name: os.path.join(quarantine, name) for name in os.listdir(quarantine) if name != "report.jsonl"}
    wrong = {finding["content"] for finding in findings if finding.get("repair")}
    equal(set(apart), wrong, "files set apart")
    equal(digests({**content(objects), **apart}), before, "bytes, here or there")
    with open(os.path.join(quarantine, "report.jsonl"), encoding="utf-8") as report:
        lines = [json.loads(line) for line in report]
    equal({line["content"] for line in lines}, wrong, "lines of the report")
    expect(all(line["time"] and line["kind"] for line in lines), f"lines: {lines}")
    # What was lost stays lost, and is told each time.
    findings, summary = verify(server.data, status=1)
    equal({finding["kind"] for finding in findings}, {"missing-content"}, "findings of the second run")
    equal((len(findings), summary["repaired"], summary["open"]), (3, 0, 3), "summary of the second run")
    server.start()
    s3 = server.boto()
    for key in seen(Store.server, KEPT):
        equal(is_whole(s3, key), key not in {name for _, _, name in WRONG}, f"whether {key!r} is served")
    # Who has the bytes puts them again, and then all is well.
    for number in (3, 4, 5):
        s3.put_object(Bucket=KEPT, Key=f"size/{number} ü", Body=b"again")
    equal(server.stop(), 0, "status")
    equal(verify(server.data)[0], [], "findings after the repair")
    equal(set(apart) | {"report.jsonl"}, set(os.listdir(quarantine)), "the quarantine")


@case("verify repairs an unknown file and a wrong count without a loss: exit status 0")
def repaired(context):
    data = restored(context, "unknown", Store.backup).data
    unknown = os.path.join(data, "objects", "content", "ee", "e" * 32)
    os.makedirs(os.path.dirname(unknown), exist_ok=True)
    with open(unknown, "wb") as file:
        file.write(b"nobody's")
    with contextlib.closing(sqlite3.connect(os.path.join(data, "objects", "index.sqlite"))) as index, index:
        index.execute("UPDATE buckets SET objects = objects + 5 WHERE name = ?", [KEPT])
    findings, summary = verify(data)
    equal(kinds(findings), [("unknown-file", None, None), ("wrong-count", KEPT, None)], "findings")
    equal((summary["repaired"], summary["open"]), (2, 0), "summary")
    with open(os.path.join(data, "objects", "quarantine", "e" * 32), "rb") as file:
        equal(file.read(), b"nobody's", "what was set apart")
    equal(verify(data)[0], [], "findings of the second run")


def archive(*files):
    """A tar archive of another program."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, body in files:
            entry = tarfile.TarInfo(name)
            entry.size = len(body)
            tar.addfile(entry, io.BytesIO(body))
    return buffer.getvalue()


@case("verify that was killed goes on where it was with --resume; without it, from the start")
def resumed(context):
    data, count = context.path("many"), PLACES + 80
    bodies = [(f"many/{number:04}", b"%08d" % number * 2100) for number in range(count)]
    store("import", "--data", data, input=archive(*bodies))
    objects = os.path.join(data, "objects")
    equal(verify(data)[1]["files"], count, "files")
    # The findings of those that are gone fill a pipe that nobody reads, so that the verification is there when it
    # is killed. It has written down its place by then.
    names = sorted(content(objects))
    gone = set(names[:10] + names[PLACES + 20 :])
    for name in gone:
        os.remove(content(objects)[name])
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    command = [os.environ["APUS"], "store", "verify", "--json", "--data", data]
    place = os.path.join(objects, "verify.place")

    def reached():
        """Whether the place is behind those that are gone at the begin."""
        with contextlib.suppress(OSError, ValueError), open(place, encoding="utf-8") as file:
            return json.load(file)["files"] > PLACES
        return False

    with contextlib.closing(os.fdopen(reader, "rb")), os.fdopen(writer, "wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.DEVNULL)
        try:
            eventually(reached, "a place", 20, 0.01)
            expect(process.poll() is None, "the verification ended")
        finally:
            process.kill()
            process.wait()
    # Those who can be found again do not come back: what was found before is told, and counts.
    for name in gone - set(names[:10]):
        with open(os.path.join(objects, "content", name[-2:], name), "wb") as file:
            file.write(b"cut off")
    findings, summary = verify(data, "--resume", status=1)
    equal(summary["files"], count, "files of the whole")
    equal({finding["content"] for finding in findings}, gone, "findings")
    expect(summary["open"] == len(findings) and summary["missing-content"] >= 10, f"summary: {summary}")
    left = [name for name in os.listdir(objects) if name.startswith("verify.")]
    equal(left, [], "what is left of the place")
    equal(verify(data, "--resume", status=1)[1]["files"], count, "files, with nothing to resume")


def tar(*arguments, **options):
    """Runs the system's tar, which must have nothing to complain about."""
    environment = dict(os.environ, LC_ALL="C.UTF-8")
    done = subprocess.run(["tar", *arguments], capture_output=True, timeout=30, env=environment, check=False, **options)
    equal((done.returncode, done.stderr), (0, b""), f"tar {arguments}")
    return done.stdout.decode()


@case("export | tar lists each object and extracts its bytes; --bucket and --prefix choose")
def exported(context):
    server = filled(context)
    listed = tar("-t", "--quoting-style=literal", "--null", input=store("export", "--data", server.data).stdout)
    for path in ("kept/size/4 ü", "kept/parts", "odd/a/%2E%2E/b", "odd/a/%2F/b", "odd/folder/%2F", "odd/ü/日本語 🎈"):
        expect(path in listed, f"{path} is not in {listed}")
    expect("/../" not in listed and "odd/../up" not in listed, f"a way out: {listed}")
    expect("versioned/three" in listed and "versioned/deleted" not in listed, f"versions: {listed}")
    only = store("export", "--data", server.data, "--bucket", KEPT, "--prefix", "size/")
    expect(b"6 objects" in only.stderr, f"said: {only.stderr}")
    equal(len([line for line in tar("-t", input=only.stdout).splitlines() if not line.endswith("/")]), 6, "objects")
    store("export", "--data", server.data, "--bucket", "nowhere", status=1)
    folder = context.path("extracted", "")
    tar("-x", "-C", folder, input=store("export", "--data", server.data, "--bucket", KEPT).stdout)
    want = {f"{KEPT}/{key}": facts[0] for key, facts in seen(server, KEPT).items()}
    places = [os.path.join(place, name) for place, _, names in os.walk(folder) for name in names]
    equal(digests({os.path.relpath(path, folder): path for path in places}), want, "files")


@case("import of an export: keys with .., slashes and UTF-8, metadata, tags, times and parts come back as they were")
def imported(context):
    server = filled(context)
    exported = store("export", "--data", server.data).stdout
    copy = another(context, "imported")
    said = store("import", "--data", copy.data, input=exported).stderr.decode()
    count = sum(len(seen(server, bucket)) for bucket in (KEPT, ODD, VERSIONED, "live"))
    expect(f"{count} objects" in said, f"said: {said}, want {count}")
    equal(verify(copy.data)[0], [], "findings")
    copy.start()
    for bucket in (KEPT, ODD, VERSIONED, "live"):
        equal(seen(copy, bucket), seen(server, bucket), bucket)
    s3 = copy.boto()
    equal(s3.get_bucket_tagging(Bucket=KEPT)["TagSet"], [{"Key": "colour", "Value": "red"}], "tags of the bucket")
    equal(s3.get_bucket_versioning(Bucket=VERSIONED)["Status"], "Enabled", "versioning")
    refused = store("import", "--data", copy.data, input=exported, status=1).stderr.decode()
    expect("a server uses this data directory" in refused, f"said: {refused}")


@case("export --versions and its import: every version and delete marker comes back, in order, under its name")
def all_versions(context):
    server = filled(context)
    s3 = server.boto()
    body = b"part" * (PART // 4)
    place = {"Bucket": VERSIONED, "Key": "parts"}
    for _ in range(2):
        upload = s3.create_multipart_upload(**place, Metadata={"in": "parts"})["UploadId"]
        tag = s3.upload_part(**place, UploadId=upload, PartNumber=1, Body=body)["ETag"]
        parts = {"Parts": [{"PartNumber": 1, "ETag": tag}]}
        s3.complete_multipart_upload(**place, UploadId=upload, MultipartUpload=parts)
    s3.delete_object(Bucket=VERSIONED, Key="three")
    s3.put_object(Bucket=VERSIONED, Key="three", Body=b"a fourth, behind a marker")
    archived = store("export", "--versions", "--data", server.data)
    want = versions(server, VERSIONED)
    expect(re.search(rb"and \d+ earlier versions and markers", archived.stderr), f"said: {archived.stderr}")
    listed = tar("-t", input=archived.stdout).splitlines()
    equal(listed.count("versioned/three"), 1, "the latest in its place")
    equal(len([path for path in listed if path.startswith(".versions/versioned/three/")]), 4, "earlier ones apart")
    latest = store("export", "--data", server.data).stdout
    expect(b".versions/" not in latest and b"apus.version=" not in latest, "versions without being asked for")
    copy = another(context, "versions")
    for _ in range(2):
        # The second time, all are there already.
        store("import", "--data", copy.data, input=archived.stdout)
    equal(verify(copy.data)[0], [], "findings")
    copy.start()
    equal(versions(copy, VERSIONED), want, "versions")
    for bucket in (KEPT, ODD):
        equal(seen(copy, bucket), seen(server, bucket), bucket)
    # A marker that goes gives the object back, as it does at home.
    marker = next(entry for entry in want if entry[0] == "deleted" and len(entry) == 3)
    copy.boto().delete_object(Bucket=VERSIONED, Key="deleted", VersionId=marker[1])
    equal(len(copy.boto().get_object(Bucket=VERSIONED, Key="deleted")["Body"].read()), 30_000, "what was deleted")
    equal(copy.stop(), 0, "status")


@case("import of other programs' archives: the first part of a path is the bucket, or --bucket names it")
def foreign(context):
    server = another(context, "foreign")
    for path, body in (("here/one", b"1"), ("here/deep/zwei ü", b"2" * 40_000)):
        with open(context.path("packed", path), "wb") as file:
            file.write(body)
    packed = subprocess.run(
        ["tar", "-c", "-C", context.path("packed"), "./here"], capture_output=True, check=True, timeout=30
    ).stdout
    store("import", "--data", server.data, input=packed)
    store("import", "--data", server.data, "--bucket", "all", input=packed)
    store("import", "--data", server.data, input=packed[: len(packed) // 2], status=1)
    server.start()
    s3 = server.boto()
    for bucket, prefix in (("here", ""), ("all", "here/")):
        equal(sorted(seen(server, bucket)), [f"{prefix}deep/zwei ü", f"{prefix}one"], bucket)
        equal(s3.get_object(Bucket=bucket, Key=f"{prefix}one")["Body"].read(), b"1", "content")
    equal(server.stop(), 0, "status")


@case("--durability always, batch, never: what was answered outlives a kill; what is none of them is refused")
def durability(context):
    for policy in ("always", "batch", "never"):
        server = another(context, f"durable-{policy}", "--durability", policy)
        server.start()
        s3 = server.boto()
        s3.create_bucket(Bucket="durable")
        for number in range(10):
            s3.put_object(Bucket="durable", Key=f"{number}", Body=b"%d" % number * (1 if number % 2 else 40_000))
        server.kill()
        server.start()
        for number in range(10):
            body = s3.get_object(Bucket="durable", Key=f"{number}")["Body"].read()
            equal(body, b"%d" % number * (1 if number % 2 else 40_000), f"{policy}: content of {number}")
        equal(server.stop(), 0, f"{policy}: status")
        equal(verify(server.data)[0], [], f"{policy}: findings")
    wrong = another(context, "durable-wrong", "--durability", "sometimes")
    try:
        wrong.start()
    except AssertionError as error:
        expect("durability" in str(error) and "batch" in str(error), f"said: {error}")
    else:
        expect(False, "the server started")


@case("SIGTERM ends it with 0")
def end(context):
    for other in Store.others:
        other.stop()
        shutil.rmtree(other.data, ignore_errors=True)
    equal(Store.server.stop(), 0, "status")
    Store.server, Store.others = None, []
