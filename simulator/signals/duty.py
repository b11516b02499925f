"""On and off in turns, as compressors, pumps and heaters run."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from gateway.findings import Checked, PositiveDuration
from simulator.signals.dice import Dice
from simulator.signals.part import Moment, Value


class Duty(Checked):
    """On and off in turns, each time for about as long. It is a signal of true and false."""

    on: PositiveDuration = Field(description="How long it is on.")
    off: PositiveDuration = Field(description="How long it is off.")
    wander: float = Field(default=0.0, ge=0, lt=1, description="How far each time strays at random, as a part of it: 0.2 is 20 %.")


class Running:
    """A duty while it runs. It is found somewhere in its cycle, so that the devices of a group do not switch together."""

    def __init__(self, spec: Duty, dice: Dice) -> None:
        self._spec = spec
        self._dice = dice
        begun = int(dice.uniform() * (spec.on + spec.off))
        self._on = begun < spec.on
        self._until = spec.on - begun if self._on else spec.on + spec.off - begun

    def level(self, moment: Moment) -> Value:
        while moment.elapsed >= self._until:
            self._on = not self._on
            self._until += self._length()
        return self._on

    def reading(self, level: Value) -> Value:
        return level

    def state(self) -> dict[str, Any]:
        return {"on": self._on, "until": self._until}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a `state()`."""
        self._on, self._until = bool(state["on"]), int(state["until"])

    def _length(self) -> int:
        mean = self._spec.on if self._on else self._spec.off
        if not self._spec.wander:
            return mean
        return max(1, int(mean * (1 + self._spec.wander * (2 * self._dice.uniform() - 1))))
