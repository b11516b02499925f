"""The value that comes most often."""

from __future__ import annotations

from flows.aggregates.accumulator import Accumulator, Result, State
from flows.aggregates.value_key import Key, from_key, to_key

MOST_VALUES = 1_000
"""Beyond so many different values there is no mode, and no memory is spent on one."""


def _add(s: State, value: float | str, _ts: int) -> None:
    _more(s, to_key(value), 1)


def _more(s: State, key: Key, n: int) -> None:
    counts, too_many = s
    if too_many:
        return
    counts[key] = counts.get(key, 0) + n
    if len(counts) > MOST_VALUES:
        s[:] = [{}, True]


def _merge(s: State, other: State) -> None:
    for key, n in other[0].items():
        _more(s, key, n)
    if other[1]:
        s[:] = [{}, True]


VOTES = Accumulator(lambda: [{}, False], _add, _merge, text=True)
"""[how often each value came, whether there were too many of them]"""


def mode(s: State) -> Result:
    """Give the most frequent value; of several the smallest, numbers before texts before truth values.

    >>> from flows.aggregates import aggregate
    >>> aggregate("mode", ["idle", "heating", "heating"]), aggregate("mode", [22, 21, 22, 21])
    ('heating', 21.0)
    >>> aggregate("mode", list(range(1001))) is None
    True
    """
    if not s[0]:
        return None
    most = max(s[0].values())
    return from_key(min((key for key, n in s[0].items() if n == most), key=lambda key: (isinstance(key, str), key)))
