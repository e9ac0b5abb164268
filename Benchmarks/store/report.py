"""Turns what was measured into tables, and says which aims are met."""

import dataclasses
import os

import machine
from measuring import replace_part, table

HEADING = "## The object store beside others"


class Results:
    """All numbers of a run."""

    def __init__(self, cells):
        self.cells, self.found, self.failures = cells, {}, {}
        self.peers, self.machine, self.scale, self.minutes, self.load = {}, {}, [], 0, 0

    def rate(self, cell, peer):
        """Requests a second, or None where it was not measured."""
        result = self.found.get((cell, peer))
        return result.rate if result else None

    def apus(self):
        return [name for name in self.peers if name.startswith("apus-")]

    def syncing(self, others=True):
        """The servers that sync what they answer with success to; `others` without Apus, and without the floor."""
        return [
            name for name, facts in self.peers.items()
            if facts["syncs"] and not facts["syncs"].startswith(("nothing", "unknown"))
            and not (others and name.startswith(("apus-", "nginx")))]


def seconds(value):
    return f"{value * 1e3:.2f} ms" if value < 1 else f"{value:.2f} s"


def amount(cell, result):
    return f"{result.mebibytes:,.0f} MiB/s" if cell.large else f"{result.rate:,.0f}/s"


def words(cell, result):
    """One result in a line."""
    cpu = f"{result.cpu * 1e6:,.0f} µs" if result.cpu < 0.01 else f"{result.cpu * 1e3:,.0f} ms"
    return (f"{amount(cell, result):>13}  p50 {seconds(result.p50)}, p99 {seconds(result.p99)}, cpu {cpu}, "
            f"peak {result.peak >> 20} MiB, {result.requests} requests, load {result.busy * 100:.0f} % busy")


def machine_lines(results):
    m = results.machine
    if not m:
        return []
    return [
        f"disk (fio): {m['sequential']:,.0f} MiB/s written in sequence with one sync at the end; 4 KiB with an fsync each "
        f"{m['synced-1']:,.0f}/s, over 16 files at once {m['synced-16']:,.0f}/s",
        f"hashing alone, SHA-256 and MD5 in one thread: {m['hashing']:,.0f} MiB/s"]


def verdict(met):
    return "" if met is None else "yes" if met else "NO"


def compared(name, own, aim, unit="/s"):
    """A line of the aims: what, Apus, the aim in numbers, met."""
    if own is None or aim is None:
        return (name, "" if own is None else f"{own:,.0f}{unit}", "not measured", "")
    return (name, f"{own:,.0f}{unit}", f"≥ {aim:,.0f}{unit} ({own / aim:.2f} × the aim)", verdict(own >= aim))


def scaled(value, factor):
    return None if value is None else value * factor


def best(results, names):
    """The first of these servers that was measured."""
    return next((name for name in names if name in results.peers), None)


def aims(results):
    """The aims of the project for the store: (what, Apus, aim, met)."""
    if not results.apus():
        return []
    rate, lines = results.rate, []
    plain, fast = best(results, ["apus-always", *results.apus()]), best(results, ["apus-never", *results.apus()])
    grouped = best(results, ["apus-batch", "apus-always"])
    for cell in ("get-1", "get-16", "get-64"):
        lines.append(compared(f"{cell}: 0.4 × nginx", rate(cell, plain), scaled(rate(cell, "nginx"), 0.4)))
    for cell in ("put-1", "put-16", "put-64"):
        lines.append(compared(f"{cell} without sync ({fast}): nginx WebDAV", rate(cell, fast), rate(cell, "nginx")))
    syncing = results.syncing()
    for cell in ("put-1", "put-16", "put-64"):
        rivals = [(rate(cell, name), name) for name in syncing if rate(cell, name)]
        most = max(rivals, default=(None, "no peer that syncs"))
        for own in dict.fromkeys((grouped, "apus-always")):
            if own in results.peers:
                lines.append(compared(f"{cell} with sync ({own}): 2 × {most[1]}", rate(cell, own), scaled(most[0], 2)))
    for cell in ("get-64m", "get-1g"):
        own, floor = results.found.get((cell, plain)), results.found.get((cell, "nginx"))
        lines.append(compared(
            f"{cell}: 0.8 × nginx", own and own.mebibytes, scaled(floor and floor.mebibytes, 0.8), " MiB/s"))
    slower = min(results.machine["sequential"], results.machine["hashing"]) if results.machine else None
    for cell in ("put-64m", "put-64m-signed", "put-1g", "multipart-1g"):
        own = results.found.get((cell, plain))
        lines.append(compared(
            f"{cell} ({plain}): 0.8 × the slower of disk and hashing", own and own.mebibytes, scaled(slower, 0.8), " MiB/s"))
    for cell, own, figure in (("get-16", plain, 14_000), ("put-16", fast, 5_200)):
        lines.append(compared(f"{cell} ({own}): the figure set beforehand", rate(cell, own), figure))
    lines.append(better_everywhere(results, plain, fast))
    lines.append(flat(results, plain))
    return [line for line in lines if line[1]]


