"""A cluster of the line: an Apus that is killed, restarted, frozen, filled up and moved in time, and started again."""

import ctypes
import os
import signal
import socket
import struct
import subprocess
import threading
import time

from apus import Apus

from processes import alive, environment, stopped

# The most files that a server may have open: few enough for a flood to reach.
DESCRIPTORS = 512


class Clock:
    """The wall clock of one cluster, moved through the library made of clock.c."""

    def __init__(self, library, path):
        self.library, self.path = library, path
        with open(path, "wb") as file:
            file.write(struct.pack("q", 0))

    def jump(self, seconds):
        with open(self.path, "r+b") as file:
            file.write(struct.pack("q", seconds))

    @staticmethod
    def build(folder):
        """Compiles the library; None where there is no compiler."""
        library = os.path.join(folder, "clock.so")
        source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "clock.c")
        command = [os.environ.get("CC", "cc"), "-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o", library, source]
        try:
            subprocess.run([*command, "-ldl"], check=True, capture_output=True)
            ctypes.CDLL(library)
        except (OSError, subprocess.CalledProcessError):
            return None
        return library


def limited(binary, folder):
    """A program that becomes the binary, with the limit of open files of a small machine."""
    path = os.path.join(folder, "apus")
    with open(path, "w", encoding="utf-8") as file:
        file.write(f'#!/bin/sh\nulimit -n {DESCRIPTORS}\nexec "{binary}" "$@"\n')
    os.chmod(path, 0o755)
    return path


def is_open(connection):
    """Whether the other side has not ended a connection that says nothing."""
    try:
        return connection.recv(1, socket.MSG_DONTWAIT | socket.MSG_PEEK) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


class Cluster(Apus):
    """An Apus with a small disk and a clock of its own, which is started again whenever it ends."""

    def __init__(self, name, folder, disk, library, timeline, flags):
        super().__init__(name, folder, more_flags=flags)
        self.disk, self.timeline = disk, timeline
        self.data = os.path.join(disk.path, "data")
        self.clock = Clock(library, os.path.join(self.folder, "clock")) if library else None
        # All that a cluster starts carries its folder in PATH, so that nothing of it can hide afterwards.
        self.mark = os.path.join(self.folder, "mark")
        self.environment = {"PATH": f"{os.environ['PATH']}:{self.mark}"}
        if library:
            self.environment.update(LD_PRELOAD=library, CHAOS_CLOCK=self.clock.path)
        self.binary = limited(self.binary, self.folder)
        # Whoever stops and starts the server holds it.
        self.lock = threading.RLock()
        self.starts, self.ends = 0, []
        self.slowest_start = 0.0
        self.watching = threading.Event()
        self.watcher = threading.Thread(target=self._watch, name=f"watch {name}", daemon=True)

    def watch(self):
        """From now on the server is started again where it ends by itself, which counts as a defect."""
        self.watcher.start()

    def _watch(self):
        while not self.watching.wait(0.2):
            with self.lock:
                if self.process and self.process.poll() is not None:
                    self.note_end("ended by itself")
                    self.start_patiently()

    def note_end(self, what):
        """Remembers an end that nobody asked for; on a full disk a refused start may be right."""
        free = self.disk.free if self.disk.can_be_filled else None
        end = {"cluster": self.name, "how": what, "status": self.process.returncode, "log": self.log_tail(6)}
        self.timeline.note("end", **end, free=free)
        self.ends.append({**end, "free": free})

    def start_patiently(self, seconds=120):
        """Starts it as a supervisor does: again and again, a second apart."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                took = self.start(30)
                self.starts += 1
                self.slowest_start = max(self.slowest_start, took)
                return self.timeline.note("started", cluster=self.name, seconds=round(took, 3))
            except AssertionError:
                if self.process.poll() is None:
                    self.kill()
                self.note_end("did not start")
                if time.monotonic() > deadline:
                    raise
                time.sleep(1)

    def pause(self, how, seconds):
        """Ends the server by SIGKILL or SIGTERM, waits, and starts it again."""
        with self.lock:
            if how == "kill":
                self.kill()
            else:
                status = self.stop(40)
                if status != 0:
                    self.timeline.note("end", cluster=self.name, how="SIGTERM", status=status, log=self.log_tail(6))
                    self.ends.append({"cluster": self.name, "how": "SIGTERM", "status": status, "free": None})
            time.sleep(seconds)
            self.start_patiently()

    def freeze(self, seconds):
        with self.lock:
            process = self.process
            process.send_signal(signal.SIGSTOP)
            time.sleep(seconds)
            process.send_signal(signal.SIGCONT)

    def flood(self, count, seconds):
        """Holds so many connections that say nothing, until the server has no more descriptors."""
        held = []
        end = time.monotonic() + seconds
        try:
            while time.monotonic() < end:
                # Those that the server ended are opened again.
                held = [connection for connection in held if is_open(connection)]
                for number in range(count - len(held)):
                    port = (self.s3_port, self.api_port)[number % 2]
                    try:
                        held.append(socket.create_connection(("127.0.0.1", port), timeout=0.05))
                    except OSError:
                        break
                time.sleep(0.1)
        finally:
            for connection in held:
                connection.close()

    def scripts(self):
        """Processes of scripts under way, with the name of their job."""
        return self._with(b"JOB_UUID=", lambda _: True)

    def runtimes(self):
        """Processes that run containers or wait to do so, and their networks."""
        return self._with(b"APUS_INVOCATION=", lambda mark: b"/container/" in mark)

    def _with(self, name, accepts):
        found = []
        marks = (self.mark.encode(), f"{self.scope}/".encode(), f"CHAOS_MARK={self.folder}".encode())
        # Another thread starts Apus again.
        server = self.process
        for process in alive():
            text = environment(process)
            if not any(mark in text for mark in marks) or (server and process == server.pid):
                continue
            values = [entry[len(name) :] for entry in text.split(b"\0") if entry.startswith(name)]
            if values and accepts(values[0]) and not stopped(process):
                found.append((process, values[0].decode(errors="replace")))
        return found

    @property
    def scope(self):
        """What Apus calls this data directory in names of control groups: FNV-1a of its path."""
        value = 0xCBF29CE484222325
        for byte in self.data.encode():
            value = (value ^ byte) * 0x100000001B3 % (1 << 64)
        return f"{value:x}"

    def end(self):
        """Stops watching and ends the server in order; its exit status."""
        self.watching.set()
        if self.watcher.is_alive():
            self.watcher.join(150)
        with self.lock:
            return self.stop(40)
