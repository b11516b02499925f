"""The schedule of a fault: its occurrences for one device, found from any moment on."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.faults.spec import FaultSpec
from simulator.signals import Dice


@dataclass(frozen=True)
class Occurrence:
    """One time that a fault comes over a device: elapsed ns, and dice of its own."""

    number: int
    start: int
    end: int
    dice: Dice


class Schedule:
    """When a fault comes over a device.

    Each occurrence follows from the seed and its number alone, so that a fleet that starts again in a year knows it as it would have been,
    and need not go through all the ones before.
    """

    def __init__(self, spec: FaultSpec, *, seed: int, name: str) -> None:
        self._spec = spec
        self._seed = seed
        self._name = name

    def after(self, elapsed: int) -> Occurrence | None:
        """Give the first occurrence that ends later than `elapsed`; None when there is none any more."""
        spec = self._spec
        if spec.every is None:
            first = self._occurrence(0)
            return first if first is not None and first.end > elapsed else None
        latest = spec.every if spec.at == "random" else spec.at
        number = max(0, (elapsed - latest - spec.for_) // spec.every)
        while True:
            occurrence = self._occurrence(number)
            if occurrence is not None and occurrence.end > elapsed:
                return occurrence
            number += 1

    def _occurrence(self, number: int) -> Occurrence | None:
        spec, dice = self._spec, Dice.of(self._seed, f"{self._name}/{number}")
        if spec.chance < 1 and dice.uniform() >= spec.chance:
            return None
        every = spec.every or 0
        offset = int(dice.uniform() * (every - spec.for_)) if spec.at == "random" else spec.at
        start = number * every + offset
        return Occurrence(number, start, start + spec.for_, dice)
