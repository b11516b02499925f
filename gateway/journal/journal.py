"""The writing side of the journal: one writer, one row a batch, each row durable before anyone is told."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from time import monotonic_ns, time_ns

from gateway.journal.bell import Bell
from gateway.journal.reader import newest_row
from gateway.journal.row import Entry, Kind, Replay, Row, pack, pack_derived, pack_facts, pack_replays
from gateway.journal.segment import Durability, Segment, first_offset, segment_path, segments
from gateway.store.effects import CommandFact, Derived

_SEGMENTS_KEPT_WITHIN = 16
"""A segment is at most this part of `max_size` and of `keep`, so that dropping whole files stays close to both."""
_ROWS_BETWEEN_LOOKS = 64
"""How often the size and age of the segment are looked at."""


class Journal:
    """Append rows and ring the flows' bell.

    Delivery guarantee: what `append_messages` returned for is on disk (fsync of the write-ahead log, durability `strict`); offsets grow by one
    and are never used twice. Safe to call from several threads of one process; a second process must not write.
    """

    def __init__(self, directory: Path, bell: Bell, *, durability: Durability = "strict", keep: int, max_size: int, first: int = 1) -> None:
        """Open the newest segment; where there is none, begin at the offset `first`. `keep` in ns, `max_size` in bytes."""
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self._bell = bell
        self._durability: Durability = durability
        self._keep = keep
        self._max_size = max_size
        self._lock = threading.Lock()
        self._segment = self._open_newest(first)
        last = newest_row(directory)
        self.offset = last.offset if last else first_offset(self._segment.path) - 1
        self.total = last.total if last else 0
        self.session = last.session if last else 0
        self.connection = last.connection if last else 0
        self.live = False
        self.appended_at = monotonic_ns()

    def _open_newest(self, first: int) -> Segment:
        found = segments(self.directory)
        segment = Segment(found[-1] if found else segment_path(self.directory, first), write=self._durability)
        last = segment.last()
        if last is None or last.kind != Kind.END:
            return segment
        segment.close()
        return Segment(segment_path(self.directory, last.offset + 1), write=self._durability)

    def connected(self, *, session_present: bool) -> int:
        """Note a new connection (and a new broker session, where the old one is gone) with a tick; its first messages are backlog. Give its number."""
        with self._lock:
            self.connection += 1
            self.session += not session_present
            self.live = False
        self.append_tick()
        return self.connection

    def append_messages(self, entries: Sequence[Entry]) -> int:
        """Commit a batch of messages; give its offset."""
        return self._append(Kind.MESSAGES, pack(entries), len(entries))

    def append_facts(self, facts: Sequence[CommandFact]) -> int:
        """Commit facts of commands' lives; give their offset."""
        return self._append(Kind.FACTS, pack_facts(facts), 0)

    def append_replays(self, replays: Sequence[Replay]) -> int:
        """Commit dead letters to be read again, each a message like any other; give their offset."""
        return self._append(Kind.REPLAYS, pack_replays(replays), len(replays))

    def append_derived(self, readings: Sequence[Derived]) -> int:
        """Commit readings that flows derived, each counted as a message; give their offset."""
        return self._append(Kind.DERIVED, pack_derived(readings), len(readings))

    def append_tick(self) -> int:
        """Commit an empty row, so that time goes on in silence."""
        return self._append(Kind.TICK, b"", 0)

    def _append(self, kind: Kind, body: bytes, count: int) -> int:
        with self._lock:
            self._write(kind, body, count)
            offset = self.offset
            self._rotate_if_due()
        self._bell.ring()
        return offset

    def _write(self, kind: Kind, body: bytes, count: int) -> None:
        self.appended_at = monotonic_ns()
        row = Row(
            self.offset + 1, kind, time_ns(), self.appended_at, self.session, self.connection, self.live, count, self.total + count, body
        )
        self._segment.append(row)
        self.offset, self.total = row.offset, row.total

    def _rotate_if_due(self) -> None:
        if self.offset % _ROWS_BETWEEN_LOOKS:
            return
        opened = self._segment.after(0, 1)[0].received
        if self._segment.size() < self._max_size // _SEGMENTS_KEPT_WITHIN and time_ns() - opened < self._keep // _SEGMENTS_KEPT_WITHIN:
            return
        self._write(Kind.END, b"", 0)
        self._segment.close()
        self._segment = Segment(segment_path(self.directory, self.offset + 1), write=self._durability)
        drop_old(self.directory, keep=self._keep, max_size=self._max_size)

    def close(self) -> None:
        """Close the segment; every row is durable already."""
        with self._lock:
            self._segment.close()


def drop_old(directory: Path, *, keep: int, max_size: int) -> list[Path]:
    """Delete the oldest segments that are beyond `keep` (ns) or `max_size` (bytes), but never one that the flows still need after a crash."""
    found = segments(directory)
    durable = read_durable(directory)
    size = sum(p.stat().st_size for p in found)
    dropped = []
    for path, following in pairwise(found):
        old = time_ns() - path.stat().st_mtime_ns > keep
        if first_offset(following) - 1 > durable or not (old or size > max_size):
            break
        size -= path.stat().st_size
        for part in (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")):
            part.unlink(missing_ok=True)
        dropped.append(path)
    return dropped


def read_durable(directory: Path) -> int:
    """Tell the offset up to which the flows' state is durable: their recovery never asks for earlier rows."""
    path = directory / "durable"
    return int(path.read_text()) if path.exists() else 0


def write_durable(directory: Path, offset: int) -> None:
    """Note that the flows' state is durable up to this offset."""
    path = directory / "durable"
    fresh = path.with_suffix(".new")
    fresh.write_text(str(offset))
    fresh.replace(path)
