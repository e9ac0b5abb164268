"""Copies: directives for metadata and tags, conditions on the source, and what cannot be copied."""

import datetime
import hashlib

from boto3_suite import fails
from cases import case, equal, expect, random_bytes
from raw import bucket, client, send, target

BUCKET = "conf-copy"
SOURCE = {"Bucket": BUCKET, "Key": "source ü+%20"}
BODY = random_bytes(10_000)


def copy(s3, key="target", source=SOURCE, **options):
    return s3.copy_object(Bucket=BUCKET, Key=key, CopySource=source, **options)


@case("the answer: ETag, time; content, metadata, tags and class of the source")
def plain(context):
    s3 = bucket(context, BUCKET)
    tag = s3.put_object(
        **SOURCE, Body=BODY, Metadata={"a": "1"}, ContentType="text/x-a", CacheControl="no-cache", Tagging="t=1"
    )["ETag"]
    result = copy(s3)["CopyObjectResult"]
    equal(result["ETag"], tag, "ETag")
    age = datetime.datetime.now(datetime.timezone.utc) - result["LastModified"]
    expect(abs(age.total_seconds()) < 60, f"LastModified is {age} ago")
    got = s3.get_object(Bucket=BUCKET, Key="target")
    expect(got["Body"].read() == BODY, "content differs")
    equal((got["Metadata"], got["ContentType"], got["CacheControl"]), ({"a": "1"}, "text/x-a", "no-cache"), "headers")
    equal(s3.get_object_tagging(Bucket=BUCKET, Key="target")["TagSet"], [{"Key": "t", "Value": "1"}], "tags")


@case("directives: metadata and tags replaced, each without the other")
def directives(context):
    s3 = client(context)
    copy(s3, MetadataDirective="REPLACE", Metadata={"b": "2"}, ContentType="text/x-b")
    head = s3.head_object(Bucket=BUCKET, Key="target")
    equal((head["Metadata"], head["ContentType"]), ({"b": "2"}, "text/x-b"), "metadata replaced")
    expect("CacheControl" not in head, "a header that was not given again")
    equal(s3.get_object_tagging(Bucket=BUCKET, Key="target")["TagSet"], [{"Key": "t", "Value": "1"}], "tags kept")
    copy(s3, TaggingDirective="REPLACE", Tagging="n=2")
    equal(s3.get_object_tagging(Bucket=BUCKET, Key="target")["TagSet"], [{"Key": "n", "Value": "2"}], "tags replaced")
    equal(s3.head_object(Bucket=BUCKET, Key="target")["Metadata"], {"a": "1"}, "metadata kept")
    copy(s3, MetadataDirective="COPY", Metadata={"ignored": "1"})
    equal(s3.head_object(Bucket=BUCKET, Key="target")["Metadata"], {"a": "1"}, "metadata with COPY")
    for header in ("x-amz-metadata-directive", "x-amz-tagging-directive"):
        headers = {"x-amz-copy-source": f"{BUCKET}/target", header: "PERHAPS"}
        send(context, "PUT", target(BUCKET, "other"), headers=headers).want(400, "InvalidArgument")


@case("onto itself: refused without a change, made with one")
def onto_itself(context):
    s3 = client(context)
    fails("InvalidRequest", 400, copy, s3, "target", {"Bucket": BUCKET, "Key": "target"})
    same = {"Bucket": BUCKET, "Key": "target"}
    copy(s3, "target", same, MetadataDirective="REPLACE", Metadata={"c": "3"})
    got = s3.get_object(Bucket=BUCKET, Key="target")
    expect(got["Body"].read() == BODY and got["Metadata"] == {"c": "3"}, "content and metadata")
    copy(s3, "target", same, StorageClass="STANDARD_IA")
    expect(s3.get_object(Bucket=BUCKET, Key="target")["Body"].read() == BODY, "content")


