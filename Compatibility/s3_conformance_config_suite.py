"""Configuration of buckets: CORS with preflights, lifecycle, notifications."""

import requests

from boto3_suite import fails
from cases import case, equal, expect
from raw import anonymous, bucket, client, send, target

BUCKET = "conf-config"
PAGE = "https://page.example.org"
CORS = {
    "ID": "one",
    "AllowedOrigins": [PAGE, "http://*.example.net"],
    "AllowedMethods": ["GET", "PUT"],
    "AllowedHeaders": ["content-type", "x-amz-*"],
    "ExposeHeaders": ["x-amz-meta-colour", "ETag"],
    "MaxAgeSeconds": 600,
}


def put_cors(s3, *rules):
    s3.put_bucket_cors(Bucket=BUCKET, CORSConfiguration={"CORSRules": list(rules)})


def preflight(context, origin, method, headers=None, key="k"):
    sent = {"origin": origin, "access-control-request-method": method}
    if headers:
        sent["access-control-request-headers"] = headers
    return anonymous(context, "OPTIONS", target(BUCKET, key), headers=sent)


@case("CORS: none, put, get, delete")
def cors(context):
    s3 = bucket(context, BUCKET)
    fails("NoSuchCORSConfiguration", 404, s3.get_bucket_cors, Bucket=BUCKET)
    put_cors(s3, CORS, {"AllowedOrigins": ["*"], "AllowedMethods": ["HEAD"]})
    equal(s3.get_bucket_cors(Bucket=BUCKET)["CORSRules"][0], CORS, "rule")
    equal(s3.delete_bucket_cors(Bucket=BUCKET)["ResponseMetadata"]["HTTPStatusCode"], 204, "status")
    fails("NoSuchCORSConfiguration", 404, s3.get_bucket_cors, Bucket=BUCKET)


@case("CORS: preflights by origin, method and headers; 403 AccessForbidden where no rule fits")
def preflights(context):
    put_cors(client(context), CORS, {"AllowedOrigins": ["*"], "AllowedMethods": ["HEAD"]})
    for origin in (PAGE, "http://a.example.net"):
        answer = preflight(context, origin, "PUT", "content-type, X-Amz-Date").want(200)
        equal(answer["Access-Control-Allow-Origin"], origin, "origin")
        expect("PUT" in answer["Access-Control-Allow-Methods"], f"methods: {answer['Access-Control-Allow-Methods']}")
        expect("x-amz-date" in answer["Access-Control-Allow-Headers"].lower(), "headers")
        equal(answer["Access-Control-Max-Age"], "600", "age")
        expect("origin" in (answer["Vary"] or "").lower(), f"Vary: {answer['Vary']}")
    equal(preflight(context, "http://other.org", "HEAD").want(200)["Access-Control-Allow-Origin"], "*", "any origin")
    for origin, method, headers in (
        ("http://other.org", "GET", None),
        (PAGE, "DELETE", None),
        (PAGE, "GET", "authorization"),
        ("http://example.net", "GET", None),
        (PAGE + ".evil.org", "GET", None),
    ):
        answer = preflight(context, origin, method, headers).want(403, "AccessForbidden")
        expect(answer["Access-Control-Allow-Origin"] is None, f"{origin} {method} is told that it may")


@case("CORS: answers carry the rule's headers, errors too; other origins get none")
def cors_answers(context):
    s3 = client(context)
    s3.put_object(Bucket=BUCKET, Key="k", Body=b"1", Metadata={"colour": "red"})
    for key, status in (("k", 200), ("never", 404)):
        url = s3.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": key})
        answer = requests.get(url, headers={"Origin": PAGE}, timeout=10)
        equal(answer.status_code, status, "status")
        equal(answer.headers.get("Access-Control-Allow-Origin"), PAGE, "origin")
        expect("x-amz-meta-colour" in answer.headers.get("Access-Control-Expose-Headers", ""), "exposed headers")
        answer = requests.get(url, headers={"Origin": "http://other.org"}, timeout=10)
        equal((answer.status_code, answer.headers.get("Access-Control-Allow-Origin")), (status, None), "other origin")


@case("CORS: unknown method, two wildcards, no rule, 101 rules, malformed")
def cors_errors(context):
    s3 = client(context)
    rule = {"AllowedOrigins": ["*"], "AllowedMethods": ["GET"]}
    for change in (
        {"AllowedMethods": ["FETCH"]},
        {"AllowedMethods": ["get"]},
        {"AllowedOrigins": ["http://*.x.*"]},
        {"AllowedHeaders": ["*-*"]},
    ):
        fails("InvalidRequest", 400, put_cors, s3, {**rule, **change})
    fails(("MalformedXML", "InvalidRequest"), 400, put_cors, s3, *[rule] * 101)
    documents = (
        b"",
        b"<CORSConfiguration>",
        b"<CORSConfiguration/>",
        b"<CORSConfiguration><CORSRule/></CORSConfiguration>",
    )
    for document in documents:
        answer = send(context, "PUT", target(BUCKET), {"cors": ""}, body=document)
        answer.want(400, ("MalformedXML", "MissingRequestBodyError"))
    equal(len(s3.get_bucket_cors(Bucket=BUCKET)["CORSRules"]), 2, "rules after refusals")
    s3.delete_bucket_cors(Bucket=BUCKET)


