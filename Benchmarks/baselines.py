"""What the machine itself needs for the same script: a bare fork and exec, and a bare OCI runtime.

Each script prints the time at which it runs, in nanoseconds; the latency is that time minus the one just before the
start. Both sides of every comparison thus carry the same start of `date`.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import time

SCRIPT = "#!/bin/sh\nexec date +%s%N\n"
UNIFIED = "/sys/fs/cgroup/unified"


def printed_time(text):
    """The nanoseconds that the script printed, wherever in the text they stand."""
    found = re.search(r"\b1\d{18}\b", text)
    if not found:
        raise RuntimeError(f"the script printed no time: {text[:300]!r}")
    return int(found.group())


def fork_exec(count, folder):
    """Seconds from before posix_spawn until the script runs, for each of the starts."""
    script = os.path.join(folder, "script.sh")
    with open(script, "w", encoding="ascii") as file:
        file.write(SCRIPT)
    os.chmod(script, 0o755)
    return [started([script]) for _ in range(count)]


def started(command):
    begin = time.time_ns()
    result = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    if result.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {result.returncode} {result.stderr[:500]!r}")
    return (printed_time(result.stdout.decode()) - begin) / 1e9


def make_root(folder):
    """A root file system with sh and date of this machine and the libraries that they need; its path."""
    root = os.path.join(folder, "rootfs")
    for name in ("bin", "tmp", "proc", "dev", "sys", "etc", "usr/bin", "input", "output"):
        os.makedirs(os.path.join(root, name), exist_ok=True)
    for name, source in (("sh", "/bin/sh"), ("date", "/bin/date"), ("sleep", "/bin/sleep"), ("true", "/bin/true"),
                         ("cat", "/bin/cat")):
        source = os.path.realpath(source)
        copy(source, os.path.join(root, "bin", name))
        listed = subprocess.run(["ldd", source], capture_output=True, text=True, check=False).stdout
        for library in re.findall(r"(/\S+) \(0x", listed):
            copy(os.path.realpath(library), root + library)
    for name in ("sh", "date", "sleep", "true", "cat"):
        link = os.path.join(root, "usr/bin", name)
        if not os.path.lexists(link):
            os.symlink(f"../../bin/{name}", link)
    return root


def copy(source, target):
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if not os.path.exists(target):
        shutil.copy2(source, target)


def make_archive(root, path):
    """The root file system as a tarball, the simplest form of an image."""
    with tarfile.open(path, "w") as archive:
        for name in sorted(os.listdir(root)):
            archive.add(os.path.join(root, name), arcname=name)


class Runtime:
    """A bundle and the OCI runtime that runs it here."""

    def __init__(self, folder, root):
        self.bundle = os.path.join(folder, "bundle")
        os.makedirs(self.bundle, exist_ok=True)
        with open(os.path.join(root, "bin", "script.sh"), "w", encoding="ascii") as file:
            file.write(SCRIPT)
        os.chmod(os.path.join(root, "bin", "script.sh"), 0o755)
        self.program, reasons = None, []
        for name in ("crun", "runc"):
            program = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
            if program is None:
                reasons.append(f"{name} is not installed")
                continue
            self.program = program
            try:
                self.write_bundle(root)
                self.starts(1)
                break
            except RuntimeError as error:
                reasons.append(str(error))
                self.program = None
        self.reason = "; ".join(reasons)

    @property
    def name(self):
        return os.path.basename(self.program)

    def write_bundle(self, root):
        """The runtime's own default configuration, which has all namespaces, with our script in it."""
        path = os.path.join(self.bundle, "config.json")
        if os.path.exists(path):
            os.remove(path)
        subprocess.run([self.program, "spec"], cwd=self.bundle, check=True, capture_output=True)
        with open(path, encoding="utf-8") as file:
            config = json.load(file)
        config["root"] = {"path": root, "readonly": True}
        config["process"].update(terminal=False, args=["/bin/script.sh"])
        with open(path, "w", encoding="utf-8") as file:
            json.dump(config, file)

    def starts(self, count):
        """Seconds from before the runtime's start until the script runs, for each of the starts.

        They are made by a process of their own, which on hosts with a hybrid control group layout first leaves its
        second part, as Apus does for each container: crun refuses to run there otherwise.
        """
        command = [sys.executable, os.path.abspath(__file__), self.program, self.bundle, str(count)]
        if os.path.ismount(UNIFIED) and os.geteuid() == 0:
            leave = f'umount -l {UNIFIED} && exec "$0" "$@"'
            command = ["unshare", "--mount", "--propagation", "private", "--", "sh", "-c", leave, *command]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{self.name} run: {done.stderr.strip()[-500:]}")
        return json.loads(done.stdout)


def main():
    program, bundle, count = sys.argv[1:]
    command = [program, "run", "--bundle", bundle]
    json.dump([started([*command, f"apus-bench-{os.getpid()}-{number}"]) for number in range(int(count))], sys.stdout)


if __name__ == "__main__":
    main()
