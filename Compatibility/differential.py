"""Seeded random sequences of S3 requests, and what of the answers two servers must agree in."""

import base64
import dataclasses
import hashlib
import random
import urllib.parse
import xml.etree.ElementTree

from raw import Request, quote

KEYS = ["a", "b.txt", "c d+e.txt", "ü/ñ.txt", "日本語", "%2F%", "semi;colon", "q?x=1&y#z", "quote'\"", "~()*!@$=,:"]
KEYS += [f"{folder}/{name}" for folder in ("dir", "dir/sub", "other dir") for name in ("1", "2", "x.bin", "ü")]
LARGE = bytes(5 * 1024 * 1024)
PLAIN_HEADERS = {
    "content-type": ["text/plain", "application/x-test; charset=utf-8"],
    "cache-control": ["no-cache"],
    "content-disposition": ['attachment; filename="x y"'],
    "content-encoding": ["gzip"],
    "content-language": ["de"],
    "x-amz-meta-a": ["1", "some  text"],
    "x-amz-meta-long-name": ["v" * 200],
    "x-amz-storage-class": ["STANDARD", "REDUCED_REDUNDANCY"],
}
RANGES = ["bytes=0-0", "bytes=1-3", "bytes=2-", "bytes=-3", "bytes=0-999999", "bytes=9999999-", "bytes=5-2"]
RANGES += ["bytes=-0", "lines=1-2", "bytes=a-b"]


@dataclasses.dataclass
class Slot:
    """A value of an earlier answer that each server makes its own: an upload's identifier, a token."""

    name: str


@dataclasses.dataclass
class Operation:
    """One request, without what differs between servers. What it saves are fields of its answer, by slot."""

    name: str
    method: str
    key: str | None = None
    query: dict = dataclasses.field(default_factory=dict)
    headers: dict = dataclasses.field(default_factory=dict)
    body: bytes = b""
    saves: dict = dataclasses.field(default_factory=dict)
    bucket: str | None = None

    def __str__(self):
        body = f" body {self.body[:120]!r}" if self.body else ""
        return f"{self.name}: {self.method} {self.key!r} {self.query} {self.headers}{body}"


def md5(body):
    return base64.b64encode(hashlib.md5(body).digest()).decode()


def etag(body):
    return f'"{hashlib.md5(body).hexdigest()}"'


