"""MinIO's client for the command line, which scripts/install-deps.sh fetches; skipped where it could not."""

import functools
import json
import os
import shlex
import shutil
import subprocess

import requests

from awscli_suite import make_tree, tree
from cases import Skip, case, equal, expect, random_bytes

BUCKET = "mc-main"
MEBIBYTE = 1024 * 1024


@functools.cache
def program(folder):
    """MinIO's client, in that folder or in the PATH; `mc` alone is often another program, a file manager."""
    for name in (os.path.join(folder, "minio-client"), "minio-client", "mcli", "mc"):
        path = shutil.which(name)
        if path:
            said = subprocess.run([path, "--version"], capture_output=True, timeout=20)
            if b"MinIO" in said.stdout or b"RELEASE." in said.stdout:
                return path
    raise Skip("MinIO's client is not installed: minio-client of Debian 13 or newer")


def mc(context, *arguments, fails=False, data=None):
    """Runs mc with the store as `apus` and returns what it printed."""
    scheme, _, address = context.endpoint.partition("://")
    environment = dict(
        os.environ,
        MC_CONFIG_DIR=context.path("configuration"),
        MC_HOST_apus=f"{scheme}://{context.access_key}:{context.secret_key}@{address}",
    )
    command = [program(context.tools), "--json", *arguments]
    run = subprocess.run(command, env=environment, input=data, capture_output=True, timeout=120)
    text = " ".join(arguments)
    if fails:
        expect(run.returncode != 0, f"mc {text} succeeded")
        return run.stdout.decode() + run.stderr.decode()
    said = run.stdout.decode(errors="replace")[-600:] + run.stderr.decode()[-600:]
    expect(run.returncode == 0, f"mc {text}: exit {run.returncode}: {said}")
    return run.stdout


def entries(output):
    return [json.loads(line) for line in output.decode().splitlines()]


@case("mb, cp up and down: small, empty, 70 MiB in parts; pipe, cat, stat, ls")
def files(context):
    mc(context, "mb", f"apus/{BUCKET}")
    for name, size in (("small ü+", 1000), ("empty", 0), ("large", 70 * MEBIBYTE + 7)):
        body = random_bytes(size)
        with open(context.path(name), "wb") as file:
            file.write(body)
        mc(context, "cp", context.path(name), f"apus/{BUCKET}/files/{name}")
        mc(context, "cp", f"apus/{BUCKET}/files/{name}", context.path(f"{name}.back"))
        with open(context.path(f"{name}.back"), "rb") as file:
            expect(file.read() == body, f"{name} differs")
    mc(context, "pipe", f"apus/{BUCKET}/files/pipe", data=b"from a pipe")
    equal(mc(context, "cat", f"apus/{BUCKET}/files/pipe"), b"from a pipe", "content")
    equal(entries(mc(context, "stat", f"apus/{BUCKET}/files/small ü+"))[0]["size"], 1000, "size")
    names = sorted(entry["key"] for entry in entries(mc(context, "ls", f"apus/{BUCKET}/files/")))
    equal(names, ["empty", "large", "pipe", "small ü+"], "names")


@case("mirror up, again with changes and --remove, down; diff finds nothing")
def mirror(context):
    source, target = context.path("tree", ""), context.path("back", "")
    contents = make_tree(source)
    mc(context, "mirror", source, f"apus/{BUCKET}/tree")
    os.remove(os.path.join(source, "zz/2"))
    del contents["zz/2"]
    mc(context, "mirror", "--overwrite", "--remove", source, f"apus/{BUCKET}/tree")
    equal(mc(context, "diff", source, f"apus/{BUCKET}/tree"), b"", "differences")
    mc(context, "mirror", f"apus/{BUCKET}/tree", target)
    expect(tree(target) == contents, f"trees differ: {sorted(tree(target))}")


@case("put and get, in parts and at once; head, cat from an offset, od in parts")
def whole(context):
    body = random_bytes(12 * MEBIBYTE + 5)
    with open(context.path("whole"), "wb") as file:
        file.write(body)
    mc(context, "put", "--parallel", "3", "--part-size", "5MiB", context.path("whole"), f"apus/{BUCKET}/whole")
    expect(entries(mc(context, "stat", f"apus/{BUCKET}/whole"))[0]["etag"].endswith("-3"), "three parts")
    mc(context, "get", f"apus/{BUCKET}/whole", context.path("whole.back"))
    with open(context.path("whole.back"), "rb") as file:
        expect(file.read() == body, "content differs")
    mc(context, "pipe", "--attr", "Content-Type=text/x-lines", f"apus/{BUCKET}/lines", data=b"one\ntwo\nthree\n")
    equal(mc(context, "head", "-n", "2", f"apus/{BUCKET}/lines"), b"one\ntwo\n", "first lines")
    equal(mc(context, "cat", "--offset", "4", f"apus/{BUCKET}/lines"), b"two\nthree\n", "from an offset")
    equal(mc(context, "cat", "--tail", "6", f"apus/{BUCKET}/lines"), b"three\n", "the end")
    place = f"apus/{BUCKET}/od"
    told = entries(mc(context, "od", f"if={context.path('whole')}", f"of={place}", "size=5MiB", "parts=3"))[0]
    equal((told["totalSize"], told["parts"]), (len(body), 3), "od")
    equal(entries(mc(context, "stat", place))[0]["size"], len(body), "size")


