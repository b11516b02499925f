"""Repeated readings: the same series, the device's own event time, and value, seen before."""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import Any
from zlib import crc32

from devices.reading import Reading

REMEMBERED = 128
"""How many readings of a series are remembered: those with the newest event times."""


class Repeats:
    """Recognise readings that a device, or whatever stands between, has said again.

    Only readings with the device's own time can be told apart from new ones. Beyond the oldest remembered time nothing can be told; such a
    reading is called `beyond`, and may be counted but must enter no window, where it could stand twice.
    """

    def __init__(self, state: dict[str, list[list[int]]] | None = None) -> None:
        self._seen: dict[str, list[list[int]]] = state or {}

    def look(self, reading: Reading) -> str:
        """Give `new`, `repeat` or `beyond`, and remember a new one.

        >>> from devices.reading import Reading
        >>> at = lambda ts, v: Reading(device="d", metric="m", key="m", value=v, raw_value=v, ts=ts, received=9, time_source="device", convention="x")
        >>> repeats = Repeats()
        >>> [repeats.look(at(*said)) for said in [(1, 20.0), (2, 20.0), (1, 20.0), (1, 20.5)]]
        ['new', 'new', 'repeat', 'new']
        """
        if reading.time_source.startswith("received"):
            return "new"
        seen = self._seen.setdefault(f"{reading.device}\x1f{reading.metric}\x1f{reading.channel}", [])
        said = [reading.ts, crc32(repr(reading.value).encode())]
        if not seen or said > seen[-1]:
            seen.append(said)
        else:
            if len(seen) >= REMEMBERED and said < seen[0]:
                return "beyond"
            at = bisect_left(seen, said)
            if seen[at] == said:
                return "repeat"
            insort(seen, said)
        if len(seen) > REMEMBERED:
            del seen[0]
        return "new"

    def snapshot(self) -> dict[str, Any]:
        return self._seen
