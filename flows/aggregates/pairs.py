"""Two metrics beside each other: the readings that they have of one time, and how they move together. Memory: O(times)."""

from __future__ import annotations

from collections.abc import Callable
from math import fsum, sqrt
from typing import Any

from flows.aggregates.accumulator import Accumulator, Result, State

_ROUNDING = 1e-12


def pairs(every: int = 1) -> Accumulator:
    """Pair readings that lie in the same stretch of `every` ns, counted from 1970: by default, those of the same time."""

    def add_to(place: int) -> Callable[[State, Any, int], None]:
        def add(s: State, value: float, ts: int) -> None:
            _more(s[0], ts // every, place, 1, value)

        return add

    return Accumulator(lambda: [{}], add_to(0), _merge, add_second=add_to(2))


def _more(stretches: dict[int, State], at: int, place: int, n: int, value: float) -> None:
    stretch = stretches.get(at)
    if stretch is None:
        stretch = stretches[at] = [0, 0.0, 0, 0.0]
    stretch[place] += n
    stretch[place + 1] += value


def _merge(s: State, other: State) -> None:
    for at, (n, x, m, y) in other[0].items():
        _more(s[0], at, 0, n, x)
        _more(s[0], at, 2, m, y)


def correlation(s: State) -> Result:
    """Give Pearson's correlation of the stretches' means, from -1 to 1; none where there are no two pairs or one metric does not change.

    >>> from flows.aggregates import aggregate
    >>> round(aggregate("correlation(x, y)", [(1.0, 10.0), (2.0, 20.0), (3.0, 30.0)]), 9)
    1.0
    >>> round(aggregate("correlation(x, y, 2s)", [(1.0, "?"), ("?", 5.0), (2.0, "?"), ("?", 4.0)]), 9)
    -1.0
    """
    both = [(x / n, y / m) for n, x, m, y in s[0].values() if n and m]
    off_x, off_y = _distances([x for x, _ in both]), _distances([y for _, y in both])
    if off_x is None or off_y is None:
        return None
    together = fsum(x * y for x, y in zip(off_x, off_y, strict=True))
    scale = sqrt(fsum(x * x for x in off_x)) * sqrt(fsum(y * y for y in off_y))
    return max(-1.0, min(1.0, together / scale))


def _distances(values: list[float]) -> list[float] | None:
    """Give how far each value lies from their mean; None where they differ by no more than rounding leaves."""
    if not values or max(values) - min(values) <= _ROUNDING * max(map(abs, values)):
        return None
    mean = fsum(values) / len(values)
    return [value - mean for value in values]
