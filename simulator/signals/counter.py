"""Counters: pulses, pieces, litres, kilowatt-hours."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from pydantic import Field

from gateway.findings import Checked, Problem
from simulator.nanoseconds import HOUR
from simulator.signals.dice import Dice
from simulator.signals.part import Moment, Value


class Counter(Checked):
    """A count that only rises, until it rolls over to 0.

    With `of` it adds up another metric of the device: `{of: power, per_hour: 0.001}` makes kWh of W.
    """

    per_hour: float = Field(gt=0, description="How much it counts in an hour; with `of`, for each 1 of that metric.")
    of: str | None = Field(default=None, description="A metric of the same device that it adds up over time, where that is above 0.")
    wander: float = Field(
        default=0.0, ge=0, le=1, description="How far its speed strays at random from reading to reading, as a part of it."
    )
    start: float = Field(default=0.0, ge=0, description="Where it begins.")
    rollover: float | None = Field(default=None, gt=0, description="Where it begins again at 0, such as 65536; never, unless given.")

    def rules(self) -> Iterator[Problem]:
        if self.rollover is not None and self.start >= self.rollover:
            yield Problem(("start",), f"start must be below the rollover, {self.rollover:g}")


class Counting:
    """A counter while it runs: it says as many digits as a register of that size has, cut off and not rounded.

    >>> pulses = Counting(Counter(per_hour=120, start=65530, rollover=65536), dice=Dice(1), decimals=0)
    >>> [pulses.reading(pulses.level(Moment(minute * HOUR // 60, 0, {}, {}))) for minute in (0, 1, 2, 3)]
    [65530, 65532, 65534, 0]
    """

    def __init__(self, spec: Counter, *, dice: Dice, decimals: int) -> None:
        self._spec = spec
        self._dice = dice
        self._scale: int = 10**decimals
        self._count = spec.start
        self._last = 0

    def level(self, moment: Moment) -> Value:
        spec = self._spec
        speed = spec.per_hour if spec.of is None else spec.per_hour * max(0.0, moment.levels[spec.of])
        if spec.wander:
            speed *= 1 + spec.wander * (2 * self._dice.uniform() - 1)
        gap = max(0, moment.elapsed - self._last)
        self._last += gap
        self._count += speed * gap / HOUR
        if spec.rollover is not None:
            self._count %= spec.rollover
        return self._count

    def reading(self, level: Value) -> Value:
        scale = self._scale
        # a sum of many small steps may end a hair below the whole number that it stands for
        whole = math.floor(level * scale + 1e-6)
        if self._spec.rollover is not None and whole >= self._spec.rollover * scale:
            whole = 0
        return whole if scale == 1 else whole / scale

    def state(self) -> dict[str, Any]:
        return {"count": self._count, "last": self._last}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a `state()`."""
        self._count, self._last = float(state["count"]), int(state["last"])