class Sequence:
    """The operations of a seed. Keeps a rough idea of what is there, so that most requests hit something."""

    def __init__(self, seed, bucket):
        self.random = random.Random(seed)
        self.bucket = bucket
        self.present = {}
        self.uploads = []
        self.count = 0
        weights = {
            self.put: 14,
            self.get: 14,
            self.head: 5,
            self.delete: 5,
            self.list_v1: 6,
            self.list_v2: 8,
            self.copy: 7,
            self.create_upload: 4,
            self.put_part: 8,
            self.copy_part: 3,
            self.complete_upload: 4,
            self.abort_upload: 2,
            self.list_parts: 4,
            self.list_uploads: 4,
            self.put_tags: 4,
            self.get_tags: 4,
            self.delete_tags: 2,
            self.delete_many: 3,
            self.of_bucket: 6,
            self.mistake: 8,
        }
        self.makers, self.weights = list(weights), list(weights.values())

    def operations(self, count):
        yield Operation("create bucket", "PUT")
        for _ in range(count):
            yield self.random.choices(self.makers, self.weights)[0]()

    def chance(self, share):
        return self.random.random() < share

    def key(self, known=0.75):
        if self.present and self.chance(known):
            return self.random.choice(sorted(self.present))
        return self.random.choice(KEYS)

    def content(self):
        return self.random.randbytes(self.random.choice([0, 1, 5, 100, 3000, 70_000]))

    def some_headers(self):
        names = [name for name in PLAIN_HEADERS if self.chance(0.2)]
        return {name: self.random.choice(PLAIN_HEADERS[name]) for name in names}

    def tag_of(self, key):
        """The ETag of a key, or one that is none."""
        return self.random.choice([self.present.get(key, '"x"'), '"0123456789abcdef0123456789abcdef"', "*"])

    def put(self):
        key, body, headers = self.key(0.3), self.content(), self.some_headers()
        if self.chance(0.15):
            headers["content-md5"] = md5(body if self.chance(0.6) else b"other")
        if self.chance(0.15):
            headers["x-amz-tagging"] = self.random.choice(["a=1", "a=1&b%20c=x%2By", "a=1&a=2", "=", "a"])
        if "content-md5" not in headers or headers["content-md5"] == md5(body):
            self.present[key] = etag(body)
        return Operation("put", "PUT", key, headers=headers, body=body)

    def read_options(self, key):
        headers, query = {}, {}
        if self.chance(0.35):
            headers["range"] = self.random.choice(RANGES)
        if self.chance(0.25):
            headers[self.random.choice(["if-match", "if-none-match"])] = self.tag_of(key)
        if self.chance(0.15):
            date = self.random.choice(["Mon, 01 Jan 2001 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT"])
            headers[self.random.choice(["if-modified-since", "if-unmodified-since"])] = date
        return headers, query

    def get(self):
        key = self.key()
        headers, query = self.read_options(key)
        if self.chance(0.2):
            names = ["content-type", "cache-control", "content-disposition", "content-language", "expires"]
            query[f"response-{self.random.choice(names)}"] = "text/x-other"
        if self.chance(0.1):
            query["partNumber"] = self.random.choice(["1", "2", "99"])
        return Operation("get", "GET", key, query, headers)

    def head(self):
        key = self.key()
        headers, query = self.read_options(key)
        return Operation("head", "HEAD", key, query, headers)

    def delete(self):
        key = self.key()
        self.present.pop(key, None)
        return Operation("delete", "DELETE", key)

    def list_options(self):
        query = {}
        if self.chance(0.5):
            query["prefix"] = self.random.choice(["", "dir", "dir/", "dir/sub/", "other", "ü", "none", "c d+", "%"])
        if self.chance(0.5):
            query["delimiter"] = "/"
        if self.chance(0.5):
            query["max-keys"] = str(self.random.choice([0, 1, 2, 3, 7, 1000, 5000]))
        if self.chance(0.3):
            query["encoding-type"] = "url"
        return query

    def list_v1(self):
        query = self.list_options()
        if self.chance(0.3):
            query["marker"] = self.random.choice(KEYS)
        return Operation("list v1", "GET", None, query)

    def list_v2(self):
        query = {"list-type": "2", **self.list_options()}
        if self.chance(0.25):
            query["start-after"] = self.random.choice(KEYS)
        if self.chance(0.3):
            query["fetch-owner"] = "true"
        return Operation("list v2", "GET", None, query)

    def copy(self):
        source, key = self.key(), self.key(0.5)
        headers = {"x-amz-copy-source": f"{self.bucket}/{quote(source)}"}
        if self.chance(0.4):
            headers["x-amz-metadata-directive"] = self.random.choice(["COPY", "REPLACE", "REPLACE", "PERHAPS"])
            headers.update(self.some_headers())
        if self.chance(0.25):
            name = self.random.choice(["x-amz-copy-source-if-match", "x-amz-copy-source-if-none-match"])
            headers[name] = self.tag_of(source)
        if source in self.present:
            self.present.setdefault(key, self.present[source])
        return Operation("copy", "PUT", key, headers=headers)

    def create_upload(self):
        self.count += 1
        slot = Slot(f"upload {self.count}")
        self.uploads.append((slot, self.key(0.3), {}))
        return Operation(
            "create upload",
            "POST",
            self.uploads[-1][1],
            {"uploads": ""},
            self.some_headers(),
            saves={slot.name: "UploadId"},
        )

    def upload(self):
        return self.random.choice(self.uploads) if self.uploads else (Slot("none"), self.key(), {})

    def put_part(self):
        slot, key, parts = self.upload()
        number = self.random.choice([1, 1, 1, 2, 2, 3, 10_000])
        body = LARGE if number == 1 and self.chance(0.2) else self.content()
        parts[number] = etag(body)
        return Operation("put part", "PUT", key, {"uploadId": slot, "partNumber": str(number)}, body=body)

    def copy_part(self):
        slot, key, parts = self.upload()
        source, number = self.key(), self.random.choice([1, 2])
        headers = {"x-amz-copy-source": f"{self.bucket}/{quote(source)}"}
        if self.chance(0.4):
            headers["x-amz-copy-source-range"] = self.random.choice(["bytes=0-0", "bytes=0-9", "bytes=1-99999999"])
        else:
            parts[number] = self.present.get(source, '"unknown"')
        return Operation("copy part", "PUT", key, {"uploadId": slot, "partNumber": str(number)}, headers)

    def complete_upload(self):
        slot, key, parts = self.upload()
        listed = sorted(parts.items())
        if self.chance(0.15):
            listed.reverse()
        if self.chance(0.1):
            listed.append((4, '"0123456789abcdef0123456789abcdef"'))
        if self.chance(0.5) and listed:
            listed = listed[:1]
        text = "".join(f"<Part><PartNumber>{n}</PartNumber><ETag>{tag}</ETag></Part>" for n, tag in listed)
        body = f"<CompleteMultipartUpload>{text}</CompleteMultipartUpload>".encode()
        return Operation("complete upload", "POST", key, {"uploadId": slot}, body=body)

    def abort_upload(self):
        slot, key, _ = self.upload()
        if self.uploads and self.chance(0.7):
            self.uploads = [one for one in self.uploads if one[0] != slot]
        return Operation("abort upload", "DELETE", key, {"uploadId": slot})

    def list_parts(self):
        slot, key, _ = self.upload()
        query = {"uploadId": slot}
        if self.chance(0.4):
            query["max-parts"] = self.random.choice(["1", "2", "1000"])
        if self.chance(0.3):
            query["part-number-marker"] = self.random.choice(["0", "1", "2"])
        return Operation("list parts", "GET", key, query)

    def list_uploads(self):
        query = {"uploads": ""}
        if self.chance(0.5):
            query["prefix"] = self.random.choice(["dir/", "a", "none", self.upload()[1]])
        return Operation("list uploads", "GET", None, query)

    def put_tags(self):
        texts = ["", "<Tag><Key>a</Key><Value>1</Value></Tag>", "<Tag><Key>b</Key><Value>ü x</Value></Tag>"]
        texts += [texts[1] + texts[2], texts[1] * 2, "<Tag><Key></Key><Value>1</Value></Tag>"]
        texts += ["".join(f"<Tag><Key>k{n}</Key><Value>v</Value></Tag>" for n in range(11)), "<Tag>"]
        body = f"<Tagging><TagSet>{self.random.choice(texts)}</TagSet></Tagging>".encode()
        return Operation("put tags", "PUT", self.key(), {"tagging": ""}, {"content-md5": md5(body)}, body)

    def get_tags(self):
        return Operation("get tags", "GET", self.key(), {"tagging": ""})

    def delete_tags(self):
        return Operation("delete tags", "DELETE", self.key(), {"tagging": ""})

    def delete_many(self):
        names = {self.key() for _ in range(self.random.randrange(1, 4))}
        for name in names:
            self.present.pop(name, None)
        root = xml.etree.ElementTree.Element("Delete")
        if self.chance(0.3):
            xml.etree.ElementTree.SubElement(root, "Quiet").text = "true"
        for name in sorted(names):
            entry = xml.etree.ElementTree.SubElement(root, "Object")
            xml.etree.ElementTree.SubElement(entry, "Key").text = name
        body = xml.etree.ElementTree.tostring(root, "utf-8")
        return Operation("delete many", "POST", None, {"delete": ""}, {"content-md5": md5(body)}, body)

    def of_bucket(self):
        method, query, bucket = self.random.choice(
            [
                ("HEAD", {}, None),
                ("HEAD", {}, "diff-nowhere"),
                ("GET", {"location": ""}, None),
                ("GET", {"versioning": ""}, None),
                ("GET", {}, "diff-nowhere"),
                ("GET", {"list-type": "2"}, "diff-nowhere"),
                ("DELETE", {}, "diff-nowhere"),
                ("GET", {"tagging": ""}, None),
                ("GET", {"policy": ""}, None),
                ("GET", {"lifecycle": ""}, None),
                ("GET", {"encryption": ""}, None),
                ("PUT", {}, "x"),
                ("PUT", {}, "Upper-Case"),
            ]
        )
        return Operation(f"bucket {method} {' '.join(query)}".rstrip(), method, None, query, bucket=bucket)

    def mistake(self):
        """Requests that must be refused."""
        return self.random.choice(
            [
                Operation("long key", "PUT", "k" * 1025),
                Operation("negative max-keys", "GET", None, {"max-keys": "-1"}),
                Operation("word as max-keys", "GET", None, {"list-type": "2", "max-keys": "many"}),
                Operation("unknown encoding", "GET", None, {"encoding-type": "rot13"}),
                Operation("wrong token", "GET", None, {"list-type": "2", "continuation-token": "%%"}),
                Operation("part number 0", "PUT", "a", {"uploadId": Slot("none"), "partNumber": "0"}),
                Operation("part number 10001", "PUT", "a", {"uploadId": Slot("none"), "partNumber": "10001"}),
                Operation("malformed completion", "POST", "a", {"uploadId": Slot("none")}, body=b"<Comp"),
                Operation("malformed deletion", "POST", None, {"delete": ""}, {"content-md5": md5(b"<D")}, b"<D"),
                Operation("malformed digest", "PUT", "refused", {}, {"content-md5": "nonsense"}, b"1"),
                Operation("wrong digest", "PUT", "refused", {}, {"content-md5": md5(b"2")}, b"1"),
                Operation("copy of nothing", "PUT", "refused", {}, {"x-amz-copy-source": f"{self.bucket}/never"}),
                Operation("copy from nowhere", "PUT", "refused", {}, {"x-amz-copy-source": "diff-nowhere/k"}),
                Operation("copy source malformed", "PUT", "refused", {}, {"x-amz-copy-source": "nonsense"}),
                Operation("put nowhere", "PUT", "k", bucket="diff-nowhere", body=b"1"),
                Operation("upload nowhere", "POST", "k", {"uploads": ""}, bucket="diff-nowhere"),
                Operation("get of nothing", "GET", "never/there"),
                Operation("wrong storage class", "PUT", "refused", {}, {"x-amz-storage-class": "PAPER"}),
                Operation("unknown versioning", "PUT", None, {"versioning": ""}, body=b"<V"),
            ]
        )


