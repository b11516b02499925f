"""A recording that Sluice made itself: a journal, with every message as it came."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from devices.reading import Message
from gateway.journal.reader import newest_row
from gateway.journal.row import Entry, Flag, Kind
from gateway.journal.stretch import Stretch, partition_at
from simulator.recordings.decoded import Decoder
from simulator.recordings.row import RecordingError, Row

_NOT_WHOLE = Flag.REPEATED | Flag.OVERSIZE
"""Of these messages the journal does not hold the payload."""


class JournalRecording:
    """What the devices of a journal said, in the order in which the gateway took it in, up to the newest row there is when it is read.

    Messages are decoded without profiles, which the gateway that hears them again applies. What flows derived, and dead letters that were read
    again, are not said.
    """

    def __init__(self, folder: Path) -> None:
        """Find the journal in a data folder, or its own; RecordingError where there is none."""
        self.unread = 0
        self._folder = folder
        try:
            self._partition = partition_at(folder)
        except FileNotFoundError as error:
            raise RecordingError(str(error)) from error

    def rows(self) -> Iterator[Row]:
        """Read the journal anew, without the rows that cannot be read or that a gateway drops meanwhile; RecordingError where none can be."""
        if newest_row(self._partition) is None:
            raise RecordingError(f"{self._folder}: a recording must have messages; got a journal with no row that can be read")
        yield from self._rows(Decoder())

    def _rows(self, decoder: Decoder) -> Iterator[Row]:
        self.unread = 0
        for row in Stretch(self._partition):
            if row.kind != Kind.MESSAGES:
                continue
            for entry in row.entries():
                if entry.flags & _NOT_WHOLE:
                    decoder.unread += 1
                else:
                    yield from decoder.rows(_message(entry, row.received))
            self.unread = decoder.unread


def _message(entry: Entry, received: int) -> Message:
    return Message(entry.topic, entry.payload, received, bool(entry.flags & Flag.RETAINED))
