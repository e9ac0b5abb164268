"""Two clusters with a bad link between them: nothing is lost, nothing doubled, and everything says why it waits."""

import json
import random
import shutil
import subprocess
import time

from apus import Apus, has_succeeded, is_done
from bad_link import BadLink
from cases import case, equal, eventually, expect
from invocation_suite import minio

COUNT = 40
LARGE = 40 << 20


def set_up(context, name, *flags, **link_limits):
    """The edge makes results, the cloud has a service that each of them triggers; a bad link is between them."""
    folder = context.path(name, "")
    edge, cloud = Apus("edge", folder, more_flags=["--delivery-pause", "500ms", *flags]), Apus("cloud", folder)
    edge.start()
    cloud.start()
    link = BadLink(cloud.s3_port)
    cloud.create_service(
        "second",
        'sha256sum < "$INPUT_FILE_PATH" > "$TMP_OUTPUT_DIR/$(basename "$INPUT_FILE_PATH").sum"\n',
        input=[minio("chain/middle")],
        output=[minio("chain/end")],
    )
    provider = {"endpoint": link.url, "region": "us-east-1", "access_key": cloud.access_key,
                "secret_key": cloud.secret_key, **link_limits}
    edge.create_service(
        "first",
        'cp "$INPUT_FILE_PATH" "$TMP_OUTPUT_DIR/$(basename "$INPUT_FILE_PATH")"\n',
        input=[minio("chain/start")],
        output=[{"storage_provider": "minio.cloud", "path": "chain/middle"}],
        storage_providers={"minio": {"cloud": provider}},
    )
    return edge, cloud, link


def tear_down(context, name, edge, cloud, link):
    link.close()
    edge.stop()
    cloud.stop()
    shutil.rmtree(context.path(name, ""), ignore_errors=True)


def check(edge, cloud, contents, seconds=120):
    """Every result is at the cloud, byte for byte, and has triggered there exactly once."""

    def probe():
        first, second = edge.jobs("first"), cloud.jobs("second")
        done = len(first) == len(contents) and len(second) >= len(contents) and all(map(is_done, first + second))
        return (first, second) if done else None

    first, second = eventually(probe, "all jobs on both clusters", seconds, 0.3)
    expect(all(map(has_succeeded, first + second)), "a job failed")
    equal(
        sorted(job["input"]["key"] for job in second), sorted(f"middle/{name}" for name in contents), "jobs of the cloud"
    )
    s3 = cloud.boto()
    for name, content in contents.items():
        body = s3.get_object(Bucket="chain", Key=f"middle/{name}")["Body"].read()
        expect(body == content, f"{name} differs: {len(body)} bytes in place of {len(content)}")
    uploads = s3.list_multipart_uploads(Bucket="chain").get("Uploads", [])
    equal(uploads, [], "uploads that are left open")


@case("a link that flaps and resets: each result arrives once, whole")
def flaps(context):
    edge, cloud, link = set_up(context, "flaps")
    try:
        generator = random.Random(7)
        contents = {f"file-{number}": generator.randbytes(generator.randrange(200_000)) for number in range(COUNT)}
        s3 = edge.boto()
        link.reset_after = 20_000
        for name, content in contents.items():
            s3.put_object(Bucket="chain", Key=f"start/{name}", Body=content)
        end = time.monotonic() + 12
        while time.monotonic() < end:
            link.is_down = generator.random() < 0.3
            link.reset_after = generator.randrange(1_000, 400_000)
            time.sleep(0.1)
        expect(link.resets > 10, f"the link was hardly bad: {link.resets} resets")
        link.is_down, link.reset_after = False, None
        check(edge, cloud, contents)
    finally:
        tear_down(context, "flaps", edge, cloud, link)