@case("conditions on the source: match, none-match, modified, unmodified, and their pairs")
def conditions(context):
    s3 = client(context)
    tag = s3.head_object(**SOURCE)["ETag"]
    past = datetime.datetime(2001, 1, 1, tzinfo=datetime.timezone.utc)
    soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
    for options, works in (
        ({"CopySourceIfMatch": tag}, True),
        ({"CopySourceIfMatch": '"other"'}, False),
        ({"CopySourceIfNoneMatch": tag}, False),
        ({"CopySourceIfNoneMatch": '"other"'}, True),
        ({"CopySourceIfModifiedSince": past}, True),
        ({"CopySourceIfUnmodifiedSince": past}, False),
        ({"CopySourceIfUnmodifiedSince": soon}, True),
        ({"CopySourceIfMatch": tag, "CopySourceIfUnmodifiedSince": past}, True),
        ({"CopySourceIfNoneMatch": tag, "CopySourceIfModifiedSince": past}, False),
    ):
        if works:
            copy(s3, "conditional", **options)
        else:
            fails("PreconditionFailed", 412, copy, s3, "conditional", **options)


@case("sources: with and without slash, escaped, not there, not a source")
def sources(context):
    s3 = client(context)
    for source in (f"/{BUCKET}/source%20%C3%BC%2B%2520", f"{BUCKET}/source%20%C3%BC%2B%2520", f"{BUCKET}%2Ftarget"):
        send(context, "PUT", target(BUCKET, "s"), headers={"x-amz-copy-source": source}).want(200)
    fails("NoSuchKey", 404, copy, s3, "s", {"Bucket": BUCKET, "Key": "never"})
    fails("NoSuchBucket", 404, copy, s3, "s", {"Bucket": "conf-nowhere", "Key": "k"})
    fails("NoSuchBucket", 404, s3.copy_object, Bucket="conf-nowhere", Key="k", CopySource=SOURCE)
    for source in ("nonsense", "/", f"{BUCKET}/", f"/{BUCKET}", "%zz/k"):
        answer = send(context, "PUT", target(BUCKET, "s"), headers={"x-amz-copy-source": source})
        answer.want(400, ("InvalidArgument", "InvalidRequest", "InvalidURI"))
    headers = {"x-amz-copy-source": f"{BUCKET}/target", "x-amz-copy-source-range": "bytes=0-1"}
    send(context, "PUT", target(BUCKET, "s"), headers=headers).want((200, 400, 501))
    expect(s3.get_object(Bucket=BUCKET, Key="s")["Body"].read() == BODY, "content after all that")


@case("checksums: kept, or made anew with another algorithm; a multipart source becomes one piece")
def checksums(context):
    s3 = client(context)
    s3.put_object(Bucket=BUCKET, Key="checked", Body=BODY, ChecksumAlgorithm="SHA256")
    source = {"Bucket": BUCKET, "Key": "checked"}
    kept = s3.head_object(**source, ChecksumMode="ENABLED")["ChecksumSHA256"]
    equal(copy(s3, "c1", source)["CopyObjectResult"].get("ChecksumSHA256"), kept, "checksum kept")
    result = copy(s3, "c2", source, ChecksumAlgorithm="CRC32C")["CopyObjectResult"]
    expect(result.get("ChecksumCRC32C"), f"checksum made anew: {result}")
    upload = s3.create_multipart_upload(Bucket=BUCKET, Key="parts")["UploadId"]
    place = {"Bucket": BUCKET, "Key": "parts", "UploadId": upload}
    bodies = [random_bytes(5 * 1024 * 1024), b"end"]
    parts = [
        {"PartNumber": n, "ETag": s3.upload_part(**place, PartNumber=n, Body=body)["ETag"]}
        for n, body in enumerate(bodies, 1)
    ]
    s3.complete_multipart_upload(**place, MultipartUpload={"Parts": parts})
    copied = copy(s3, "one", {"Bucket": BUCKET, "Key": "parts"})["CopyObjectResult"]
    equal(copied["ETag"], f'"{hashlib.md5(b"".join(bodies)).hexdigest()}"', "ETag of the copy")
    expect(s3.get_object(Bucket=BUCKET, Key="one")["Body"].read() == b"".join(bodies), "content differs")
