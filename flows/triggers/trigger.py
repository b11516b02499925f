"""The life of an episode: raised after hold, not within cooldown, cleared once calm has lasted. All in event time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from flows.triggers.watches import Watch
from gateway.findings import duration_text

RAISED, STREAK, SINCE, FIRST, EPISODE, CLEARED_AT, NUMBER, CALM, MEMORY = range(9)
"""Places in a trigger's state: is an episode open; how often in a row the rule held, since when that speaks and when it was first decided;
the time at which the open (or last) episode was raised, when the last one cleared (0: never), how many there were; since when the open one is
calm (0: it is not); and what the watch remembers (for `silence`: the journal's clock and time when something was last heard)."""

Change = Literal["raised", "cleared"]
State = list[Any]


@dataclass(frozen=True)
class Trigger:
    """A rule without state. Times are ns.

    An episode is raised when what is watched has held for `hold_count` evaluations in a row and for at least `hold_time`, and `cooldown` has
    passed since the last episode cleared. It is cleared when it has been over for `debounce`, which a raise waits for too. What cannot be told
    changes nothing. With `silence` nothing is watched: the episode is raised when nothing was heard for so long, by the journal's clock, and
    cleared by the next that is heard.
    """

    watch: Watch | None
    hold_count: int = 1
    hold_time: int = 0
    cooldown: int = 0
    debounce: int = 0
    silence: int = 0

    @property
    def waits(self) -> bool:
        """Whether time alone can raise or clear."""
        return bool(self.hold_time or self.debounce or self.cooldown or self.silence)

    def new(self) -> State:
        """Make the state of a group that has seen nothing."""
        return [False, 0, 0, 0, 0, 0, 0, 0, self.watch.new() if self.watch else []]

    def rule(self, change: Change) -> str:
        """Say what held."""
        if self.watch is None:
            return f"nothing for {duration_text(self.silence)}" if change == "raised" else "heard again"
        return self.watch.rule if change == "raised" else self.watch.clear_rule

    def step(self, state: State, values: dict[str, Any], *, since: int, time: int) -> Change | None:
        """Evaluate once. `time` is the window's end (or the reading's time), `since` what it speaks of begins with."""
        if self.watch is None:
            return None
        held = self.watch.look(state[MEMORY], values, time, raised=state[RAISED])
        if held is None:
            return None
        if state[RAISED]:
            state[CALM] = (state[CALM] or time) if held else 0
        elif held:
            state[STREAK] += 1
            if state[STREAK] == 1:
                state[SINCE], state[FIRST] = since, time
        else:
            state[STREAK] = 0
        due = self.due(state)
        return None if due is None or due > time else self._turn(state, time)

    def due(self, state: State) -> int | None:
        """Tell at which event time the state changes if nothing more comes; None where it does not."""
        if state[RAISED]:
            return int(state[CALM]) + self.debounce if state[CALM] else None
        if not state[STREAK] or state[STREAK] < self.hold_count:
            return None
        held = max(int(state[SINCE]) + self.hold_time, int(state[FIRST]) + self.debounce)
        return max(held, int(state[CLEARED_AT]) + self.cooldown) if state[CLEARED_AT] else held

    def pass_to(self, state: State, time: int) -> Change | None:
        """Let time pass up to `time` without an evaluation: raise or clear what has waited long enough, at the very moment when it had."""
        due = self.due(state)
        return None if due is None or due > time else self._turn(state, due)

    def cleared_at(self, state: State) -> int:
        """Give when the newest episode that is over was cleared (ns)."""
        return int(state[CLEARED_AT])

    def hear(self, state: State, *, clock: int, at: int) -> Change | None:
        """Note that something was heard, at the journal's clock and time; an episode of silence ends with it."""
        state[MEMORY] = [clock, at]
        return self._clear(state, at) if state[RAISED] else None

    def silence_due(self, state: State) -> int | None:
        """Tell at which time of the journal's clock silence has lasted too long; None where that is so already, or nothing was heard yet."""
        if state[RAISED] or not state[MEMORY]:
            return None
        heard, at = state[MEMORY]
        cooling = int(state[CLEARED_AT]) + self.cooldown - at if state[CLEARED_AT] else 0
        return int(heard) + max(self.silence, cooling)

    def fall_silent(self, state: State, clock: int) -> Change | None:
        """Raise where nothing was heard for too long."""
        due = self.silence_due(state)
        if due is None or due > clock:
            return None
        heard, at = state[MEMORY]
        state[STREAK], state[SINCE] = 1, at
        return self._raise(state, at + due - heard)

    def _turn(self, state: State, time: int) -> Change:
        return self._clear(state, time) if state[RAISED] else self._raise(state, time)

    def _raise(self, state: State, time: int) -> Change:
        state[RAISED], state[EPISODE], state[CALM] = True, time, 0
        state[NUMBER] += 1
        return "raised"

    def _clear(self, state: State, time: int) -> Change:
        state[RAISED], state[STREAK], state[CLEARED_AT], state[CALM] = False, 0, time, 0
        return "cleared"


def seen(state: State) -> dict[str, Any]:
    """Give a trigger's state in words, for whoever asks why."""
    return {
        "raised": state[RAISED],
        "held": state[STREAK],
        "since": state[SINCE] if state[STREAK] else None,
        "episodes": state[NUMBER],
        "last_raise": state[EPISODE] or None,
        "last_clear": state[CLEARED_AT] or None,
    }
