"""The writing side of the journal: one writer, each row durable before anyone is told."""

from __future__ import annotations

import errno
import sqlite3
import threading
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path
from time import monotonic, monotonic_ns, time_ns
from typing import NoReturn

import structlog

from gateway.disk import free
from gateway.journal.bell import Bell
from gateway.journal.log_sync import LogSync
from gateway.journal.reader import newest_row
from gateway.journal.remains import Remains
from gateway.journal.retention import drop_old, drop_oldest, read_durable, unread, write_durable
from gateway.journal.row import Entry, Kind, Replay, Row, Shed, pack, pack_derived, pack_facts, pack_replays, pack_sheds
from gateway.journal.segment import (
    Durability,
    Segment,
    first_offset,
    has_no_room,
    is_damage,
    prepare,
    publish,
    segment_path,
    segments,
    sync_log,
)
from gateway.journal.urgent import UrgentNotes
from gateway.sqlite_file import length, log_of, size
from gateway.store.effects import CommandFact, Derived

log = structlog.get_logger()

_SEGMENTS_KEPT_WITHIN = 16
"""A segment is at most this part of `max_size` and of `keep`, so that dropping whole files stays close to both."""
_ROWS_BETWEEN_LOOKS = 64
"""How often the size and age of the segment are looked at."""
_SECONDS_BETWEEN_LOOKS = 1.0
"""How often it is looked whether the flows have read on, while the journal is full."""
_MARGIN = 1.25
"""What the flows have not read may be this much larger than `max_size`: they say what they have read with each snapshot only."""
_MESSAGES = frozenset((Kind.MESSAGES, Kind.REPLAYS, Kind.DERIVED))
_Body = tuple[bytes, int]
"""What a row holds, and how many messages these are."""


class JournalFullError(OSError):
    """A row could not be made durable. Nothing has changed, and calling again later is right; the text says why.

    On a disk that fails, rather than being full, it may be that what was written can neither be synced nor looked up: then a later call with the
    same rows is told that they are there, and one with others adds to them.
    """


