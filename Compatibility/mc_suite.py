"""MinIO's client for the command line, where it is installed: Debian has it as minio-client from version 13 on."""

import json
import os
import shutil
import subprocess

from awscli_suite import make_tree, tree
from cases import Skip, case, equal, expect, random_bytes

BUCKET = "mc-main"
MEBIBYTE = 1024 * 1024


def program():
    """MinIO's client; `mc` alone is often another program, a file manager."""
    for name in ("minio-client", "mcli", "mc"):
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
    command = [program(), "--json", *arguments]
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


@case("mv, tags, versions, anonymous access, share, lifecycle")
def settings(context):
    mc(context, "mv", f"apus/{BUCKET}/files/pipe", f"apus/{BUCKET}/moved")
    mc(context, "tag", "set", f"apus/{BUCKET}/moved", "colour=red")
    equal(entries(mc(context, "tag", "list", f"apus/{BUCKET}/moved"))[0]["tagset"], {"colour": "red"}, "tags")
    mc(context, "anonymous", "set", "download", f"apus/{BUCKET}")
    equal(entries(mc(context, "anonymous", "get", f"apus/{BUCKET}"))[0]["permission"], "download", "access")
    mc(context, "anonymous", "set", "none", f"apus/{BUCKET}")
    expect("http" in entries(mc(context, "share", "download", f"apus/{BUCKET}/moved"))[0]["share"], "share")
    mc(context, "ilm", "rule", "add", "--expire-days", "9", "--prefix", "logs/", f"apus/{BUCKET}")
    expect(b"logs/" in mc(context, "ilm", "rule", "export", f"apus/{BUCKET}"), "rule")
    mc(context, "version", "enable", f"apus/{BUCKET}")
    mc(context, "pipe", f"apus/{BUCKET}/moved", data=b"second")
    mc(context, "rm", f"apus/{BUCKET}/moved")
    equal(len(entries(mc(context, "ls", "--versions", f"apus/{BUCKET}/moved"))), 3, "versions")
    mc(context, "undo", f"apus/{BUCKET}/moved")
    equal(mc(context, "cat", f"apus/{BUCKET}/moved"), b"second", "content after undo")


@case("rm --recursive --versions, rb; what is not there")
def removal(context):
    mc(context, "rb", f"apus/{BUCKET}", fails=True)
    mc(context, "rm", "--recursive", "--versions", "--force", f"apus/{BUCKET}/")
    mc(context, "rb", f"apus/{BUCKET}")
    expect("does not exist" in mc(context, "ls", f"apus/{BUCKET}", fails=True), "ls of no bucket")
