"""Results that go to an S3 store of somebody else: rclone's server over a directory, and one that never answers."""

import os
import socket

from cases import case, equal, eventually, expect, random_bytes
from invocation_suite import jobs_done, minio
from webdav_suite import Server

ACCESS_KEY, SECRET_KEY = "foreign-access", "foreign-secret"


@case("rclone serve s3: results arrive byte for byte, large ones in parts")
def rclone(context):
    def command(folder, port):
        os.makedirs(os.path.join(folder, "foreign"), exist_ok=True)
        return [
            context.tool("rclone"),
            "--config",
            "/dev/null",
            "serve",
            "s3",
            folder,
            "--addr",
            f"127.0.0.1:{port}",
            "--auth-key",
            f"{ACCESS_KEY},{SECRET_KEY}",
        ]

    with Server(context, "rclone-s3", command) as server:
        provider = {
            "endpoint": f"http://127.0.0.1:{server.port}",
            "region": "us-east-1",
            "access_key": ACCESS_KEY,
            "secret_key": SECRET_KEY,
        }
        context.server.create_service(
            "foreign",
            'cd "$TMP_OUTPUT_DIR"; mkdir "sub dir"; cp "$INPUT_FILE_PATH" .; cp "$INPUT_FILE_PATH" "sub dir/ü +1"\n',
            input=[minio("foreign/in")],
            output=[{"storage_provider": "minio.other", "path": "foreign/results"}],
            storage_providers={"minio": {"other": provider}},
        )
        bodies = {"small": b"1", "empty": b"", "large": random_bytes(66 * 1024 * 1024 + 3)}
        for number, (name, body) in enumerate(bodies.items(), 1):
            context.boto().put_object(Bucket="foreign", Key=f"in/{name}", Body=body)
            jobs = jobs_done(context, "foreign", number)
            expect(all(job["state"] == "succeeded" for job in jobs), f"jobs: {jobs}")
            for target in (name, "sub dir/ü +1"):
                path = os.path.join(server.folder, "foreign/results", target)
                expect(os.path.exists(path), f"{target} did not arrive")
                with open(path, "rb") as file:
                    expect(file.read() == body, f"{target} differs")


@case("a storage that accepts connections and never answers holds up no other")
def hanging(context):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        endpoints = {"hangs": f"http://127.0.0.1:{listener.getsockname()[1]}", "answers": context.endpoint}
        for name, endpoint in endpoints.items():
            provider = {
                "endpoint": endpoint,
                "region": "us-east-1",
                "access_key": context.access_key,
                "secret_key": context.secret_key,
            }
            context.server.create_service(
                name,
                'cp "$INPUT_FILE_PATH" "$TMP_OUTPUT_DIR/"\n',
                input=[minio(f"{name}/in")],
                output=[{"storage_provider": "minio.other", "path": "hanging-results/out"}],
                storage_providers={"minio": {"other": provider}},
            )
        s3 = context.boto()
        for number in range(3):
            s3.put_object(Bucket="hangs", Key=f"in/{number}", Body=b"1")

        def states(name):
            return [job["state"] for job in context.server.jobs(name)]

        eventually(lambda: states("hangs") == ["delivering"] * 3, "results that wait for the storage that hangs")
        waiting = context.server.jobs("hangs")
        expect(all("minio.other" in (job.get("reason") or "") for job in waiting), f"reasons: {waiting}")
        for number in range(3):
            s3.put_object(Bucket="answers", Key=f"in/{number}", Body=b"2")
        eventually(lambda: states("answers") == ["succeeded"] * 3, "results for the other storage", 15)
        equal(states("hangs"), ["delivering"] * 3, "states of the others")
    for name in endpoints:
        context.server.remove_service(name)
