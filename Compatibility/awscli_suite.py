"""aws-cli: files, trees, pipes, multipart by hand."""

import json
import os
import subprocess
import time
import urllib.request

from cases import case, equal, expect, random_bytes

BUCKET = "awscli-main"
MEBIBYTE = 1024 * 1024


def aws(context, *arguments, fails=False, data=None):
    """Runs aws and returns what it printed."""
    environment = dict(
        os.environ,
        AWS_ACCESS_KEY_ID=context.access_key,
        AWS_SECRET_ACCESS_KEY=context.secret_key,
        AWS_DEFAULT_REGION="us-east-1",
        AWS_CONFIG_FILE="/dev/null",
        AWS_SHARED_CREDENTIALS_FILE="/dev/null",
        AWS_MAX_ATTEMPTS="1",
        AWS_PAGER="",
    )
    command = [context.tool("aws"), "--endpoint-url", context.endpoint, "--output", "json", *arguments]
    run = subprocess.run(command, env=environment, input=data, capture_output=True, timeout=120)
    text = " ".join(arguments)
    if fails:
        expect(run.returncode != 0, f"aws {text} succeeded")
        return run.stderr.decode()
    expect(run.returncode == 0, f"aws {text}: exit {run.returncode}: {run.stderr.decode()[-400:]}")
    return run.stdout


def tree(folder):
    """Names and contents of a directory."""
    found = {}
    for path, _, names in os.walk(folder):
        for name in names:
            full = os.path.join(path, name)
            with open(full, "rb") as file:
                found[os.path.relpath(full, folder)] = file.read()
    return found


def make_tree(folder):
    """Some files in folders, with names and sizes that are not plain."""
    contents = {
        "a.txt": b"alpha",
        "empty": b"",
        "sub/b c.txt": b"blank",
        "sub/deep/ü+%.bin": random_bytes(70_000),
        "sub/deep/large.bin": random_bytes(9 * MEBIBYTE + 1),
        "zz/1": b"1",
        "zz/2": b"2",
    }
    for name, body in contents.items():
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(body)
        # Older than the upload by far: S3 tells times in whole seconds, and aws takes a younger file for changed.
        os.utime(path, (time.time() - 60, time.time() - 60))
    return contents


@case("mb, ls, cp up and down: small, empty, 20 MiB in parts")
def copies(context):
    aws(context, "s3", "mb", f"s3://{BUCKET}")
    expect(BUCKET.encode() in aws(context, "s3", "ls"), "the bucket is listed")
    for name, size in (("small", 1000), ("empty", 0), ("large", 20 * MEBIBYTE + 7)):
        body = random_bytes(size)
        with open(context.path(name), "wb") as file:
            file.write(body)
        aws(context, "s3", "cp", "--no-progress", context.path(name), f"s3://{BUCKET}/cp/{name} ü+")
        aws(context, "s3", "cp", "--no-progress", f"s3://{BUCKET}/cp/{name} ü+", context.path(f"{name}.back"))
        with open(context.path(f"{name}.back"), "rb") as file:
            expect(file.read() == body, f"{name} differs")
    listing = aws(context, "s3", "ls", f"s3://{BUCKET}/cp/").decode()
    expect(f"{20 * MEBIBYTE + 7} large ü+" in listing, f"listing: {listing}")


@case("cp from and to pipes")
def pipes(context):
    body = random_bytes(10 * MEBIBYTE)
    aws(context, "s3", "cp", "-", f"s3://{BUCKET}/pipe", data=body)
    expect(aws(context, "s3", "cp", f"s3://{BUCKET}/pipe", "-") == body, "content differs")