class Side:
    """A server, and the values that it gave out."""

    def __init__(self, endpoint, access_key, secret_key):
        self.endpoint, self.access_key, self.secret_key = endpoint, access_key, secret_key
        self.slots = {}

    def perform(self, operation, bucket):
        """Sends it and returns the answers: one, or all pages of a listing of objects."""
        query = {
            name: self.slots.get(value.name, "no-such-value") if isinstance(value, Slot) else value
            for name, value in operation.query.items()
        }
        answers = [self.send(operation, bucket, query)]
        if answers[0].status == 200:
            for slot, field in operation.saves.items():
                self.slots[slot] = answers[0].field(field) or "no-such-value"
        while operation.name.startswith("list v") and len(answers) < 200:
            mark = following(answers[-1], query)
            if not mark:
                break
            answers.append(self.send(operation, bucket, {**query, **mark}))
        return answers

    def send(self, operation, bucket, query):
        path = "/" + (operation.bucket or bucket) + ("" if operation.key is None else "/" + quote(operation.key))
        return Request(self, operation.method, path, query, operation.headers, operation.body).sign().send()


def following(page, query):
    """The parameter that asks for the page behind this one; None behind the last."""
    if page.status != 200 or page.field("IsTruncated") != "true":
        return None
    if "list-type" in query:
        return {"continuation-token": page.field("NextContinuationToken")}
    mark = page.field("NextMarker") or page.fields("Contents/Key")[-1]
    return {"marker": urllib.parse.unquote_plus(mark) if "encoding-type" in query else mark}
