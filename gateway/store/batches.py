"""How readings lie in the store: by the hundred, column by column, in the order in which they came.

A batch holds readings of one row of the journal, so that what is written again meets itself. Within it, what a message said is a run: the
values follow each other, and what they share stands once. A row for each reading took several times as long.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from devices.form import Report
from devices.reading import Reading, Value
from gateway.store.errors import DamagedStoreError, StoreError
from gateway.store.values import GREATEST, LEAST, SOURCES, Stored, pack

LARGEST = 256
"""Readings in a batch, but for those of one message: whoever looks for one of them reads them all."""

COLUMNS = "id, series, ts, value, unit, raw_value, raw_unit, delay, time_source, sequence"
Row = tuple[int, int, int, Stored, str | None, Stored | None, str | None, int, int | str, int | None]
"""A reading as `COLUMNS`, with its series by number. `unit` only where it is not the series' own ("" for none); raw_* only where they differ;
`delay` is received - ts, in ns; `value` and `time_source` as `values.py` says."""

_AT_ONCE = 16_384
"""Readings that are held in memory on the way from rows to batches."""

GREATEST_ID = (1 << 63) - 1
PLACES = 20
"""Bits of a reading's id that number it within its row of the journal (`ReadingKept`)."""


class Run(NamedTuple):
    """What one message said: its place behind the batch's first id, how many values, and what they share."""

    place: int
    values: int
    ts: int
    delay: int
    time_source: int | str
    sequence: int | None


class Body(msgspec.Struct, array_like=True):
    """The columns of a batch. Values are as they were said, but that integers beyond 64 bits are their digits as bytes; the exceptions are by place."""

    runs: list[Run]
    series: list[int]
    values: list[Any]
    units: dict[int, str]
    raw_values: dict[int, Any]
    raw_units: dict[int, str]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Body).decode
_SUMMED = b"\xc1"
"""Begins a batch that has a checksum (CRC-32, RFC 1952) ahead of its columns: a byte with which no MessagePack begins."""


class BatchWriter:
    """Takes readings with ascending ids, and writes them in the caller's transaction."""

    def __init__(self, connection: sqlite3.Connection, written: Callable[[int, int, Contents], None] | None = None) -> None:
        """`written` is told of each batch, by its first and last id."""
        self._connection = connection
        self._written = written
        self._body = Body([], [], [], {}, {}, {})
        self._first = self._next = self._at = 0
        self._ready: list[tuple[int, int, int, int, bytes]] = []

    def add_report(self, first: int, report: Report, series: Iterable[int], exceptions: Exceptions) -> None:
        """Take the readings of a report, the first of them with the id `first`."""
        values = report.values
        body = self._room(first, len(values), report.received)
        ts = report.ts
        body.runs.append(
            Run(first - self._first, len(values), ts, report.received - ts, SOURCES.get(report.time_source, report.time_source), None)
        )
        start = len(body.series)
        body.series += series
        body.values += values
        exceptions.note(body, start, report)

    def add(self, reading_id: int, series: int, own_unit: str | None, reading: Reading) -> None:
        """Take a reading; `own_unit` is that of its series."""
        self.add_row(
            (
                reading_id,
                series,
                reading.ts,
                _wire(reading.value),
                None if reading.unit == own_unit else reading.unit or "",
                None if same(reading.raw_value, reading.value) else _wire(reading.raw_value),
                None if reading.raw_unit == reading.unit else reading.raw_unit or "",
                reading.received - reading.ts,
                SOURCES.get(reading.time_source, reading.time_source),
                reading.sequence,
            )
        )

    def add_row(self, row: Row) -> None:
        """Take a reading as a row."""
        number, series, ts, value, unit, raw_value, raw_unit, delay, source, sequence = row
        body = self._room(number, 1, ts + delay)
        place = len(body.series)
        body.runs.append(Run(number - self._first, 1, ts, delay, source, sequence))
        body.series.append(series)
        body.values.append(value)
        if unit is not None:
            body.units[place] = unit
        if raw_value is not None:
            body.raw_values[place] = raw_value
        if raw_unit is not None:
            body.raw_units[place] = raw_unit

    def _room(self, first: int, count: int, received: int) -> Body:
        """Give the body that takes so many readings from `first` on. Raises StoreError where their ids do not follow those before."""
        body = self._body
        if body.series and (first >> PLACES != self._first >> PLACES or len(body.series) + count > LARGEST):
            self._end()
            body = self._body
        if not body.series:
            self._first, self._at = first, received
        elif first < self._next:
            raise StoreError(f"store: each reading must have an id of its own; got {first} used before")
        self._next, self._at = first + count, max(self._at, received)
        return body

    def _end(self) -> None:
        body = self._body
        if body.series:
            columns = _encode(body)
            self._ready.append((self._first, self._next - 1, len(body.series), self._at, _SUMMED + _checksum(columns) + columns))
            if self._written:
                self._written(self._first, self._next - 1, Contents.of(body))
            self._body = Body([], [], [], {}, {}, {})

    def write(self) -> int:
        """Write what was taken; give how many readings that are. Raises StoreError where an id has been used before."""
        self._end()
        ready, self._ready = self._ready, []
        try:
            self._connection.executemany("INSERT INTO batches VALUES(?, ?, ?, ?, ?)", ready)
        except sqlite3.IntegrityError as error:
            raise StoreError(f"store: each reading must have an id of its own; got one used before, near {ready[0][0]}") from error
        return sum(count for _, _, count, _, _ in ready)

    def forget(self) -> None:
        """Let go of what was taken and is not written."""
        self._body, self._ready = Body([], [], [], {}, {}, {}), []


