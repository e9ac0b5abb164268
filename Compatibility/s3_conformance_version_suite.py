"""Versions: enabled, suspended, delete markers, listing, and every operation that takes a version."""

from boto3_suite import fails
from cases import case, equal, expect
from raw import bucket, client, send, target

BUCKET = "conf-versions"


def put(s3, key, body, name=BUCKET):
    return s3.put_object(Bucket=name, Key=key, Body=body).get("VersionId")


def read(s3, key, version=None, name=BUCKET):
    return s3.get_object(Bucket=name, Key=key, **({"VersionId": version} if version else {}))["Body"].read()


def versioned(context, name=BUCKET, status="Enabled"):
    s3 = bucket(context, name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": status})
    return s3


def listed(s3, prefix="", name=BUCKET):
    """What is listed: key, version, whether it is a delete marker, whether it is the latest."""
    page = s3.list_object_versions(Bucket=name, Prefix=prefix)
    found = [(v["Key"], v["VersionId"], False, v["IsLatest"]) for v in page.get("Versions", [])]
    return found + [(m["Key"], m["VersionId"], True, m["IsLatest"]) for m in page.get("DeleteMarkers", [])]


@case("state: none, Enabled, Suspended; other words and MFA delete are refused")
def state(context):
    s3 = bucket(context, BUCKET)
    expect("Status" not in s3.get_bucket_versioning(Bucket=BUCKET), "status of a new bucket")
    expect(put(s3, "early", b"before versions") in (None, "null"), "version before versions")
    for status in ("Enabled", "Suspended", "Enabled"):
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": status})
        equal(s3.get_bucket_versioning(Bucket=BUCKET).get("Status"), status, "status")
    for document in ("<Status>Disabled</Status>", "<Status/>", "<MFADelete>Perhaps</MFADelete>"):
        body = f"<VersioningConfiguration>{document}</VersioningConfiguration>".encode()
        answer = send(context, "PUT", target(BUCKET), {"versioning": ""}, body=body)
        answer.want(400, ("MalformedXML", "IllegalVersioningConfigurationException"))
    body = (
        b"<VersioningConfiguration><Status>Enabled</Status><MfaDelete>Enabled</MfaDelete></VersioningConfiguration>"
    )
    send(context, "PUT", target(BUCKET), {"versioning": ""}, body=body).want(501, "NotImplemented")
    equal(s3.get_bucket_versioning(Bucket=BUCKET).get("Status"), "Enabled", "status after refusals")


@case("put and get: each put is a version of its own; what was there before is the version null")
def versions(context):
    s3 = client(context)
    one, two = put(s3, "key ü", b"one"), put(s3, "key ü", b"two")
    expect(one and two and one != two and "null" not in (one, two), f"versions: {one}, {two}")
    equal((read(s3, "key ü"), read(s3, "key ü", one), read(s3, "key ü", two)), (b"two", b"one", b"two"), "contents")
    equal(s3.head_object(Bucket=BUCKET, Key="key ü")["VersionId"], two, "version of head")
    equal(s3.head_object(Bucket=BUCKET, Key="key ü", VersionId=one)["VersionId"], one, "version of the older")
    equal(listed(s3, "key"), [("key ü", two, False, True), ("key ü", one, False, False)], "newest first")
    late = put(s3, "early", b"with versions")
    equal((read(s3, "early"), read(s3, "early", "null")), (b"with versions", b"before versions"), "version null")
    equal(listed(s3, "early"), [("early", late, False, True), ("early", "null", False, False)], "null is listed")


@case("delete: a marker hides the object; removing the marker brings it back")
def markers(context):
    s3 = client(context)
    version = put(s3, "marked", b"content")
    deleted = s3.delete_object(Bucket=BUCKET, Key="marked")
    marker = deleted.get("VersionId")
    expect(deleted.get("DeleteMarker") and marker, f"answer: {deleted}")
    answer = send(context, "GET", target(BUCKET, "marked")).want(404, "NoSuchKey")
    equal((answer["x-amz-delete-marker"], answer["x-amz-version-id"]), ("true", marker), "headers")
    equal(send(context, "HEAD", target(BUCKET, "marked")).want(404)["x-amz-delete-marker"], "true", "header of head")
    answer = send(context, "GET", target(BUCKET, "marked"), {"versionId": marker}).want(405, "MethodNotAllowed")
    equal((answer["x-amz-delete-marker"], answer["Allow"]), ("true", "DELETE"), "headers of the marker itself")
    equal(read(s3, "marked", version), b"content", "the version behind the marker")
    expect(not s3.list_objects_v2(Bucket=BUCKET, Prefix="marked").get("Contents"), "marked object is listed")
    equal(listed(s3, "marked"), [("marked", version, False, False), ("marked", marker, True, True)], "versions")
    removed = s3.delete_object(Bucket=BUCKET, Key="marked", VersionId=marker)
    equal((removed.get("DeleteMarker"), removed.get("VersionId")), (True, marker), "answer to removing the marker")
    equal(read(s3, "marked"), b"content", "content is back")
    never = s3.delete_object(Bucket=BUCKET, Key="never there")
    expect(never.get("DeleteMarker") and never.get("VersionId"), "a marker for a key that never was")


@case("delete of a version: for good; the one before becomes the latest")
def delete_version(context):
    s3 = client(context)
    one, two = put(s3, "gone", b"one"), put(s3, "gone", b"two")
    removed = s3.delete_object(Bucket=BUCKET, Key="gone", VersionId=two)
    equal((removed.get("VersionId"), removed.get("DeleteMarker")), (two, None), "answer")
    equal(read(s3, "gone"), b"one", "content")
    equal(listed(s3, "gone"), [("gone", one, False, True)], "versions")
    fails("NoSuchVersion", 404, s3.get_object, Bucket=BUCKET, Key="gone", VersionId=two)
    fails("404", 404, s3.head_object, Bucket=BUCKET, Key="gone", VersionId=two)
    s3.delete_object(Bucket=BUCKET, Key="gone", VersionId=two)
    s3.delete_object(Bucket=BUCKET, Key="gone", VersionId=one)
    fails("NoSuchKey", 404, s3.get_object, Bucket=BUCKET, Key="gone")
    equal(listed(s3, "gone"), [], "versions left")


@case("a version that cannot be is InvalidArgument or NoSuchVersion; an empty one is refused")
def wrong_versions(context):
    s3 = client(context)
    put(s3, "wrong", b"1")
    for method in ("GET", "HEAD"):
        answer = send(context, method, target(BUCKET, "wrong"), {"versionId": "no/such version"})
        answer.want((400, 404), ("InvalidArgument", "NoSuchVersion"))
    fails("NoSuchVersion", 404, s3.get_object, Bucket=BUCKET, Key="wrong", VersionId="null")
    send(context, "GET", target(BUCKET, "wrong"), {"versionId": ""}).want(400, "InvalidArgument")
    send(context, "GET", target(BUCKET), {"versions": "", "version-id-marker": "x"}).want(400, "InvalidArgument")


@case("suspended: a put replaces only the version null; a delete leaves a null marker")
def suspended(context):
    name = "conf-suspended"
    s3 = versioned(context, name)
    kept = put(s3, "k", b"kept", name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Suspended"})
    for body in (b"first", b"second"):
        equal(put(s3, "k", body, name), "null", "version")
    equal((read(s3, "k", None, name), read(s3, "k", kept, name)), (b"second", b"kept"), "contents")
    equal(listed(s3, "", name), [("k", "null", False, True), ("k", kept, False, False)], "versions")
    deleted = s3.delete_object(Bucket=name, Key="k")
    equal((deleted.get("DeleteMarker"), deleted.get("VersionId")), (True, "null"), "answer to delete")
    equal(listed(s3, "", name), [("k", kept, False, False), ("k", "null", True, True)], "versions with marker")
    put(s3, "k", b"third", name)
    equal(listed(s3, "", name), [("k", "null", False, True), ("k", kept, False, False)], "marker replaced")
    fails("BucketNotEmpty", 409, s3.delete_bucket, Bucket=name)


@case("a bucket with nothing but a delete marker is not empty")
def marker_only(context):
    name = "conf-marker"
    s3 = versioned(context, name)
    marker = s3.delete_object(Bucket=name, Key="k")["VersionId"]
    fails("BucketNotEmpty", 409, s3.delete_bucket, Bucket=name)
    s3.delete_object(Bucket=name, Key="k", VersionId=marker)
    s3.delete_bucket(Bucket=name)


@case("delete many: versions, markers, both in one request")
def delete_many(context):
    name = "conf-version-bulk"
    s3 = versioned(context, name)
    one, two = put(s3, "a", b"1", name), put(s3, "a", b"2", name)
    put(s3, "b", b"3", name)
    wanted = [{"Key": "a", "VersionId": one}, {"Key": "b"}, {"Key": "c"}]
    deleted = {entry["Key"]: entry for entry in s3.delete_objects(Bucket=name, Delete={"Objects": wanted})["Deleted"]}
    equal(deleted["a"].get("VersionId"), one, "version deleted")
    expect(deleted["b"].get("DeleteMarker") and deleted["b"].get("DeleteMarkerVersionId"), f"marker: {deleted['b']}")
    expect(deleted["c"].get("DeleteMarker"), f"marker of what was not there: {deleted['c']}")
    equal([entry[:2] for entry in listed(s3, "a", name)], [("a", two)], "versions of a")
    rest = [{"Key": key, "VersionId": version} for key, version, _, _ in listed(s3, "", name)]
    answer = s3.delete_objects(Bucket=name, Delete={"Objects": rest})
    equal(sum(1 for entry in answer["Deleted"] if entry.get("DeleteMarker")), 2, "markers removed")
    equal(listed(s3, "", name), [], "left")


@case("listing: pages by key and version marker, prefix, delimiter, encoding")
def listing(context):
    name = "conf-version-list"
    s3 = versioned(context, name)
    expected = []
    for key in ("a/1", "a/2 ü", "b", "c"):
        expected += [(key, put(s3, key, b"x" * n, name)) for n in range(3)][::-1]
    found, markers = [], {}
    while True:
        page = s3.list_object_versions(Bucket=name, MaxKeys=2, **markers)
        expect(len(page["Versions"]) <= 2, "page is too long")
        found += [(v["Key"], v["VersionId"]) for v in page["Versions"]]
        if not page["IsTruncated"]:
            break
        markers = {"KeyMarker": page["NextKeyMarker"], "VersionIdMarker": page["NextVersionIdMarker"]}
    equal(found, expected, "versions by pages of 2")
    page = s3.list_object_versions(Bucket=name, Delimiter="/")
    equal([p["Prefix"] for p in page["CommonPrefixes"]], ["a/"], "common prefixes")
    equal([v["Key"] for v in page["Versions"]], ["b"] * 3 + ["c"] * 3, "keys")
    equal(
        {v["Key"] for v in s3.list_object_versions(Bucket=name, KeyMarker="a/2 ü")["Versions"]}, {"b", "c"}, "marker"
    )
    first = s3.list_object_versions(Bucket=name, Prefix="b")["Versions"][0]
    equal((first["Size"], first["StorageClass"], first["IsLatest"]), (2, "STANDARD", True), "fields")
    expect(first["ETag"].startswith('"') and first["Owner"]["ID"] and first["LastModified"], "fields")
    raw = send(context, "GET", target(name), {"versions": "", "encoding-type": "url", "prefix": "a/2"}).want(200)
    expect(
        "a/2+%C3%BC" in raw.fields("Version/Key") or "a/2%20%C3%BC" in raw.fields("Version/Key"), f"encoded: {raw}"
    )


@case("copy: from a version, to a new version; restoring by copying onto itself")
def copy(context):
    s3 = client(context)
    one, two = put(s3, "source", b"one"), put(s3, "source", b"two")
    source = {"Bucket": BUCKET, "Key": "source", "VersionId": one}
    copied = s3.copy_object(Bucket=BUCKET, Key="copy", CopySource=source)
    equal(copied.get("CopySourceVersionId"), one, "source version")
    equal(read(s3, "copy", copied["VersionId"]), b"one", "content")
    restored = s3.copy_object(Bucket=BUCKET, Key="source", CopySource=source)["VersionId"]
    expect(restored not in (one, two), "a version of its own")
    equal(read(s3, "source"), b"one", "content restored")
    fails("NoSuchVersion", 404, s3.copy_object, Bucket=BUCKET, Key="c", CopySource={**source, "VersionId": "null"})
    marker = s3.delete_object(Bucket=BUCKET, Key="source")["VersionId"]
    fails("NoSuchKey", 404, s3.copy_object, Bucket=BUCKET, Key="c", CopySource=f"{BUCKET}/source")
    fails("InvalidRequest", 400, s3.copy_object, Bucket=BUCKET, Key="c", CopySource={**source, "VersionId": marker})


@case("multipart, tags and attributes of versions; conditions look at the latest")
def other_operations(context):
    s3 = client(context)
    old = put(s3, "multi", b"old")
    upload = s3.create_multipart_upload(Bucket=BUCKET, Key="multi")["UploadId"]
    place = {"Bucket": BUCKET, "Key": "multi", "UploadId": upload}
    part = s3.upload_part(**place, PartNumber=1, Body=b"new")["ETag"]
    done = s3.complete_multipart_upload(**place, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part}]})
    expect(done.get("VersionId") not in (None, old), "version of the multipart object")
    equal((read(s3, "multi"), read(s3, "multi", old)), (b"new", b"old"), "contents")
    tags = {"TagSet": [{"Key": "k", "Value": "old"}]}
    equal(
        s3.put_object_tagging(Bucket=BUCKET, Key="multi", VersionId=old, Tagging=tags).get("VersionId"), old, "tagged"
    )
    equal(s3.get_object_tagging(Bucket=BUCKET, Key="multi", VersionId=old)["TagSet"], tags["TagSet"], "tags")
    equal(s3.get_object_tagging(Bucket=BUCKET, Key="multi")["TagSet"], [], "tags of the latest")
    sizes = s3.get_object_attributes(Bucket=BUCKET, Key="multi", VersionId=old, ObjectAttributes=["ObjectSize"])
    equal((sizes["ObjectSize"], sizes.get("VersionId")), (3, old), "attributes")
    s3.delete_object(Bucket=BUCKET, Key="multi")
    fails("PreconditionFailed", 412, s3.put_object, Bucket=BUCKET, Key="early", Body=b"", IfNoneMatch="*")
    expect(s3.put_object(Bucket=BUCKET, Key="multi", Body=b"again", IfNoneMatch="*")["VersionId"], "after a marker")
