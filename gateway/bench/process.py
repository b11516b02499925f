"""What a process has taken so far: processor and disk."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from gateway.family import family

_TICKS = os.sysconf("SC_CLK_TCK")


class Taken(NamedTuple):
    """Seconds of processor, and bytes given to the disk (proc_pid_stat(5), proc_pid_io(5))."""

    cpu: float
    written: int

    @classmethod
    def by(cls, pid: int) -> Taken:
        """Look at a process and those that it has started, with all their threads; nothing where it is gone."""
        found = [cls._by_itself(one) for one in family(pid)]
        return cls(sum(one.cpu for one in found), sum(one.written for one in found))

    @classmethod
    def _by_itself(cls, pid: int) -> Taken:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            io = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text().splitlines())
        except OSError:
            return cls(0.0, 0)
        return cls((int(fields[11]) + int(fields[12])) / _TICKS, int(io["write_bytes"]))

    def since(self, before: Taken) -> Taken:
        """Give what was taken between two looks."""
        return Taken(self.cpu - before.cpu, self.written - before.written)
