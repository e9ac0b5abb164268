"""A small disk of its own for each cluster, which can be filled: a tmpfs, an ext4 in a file, or only a directory."""

import contextlib
import os
import subprocess

KINDS = ("tmpfs", "loop", "none")


class Disk:
    """Mounted at `path`. Without the right to mount it is a directory, which cannot be filled."""

    def __init__(self, kind, path, size):
        self.kind, self.path, self.size = kind, path, size
        self.ballast = os.path.join(path, "ballast")
        os.makedirs(path)
        if kind == "tmpfs":
            mount("-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", path)
        elif kind == "loop":
            image = path + ".img"
            with open(image, "wb") as file:
                file.truncate(size)
            subprocess.run(["mkfs.ext4", "-q", "-m", "0", image], check=True)
            mount("-o", "loop", image, path)

    @property
    def can_be_filled(self):
        return self.kind != "none"

    @property
    def free(self):
        status = os.statvfs(self.path)
        return status.f_bavail * status.f_frsize

    def fill(self, left):
        """Leaves at most so many bytes; to be called again while the disk shall be full, since room comes back."""
        missing = self.free - left
        if missing <= 0:
            return
        file = os.open(self.ballast, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            # Another program may take the room first.
            with contextlib.suppress(OSError):
                os.posix_fallocate(file, os.fstat(file).st_size, missing)
        finally:
            os.close(file)

    def empty(self):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.ballast)

    def unmount(self):
        if self.kind != "none":
            subprocess.run(["umount", self.path], check=False)


def mount(*arguments):
    subprocess.run(["mount", *arguments], check=True)
