"""boto3: the whole of the object store that current SDKs of AWS use."""

import base64
import binascii
import concurrent.futures
import datetime
import hashlib
import io
import time

import requests
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from cases import case, equal, expect, random_bytes

MEBIBYTE = 1024 * 1024
PART = 5 * MEBIBYTE
BUCKET = "boto3-main"
AWKWARD_KEYS = [
    "plain.txt",
    "a b/c d.txt",
    "plus+plus",
    "percent%20%",
    "ü/ñ/日本語.txt",
    "emoji-😀",
    "quote'\"`",
    "<&>.xml",
    "a//b",
    "folder/",
    "semi;colon:comma,",
    "question?mark#hash",
    "tilde~(paren)!*@$=",
    "back\\slash",
    "..hidden/...",
    "tab\there",
    "x" * 1000,
]


def fails(code, status, call, *arguments, **options):
    """Expects an error answer with its S3 code and HTTP status."""
    try:
        call(*arguments, **options)
    except ClientError as error:
        got = error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]
        codes = code if isinstance(code, tuple) else (code,)
        expect(got[0] in codes and got[1] == status, f"got {got}, want {(code, status)}")
        return error.response
    raise AssertionError(f"succeeded, want {code}")


def keys(listing):
    return [item["Key"] for item in listing.get("Contents", [])]


def fresh(context, name):
    """An empty bucket of that name."""
    s3 = context.boto()
    s3.create_bucket(Bucket=name)
    return s3


@case("buckets: create, list, head, location, delete")
def buckets(context):
    s3 = fresh(context, BUCKET)
    fresh(context, "boto3-second")
    names = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    expect(BUCKET in names and "boto3-second" in names, f"buckets listed: {names}")
    s3.head_bucket(Bucket=BUCKET)
    expect(s3.get_bucket_location(Bucket=BUCKET)["LocationConstraint"] in (None, "us-east-1"), "location")
    fails("404", 404, s3.head_bucket, Bucket="boto3-nowhere")
    s3.put_object(Bucket="boto3-second", Key="k", Body=b"1")
    fails("BucketNotEmpty", 409, s3.delete_bucket, Bucket="boto3-second")
    s3.delete_object(Bucket="boto3-second", Key="k")
    s3.delete_bucket(Bucket="boto3-second")
    fails("404", 404, s3.head_bucket, Bucket="boto3-second")
    fails("NoSuchBucket", 404, s3.delete_bucket, Bucket="boto3-second")


@case("buckets: creating one's own again is harmless, bad names are refused")
def bucket_names(context):
    s3 = context.boto()
    try:
        s3.create_bucket(Bucket=BUCKET)
    except ClientError as error:
        equal(error.response["Error"]["Code"], "BucketAlreadyOwnedByYou", "code")
    for name in ("UPPER", "xn", "-dash", "dot..dot", "under_score", "192.168.1.1"):
        code = "InvalidBucketName"
        answer = requests.put(presigned_bucket(s3, name), timeout=10)
        expect(answer.status_code == 400 and code in answer.text, f"{name}: {answer.status_code} {answer.text[:200]}")


def presigned_bucket(s3, name):
    """A signed URL to create a bucket whose name boto3 itself might refuse to send."""
    url = s3.generate_presigned_url("create_bucket", Params={"Bucket": "placeholder"})
    if name == "placeholder":
        return url
    import botocore.auth
    import botocore.awsrequest
    import botocore.credentials

    request = botocore.awsrequest.AWSRequest("PUT", url.split("?")[0].replace("placeholder", name))
    frozen = s3._request_signer._credentials.get_frozen_credentials()
    credentials = botocore.credentials.Credentials(frozen.access_key, frozen.secret_key)
    botocore.auth.S3SigV4QueryAuth(credentials, "s3", "us-east-1", expires=60).add_auth(request)
    return request.url


