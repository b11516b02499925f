"""The straight line through readings over their time."""

from __future__ import annotations

from flows.aggregates.accumulator import Accumulator, Result, State

_SECOND = 1e9


def _add(s: State, value: float, ts: int) -> None:
    # Welford's update for two variables; seconds are counted from the first time seen, or a float would not hold them
    if not s[0]:
        s[1] = ts
    s[0] += 1
    at = (ts - s[1]) / _SECOND
    off = at - s[2]
    s[2] += off / s[0]
    s[3] += (value - s[3]) / s[0]
    s[4] += off * (at - s[2])
    s[5] += off * (value - s[3])


def _merge(s: State, other: State) -> None:
    # Chan, Golub, LeVeque (1979) for two variables, once the other's seconds count from our first time
    if not other[0]:
        return
    if not s[0]:
        s[:] = other
        return
    n = s[0] + other[0]
    off_time = other[2] + (other[1] - s[1]) / _SECOND - s[2]
    off_value = other[3] - s[3]
    share = other[0] / n
    s[4] += other[4] + off_time * off_time * s[0] * share
    s[5] += other[5] + off_time * off_value * s[0] * share
    s[2] += off_time * share
    s[3] += off_value * share
    s[0] = n


LINE = Accumulator(lambda: [0, 0, 0.0, 0.0, 0.0, 0.0], _add, _merge)
"""[readings, origin of the seconds, mean second, mean value, squared distances of seconds, products of both distances]"""


def slope(s: State) -> Result:
    """Give the slope of the least-squares line, per second; none where all readings are of one time.

    >>> from flows.aggregates import aggregate
    >>> aggregate("slope", [20.0, 20.5, 21.0, 21.5]), aggregate("slope", [20.0])
    (0.5, None)
    """
    return float(s[5] / s[4]) if s[4] > 0 else None
