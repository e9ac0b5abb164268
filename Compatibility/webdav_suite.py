"""Results that go to a WebDAV server: wsgidav, and rclone's own."""

import os
import socket
import subprocess

from apus import free_port
from cases import case, eventually, expect, random_bytes
from invocation_suite import jobs_done, minio

USER, PASSWORD = "dav-user", "dav-password"


class Server:
    """A WebDAV server over a directory, for the time of a case."""

    def __init__(self, context, name, command):
        self.folder = context.path(name, "")
        self.port = free_port()
        self.log = open(context.path(f"{name}.log"), "wb")
        self.process = subprocess.Popen(
            command(self.folder, self.port), stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log
        )

    def __enter__(self):
        def reachable():
            expect(self.process.poll() is None, "the WebDAV server ended")
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return True
            except OSError:
                return False

        eventually(reachable, "the WebDAV server")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(10)
        self.log.close()


def deliver(context, server, service):
    context.server.create_service(
        service,
        'cd "$TMP_OUTPUT_DIR"; mkdir "sub dir"; cp "$INPUT_FILE_PATH" .; cp "$INPUT_FILE_PATH" "sub dir/ü +1"\n',
        input=[minio(f"{service}/in")],
        output=[{"storage_provider": "webdav.dav", "path": "results/deep/folder"}],
        storage_providers={
            "webdav": {"dav": {"hostname": f"http://127.0.0.1:{server.port}", "login": USER, "password": PASSWORD}}
        },
    )
    bodies = {"small": b"1", "empty": b"", "large": random_bytes(20 * 1024 * 1024 + 3)}
    for number, (name, body) in enumerate(bodies.items(), 1):
        context.boto().put_object(Bucket=service, Key=f"in/{name}", Body=body)
        jobs = jobs_done(context, service, number)
        expect(all(job["state"].lower() == "succeeded" for job in jobs), f"jobs: {jobs}")
        for target in (name, "sub dir/ü +1"):
            path = os.path.join(server.folder, "results/deep/folder", target)
            expect(os.path.exists(path), f"{target} did not arrive")
            with open(path, "rb") as file:
                expect(file.read() == body, f"{target} differs")


@case("wsgidav: results arrive byte for byte, in folders made for them")
def wsgidav(context):
    def command(folder, port):
        config = context.path("wsgidav.yaml")
        with open(config, "w", encoding="utf-8") as file:
            file.write(
                f"host: 127.0.0.1\nport: {port}\nprovider_mapping:\n  '/': '{folder}'\nsimple_dc:\n  user_mapping:\n    '*':\n"
                f"      {USER}:\n        password: {PASSWORD}\nhttp_authenticator:\n  accept_basic: true\n"
                "  accept_digest: false\n  default_to_digest: false\n"
            )
        return [context.tool("wsgidav"), "-c", config]

    with Server(context, "wsgidav", command) as server:
        deliver(context, server, "dav-wsgi")


@case("rclone serve webdav: results arrive byte for byte, in folders made for them")
def rclone(context):
    def command(folder, port):
        return [
            context.tool("rclone"),
            "--config",
            "/dev/null",
            "serve",
            "webdav",
            folder,
            "--addr",
            f"127.0.0.1:{port}",
            "--user",
            USER,
            "--pass",
            PASSWORD,
        ]

    with Server(context, "rclone-dav", command) as server:
        deliver(context, server, "dav-rclone")
