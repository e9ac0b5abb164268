"""MinIO's client for Python."""

import hashlib
import io
import urllib.parse

import minio
import minio.commonconfig
import minio.deleteobjects
import requests
from minio.error import S3Error

from cases import case, equal, expect, random_bytes

BUCKET = "minio-main"
MEBIBYTE = 1024 * 1024


def client(context):
    address = urllib.parse.urlsplit(context.endpoint)
    return minio.Minio(address.netloc, access_key=context.access_key, secret_key=context.secret_key, secure=False)


@case("buckets: make, exists, list, location found out by itself")
def buckets(context):
    store = client(context)
    store.make_bucket(BUCKET)
    expect(store.bucket_exists(BUCKET) and not store.bucket_exists("minio-nowhere"), "bucket_exists")
    expect(BUCKET in [bucket.name for bucket in store.list_buckets()], "bucket is listed")


@case("put_object, fput and fget: known and unknown length, metadata, parts")
def objects(context):
    store = client(context)
    for name, size in (("empty", 0), ("small ü+", 5000), ("parts", 12 * MEBIBYTE + 5)):
        body = random_bytes(size)
        result = store.put_object(
            BUCKET, name, io.BytesIO(body), size, metadata={"colour": "red"}, part_size=5 * MEBIBYTE
        )
        if size < 5 * MEBIBYTE:
            equal(result.etag, hashlib.md5(body).hexdigest(), "ETag")
        stat = store.stat_object(BUCKET, name)
        equal((stat.size, stat.etag, stat.metadata.get("x-amz-meta-colour")), (size, result.etag, "red"), "stat")
        store.put_object(BUCKET, f"{name}-stream", io.BytesIO(body), -1, part_size=5 * MEBIBYTE)
        answer = store.get_object(BUCKET, f"{name}-stream")
        expect(answer.read() == body, f"{name} differs")
        answer.close()
        with open(context.path("file"), "wb") as file:
            file.write(body)
        store.fput_object(BUCKET, f"{name}-file", context.path("file"))
        store.fget_object(BUCKET, f"{name}-file", context.path("file.back"))
        with open(context.path("file.back"), "rb") as file:
            expect(file.read() == body, f"{name} through a file differs")


@case("get_object with offset and length")
def ranges(context):
    store = client(context)
    store.put_object(BUCKET, "range", io.BytesIO(b"0123456789"), 10)
    equal(store.get_object(BUCKET, "range", offset=3, length=4).read(), b"3456", "range")


@case("list_objects: flat, recursive, prefix, start_after")
def listing(context):
    store = client(context)
    for name in ("l/1", "l/2", "l/sub/3", "l/sub/4", "l/ü 5"):
        store.put_object(BUCKET, name, io.BytesIO(b"x"), 1)
    flat = [(item.object_name, item.is_dir) for item in store.list_objects(BUCKET, "l/")]
    expect(sorted(flat) == [("l/1", False), ("l/2", False), ("l/sub/", True), ("l/ü 5", False)], f"flat: {flat}")
    every = [item.object_name for item in store.list_objects(BUCKET, "l/", recursive=True)]
    equal(every, ["l/1", "l/2", "l/sub/3", "l/sub/4", "l/ü 5"], "recursive")
    after = [item.object_name for item in store.list_objects(BUCKET, "l/", recursive=True, start_after="l/sub/3")]
    equal(after, ["l/sub/4", "l/ü 5"], "start_after")
    first = [item.object_name for item in store.list_objects(BUCKET, "l/", recursive=True, use_api_v1=True)]
    equal(first, every, "list v1")


@case("copy_object, compose_object")
def copies(context):
    store = client(context)
    one, two = random_bytes(5 * MEBIBYTE), random_bytes(1000)
    store.put_object(BUCKET, "one", io.BytesIO(one), len(one))
    store.put_object(BUCKET, "two", io.BytesIO(two), len(two))
    store.copy_object(BUCKET, "copy ü", minio.commonconfig.CopySource(BUCKET, "two"))
    equal(store.get_object(BUCKET, "copy ü").read(), two, "copy")
    store.compose_object(BUCKET, "both", [minio.commonconfig.ComposeSource(BUCKET, name) for name in ("one", "two")])
    expect(store.get_object(BUCKET, "both").read() == one + two, "composition differs")


@case("presigned get and put")
def presigned(context):
    store = client(context)
    answer = requests.put(store.presigned_put_object(BUCKET, "pre/signed ü"), data=b"body", timeout=10)
    equal(answer.status_code, 200, "status")
    equal(requests.get(store.presigned_get_object(BUCKET, "pre/signed ü"), timeout=10).content, b"body", "content")


@case("errors and removal: remove_object, remove_objects, remove_bucket")
def removal(context):
    store = client(context)
    for call, code in (
        (lambda: store.get_object(BUCKET, "never"), "NoSuchKey"),
        (lambda: store.remove_bucket(BUCKET), "BucketNotEmpty"),
        (lambda: store.make_bucket(BUCKET), "BucketAlreadyOwnedByYou"),
        (lambda: list(store.list_objects("minio-nowhere")), "NoSuchBucket"),
    ):
        try:
            call()
        except S3Error as error:
            equal(error.code, code, "code")
        else:
            expect(code == "BucketAlreadyOwnedByYou", f"succeeded, want {code}")
    store.remove_object(BUCKET, "one")
    names = [
        minio.deleteobjects.DeleteObject(item.object_name) for item in store.list_objects(BUCKET, recursive=True)
    ]
    equal(list(store.remove_objects(BUCKET, names)), [], "errors of remove_objects")
    equal(list(store.list_objects(BUCKET, recursive=True)), [], "objects left")
    store.remove_bucket(BUCKET)
    expect(not store.bucket_exists(BUCKET), "the bucket is still there")
