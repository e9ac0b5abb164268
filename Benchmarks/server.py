"""One Apus server on loopback for a measurement, and small clients of its API and its object store.

Only the standard library, so that the load comes from as little as possible: one kept connection a thread, SigV4 by hand.
"""

import base64
import hashlib
import http.client
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
import urllib.parse

import signing


def free_port():
    """A loopback port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Server:
    """A server with a data directory and credentials of its own; use it in a `with`."""

    def __init__(self, binary, folder, flags=()):
        self.binary, self.folder, self.flags = binary, folder, list(flags)
        self.data = os.path.join(folder, "data")
        self.log = os.path.join(folder, "apus.log")
        self.api_port, self.s3_port = free_port(), free_port()
        self.user, self.password = "bench", secrets.token_hex(12)
        self.access_key, self.secret_key = "BENCHACCESSKEY", secrets.token_hex(20)
        self.process = None
        os.makedirs(folder, exist_ok=True)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self, seconds=60):
        """Starts the server; returns the seconds from exec until /health answers and the store takes connections."""
        environment = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": self.folder, "LANG": "C.UTF-8",
            "APUS_USERNAME": self.user, "APUS_PASSWORD": self.password,
            "APUS_S3_ACCESS_KEY": self.access_key, "APUS_S3_SECRET_KEY": self.secret_key,
        }
        command = [
            self.binary, "serve", "--data", self.data, "--listen", f"127.0.0.1:{self.api_port}",
            "--s3-listen", f"127.0.0.1:{self.s3_port}", *self.flags,
        ]
        with open(self.log, "ab") as log:
            begin = time.monotonic()
            self.process = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        while time.monotonic() - begin < seconds:
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended with {self.process.returncode}:\n{self.log_tail()}")
            if self.is_ready():
                return time.monotonic() - begin
            time.sleep(0.001)
        raise RuntimeError(f"the server is not ready after {seconds} s:\n{self.log_tail()}")

    def is_ready(self):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.api_port, timeout=5)
            connection.request("GET", "/health")
            text = connection.getresponse().read()
            connection.close()
            with socket.create_connection(("127.0.0.1", self.s3_port), timeout=5):
                return text.strip() == b"Ok"
        except (OSError, http.client.HTTPException):
            return False

    def stop(self, seconds=30, keep=False):
        """Ends the server with SIGTERM, after that time with SIGKILL; removes its data unless they are to be kept."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None
        if not keep:
            shutil.rmtree(self.data, ignore_errors=True)

    def kill(self):
        """Ends the server with SIGKILL, as a power cut would; its data stay."""
        self.process.kill()
        self.process.wait()

    def log_tail(self, lines=30):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return "".join(log.readlines()[-lines:])

    def memory(self, field="VmRSS"):
        """A line of /proc/PID/status (VmRSS, VmHWM) in bytes."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            for line in status:
                if line.startswith(field + ":"):
                    return int(line.split()[1]) * 1024
        raise RuntimeError(f"no {field} in /proc/{self.process.pid}/status")

    def cpu_seconds(self):
        """User and system time of the server so far, its ended children left out."""
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii", errors="replace") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def api(self):
        return API(self)

    def store(self):
        return Store(self)


class API:
    """The cluster's API over one kept connection; not for several threads at once."""

    def __init__(self, server):
        token = base64.b64encode(f"{server.user}:{server.password}".encode()).decode()
        self.headers = {"Authorization": f"Basic {token}"}
        self.connection = http.client.HTTPConnection("127.0.0.1", server.api_port, timeout=600)

    def request(self, method, path, body=None, expected=(200, 201, 204), headers=()):
        self.connection.request(method, path, body=body, headers={**self.headers, **dict(headers)})
        answer = self.connection.getresponse()
        data = answer.read()
        if answer.status not in expected:
            raise RuntimeError(f"{method} {path}: {answer.status} {data[:500]!r}")
        return data

    def create_service(self, name, script, **fields):
        body = {"name": name, "script": script, "cpu": "0.1", "memory": "64Mi", **fields}
        self.request("POST", "/system/services", json.dumps(body), headers={"Content-Type": "application/json"}.items())

    def service(self, name):
        """The service's definition, as the server keeps it."""
        return json.loads(self.request("GET", f"/system/services/{name}"))

    def post_job(self, service, body):
        self.request("POST", f"/job/{service}", body, expected=(201,))

    def jobs(self, service, limit, states=(), after=None):
        """One page of the extended listing, newest first."""
        query = {"service": service, "limit": limit}
        if states:
            query["state"] = ",".join(states)
        if after:
            query["after"] = after
        return json.loads(self.request("GET", "/apus/v1/jobs?" + urllib.parse.urlencode(query)))

    def count(self, service, states):
        page = self.jobs(service, 1, states)
        return len(page["jobs"]) + page.get("remaining", 0)

    def all_jobs(self, service):
        found, after = [], None
        while True:
            page = self.jobs(service, 1000, after=after)
            found += page["jobs"]
            after = page.get("next")
            if not after:
                return found

    def log(self, service, job):
        return self.request("GET", f"/system/logs/{service}/{job}").decode("utf-8", "replace")

    def add_image(self, name, archive):
        with open(archive, "rb") as file:
            self.request(
                "PUT", f"/apus/v1/images/{urllib.parse.quote(name, safe='')}", file,
                headers={"Content-Type": "application/octet-stream", "Content-Length": str(os.path.getsize(archive))}.items())


class Store:
    """The object store over one kept connection, signed as AWS signs (Signature Version 4); not for several threads."""

    def __init__(self, server):
        self.signer = signing.Signer(f"127.0.0.1:{server.s3_port}", server.access_key, server.secret_key)
        self.connection = http.client.HTTPConnection("127.0.0.1", server.s3_port, timeout=600)

    def put(self, path, body=b""):
        """Puts an object, or with a path of one part creates a bucket."""
        self.request("PUT", path, body, expected=(200, 409))

    def get(self, path):
        """The bytes of an object."""
        return self.request("GET", path)

    def request(self, method, path, body=b"", expected=(200,)):
        path, digest = urllib.parse.quote(path), hashlib.sha256(body).hexdigest()
        self.connection.request(method, path, body=body, headers=self.signer.headers(method, path, digest=digest))
        answer = self.connection.getresponse()
        data = answer.read()
        if answer.status not in expected:
            raise RuntimeError(f"{method} {path}: {answer.status} {data[:500]!r}")
        return data


class Caller:
    """Synchronous calls of one service with its token, over one kept connection; not for several threads at once."""

    def __init__(self, server, service):
        self.path = f"/run/{service}"
        self.headers = {
            "Authorization": f"Bearer {server.api().service(service)['token']}",
            "Content-Type": "application/octet-stream", "Accept": "application/octet-stream"}
        self.connection = http.client.HTTPConnection("127.0.0.1", server.api_port, timeout=600)

    def call(self, body):
        """Status and body of the answer."""
        self.connection.request("POST", self.path, body=body, headers=self.headers)
        answer = self.connection.getresponse()
        return answer.status, answer.read()

    def check(self, body, wanted):
        """One call, whose answer has to be that."""
        status, answer = self.call(body)
        if status != 200 or answer != wanted:
            raise RuntimeError(f"POST {self.path}: {status} {answer[:300]!r}, wanted {wanted[:100]!r}")
