"""What runs on this machine, from /proc."""

import os


def alive():
    """All processes but this one and those that have ended."""
    own = os.getpid()
    return [
        int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != own and state(name) not in "ZX"
    ]


def state(process):
    """The letter of proc(5), X where there is no such process."""
    try:
        with open(f"/proc/{process}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return "X"


def stopped(process):
    return state(process) == "T"


def read(process, name):
    try:
        with open(f"/proc/{process}/{name}", "rb") as file:
            return file.read()
    except OSError:
        return b""


def environment(process):
    return read(process, "environ")


def command(process):
    text = read(process, "cmdline").replace(b"\0", b" ").decode(errors="replace").strip()
    return text or read(process, "comm").decode(errors="replace").strip()
