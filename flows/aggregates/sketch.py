"""Percentiles by buckets of the logarithm: within 2 % of the value, mergeable, and the same whatever the order.

DDSketch: Masson, Rim, Lee: A Fast and Fully-Mergeable Quantile Sketch with Relative-Error Guarantees, PVLDB 12 (2019). Memory grows with the
logarithm of the range of the values.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, log

from flows.aggregates import extremes
from flows.aggregates.accumulator import Accumulator, Result, State

RELATIVE_ERROR = 0.02
"""The error of a percentile, relative to the value (not to the rank)."""
_GAMMA = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
_LOG_GAMMA = log(_GAMMA)


def _add(s: State, value: float, _ts: int) -> None:
    extremes.add(s[3], value, 0)
    if value > 0:
        buckets, at = s[0], ceil(log(value) / _LOG_GAMMA)
    elif value < 0:
        buckets, at = s[1], ceil(log(-value) / _LOG_GAMMA)
    else:
        s[2] += 1
        return
    buckets[at] = buckets.get(at, 0) + 1


def _merge(s: State, other: State) -> None:
    for mine, theirs in ((s[0], other[0]), (s[1], other[1])):
        for at, n in theirs.items():
            mine[at] = mine.get(at, 0) + n
    s[2] += other[2]
    extremes.merge(s[3], other[3])


SKETCH = Accumulator(lambda: [{}, {}, 0, []], _add, _merge)
"""[counts of positive values by bucket, of negative ones, zeros, [smallest, largest]]"""


def quantile(q: float) -> Callable[[State], Result]:
    """Make the reading of a quantile: the value at rank q * (n - 1), rounded down, of the sorted values.

    >>> from flows.aggregates import aggregate
    >>> round(aggregate("p50", [1.0, 2.0, 3.0, 4.0, 100.0]), 1), aggregate("median", [7.0])
    (3.0, 7.0)
    """

    def result(s: State) -> Result:
        if not s[3]:
            return None
        lowest, highest = s[3]
        return float(min(max(_at_rank(s, q), lowest), highest)) + 0.0

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
            return -_middle(at)
    if below + zeros > rank:
        return 0.0
    seen = below + zeros
    for at in sorted(positive):
        seen += positive[at]
        if seen > rank:
            break
    return _middle(at)


def _middle(at: int) -> float:
    """Give 2 g^at / (g + 1), as a product of which no part is beyond a float."""
    return float(_GAMMA ** (at - 1) * (2 * _GAMMA / (_GAMMA + 1)))
