"""Bodies in chunks with every trailing checksum, checksums in headers, and bodies that are not what they say."""

import base64
import binascii
import hashlib
import socket

import awscrt.checksums

import streaming_suite
from boto3_suite import fails
from cases import case, equal, expect, random_bytes
from raw import Request, bucket, client, send, target
from streaming_suite import SIGNED, SIGNED_TRAILER, UNSIGNED_TRAILER

BUCKET = streaming_suite.BUCKET
CHECKSUMS = {
    "crc32": lambda body: binascii.crc32(body).to_bytes(4, "big"),
    "crc32c": lambda body: awscrt.checksums.crc32c(body).to_bytes(4, "big"),
    "crc64nvme": lambda body: awscrt.checksums.crc64nvme(body).to_bytes(8, "big"),
    "sha1": lambda body: hashlib.sha1(body).digest(),
    "sha256": lambda body: hashlib.sha256(body).digest(),
}


def checksum(name, body):
    return base64.b64encode(CHECKSUMS[name](body)).decode()


def upload(context, key, body, kind, **options):
    return streaming_suite.Upload(context, key, body, kind, **options)


def refused(context, attempt, status, *codes):
    """Sends what must be refused over an object that must stay."""
    client(context).put_object(Bucket=BUCKET, Key="refused", Body=b"old")
    got, text = attempt.send()
    expect(got == status and any(f"<Code>{code}</Code>" in text for code in codes), f"got {got} {text[:300]}")
    equal(client(context).get_object(Bucket=BUCKET, Key="refused")["Body"].read(), b"old", "content after refusal")


@case("trailers: five checksums, signed and unsigned, verified and kept")
def trailers(context):
    s3 = bucket(context, BUCKET)
    body = random_bytes(100_001)
    for kind in (SIGNED_TRAILER, UNSIGNED_TRAILER):
        for name in CHECKSUMS:
            key, value = f"{kind}/{name}", checksum(name, body)
            status, text = upload(context, key, body, kind, trailer=(f"x-amz-checksum-{name}", value)).send()
            equal(status, 200, f"{key}: {text[:300]}")
            got = s3.get_object(Bucket=BUCKET, Key=key, ChecksumMode="ENABLED")
            expect(got["Body"].read() == body, f"{key} differs")
            equal(got.get(f"Checksum{name.upper()}"), value, f"{key}: checksum kept")
            equal(got.get("ChecksumType"), "FULL_OBJECT", f"{key}: checksum type")


@case("trailers: a wrong checksum of each kind is BadDigest, and the old content stays")
def wrong_trailers(context):
    for kind in (SIGNED_TRAILER, UNSIGNED_TRAILER):
        for name in CHECKSUMS:
            attempt = upload(
                context, "refused", b"body", kind, trailer=(f"x-amz-checksum-{name}", checksum(name, b"other"))
            )
            refused(context, attempt, 400, "BadDigest")


@case("trailers: no checksum at all, one of the wrong length, one that is not known")
def odd_trailers(context):
    for value in ("AAA=", "%%%", ""):
        attempt = upload(context, "refused", b"body", UNSIGNED_TRAILER, trailer=("x-amz-checksum-crc32", value))
        refused(context, attempt, 400, "InvalidRequest", "MalformedTrailerError")
    attempt = upload(context, "refused", b"body", UNSIGNED_TRAILER, trailer=("x-amz-checksum-adler32", "AAAAAA=="))
    refused(context, attempt, 400, "InvalidRequest")
    attempt = upload(context, "refused", b"body", UNSIGNED_TRAILER, trailer=("x-amz-checksum-crc32", "AAAAAA=="))
    whole = attempt.encoded

    def without_trailer(*arguments):
        return whole(*arguments).split(b"x-amz-checksum")[0] + b"\r\n"

    attempt.encoded = without_trailer
    refused(context, attempt, 400, "MalformedTrailerError", "InvalidRequest", "IncompleteBody")


