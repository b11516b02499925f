"""Carries rows from the store to one destination, for as long as it takes."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from time import monotonic, time_ns
from typing import Any, NamedTuple, TypeVar

import msgspec
import structlog

from gateway.delivery.backoff import Backoff
from gateway.delivery.cursor import Cursor, DeadRow
from gateway.delivery.destination import Destination, NotNowError, Refused, Row, Stream
from gateway.delivery.state import DeliveryState, read_state
from gateway.delivery.thread import Worker
from gateway.disk import is_full
from gateway.garbage import let_go
from gateway.store.effects import Derived, Failed
from gateway.store.errors import StoreAbsentError, StoreError
from gateway.store.reader import StoreReader

LONGEST_BODY = 65_536
"""Characters of a refused row that are kept with its reason; the row itself stays in the store until it is pruned."""

DISK = 0.5
"""Seconds between two tries on a full disk."""

_GRACE = 1.0
"""Seconds that the end waits for the answer to the batch under way."""

T = TypeVar("T")

log = structlog.get_logger()


class _Batch(NamedTuple):
    """What is sent at a time. `position` and `mark` are those of the last row looked at; `skipped` are rows that are nobody's to deliver."""

    stream: Stream
    rows: Sequence[Row]
    places: Sequence[int]
    position: int
    mark: str
    stable: int
    skipped: int = 0
    full: bool = False
    """There may be more at once."""


