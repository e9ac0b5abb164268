"""A resident function as a process, and the side of the pipes that Apus has."""

import json
import os
import pathlib
import queue
import subprocess
import sys
import threading

ROOT = pathlib.Path(__file__).resolve().parents[2]
HELPERS = ROOT / "Helpers" / "python"
PATIENCE = 60


class Resident:
    """Starts a program; `call` gives it calls, `answer` takes what it writes, one line each."""

    def __init__(self, arguments, environment=None, folder=None):
        self.process = subprocess.Popen(
            arguments,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(HELPERS), **(environment or {})},
            cwd=folder,
            bufsize=0,
        )
        self._lines = queue.Queue()
        self._log = []
        self._readers = [
            threading.Thread(target=self._read_answers, daemon=True),
            threading.Thread(target=self._read_log, daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    @classmethod
    def python(cls, source, **more):
        return cls([sys.executable, "-c", "import apus_function, os, signal, sys, time\n" + source], **more)

    def _read_answers(self):
        with os.fdopen(os.dup(self.process.stdout.fileno()), "rb") as stream:
            for line in stream:
                self._lines.put(line)
        self._lines.put(None)

    def _read_log(self):
        with os.fdopen(os.dup(self.process.stderr.fileno()), "rb") as stream:
            for line in stream:
                self._log.append(line.decode("utf-8", "replace"))

    @property
    def log(self):
        return "".join(self._log)

    def write(self, data):
        view = memoryview(data)
        while view:
            view = view[self.process.stdin.write(view) :]

    def call(self, id, input=None, output_dir="/tmp", event=None, **more):
        call = {"id": id, "input": input, "output_dir": output_dir, "event": event, **more}
        self.write(json.dumps(call).encode() + b"\n")

    def line(self):
        """The next line that is not empty; None at the end."""
        while True:
            line = self._lines.get(timeout=PATIENCE)
            if line is None or line.strip():
                return line

    def answer(self):
        line = self.line()
        if line is None:
            raise AssertionError("no answer; the log says:\n" + self.log)
        return json.loads(line)

    def answers(self, count):
        """By id."""
        found = {}
        for _ in range(count):
            answer = self.answer()
            if answer["id"] in found:
                raise AssertionError("answered twice: %s" % answer["id"])
            found[answer["id"]] = answer
        return found

    def close(self):
        """Ends standard input; the exit code and what was still answered."""
        if not self.process.stdin.closed:
            self.process.stdin.close()
        code = self.process.wait(timeout=PATIENCE)
        for reader in self._readers:
            reader.join(timeout=PATIENCE)
        rest = []
        while True:
            line = self.line()
            if line is None:
                break
            rest.append(line)
        self._lines.put(None)
        return code, rest

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if not self.process.stdin.closed:
            self.process.stdin.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for reader in self._readers:
            reader.join(timeout=PATIENCE)
        self.process.stdout.close()
        self.process.stderr.close()
