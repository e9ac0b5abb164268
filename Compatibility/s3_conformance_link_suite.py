"""Signed links that carry what would be headers, as AWS's libraries write them ("hoisting")."""

import requests

from boto3_suite import fails
from cases import case, equal, expect
from raw import Request, bucket, client, target

BUCKET = "conf-link"


def link(context, method, key, **headers):
    """A request signed in its query, which carries these headers (underscores for hyphens)."""
    query = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request(context, method, target(BUCKET, key), query).presign()


def sent(request, body=b"content"):
    request.body = body
    return request.send()


@case("version 4: metadata, list, tags, class, redirect; names in any case; the checksum of another body is ignored")
def hoisted(context):
    s3 = bucket(context, BUCKET)
    one = link(
        context,
        "PUT",
        "key",
        x_amz_meta_colour="deep blue ü",
        X_Amz_Meta_Shape="round",
        x_amz_acl="public-read",
        X_Amz_Tagging="a=1&b=2",
        x_amz_storage_class="STANDARD_IA",
        x_amz_website_redirect_location="/there",
        # As AWS's library for JavaScript writes it: of no content.
        x_amz_checksum_crc32="AAAAAA==",
        x_amz_sdk_checksum_algorithm="CRC32",
    )
    sent(one).want(200)
    head = s3.head_object(Bucket=BUCKET, Key="key")
    equal(head["Metadata"]["shape"], "round", "metadata")
    expect("colour" in head["Metadata"], "metadata in UTF-8")
    equal((head["StorageClass"], head["WebsiteRedirectLocation"]), ("STANDARD_IA", "/there"), "class and redirect")
    tags = s3.get_object_tagging(Bucket=BUCKET, Key="key")["TagSet"]
    equal({tag["Key"]: tag["Value"] for tag in tags}, {"a": "1", "b": "2"}, "tags")
    got = requests.get(f"{context.endpoint}/{BUCKET}/key", timeout=10)
    equal(got.content, b"content", "anonymous get of what the list opened")


@case("version 4: copies, uploads in parts, and conditions")
def others(context):
    s3 = client(context)
    s3.put_object(Bucket=BUCKET, Key="source", Body=b"source")
    copied = sent(link(context, "PUT", "copy", x_amz_copy_source=f"/{BUCKET}/source"), b"").want(200)
    equal(copied.root.tag, "CopyObjectResult", "document")
    equal(s3.get_object(Bucket=BUCKET, Key="copy")["Body"].read(), b"source", "content of the copy")
    wrong = {"x_amz_copy_source": f"/{BUCKET}/source", "x_amz_copy_source_if_match": "0"}
    sent(link(context, "PUT", "copy", **wrong), b"").want(412, "PreconditionFailed")
    begun = sent(link(context, "POST", "parts", uploads="", x_amz_meta_colour="red"), b"").want(200)
    place = {"Bucket": BUCKET, "Key": "parts", "UploadId": begun.field("UploadId")}
    part = link(context, "PUT", "parts", uploadId=place["UploadId"], partNumber="1", x_amz_checksum_crc32="AAAAAA==")
    parts = {"Parts": [{"PartNumber": 1, "ETag": sent(part).want(200)["ETag"]}]}
    s3.complete_multipart_upload(**place, MultipartUpload=parts)
    equal(s3.head_object(Bucket=BUCKET, Key="parts")["Metadata"], {"colour": "red"}, "metadata of the upload")


