"""Listings, versions 1 and 2: every parameter, and paging at exactly 1,000 entries."""

import concurrent.futures
import hashlib

from boto3_suite import fails, keys
from cases import case, equal, expect
from raw import bucket, client, send, target

BUCKET = "conf-list"
MANY = "conf-many"
NAMES = sorted(
    ["a", "a/1", "a/2", "a/b/1", "a/b/2", "b c/ü", "b+c", "b/1", "c", "c-1", "c/", "c/1", "\uffee", "\U0001f600"],
    key=str.encode,
)


def listing(context, query=None, name=BUCKET):
    return send(context, "GET", target(name), query).want(200)


def v2(context, **query):
    return listing(
        context, {"list-type": "2", **{name.replace("_", "-"): str(value) for name, value in query.items()}}
    )


@case("fields: of the answer and of each key; an empty bucket")
def fields(context):
    s3 = bucket(context, BUCKET)
    empty = s3.list_objects_v2(Bucket=BUCKET)
    equal((empty["KeyCount"], empty["IsTruncated"], empty.get("Contents")), (0, False, None), "empty bucket")
    for name in NAMES:
        s3.put_object(Bucket=BUCKET, Key=name, Body=name.encode())
    answer = v2(context)
    equal(answer.fields("Contents/Key"), NAMES, "keys in the order of their bytes")
    top = {name: answer.field(name) for name in ("Name", "Prefix", "KeyCount", "MaxKeys", "IsTruncated")}
    wanted = {"Name": BUCKET, "Prefix": "", "KeyCount": str(len(NAMES)), "MaxKeys": "1000", "IsTruncated": "false"}
    equal(top, wanted, "fields of the answer")
    entry = answer.root.find("Contents")
    told = {child.tag: child.text for child in entry}
    equal((told["Size"], told["ETag"]), ("1", f'"{hashlib.md5(b"a").hexdigest()}"'), "size and ETag")
    equal(told["StorageClass"], "STANDARD", "class")
    expect(told["LastModified"].endswith("Z") and "T" in told["LastModified"], f"time {told['LastModified']}")
    expect(entry.find("Owner") is None, "owner comes unasked in version 2")
    expect(v2(context, fetch_owner="true").field("Contents/Owner/ID"), "owner with fetch-owner")
    expect(listing(context).field("Contents/Owner/ID"), "owner in version 1")


@case("prefix and delimiter: folders, several characters, characters that are no slash, both together")
def delimiters(context):
    table = [
        ({}, NAMES, []),
        ({"prefix": "a/"}, ["a/1", "a/2", "a/b/1", "a/b/2"], []),
        ({"delimiter": "/"}, ["a", "b+c", "c", "c-1", "\uffee", "\U0001f600"], ["a/", "b c/", "b/", "c/"]),
        ({"delimiter": "/", "prefix": "a/"}, ["a/1", "a/2"], ["a/b/"]),
        ({"delimiter": "/", "prefix": "a"}, ["a"], ["a/"]),
        ({"delimiter": "/", "prefix": "c/"}, ["c/", "c/1"], []),
        ({"delimiter": "/1"}, [n for n in NAMES if "/1" not in n], ["a/1", "a/b/1", "b/1", "c/1"]),
        ({"delimiter": "b"}, [n for n in NAMES if "b" not in n], ["a/b", "b"]),
        ({"prefix": "none"}, [], []),
        ({"delimiter": "none"}, NAMES, []),
        ({"prefix": "b c/\u00fc"}, ["b c/\u00fc"], []),
        ({"delimiter": ""}, NAMES, []),
    ]
    for query, contents, prefixes in table:
        for version in ({"list-type": "2"}, {}):
            answer = listing(context, {**query, **version})
            equal(answer.fields("Contents/Key"), contents, f"keys of {query} {version}")
            equal(answer.fields("CommonPrefixes/Prefix"), prefixes, f"prefixes of {query} {version}")
        count = v2(context, **query).field("KeyCount")
        equal(count, str(len(contents) + len(prefixes)), f"KeyCount of {query}")


