"""Uploads by browser forms: POST with a policy, as boto3 signs it and as a hand forges it."""

import base64
import datetime
import hashlib
import json
import urllib.parse
import xml.etree.ElementTree

import requests

import raw
from cases import case, equal, expect, random_bytes
from raw import bucket, client, target, utc

BUCKET = "conf-form"


def field(answer, name):
    root = xml.etree.ElementTree.fromstring(answer.content)
    found = [element.text or "" for element in root.iter() if element.tag.rpartition("}")[2] == name]
    return found[0] if found else None


def want(answer, status, *codes):
    expect(answer.headers.get("x-amz-request-id"), "no request id")
    expect(answer.status_code == status, f"want {status} {codes}, got {answer.status_code} {answer.text[:300]}")
    if codes:
        expect(field(answer, "Code") in codes, f"want {codes}, got {answer.text[:300]}")
    return answer


def post(form, body=b"posted", name="photo ü.jpg", **changes):
    """Sends a form made by `generate_presigned_post`; a change to None leaves the field out."""
    fields = {**form["fields"], **changes}
    fields = {key: value for key, value in fields.items() if value is not None}
    return requests.post(form["url"], data=fields, files={"file": (name, body)}, timeout=20, allow_redirects=False)


def form(context, key="form/one", fields=None, conditions=None, expires=300, **options):
    return client(context, **options).generate_presigned_post(BUCKET, key, fields, conditions, expires)


def hand_made(context, conditions, fields, expiration=None, policy=None):
    """A form whose policy is written here."""
    credential = f"{context.access_key}/{utc():%Y%m%d}/us-east-1/s3/aws4_request"
    signing = {
        "x-amz-algorithm": "AWS4-HMAC-SHA256",
        "x-amz-credential": credential,
        "x-amz-date": utc().strftime("%Y%m%dT%H%M%SZ"),
    }
    document = {
        "expiration": expiration or utc(300).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "conditions": [{"bucket": BUCKET}, *conditions, *({name: value} for name, value in signing.items())],
    }
    encoded = base64.b64encode(policy if policy is not None else json.dumps(document).encode()).decode()
    signature = raw.digest(raw.signing_key(context.secret_key, credential.partition("/")[2]), encoded).hex()
    return {
        "url": f"{context.endpoint}/{BUCKET}",
        "fields": {**fields, **signing, "policy": encoded, "x-amz-signature": signature},
    }


@case("boto3's form, versions 4 and 2: 204, ETag and Location, content as sent")
def plain(context):
    s3 = bucket(context, BUCKET)
    for number, maker in enumerate((s3, context.boto())):
        body = random_bytes(6_000_000 + number)
        made = maker.generate_presigned_post(BUCKET, f"form/ü {number}")
        answer = want(post(made, body), 204)
        equal(answer.headers["ETag"], f'"{hashlib.md5(body).hexdigest()}"', "ETag")
        expect(answer.headers.get("Location", "").endswith(target(BUCKET, f"form/ü {number}")), "Location")
        expect(s3.get_object(Bucket=BUCKET, Key=f"form/ü {number}")["Body"].read() == body, "content differs")


@case("success_action_status 200, 201 with a document, anything else 204")
def success_status(context):
    for status, got in (("200", 200), ("201", 201), ("204", 204), ("418", 204)):
        made = form(context, "form/status", {"success_action_status": status}, [{"success_action_status": status}])
        answer = want(post(made), got)
        if got == 201:
            said = [field(answer, name) for name in ("Bucket", "Key", "ETag")]
            equal(said, [BUCKET, "form/status", f'"{hashlib.md5(b"posted").hexdigest()}"'], "PostResponse")
            expect(field(answer, "Location"), "Location in the document")


@case("success_action_redirect: 303 with bucket, key and etag")
def redirect(context):
    url = "https://page.example.org/done?x=1"
    made = form(context, "form/redirect ü", {"success_action_redirect": url}, [{"success_action_redirect": url}])
    answer = want(post(made), 303)
    place = urllib.parse.urlsplit(answer.headers["Location"])
    equal(place.netloc + place.path, "page.example.org/done", "Location")
    query = urllib.parse.parse_qs(place.query)
    wanted = {"x": ["1"], "bucket": [BUCKET], "key": ["form/redirect ü"]}
    equal({name: query.get(name) for name in wanted}, wanted, "query")
    expect(hashlib.md5(b"posted").hexdigest() in query.get("etag", [""])[0], "etag")


@case("${filename}, starts-with, type and metadata of the form")
def fields(context):
    s3 = client(context)
    sent = {
        "Content-Type": "image/x-test",
        "Cache-Control": "max-age=9",
        "Content-Disposition": "inline",
        "x-amz-meta-colour": "red ü",
        "tagging": "<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tagging>",
    }
    conditions = [
        ["starts-with", "$key", "user/eric/"],
        ["starts-with", "$Content-Type", "image/"],
        ["starts-with", "$Cache-Control", ""],
        ["eq", "$x-amz-meta-colour", "red ü"],
        {"Content-Disposition": "inline"},
        ["starts-with", "$tagging", ""],
    ]
    made = s3.generate_presigned_post(BUCKET, "user/eric/${filename}", sent, conditions)
    want(post(made, name="photo.jpg"), 204)
    head = s3.head_object(Bucket=BUCKET, Key="user/eric/photo.jpg")
    equal(
        (head["ContentType"], head["CacheControl"], head["ContentDisposition"]),
        ("image/x-test", "max-age=9", "inline"),
        "headers",
    )
    expect("colour" in head["Metadata"], f"metadata: {head['Metadata']}")
    equal(
        s3.get_object_tagging(Bucket=BUCKET, Key="user/eric/photo.jpg")["TagSet"],
        [{"Key": "a", "Value": "1"}],
        "tags",
    )
    want(post(made, key="user/other/photo.jpg"), 403, "AccessDenied")
    want(post(made, **{"Content-Type": "text/html"}), 403, "AccessDenied")
    want(post(made, **{"x-amz-meta-colour": "blue"}), 403, "AccessDenied")


