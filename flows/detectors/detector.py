"""What every anomaly detector is: parameters from the flow file, and two functions of a memory in plain builtins."""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, Any

from pydantic import Field

from gateway.findings import Checked

Memory = list[Any]
MOST = 1000.0
"""The score of a value that has no measure: anything but the one value that was ever seen."""


class Detector(Checked):
    """Scores how far a value is from what was usual, in robust or plain standard deviations: 0 is usual, 4 is rare. Holds no state.

    Deterministic, bounded in memory, reads no clock. While it warms up its score cannot be told.
    """

    of: Annotated[str, Field(min_length=1, description="What is looked at: an aggregate, a derived value, or `value`.")]
    warmup: Annotated[int, Field(ge=2, le=100_000, description="How many values it learns from before it gives a score.")] = 30

    @abstractmethod
    def new(self) -> Memory:
        """Make the memory of a group that has seen nothing."""

    @abstractmethod
    def score(self, memory: Memory, value: float) -> float | None:
        """Score a value, without learning it."""

    @abstractmethod
    def learn(self, memory: Memory, value: float) -> None:
        """Learn a value."""


def ratio(off: float, spread: float) -> float:
    """Give how many spreads a value is off; where nothing ever varied, anything else is as far as can be.

    >>> ratio(-3.0, 1.5), ratio(0.0, 0.0), ratio(0.1, 0.0)
    (2.0, 0.0, 1000.0)
    """
    if not spread:
        return MOST if off else 0.0
    return min(abs(off) / spread, MOST)
