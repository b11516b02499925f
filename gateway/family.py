"""A process and those that it has started: the workers of the flows count with the first of them."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path


def family(pid: int) -> list[int]:
    """Give a process and all that it, or one of those, has started and that run (proc_tid_children(5)); at least the process itself."""
    found = [pid]
    for one in found:
        with suppress(OSError):
            for thread in Path(f"/proc/{one}/task").iterdir():
                found += map(int, (thread / "children").read_text().split())
    return found
