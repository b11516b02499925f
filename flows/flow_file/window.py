"""How readings are put together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator, Field, ValidationInfo, WithJsonSchema

from gateway.findings import DURATION_SCHEMA, Checked, Duration, PositiveDuration, Problem, duration_text, parse_duration

_SECOND = 10**9
_DAY = 86_400 * _SECOND
_MOST_PANES = 10_000  # of one window: each closes by merging its panes
_MOST_COUNTED = 1_000_000

WindowKind = Literal["tumbling", "sliding", "session", "count", "state", "none"]
CALENDAR = ("day", "week", "month")
_KEYS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "tumbling": (("length",), ("timezone", "lateness", "corrections")),
    "sliding": (("length", "slide"), ("lateness", "corrections")),
    "session": (("gap",), ("lateness", "corrections")),
    "count": (("length",), ("slide", "lateness")),
    "state": (("while",), ("lateness",)),
    "none": ((), ()),
}
"""What each kind of window needs, and what it may have."""
_ABOUT = {
    "length": "how long a window is",
    "slide": "how often a window closes",
    "gap": "for how long nothing comes when a session is over",
    "while": "the condition while which a window is open",
    "timezone": "where days begin",
    "lateness": "how long a window waits for what comes late",
    "corrections": "for how long a closed window is given again when something comes late",
}


def _extent(value: Any, info: ValidationInfo) -> int | str:
    """Read a length: readings of a count window, a word of the calendar, or a duration."""
    if info.data.get("kind") == "count":
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _MOST_COUNTED:
            raise ValueError(f"must be a number of readings from 1 to {_MOST_COUNTED:,}")
        return value
    if value in CALENDAR and info.data.get("kind", "tumbling") == "tumbling" and info.field_name == "length":
        return str(value)
    try:
        length = parse_duration(value)
    except ValueError:
        words = f", or one of {', '.join(CALENDAR)}" if info.field_name == "length" else ""
        raise ValueError(f"must be a duration such as 10s, 5m, 2h or 1d{words}") from None
    if length <= 0:
        raise ValueError("must be longer than 0")
    return length


Extent = Annotated[
    int | str,
    BeforeValidator(_extent),
    WithJsonSchema({"anyOf": [DURATION_SCHEMA, {"enum": list(CALENDAR)}, {"type": "integer", "minimum": 1, "maximum": _MOST_COUNTED}]}),
]


def _timezone(value: Any) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        raise ValueError("must be a name of the IANA database, such as Europe/Berlin") from None
    return str(value)


class Window(Checked):
    """How readings are put together; lengths are ns, or numbers of readings for `kind: count`."""

    kind: WindowKind = Field(description="How readings are put together; none: each reading decides by itself.")
    length: Extent | None = Field(default=None, description="How long a window is: 5m; day, week or month; for count, readings.")
    slide: Extent | None = Field(default=None, description="How often a sliding window closes; for count, after how many readings.")
    gap: PositiveDuration | None = Field(default=None, description="A session is over when nothing came for so long.")
    while_: str | None = Field(default=None, alias="while", description="A state window is open while this condition (CEL) holds.")
    timezone: Annotated[str, BeforeValidator(_timezone)] | None = Field(default=None, description="Where days begin: Europe/Berlin.")
    lateness: Duration = Field(default=0, description="How long a window waits for what comes late.")
    corrections: Duration = Field(
        default=3_600 * _SECOND, description="For how long a closed window is given again when something comes late."
    )

    def rules(self) -> Iterator[Problem]:
        """Hold what each kind of window needs and what it cannot have."""
        given = {"while" if name == "while_" else name for name in self.model_fields_set} - {"kind"}
        needs, may = _KEYS[self.kind]
        for key in sorted(given - {*needs, *may}):
            kinds = [kind for kind, keys in _KEYS.items() if key in {*keys[0], *keys[1]}]
            what = "without windows (kind: none)" if self.kind == "none" else f"in a {self.kind} window"
            yield Problem((key,), f"{key} has no meaning {what}: it belongs to {', '.join(kinds)}", key=True, show=False)
        for key in needs:
            if key not in given:
                yield Problem((key,), f"missing key {key!r} of a {self.kind} window: {_ABOUT[key]}", key=True, show=False)
        if self.kind == "tumbling" and self.timezone and isinstance(self.length, int):
            yield from self._calendar_rules(self.length)
        if self.kind == "sliding" and isinstance(self.length, int) and isinstance(self.slide, int):
            yield from self._slide_rules(self.length, self.slide)
        if self.kind == "count" and isinstance(self.length, int) and isinstance(self.slide, int) and self.slide > self.length:
            yield Problem(("slide",), "slide must not be more than length: the readings between would be in no window")

    def _calendar_rules(self, length: int) -> Iterator[Problem]:
        if length % _DAY if length > _DAY else _DAY % length:
            yield Problem(("length",), "length must divide a day, or be a number of whole days, where windows go by a time zone")

    def _slide_rules(self, length: int, slide: int) -> Iterator[Problem]:
        if length % slide:
            yield Problem(("length",), f"length must be a multiple of slide, which is {duration_text(slide)}")
        elif length // slide > _MOST_PANES:
            yield Problem(("slide",), f"slide must not divide length, {duration_text(length)}, into more than {_MOST_PANES:,} parts")


def window_written(value: Any) -> Any:
    """Let `window: none` be short for `window: {kind: none}`."""
    return {"kind": value} if value == "none" else value
