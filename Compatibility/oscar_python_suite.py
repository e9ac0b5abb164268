"""oscar-python 2.2: the methods of its client and of its storage class that a cluster covers which has no volumes,
quotas and federation."""

import contextlib
import io
import json

import requests
from oscar_python.client import Client
from oscar_python.client_anon import AnonymousClient

from cases import case, equal, eventually, expect, random_bytes

SERVICE = "py-shout"
SCRIPT = 'echo shouting >&2; tr a-z A-Z < "$INPUT_FILE_PATH"\n'


def client(context):
    server = context.server
    return Client(
        {"cluster_id": "test", "endpoint": server.api, "user": server.user, "password": server.password, "ssl": False}
    )


def definition(**fields):
    body = {
        "name": SERVICE,
        "script": SCRIPT,
        "cpu": "0.1",
        "memory": "128Mi",
        "log_level": "CRITICAL",
        "sandbox": "process",
        "input": [{"storage_provider": "minio.default", "path": "py-shout/in"}],
        "output": [{"storage_provider": "minio.default", "path": "py-shout/out"}],
        "environment": {"variables": {"COLOUR": "red"}, "secrets": {"TOKEN": "hidden"}},
    }
    body.update(fields)
    return body


def status_of(call, *arguments):
    """The HTTP status with which a call fails."""
    try:
        call(*arguments)
    except requests.HTTPError as error:
        return error.response.status_code
    raise AssertionError("the call succeeded")


@case("health_check, get_cluster_info, get_cluster_config, get_cluster_status")
def cluster(context):
    oscar = client(context)
    equal(oscar.health_check().text, "Ok", "health")
    info = oscar.get_cluster_info().json()
    expect(list(info)[:3] == ["version", "git_commit", "architecture"], f"info: {info}")
    config = oscar.get_cluster_config().json()
    provider = config["minio_provider"]
    equal(
        (provider["endpoint"], provider["access_key"], provider["secret_key"]),
        (context.endpoint, context.access_key, context.secret_key),
        "minio_provider",
    )
    expect(
        isinstance(provider["verify"], bool) and isinstance(provider["region"], str), f"minio_provider: {provider}"
    )
    expect(isinstance(config["config"]["oidc_groups"], list), "oidc_groups is a list")
    status = oscar.get_cluster_status().json()
    expect(status["cluster"]["nodes_count"] >= 1 and "oscar" in status, f"status: {status}")


@case("wrong password: 401 on every call")
def wrong_password(context):
    oscar = client(context)
    oscar.password = "wrong"
    equal(status_of(oscar.get_cluster_info), 401, "status")
    equal(status_of(oscar.list_services), 401, "status")


@case("create_service from a dict, get_service, list_services")
def create(context):
    oscar = client(context)
    answer = oscar.create_service(definition())
    equal((answer.status_code, answer.text), (201, ""), "answer")
    service = oscar.get_service(SERVICE).json()
    expect(len(service["token"]) == 64, "token of 64 characters")
    equal(service["script"], SCRIPT, "script")
    equal(service["environment"], {"variables": {"COLOUR": "red"}, "secrets": {"TOKEN": ""}}, "environment")
    stored = service["storage_providers"]["minio"]["default"]
    equal((stored["access_key"], stored["secret_key"]), ("hidden", "hidden"), "keys of minio.default")
    expect(SERVICE in [entry["name"] for entry in oscar.list_services().json()], "service is listed")
    first = ["name", "cluster_id", "memory", "cpu", "total_memory", "total_cpu"]
    equal([key for key in service if key in first], first, "order of the keys")


@case("create_service again fails in the client; POSTed again it is 400; a broken one is 400")
def create_again(context):
    oscar = client(context)
    try:
        oscar.create_service(definition())
    except ValueError:
        pass
    else:
        raise AssertionError("created twice")
    answer = context.server.request("POST", "/system/services", 400, data=json.dumps(definition()))
    equal(answer.text, "A service with the provided name already exists", "text")
    equal(status_of(oscar.create_service, {"name": "py-none", "sandbox": "process"}), 400, "status without script")
    equal(
        status_of(oscar.create_service, definition(name="py-memory", memory="lots")),
        400,
        "status with a wrong memory",
    )
    for name in ("py-none", "py-memory"):
        equal(
            context.server.request("GET", f"/system/services/{name}").status_code,
            404,
            "a failed create leaves nothing",
        )


@case("create_service from an FDL file, with numeric cpu")
def create_from_file(context):
    with open(context.path("upper.sh"), "w", encoding="utf-8") as file:
        file.write("echo from file\r\n")
    with open(context.path("fdl.yaml"), "w", encoding="utf-8") as file:
        file.write(
            "functions:\n  oscar:\n  - test:\n      name: py-file\n      cpu: 0.1\n      memory: 128Mi\n"
            "      sandbox: process\n      script: upper.sh\n      log_level: CRITICAL\n"
        )
    oscar = client(context)
    equal(oscar.create_service(context.path("fdl.yaml")).status_code, 201, "status")
    service = oscar.get_service("py-file").json()
    equal((service["cpu"], service["script"]), ("0.1", "echo from file\n"), "cpu and script")
    equal(oscar.run_service("py-file").text.strip(), "from file", "answer of a run without input")


