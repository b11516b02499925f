"""How many and how much: count, sum, mean."""

from __future__ import annotations

from flows.aggregates.accumulator import Accumulator, Result, State


def _add_tally(s: State, _value: object, _ts: int) -> None:
    s[0] += 1


def _merge_tally(s: State, other: State) -> None:
    s[0] += other[0]


def _add_total(s: State, value: float, _ts: int) -> None:
    s[0] += 1
    s[1] += value


def _merge_total(s: State, other: State) -> None:
    s[0] += other[0]
    s[1] += other[1]


TALLY = Accumulator(lambda: [0], _add_tally, _merge_tally, text=True)
"""[readings]"""

TOTAL = Accumulator(lambda: [0, 0.0], _add_total, _merge_total)
"""[readings, sum]"""


def count(s: State) -> Result:
    """Count the readings, texts too.

    >>> from flows.aggregates import aggregate
    >>> aggregate("count", [20.0, "error", True]), aggregate("count", [])
    (3.0, 0.0)
    """
    return float(s[0])


def total(s: State) -> Result:
    """Sum up.

    >>> from flows.aggregates import aggregate
    >>> aggregate("sum", [20.0, 21.0, "error"]), aggregate("sum", [])
    (41.0, None)
    """
    return float(s[1]) if s[0] else None


def mean(s: State) -> Result:
    """Give the arithmetic mean: every reading weighs the same, however long it held.

    >>> from flows.aggregates import aggregate
    >>> aggregate("mean", [20.0, 21.0, 25.0]), aggregate("mean", [True, False])
    (22.0, 0.5)
    """
    return float(s[1] / s[0]) if s[0] else None
