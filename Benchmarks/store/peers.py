"""The servers that are measured: Apus, and what people would put beside it. All on loopback, each on its own folder.

The others sync nothing, and have no setting for it. To compare with Apus's synced writes, each runs a second time on a
directory with the attribute S (chattr), where the kernel syncs each write. That is fair for small objects, which are one
write; large ones, which would be synced piece by piece, are not measured so.
"""

import http.client
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

import server
import signing

TICKS = os.sysconf("SC_CLK_TCK")
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Peer:
    """A server's process, what it has used so far, and how to talk to it."""

    name = ""
    lists = multipart = True

    def __init__(self, folder, sync_writes=False):
        self.sync_writes = sync_writes
        if sync_writes:
            self.name += "-sync"
        self.folder = os.path.join(folder, self.name)
        self.data = os.path.join(self.folder, "data")
        self.log = os.path.join(self.folder, "log")
        os.makedirs(self.data)
        if sync_writes:
            # All files and directories made below inherit it: each write goes to the disk before it returns.
            subprocess.run(["chattr", "+S", "+D", self.data], check=True, capture_output=True)
        self.port, self.process, self.signer = server.free_port(), None, None
        self.made = {}  # By cell: the keys that it made and that are still there.
        self.syncs = None
        self.version = ""

    def spawn(self, command, environment=None):
        """Starts the process and waits until the port takes connections."""
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd=self.folder,
                env={"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": self.folder, **(environment or {})})
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if self.is_ready():
                    return
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(0.02)
        raise RuntimeError(f"{self.name} did not start: {self.log_tail()}")

    def is_ready(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        connection.request("GET", "/")
        connection.getresponse().read()
        connection.close()
        return True

    def stop(self):
        """Ends the process and what it started; removes its data."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None
        shutil.rmtree(self.data, ignore_errors=True)

    def log_tail(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return "".join(log.readlines()[-15:])

    def ended(self):
        """Whether the server still runs, in words."""
        code = self.process.poll()
        return f"{self.name} runs" if code is None else f"{self.name} ended with {code}: {self.log_tail()}"

    # What it uses.

    def pids(self):
        """The process and its descendants."""
        found, parents = [self.process.pid], {}
        for name in os.listdir("/proc"):
            if name.isdigit():
                try:
                    with open(f"/proc/{name}/stat", encoding="ascii", errors="replace") as file:
                        parents.setdefault(int(file.read().rpartition(")")[2].split()[1]), []).append(int(name))
                except OSError:
                    pass
        for pid in found:
            found += parents.get(pid, [])
        return found

    def cpu_seconds(self):
        """User and system time of all its processes so far."""
        total = 0
        for pid in self.pids():
            try:
                with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
                    fields = file.read().rpartition(")")[2].split()
                total += int(fields[11]) + int(fields[12])
            except OSError:
                pass
        return total / TICKS

    def memory(self, field="VmHWM"):
        """Resident bytes of all its processes together: now (VmRSS), or the most since begin() (VmHWM)."""
        total = 0
        for pid in self.pids():
            try:
                with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
                    found = re.search(rf"^{field}:\s+(\d+)", file.read(), re.MULTILINE)
                total += int(found.group(1)) * 1024 if found else 0
            except OSError:
                pass
        return total

    def begin(self):
        """Starts counting."""
        for pid in self.pids():
            try:
                with open(f"/proc/{pid}/clear_refs", "w", encoding="ascii") as file:
                    file.write("5")  # Sets the peak back to what is resident now.
            except OSError:
                pass
        self.started_cpu = self.cpu_seconds()

    def end(self):
        """Processor seconds and peak resident bytes since begin()."""
        return self.cpu_seconds() - self.started_cpu, self.memory()

    # How to talk to it.

    def headers(self, method, path, query, digest):
        return self.signer.headers(method, path, query, digest)

    def sign_with(self, access_key, secret_key):
        self.signer = signing.Signer(f"127.0.0.1:{self.port}", access_key, secret_key)

    def request(self, method, path, query="", body=b"", expected=(200, 204)):
        """One request outside of what is measured; the answer's headers and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            target = f"{path}?{query}" if query else path
            connection.request(method, target, body=body, headers=self.headers(method, path, query, signing.UNSIGNED))
            answer = connection.getresponse()
            data = answer.read()
        finally:
            connection.close()
        if answer.status not in expected:
            raise RuntimeError(f"{self.name}: {method} {target}: {answer.status} {data[:300]!r}")
        return answer.headers, data

    def make_bucket(self, bucket):
        self.request("PUT", f"/{bucket}")


class Apus(Peer):
    """A release build of Apus with one durability setting."""

    def __init__(self, folder, binary, durability, flags=("--sandbox", "process")):
        self.name = f"apus-{durability}"
        super().__init__(folder)
        self.durability = durability
        self.server = server.Server(binary, self.folder, (*flags, "--durability", durability))

    def start(self):
        self.server.start()
        self.port, self.process = self.server.s3_port, self.server.process
        self.log = self.server.log
        self.sign_with(self.server.access_key, self.server.secret_key)

    def stop(self):
        self.server.stop()
        self.process = None


class Nginx(Peer):
    """Static files with sendfile, and WebDAV for PUT: no signatures, no checksums, no index. The floor."""

    name = "nginx"
    lists = multipart = False
    location = "dav_methods PUT DELETE; create_full_put_path on;"

    def start(self):
        program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/sbin")
        if program is None:
            raise RuntimeError("nginx is not installed: scripts/install-deps.sh bench")
        path = os.path.join(self.folder, "nginx.conf")
        paths = "".join(f"{name}_temp_path {self.folder}/{name};\n" for name in ("fastcgi", "proxy", "scgi", "uwsgi"))
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"""
                {"user root;" if os.geteuid() == 0 else ""}
                daemon off; worker_processes auto; pid {self.folder}/nginx.pid; error_log {self.log} error;
                worker_rlimit_nofile 4096;
                events {{ worker_connections 1024; }}
                http {{
                    access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000;
                    client_max_body_size 0; client_body_temp_path {self.data}/.incoming;
                    {paths}
                    server {{
                        listen 127.0.0.1:{self.port}; root {self.data};
                        location / {{ {self.location} }}
                    }}
                }}""")
        os.makedirs(os.path.join(self.data, ".incoming"), exist_ok=True)
        self.spawn([program, "-c", path, "-e", self.log, "-p", self.folder])

    def headers(self, method, path, query, digest):
        return {"host": f"127.0.0.1:{self.port}"}

    def make_bucket(self, bucket):
        os.mkdir(os.path.join(self.data, bucket))


