"""Two clusters: results of one land in the other's store, also over failures of either."""

import json
import shutil

from apus import Apus, has_succeeded, is_done
from cases import case, equal, eventually, expect
from invocation_suite import minio

FILES = [f"file-{number}" for number in range(6)]


def remote(cloud, verify=True):
    return {
        "minio": {
            "cloud": {
                "endpoint": cloud.s3,
                "region": "us-east-1",
                "access_key": cloud.access_key,
                "secret_key": cloud.secret_key,
                "verify": verify,
            }
        }
    }


def set_up(context, name, seconds):
    """Two running clusters with a chain over both: `first` on the edge, `second` on the cloud."""
    folder = context.path(name, "")
    edge = Apus("edge", folder)
    cloud = Apus("cloud", folder)
    edge.start()
    cloud.start()
    cloud.create_service(
        "second",
        'sed "s/$/ second/" "$INPUT_FILE_PATH" > "$TMP_OUTPUT_DIR/$(basename "$INPUT_FILE_PATH")"\n',
        input=[minio("chain/middle")],
        output=[minio("chain/end")],
    )
    edge.create_service(
        "first",
        f'sleep {seconds}; sed "s/$/ first/" "$INPUT_FILE_PATH" > "$TMP_OUTPUT_DIR/$(basename "$INPUT_FILE_PATH")"\n',
        input=[minio("chain/start")],
        output=[{"storage_provider": "minio.cloud", "path": "chain/middle"}],
        storage_providers=remote(cloud),
    )
    return edge, cloud


def tear_down(context, name, *servers):
    for server in servers:
        server.stop()
    shutil.rmtree(context.path(name, ""), ignore_errors=True)


def put_files(edge):
    s3 = edge.boto()
    for name in FILES:
        s3.put_object(Bucket="chain", Key=f"start/{name}", Body=name.encode() + b"\n")


def check_all(edge, cloud, seconds=90):
    """Each file has passed both services exactly once, and every result is there."""

    def probe():
        first, second = edge.jobs("first"), cloud.jobs("second")
        done = len(first) == len(second) == len(FILES) and all(map(is_done, first + second))
        return (first, second) if done else None

    first, second = eventually(probe, "all jobs on both clusters", seconds, 0.3)
    expect(
        all(map(has_succeeded, first + second)),
        f"a job failed: {[j for j in first + second if not has_succeeded(j)]}",
    )
    equal(sorted(job["input"]["key"] for job in first), sorted(f"start/{name}" for name in FILES), "jobs of the edge")
    equal(
        sorted(job["input"]["key"] for job in second), sorted(f"middle/{name}" for name in FILES), "jobs of the cloud"
    )
    s3 = cloud.boto()
    for name in FILES:
        equal(
            s3.get_object(Bucket="chain", Key=f"end/{name}")["Body"].read(), f"{name} first second\n".encode(), name
        )


def waiting_deliveries(edge):
    """Jobs of the edge whose script is over and whose result waits for the other side."""
    return [job for job in edge.jobs("first") if not is_done(job) and job.get("exit_code") == 0]


@case("results flow on to the other cluster and trigger there")
def flows(context):
    edge, cloud = set_up(context, "flows", 0)
    try:
        put_files(edge)
        check_all(edge, cloud)
    finally:
        tear_down(context, "flows", edge, cloud)


@case("the cloud is stopped in mid-run and started later: nothing is lost, the waiting is visible")
def cloud_away(context):
    edge, cloud = set_up(context, "cloud-away", 0.5)
    try:
        put_files(edge)
        eventually(lambda: any(job["state"].lower() == "running" for job in edge.jobs("first")), "a running job")
        cloud.stop()
        # A result whose first transfer is still under way has nothing to say yet.
        eventually(
            lambda: [
                job
                for job in waiting_deliveries(edge)
                if job["state"] == "delivering" and "cloud" in str(job.get("reason") or job.get("message"))
            ],
            "a result that waits and says for what",
            40,
        )
        eventually(
            lambda: len(waiting_deliveries(edge)) + len([j for j in edge.jobs("first") if is_done(j)]) == len(FILES),
            "all scripts are over while the cloud is away",
            40,
        )
        cloud.start()
        check_all(edge, cloud)
    finally:
        tear_down(context, "cloud-away", edge, cloud)


@case("the edge is restarted while results wait, once by SIGTERM and once by SIGKILL")
def edge_restarted(context):
    edge, cloud = set_up(context, "edge-restarted", 0)
    try:
        cloud.kill()
        put_files(edge)
        eventually(lambda: len(waiting_deliveries(edge)) == len(FILES), "all results wait", 40)
        equal(edge.stop(), 0, "exit status after SIGTERM")
        edge.start()
        eventually(lambda: len(waiting_deliveries(edge)) == len(FILES), "all results still wait", 20)
        edge.kill()
        edge.start()
        cloud.start()
        check_all(edge, cloud)
        expect(
            all(job["attempts"] == 1 for job in edge.jobs("first")), "a finished script ran again for its delivery"
        )
    finally:
        tear_down(context, "edge-restarted", edge, cloud)


@case("wrong keys of the other side end the job with a clear message")
def wrong_keys(context):
    edge, cloud = set_up(context, "wrong-keys", 0)
    try:
        providers = remote(cloud)
        providers["minio"]["cloud"]["secret_key"] = "wrong"
        body = {
            "name": "denied",
            "script": 'echo 1 > "$TMP_OUTPUT_DIR/x"\n',
            "cpu": "0.1",
            "memory": "64Mi",
            "sandbox": "process",
            "input": [minio("denied/in")],
            "output": [{"storage_provider": "minio.cloud", "path": "chain/middle"}],
            "storage_providers": providers,
        }
        edge.request("POST", "/system/services", 201, data=json.dumps(body))
        edge.boto().put_object(Bucket="denied", Key="in/x", Body=b"")
        told = eventually(
            lambda: [
                job
                for job in edge.jobs("denied")
                if (job.get("message") or job.get("reason")) and job.get("exit_code") == 0
            ],
            "a message",
            30,
        )[0]
        text = f"{told.get('message')} {told.get('reason')} {json.dumps(told.get('deliveries'))}"
        expect("cloud" in text, f"the message names the provider: {text}")
        expect("wrong" not in text.split(), "the message shows no secret")
    finally:
        tear_down(context, "wrong-keys", edge, cloud)