class Exceptions:
    """What of a form's columns must stand with each of its values: units that are not their series', and values that are not as they were said."""

    def __init__(self, units: dict[int, str], raw_units: dict[int, str]) -> None:
        """Units by column."""
        self._units, self._raw_units = units, raw_units

    def note(self, body: Body, start: int, report: Report) -> None:
        """Note those of a report whose values begin at `start`."""
        for place, unit in self._units.items():
            body.units[start + place] = unit
        for place, unit in self._raw_units.items():
            body.raw_units[start + place] = unit
        if report.said is not report.values:
            for place, (said, value) in enumerate(zip(report.said, report.values, strict=True)):
                if not same(said, value):
                    body.raw_values[start + place] = said


def same(raw: Value, value: Value) -> bool:
    """Tell whether a value is what was said, and of its kind."""
    return raw is value or (type(raw) is type(value) and raw == value)


def _wire(value: Value) -> Value | bytes:
    return value if not isinstance(value, int) or LEAST <= value <= GREATEST else b"%d" % value


def runs(first: int, body: Body) -> Iterator[tuple[Run, range, Sequence[int], Sequence[Any], Sequence[str | None]]]:
    """Give what each message of a batch said: its run, and the ids, series, values and units (where they are not the series' own) of its readings."""
    place = 0
    units = [body.units.get(one) for one in range(len(body.series))] if body.units else [None] * len(body.series)
    for run in body.runs:
        end, number = place + run.values, first + run.place
        yield run, range(number, number + run.values), body.series[place:end], body.values[place:end], units[place:end]
        place = end


def bodies_after(connection: sqlite3.Connection, position: int) -> Iterator[tuple[int, Body]]:
    """Give the batches that hold ids above `position`, by their first id. Raises DamagedStoreError where one cannot be decoded."""
    if position < newest(connection):
        for first, blob in connection.execute("SELECT id, body FROM batches WHERE id >= ? ORDER BY id", (_begins(connection, position),)):
            yield first, decoded(first, blob)


def rows(first: int, body: Body) -> Iterator[Row]:
    """Give the readings of a batch."""
    raw_values, raw_units = body.raw_values, body.raw_units
    place = 0
    for run, numbers, series, values, units in runs(first, body):
        for number, one, value, unit in zip(numbers, series, values, units, strict=True):
            raw = raw_values.get(place)
            yield (
                number,
                one,
                run.ts,
                stored(value),
                unit,
                None if raw is None else stored(raw),
                raw_units.get(place),
                run.delay,
                run.time_source,
                run.sequence,
            )
            place += 1


def stored(value: Any) -> Stored:
    """Give a value of a batch as `values.py` says."""
    return value if isinstance(value, bytes) else pack(value)


def decoded(first: int, blob: bytes) -> Body:
    """Give the columns of a batch. Raises DamagedStoreError where it holds none."""
    if blob.startswith(_SUMMED):
        said, blob = blob[1:5], blob[5:]
        if said != _checksum(blob):
            raise DamagedStoreError(f"the readings behind {first} are not what was written: their checksum is another")
    try:
        body = _decode(blob)
    except msgspec.DecodeError as error:
        raise DamagedStoreError(f"the readings behind {first} cannot be decoded: {error}") from error
    if not len(body.series) == len(body.values) == sum(run.values for run in body.runs):
        raise DamagedStoreError(f"the readings behind {first} must have as many series as values; got others")
    return body


