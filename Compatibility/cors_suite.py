"""What a browser does before and with a request to another origin; no credentials go with a preflight."""

import requests

from cases import case, equal, expect

ORIGIN = "https://dashboard.example.org"


def preflight(url, method, headers):
    return requests.options(
        url,
        timeout=10,
        headers={
            "Origin": ORIGIN,
            "Access-Control-Request-Method": method,
            "Access-Control-Request-Headers": headers,
        },
    )


def check(answer, method, headers):
    expect(answer.status_code in (200, 204), f"status {answer.status_code} {answer.text[:100]!r}")
    expect(answer.headers.get("Access-Control-Allow-Origin") in ("*", ORIGIN), f"origin: {dict(answer.headers)}")
    allowed = [name.strip() for name in answer.headers.get("Access-Control-Allow-Methods", "").split(",")]
    expect(method in allowed or "*" in allowed, f"methods: {allowed}")
    # A browser takes * for every header except Authorization, which must be named (Fetch standard).
    names = [name.strip().lower() for name in answer.headers.get("Access-Control-Allow-Headers", "").split(",")]
    for header in headers.split(","):
        named = header in names or ("*" in names and header != "authorization")
        expect(named, f"header {header} is not allowed: {names}")


@case("preflights of the API are answered without credentials")
def api_preflight(context):
    table = [
        ("GET", "/system/info"),
        ("GET", "/system/config"),
        ("POST", "/system/services"),
        ("PUT", "/system/services"),
        ("DELETE", "/system/services/some"),
        ("GET", "/system/logs/some"),
        ("DELETE", "/system/logs/some/job"),
        ("POST", "/system/buckets"),
        ("DELETE", "/system/buckets/some"),
        ("POST", "/run/some"),
        ("POST", "/job/some"),
    ]
    for method, path in table:
        check(
            preflight(context.server.api + path, method, "authorization,content-type"),
            method,
            "authorization,content-type",
        )


@case("answers of the API can be read by the page, errors too")
def api_answer(context):
    for path, auth, status in (
        ("/health", None, 200),
        ("/system/info", (context.server.user, context.server.password), 200),
        ("/system/info", None, 401),
        ("/no/such/path", None, 404),
    ):
        answer = requests.get(context.server.api + path, auth=auth, headers={"Origin": ORIGIN}, timeout=10)
        equal(answer.status_code, status, path)
        expect(answer.headers.get("Access-Control-Allow-Origin") in ("*", ORIGIN), f"{path}: {dict(answer.headers)}")


@case("preflights of the object store are answered without credentials")
def store_preflight(context):
    headers = "authorization,content-type,x-amz-content-sha256,x-amz-date,x-amz-user-agent"
    for method, path in (
        ("GET", "/"),
        ("GET", "/some-bucket"),
        ("PUT", "/some-bucket/a/key"),
        ("DELETE", "/some-bucket/k"),
        ("POST", "/some-bucket"),
    ):
        check(preflight(context.server.s3 + path, method, headers), method, headers)


@case("answers of the object store can be read by the page, with their ETag")
def store_answer(context):
    s3 = context.boto()
    s3.create_bucket(Bucket="cors-main")
    s3.put_object(Bucket="cors-main", Key="k", Body=b"1")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "cors-main", "Key": "k"})
    answer = requests.get(url, headers={"Origin": ORIGIN}, timeout=10)
    equal(answer.content, b"1", "content")
    expect(answer.headers.get("Access-Control-Allow-Origin") in ("*", ORIGIN), f"headers: {dict(answer.headers)}")
    exposed = answer.headers.get("Access-Control-Expose-Headers", "").lower()
    expect("*" in exposed or "etag" in exposed, f"exposed: {exposed!r}")
