"""The way of a file, driven by aws-cli and plain HTTP, with process sandboxes."""

import base64
import json
import os

import requests

from apus import has_succeeded, is_done
from awscli_suite import aws
from cases import case, equal, eventually, expect, random_bytes


def minio(path, **filters):
    return {"storage_provider": "minio.default", "path": path, **filters}


def jobs_done(context, service, number, seconds=30):
    """All jobs of a service, once exactly so many are there and ended."""

    def probe():
        jobs = context.server.jobs(service)
        expect(len(jobs) <= number, f"{len(jobs)} jobs of {service}, want {number}")
        return jobs if len(jobs) == number and all(map(is_done, jobs)) else None

    return eventually(probe, f"{number} ended jobs of {service}", seconds)


def contents(context, bucket, prefix=""):
    """Keys of a bucket that are no folders."""
    s3 = context.boto()
    found = []
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        found += [item["Key"] for item in page.get("Contents", []) if not item["Key"].endswith("/")]
    return found


@case("a file put with aws-cli is processed and its result fetched, byte for byte")
def walking_skeleton(context):
    context.server.create_service(
        "way",
        'rev "$INPUT_FILE_PATH" > "$TMP_OUTPUT_DIR/reversed.txt"\ncat "$INPUT_FILE_PATH" > "$TMP_OUTPUT_DIR/same"\n',
        input=[minio("way/in")],
        output=[minio("way/out")],
    )
    body = b"abc\ndef\n"
    with open(context.path("file.txt"), "wb") as file:
        file.write(body)
    aws(context, "s3", "cp", "--no-progress", context.path("file.txt"), "s3://way/in/file.txt")
    job = jobs_done(context, "way", 1)[0]
    expect(has_succeeded(job), f"job: {job}")
    equal((job["input"]["bucket"], job["input"]["key"], job["exit_code"]), ("way", "in/file.txt", 0), "job")
    equal(aws(context, "s3", "cp", "s3://way/out/reversed.txt", "-"), b"cba\nfed\n", "result")
    equal(aws(context, "s3", "cp", "s3://way/out/same", "-"), body, "second result")


@case("Prometheus can read what happened: events, jobs, times and bytes")
def metrics(context):
    def samples():
        lines = requests.get(context.server.api + "/metrics", timeout=10).text.splitlines()
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}

    context.server.create_service(
        "measured", 'cp "$INPUT_FILE_PATH" "$TMP_OUTPUT_DIR/"\n', input=[minio("measured/in")],
        output=[minio("measured/out")],
    )
    before = samples()
    context.boto().put_object(Bucket="measured", Key="in/file", Body=b"12345")
    expect(has_succeeded(jobs_done(context, "measured", 1)[0]), "the job failed")
    after = samples()

    def grown(name):
        return after[name] - before.get(name, 0)

    equal(grown('apus_jobs_ended_total{state="succeeded"}'), 1, "ended jobs")
    equal(grown('apus_jobs{state="succeeded"}'), 1, "jobs by state")
    equal((grown("apus_stage_in_bytes_total"), grown("apus_stage_out_bytes_total")), (5, 5), "bytes in and out")
    expect(grown("apus_events_total") >= 1, "events")
    for part in ("wait", "stage_in", "run", "stage_out"):
        equal(grown(f"apus_job_{part}_seconds_count"), 1, part)


@case("large, empty and awkwardly named files; files outside the input folder trigger nothing")
def names(context):
    context.server.create_service(
        "names", 'cp "$INPUT_FILE_PATH" "$TMP_OUTPUT_DIR/"\n', input=[minio("names/in")], output=[minio("names/out")]
    )
    s3 = context.boto()
    bodies = {
        "in/large": random_bytes(30 * 1024 * 1024 + 1),
        "in/empty": b"",
        "in/a b+c %41 ü 日本.txt": b"1",
        "in/sub/deep/file": b"2",
        "in/'quote\" $HOME `id` \\n": b"3",
    }
    for key, body in bodies.items():
        s3.put_object(Bucket="names", Key=key, Body=body)
    s3.put_object(Bucket="names", Key="inside-no", Body=b"x")
    s3.put_object(Bucket="names", Key="other/in/no", Body=b"x")
    jobs = jobs_done(context, "names", len(bodies))
    expect(all(map(has_succeeded, jobs)), f"jobs: {jobs}")
    for key, body in bodies.items():
        got = s3.get_object(Bucket="names", Key="out/" + key.rsplit("/", 1)[1])["Body"].read()
        expect(got == body, f"result of {key} differs")
    equal(
        sorted(contents(context, "names", "out/")),
        sorted("out/" + key.rsplit("/", 1)[1] for key in bodies),
        "results",
    )