@case("objects: put and get, empty and binary, ETag, length, type, time")
def objects(context):
    s3 = context.boto()
    for name, body in (("empty", b""), ("small", b"hello\r\n\0"), ("large", random_bytes(3 * MEBIBYTE + 17))):
        put = s3.put_object(Bucket=BUCKET, Key=name, Body=body, ContentType="application/x-test")
        equal(put["ETag"], f'"{hashlib.md5(body).hexdigest()}"', f"ETag of {name}")
        got = s3.get_object(Bucket=BUCKET, Key=name)
        expect(got["Body"].read() == body, f"{name} differs")
        equal(got["ContentLength"], len(body), "length")
        equal(got["ContentType"], "application/x-test", "type")
        equal(got["ETag"], put["ETag"], "ETag of get")
        head = s3.head_object(Bucket=BUCKET, Key=name)
        equal((head["ContentLength"], head["ETag"]), (len(body), put["ETag"]), "head")
        age = datetime.datetime.now(datetime.timezone.utc) - head["LastModified"]
        expect(abs(age.total_seconds()) < 60, f"LastModified is {head['LastModified']}")
    s3.put_object(Bucket=BUCKET, Key="small", Body=b"second")
    equal(s3.get_object(Bucket=BUCKET, Key="small")["Body"].read(), b"second", "content after overwriting")


@case("objects: awkward keys survive put, list, get, head and delete")
def awkward(context):
    s3 = fresh(context, "boto3-awkward")
    for key in AWKWARD_KEYS:
        s3.put_object(Bucket="boto3-awkward", Key=key, Body=key.encode())
    equal(keys(s3.list_objects_v2(Bucket="boto3-awkward")), sorted(AWKWARD_KEYS, key=str.encode), "keys listed")
    equal(keys(s3.list_objects(Bucket="boto3-awkward")), sorted(AWKWARD_KEYS, key=str.encode), "keys listed by v1")
    for key in AWKWARD_KEYS:
        equal(s3.get_object(Bucket="boto3-awkward", Key=key)["Body"].read(), key.encode(), key)
        s3.head_object(Bucket="boto3-awkward", Key=key)
        s3.delete_object(Bucket="boto3-awkward", Key=key)
    equal(keys(s3.list_objects_v2(Bucket="boto3-awkward")), [], "keys left")


@case("objects: deleting what is not there is a success; getting it is NoSuchKey")
def missing(context):
    s3 = context.boto()
    equal(s3.delete_object(Bucket=BUCKET, Key="never")["ResponseMetadata"]["HTTPStatusCode"], 204, "status")
    fails("NoSuchKey", 404, s3.get_object, Bucket=BUCKET, Key="never")
    fails("404", 404, s3.head_object, Bucket=BUCKET, Key="never")
    fails("NoSuchBucket", 404, s3.get_object, Bucket="boto3-nowhere", Key="never")
    fails("NoSuchBucket", 404, s3.put_object, Bucket="boto3-nowhere", Key="k", Body=b"")
    fails("NoSuchBucket", 404, s3.list_objects_v2, Bucket="boto3-nowhere")


@case("ranges: first, middle, open, suffix, beyond the end")
def ranges(context):
    s3 = context.boto()
    body = bytes(range(256)) * 10
    s3.put_object(Bucket=BUCKET, Key="range", Body=body)
    table = [
        ("bytes=0-9", 0, 9),
        ("bytes=100-299", 100, 299),
        ("bytes=2550-", 2550, 2559),
        ("bytes=-7", 2553, 2559),
        ("bytes=2500-9999", 2500, 2559),
        ("bytes=-99999", 0, 2559),
    ]
    for header, first, last in table:
        got = s3.get_object(Bucket=BUCKET, Key="range", Range=header)
        equal(got["ResponseMetadata"]["HTTPStatusCode"], 206, f"status of {header}")
        equal(got["ContentRange"], f"bytes {first}-{last}/2560", f"Content-Range of {header}")
        expect(got["Body"].read() == body[first : last + 1], f"content of {header}")
    fails("InvalidRange", 416, s3.get_object, Bucket=BUCKET, Key="range", Range="bytes=2560-")
    got = s3.get_object(Bucket=BUCKET, Key="range", Range="lines=1-2")
    expect(
        got["ResponseMetadata"]["HTTPStatusCode"] == 200 and got["Body"].read() == body, "a unit unknown is ignored"
    )


