"""Rows of messages: what devices published in their own dialects, read as the gateway would read it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from devices.catalogue import Catalogue
from devices.reading import Message
from simulator.recordings.row import Measure, Row, is_endless

Said = tuple[str, int, Measure]
"""A device, a time (epoch ns), and a value that it said."""


class Decoder:
    """Reads messages in their order, with what earlier ones taught. `unread` counts those that gave nothing to say again."""

    def __init__(self) -> None:
        self.unread = 0
        self._catalogue = Catalogue()

    def rows(self, message: Message) -> Iterator[Row]:
        """Give what a message says; nothing of one that the broker had kept (retained): it teaches, but what it says is old."""
        outcome = self._catalogue.readings(message)
        if message.retained or not isinstance(outcome, list):
            self.unread += 1
            return
        said = ((one.device, one.ts, Measure(one.metric, one.channel, one.value, one.unit)) for one in outcome if not is_endless(one.value))
        yield from rows_of(said, came=message.received)


def rows_of(said: Iterable[Said], *, came: int | None) -> Iterator[Row]:
    """Put values of one device at one time that follow each other into one row; a series that speaks again begins another."""
    for (device, at), together in groupby(said, key=lambda one: one[:2]):
        row: dict[str, Measure] = {}
        for _, _, measure in together:
            if measure.column in row:
                yield Row(at, device, tuple(row.values()), came)
                row = {}
            row[measure.column] = measure
        yield Row(at, device, tuple(row.values()), came)