@case("every kind of upload triggers once: put, multipart, copy, presigned, browser-like chunks")
def kinds(context):
    context.server.create_service(
        "kinds",
        'echo done > "$TMP_OUTPUT_DIR/$(basename "$INPUT_FILE_PATH").done"\n',
        input=[minio("kinds/in")],
        output=[minio("kinds/out")],
    )
    s3 = context.boto()
    s3.put_object(Bucket="kinds", Key="elsewhere", Body=b"x")
    s3.copy_object(Bucket="kinds", Key="in/copy", CopySource="kinds/elsewhere")
    upload = s3.create_multipart_upload(Bucket="kinds", Key="in/parts")["UploadId"]
    tag = s3.upload_part(Bucket="kinds", Key="in/parts", UploadId=upload, PartNumber=1, Body=b"part")["ETag"]
    s3.complete_multipart_upload(
        Bucket="kinds", Key="in/parts", UploadId=upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": tag}]}
    )
    url = s3.generate_presigned_url("put_object", Params={"Bucket": "kinds", "Key": "in/signed"})
    equal(requests.put(url, data=b"x", timeout=10).status_code, 200, "status")
    s3.put_object(Bucket="kinds", Key="in/folder/", Body=b"")
    jobs_done(context, "kinds", 3)
    equal(
        sorted(contents(context, "kinds", "out/")), ["out/copy.done", "out/parts.done", "out/signed.done"], "results"
    )


@case("outputs are chosen by prefix and suffix; several outputs; folders are kept")
def filters(context):
    script = 'cd "$TMP_OUTPUT_DIR"; mkdir sub; for n in a.txt b.txt a.jpg sub/a.txt; do echo "$n" > "$n"; done\n'
    context.server.create_service(
        "filters",
        script,
        input=[minio("filters/in")],
        output=[
            minio("filters/all"),
            minio("filters/text", suffix=[".txt"]),
            minio("filters/both", prefix=["a"], suffix=[".txt", ".jpg"]),
        ],
    )
    context.boto().put_object(Bucket="filters", Key="in/x", Body=b"")
    jobs_done(context, "filters", 1)
    equal(contents(context, "filters", "all/"), ["all/a.jpg", "all/a.txt", "all/b.txt", "all/sub/a.txt"], "all")
    equal(contents(context, "filters", "text/"), ["text/a.txt", "text/b.txt", "text/sub/a.txt"], "text")
    equal(contents(context, "filters", "both/"), ["both/a.jpg", "both/a.txt"], "both")


@case("two services in one bucket make a chain; two services on one folder both run")
def chain(context):
    context.server.create_service(
        "chain-a",
        'sed s/^/a/ "$INPUT_FILE_PATH" > "$TMP_OUTPUT_DIR/t"\n',
        input=[minio("chain/one")],
        output=[minio("chain/two")],
    )
    context.server.create_service(
        "chain-b",
        'sed s/^/b/ "$INPUT_FILE_PATH" > "$TMP_OUTPUT_DIR/t"\n',
        input=[minio("chain/two")],
        output=[minio("chain/three")],
    )
    context.server.create_service(
        "chain-c",
        'sed s/^/c/ "$INPUT_FILE_PATH" > "$TMP_OUTPUT_DIR/t"\n',
        input=[minio("chain/two")],
        output=[minio("chain/four")],
    )
    context.boto().put_object(Bucket="chain", Key="one/t", Body=b"x\n")
    for service in ("chain-a", "chain-b", "chain-c"):
        jobs_done(context, service, 1)
    s3 = context.boto()
    equal(s3.get_object(Bucket="chain", Key="three/t")["Body"].read(), b"bax\n", "result of b")
    equal(s3.get_object(Bucket="chain", Key="four/t")["Body"].read(), b"cax\n", "result of c")


