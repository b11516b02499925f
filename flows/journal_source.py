"""The source of the dataflow: the journal, read by offset and normalised."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, sleep, time_ns
from typing import Protocol

from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from flows.attempts import Attempts
from flows.attention import Attention
from flows.early_notes import EarlyNotes
from flows.normaliser import STORE, Item, Normaliser
from flows.pace import LINGER, Pace
from flows.poison import Poison
from flows.row_order import RowPart
from flows.slice import Slice
from gateway.garbage import Garbage
from gateway.heartbeat import Heartbeat
from gateway.journal.bell import Bell
from gateway.journal.reader import JournalReader, row_at
from gateway.journal.retention import write_durable
from gateway.journal.row import Row
from gateway.journal.urgent import LONGEST_ROW, UrgentReader

_ROWS = 32
"""Journal rows a batch at most."""
_MESSAGES = 4_096
"""Messages that a batch of several rows holds at most: a snapshot and a stop wait for the batch under way. Each batch is a
transaction of the store, so that large ones catch up sooner."""
_WAIT = 0.1
"""How long an idle source waits for the journal's bell, in seconds, before it lets the worker look around."""
_WAIT_WITH_OTHERS = 0.005
"""The same where other hosts have slices for the shards on this worker."""
_AT_ONCE = datetime(1970, 1, 1, tzinfo=UTC)
"""When it wants its next turn: this has always been."""

_STORED = 0.001
"""Seconds between two looks whether a row that was read alone is in the store."""
_SILENT = 3
"""Batches with nothing in them after which all that was read is through the shards and in the store."""
_HANGS = 5.0
"""Seconds after which a sink in another process that takes nothing of what was given is not vouched for."""
_CATCH_UP = 1.0
"""How long a stop may read on, in seconds; what is left is read at the next start."""


class Others(Protocol):
    """Those who read other partitions of the journal, on other hosts."""

    @property
    def slack(self) -> int:
        """How long the gateway may take to journal what it has received, in ns."""

    def is_ahead(self) -> bool:
        """Tell whether so much more has been read here that the others must catch up first."""


