"""Aggregates: what a window says about one metric. Each is a reading of a small mergeable accumulator, and several may read the same one.

Accumulators are plain lists and dicts, so that a snapshot needs no class to be read, and O(1) in memory (the sketch: O(log of the range)).
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, isfinite, log, sqrt
from typing import Any, NamedTuple

State = list[Any]
Result = float | str | bool | None


class Accumulator(NamedTuple):
    """`add` takes a value and its event time (ns); `merge` adds the second state to the first. Both work in place. `text`: takes text too."""

    new: Callable[[], State]
    add: Callable[[State, Any, int], None]
    merge: Callable[[State, State], None]
    text: bool = False


class Aggregate(NamedTuple):
    """A named view of an accumulator's state; None where it has seen nothing."""

    accumulator: str
    result: Callable[[State], Result]
    about: str


def _add_total(s: State, value: float, _ts: int) -> None:
    s[0] += 1
    s[1] += value


def _merge_total(s: State, other: State) -> None:
    s[0] += other[0]
    s[1] += other[1]


def _add_tally(s: State, _value: object, _ts: int) -> None:
    s[0] += 1


def _merge_tally(s: State, other: State) -> None:
    s[0] += other[0]


def _add_spread(s: State, value: float, _ts: int) -> None:
    # Welford's update: B. P. Welford, Technometrics 4 (1962)
    s[0] += 1
    off = value - s[1]
    s[1] += off / s[0]
    s[2] += off * (value - s[1])


def _merge_spread(s: State, other: State) -> None:
    # Chan, Golub, LeVeque: Updating Formulae and a Pairwise Algorithm (1979)
    if not other[0]:
        return
    n = s[0] + other[0]
    off = other[1] - s[1]
    s[2] += other[2] + off * off * s[0] * other[0] / n
    s[1] += off * other[0] / n
    s[0] = n


def _add_extremes(s: State, value: float, _ts: int) -> None:
    if not s:
        s.extend((value, value))
    elif value < s[0]:
        s[0] = value
    elif value > s[1]:
        s[1] = value


def _merge_extremes(s: State, other: State) -> None:
    for value in other:
        _add_extremes(s, value, 0)


def _add_ends(s: State, value: object, ts: int) -> None:
    if not s:
        s.extend((ts, value, ts, value))
        return
    if ts < s[0]:
        s[0], s[1] = ts, value
    if ts >= s[2]:
        s[2], s[3] = ts, value


def _merge_ends(s: State, other: State) -> None:
    if other:
        _add_ends(s, other[1], other[0])
        _add_ends(s, other[3], other[2])


RELATIVE_ERROR = 0.02
"""The error of a percentile, relative to the value (not to the rank)."""
_GAMMA = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
_LOG_GAMMA = log(_GAMMA)


def _add_sketch(s: State, value: float, _ts: int) -> None:
    _add_extremes(s[3], value, 0)
    # DDSketch: Masson, Rim, Lee, PVLDB 12 (2019): buckets by the logarithm; the same whatever the order
    if value > 0:
        buckets, at = s[0], ceil(log(value) / _LOG_GAMMA)
    elif value < 0:
        buckets, at = s[1], ceil(log(-value) / _LOG_GAMMA)
    else:
        s[2] += 1
        return
    buckets[at] = buckets.get(at, 0) + 1


def _merge_sketch(s: State, other: State) -> None:
    for mine, theirs in ((s[0], other[0]), (s[1], other[1])):
        for at, n in theirs.items():
            mine[at] = mine.get(at, 0) + n
    s[2] += other[2]
    _merge_extremes(s[3], other[3])


def _quantile(q: float) -> Callable[[State], Result]:
    def result(s: State) -> Result:
        if not s[3]:
            return None
        lowest, highest = s[3]
        return float(min(max(_at_rank(s, q), lowest), highest))

    return result


def _at_rank(s: State, q: float) -> float:
    """Find the bucket at a rank; give the value that is nearest, relatively, to all in it."""
    positive, negative, zeros, _ = s
    below = sum(negative.values())
    rank = q * (below + zeros + sum(positive.values()) - 1)
    seen = 0
    for at in sorted(negative, reverse=True):
        seen += negative[at]
        if seen > rank:
            return float(-2 * _GAMMA**at / (_GAMMA + 1))
    if below + zeros > rank:
        return 0.0
    seen = below + zeros
    for at in sorted(positive):
        seen += positive[at]
        if seen > rank:
            break
    return float(2 * _GAMMA**at / (_GAMMA + 1))


ACCUMULATORS: dict[str, Accumulator] = {
    "tally": Accumulator(lambda: [0], _add_tally, _merge_tally, text=True),
    "total": Accumulator(lambda: [0, 0.0], _add_total, _merge_total),
    "spread": Accumulator(lambda: [0, 0.0, 0.0], _add_spread, _merge_spread),
    "extremes": Accumulator(list, _add_extremes, _merge_extremes),
    "ends": Accumulator(list, _add_ends, _merge_ends, text=True),
    "sketch": Accumulator(lambda: [{}, {}, 0, []], _add_sketch, _merge_sketch),
}

AGGREGATES: dict[str, Aggregate] = {
    "count": Aggregate("tally", lambda s: float(s[0]), "how many readings"),
    "sum": Aggregate("total", lambda s: s[1] if s[0] else None, "their sum"),
    "mean": Aggregate("total", lambda s: s[1] / s[0] if s[0] else None, "their arithmetic mean"),
    "min": Aggregate("extremes", lambda s: s[0] if s else None, "the smallest"),
    "max": Aggregate("extremes", lambda s: s[1] if s else None, "the largest"),
    "first": Aggregate("ends", lambda s: s[1] if s else None, "the one with the earliest event time"),
    "last": Aggregate("ends", lambda s: s[3] if s else None, "the one with the latest event time"),
    "stddev": Aggregate(
        "spread", lambda s: sqrt(max(s[2], 0.0) / (s[0] - 1)) if s[0] > 1 else None, "sample standard deviation; none for one reading"
    ),
    "p50": Aggregate("sketch", _quantile(0.50), "the median, within 2 % of the value"),
    "p95": Aggregate("sketch", _quantile(0.95), "the 95th percentile, within 2 % of the value"),
    "p99": Aggregate("sketch", _quantile(0.99), "the 99th percentile, within 2 % of the value"),
}


def aggregate(name: str, values: list[float]) -> Result:
    """Aggregate a list of values, one second apart.

    >>> aggregate("mean", [20.0, 21.0, 25.0])
    22.0
    >>> round(aggregate("p50", [1.0, 2.0, 3.0, 4.0, 100.0]), 1)
    3.0
    >>> aggregate("stddev", [1.0]) is None
    True
    """
    wanted = AGGREGATES[name]
    accumulator = ACCUMULATORS[wanted.accumulator]
    state = accumulator.new()
    for second, value in enumerate(values):
        accumulator.add(state, value, second * 1_000_000_000)
    return wanted.result(state)


def usable(value: object, accumulator: Accumulator) -> bool:
    """Tell whether an accumulator can take the value: text only where it takes text, and no number that is not finite."""
    if isinstance(value, str):
        return accumulator.text
    return isinstance(value, int) or (isinstance(value, float) and isfinite(value))
