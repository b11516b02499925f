"""Repeated readings: the same series, the device's own event time, and value, said before."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable
from typing import Literal, get_args
from zlib import crc32

from devices.reading import Reading, TimeSource

REMEMBERED = 1024
"""How many readings of a series are remembered at most: those with the newest event times, in 12 bytes each."""
MOST = 1 << 24
"""How many readings are remembered at most, whatever the number of series: with more than 16,384 of them, each has a part of that."""

_RECEIVED = frozenset(source for source in get_args(TimeSource) if source.startswith("received"))

Seen = Literal["new", "repeat", "beyond"]


class Repeats:
    """Recognise readings that a device, or whatever stands between, has said again.

    Only readings with the device's own time can be told apart from new ones. What is older than the oldest remembered of a full memory
    cannot be told: it is called `beyond`, and may be counted but must enter no window, where it could stand twice.
    """

    def __init__(self, state: dict[str, tuple[bytes, bytes]] | None = None) -> None:
        self._seen = {name: (_array("q", times), _array("I", values)) for name, (times, values) in (state or {}).items()}
        self._room = _room(len(self._seen))

    def look(self, name: str, reading: Reading) -> Seen:
        """Tell what a reading of the series of this name is, and remember a new one.

        >>> from devices.reading import Reading
        >>> def at(ts, v):
        ...     return Reading(device="d", metric="m", key="m", value=v, raw_value=v, ts=ts, received=9, time_source="device", convention="x")
        >>> repeats = Repeats()
        >>> [repeats.look("d", at(*said)) for said in [(1, 20.0), (2, 20.0), (1, 20.0), (1, 20.5)]]
        ['new', 'new', 'repeat', 'new']
        """
        if reading.time_source in _RECEIVED:
            return "new"
        found = self._seen.get(name)
        if found is None:
            found = self._seen[name] = (array("q"), array("I"))
            if _room(len(self._seen)) < self._room:
                self._shrink()
        times, values = found
        ts, value = reading.ts, crc32(repr(reading.value).encode())
        if not times or ts > times[-1]:
            times.append(ts)
            values.append(value)
        else:
            if len(times) >= self._room and ts < times[0]:
                return "beyond"
            place = bisect_left(times, ts)
            while place < len(times) and times[place] == ts:
                if values[place] == value:
                    return "repeat"
                place += 1
            times.insert(place, ts)
            values.insert(place, value)
        if len(times) > self._room:
            del times[0], values[0]
        return "new"

    def forget(self, names: Iterable[str]) -> None:
        """Forget series, by their names; their old readings could not be told from new ones any more."""
        for name in names:
            self._seen.pop(name, None)

    def _shrink(self) -> None:
        """Leave each series its part where there are twice as many as before."""
        self._room = _room(len(self._seen))
        for times, values in self._seen.values():
            del times[: -self._room], values[: -self._room]

    def snapshot(self) -> dict[str, tuple[bytes, bytes]]:
        """Give the memory in plain builtins: two texts of bytes a series, little-endian whatever the machine."""
        return {name: (_bytes(times), _bytes(values)) for name, (times, values) in self._seen.items()}


def _room(series: int) -> int:
    """Give how many readings each of so many series may remember: a half whenever their number has doubled."""
    return min(REMEMBERED, MOST >> max(0, series - 1).bit_length())


def _array(kind: str, packed: bytes) -> array[int]:
    unpacked = array(kind, packed)
    if _BIG_ENDIAN:
        unpacked.byteswap()
    return unpacked


def _bytes(values: array[int]) -> bytes:
    if _BIG_ENDIAN:
        values = values[:]
        values.byteswap()
    return values.tobytes()


_BIG_ENDIAN = array("H", b"\x00\x01")[0] == 1
