#!/usr/bin/env python3
"""Checks what the compiler does not: which target may import what, and how long files and functions are.

Prints one line a finding; exit status 1 where there is one.
"""

import importlib
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SOURCES = ROOT / "Sources"
LONGEST_FILE = 600
LONGEST_FUNCTION = 60

# Floors from below to above; a target imports only from floors below its own (docs/architecture.md).
FLOORS = [
    {"Model"},
    {"Scheduling", "S3Wire", "InitWire"},
    {"DurableSQLite", "S3Client", "YAMLDocuments", "Settings", "Telemetry"},
    {"ObjectEngine", "StateStore", "Sandboxes", "Providers", "Identity", "APIClient", "apus-init"},
    {"Cluster"},
    {"HTTPAPI", "S3API", "Commands"},
    {"apus"},
]
FLOOR = {target: floor for floor, targets in enumerate(FLOORS) for target in targets}
# Pure logic: no I/O, no Foundation. The others do without full Foundation too; it doubles the size of what links it.
PURE = {"Model", "Scheduling", "S3Wire", "InitWire"}
FORBIDDEN_IN_PURE = re.compile(r"^(Foundation.*|NIO.*|_NIO.*|Glibc|Musl|GRDB|AsyncHTTPClient|Hummingbird.*|Logging|Metrics)$")
IMPORT = re.compile(r"^\s*(?:@\w+\s+)?(?:(?:package|public|internal|private)\s+)?import\s+(?:(?:struct|enum|class|func)\s+)?(\w+)")
FUNCTION = re.compile(r"^(\s*)(?:@\w+(?:\([^)]*\))?\s+)*(?:(?:package|public|private|fileprivate|static|mutating|override|nonisolated)\s+)*(?:func\s+\S+|init[?]?\s*[(<])")
# One function makes the graph of parts by hand, and is as long as there are parts.
LONG_ON_PURPOSE = {("apus/Server.swift", "build")}
# Made from another file, and so as long as that.
GENERATED = {"Sandboxes/FunctionHelpers.swift"}


def imports(target, path, lines):
    for number, line in enumerate(lines, 1):
        match = IMPORT.match(line)
        if not match:
            continue
        module = match.group(1)
        if module in FLOOR and module != target and FLOOR[module] >= FLOOR[target]:
            yield number, f"{target} must not import {module}, which is not on a floor below"
        if target in PURE and FORBIDDEN_IN_PURE.match(module):
            yield number, f"{target} is pure logic and must not import {module}"
        if module in ("Foundation", "FoundationNetworking"):
            yield number, f"import FoundationEssentials or do without {module}"


def functions(name, lines):
    index = 0
    while index < len(lines):
        match = FUNCTION.match(lines[index])
        if not match:
            index += 1
            continue
        indent = match.group(1)
        end = index
        while end < len(lines) and lines[end] != f"{indent}}}":
            if end > index and lines[end].strip() and not lines[end].startswith(indent):
                break
            if end == index and (lines[end].rstrip().endswith("}") or "{" not in lines[end] and not lines[end].rstrip().endswith("(")):
                break
            end += 1
        length = end - index + 1
        label = re.search(r"func\s+(\w+)", lines[index])
        label = label.group(1) if label else "init"
        if length > LONGEST_FUNCTION and (name, label) not in LONG_ON_PURPOSE:
            yield index + 1, f"{label} has {length} lines; the most is {LONGEST_FUNCTION}"
        index += 1


def helpers():
    """The helpers in the program must be those that people read."""
    maker = importlib.import_module("embed-helpers")
    if not maker.TARGET.exists() or maker.TARGET.read_text() != maker.embedded():
        yield maker.TARGET, 1, f"is not made from {maker.HELPER.relative_to(ROOT)}: run scripts/embed-helpers.py"


def main():
    findings = list(helpers())
    for path in sorted(SOURCES.rglob("*.swift")):
        target = path.relative_to(SOURCES).parts[0]
        name = str(path.relative_to(SOURCES))
        lines = path.read_text().split("\n")
        if target not in FLOOR:
            findings.append((path, 1, f"the target {target} is on no floor; add it to scripts/check-house.py"))
            continue
        if len(lines) > LONGEST_FILE and name not in GENERATED:
            findings.append((path, 1, f"the file has {len(lines)} lines; the most is {LONGEST_FILE}"))
        findings += [(path, number, text) for number, text in imports(target, path, lines)]
        findings += [(path, number, text) for number, text in functions(name, lines)]
    for path, number, text in findings:
        print(f"{path.relative_to(ROOT)}:{number}: {text}")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
