"""rclone: copy, check, sync, listing, pipes, multipart."""

import json
import os
import subprocess

from awscli_suite import make_tree, tree
from cases import case, equal, expect, random_bytes

BUCKET = "rclone-main"
MEBIBYTE = 1024 * 1024


def rclone(context, *arguments, fails=False, data=None):
    """Runs rclone with the store as remote `apus:` and returns what it printed."""
    environment = dict(
        os.environ,
        RCLONE_CONFIG="/dev/null",
        RCLONE_CONFIG_APUS_TYPE="s3",
        RCLONE_CONFIG_APUS_PROVIDER="Other",
        RCLONE_CONFIG_APUS_ENDPOINT=context.endpoint,
        RCLONE_CONFIG_APUS_ACCESS_KEY_ID=context.access_key,
        RCLONE_CONFIG_APUS_SECRET_ACCESS_KEY=context.secret_key,
        RCLONE_CONFIG_APUS_REGION="us-east-1",
        RCLONE_CONFIG_APUS_FORCE_PATH_STYLE="true",
    )
    command = [
        context.tool("rclone"),
        "--retries",
        "1",
        "--low-level-retries",
        "1",
        "--s3-upload-cutoff",
        "6M",
        "--s3-chunk-size",
        "5M",
        *arguments,
    ]
    run = subprocess.run(command, env=environment, input=data, capture_output=True, timeout=120)
    text = " ".join(arguments)
    if fails:
        expect(run.returncode != 0, f"rclone {text} succeeded")
        return run.stderr.decode()
    expect(run.returncode == 0, f"rclone {text}: exit {run.returncode}: {run.stderr.decode()[-600:]}")
    return run.stdout


@case("mkdir, copy a tree up, check --download, copy it down")
def copies(context):
    source, target = context.path("tree", ""), context.path("back", "")
    contents = make_tree(source)
    rclone(context, "mkdir", f"apus:{BUCKET}")
    rclone(context, "copy", source, f"apus:{BUCKET}/tree")
    rclone(context, "check", source, f"apus:{BUCKET}/tree")
    rclone(context, "check", "--download", source, f"apus:{BUCKET}/tree")
    rclone(context, "copy", f"apus:{BUCKET}/tree", target)
    expect(tree(target) == contents, f"trees differ: {sorted(tree(target))}")


@case("modification times are kept: a second copy transfers nothing")
def times(context):
    source = context.path("tree", "")
    said = subprocess_log(context, source)
    expect("Copied" not in said, f"second copy: {said[-400:]}")


def subprocess_log(context, source):
    log = context.path("rclone.log")
    rclone(context, "--log-file", log, "--log-level", "INFO", "copy", source, f"apus:{BUCKET}/tree")
    with open(log, encoding="utf-8") as file:
        return file.read()


@case("lsf, lsjson, size")
def listing(context):
    names = rclone(context, "lsf", "--recursive", "--files-only", f"apus:{BUCKET}/tree").decode().splitlines()
    equal(sorted(names), sorted(tree(context.path("tree", ""))), "names")
    equal(
        rclone(context, "lsf", f"apus:{BUCKET}/tree").decode().splitlines(), ["a.txt", "empty", "sub/", "zz/"], "top"
    )
    size = json.loads(rclone(context, "size", "--json", f"apus:{BUCKET}/tree"))
    equal((size["count"], size["bytes"]), (7, sum(map(len, tree(context.path("tree", "")).values()))), "size")


@case("rcat and cat: streams of unknown length, small and in parts")
def pipes(context):
    for size in (0, 100, 11 * MEBIBYTE):
        body = random_bytes(size)
        rclone(context, "rcat", f"apus:{BUCKET}/stream {size}", data=body)
        expect(rclone(context, "cat", f"apus:{BUCKET}/stream {size}") == body, f"{size} bytes differ")
    equal(
        rclone(context, "cat", "--offset", "5", "--count", "7", f"apus:{BUCKET}/stream 100"),
        rclone(context, "cat", f"apus:{BUCKET}/stream 100")[5:12],
        "range",
    )


@case("sync with changes and deletions, moveto, server-side copy")
def sync(context):
    source = context.path("tree", "")
    with open(os.path.join(source, "a.txt"), "wb") as file:
        file.write(b"changed")
    os.remove(os.path.join(source, "zz/2"))
    rclone(context, "sync", source, f"apus:{BUCKET}/tree")
    rclone(context, "check", "--download", source, f"apus:{BUCKET}/tree")
    rclone(context, "copyto", f"apus:{BUCKET}/tree/a.txt", f"apus:{BUCKET}/copy/ü + x.txt")
    rclone(context, "moveto", f"apus:{BUCKET}/tree/a.txt", f"apus:{BUCKET}/moved.txt")
    equal(rclone(context, "cat", f"apus:{BUCKET}/moved.txt"), b"changed", "moved file")
    equal(rclone(context, "cat", f"apus:{BUCKET}/copy/ü + x.txt"), b"changed", "copied file")
    equal(rclone(context, "lsf", f"apus:{BUCKET}/tree").decode().splitlines(), ["empty", "sub/", "zz/"], "tree")


@case("delete, purge")
def removal(context):
    rclone(context, "delete", f"apus:{BUCKET}/tree/sub")
    left = sorted(rclone(context, "lsf", "-R", f"apus:{BUCKET}/tree").decode().splitlines())
    equal(left, ["empty", "zz/", "zz/1"], "left")
    rclone(context, "purge", f"apus:{BUCKET}")
    rclone(context, "lsf", f"apus:{BUCKET}", fails=True)
