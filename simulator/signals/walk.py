"""A random walk."""

from __future__ import annotations

from pydantic import Field

from gateway.findings import Checked
from simulator.signals.dice import Dice
from simulator.signals.part import Moment, within


class Walk(Checked):
    """A random walk: at every reading it moves by about `step`, and never further than `limit` from where it began."""

    step: float = Field(gt=0, description="By how much it moves at every reading.")
    limit: float = Field(gt=0, description="How far from its beginning it goes at most.")


class Walking:
    """A walk while it runs."""

    def __init__(self, spec: Walk, dice: Dice) -> None:
        self._spec = spec
        self._dice = dice
        self._walked = 0.0

    def at(self, moment: Moment) -> float:  # noqa: ARG002  it counts readings, not time
        moved = self._walked + self._spec.step * self._dice.normal()
        self._walked = within(moved, low=-self._spec.limit, high=self._spec.limit)
        return self._walked

    def state(self) -> float:
        return self._walked

    def restore(self, state: float) -> None:
        """Go on from a `state()`."""
        self._walked = float(state)
