"""What a destination is: something that takes rows of the store, says which it refuses, or says that it cannot take any now."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, Protocol

from gateway.store.effects import ReadingKept
from gateway.store.outcomes import Published

Row = ReadingKept | Published
Stream = Literal["effects", "readings"]
"""The two streams of the store, each with its own cursor: outcomes by their seq, readings by their id."""


class Refused(NamedTuple):
    """A row that the destination will never take: its place in the batch, and why."""

    place: int
    reason: str


class NotNowError(Exception):
    """Nothing of the batch may be taken as delivered: send it again later.

    `retry_after` is what the destination asked for, in seconds. `alarm`: it will not heal by itself (a wrong token), so say so and come
    back slowly, or as soon as `mended` (may block for a moment) tells that a person has changed something.
    """

    def __init__(
        self, reason: str, *, retry_after: float | None = None, alarm: bool = False, mended: Callable[[], bool] | None = None
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after
        self.alarm = alarm
        self.mended = mended


class Destination(Protocol):
    """Takes rows at least once: what it takes twice (same id, same series and time) must do no harm there.

    `streams` are those it wants; `batch` the most rows at a time, which it may change; `linger` the seconds between two batches that are not full, so that
    they fill. `backfill` tells whether a stream wanted for the first time is delivered from the oldest row the store has.
    """

    name: str
    streams: tuple[Stream, ...]
    batch: int
    linger: float
    backfill: bool

    async def send(self, rows: Sequence[Row]) -> list[Refused]:
        """Take all rows but the refused ones. Raises NotNowError."""

    async def close(self) -> None:
        """Let go of connections, without waiting for an answer that may never come."""