@case("a large result goes on where the link, the edge and the cloud broke off")
def resumes(context):
    edge, cloud, link = set_up(context, "resumes")
    try:
        content = random.Random(8).randbytes(LARGE)
        link.rate, link.reset_after = 8 << 20, None
        edge.boto().put_object(Bucket="chain", Key="start/large", Body=content)
        eventually(lambda: link.bytes_up > LARGE // 3, "a third of it has gone", 40)
        edge.kill()
        link.is_down = True
        edge.start()
        cloud.kill()
        cloud.start()
        link.is_down, link.rate = False, None
        check(edge, cloud, {"large": content})
        # At the most the parts that were under way went twice.
        expect(link.bytes_up < LARGE + (40 << 20), f"{link.bytes_up} bytes went for {LARGE}")
        expect(link.bytes_up < LARGE * 2 - (8 << 20), f"it was begun anew: {link.bytes_up} bytes for {LARGE}")
    finally:
        tear_down(context, "resumes", edge, cloud, link)


@case("a limit of bandwidth is kept, on the wire")
def limited(context):
    edge, cloud, link = set_up(context, "limited", bandwidth="1MiB/s")
    try:
        content = random.Random(9).randbytes(5 << 20)
        edge.boto().put_object(Bucket="chain", Key="start/slow", Body=content)
        eventually(lambda: link.bytes_up > 0, "the first byte", 20)
        begin = time.monotonic()
        check(edge, cloud, {"slow": content})
        seconds = time.monotonic() - begin
        expect(seconds > 3.5, f"5 MiB at 1 MiB/s took {seconds:.1f} s")
    finally:
        tear_down(context, "limited", edge, cloud, link)


def command(edge, *words):
    """Runs the command line against the edge."""
    return subprocess.run(
        [edge.binary, *words],
        env={"HOME": edge.folder, "APUS_ENDPOINT": edge.api, "APUS_USERNAME": edge.user, "APUS_PASSWORD": edge.password},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@case("apus delivery: what waits is listed with its reason, can be hurried and given up; metrics tell")
def steering(context):
    edge, cloud, link = set_up(context, "steering")
    try:
        link.is_down = True
        s3 = edge.boto()
        for name in ("a", "b"):
            s3.put_object(Bucket="chain", Key=f"start/{name}", Body=name.encode())

        def listed():
            output = command(edge, "delivery", "list", "-o", "json").stdout
            lines = json.loads(output) if output.strip() else []
            lines = lines if isinstance(lines, list) else [lines]
            return [line for line in lines if line["waiting"] == 2 and line.get("error")]

        line = eventually(listed, "two deliveries with a reason", 30)[0]
        equal((line["destination"], line["bytes"]), ("first/minio.cloud", 2), "the destination")
        metrics = edge.request("GET", "/metrics", 200).text
        expect('apus_delivery_queue{destination="first/minio.cloud"} 2' in metrics, "the metric of what waits")
        refused = command(edge, "delivery", "drop", "first/minio.cloud")
        expect(refused.returncode != 0 and "--yes" in refused.stderr, "a drop asks for --yes")
        equal(command(edge, "delivery", "drop", "first/minio.cloud", "--yes").stdout, "2 given up\n", "the drop")
        expect(all(job["state"] == "failed" for job in edge.jobs("first")), "their jobs have failed")
        link.is_down = False
        s3.put_object(Bucket="chain", Key="start/c", Body=b"c")
        eventually(lambda: any(map(has_succeeded, edge.jobs("first"))), "the next one arrives", 30)
        equal(cloud.boto().list_objects_v2(Bucket="chain", Prefix="middle/")["KeyCount"], 1, "objects at the cloud")
    finally:
        tear_down(context, "steering", edge, cloud, link)


def settled(edge, names):
    """Whether nothing of these is about to run or running."""
    states = [job["state"] for job in edge.jobs("first")]
    return len(states) == len(names) and all(state in ("queued", "delivering", "failed") for state in states)


@case("too much waits: jobs that would make more wait and say so, or the oldest results are given up")
def overflows(context):
    for policy in ("wait", "drop-oldest"):
        edge, cloud, link = set_up(
            context, "overflows", "--delivery-quota", "100Ki", "--delivery-overflow", policy)
        try:
            link.is_down = True
            s3 = edge.boto()
            contents, sent = {f"file-{number}": bytes([number]) * 60_000 for number in range(4)}, []
            for name, content in contents.items():
                s3.put_object(Bucket="chain", Key=f"start/{name}", Body=content)
                sent.append(name)
                eventually(lambda: settled(edge, sent), f"{name} waits, or was given up", 30)
            if policy == "wait":

                def held():
                    waiting = [job for job in edge.jobs("first") if job["state"] == "queued"]
                    return waiting and all("apus delivery list" in job["reason"] for job in waiting)

                eventually(held, "jobs that wait for room, and say so", 30)
                expect(len([job for job in edge.jobs("first") if job["state"] == "delivering"]) >= 2, "two wait")
                link.is_down = False
                check(edge, cloud, contents)
            else:
                def given_up():
                    return [job for job in edge.jobs("first") if job["state"] == "failed"]

                eventually(given_up, "what was given up", 30)
                expect(edge.jobs("first")[0]["state"] != "failed", "the newest is kept")
                link.is_down = False
                eventually(lambda: all(map(is_done, edge.jobs("first"))), "the rest arrives", 30)
                # Only now: making room is not done when the first is given up.
                lost = given_up()
                expect(all("given up" in job["message"] for job in lost), "the reason of what was given up")
                names = {f"middle/{name}" for name in contents} - {
                    job["input"]["key"].replace("start/", "middle/") for job in lost}
                expect("middle/file-3" in names, "the newest arrives")
                there = cloud.boto().list_objects_v2(Bucket="chain", Prefix="middle/").get("Contents", [])
                equal({entry["Key"] for entry in there}, names, "objects at the cloud")
        finally:
            tear_down(context, "overflows", edge, cloud, link)