def put_lifecycle(s3, *rules):
    s3.put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration={"Rules": list(rules)})


EXPIRY = {"ID": "old logs", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 30}}


@case("lifecycle: none, put, get, delete; every kind of rule comes back as sent")
def lifecycle(context):
    s3 = client(context)
    fails("NoSuchLifecycleConfiguration", 404, s3.get_bucket_lifecycle_configuration, Bucket=BUCKET)
    rules = [
        EXPIRY,
        {
            "ID": "parts",
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 3},
        },
        {
            "ID": "versions",
            "Status": "Disabled",
            "Filter": {"And": {"Prefix": "v/", "Tags": [{"Key": "k", "Value": "v"}]}},
            "NoncurrentVersionExpiration": {"NoncurrentDays": 7, "NewerNoncurrentVersions": 2},
        },
        {
            "ID": "markers",
            "Status": "Enabled",
            "Filter": {"Prefix": "m/"},
            "Expiration": {"ExpiredObjectDeleteMarker": True},
        },
    ]
    put_lifecycle(s3, *rules)
    got = s3.get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"]
    equal(sorted(got, key=lambda rule: rule["ID"]), sorted(rules, key=lambda rule: rule["ID"]), "rules")
    answer = s3.delete_bucket_lifecycle(Bucket=BUCKET)
    equal(answer["ResponseMetadata"]["HTTPStatusCode"], 204, "status")
    fails("NoSuchLifecycleConfiguration", 404, s3.get_bucket_lifecycle_configuration, Bucket=BUCKET)


@case("lifecycle: an object says when it expires, by which rule")
def expiration_header(context):
    s3 = client(context)
    put_lifecycle(s3, EXPIRY)
    s3.put_object(Bucket=BUCKET, Key="logs/1", Body=b"1")
    said = s3.head_object(Bucket=BUCKET, Key="logs/1").get("Expiration", "")
    expect(
        'expiry-date="' in said and 'rule-id="old%20logs"' in said or 'rule-id="old logs"' in said, f"said: {said!r}"
    )
    expect("Expiration" not in s3.head_object(Bucket=BUCKET, Key="k"), "an object of no rule says so too")


@case("lifecycle: what S3 refuses is refused, storage classes that there are not too")
def lifecycle_errors(context):
    s3 = client(context)
    rule = {"Status": "Enabled", "Filter": {"Prefix": "x"}}
    for number, (change, status, codes) in enumerate(
        [
            ({"Expiration": {"Days": 0}}, 400, ("InvalidArgument",)),
            ({"Expiration": {"Days": -1}}, 400, ("InvalidArgument",)),
            ({"Expiration": {"Date": "2030-01-01T12:30:00Z"}}, 400, ("InvalidArgument",)),
            ({"Expiration": {"Days": 1, "Date": "2030-01-01T00:00:00Z"}}, 400, ("MalformedXML", "InvalidArgument")),
            ({"Expiration": {"Days": 1}, "ID": "x" * 256}, 400, ("InvalidArgument",)),
            ({"Expiration": {"Days": 1}, "Status": "On"}, 400, ("MalformedXML",)),
            ({}, 400, ("InvalidRequest", "MalformedXML", "InvalidArgument")),
            ({"Transitions": [{"Days": 1, "StorageClass": "GLACIER"}]}, 501, ("NotImplemented",)),
        ]
    ):
        try:
            fails(codes, status, put_lifecycle, s3, {**rule, **change})
        except AssertionError as error:
            raise AssertionError(f"rule {number} {change}: {error}") from error
    twice = {**EXPIRY, "ID": "same"}
    fails("InvalidArgument", 400, put_lifecycle, s3, twice, {**twice, "Filter": {"Prefix": "other/"}})
    for document in (b"", b"<LifecycleConfiguration>", b"<LifecycleConfiguration/>"):
        answer = send(context, "PUT", target(BUCKET), {"lifecycle": ""}, body=document)
        answer.want(400, ("MalformedXML", "MissingRequestBodyError"))
    equal(s3.get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"], [EXPIRY], "rules after refusals")


@case("notifications: an empty configuration, put and got; unknown targets and events are refused")
def notifications(context):
    s3 = client(context)

    def put(**configuration):
        s3.put_bucket_notification_configuration(Bucket=BUCKET, NotificationConfiguration=configuration)

    def got():
        answer = s3.get_bucket_notification_configuration(Bucket=BUCKET)
        return {name: value for name, value in answer.items() if name != "ResponseMetadata"}

    equal(got(), {}, "configuration of a new bucket")
    put()
    equal(got(), {}, "empty configuration")
    events = ["s3:ObjectCreated:*"]
    for arn in ("arn:aws:sqs:us-east-1:1:nowhere", "arn:minio:sqs::nowhere:webhook", "nonsense"):
        fails("InvalidArgument", 400, put, QueueConfigurations=[{"QueueArn": arn, "Events": events}])
    fails(
        "InvalidArgument", 400, put, TopicConfigurations=[{"TopicArn": "arn:aws:sns:us-east-1:1:t", "Events": events}]
    )
    for document in (b"<NotificationConfiguration>", b"<Other/>"):
        answer = send(context, "PUT", target(BUCKET), {"notification": ""}, body=document)
        answer.want(400, "MalformedXML")
    equal(got(), {}, "configuration after refusals")
