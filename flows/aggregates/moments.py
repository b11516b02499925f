"""How far values lie from their mean: variance and standard deviation of the sample."""

from __future__ import annotations

from math import sqrt

from flows.aggregates.accumulator import Accumulator, Result, State


def _add(s: State, value: float, _ts: int) -> None:
    # Welford's update: B. P. Welford, Technometrics 4 (1962)
    s[0] += 1
    off = value - s[1]
    s[1] += off / s[0]
    s[2] += off * (value - s[1])


def _merge(s: State, other: State) -> None:
    # Chan, Golub, LeVeque: Updating Formulae and a Pairwise Algorithm (1979)
    if not other[0]:
        return
    n = s[0] + other[0]
    off = other[1] - s[1]
    s[2] += other[2] + off * off * s[0] * other[0] / n
    s[1] += off * other[0] / n
    s[0] = n


MOMENTS = Accumulator(lambda: [0, 0.0, 0.0], _add, _merge)
"""[readings, mean, sum of squared distances from it]"""


def variance(s: State) -> Result:
    """Give the variance of the sample (n - 1); none for one reading.

    >>> from flows.aggregates import aggregate
    >>> aggregate("variance", [2.0, 4.0, 6.0]), aggregate("variance", [2.0])
    (4.0, None)
    """
    return max(s[2], 0.0) / (s[0] - 1) if s[0] > 1 else None


def stddev(s: State) -> Result:
    """Give the standard deviation of the sample (n - 1); none for one reading.

    >>> from flows.aggregates import aggregate
    >>> aggregate("stddev", [2.0, 4.0, 6.0]), aggregate("stddev", [2.0])
    (2.0, None)
    """
    return sqrt(max(s[2], 0.0) / (s[0] - 1)) if s[0] > 1 else None