@case("cp with headers, metadata, tags and class; within the store, whole trees; mv; what stat, ls, du and find say")
def copies(context):
    with open(context.path("plain"), "wb") as file:
        file.write(b"plain")
    attributes = "Cache-Control=max-age=9;X-Amz-Meta-Colour=red"
    more = ["--attr", attributes, "--tags", "a=1&b=2", "--storage-class", "REDUCED_REDUNDANCY"]
    mc(context, "cp", *more, context.path("plain"), f"apus/{BUCKET}/copies/first")
    mc(context, "cp", f"apus/{BUCKET}/copies/first", f"apus/{BUCKET}/copies/second")
    for name in ("first", "second"):
        found = entries(mc(context, "stat", f"apus/{BUCKET}/copies/{name}"))[0]
        told = {key.lower(): value for key, value in found["metadata"].items()}
        equal((told["cache-control"], told["x-amz-meta-colour"]), ("max-age=9", "red"), f"metadata of {name}")
        tags = entries(mc(context, "tag", "list", f"apus/{BUCKET}/copies/{name}"))[0]["tagset"]
        equal(tags, {"a": "1", "b": "2"}, f"tags of {name}")
    listed = {entry["key"]: entry for entry in entries(mc(context, "ls", f"apus/{BUCKET}/copies/"))}
    equal(listed["first"]["storageClass"], "REDUCED_REDUNDANCY", "class")
    mc(context, "cp", "--recursive", f"apus/{BUCKET}/copies/", f"apus/{BUCKET}/again/")
    mc(context, "mv", f"apus/{BUCKET}/again/first", f"apus/{BUCKET}/again/moved")
    names = sorted(entry["key"] for entry in entries(mc(context, "ls", "--recursive", f"apus/{BUCKET}/again/")))
    equal(names, ["moved", "second"], "names after mv")
    told = entries(mc(context, "du", f"apus/{BUCKET}/again"))[0]
    equal((told["size"], told["objects"]), (10, 2), "du")
    found = entries(mc(context, "find", f"apus/{BUCKET}", "--name", "mov*", "--smaller", "1KiB"))
    equal([entry["key"] for entry in found], [f"apus/{BUCKET}/again/moved"], "find")
    found = entries(mc(context, "diff", f"apus/{BUCKET}/copies", f"apus/{BUCKET}/again"))
    equal(sorted((entry["first"] + entry["second"]).rpartition("/")[2] for entry in found), ["first", "moved"], "diff")


@case("tags, anonymous access, share download and upload, lifecycle, notifications")
def settings(context):
    mc(context, "mv", f"apus/{BUCKET}/files/pipe", f"apus/{BUCKET}/moved")
    for place in (f"apus/{BUCKET}/moved", f"apus/{BUCKET}"):
        mc(context, "tag", "set", place, "colour=red")
        equal(entries(mc(context, "tag", "list", place))[0]["tagset"], {"colour": "red"}, "tags")
        mc(context, "tag", "remove", place)
    mc(context, "anonymous", "set", "download", f"apus/{BUCKET}/again")
    equal(entries(mc(context, "anonymous", "get", f"apus/{BUCKET}/again"))[0]["permission"], "download", "access")
    equal(requests.get(f"{context.endpoint}/{BUCKET}/again/moved", timeout=10).content, b"plain", "anonymous get")
    equal(requests.get(f"{context.endpoint}/{BUCKET}/moved", timeout=10).status_code, 403, "get of another")
    mc(context, "anonymous", "set", "none", f"apus/{BUCKET}/again")
    equal(requests.get(f"{context.endpoint}/{BUCKET}/again/moved", timeout=10).status_code, 403, "get without policy")
    link = entries(mc(context, "share", "download", "--expire", "1h", f"apus/{BUCKET}/moved"))[0]["share"]
    equal(requests.get(link, timeout=10).content, b"from a pipe", "shared download")
    upload = shlex.split(entries(mc(context, "share", "upload", f"apus/{BUCKET}/shared"))[0]["share"])
    fields = dict(field.split("=", 1) for field in upload if "=" in field and not field.startswith("http"))
    fields.pop("file", None)
    url = next(field for field in upload if field.startswith("http"))
    answer = requests.post(url, data=fields, files={"file": b"uploaded"}, timeout=10)
    expect(answer.ok, f"shared upload: {answer.status_code} {answer.text[:300]}")
    equal(mc(context, "cat", f"apus/{BUCKET}/shared"), b"uploaded", "content")
    mc(context, "ilm", "rule", "add", "--expire-days", "9", "--prefix", "logs/", f"apus/{BUCKET}")
    expect(b"logs/" in mc(context, "ilm", "rule", "export", f"apus/{BUCKET}"), "rule")
    mc(context, "ilm", "rule", "rm", "--all", "--force", f"apus/{BUCKET}")
    mc(context, "ilm", "rule", "ls", f"apus/{BUCKET}", fails=True)
    notifications(context)


