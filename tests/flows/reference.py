"""What windows and aggregates come to, the slow and obvious way: sort everything, then compute. Knows nothing of how flows do it.

The one thing that has to be walked through in the order of arrival is the watermark, since it tells which readings came too late.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from math import exp, floor, fsum, isfinite, sqrt
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

SECOND = 1_000_000_000
HOUR = 3600 * SECOND


class Said(NamedTuple):
    """A reading, in the order of its arrival. `watermark` is that of its group once it was seen."""

    ts: int
    order: int
    metric: str
    value: Any
    watermark: int
    aware: bool = True


class Window(NamedTuple):
    """What a window comes to."""

    start: int
    end: int
    readings: int
    values: dict[str, Any]


Asked = dict[str, tuple[str, tuple[str, ...], tuple[Any, ...]]]
"""Function, metrics and parameters of an aggregate by its name."""


def by_group(rows: Iterable[tuple[int, list[tuple[str, str, Any, int, int]]]], lateness: int) -> dict[str, list[Said]]:
    """Give the readings of each group with their watermarks, from rows of the journal's clock and (group, metric, value, ts, received)."""
    newest: dict[str, tuple[int, int]] = {}
    said: dict[str, list[Said]] = defaultdict(list)
    for clock, readings in rows:
        for group, metric, value, ts, received in readings:
            base, then = newest.get(group, (0, 0))
            time = max(base + clock - then, min(ts, received))
            newest[group] = time, clock
            said[group].append(Said(ts, len(said[group]), metric, value, time - lateness))
    return said


def timed(said: list[Said], corrections: int, bounds_of: Callable[[int], list[tuple[int, int]]], asked: Asked) -> tuple[list[Window], int]:
    """Give the windows whose bounds (start, end) hang on the time of a reading alone, and how many readings were late."""
    windows: dict[tuple[int, int], list[Said]] = defaultdict(list)
    kept = []
    for one in said:
        horizon = one.watermark - corrections
        bounds = [(start, end) for start, end in bounds_of(one.ts) if end > horizon]
        if bounds:
            kept.append(one._replace(aware=one.ts >= horizon))
        for window in bounds:
            windows[window].append(kept[-1])
    kept.sort()
    found = []
    for (start, end), inside in sorted(windows.items()):
        earlier = [one for one in kept if one.ts < start]
        found.append(Window(start, end, len(inside), results(asked, inside, earlier, start, end)))
    return found, len(said) - len(kept)


def sessions(said: list[Said], corrections: int, gap: int, asked: Asked) -> tuple[list[Window], int]:
    """Give the sessions, and how many readings were late."""
    kept = sorted(one._replace(aware=one.ts >= one.watermark - corrections) for one in said if one.ts + gap > one.watermark - corrections)
    found: list[list[Said]] = []
    for one in kept:
        if found and one.ts - found[-1][-1].ts < gap:
            found[-1].append(one)
        else:
            found.append([one])
    windows = [Window(s[0].ts, s[-1].ts + gap, len(s), results(asked, s, [], s[0].ts, s[-1].ts)) for s in found]
    return windows, len(said) - len(kept)


def in_order(said: list[Said], lateness: int) -> list[Said]:
    """Give the readings that were not late where they are taken one after the other."""
    kept: list[Said] = []
    for one in said:
        let_through = [other.ts for other in kept if not lateness or other.ts <= one.watermark]
        if one.ts >= max(let_through, default=0):
            kept.append(one)
    return sorted(kept)


def counts(said: list[Said], lateness: int, length: int, slide: int, asked: Asked) -> tuple[list[Window], int]:
    """Give the windows of so many readings, and how many readings were late."""
    kept, found, ended = in_order(said, lateness), [], 0
    for first in range(0, len(kept) - length + 1, slide):
        inside = kept[first : first + length]
        start, last = inside[0].ts, inside[-1].ts
        ended = max(last, ended + 1)
        found.append(Window(start, ended, length, results(asked, inside, [], start, last)))
    return found, len(said) - len(kept)