@case("chunks: broken framing is refused whole")
def broken_chunks(context):
    def broken(change):
        body = random_bytes(70_000)
        attempt = upload(
            context, "refused", body, UNSIGNED_TRAILER, trailer=("x-amz-checksum-crc32", checksum("crc32", body))
        )
        whole = attempt.encoded
        attempt.encoded = lambda *arguments: change(whole(*arguments))
        return attempt

    codes = ("IncompleteBody", "InvalidRequest", "InvalidChunkSizeError", "MalformedTrailerError", "InvalidArgument")
    for change in (
        lambda data: b"zz" + data[2:],
        lambda data: b"-1\r\n" + data,
        lambda data: b"f" * 17 + b"\r\n" + data,
        lambda data: data[: len(data) // 2],
        lambda data: b"",
        lambda data: data + b"trailing rubbish",
    ):
        refused(context, broken(change), 400, *codes)


@case("chunks: the decoded length must be given and be a number")
def decoded_length(context):
    for value in ("many", "-5", "", str(5 << 30)):
        attempt = upload(context, "refused", b"body", SIGNED)
        attempt.declared = value
        refused(context, attempt, 400, "InvalidArgument", "InvalidRequest", "IncompleteBody")


@case("headers: a checksum of each kind is verified, kept and given back when asked for")
def header_checksums(context):
    s3 = client(context)
    body = random_bytes(1000)
    for name in CHECKSUMS:
        header, value = f"x-amz-checksum-{name}", checksum(name, body)
        put = send(context, "PUT", target(BUCKET, name), headers={header: value}, body=body).want(200)
        equal(put[header], value, f"{header} of put")
        head = send(context, "HEAD", target(BUCKET, name), headers={"x-amz-checksum-mode": "ENABLED"}).want(200)
        equal(head[header], value, f"{header} of head")
        expect(send(context, "HEAD", target(BUCKET, name)).want(200)[header] is None, f"{header} comes unasked")
        listed = s3.list_objects_v2(Bucket=BUCKET, Prefix=name)["Contents"][0]
        equal(listed.get("ChecksumAlgorithm"), [name.upper()], "algorithm in the listing")
        wrong = send(context, "PUT", target(BUCKET, name), headers={header: checksum(name, b"o")}, body=b"new")
        wrong.want(400, "BadDigest")
        equal(s3.get_object(Bucket=BUCKET, Key=name)["Body"].read(), body, "content after BadDigest")


@case("headers: two checksums, one that is none, an algorithm that is not known")
def odd_headers(context):
    path = target(BUCKET, "odd")
    two = {f"x-amz-checksum-{name}": checksum(name, b"1") for name in ("crc32", "sha1")}
    send(context, "PUT", path, headers=two, body=b"1").want(400, "InvalidRequest")
    for value in ("nonsense", "AAAA"):
        header = {"x-amz-checksum-crc32": value}
        send(context, "PUT", path, headers=header, body=b"1").want(400, ("InvalidRequest", "InvalidDigest"))
    send(context, "PUT", path, headers={"x-amz-sdk-checksum-algorithm": "ADLER32"}, body=b"1").want(
        400, "InvalidRequest"
    )
    send(context, "PUT", path, headers={"content-md5": "AAAA"}, body=b"1").want(400, "InvalidDigest")
    other = base64.b64encode(hashlib.md5(b"2").digest()).decode()
    send(context, "PUT", path, headers={"content-md5": other}, body=b"1").want(400, "BadDigest")
    send(context, "GET", path).want(404, "NoSuchKey")


@case("lengths: none at all is MissingContentLength")
def lengths(context):
    put = Request(context, "PUT", target(BUCKET, "refused"))
    put.payload = "UNSIGNED-PAYLOAD"
    put.sign().headers["connection"] = "close"
    answer = exchange(put, (raw_head(put) + "\r\n").encode())
    expect(answer.startswith(b"HTTP/1.1 411 ") and b"<Code>MissingContentLength</Code>" in answer, f"{answer[:400]}")


@case("a connection that ends within the body leaves the old content")
def cut_off(context):
    s3 = client(context)
    s3.put_object(Bucket=BUCKET, Key="cut", Body=b"old")
    put = Request(context, "PUT", target(BUCKET, "cut"))
    put.payload = "UNSIGNED-PAYLOAD"
    put.sign().headers["content-length"] = "1000000"
    host, port = put.address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(raw_head(put).encode() + b"\r\n" + b"new" * 100_000)
    equal(s3.get_object(Bucket=BUCKET, Key="cut")["Body"].read(), b"old", "content")
    fails("NoSuchKey", 404, s3.get_object, Bucket=BUCKET, Key="cut-never")


def raw_head(request):
    lines = [f"{request.method} {request.path} HTTP/1.1"]
    return "".join(f"{line}\r\n" for line in lines + [f"{name}: {value}" for name, value in request.headers.items()])


def exchange(request, data):
    """What comes back for these bytes, up to the end of an error document."""
    host, port = request.address.rsplit(":", 1)
    answer = b""
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(data)
        while b"</Error>" not in answer:
            piece = connection.recv(65536)
            if not piece:
                break
            answer += piece
    return answer
