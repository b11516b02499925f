"""Triggers: when a condition becomes an episode, and when the episode ends. Hysteresis, hold and cooldown, in event time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

RAISED, STREAK, SINCE, EPISODE, CLEARED_AT, NUMBER = range(6)
"""Places in a trigger's state: is an episode open, how often in a row the condition held and since when, the time at which the open (or
last) episode was raised, when the last one cleared (0: never), how many there were."""

Change = Literal["raised", "cleared"]


class Holds(Protocol):
    """A condition: True, False, or None where it cannot be told (a value is missing)."""

    source: str

    def holds(self, values: Mapping[str, Any]) -> bool | None: ...


@dataclass(frozen=True)
class Trigger:
    """A rule without state. Times are ns of event time.

    An episode is raised when `when` has held for `hold_count` evaluations in a row and for at least `hold_time`, and `cooldown` has passed
    since the last episode cleared. It clears when `clear` holds (without one: when `when` does not). What cannot be told changes nothing.
    """

    when: Holds
    clear: Holds | None = None
    hold_count: int = 1
    hold_time: int = 0
    cooldown: int = 0

    def new(self) -> list[Any]:
        """Make the state of a group that has seen nothing."""
        return [False, 0, 0, 0, 0, 0]

    def step(self, state: list[Any], values: Mapping[str, Any], *, since: int, time: int) -> Change | None:
        """Evaluate once. `time` is the window's end (or the reading's time), `since` what it speaks of begins with."""
        if state[RAISED]:
            return self._clear(state, values, time)
        held = self.when.holds(values)
        if held is None:
            return None
        if not held:
            state[STREAK] = 0
            return None
        state[STREAK] += 1
        if state[STREAK] == 1:
            state[SINCE] = since
        cooling = state[CLEARED_AT] and time < state[CLEARED_AT] + self.cooldown
        if cooling or state[STREAK] < self.hold_count or time - state[SINCE] < self.hold_time:
            return None
        state[RAISED], state[EPISODE] = True, time
        state[NUMBER] += 1
        return "raised"

    def _clear(self, state: list[Any], values: Mapping[str, Any], time: int) -> Change | None:
        if self.clear is not None:
            over = self.clear.holds(values)
        else:
            held = self.when.holds(values)
            over = None if held is None else not held
        if not over:
            return None
        state[RAISED], state[STREAK], state[CLEARED_AT] = False, 0, time
        return "cleared"
