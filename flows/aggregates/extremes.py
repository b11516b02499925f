"""The smallest and the largest value, and what is between them."""

from __future__ import annotations

from flows.aggregates.accumulator import Accumulator, Result, State


def add(s: State, value: float, _ts: int) -> None:
    """Widen [smallest, largest] by a value; both are the first one's at first."""
    if not s:
        s.extend((value, value))
    elif value < s[0]:
        s[0] = value
    elif value > s[1]:
        s[1] = value


def merge(s: State, other: State) -> None:
    """Widen by another pair."""
    for value in other:
        add(s, value, 0)


EXTREMES = Accumulator(list, add, merge)
"""[smallest, largest], or empty"""


def smallest(s: State) -> Result:
    """Give the smallest; 0.0 for what may be -0.0, since which of the two came first must not show.

    >>> from flows.aggregates import aggregate
    >>> aggregate("min", [21, 20, 25]), aggregate("min", [True, False]), aggregate("min", ["cold"])
    (20.0, 0.0, None)
    """
    return float(s[0]) + 0.0 if s else None


def largest(s: State) -> Result:
    """Give the largest.

    >>> from flows.aggregates import aggregate
    >>> aggregate("max", [21, 20, 25])
    25.0
    """
    return float(s[1]) + 0.0 if s else None


def spread(s: State) -> Result:
    """Give the largest less the smallest.

    >>> from flows.aggregates import aggregate
    >>> aggregate("range", [21.0, 20.0, 25.0]), aggregate("range", [21.0])
    (5.0, 0.0)
    """
    return float(s[1] - s[0]) if s else None
