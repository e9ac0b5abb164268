"""What of an answer is compared: status, error code, significant headers, and the document without ids and dates."""

import email.header
import urllib.parse

HEADERS = {
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-range",
    "content-type",
    "expires",
    "x-amz-mp-parts-count",
    "x-amz-storage-class",
    "x-amz-tagging-count",
}
# Each server makes these up; that they are there is compared, not what they are.
MADE_UP = {"ID", "DisplayName", "UploadId", "NextUploadIdMarker"}
DATES = {"LastModified", "CreationDate", "Initiated"}
# Where a page ends is the suite s3_conformance_list's matter; here the pages together are compared.
PAGING = {"Contents", "CommonPrefixes", "KeyCount", "IsTruncated", "NextMarker", "NextContinuationToken"}


def facts(operation, answers):
    """The answers to one operation as a flat table."""
    answer = answers[0]
    failed = answer.status >= 300
    code = answer.code if failed and answer.method != "HEAD" and answer.body else ""
    found = {"answer": f"{answer.status} {code}".strip()}
    if failed:
        return found
    of_object = operation.name in ("get", "head")
    for name, value in answer.headers.items():
        name = name.lower()
        if (of_object and name in HEADERS) or name.startswith(("x-amz-meta-", "x-amz-version", "x-amz-delete")):
            found[f"header {name}"] = str(email.header.make_header(email.header.decode_header(value)))
    if operation.name in ("get", "head", "put", "put part"):
        found["header etag"] = answer["etag"]
    if of_object:
        found["header accept-ranges"] = answer["accept-ranges"]
        found["header content-length"] = answer["content-length"]
        found["header last-modified"] = "a date" if answer["last-modified"] else "none"
    if operation.name != "get" and answer.body.lstrip().startswith(b"<"):
        found["header content-type"] = "XML" if "xml" in found.get("header content-type", "") else "no XML"
        flatten(answer.root, "", found, PAGING if operation.name.startswith("list v") else ())
        if operation.name.startswith("list v"):
            found.update(entries(answers, "encoding-type" in operation.query))
    elif operation.method != "HEAD":
        found["body"] = answer.body
    return found


def flatten(element, path, found, skipped=()):
    """Adds the text of each element under its path; elements of one name are numbered."""
    path = f"{path}/{element.tag}"
    number = 1
    while (f"{path}[{number}]" if number > 1 else path) in found:
        number += 1
    name = f"{path}[{number}]" if number > 1 else path
    text = (element.text or "").strip()
    if element.tag in MADE_UP:
        text = "made up" if text else ""
    elif element.tag in DATES:
        text = "a date"
    elif element.tag == "Location":
        text = urllib.parse.unquote(urllib.parse.urlsplit(text).path)
    found[name] = text
    for child in element:
        if child.tag not in skipped:
            flatten(child, name, found)


def entries(answers, encoded):
    """What all pages of a listing tell of keys and folders."""
    decode = urllib.parse.unquote_plus if encoded else str
    found = {}
    for answer in answers:
        for element in answer.root.iterfind("Contents"):
            key = decode(element.findtext("Key"))
            found[f"key {key}"] = f"{element.findtext('Size')} bytes"
            found[f"ETag of {key}"] = element.findtext("ETag")
            found[f"class of {key}"] = element.findtext("StorageClass")
            found[f"owner of {key}"] = "somebody" if element.findtext("Owner/ID") else "nobody"
        for prefix in answer.fields("CommonPrefixes/Prefix"):
            found[f"folder {decode(prefix)}"] = "there"
    return found


def differences(mine, other):
    """Name, value here, value there, of what differs; where status or code differ, only that."""
    if mine["answer"] != other["answer"]:
        return [("answer", mine["answer"], other["answer"])]
    names = sorted(set(mine) | set(other))
    return [(name, mine.get(name), other.get(name)) for name in names if mine.get(name) != other.get(name)]
