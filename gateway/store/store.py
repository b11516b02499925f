"""The store's one writer: the end of the flows' dataflow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Self

import msgspec

from gateway.disk import free, sync
from gateway.sqlite_file import length, log_of
from gateway.store import blocks, totals
from gateway.store.counters import Counters
from gateway.store.dead_letters import DeadLetters
from gateway.store.effects import (
    AlertChanged,
    CommandFact,
    CommandRequested,
    Counted,
    DeadLettered,
    Derived,
    DeviceLearned,
    Effect,
    Failed,
    LetterTried,
    Progressed,
    ReadingKept,
    ReportKept,
    WindowClosed,
    spelled_out,
)
from gateway.store.outcomes import Outcome, Outcomes
from gateway.store.positions import Positions
from gateway.store.prune import prune
from gateway.store.readings import Raw, Readings
from gateway.store.rewind import forget, rewind
from gateway.store.schema import open_writer
from gateway.store.shed import Kind, shed
from gateway.store.totals import Totals

_LEARN = """INSERT INTO devices VALUES(?, ?, ?, ?, ?, ?) ON CONFLICT(device) DO UPDATE SET
  convention = iif(excluded.last_seen >= last_seen, excluded.convention, convention),
  base = iif(excluded.last_seen >= last_seen, excluded.base, base),
  labels = iif(excluded.last_seen >= last_seen, excluded.labels, labels),
  first_seen = min(first_seen, excluded.first_seen), last_seen = max(last_seen, excluded.last_seen)"""
_PROGRESS = "INSERT OR REPLACE INTO progress VALUES(1, ?, ?, ?)"

_MANY = frozenset((ReadingKept, ReportKept, Counted))
"""What comes by the thousand, and is written together."""
_STEPS = 1_000_000
"""Steps of SQLite's machine between two beats: some hundredths of a second."""

_GIVEN_BACK = 2_000
"""Pages given back to the disk at once: each may have to be moved."""