class Delivery:
    """One destination's delivery: at least once, in the order of the store, effects ahead of any backlog of readings.

    The cursor moves when the destination has taken a batch, so a crash in between sends that batch again. A refused row is kept in the
    cursor file with the reason, and the others go on. Reading the store is done in a thread. While the disk takes nothing, delivery waits
    where it is: no row is passed over, and none is sent again for it. When cancelled, it waits up to a second for the answer that is under way.
    """

    def __init__(
        self,
        destination: Destination,
        *,
        store: Path,
        cursor: Path,
        news: asyncio.Event | None = None,
        backoff: Backoff | None = None,
        poll: float = 1.0,
    ) -> None:
        """Take nothing yet. Set `news` (this delivery's own event) when the store has new rows; it looks by itself every `poll` s too."""
        self.name = destination.name
        self._destination = destination
        self._store, self._cursor_path = store, cursor
        self._backoff = backoff or Backoff()
        self._poll = poll
        self._news = news or asyncio.Event()
        self._thread = Worker(f"delivery-{destination.name}")
        self._reader: StoreReader | None = None
        self._cursor: Cursor | None = None
        self._failures = 0
        self._error, self._noted = "", False
        self._sent = 0.0
        self._ended = False

    def wake(self) -> None:
        """Say that the store has new rows. Only from the loop's own thread."""
        self._news.set()

    async def run(self) -> None:
        """Deliver until cancelled. Raises StoreError where the store or the cursor file cannot be used."""
        try:
            while not await self._disk(self._open):
                await self._rest()
            streams: list[Stream] = [stream for stream in ("effects", "readings") if stream in self._destination.streams]
            while True:
                if not await self._round(streams):
                    await self._rest()
        finally:
            self._ended = True
            await self._destination.close()
            await self._thread.run(self._close)
            self._thread.close()

    async def state(self) -> DeliveryState | None:
        """Give how the delivery stands; None while there is no store yet, and after `run`."""
        return None if self._ended else await self._thread.run(self._state)

    async def _round(self, streams: Sequence[Stream]) -> bool:
        """Deliver one batch of each stream; tells whether to go on at once. After a failure it starts over with the first stream."""
        more = False
        for stream in streams:
            try:
                more = await self._step(stream) or more
            except NotNowError as failure:
                let_go(failure)
                await self._wait_out(failure)
                return True
        return more

    async def _step(self, stream: Stream) -> bool:
        """Deliver the next batch of a stream; tells whether there may be more at once. Raises NotNowError."""
        batch = await self._disk(lambda: self._read(stream))
        if not batch.mark:
            return False
        await self._to_its_end(self._deliver(batch))
        if self._failures:
            log.info("delivery goes on", destination=self.name, after_failures=self._failures)
            self._failures, self._error = 0, ""
        return batch.full

    async def _deliver(self, batch: _Batch) -> None:
        refused: list[Refused] = []
        if batch.rows:
            self._sent = monotonic()
            refused = await self._destination.send(batch.rows)
        await self._disk(lambda: self._advance(batch, refused))

    async def _to_its_end(self, delivering: Coroutine[Any, Any, None]) -> None:
        """Deliver; when cancelled, wait a moment for the answer that is under way, so that the next start need not send the batch again."""
        task = asyncio.ensure_future(delivering)
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait([task], timeout=_GRACE)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            raise

    async def _wait_out(self, failure: NotNowError) -> None:
        self._failures += 1
        if failure.reason != self._error:
            self._error = failure.reason
            say = log.error if failure.alarm else log.warning
            say("delivery waits", destination=self.name, error=failure.reason, needs_help=failure.alarm)
            await self._disk(lambda: self._note(failure.reason, alarm=failure.alarm))
        await self._pause(self._backoff.delay(self._failures, failure), failure.mended)

    async def _pause(self, seconds: float, mended: Callable[[], bool] | None) -> None:
        """Wait; where a person may mend it, look at each `poll` whether one has."""
        end = monotonic() + seconds
        while (left := end - monotonic()) > 0:
            await asyncio.sleep(left if mended is None else min(left, self._poll))
            if mended is not None and await self._thread.run(mended):
                return

    async def _disk(self, call: Callable[[], T]) -> T:
        """Give what a call gives in the thread; while the disk is full or fails, wait and call again: what failed has changed nothing."""
        waited = False
        while True:
            try:
                result = await self._thread.run(call)
            except (OSError, sqlite3.Error, StoreError) as error:
                if not is_full(error):
                    raise
                if not waited:
                    log.warning("delivery waits for the disk", destination=self.name, error=str(error))
                waited = True
                let_go(error)
                await asyncio.sleep(DISK)
            else:
                if waited:
                    log.info("delivery goes on", destination=self.name)
                return result

    async def _rest(self) -> None:
        """Wait for news; and for the destination's `linger`, so that batches fill."""
        try:
            async with asyncio.timeout(self._poll):
                await self._news.wait()
                self._news.clear()
        except TimeoutError:
            return
        await asyncio.sleep(max(0.0, self._sent + self._destination.linger - monotonic()))

    # In the thread

    def _open(self) -> bool:
        try:
            self._reader = self._reader or StoreReader(self._store)
        except StoreAbsentError:
            return False
        self._cursor = self._cursor or Cursor(self._cursor_path)
        self._cursor.align(self._reader, self._destination.streams, backfill=self._destination.backfill)
        self._cursor.note("")
        return True

    def _close(self) -> None:
        for one in (self._reader, self._cursor):
            if one is not None:
                one.close()
        self._reader = self._cursor = None

    def _read(self, stream: Stream) -> _Batch:
        reader, cursor = self._opened()
        position, limit = cursor.position(stream), self._destination.batch
        if stream == "readings":
            readings = reader.readings_after(position, limit)
            last, mark = (readings[-1].id, str(readings[-1].id)) if readings else (position, "")
            return _Batch(stream, readings, [one.id for one in readings], last, mark, position, full=len(readings) == limit)
        found = reader.effects_after(position, limit)
        last, mark = (found[-1][0], found[-1][1].id) if found else (position, "")
        rows = [(seq, row) for seq, row in found if not isinstance(row, Derived | Failed)]
        return _Batch(
            stream,
            [row for _, row in rows],
            [seq for seq, _ in rows],
            last,
            mark,
            reader.synced(),
            skipped=len(found) - len(rows),
            full=len(found) == limit,
        )

    def _advance(self, batch: _Batch, refused: Sequence[Refused]) -> None:
        _, cursor = self._opened()
        dead = [_dead(batch, one) for one in refused]
        if dead:
            log.warning("destination refused rows", destination=self.name, rows=len(dead), first=dead[0].id, reason=dead[0].reason)
        cursor.advance(
            batch.stream,
            batch.position,
            mark=batch.mark,
            stable=batch.stable,
            taken=len(batch.rows) - len(dead),
            refused=dead,
            skipped=batch.skipped,
        )
        if dead and len(dead) == len(batch.rows):
            self._note(f"it refuses every row: {dead[0].reason}", alarm=True)
        elif self._noted:
            cursor.note("")
            self._noted = False

    def _note(self, error: str, *, alarm: bool) -> None:
        self._opened()[1].note(error, alarm=alarm)
        self._noted = True

    def _state(self) -> DeliveryState | None:
        if self._reader is None:
            return None
        return read_state(self.name, self._cursor_path, self._reader, now=time_ns())

    def _opened(self) -> tuple[StoreReader, Cursor]:
        assert self._reader is not None
        assert self._cursor is not None
        return self._reader, self._cursor


def _dead(batch: _Batch, refused: Refused) -> DeadRow:
    row = batch.rows[refused.place]
    body = msgspec.json.encode(row).decode()
    return DeadRow(batch.stream, batch.places[refused.place], str(row.id), refused.reason, body[:LONGEST_BODY])
