"""All signals of one device."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any

from gateway.findings import Problem, hint
from simulator.signals.dice import Dice
from simulator.signals.part import Kept, Moment, Value
from simulator.signals.signal import Signal
from simulator.signals.spec import SignalSpec
from simulator.signals.track import Travel


class Signals:
    """What a device measures while it runs. The same specs, seed, device and times give the same values.

    >>> from simulator.signals import Follows
    >>> air = {"humidity": SignalSpec(base=90, follows=Follows(metric="temperature", times=-2)), "temperature": SignalSpec(base=20)}
    >>> Signals(air, seed=1, device="t-1").values(elapsed=0, epoch=0, quantities={})
    {'temperature': 20.0, 'humidity': 50.0}
    """

    def __init__(self, specs: Mapping[str, SignalSpec], *, seed: int, device: str) -> None:
        """Begin; `specs` must be without the problems that `problems_between` finds."""
        self._travels: dict[str, Travel] = {}
        self._signals: dict[str, Signal] = {}
        for metric in _sorter(specs).static_order():
            spec = specs.get(metric)
            if spec is not None and spec.track is None:
                spread = Dice.of(seed, f"{device}/{metric}/spread").normal() if spec.spread else 0.0
                self._signals[metric] = Signal(spec, dice=Dice.of(seed, f"{device}/{metric}"), spread=spread)
        for metric, spec in specs.items():
            if spec.track is not None:
                start = Dice.of(seed, f"{device}/{metric}/start").uniform() if spec.track.scattered else 0.0
                self._travels[metric] = Travel(spec.track, dice=Dice.of(seed, f"{device}/{metric}"), start=start)

    def values(self, *, elapsed: int, epoch: int, quantities: Mapping[str, float]) -> dict[str, Value]:
        """Take one reading of each; `elapsed` and `epoch` are ns since the scenario's start and since 1970, `quantities` the physics'."""
        levels: dict[str, Value] = {}
        moment = Moment(elapsed, epoch, quantities, levels)
        for travel in self._travels.values():
            levels.update(travel.values(moment))
        taken = dict(levels)
        for metric, signal in self._signals.items():
            levels[metric] = level = signal.level(moment)
            taken[metric] = signal.reading(level)
        return taken

    def state(self) -> dict[str, Any]:
        return {metric: kept.state() for metric, kept in self._kept().items()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state()`; metrics that it does not know begin anew."""
        for metric, kept in self._kept().items():
            if metric in state:
                kept.restore(state[metric])

    def _kept(self) -> dict[str, Kept]:
        return {**self._travels, **self._signals}


def problems_between(specs: Mapping[str, SignalSpec]) -> Iterator[Problem]:
    """Find what is wrong between the signals of one device, each at its place below the mapping of them."""
    givers: dict[str, str] = {}
    for metric, spec in specs.items():
        for name in spec.gives(metric):
            if name in givers:
                yield Problem((metric,), f"{name} is given by {givers[name]} already", key=True, show=False)
            givers.setdefault(name, metric)
    for metric, spec in specs.items():
        if spec.leader is not None and spec.leader not in givers:
            yield Problem(_place(metric, spec), f"the device has no such metric{hint(spec.leader, givers)}")
    try:
        _sorter(specs).prepare()
    except CycleError as error:
        circle: list[str] = error.args[1]
        yield Problem(_place(circle[0], specs[circle[0]]), f"a metric must not follow itself: {' → '.join(reversed(circle))}", show=False)


def _sorter(specs: Mapping[str, SignalSpec]) -> TopologicalSorter[str]:
    """Sort metrics so that each comes after the one that it follows."""
    return TopologicalSorter({metric: [spec.leader] if spec.leader else [] for metric, spec in specs.items()})


def _place(metric: str, spec: SignalSpec) -> tuple[str, ...]:
    return (metric, "follows", "metric") if spec.follows is not None else (metric, "counter", "of")
