"""Keys: any UTF-8 up to 1,024 bytes, taken as they are; and deleting many of them in one request."""

import base64
import hashlib

from boto3_suite import fails, keys
from cases import case, equal, expect
from raw import bucket, client, send, target

BUCKET = "conf-key"
ODD_KEYS = [
    "a/../b",
    "../up",
    "..",
    ".",
    "./here",
    "a/./b",
    "a//b",
    "//",
    "/leading",
    "//double",
    "trailing/",
    "trailing",
    "trailing/below",
    "space and+plus",
    " ",
    "%2F",
    "%",
    "a%00b",
    "a?b=c&d#e",
    "e\u0301",
    "\u00e9",
    "\U0001f600/\uffee",
    "\u200b\u202e",
    "*'();:@&=+$,[]\"<>\\^`{|}~",
    "Case",
    "case",
    "CON",
    "index.sqlite",
    "\u00fc" * 512,
    "\U0001f600" * 256,
    "k" * 1024,
]


@case("odd keys: put, get, head, listed in the order of their bytes, deleted one by one")
def odd(context):
    s3 = bucket(context, BUCKET)
    for key in ODD_KEYS:
        send(context, "PUT", target(BUCKET, key), body=key.encode()).want(200)
    ordered = sorted(ODD_KEYS, key=str.encode)
    equal(keys(s3.list_objects_v2(Bucket=BUCKET)), ordered, "keys of v2")
    equal(keys(s3.list_objects(Bucket=BUCKET)), ordered, "keys of v1")
    equal(send(context, "GET", target(BUCKET)).want(200).fields("Contents/Key"), ordered, "keys without encoding")
    for number, key in enumerate(ordered):
        equal(send(context, "GET", target(BUCKET, key)).want(200).body, key.encode(), f"content of {key!r}")
        equal(
            send(context, "HEAD", target(BUCKET, key)).want(200)["Content-Length"], str(len(key.encode())), "length"
        )
        send(context, "DELETE", target(BUCKET, key)).want(204)
        equal(keys(s3.list_objects_v2(Bucket=BUCKET)), ordered[number + 1 :], f"keys after deleting {key!r}")


@case("1,025 bytes are KeyTooLongError, in every operation that takes a key")
def too_long(context):
    for key in ("k" * 1025, "\u00fc" * 512 + "x", "x" * 5000):
        for method, query in (("PUT", None), ("GET", None), ("DELETE", None), ("POST", {"uploads": ""})):
            send(context, method, target(BUCKET, key), query).want(400, "KeyTooLongError")
        send(context, "HEAD", target(BUCKET, key)).want(400)
    answer = send(context, "PUT", target(BUCKET, "k" * 1025)).want(400, "KeyTooLongError")
    equal((answer.field("Size"), answer.field("MaxSizeAllowed")), ("1025", "1024"), "sizes told")
    client(context).put_object(Bucket=BUCKET, Key="source", Body=b"1")
    copy = {"x-amz-copy-source": f"{BUCKET}/source"}
    send(context, "PUT", target(BUCKET, "k" * 1025), headers=copy).want(400, "KeyTooLongError")
    client(context).delete_object(Bucket=BUCKET, Key="source")


@case("the path is taken byte by byte: escapes that need not be are the same key, a plus is a plus")
def escapes(context):
    send(context, "PUT", f"/{BUCKET}/%61%2fb%2Bc%7e", body=b"1").want(200)
    equal(keys(client(context).list_objects_v2(Bucket=BUCKET)), ["a/b+c~"], "keys")
    equal(send(context, "GET", f"/{BUCKET}/a/b%2Bc~").want(200).body, b"1", "content")
    send(context, "DELETE", target(BUCKET, "a/b+c~")).want(204)


@case("control characters: with encoding-type=url they come back, and the document is XML without it")
def control(context):
    names = ["a\x01b", "tab\tnew\nline\rreturn", "\x7f", "\ufffe"]
    for name in names:
        send(context, "PUT", target(BUCKET, name), body=b"1").want(200)
    s3 = client(context)
    equal(keys(s3.list_objects_v2(Bucket=BUCKET)), sorted(names, key=str.encode), "keys")
    answer = send(context, "GET", target(BUCKET), {"prefix": "tab"}).want(200)
    equal(answer.fields("Contents/Key"), [names[1]], "white space is escaped")
    for name in names:
        equal(send(context, "GET", target(BUCKET, name)).want(200).body, b"1", repr(name))
    deleted = s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": names[1]}]})["Deleted"]
    equal([entry["Key"] for entry in deleted], [names[1]], "white space in DeleteObjects")
    for name in names:
        send(context, "DELETE", target(BUCKET, name)).want(204)


def delete_many(context, body, **headers):
    md5 = base64.b64encode(hashlib.md5(body).digest()).decode()
    return send(context, "POST", target(BUCKET), {"delete": ""}, {"content-md5": md5, **headers}, body)


@case("delete many: 1,000 keys, verbose and quiet, odd keys, the same one twice")
def bulk(context):
    s3 = client(context)
    for key in ODD_KEYS:
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"")
    ghosts = [f"ghost/{number}" for number in range(1000 - len(ODD_KEYS))]
    answer = s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": key} for key in ODD_KEYS + ghosts]})
    equal([entry["Key"] for entry in answer["Deleted"]], ODD_KEYS + ghosts, "keys told")
    equal(keys(s3.list_objects_v2(Bucket=BUCKET)), [], "keys left")
    s3.put_object(Bucket=BUCKET, Key="twice", Body=b"")
    answer = s3.delete_objects(Bucket=BUCKET, Delete={"Quiet": True, "Objects": [{"Key": "twice"}] * 2})
    expect("Deleted" not in answer and "Errors" not in answer, f"quiet: {answer}")
    long = s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": "k" * 1025}, {"Key": "fine"}]})
    equal([entry["Code"] for entry in long["Errors"]], ["KeyTooLongError"], "error of one key")
    equal([entry["Key"] for entry in long["Deleted"]], ["fine"], "the other key")


@case("delete many: 1,001 keys, none, malformed, wrong digest: nothing is deleted")
def bulk_errors(context):
    s3 = client(context)
    s3.put_object(Bucket=BUCKET, Key="kept", Body=b"1")
    entry = "<Object><Key>kept</Key></Object>"
    for text in (
        f"<Delete>{entry * 1001}</Delete>",
        "<Delete></Delete>",
        f"<Delete>{entry}",
        f"<Other>{entry}</Other>",
        "<Delete><Object></Object></Delete>",
        "rubbish",
        '<!DOCTYPE x [<!ENTITY a "kept">]><Delete><Object><Key>&a;</Key></Object></Delete>',
    ):
        delete_many(context, text.encode()).want(400, "MalformedXML")
    delete_many(context, b"").want(400, ("MalformedXML", "MissingRequestBodyError"))
    body = f"<Delete>{entry}</Delete>".encode()
    other = base64.b64encode(hashlib.md5(b"other").digest()).decode()
    delete_many(context, body, **{"content-md5": other}).want(400, ("BadDigest", "InvalidDigest"))
    fails("NoSuchBucket", 404, s3.delete_objects, Bucket="conf-nowhere", Delete={"Objects": [{"Key": "k"}]})
    equal(s3.get_object(Bucket=BUCKET, Key="kept")["Body"].read(), b"1", "content after refusals")
