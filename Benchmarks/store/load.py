"""Makes the load generator and the requests that it sends, and runs it."""

import dataclasses
import json
import os
import shutil
import struct
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
HEAD_ONLY, AT_LEAST = 1, 2


def compile_c(source, program, *flags):
    """Compiles a program of one file."""
    compiler = shutil.which("cc") or shutil.which("clang") or shutil.which("gcc")
    if compiler is None:
        raise RuntimeError("no C compiler for the load generator: scripts/install-deps.sh bench")
    subprocess.run([compiler, "-O2", "-o", program, source, *flags], check=True)


@dataclasses.dataclass
class Request:
    """One request, and the length of the answer that counts as right."""

    method: str
    path: str
    query: str = ""
    offset: int = 0
    length: int = 0
    want: int = -1
    flags: int = 0
    digest: str = "UNSIGNED-PAYLOAD"

    def packed(self, peer):
        """The record that load.c reads: the numbers, and the head as it goes over the wire."""
        headers = peer.headers(self.method, self.path, self.query, self.digest)
        target = f"{self.path}?{self.query}" if self.query else self.path
        lines = [f"{self.method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        if self.method in ("PUT", "POST"):
            lines.append(f"content-length: {self.length}")
        head = ("\r\n".join(lines) + "\r\n\r\n").encode()
        numbers = struct.pack("<IIQQq", len(head), self.flags, self.offset, self.length, self.want)
        return numbers + head + bytes(-len(head) % 8)


class Payload:
    """Random bytes in a file, of which bodies are cut; a body that is longer goes round."""

    def __init__(self, path, size=64 << 20):
        self.path, self.size = path, size
        self.bytes = os.urandom(size)
        with open(path, "wb") as file:
            file.write(self.bytes)

    def cut(self, offset, length):
        offset %= self.size
        repeats = (offset + length) // self.size + 1
        return (self.bytes * repeats)[offset:offset + length] if repeats > 1 else self.bytes[offset:offset + length]


class Generator:
    """The compiled program with its payload."""

    def __init__(self, folder):
        self.program, self.folder = os.path.join(folder, "load"), folder
        compile_c(os.path.join(HERE, "load.c"), self.program)
        self.payload = Payload(os.path.join(folder, "payload"))

    def send(self, peer, requests, connections, seconds, loop=False):
        """Sends them, none after so many seconds; what load.c counted. The signatures are made right before."""
        path = os.path.join(self.folder, "requests")
        with open(path, "wb") as file:
            for request in requests:
                file.write(request.packed(peer))
        command = [self.program, str(peer.port), str(connections), str(seconds), path, self.payload.path]
        peer.begin()
        done = subprocess.run(command + ["loop"] * loop, stdout=subprocess.PIPE, check=False, timeout=seconds + 120)
        cpu, peak = peer.end()
        os.remove(path)
        if done.returncode != 0:
            raise RuntimeError(f"the load generator ended with {done.returncode}; {peer.ended()}")
        counted = json.loads(done.stdout.decode("utf-8", "replace"))
        return {**counted, "server_cpu": cpu, "peak": peak}
