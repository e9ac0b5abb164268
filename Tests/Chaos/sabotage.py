"""Harm that is done to a line that has come to its end well, to see that the oracle finds each piece of it."""

import os
import subprocess

EXPECTED = {"lost", "doubled", "wrong", "leftover"}


def harm(clusters):
    """Takes a result away, puts one twice, changes one, and puts an object that nobody's upload explains."""
    a, c = clusters["A"].boto(), clusters["C"].boto()
    pages = c.get_paginator("list_object_versions").paginate(Bucket="final", Prefix="out/")
    versions = [item for page in pages for item in page.get("Versions", [])]
    gone, twice, changed = versions[0], versions[1], versions[2]
    c.delete_object(Bucket="final", Key=gone["Key"], VersionId=gone["VersionId"])
    body = c.get_object(Bucket="final", Key=twice["Key"])["Body"].read()
    c.put_object(Bucket="final", Key=twice["Key"], Body=body)
    c.delete_object(Bucket="final", Key=changed["Key"], VersionId=changed["VersionId"])
    c.put_object(Bucket="final", Key=changed["Key"], Body=b"via nobody\n")
    a.put_object(Bucket="line", Key="other/of-nobody", Body=b"?")
    return [f"final/{item['Key']!r}" for item in (gone, twice, changed)] + ["other/of-nobody"]


def leave(cluster):
    """Leaves a process, a file and a directory where nothing may be; returns the process."""
    for name in ("work/left", "deliveries/left"):
        os.makedirs(os.path.join(cluster.data, name), exist_ok=True)
    environment = {**os.environ, "PATH": cluster.environment["PATH"]}
    return subprocess.Popen(["sleep", "600"], env=environment, start_new_session=True)


def missed(report, harmed):
    """What the report does not speak of."""
    texts = [text for _, text in report.problems]
    expected = [*harmed, "work/left", "deliveries/left", "sleep 600"]
    return [what for what in expected if not any(what in text for text in texts)] + sorted(
        EXPECTED - {kind for kind, _ in report.problems}
    )
