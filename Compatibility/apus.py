"""A live Apus for the suites: start, wait, stop, kill; and its API in a few calls."""

import json
import os
import secrets
import signal
import socket
import subprocess
import time
import urllib.parse

import boto3
import botocore.config
import requests


def free_port():
    """A loopback port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Apus:
    """One cluster: a process with its own data directory, ports and credentials. Ports stay over restarts."""

    def __init__(self, name, folder, binary=None, more_flags=()):
        self.name = name
        self.binary = binary or os.environ["APUS"]
        self.folder = os.path.join(folder, name)
        self.data = os.path.join(self.folder, "data")
        self.log = os.path.join(self.folder, "apus.log")
        self.api_port, self.s3_port = free_port(), free_port()
        self.user, self.password = "admin", secrets.token_hex(12)
        self.access_key, self.secret_key = f"{name}-access-key", secrets.token_hex(20)
        self.flags = list(more_flags)
        self.environment = {}
        self.process = None
        os.makedirs(self.folder)

    @property
    def api(self):
        return f"http://127.0.0.1:{self.api_port}"

    @property
    def s3(self):
        return f"http://127.0.0.1:{self.s3_port}"

    def start(self, seconds=20):
        """Starts the server and waits until /health answers; returns the seconds that took."""
        environment = dict(
            os.environ,
            APUS_USERNAME=self.user,
            APUS_PASSWORD=self.password,
            APUS_S3_ACCESS_KEY=self.access_key,
            APUS_S3_SECRET_KEY=self.secret_key,
            HOME=self.folder,
            XDG_DATA_HOME=os.path.join(self.folder, "share"),
            XDG_CONFIG_HOME=os.path.join(self.folder, "config"),
        )
        environment.update(self.environment)
        command = [
            self.binary,
            "serve",
            "--data",
            self.data,
            "--listen",
            f"127.0.0.1:{self.api_port}",
            "--s3-listen",
            f"127.0.0.1:{self.s3_port}",
            *self.flags,
        ]
        begin = time.monotonic()
        with open(self.log, "ab") as log:
            log.write(f"\n--- start {' '.join(command)}\n".encode())
            log.flush()
            self.process = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        while time.monotonic() - begin < seconds:
            if self.process.poll() is not None:
                raise AssertionError(f"{self.name} ended with {self.process.returncode}:\n{self.log_tail()}")
            try:
                if requests.get(f"{self.api}/health", timeout=1).text == "Ok":
                    with socket.create_connection(("127.0.0.1", self.s3_port), timeout=1):
                        return time.monotonic() - begin
            except OSError:
                pass
            time.sleep(0.01)
        raise AssertionError(f"{self.name} is not ready after {seconds} s:\n{self.log_tail()}")

    def stop(self, seconds=30):
        """Ends the server with SIGTERM and returns its exit status."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill()
        status, self.process = self.process.returncode, None
        return status

    def kill(self):
        """Ends the server with SIGKILL: only it, not what it started."""
        self.process.kill()
        self.process.wait()

    def log_tail(self, lines=30):
        try:
            with open(self.log, encoding="utf-8", errors="replace") as log:
                return "".join(log.readlines()[-lines:])
        except OSError as error:
            return str(error)

    def request(self, method, path, expected=None, **options):
        """An API request as administrator; fails when another status comes than those expected."""
        options.setdefault("auth", (self.user, self.password))
        options.setdefault("timeout", 30)
        answer = requests.request(method, self.api + path, **options)
        if expected is not None:
            wanted = expected if isinstance(expected, tuple) else (expected,)
            if answer.status_code not in wanted:
                raise AssertionError(
                    f"{method} {path}: got {answer.status_code} {answer.text[:300]!r}, want {wanted}"
                )
        return answer

    def create_service(self, name, script, **fields):
        """Creates a service for the process sandbox."""
        body = {"name": name, "script": script, "cpu": "0.1", "memory": "256Mi", "sandbox": "process"}
        body.update(fields)
        self.request("POST", "/system/services", 201, data=json.dumps(body))

    def remove_service(self, name):
        self.request("DELETE", f"/system/services/{name}", (204, 404))

    def jobs(self, service):
        """All jobs of a service as the extended listing shows them."""
        found, after = [], None
        while True:
            query = {"service": service, "limit": 100}
            if after:
                query["after"] = after
            page = self.request("GET", "/apus/v1/jobs?" + urllib.parse.urlencode(query), 200).json()
            found += page["jobs"]
            after = page.get("next")
            if not after:
                return found

    def boto(self, **options):
        """A boto3 client of the object store."""
        return s3_client(self.s3, self.access_key, self.secret_key, **options)


def s3_client(endpoint, access_key, secret_key, **options):
    """A boto3 client that does not repeat failed requests, so that every failure is seen."""
    settings = {"retries": {"total_max_attempts": 1, "mode": "standard"}, "connect_timeout": 5, "read_timeout": 60}
    settings.update(options)
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        config=botocore.config.Config(**settings),
    )


def is_done(job):
    """Whether a job of the extended listing has ended."""
    return job["state"].lower() in ("succeeded", "failed", "cancelled")


def has_succeeded(job):
    return job["state"].lower() == "succeeded"