@case("conditions on get and head: match, none-match, modified, unmodified")
def conditions(context):
    s3 = context.boto()
    tag = s3.put_object(Bucket=BUCKET, Key="condition", Body=b"1")["ETag"]
    past = datetime.datetime(2001, 1, 1, tzinfo=datetime.timezone.utc)
    future = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
    place = {"Bucket": BUCKET, "Key": "condition"}
    s3.get_object(**place, IfMatch=tag)
    s3.get_object(**place, IfNoneMatch='"other"')
    s3.get_object(**place, IfModifiedSince=past)
    s3.get_object(**place, IfUnmodifiedSince=future)
    fails("PreconditionFailed", 412, s3.get_object, **place, IfMatch='"other"')
    fails(("304", "NotModified"), 304, s3.get_object, **place, IfNoneMatch=tag)
    fails(("304", "NotModified"), 304, s3.get_object, **place, IfNoneMatch=tag, IfModifiedSince=past)
    fails("PreconditionFailed", 412, s3.get_object, **place, IfUnmodifiedSince=past)
    fails("412", 412, s3.head_object, **place, IfMatch='"other"')
    fails("304", 304, s3.head_object, **place, IfNoneMatch=tag)


@case("conditions on put: only if absent, only if unchanged")
def conditional_put(context):
    s3 = context.boto()
    s3.delete_object(Bucket=BUCKET, Key="once")
    tag = s3.put_object(Bucket=BUCKET, Key="once", Body=b"1", IfNoneMatch="*")["ETag"]
    fails("PreconditionFailed", 412, s3.put_object, Bucket=BUCKET, Key="once", Body=b"2", IfNoneMatch="*")
    fails("PreconditionFailed", 412, s3.put_object, Bucket=BUCKET, Key="once", Body=b"2", IfMatch='"other"')
    s3.put_object(Bucket=BUCKET, Key="once", Body=b"2", IfMatch=tag)
    equal(s3.get_object(Bucket=BUCKET, Key="once")["Body"].read(), b"2", "content")


@case("metadata: the user's own and the standard headers")
def metadata(context):
    s3 = context.boto()
    sent = {
        "ContentType": "text/csv; charset=utf-8",
        "CacheControl": "max-age=60",
        "ContentDisposition": 'attachment; filename="x"',
        "ContentEncoding": "gzip",
        "ContentLanguage": "de",
    }
    s3.put_object(Bucket=BUCKET, Key="metadata", Body=b"1", Metadata={"camera": "north", "n": "1 2 3"}, **sent)
    for head in (s3.head_object(Bucket=BUCKET, Key="metadata"), s3.get_object(Bucket=BUCKET, Key="metadata")):
        equal(head["Metadata"], {"camera": "north", "n": "1 2 3"}, "metadata")
        for name, value in sent.items():
            equal(head[name], value, name)
    got = s3.get_object(
        Bucket=BUCKET, Key="metadata", ResponseContentType="text/plain", ResponseCacheControl="no-store"
    )
    equal((got["ContentType"], got["CacheControl"]), ("text/plain", "no-store"), "overridden headers")


