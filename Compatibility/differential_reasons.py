"""The differences between Apus and the MinIO of JuiceFS's gateway that have a reason.

docs/compatibility.md says the reasons, under the same names; the differential suite fails where the two disagree, and
where a difference has no reason here.
"""

import re
import urllib.parse

from raw import quote

# What JuiceFS keeps of an object: neither these headers nor the storage class.
LOST = ("header content-encoding", "header content-language", "header expires", "header x-amz-storage-class")


def invalid_range(operation):
    """Whether the request has a Range that says nothing: the last before the first, another unit, no numbers."""
    text = operation.headers.get("range", "")
    numbers = re.fullmatch(r"bytes=(\d+)-(\d+)", text)
    if numbers:
        return int(numbers[1]) > int(numbers[2])
    return bool(text) and not re.fullmatch(r"bytes=(\d+-|-\d+)", text)


def asks_any(operation):
    return any("if-" in name and "match" in name and value == "*" for name, value in operation.headers.items())


def onto_itself(operation):
    source = operation.headers.get("x-amz-copy-source", "").partition("/")[2]
    return operation.name == "copy" and source == quote(operation.key)


def in_folder(operation, folder):
    """Whether the listing starts within the folder."""
    mark = operation.query.get("marker") or operation.query.get("start-after") or ""
    return mark.startswith(folder)


def refuses_both(o, mine, other):
    """Whether both refuse, or know the content as unchanged, for reasons that the request gives both."""
    ranged = "range" in o.headers and other in ("416", "416 InvalidRange", "400", "400 InvalidRequest")
    completion = {"InvalidPart", "InvalidPartOrder", "EntityTooSmall", "NoSuchUpload"}
    of_parts = o.name == "complete upload" and {mine[4:], other[4:]} <= completion
    both = mine.startswith(("304", "4")) and other.startswith(("304", "4"))
    return both and (ranged or of_parts or onto_itself(o) or o.name in ("part number 0", "copy part"))


def two_conditions(o):
    """Whether the request has a condition on the ETag and one on the time, of which the first decides alone."""
    names = set(o.headers)
    return bool(names & {"if-match", "if-none-match"}) and bool(names & {"if-modified-since", "if-unmodified-since"})


def same_when_decoded(mine, other):
    return bool(mine and other) and urllib.parse.unquote_plus(mine) == urllib.parse.unquote_plus(other)


# Name, and whether the name explains a difference: operation, name of the fact, value of Apus, value of MinIO.
REASONS = {
    "invalid-range": lambda o, name, mine, other: (
        name == "answer" and invalid_range(o) and other.startswith("416") and not mine.startswith("5")
    ),
    "empty-suffix": lambda o, name, mine, other: (
        name == "answer" and o.headers.get("range", "").startswith("bytes=-") and mine[:3] + other == "416206"
    ),
    "any-etag": lambda o, name, mine, other: name == "answer" and asks_any(o),
    "two-conditions": lambda o, name, mine, other: name == "answer" and two_conditions(o),
    "order-of-checks": lambda o, name, mine, other: name == "answer" and refuses_both(o, mine, other),
    "same-class": lambda o, name, mine, other: (
        onto_itself(o) and "x-amz-storage-class" in o.headers and (mine, other) == ("400 InvalidRequest", "200")
    ),
    "part-of-plain": lambda o, name, mine, other: (
        o.query.get("partNumber") == "1"
        and (
            (name in ("header content-range", "header x-amz-mp-parts-count") and other is None)
            or (name == "answer" and "range" not in o.headers and (mine, other) == ("200", "206"))
        )
    ),
    "part-and-range": lambda o, name, mine, other: (
        "partNumber" in o.query and "range" in o.headers and (name, mine) == ("answer", "400 InvalidRequest")
    ),
    "completed-again": lambda o, name, mine, other: (
        o.name == "complete upload" and (mine, other) == ("200", "404 NoSuchUpload")
    ),
    "part-sizes": lambda o, name, mine, other: (
        o.name == "complete upload" and (mine, other) == ("400 EntityTooSmall", "200")
    ),
    "missing-part": lambda o, name, mine, other: (
        o.name == "complete upload" and (mine, other) == ("400 InvalidPart", "404 NoSuchUpload")
    ),
    "copy-of-parts": lambda o, name, mine, other: (
        "etag" in name.lower() and bool(re.search(r'-\d+"$', other or "")) and not re.search(r'-\d+"$', mine or "")
    ),
    "lost-headers": lambda o, name, mine, other: name in LOST or name.startswith("class of "),
    "folders": lambda o, name, mine, other: (
        mine is None and name.endswith("/") and name.startswith(("key ", "ETag of ", "owner of ", "folder "))
    ),
    "marker-in-folder": lambda o, name, mine, other: (
        other is None and name.startswith("folder ") and in_folder(o, name.removeprefix("folder "))
    ),
    "marker-outside-prefix": lambda o, name, mine, other: (
        o.name.startswith("list v") and (mine, other) == ("200", "501 NotImplemented")
    ),
    "no-keys-asked": lambda o, name, mine, other: o.query.get("max-keys") == "0" and mine is None,
    "page-sizes": lambda o, name, mine, other: name.endswith(("/MaxKeys", "/MaxParts", "/MaxUploads")),
    "empty-elements": lambda o, name, mine, other: mine is None and other == "" and name.endswith("/Delimiter"),
    "url-encoding": lambda o, name, mine, other: "encoding-type" in o.query and same_when_decoded(mine, other),
    "uploads-listed": lambda o, name, mine, other: o.name == "list uploads" and name != "answer",
    "next-part": lambda o, name, mine, other: name.endswith("/NextPartNumberMarker"),
    "deleted-keys": lambda o, name, mine, other: o.name == "delete many" and name.endswith("/Key") and other is None,
    "tags-of-nothing": lambda o, name, mine, other: (
        o.name == "put tags" and (mine, other) == ("404 NoSuchKey", "500 InternalError")
    ),
    "long-key": lambda o, name, mine, other: o.name == "long key",
    "repeated-tags": lambda o, name, mine, other: (
        o.headers.get("x-amz-tagging") == "a=1&a=2" and (mine, other) == ("400 InvalidArgument", "200")
    ),
    "not-in-gateway": lambda o, name, mine, other: (
        bool({"versioning", "lifecycle"} & set(o.query)) and other == "501 NotImplemented"
    ),
}


def reason(operation, name, mine, other):
    """The name of the first reason that explains the difference; None where there is none."""
    for identifier, explains in REASONS.items():
        if explains(operation, name, mine, other):
            return identifier
    return None
