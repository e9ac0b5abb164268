"""Errors that no other topic has, and that each code of S3 that the program knows is looked for in some suite."""

import glob
import os
import re

from cases import Skip, case, equal, expect
from raw import bucket, client, send, target

BUCKET = "conf-error"
OWNERSHIP = "<OwnershipControls><Rule><ObjectOwnership>{}</ObjectOwnership></Rule></OwnershipControls>"
# What no client can bring about by itself, and where it is shown instead.
ELSEWHERE = {
    "InternalError": "store_suite, which damages content on the disk",
    "BucketAlreadyExists": "S3APITests: buckets of services",
    "SlowDown": "an object that is replaced again and again while it is opened",
    "ServiceUnavailable": "a server that stops",
}


@case("each error code of the program is looked for by some suite")
def every_code(_):
    here = os.path.dirname(__file__)
    source = os.path.join(here, "..", "Sources", "S3Wire", "S3ErrorCode.swift")
    if not os.path.exists(source):
        raise Skip("the program's source is not here")
    with open(source, encoding="utf-8") as file:
        codes = set(re.findall(r'^    case \w+ = "(\w+)"$', file.read(), re.MULTILINE))
    expect(len(codes) > 50, f"codes were found: {len(codes)}")
    said = ""
    for path in glob.glob(os.path.join(here, "*_suite.py")):
        with open(path, encoding="utf-8") as file:
            said += file.read()
    equal(sorted(code for code in codes if not re.search(rf"\b{code}\b", said)), [], "codes without a case")
    equal(sorted(set(ELSEWHERE) - codes), [], "exceptions that there are not")


@case("access control lists and ownership: what goes together, and what does not")
def lists(context):
    s3 = bucket(context, BUCKET)
    place = target(BUCKET)
    s3.put_object(Bucket=BUCKET, Key="key", Body=b"x")
    send(context, "GET", place, {"ownershipControls": ""}).want(404, "OwnershipControlsNotFoundError")
    for body, code in (
        (b"<x/>", "MalformedACLError"),
        (b"<AccessControlPolicy/>", "MalformedACLError"),
        (b"<AccessControlPolicy>", "MalformedXML"),
        (b"", "MissingRequestBodyError"),
    ):
        send(context, "PUT", place, {"acl": ""}, body=body).want(400, code)
        send(context, "PUT", target(BUCKET, "key"), {"acl": ""}, body=body).want(400, code)
    given = send(context, "GET", place, {"acl": ""}).want(200).body
    answer = send(context, "PUT", place, {"acl": ""}, {"x-amz-acl": "private"}, given)
    answer.want(400, "UnexpectedContent")
    send(context, "PUT", place, {"acl": ""}, {"x-amz-acl": "public-read"}).want(200)
    enforced = OWNERSHIP.format("BucketOwnerEnforced").encode()
    answer = send(context, "PUT", place, {"ownershipControls": ""}, body=enforced)
    answer.want(400, "InvalidBucketAclWithObjectOwnership")
    send(context, "PUT", place, {"acl": ""}, {"x-amz-acl": "private"}).want(200)
    send(context, "PUT", place, {"ownershipControls": ""}, body=OWNERSHIP.format("Mine").encode()).want(
        400, "MalformedXML"
    )
    send(context, "PUT", place, {"ownershipControls": ""}, body=enforced).want(200)
    for where, query in ((place, {"acl": ""}), (target(BUCKET, "key"), {"acl": ""}), (target(BUCKET, "new"), None)):
        answer = send(context, "PUT", where, query, {"x-amz-acl": "public-read"})
        answer.want(400, "AccessControlListNotSupported")
    send(context, "DELETE", place, {"ownershipControls": ""}).want(204)


@case("creating: the region of another, a constraint that cannot be; a redirect that leads nowhere")
def creation(context):
    document = "<CreateBucketConfiguration><LocationConstraint>{}</LocationConstraint></CreateBucketConfiguration>"

    def create(name, region):
        return send(context, "PUT", target(name), body=document.format(region).encode())

    create(f"{BUCKET}-region", "eu-west-1").want(200)
    create(f"{BUCKET}-region", "eu-west-1").want(200)
    create(f"{BUCKET}-region", "eu-west-2").want(409, "BucketAlreadyOwnedByYou")
    create(f"{BUCKET}-nowhere", "no/where").want(400, "InvalidLocationConstraint")
    for number, where in enumerate(("there", "ftp://a/b", "/" + "x" * 2048)):
        answer = send(context, "PUT", target(BUCKET, f"{number}"), None, {"x-amz-website-redirect-location": where})
        answer.want(400, "InvalidRedirectLocation")


@case("HEAD: errors have their status, and no body")
def heads(context):
    for path, status in ((target(f"{BUCKET}-never"), 404), (target(BUCKET, "never"), 404)):
        answer = send(context, "HEAD", path).want(status)
        equal(answer.body, b"", "body")
    equal(send(context, "HEAD", target(BUCKET, "key"), None, {"range": "bytes=9-"}).want(416).body, b"", "body")
    equal(send(context, "HEAD", target(BUCKET, "key"), None, {"if-match": '"0"'}).want(412).body, b"", "body")
    expect(client(context).head_bucket(Bucket=BUCKET), "the bucket is there")
