"""What the parts share: the compiled programs, servers, wrk, and services in the three modes."""

import contextlib
import json
import os
import shlex
import shutil
import statistics
import subprocess
import sys

import load
import measuring
import peers
import server

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
# Where the module `apus_function` lies, to call a function without Apus.
HELPERS = os.path.join(ROOT, "Helpers", "python")
FUNCTIONS = os.path.join(HERE, "functions")
# Admission is not what is measured: it sees more processors than there are, so that instances can have one each.
FLAGS = ("--cpu", "64")
# 1 KiB that is neither base64 nor plain in JSON.
BODY = ('{"n": 1, "text": "Grüße,\tau revoir\\n"}\n' * 30).encode()[:1023] + b"\n"


class Warm(measuring.Bench):
    """A run of the benchmark."""

    def __init__(self, options, folder):
        super().__init__(options, folder)
        self.rounds, self.seconds = (1, 1) if options.quick else (3, 4)
        self.numbers = {}
        self.tools = self.place("tools")
        self.floors = self.compile("floors.c")
        self.echo = self.compile("functions/echo.c")
        self.body = os.path.join(self.tools, "body")
        with open(self.body, "wb") as file:
            file.write(BODY)

    def compile(self, source, *flags, name=None):
        """Compiles a program of this directory; its path."""
        program = os.path.join(self.tools, name or os.path.basename(source).removesuffix(".c"))
        load.compile_c(os.path.join(HERE, source), program, *flags)
        return program

    def keep(self, name, value):
        """Notes a raw number (or numbers) for --json."""
        self.numbers[name] = value
        return value

    def floor(self, *words):
        """What floors.c measures."""
        done = subprocess.run([self.floors, *map(str, words)], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"floors {words[0]}: {done.stderr.strip()[-500:]}")
        return json.loads(done.stdout)

    def spawned(self, in_flight, *command):
        """Starts of a program and its end, so many at once."""
        return self.floor("spawn", in_flight, self.seconds, *command)

    def side_by_side(self, measures, suffix):
        """Measures one after the other, some rounds of all: the machine's neighbours come and go, and so hit each alike.

        What is given and what comes back goes by name; of the rounds the one whose rate is in the middle.
        """
        rounds = [{name: measure() for name, measure in measures.items()} for _ in range(self.rounds)]
        found = {}
        for name in measures:
            ordered = sorted((one[name] for one in rounds), key=lambda counted: counted["rate"])
            found[name] = self.keep(f"{name}, {suffix}", ordered[len(ordered) // 2])
        return found

    def wrk(self, url, connections, *request):
        """Load by wrk: the request is a method, the body's path or "-", and pairs of headers."""
        if shutil.which("wrk") is None:
            raise RuntimeError("wrk is not installed: scripts/install-deps.sh bench")
        command = ["wrk", "-t", str(min(2, connections)), "-c", str(connections), "-d", f"{self.seconds}s", "--timeout", "30s",
                   "-s", os.path.join(HERE, "load.lua"), url, "--", *request]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=self.seconds + 120)
        if done.returncode != 0:
            raise RuntimeError(f"wrk: {(done.stderr or done.stdout).strip()[-500:]}")
        counted = json.loads(done.stdout.strip().splitlines()[-1])
        if counted["refused"] or counted["broken"]:
            raise RuntimeError(
                f"{url}: of {counted['count']} answers {counted['refused']} were no success, {counted['broken']} did not come")
        return counted

    def load(self, peer, url, connections, *request):
        """Load by wrk on a server; also the processor time of all its processes a request."""
        before = peer.cpu_seconds()
        counted = self.wrk(url, connections, *request)
        counted["cpu"] = (peer.cpu_seconds() - before) / counted["count"]
        return counted

    def load_run(self, apus, service, connections):
        """Load by wrk on a service's /run with 1 KiB; processor time a call is that of Apus without its instances."""
        caller = server.Caller(apus.server, service)
        request = ["POST", self.body]
        for pair in caller.headers.items():
            request += pair
        caller.check(BODY, BODY)
        before = apus.server.cpu_seconds()
        counted = self.wrk(f"http://127.0.0.1:{apus.server.api_port}{caller.path}", connections, *request)
        counted["cpu"] = (apus.server.cpu_seconds() - before) / counted["count"]
        caller.check(BODY, BODY)
        return counted

    @contextlib.contextmanager
    def running(self, peer):
        """The server, started; it ends with the block, whatever happens."""
        try:
            peer.start()
            yield peer
        finally:
            peer.stop()

    def apus(self, sandbox="process"):
        """A server, running for a block."""
        return self.running(peers.Apus(self.place("apus"), self.binary, "always", (*FLAGS, "--sandbox", sandbox)))


def make_service(apus, name, script, mode="script", instances=None, **fields):
    """Creates a service, and makes sure that this Apus knows what it asks for."""
    api = apus.server.api()
    wanted = {"mode": mode, **({"instances": instances} if instances else {}), **fields}
    api.create_service(
        name, f"#!/bin/sh\n{script}\n", **{"cpu": "1", "log_level": "CRITICAL", **wanted})
    kept = api.service(name)
    missing = [key for key in ("mode", "instances", "server") if key in wanted and key not in kept]
    # A default need not be told back.
    if mode == "script" and "mode" in missing:
        missing.remove("mode")
    if missing:
        raise RuntimeError(f"this Apus has no {' and no '.join(missing)} (service {name}, mode {mode})")


def command(*words):
    """A script that is replaced by this program."""
    return "exec " + shlex.join(words)


def python_function(name, *words, python=None):
    """A script that runs one of the functions in Python."""
    return command(python or sys.executable, os.path.join(FUNCTIONS, name), *words)


def rate(counted):
    return f"{counted['rate']:,.0f}/s"


def time_text(seconds):
    """A time with a unit that suits it."""
    return f"{seconds * 1e6:.0f} µs" if seconds < 0.001 else f"{seconds * 1e3:.2f} ms" if seconds < 1 else f"{seconds:.2f} s"


def latencies(counted):
    """p50 and p99, and the processor time of the server where it was counted."""
    times = f"p50 {time_text(counted['p50'])}, p99 {time_text(counted['p99'])}"
    return f"{times}, {time_text(counted['cpu'])} of processor time each" if "cpu" in counted else times


def median(values):
    return statistics.median(values)
