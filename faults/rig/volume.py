"""A file system of the rig's own: small, to be filled; and one that forgets what was never synced, as a power cut does."""

from __future__ import annotations

import fcntl
import os
import shutil
import struct
import subprocess
from pathlib import Path

from gateway.bench.waiting import until

_SHUTDOWN, _WITHOUT_THE_LOG = 0x8004587D, 2
"""ext4's ioctl(2) by which it stops at once, as if the power were gone: nothing more is written, its own log neither."""


def possible() -> str:
    """Say why file systems cannot be mounted here; "" where they can."""
    if os.geteuid() != 0:
        return "only root may mount a file system"
    missing = [
        name for name in ("mkfs.ext4", "mount", "losetup") if shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin") is None
    ]
    return f"{', '.join(missing)} is not installed" if missing else ""


class Volume:
    """An ext4 of so many MB in a file, mounted."""

    def __init__(self, folder: Path, megabytes: int) -> None:
        self.path = folder / "mounted"
        self._image = folder / "volume.img"
        self.path.mkdir(parents=True)
        with self._image.open("wb") as image:
            image.truncate(megabytes * 2**20)
        _run("mkfs.ext4", "-q", "-F", "-m", "0", str(self._image))
        self._mounted = False
        self.mount()

    def mount(self) -> None:
        _run("mount", "-o", "loop", str(self._image), str(self.path))
        self._mounted = True

    def fill(self, *, leave: int = 0) -> None:
        """Take all of its space but `leave` bytes."""
        ballast = self.path / "filled"
        with ballast.open("ab") as file:
            block = bytes(65_536)
            while True:
                free = os.statvfs(self.path)
                left = free.f_bavail * free.f_frsize - leave
                if left <= 4096:
                    return
                try:
                    file.write(block[: min(left, len(block))])
                    file.flush()
                except OSError:
                    return

    def free(self) -> None:
        """Give the space back."""
        (self.path / "filled").unlink(missing_ok=True)

    def cut_power(self) -> None:
        """Lose everything that was not synced; then mount what is left."""
        handle = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(handle, _SHUTDOWN, struct.pack("I", _WITHOUT_THE_LOG))
        finally:
            os.close(handle)

    def unmount(self) -> None:
        if self._mounted:
            until(lambda: _tried("umount", str(self.path)), "nobody holds the file system any more", 20.0)
            self._mounted = False


def _run(*words: str) -> None:
    assert _tried(*words), f"{' '.join(words)}: cannot be done"


def _tried(*words: str) -> bool:
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    return subprocess.run(words, capture_output=True, check=False, env={**os.environ, "PATH": path}).returncode == 0
