"""The source of the dataflow: the journal, read by offset and normalised."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, time_ns

from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from flows.normaliser import Item, Normaliser
from gateway.journal.bell import Bell
from gateway.journal.journal import write_durable
from gateway.journal.reader import JournalReader
from gateway.journal.row import Row

_ROWS = 16
"""Journal rows a batch: small, so that snapshots and a stop are never far."""
_WAIT = 0.1
"""How long an idle source waits for the journal's bell, in seconds, before it lets the worker look around."""

_CATCH_UP = 1.0
"""How long a stop may read on, in seconds; what is left is read at the next start."""


class JournalPartition(StatefulSourcePartition[Item, bytes]):
    """One partition of the journal.

    Delivery guarantee: at least once. It resumes at the offset of the last snapshot and reads what came after it again; the store makes
    that exactly once in effect. On `stopping` it gives its last counters and ends, which makes Bytewax snapshot at the last offset.
    On `switching` it does so at once, between two rows: whatever runs next goes on from there.
    """

    def __init__(
        self, directory: Path, bell: Bell, normaliser: Normaliser, *, stopping: threading.Event, switching: threading.Event
    ) -> None:
        self._directory = directory
        self._bell = bell
        self._normaliser = normaliser
        self._stopping = stopping
        self._switching = switching
        self._reader = JournalReader(directory, after=normaliser.offset)
        self._durable: int | None = None
        self._flushed = False
        self._give_up = 0.0

    def next_batch(self) -> list[Item]:
        """Read further rows; wait for the bell where there are none."""
        if self._durable is not None:  # called again after a snapshot: that snapshot is durable now
            write_durable(self._directory, self._durable)
            self._durable = None
        if self._stopping.is_set():
            return self._last_batches()
        if self._switching.is_set():
            return self._flush()
        rows = self._reader.read(_ROWS)
        if not rows and self._bell.wait(_WAIT):
            rows = self._reader.read(_ROWS)
        return self._items(rows)

    def _items(self, rows: list[Row]) -> list[Item]:
        return [item for row in rows for item in self._normaliser.take(row)]

    def _last_batches(self) -> list[Item]:
        """Catch up with the journal for a moment, then end."""
        self._give_up = self._give_up or monotonic() + _CATCH_UP
        rows = self._reader.read(_ROWS) if monotonic() < self._give_up and not self._flushed else []
        return self._items(rows) if rows else self._flush()

    def _flush(self) -> list[Item]:
        """Give the last counters, once; then end."""
        if self._flushed:
            raise StopIteration
        self._flushed = True
        return list(self._normaliser.flush(time_ns()))

    def next_awake(self) -> datetime | None:
        # Left alone, Bytewax waits 1 ms after an empty batch; we have waited on the bell already.
        return datetime.now(UTC)

    def snapshot(self) -> bytes:
        self._durable = self._normaliser.offset
        return self._normaliser.snapshot()

    def close(self) -> None:
        self._reader.close()


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
    ) -> None:
        self._directory = directory
        self._bell = bell
        self._normaliser = normaliser
        self._stopping = stopping
        self._switching = switching

    def list_parts(self) -> list[str]:
        return [self._directory.name]

    def build_part(self, step_id: str, for_part: str, resume_state: bytes | None) -> JournalPartition:  # noqa: ARG002  Bytewax's signature
        normaliser = self._normaliser(resume_state)
        if resume_state is not None:  # what a run starts from is durable
            write_durable(self._directory, normaliser.offset)
        return JournalPartition(self._directory, self._bell, normaliser, stopping=self._stopping, switching=self._switching)