@case("pages of every size, with and without delimiter, give the same in both versions")
def pages(context):
    def by_pages(size, version, **query):
        found, mark, count = [], {}, 0
        while True:
            answer = listing(context, {**version, **query, **mark, "max-keys": str(size)})
            entries = [
                child.find("Key" if child.tag == "Contents" else "Prefix").text
                for child in answer.root
                if child.tag in ("Contents", "CommonPrefixes")
            ]
            expect(0 < len(entries) <= size, f"page of {len(entries)} for {size}")
            found, count = found + sorted(entries, key=str.encode), count + 1
            if answer.field("IsTruncated") == "false":
                return found, count
            expect(len(entries) == size, "a page that is cut is full")
            if version:
                mark = {"continuation-token": answer.field("NextContinuationToken")}
            else:
                mark = {"marker": answer.field("NextMarker") or found[-1]}

    for query in ({}, {"delimiter": "/"}, {"prefix": "a", "delimiter": "/"}, {"prefix": "a/"}):
        whole = by_pages(1000, {}, **query)[0]
        for size in (1, 2, 3, 5, len(whole)):
            for version in ({}, {"list-type": "2"}):
                found, count = by_pages(size, version, **query)
                equal(found, whole, f"{query} by {size} {version}")
                equal(count, -(-len(whole) // size), f"number of pages of {query} by {size} {version}")


@case("start-after and marker: at a key, between keys, within a folder, behind everything")
def starts(context):
    for after in ("a/1", "a/12", "", "b", "zzz", "\U0001f600", "a/b/"):
        rest = [name for name in NAMES if name.encode() > after.encode()]
        equal(v2(context, start_after=after).fields("Contents/Key"), rest, f"keys after {after!r}")
        equal(listing(context, {"marker": after}).fields("Contents/Key"), rest, f"keys behind marker {after!r}")
    answer = v2(context, delimiter="/", start_after="a/b/2")
    equal(answer.fields("CommonPrefixes/Prefix"), ["b c/", "b/", "c/"], "a folder that is behind")
    equal(v2(context, start_after="a/1").field("StartAfter"), "a/1", "StartAfter told")
    equal(listing(context, {"marker": "a/1"}).field("Marker"), "a/1", "Marker told")
    page = client(context).list_objects_v2(Bucket=BUCKET, MaxKeys=1, StartAfter="a")
    token = page["NextContinuationToken"]
    both = client(context).list_objects_v2(Bucket=BUCKET, MaxKeys=1, StartAfter="c", ContinuationToken=token)
    equal(keys(both), ["a/2"], "a token beats start-after")
    equal(both["ContinuationToken"], token, "token told")


@case("encoding-type=url: keys, prefixes, delimiter and marks are escaped; others are refused")
def encoding(context):
    answer = v2(context, encoding_type="url", prefix="b c/", delimiter="ü", start_after="b !")
    expect(answer.field("Prefix") in ("b+c/", "b%20c/"), f"Prefix: {answer.field('Prefix')}")
    equal(answer.field("Delimiter"), "%C3%BC", "Delimiter")
    expect(
        answer.field("StartAfter") in ("b+%21", "b%20%21", "b%20!", "b+!"),
        f"StartAfter: {answer.field('StartAfter')}",
    )
    expect(answer.fields("CommonPrefixes/Prefix") in (["b+c/%C3%BC"], ["b%20c/%C3%BC"]), f"prefixes: {answer}")
    equal(answer.field("EncodingType"), "url", "EncodingType")
    expect("b%2Bc" in v2(context, encoding_type="url").fields("Contents/Key"), "a plus is escaped")
    answer = listing(context, {"encoding-type": "url", "delimiter": "/", "max-keys": "2", "prefix": "b"})
    expect(answer.field("NextMarker") in ("b%2Bc",), f"NextMarker: {answer.field('NextMarker')}")
    for version in ({}, {"list-type": "2"}):
        send(context, "GET", target(BUCKET), {"encoding-type": "rot13", **version}).want(400, "InvalidArgument")


@case("max-keys: none, 0, more than 1,000; what is no number")
def max_keys(context):
    for version in ({}, {"list-type": "2"}):
        answer = listing(context, {"max-keys": "0", **version})
        equal((answer.fields("Contents/Key"), answer.field("IsTruncated")), ([], "false"), "max-keys=0")
        equal(listing(context, {"max-keys": "5000", **version}).field("MaxKeys"), "1000", "MaxKeys told")
        for value in ("-1", "x", "1.5", "99999999999"):
            send(context, "GET", target(BUCKET), {"max-keys": value, **version}).want(400, "InvalidArgument")
    send(context, "GET", target(BUCKET), {"list-type": "3"}).want(400, "InvalidArgument")
    for token in ("nonsense", "%%", ""):
        query = {"list-type": "2", "continuation-token": token}
        send(context, "GET", target(BUCKET), query).want(400, "InvalidArgument")


@case("1,000 keys are one page, 1,001 are two; folders count as keys do")
def exact(context):
    s3 = bucket(context, MANY, max_pool_connections=8)
    names = [f"k/{number:04}/x" for number in range(1001)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: s3.put_object(Bucket=MANY, Key=name, Body=b""), names))
    for options in ({}, {"Delimiter": "/", "Prefix": "k/"}):
        first = s3.list_objects_v2(Bucket=MANY, **options)
        equal((first["KeyCount"], first["IsTruncated"]), (1000, True), f"first page {options}")
        rest = s3.list_objects_v2(Bucket=MANY, ContinuationToken=first["NextContinuationToken"], **options)
        equal((rest["KeyCount"], rest["IsTruncated"]), (1, False), f"second page {options}")
        equal(s3.list_objects(Bucket=MANY, **options)["IsTruncated"], True, f"first page of version 1 {options}")
    expect("NextMarker" not in s3.list_objects(Bucket=MANY), "NextMarker without delimiter")
    equal(s3.list_objects(Bucket=MANY, Delimiter="/", Prefix="k/")["NextMarker"], "k/0999/", "NextMarker")
    s3.delete_object(Bucket=MANY, Key=names[500])
    for options in ({}, {"Delimiter": "/", "Prefix": "k/"}):
        whole = s3.list_objects_v2(Bucket=MANY, **options)
        equal((whole["KeyCount"], whole["IsTruncated"]), (1000, False), f"1,000 {options}")
        expect("NextContinuationToken" not in whole, "a token without more to come")


@case("a listing goes on where it was when keys come and go behind and before it")
def moving(context):
    s3 = client(context)
    page = s3.list_objects_v2(Bucket=MANY, MaxKeys=10)
    s3.delete_object(Bucket=MANY, Key="k/0009/x")
    s3.put_object(Bucket=MANY, Key="k/0001/new", Body=b"")
    s3.put_object(Bucket=MANY, Key="k/0010/a", Body=b"")
    rest = s3.list_objects_v2(Bucket=MANY, MaxKeys=2, ContinuationToken=page["NextContinuationToken"])
    equal(keys(rest), ["k/0010/a", "k/0010/x"], "the next page")
    fails("NoSuchBucket", 404, s3.list_objects_v2, Bucket="conf-nowhere")
    fails("NoSuchBucket", 404, s3.list_objects, Bucket="conf-nowhere")
