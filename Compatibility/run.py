#!/usr/bin/env python3
"""Runs the suites of foreign clients against a live Apus.

    run.py [--verbose] [--keep] [--only TEXT] [SUITE...]
    run.py --s3 URL --access-key K --secret-key K [SUITE...]      the object store's suites against another server

The environment variable APUS names the binary. The suite "conformance" stands for all that hold the object store to
S3, topic by topic. Each line says pass, FAIL or skip; the last line is the count; the exit status is 1 when a case
failed.
"""

import argparse
import importlib
import os
import shutil
import signal
import sys
import tempfile

import apus
import cases

TOPICS = ["auth", "link", "chunked", "form", "bucket", "config", "policy", "version"]
TOPICS += ["object", "key", "copy", "list", "multipart", "upload", "error"]
CONFORMANCE = [f"s3_conformance_{topic}" for topic in TOPICS]
STORE = [
    "boto3",
    "streaming",
    "s3_operations",
    *CONFORMANCE,
    "awscli",
    "minio",
    "rclone",
    "s3cmd",
    "arrow",
    "mc",
    "differential",
]
CLUSTER = ["cors", "notification", "full_disk", "store", "oscar_python", "invocation", "webdav", "foreign_store"]
CLUSTER += ["server_mode", "two_clusters", "bad_link", "crash", "pressure", "identity"]


class Context:
    """What a suite works on: a server (or only its object store), and a directory of its own for files."""

    # How much the differential suite does.
    seeds, operations = 2, 400

    def __init__(self, folder, server=None, endpoint=None, access_key=None, secret_key=None):
        self.root = folder
        self.folder = folder
        self.server = server
        self.endpoint = server.s3 if server else endpoint
        self.access_key = server.access_key if server else access_key
        self.secret_key = server.secret_key if server else secret_key
        self.tools = os.path.dirname(sys.executable)

    def enter(self, suite):
        """Makes the directory of a suite."""
        self.folder = os.path.join(self.root, suite)
        os.makedirs(self.folder, exist_ok=True)

    def boto(self, **options):
        return apus.s3_client(self.endpoint, self.access_key, self.secret_key, **options)

    def path(self, *parts):
        """A path in the suite's directory, whose parent is there."""
        path = os.path.join(self.folder, *parts)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return path

    def tool(self, name):
        """A program of the virtual environment."""
        path = os.path.join(self.tools, name)
        if not os.path.exists(path):
            raise cases.Skip(f"{name} is not installed in .venv")
        return path


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=" ".join(STORE + CLUSTER))
    parser.add_argument("--only", help="run cases whose title has this text")
    parser.add_argument("--verbose", action="store_true", help="show where a case failed")
    parser.add_argument("--keep", action="store_true", help="keep the directory with data and logs")
    parser.add_argument("--seeds", type=int, default=Context.seeds, help="random sequences of the differential suite")
    parser.add_argument("--operations", type=int, default=Context.operations, help="how long each of them is")
    parser.add_argument("--s3", metavar="URL", help="test another object store instead of Apus")
    parser.add_argument("--access-key", default="access")
    parser.add_argument("--secret-key", default="secret")
    options = parser.parse_args()
    known = STORE if options.s3 else STORE + CLUSTER
    if "conformance" in options.suites:
        at = options.suites.index("conformance")
        options.suites[at : at + 1] = CONFORMANCE
    options.suites = options.suites or known
    for suite in options.suites:
        if suite not in known:
            parser.error(f"unknown suite {suite}; there are {' '.join(known)}")
    if not options.s3 and not os.access(os.environ.get("APUS", ""), os.X_OK):
        parser.error("the environment variable APUS must name the built binary")
    return options


def main():
    options = arguments()
    # Ends in order, so that no server stays behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = tempfile.mkdtemp(prefix="apus-compatibility-")
    count = cases.Count(options.verbose)
    server = None
    try:
        if options.s3:
            context = Context(
                folder, endpoint=options.s3, access_key=options.access_key, secret_key=options.secret_key
            )
        else:
            server = apus.Apus("one", folder)
            seconds = server.start()
            print(f"Apus is ready after {seconds * 1000:.0f} ms at {server.api} and {server.s3}", flush=True)
            context = Context(folder, server)
        context.seeds, context.operations = options.seeds, options.operations
        for name in options.suites:
            context.enter(name)
            count.run(importlib.import_module(f"{name}_suite"), context, options.only)
            if server and server.process.poll() is not None:
                count.failed.append(f"{name}: the server is alive")
                print(
                    f"FAIL  {name}: the server ended with {server.process.returncode}; starting it again", flush=True
                )
                server.start()
        if server and server.stop() != 0:
            count.failed.append("SIGTERM ends the server with 0")
            print("FAIL  SIGTERM does not end the server with status 0", flush=True)
    finally:
        if server and server.process:
            server.stop()
        if options.keep or count.failed:
            if server and count.failed:
                print(f"last lines of {server.log}:\n{server.log_tail(15)}")
            print(f"data and logs are in {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    if count.failed:
        print("failed:")
        for title in count.failed:
            print(f"  {title}")
    if count.skipped:
        print(f"{count.skipped} skipped")
    print(f"{count.passed} passed, {len(count.failed)} failed")
    sys.exit(1 if count.failed else 0)


main()