@case("the script sees its environment, and no storage key")
def environment(context):
    context.server.create_service(
        "surroundings",
        'env > "$TMP_OUTPUT_DIR/env"; pwd; cat /proc/self/environ | tr "\\0" "\\n" > "$TMP_OUTPUT_DIR/env2"\n',
        input=[minio("surroundings/in")],
        output=[minio("surroundings/out")],
        environment={"variables": {"COLOUR": "light blue"}, "secrets": {"TOKEN": "s3cret"}},
    )
    context.boto().put_object(Bucket="surroundings", Key="in/the file", Body=b"1")
    job = jobs_done(context, "surroundings", 1)[0]
    text = context.boto().get_object(Bucket="surroundings", Key="out/env")["Body"].read().decode()
    more = context.boto().get_object(Bucket="surroundings", Key="out/env2")["Body"].read().decode()
    values = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    equal((values["COLOUR"], values["TOKEN"]), ("light blue", "s3cret"), "variables")
    equal((values["OSCAR_SERVICE_NAME"], values["JOB_UUID"]), ("surroundings", job["name"]), "service and job")
    expect(len(values["OSCAR_SERVICE_TOKEN"]) == 64, "service token")
    equal(os.path.basename(values["INPUT_FILE_PATH"]), "the file", "name of the input")
    equal(values["STORAGE_OBJECT_KEY"], "in/the file", "STORAGE_OBJECT_KEY")
    record = json.loads(values["EVENT"])["Records"][0]
    equal((record["s3"]["bucket"]["name"], record["s3"]["object"]["size"]), ("surroundings", 1), "event")
    expect("T" in values["EVENT_TIME"], "EVENT_TIME")
    for secret in (context.secret_key, context.server.password):
        expect(secret not in text + more, "a credential of the server is visible to the script")


@case("a failing script is Failed, with exit code, output and log")
def failure(context):
    context.server.create_service(
        "fails",
        "echo to stdout; echo to stderr >&2; exit 42\n",
        input=[minio("fails/in")],
        output=[minio("fails/out")],
    )
    context.boto().put_object(Bucket="fails", Key="in/x", Body=b"")
    job = jobs_done(context, "fails", 1)[0]
    equal((job["state"].lower(), job["exit_code"]), ("failed", 42), "job")
    expect(job["message"], "the job has a message")
    log = context.server.request("GET", f"/system/logs/fails/{job['name']}", 200).text
    expect("to stdout" in log and "to stderr" in log, f"log: {log}")
    stamped = context.server.request("GET", f"/system/logs/fails/{job['name']}?timestamps=true", 200).text
    expect(all(line[:2] == "20" and "T" in line[:11] for line in stamped.splitlines()), f"log with times: {stamped}")


@case("POST /job: any body becomes the input, 300 kB too; the answer names the job")
def post_job(context):
    context.server.create_service(
        "posted", 'cat "$INPUT_FILE_PATH" > "$TMP_OUTPUT_DIR/$JOB_UUID"\n', output=[minio("posted/out")]
    )
    bodies = {
        "text": b"no json * at all \\n",
        "base64": base64.b64encode(bytes(range(256))),
        "large": b'"' + b"x y  z" * 50_000 + b'"',
    }
    for name, body in bodies.items():
        answer = context.server.request("POST", "/job/posted", 201, data=body)
        bodies[name] = (answer.headers["X-Job-Name"], body)
    jobs_done(context, "posted", 3)
    s3 = context.boto()

    def result(name):
        return s3.get_object(Bucket="posted", Key=f"out/{bodies[name][0]}")["Body"].read()

    equal(result("base64"), bytes(range(256)), "base64 is decoded")
    equal(result("text"), bodies["text"][1], "what is neither JSON nor base64 stays")
    expect(len(result("large")) >= 300_000, "a large event is whole")


@case("POST /job with a MinIO event reads the object")
def post_event(context):
    context.server.create_service(
        "events", 'cp "$INPUT_FILE_PATH" "$TMP_OUTPUT_DIR/"\n', output=[minio("events/out")]
    )
    s3 = context.boto()
    s3.put_object(Bucket="events", Key="anywhere/a b.txt", Body=b"from the store")
    event = {
        "EventName": "s3:ObjectCreated:Put",
        "Key": "events/anywhere/a b.txt",
        "Records": [
            {
                "eventVersion": "2.0",
                "eventSource": "minio:s3",
                "eventTime": "2026-01-01T10:00:00.000Z",
                "eventName": "s3:ObjectCreated:Put",
                "requestParameters": {"principalId": "minio", "sourceIPAddress": "127.0.0.1"},
                "s3": {"bucket": {"name": "events"}, "object": {"key": "anywhere%2Fa+b.txt", "size": 14}},
            }
        ],
    }
    context.server.request("POST", "/job/events", 201, data=json.dumps(event))
    jobs_done(context, "events", 1)
    equal(s3.get_object(Bucket="events", Key="out/a b.txt")["Body"].read(), b"from the store", "result")


