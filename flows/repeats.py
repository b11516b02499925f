"""Repeated readings: the same series, the device's own event time, and value, said before."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, get_args
from zlib import crc32

from devices.form import Report
from devices.reading import Reading, TimeSource, Value
from flows.repeats_log import Block, Mark, RepeatsLog

REMEMBERED = 1024
"""How many readings of a series are remembered at most: those with the newest event times, in 12 bytes each."""
MOST = 1 << 24
"""How many readings are remembered at most, whatever the number of series: with more than 16,384 of them, each has a part of that."""
_SERIES_OF_A_BLOCK = 1024
_BYTES = 12
"""Of a reading in the log, at most."""

_RECEIVED = frozenset(source for source in get_args(TimeSource) if source.startswith("received"))

Seen = Literal["new", "repeat", "beyond"]


class _Said:
    """What is remembered of a series: event times and sums of values, in the order of both. The `fresh` last of them are not in the log yet.

    `cut`: older ones had to be forgotten; `told`: which the log knows. `number` is that in the log's file; -1 before it is there.
    """

    __slots__ = ("cut", "fresh", "number", "times", "told", "values")

    def __init__(self, times: array[int], values: array[int], number: int = -1) -> None:
        self.times, self.values = times, values
        self.fresh, self.number = 0, number
        self.cut = self.told = False


class Repeats:
    """Recognise readings that a device, or whatever stands between, has said again.

    Only readings with the device's own time can be told apart from new ones. What is older than the oldest remembered of a full memory
    cannot be told: it is called `beyond`, and may be counted but must enter no window, where it could stand twice.
    """

    def __init__(self, state: Any = None, log: RepeatsLog | None = None) -> None:
        """Go on from a snapshot. Raises ValueError or OSError where the log does not have what it says."""
        self._log = log
        self._seen: dict[str, _Said] = {}
        self._late: list[tuple[str, _Said, int, int]] = []
        self._forgotten: list[int] = []
        self._numbered = 0
        self._room = REMEMBERED
        self._resized = False
        """Since the log was written, which knows nothing of what came to an end in between."""
        if isinstance(state, Mapping):
            self._take(state)
        elif state and log:
            self._load(log.read(Mark(*state)))

    def look(self, name: str, reading: Reading) -> Seen:
        """Tell what a reading of the series of this name is, and remember a new one.

        >>> from devices.reading import Reading
        >>> def at(ts, v):
        ...     return Reading(device="d", metric="m", key="m", value=v, raw_value=v, ts=ts, received=9, time_source="device", convention="x")
        >>> repeats = Repeats()
        >>> [repeats.look("d", at(*said)) for said in [(1, 20.0), (2, 20.0), (1, 20.0), (1, 20.5)]]
        ['new', 'new', 'repeat', 'new']
        """
        return "new" if reading.time_source in _RECEIVED else self._look(name, reading.ts, reading.value)

    def look_at(self, names: Sequence[str], report: Report) -> list[Seen]:
        """Tell what each value of a report is, the names being those of their series, and remember the new ones."""
        if report.time_source in _RECEIVED:
            return ["new"] * len(names)
        found: list[Seen] = []
        known, ts, room = self._seen, report.ts, self._room
        for name, value in zip(names, report.values, strict=True):
            said = known.get(name)
            if said is None or not said.times or ts <= said.times[-1] or len(said.times) >= room:
                found.append(self._look(name, ts, value))
                room = self._room
            else:
                said.times.append(ts)
                said.values.append(crc32(repr(value).encode()))
                said.fresh += 1
                found.append("new")
        return found

    def _look(self, name: str, ts: int, said_value: Value) -> Seen:
        said = self._seen.get(name) or self._begin(name)
        times, value = said.times, crc32(repr(said_value).encode())
        if not times or ts > times[-1]:
            times.append(ts)
            said.values.append(value)
            said.fresh += 1
        elif (seen := self._look_back(name, said, ts, value)) != "new":
            return seen
        if len(times) > self._room:
            _trim(said, self._room)
        return "new"

    def _begin(self, name: str) -> _Said:
        said = self._seen[name] = _Said(array("q"), array("I"))
        self._resize()
        return said

    def _resize(self) -> None:
        """Give each series its part, now that there are more of them, or fewer."""
        room = _room(len(self._seen))
        if room == self._room:
            return
        for said in self._seen.values():
            _trim(said, room)
        self._room, self._resized = room, True

    def _look_back(self, name: str, said: _Said, ts: int, value: int) -> Seen:
        """Look for a reading that is not the newest of its series."""
        times, size = said.times, len(said.times)
        place = _place(said, ts, value)
        if place < size and times[place] == ts and said.values[place] == value:
            return "repeat"
        if place == 0 and (said.cut or size >= self._room):
            return "beyond"
        times.insert(place, ts)
        said.values.insert(place, value)
        if place >= size - said.fresh:
            said.fresh += 1
        else:
            self._late.append((name, said, ts, value))
        return "new"

    def forget(self, names: Iterable[str]) -> None:
        """Forget series, by their names; their old readings could not be told from new ones any more."""
        for name in names:
            said = self._seen.pop(name, None)
            if said and said.number >= 0:
                self._forgotten.append(said.number)
        self._resize()

    def snapshot(self) -> Any:
        """Give the memory in plain builtins: how far the log has it; without one, two texts of bytes a series.

        Raises OSError where the log cannot be written.
        """
        if self._log is None:
            return {name: (_bytes(said.times), _bytes(said.values)) for name, said in self._seen.items()}
        mark = self._anew(self._log) if self._log.grown or self._resized else None
        mark = mark or self._log.add(self._news())
        self._late, self._forgotten = [], []
        for said in self._seen.values():
            said.fresh, said.told = 0, said.cut
        return mark

    def _anew(self, log: RepeatsLog) -> Mark | None:
        """Begin the log anew with all that is remembered; None where there is no room for that beside the old one."""
        if log.begun and not log.has_room(_BYTES * sum(len(said.times) for said in self._seen.values())):
            return None
        names = list(self._seen)
        parts = range(0, len(names), _SERIES_OF_A_BLOCK)
        blocks = (self._part(start, names[start : start + _SERIES_OF_A_BLOCK]) for start in parts)
        try:
            mark = log.begin(blocks)
        except OSError:
            if not log.begun:
                raise
            return None
        for number, said in enumerate(self._seen.values()):
            said.number = number
        self._numbered, self._resized = len(names), False
        return mark

    def _part(self, start: int, names: list[str]) -> Block:
        said = [self._seen[name] for name in names]
        runs = [_Run(number, one.times, one.values) for number, one in enumerate(said, start)]
        return _block(names, [], runs, room=self._room, cut=[number for number, one in enumerate(said, start) if one.cut], whole=True)

    def _news(self) -> Block:
        """Give what is not in the log yet."""
        names: list[str] = []
        runs: list[_Run] = []
        for name, said in self._seen.items():
            if not said.fresh:
                continue
            if said.number < 0:
                said.number = self._numbered + len(names)
                names.append(name)
            runs.append(_Run(said.number, said.times[-said.fresh :], said.values[-said.fresh :]))
        late = [
            _Run(said.number, array("q", [ts]), array("I", [value])) for name, said, ts, value in self._late if self._seen.get(name) is said
        ]
        self._numbered += len(names)
        cut = [said.number for said in self._seen.values() if said.cut and not said.told]
        return _block(names, self._forgotten, runs + late, room=self._room, cut=cut, whole=False)

    def _load(self, blocks: Iterable[Block]) -> None:
        """Take what the log has, block by block."""
        names: list[str] = []
        by_number: list[_Said] = []
        for block in blocks:
            for number in block.forgotten:
                self._seen.pop(names[number], None)
            names += block.names
            self._room = block.room
            times, values, start = _array("q", block.times), _array("I", block.values), 0
            for number, count in zip(_array("I", block.numbers), _array("I", block.counts), strict=True):
                end = start + count
                if number == len(by_number):  # of which this is the first
                    said = _Said(times[start:end], values[start:end], number)
                    by_number.append(said)
                    self._seen[names[number]] = said
                else:
                    said = by_number[number]
                    _merge(said, times[start:end], values[start:end])
                _trim(said, block.room)
                start = end
            for number in block.cut:
                by_number[number].cut = by_number[number].told = True
        self._numbered = len(names)
        for said in self._seen.values():
            _trim(said, self._room)

    def _take(self, state: Mapping[str, tuple[bytes, bytes]]) -> None:
        """Take what a snapshot holds as a whole."""
        for name, (times, values) in state.items():
            ordered = sorted(zip(_array("q", times), _array("I", values), strict=True))  # those of one time were in any order
            said = self._seen[name] = _Said(array("q", [ts for ts, _ in ordered]), array("I", [value for _, value in ordered]))
            said.fresh, said.cut = len(ordered), len(ordered) >= _room(len(state))
        self._room = _room(len(self._seen))


class _Run(NamedTuple):
    """Of a series, by its number in the log: event times and sums of values."""

    number: int
    times: array[int]
    values: array[int]


def _block(names: list[str], forgotten: list[int], runs: list[_Run], *, room: int, cut: list[int], whole: bool) -> Block:
    return Block(
        whole,
        names,
        forgotten,
        cut,
        room,
        _bytes(array("I", [run.number for run in runs])),
        _bytes(array("I", [len(run.times) for run in runs])),
        b"".join(_bytes(run.times) for run in runs),
        b"".join(_bytes(run.values) for run in runs),
    )


def _place(said: _Said, ts: int, value: int) -> int:
    """Give where a reading stands, or would stand."""
    place, size = bisect_left(said.times, ts), len(said.times)
    while place < size and said.times[place] == ts and said.values[place] < value:
        place += 1
    return place


def _merge(said: _Said, times: array[int], values: array[int]) -> None:
    """Remember readings, most of which are newer than what is remembered already."""
    if not said.times or times[:1] > said.times[-1:]:
        said.times += times
        said.values += values
        return
    for ts, value in zip(times, values, strict=True):
        place = _place(said, ts, value)
        said.times.insert(place, ts)
        said.values.insert(place, value)


def _trim(said: _Said, room: int) -> None:
    """Leave the newest."""
    if len(said.times) > room:
        del said.times[:-room], said.values[:-room]
        said.cut = True


def _room(series: int) -> int:
    """Give how many readings each of so many series may remember: a half whenever their number has doubled."""
    return min(REMEMBERED, MOST >> max(0, series - 1).bit_length())


def _array(kind: str, packed: bytes) -> array[int]:
    unpacked = array(kind, packed)
    if _BIG_ENDIAN:
        unpacked.byteswap()
    return unpacked


def _bytes(values: array[int]) -> bytes:
    """Give numbers as bytes, little-endian whatever the machine."""
    if _BIG_ENDIAN:
        values = values[:]
        values.byteswap()
    return values.tobytes()


_BIG_ENDIAN = array("H", b"\x00\x01")[0] == 1
