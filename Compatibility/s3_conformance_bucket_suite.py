"""Buckets: life, names, location, tags, encryption and public access truthfully, and what is not implemented."""

import datetime

from boto3_suite import fails
from cases import case, equal, expect
from raw import bucket, client, send, target

BUCKET = "conf-bucket"


@case("create: Location, idempotent for the owner, whose objects stay; any region; malformed document")
def create(context):
    send(context, "PUT", target(BUCKET)).want(200)
    s3 = client(context)
    s3.put_object(Bucket=BUCKET, Key="k", Body=b"kept")
    answer = send(context, "PUT", target(BUCKET)).want(200)
    equal(answer["Location"], target(BUCKET), "Location")
    equal(s3.get_object(Bucket=BUCKET, Key="k")["Body"].read(), b"kept", "content")
    s3.create_bucket(Bucket="conf-region", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.delete_bucket(Bucket="conf-region")
    send(context, "PUT", target("conf-malformed"), body=b"<CreateBucketConf").want(400, "MalformedXML")
    send(context, "HEAD", target("conf-malformed")).want(404)


@case("names: 3 to 63 letters, digits, dots, hyphens; all else InvalidBucketName")
def names(context):
    for name in ("abc", "a" * 63, "0.a-b.9", "1-2"):
        send(context, "PUT", target(name)).want(200)
        send(context, "DELETE", target(name)).want(204)
    for name in (
        "ab",
        "a" * 64,
        "Upper",
        "under_score",
        "-a-",
        "a-",
        ".ab",
        "a..b",
        "10.0.0.1",
        "a%20b",
        "%C3%BCber",
    ):
        send(context, "PUT", f"/{name}").want(400, "InvalidBucketName")


@case("head: 200 and region, or 404 without a body; a bucket that is not there for every operation")
def head(context):
    answer = send(context, "HEAD", target(BUCKET)).want(200)
    equal(answer["x-amz-bucket-region"], "us-east-1", "region")
    equal(send(context, "HEAD", target("conf-nowhere")).want(404).body, b"", "body")
    for method, key, query in (
        ("GET", None, None),
        ("DELETE", None, None),
        ("GET", None, {"location": ""}),
        ("GET", None, {"versioning": ""}),
        ("GET", None, {"uploads": ""}),
        ("GET", None, {"versions": ""}),
        ("GET", None, {"policy": ""}),
        ("GET", None, {"cors": ""}),
        ("GET", None, {"tagging": ""}),
        ("GET", None, {"lifecycle": ""}),
        ("GET", None, {"notification": ""}),
        ("GET", None, {"acl": ""}),
        ("GET", None, {"encryption": ""}),
        ("GET", None, {"publicAccessBlock": ""}),
        ("GET", "k", None),
        ("PUT", "k", None),
        ("DELETE", "k", None),
        ("POST", "k", {"uploads": ""}),
    ):
        answer = send(context, method, target("conf-nowhere", key), query).want(404, "NoSuchBucket")
        equal(answer.field("BucketName"), "conf-nowhere", f"BucketName of {method} {query}")


@case("delete: 204, then NoSuchBucket; BucketNotEmpty with an object in it")
def delete(context):
    s3 = bucket(context, "conf-delete")
    s3.put_object(Bucket="conf-delete", Key="k", Body=b"")
    fails("BucketNotEmpty", 409, s3.delete_bucket, Bucket="conf-delete")
    s3.delete_object(Bucket="conf-delete", Key="k")
    send(context, "DELETE", target("conf-delete")).want(204)
    send(context, "DELETE", target("conf-delete")).want(404, "NoSuchBucket")


@case("list: owner, dates, prefix, pages")
def listing(context):
    names = [f"conf-listed-{number}" for number in range(5)]
    for name in names:
        s3 = bucket(context, name)
    answer = s3.list_buckets()
    expect(answer["Owner"]["ID"], "owner")
    all_names = [one["Name"] for one in answer["Buckets"]]
    equal(all_names, sorted(all_names), "order")
    expect(set(names) <= set(all_names), f"names: {all_names}")
    age = datetime.datetime.now(datetime.timezone.utc) - answer["Buckets"][all_names.index(names[0])]["CreationDate"]
    expect(abs(age.total_seconds()) < 60, f"CreationDate is {age} ago")
    answer = s3.list_buckets(Prefix="conf-listed-")
    equal([one["Name"] for one in answer["Buckets"]], names, "names with the prefix")
    equal(answer.get("Prefix"), "conf-listed-", "Prefix")
    found, token = [], {}
    while True:
        page = s3.list_buckets(Prefix="conf-listed-", MaxBuckets=2, **token)
        expect(len(page["Buckets"]) <= 2, "page is too long")
        found += [one["Name"] for one in page["Buckets"]]
        if not page.get("ContinuationToken"):
            break
        token = {"ContinuationToken": page["ContinuationToken"]}
    equal(found, names, "names by pages")
    for name in names:
        s3.delete_bucket(Bucket=name)


@case("location: the one region, as an empty constraint")
def location(context):
    answer = send(context, "GET", target(BUCKET), {"location": ""}).want(200)
    equal(answer.root.tag, "LocationConstraint", "document")
    expect(answer.root.text in (None, "", "us-east-1"), f"location: {answer}")


@case("tagging: none, put, get, replace, delete")
def tagging(context):
    s3 = client(context)
    fails("NoSuchTagSet", 404, s3.get_bucket_tagging, Bucket=BUCKET)
    for tags in ([{"Key": "a ü", "Value": "1"}, {"Key": "b", "Value": ""}], [{"Key": "c", "Value": "x/y=z+@:._-"}]):
        s3.put_bucket_tagging(Bucket=BUCKET, Tagging={"TagSet": tags})
        equal(s3.get_bucket_tagging(Bucket=BUCKET)["TagSet"], tags, "tags")
    equal(s3.delete_bucket_tagging(Bucket=BUCKET)["ResponseMetadata"]["HTTPStatusCode"], 204, "status")
    fails("NoSuchTagSet", 404, s3.get_bucket_tagging, Bucket=BUCKET)


@case("tagging: twice the same key, too long, reserved, too many, malformed")
def tagging_errors(context):
    s3 = client(context, parameter_validation=False)

    def put(*tags):
        s3.put_bucket_tagging(Bucket=BUCKET, Tagging={"TagSet": [{"Key": k, "Value": v} for k, v in tags]})

    put(("k" * 128, "v" * 256))
    for tags in ([("a", "1"), ("a", "2")], [("k" * 129, "")], [("k", "v" * 257)], [("aws:k", "v")], [("", "v")]):
        fails("InvalidTag", 400, put, *tags)
    fails(("BadRequest", "InvalidTag", "MalformedXML"), 400, put, *((f"k{n}", "") for n in range(51)))
    for document in (b"", b"<Tagging>", b"<Other/>", b"rubbish"):
        answer = send(context, "PUT", target(BUCKET), {"tagging": ""}, body=document)
        answer.want(400, ("MalformedXML", "MissingRequestBodyError"))
    equal(s3.get_bucket_tagging(Bucket=BUCKET)["TagSet"][0]["Key"], "k" * 128, "tags after refusals")
    s3.delete_bucket_tagging(Bucket=BUCKET)


@case("encryption: none is claimed, none can be asked for")
def encryption(context):
    s3 = client(context)
    fails("ServerSideEncryptionConfigurationNotFoundError", 404, s3.get_bucket_encryption, Bucket=BUCKET)
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    fails(
        "NotImplemented",
        501,
        s3.put_bucket_encryption,
        Bucket=BUCKET,
        ServerSideEncryptionConfiguration={"Rules": [rule]},
    )
    s3.delete_bucket_encryption(Bucket=BUCKET)
    path = target(BUCKET, "secret")
    for headers in (
        {"x-amz-server-side-encryption": "AES256"},
        {"x-amz-server-side-encryption": "aws:kms", "x-amz-server-side-encryption-aws-kms-key-id": "k"},
        {
            "x-amz-server-side-encryption-customer-algorithm": "AES256",
            "x-amz-server-side-encryption-customer-key": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
            "x-amz-server-side-encryption-customer-key-md5": "hRasmdxgYDKV3nvbahU1MA==",
        },
    ):
        send(context, "PUT", path, headers=headers, body=b"secret").want(501, "NotImplemented")
        send(context, "POST", path, {"uploads": ""}, headers).want(501, "NotImplemented")
    send(context, "PUT", path, headers={"x-amz-server-side-encryption": "ROT13"}, body=b"s").want((400, 501))
    send(context, "HEAD", path).want(404)
    head = send(context, "HEAD", target(BUCKET, "k")).want(200)
    expect(head["x-amz-server-side-encryption"] is None, "encryption is claimed")


@case("public access block: none, put, get, delete, malformed")
def public_access(context):
    s3 = client(context)
    fails("NoSuchPublicAccessBlockConfiguration", 404, s3.get_public_access_block, Bucket=BUCKET)
    sent = dict(BlockPublicAcls=True, IgnorePublicAcls=False, BlockPublicPolicy=True, RestrictPublicBuckets=False)
    s3.put_public_access_block(Bucket=BUCKET, PublicAccessBlockConfiguration=sent)
    equal(s3.get_public_access_block(Bucket=BUCKET)["PublicAccessBlockConfiguration"], sent, "configuration")
    send(context, "PUT", target(BUCKET), {"publicAccessBlock": ""}, body=b"<Pub").want(400, "MalformedXML")
    equal(s3.delete_public_access_block(Bucket=BUCKET)["ResponseMetadata"]["HTTPStatusCode"], 204, "status")
    fails("NoSuchPublicAccessBlockConfiguration", 404, s3.get_public_access_block, Bucket=BUCKET)


@case("object lock and replication: NotImplemented, and no bucket that pretends")
def not_implemented(context):
    s3 = client(context)
    lock = {"x-amz-bucket-object-lock-enabled": "true"}
    send(context, "PUT", target("conf-locked"), headers=lock).want(501, "NotImplemented")
    send(context, "HEAD", target("conf-locked")).want(404)
    rule = {"Status": "Enabled", "Prefix": "", "Destination": {"Bucket": "arn:aws:s3:::x"}}
    configuration = {"Role": "r", "Rules": [rule]}
    fails("NotImplemented", 501, s3.put_bucket_replication, Bucket=BUCKET, ReplicationConfiguration=configuration)
    fails(
        "NotImplemented",
        501,
        s3.put_object_lock_configuration,
        Bucket=BUCKET,
        ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"},
    )
    fails("NotImplemented", 501, s3.put_object_legal_hold, Bucket=BUCKET, Key="k", LegalHold={"Status": "ON"})
    fails("NotImplemented", 501, s3.put_object_retention, Bucket=BUCKET, Key="k", Retention={"Mode": "GOVERNANCE"})
    for header, value in (("x-amz-object-lock-mode", "GOVERNANCE"), ("x-amz-object-lock-legal-hold", "ON")):
        send(context, "PUT", target(BUCKET, "locked"), headers={header: value}).want(501, "NotImplemented")
    send(context, "HEAD", target(BUCKET, "locked")).want(404)


@case("what there is none of is told as S3 does; setting it up is NotImplemented")
def none_of(context):
    s3 = client(context)
    for call, code in (
        (s3.get_bucket_website, "NoSuchWebsiteConfiguration"),
        (s3.get_bucket_replication, "ReplicationConfigurationNotFoundError"),
        (s3.get_object_lock_configuration, "ObjectLockConfigurationNotFoundError"),
    ):
        fails(code, 404, call, Bucket=BUCKET)
    equal(s3.get_bucket_request_payment(Bucket=BUCKET)["Payer"], "BucketOwner", "payer")
    expect("Status" not in s3.get_bucket_accelerate_configuration(Bucket=BUCKET), "acceleration")
    expect("LoggingEnabled" not in s3.get_bucket_logging(Bucket=BUCKET), "logging")
    for name in ("website", "accelerate", "logging", "requestPayment"):
        send(context, "PUT", target(BUCKET), {name: ""}).want(501, "NotImplemented")
        send(context, "DELETE", target(BUCKET), {name: ""}).want((204, 405, 501))
    equal(s3.get_object(Bucket=BUCKET, Key="k")["Body"].read(), b"kept", "content after all that")


@case("sub-resources that are not implemented or not known: 501, never mistaken for something else")
def unknown(context):
    for name in ("analytics", "inventory", "metrics", "intelligent-tiering", "metadataTable", "nonsense"):
        for method in ("GET", "PUT", "DELETE"):
            send(context, method, target(BUCKET), {name: ""}).want(501, "NotImplemented")
    for method, name in (("GET", "torrent"), ("POST", "restore"), ("POST", "select"), ("PUT", "nonsense")):
        send(context, method, target(BUCKET, "k"), {name: ""}).want(501, "NotImplemented")
    equal(client(context).get_object(Bucket=BUCKET, Key="k")["Body"].read(), b"kept", "content after all that")
