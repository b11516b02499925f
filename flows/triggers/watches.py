"""What a trigger watches. A watch says at each evaluation whether things are as its rule says; the trigger makes episodes of that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from gateway.findings import duration_text

Memory = list[Any]
"""What a watch keeps between two evaluations, in plain builtins."""

_ROUNDING = 1e-9
"""50.0 and 50.1 are within 0.1, which their difference as floats is not."""


class Holds(Protocol):
    """A condition: True, False, or None where it cannot be told (a value is missing)."""

    @property
    def source(self) -> str: ...
    def holds(self, values: Mapping[str, Any]) -> bool | None: ...


class Watch(Protocol):
    """Holds no state. `rule` and `clear_rule` say in an alert what held."""

    @property
    def rule(self) -> str: ...
    @property
    def clear_rule(self) -> str: ...

    def new(self) -> Memory: ...

    def look(self, memory: Memory, values: dict[str, Any], time: int, *, raised: bool) -> bool | None:
        """Evaluate once at `time` (ns): does the rule hold, or, while an episode is open (`raised`), is it over? None: it cannot be told.

        What the watch computes it adds to `values`, for the alert to say.
        """


@dataclass(frozen=True)
class Threshold:
    """A condition, and with `clear` another one that ends the episode (hysteresis); without it the episode ends when `when` does not hold."""

    when: Holds
    clear: Holds | None = None

    @property
    def rule(self) -> str:
        return self.when.source

    @property
    def clear_rule(self) -> str:
        return f"no longer: {self.when.source}" if self.clear is None else self.clear.source

    def new(self) -> Memory:
        return []

    def look(self, memory: Memory, values: dict[str, Any], time: int, *, raised: bool) -> bool | None:  # noqa: ARG002 - the protocol's
        if not raised:
            return self.when.holds(values)
        if self.clear is not None:
            return self.clear.holds(values)
        held = self.when.holds(values)
        return None if held is None else not held


@dataclass(frozen=True)
class RateOfChange:
    """How fast the value `of` moves between two evaluations, per `per` (ns): above `above`, or below `below`. Adds `rate` to the values.

    >>> watch = RateOfChange("warm", above=2.0, below=None, per=60 * 10**9)
    >>> memory = watch.new()
    >>> [watch.look(memory, {"warm": warm}, minute * 60 * 10**9, raised=False) for minute, warm in [(0, 20.0), (1, 21.0), (2, 24.0)]]
    [None, False, True]
    """

    of: str
    above: float | None
    below: float | None
    per: int

    @property
    def rule(self) -> str:
        limits = [f"above {self.above:g}" if self.above is not None else "", f"below {self.below:g}" if self.below is not None else ""]
        return f"{self.of} changes by {' or '.join(filter(None, limits))} per {duration_text(self.per)}"

    @property
    def clear_rule(self) -> str:
        return f"no longer: {self.rule}"

    def new(self) -> Memory:
        return []

    def look(self, memory: Memory, values: dict[str, Any], time: int, *, raised: bool) -> bool | None:
        value = values.get(self.of)
        if isinstance(value, str) or value is None:
            return None
        before, memory[:] = tuple(memory), (time, float(value))
        if not before or time <= before[0]:  # two at one time have no rate
            return None
        rate = values["rate"] = (value - before[1]) / (time - before[0]) * self.per
        fast = (self.above is not None and rate > self.above) or (self.below is not None and rate < self.below)
        return fast is not raised


_LONGEST_STRETCH = 1_000
"""Extremes that are remembered of a stretch; a longer one is shortened at its start."""


@dataclass(frozen=True)
class Stuck:
    """The value `of` has stayed within `within` for `flat` ns: a sensor that says the same for ever. Adds `flat_for` (s) to the values.

    The stretch is the longest up to now in which the largest less the smallest is at most `within`. Its extremes are kept by two monotonic
    queues, in O(1) on average.

    >>> watch = Stuck("value", flat=20, within=0.5)
    >>> memory = watch.new()
    >>> [watch.look(memory, {"value": v}, t, raised=False) for t, v in [(0, 1.0), (10, 1.2), (20, 1.4), (30, 1.6), (40, 1.5), (50, 1.6)]]
    [False, False, True, True, True, True]
    """

    of: str
    flat: int
    within: float

    @property
    def rule(self) -> str:
        return f"{self.of} stays within {self.within:g} for {duration_text(self.flat)}"

    @property
    def clear_rule(self) -> str:
        return f"{self.of} moves by more than {self.within:g}"

    def new(self) -> Memory:
        return []

    def look(self, memory: Memory, values: dict[str, Any], time: int, *, raised: bool) -> bool | None:
        value = values.get(self.of)
        if value is None:
            return None
        if isinstance(value, str) or not memory or isinstance(memory[1], str):
            if not memory or memory[1] != value:
                memory[:] = (time, value) if isinstance(value, str) else (time, [[value, 0]], [[value, 0]])
        else:
            self._extend(memory, value, time)
        values["flat_for"] = (time - memory[0]) / 1e9
        flat = time - memory[0] >= self.flat
        return flat is not raised

    def _extend(self, memory: Memory, value: float, time: int) -> None:
        """Take the next value into a stretch: its start, and its largest and smallest values, each with when the reading after it came."""
        largest, smallest = memory[1], memory[2]
        for queue, sign in ((largest, 1), (smallest, -1)):
            queue[-1][1] = time
            while queue and (queue[-1][0] - value) * sign <= 0:
                queue.pop()
            queue.append([value, 0])
        while (
            largest[0][0] - smallest[0][0] > self.within + _ROUNDING * max(1.0, abs(value))
            or len(largest) + len(smallest) > _LONGEST_STRETCH
        ):
            first = min((queue for queue in (largest, smallest) if queue[0][1]), key=lambda queue: queue[0][1])
            memory[0] = first.pop(0)[1]
