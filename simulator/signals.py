"""Signals: what a sensor would measure over time. The same seed gives the same values, on every machine and after every restart."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from gateway.findings import Checked, PositiveDuration, Problem
from simulator.nanoseconds import DAY, HOUR, SECOND

_MASK = (1 << 64) - 1


class Dice:
    """SplitMix64: seeded random numbers whose whole state is one integer, so that it can be kept and taken up again.

    Written out because `random` promises the same numbers only for `random()`, and its state is 625 integers.
    Source: Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", 2014.

    >>> [round(Dice.of(seed=7, name="t-1").uniform(), 6) for _ in range(2)]
    [0.780391, 0.780391]
    """

    def __init__(self, state: int) -> None:
        self.state = state & _MASK

    @classmethod
    def of(cls, seed: int, name: str) -> Dice:
        """Give the dice of one thing in a scenario: things with different names roll independently."""
        return cls(int.from_bytes(hashlib.sha256(f"{seed}/{name}".encode()).digest()[:8], "big"))

    def uniform(self) -> float:
        """Roll a number from 0 up to, but not including, 1."""
        self.state = (self.state + 0x9E3779B97F4A7C15) & _MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
        return ((z ^ (z >> 31)) >> 11) / (1 << 53)

    def normal(self) -> float:
        """Roll a nearly normal number (mean 0, deviation 1, never beyond 6): a sum of twelve, since sums are the same on every machine."""
        return sum(self.uniform() for _ in range(12)) - 6.0


def _clock(written: str) -> str:
    if re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", written) is None:
        raise ValueError("must be a time of day like 14:30")
    return written


class Daily(Checked):
    """A curve that repeats every day (UTC): highest at `peak`, lowest twelve hours later."""

    amplitude: float = Field(description="How far it goes up and down.")
    peak: Annotated[str, AfterValidator(_clock)] = Field(default="14:00", description="The time of day (UTC) when it is highest.")


class Walk(Checked):
    """A random walk: at every reading it moves by about `step`, and never further than `limit` from where it began."""

    step: float = Field(gt=0, description="By how much it moves at every reading.")
    limit: float = Field(gt=0, description="How far from its beginning it goes at most.")


class Steps(Checked):
    """Values that come one after the other, each for `every`, over and over. All true/false makes an on/off signal."""

    values: list[bool] | list[float] = Field(min_length=1, description="The values; all true and false make an on/off signal.")
    every: PositiveDuration = Field(description="How long each lasts.")


class SignalSpec(Checked):
    """One signal: the sum of the parts that are named. `measures` is a quantity of the scenario's physics that it follows."""

    measures: str | None = Field(default=None, description="A quantity of the physics that it follows.")
    base: float = Field(default=0.0, description="A constant.")
    daily: Daily | None = Field(default=None, description="A curve that repeats every day.")
    drift: float = Field(default=0.0, description="How much it moves in an hour.")
    walk: Walk | None = Field(default=None, description="A random walk.")
    steps: Steps | None = Field(default=None, description="Values that come one after the other.")
    noise: float = Field(default=0.0, ge=0, description="The standard deviation of what is added at random.")
    low: float | None = Field(default=None, description="It is never below.")
    high: float | None = Field(default=None, description="It is never above.")
    decimals: int = Field(default=2, ge=0, le=9, description="Digits after the point.")

    @property
    def on_off(self) -> bool:
        return self.steps is not None and isinstance(self.steps.values[0], bool)

    def rules(self) -> Iterator[Problem]:
        others = sorted(self.model_fields_set - {"steps"})
        if self.on_off and others:
            yield Problem(("steps",), f"steps of true and false cannot be added to {', '.join(others)}", show=False)


class Signal:
    """One signal while it runs. Its state (dice and walk) is two numbers: keep them, and it goes on where it was.

    >>> warm = Signal(SignalSpec(base=20, daily=Daily(amplitude=4, peak="12:00")), Dice(1))
    >>> [warm.value(elapsed=0, epoch=hour * HOUR) for hour in (0, 6, 12)]
    [16.0, 20.0, 24.0]
    """

    def __init__(self, spec: SignalSpec, dice: Dice) -> None:
        self.spec = spec
        self._dice = dice
        self._walked = 0.0

    def value(self, *, elapsed: int, epoch: int, origin: float = 0.0) -> float | int | bool:
        """Take one reading; `elapsed` and `epoch` are ns since the scenario's start and since 1970, `origin` is the physics' part."""
        spec = self.spec
        step = 0.0
        if spec.steps is not None:
            now = spec.steps.values[elapsed // spec.steps.every % len(spec.steps.values)]
            if isinstance(now, bool):
                return now
            step = now
        total = origin + spec.base + step + spec.drift * elapsed / HOUR + self._daily(epoch) + self._walk()
        if spec.noise:
            total += spec.noise * self._dice.normal()
        # round(x, None) gives an integer: without decimals a device says 120, not 120.0
        return round(_within(total, low=spec.low, high=spec.high), spec.decimals or None)

    def state(self) -> dict[str, Any]:
        return {"dice": self._dice.state, "walked": self._walked}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a `state()`."""
        self._dice.state = int(state["dice"])
        self._walked = float(state["walked"])

    def _daily(self, epoch: int) -> float:
        daily = self.spec.daily
        if daily is None:
            return 0.0
        hours, minutes = daily.peak.split(":")
        since_peak = epoch % DAY - int(hours) * HOUR - int(minutes) * 60 * SECOND
        return daily.amplitude * math.cos(2 * math.pi * since_peak / DAY)

    def _walk(self) -> float:
        walk = self.spec.walk
        if walk is not None:
            moved = self._walked + walk.step * self._dice.normal()
            self._walked = _within(moved, low=-walk.limit, high=walk.limit)
        return self._walked


def _within(value: float, *, low: float | None, high: float | None) -> float:
    value = value if low is None else max(value, low)
    return value if high is None else min(value, high)