def python_program(name):
    """A program that a PyPI package brings, from .venv or the PATH."""
    own = os.path.join(ROOT, ".venv", "bin", name)
    program = own if os.access(own, os.X_OK) else shutil.which(name)
    if program is None:
        raise RuntimeError(f"{name} is not installed: scripts/install-deps.sh bench")
    return program


class Rclone(Peer):
    """`rclone serve s3` on a directory."""

    name = "rclone"

    def start(self):
        self.sign_with("BENCHACCESSKEY", "benchsecretkey")
        self.spawn([
            python_program("rclone"), "serve", "s3", "--config", "/dev/null", "--addr", f"127.0.0.1:{self.port}",
            "--auth-key", "BENCHACCESSKEY,benchsecretkey", self.data])


class Minio(Peer):
    """MinIO's server as JuiceFS's gateway: files in a directory, names in SQLite."""

    name = "minio"

    def start(self):
        program, meta = python_program("juicefs"), f"sqlite3://{self.folder}/data/meta.db"
        environment = {"MINIO_ROOT_USER": "benchaccesskey", "MINIO_ROOT_PASSWORD": "benchsecretkey"}
        self.sign_with(*environment.values())
        subprocess.run(
            [program, "format", "--storage", "file", "--bucket", f"{self.data}/", "--trash-days", "0", meta, "vol"],
            check=True, capture_output=True, env={"PATH": "/usr/bin:/bin", "HOME": self.folder})
        self.spawn([
            program, "gateway", meta, f"127.0.0.1:{self.port}", "--multi-buckets", "--keep-etag", "--object-tag",
            "--object-meta", "--no-banner", "--no-usage-report", "--cache-dir", os.path.join(self.data, "cache"),
            "--log", os.path.join(self.folder, "gateway.log"), "--metrics", "127.0.0.1:0"], environment)


def durabilities(binary):
    """The durability settings that this Apus has, strictest first."""
    text = subprocess.run([binary, "serve", "--help"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"--durability\s+<([a-z|]+)>", text)
    known = found.group(1).split("|") if found else ["always"]
    return [name for name in ("always", "batch", "never") if name in known]


def all_peers(binary):
    """By name: what makes each server, given a folder."""
    makers = {
        f"apus-{name}": lambda folder, name=name: Apus(folder, binary, name) for name in durabilities(binary)}
    others = (Nginx, Rclone, Minio)
    return {
        **makers, **{maker.name: maker for maker in others},
        **{f"{maker.name}-sync": lambda folder, maker=maker: maker(folder, True) for maker in others}}


def count_syncs(peer, bucket, body):
    """What a server asks of the disk for one small PUT, seen by strace, in words: "nothing" where it syncs nothing."""
    if peer.sync_writes:
        return "each write (chattr +S)"
    if shutil.which("strace") is None:
        return "unknown (no strace)"
    peer.request("PUT", f"/{bucket}/sync-warm", body=body, expected=(200, 201, 204))
    with tempfile.NamedTemporaryFile("r", dir=peer.folder) as seen:
        pids = [word for pid in peer.pids() for word in ("-p", str(pid))]
        calls = "trace=fsync,fdatasync,sync_file_range,sync,syncfs,msync,openat"
        tracer = subprocess.Popen(
            ["strace", "-f", "-q", "-o", seen.name, "-e", calls, *pids], stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        time.sleep(0.5)
        peer.request("PUT", f"/{bucket}/sync-seen", body=body, expected=(200, 201, 204))
        time.sleep(0.5)
        if tracer.poll() is not None:
            return f"unknown (strace: {tracer.stderr.read().decode().strip()[:80]})"
        tracer.send_signal(signal.SIGINT)
        tracer.wait(10)
        lines = seen.read().splitlines()
    counts = {}
    for line in lines:
        call = re.search(r"\b(\w+)\(", line)
        if not call or "resumed>" in line:
            continue
        name = call.group(1)
        if name == "openat":
            if not re.search(r"O_D?SYNC", line):
                continue
            name = "open with O_SYNC"
        counts[name] = counts.get(name, 0) + 1
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "nothing"