@case("what somebody adds to a link or changes is refused, as parameter and as header; encryption as everywhere")
def added(context):
    s3 = client(context)
    for name, value in (("x-amz-acl", "public-read"), ("X-Amz-Meta-A", "1"), ("x-amz-copy-source", f"{BUCKET}/key")):
        more = link(context, "PUT", "added")
        more.query[name] = value
        sent(more).want(403, "SignatureDoesNotMatch")
        more = link(context, "PUT", "added")
        more.headers[name.lower()] = value
        sent(more).want(403, "AccessDenied")
    changed = link(context, "PUT", "added", x_amz_acl="private")
    changed.query["x-amz-acl"] = "public-read"
    sent(changed).want(403, "SignatureDoesNotMatch")
    sent(link(context, "PUT", "added", x_amz_acl="nonsense")).want(400, "InvalidArgument")
    sent(link(context, "PUT", "added", x_amz_storage_class="NONSENSE")).want(400, "InvalidStorageClass")
    for name, value in (("x_amz_server_side_encryption", "AES256"), ("x_amz_object_lock_mode", "GOVERNANCE")):
        sent(link(context, "PUT", "added", **{name: value})).want(501, "NotImplemented")
    fails("404", 404, s3.head_object, Bucket=BUCKET, Key="added")


@case("a header that is signed wins over the parameter of its name")
def both(context):
    one = Request(context, "PUT", target(BUCKET, "both"), {"x-amz-meta-a": "query"}, {"x-amz-meta-a": "header"})
    sent(one.presign()).want(200)
    equal(client(context).head_object(Bucket=BUCKET, Key="both")["Metadata"], {"a": "header"}, "metadata")


SAID = {
    "Metadata": {"colour": "red", "name": "a b"},
    "Tagging": "a=1&b=2",
    "ACL": "public-read",
    "StorageClass": "STANDARD_IA",
}


def check(s3, key):
    head = s3.head_object(Bucket=BUCKET, Key=key)
    equal((head["Metadata"], head["StorageClass"]), (SAID["Metadata"], "STANDARD_IA"), "metadata and class")
    tags = s3.get_object_tagging(Bucket=BUCKET, Key=key)["TagSet"]
    equal({tag["Key"]: tag["Value"] for tag in tags}, {"a": "1", "b": "2"}, "tags")


@case("boto3, version 4: its links name the headers that must be sent; with them all is kept, without them refused")
def boto_version_4(context):
    s3 = client(context)
    url = s3.generate_presigned_url("put_object", Params={"Bucket": BUCKET, "Key": "v4", **SAID})
    equal(requests.put(url, data=b"x", timeout=10).status_code, 403, "status without the headers")
    headers = {
        "x-amz-meta-colour": "red",
        "x-amz-meta-name": "a b",
        "x-amz-tagging": "a=1&b=2",
        "x-amz-acl": "public-read",
        "x-amz-storage-class": "STANDARD_IA",
    }
    equal(requests.put(url, data=b"x", headers=headers, timeout=10).status_code, 200, "status with the headers")
    check(s3, "v4")
    answer = requests.put(url, data=b"x", headers={**headers, "x-amz-acl": "private"}, timeout=10)
    equal(answer.status_code, 403, "status with another header")


@case("boto3, version 2: its links carry the headers, which need not be sent; a part and a copy too")
def boto_version_2(context):
    # Only its links are signed so.
    s3 = context.boto(signature_version="s3")
    url = s3.generate_presigned_url("put_object", Params={"Bucket": BUCKET, "Key": "v2", **SAID})
    expect("x-amz-meta-colour=red" in url, f"carries metadata: {url}")
    answer = requests.put(url, data=b"x", timeout=10)
    equal(answer.status_code, 200, f"status ({answer.text[:300]})")
    check(client(context), "v2")
    equal(requests.put(url.replace("=red", "=blue"), data=b"x", timeout=10).status_code, 403, "status of a changed one")
    params = {"Bucket": BUCKET, "Key": "v2-copy", "CopySource": f"{BUCKET}/v2", "MetadataDirective": "REPLACE"}
    answer = requests.put(s3.generate_presigned_url("copy_object", Params=params), timeout=10)
    equal(answer.status_code, 200, f"status of the copy ({answer.text[:300]})")
    equal(client(context).head_object(Bucket=BUCKET, Key="v2-copy")["Metadata"], {}, "metadata of the copy")
