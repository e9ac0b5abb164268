"""Every operation of S3 that botocore knows is named in docs/compatibility.md, and answered as it says there."""

import os
import re

import botocore.session

from cases import case, equal, expect
from raw import bucket, send

BUCKET = "operations-main"
# What has no request of its own: directory buckets are listed as buckets are, the other is for Lambda functions.
ELSEWHERE = {"ListDirectoryBuckets", "WriteGetObjectResponse"}


def model():
    return botocore.session.get_session().get_service_model("s3")


def told():
    """The operations that the page names: those supported, those not implemented."""
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    with open(os.path.join(root, "docs", "compatibility.md"), encoding="utf-8") as file:
        text = file.read().partition("### Supported")[2].partition("\n## ")[0]
    supported, _, others = text.partition("### Answered with NotImplemented")
    return [
        [name for name in re.findall(r"`([A-Z]\w+)`", part) if name != "NotImplemented"]
        for part in (supported, others)
    ]


def call(context, name):
    """Sends the least that names the operation; an answer other than 501 can be any."""
    operation = model().operation_model(name)
    uri, _, query = operation.http["requestUri"].partition("?")
    path = uri.replace("{Bucket}", BUCKET).replace("{Key+}", "key")
    parameters = dict(pair.partition("=")[::2] for pair in query.split("&") if pair)
    headers = {}
    shape = operation.input_shape
    for member in shape.required_members if shape else ():
        serialization = shape.members[member].serialization
        if serialization.get("location") == "querystring":
            parameters[serialization["name"]] = "1"
        elif serialization.get("location") == "header":
            headers[serialization["name"]] = f"{BUCKET}/key"
    return send(context, operation.http["method"], path, parameters, headers)


@case("every operation is named once in docs/compatibility.md")
def named(context):
    supported, others = told()
    equal(sorted(supported + others), sorted(set(model().operation_names) - ELSEWHERE), "operations named")


@case("what is told to be supported is not answered with 501")
def supported(context):
    wrong = []
    for name in told()[0]:
        bucket(context, BUCKET).put_object(Bucket=BUCKET, Key="key", Body=b"1")
        answer = call(context, name)
        if answer.status in (405, 500, 501):
            wrong.append(f"{name}: {answer}"[:160])
    expect(not wrong, "\n      ".join(["supported in the document only:", *wrong]))


@case("what is told to be not implemented is answered so, and changes nothing")
def not_implemented(context):
    s3 = bucket(context, BUCKET)
    s3.put_object(Bucket=BUCKET, Key="key", Body=b"kept")
    for name in told()[1]:
        call(context, name).want(501, "NotImplemented")
    equal(s3.get_object(Bucket=BUCKET, Key="key")["Body"].read(), b"kept", "content")