@case("POST /run: text, one file, several files as zip, plain bytes, 401")
def run(context):
    import io
    import zipfile

    context.server.create_service(
        "sync",
        'n=$(cat "$INPUT_FILE_PATH"); i=0; while [ $i -lt $n ]; do echo "f$i" > "$TMP_OUTPUT_DIR/f$i"; i=$((i+1)); done; echo "said $n"\n',
        log_level="CRITICAL",
    )

    def call(number, **options):
        return context.server.request(
            "POST", "/run/sync", 200, data=base64.b64encode(str(number).encode()), **options
        )

    equal(call(0).text.strip(), "said 0", "no file: the script's output")
    equal(base64.b64decode(call(1).text), b"f0\n", "one file")
    archive = zipfile.ZipFile(io.BytesIO(base64.b64decode(call(3).text)))
    equal(
        {name: archive.read(name) for name in archive.namelist()},
        {f"f{n}": f"f{n}\n".encode() for n in range(3)},
        "zip",
    )
    answer = context.server.request(
        "POST", "/run/sync", 200, data=b"1", headers={"Accept": "application/octet-stream"}
    )
    equal(answer.content, b"f0\n", "plain bytes")
    equal(
        requests.post(f"{context.server.api}/run/sync", data=b"1", timeout=10).status_code,
        401,
        "status without credentials",
    )


@case("update: a new input takes effect at once, a removed one stops")
def update(context):
    body = {
        "name": "moves",
        "script": 'echo 1 > "$TMP_OUTPUT_DIR/$(basename "$INPUT_FILE_PATH")"\n',
        "cpu": "0.1",
        "memory": "64Mi",
        "sandbox": "process",
        "input": [minio("moves/old")],
        "output": [minio("moves/out")],
    }
    context.server.request("POST", "/system/services", 201, data=json.dumps(body))
    s3 = context.boto()
    s3.put_object(Bucket="moves", Key="old/1", Body=b"")
    jobs_done(context, "moves", 1)
    body["input"] = [minio("moves/new")]
    context.server.request("PUT", "/system/services", 204, data=json.dumps(body))
    s3.put_object(Bucket="moves", Key="old/2", Body=b"")
    s3.put_object(Bucket="moves", Key="new/3", Body=b"")
    jobs_done(context, "moves", 2)
    equal(contents(context, "moves", "out/"), ["out/1", "out/3"], "results")


@case("what this version cannot do is refused by name")
def refused(context):
    base = {"name": "refused", "script": "true\n", "sandbox": "process"}
    table = {
        "enable_gpu": True,
        "expose": {"api_port": [80], "nodePort": [30080]},
        "isolation_level": "USER",
        "kserve": {"type": "inference", "storage_uri": "x", "inference": {"model_format": "m"}},
        "federation": {"topology": "star", "members": [{"type": "oscar", "cluster_id": "c", "service_name": "s"}]},
    }
    for field, value in table.items():
        answer = context.server.request("POST", "/system/services", 400, data=json.dumps({**base, field: value}))
        expect(field in answer.text, f"{field}: {answer.text}")
    equal(context.server.request("GET", "/system/services/refused").status_code, 404, "nothing is left behind")


@case("deleting a service keeps the user's data and its jobs do not run any more")
def delete(context):
    context.server.request("DELETE", "/system/services/way", 204)
    s3 = context.boto()
    equal(s3.get_object(Bucket="way", Key="out/same")["Body"].read(), b"abc\ndef\n", "result after the deletion")
    s3.put_object(Bucket="way", Key="in/later", Body=b"")
    context.server.create_service("way", "true\n", input=[minio("way/in")])
    s3.put_object(Bucket="way", Key="in/after", Body=b"")

    def probe():
        return [job["input"]["key"] for job in context.server.jobs("way") if is_done(job)]

    eventually(lambda: "in/after" in probe(), "the job of the new service")
    expect("in/later" not in probe(), "a file put while there was no service triggered it afterwards")
