"""Signature Version 4 in headers and in the query, the clock, path-style and virtual-host style, anonymous."""

import email.utils
import socket
import urllib.parse

from boto3_suite import fails
from cases import case, equal, expect
from raw import UNSIGNED, Request, anonymous, bucket, client, send, target, utc

BUCKET = "conf-auth"
KEPT = b"content that no refused request may touch"


def request(context, method="GET", key="kept", **options):
    return Request(context, method, target(BUCKET, key), **options)


def untouched(context):
    """Checks that the object of this suite has its content still."""
    equal(client(context).get_object(Bucket=BUCKET, Key="kept")["Body"].read(), KEPT, "content")


@case("header: a signed request; every answer has an id of its own, also to HEAD and errors")
def header(context):
    s3 = bucket(context, BUCKET)
    s3.put_object(Bucket=BUCKET, Key="kept", Body=KEPT)
    answers = [
        request(context).sign().send().want(200),
        request(context, "HEAD").sign().send().want(200),
        request(context, "HEAD", "never").sign().send().want(404),
        request(context, key="never").sign().send().want(404, "NoSuchKey"),
        send(context, "GET", "/").want(200),
        send(context, "DELETE", target(BUCKET, "never")).want(204),
        anonymous(context, "GET", target(BUCKET, "kept")).want(403, "AccessDenied"),
    ]
    equal(answers[0].body, KEPT, "content")
    equal(len({answer["x-amz-request-id"] for answer in answers}), len(answers), "different ids")
    error = answers[3]
    equal(error.field("Resource"), target(BUCKET, "never"), "Resource")
    equal(error.field("Key"), "never", "Key of NoSuchKey")


@case("header: wrong key, wrong secret, altered request: 403, and no content is touched")
def forged(context):
    forgery = request(context, "PUT", body=b"forged")
    forgery.access_key = "stranger"
    equal(forgery.sign().send().want(403, "InvalidAccessKeyId").field("AWSAccessKeyId"), "stranger", "key in error")
    forgery = request(context, "PUT", body=b"forged")
    forgery.secret_key = "wrong"
    forgery.sign().send().want(403, "SignatureDoesNotMatch")
    altered = request(context, "PUT", body=b"forged").sign()
    altered.headers["x-amz-date"] = utc(5).strftime("%Y%m%dT%H%M%SZ")
    altered.send().want(403, "SignatureDoesNotMatch")
    altered = request(context, "GET").sign()
    altered.method = "DELETE"
    altered.send().want(403, "SignatureDoesNotMatch")
    altered = request(context, "PUT", key="other", body=b"forged").sign()
    altered.path = target(BUCKET, "kept")
    altered.send().want(403, "SignatureDoesNotMatch")
    unsigned = request(context, "PUT", body=b"forged").sign()
    unsigned.headers["x-amz-meta-late"] = "not signed"
    unsigned.send().want(403, "AccessDenied")
    untouched(context)


@case("header: a malformed one is named so")
def malformed(context):
    def with_header(value):
        broken = request(context).sign()
        broken.headers["authorization"] = value
        return broken.send()

    good = request(context).sign().headers["authorization"]
    with_header("AWS4-HMAC-SHA256 nonsense").want(400, "AuthorizationHeaderMalformed")
    with_header(good.replace("aws4_request", "aws5_request")).want(400, "AuthorizationHeaderMalformed")
    with_header(good.split(", Signature=")[0]).want(400, "AuthorizationHeaderMalformed")
    with_header("Basic YTpi").want(400, ("InvalidArgument", "InvalidRequest"))
    other = request(context)
    other.service = "ec2"
    other.sign().send().want(400, "AuthorizationHeaderMalformed")
    other = request(context)
    other.scope_date = "20200101"
    other.sign().send().want(400, "AuthorizationHeaderMalformed")
    undated = request(context).sign()
    del undated.headers["x-amz-date"]
    undated.send().want(403, "AccessDenied")


@case("header: the time may be in Date, and 10 minutes off; 20 minutes are RequestTimeTooSkewed")
def clock(context):
    for seconds in (-600, 600):
        near = request(context)
        near.now = utc(seconds)
        near.sign().send().want(200)
    for seconds in (-1200, 1200, -86400 * 3):
        far = request(context)
        far.now = utc(seconds)
        answer = far.sign().send().want(403, "RequestTimeTooSkewed")
        expect(answer.field("RequestTime") and answer.field("ServerTime"), f"times are told: {answer}")
        equal(answer.field("MaxAllowedSkewMilliseconds"), "900000", "skew allowed")
    dated = request(context)
    dated.headers = {"host": dated.host, "date": email.utils.format_datetime(dated.now, usegmt=True)}
    dated.headers["x-amz-content-sha256"] = dated.payload
    names = ";".join(sorted(dated.headers))
    dated.headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={dated.access_key}/{dated.scope},SignedHeaders={names},"
        f"Signature={dated.signature(dated.headers)}"
    )
    dated.send().want(200)


