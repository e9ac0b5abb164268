"""Objects: conditions, ranges, part numbers, overridden headers, metadata, storage class, tags, attributes."""

import base64
import concurrent.futures
import email.header
import email.utils
import hashlib

from boto3_suite import fails
from cases import case, equal, expect, random_bytes
from raw import bucket, client, send, target, utc

BUCKET = "conf-object"
PART = 5 * 1024 * 1024
BODY = bytes(range(256)) * 10


def date(seconds):
    return email.utils.format_datetime(utc(seconds), usegmt=True)


def get(context, key, headers=None, query=None, method="GET"):
    return send(context, method, target(BUCKET, key), query, headers)


@case("conditions of get and head: one, several, any; which one wins")
def conditions(context):
    s3 = bucket(context, BUCKET)
    tag = s3.put_object(Bucket=BUCKET, Key="c", Body=b"1")["ETag"]
    for headers, status in (
        ({"if-match": tag}, 200),
        ({"if-match": tag.strip('"')}, 200),
        ({"if-match": "*"}, 200),
        ({"if-match": f'"other", {tag}'}, 200),
        ({"if-match": '"other"'}, 412),
        ({"if-none-match": tag}, 304),
        ({"if-none-match": "*"}, 304),
        ({"if-none-match": f'"other", {tag}'}, 304),
        ({"if-none-match": '"other"'}, 200),
        ({"if-modified-since": date(-3600)}, 200),
        ({"if-modified-since": "nonsense"}, 200),
        ({"if-unmodified-since": date(3600)}, 200),
        ({"if-unmodified-since": date(-3600)}, 412),
        ({"if-match": tag, "if-unmodified-since": date(-3600)}, 200),
        ({"if-none-match": tag, "if-modified-since": date(-3600)}, 304),
        ({"if-none-match": '"other"', "if-modified-since": date(3600)}, 200),
        ({"if-match": '"other"', "if-none-match": tag}, 412),
    ):
        for method in ("GET", "HEAD"):
            answer = get(context, "c", headers, method=method)
            expect(answer.status == status, f"{headers}: want {status}, got {answer}")
            expect(answer["x-amz-request-id"], "request id")
            if status == 304:
                equal((answer.body, answer["ETag"]), (b"", tag), f"body and ETag of {headers}")
    error = get(context, "c", {"if-match": '"other"'}).want(412, "PreconditionFailed")
    equal(error.field("Condition"), "If-Match", "condition told")
    modified = get(context, "c", method="HEAD")["Last-Modified"]
    get(context, "c", {"if-modified-since": modified}).want(304)
    get(context, "c", {"if-unmodified-since": modified}).want(200)


@case("conditions of put and delete; of eight at once that want to be first, one is")
def conditional_writes(context):
    s3 = client(context)
    place = {"Bucket": BUCKET, "Key": "once"}
    fails("NoSuchKey", 404, s3.put_object, **place, Body=b"", IfMatch='"any"')

    def first(number):
        answer = send(context, "PUT", target(BUCKET, "once"), headers={"if-none-match": "*"}, body=b"%d" % number)
        return answer.status

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(first, range(8)))
    equal(statuses.count(200), 1, f"one of {statuses}")
    expect(set(statuses[1:]) <= {409, 412}, f"the others: {statuses}")
    tag = s3.head_object(**place)["ETag"]
    fails("PreconditionFailed", 412, s3.delete_object, **place, IfMatch='"other"')
    s3.put_object(**place, Body=b"again", IfMatch=tag)
    fails("PreconditionFailed", 412, s3.put_object, **place, Body=b"", IfMatch=tag)
    s3.delete_object(**place, IfMatch=s3.head_object(**place)["ETag"])
    fails("404", 404, s3.head_object, **place)