def notifications(context):
    """Only where services are: a store alone has no targets."""
    if context.server is None:
        return
    context.server.create_service("mc-service", "true\n")
    try:
        arn = "arn:minio:sqs::mc-service:webhook"
        mc(context, "event", "add", f"apus/{BUCKET}", arn, "--event", "put,delete", "--prefix", "in/", "--suffix", ".x")
        told = entries(mc(context, "event", "ls", f"apus/{BUCKET}"))[0]
        equal((told["arn"], told["prefix"], told["suffix"]), (arn, "in/", ".x"), "notification")
        equal(sorted(told["event"]), ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"], "events")
        mc(context, "event", "add", f"apus/{BUCKET}", "arn:minio:sqs::nobody:webhook", "--event", "put", fails=True)
        mc(context, "event", "rm", "--force", f"apus/{BUCKET}")
        equal(mc(context, "event", "ls", f"apus/{BUCKET}"), b"", "notifications after removal")
    finally:
        context.server.remove_service("mc-service")


@case("versions: mb --with-versioning, enable, suspend, ls, cat and undo")
def versions(context):
    mc(context, "version", "enable", f"apus/{BUCKET}")
    equal(entries(mc(context, "version", "info", f"apus/{BUCKET}"))[0]["versioning"]["status"], "Enabled", "status")
    mc(context, "pipe", f"apus/{BUCKET}/moved", data=b"second")
    mc(context, "rm", f"apus/{BUCKET}/moved")
    found = entries(mc(context, "ls", "--versions", f"apus/{BUCKET}/moved"))
    equal(len(found), 3, "versions")
    oldest = min(found, key=lambda entry: entry["versionOrdinal"])["versionId"]
    equal(mc(context, "cat", "--version-id", oldest, f"apus/{BUCKET}/moved"), b"from a pipe", "the oldest version")
    mc(context, "undo", f"apus/{BUCKET}/moved")
    equal(mc(context, "cat", f"apus/{BUCKET}/moved"), b"second", "content after undo")
    mc(context, "version", "suspend", f"apus/{BUCKET}")
    mc(context, "mb", "--with-versioning", f"apus/{BUCKET}-versions")
    info = entries(mc(context, "version", "info", f"apus/{BUCKET}-versions"))[0]
    equal(info["versioning"]["status"], "Enabled", "status")
    mc(context, "rb", f"apus/{BUCKET}-versions")


@case("what there is not says so: locks, encryption, other storage tiers, queries")
def refusals(context):
    for arguments in (
        ["mb", "--with-lock", f"apus/{BUCKET}-lock"],
        ["encrypt", "set", "sse-s3", f"apus/{BUCKET}"],
        ["ilm", "rule", "add", "--transition-days", "3", "--transition-tier", "COLD", f"apus/{BUCKET}"],
    ):
        expect("mplement" in mc(context, *arguments, fails=True), f"says that it is not implemented: {arguments}")
    mc(context, "retention", "set", "--default", "governance", "3d", f"apus/{BUCKET}", fails=True)
    mc(context, "legalhold", "set", f"apus/{BUCKET}/moved", fails=True)
    said = mc(context, "sql", "--query", "select * from s3object", f"apus/{BUCKET}/moved")
    expect(b"NotImplemented" in said, "sql says that it is not implemented")


@case("rm --recursive --versions, rb; what is not there")
def removal(context):
    mc(context, "rb", f"apus/{BUCKET}", fails=True)
    mc(context, "rm", "--recursive", "--versions", "--force", f"apus/{BUCKET}/")
    mc(context, "rb", f"apus/{BUCKET}")
    expect("does not exist" in mc(context, "ls", f"apus/{BUCKET}", fails=True), "ls of no bucket")
