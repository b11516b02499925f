"""A recording in a CSV file: a header, a column of times, and one or many columns of values."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from simulator.recordings.row import TIMES, Measure, RecordingError, Row, Unsaid, measure, moment


class CsvRecording:
    """The rows of a CSV file (RFC 4180), in its order.

    The header names the time (`time`, `timestamp` or `ts`) and as wanted the `device`. Where it has a `value`, its line is one value, of the
    `metric`, `channel` and `unit` beside it, and other columns are not said. Else every other column is a metric of that name, or
    `metric/channel`. Empty cells say nothing.
    """

    def __init__(self, file: Path, unsaid: Unsaid) -> None:
        self.unread = 0
        self._file, self._unsaid = file, unsaid

    def rows(self) -> Iterator[Row]:
        """Read the file anew; RecordingError at the first line that cannot be read."""
        with self._file.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.reader(lines)
            try:
                columns = _Columns.of([name.strip() for name in next(reader, [])], self._unsaid)
                for fields in reader:
                    row = columns.row(fields, self._unsaid) if fields else None
                    if row is not None:
                        yield row
            except UnicodeDecodeError as error:
                raise RecordingError(
                    f"{self._file}:{reader.line_num + 1}: is not UTF-8 text (got byte 0x{error.object[error.start]:02x})"
                ) from error
            except (ValueError, csv.Error) as error:
                raise RecordingError(f"{self._file}:{max(reader.line_num, 1)}: {error}") from error


class _Columns(NamedTuple):
    """Where in a line things stand; `values` are the columns of values by name, or `value` is the only one and others tell of it."""

    width: int
    time: int
    device: int | None
    values: tuple[tuple[int, str], ...]
    value: int | None
    metric: int | None
    channel: int | None
    unit: int | None

    @classmethod
    def of(cls, names: Sequence[str], unsaid: Unsaid) -> _Columns:
        """Read a header; ValueError says what it lacks."""
        if len(names) == 1 and any(mark in names[0] for mark in ";\t|"):
            raise ValueError(f"columns must be separated by commas; got {names[0]!r}")
        plain = [name.lower() for name in names]
        places = {name: plain.index(name) for name in plain}
        time = next((places[name] for name in TIMES if name in places), None)
        device, value, metric = places.get("device"), places.get("value"), places.get("metric")
        others = () if value is not None else tuple((at, name) for at, name in enumerate(names) if at not in (time, device))
        if time is None or not (others or value is not None):
            raise ValueError(f"the header must have a time ({', '.join(TIMES)}) and a column of values; got {','.join(names)!r}")
        if len(places) < len(plain) or "" in places:
            raise ValueError(f"the header must name each column, by a name of its own; got {','.join(names)!r}")
        if others and unsaid.metric is not None:
            raise ValueError(f"--metric says what the column value is called, and there is none; got {','.join(names)!r}")
        return cls(len(names), time, device, others, value, metric, places.get("channel"), places.get("unit"))

    def row(self, fields: Sequence[str], unsaid: Unsaid) -> Row | None:
        """Read a line; None where nothing is said in it."""
        if len(fields) != self.width:
            raise ValueError(f"must have {self.width} fields, as the header has; got {len(fields)}: {','.join(fields)!r}")
        at = moment(fields[self.time])
        found = [one for one in self._measures(fields, unsaid) if one is not None]
        device = (self.device is not None and fields[self.device].strip()) or unsaid.device
        return Row(at, device, unsaid.measures(found)) if found else None

    def _measures(self, fields: Sequence[str], unsaid: Unsaid) -> Iterator[Measure | None]:
        if self.value is None:
            yield from (measure(name, fields[at]) for at, name in self.values)
            return
        metric, channel, unit = ("" if at is None else fields[at].strip() for at in (self.metric, self.channel, self.unit))
        name = metric or unsaid.metric or "value"
        yield measure(f"{name}/{channel}" if channel else name, fields[self.value], unit=unit or None)
