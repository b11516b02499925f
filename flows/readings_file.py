"""Readings from a file, in the order of its lines: CSV, or JSON Lines of readings or of messages."""

from __future__ import annotations

import base64
import binascii
import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import TextIOWrapper
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

import msgspec

from devices import timestamps
from devices.catalogue import Catalogue
from devices.reading import Message, Reading
from flows.file_series import FileSeries

TIMES: Final = ("time", "timestamp", "ts")
"""The names that the time may have, in a CSV file's header and in JSON."""
_READINGS_BETWEEN_LOOKS: Final = 4096


class InputError(ValueError):
    """A file of readings that cannot be read; the text names the file, the line, the rule and what was got."""


class ReadingsFile:
    """A file of readings, which come in the order of its lines.

    CSV has a header: `time` (or `timestamp`, `ts`), `value`, and as wanted `device`, `metric`, `channel` and `unit`; every other column is a
    label. JSON Lines (`.jsonl`) have objects with the same keys; or messages, as `sluice decode --jsonl` takes them, with `received`. Times
    are ISO (UTC where they name no zone) or epoch numbers, in s, ms, µs or ns by their size. An empty value is none: its line gives no
    reading. A unit that the vocabulary knows becomes the metric's own, as a device's does.

    While it is read, `done` is the part of the file that has been, and `unread` counts the messages that gave no reading.
    """

    def __init__(self, path: Path, catalogue: Catalogue, *, device: str | None = None, metric: str | None = None) -> None:
        """Open nothing yet. `device` (default: the file's stem) and `metric` are those of lines that name none."""
        self.done, self.unread = 0.0, 0
        self._path, self._catalogue = path, catalogue
        self._device, self._metric = device or path.stem, metric
        self._series: dict[Any, FileSeries] = {}

    def __iter__(self) -> Iterator[Reading]:
        """Read the file; InputError at the first line that cannot be read, OSError where there is no such file."""
        size = self._path.stat().st_size
        with self._path.open("rb") as raw, TextIOWrapper(raw, "utf-8-sig", errors="surrogateescape", newline="") as lines:
            for number, reading in enumerate(self._json_lines(lines) if self._path.suffix == ".jsonl" else self._csv(lines), 1):
                if not number % _READINGS_BETWEEN_LOOKS:
                    self.done = raw.tell() / size
                yield reading

    def _csv(self, lines: Iterable[str]) -> Iterator[Reading]:
        rows = csv.reader(lines)
        try:
            names = [name.strip() for name in next(rows, [])]
            time, value, others = _columns(names)
            series_of = itemgetter(*others) if others else str
            for row in rows:
                if len(row) != len(names):
                    _check_blank(row, names)
                elif row[value]:
                    key = series_of(row) if others else ""
                    series = self._series.get(key) or self._open(key, {names[at]: row[at] for at in others})
                    yield from series.written(_time(row[time]), row[value])
        except (ValueError, csv.Error) as error:
            raise InputError(f"{self._path}:{max(rows.line_num, 1)}: {error}") from error

    def _json_lines(self, lines: Iterable[str]) -> Iterator[Reading]:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                said = _object(line)
                readings = self._of_message(said) if "topic" in said else self._of_object(said)
            except (ValueError, RecursionError) as error:
                raise InputError(f"{self._path}:{number}: {error}") from error
            yield from readings

    def _of_object(self, said: Mapping[str, Any]) -> list[Reading]:
        time = next((name for name in TIMES if name in said), None)
        value = said.get("value")
        if time is None or not isinstance(value, float | int | str | None):
            raise ValueError(f"must have a time, and a value that is a number, text, true or false; got {dict(said)!r}")
        others = {name: one for name, one in said.items() if name not in (time, "value") and one is not None}
        if wrong := next((name for name, one in others.items() if not isinstance(one, str)), None):
            raise ValueError(f"{wrong} must be a text; got {others[wrong]!r}")
        if value is None or value == "":
            return []
        key = tuple(sorted(others.items()))
        series = self._series.get(key) or self._open(key, others)
        at = _time(said[time])
        return series.written(at, value) if isinstance(value, str) else [series.reading(at, value)]

    def _of_message(self, said: Mapping[str, Any]) -> list[Reading]:
        """Read a message as the gateway would, were it received when it says so."""
        outcome = self._catalogue.readings(Message(_topic(said), _payload(said), _time(said.get("received")), said.get("retained") is True))
        if isinstance(outcome, list):
            return outcome
        self.unread += 1
        return []

    def _open(self, key: Any, said: Mapping[str, str]) -> FileSeries:
        series = FileSeries.of(said, self._catalogue.profiles, device=self._device, metric=self._metric)
        self._series[key] = series
        return series


def _columns(names: Sequence[str]) -> tuple[int, int, list[int]]:
    """Find time, value, and the columns that tell series apart."""
    time = next((names.index(name) for name in TIMES if name in names), None)
    if time is None or "value" not in names:
        raise ValueError(f"the header must have a time ({', '.join(TIMES)}) and a value; got {','.join(names)!r}")
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"the header must name each column once; got {', '.join(doubled)} again")
    value = names.index("value")
    return time, value, [at for at in range(len(names)) if at not in (time, value)]


def _check_blank(row: Sequence[str], names: Sequence[str]) -> None:
    if row:
        raise ValueError(f"must have {len(names)} fields, as the header has; got {len(row)}")


def _object(line: str) -> dict[str, Any]:
    said = msgspec.json.decode(line.encode(errors="surrogateescape"))
    if not isinstance(said, dict):
        raise ValueError(f"must be a JSON object; got {line.strip()[:40]!r}")  # noqa: TRY004 - one kind of error for whatever is wrong in a line
    return said


def _time(said: Any) -> int:
    stamp = timestamps.parse(said)
    if stamp is None:
        raise ValueError(f"the time must be ISO or an epoch number; got {said!r}")
    return stamp.ns


def _topic(said: Mapping[str, Any]) -> str:
    topic = said["topic"]
    if not isinstance(topic, str) or not topic or "\0" in topic:
        raise ValueError(f"the topic must be a text; got {topic!r}")
    return topic


def _payload(said: Mapping[str, Any]) -> bytes:
    payload, packed = said.get("payload"), said.get("payload_b64")
    if isinstance(packed, str):
        try:
            return base64.b64decode(packed, validate=True)
        except binascii.Error:
            raise ValueError(f"payload_b64 must be base64; got {packed[:40]!r}") from None
    if not isinstance(payload, str):
        raise ValueError(f"a message must have a payload that is a text, or payload_b64; got {payload!r}")  # noqa: TRY004 - as above
    return payload.encode(errors="surrogateescape")
