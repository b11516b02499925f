"""What a window computes: the aggregates of a flow, over as few accumulators as can serve them all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from math import isfinite
from typing import Any, NamedTuple

from flows.aggregates.accumulator import Accumulator, Add, Result, State, is_number
from flows.aggregates.call import AggregateCall
from flows.aggregates.registry import ACCUMULATORS, AGGREGATES, SHAPED
from flows.aggregates.span import Point, Span
from flows.aggregates.trace import Trace

_SECOND = 10**9

Feed = tuple[tuple[int, Add], ...]
"""Which accumulators of a pane take a value, and how."""

Kind = tuple[str, tuple[str, ...], tuple[Any, ...]]
"""An accumulator: its name, the metrics it takes, the parameters it is made with."""


class Feeds(NamedTuple):
    """Where the readings of one metric go. The last two leave out what keeps order."""

    numbers: Feed
    texts: Feed
    unordered_numbers: Feed
    unordered_texts: Feed


class Columns:
    """The aggregates of a flow's windows by name. Holds no state: a pane is a list of the accumulators' states, in builtins.

    >>> columns = Columns({"warm": AggregateCall.parse("mean(temperature)"), "hot": AggregateCall.parse("max(temperature)")})
    >>> morning, noon = columns.new(), columns.new()
    >>> columns.add(morning, "temperature", 18.0, 9)
    >>> columns.add(noon, "temperature", 24.0, 12)
    >>> columns.merge(morning, noon)
    >>> columns.results(morning, Span(0, 24))
    {'warm': 21.0, 'hot': 24.0}
    """

    def __init__(self, calls: Mapping[str, AggregateCall]) -> None:
        kinds = list(dict.fromkeys(_kind(call, calls.values()) for call in calls.values()))
        self._accumulators = [_accumulator(kind) for kind in kinds]
        self._traces = {slot: one for slot, one in enumerate(self._accumulators) if isinstance(one, Trace)}
        self._merges = [one.merge for one in self._accumulators]
        self._feeds = {metric: self._feeds_of(metric, kinds) for _, metrics, _ in kinds for metric in metrics}
        self._readings = {}
        for name, call in calls.items():
            kind = _kind(call, calls.values())
            self._readings[name] = (kinds.index(kind), _reading(call, kind))
        self.names = tuple(calls)
        self.timed = bool(self._traces)

    def _feeds_of(self, metric: str, kinds: Sequence[Kind]) -> Feeds:
        fed = []
        for slot, ((_, metrics, _), accumulator) in enumerate(zip(kinds, self._accumulators, strict=True)):
            if metric in metrics:
                fed.append((slot, _add_of(accumulator, metrics.index(metric)), accumulator.text))
        numbers = tuple((slot, add) for slot, add, _ in fed)
        texts = tuple((slot, add) for slot, add, text in fed if text)
        return Feeds(numbers, texts, *(tuple(one for one in feed if one[0] not in self._traces) for feed in (numbers, texts)))

    def new(self) -> list[State]:
        """Make the accumulators of an empty pane."""
        return [accumulator.new() for accumulator in self._accumulators]

    def add(self, pane: list[State], metric: str, value: Any, ts: int, *, aware: bool = True) -> None:
        """Add a reading, wherever it can be taken: text only where text is, no number that is not finite.

        Without `aware` it stays out of what keeps order: so it must be for a reading older than the horizon of `fold`.
        """
        feeds = self._feeds.get(metric)
        if feeds is None:
            return
        if isinstance(value, str):
            feed = feeds.texts if aware else feeds.unordered_texts
        elif is_number(value):
            feed = feeds.numbers if aware else feeds.unordered_numbers
        else:
            return
        for slot, add in feed:
            add(pane[slot], value, ts)

    def merge(self, into: list[State], other: list[State]) -> None:
        """Add a later pane to an earlier one; the later one stays as it is."""
        for merge, state, others in zip(self._merges, into, other, strict=True):
            merge(state, others)

    def newest(self, pane: list[State]) -> list[Point | None]:
        """Give the newest point of each accumulator that keeps order, for later windows to look back at."""
        return [trace.newest(pane[slot]) for slot, trace in self._traces.items()]

    def results(self, pane: list[State], span: Span, before: Sequence[Point | None] = ()) -> dict[str, Result]:
        """Give every aggregate of a window; None where nothing was seen, or where the result is beyond a float.

        `before` is what holds at the span's start, of each accumulator that keeps order; without it they begin with their first reading.
        """
        states = list(pane)
        for place, (slot, trace) in enumerate(self._traces.items()):
            states[slot] = trace.complete(pane[slot], span, before[place] if before else None)
        return {name: _finite(read, states[slot]) for name, (slot, read) in self._readings.items()}

    def fold(self, pane: list[State], horizon: int) -> None:
        """Let go of readings with ts < horizon that were kept for their order; no result shows it."""
        for slot, trace in self._traces.items():
            trace.fold(pane[slot], horizon)


def aggregate(call: str, values: Sequence[Any]) -> Result:
    """Aggregate values that come one second apart and hold for a second each: tuples of two where the call is of two metrics.

    >>> aggregate("mean", [20.0, 21.0, 25.0])
    22.0
    >>> aggregate("time_in_state(mode, 'on')", ["on", "on", "off"])
    2.0
    """
    parsed = AggregateCall.parse(call if "(" in call else f"{call}(x)")
    columns = Columns({call: parsed})
    pane = columns.new()
    for second, value in enumerate(values):
        for metric, one in zip(parsed.metrics, value if isinstance(value, tuple) else (value,), strict=True):
            columns.add(pane, metric, one, second * _SECOND)
    return columns.results(pane, Span(0, len(values) * _SECOND))[call]


def _kind(call: AggregateCall, calls: Iterable[AggregateCall]) -> Kind:
    """Tell which accumulator serves a call."""
    wanted = AGGREGATES[call.function]
    if not wanted.gathered:
        return wanted.accumulator, call.metrics, call.params
    together = [one.params for one in calls if one.function == call.function and one.metrics == call.metrics]
    return wanted.accumulator, call.metrics, tuple(dict.fromkeys(param for params in together for param in params))


def _accumulator(kind: Kind) -> Accumulator | Trace:
    name, _, params = kind
    return ACCUMULATORS[name] if name in ACCUMULATORS else SHAPED[name](*params)


def _add_of(accumulator: Accumulator | Trace, place: int) -> Add:
    """Give how the metric at that place of the call is added."""
    second = accumulator.add_second if isinstance(accumulator, Accumulator) else None
    return second if place and second else accumulator.add


def _reading(call: AggregateCall, kind: Kind) -> Callable[[State], Result]:
    wanted = AGGREGATES[call.function]
    return partial(wanted.result, place=kind[2].index(call.params[0])) if wanted.gathered else wanted.result


def _finite(read: Callable[[State], Result], state: State) -> Result:
    """Read a state; None where that is beyond a float."""
    try:
        result = read(state)
    except (ArithmeticError, ValueError):
        return None
    return None if isinstance(result, float) and not isfinite(result) else result
