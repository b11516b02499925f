"""Where the flows begin: their state, the store and the journal brought to one place before the first row is read."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from bytewax.recovery import InconsistentPartitionsError, MissingPartitionsError, NoPartitionsError

from flows.newer_state import NewerStateError
from flows.normaliser import Normaliser
from gateway.damage import RECOVERY, DamageError
from gateway.disk import causes
from gateway.garbage import not_searched
from gateway.journal.reader import JournalReader
from gateway.journal.retention import write_durable
from gateway.store.effects import Progressed
from gateway.store.rewind import holes
from gateway.store.store import Store

T = TypeVar("T")
_BYTEWAX = (InconsistentPartitionsError, MissingPartitionsError, NoPartitionsError)
_ROWS = 64


def from_snapshot(make: Callable[[bytes | None], T]) -> Callable[[bytes | None], T]:
    """Let `make` raise DamageError, in the name of the recovery data, where it cannot use a snapshot."""

    def made(snapshot: bytes | None) -> T:
        try:
            with not_searched():
                return make(snapshot)
        except NewerStateError:
            raise
        except Exception as error:
            if snapshot is None:
                raise
            raise DamageError(RECOVERY, f"a snapshot cannot be used: {error!r}") from error

    return made


class Beginning:
    """One run of the dataflow on what is kept: whether it has come further than that tells whom a failure is to be blamed on."""

    def __init__(self, journal: Path, recovery: Path, store: Store) -> None:
        self._journal = journal
        self._store = store
        self._resumes = _has_state(recovery)
        self._source: Normaliser | None = None
        self._offset = 0

    def at(self, normaliser: Normaliser, *, anew: bool) -> Normaliser:
        """Bring the store to where the source begins: `anew`, or where its snapshot was taken.

        Raises:
            DamageError: the store is not as far as the snapshot, so that it has lost what will not be made again.

        """
        progress = self._store.progress
        if anew and progress is not None:
            write_durable(self._journal, 0)  # else the journal drops rows ahead of us
            first, messages = _oldest(self._journal, progress)
            self._store.begin_at(first, messages, progress.at)
        elif not anew and (progress is None or progress.offset < normaliser.offset):
            reached = progress.offset if progress else 0
            raise DamageError(RECOVERY, f"it is of row {normaliser.offset} of the journal, and the store only of row {reached}")
        elif progress is not None and progress.offset > normaliser.offset:
            there = _offsets(self._journal, normaliser.offset, progress.offset)
            self._store.forget(list(holes(there, normaliser.offset, progress.offset)))
        self._source, self._offset = normaliser, normaliser.offset
        return normaliser

    def blames_recovery(self, error: BaseException) -> bool:
        """Tell whether a failure is one of the recovery data: it says so, or came when nothing but that had been read."""
        if any(isinstance(one, _BYTEWAX) for one in causes(error)):
            return True
        return self._resumes and (self._source is None or self._source.offset == self._offset)


def _oldest(journal: Path, progress: Progressed) -> tuple[int, int]:
    """Give the journal's oldest row, and how many messages were received ahead of it; without rows, the one that will come next."""
    with closing(JournalReader(journal)) as reader:
        rows = reader.read(1)
    return (rows[0].offset, rows[0].total - rows[0].count) if rows else (progress.offset + 1, progress.messages)


def _offsets(journal: Path, after: int, upto: int) -> Iterator[int]:
    """Give the rows of a stretch of the journal that can be read."""
    with closing(JournalReader(journal, after=after)) as reader:
        while rows := reader.read(_ROWS):
            for row in rows:
                if row.offset > upto:
                    return
                yield row.offset


def _has_state(recovery: Path) -> bool:
    """Tell whether there is a snapshot to begin from, or no telling."""
    try:
        (part,) = recovery.glob("part-*.sqlite3")
        with closing(sqlite3.connect(f"{part.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            return connection.execute("SELECT 1 FROM snaps LIMIT 1").fetchone() is not None
    except (ValueError, sqlite3.Error):
        return True
