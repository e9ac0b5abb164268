"""Notifications of buckets: to webhooks, in order and without loss, and to services; expiry by lifecycle."""

import http.server
import json
import threading
import time
import urllib.parse

import apus
from boto3_suite import fails
from cases import case, equal, eventually, expect

BUCKET = "told"
TOKEN = "a secret of the webhook"


class Receiver:
    """A webhook: keeps what it is told, and refuses as often as it is asked to."""

    def __init__(self):
        receiver = self
        self.events, self.refusals, self.tokens = [], 0, []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                refuse = receiver.refusals > 0
                receiver.refusals -= refuse
                if not refuse:
                    receiver.tokens.append(self.headers.get("Authorization"))
                    receiver.events.append(json.loads(body))
                self.send_response(503 if refuse else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def do_HEAD(self):
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/events"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def names(self):
        return [(event["EventName"], event["Key"]) for event in self.events]


class Cluster:
    """An Apus that knows the webhook, for all cases of this suite; the last one ends it."""

    server = receiver = None


def cluster(context):
    if Cluster.server is None:
        Cluster.receiver = Receiver()
        flags = ["--webhook", f"hook={Cluster.receiver.url}"]
        server = apus.Apus("notified", context.folder, more_flags=flags)
        server.environment["APUS_WEBHOOK_HOOK_TOKEN"] = TOKEN
        server.start()
        Cluster.server = server
    Cluster.receiver.events.clear()
    return Cluster.server, Cluster.receiver


def configure(s3, *rules, name=BUCKET):
    s3.put_bucket_notification_configuration(
        Bucket=name, NotificationConfiguration={"QueueConfigurations": list(rules)} if rules else {}
    )


def rule(target, *events, prefix="", suffix="", **more):
    filters = [{"Name": "prefix", "Value": prefix}, {"Name": "suffix", "Value": suffix}]
    return {
        "QueueArn": f"arn:minio:sqs::{target}:webhook",
        "Events": list(events),
        "Filter": {"Key": {"FilterRules": [entry for entry in filters if entry["Value"]]}},
        **more,
    }


@case("a configuration comes back as it was put; what is no event or target is refused")
def configuration(context):
    server, _ = cluster(context)
    s3 = server.boto()
    s3.create_bucket(Bucket=BUCKET)
    put = rule("hook", "s3:ObjectCreated:*", prefix="in/", suffix=".jpg", Id="mine")
    configure(s3, put)
    got = s3.get_bucket_notification_configuration(Bucket=BUCKET)["QueueConfigurations"][0]
    rules = {(entry["Name"].lower(), entry["Value"]) for entry in got["Filter"]["Key"]["FilterRules"]}
    equal((got["Id"], got["Events"], rules), ("mine", put["Events"], {("prefix", "in/"), ("suffix", ".jpg")}), "rule")
    expect(got["QueueArn"].endswith(":hook:webhook"), f"target: {got['QueueArn']}")
    for wrong in (
        rule("nobody", "s3:ObjectCreated:*"),
        rule("hook", "s3:ObjectPainted:*"),
        {**put, "QueueArn": "arn:aws:sqs:us-east-1:1:hook"},
    ):
        fails("InvalidArgument", 400, configure, s3, wrong)
    other = {**put, "Filter": {"Key": {"FilterRules": [{"Name": "colour", "Value": "red"}]}}}
    fails("InvalidArgument", 400, configure, s3, other)
    fails("InvalidArgument", 400, configure, s3, put, {**put, "Id": "overlapping"})
    equal(len(s3.get_bucket_notification_configuration(Bucket=BUCKET)["QueueConfigurations"]), 1, "rules left")


@case("put, copy, multipart and form are told with their names; deletion too; only what the filter lets through")
def causes(context):
    server, receiver = cluster(context)
    s3 = server.boto()
    configure(s3, rule("hook", "s3:ObjectCreated:*", "s3:ObjectRemoved:*", prefix="in/"))
    s3.put_object(Bucket=BUCKET, Key="out/1", Body=b"1")
    s3.put_object(Bucket=BUCKET, Key="in/ü +1", Body=b"12345", Metadata={"colour": "red"}, ContentType="text/x-t")
    s3.copy_object(Bucket=BUCKET, Key="in/copy", CopySource=f"{BUCKET}/in/ü +1")
    place = {"Bucket": BUCKET, "Key": "in/multi"}
    place["UploadId"] = s3.create_multipart_upload(**place)["UploadId"]
    tag = s3.upload_part(**place, PartNumber=1, Body=b"1")["ETag"]
    s3.complete_multipart_upload(**place, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": tag}]})
    s3.delete_object(Bucket=BUCKET, Key="in/copy")
    s3.delete_object(Bucket=BUCKET, Key="in/never")
    s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": "in/multi"}]})
    wanted = [
        ("s3:ObjectCreated:Put", "told/in/ü +1"),
        ("s3:ObjectCreated:Copy", "told/in/copy"),
        ("s3:ObjectCreated:CompleteMultipartUpload", "told/in/multi"),
        ("s3:ObjectRemoved:Delete", "told/in/copy"),
        ("s3:ObjectRemoved:Delete", "told/in/multi"),
    ]
    eventually(lambda: len(receiver.events) >= len(wanted), "five events", 20)
    equal([name for name in receiver.names() if name[1] != "told/in/never"], wanted, "events in order")
    record = receiver.events[0]["Records"][0]
    equal(record["s3"]["bucket"]["name"], BUCKET, "bucket")
    told = record["s3"]["object"]
    equal((urllib.parse.unquote_plus(told["key"]), told["size"]), ("in/ü +1", 5), "object")
    equal(told["eTag"], s3.head_object(Bucket=BUCKET, Key="in/ü +1")["ETag"].strip('"'), "ETag")
    equal(record["eventName"].removeprefix("s3:"), "ObjectCreated:Put", "name of the event")
    equal(set(receiver.tokens), {TOKEN}, "token of two words as it is")


@case("a webhook that is down loses nothing, also when Apus is killed in the meantime")
def down(context):
    server, receiver = cluster(context)
    s3 = server.boto()
    receiver.refusals = 3
    for number in range(20):
        s3.put_object(Bucket=BUCKET, Key=f"in/down {number:02}", Body=b"1")
    server.kill()
    server.start()
    eventually(lambda: len({name for name in receiver.names() if "down" in name[1]}) == 20, "20 events", 40)
    seen = list(dict.fromkeys(key for _, key in receiver.names() if "down" in key))
    equal(seen, [f"told/in/down {number:02}" for number in range(20)], "events in order")


@case("without a configuration nobody is told")
def silence(context):
    server, receiver = cluster(context)
    s3 = server.boto()
    configure(s3)
    s3.put_object(Bucket=BUCKET, Key="in/quiet", Body=b"1")
    configure(s3, rule("hook", "s3:ObjectCreated:Put", prefix="in/"))
    s3.put_object(Bucket=BUCKET, Key="in/loud", Body=b"1")
    eventually(lambda: ("s3:ObjectCreated:Put", "told/in/loud") in receiver.names(), "the second event")
    expect(all("quiet" not in key for _, key in receiver.names()), f"events: {receiver.names()}")


@case("a service is a target too: each event is a job")
def service(context):
    server, _ = cluster(context)
    s3 = server.boto()
    server.create_service("listener", 'cat "$INPUT_FILE_PATH"\n')
    configure(s3, rule("listener", "s3:ObjectCreated:*", prefix="work/"))
    for number in range(3):
        s3.put_object(Bucket=BUCKET, Key=f"work/{number}", Body=b"1")
    s3.put_object(Bucket=BUCKET, Key="other/1", Body=b"1")

    def done():
        jobs = server.jobs("listener")
        return len(jobs) == 3 and all(apus.is_done(job) for job in jobs)

    eventually(done, "three jobs")
    expect(all(apus.has_succeeded(job) for job in server.jobs("listener")), f"jobs: {server.jobs('listener')}")


@case("lifecycle: what is older than its date goes by itself, and that is told")
def expiry(context):
    server, receiver = cluster(context)
    s3 = server.boto()
    configure(s3, rule("hook", "s3:ObjectRemoved:*", "s3:LifecycleExpiration:*"))
    for key in ("old/1", "old/2", "kept"):
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"1")
    yesterday = time.strftime("%Y-%m-%dT00:00:00Z", time.gmtime(time.time() - 86400))
    due = {"ID": "due", "Status": "Enabled", "Filter": {"Prefix": "old/"}, "Expiration": {"Date": yesterday}}
    s3.put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration={"Rules": [due]})
    server.stop()
    server.start()  # What is due is looked for at the start and every hour.

    def left():
        return [entry["Key"] for entry in s3.list_objects_v2(Bucket=BUCKET, Prefix="old/").get("Contents", [])]

    eventually(lambda: not left(), "the old objects to go", 30)
    s3.head_object(Bucket=BUCKET, Key="kept")
    gone = {key for _, key in receiver.names()}
    eventually(lambda: {key for _, key in receiver.names()} >= {"told/old/1", "told/old/2"}, f"events, got {gone}")


@case("SIGTERM ends it with 0")
def end(context):
    server, receiver = cluster(context)
    equal(server.stop(), 0, "status")
    receiver.server.shutdown()
    Cluster.server = None
