"""Parts copied from objects, and the paging of parts and of uploads."""

from boto3_suite import fails
from cases import case, equal, expect, random_bytes
from raw import bucket, client, send, target
from s3_conformance_multipart_suite import PART

BUCKET = "conf-upload"
SOURCE = random_bytes(PART + 5000)


def create(s3, key):
    upload = s3.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"]
    return {"Bucket": BUCKET, "Key": key, "UploadId": upload}


def copy_part(context, place, headers, number="1"):
    query = {"uploadId": place["UploadId"], "partNumber": number}
    return send(context, "PUT", target(BUCKET, place["Key"]), query, headers)


@case("parts copied: whole, a range, from a key that must be escaped")
def copies(context):
    s3 = bucket(context, BUCKET)
    s3.put_object(Bucket=BUCKET, Key="source ü", Body=SOURCE)
    place = create(s3, "copied")
    source = {"CopySource": {"Bucket": BUCKET, "Key": "source ü"}}
    one = s3.upload_part_copy(**place, **source, PartNumber=1)["CopyPartResult"]
    two = s3.upload_part_copy(**place, **source, PartNumber=2, CopySourceRange="bytes=0-0")["CopyPartResult"]
    expect(one["ETag"] and one["LastModified"], f"answer: {one}")
    parts = [{"PartNumber": 1, "ETag": one["ETag"]}, {"PartNumber": 2, "ETag": two["ETag"]}]
    s3.complete_multipart_upload(**place, MultipartUpload={"Parts": parts})
    expect(s3.get_object(Bucket=BUCKET, Key="copied")["Body"].read() == SOURCE + SOURCE[:1], "content differs")


@case("parts copied: ranges that are not in the source, conditions, sources that are not there")
def wrong_copies(context):
    s3 = client(context)
    place = create(s3, "wrong")
    good = {"x-amz-copy-source": f"{BUCKET}/source%20%C3%BC"}
    for text in ("bytes=0-", "bytes=-5", "bytes=5-2", "0-5", "bytes=0-1,2-3", f"bytes=0-{len(SOURCE)}"):
        copy_part(context, place, {**good, "x-amz-copy-source-range": text}).want(400, "InvalidArgument")
    tag = s3.head_object(Bucket=BUCKET, Key="source ü")["ETag"]
    copy_part(context, place, {**good, "x-amz-copy-source-if-match": '"other"'}).want(412, "PreconditionFailed")
    copy_part(context, place, {**good, "x-amz-copy-source-if-none-match": tag}).want(412, "PreconditionFailed")
    copy_part(context, place, {**good, "x-amz-copy-source-if-match": tag}).want(200)
    copy_part(context, place, {"x-amz-copy-source": f"{BUCKET}/never"}).want(404, "NoSuchKey")
    copy_part(context, place, {"x-amz-copy-source": "conf-nowhere/k"}).want(404, "NoSuchBucket")
    copy_part(context, place, good, "10001").want(400, "InvalidArgument")
    copy_part(context, {**place, "UploadId": "nonsense"}, good).want(404, "NoSuchUpload")
    s3.abort_multipart_upload(**place)


@case("list parts: fields, pages by marker, at most 1,000")
def parts(context):
    s3 = client(context)
    place = create(s3, "listed")
    numbers = [1, 2, 5, 9, 10_000]
    tags = {n: s3.upload_part(**place, PartNumber=n, Body=b"x" * n)["ETag"] for n in numbers}
    whole = s3.list_parts(**place)
    equal((whole["Bucket"], whole["Key"], whole["UploadId"]), tuple(place.values()), "names")
    expect(whole["Owner"]["ID"] and whole["Initiator"]["ID"], "owner")
    equal((whole["StorageClass"], whole["MaxParts"], whole["IsTruncated"]), ("STANDARD", 1000, False), "fields")
    equal(
        [(p["PartNumber"], p["Size"], p["ETag"]) for p in whole["Parts"]], [(n, n, tags[n]) for n in numbers], "parts"
    )
    found, marker = [], 0
    while True:
        page = s3.list_parts(**place, MaxParts=2, PartNumberMarker=marker)
        found += [p["PartNumber"] for p in page["Parts"]]
        equal(page["PartNumberMarker"], marker, "marker told")
        if not page["IsTruncated"]:
            break
        marker = page["NextPartNumberMarker"]
    equal(found, numbers, "parts by pages of 2")
    query = {"uploadId": place["UploadId"]}
    for name in ("max-parts", "part-number-marker"):
        for value in ("-1", "x"):
            answer = send(context, "GET", target(BUCKET, "listed"), {**query, name: value})
            answer.want(400, "InvalidArgument")
    s3.abort_multipart_upload(**place)


@case("list uploads: fields, prefix, delimiter, encoding, pages by key and upload")
def uploads(context):
    s3 = client(context)
    for left in s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads", []):
        s3.abort_multipart_upload(Bucket=BUCKET, Key=left["Key"], UploadId=left["UploadId"])
    expect(not s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads"), "uploads at the start")
    made = [create(s3, key) for key in ("a/1", "a/1", "a/1", "a/2 ü", "b", "c/1")]
    pairs = [(place["Key"], place["UploadId"]) for place in made]
    whole = s3.list_multipart_uploads(Bucket=BUCKET)
    equal([(u["Key"], u["UploadId"]) for u in whole["Uploads"]], pairs, "uploads by key, then by time")
    first = whole["Uploads"][0]
    expect(first["Initiated"] and first["Owner"]["ID"] and first["Initiator"]["ID"], f"fields: {first}")
    equal((first["StorageClass"], whole["MaxUploads"], whole["IsTruncated"]), ("STANDARD", 1000, False), "fields")
    page = s3.list_multipart_uploads(Bucket=BUCKET, Delimiter="/")
    equal([p["Prefix"] for p in page["CommonPrefixes"]], ["a/", "c/"], "prefixes")
    equal([u["Key"] for u in page["Uploads"]], ["b"], "keys beside them")
    page = s3.list_multipart_uploads(Bucket=BUCKET, Prefix="a/2")
    equal([u["Key"] for u in page["Uploads"]], ["a/2 ü"], "prefix")
    for size in (1, 2, 4):
        found, markers = [], {}
        while True:
            page = s3.list_multipart_uploads(Bucket=BUCKET, MaxUploads=size, **markers)
            found += [(u["Key"], u["UploadId"]) for u in page.get("Uploads", [])]
            if not page["IsTruncated"]:
                break
            markers = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}
        equal(found, pairs, f"uploads by pages of {size}")
    behind = s3.list_multipart_uploads(Bucket=BUCKET, KeyMarker="a/1")["Uploads"]
    equal([u["Key"] for u in behind], ["a/2 ü", "b", "c/1"], "behind a key")
    raw = send(context, "GET", target(BUCKET), {"uploads": "", "encoding-type": "url", "prefix": "a/2"}).want(200)
    expect(raw.field("Upload/Key") in ("a/2+%C3%BC", "a/2%20%C3%BC"), f"encoded key: {raw.field('Upload/Key')}")
    send(context, "GET", target(BUCKET), {"uploads": "", "max-uploads": "x"}).want(400, "InvalidArgument")
    for place in made:
        s3.abort_multipart_upload(**place)
    fails("NoSuchBucket", 404, s3.list_multipart_uploads, Bucket="conf-nowhere")