@case("ranges: single, open, suffix, head; not satisfiable; not understood")
def ranges(context):
    client(context).put_object(Bucket=BUCKET, Key="r", Body=BODY)
    client(context).put_object(Bucket=BUCKET, Key="empty", Body=b"")
    for header, first, last in (
        ("bytes=0-0", 0, 0),
        ("bytes=5-", 5, 2559),
        ("bytes=-1", 2559, 2559),
        ("bytes=-9999", 0, 2559),
        ("bytes=2559-99999999999999", 2559, 2559),
    ):
        for method in ("GET", "HEAD"):
            answer = get(context, "r", {"range": header}, method=method).want(206)
            equal(answer["Content-Range"], f"bytes {first}-{last}/2560", f"Content-Range of {header}")
            equal(answer["Content-Length"], str(last - first + 1), f"Content-Length of {header}")
            expect(method == "HEAD" or answer.body == BODY[first : last + 1], f"content of {header}")
    for key, header in (("r", "bytes=2560-"), ("r", "bytes=9999-10000"), ("r", "bytes=-0"), ("empty", "bytes=0-1")):
        answer = get(context, key, {"range": header}).want(416, "InvalidRange")
        equal(answer.field("RangeRequested"), header, "RangeRequested")
        equal(answer.field("ActualObjectSize"), "2560" if key == "r" else "0", "ActualObjectSize")
    for header in ("bytes=5-2", "bytes=", "bytes=a-b", "lines=0-1", "bytes=0-1,3-4"):
        answer = get(context, "r", {"range": header}).want(200)
        expect(answer.body == BODY and answer["Content-Range"] is None, f"{header} is not ignored")
    equal(get(context, "r").want(200)["Accept-Ranges"], "bytes", "Accept-Ranges")


@case("partNumber: of a multipart object and of a plain one")
def part_numbers(context):
    s3 = client(context)
    upload = s3.create_multipart_upload(Bucket=BUCKET, Key="parts")["UploadId"]
    place = {"Bucket": BUCKET, "Key": "parts", "UploadId": upload}
    bodies = {2: random_bytes(PART), 7: b"the end"}
    parts = [
        {"PartNumber": n, "ETag": s3.upload_part(**place, PartNumber=n, Body=body)["ETag"]}
        for n, body in bodies.items()
    ]
    s3.complete_multipart_upload(**place, MultipartUpload={"Parts": parts})
    for number, (first, body) in {1: (0, bodies[2]), 2: (PART, bodies[7])}.items():
        for method in ("GET", "HEAD"):
            answer = get(context, "parts", None, {"partNumber": str(number)}, method).want(206)
            last = first + len(body) - 1
            equal(answer["Content-Range"], f"bytes {first}-{last}/{PART + 7}", f"Content-Range of part {number}")
            equal(answer["x-amz-mp-parts-count"], "2", "number of parts")
            expect(method == "HEAD" or answer.body == body, f"content of part {number}")
    content = bodies[2] + bodies[7]
    for first, last in (
        (PART - 2, PART + 1),
        (PART - 1, PART),
        (PART - 300_000, PART + 2),
        (0, PART),
        (PART, PART + 6),
    ):
        answer = get(context, "parts", {"range": f"bytes={first}-{last}"}).want(206)
        expect(answer.body == content[first : last + 1], f"bytes {first} to {last}, across parts, differ")
    whole = get(context, "r", None, {"partNumber": "1"}).want(206)
    equal((whole.body, whole["Content-Range"]), (BODY, "bytes 0-2559/2560"), "part 1 of a plain object")
    for key in ("parts", "r"):
        get(context, key, None, {"partNumber": "3"}).want(416, "InvalidPartNumber")
    for value in ("0", "x", "10001", "-1"):
        get(context, "parts", None, {"partNumber": value}).want(400, "InvalidArgument")
    get(context, "parts", {"range": "bytes=0-1"}, {"partNumber": "1"}).want(400, "InvalidRequest")


@case("what is read often is what was written last: overwritten, tagged, copied over, deleted, put again")
def fresh(context):
    s3 = client(context)
    place = {"Bucket": BUCKET, "Key": "often"}

    def settled(body, **more):
        for _ in range(4):
            got = s3.get_object(**place)
            equal((got["Body"].read(), got["ETag"]), (body, f'"{hashlib.md5(body).hexdigest()}"'), "content and ETag")
            equal({name: got.get(name) for name in more}, more, "headers")
            equal(s3.head_object(**place)["ContentLength"], len(body), "length of head")

    s3.put_object(**place, Body=b"one", Metadata={"n": "1"})
    settled(b"one", Metadata={"n": "1"})
    s3.put_object(**place, Body=b"second", Metadata={"n": "2"})
    settled(b"second", Metadata={"n": "2"})
    s3.put_object(Bucket=BUCKET, Key="other", Body=b"copied over")
    s3.copy_object(**place, CopySource=f"{BUCKET}/other")
    settled(b"copied over", Metadata={})
    s3.delete_object(**place)
    for _ in range(2):
        fails("NoSuchKey", 404, s3.get_object, **place)
    s3.put_object(**place, Body=b"again")
    settled(b"again")
    s3.put_object_tagging(**place, Tagging={"TagSet": [{"Key": "a", "Value": "1"}]})
    settled(b"again", TagCount=1)


