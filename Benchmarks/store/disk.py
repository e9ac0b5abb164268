"""What the machine itself does: the disk with fio, and hashing alone."""

import hashlib
import json
import os
import shutil
import subprocess
import time


def fio(folder, *flags):
    """Runs one fio job on a file in the folder; its write part."""
    if shutil.which("fio") is None:
        raise RuntimeError("fio is not installed: scripts/install-deps.sh bench")
    command = ["fio", "--name=bench", f"--directory={folder}", "--rw=write", "--output-format=json", "--group_reporting"]
    command += flags
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=180)
    finally:
        for name in os.listdir(folder):
            if name.startswith("bench."):
                os.remove(os.path.join(folder, name))
    return json.loads(done.stdout[done.stdout.index("{"):])["jobs"][0]["write"]


def sequential(folder, quick):
    """MiB/s of 1 MiB writes with one fdatasync at the end."""
    size = 256 if quick else 1024
    return fio(folder, "--bs=1M", f"--size={size}M", "--ioengine=psync", "--end_fsync=1")["bw_bytes"] / (1 << 20)


def synced(folder, quick, jobs):
    """Writes of 4 KiB a second, each with an fsync, over so many files at once."""
    return fio(
        folder, "--bs=4k", "--size=64M", "--ioengine=psync", "--fsync=1", f"--numjobs={jobs}", "--time_based",
        f"--runtime={2 if quick else 5}")["iops"]


def hashing(quick):
    """MiB/s of SHA-256 and MD5 over the same bytes, one after the other in one thread."""
    block, count = os.urandom(1 << 20), 128 if quick else 1024
    sha, md5 = hashlib.sha256(), hashlib.md5()
    begin = time.monotonic()
    for _ in range(count):
        sha.update(block)
        md5.update(block)
    return count / (time.monotonic() - begin)
