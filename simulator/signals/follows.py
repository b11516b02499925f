"""Metrics that go together: humidity falls as temperature rises."""

from __future__ import annotations

import math
from typing import Any

from pydantic import Field

from gateway.findings import Checked, PositiveDuration
from simulator.signals.part import Moment


class Follows(Checked):
    """A part that follows another metric of the same device, as that is without its noise and rounding; on counts 1, off 0."""

    metric: str = Field(description="The metric that it follows.")
    times: float = Field(default=1.0, description="How much of it is added: -1.8 takes away 1.8 for each 1 that the other is.")
    lag: PositiveDuration | None = Field(
        default=None, description="How slowly it follows: how long until 63 % of a change has come about. At once, unless given."
    )


class Following:
    """A part that follows, while it runs: with a lag it moves as anything with one time constant does."""

    def __init__(self, spec: Follows) -> None:
        self._spec = spec
        self._now: float | None = None
        self._last = 0

    def at(self, moment: Moment) -> float:
        target = float(moment.levels[self._spec.metric])
        if self._spec.lag is None:
            return self._spec.times * target
        if self._now is None:
            self._now, self._last = target, moment.elapsed
        gap = max(0, moment.elapsed - self._last)
        self._last += gap
        self._now = target + (self._now - target) * math.exp(-gap / self._spec.lag)
        return self._spec.times * self._now

    def state(self) -> dict[str, Any]:
        return {"now": self._now, "last": self._last}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a `state()`."""
        self._now, self._last = state["now"], state["last"]
