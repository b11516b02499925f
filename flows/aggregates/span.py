"""The stretch of time that a window speaks of, and a value at a time."""

from __future__ import annotations

from typing import Any, NamedTuple

Point = list[Any]
"""[event time (ns), value]: a list, since it goes into snapshots."""


class Span(NamedTuple):
    """From where a value that is looked back at holds, to where the last value stops holding; ns."""

    start: int
    end: int
