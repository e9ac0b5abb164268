"""The services of the line, and what each must make of a content.

A  line/in/    -> first (process)    -> B line/mid/          -> audit (process) -> A audit/out/
   line/boxed/ -> boxed (container)  -> B line/mid/
   POST /job   -> hook  (process)    -> B line/mid/
B  line/mid/   -> middle (process)   -> C line/late/
C  line/late/  -> last  (process)    -> C final/out/
"""

import json

# Each service puts a line "via SERVICE JOB" before what it got, so orders stand one line lower at each cluster;
# they are looked for in the first lines of the content. Exit code 75: the result could not be written (sysexits.h, EX_TEMPFAIL).
LINE = r"""
LC_ALL=C; export LC_ALL
if [ -n "${CHAOS_LEDGER:-}" ]; then echo "$OSCAR_SERVICE_NAME $JOB_UUID" >> "$CHAOS_LEDGER"; fi
orders() { head -c 512 "$INPUT_FILE_PATH" | sed -n "1,5s/^$1 $OSCAR_SERVICE_NAME //p" | head -n 1; }
slow=$(orders slow); code=$(orders fail)
if [ -n "$slow" ]; then sleep "$slow"; fi
if [ -n "$code" ]; then exit "$code"; fi
"""
# A cluster after the first keeps the name: a job that comes twice then shows as a second version.
RELAY = (
    LINE
    + r"""
result=$TMP_OUTPUT_DIR/${CHAOS_NAME_PREFIX:+$JOB_UUID~}${INPUT_FILE_PATH##*/}
{ echo "via $OSCAR_SERVICE_NAME $JOB_UUID" && cat "$INPUT_FILE_PATH"; } > "$result" || exit 75
"""
)
AUDIT = (
    LINE
    + r"""
sum=$(sha256sum < "$INPUT_FILE_PATH") || exit 75
echo "${sum%% *}" > "$TMP_OUTPUT_DIR/$JOB_UUID~${INPUT_FILE_PATH##*/}" || exit 75
"""
)
WRITE_FAILED = 75
# What the machine did to a script is no outcome: a result that could not be written, or SIGKILL.
RETRY = {
    "script": 100,
    "exit_codes": [WRITE_FAILED, 137],
    "infrastructure": 100,
    "backoff": "1s",
    "maximum_backoff": "3s",
}
IMAGE = "localhost/chaos:1"
# Which services of the first cluster an object triggers, by the folder of its key.
TRIGGERS = {"in": ("first", "audit"), "boxed": ("boxed",), "other": ()}
CLUSTER = {"first": "A", "audit": "A", "boxed": "A", "hook": "A", "middle": "B", "last": "C"}
# Those whose results go on to the next cluster.
RELAYS = ("first", "boxed", "hook")


def own(path):
    return {"storage_provider": "minio.default", "path": path}


def remote(link, cluster):
    """The provider `minio.next`: another cluster's store behind a link."""
    return {
        "minio": {
            "next": {
                "endpoint": link.url, "region": "us-east-1", "access_key": cluster.access_key,
                "secret_key": cluster.secret_key, "verify": True,
            }
        }
    }  # fmt: skip


def definition(name, script, ledger, mark, **fields):
    variables = {"CHAOS_MARK": mark}
    if ledger:
        variables["CHAOS_LEDGER"] = ledger
    if CLUSTER[name] == "A":
        variables["CHAOS_NAME_PREFIX"] = "1"
    body = {
        "name": name, "script": script, "cpu": "0.2", "memory": "64Mi", "sandbox": "process", "log_level": "CRITICAL",
        "environment": {"variables": variables}, "retry": RETRY,
    }  # fmt: skip
    return {**body, **fields}


def create(clusters, links, ledger, mark, containers):
    """Creates the buckets, versioned where doubles are to show, and the services, the last ones first."""
    a, b, c = (clusters[name] for name in "ABC")
    for cluster, buckets in ((a, "line hooks audit"), (b, "line"), (c, "line final")):
        s3 = cluster.boto()
        for bucket in buckets.split():
            s3.create_bucket(Bucket=bucket)
            if cluster is not a or bucket == "audit":
                s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    to_c = {"output": [{"storage_provider": "minio.next", "path": "line/late"}]}
    to_c["storage_providers"] = remote(links["B-C"], c)
    to_b = {"output": [{"storage_provider": "minio.next", "path": "line/mid"}]}
    to_b["storage_providers"] = remote(links["A-B"], b)
    wanted = [
        (c, "last", RELAY, {"input": [own("line/late")], "output": [own("final/out")]}),
        (b, "middle", RELAY, {"input": [own("line/mid")], **to_c}),
        (a, "first", RELAY, {"input": [own("line/in")], **to_b}),
        (a, "audit", AUDIT, {"input": [own("line/in")], "output": [own("audit/out")]}),
        (a, "hook", RELAY, to_b),
    ]
    for cluster, name, script, fields in wanted:
        post(cluster, definition(name, script, ledger, mark, **fields))
    if containers:
        fields = {"input": [own("line/boxed")], "sandbox": "container", "image": IMAGE, **to_b}
        post(a, definition("boxed", RELAY, None, mark, **fields))


def post(cluster, body):
    cluster.request("POST", "/system/services", 201, data=json.dumps(body))


def failure(content, service):
    """The exit code that the content orders of a service, or None."""
    for line in content[:512].split(b"\n")[:5]:
        words = line.split(b" ")
        if len(words) == 3 and words[0] == b"fail" and words[1] == service.encode():
            return int(words[2])
    return None
