"""`sluice history`: what a device has said, as a table, a plot in the terminal, or JSON."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import msgspec
import plotext  # type: ignore[import-untyped]
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gateway.screen import shown, time_text, value_text
from gateway.store.effects import ReadingKept
from gateway.store.reader import StoreReader
from gateway.store.views import Bucket

ROWS = 40
"""Rows of the table; the newest ones."""

PLOTS = 4
NEWEST = 10_000
"""Readings given at most when they are not put into buckets; the newest ones."""

_UNITS = {"ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3_600 * 10**9, "d": 86_400 * 10**9, "w": 7 * 86_400 * 10**9}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)?")


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked: a device's readings in [since, until), all of them or (with `every`, ns) in buckets. None is no bound."""

    device: str
    metric: str | None = None
    channel: str | None = None
    since: int | None = None
    until: int | None = None
    every: int | None = None

    @classmethod
    def parse(
        cls, device: str, metric: str | None, *, since: str | None = None, until: str | None = None, every: str | None = None, now: int
    ) -> Question:
        """Read a question as it is typed; `metric/channel` asks for one channel. Raises ValueError."""
        name, slash, channel = (metric or "").partition("/")
        return cls(
            device=device,
            metric=name or None,
            channel=channel if slash else None,
            since=None if since is None else moment(since, now=now),
            until=None if until is None else moment(until, now=now),
            every=None if every is None else duration(every),
        )


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the store has, in order of time: readings, or buckets where they were asked for."""

    question: Question
    readings: list[ReadingKept]
    buckets: list[Bucket]


def duration(text: str) -> int:
    """Read a duration, in ns: `90`, `10s`, `5m`, `1.5h`, `2d`. Raises ValueError.

    >>> duration("5m"), duration("1.5h") == duration("90m")
    (300000000000, True)
    """
    found = _DURATION.fullmatch(text.strip())
    if found is None or float(found[1]) == 0:
        raise ValueError(f"a duration must be like 10s, 5m, 2h or 1d; got {text!r}")
    return round(float(found[1]) * _UNITS[found[2] or "s"])


def moment(text: str, *, now: int) -> int:
    """Read a moment, in epoch ns: ISO 8601 (in this machine's zone unless it has one), `now`, or how long before now. Raises ValueError.

    >>> moment("2025-10-09T08:53:20Z", now=0), moment("1m", now=60_000_000_001)
    (1760000000000000000, 1)
    """
    if text.strip() == "now":
        return now
    if _DURATION.fullmatch(text.strip()):
        return now - duration(text)
    try:
        read = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f"a time must be like 2025-10-09, 2025-10-09T08:53:20Z, or 1h (an hour ago); got {text!r}") from None
    zoned = read.astimezone() if read.tzinfo is None else read
    # Whole seconds first: a float holds no ns of today.
    return int(zoned.replace(microsecond=0).timestamp()) * 10**9 + zoned.microsecond * 1000


def answer(reader: StoreReader, question: Question) -> Answer:
    """Read the answer from the store: every reading (the newest 10,000 at most), or buckets."""
    asked = question
    if asked.every is not None:
        buckets = reader.buckets(asked.device, asked.metric, asked.channel, since=asked.since, until=asked.until, every=asked.every)
        return Answer(question=asked, readings=[], buckets=buckets)
    readings = reader.history(asked.device, asked.metric, asked.channel, since=asked.since, until=asked.until, newest=NEWEST)
    return Answer(question=asked, readings=readings, buckets=[])


def history_document(answer: Answer) -> dict[str, Any]:
    """Give the answer for `--json`: times are epoch ns."""
    head = msgspec.structs.asdict(answer.question)
    if answer.question.every is not None:
        return head | {"buckets": [msgspec.structs.asdict(bucket) for bucket in answer.buckets]}
    names = ("ts", "metric", "channel", "value", "unit", "raw_value", "raw_unit", "time_source", "sequence")
    return head | {"readings": [{name: getattr(kept.reading, name) for name in names} for kept in answer.readings]}


def show(answer: Answer, console: Console) -> None:
    """Print the answer: a plot of each series with numbers, then the table."""
    if not answer.readings and not answer.buckets:
        names = (answer.question.device, answer.question.metric, answer.question.channel)
        console.print(Text(f"nothing in the store for {shown(' '.join(name for name in names if name))} in this time"))
        return
    for name, points in list(_curves(answer).items())[:PLOTS]:
        if len(points) > 1:
            console.print(Text(plot(name, points, width=min(console.width, 100))), soft_wrap=True)
    rows = _bucket_rows(answer.buckets) if answer.buckets else _reading_rows(answer.readings)
    console.print(_table(answer, rows[-ROWS:]))
    if len(rows) > ROWS:
        console.print(Text(f"the newest {ROWS} of {len(rows)} rows; --json has them all"))


def plot(title: str, points: list[tuple[int, float]], *, width: int = 80, height: int = 14, marked: int | None = None) -> str:
    """Draw points (epoch ns, value) as lines of text, without colour; a line stands at the moment `marked`, where that is among them."""
    first, last = points[0][0], points[-1][0]
    marks = [first + (last - first) * part // 3 for part in range(4)]
    plotext.clear_figure()
    plotext.plotsize(width, height)
    plotext.title(title)
    plotext.plot([(ts - first) / 1e9 for ts, _ in points], [value for _, value in points])
    if marked is not None and first <= marked <= last:
        plotext.vline((marked - first) / 1e9)
    plotext.xticks([(mark - first) / 1e9 for mark in marks], [time_text(mark)[5:] for mark in marks])
    return str(plotext.uncolorize(plotext.build())).rstrip("\n")


def _curves(answer: Answer) -> dict[str, list[tuple[int, float]]]:
    """Give the numbers of each series, under the title of its plot."""
    curves: dict[str, list[tuple[int, float]]] = {}
    for bucket in answer.buckets:
        if bucket.mean is not None:
            name = _name(bucket.metric, bucket.channel, bucket.unit)
            curves.setdefault(name, []).append((bucket.start, bucket.mean))
    for kept in answer.readings:
        reading = kept.reading
        if not isinstance(reading.value, str) and abs(reading.value) < float("inf"):
            curves.setdefault(_name(reading.metric, reading.channel, reading.unit), []).append((reading.ts, float(reading.value)))
    return curves


def _name(metric: str, channel: str, unit: str | None) -> str:
    return shown(" ".join(part for part in (metric, channel, f"({unit})" if unit else "") if part))


def _reading_rows(readings: list[ReadingKept]) -> list[tuple[str, ...]]:
    return [
        (time_text(one.reading.ts), _name(one.reading.metric, one.reading.channel, None), value_text(one.reading.value, one.reading.unit))
        for one in readings
    ]


def _bucket_rows(buckets: list[Bucket]) -> list[tuple[str, ...]]:
    return [
        (
            time_text(one.start),
            _name(one.metric, one.channel, None),
            value_text(one.mean, one.unit),
            value_text(one.min, one.unit),
            value_text(one.max, one.unit),
            str(one.count),
        )
        for one in buckets
    ]


def _table(answer: Answer, rows: list[tuple[str, ...]]) -> Table:
    table = Table(title=Text(shown(answer.question.device)))
    names = ("time", "metric", "value") if answer.question.every is None else ("time", "metric", "mean", "min", "max", "count")
    for name in names:
        table.add_column(name, justify="left" if name in ("time", "metric") else "right")
    for row in rows:
        table.add_row(*map(Text, row))
    return table
