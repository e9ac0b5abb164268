"""What the measurements ran on, in a few words."""

import datetime
import os
import platform
import subprocess


def describe():
    """The machine in a few words: processor, cores, memory, kernel, distribution."""
    model = platform.machine()
    with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
        for line in file:
            if line.startswith(("model name", "Model")):
                model = line.split(":", 1)[1].strip()
                break
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        system = platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")
    except OSError:
        system = "Linux"
    return (f"{model}, {len(os.sched_getaffinity(0))} cores, {memory / (1 << 30):.0f} GiB, "
            f"Linux {platform.release()}, {system}")


def disk(folder):
    """The file system and the device that a folder is on."""
    best = ("", "", "")
    with open("/proc/self/mounts", encoding="utf-8") as file:
        for line in file:
            device, place, kind = line.split()[:3]
            inside = place == "/" or folder == place or folder.startswith(place + "/")
            if inside and len(place) >= len(best[0]):
                best = (place, device, kind)
    return f"{best[2]} on {best[1]}"


def today():
    """The date, and the commit that is checked out where there is one."""
    commit = subprocess.run(
        ["git", "-C", os.path.dirname(os.path.abspath(__file__)), "rev-parse", "--short", "HEAD"],
        capture_output=True, text=True, check=False).stdout.strip()
    return datetime.date.today().isoformat() + (f", commit {commit}" if commit else "")
