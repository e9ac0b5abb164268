"""Multipart uploads from creation to completion: order, repetition, sizes, conditions, checksums, two at once."""

import base64
import concurrent.futures
import hashlib

from boto3_suite import fails, keys
from cases import case, equal, expect, random_bytes
from raw import bucket, client, send, target

BUCKET = "conf-multipart"
PART = 5 * 1024 * 1024
FULL = random_bytes(PART)


def create(s3, key, **options):
    """A new upload, as the arguments that name it."""
    answer = s3.create_multipart_upload(Bucket=BUCKET, Key=key, **options)
    return {"Bucket": BUCKET, "Key": key, "UploadId": answer["UploadId"]}


def put(s3, place, number, body, **options):
    return s3.upload_part(**place, PartNumber=number, Body=body, **options)["ETag"]


def complete(s3, place, *parts, **options):
    listed = [{"PartNumber": number, "ETag": tag} for number, tag in parts]
    return s3.complete_multipart_upload(**place, MultipartUpload={"Parts": listed}, **options)


def whole(*bodies):
    """The ETag of parts."""
    return f'"{hashlib.md5(b"".join(hashlib.md5(body).digest() for body in bodies)).hexdigest()}-{len(bodies)}"'


@case("any order, gaps, a part sent again, a part left out; answer and ETag as in S3")
def order(context):
    s3 = bucket(context, BUCKET)
    place = create(s3, "order ü", Metadata={"m": "1"}, ContentType="text/x-m", Tagging="t=1")
    end = put(s3, place, 10_000, b"end")
    put(s3, place, 3, b"to be replaced")
    middle = put(s3, place, 3, FULL)
    put(s3, place, 5, b"left out")
    first = put(s3, place, 1, FULL)
    equal(first, f'"{hashlib.md5(FULL).hexdigest()}"', "ETag of a part")
    fails("NoSuchKey", 404, s3.get_object, Bucket=BUCKET, Key="order ü")
    done = complete(s3, place, (1, first), (3, middle), (10_000, end))
    equal((done["Bucket"], done["Key"], done["ETag"]), (BUCKET, "order ü", whole(FULL, FULL, b"end")), "answer")
    expect(done["Location"].startswith("http"), f"Location: {done['Location']}")
    got = s3.get_object(Bucket=BUCKET, Key="order ü")
    expect(got["Body"].read() == FULL + FULL + b"end", "content differs")
    equal((got["Metadata"], got["ContentType"], got["TagCount"]), ({"m": "1"}, "text/x-m", 1), "metadata")
    equal(got["ETag"], done["ETag"], "ETag")
    expect(not s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads"), "no upload is left")


@case("completing twice: the same again or NoSuchUpload, and the object stays")
def twice(context):
    s3 = client(context)
    place = create(s3, "twice")
    tag = put(s3, place, 1, b"once")
    first = complete(s3, place, (1, tag))
    document = f"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{tag}</ETag></Part>"
    body = (document + "</CompleteMultipartUpload>").encode()
    again = send(context, "POST", target(BUCKET, "twice"), {"uploadId": place["UploadId"]}, body=body)
    if again.want((200, 404)).status == 200:
        equal(again.field("ETag"), first["ETag"], "ETag of the second completion")
    else:
        again.want(404, "NoSuchUpload")
    s3.put_object(Bucket=BUCKET, Key="twice", Body=b"newer")
    send(context, "POST", target(BUCKET, "twice"), {"uploadId": place["UploadId"]}, body=body).want((200, 404))
    equal(s3.get_object(Bucket=BUCKET, Key="twice")["Body"].read(), b"newer", "a later object")
    for call in (s3.abort_multipart_upload, s3.list_parts):
        fails("NoSuchUpload", 404, call, **place)


@case("the 5 MiB rule holds for all but the last; sizes are told")
def sizes(context):
    s3 = client(context)
    place = create(s3, "sizes")
    small, full = put(s3, place, 1, b"x" * 1000), put(s3, place, 2, FULL)
    error = fails("EntityTooSmall", 400, complete, s3, place, (1, small), (2, full))["Error"]
    equal((error.get("ProposedSize"), error.get("MinSizeAllowed")), ("1000", str(PART)), "sizes told")
    equal((error.get("PartNumber"), error.get("ETag")), ("1", small.strip('"')), "part told")
    tag = put(s3, place, 1, FULL[:-1])
    fails("EntityTooSmall", 400, complete, s3, place, (1, tag), (2, full))
    complete(s3, place, (2, full))
    empty = create(s3, "empty")
    complete(s3, empty, (1, put(s3, empty, 1, b"")))
    equal(s3.head_object(Bucket=BUCKET, Key="empty")["ContentLength"], 0, "an upload of one empty part")


@case("completion: wrong order, twice a part, wrong ETag, missing part, no part, malformed; then right")
def wrong_completions(context):
    s3 = client(context)
    place = create(s3, "wrong")
    tags = [(n, put(s3, place, n, body)) for n, body in ((1, FULL), (2, b"end"))]
    fails("InvalidPartOrder", 400, complete, s3, place, tags[1], tags[0])
    fails("InvalidPartOrder", 400, complete, s3, place, tags[0], tags[0])
    fails("InvalidPart", 400, complete, s3, place, tags[0], (3, tags[1][1]))
    fails("InvalidPart", 400, complete, s3, place, tags[0], (2, tags[0][1]))
    fails(("MalformedXML", "InvalidRequest"), 400, complete, s3, place)
    query, path = {"uploadId": place["UploadId"]}, target(BUCKET, "wrong")
    for body in (b"", b"<Comp", b"<CompleteMultipartUpload/>", b"rubbish", b"<Other/>"):
        send(context, "POST", path, query, body=body).want(
            400, ("MalformedXML", "InvalidRequest", "MissingRequestBodyError")
        )
    for number in ("0", "10001", "x"):
        part = f"<Part><PartNumber>{number}</PartNumber><ETag>e</ETag></Part>"
        body = f"<CompleteMultipartUpload>{part}</CompleteMultipartUpload>"
        answer = send(context, "POST", path, query, body=body.encode())
        answer.want(400, ("MalformedXML", "InvalidPart", "InvalidPartOrder", "InvalidArgument"))
    fails("NoSuchKey", 404, s3.get_object, Bucket=BUCKET, Key="wrong")
    unquoted = [(number, tag.strip('"')) for number, tag in tags]
    equal(complete(s3, place, *unquoted)["ETag"], whole(FULL, b"end"), "ETag")


@case("parts: numbers 1 to 10,000; uploads that are not there, or of another key")
def wrong_parts(context):
    s3 = client(context)
    place = create(s3, "numbers")
    for number in ("0", "10001", "-1", "x"):
        query = {"uploadId": place["UploadId"], "partNumber": number}
        send(context, "PUT", target(BUCKET, "numbers"), query, body=b"1").want(400, "InvalidArgument")
    for other in ({"UploadId": "nonsense"}, {"Key": "other"}, {"UploadId": place["UploadId"] + "0"}):
        wrong = {**place, **other}
        fails("NoSuchUpload", 404, s3.upload_part, **wrong, PartNumber=1, Body=b"1")
        fails("NoSuchUpload", 404, s3.list_parts, **wrong)
        fails("NoSuchUpload", 404, s3.abort_multipart_upload, **wrong)
        fails("NoSuchUpload", 404, complete, s3, wrong, (1, "e"))
    s3.abort_multipart_upload(**place)


@case("conditional completion: only if absent, only if unchanged")
def conditional(context):
    s3 = client(context)
    old = s3.put_object(Bucket=BUCKET, Key="conditional", Body=b"old")["ETag"]
    place = create(s3, "conditional")
    tag = put(s3, place, 1, b"new")
    fails("PreconditionFailed", 412, complete, s3, place, (1, tag), IfNoneMatch="*")
    fails("PreconditionFailed", 412, complete, s3, place, (1, tag), IfMatch='"other"')
    complete(s3, place, (1, tag), IfMatch=old)
    equal(s3.get_object(Bucket=BUCKET, Key="conditional")["Body"].read(), b"new", "content")
    place = create(s3, "absent")
    fails("NoSuchKey", 404, complete, s3, place, (1, put(s3, place, 1, b"1")), IfMatch=old)
    complete(s3, place, (1, put(s3, place, 1, b"1")), IfNoneMatch="*")


@case("two uploads of one key at once: both whole, the last completed stays")
def two_uploads(context):
    s3 = client(context)
    one, two = create(s3, "both"), create(s3, "both")
    listed = [u["UploadId"] for u in s3.list_multipart_uploads(Bucket=BUCKET, Prefix="both")["Uploads"]]
    equal(listed, [one["UploadId"], two["UploadId"]], "uploads, oldest first")
    tags = {}
    for number, place in ((1, one), (2, two)):
        tags[number] = [(n, put(s3, place, n, body)) for n, body in ((1, FULL), (2, b"%d" % number))]
    complete(s3, two, *tags[2])
    complete(s3, one, *tags[1])
    expect(s3.get_object(Bucket=BUCKET, Key="both")["Body"].read() == FULL + b"1", "content of the last completed")
    uploads = [create(s3, "race") for _ in range(6)]
    parts = [put(s3, place, 1, b"%d" % n) for n, place in enumerate(uploads)]
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda n: complete(s3, uploads[n], (1, parts[n])), range(6)))
    expect(s3.get_object(Bucket=BUCKET, Key="race")["Body"].read() in b"012345", "content of the race")


