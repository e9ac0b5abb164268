"""Bucket policies, what they give to anonymous requests, canned ACLs, and the flags against public access."""

import json

from boto3_suite import fails
from cases import case, equal, expect
from raw import anonymous, bucket, client, send, target

BUCKET = "conf-policy"
ARN = f"arn:aws:s3:::{BUCKET}"


def statement(actions, resources, effect="Allow", **more):
    return {"Effect": effect, "Principal": "*", "Action": actions, "Resource": resources, **more}


def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def put(context, *statements):
    client(context).put_bucket_policy(Bucket=BUCKET, Policy=policy(*statements))


def get(context, key, query=None, headers=None):
    return anonymous(context, "GET", target(BUCKET, key), query, headers)


@case("none, put, get as sent, replace, delete")
def life(context):
    s3 = bucket(context, BUCKET)
    for key in ("public/1", "public/2", "private/1"):
        s3.put_object(Bucket=BUCKET, Key=key, Body=key.encode())
    fails("NoSuchBucketPolicy", 404, s3.get_bucket_policy, Bucket=BUCKET)
    for action in ("s3:GetObject", "s3:PutObject"):
        text = policy(statement(action, f"{ARN}/public/*"))
        answer = s3.put_bucket_policy(Bucket=BUCKET, Policy=text)
        equal(answer["ResponseMetadata"]["HTTPStatusCode"], 204, "status of put")
        equal(json.loads(s3.get_bucket_policy(Bucket=BUCKET)["Policy"]), json.loads(text), "policy")
    equal(s3.delete_bucket_policy(Bucket=BUCKET)["ResponseMetadata"]["HTTPStatusCode"], 204, "status of delete")
    fails("NoSuchBucketPolicy", 404, s3.get_bucket_policy, Bucket=BUCKET)
    s3.delete_bucket_policy(Bucket=BUCKET)


@case("what is no policy, or one for another bucket, is MalformedPolicy")
def malformed(context):
    s3 = client(context)
    good = statement("s3:GetObject", f"{ARN}/*")
    for text in (
        "{",
        "[]",
        "{}",
        "null",
        "rubbish",
        json.dumps({"Version": "2012-10-17", "Statement": []}),
        json.dumps({"Version": "1999-01-01", "Statement": [good]}),
        json.dumps({"Version": "2012-10-17", "Statement": [good], "Extra": 1}),
        policy({**good, "Effect": "Perhaps"}),
        policy({**good, "Action": "s3:NoSuchAction"}),
        policy({**good, "Action": "ec2:RunInstances"}),
        policy({**good, "Resource": "arn:aws:s3:::other-bucket/*"}),
        policy({**good, "Resource": "nonsense"}),
        policy({**good, "Condition": {"NoSuchOperator": {"aws:SourceIp": "127.0.0.1"}}}),
        policy({**good, "Condition": {"IpAddress": {"aws:SourceIp": "not an address"}}}),
        policy({name: value for name, value in good.items() if name != "Principal"}),
        policy({name: value for name, value in good.items() if name != "Resource"}),
        policy({name: value for name, value in good.items() if name != "Action"}),
        policy(good).replace('"s3:GetObject"', "7"),
        " " * 21_000 + policy(good),
    ):
        try:
            fails("MalformedPolicy", 400, s3.put_bucket_policy, Bucket=BUCKET, Policy=text)
        except AssertionError as error:
            raise AssertionError(f"{text.strip()[:120]}: {error}") from error
    answer = send(context, "PUT", target(BUCKET), {"policy": ""})
    answer.want(400, ("MalformedPolicy", "MissingRequestBodyError"))
    fails("NoSuchBucketPolicy", 404, s3.get_bucket_policy, Bucket=BUCKET)


@case("anonymous: reading what the policy names, and nothing else")
def reading(context):
    put(context, statement("s3:GetObject", f"{ARN}/public/*"))
    equal(get(context, "public/1").want(200).body, b"public/1", "content")
    equal(anonymous(context, "HEAD", target(BUCKET, "public/1")).want(200)["content-length"], "8", "length")
    equal(get(context, "public/1", headers={"range": "bytes=0-2"}).want(206).body, b"pub", "range")
    for key in ("private/1", "public/never", "publicly"):
        get(context, key).want(403, "AccessDenied")
    get(context, None, {"list-type": "2"}).want(403, "AccessDenied")
    get(context, "public/1", {"response-content-type": "text/html"}).want(400, "InvalidRequest")
    for method in ("PUT", "DELETE"):
        anonymous(context, method, target(BUCKET, "public/1"), body=b"").want(403, "AccessDenied")
    equal(get(context, "public/1").want(200).body, b"public/1", "content after all that")