def _checksum(columns: bytes) -> bytes:
    return zlib.crc32(columns).to_bytes(4, "big")


def is_sound(first: int, blob: bytes) -> bool:
    """Tell whether a batch can be decoded."""
    try:
        decoded(first, blob)
    except DamagedStoreError:
        return False
    return True


class Contents(NamedTuple):
    """What a batch holds: series by number, the least and the greatest event time, and how many readings."""

    series: frozenset[int]
    since: int
    until: int
    readings: int

    @classmethod
    def of(cls, body: Body) -> Contents:
        """Look at the columns of a batch."""
        times = [run.ts for run in body.runs]
        return cls(frozenset(body.series), min(times), max(times), len(body.series))


def contents(first: int, blob: bytes) -> Contents:
    """Give what a batch holds. Raises DamagedStoreError."""
    return Contents.of(decoded(first, blob))


def after(connection: sqlite3.Connection, position: int) -> Iterator[Row]:
    """Give the readings with ids above `position`, in order."""
    for first, body in bodies_after(connection, position):
        yield from (row for row in rows(first, body) if row[0] > position)


def between(connection: sqlite3.Connection, first: int, end: int) -> Iterator[Row]:
    """Give the readings with ids in [first, end), in order."""
    for row in after(connection, first - 1):
        if row[0] >= end:
            return
        yield row


def of(connection: sqlite3.Connection, batches: Iterable[int], series: frozenset[int]) -> Iterator[Row]:
    """Give the readings of these series in the batches with these ids; one that is gone is left out."""
    for first in batches:
        for (blob,) in connection.execute("SELECT body FROM batches WHERE id = ?", (first,)):
            body = decoded(first, blob)
            if not series.isdisjoint(body.series):
                yield from (row for row in rows(first, body) if row[1] in series)


def one(connection: sqlite3.Connection, reading_id: int) -> Row | None:
    """Give the reading with an id; None where there is none (any more)."""
    return next(between(connection, reading_id, reading_id + 1), None)


def count_after(connection: sqlite3.Connection, position: int) -> int:
    """Give how many readings have ids above `position`."""
    (whole,) = connection.execute("SELECT coalesce(sum(count), 0) FROM batches WHERE id > ?", (position,)).fetchone()
    start = _begins(connection, position)
    part = connection.execute("SELECT body FROM batches WHERE id = ? AND id <= ? AND last > ?", (start, position, position)).fetchone()
    return int(whole) + (sum(row[0] > position for row in rows(start, decoded(start, part[0]))) if part else 0)


def count_by_series(found: Iterable[Row]) -> dict[int, int]:
    """Count readings by series."""
    counts: dict[int, int] = {}
    for row in found:
        counts[row[1]] = counts.get(row[1], 0) + 1
    return counts


def delete(connection: sqlite3.Connection, first: int, end: int) -> int:
    """Delete the batches that begin in [first, end), in the caller's transaction; give how many readings they held."""
    (count,) = connection.execute("SELECT coalesce(sum(count), 0) FROM batches WHERE id >= ? AND id < ?", (first, end)).fetchone()
    connection.execute("DELETE FROM batches WHERE id >= ? AND id < ?", (first, end))
    return int(count)


def oldest(connection: sqlite3.Connection, upto: int, *, most: int) -> list[tuple[int, int, int]]:
    """Give (last id, readings, when the newest came) of the oldest batches with no id above `upto`, so many that they hold `most` readings."""
    found: list[tuple[int, int, int]] = []
    count = 0
    for last, readings, at in connection.execute("SELECT last, count, at FROM batches WHERE id <= ? ORDER BY id", (upto,)):
        if last > upto or count >= most:
            break
        found.append((last, readings, at))
        count += readings
    return found


def newest(connection: sqlite3.Connection) -> int:
    """Give the highest id; 0 where there is none."""
    row = connection.execute("SELECT last FROM batches ORDER BY id DESC LIMIT 1").fetchone()
    return int(row[0]) if row else 0


def _begins(connection: sqlite3.Connection, position: int) -> int:
    """Give the id of the batch in which an id lies, or would lie."""
    (start,) = connection.execute("SELECT coalesce(max(id), 0) FROM batches WHERE id <= ?", (position,)).fetchone()
    return int(start)


def from_rows(connection: sqlite3.Connection, found: Iterable[Row]) -> None:
    """Write readings that come as rows, in order of their ids, in the caller's transaction."""
    writer = BatchWriter(connection)
    for count, row in enumerate(found, 1):
        writer.add_row(row)
        if not count % _AT_ONCE:
            writer.write()
    writer.write()