@case("abort: parts are gone, nothing appears, the other upload goes on")
def abort(context):
    s3 = client(context)
    one, two = create(s3, "aborted"), create(s3, "aborted")
    put(s3, one, 1, b"1")
    tag = put(s3, two, 1, b"2")
    equal(s3.abort_multipart_upload(**one)["ResponseMetadata"]["HTTPStatusCode"], 204, "status")
    fails("NoSuchUpload", 404, s3.upload_part, **one, PartNumber=2, Body=b"")
    expect("aborted" not in keys(s3.list_objects_v2(Bucket=BUCKET)), "something appeared")
    complete(s3, two, (1, tag))
    equal(s3.get_object(Bucket=BUCKET, Key="aborted")["Body"].read(), b"2", "content of the other")


@case("checksums of parts: composite and of the whole object, verified at completion")
def checksums(context):
    s3 = client(context)
    for algorithm, kind in (("CRC32", "FULL_OBJECT"), ("CRC64NVME", "FULL_OBJECT"), ("SHA256", "COMPOSITE")):
        field = f"Checksum{algorithm}"
        place = create(s3, f"sum-{algorithm}", ChecksumAlgorithm=algorithm, ChecksumType=kind)
        parts = []
        for number, body in ((1, FULL), (2, b"end")):
            part = s3.upload_part(**place, PartNumber=number, Body=body, ChecksumAlgorithm=algorithm)
            parts.append({"PartNumber": number, "ETag": part["ETag"], field: part[field]})
        wrong = {**parts[1], field: parts[0][field]}
        fails(
            ("InvalidPart", "BadDigest"),
            400,
            s3.complete_multipart_upload,
            **place,
            MultipartUpload={"Parts": [parts[0], wrong]},
        )
        listed = s3.list_parts(**place)
        equal([p[field] for p in listed["Parts"]], [p[field] for p in parts], "checksums listed")
        equal((listed["ChecksumAlgorithm"], listed["ChecksumType"]), (algorithm, kind), "algorithm listed")
        done = s3.complete_multipart_upload(**place, MultipartUpload={"Parts": parts})
        equal(done["ChecksumType"], kind, "type")
        head = s3.head_object(Bucket=BUCKET, Key=place["Key"], ChecksumMode="ENABLED")
        equal((head[field], head["ChecksumType"]), (done[field], kind), "checksum of head")
        equal(done[field].endswith("-2"), kind == "COMPOSITE", f"form of {done[field]}")
    place = create(s3, "sum-wrong", ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT")
    part = s3.upload_part(**place, PartNumber=1, Body=b"1", ChecksumAlgorithm="CRC32")
    listed = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"], "ChecksumCRC32": part["ChecksumCRC32"]}]}
    other = base64.b64encode(b"\1\2\3\4").decode()
    fails("BadDigest", 400, s3.complete_multipart_upload, **place, MultipartUpload=listed, ChecksumCRC32=other)
    fails("InvalidRequest", 400, s3.complete_multipart_upload, **place, MultipartUpload=listed, MpuObjectSize=2)
    s3.complete_multipart_upload(**place, MultipartUpload=listed, MpuObjectSize=1)
    headers = {"x-amz-checksum-algorithm": "ADLER32"}
    send(context, "POST", target(BUCKET, "k"), {"uploads": ""}, headers).want(400, "InvalidRequest")