@case("sync a tree up, again (nothing to do), changed, with --delete, and down")
def sync(context):
    source, target = context.path("tree", ""), context.path("tree-back", "")
    contents = make_tree(source)
    aws(context, "s3", "sync", "--no-progress", source, f"s3://{BUCKET}/tree")
    equal(aws(context, "s3", "sync", "--no-progress", source, f"s3://{BUCKET}/tree").decode(), "", "second sync")
    aws(context, "s3", "sync", "--no-progress", f"s3://{BUCKET}/tree", target)
    expect(tree(target) == contents, f"trees differ: {sorted(tree(target))}")
    with open(os.path.join(source, "a.txt"), "wb") as file:
        file.write(b"alpha, changed")
    os.remove(os.path.join(source, "zz/1"))
    said = aws(context, "s3", "sync", "--no-progress", "--delete", source, f"s3://{BUCKET}/tree").decode()
    expect("upload" in said and "delete" in said and said.count("\n") == 2, f"changes: {said}")
    expect(aws(context, "s3", "cp", f"s3://{BUCKET}/tree/a.txt", "-") == b"alpha, changed", "changed file")
    listing = aws(context, "s3", "ls", "--recursive", f"s3://{BUCKET}/tree/").decode()
    equal(len(listing.splitlines()), len(contents) - 1, "objects left")


@case("mv, and cp between keys and buckets")
def moves(context):
    aws(context, "s3", "mb", f"s3://{BUCKET}-2")
    aws(context, "s3", "cp", "--recursive", "--no-progress", f"s3://{BUCKET}/tree", f"s3://{BUCKET}-2/copy")
    aws(context, "s3", "mv", "--no-progress", f"s3://{BUCKET}-2/copy/a.txt", f"s3://{BUCKET}-2/moved.txt")
    expect(aws(context, "s3", "cp", f"s3://{BUCKET}-2/moved.txt", "-") == b"alpha, changed", "moved file")
    aws(context, "s3", "ls", f"s3://{BUCKET}-2/copy/a.txt", fails=True)


@case("presign")
def presign(context):
    url = aws(context, "s3", "presign", f"s3://{BUCKET}/tree/sub/b c.txt", "--expires-in", "60").decode().strip()
    with urllib.request.urlopen(url, timeout=10) as answer:
        equal(answer.read(), b"blank", "content")


@case("s3api: multipart by hand, head, ranges, conditional, attributes of the listing")
def api(context):
    place = ["--bucket", BUCKET, "--key", "by-hand"]
    bodies = [random_bytes(5 * MEBIBYTE), b"tail"]
    upload = json.loads(aws(context, "s3api", "create-multipart-upload", *place))["UploadId"]
    parts = []
    for number, body in enumerate(bodies, 1):
        with open(context.path(f"part{number}"), "wb") as file:
            file.write(body)
        answer = json.loads(
            aws(
                context,
                "s3api",
                "upload-part",
                *place,
                "--upload-id",
                upload,
                "--part-number",
                str(number),
                "--body",
                context.path(f"part{number}"),
            )
        )
        parts.append({"PartNumber": number, "ETag": answer["ETag"]})
    listed = json.loads(aws(context, "s3api", "list-parts", *place, "--upload-id", upload))["Parts"]
    equal([part["Size"] for part in listed], [5 * MEBIBYTE, 4], "sizes")
    aws(
        context,
        "s3api",
        "complete-multipart-upload",
        *place,
        "--upload-id",
        upload,
        "--multipart-upload",
        json.dumps({"Parts": parts}),
    )
    head = json.loads(aws(context, "s3api", "head-object", *place))
    equal(head["ContentLength"], 5 * MEBIBYTE + 4, "length")
    aws(context, "s3api", "get-object", *place, "--range", "bytes=5242878-", context.path("range"))
    with open(context.path("range"), "rb") as file:
        equal(file.read(), bodies[0][-2:] + b"tail", "range")
    error = aws(
        context, "s3api", "get-object", *place, "--if-none-match", head["ETag"], context.path("none"), fails=True
    )
    expect("304" in error, f"conditional get: {error}")
    error = aws(
        context, "s3api", "get-object", "--bucket", BUCKET, "--key", "never", context.path("none"), fails=True
    )
    expect("NoSuchKey" in error, f"missing key: {error}")


@case("rm --recursive, rb, rb --force")
def removal(context):
    aws(context, "s3", "rm", "--recursive", f"s3://{BUCKET}/tree/")
    aws(context, "s3", "ls", "--recursive", f"s3://{BUCKET}/tree/", fails=True)
    aws(context, "s3", "rb", f"s3://{BUCKET}", fails=True)
    aws(context, "s3", "rb", "--force", f"s3://{BUCKET}")
    aws(context, "s3", "rb", "--force", f"s3://{BUCKET}-2")
    expect(BUCKET.encode() not in aws(context, "s3", "ls"), "the bucket is still listed")
