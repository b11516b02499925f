"""One moment of a recording: what a device measured, whatever kind of file holds it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import isfinite
from typing import Any, Final, NamedTuple

from devices import timestamps, vocabulary
from devices.reading import Value

TIMES: Final = ("time", "timestamp", "ts")
"""The names that a row's time may have."""
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d")
_NUMBER: Final = re.compile(r"\d+(\.\d*)?")


class RecordingError(ValueError):
    """A recording that cannot be read; the text names the file, the line where there are lines, the rule and what was got."""


class Measure(NamedTuple):
    """One value of a row; `unit` is None where nobody says it."""

    metric: str
    channel: str
    value: Value
    unit: str | None

    @property
    def column(self) -> str:
        """Its name in a header: `metric`, or `metric/channel`."""
        return f"{self.metric}/{self.channel}" if self.channel else self.metric


class Row(NamedTuple):
    """What one device measured at one time. `at` is epoch ns; `came` is when its message came in (epoch ns), where that is known."""

    at: int
    device: str
    measures: tuple[Measure, ...]
    came: int | None = None


@dataclass(frozen=True)
class Unsaid:
    """What holds for rows that do not say it: whose they are, what `value` is called, and the unit of a lone value."""

    device: str
    metric: str | None = None
    unit: str | None = None

    def measures(self, found: list[Measure]) -> tuple[Measure, ...]:
        """Give the values of a row, the lone one with its unit; ValueError where there are several and none says which is meant."""
        if self.unit is None:
            return tuple(found)
        if len(found) > 1:
            raise ValueError(f"--unit is for rows of one value; got {', '.join(one.column for one in found)}")
        return tuple(one if one.unit else one._replace(unit=self.unit) for one in found)


def moment(said: Any) -> int:
    """Read a row's time as epoch ns: ISO 8601 (UTC where it names no zone; a date is its midnight), or a number in s, ms, µs or ns by its size.

    >>> moment("2025-06-15 17:06:40+02:00"), moment("1750000000000"), moment(2.5)
    (1750000000000000000, 1750000000000000000, 2500000000)
    """
    text = said.strip() if isinstance(said, str) else said
    stamp = timestamps.parse(text, least=0)
    if stamp is None and isinstance(text, str):
        if _DATE.fullmatch(text):
            stamp = timestamps.parse(f"{text}T00:00")
        elif _NUMBER.fullmatch(text) and len(text) < 10:  # a longer one is an epoch number already
            stamp = timestamps.parse(float(text), least=0)
    if stamp is None:
        raise ValueError(f"the time must be ISO 8601 or an epoch number; got {said!r}")
    return stamp.ns


def measure(column: str, value: Any, *, unit: str | None = None) -> Measure | None:
    """Make a value of what a file holds in a column, `metric` or `metric/channel`; None of what says nothing, such as an empty cell or `NaN`.

    A text that is a number or a truth is taken as that. ValueError where the value is none.

    >>> measure("power/2", "21.50"), measure("state", "ON"), measure("power", "")
    (Measure(metric='power', channel='2', value=21.5, unit=None), Measure(metric='state', channel='', value=True, unit=None), None)
    """
    metric, _, channel = column.partition("/")
    if not metric:
        raise ValueError(f"a value must have the name of a metric; got {column!r}")
    if isinstance(value, str):
        text = value.strip()
        number = vocabulary.number(text)
        if number is None and (not text or vocabulary.says_nothing(text)):
            return None
        value = vocabulary.spoken(metric, text) if number is None else number
    if value is None or is_endless(value):
        return None
    if not isinstance(value, bool | int | float | str):
        raise ValueError(f"{column} must be a number, a text, true or false; got {value!r}")  # noqa: TRY004  one kind of error for a file
    return Measure(metric, channel, value, unit)


def is_endless(value: Any) -> bool:
    """Tell whether a value is a float that JSON has no number for."""
    return isinstance(value, float) and not isfinite(value)