@case("list v2: prefix, delimiter, paging, start-after, at most 1000")
def list_v2(context):
    s3 = fresh(context, "boto3-list")
    names = [f"{folder}/{number:02}" for folder in ("a", "b", "c") for number in range(8)] + ["root1", "root2"]
    for name in names:
        s3.put_object(Bucket="boto3-list", Key=name, Body=b"x")
    equal(keys(s3.list_objects_v2(Bucket="boto3-list")), sorted(names), "all keys")
    page = s3.list_objects_v2(Bucket="boto3-list", Delimiter="/")
    equal(keys(page), ["root1", "root2"], "keys at the top")
    equal([p["Prefix"] for p in page["CommonPrefixes"]], ["a/", "b/", "c/"], "prefixes")
    equal(page["KeyCount"], 5, "KeyCount")
    equal(keys(s3.list_objects_v2(Bucket="boto3-list", Prefix="b/0")), [f"b/0{n}" for n in range(8)], "prefix")
    equal(keys(s3.list_objects_v2(Bucket="boto3-list", StartAfter="c/06")), ["c/07", "root1", "root2"], "start-after")
    found, token, pages = [], None, 0
    while True:
        page = s3.list_objects_v2(Bucket="boto3-list", MaxKeys=7, **({"ContinuationToken": token} if token else {}))
        found += keys(page)
        pages += 1
        expect(page["KeyCount"] <= 7, "a page is too long")
        if not page["IsTruncated"]:
            break
        token = page["NextContinuationToken"]
    equal((found, pages), (sorted(names), 4), "keys by pages of 7")
    folded = []
    for page in s3.get_paginator("list_objects_v2").paginate(
        Bucket="boto3-list", Delimiter="/", PaginationConfig={"PageSize": 2}
    ):
        folded += [p["Prefix"] for p in page.get("CommonPrefixes", [])] + keys(page)
    equal(folded, ["a/", "b/", "c/", "root1", "root2"], "folders by pages of 2")
    equal(s3.list_objects_v2(Bucket="boto3-list", MaxKeys=0).get("KeyCount"), 0, "MaxKeys 0")
    first = s3.list_objects_v2(Bucket="boto3-list", MaxKeys=1)["Contents"][0]
    equal((first["Size"], first["ETag"]), (1, f'"{hashlib.md5(b"x").hexdigest()}"'), "size and ETag in a listing")


@case("list v1: marker, delimiter, paging")
def list_v1(context):
    s3 = context.boto()
    equal(keys(s3.list_objects(Bucket="boto3-list", Marker="c/06")), ["c/07", "root1", "root2"], "marker")
    found = []
    for page in s3.get_paginator("list_objects").paginate(Bucket="boto3-list", PaginationConfig={"PageSize": 5}):
        found += keys(page)
    equal(len(found), 26, "keys by pages of 5")
    folded = []
    for page in s3.get_paginator("list_objects").paginate(
        Bucket="boto3-list", Delimiter="/", PaginationConfig={"PageSize": 2}
    ):
        folded += [p["Prefix"] for p in page.get("CommonPrefixes", [])] + keys(page)
    equal(folded, ["a/", "b/", "c/", "root1", "root2"], "folders by pages of 2")
    equal(
        keys(s3.list_objects(Bucket="boto3-list", Prefix="a/", Delimiter="/")),
        [f"a/0{n}" for n in range(8)],
        "prefix",
    )


@case("delete many: 1000 keys at once, quiet, awkward keys, more than 1000 refused")
def delete_many(context):
    s3 = fresh(context, "boto3-bulk")
    names = [f"bulk/{number:04}" for number in range(60)] + AWKWARD_KEYS
    for name in names:
        s3.put_object(Bucket="boto3-bulk", Key=name, Body=b"")
    ghosts = [f"ghost/{number}" for number in range(1000 - len(names))]
    answer = s3.delete_objects(Bucket="boto3-bulk", Delete={"Objects": [{"Key": k} for k in names + ghosts]})
    equal(len(answer["Deleted"]), 1000, "keys reported as deleted")
    expect("Errors" not in answer, f"errors: {answer.get('Errors')}")
    equal(keys(s3.list_objects_v2(Bucket="boto3-bulk")), [], "keys left")
    quiet = s3.delete_objects(Bucket="boto3-bulk", Delete={"Quiet": True, "Objects": [{"Key": "x"}]})
    expect("Deleted" not in quiet, "a quiet answer lists nothing")
    many = {"Objects": [{"Key": f"{n}"} for n in range(1001)]}
    fails("MalformedXML", 400, s3.delete_objects, Bucket="boto3-bulk", Delete=many)


