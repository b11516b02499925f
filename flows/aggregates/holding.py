"""What a metric was over time, each value weighing as long as it held. All read [time covered (ns), sums]; empty gives none."""

from __future__ import annotations

from flows.aggregates.accumulator import Result, State
from flows.aggregates.trace import HOUR

_SECOND = 1e9


def time_weighted_mean(s: State) -> Result:
    """Give the mean over time; none where no time is covered.

    >>> from flows.aggregates import Columns, AggregateCall, Span
    >>> columns = Columns({"mean": AggregateCall.parse("time_weighted_mean(power)")})
    >>> pane = columns.new()
    >>> for ts, value in [(2, 100.0), (8, 0.0)]: columns.add(pane, "power", value, ts)
    >>> columns.results(pane, Span(0, 10)), columns.results(pane, Span(0, 10), before=[[-5, 50.0]])
    ({'mean': 75.0}, {'mean': 70.0})
    """
    return _total(s[1][1]) * HOUR / s[0] if s and s[0] else None


def integral(s: State) -> Result:
    """Give value times hours: W become Wh.

    >>> from flows.aggregates import aggregate
    >>> round(aggregate("integral", [3600.0, 3600.0, 0.0]), 9)
    2.0
    """
    return _total(s[1][1]) if s else None


def duty_cycle(s: State) -> Result:
    """Give the share of the time in which the value was true, or not zero; none where no time is covered.

    >>> from flows.aggregates import aggregate
    >>> aggregate("duty_cycle", [True, False, False, False])
    0.25
    """
    return float(s[1][0] / s[0]) if s and s[0] else None


def increase(s: State) -> Result:
    """Give by how much a counter rose; after a fall, which is a reset, the new value counts whole.

    >>> from flows.aggregates import aggregate
    >>> aggregate("increase", [100, 104, 3, 5])
    9.0
    """
    return _total(s[1][2]) if s else None


def time_in_state(s: State, place: int) -> Result:
    """Give the seconds for which the value was one of those asked for: the one at that place.

    >>> from flows.aggregates import aggregate
    >>> aggregate('time_in_state(mode, "heating")', ["idle", "heating", "heating", "error"])
    2.0
    """
    return s[1][place] / _SECOND if s else None


def _total(expansion: list[float]) -> float:
    """Give the rounded sum, which leads its expansion."""
    return float(expansion[0]) if expansion else 0.0
