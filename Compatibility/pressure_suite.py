"""A really small disk, really few file descriptors, a paused service over a kill: nothing is lost, all goes on by itself."""

import os
import resource
import socket
import subprocess
import time

import requests
from botocore.exceptions import BotoCoreError, ClientError

from apus import Apus, has_succeeded
from cases import Skip, case, equal, eventually, expect
from invocation_suite import minio

MIB = 1 << 20


class SmallDisk:
    """A file system in memory of so many bytes and files; use it in a `with`."""

    def __init__(self, folder, size, files):
        self.folder, self.size, self.files = folder, size, files

    def __enter__(self):
        os.makedirs(self.folder)
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={self.size},nr_inodes={self.files}", "apus-test", self.folder],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise Skip(f"no file system can be mounted here: {done.stderr.strip()}")
        return self

    def __exit__(self, *_):
        subprocess.run(["umount", "-l", self.folder], check=False)


def health(server):
    return requests.get(f"{server.api}/health?verbose", timeout=10).json()


def check(server, name):
    return next(entry for entry in health(server)["checks"] if entry["name"] == name)


def on_small_disk(context, name, size, files):
    disk = SmallDisk(context.path(name, "disk"), size, files)
    server = Apus(f"{name}-server", context.folder)
    server.data = os.path.join(disk.folder, "data")
    return disk, server


def job_of(server, key):
    return [job for job in server.jobs("echo") if job.get("input", {}).get("key") == key]


@case("a disk of 96 MiB that uploads fill: 507, reasons, reads go on, deletions help, every upload has its result")
def full_disk(context):
    disk, server = on_small_disk(context, "full", 96 * MIB, 10_000)
    with disk:
        try:
            server.start()
            server.create_service(
                "echo",
                'wc -c < "$INPUT_FILE_PATH" > "$TMP_OUTPUT_DIR/$(basename "$INPUT_FILE_PATH")"\n',
                input=[minio("echo/in")],
                output=[minio("echo/out")],
            )
            s3, stored, refused = server.boto(), [], None
            s3.create_bucket(Bucket="ballast")
            for number in range(200):
                try:
                    s3.put_object(Bucket="ballast", Key=str(number), Body=os.urandom(MIB))
                    stored.append(number)
                    if number % 10 == 0:
                        s3.put_object(Bucket="echo", Key=f"in/{number}", Body=b"12345")
                    time.sleep(0.03)
                except ClientError as error:
                    refused = error.response
                    break
            expect(refused, "200 MiB fit into 96")
            equal(refused["ResponseMetadata"]["HTTPStatusCode"], 507, "status")
            expect("kept back" in refused["Error"]["Message"], f"the message is {refused['Error']['Message']!r}")
            entry = check(server, "disk_space")
            equal(entry["state"], "short", "state of the check")
            expect("delete" in entry["advice"], entry["advice"])
            # The room that is kept back is there.
            facts = os.statvfs(disk.folder)
            expect(facts.f_bavail * facts.f_frsize > 4 * MIB, f"only {facts.f_bavail * facts.f_frsize} bytes are left")
            equal(server.request("POST", "/job/echo", data=b"{}").status_code, 503, "/job")
            equal(server.request("POST", "/run/echo", data=b"{}").status_code, 503, "/run")
            equal(len(s3.get_object(Bucket="ballast", Key="0")["Body"].read()), MIB, "bytes read meanwhile")
            equal(len(s3.list_objects_v2(Bucket="ballast")["Contents"]), len(stored), "objects listed meanwhile")
            equal(requests.get(f"{server.api}/health", timeout=5).text, "Ok", "/health")
            # It survives a kill like that, too.
            server.kill()
            server.start()
            equal(check(server, "disk_space")["state"], "short", "state after a restart")
            s3 = server.boto()
            for number in stored:
                s3.delete_object(Bucket="ballast", Key=str(number))
            eventually(lambda: check(server, "disk_space")["state"] == "ok", "enough room again", 20)
            s3.put_object(Bucket="echo", Key="in/last", Body=b"12345")
            keys = [f"in/{number}" for number in stored if number % 10 == 0] + ["in/last"]
            eventually(lambda: all(any(map(has_succeeded, job_of(server, key))) for key in keys), "all results", 40)
            for key in keys:
                equal(len(job_of(server, key)), 1, f"jobs for {key}")
                body = s3.get_object(Bucket="echo", Key=key.replace("in/", "out/"))["Body"].read()
                equal(body.strip(), b"5", f"result of {key}")
            said = server.log_tail(2000)
            expect("nothing new is started" in said and "enough again" in said, "the log says both")
        finally:
            server.stop()


@case("a disk that somebody else fills to the last byte: jobs wait with that reason, and go on by themselves")
def filled_by_others(context):
    disk, server = on_small_disk(context, "others", 96 * MIB, 10_000)
    with disk:
        try:
            server.start()
            server.create_service("echo", "sleep 1\n", input=[minio("echo/in")])
            server.boto().put_object(Bucket="echo", Key="in/before", Body=b"1")
            ballast = os.path.join(disk.folder, "ballast")
            try:
                with open(ballast, "wb") as file:
                    while True:
                        file.write(bytes(MIB))
            except OSError:
                pass
            eventually(lambda: check(server, "disk_space")["state"] == "short", "the shortage is seen", 10, 0.05)
            equal(server.request("POST", "/job/echo", data=b"{}").status_code, 503, "/job")
            time.sleep(2)
            os.remove(ballast)
            eventually(lambda: check(server, "disk_space")["state"] == "ok", "enough room again", 20)
            # Its end may have found no room to be recorded; then it runs again at the next start.
            server.stop()
            server.start()
            eventually(lambda: all(map(has_succeeded, job_of(server, "in/before"))), "the job before", 30)
            server.boto().put_object(Bucket="echo", Key="in/after", Body=b"1")
            eventually(lambda: any(map(has_succeeded, job_of(server, "in/after"))), "the job after", 30)
        finally:
            server.stop()