def states(said: list[Said], lateness: int, holds: Callable[[dict[str, Any]], bool | None], asked: Asked) -> tuple[list[Window], int]:
    """Give the windows that are open while a condition holds, and how many readings were late."""
    kept, found, ended = in_order(said, lateness), [], 0
    newest: dict[str, Any] = {}
    opened: int | None = None
    for place, one in enumerate(kept):
        newest[one.metric] = one.value
        told = holds({**newest, "metric": one.metric, "value": one.value})
        if told and opened is None:
            opened = place
        if told is False and opened is not None:
            start, ended = kept[opened].ts, max(one.ts, ended + 1)
            found.append(Window(start, ended, place - opened, results(asked, kept[opened:place], kept[:opened], start, one.ts)))
            opened = None
    return found, len(said) - len(kept)


def boundaries(zone: ZoneInfo, every: timedelta | str, start: datetime, hours: int) -> list[int]:
    """Walk along a zone's wall clock, minute by minute; give the instants (ns) at which windows begin."""
    found = []
    before = (start - timedelta(minutes=1)).astimezone(zone).replace(tzinfo=None)
    newest = before.date()
    for minute in range(hours * 60):
        instant = start + timedelta(minutes=minute)
        wall = instant.astimezone(zone).replace(tzinfo=None)
        if isinstance(every, timedelta) and every < timedelta(days=1):
            passed = [before + timedelta(minutes=n) for n in range(1, (wall - before) // timedelta(minutes=1) + 1)] or [wall]
            starts = any((one - datetime.combine(one.date(), datetime.min.time())) % every == timedelta(0) for one in passed)
        else:
            days = [newest + timedelta(days=n) for n in range(1, (wall.date() - newest).days + 1)]
            starts = any(_begins(day, every) for day in days)
        if starts:
            found.append(int(instant.timestamp()) * SECOND)
        before, newest = wall, max(newest, wall.date())
    return found


def _begins(day: date, every: timedelta | str) -> bool:
    if every == "month":
        return day.day == 1
    days = every.days if isinstance(every, timedelta) else {"day": 1, "week": 7}[every]
    return (day - date(1970, 1, 5)).days % days == 0


def results(asked: Asked, inside: list[Said], earlier: list[Said], start: int, end: int) -> dict[str, Any]:
    """Give every aggregate of the readings of a window; `earlier` are those before it that may be looked back at."""
    inside = sorted(inside)
    found = {}
    for name, (function, metrics, params) in asked.items():
        if function in OVER_TIME:
            texts = function == "time_in_state"
            points = [(one.ts, one.value) for one in _of(inside, metrics[0], texts=texts) if one.aware]
            before = [one.value for one in _of(earlier, metrics[0], texts=texts) if one.aware][-1:]
            found[name] = OVER_TIME[function](list(_held(points, before, start, end)), [*before, *(v for _, v in points)], *params)
        elif function == "correlation":
            found[name] = correlation(_of(inside, metrics[0]), _of(inside, metrics[1]), *params)
        else:
            values = _of(inside, metrics[0], texts=function in {"count", "first", "last", "mode", "distinct"})
            found[name] = percentile(values, function) if function not in PLAIN else PLAIN[function](values, *params)
    return found


def _of(said: Sequence[Said], metric: str, *, texts: bool = False) -> list[Said]:
    return [one for one in said if one.metric == metric and (texts if isinstance(one.value, str) else isfinite(one.value))]


def _held(points: list[tuple[int, Any]], before: list[Any], start: int, end: int) -> Iterator[tuple[Any, int]]:
    """Give each value with how long it held."""
    times = [*([start] if before else []), *(ts for ts, _ in points), end]
    for place, value in enumerate([*before, *(value for _, value in points)]):
        yield value, times[place + 1] - times[place]


def _integral(held: list[tuple[Any, int]]) -> float:
    return fsum(value * (ns / HOUR) for value, ns in held)


def _covered(held: list[tuple[Any, int]]) -> int:
    return sum(ns for _, ns in held)


OVER_TIME: dict[str, Callable[..., Any]] = {
    "time_weighted_mean": lambda held, _: _integral(held) * HOUR / _covered(held) if _covered(held) else None,
    "integral": lambda held, _: _integral(held) if held else None,
    "duty_cycle": lambda held, _: sum(ns for value, ns in held if value) / _covered(held) if _covered(held) else None,
    "time_in_state": lambda held, _, asked: sum(ns for value, ns in held if value == asked) / SECOND if held else None,
    "increase": lambda held, values: fsum(b if b < a else b - a for a, b in pairwise(values)) if held else None,
}
"""By what held for how long, and the values one after the other."""


def _mean(values: list[float]) -> float:
    return fsum(values) / len(values)


def _variance(said: list[Said]) -> float | None:
    if len(said) < 2:
        return None
    mean = _mean([one.value for one in said])
    return fsum((one.value - mean) ** 2 for one in said) / (len(said) - 1)


def _rate(said: list[Said]) -> float | None:
    if not said or said[-1].ts == said[0].ts:
        return None
    first = next(one for one in said if one.ts == said[0].ts)
    return (said[-1].value - first.value) / ((said[-1].ts - first.ts) / SECOND)


def _slope(said: list[Said]) -> float | None:
    if len({one.ts for one in said}) < 2:
        return None
    at = [(one.ts - said[0].ts) / SECOND for one in said]
    mean_at, mean = _mean(at), _mean([one.value for one in said])
    products = fsum((a - mean_at) * (one.value - mean) for a, one in zip(at, said, strict=True))
    return products / fsum((a - mean_at) ** 2 for a in at)


def _mode(said: list[Said]) -> Any:
    kinds = Counter((isinstance(one.value, bool), isinstance(one.value, str), one.value) for one in said)
    most = max(kinds.values(), default=0)
    # numbers before texts before truth values; of one kind the smallest
    return min((kind for kind, n in kinds.items() if n == most), default=(False, False, None))[2]


def _ewma(said: list[Said], time_constant: int) -> float | None:
    weights = [exp((one.ts - said[-1].ts) / time_constant) for one in said]
    return fsum(w * one.value for w, one in zip(weights, said, strict=True)) / fsum(weights) if said else None


PLAIN: dict[str, Callable[..., Any]] = {
    "count": len,
    "sum": lambda said: fsum(one.value for one in said) if said else None,
    "mean": lambda said: _mean([one.value for one in said]) if said else None,
    "min": lambda said: min((one.value for one in said), default=None),
    "max": lambda said: max((one.value for one in said), default=None),
    "range": lambda said: max(one.value for one in said) - min(one.value for one in said) if said else None,
    "first": lambda said: said[0].value if said else None,
    "last": lambda said: said[-1].value if said else None,
    "delta": lambda said: said[-1].value - said[0].value if said else None,
    "rate": _rate,
    "variance": _variance,
    "stddev": lambda said: None if (variance := _variance(said)) is None else sqrt(variance),
    "slope": _slope,
    "mode": _mode,
    "distinct": lambda said: len({(isinstance(one.value, bool), one.value) for one in said}),
    "ewma": _ewma,
}
"""By the readings in order of their time."""


def percentile(said: list[Said], name: str) -> float | None:
    """Give the value at rank q * (n - 1), rounded down."""
    q = 0.5 if name == "median" else int(name[1:]) / 100
    values = sorted(one.value for one in said)
    return values[floor(q * (len(values) - 1))] if values else None


def correlation(first: list[Said], second: list[Said], every: int = 1) -> float | None:
    """Give Pearson's correlation of the means in each stretch of time that has both."""
    stretches: dict[int, tuple[list[float], list[float]]] = defaultdict(lambda: ([], []))
    for place, said in enumerate((first, second)):
        for one in said:
            stretches[one.ts // every][place].append(one.value)
    pairs = [(_mean(x), _mean(y)) for x, y in stretches.values() if x and y]
    if len(pairs) < 2:
        return None
    mean_x, mean_y = (_mean(list(side)) for side in zip(*pairs, strict=True))
    spread_x, spread_y = fsum((x - mean_x) ** 2 for x, _ in pairs), fsum((y - mean_y) ** 2 for _, y in pairs)
    if min(spread_x, spread_y) < 1e-12:
        return None
    return fsum((x - mean_x) * (y - mean_y) for x, y in pairs) / sqrt(spread_x * spread_y)


def instant(text: str) -> datetime:
    """Read a time of UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
