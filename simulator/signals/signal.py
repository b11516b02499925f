"""One signal while it runs."""

from __future__ import annotations

from typing import Any

from simulator.nanoseconds import HOUR
from simulator.signals.counter import Counting
from simulator.signals.cycles import Cycle
from simulator.signals.dice import Dice
from simulator.signals.duty import Running
from simulator.signals.follows import Following
from simulator.signals.part import KeptPart, Moment, Part, Value, Whole, within
from simulator.signals.spec import SignalSpec
from simulator.signals.steps import Switching
from simulator.signals.walk import Walking
from simulator.signals.weather import Drifting


class Signal:
    """One signal while it runs. Its state is the dice and that of its parts: keep it, and the signal goes on where it was.

    It is read in two steps: `level` is what there is to measure, `reading` is what a sensor makes of it.

    >>> from simulator.signals import Daily
    >>> warm = Signal(SignalSpec(base=20, daily=Daily(amplitude=4, peak="12:00")), Dice(1))
    >>> [warm.reading(warm.level(Moment(0, hour * HOUR, {}, {}))) for hour in (0, 6, 12)]
    [16.0, 20.0, 24.0]
    """

    __slots__ = ("_constant", "_dice", "_digits", "_drift", "_high", "_kept", "_low", "_measures", "_noise", "_parts", "_whole")

    def __init__(self, spec: SignalSpec, dice: Dice, *, spread: float = 0.0) -> None:
        """Begin; `spread` is what sets it apart from the same signal of other devices, in deviations."""
        self._dice = dice
        self._measures = spec.measures
        self._constant = spec.base + spec.spread * spread
        self._drift = spec.drift
        self._noise = spec.noise
        self._low, self._high = spec.low, spec.high
        # round(x, None) gives an integer: without decimals a device says 120, not 120.0
        self._digits = spec.digits or None
        self._whole = _whole(spec, dice)
        self._kept = _kept(spec, dice)
        self._parts: tuple[Part, ...] = (*_unkept(spec), *self._kept.values())

    def level(self, moment: Moment) -> Value:
        """Give what there is to measure. Asked once for every reading, since a walk moves by it."""
        if self._whole is not None:
            return self._whole.level(moment)
        total = self._constant
        if self._measures is not None:
            total += moment.quantities[self._measures]
        if self._drift:
            total += self._drift * moment.elapsed / HOUR
        for part in self._parts:
            total += part.at(moment)
        return within(total, low=self._low, high=self._high)

    def reading(self, level: Value) -> Value:
        """Give what the sensor says of a level: with its noise, within its bounds, in its digits."""
        if self._whole is not None:
            return self._whole.reading(level)
        if self._noise:
            level = within(level + self._noise * self._dice.normal(), low=self._low, high=self._high)
        return round(level, self._digits)

    def state(self) -> dict[str, Any]:
        whole = {} if self._whole is None else {"whole": self._whole.state()}
        return {"dice": self._dice.state, **whole, **{name: part.state() for name, part in self._kept.items()}}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a `state()`; parts that it does not know begin anew."""
        self._dice.state = int(state["dice"])
        if self._whole is not None and "whole" in state:
            self._whole.restore(state["whole"])
        for name, part in self._kept.items():
            if name in state:
                part.restore(state[name])


def _whole(spec: SignalSpec, dice: Dice) -> Whole | None:
    """Give the part that is the signal by itself, if it has one."""
    if spec.duty is not None:
        return Running(spec.duty, dice)
    if spec.counter is not None:
        return Counting(spec.counter, dice=dice, decimals=spec.digits)
    if spec.alone == "recording" and spec.recording is not None:
        return Switching(spec.recording.recorded())
    return Switching(spec.steps) if spec.steps is not None and spec.steps.on_off else None


def _unkept(spec: SignalSpec) -> list[Part]:
    """Give the parts that the time alone decides."""
    cycle = None if spec.daily is None else Cycle(spec.daily, spec.weekly)
    recorded = None if spec.recording is None else spec.recording.recorded()
    return [part for part in (cycle, spec.steps, recorded) if part is not None]


def _kept(spec: SignalSpec, dice: Dice) -> dict[str, KeptPart]:
    """Give the parts that depend on the readings before."""
    parts: dict[str, KeptPart] = {}
    if spec.weather is not None:
        parts["weather"] = Drifting(spec.weather, dice)
    if spec.walk is not None:
        parts["walk"] = Walking(spec.walk, dice)
    if spec.follows is not None:
        parts["follows"] = Following(spec.follows)
    return parts