@case("anonymous: listing and writing where they are granted; a key that is not there is then NoSuchKey")
def more_rights(context):
    put(
        context,
        statement(["s3:ListBucket", "s3:GetBucketLocation"], ARN),
        statement(["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], f"{ARN}/drop/*"),
    )
    keys = get(context, None, {"list-type": "2", "prefix": "public/"}).want(200).fields("Contents/Key")
    equal(keys, ["public/1", "public/2"], "keys")
    get(context, None, {"location": ""}).want(200)
    get(context, None, {"policy": ""}).want(403, "AccessDenied")
    anonymous(context, "PUT", target(BUCKET, "drop/ü"), body=b"dropped").want(200)
    equal(get(context, "drop/ü").want(200).body, b"dropped", "content")
    anonymous(context, "DELETE", target(BUCKET, "drop/ü")).want(204)
    get(context, "drop/ü").want(404, "NoSuchKey")


@case("Deny beats Allow; ?, *, lists, NotAction, NotResource, principal AWS *")
def statements(context):
    put(
        context,
        statement("s3:Get*", [f"{ARN}/public/?", f"{ARN}/*/1"], Principal={"AWS": "*"}),
        statement("s3:*", f"{ARN}/private/*", "Deny"),
    )
    get(context, "public/2").want(200)
    get(context, "private/1").want(403, "AccessDenied")
    not_action = {**statement("x", f"{ARN}/public/*"), "NotAction": ["s3:PutObject", "s3:DeleteObject"]}
    del not_action["Action"]
    put(context, not_action)
    get(context, "public/1").want(200)
    anonymous(context, "DELETE", target(BUCKET, "public/1")).want(403, "AccessDenied")
    not_resource = {**statement("s3:GetObject", "x"), "NotResource": [f"{ARN}/private/*"]}
    del not_resource["Resource"]
    put(context, not_resource)
    get(context, "public/1").want(200)
    get(context, "private/1").want(403, "AccessDenied")


@case("conditions: source address, transport, prefix of a listing, header")
def conditions(context):
    for operator, key, value, allowed in (
        ("IpAddress", "aws:SourceIp", ["127.0.0.0/8", "10.0.0.0/8"], True),
        ("IpAddress", "aws:SourceIp", "10.0.0.0/8", False),
        ("NotIpAddress", "aws:SourceIp", "127.0.0.1", False),
        ("Bool", "aws:SecureTransport", "true", False),
        ("Bool", "aws:SecureTransport", "false", True),
        ("StringLike", "aws:Referer", "http://page/*", True),
        ("StringNotEquals", "aws:UserAgent", "suite", False),
    ):
        put(context, statement("s3:GetObject", f"{ARN}/public/*", Condition={operator: {key: value}}))
        answer = get(context, "public/1", headers={"referer": "http://page/1", "user-agent": "suite"})
        expect(answer.status == (200 if allowed else 403), f"{operator} {key} {value}: {answer}")
    put(context, statement("s3:ListBucket", ARN, Condition={"StringEquals": {"s3:prefix": "public/"}}))
    get(context, None, {"list-type": "2", "prefix": "public/"}).want(200)
    get(context, None, {"list-type": "2", "prefix": "private/"}).want(403, "AccessDenied")
    get(context, None, {"list-type": "2"}).want(403, "AccessDenied")


@case("policy status; blocking public policies, and restricting one that is there")
def public_access(context):
    s3 = client(context)
    read_all = statement("s3:GetObject", f"{ARN}/*")
    put(context, read_all)
    equal(s3.get_bucket_policy_status(Bucket=BUCKET)["PolicyStatus"]["IsPublic"], True, "IsPublic")
    put(context, {**read_all, "Condition": {"IpAddress": {"aws:SourceIp": "127.0.0.1/32"}}})
    equal(s3.get_bucket_policy_status(Bucket=BUCKET)["PolicyStatus"]["IsPublic"], False, "IsPublic with an address")
    put(context, read_all)
    get(context, "public/1").want(200)
    s3.put_public_access_block(Bucket=BUCKET, PublicAccessBlockConfiguration={"RestrictPublicBuckets": True})
    get(context, "public/1").want(403, "AccessDenied")
    equal(s3.get_object(Bucket=BUCKET, Key="public/1")["Body"].read(), b"public/1", "the owner reads")
    s3.put_public_access_block(Bucket=BUCKET, PublicAccessBlockConfiguration={"BlockPublicPolicy": True})
    fails("AccessDenied", 403, s3.put_bucket_policy, Bucket=BUCKET, Policy=policy(read_all))
    s3.delete_public_access_block(Bucket=BUCKET)
    s3.delete_bucket_policy(Bucket=BUCKET)
    fails("NoSuchBucketPolicy", 404, s3.get_bucket_policy_status, Bucket=BUCKET)


@case("canned ACLs: private and the owner's are accepted, unknown ones and grants are refused")
def canned(context):
    s3 = client(context)
    for acl in ("private", "bucket-owner-full-control", "bucket-owner-read"):
        s3.put_object(Bucket=BUCKET, Key="acl", Body=b"1", ACL=acl)
    grants = s3.get_object_acl(Bucket=BUCKET, Key="acl")
    expect(grants["Owner"]["ID"], "owner")
    equal([grant["Permission"] for grant in grants["Grants"]], ["FULL_CONTROL"], "grants of an object")
    grants = s3.get_bucket_acl(Bucket=BUCKET)
    equal([grant["Permission"] for grant in grants["Grants"]], ["FULL_CONTROL"], "grants of a bucket")
    s3.put_object_acl(Bucket=BUCKET, Key="acl", ACL="private")
    s3.put_bucket_acl(Bucket=BUCKET, ACL="private")
    send(context, "PUT", target(BUCKET, "acl"), headers={"x-amz-acl": "nonsense"}).want(400, "InvalidArgument")
    fails("NoSuchKey", 404, s3.get_object_acl, Bucket=BUCKET, Key="never")
    grant = {"x-amz-grant-write-acp": 'uri="http://acs.amazonaws.com/groups/global/AllUsers"'}
    send(context, "PUT", target(BUCKET, "acl"), headers=grant).want(501, "NotImplemented")
    get(context, "acl").want(403, "AccessDenied")


@case(
    "canned ACLs: a public-read bucket is listed by everybody, a public-read object is read, until they are private"
)
def public_lists(context):
    name = "conf-public"
    s3 = bucket(context, name)
    s3.put_object(Bucket=name, Key="private", Body=b"private")
    s3.put_object(Bucket=name, Key="public", Body=b"public", ACL="public-read")
    equal(anonymous(context, "GET", target(name, "public")).want(200).body, b"public", "public object")
    anonymous(context, "GET", target(name, "private")).want(403, "AccessDenied")
    anonymous(context, "GET", target(name), {"list-type": "2"}).want(403, "AccessDenied")
    s3.put_bucket_acl(Bucket=name, ACL="public-read")
    listed = anonymous(context, "GET", target(name), {"list-type": "2"}).want(200).fields("Contents/Key")
    equal(listed, ["private", "public"], "keys of the public bucket")
    anonymous(context, "GET", target(name, "private")).want(403, "AccessDenied")
    anonymous(context, "PUT", target(name, "public"), body=b"forged").want(403, "AccessDenied")
    for grants in (s3.get_bucket_acl(Bucket=name), s3.get_object_acl(Bucket=name, Key="public")):
        equal(sorted(grant["Permission"] for grant in grants["Grants"]), ["FULL_CONTROL", "READ"], "grants")
    s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration={"IgnorePublicAcls": True})
    anonymous(context, "GET", target(name, "public")).want(403, "AccessDenied")
    s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration={"BlockPublicAcls": True})
    fails("AccessDenied", 403, s3.put_object, Bucket=name, Key="more", Body=b"", ACL="public-read")
    s3.delete_public_access_block(Bucket=name)
    s3.put_bucket_acl(Bucket=name, ACL="private")
    s3.put_object_acl(Bucket=name, Key="public", ACL="private")
    anonymous(context, "GET", target(name), {"list-type": "2"}).want(403, "AccessDenied")
    anonymous(context, "GET", target(name, "public")).want(403, "AccessDenied")