@case("headers of the answer can be overridden, all six, also of a range")
def overrides(context):
    query = {
        "response-content-type": "text/x-other",
        "response-content-language": "de",
        "response-expires": date(60),
        "response-cache-control": "no-store",
        "response-content-disposition": "attachment; filename=\"ü.txt\"; filename*=UTF-8''%C3%BC.txt",
        "response-content-encoding": "identity",
    }
    for headers, status in ((None, 200), ({"range": "bytes=0-3"}, 206)):
        answer = get(context, "r", headers, query).want(status)
        for name, value in query.items():
            equal(answer[name.removeprefix("response-")], value, name)


@case("metadata: UTF-8, case, twice the same name, 2 KiB and no more; standard headers; the default type")
def metadata(context):
    text = "Grüße, 日本 😀"
    send(
        context, "PUT", target(BUCKET, "m"), headers={"x-amz-meta-Text": text.encode(), "x-amz-meta-b": " a  b "}
    ).want(200)
    for method in ("GET", "HEAD"):
        got = get(context, "m", method=method).want(200)
        decoded = str(email.header.make_header(email.header.decode_header(got["x-amz-meta-text"])))
        equal(decoded, text, "UTF-8 in metadata")
        equal(got["Content-Type"], "binary/octet-stream", "default type")
    encoded = email.header.Header(text, "utf-8").encode()
    send(context, "PUT", target(BUCKET, "m"), headers={"x-amz-meta-text": encoded}).want(200)
    decoded = email.header.decode_header(get(context, "m")["x-amz-meta-text"].replace("\n ", " "))
    equal(str(email.header.make_header(decoded)), text, "RFC 2047 in metadata")
    send(context, "PUT", target(BUCKET, "m"), headers={"x-amz-meta-k": "v" * 2000}).want(200)
    for headers in ({"x-amz-meta-k": "v" * 2048}, {f"x-amz-meta-{n}": "v" * 100 for n in range(25)}):
        send(context, "PUT", target(BUCKET, "m"), headers=headers).want(400, "MetadataTooLarge")
    expires = "Wed, 21 Oct 2065 07:28:00 GMT"
    standard = {"cache-control": "no-cache", "content-disposition": "inline", "content-encoding": "gzip"}
    standard |= {"content-language": "de, en", "content-type": "text/plain; charset=utf-8", "expires": expires}
    send(context, "PUT", target(BUCKET, "m"), headers=standard, body=b"x").want(200)
    got = get(context, "m", method="HEAD")
    equal({name: got[name] for name in standard}, standard, "standard headers")


@case("storage class: S3's are accepted, others refused; website redirect is not pretended")
def storage_class(context):
    s3 = client(context)
    for name in ("STANDARD", "STANDARD_IA", "REDUCED_REDUNDANCY", "INTELLIGENT_TIERING", "ONEZONE_IA"):
        s3.put_object(Bucket=BUCKET, Key="class", Body=b"1", StorageClass=name)
        equal(s3.get_object(Bucket=BUCKET, Key="class")["Body"].read(), b"1", "content")
        told = s3.head_object(Bucket=BUCKET, Key="class").get("StorageClass", "STANDARD")
        listed = s3.list_objects_v2(Bucket=BUCKET, Prefix="class")["Contents"][0]["StorageClass"]
        equal(told, listed, "class told by head and by the listing")
    headers = {"x-amz-storage-class": "PAPER"}
    send(context, "PUT", target(BUCKET, "class"), headers=headers).want(400, "InvalidStorageClass")
    send(context, "POST", target(BUCKET, "class"), {"uploads": ""}, headers).want(400, "InvalidStorageClass")


