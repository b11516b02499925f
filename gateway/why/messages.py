"""The messages that readings came in, out of the journal. What a device taught long before is not known here, so some cannot be told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from devices.catalogue import Catalogue
from devices.profile import Profile
from devices.reading import Message, Reading
from gateway.journal.reader import JournalReader, first_since
from gateway.journal.row import Flag, Kind, Row
from gateway.store.effects import ReadingKept

_OFFSET_BITS = 20  # of a reading's id, below its journal offset
_BATCH = 256
_UNREAD = Flag.REPEATED | Flag.OVERSIZE


class Said(NamedTuple):
    """A message as it came off the wire."""

    topic: str
    payload: bytes


class Messages:
    """The journal of a data folder, read as the conventions and profiles read it now."""

    def __init__(self, journal: Path, profiles: Sequence[Profile]) -> None:
        self._journal = journal
        self._catalogue = Catalogue(profiles)

    def of(self, readings: Sequence[ReadingKept]) -> dict[int, Said]:
        """Give the messages of readings, by the readings' ids; those that can be told."""
        wanted: dict[int, list[ReadingKept]] = {}
        for kept in readings:
            wanted.setdefault(kept.id >> _OFFSET_BITS, []).append(kept)
        found: dict[int, Said] = {}
        for offset in sorted(wanted):
            row = self._row(offset)
            heard = [] if row is None else list(self._heard(row))
            for kept in wanted[offset]:
                said = _told(kept.reading, heard)
                if said is not None:
                    found[kept.id] = said
        return found

    def between(self, since: int, until: int, *, most: int) -> list[tuple[Reading, Said]] | None:
        """Give the readings of up to `most` messages that came in [since, until] (epoch ns), each with its message; None where they are gone."""
        first = first_since(self._journal, since)
        if first is None:
            return None
        found: list[tuple[Reading, Said]] = []
        seen = 0
        for row in self._rows(first):
            seen += row.count
            if row.received > until or seen > most:
                break
            found += self._heard(row)
        return found

    def _row(self, offset: int) -> Row | None:
        reader = JournalReader(self._journal, after=offset - 1)
        try:
            rows = reader.read(1)
        finally:
            reader.close()
        return rows[0] if rows and rows[0].offset == offset else None

    def _rows(self, first: int) -> Iterator[Row]:
        reader = JournalReader(self._journal, after=first - 1)
        try:
            while rows := reader.read(_BATCH):
                yield from rows
        finally:
            reader.close()

    def _heard(self, row: Row) -> Iterator[tuple[Reading, Said]]:
        """Give what the messages of a row say now."""
        came: list[tuple[str, bytes, int, int]] = []
        if row.kind == Kind.MESSAGES:
            came = [(one.topic, one.payload, one.flags, row.received) for one in row.entries()]
        elif row.kind == Kind.REPLAYS:
            came = [(one.entry.topic, one.entry.payload, one.entry.flags, one.received) for one in row.replays()]
        for topic, payload, flags, received in came:
            if not flags & _UNREAD:
                outcome = self._catalogue.readings(Message(topic, payload, received, bool(flags & Flag.RETAINED)))
                yield from ((reading, Said(topic, payload)) for reading in (outcome if isinstance(outcome, list) else ()))


def _told(reading: Reading, heard: Sequence[tuple[Reading, Said]]) -> Said | None:
    """Find the message of a reading: the one that says the same, or the only one that speaks of its series."""
    series = (reading.device, reading.metric, reading.channel)
    of_series = [(one, said) for one, said in heard if (one.device, one.metric, one.channel) == series]
    same = [said for one, said in of_series if one.raw_value == reading.raw_value and one.ts == reading.ts]
    if same:
        return same[0]
    return of_series[0][1] if len(of_series) == 1 else None
