"""What a process has taken so far: processor and disk."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

_TICKS = os.sysconf("SC_CLK_TCK")


class Taken(NamedTuple):
    """Seconds of processor, and bytes given to the disk (proc_pid_stat(5), proc_pid_io(5))."""

    cpu: float
    written: int

    @classmethod
    def by(cls, pid: int) -> Taken:
        """Look at a process, with all its threads; nothing where it is gone."""
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            io = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text().splitlines())
        except OSError:
            return cls(0.0, 0)
        return cls((int(fields[11]) + int(fields[12])) / _TICKS, int(io["write_bytes"]))

    def since(self, before: Taken) -> Taken:
        """Give what was taken between two looks."""
        return Taken(self.cpu - before.cpu, self.written - before.written)
