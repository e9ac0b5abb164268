"""A full disk under a live Apus: writes are refused with 507, all else goes on, and it recovers by itself.

The data directory is a small file system in memory, which needs the right to mount one; skipped without it.
"""

import os
import subprocess

import apus
import raw
from boto3_suite import fails
from cases import Skip, case, equal, eventually, expect, random_bytes
from notification_suite import Receiver, rule

BUCKET = "full"
MEBIBYTE = 1024 * 1024
SIZE = 64


class Disk:
    """An Apus on a small file system, for all cases of this suite; the last one ends it."""

    server = receiver = upload = None
    # What was acknowledged: key to content.
    objects = {}

    @classmethod
    def filler(cls):
        """A file of somebody else's, who takes what is left."""
        return os.path.join(cls.server.data, "filler")

    @classmethod
    def fill(cls):
        """Takes all that is left, to the last byte."""
        with open(cls.filler(), "ab", buffering=0) as file:
            for size in (MEBIBYTE, 4096, 1):
                try:
                    while file.write(b"\0" * size) == size:
                        pass
                except OSError:
                    pass


def disk(context):
    if Disk.server is None:
        Disk.receiver = Receiver()
        server = apus.Apus("full-disk", context.folder, more_flags=["--webhook", f"hook={Disk.receiver.url}"])
        os.makedirs(server.data, mode=0o700)
        command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}m,mode=0700", "tmpfs", server.data]
        try:
            mount = subprocess.run(command, capture_output=True, text=True, timeout=20)
        except OSError as error:
            raise Skip(f"no file system can be mounted: {error}") from None
        if mount.returncode != 0:
            raise Skip(f"no file system can be mounted: {mount.stderr.strip()}")
        Disk.server = server
        try:
            server.start()
        except BaseException:
            end()
            raise
    return Disk.server.boto(), Disk.server


def end():
    server, Disk.server = Disk.server, None
    if server:
        server.stop()
        subprocess.run(["umount", "-l", server.data], check=False, timeout=20)


def is_full(function, **arguments):
    fails("XMinioStorageFull", 507, function, Bucket=BUCKET, **arguments)