@case("a disk without room for more files: the same")
def no_files(context):
    disk, server = on_small_disk(context, "files", 256 * MIB, 1_000)
    with disk:
        try:
            server.start()
            server.create_service("echo", ":\n", input=[minio("echo/in")])
            made = []
            try:
                for number in range(1_000):
                    made.append(os.path.join(disk.folder, f"ballast-{number}"))
                    with open(made[-1], "wb"):
                        pass
            except OSError:
                made.pop()
            eventually(lambda: check(server, "disk_files")["state"] == "short", "the shortage is seen", 10)
            equal(server.request("POST", "/job/echo", data=b"{}").status_code, 503, "/job")
            for path in made:
                os.remove(path)
            eventually(lambda: check(server, "disk_files")["state"] == "ok", "enough room again", 20)
            server.boto().put_object(Bucket="echo", Key="in/after", Body=b"1")
            eventually(lambda: any(map(has_succeeded, job_of(server, "in/after"))), "the job after", 30)
        finally:
            server.stop()


@case("hardly any file descriptors: connections use them up, nothing starts, all goes on when they are closed")
def no_descriptors(context):
    server = Apus("descriptors", context.folder)
    try:
        server.start()
        server.create_service("echo", ":\n", input=[minio("echo/in")])
        pid = server.process.pid
        soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        expect(soft == hard or soft >= 65_536, f"the soft limit is {soft}, the hard one {hard}")
        # Trying out containers, right after the start, takes some of its own for a moment.
        eventually(lambda: "ontainers " in server.log_tail(50), "what is known of containers", 30)
        used = len(os.listdir(f"/proc/{pid}/fd"))
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + 60, hard))
        held = []
        for _ in range(50):
            held.append(socket.create_connection(("127.0.0.1", server.api_port), timeout=5))
        eventually(lambda: "nothing new is started" in server.log_tail(50), "the shortage is seen", 20)
        for connection in held:
            connection.close()
        eventually(lambda: check(server, "file_descriptors")["state"] == "ok", "enough again", 30)
        server.boto().put_object(Bucket="echo", Key="in/after", Body=b"1")
        eventually(lambda: any(map(has_succeeded, job_of(server, "in/after"))), "the job after", 30)
        # Even more connections than there are descriptors: the server outlives them.
        for _ in range(200):
            try:
                held.append(socket.create_connection(("127.0.0.1", server.api_port), timeout=1))
            except OSError:
                break
        time.sleep(3)
        for connection in held:
            connection.close()
        eventually(lambda: health_or_nothing(server) == "ok", "it answers again", 30)
        server.boto().put_object(Bucket="echo", Key="in/later", Body=b"1")
        eventually(lambda: any(map(has_succeeded, job_of(server, "in/later"))), "the job after that", 30)
    finally:
        server.stop()


def health_or_nothing(server):
    try:
        return health(server)["status"]
    except requests.RequestException:
        return None


@case("a paused service over a kill: uploads wait as jobs, and run when it is resumed")
def paused(context):
    server = Apus("paused", context.folder)
    try:
        server.start()
        server.create_service("echo", ":\n", input=[minio("echo/in")])
        server.request("POST", "/apus/v1/services/echo/pause", 200)
        for number in range(10):
            server.boto().put_object(Bucket="echo", Key=f"in/{number}", Body=b"1")
        server.kill()
        server.start()
        jobs = eventually(lambda: len(server.jobs("echo")) == 10 and server.jobs("echo"), "ten jobs", 20)
        for job in jobs:
            equal(job["state"], "queued", "state")
            expect("paused" in job["reason"], f"the reason is {job['reason']!r}")
        answer = server.request("POST", "/run/echo", 503, data=b"{}")
        expect("apus service resume echo" in answer.text, answer.text)
        equal(server.request("POST", "/job/echo", data=b"{}").status_code, 201, "/job")
        server.request("POST", "/apus/v1/services/echo/resume", 200)
        eventually(lambda: sum(map(has_succeeded, server.jobs("echo"))) == 11, "eleven results", 30)
    finally:
        server.stop()


@case("a queue that is full: 429 with Retry-After for /job, never for uploads")
def full_queue(context):
    server = Apus("queue", context.folder, more_flags=["--queue-limit", "8"])
    try:
        server.start()
        server.create_service("echo", ":\n", input=[minio("echo/in")], queue={"limit": 5})
        server.create_service("other", ":\n")
        for name in ("echo", "other"):
            server.request("POST", f"/apus/v1/services/{name}/pause", 200)
        answers = [server.request("POST", "/job/echo", (201, 429), data=b"{}") for _ in range(8)]
        equal([answer.status_code for answer in answers], [201] * 5 + [429] * 3, "statuses")
        expect(1 <= int(answers[-1].headers["Retry-After"]) <= 60, "Retry-After is no time to wait")
        answers = [server.request("POST", "/job/other", (201, 429), data=b"{}") for _ in range(4)]
        equal([answer.status_code for answer in answers], [201] * 3 + [429], "statuses of the cluster's limit")
        try:
            for number in range(10):
                server.boto().put_object(Bucket="echo", Key=f"in/{number}", Body=b"1")
        except (BotoCoreError, ClientError) as error:
            raise AssertionError(f"an upload was refused: {error}") from error
        eventually(lambda: len(server.jobs("echo")) == 15, "each upload is a job", 20)
    finally:
        server.stop()
