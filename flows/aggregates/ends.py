"""The first and the last value by event time, and what changed between them."""

from __future__ import annotations

from flows.aggregates.accumulator import Accumulator, Result, State

_SECOND = 1e9


def _add(s: State, value: object, ts: int) -> None:
    if not s:
        s.extend((ts, value, ts, value))
        return
    if ts < s[0]:
        s[0], s[1] = ts, value
    if ts >= s[2]:
        s[2], s[3] = ts, value


def _merge(s: State, other: State) -> None:
    if other:
        _add(s, other[1], other[0])
        _add(s, other[3], other[2])


ENDS = Accumulator(list, _add, _merge, text=True)
"""[first time, first value, last time, last value], or empty"""

NUMBER_ENDS = Accumulator(list, _add, _merge)
"""The same of numbers alone: a text between them ends nothing that can be subtracted."""


def first(s: State) -> Result:
    """Give the value with the earliest event time, as it is.

    >>> from flows.aggregates import aggregate
    >>> aggregate("first", ["idle", "heating", 3.0])
    'idle'
    """
    return s[1] if s else None


def last(s: State) -> Result:
    """Give the value with the latest event time, as it is.

    >>> from flows.aggregates import aggregate
    >>> aggregate("last", [False, True])
    True
    """
    return s[3] if s else None


def delta(s: State) -> Result:
    """Give the last number less the first.

    >>> from flows.aggregates import aggregate
    >>> aggregate("delta", [20.0, 26.0, 18.5]), aggregate("delta", [20.0])
    (-1.5, 0.0)
    """
    return float(s[3] - s[1]) if s else None


def rate(s: State) -> Result:
    """Give the last number less the first, per second between them; none where no time is between them.

    >>> from flows.aggregates import aggregate
    >>> aggregate("rate", [20.0, 26.0, 21.0]), aggregate("rate", [20.0])
    (0.5, None)
    """
    return float((s[3] - s[1]) / ((s[2] - s[0]) / _SECOND)) if s and s[2] > s[0] else None
