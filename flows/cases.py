"""The tests that a flow file carries: readings on a clock of their own, and what is to follow from them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, ValidationInfo, WithJsonSchema

from devices import vocabulary
from devices.catalogue import Catalogue
from devices.reading import Value
from flows.readings_file import InputError, ReadingsFile
from gateway.findings import Checked, Problem, Problems, parse_duration

CASE_START = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp()) * 10**9
"""Epoch ns of 00:00:00 on a test's clock: a midnight in UTC, so that windows of every length that divides a day begin with it."""

_CLOCK = re.compile(r"(\d{1,4}):([0-5]\d):([0-5]\d(?:\.\d{1,9})?)")
_LONGEST_AFTER = 36_525 * 86_400 * 10**9
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
        after = parse_duration(value)
    except ValueError:
        raise ValueError(_TIME_RULE) from None
    if after > _LONGEST_AFTER:
        raise ValueError("must be less than a hundred years later")
    return CASE_START + after


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


def _readings_file(value: Any, info: ValidationInfo) -> Path:
    """Find a file of readings by a path that starts from the flow file's folder, and hold that every line of it can be read."""
    if not isinstance(value, str) or not value:
        raise ValueError("must be the path of a file")
    path = (info.context or {}).get("folder", Path()) / value
    try:
        for _ in ReadingsFile(path, Catalogue(), metric="value"):
            pass
    except OSError as error:
        raise ValueError(f"must be a file that can be read: {str(error.strerror).lower()}") from None
    except InputError as error:
        raise ValueError(f"must be a file of readings: {error}") from None
    return Path(path)


def scalar(value: Any) -> Value:
    """Pass a number, text, true or false; ValueError for anything else."""
    if isinstance(value, bool | int | str) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise ValueError("must be a number, text, true or false")


CaseTime = Annotated[
    int,
    BeforeValidator(case_time),
    WithJsonSchema({"type": ["string", "number"], "examples": ["00:02:10", "2026-01-01T00:02:10Z", "130"]}),
]
Scalar = Annotated[Any, BeforeValidator(scalar), WithJsonSchema({"type": ["string", "number", "boolean"]})]


_At = Annotated[CaseTime | None, Field(description="When it is decided, on the test's clock: a window's end and its lateness later.")]


class ExpectedCommand(Checked):
    """A command that is asked for; `at` (epoch ns) is the journal's time when it was decided: a window's end and its lateness later."""

    device: str = Field(description="Who is told.")
    set: dict[str, Scalar] = Field(description="What it is told.")
    at: _At = None


class ExpectedAlert(Checked):
    """One end of an episode; `at` (epoch ns) is the journal's time when it was decided. What is not given is not looked at."""

    state: Literal["raised", "cleared"] = Field(description="Which end.")
    at: _At = None
    group: dict[str, str] | None = Field(default=None, description="Of which group: {device: t-1}.")
    message: str | None = Field(default=None, description="What it says.")
    severity: Literal["info", "warning", "critical"] | None = Field(default=None, description="How bad it is.")


class ExpectedReading(Checked):
    """A value that is republished as a reading; `at` (epoch ns) is the journal's time when it was decided. What is not given is not looked at."""

    metric: str = Field(description="The metric it becomes.")
    channel: str | None = Field(default=None, description="Its channel.")
    value: Scalar = Field(description="Its value.")
    device: str | None = Field(default=None, description="Whose it becomes.")
    unit: str | None = Field(default=None, description="Its unit.")
    at: _At = None


class ExpectedWindow(Checked):
    """A window that closes: `start` or `end` (epoch ns), and beside them aggregates and group keys under their own names."""

    model_config = ConfigDict(extra="allow")

    start: CaseTime | None = Field(default=None, description="When it begins, on the test's clock.")
    end: CaseTime | None = Field(default=None, description="When it ends, on the test's clock.")
    revision: int | None = Field(default=None, ge=1, description="1 when it closes; 2, 3, ... for corrections.")

    @property
    def values(self) -> dict[str, Any]:
        """What is expected, by aggregate or group key."""
        return dict(self.model_extra or {})

    def rules(self) -> Iterator[Problem]:
        """Ask for a window that can be found."""
        if self.start is None and self.end is None:
            yield Problem((), "an expected window needs start or end", show=False)


class Expect(Checked):
    """What is to follow: commands, alerts and republished readings completely and in order, windows among those that close. None is not looked at."""

    commands: tuple[ExpectedCommand, ...] | None = Field(default=None, description="All commands, in order.")
    alerts: tuple[ExpectedAlert, ...] | None = Field(default=None, description="All ends of episodes, in order.")
    windows: tuple[ExpectedWindow, ...] | None = Field(default=None, description="Some of the windows that close.")
    republished: tuple[ExpectedReading, ...] | None = Field(default=None, description="All republished readings, in order.")

    def rules(self) -> Iterator[Problem]:
        """Ask for a test that can fail."""
        if all(part is None for part in (self.commands, self.alerts, self.windows, self.republished)):
            yield Problem((), "expect needs commands, alerts, windows or republished (an empty list expects none)", key=True, show=False)


class Case(Checked):
    """One test, on a clock of its own: its readings, given in the flow file or in a file beside it, and what is to follow."""

    name: str = Field(min_length=1, description="What is shown, in a sentence.")
    readings: Annotated[tuple[CaseReading, ...], BeforeValidator(case_readings), WithJsonSchema({"type": "string"})] | None = Field(
        default=None, description="A reading a line: time device metric value, the metric with its channel as power/emeter.0."
    )
    readings_file: Annotated[Path, BeforeValidator(_readings_file), WithJsonSchema({"type": "string", "minLength": 1})] | None = Field(
        default=None,
        description="Instead of readings: a CSV or JSON Lines file as `sluice backtest --input` takes it, from this file's folder.",
    )
    labels: dict[str, dict[str, str]] = Field(
        default_factory=dict, description="The labels that profiles would give to devices: {t1: {room: greenhouse}}."
    )
    until: CaseTime | None = Field(
        default=None, description="How far time goes on after the last reading; without it until nothing waits for time any more."
    )
    expect: Expect = Field(description="What is to follow.")

    def rules(self) -> Iterator[Problem]:
        """Ask for readings from one place."""
        if self.readings is None and self.readings_file is None:
            yield Problem(("readings",), "missing key 'readings' (or 'readings_file')", key=True, show=False)
        elif self.readings is not None and self.readings_file is not None:
            yield Problem(("readings_file",), "readings_file stands instead of readings, not beside them", key=True, show=False)
