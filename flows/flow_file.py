"""The shape of a flow file, `config/flows/*.yaml`: its keys, their types and defaults. What they mean together is in `flows/rules.py`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from devices import vocabulary
from flows.cases import Case, Scalar
from flows.expressions import AggregateCall
from gateway.findings import Checked, Duration, PositiveDuration, Problem, duration_text, parse_duration

SECOND = 10**9
_MOST_PANES = 10_000  # of one window: each closes by merging its panes

WindowKind = Literal["tumbling", "sliding", "none"]
Severity = Literal["info", "warning", "critical"]


def _metric(value: Any) -> str:
    if not isinstance(value, str) or not value or vocabulary.snake(value) != value:
        raise ValueError("must be a metric in lower snake-case, such as temperature or soil_moisture")
    if value in vocabulary.SYNONYMS and value not in vocabulary.METRICS:
        raise ValueError(f"must be a metric of the vocabulary, which says {vocabulary.SYNONYMS[value]!r}")
    return value


class Select(Checked):
    """Which readings the flow wants: those of these metrics for whose series `where` holds."""

    metrics: tuple[Annotated[str, BeforeValidator(_metric)], ...] = Field(min_length=1)
    where: str | None = None


class Window(Checked):
    """How readings are put together; lengths are ns. `slide` is asked of a sliding window only."""

    kind: WindowKind
    length: PositiveDuration | None = None
    slide: PositiveDuration | None = None
    lateness: Duration = 0
    corrections: Duration = 3_600 * SECOND

    def rules(self) -> Iterator[Problem]:
        """Hold what each kind of window needs and what it cannot have."""
        if self.kind == "none":
            for key in sorted(self.model_fields_set - {"kind"}):
                yield Problem((key,), f"{key} has no meaning without windows (kind: none)", key=True, show=False)
            return
        if self.length is None:
            yield Problem(("length",), f"missing key 'length': how long a {self.kind} window is", key=True, show=False)
        if self.kind == "sliding" and self.slide is None:
            yield Problem(("slide",), "missing key 'slide': how often a sliding window closes", key=True, show=False)
        if self.kind == "tumbling" and self.slide is not None:
            yield Problem(("slide",), "slide belongs to a sliding window", key=True, show=False)
        elif self.length is not None and self.slide is not None:
            yield from self._slide_rules(self.length, self.slide)

    def _slide_rules(self, length: int, slide: int) -> Iterator[Problem]:
        if length % slide:
            yield Problem(("length",), f"length must be a multiple of slide, which is {duration_text(slide)}")
        elif length // slide > _MOST_PANES:
            yield Problem(("slide",), f"slide must not divide length, {duration_text(length)}, into more than {_MOST_PANES:,} parts")


def _window(value: Any) -> Any:
    """Let `window: none` be short for `window: {kind: none}`."""
    return {"kind": value} if value == "none" else value


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


class TriggerSpec(Checked):
    """When an episode is raised and when it clears. Without `clear` it clears when `when` does not hold."""

    when: str
    clear: str | None = None
    hold: Annotated[Hold, BeforeValidator(parse_hold)] = Hold()
    cooldown: Duration = 0
    severity: Severity = "warning"


def _retries(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("must be a whole number")  # noqa: TRY004 - pydantic takes ValueError for a finding
    return value


class Confirm(Checked):
    """How long a device may take to report what it was told (ns), and how often it is told again."""

    within: PositiveDuration = 10 * SECOND
    retries: Annotated[int, BeforeValidator(_retries), Field(ge=0, le=100)] = 3


class CommandSpec(Checked):
    """A command; `expires` (ns) is how long after what gave rise to it it may still be sent."""

    device: str = Field(min_length=1)
    set: dict[str, Scalar] = Field(min_length=1)
    confirm: Confirm = Confirm()
    expires: PositiveDuration | None = None

    @property
    def life(self) -> int:
        """`expires`, or by default a minute, and never less than its tries take."""
        return self.expires or max(60 * SECOND, self.confirm.within * (self.confirm.retries + 1))

    def rules(self) -> Iterator[Problem]:
        """Let a command live long enough to be confirmed once."""
        if self.expires is not None and self.expires < self.confirm.within:
            yield Problem(("expires",), f"expires must not be shorter than confirm.within, {duration_text(self.confirm.within)}")


class OnClear(Checked):
    """What the same device is told when the episode ends."""

    set: dict[str, Scalar] = Field(min_length=1)


class Action(Checked):
    """One item of `do:`: a command, with what undoes it, or the text of the alert."""

    command: CommandSpec | None = None
    on_clear: OnClear | None = None
    alert: str | None = None

    def rules(self) -> Iterator[Problem]:
        """Let an item be one thing."""
        if (self.command is None) == (self.alert is None):
            yield Problem((), "an item of do is either a command or an alert", key=True, show=False)
        elif self.on_clear is not None and self.command is None:
            yield Problem(("on_clear",), "on_clear belongs to a command", key=True, show=False)


_NAME = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?")


def _flow_name(value: Any) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ValueError("must be a name of a-z, 0-9, - and _, such as greenhouse-climate")
    return value


class FlowSpec(Checked):
    """A flow file."""

    name: Annotated[str, BeforeValidator(_flow_name)]
    about: str = ""
    select: Select
    group: tuple[str, ...]
    window: Annotated[Window, BeforeValidator(_window)]
    aggregate: dict[str, Annotated[AggregateCall, BeforeValidator(AggregateCall.parse)]] = Field(default_factory=dict)
    trigger: TriggerSpec | None = None
    do: tuple[Action, ...] = ()
    tests: tuple[Case, ...] = ()