@case("run_service: text, file, output file, binary output, extra headers")
def run(context):
    oscar = client(context)
    equal(oscar.run_service(SERVICE, input="some text").text.strip(), "SOME TEXT", "answer")
    with open(context.path("input.txt"), "w", encoding="utf-8") as file:
        file.write("from a file\nof two lines\n")
    answer = oscar.run_service(
        SERVICE, input=context.path("input.txt"), output=context.path("answer.md"), headers="X-One: 1,X-Two: 2"
    )
    equal(answer.text.strip(), "FROM A FILE\nOF TWO LINES", "answer")
    with open(context.path("answer.md"), encoding="utf-8") as file:
        expect(file.read().strip() == "FROM A FILE\nOF TWO LINES", "text in the output file")
    body = random_bytes(300_000)
    with open(context.path("input.bin"), "wb") as file:
        file.write(body)
    oscar.create_service(
        definition(name="py-binary", script='cat "$INPUT_FILE_PATH" > "$TMP_OUTPUT_DIR/same"\n', input=[], output=[])
    )
    oscar.run_service("py-binary", input=context.path("input.bin"), output=context.path("output.bin"))
    with open(context.path("output.bin"), "rb") as file:
        expect(file.read() == body, "binary answer differs")


@case("run_service: a failing script is 500 with its output; an unknown service fails")
def run_fails(context):
    oscar = client(context)
    oscar.create_service(definition(name="py-fails", script="echo broken; exit 7\n", input=[], output=[]))
    try:
        oscar.run_service("py-fails", input="x")
    except requests.HTTPError as error:
        expect(
            error.response.status_code == 500 and "broken" in error.response.text, f"answer: {error.response.text}"
        )
    else:
        raise AssertionError("the run succeeded")
    expect(status_of(oscar.run_service, "py-unknown") == 404, "status of an unknown service")


@case("run_service with the service's token, by AnonymousClient; a wrong token is 401")
def anonymous(context):
    token = client(context).get_service(SERVICE).json()["token"]
    nobody = AnonymousClient({"cluster_id": "test", "endpoint": context.server.api, "ssl": False})
    equal(nobody.run_service(SERVICE, input="quiet", token=token).text.strip(), "QUIET", "answer")
    equal(status_of(lambda: nobody.run_service(SERVICE, input="x", token="0" * 64)), 401, "status")
    other = client(context).get_service("py-file").json()["token"]
    equal(
        status_of(lambda: nobody.run_service(SERVICE, input="x", token=other)),
        401,
        "status with another service's token",
    )


def finished_jobs(oscar, service, number):
    """The jobs of a service, once so many have ended."""

    def probe():
        jobs = oscar.list_jobs(service).json()["jobs"]
        done = {name: job for name, job in jobs.items() if job["status"] in ("Succeeded", "Failed")}
        return done if len(done) >= number else None

    return eventually(probe, f"{number} ended jobs of {service}")


@case("run_service(async_call), list_jobs, get_job_logs, remove_job, remove_all_jobs")
def jobs(context):
    oscar = client(context)
    for text in ("one", "two"):
        equal(oscar.run_service(SERVICE, input=text, async_call=True).status_code, 201, "status")
    done = finished_jobs(oscar, SERVICE, 2)
    for name, job in done.items():
        expect(name.startswith(SERVICE + "-"), f"job name {name}")
        equal(job["status"], "Succeeded", "status")
        for key in ("creation_time", "start_time", "finish_time"):
            expect(job.get(key, "").endswith("Z"), f"{key} of {job}")
    logs = [oscar.get_job_logs(SERVICE, name).text for name in done]
    expect(sorted("ONE" in log for log in logs) == [False, True], f"logs: {logs}")
    expect(all("shouting" in log for log in logs), "standard error is in the log")
    first = sorted(done)[0]
    equal(oscar.remove_job(SERVICE, first).status_code, 204, "status")
    equal(status_of(oscar.get_job_logs, SERVICE, first), 404, "status of a removed job")
    oscar.run_service("py-fails", input="x", async_call=True)
    failed = finished_jobs(oscar, "py-fails", 1)
    equal([job["status"] for job in failed.values()], ["Failed"], "status of a failing script")
    equal(oscar.remove_all_jobs("py-fails").status_code, 204, "status")
    equal(len(oscar.list_jobs("py-fails").json()["jobs"]), 1, "failed jobs stay")
    equal(oscar.remove_all_jobs(SERVICE).status_code, 204, "status")
    equal(oscar.list_jobs(SERVICE).json(), {"jobs": {}}, "listing when empty")