@case("copy: other key and bucket, metadata kept and replaced, awkward source")
def copy(context):
    s3 = fresh(context, "boto3-copy")
    body = random_bytes(100_000)
    s3.put_object(Bucket=BUCKET, Key="source ü+1", Body=body, Metadata={"a": "1"}, ContentType="text/x-one")
    result = s3.copy_object(Bucket="boto3-copy", Key="kept", CopySource={"Bucket": BUCKET, "Key": "source ü+1"})
    equal(result["CopyObjectResult"]["ETag"], f'"{hashlib.md5(body).hexdigest()}"', "ETag")
    got = s3.get_object(Bucket="boto3-copy", Key="kept")
    expect(got["Body"].read() == body, "content differs")
    equal((got["Metadata"], got["ContentType"]), ({"a": "1"}, "text/x-one"), "metadata kept")
    s3.copy_object(
        Bucket="boto3-copy",
        Key="replaced",
        CopySource=f"{BUCKET}/source ü+1",
        MetadataDirective="REPLACE",
        Metadata={"b": "2"},
        ContentType="text/x-two",
    )
    head = s3.head_object(Bucket="boto3-copy", Key="replaced")
    equal((head["Metadata"], head["ContentType"]), ({"b": "2"}, "text/x-two"), "metadata replaced")
    fails("NoSuchKey", 404, s3.copy_object, Bucket="boto3-copy", Key="x", CopySource=f"{BUCKET}/never")
    fails("InvalidRequest", 400, s3.copy_object, Bucket="boto3-copy", Key="kept", CopySource="boto3-copy/kept")
    s3.copy_object(
        Bucket="boto3-copy",
        Key="kept",
        CopySource="boto3-copy/kept",
        MetadataDirective="REPLACE",
        Metadata={"c": "3"},
    )
    equal(s3.head_object(Bucket="boto3-copy", Key="kept")["Metadata"], {"c": "3"}, "metadata of a copy onto itself")


