"""What a signal is made of: its parts, and the moment at which it is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

Value = float | int | bool
"""What a sensor says."""


class Moment(NamedTuple):
    """When a reading is taken, and amid what."""

    elapsed: int
    """ns since the scenario's start."""
    epoch: int
    """ns since 1970 (UTC)."""
    quantities: Mapping[str, float]
    """How the physics are."""
    levels: dict[str, Value]
    """The device's signals that were read before at this moment, as they are without noise and rounding."""


class Part(Protocol):
    """A part of a signal."""

    def at(self, moment: Moment) -> float:
        """Give what it adds at a moment. Time that goes back counts as standing still."""


class Kept(Protocol):
    """Something with a state: keep it, and it goes on where it was. A state survives JSON."""

    def state(self) -> Any:
        """Give all that the next reading depends on."""

    def restore(self, state: Any) -> None:
        """Go on from a `state()`."""


class KeptPart(Part, Kept, Protocol):
    """A part that depends on the readings before."""


class Whole(Kept, Protocol):
    """A part that is a signal by itself, and is not added to others."""

    def level(self, moment: Moment) -> Value:
        """Give the value at a moment. Time that goes back counts as standing still."""

    def reading(self, level: Value) -> Value:
        """Give what a sensor says of it."""


def within(value: float, *, low: float | None, high: float | None) -> float:
    """Hold a value between two bounds, where there are any.

    >>> within(7.5, low=None, high=5.0)
    5.0
    """
    value = value if low is None or value > low else low
    return value if high is None or value < high else high
