"""The wall clock of the gateway's processes, set while they run.

A library of the rig's own (`clock.c`, compiled when it is needed) and not libfaketime: under Debian 12's 0.9.10, Python 3.11's `time.sleep`
fails with EINVAL unless the monotonic clock is moved as well, which no step of a real clock does.
"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path

from faults.rig.compiled import compiled


class Clock:
    """A clock that begins right; `environment` gives it to a process and its children."""

    def __init__(self, folder: Path) -> None:
        library, file = compiled(Path(__file__).with_name("clock.c"), folder), folder / "clock"
        file.write_bytes(struct.pack("=q", 0))
        with file.open("r+b") as opened:
            self._ahead = mmap.mmap(opened.fileno(), 8)
        self.environment = {"LD_PRELOAD": str(library), "RIG_CLOCK": str(file)}

    def set(self, ahead: float) -> None:
        """Let it be so many seconds ahead of the true one, behind where negative."""
        self._ahead[:8] = struct.pack("=q", round(ahead * 1e9))
