"""S3 requests signed by hand and sent over plain connections, so that a suite can send what no SDK would.

Written from the description of Signature Version 4 in the S3 API reference (sig-v4-header-based-auth,
sigv4-query-string-auth). Every answer is held to what all answers must have: a request id and, where it is an error
with a body, S3's error document.
"""

import datetime
import hashlib
import hmac
import http.client
import urllib.parse
import xml.etree.ElementTree

from cases import equal, expect

REGION = "us-east-1"
UNSIGNED = "UNSIGNED-PAYLOAD"


def digest(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def quote(text):
    """A key, or a name or value of a query, as SigV4 wants it encoded; a slash stays."""
    return urllib.parse.quote(text, safe="/-_.~")


def target(bucket, key=None):
    """The path of a bucket or an object."""
    return f"/{bucket}" if key is None else f"/{bucket}/{quote(key)}"


def utc(seconds=0):
    """The time that many seconds from now."""
    return datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)


def signing_key(secret, scope):
    key = ("AWS4" + secret).encode()
    for part in scope.split("/"):
        key = digest(key, part)
    return key


class Answer:
    """Status, headers and body of an answer, and the fields of its document."""

    def __init__(self, method, path, response):
        self.method, self.path = method, path
        self.status, self.headers, self.body = response.status, response.headers, response.read()

    def __str__(self):
        return f"{self.method} {self.path}: {self.status} {self.body[:300]!r}"

    def __getitem__(self, header):
        """A header's value in UTF-8, or None."""
        value = self.headers.get(header)
        return value if value is None else value.encode("latin-1").decode()

    @property
    def root(self):
        """The document without its name space."""
        root = xml.etree.ElementTree.fromstring(self.body)
        for element in root.iter():
            element.tag = element.tag.rpartition("}")[2]
        return root

    def field(self, path):
        """The text of the first element at the path; None where there is none."""
        found = self.root.find(path)
        return None if found is None else found.text or ""

    def fields(self, path):
        return [element.text or "" for element in self.root.iterfind(path)]

    @property
    def code(self):
        return self.field("Code") if self.body.lstrip().startswith(b"<") else None

    def want(self, status, code=None):
        """Fails the case unless status and code are these; each can be a tuple of what is right. Returns itself."""
        statuses = status if isinstance(status, tuple) else (status,)
        codes = code if isinstance(code, tuple) else (code,)
        expect(self.status in statuses, f"want {status} {code or ''}, got {self}")
        expect(self["x-amz-request-id"], f"no x-amz-request-id in {self}")
        if self.status >= 300 and self.method != "HEAD" and self.body:
            equal(self.root.tag, "Error", f"document of {self}")
            expect(self.field("Message"), f"no message in {self}")
            equal(self.field("RequestId"), self["x-amz-request-id"], f"request id of {self}")
        if code is not None and self.method != "HEAD":
            expect(self.code in codes, f"want {status} {code}, got {self}")
        return self


class Request:
    """One request; the fields can be changed before it is signed or sent, to forge it."""

    def __init__(self, context, method, path, query=None, headers=None, body=b""):
        address = urllib.parse.urlsplit(context.endpoint)
        self.address, self.host = address.netloc, address.netloc
        self.access_key, self.secret_key = context.access_key, context.secret_key
        self.method, self.path, self.body = method, path, body
        self.query = dict(query or {})
        self.headers = {name.lower(): value for name, value in (headers or {}).items()}
        self.now, self.service, self.scope_date = utc(), "s3", None
        self.payload = hashlib.sha256(body).hexdigest()

    @property
    def time(self):
        return self.now.strftime("%Y%m%dT%H%M%SZ")

    @property
    def scope(self):
        return f"{self.scope_date or self.time[:8]}/{REGION}/{self.service}/aws4_request"

    @property
    def query_text(self):
        pairs = sorted((urllib.parse.quote(k, "-_.~"), urllib.parse.quote(v, "-_.~")) for k, v in self.query.items())
        return "&".join(f"{name}={value}" for name, value in pairs)

    def signature(self, headers):
        """The signature over these headers."""
        lines = [f"{name}:{' '.join(as_text(headers[name]).split())}" for name in sorted(headers)]
        names = ";".join(sorted(headers))
        canonical = "\n".join([self.method, self.path, self.query_text, *lines, "", names, self.payload])
        hashed = hashlib.sha256(canonical.encode()).hexdigest()
        to_sign = "\n".join(["AWS4-HMAC-SHA256", self.time, self.scope, hashed])
        return digest(signing_key(self.secret_key, self.scope), to_sign).hex()

    def sign(self):
        """Signs in the Authorization header."""
        self.headers.update({"host": self.host, "x-amz-date": self.time, "x-amz-content-sha256": self.payload})
        credential = f"{self.access_key}/{self.scope}"
        names, signature = ";".join(sorted(self.headers)), self.signature(self.headers)
        self.headers["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={signature}"
        )
        return self

    def presign(self, expires=60):
        """Signs in the query, as a URL that is handed on; headers given are signed too."""
        self.payload = UNSIGNED
        self.headers["host"] = self.host
        self.query.update(
            {
                "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
                "X-Amz-Credential": f"{self.access_key}/{self.scope}",
                "X-Amz-Date": self.time,
                "X-Amz-Expires": str(expires),
                "X-Amz-SignedHeaders": ";".join(sorted(self.headers)),
            }
        )
        self.query["X-Amz-Signature"] = self.signature(self.headers)
        return self

    def send(self):
        """Sends it as it is now."""
        connection = http.client.HTTPConnection(self.address, timeout=30)
        try:
            url = self.path + ("?" + self.query_text if self.query else "")
            connection.putrequest(self.method, url, skip_host=True, skip_accept_encoding=True)
            headers = {"host": self.host, **self.headers}
            if self.body or self.method in ("PUT", "POST"):
                headers.setdefault("content-length", str(len(self.body)))
            for name, value in headers.items():
                connection.putheader(name, as_text(value).encode())
            connection.endheaders()
            try:
                connection.send(self.body)
            except OSError:
                pass  # the server may answer and close before it has read everything
            return Answer(self.method, url, connection.getresponse())
        finally:
            connection.close()


def as_text(value):
    return value.decode() if isinstance(value, bytes) else value


def send(context, method, path, query=None, headers=None, body=b""):
    """Sends a properly signed request."""
    return Request(context, method, path, query, headers, body).sign().send()


def anonymous(context, method, path, query=None, headers=None, body=b""):
    """Sends a request without any signature."""
    return Request(context, method, path, query, headers, body).send()


def check_request_id(http_response, parsed, **_):
    expect(parsed["ResponseMetadata"].get("RequestId"), f"no request id in {parsed['ResponseMetadata']}")


def client(context, **options):
    """boto3, signing with version 4, that fails when an answer has no request id."""
    s3 = context.boto(signature_version="s3v4", **options)
    s3.meta.events.register("after-call.s3", check_request_id)
    return s3


def bucket(context, name, **options):
    """A client, and a bucket of that name."""
    s3 = client(context, **options)
    s3.create_bucket(Bucket=name)
    return s3
