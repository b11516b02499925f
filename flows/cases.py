"""The tests that a flow file carries: readings on a clock of their own, and what is to follow from them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field

from devices import vocabulary
from devices.reading import Value
from gateway.findings import Checked, Problem, Problems, parse_duration

CASE_START = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp()) * 10**9
"""Epoch ns of 00:00:00 on a test's clock: a midnight in UTC, so that windows of every length that divides a day begin with it."""

_CLOCK = re.compile(r"(\d{1,4}):([0-5]\d):([0-5]\d(?:\.\d{1,9})?)")
_TIME_RULE = "must be a time: 00:02:10, 2026-01-01T00:02:10Z, or seconds"


@dataclass(frozen=True)
class CaseReading:
    """One line of a test: `time device metric value`, the metric with its channel as `power/emeter.0`.

    `time` is epoch ns; the value is the vocabulary's, in which ON is true.
    """

    time: int
    device: str
    metric: str
    channel: str
    value: Value


def case_time(value: Any) -> int:
    """Give the epoch ns of a time on a test's clock; ValueError for what is none.

    >>> [(case_time(text) - CASE_START) / 10**9 for text in ("00:02:10", "130", 130, "2m", "2026-01-01T00:02:10Z")]
    [130.0, 130.0, 130.0, 120.0, 130.0]
    """
    text = str(value)
    clock = _CLOCK.fullmatch(text)
    if clock:
        seconds = int(clock[1]) * 3600 + int(clock[2]) * 60 + Decimal(clock[3])
        return CASE_START + int(seconds * 10**9)
    if "T" in text:
        return _iso_time(text)
    try:
        return CASE_START + parse_duration(value)
    except ValueError:
        raise ValueError(_TIME_RULE) from None


def _iso_time(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(_TIME_RULE) from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 10**9 + since.microseconds * 1000


def case_readings(value: Any) -> tuple[CaseReading, ...]:
    r"""Read the lines of a test; empty ones and those that start with `#` say nothing. Raises Problems, each at its line.

    >>> [(r.device, r.metric, r.value) for r in case_readings("00:00:10 t1 temperature 29\n00:00:20 lamp state ON\n")]
    [('t1', 'temperature', 29), ('lamp', 'state', True)]
    """
    if not isinstance(value, str):
        raise ValueError("must be lines of text: time device metric value")  # noqa: TRY004 - pydantic takes ValueError for a finding
    readings, problems, offset = [], [], 0
    for line in value.split("\n"):
        text = line.partition(" #")[0].strip()
        if text and not text.startswith("#"):
            try:
                readings.append(_case_reading(text))
            except ValueError as error:
                problems.append(Problem((), str(error), offset=offset + len(line) - len(line.lstrip()), show=False))
        offset += len(line) + 1
    if problems:
        raise Problems(problems)
    return tuple(readings)


def _case_reading(text: str) -> CaseReading:
    parts = text.split(None, 3)
    if len(parts) != 4:
        raise ValueError(f"a line of a test is: time device metric value, not {text!r}")
    try:
        time = case_time(parts[0])
    except ValueError as error:
        raise ValueError(f"{parts[0]!r} {error}") from None
    metric, _, channel = parts[2].partition("/")
    number = vocabulary.number(parts[3])
    return CaseReading(time, parts[1], metric, channel, vocabulary.spoken(metric, parts[3]) if number is None else number)


def scalar(value: Any) -> Value:
    """Pass a number, text, true or false; ValueError for anything else."""
    if isinstance(value, bool | int | str) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise ValueError("must be a number, text, true or false")


CaseTime = Annotated[int, BeforeValidator(case_time)]
Scalar = Annotated[Any, BeforeValidator(scalar)]


class ExpectedCommand(Checked):
    """A command that is asked for; `at` (epoch ns) is the journal's time when it was decided: a window's end and its lateness later."""

    device: str
    set: dict[str, Scalar]
    at: CaseTime | None = None


class ExpectedAlert(Checked):
    """One end of an episode; `at` (epoch ns) is the journal's time when it was decided."""

    state: Literal["raised", "cleared"]
    at: CaseTime | None = None
    message: str | None = None


class ExpectedWindow(Checked):
    """A window that closes: `start` or `end` (epoch ns), and beside them aggregates and group keys under their own names."""

    model_config = ConfigDict(extra="allow")

    start: CaseTime | None = None
    end: CaseTime | None = None
    revision: int | None = Field(default=None, ge=1)

    @property
    def values(self) -> dict[str, Any]:
        """What is expected, by aggregate or group key."""
        return dict(self.model_extra or {})

    def rules(self) -> Iterator[Problem]:
        """Ask for a window that can be found."""
        if self.start is None and self.end is None:
            yield Problem((), "an expected window needs start or end", show=False)


class Expect(Checked):
    """What is to follow: commands and alerts completely and in order, windows among those that close. None is not looked at."""

    commands: tuple[ExpectedCommand, ...] | None = None
    alerts: tuple[ExpectedAlert, ...] | None = None
    windows: tuple[ExpectedWindow, ...] | None = None

    def rules(self) -> Iterator[Problem]:
        """Ask for a test that can fail."""
        if self.commands is None and self.alerts is None and self.windows is None:
            yield Problem((), "expect needs commands, alerts or windows (an empty list expects none)", key=True, show=False)


class Case(Checked):
    """One test. `labels` gives devices the labels that their profiles would: {t1: {room: greenhouse}}."""

    name: str = Field(min_length=1)
    readings: Annotated[tuple[CaseReading, ...], BeforeValidator(case_readings)]
    labels: dict[str, dict[str, str]] = Field(default_factory=dict)
    expect: Expect
