"""The clients: they do what the plan says, try again what was not answered, and write down what they were told."""

import concurrent.futures
import json
import queue
import threading
import time

import requests
from apus import s3_client
from botocore.exceptions import BotoCoreError, ClientError

from ledger import Attempt, digest
from plan import PART
from services import CLUSTER, failure

FAILURES = (BotoCoreError, ClientError, OSError, requests.RequestException)
# For so long a client tries again what was not acknowledged.
PATIENCE = 45.0


class Workload:
    """Sends the plan's operations to the first cluster through the link `in`."""

    def __init__(self, plan, cluster, link, ledger, timeline, has_containers, workers=6):
        self.plan, self.cluster, self.link = plan, cluster, link
        self.ledger, self.timeline, self.has_containers = ledger, timeline, has_containers
        self.pool = concurrent.futures.ThreadPoolExecutor(workers, thread_name_prefix="client")
        self.local = threading.local()
        self.keys = {}
        self.abandoned = queue.SimpleQueue()

    def run(self, begin):
        """Does everything at its moment, counted from `begin`; returns when all is done."""
        waiting = []
        for operation in self.plan.operations:
            time.sleep(max(0.0, begin + operation.at - time.monotonic()))
            waiting.append(self.pool.submit(self.perform, operation))
        for future in waiting:
            future.result()
        self.pool.shutdown()

    def s3(self):
        if not hasattr(self.local, "s3"):
            self.local.s3 = s3_client(
                self.link.url, self.cluster.access_key, self.cluster.secret_key, connect_timeout=3, read_timeout=8
            )
        return self.local.s3

    def perform(self, operation):
        if operation.key.startswith("boxed/") and not self.has_containers:
            return
        content = operation.content(self.plan.seed)
        deadline = time.monotonic() + PATIENCE
        for number in range(1000):
            attempt = Attempt(
                f"{operation.number}.{number}", operation.kind, operation.bucket, operation.key, time.monotonic(),
                operation.size, digest(content), {service: code for service in CLUSTER
                                                  if (code := failure(content, service)) is not None},
            )  # fmt: skip
            self.ledger.begin(attempt)
            try:
                etag = self.send(operation, attempt, content)
                attempt.acknowledged = time.monotonic()
                self.timeline.note(operation.kind, id=attempt.id, key=operation.key, size=operation.size)
                break
            except FAILURES as error:
                self.timeline.note("unanswered", id=attempt.id, key=operation.key, error=str(error)[:200])
                if time.monotonic() > deadline:
                    return self.abandoned.put(operation)
                time.sleep(0.2 + 0.1 * (number % 10))
        if operation.kind == "hook":
            self.post(attempt, etag)

    def send(self, operation, attempt, content):
        where = {"Bucket": operation.bucket, "Key": operation.key}
        if operation.kind == "delete":
            self.s3().delete_object(**where)
            return None
        metadata = {"chaos": attempt.id}
        if not operation.parts:
            return self.s3().put_object(**where, Body=content, Metadata=metadata)["ETag"].strip('"')
        upload = {**where, "UploadId": self.s3().create_multipart_upload(**where, Metadata=metadata)["UploadId"]}
        parts = []
        for number in range(1, operation.parts + 1):
            piece = content[(number - 1) * PART : number * PART]
            answer = self.s3().upload_part(**upload, PartNumber=number, Body=piece)
            parts.append({"PartNumber": number, "ETag": answer["ETag"]})
        return self.s3().complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})["ETag"].strip('"')

    def post(self, attempt, etag):
        """Posts the document of a webhook until it was taken twice, as storages do that do not hear the first answer."""
        body = document(attempt, etag)
        deadline = time.monotonic() + PATIENCE
        while attempt.posts < 2 and time.monotonic() < deadline:
            try:
                answer = requests.post(
                    f"{self.cluster.api}/job/hook", data=body, timeout=8,
                    auth=(self.cluster.user, self.cluster.password), headers={"Content-Type": "application/json"},
                )  # fmt: skip
                answer.raise_for_status()
                attempt.posts += 1
                self.timeline.note("posted", id=attempt.id, job=answer.headers.get("X-Job-Name"))
            except FAILURES as error:
                self.timeline.note("unanswered", id=attempt.id, key="POST /job/hook", error=str(error)[:200])
                time.sleep(0.3)


def document(attempt, etag):
    """What MinIO tells a webhook of an upload."""
    item = {
        "key": requests.utils.quote(attempt.key, safe=""), "size": attempt.size, "eTag": etag,
        "userMetadata": {"X-Amz-Meta-Chaos": attempt.id}, "sequencer": f"{int(attempt.id.split('.')[0]):016X}",
    }  # fmt: skip
    record = {
        "eventVersion": "2.0", "eventSource": "minio:s3", "eventName": "s3:ObjectCreated:Put",
        "eventTime": "2026-01-01T00:00:00.000Z", "s3": {"bucket": {"name": attempt.bucket}, "object": item},
    }  # fmt: skip
    key = f"{attempt.bucket}/{attempt.key}"
    return json.dumps({"EventName": "s3:ObjectCreated:Put", "Key": key, "Records": [record]})