@case("payload: its hash is checked, may be left out with UNSIGNED-PAYLOAD, and must be one")
def payload(context):
    wrong = request(context, "PUT", body=b"forged")
    wrong.payload = "0" * 64
    wrong.sign().send().want(400, "XAmzContentSHA256Mismatch")
    untouched(context)
    nonsense = request(context, "PUT", body=b"forged")
    nonsense.payload = "nonsense"
    nonsense.sign().send().want(400, "InvalidArgument")
    free = request(context, "PUT", key="free", body=b"free")
    free.payload = UNSIGNED
    free.sign().send().want(200)
    equal(client(context).get_object(Bucket=BUCKET, Key="free")["Body"].read(), b"free", "content")
    untouched(context)


@case("Expect: 100-continue is answered after the signature has been checked")
def expectation(context):
    for secret, first in ((context.secret_key, b"HTTP/1.1 100 "), ("wrong", b"HTTP/1.1 403 ")):
        upload = request(context, "PUT", key="expected", body=b"expected")
        upload.secret_key = secret
        upload.sign()
        head = [f"PUT {upload.path} HTTP/1.1", "expect: 100-continue", f"content-length: {len(upload.body)}"]
        head += [f"{name}: {value}" for name, value in upload.headers.items()]
        host, port = upload.address.rsplit(":", 1)
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            connection.sendall("\r\n".join([*head, "", ""]).encode())
            got = connection.recv(4096)
            expect(
                got.startswith(first),
                f"{'wrong' if secret == 'wrong' else 'right'} secret: got {got[:30]}, want {first}",
            )
            if b"100" not in first:
                # Else the client may send its next request on a connection that is about to end.
                expect(b"\r\nconnection: close\r\n" in got.lower(), f"the end of the connection is told: {got}")
                while connection.recv(4096):
                    pass
            else:
                connection.sendall(upload.body)
                expect(connection.recv(4096).startswith(b"HTTP/1.1 200 "), "no 200 after 100")


@case("what follows a refused request on its connection is the next request, never a piece of its body")
def smuggling(context):
    hidden = request(context, "DELETE").sign()
    lines = [f"DELETE {hidden.path} HTTP/1.1", *(f"{name}: {value}" for name, value in hidden.headers.items())]
    body = "\r\n".join([*lines, "", ""]).encode()
    refused = request(context, "PUT", body=body)
    refused.secret_key = "wrong"
    refused.sign()
    following = request(context).sign()
    data = b""
    for one, content in ((refused, body), (following, b"")):
        lines = [f"{one.method} {one.path} HTTP/1.1", f"content-length: {len(content)}"]
        lines += [f"{name}: {value}" for name, value in one.headers.items()]
        data += "\r\n".join([*lines, "", ""]).encode() + content
    host, port = refused.address.rsplit(":", 1)
    answers = b""
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        while piece := connection.recv(65536):
            answers += piece
    expect(answers.startswith(b"HTTP/1.1 403 "), f"first answer: {answers[:60]}")
    expect(b"HTTP/1.1 204 " not in answers, "the hidden request was performed")
    untouched(context)


@case("presigned: up to 7 days, no longer, not after, not before")
def presigned_limits(context):
    equal(request(context).presign().send().want(200).body, KEPT, "content")
    old = request(context)
    old.now = utc(-6 * 86400)
    old.presign(604800).send().want(200)
    for expires in (604801, -1, "soon"):
        request(context).presign(expires).send().want(400, "AuthorizationQueryParametersError")
    expired = request(context)
    expired.now = utc(-120)
    answer = expired.presign(60).send().want(403, "AccessDenied")
    expect("expired" in answer.field("Message").lower(), f"message: {answer}")
    expect(answer.field("Expires") and answer.field("ServerTime"), f"times are told: {answer}")
    early = request(context)
    early.now = utc(1200)
    early.presign(3600).send().want(403, "AccessDenied")


@case("presigned: what is missing, wrong or altered")
def presigned_errors(context):
    for name in ("X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders"):
        broken = request(context).presign()
        del broken.query[name]
        broken.send().want((400, 403), ("AuthorizationQueryParametersError", "AccessDenied"))
    for name, value in (("X-Amz-Algorithm", "AWS4-HMAC-MD5"), ("X-Amz-Credential", "a/b/c"), ("X-Amz-Date", "today")):
        broken = request(context).presign()
        broken.query[name] = value
        broken.send().want(400, "AuthorizationQueryParametersError")
    altered = request(context).presign()
    altered.query["versionId"] = "null"
    altered.send().want(403, "SignatureDoesNotMatch")
    stranger = request(context)
    stranger.access_key = "stranger"
    stranger.presign().send().want(403, "InvalidAccessKeyId")
    typed = request(context, "PUT", headers={"content-type": "text/plain"}, body=b"forged").presign()
    typed.headers["content-type"] = "text/html"
    typed.send().want(403, "SignatureDoesNotMatch")
    both = request(context).presign()
    both.headers["authorization"] = request(context).sign().headers["authorization"]
    both.send().want(400, "InvalidArgument")
    untouched(context)


