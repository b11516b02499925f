"""The flows over what was recorded: the parts of the live dataflow, driven row by row on one thread, without Bytewax, broker or store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from devices.reading import Reading
from flows.flow import Flow
from flows.normaliser import Normaliser
from flows.router import Router
from flows.row_order import RowPart
from flows.shard import Shard
from flows.slice import Item, Looked, Slice
from gateway.journal.row import Row
from gateway.store.effects import SHARDS, Effect, Group

_SECOND = 1_000_000_000
LONGEST_SILENCE = 366 * 86_400 * _SECOND
"""How long time goes on at most after the last reading of a file, in ns."""


def replay(flows: Sequence[Flow], normaliser: Normaliser, rows: Iterable[Row]) -> Iterator[Effect]:
    """Give what follows from journal rows, in the order in which a live run writes it; then the counters.

    `normaliser` and the shards know nothing of what came before the first row. What is open at the last row stays so, as it does live.
    """
    shards = [Shard(flows) for _ in range(SHARDS)]
    at = 0
    for row in rows:
        at = row.received
        for _, item in normaliser.take(row):
            yield from item.effects if isinstance(item, RowPart) else shards[item.shard].step(item)
    for _, item in normaliser.flush(at):
        yield from item.effects if isinstance(item, RowPart) else shards[item.shard].step(item)


def play(flows: Sequence[Flow], readings: Iterable[Reading], *, until: int | None = None) -> Iterator[Effect]:
    """Give what follows from readings on a clock of their own, in the order in which they come; then the counters.

    Each is taken in when it was received, or, where that steps back, at the newest such time so far: those of one event and receive time
    as one journal row, the time between as ticks. Then time goes on to `until` (epoch ns), or until nothing waits for it.
    """
    clock = _VirtualClock(flows)
    together: list[Reading] = []
    for reading in readings:
        if together and (reading.received != together[0].received or reading.ts != together[0].ts):
            yield from clock.take(together)
            together = []
        together.append(reading)
    if together:
        yield from clock.take(together)
    yield from clock.end(until)


class _VirtualClock:
    """All groups in one shard, on a clock that only readings and ticks move on."""

    def __init__(self, flows: Sequence[Flow]) -> None:
        self._shard = Shard(flows)
        self._router = Router(flows)
        self._wanted: dict[tuple[str, str, str], list[tuple[str, Group | Looked]]] = {}
        self._start: int | None = None
        self._now = 0
        self._offset = 0

    def take(self, readings: Sequence[Reading]) -> list[Effect]:
        """Move on to when the readings were received, then take them in as one row."""
        effects: list[Effect] = []
        received = readings[0].received
        if self._start is None:
            # On a whole second, so that ticks fall on those of a clock that people read.
            self._start, self._now = received // _SECOND * _SECOND, received
        elif received > self._now:
            if (due := self._shard.due()) is not None and self._start + due <= received:
                effects += self._ticks(received)
            self._now = received
        elif received < self._now:
            readings = [msgspec.structs.replace(reading, received=self._now) for reading in readings]
        wanted = self._wanted
        items = [
            (flow, group, one)
            for one in readings
            for flow, group in wanted.get((one.device, one.metric, one.channel)) or self._wanted_of(one)
        ]
        return effects + self._step(items=items) if items else effects

    def _wanted_of(self, reading: Reading) -> list[tuple[str, Group | Looked]]:
        """Give who wants the readings of a series. One shard has all groups: what several would get to look up, it gets once."""
        found = list(dict.fromkeys(route[:2] for route in self._router.routes(reading)))
        self._wanted[reading.device, reading.metric, reading.channel] = found
        return found

    def end(self, until: int | None) -> Iterator[Effect]:
        """Let time pass after the last reading; then give the counters."""
        if self._start is not None:
            yield from self._ticks(self._now + LONGEST_SILENCE if until is None else until)
            yield from self._step(flush=True)

    def _ticks(self, until: int) -> Iterator[Effect]:
        """Let time pass as the gateway does in silence, but only at the whole seconds at which something is due."""
        assert self._start is not None
        while (due := self._shard.due()) is not None:
            at = self._start + -(-due // _SECOND) * _SECOND
            if not self._now < at <= until:
                return
            self._now = at
            yield from self._step(tick=True)

    def _step(self, *, tick: bool = False, flush: bool = False, items: Sequence[Item] = ()) -> list[Effect]:
        assert self._start is not None
        self._offset += 1
        row = Slice(0, self._now, self._now - self._start, live=True, tick=tick, flush=flush, items=items, offset=self._offset)
        return self._shard.step(row)