class JournalPartition(StatefulSourcePartition[Item, bytes]):
    """One partition of the journal.

    Delivery guarantee: at least once. It resumes at the offset of the last snapshot and reads what came after it again; the store makes
    that exactly once in effect. On `stopping` it gives its last counters and ends, which makes Bytewax snapshot at the last offset.
    On `switching` it does so at once, between two rows: whatever runs next goes on from there. It beats the process's `heartbeat`, and notes
    in `attempts` what is under way. `look` is called in each turn: it raises where another process that is needed is gone. Rows that the gateway
    has noted as urgent are taken before those that wait in front of them, unless there are `others`, with which one order is shared.
    """

    def __init__(
        self,
        directory: Path,
        bell: Bell,
        normaliser: Normaliser,
        *,
        stopping: threading.Event,
        switching: threading.Event,
        attempts: Attempts,
        pace: Pace,
        heartbeat: Heartbeat | None = None,
        look: Callable[[], None] = lambda: None,
        others: Others | None = None,
    ) -> None:
        self._directory = directory
        self._bell = bell
        self._normaliser = normaliser
        self._stopping = stopping
        self._switching = switching
        self._look = look
        self._others = others
        self.reached = 0
        """Up to which receive time (epoch ns) all there is has been given; with `others` alone."""
        self._reader = JournalReader(directory, after=normaliser.offset)
        self._waiting: deque[Row] = deque()
        self._pace = pace
        self._urgent = UrgentReader(directory)
        self._notes = EarlyNotes(directory, normaliser.offset, forget=attempts.suspicious)
        # What was made of a journal is made again in the same order: nothing new is early where somebody has been before.
        self._again = max(self._notes.last + 1, attempts.written())
        self._attempts = attempts
        self._heartbeat = heartbeat
        self._taken, self._taken_at = -1, 0.0
        self._garbage = Garbage()
        self._more = False
        """Whether rows wait in front of an urgent one."""
        self._dry = self._listening = False
        """Whether the last look at the journal found all that was there, and whether the bell rings for what has come since."""
        self._silent = 0
        self._durable: int | None = None
        self._flushed = False
        self._give_up = 0.0

    def next_batch(self) -> list[Item]:
        """Read further rows; wait for the bell where there are none."""
        self._look()
        self._beat()
        self._garbage.step()
        if self._durable is not None:  # called again after a snapshot: that snapshot is durable now
            write_durable(self._directory, self._durable)
            self._notes.durable(self._durable)
            self._durable = None
        if self._stopping.is_set():
            return self._last_batches()
        if self._switching.is_set():
            return self._flush()
        if self._pace.full:
            sleep(_STORED)
            return []
        if not self._attempts.done() or self._is_ahead():
            sleep(_STORED)
            return self._turn_for_the_sink()
        if items := self._noted_row() or self._urgent_row():
            return items
        behind, looked = self._pace.behind, time_ns()
        rows = [] if self._listening and self._dry and not (self._waiting or self._bell.unheard()) else self._read()
        if not rows and not behind:
            rows = self._wait()
        self._note_reached(rows, looked)
        return self._turn_for_the_sink() if not rows and (behind or self._pace.owes) else self._items(rows)

    def _is_ahead(self) -> bool:
        if self._others is None or not self._others.is_ahead():
            return False
        self._pace.behind = False  # the sink waits for nothing more
        return True

    def _note_reached(self, rows: list[Row], looked: int) -> None:
        """Note how far this partition has come, by its rows, or by the time at which we `looked` and there were none."""
        if rows:
            self.reached = max(self.reached, rows[-1].received)
        elif self._others and self._dry and not self._waiting:
            self.reached = max(self.reached, looked - self._others.slack)

    def _beat(self) -> None:
        """Beat, unless it is another process that hangs."""
        if self._pace.waits:
            now, taken = monotonic(), self._pace.taken
            if taken != self._taken:
                self._taken, self._taken_at = taken, now
            if now - self._taken_at > _HANGS:
                return
        else:
            self._taken = -1
        if self._heartbeat:
            self._heartbeat.beat()

    def _wait(self) -> list[Row]:
        """Wait for the bell, and read what it rings for."""
        wait = LINGER if self._pace.owes else _WAIT
        self._listening = self._bell.wait(min(wait, _WAIT_WITH_OTHERS) if self._others else wait)
        return self._read() if self._listening else []

    def _turn_for_the_sink(self) -> list[Item]:
        """Give nothing, so that the sink writes what waits there."""
        return [(STORE, RowPart(self._normaliser.offset, ()))]

    def _read(self) -> list[Row]:
        """Read rows ahead, and give the first of them."""
        if not self._waiting:
            wanted = self._attempts.most(self._reader.offset, _ROWS)
            self._waiting += self._reader.read(wanted)
            self._dry = len(self._waiting) < wanted and not self._reader.between
        rows: list[Row] = []
        messages, most_messages = 0, LONGEST_ROW if self._urgent.expected() else _MESSAGES
        most = self._attempts.most(self._waiting[0].offset - 1, _ROWS) if self._waiting else 0
        while self._waiting and len(rows) < most and (not rows or messages + self._waiting[0].count <= most_messages):
            rows.append(self._waiting.popleft())
            messages += rows[-1].count
            if rows[-1].offset in self._notes.places:
                break
        self._more = bool(self._waiting) or len(rows) == _ROWS
        # What the process died of may have waited in the sink: there nothing waits, so that the next death shows where it is.
        self._pace.behind = self._more and not self._attempts.died_behind(self._normaliser.offset)
        return rows

    def _noted_row(self) -> list[Item]:
        """Take an urgent row at the place at which it was taken before."""
        for offset in () if self._others else self._notes.behind(self._normaliser.offset):
            row = row_at(self._directory, offset)
            if row is not None and self._normaliser.may_take_early(row):
                return self._early(row)
        return []

    def _urgent_row(self) -> list[Item]:
        """Take the next urgent row, where others wait in front of it."""
        here = self._normaliser.offset
        if not self._more or here < self._again or self._attempts.suspicious or self._others:
            return []
        while (offset := self._urgent.first(after=here)) is not None:
            row = None if self._normaliser.is_early(offset) else row_at(self._directory, offset)
            if row is not None:
                if not self._normaliser.may_take_early(row) or not self._notes.note(here, row.offset):
                    return []
                self._urgent.done(offset)
                return self._early(row)
            self._urgent.done(offset)
        return []

    def _early(self, row: Row) -> list[Item]:
        self._attempts.take(row.offset, row.offset, alone=False)
        return list(self._normaliser.take_early(row))

    def _items(self, rows: list[Row]) -> list[Item]:
        if not rows:
            self._silent += 1
            if self._silent >= _SILENT and not self._pace.waits:
                self._attempts.rest()
            return []
        self._silent = 0
        first, last = rows[0].offset, rows[-1].offset
        alone = self._attempts.most(first - 1, _ROWS) == 1
        self._attempts.take(first, last, alone=alone)
        if alone:
            self._pace.behind = False  # the next one is read when this one is in the store
            return self._watched(rows[0])
        self._normaliser.attention = Attention()
        items = [item for row in rows for item in self._normaliser.take(row)]
        self._pace.give(last, self._normaliser.messages)
        return items

    def _watched(self, row: Row) -> list[Item]:
        """Take a row at which the process may die, with a note of the message that is under way."""
        close = self._attempts.close_attention
        self._normaliser.attention = close
        items = list(self._normaliser.take(row))
        self._pace.give(row.offset, self._normaliser.messages)
        self._attempts.take(row.offset, row.offset, alone=True)
        return [(key, one._replace(items=close.over(one.offset, one.items)) if isinstance(one, Slice) else one) for key, one in items]

    def _last_batches(self) -> list[Item]:
        """Catch up with the journal for a moment, then end."""
        self._give_up, self._pace.stopping = self._give_up or monotonic() + _CATCH_UP, True
        if self._flushed or monotonic() > self._give_up:
            return self._flush()
        if self._pace.full:
            sleep(_STORED)
            return []
        if not self._attempts.done():
            sleep(_STORED)
            return self._turn_for_the_sink()
        if items := self._noted_row():
            return items
        rows = self._read()
        self._note_reached(rows, 0)
        return self._items(rows) if rows else self._flush()

    def _flush(self) -> list[Item]:
        """Give the last counters, once; then end."""
        if self._flushed:
            raise StopIteration
        self._flushed, self._pace.behind = True, False
        self._attempts.end()
        return list(self._normaliser.flush(time_ns()))

    def next_awake(self) -> datetime | None:
        # Left alone, Bytewax waits 1 ms after an empty batch; we have waited on the bell already. By no clock: one that is set back in this very
        # moment would have Bytewax wait for as long.
        return _AT_ONCE

    def snapshot(self) -> bytes:
        self._durable = self._normaliser.offset
        return self._normaliser.snapshot()

    def close(self) -> None:
        self._reader.close()
        self._urgent.close()
        self._notes.close()


