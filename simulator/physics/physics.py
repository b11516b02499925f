"""What every model is: quantities that move by themselves, and actuators that change how."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import msgspec

from simulator.nanoseconds import HOUR, SECOND
from simulator.signals import Dice

STEP = SECOND // 10
"""How far a model goes at once, in ns, so that what happens does not depend on how often anybody looks."""
STEP_SECONDS = STEP / SECOND


def kilowatt_hours(power: float) -> float:
    """Give what so many W come to in a step, in kWh."""
    return power / 1000 * STEP / HOUR


class Physics(ABC):
    """A model while it runs: time is handed in, quantities and states are handed out.

    A model has its numbers in `_now`, one flat struct, and moves them in `_step`; time, dice and switches are kept here.
    """

    kind: ClassVar[str]
    actuators: ClassVar[tuple[str, ...]]
    """What `switch` takes."""
    measures: ClassVar[tuple[str, ...]]
    """What `quantities` gives."""
    on_at_rest: ClassVar[frozenset[str]] = frozenset()
    """The actuators that are on when nobody holds them: a valve that is open, a load that is connected."""

    _now: msgspec.Struct

    def __init__(self, spec: Any, *, seed: int) -> None:
        self._spec = spec
        self._dice = Dice.of(seed, "physics")
        self._steps = 0
        self._on = set(self.on_at_rest)

    @abstractmethod
    def quantities(self) -> dict[str, float]:
        """Say how things are, each of `measures` in the unit that the model names."""

    @abstractmethod
    def _step(self) -> None:
        """Let one step pass, the one that begins at `_elapsed`."""

    def advance(self, elapsed: int) -> None:
        """Let time pass until `elapsed` ns after the scenario's start."""
        while (self._steps + 1) * STEP <= elapsed:
            self._step()
            self._steps += 1

    def switch(self, actuator: str, on: bool) -> None:
        """Turn an actuator on or off; ValueError when there is no such actuator here."""
        if actuator not in self.actuators:
            raise ValueError(f"{self.kind}: no actuator {actuator!r}; got one of {', '.join(self.actuators)} to choose from")
        self._set(actuator, on=on)

    def release(self, actuator: str) -> None:
        """Leave an actuator as it is when nobody holds it."""
        self._set(actuator, on=actuator in self.on_at_rest)

    def is_on(self, actuator: str) -> bool:
        return actuator in self._on

    def state(self) -> dict[str, Any]:
        """Say all that is needed to go on later, in plain builtins."""
        return {"steps": self._steps, "on": sorted(self._on), "dice": self._dice.state, "now": msgspec.to_builtins(self._now)}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a `state()`; KeyError, TypeError or ValueError when it is not one of this model."""
        now = msgspec.convert(state["now"], type(self._now))
        on, steps, dice = set(state["on"]), int(state["steps"]), int(state["dice"])
        if not on <= set(self.actuators):
            raise ValueError(f"{self.kind}: on must be among {', '.join(self.actuators)}; got {', '.join(sorted(on))}")
        self._now, self._on, self._steps, self._dice.state = now, on, steps, dice

    def _set(self, actuator: str, *, on: bool) -> None:
        if on:
            self._on.add(actuator)
        else:
            self._on.discard(actuator)

    @property
    def _elapsed(self) -> int:
        return self._steps * STEP
