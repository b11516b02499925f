"""The heartbeat of a process: a file that it touches while it works, so that whoever looks after it sees when it hangs."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from time import monotonic

FLOWS, GATEWAY, BROKER = "flows.alive", "gateway.alive", "broker.alive"
"""The files of the three, in the data folder; for the broker, whoever asks it beats."""
_EVERY = 1.0
"""Seconds between two touches: the supervisor waits thirty times as long."""


class Heartbeat:
    """The beating side, in the process that works."""

    def __init__(self, path: Path) -> None:
        """`path` is made with the first beat."""
        self._path = path
        self._last: float | None = None

    def beat(self) -> None:
        """Touch the file, at most once a second, so that it may be called in every turn of a loop; never raises: a full disk is no hang."""
        now = monotonic()
        if self._last is None or now - self._last >= _EVERY:
            self._last = now
            with suppress(OSError):
                self._path.touch()


class Heart:
    """The listening side: for how long a process that was started now has been silent.

    Only the listener's own time counts, and only whether the file changes: the clock by which it is stamped may be set at any time.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp = self._look()
        self.silent = 0.0
        """Seconds since the last beat, or since the process was started."""
        self.beaten = False
        """Whether it has beaten at all since then."""

    def listen(self, seconds: float) -> None:
        """Look whether it has beaten, when so many seconds have passed since the last look."""
        stamp = self._look()
        if stamp == self._stamp:
            self.silent += seconds
        else:
            self._stamp, self.silent, self.beaten = stamp, 0.0, True

    def forgive(self) -> None:
        """Begin to count anew: it was the listener who was away."""
        self.silent = 0.0

    def _look(self) -> int:
        try:
            return self._path.stat().st_mtime_ns
        except OSError:
            return 0