class JournalSource(FixedPartitionedSource[Item, bytes]):
    """The journal as a Bytewax source: one partition, fixed for good."""

    def __init__(
        self,
        directory: Path,
        bell: Bell,
        normaliser: Callable[[bytes | None], Normaliser],
        *,
        stopping: threading.Event,
        switching: threading.Event,
        attempts: Attempts | None = None,
        pace: Pace | None = None,
        heartbeat: Heartbeat | None = None,
        look: Callable[[], None] = lambda: None,
        others: Others | None = None,
    ) -> None:
        self._directory = directory
        self._bell = bell
        self._normaliser = normaliser
        self._stopping = stopping
        self._switching = switching
        self._look = look
        self._others = others
        self._attempts = attempts or Attempts(None, Poison())
        self._pace = pace or Pace()
        self._heartbeat = heartbeat

    def list_parts(self) -> list[str]:
        return [self._directory.name]

    def build_part(self, step_id: str, for_part: str, resume_state: bytes | None) -> JournalPartition:  # noqa: ARG002  Bytewax's signature
        normaliser = self._normaliser(resume_state)
        write_durable(self._directory, normaliser.offset)  # what a run starts from is durable, and so is that it begins anew
        self._attempts.begin(normaliser.offset)
        self._pace.begin(normaliser.offset, normaliser.messages)
        return JournalPartition(
            self._directory,
            self._bell,
            normaliser,
            stopping=self._stopping,
            switching=self._switching,
            attempts=self._attempts,
            pace=self._pace,
            heartbeat=self._heartbeat,
            look=self._look,
            others=self._others,
        )