def better_everywhere(results, plain, fast):
    """Apus against each server with S3's interface, cell by cell; what does not sync is compared with what does not."""
    worse, count = [], 0
    for name, cell in results.cells.items():
        for peer in results.peers:
            if peer.startswith(("apus-", "nginx")) or results.rate(name, peer) is None:
                continue
            own = plain if not cell.writes or peer in results.syncing() else fast
            if results.rate(name, own) is None:
                continue
            count += 1
            ratio = results.rate(name, own) / results.rate(name, peer)
            if ratio < 1:
                worse.append(f"{name} {ratio:.2f} × {peer}")
    if not count:
        return ("better than every peer", "", "", "")
    return ("better than every peer in every cell", f"{count - len(worse)} of {count}", "; ".join(worse) or "all",
            verdict(not worse))


def flat(results, plain):
    """The most that was resident: with objects of 1 GiB no more than a quarter above that with small ones."""
    def most(*prefixes):
        return max((result.peak for (cell, peer), result in results.found.items()
                    if peer == plain and cell.startswith(prefixes)), default=None)

    small, huge = most("put-16", "get-16", "put-64", "get-64", "put-64m"), most("put-1g", "get-1g", "multipart")
    if small is None or huge is None:
        return ("memory flat", "", "", "")
    return (f"memory flat ({plain}): objects of 1 GiB beside smaller ones", f"{huge >> 20} MiB",
            f"≤ 1.25 × {small >> 20} MiB", verdict(huge <= small * 1.25))


def cell_rows(results, text):
    """A row a cell, a column a server."""
    for name, cell in results.cells.items():
        row = [results.found.get((name, peer)) for peer in results.peers]
        if any(row):
            yield [cell.label, *("–" if result is None else text(cell, result) for result in row)]


def cpu_text(_, result):
    return f"{result.cpu * 1e6:,.0f} µs" if result.cpu < 0.01 else f"{result.cpu * 1e3:,.0f} ms"


def section(results, options, folder, command):
    """The part of RESULTS.md, up to what people write below it."""
    names = list(results.peers)
    lines = [
        HEADING, "",
        f"- machine: {machine.describe()}; {machine.disk(os.path.dirname(folder))}",
        f"- date: {machine.today()}"
        + f"; {results.minutes:.0f} minutes; load average before {results.load:.1f}",
        f"- command: `{command}`", *(f"- {line}" for line in machine_lines(results)),
        "- load: `Benchmarks/store/load.c`, one thread on the same cores; status and length of every answer are checked, "
        "and content is read back after each PUT cell",
        "- nginx neither checks signatures nor hashes nor keeps an index; it is the floor, not a peer. The servers named "
        "-sync run on a directory where the kernel syncs each write, since none of the others has a setting for that", ""]
    lines += table(
        ("server", "what one PUT of 4 KiB syncs", "resident, idle"),
        [(name, facts["syncs"], f"{facts['idle'] >> 20} MiB") for name, facts in results.peers.items()])
    lines += ["", "Aims:", "", *table(("what", "Apus", "aim", "met"), aims(results))]
    for title, text in (
            ("Throughput", amount), ("Latency, p50 / p99", lambda _, one: f"{seconds(one.p50)} / {seconds(one.p99)}"),
            ("Processor time of the server a request", cpu_text),
            ("Most memory resident", lambda _, one: f"{one.peak >> 20} MiB")):
        lines += ["", f"{title}:", "", *table(("load", *names), cell_rows(results, text))]
    if results.scale:
        lines += ["", "Many objects and buckets (durability never while filling, always after):", ""]
        lines += table(("what", "Apus", "aim", "met"), results.scale)
    lines += [""] + [f"Not measured: {name}: {text}" for name, text in results.failures.items()]
    return "\n".join(lines).rstrip() + "\n"


def write(results, options, folder, command):
    """Replaces the part in the file; what people wrote below it, from the next heading on, stays."""
    replace_part(options.output, HEADING, section(results, options, folder, command))


def plain(results):
    """All of it as JSON takes it."""
    return {
        "machine": results.machine, "peers": results.peers, "failures": results.failures, "scale": results.scale,
        "cells": [{"cell": cell, "peer": peer, **dataclasses.asdict(one)} for (cell, peer), one in results.found.items()]}
