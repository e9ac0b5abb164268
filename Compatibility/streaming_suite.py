"""Streaming uploads signed chunk by chunk, as the SDKs for Java, Go and C++ send them; written from the SigV4 document.

https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html and …/sigv4-streaming-trailers.html
"""

import base64
import binascii
import datetime
import hashlib
import hmac
import http.client
import urllib.parse

from botocore.exceptions import ClientError

from cases import case, equal, expect, random_bytes

BUCKET = "streaming-main"
EMPTY = hashlib.sha256(b"").hexdigest()
REGION = "us-east-1"


def digest(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


class Upload:
    """One PUT with a chunked body; the fields can be changed before `send` to forge it."""

    def __init__(self, context, key, body, kind, trailer=None, chunk=64 * 1024):
        self.context, self.body, self.kind, self.trailer = context, body, kind, trailer
        self.chunk = chunk
        self.path = "/" + urllib.parse.quote(f"{BUCKET}/{key}", safe="/-_.~")
        self.declared = len(body)
        self.spoil_chunk = self.spoil_trailer = False
        self.content_encoding = "aws-chunked"

    def send(self):
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        scope = f"{now[:8]}/{REGION}/s3/aws4_request"
        key = ("AWS4" + self.context.secret_key).encode()
        for part in scope.split("/"):
            key = digest(key, part)
        address = urllib.parse.urlsplit(self.context.endpoint)
        headers = {
            "content-encoding": self.content_encoding,
            "host": address.netloc,
            "x-amz-content-sha256": self.kind,
            "x-amz-date": now,
            "x-amz-decoded-content-length": str(self.declared),
        }
        if self.trailer:
            headers["x-amz-trailer"] = self.trailer[0]
        names = ";".join(sorted(headers))
        canonical = "\n".join(
            ["PUT", self.path, ""] + [f"{name}:{headers[name]}" for name in sorted(headers)] + ["", names, self.kind]
        )
        to_sign = "\n".join(["AWS4-HMAC-SHA256", now, scope, hashlib.sha256(canonical.encode()).hexdigest()])
        signature = digest(key, to_sign).hex()
        headers["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self.context.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
        )
        data = self.encoded(key, now, scope, signature)
        headers["content-length"] = str(len(data))
        connection = http.client.HTTPConnection(address.netloc, timeout=20)
        try:
            connection.putrequest("PUT", self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in headers.items():
                connection.putheader(name, value)
            connection.endheaders()
            try:
                connection.send(data)
            except OSError:
                pass  # the server may answer and close before it has read everything
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def encoded(self, key, now, scope, previous):
        """The body in chunks, each with its signature where the kind has signatures, and the trailer."""
        signed = self.kind.startswith("STREAMING-AWS4-HMAC-SHA256")
        pieces = [self.body[at : at + self.chunk] for at in range(0, len(self.body), self.chunk)] + [b""]
        data = bytearray()
        for number, piece in enumerate(pieces):
            line = f"{len(piece):x}"
            if signed:
                to_sign = "\n".join(
                    ["AWS4-HMAC-SHA256-PAYLOAD", now, scope, previous, EMPTY, hashlib.sha256(piece).hexdigest()]
                )
                previous = digest(key, to_sign).hex()
                shown = "0" * 64 if self.spoil_chunk and number == len(pieces) // 2 else previous
                line += f";chunk-signature={shown}"
            data += line.encode() + b"\r\n" + piece
            if piece:
                data += b"\r\n"
        if self.trailer:
            text = f"{self.trailer[0]}:{self.trailer[1]}"
            data += text.encode() + b"\r\n"
            if signed:
                to_sign = "\n".join(
                    [
                        "AWS4-HMAC-SHA256-TRAILER",
                        now,
                        scope,
                        previous,
                        hashlib.sha256((text + "\n").encode()).hexdigest(),
                    ]
                )
                shown = "0" * 64 if self.spoil_trailer else digest(key, to_sign).hex()
                data += f"x-amz-trailer-signature:{shown}\r\n".encode()
            data += b"\r\n"
        else:
            data += b"\r\n"
        return bytes(data)


SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"


def crc32(body):
    return base64.b64encode(binascii.crc32(body).to_bytes(4, "big")).decode()


def accepted(context, key, body, *arguments, **options):
    status, text = Upload(context, key, body, *arguments, **options).send()
    equal(status, 200, f"status ({text[:300]})")
    got = context.boto().get_object(Bucket=BUCKET, Key=key)
    expect(got["Body"].read() == body, "content differs")
    expect("aws-chunked" not in got.get("ContentEncoding", ""), "the transfer's encoding became the object's")
    equal(got["ETag"], f'"{hashlib.md5(body).hexdigest()}"', "ETag")


def refused(context, upload, statuses, codes):
    status, text = upload.send()
    expect(status in statuses and any(f"<Code>{code}</Code>" in text for code in codes), f"got {status} {text[:300]}")
    try:
        context.boto().head_object(Bucket=BUCKET, Key="refused")
    except ClientError:
        return
    raise AssertionError("the object is there all the same")


@case("signed chunks, of one, some and many pieces")
def signed(context):
    context.boto().create_bucket(Bucket=BUCKET)
    accepted(context, "signed/empty", b"", SIGNED)
    accepted(context, "signed/one ü+", random_bytes(1000), SIGNED)
    accepted(context, "signed/exact", random_bytes(2 * 64 * 1024), SIGNED)
    accepted(context, "signed/many", random_bytes(1_000_003), SIGNED, chunk=8192)


@case("signed chunks with a signed trailing checksum")
def signed_trailer(context):
    for size in (0, 100_000):
        body = random_bytes(size)
        accepted(
            context, f"signed-trailer/{size}", body, SIGNED_TRAILER, trailer=("x-amz-checksum-crc32", crc32(body))
        )


@case("unsigned chunks with a trailing checksum")
def unsigned_trailer(context):
    for size in (0, 7, 300_000):
        body = random_bytes(size)
        accepted(context, f"unsigned/{size}", body, UNSIGNED_TRAILER, trailer=("x-amz-checksum-crc32", crc32(body)))
    head = context.boto().head_object(Bucket=BUCKET, Key="unsigned/300000", ChecksumMode="ENABLED")
    equal(head.get("ChecksumCRC32"), crc32(body), "checksum kept")


@case("a chunk with a wrong signature is refused")
def wrong_chunk(context):
    upload = Upload(context, "refused", random_bytes(300_000), SIGNED)
    upload.spoil_chunk = True
    refused(context, upload, (403,), ("SignatureDoesNotMatch",))


@case("a trailer with a wrong signature, and one with a wrong checksum, are refused")
def wrong_trailer(context):
    body = random_bytes(100_000)
    upload = Upload(context, "refused", body, SIGNED_TRAILER, trailer=("x-amz-checksum-crc32", crc32(body)))
    upload.spoil_trailer = True
    refused(context, upload, (403,), ("SignatureDoesNotMatch",))
    upload = Upload(context, "refused", body, UNSIGNED_TRAILER, trailer=("x-amz-checksum-crc32", crc32(b"other")))
    refused(context, upload, (400,), ("BadDigest",))


@case("a body shorter or longer than declared is refused")
def wrong_length(context):
    for difference in (1, -1):
        upload = Upload(context, "refused", random_bytes(100_000), SIGNED)
        upload.declared += difference
        refused(context, upload, (400,), ("IncompleteBody", "InvalidRequest", "MalformedTrailerError"))


@case("the object's own encoding stays beside aws-chunked")
def own_encoding(context):
    upload = Upload(context, "gzip", b"not really gzip", SIGNED)
    upload.content_encoding = "aws-chunked,gzip"
    equal(upload.send()[0], 200, "status")
    equal(context.boto().head_object(Bucket=BUCKET, Key="gzip").get("ContentEncoding"), "gzip", "encoding")
