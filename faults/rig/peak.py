"""The most that processes took while something was going on: memory and open files."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from gateway.status import memory

_LOOK = 0.5


class Peak:
    """Samples the processes that `pids` names, twice a second; `names` are those that count."""

    def __init__(self, pids: Callable[[], dict[str, int]], names: tuple[str, ...] = ("gateway", "flows")) -> None:
        self.memory = 0
        self.files = 0
        self.samples: list[tuple[int, int]] = []
        self._pids, self._names = pids, names
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._stop.wait(_LOOK):
            try:
                pids = [pid for name, pid in self._pids().items() if name in self._names]
            except OSError:  # the disk is gone
                continue
            if len(pids) < len(self._names):
                continue
            used, files = sum(memory(pid) for pid in pids), sum(_files(pid) for pid in pids)
            self.samples.append((used, files))
            self.memory, self.files = max(self.memory, used), max(self.files, files)

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()


def _files(pid: int) -> int:
    try:
        return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return 0