class Journal:
    """Append rows and ring the flows' bell.

    Delivery guarantee: with durability `strict`, what `append_messages` returned for is on the disk (fsync of the write-ahead log); with
    `batched`, it is there a second later. Offsets grow, and none is used twice: not even one of a row that was lost with its file, if the
    flows had read it (`first`). Safe to call from several threads of one process; a second process must not write.

    Every `append_…` raises JournalFullError where the disk does not take the row. Where what the flows have not read is larger than `max_size`
    (by a quarter), those that bring messages do; ticks, facts and what was shed are still taken, since they are small.
    """

    def __init__(
        self, directory: Path, bell: Bell, *, durability: Durability = "strict", keep: int, max_size: int, first: int = 1, total: int = 0
    ) -> None:
        """Open the newest segment and go on behind its last row, but at `first` at least, and having counted `total` messages at least.

        `keep` in ns, `max_size` in bytes.

        Raises:
            JournalFullError: the disk does not let it be opened now.

        """
        self.directory = directory
        self._bell = bell
        self._durability: Durability = durability
        self._keep = keep
        self._max_size = max_size
        self._lock = threading.Lock()
        self._unwritable = self._overfull = ""
        self._stuck = self._unsure = False
        self._looked = 0.0
        self._segment: Segment | None = None
        self._tried: tuple[Kind, Sequence[_Body]] | None = None
        self.offset, self.total = first - 1, total
        self.session = self.connection = 0
        self.live = False
        self.appended_at = monotonic_ns()
        self._log_sync = LogSync(self._sync_log) if durability == "batched" else None
        self._open()
        self._urgent = UrgentNotes(directory, self.offset)
        if self._log_sync:
            self._log_sync.start()

    def _open(self) -> None:
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            if not read_durable(self.directory):
                write_durable(self.directory, 0)  # so that it has its place when the disk is full
            self._open_segment()
        except (OSError, sqlite3.OperationalError) as error:
            if has_no_room(error) and drop_oldest(self.directory):
                return self._open()
            raise JournalFullError(f"journal: its newest file must be opened for writing; got: {error}") from error
        last = newest_row(self.directory)
        if (last.total if last else 0) < self.total:
            with suppress(JournalFullError):  # a later row tells as well from where the count goes on
                self.append_tick()
        return None

    @property
    def full(self) -> str:
        """Why the journal takes nothing now; empty where it does."""
        return self._unwritable or self._overfull

    def _open_newest(self, first: int) -> Segment:
        """Open the newest segment, or begin one at `first` or later, where there is none to go on in."""
        found = segments(self.directory)
        if not found:
            return self._begin(first)
        try:
            segment = Segment(found[-1], write=self._durability)
            end = _end(segment)
            last = segment.last()
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            log.warning("the newest journal segment is damaged: beginning another", file=found[-1].name, error=str(error))
            return self._begin(max(first, _end_of_remains(found[-1]) + 1))
        if end + 1 >= first and not (last and last.kind == Kind.END):
            return segment
        segment.close()
        return self._begin(max(first, end + 1))

    def _begin(self, first: int) -> Segment:
        return Segment(segment_path(self.directory, first), write=self._durability)

    def connected(self, *, session_present: bool) -> int:
        """Note a new connection (and a new broker session, where the old one is gone) with a tick; its first messages are backlog. Give its number."""
        with self._lock:
            self.connection += 1
            self.session += not session_present
            self.live = False
        self.append_tick()
        return self.connection

    @property
    def unheard(self) -> int:
        """Rows that were written since the flows last had nothing to do."""
        return self._bell.unheard()

    def append_messages(self, entries: Sequence[Entry], *, longest: int | None = None, urgent: bool = False) -> int:
        """Commit messages at once, in rows of at most `longest`; give the last offset. `urgent` rows may be read before what waits in front of them."""
        if not entries:
            return self.offset
        step = longest or len(entries)
        rows = [entries[first : first + step] for first in range(0, len(entries), step)]
        return self._append(Kind.MESSAGES, *((pack(row), len(row)) for row in rows), urgent=urgent)

    def append_facts(self, facts: Sequence[CommandFact]) -> int:
        """Commit facts of commands' lives; give their offset."""
        return self._append(Kind.FACTS, (pack_facts(facts), 0))

    def append_replays(self, replays: Sequence[Replay]) -> int:
        """Commit dead letters to be read again, each a message like any other; give their offset."""
        return self._append(Kind.REPLAYS, (pack_replays(replays), len(replays)))

    def append_derived(self, readings: Sequence[Derived]) -> int:
        """Commit readings that flows derived, each counted as a message; give their offset."""
        return self._append(Kind.DERIVED, (pack_derived(readings), len(readings)))

    def append_shed(self, sheds: Sequence[Shed]) -> int:
        """Commit what was dropped by a declared policy, each message counted; give its offset."""
        return self._append(Kind.SHED, (pack_sheds(sheds), sum(one.count for one in sheds)))

    def append_tick(self) -> int:
        """Commit an empty row, so that time goes on in silence."""
        return self._append(Kind.TICK, (b"", 0))

    def _append(self, kind: Kind, *rows: _Body, urgent: bool = False) -> int:
        with self._lock:
            if kind in _MESSAGES:
                self._refuse_beyond_max_size()
            self._write(kind, rows)
            offset = self.offset
            if urgent:
                for one in range(offset - len(rows) + 1, offset + 1):
                    self._urgent.note(one)
            if offset // _ROWS_BETWEEN_LOOKS > (offset - len(rows)) // _ROWS_BETWEEN_LOOKS:
                self._look()
        self._bell.ring()
        return offset

    def _refuse_beyond_max_size(self) -> None:
        if self._overfull and monotonic() - self._looked >= _SECONDS_BETWEEN_LOOKS:
            self._look_at_size()
        if self._overfull:
            raise JournalFullError(self._overfull)

    def _look_at_size(self) -> None:
        size, self._looked = unread(self.directory), monotonic()
        over = size > self._max_size * _MARGIN
        limit = f"{self._max_size:,} bytes (journal.max_size)"
        self._overfull = f"journal: what the flows have not read must be less than {limit}; got {size:,}" if over else ""

    def _write(self, kind: Kind, rows: Sequence[_Body]) -> None:
        """Write rows, all or none; on a full disk in place of the log or of segments that are read, and behind a damaged segment in a new one."""
        left = False
        while True:
            try:
                self._write_once(kind, rows)
            except sqlite3.IntegrityError:
                raise  # a second writer
            except (OSError, sqlite3.DatabaseError) as error:
                if is_damage(error) and not left:
                    left = self._leave_damaged(error)
                    continue
                if has_no_room(error):
                    if self._shorten_log() or drop_oldest(self.directory):
                        continue
                    self._give_up(error)
                if not self._stands(kind, rows):
                    self._give_up(error)
            self._unwritable = ""
            return

    def _write_once(self, kind: Kind, rows: Sequence[_Body]) -> None:
        self.appended_at = monotonic_ns()
        if self._segment is not None and not self._segment.is_there():
            log.warning("the newest journal segment was deleted: beginning another", file=self._segment.path.name)
            self._put_down()
        if self._segment is None and self._opened_upon(kind, rows):
            return  # what an earlier call was told had failed
        if self._unsure:
            self._make_sure()
        assert self._segment is not None
        made, total, received = [], self.total, time_ns()
        for offset, (body, count) in enumerate(rows, self.offset + 1):
            total += count
            made.append(Row(offset, kind, received, self.appended_at, self.session, self.connection, self.live, count, total, body))
        self._tried = kind, rows
        self._segment.append(*made)
        self.offset, self.total = self.offset + len(made), total
        if self._log_sync:
            self._log_sync.note()

    def _open_segment(self) -> Row | None:
        """Open the newest segment. Give the row that is in there behind what was known: written, though that was told to have failed."""
        segment = self._open_newest(self.offset + 1)
        end, last = _end(segment), newest_row(self.directory)
        if end > self.offset:
            segment.sync()
        self._segment, found = segment, last if end > self.offset else None
        self.offset = max(self.offset, end)
        if last:
            self.total = max(self.total, last.total)
            self.session, self.connection = max(self.session, last.session), max(self.connection, last.connection)
        return found

    def _stands(self, kind: Kind, rows: Sequence[_Body]) -> bool:
        """After an error that is none of room, tell whether the rows were written all the same.

        SQLite's connection is not to be trusted then, and its log may hold the whole of them: opened anew, either they are in there, or nobody
        has to find them any more.
        """
        self._put_down()
        self._unsure = True
        stands = False
        with suppress(OSError, sqlite3.Error):
            stands = self._opened_upon(kind, rows)
            self._make_sure()
        return stands

    def _opened_upon(self, kind: Kind, rows: Sequence[_Body]) -> bool:
        """Open the newest segment; tell whether these rows are in there, which were tried last and told to have failed."""
        before = self.offset
        found = self._open_segment()
        return (
            found is not None
            and self._tried == (kind, rows)
            and self.offset == before + len(rows)
            and (found.body, found.count) == rows[-1]
        )

    def _make_sure(self) -> None:
        """Empty the log, in which rows may stand that were told to have failed: SQLite passes them over, but not whoever mends the file."""
        assert self._segment is not None
        if not self._segment.shorten_log() and length(log_of(self._segment.path)):
            raise OSError(errno.EIO, "the log of a row that failed cannot be brought in")
        self._unsure = False

    def _give_up(self, error: Exception) -> NoReturn:
        """Tell that nothing was written."""
        self._unwritable = f"journal: a row must be on the disk before its messages are acknowledged; got: {error}"
        raise JournalFullError(self._unwritable) from error

    def _leave_damaged(self, error: Exception) -> bool:
        """Have the next row begin a new segment. What can be read of the old one is still read."""
        if self._segment:
            name = self._segment.path
            log.warning("a journal segment is damaged: beginning another", file=name.name, error=str(error))
            self.offset = max(self.offset, first_offset(name)) + 1  # a number is left out, so that the rows do not go on in there
        self._put_down()
        return True

    def _put_down(self) -> None:
        if self._segment:
            self._segment.close()
            self._segment = None

    def _shorten_log(self) -> bool:
        return self._segment is not None and self._segment.shorten_log()

    def _look(self) -> None:
        """Begin another segment if it is time for one. Where the disk does not allow it, this one goes on."""
        try:
            if self._segment and length(log_of(self._segment.path)) > free(self.directory):
                self._shorten_log()  # while there still is room to
            self._rotate_if_due()
            self._look_at_size()
        except (OSError, sqlite3.Error) as error:
            if not self._stuck:
                log.warning("the journal cannot begin another segment: this one goes on", error=str(error))
            self._stuck = True
        else:
            self._stuck = False

    def _rotate_if_due(self) -> None:
        segment = self._segment
        if segment is None:
            return
        if size(segment.path) < self._max_size // _SEGMENTS_KEPT_WITHIN and _age(segment) < self._keep // _SEGMENTS_KEPT_WITHIN:
            return
        # Everything that asks for room comes before the end is written: behind the end there is no way back.
        fresh = prepare(segment_path(self.directory, self.offset + 2))
        try:
            self._write_once(Kind.END, [(b"", 0)])
        except BaseException:
            fresh.unlink()
            raise
        self._put_down()
        sync_log(segment.path)
        following = segment_path(self.directory, self.offset + 1)
        publish(fresh, following)
        self._segment = Segment(following, write=self._durability)
        drop_old(self.directory, keep=self._keep, max_size=self._max_size)

    def _sync_log(self) -> None:
        with self._lock:
            segment = self._segment
        if segment:
            sync_log(segment.path)

    def close(self) -> None:
        """Close the segment; then every row is durable."""
        if self._log_sync:
            self._log_sync.stop()
        with self._lock:
            if self._segment and self._log_sync:
                with suppress(OSError):  # said already, by whoever tried while it ran
                    self._segment.sync()
            self._put_down()
            self._urgent.close()


def _end(segment: Segment) -> int:
    """Tell the offset behind which a segment goes on."""
    return segment.last_offset() or first_offset(segment.path) - 1


def _age(segment: Segment) -> int:
    """Tell how long ago the first row of a segment came, in ns; 0 where it has none yet."""
    first = next(iter(segment.after(0, 1)), None)
    return time_ns() - first.received if first else 0


def _end_of_remains(path: Path) -> int:
    """Tell the offset behind which to go on after a segment that SQLite cannot read."""
    with closing(Remains(path)) as remains:
        return max([first_offset(path), *remains.offsets[-1:]])
