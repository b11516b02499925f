"""When an episode is raised and when it clears."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from gateway.findings import DURATION_SCHEMA, Checked, Duration, PositiveDuration, Problem, parse_duration

_SECOND = 10**9
Severity = Literal["info", "warning", "critical"]


@dataclass(frozen=True)
class Hold:
    """How long a condition holds before it counts: for so many evaluations in a row (`unit` is windows or readings), or for a time (ns)."""

    count: int = 1
    unit: str = ""
    time: int = 0


_COUNT = re.compile(r"\s*(\d{1,6})\s+(window|reading)s?\s*")


def parse_hold(value: Any) -> Hold:
    """Read `2 windows`, `3 readings`, or a duration; ValueError for anything else.

    >>> parse_hold("2 windows"), parse_hold("30s")
    (Hold(count=2, unit='windows', time=0), Hold(count=1, unit='', time=30000000000))
    """
    match = _COUNT.fullmatch(value) if isinstance(value, str) else None
    if match:
        if not int(match[1]):
            raise ValueError("must be at least 1 window")
        return Hold(count=int(match[1]), unit=f"{match[2]}s")
    try:
        return Hold(time=parse_duration(value))
    except ValueError:
        raise ValueError("must be a duration such as 30s, or a number of windows such as 2 windows") from None


_HOLD_SCHEMA: dict[str, Any] = {
    "anyOf": [DURATION_SCHEMA, {"type": "string", "pattern": f"^{_COUNT.pattern}$"}],
    "examples": ["30s", "2 windows", "3 readings"],
}


class Outside(Checked):
    """Outside of a band: below `low` or above `high`; it is over when the value is back inside by `margin`."""

    of: str | None = Field(default=None, min_length=1, description="What is looked at: an aggregate, a derived value, or `value`.")
    low: float | None = Field(default=None, description="The lowest value that is fine.")
    high: float | None = Field(default=None, description="The highest value that is fine.")
    margin: float = Field(default=0.0, ge=0, description="How far inside the band the value must be again.")

    def rules(self) -> Iterator[Problem]:
        """Ask for a band."""
        if self.low is None and self.high is None:
            yield Problem((), "outside needs low, high or both", key=True, show=False)
        elif self.low is not None and self.high is not None and self.low + 2 * self.margin >= self.high:
            yield Problem(("high",), "high must be above low by more than two margins")


class Rate(Checked):
    """A value that moves too fast, from one evaluation to the next."""

    of: str | None = Field(default=None, min_length=1, description="What is looked at: an aggregate, a derived value, or `value`.")
    above: float | None = Field(default=None, description="Rises by more than this.")
    below: float | None = Field(default=None, description="Falls by more than this, written with its minus: -2.0.")
    per: PositiveDuration = Field(default=_SECOND, description="In how long.")

    def rules(self) -> Iterator[Problem]:
        """Ask for a limit."""
        if self.above is None and self.below is None:
            yield Problem((), "rate needs above, below or both", key=True, show=False)


class StuckSpec(Checked):
    """A value that does not move."""

    of: str | None = Field(default=None, min_length=1, description="What is looked at: an aggregate, a derived value, or `value`.")
    for_: PositiveDuration = Field(alias="for", description="For how long.")
    within: float = Field(default=0.0, ge=0, description="What counts as not moving.")


class Silent(Checked):
    """A group of which nothing is heard (a dead-man's switch)."""

    for_: PositiveDuration = Field(alias="for", description="For how long.")


_KIND = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")


def _fault_kind(value: Any) -> str:
    if not isinstance(value, str) or not _KIND.fullmatch(value):
        raise ValueError("must be a kind of fault of a-z, 0-9 and -, such as spike or stuck-at")
    return value


FaultKind = Annotated[str, BeforeValidator(_fault_kind), WithJsonSchema({"type": "string", "pattern": f"^{_KIND.pattern}$"})]

WATCHES = ("when", "outside", "rate", "stuck", "silent")
"""What a trigger can watch: one of these."""


class TriggerSpec(Checked):
    """When an episode is raised and when it clears. Without `clear` it clears when `when` does not hold."""

    when: str | None = Field(default=None, description="The condition (CEL) that raises.")
    clear: str | None = Field(
        default=None, description="The condition (CEL) that ends what `when` raised; without it: when that does not hold."
    )
    outside: Outside | None = Field(default=None, description="A value outside of a band.")
    rate: Rate | None = Field(default=None, description="A value that moves too fast.")
    stuck: StuckSpec | None = Field(default=None, description="A value that does not move.")
    silent: Silent | None = Field(default=None, description="A group of which nothing is heard.")
    hold: Annotated[Hold, BeforeValidator(parse_hold), WithJsonSchema(_HOLD_SCHEMA)] = Field(
        default=Hold(), description="How long it must hold: 30s, 2 windows, 3 readings."
    )
    cooldown: Duration = Field(default=0, description="How long after an episode no other is raised.")
    debounce: Duration = Field(default=0, description="How long a change must last before it counts, to raise and to clear.")
    severity: Severity = Field(default="warning", description="How bad it is.")
    finds: tuple[FaultKind, ...] | None = Field(
        default=None,
        description="The kinds of faults that it is there to find: `sluice truth` measures how well it does. [] for none: it controls.",
    )

    def rules(self) -> Iterator[Problem]:
        """Ask for one thing that is watched, and for what goes with it."""
        given = [name for name in WATCHES if getattr(self, name) is not None]
        if len(given) != 1:
            got = f", not {' and '.join(given)}" if given else ""
            yield Problem((), f"a trigger has exactly one of {', '.join(WATCHES)}{got}", key=True, show=False)
        elif self.clear is not None and self.when is None:
            yield Problem(("clear",), f"clear belongs to when; {given[0]} knows by itself when it is over", key=True, show=False)
        elif self.silent is not None:
            for key in {"hold", "debounce"} & self.model_fields_set:
                yield Problem((key,), f"{key} has no meaning for silent, which waits by itself", key=True, show=False)
        finds = self.finds or ()
        for number, kind in enumerate(finds):
            if kind in finds[:number]:
                yield Problem(("finds", number), f"{kind!r} is in finds twice", show=False)
