"""What clusters that have ended left behind: processes, mounts, control groups, files, damage of their stores."""

import json
import os
import subprocess

from processes import alive, command, environment

# Folders of a data directory that hold only what is under way.
EMPTY = ["work", "deliveries", "events", "networks", "objects/staging", "objects/quarantine"]
CONTROL_GROUPS = "/sys/fs/cgroup"


def find(clusters, folder):
    """A line for each thing that should not be there."""
    found = []
    for cluster in clusters.values():
        found += files(cluster)
        found += control_groups(cluster)
        found += store(cluster)
    found += processes(clusters, folder)
    return found + mounts(clusters, folder)


def processes(clusters, folder):
    marks = [folder.encode()] + [f"{cluster.scope}/".encode() for cluster in clusters.values()]
    found = []
    for process in alive():
        text = environment(process)
        # All that a cluster starts has its folder in PATH or its scope in a mark, and scripts have it in a variable.
        if any(mark in text for mark in marks) and "Tests/Chaos" not in command(process):
            found.append(f"process {process}: {command(process)[:120]}")
    return found


def mounts(clusters, folder):
    own = {cluster.disk.path for cluster in clusters.values()}
    found = []
    for table in ("/proc/self/mountinfo", "/proc/1/mountinfo"):
        try:
            with open(table, encoding="utf-8", errors="replace") as file:
                places = [line.split()[4] for line in file]
        except OSError:
            continue
        found += [f"mount {place}" for place in places if place.startswith(folder) and place not in own]
    return sorted(set(found))


def control_groups(cluster):
    found = []
    for path, names, _ in os.walk(CONTROL_GROUPS):
        found += [f"control group {path}/{name}" for name in names if cluster.scope in name]
        names[:] = [name for name in names if cluster.scope not in name]
    return found


def files(cluster):
    found = []
    for name in EMPTY:
        folder = os.path.join(cluster.data, name)
        try:
            inside = sorted(os.listdir(folder))
        except FileNotFoundError:
            continue
        found += [f"{cluster.name}: {name}/{entry}" for entry in inside[:5]]
        if len(inside) > 5:
            found.append(f"{cluster.name}: {name}/: {len(inside)} entries")
    known = {"state.sqlite", "objects", "index.sqlite"}
    for path, names, entries in os.walk(cluster.data):
        if path.endswith(("/content", "/images", "/logs")):
            names[:] = []
        names[:] = [name for name in names if name not in {"work", "deliveries", "events", "staging", "quarantine"}]
        found += [
            f"{cluster.name}: {os.path.relpath(os.path.join(path, entry), cluster.data)}"
            for entry in entries
            if entry not in known and entry.endswith(("-journal", ".tmp", ".new", "~"))
        ]
    return found


def store(cluster):
    """What `apus store verify` finds, which also looks for content that no object has."""
    command_line = [cluster.binary, "store", "verify", "--data", cluster.data, "--json"]
    result = subprocess.run(command_line, capture_output=True, text=True, check=False, timeout=600)
    found = []
    for line in result.stdout.splitlines():
        document = json.loads(line)
        is_clean_summary = "open" in document and not document["open"] and not document["repaired"]
        if not is_clean_summary:
            found.append(f"{cluster.name}: store: {line[:200]}")
    if result.returncode != 0:
        found.append(f"{cluster.name}: store verify ended with {result.returncode}: {result.stderr.strip()[:200]}")
    return found
