"""The exponentially weighted mean by time."""

from __future__ import annotations

from math import exp

from flows.aggregates.accumulator import Accumulator, Result, State


def decay(time_constant: int) -> Accumulator:
    """Weigh each value by exp(-age / time constant), its age counted back from the newest reading; ns.

    The weights hang on the times alone, not on the order in which readings come, as the usual recursion would.
    """

    def add(s: State, value: float, ts: int) -> None:
        blend(s, ts, 1.0, value)

    def merge(s: State, other: State) -> None:
        if other[1]:
            blend(s, *other)

    def blend(s: State, ts: int, weight: float, weighted: float) -> None:
        if not s[1]:
            s[:] = ts, weight, float(weighted)
        elif ts <= s[0]:
            faded = exp((ts - s[0]) / time_constant)
            s[1] += faded * weight
            s[2] += faded * weighted
        else:
            faded = exp((s[0] - ts) / time_constant)
            s[:] = ts, s[1] * faded + weight, s[2] * faded + weighted

    return Accumulator(lambda: [0, 0.0, 0.0], add, merge)


def ewma(s: State) -> Result:
    """Give the weighted mean of [newest time, weights, weighted sum].

    >>> from flows.aggregates import aggregate
    >>> round(aggregate("ewma(x, 1s)", [0.0, 0.0, 10.0]), 3), round(aggregate("ewma(x, 1h)", [0.0, 0.0, 10.0]), 3)
    (6.652, 3.334)
    """
    return float(s[2] / s[1]) if s[1] else None