class Store:
    """Writes effects into `store.db`; readers (`StoreReader`) work beside it, in any process.

    Exactly-once effect: an effect written again changes nothing, so whatever a crash makes the flows write again is harmless, from any
    earlier point. A process that dies loses no committed effect; a power cut may lose those since the last `sync`, which is why `sync` goes
    before each snapshot of the flows: what was lost is then made again from the journal.

    Counters of devices reach the file some with each write, and all of them with `sync`; those of messages are never behind.
    With `linger` (seconds), readings, counters and progress wait in the open transaction until it has passed, and reach the file with the
    first `write`, `commit` or `sync` after it, or with a `write` of nothing; an outcome (window, alert, command) never waits and takes them
    along. That saves the flash, since a commit writes whole pages of 4 kB, and it saves commits. What could not be committed is written again
    with what comes next. There must be no second writer.
    """

    def __init__(self, path: Path, *, raw: Raw = "all", linger: float = 0.0, beat: Callable[[], None] | None = None) -> None:
        """Open or make the file; raises StoreError. `beat` is called in the midst of what takes long."""
        self.path = path
        self._linger = linger
        self._connection = open_writer(path)
        if beat:
            self._connection.set_progress_handler(beat, _STEPS)
        self._totals = Totals(self._connection)
        self._readings = Readings(self._connection, self._totals, raw, patient=linger > 0)
        self._outcomes = Outcomes(self._connection, self._totals)
        self._dead_letters = DeadLetters(self._connection, self._totals)
        self._counters = Counters(self._connection)
        self._since = 0.0
        self._unsettled: list[Effect] = []
        """What was written and is not committed: a transaction that fails takes all of it back."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @property
    def owes(self) -> bool:
        """Whether anything waits for the next `write`: counters, or what lingers."""
        return bool(self._counters or self._unsettled)

    def write(self, effects: Sequence[Effect]) -> None:
        """Write effects in one transaction: all of them or, when it raises, none, so that they are to be given again."""
        try:
            self._write(effects)
        except UnicodeEncodeError:
            # A lone surrogate, which JSON can carry and UTF-8 cannot. Refusing it for good would stop the flows for one hostile payload.
            self._roll_back()
            self._write([_encodable(effect) for effect in spelled_out(effects)])
        except BaseException:
            self._roll_back()
            raise

    def commit(self) -> None:
        """Let readers see everything written so far; when it raises (disk full), that waits for the next try."""
        if not self._connection.in_transaction and not self._unsettled:
            return
        try:
            self._begin()
            self._readings.save()
            self._totals.save()
            self._connection.execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise
        self._counters.committed()
        self._unsettled = []

    def sync(self) -> None:
        """Make everything written so far safe from a power cut. Called before each snapshot of the flows; takes fsyncs."""
        try:
            self._begin()
            self._counters.write(all_of_them=True)
            self._readings.settle()
            (newest,) = self._connection.execute("SELECT coalesce(max(seq), 0) FROM effects").fetchone()
            self._totals[totals.EFFECTS_SYNCED] = max(newest, self._totals[totals.EFFECTS_SYNCED])
        except BaseException:
            self._roll_back()
            raise
        self.commit()
        # A reader that holds an old page lets no checkpoint finish; the WAL itself on the disk is durable enough.
        sync(log_of(self.path))
        self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def prune(self, before: int, delivered: Positions | None = None, *, most: int = 20_000) -> int:
        """Delete `most` rows that came before `before` (epoch ns) and that every destination has (`delivered`); gives how many.

        Call it again while it gives so many; readings go by whole batches, which may be some more. Rows not delivered yet are never deleted;
        totals keep counting what is gone.
        """
        with self._change():
            gone = prune(self._connection, self._totals, before, delivered or Positions.everything(), most=most)
            blocks.drop(self._connection, self._totals[totals.PRUNED_TO])
        return gone

    def shed(self, kind: Kind, delivered: Positions, *, most: int) -> int:
        """Delete `most` of the oldest rows of a kind (readings by whole batches), for want of room; gives how many. Totals keep counting what is gone."""
        with self._change():
            return shed(self._connection, self._totals, kind, delivered, most=most)

    def give_back(self) -> None:
        """Give to the disk what was deleted, as far as a short while and readers allow."""
        self.commit()
        self._shorten_log()  # without room behind its end, nothing can be given back either
        self._connection.executescript(f"PRAGMA incremental_vacuum({_GIVEN_BACK})")  # which `execute` would end after one page
        self._shorten_log()

    def _shorten_log(self) -> None:
        pages, size = self._pragma("page_count"), self._pragma("page_size")
        if pages * size - self.path.stat().st_size > free(self.path):
            return  # half of the log, copied to where it belongs, would only take the room that is left
        self._connection.execute("PRAGMA busy_timeout=100")
        try:
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        finally:
            self._connection.execute("PRAGMA busy_timeout=30000")

    def used(self) -> int:
        """Give the bytes that the store needs on the disk: its rows, and its log."""
        rows = (self._pragma("page_count") - self._pragma("freelist_count")) * self._pragma("page_size")
        return rows + length(log_of(self.path))

    def unused(self) -> int:
        """Give the bytes of the file that rows may take without asking the disk, where the file (of an older version) cannot give them back."""
        return 0 if self._pragma("auto_vacuum") else self._pragma("freelist_count") * self._pragma("page_size")

    def _pragma(self, name: str) -> int:
        return int(self._connection.execute(f"PRAGMA {name}").fetchone()[0])

    @property
    def progress(self) -> Progressed | None:
        """How far the flows have come, as written; None before the first time."""
        row = self._connection.execute("SELECT position, messages, at FROM progress").fetchone()
        return Progressed(*row) if row else None

    def begin_at(self, first: int, messages: int, at: int) -> None:
        """Let the ledger begin anew at the journal's row `first`, ahead of which `messages` were received: the flows have lost their state."""
        with self._change():
            rewind(self._connection, self._totals, first, messages, at)

    def forget(self, rows: Iterable[tuple[int, int]]) -> None:
        """Note rows (from, to) that the journal no longer has, though they were written: the flows will not count their readings again."""
        with self._change():
            forget(self._connection, self._totals, rows)

    def close(self) -> None:
        """Commit and close; the file is then complete without its -wal."""
        if self._counters:
            self.sync()
        self.commit()
        self._connection.close()

    def abandon(self) -> None:
        """Close without a commit: after a failure, or after `close`, where it changes nothing."""
        self._connection.close()

    @contextmanager
    def _change(self) -> Iterator[None]:
        """Hold one transaction of its own; what was held in memory is read again behind it."""
        self.commit()
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            self._readings.settle()
            self._readings.save()
            yield
            self.commit()
        except BaseException:
            self._roll_back()
            raise
        self._readings.forget()

    def _begin(self) -> None:
        """Have a transaction under way, with all in it that was written and is not committed."""
        if not self._connection.in_transaction:
            self._connection.execute("BEGIN IMMEDIATE")
            self._since = monotonic()
            if self._unsettled:
                self._take(self._unsettled)

    def _write(self, effects: Sequence[Effect]) -> None:
        self._begin()
        urgent = self._take(effects)
        if self._counters and not urgent:
            self._counters.write()
        if urgent or not effects or monotonic() - self._since >= self._linger:
            self.commit()
        else:
            self._unsettled += effects

    def _take(self, effects: Sequence[Effect]) -> bool:
        """Write effects into the transaction; tell whether there was an outcome, which must not wait."""
        if self._readings.redo.under_way:
            self._readings.redo.make_room({effect.offset for effect in effects if type(effect) is Progressed})
        readings = [effect for effect in effects if type(effect) is ReadingKept or type(effect) is ReportKept]
        if readings:
            self._readings.write(readings)
        counted = [effect for effect in effects if type(effect) is Counted]
        if counted:
            self._counters.take(counted)
        if len(readings) + len(counted) == len(effects):
            return False
        return self._write_others([effect for effect in effects if type(effect) not in _MANY])

    def _write_others(self, effects: Sequence[Effect]) -> bool:
        """Write all but readings and counters; tells whether there was an outcome, which must not wait."""
        outcomes: list[Outcome] = []
        dead: list[DeadLettered | LetterTried] = []
        for effect in effects:
            match effect:
                case WindowClosed() | AlertChanged() | CommandRequested() | CommandFact() | Derived() | Failed():
                    outcomes.append(effect)
                case DeadLettered() | LetterTried():
                    dead.append(effect)
                case DeviceLearned():
                    self._learn(effect)
                case Progressed():
                    self._connection.execute(_PROGRESS, (effect.offset, effect.messages, effect.at))
        if dead:
            self._dead_letters.write(dead)
        if outcomes:
            self._outcomes.write(outcomes)
        return bool(outcomes)

    def _learn(self, device: DeviceLearned) -> None:
        labels = msgspec.json.encode(device.labels, order="sorted").decode()
        self._connection.execute(_LEARN, (device.device, device.convention, device.base, labels, device.at, device.at))

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        self._totals.reload()
        self._counters.rolled_back()
        self._readings.forget()
        self._dead_letters.forget()


def _encodable(effect: Effect) -> Effect:
    """Give the effect with every lone surrogate in its texts replaced by U+FFFD."""
    return msgspec.convert(_replaced(msgspec.to_builtins(effect, builtin_types=(bytes,))), type(effect))


def _replaced(value: object) -> object:
    match value:
        case str():
            return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        case dict():
            return {_replaced(key): _replaced(one) for key, one in value.items()}
        case list() | tuple():
            return [_replaced(one) for one in value]
    return value