@case("virtual-host style: bucket.localhost and bucket.s3.localhost, with port and without; path style beside it")
def virtual_host(context):
    port = urllib.parse.urlsplit(context.endpoint).port
    for number, domain in enumerate((f"localhost:{port}", f"s3.localhost:{port}", "localhost", "s3.localhost")):
        name = f"conf-host.{number}"

        def at_host(method, path, query=None, body=b""):
            one = Request(context, method, path, query, None, body)
            one.host = f"{name}.{domain}"
            return one.sign().send()

        at_host("PUT", "/").want(200)
        at_host("PUT", "/folder/a%20b", body=b"virtual").want(200)
        equal(at_host("GET", "/folder/a%20b").want(200).body, b"virtual", f"content at {domain}")
        equal(at_host("GET", "/", {"list-type": "2"}).want(200).fields("Contents/Key"), ["folder/a b"], "listing")
        at_host("GET", f"/{name}/folder/a%20b").want(404, "NoSuchKey")
        link = Request(context, "GET", "/folder/a%20b")
        link.host = f"{name}.{domain}"
        equal(link.presign().send().want(200).body, b"virtual", f"presigned at {domain}")
        path_style = Request(context, "GET", target(name, "folder/a b"))
        path_style.host = domain
        equal(path_style.sign().send().want(200).body, b"virtual", f"path style at {domain}")
        at_host("DELETE", "/folder/a%20b").want(204)
        at_host("DELETE", "/").want(204)
    stranger = Request(context, "GET", target(BUCKET, "kept"))
    stranger.host = "store.example.org"
    equal(stranger.sign().send().want(200).body, KEPT, "path style at a name of somebody else")


@case("virtual-host style: boto3 itself")
def virtual_boto(context):
    original = socket.getaddrinfo

    def resolve(host, *arguments, **options):
        name = "127.0.0.1" if str(host).endswith(".localhost") else host
        return original(name, *arguments, **options)

    port = urllib.parse.urlsplit(context.endpoint).port
    socket.getaddrinfo = resolve
    try:
        import apus

        s3 = apus.s3_client(
            f"http://s3.localhost:{port}",
            context.access_key,
            context.secret_key,
            s3={"addressing_style": "virtual"},
        )
        s3.create_bucket(Bucket="conf-virtual")
        s3.put_object(Bucket="conf-virtual", Key="a b/ü+", Body=b"virtual")
        equal(s3.get_object(Bucket="conf-virtual", Key="a b/ü+")["Body"].read(), b"virtual", "content")
        copied = s3.copy_object(Bucket="conf-virtual", Key="copy", CopySource="conf-virtual/a b/ü+")
        expect(copied["CopyObjectResult"]["ETag"], "copy")
        equal([o["Key"] for o in s3.list_objects_v2(Bucket="conf-virtual")["Contents"]], ["a b/ü+", "copy"], "keys")
        fails("NoSuchKey", 404, s3.get_object, Bucket="conf-virtual", Key="never")
    finally:
        socket.getaddrinfo = original


@case("anonymous: nothing without a policy, neither reading nor writing nor listing")
def nobody(context):
    for method, path, query in (
        ("GET", "/", None),
        ("GET", target(BUCKET), {"list-type": "2"}),
        ("GET", target(BUCKET), None),
        ("GET", target(BUCKET, "kept"), None),
        ("HEAD", target(BUCKET, "kept"), None),
        ("PUT", target(BUCKET, "kept"), None),
        ("DELETE", target(BUCKET, "kept"), None),
        ("PUT", target("conf-anonymous"), None),
        ("DELETE", target(BUCKET), None),
        ("GET", target(BUCKET), {"policy": ""}),
        ("POST", target(BUCKET, "kept"), {"uploads": ""}),
    ):
        anonymous(context, method, path, query, body=b"x" if method == "PUT" else b"").want(403, "AccessDenied")
    untouched(context)


@case("methods and addresses that there are not: 405, 400")
def methods(context):
    send(context, "PATCH", target(BUCKET, "kept")).want(405, "MethodNotAllowed")
    send(context, "PUT", "/").want(405, "MethodNotAllowed")
    send(context, "DELETE", "/").want(405, "MethodNotAllowed")
    send(context, "GET", f"/{BUCKET}/%zz").want(400, "InvalidURI")
    send(context, "GET", f"/{BUCKET}/%ff%fe").want(400, ("InvalidURI", "InvalidArgument"))