def put_until_full(s3, prefix, size):
    """Puts objects until one is refused; returns how many went in."""
    for number in range(SIZE * MEBIBYTE // size + 1000):
        body = random_bytes(size)
        try:
            s3.put_object(Bucket=BUCKET, Key=f"{prefix}{number}", Body=body)
        except s3.exceptions.ClientError as error:
            equal(error.response["Error"]["Code"], "XMinioStorageFull", "code")
            equal(error.response["ResponseMetadata"]["HTTPStatusCode"], 507, "status")
            return number
        Disk.objects[f"{prefix}{number}"] = body
    raise AssertionError("the disk does not get full")


def check_reads(s3):
    """All that was acknowledged is there, whole, and nothing else."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
    equal({item["Key"] for page in pages for item in page.get("Contents", [])}, set(Disk.objects), "keys")
    for key, body in Disk.objects.items():
        equal(s3.head_object(Bucket=BUCKET, Key=key)["ContentLength"], len(body), f"size of {key}")
        expect(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == body, f"content of {key} differs")


@case("large, middling, small and empty objects until nothing goes in any more: 507, XMinioStorageFull")
def filling(context):
    s3, server = disk(context)
    s3.create_bucket(Bucket=BUCKET)
    notify = {"QueueConfigurations": [rule("hook", "s3:ObjectCreated:*", prefix="told/")]}
    s3.put_bucket_notification_configuration(Bucket=BUCKET, NotificationConfiguration=notify)
    place = {"Bucket": BUCKET, "Key": "multipart"}
    Disk.upload = {**place, "UploadId": s3.create_multipart_upload(**place)["UploadId"]}
    Disk.part = random_bytes(5 * MEBIBYTE)
    Disk.tag = s3.upload_part(**Disk.upload, PartNumber=1, Body=Disk.part)["ETag"]
    expect(put_until_full(s3, "large/", 3 * MEBIBYTE + 1) > 5, "large objects")
    put_until_full(s3, "middling/", 100_000)
    Disk.fill()
    put_until_full(s3, "told/", 9_000)
    for _ in range(3):
        put_until_full(s3, f"told/{len(Disk.objects)}-", 1)
    answer = raw.send(context_of(server), "PUT", raw.target(BUCKET, "raw"), body=b"x" * 200_000)
    answer.want(507, "XMinioStorageFull")
    expect(answer.field("Message"), f"what to do: {answer}")
    check_reads(s3)


@case("full: no write of any kind, each with the same answer")
def writes(context):
    s3, _ = disk(context)
    is_full(s3.put_object, Key="a", Body=random_bytes(8 * MEBIBYTE))
    is_full(s3.put_object, Key="large/0", Body=random_bytes(50_000))
    is_full(s3.put_object, Key="a", Body=b"")
    part = {key: Disk.upload[key] for key in ("Key", "UploadId")}
    is_full(s3.upload_part, **part, PartNumber=2, Body=random_bytes(5 * MEBIBYTE))
    is_full(s3.upload_part, **part, PartNumber=2, Body=b"small")
    is_full(s3.upload_part_copy, **part, PartNumber=2, CopySource=f"{BUCKET}/large/0")
    parts = {"Parts": [{"PartNumber": 1, "ETag": Disk.tag}]}
    is_full(s3.complete_multipart_upload, **part, MultipartUpload=parts)
    is_full(s3.create_multipart_upload, Key="another")
    is_full(s3.copy_object, Key="copy", CopySource=f"{BUCKET}/large/0")
    is_full(s3.put_object_tagging, Key="large/0", Tagging={"TagSet": [{"Key": "k" * 100, "Value": "v" * 200}]})
    fails("XMinioStorageFull", 507, s3.create_bucket, Bucket="another-bucket")


@case("full: get, ranges, head, listings and the API go on; what was refused left nothing")
def reads(context):
    s3, server = disk(context)
    check_reads(s3)
    part = s3.get_object(Bucket=BUCKET, Key="large/0", Range="bytes=1000-1999")["Body"].read()
    expect(part == Disk.objects["large/0"][1000:2000], "range")
    listed = s3.list_parts(**Disk.upload)["Parts"]
    equal([(entry["PartNumber"], entry["ETag"]) for entry in listed], [(1, Disk.tag)], "parts")
    equal([entry["Key"] for entry in s3.list_multipart_uploads(Bucket=BUCKET)["Uploads"]], ["multipart"], "uploads")
    equal([entry["Name"] for entry in s3.list_buckets()["Buckets"]], [BUCKET], "buckets")
    server.request("GET", "/health", 200)
    server.request("GET", "/system/services", 200)


@case("full: a restart, after SIGKILL too, finds all and serves it")
def restarts(context):
    s3, server = disk(context)
    equal(server.stop(), 0, "exit status")
    server.start()
    check_reads(s3)
    Disk.fill()
    server.kill()
    server.start()
    check_reads(s3)
    is_full(s3.put_object, Key="a", Body=random_bytes(MEBIBYTE))


@case("full: deleting works, one and many, and makes room for writes by itself")
def deletions(context):
    s3, _ = disk(context)
    Disk.fill()
    s3.delete_object(Bucket=BUCKET, Key="large/0")
    del Disk.objects["large/0"]
    keys = ["large/1", "large/2"]
    answer = s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": key} for key in keys]})
    equal([entry["Key"] for entry in answer["Deleted"]], keys, "deleted")
    for key in keys:
        del Disk.objects[key]
    body = random_bytes(2 * MEBIBYTE)
    eventually(lambda: attempt(s3, "after deletions", body), "a write after the deletions")
    check_reads(s3)


@case("room made by somebody else: all kinds of writes work, parts from before are whole, and events come")
def recovery(context):
    s3, _ = disk(context)
    Disk.fill()
    is_full(s3.put_object, Key="a", Body=random_bytes(MEBIBYTE))
    os.remove(Disk.filler())
    body = random_bytes(100_000)
    eventually(lambda: attempt(s3, "after", body), "a write after somebody made room")
    second = s3.upload_part(**Disk.upload, PartNumber=2, Body=b"end")["ETag"]
    parts = [{"PartNumber": 1, "ETag": Disk.tag}, {"PartNumber": 2, "ETag": second}]
    s3.complete_multipart_upload(**Disk.upload, MultipartUpload={"Parts": parts})
    Disk.objects["multipart"] = Disk.part + b"end"
    check_reads(s3)
    told = {f"{BUCKET}/{key}" for key in Disk.objects if key.startswith("told/")}
    eventually(lambda: {event["Key"] for event in Disk.receiver.events} >= told, "events of all that was acknowledged")
    equal({event["Key"] for event in Disk.receiver.events}, told, "events")


@case("the server ends in order")
def ending(context):
    _, server = disk(context)
    try:
        equal(server.stop(), 0, "exit status after SIGTERM")
    finally:
        end()


def attempt(s3, key, body):
    """Whether an object goes in; another refusal than for the full disk fails the case."""
    try:
        s3.put_object(Bucket=BUCKET, Key=key, Body=body)
    except s3.exceptions.ClientError as error:
        equal(error.response["Error"]["Code"], "XMinioStorageFull", "code")
        return False
    Disk.objects[key] = body
    return True


def context_of(server):
    """What a raw request needs to know."""

    class Target:
        endpoint, access_key, secret_key = server.s3, server.access_key, server.secret_key

    return Target