@case("tags: with the object, counted, replaced, deleted; what is no tag")
def tags(context):
    s3 = client(context, parameter_validation=False)
    place = {"Bucket": BUCKET, "Key": "tagged"}
    s3.put_object(**place, Body=b"1", Tagging="a=1&b%20%C3%BC=x%2By")
    sent = [{"Key": "a", "Value": "1"}, {"Key": "b ü", "Value": "x+y"}]
    equal(s3.get_object_tagging(**place)["TagSet"], sent, "tags of put")
    equal(s3.head_object(**place).get("TagCount"), 2, "count")
    equal(s3.get_object(**place).get("TagCount"), 2, "count of get")
    modified = s3.head_object(**place)["LastModified"]
    s3.put_object_tagging(**place, Tagging={"TagSet": sent[:1]})
    equal(s3.get_object_tagging(**place)["TagSet"], sent[:1], "tags replaced")
    equal(s3.head_object(**place)["LastModified"], modified, "time of the object")
    equal(s3.delete_object_tagging(**place)["ResponseMetadata"]["HTTPStatusCode"], 204, "status of delete")
    equal(s3.get_object_tagging(**place)["TagSet"], [], "tags left")
    expect("TagCount" not in s3.head_object(**place), "count of none")

    def put(*pairs):
        s3.put_object_tagging(**place, Tagging={"TagSet": [{"Key": k, "Value": v} for k, v in pairs]})

    fails("BadRequest", 400, put, *((f"k{n}", "") for n in range(11)))
    for pairs in ([("a", "1"), ("a", "2")], [("k" * 129, "")], [("k", "v" * 257)], [("", "v")], [("aws:k", "v")]):
        fails("InvalidTag", 400, put, *pairs)
    send(context, "PUT", target(BUCKET, "tagged"), {"tagging": ""}, body=b"<Tagging>").want(400, "MalformedXML")
    for header in ("a=1&a=2", "=1", "&".join(f"k{n}=" for n in range(11))):
        answer = send(context, "PUT", target(BUCKET, "t"), headers={"x-amz-tagging": header})
        answer.want(400, ("InvalidTag", "InvalidArgument", "BadRequest"))
    for call in (s3.get_object_tagging, s3.delete_object_tagging):
        fails("NoSuchKey", 404, call, Bucket=BUCKET, Key="never")


@case("GetObjectAttributes: of a plain object, of one in parts with checksums, page by page")
def attributes(context):
    s3 = client(context)
    every = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"]
    put = s3.put_object(Bucket=BUCKET, Key="attributes", Body=b"abc", ChecksumAlgorithm="SHA256")
    got = s3.get_object_attributes(Bucket=BUCKET, Key="attributes", ObjectAttributes=every)
    equal((got["ETag"], got["ObjectSize"], got["StorageClass"]), (put["ETag"].strip('"'), 3, "STANDARD"), "fields")
    digest = base64.b64encode(hashlib.sha256(b"abc").digest()).decode()
    equal(got["Checksum"]["ChecksumSHA256"], digest, "checksum")
    expect("ObjectParts" not in got and got["LastModified"], f"got {got}")
    upload = s3.create_multipart_upload(Bucket=BUCKET, Key="attributes", ChecksumAlgorithm="SHA256")["UploadId"]
    place = {"Bucket": BUCKET, "Key": "attributes", "UploadId": upload}
    parts = []
    for number, body in ((1, random_bytes(PART)), (2, b"end")):
        part = s3.upload_part(**place, PartNumber=number, Body=body, ChecksumAlgorithm="SHA256")
        parts.append({"PartNumber": number, "ETag": part["ETag"], "ChecksumSHA256": part["ChecksumSHA256"]})
    s3.complete_multipart_upload(**place, MultipartUpload={"Parts": parts})
    got = s3.get_object_attributes(Bucket=BUCKET, Key="attributes", ObjectAttributes=every)
    equal(got["ObjectParts"]["TotalPartsCount"], 2, "number of parts")
    sizes = [(p["PartNumber"], p["Size"], p["ChecksumSHA256"]) for p in got["ObjectParts"]["Parts"]]
    equal(sizes, [(n, s, parts[n - 1]["ChecksumSHA256"]) for n, s in ((1, PART), (2, 3))], "parts")
    expect(
        got["Checksum"]["ChecksumSHA256"].endswith("-2") and got["Checksum"]["ChecksumType"] == "COMPOSITE",
        "checksum",
    )
    page = s3.get_object_attributes(Bucket=BUCKET, Key="attributes", ObjectAttributes=["ObjectParts"], MaxParts=1)
    equal((page["ObjectParts"]["IsTruncated"], page["ObjectParts"]["NextPartNumberMarker"]), (True, 1), "page")
    expect("ETag" not in page and "ObjectSize" not in page, "fields that were not asked for")
    path = target(BUCKET, "attributes")
    send(context, "GET", path, {"attributes": ""}).want(400, ("InvalidArgument", "InvalidRequest"))
    header = {"x-amz-object-attributes": "Colour"}
    send(context, "GET", path, {"attributes": ""}, header).want(400, "InvalidArgument")
    fails("NoSuchKey", 404, s3.get_object_attributes, Bucket=BUCKET, Key="never", ObjectAttributes=["ETag"])