@case("content-length-range: both ends, shorter, longer")
def length_range(context):
    made = form(context, "form/length", None, [["content-length-range", 3, 6]])
    for size, status, codes in (
        (3, 204, ()),
        (6, 204, ()),
        (2, 400, ("EntityTooSmall",)),
        (7, 400, ("EntityTooLarge",)),
    ):
        want(post(made, b"x" * size), status, *codes)
    want(post(made, b"x" * 3_000_000), 400, "EntityTooLarge")
    equal(client(context).head_object(Bucket=BUCKET, Key="form/length")["ContentLength"], 6, "the last that fitted")


@case("a field that no condition allows is refused, x-ignore- is not")
def extra_fields(context):
    made = form(context, "form/extra")
    want(post(made, **{"x-amz-meta-extra": "1"}), 403, "AccessDenied")
    want(post(made, **{"x-ignore-this": "1"}), 204)
    want(post(made, key="form/other"), 403, "AccessDenied")


@case("expired, tampered, wrong secret, unknown key: 403 and nothing is stored")
def forged(context):
    s3 = client(context)
    made = form(context, "form/forged", expires=300)
    old = hand_made(context, [{"key": "form/forged"}], {"key": "form/forged"}, "2020-01-01T00:00:00.000Z")
    answer = want(post(old), 403, "AccessDenied")
    expect("expired" in field(answer, "Message").lower(), f"message: {answer.text}")
    loose = base64.b64decode(made["fields"]["policy"]).replace(b"form/forged", b"form/forgee")
    want(post(made, policy=base64.b64encode(loose).decode()), 403, "SignatureDoesNotMatch")
    want(post(made, **{"x-amz-signature": "0" * 64}), 403, "SignatureDoesNotMatch")
    credential = made["fields"]["x-amz-credential"].replace(context.access_key, "stranger")
    want(post(made, **{"x-amz-credential": credential}), 403, "InvalidAccessKeyId")
    want(post({"url": made["url"], "fields": {"key": "form/forged"}}), 403, "AccessDenied")
    expect(not s3.list_objects_v2(Bucket=BUCKET, Prefix="form/forge").get("Contents"), "something was stored")


@case("malformed: no key, no file, no policy's JSON, no signature, not a form, fields too large")
def malformed(context):
    made = form(context, "form/malformed")
    want(post(hand_made(context, [], {})), 400, "InvalidArgument", "UserKeyMustBeSpecified")
    answer = requests.post(
        made["url"], files={name: (None, value) for name, value in made["fields"].items()}, timeout=10
    )
    want(answer, 400, "InvalidArgument", "IncorrectNumberOfFilesInPostRequest")
    want(post(made, **{"x-amz-signature": None}), 400, "InvalidArgument")
    want(post(hand_made(context, [], {"key": "k"}), **{"x-amz-date": None}), 400, "InvalidArgument")
    for policy in (b"{", b"[]", b"{}", b'{"expiration": "soon", "conditions": []}', b"\xff"):
        want(post(hand_made(context, [], {"key": "k"}, policy=policy)), 400, "InvalidPolicyDocument")
    for condition in (["like", "$key", "x"], ["eq", "$key"], ["content-length-range", "a", "b"], 5):
        want(post(hand_made(context, [condition], {"key": "k"})), 400, "InvalidPolicyDocument")
    answer = requests.post(made["url"], data={"key": "k"}, timeout=10)
    expect(answer.status_code in (400, 412), f"not a form: {answer.status_code} {answer.text[:200]}")
    wrong = {"Content-Type": "multipart/form-data; boundary=abc"}
    want(
        requests.post(made["url"], data=b"--other\r\nrubbish", headers=wrong, timeout=10), 400, "MalformedPOSTRequest"
    )
    want(
        post(made, **{"x-ignore-large": "x" * 30_000}),
        400,
        "MaxPostPreDataLengthExceededError",
        "MalformedPOSTRequest",
    )


@case("fields behind the file are not looked at; a bucket that is not there is NoSuchBucket")
def order(context):
    made = form(context, "form/order")
    parts = [(name, (None, value)) for name, value in made["fields"].items()]
    parts += [("file", ("name", b"first")), ("key", (None, "form/late"))]
    want(requests.post(made["url"], files=parts, timeout=10), 204)
    equal(client(context).get_object(Bucket=BUCKET, Key="form/order")["Body"].read(), b"first", "content")
    made = client(context).generate_presigned_post("conf-nowhere", "k")
    want(post(made), 404, "NoSuchBucket")


@case("the time: a policy that is valid for long, an expiration without milliseconds")
def times(context):
    plain_time = (utc(3000) + datetime.timedelta(days=300)).strftime("%Y-%m-%dT%H:%M:%SZ")
    want(post(hand_made(context, [["starts-with", "$key", ""]], {"key": "form/time"}, plain_time)), 204)