@case("multipart: by hand, parts and uploads listed, part replaced, ETag of parts")
def multipart(context):
    s3 = context.boto()
    upload = s3.create_multipart_upload(Bucket=BUCKET, Key="multi", Metadata={"m": "1"}, ContentType="text/x-multi")[
        "UploadId"
    ]
    place = {"Bucket": BUCKET, "Key": "multi", "UploadId": upload}
    bodies = [random_bytes(PART), random_bytes(PART), random_bytes(1234)]
    s3.upload_part(**place, PartNumber=2, Body=b"to be replaced")
    tags = [s3.upload_part(**place, PartNumber=n + 1, Body=body)["ETag"] for n, body in enumerate(bodies)]
    uploads = s3.list_multipart_uploads(Bucket=BUCKET)["Uploads"]
    expect(any(u["UploadId"] == upload and u["Key"] == "multi" for u in uploads), "upload is listed")
    listed = [(p["PartNumber"], p["Size"], p["ETag"]) for p in s3.list_parts(**place)["Parts"]]
    equal(listed, [(n + 1, len(body), tags[n]) for n, body in enumerate(bodies)], "parts")
    page = s3.list_parts(**place, MaxParts=2)
    equal((len(page["Parts"]), page["IsTruncated"], page["NextPartNumberMarker"]), (2, True, 2), "page of parts")
    fails("NoSuchKey", 404, s3.get_object, Bucket=BUCKET, Key="multi")
    parts = [{"PartNumber": n + 1, "ETag": tag} for n, tag in enumerate(tags)]
    done = s3.complete_multipart_upload(**place, MultipartUpload={"Parts": parts})
    whole = hashlib.md5(b"".join(hashlib.md5(body).digest() for body in bodies)).hexdigest()
    equal(done["ETag"], f'"{whole}-3"', "ETag")
    got = s3.get_object(Bucket=BUCKET, Key="multi")
    expect(got["Body"].read() == b"".join(bodies), "content differs")
    equal((got["Metadata"], got["ContentType"]), ({"m": "1"}, "text/x-multi"), "metadata")
    fails("NoSuchUpload", 404, s3.upload_part, **place, PartNumber=4, Body=b"late")
    expect(not s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads"), "no upload is left")


@case("multipart: wrong order, wrong tag, small part, abort, unknown upload")
def multipart_errors(context):
    s3 = context.boto()
    upload = s3.create_multipart_upload(Bucket=BUCKET, Key="broken")["UploadId"]
    place = {"Bucket": BUCKET, "Key": "broken", "UploadId": upload}
    first = s3.upload_part(**place, PartNumber=1, Body=b"a" * 1000)["ETag"]
    second = s3.upload_part(**place, PartNumber=2, Body=b"b" * 1000)["ETag"]

    def complete(*parts):
        return s3.complete_multipart_upload(
            **place, MultipartUpload={"Parts": [{"PartNumber": n, "ETag": tag} for n, tag in parts]}
        )

    fails("InvalidPartOrder", 400, complete, (2, second), (1, first))
    fails("InvalidPart", 400, complete, (1, second), (2, first))
    fails("InvalidPart", 400, complete, (1, first), (3, second))
    fails("EntityTooSmall", 400, complete, (1, first), (2, second))
    fails(("InvalidArgument", "InvalidPartNumber"), 400, s3.upload_part, **place, PartNumber=10001, Body=b"x")
    s3.abort_multipart_upload(**place)
    fails("NoSuchUpload", 404, s3.list_parts, **place)
    fails("NoSuchUpload", 404, complete, (1, first))
    fails("NoSuchUpload", 404, s3.abort_multipart_upload, **dict(place, UploadId="nonsense"))


@case("multipart: parts copied from an object, with and without range")
def multipart_copy(context):
    s3 = context.boto()
    body = random_bytes(PART + 5000)
    s3.put_object(Bucket=BUCKET, Key="whole", Body=body)
    upload = s3.create_multipart_upload(Bucket=BUCKET, Key="pieces")["UploadId"]
    place = {"Bucket": BUCKET, "Key": "pieces", "UploadId": upload}
    source = {"Bucket": BUCKET, "Key": "whole"}
    one = s3.upload_part_copy(**place, PartNumber=1, CopySource=source)["CopyPartResult"]["ETag"]
    two = s3.upload_part_copy(**place, PartNumber=2, CopySource=source, CopySourceRange="bytes=10-1009")[
        "CopyPartResult"
    ]["ETag"]
    parts = [{"PartNumber": 1, "ETag": one}, {"PartNumber": 2, "ETag": two}]
    s3.complete_multipart_upload(**place, MultipartUpload={"Parts": parts})
    expect(s3.get_object(Bucket=BUCKET, Key="pieces")["Body"].read() == body + body[10:1010], "content differs")


@case("transfer manager: 40 MiB up and down in parallel parts, streams of unknown length")
def transfer(context):
    s3 = context.boto()
    body = random_bytes(40 * MEBIBYTE + 3)
    config = TransferConfig(multipart_threshold=8 * MEBIBYTE, multipart_chunksize=8 * MEBIBYTE, max_concurrency=4)
    s3.upload_fileobj(io.BytesIO(body), BUCKET, "transfer", Config=config)
    target = io.BytesIO()
    s3.download_fileobj(BUCKET, "transfer", target, Config=config)
    expect(target.getvalue() == body, "content differs")


@case("presigned, version 4: get, put with type, range, overridden header, expired, altered, wrong method")
def presigned(context):
    # Version 4 signs the whole query.
    check_presigned(context.boto(signature_version="s3v4"), "x=1")


@case("presigned, version 2, boto3's default for other endpoints: the same")
def legacy_presigned(context):
    # Version 2 signs only the parameters that name a sub-resource or override a header.
    check_presigned(context.boto(), "acl")


def check_presigned(s3, signed_parameter):
    body = random_bytes(5000)
    place = {"Bucket": BUCKET, "Key": "pre signed/ü+.bin"}
    url = s3.generate_presigned_url("put_object", Params={**place, "ContentType": "text/x-signed"}, ExpiresIn=60)
    answer = requests.put(url, data=body, headers={"Content-Type": "text/x-signed"}, timeout=10)
    equal(answer.status_code, 200, f"status of put ({answer.text[:200]})")
    url = s3.generate_presigned_url("get_object", Params=place, ExpiresIn=60)
    answer = requests.get(url, timeout=10)
    expect(answer.status_code == 200 and answer.content == body, f"get: {answer.status_code} {answer.text[:100]!r}")
    equal(answer.headers["Content-Type"], "text/x-signed", "type")
    equal(requests.get(url, headers={"Range": "bytes=0-3"}, timeout=10).content, body[:4], "range of a signed URL")
    equal(requests.put(url, data=b"x", timeout=10).status_code, 403, "put with a URL signed for get")
    equal(requests.get(url[:-1] + ("0" if url[-1] != "0" else "1"), timeout=10).status_code, 403, "altered signature")
    equal(requests.get(f"{url}&{signed_parameter}", timeout=10).status_code, 403, "parameter added")
    url = s3.generate_presigned_url(
        "get_object", Params={**place, "ResponseContentDisposition": "inline"}, ExpiresIn=60
    )
    equal(requests.get(url, timeout=10).headers.get("Content-Disposition"), "inline", "overridden header")
    url = s3.generate_presigned_url("get_object", Params=place, ExpiresIn=1)
    time.sleep(2.1)
    answer = requests.get(url, timeout=10)
    expect(
        answer.status_code == 403 and "AccessDenied" in answer.text,
        f"expired: {answer.status_code} {answer.text[:200]}",
    )


def checksum(algorithm, body):
    """The checksum of the algorithms that Python has itself; None for the others."""
    if algorithm == "CRC32":
        return base64.b64encode(binascii.crc32(body).to_bytes(4, "big")).decode()
    if algorithm in ("SHA1", "SHA256"):
        return base64.b64encode(hashlib.new(algorithm.lower(), body).digest()).decode()
    return None


@case("checksums: CRC32, CRC32C, CRC64NVME, SHA1, SHA256 are verified, kept and given back")
def checksums(context):
    s3 = context.boto()
    body = random_bytes(200_001)
    for algorithm in ("CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"):
        field = f"Checksum{algorithm}"
        put = s3.put_object(Bucket=BUCKET, Key=algorithm, Body=body, ChecksumAlgorithm=algorithm)
        got = s3.get_object(Bucket=BUCKET, Key=algorithm, ChecksumMode="ENABLED")
        expect(got["Body"].read() == body, f"content of {algorithm}")
        expect(
            got.get(field) and put.get(field) == got[field], f"{field}: put {put.get(field)}, got {got.get(field)}"
        )
        if checksum(algorithm, body):
            equal(got[field], checksum(algorithm, body), field)
        head = s3.head_object(Bucket=BUCKET, Key=algorithm, ChecksumMode="ENABLED")
        equal(head.get(field), got[field], f"{field} of head")
        expect(field not in s3.head_object(Bucket=BUCKET, Key=algorithm), f"{field} comes unasked")


@case("checksums: a wrong one is BadDigest and leaves nothing")
def bad_checksums(context):
    s3 = context.boto()
    wrong = base64.b64encode(b"\1\2\3\4").decode()
    fails("BadDigest", 400, s3.put_object, Bucket=BUCKET, Key="bad", Body=b"body", ChecksumCRC32=wrong)
    wrong = base64.b64encode(b"\1" * 32).decode()
    fails("BadDigest", 400, s3.put_object, Bucket=BUCKET, Key="bad", Body=b"body", ChecksumSHA256=wrong)
    md5 = base64.b64encode(hashlib.md5(b"other").digest()).decode()
    fails("BadDigest", 400, s3.put_object, Bucket=BUCKET, Key="bad", Body=b"body", ContentMD5=md5)
    fails("InvalidDigest", 400, s3.put_object, Bucket=BUCKET, Key="bad", Body=b"body", ContentMD5="nonsense")
    good = base64.b64encode(hashlib.md5(b"body").digest()).decode()
    fails("NoSuchKey", 404, s3.get_object, Bucket=BUCKET, Key="bad")
    s3.put_object(Bucket=BUCKET, Key="good", Body=b"body", ContentMD5=good)


@case("checksums: multipart with CRC32 and CRC64NVME")
def multipart_checksums(context):
    s3 = context.boto()
    bodies = [random_bytes(PART), random_bytes(999)]
    for algorithm in ("CRC32", "CRC64NVME", "SHA256"):
        field, key = f"Checksum{algorithm}", f"multi-{algorithm}"
        upload = s3.create_multipart_upload(Bucket=BUCKET, Key=key, ChecksumAlgorithm=algorithm)["UploadId"]
        place = {"Bucket": BUCKET, "Key": key, "UploadId": upload}
        parts = []
        for number, body in enumerate(bodies, 1):
            part = s3.upload_part(**place, PartNumber=number, Body=body, ChecksumAlgorithm=algorithm)
            expect(part.get(field), f"part answers no {field}")
            parts.append({"PartNumber": number, "ETag": part["ETag"], field: part[field]})
        s3.complete_multipart_upload(**place, MultipartUpload={"Parts": parts})
        got = s3.get_object(Bucket=BUCKET, Key=key)
        expect(got["Body"].read() == b"".join(bodies), f"content of {key}")


@case("errors: wrong keys, wrong secret, anonymous, unknown operation")
def errors(context):
    import apus

    s3 = context.boto()
    stranger = apus.s3_client(context.endpoint, "stranger", context.secret_key)
    fails("InvalidAccessKeyId", 403, stranger.list_buckets)
    forger = apus.s3_client(context.endpoint, context.access_key, "wrong")
    fails("SignatureDoesNotMatch", 403, forger.get_object, Bucket=BUCKET, Key="small")
    answer = requests.get(f"{context.endpoint}/{BUCKET}/small", timeout=10)
    expect(
        answer.status_code == 403 and "<Code>AccessDenied</Code>" in answer.text, f"anonymous: {answer.text[:200]}"
    )
    fails(
        "NotImplemented",
        501,
        s3.put_bucket_website,
        Bucket=BUCKET,
        WebsiteConfiguration={"IndexDocument": {"Suffix": "i"}},
    )
    fails(
        "NotImplemented",
        501,
        s3.put_bucket_replication,
        Bucket=BUCKET,
        ReplicationConfiguration={
            "Role": "r",
            "Rules": [{"Status": "Enabled", "Prefix": "", "Destination": {"Bucket": "arn:aws:s3:::x"}}],
        },
    )
    equal(s3.get_object(Bucket=BUCKET, Key="small")["Body"].read(), b"second", "the bucket's content after all that")
    error = fails("NoSuchKey", 404, s3.get_object, Bucket=BUCKET, Key="never")
    expect(error["ResponseMetadata"].get("RequestId"), "errors carry a request id")
    expect(error["Error"]["Message"], "errors carry a message")


@case("many at once: 8 clients, 200 objects, overwritten and read")
def parallel(context):
    s3 = context.boto(max_pool_connections=8)
    bodies = {f"parallel/{n}": random_bytes(1000 + n) for n in range(200)}

    def round_trip(item):
        key, body = item
        s3.put_object(Bucket=BUCKET, Key="parallel/same", Body=body)
        s3.put_object(Bucket=BUCKET, Key=key, Body=body)
        return s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == body

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        expect(all(pool.map(round_trip, bodies.items())), "some content differs")
    expect(s3.get_object(Bucket=BUCKET, Key="parallel/same")["Body"].read() in bodies.values(), "mixed content")
    equal(len(keys(s3.list_objects_v2(Bucket=BUCKET, Prefix="parallel/"))), 201, "objects listed")
