"""The series that are known, and so the bound on all that is kept by what devices call themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from devices.reading import Reading

DAY = 86_400
"""Seconds of the journal's time after which a series that is silent may be forgotten."""
_SWEEP = 60
"""Seconds of the journal's time between two looks for such series: a look goes through all of them."""


def series_name(reading: Reading) -> str:
    """Name a reading's series as one text."""
    return f"{reading.device}\x1f{reading.metric}\x1f{reading.channel}"


class KnownSeries:
    r"""Series by when they last said anything, at most `limit`; what is beyond is refused until others fall silent.

    A known series is never refused. Those that have been silent for a day are forgotten only where there is no room.

    >>> known = KnownSeries(1)
    >>> known.admit("a\x1fm\x1f", 0), known.admit("b\x1fm\x1f", 1), known.admit("a\x1fm\x1f", 2)
    (True, False, True)
    >>> known.forget_silent(DAY + 3), known.admit("b\x1fm\x1f", DAY + 3)
    ((['a\x1fm\x1f'], ['a']), True)
    """

    def __init__(self, limit: int, state: dict[str, Any] | None = None) -> None:
        state = state or {}
        self.limit = limit
        self._last: dict[str, int] = state.get("last", {})
        self._swept: int = state.get("swept", -_SWEEP)
        self._of = Counter(name.partition("\x1f")[0] for name in self._last)

    def _count(self, name: str) -> None:
        self._of[name.partition("\x1f")[0]] += 1

    @property
    def full(self) -> bool:
        """Whether a new series is refused."""
        return len(self._last) >= self.limit

    def sweeps(self, now: int) -> bool:
        """Tell whether `forget_silent` looks for silent series at `now`."""
        return self.full and now - self._swept >= _SWEEP

    def has(self, device: str) -> bool:
        """Tell whether a series of the device is known."""
        return device.partition("\x1f")[0] in self._of

    def admit(self, name: str, now: int) -> bool:
        """Note a series at `now` (seconds of the journal's time); False where it is new and there is no room."""
        if name not in self._last:
            if len(self._last) >= self.limit:
                return False
            self._count(name)
        self._last[name] = now
        return True

    def heard(self, series: Iterable[tuple[str, int]]) -> None:
        """Note when known series, by their names, said something last."""
        self._last.update(series)

    def forget_silent(self, now: int) -> tuple[Sequence[str], Sequence[str]]:
        """Where there is no room, forget what has been silent for a day; give the names of those series, and devices that none is left of."""
        if not self.sweeps(now):
            return (), ()
        self._swept = now
        silent = [name for name, last in self._last.items() if now - last > DAY]
        devices = []
        for name in silent:
            del self._last[name]
            device = name.partition("\x1f")[0]
            self._of[device] -= 1
            if not self._of[device]:
                del self._of[device]
                devices.append(device)
        return silent, devices

    def snapshot(self) -> dict[str, Any]:
        """Give the memory in plain builtins."""
        return {"last": self._last, "swept": self._swept}
