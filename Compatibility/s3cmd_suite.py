"""s3cmd: files, trees, sync, large files in parts, signed URLs, policies."""

import json
import os
import subprocess
import urllib.parse
import urllib.request

from awscli_suite import make_tree, tree
from cases import case, equal, expect, random_bytes

BUCKET = "s3cmd-main"
MEBIBYTE = 1024 * 1024


def s3cmd(context, *arguments, fails=False, data=None):
    """Runs s3cmd and returns what it printed."""
    address = urllib.parse.urlsplit(context.endpoint).netloc
    command = [
        os.path.join(context.tools, "python3"),
        context.tool("s3cmd"),
        "--config=/dev/null",
        f"--access_key={context.access_key}",
        f"--secret_key={context.secret_key}",
        f"--host={address}",
        f"--host-bucket={address}",
        "--region=us-east-1",
        "--no-ssl",
        "--no-progress",
        "--max-retries=1",
        "--multipart-chunk-size-mb=5",
        *arguments,
    ]
    run = subprocess.run(command, input=data, capture_output=True, timeout=120)
    text = " ".join(arguments)
    if fails:
        expect(run.returncode != 0, f"s3cmd {text} succeeded")
        return run.stderr.decode()
    expect(run.returncode == 0, f"s3cmd {text}: exit {run.returncode}: {run.stderr.decode()[-600:]}")
    expect(b"ERROR" not in run.stderr, f"s3cmd {text}: {run.stderr.decode()[-600:]}")
    return run.stdout.decode()


@case("mb, ls, put and get: small, empty, 12 MiB in parts, from a pipe")
def files(context):
    s3cmd(context, "mb", f"s3://{BUCKET}")
    expect(f"s3://{BUCKET}" in s3cmd(context, "ls"), "the bucket is listed")
    for name, size in (("small ü+", 1000), ("empty", 0), ("large", 12 * MEBIBYTE + 7)):
        body = random_bytes(size)
        with open(context.path(name), "wb") as file:
            file.write(body)
        s3cmd(context, "put", context.path(name), f"s3://{BUCKET}/files/{name}")
        s3cmd(context, "get", "--force", f"s3://{BUCKET}/files/{name}", context.path(f"{name}.back"))
        with open(context.path(f"{name}.back"), "rb") as file:
            expect(file.read() == body, f"{name} differs")
    s3cmd(context, "put", "-", f"s3://{BUCKET}/files/pipe", data=b"from a pipe")
    equal(s3cmd(context, "get", f"s3://{BUCKET}/files/pipe", "-"), "from a pipe", "piped content")
    listed = [line.split("s3://")[1] for line in s3cmd(context, "ls", f"s3://{BUCKET}/files/").splitlines()]
    equal(listed, [f"{BUCKET}/files/{name}" for name in ("empty", "large", "pipe", "small ü+")], "ls")
    expect(s3cmd(context, "du", f"s3://{BUCKET}/files/").split()[1] == "4", "du counts 4 objects")


@case("info, cp, mv, modify; a key that is not there")
def single(context):
    said = s3cmd(context, "info", f"s3://{BUCKET}/files/small ü+")
    expect("1000" in said and "MD5 sum" in said, f"info: {said}")
    s3cmd(context, "info", f"s3://{BUCKET}")
    s3cmd(context, "cp", f"s3://{BUCKET}/files/pipe", f"s3://{BUCKET}/copy/ü")
    s3cmd(context, "mv", f"s3://{BUCKET}/files/pipe", f"s3://{BUCKET}/moved")
    s3cmd(context, "modify", "--add-header=Cache-Control:no-cache", f"s3://{BUCKET}/moved")
    equal(context.boto().head_object(Bucket=BUCKET, Key="moved")["CacheControl"], "no-cache", "header")
    equal(s3cmd(context, "get", f"s3://{BUCKET}/moved", "-"), "from a pipe", "content")
    s3cmd(context, "info", f"s3://{BUCKET}/files/pipe", fails=True)


@case("sync: a tree up, nothing the second time, deletions, down again")
def sync(context):
    source, target = context.path("tree", ""), context.path("back", "")
    contents = make_tree(source)
    s3cmd(context, "sync", source, f"s3://{BUCKET}/tree/")
    said = s3cmd(context, "sync", source, f"s3://{BUCKET}/tree/")
    expect("upload:" not in said, f"second sync: {said}")
    os.remove(os.path.join(source, "zz/2"))
    del contents["zz/2"]
    contents["a.txt"] = b"changed content"
    with open(os.path.join(source, "a.txt"), "wb") as file:
        file.write(contents["a.txt"])
    s3cmd(context, "sync", "--delete-removed", source, f"s3://{BUCKET}/tree/")
    s3cmd(context, "sync", f"s3://{BUCKET}/tree/", target)
    expect(tree(target) == contents, f"trees differ: {sorted(tree(target))}")
    expect("download:" not in s3cmd(context, "sync", f"s3://{BUCKET}/tree/", target), "second sync down")


@case("signurl, setpolicy, delpolicy, setlifecycle, getlifecycle")
def settings(context):
    url = s3cmd(context, "signurl", f"s3://{BUCKET}/moved", "+60").strip()
    with urllib.request.urlopen(url, timeout=10) as answer:
        equal(answer.read(), b"from a pipe", "content behind the signed URL")
    statement = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{BUCKET}/moved",
    }
    with open(context.path("policy"), "w", encoding="utf-8") as file:
        json.dump({"Version": "2012-10-17", "Statement": [statement]}, file)
    s3cmd(context, "setpolicy", context.path("policy"), f"s3://{BUCKET}")
    with urllib.request.urlopen(f"{context.endpoint}/{BUCKET}/moved", timeout=10) as answer:
        equal(answer.read(), b"from a pipe", "content without signature")
    s3cmd(context, "delpolicy", f"s3://{BUCKET}")
    rule = "<ID>r</ID><Filter><Prefix>logs/</Prefix></Filter><Status>Enabled</Status><Expiration><Days>9</Days></Expiration>"
    with open(context.path("lifecycle"), "w", encoding="utf-8") as file:
        file.write(f"<LifecycleConfiguration><Rule>{rule}</Rule></LifecycleConfiguration>")
    s3cmd(context, "setlifecycle", context.path("lifecycle"), f"s3://{BUCKET}")
    expect("<Days>9</Days>" in s3cmd(context, "getlifecycle", f"s3://{BUCKET}"), "lifecycle")
    s3cmd(context, "dellifecycle", f"s3://{BUCKET}")


@case("del, del --recursive, rb; a bucket that is not empty, one that is not there")
def removal(context):
    s3cmd(context, "del", f"s3://{BUCKET}/moved")
    expect("not empty" in s3cmd(context, "rb", f"s3://{BUCKET}", fails=True), "rb of a full bucket")
    s3cmd(context, "del", "--recursive", "--force", f"s3://{BUCKET}")
    equal(s3cmd(context, "ls", "--recursive", f"s3://{BUCKET}"), "", "objects left")
    s3cmd(context, "rb", f"s3://{BUCKET}")
    expect("not exist" in s3cmd(context, "ls", f"s3://{BUCKET}", fails=True), "ls of no bucket")