@case("list_jobs by pages")
def pages(context):
    oscar = client(context)
    for number in range(75):
        oscar.run_service("py-file", input=str(number), async_call=True)
    eventually(
        lambda: len([job for job in context.server.jobs("py-file") if job["state"].lower() == "succeeded"]) == 75,
        "75 jobs",
        60,
    )
    first = oscar.list_jobs("py-file").json()
    equal((len(first["jobs"]), first["remaining_jobs"]), (70, 5), "first page")
    second = oscar.list_jobs("py-file", first["next_page"]).json()
    equal(len(second["jobs"]), 5, "second page")
    expect(not set(first["jobs"]) & set(second["jobs"]) and "next_page" not in second, "pages overlap or go on")


@case("update_service: fields change, token stays; an unknown one fails in the client")
def update(context):
    oscar = client(context)
    token = oscar.get_service(SERVICE).json()["token"]
    changed = definition(
        script='echo updated: $COLOUR; cat "$INPUT_FILE_PATH"\n',
        memory="256Mi",
        environment={"variables": {"COLOUR": "blue"}},
    )
    answer = oscar.update_service(SERVICE, changed)
    equal((answer.status_code, answer.text), (204, ""), "answer")
    service = oscar.get_service(SERVICE).json()
    equal((service["memory"], service["token"]), ("256Mi", token), "memory and token")
    equal(oscar.run_service(SERVICE, input="x").text.strip(), "updated: blue\nx", "answer")
    try:
        oscar.update_service("py-unknown", definition(name="py-unknown"))
    except ValueError:
        return
    raise AssertionError("an unknown service was updated")


@case("create_bucket, list, get, update, presign_bucket, delete")
def buckets(context):
    oscar = client(context)
    equal(oscar.create_bucket("py-bucket").status_code, 201, "status")
    expect("py-bucket" in [bucket["bucket_name"] for bucket in oscar.list_buckets().json()], "bucket is listed")
    context.boto().put_object(Bucket="py-bucket", Key="sub/key ü", Body=b"body")
    bucket = oscar.get_bucket("py-bucket").json()
    equal([(item["object_name"], item["size_bytes"]) for item in bucket["objects"]], [("sub/key ü", 4)], "objects")
    equal(bucket["is_truncated"], False, "is_truncated")
    equal(oscar.update_bucket("py-bucket", "public", []).status_code, 204, "status")
    signed = oscar.presign_bucket("py-bucket", "sub/key ü", expires=60).json()
    equal(signed["method"], "GET", "method")
    equal(requests.get(signed["url"], timeout=10).content, b"body", "content through a signed URL")
    signed = oscar.presign_bucket("py-bucket", "uploaded", operation="upload", expires=60).json()
    answer = requests.request(signed["method"], signed["url"], data=b"new", headers=signed.get("headers"), timeout=10)
    equal(answer.status_code, 200, "status of the upload")
    equal(context.boto().get_object(Bucket="py-bucket", Key="uploaded")["Body"].read(), b"new", "uploaded content")
    equal(oscar.delete_bucket("py-bucket").status_code, 204, "status")
    equal(status_of(oscar.delete_bucket, "py-bucket"), 404, "status of a missing bucket")


@case("storage client: upload_file triggers the service, list_files_from_path, download_file")
def storage(context):
    oscar = client(context)
    oscar.update_service(
        SERVICE,
        definition(script='tr a-z A-Z < "$INPUT_FILE_PATH" > "$TMP_OUTPUT_DIR/big-$(basename "$INPUT_FILE_PATH")"\n'),
    )
    store = oscar.create_storage_client(SERVICE)
    with open(context.path("letter.txt"), "w", encoding="utf-8") as file:
        file.write("dear cluster")
    with contextlib.redirect_stdout(io.StringIO()):
        store.upload_file("minio.default", context.path("letter.txt"), "py-shout/in")

        def probe():
            listing = store.list_files_from_path("minio.default", "py-shout/out")
            return [item["Key"] for item in listing.get("Contents", []) if not item["Key"].endswith("/")]

        equal(eventually(probe, "the result"), ["out/big-letter.txt"], "results")
        store.download_file("minio.default", context.folder, "py-shout/out/big-letter.txt")
    with open(context.path("big-letter.txt"), encoding="utf-8") as file:
        equal(file.read(), "DEAR CLUSTER", "result")
    expect("default" in oscar.create_storage_client().storage_providers["minio"], "storage client without a service")


@case("remove_service, twice; other services stay")
def remove(context):
    oscar = client(context)
    for name in (SERVICE, "py-file", "py-binary", "py-fails"):
        equal(oscar.remove_service(name).status_code, 204, "status")
    equal(status_of(oscar.remove_service, SERVICE), 404, "status of a missing service")
    equal(status_of(oscar.get_service, SERVICE), 404, "status of a missing service")
    s3 = context.boto()
    expect(s3.head_object(Bucket="py-shout", Key="out/big-letter.txt"), "the user's data is kept")
