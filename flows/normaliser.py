"""From journal rows to readings, with what the conventions have learned: the state of the source."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from devices.catalogue import Catalogue
from devices.profile import Profile
from devices.reading import DeadLetter, Ignored, Message, Reading
from devices.topics import matches
from flows.clock import JournalClock
from flows.flow import Flow
from flows.repeats import Repeats
from flows.router import Router
from flows.shard import Slice
from gateway.journal.row import Entry, Flag, Kind, Row
from gateway.store.effects import SHARDS, Counted, DeadLettered, DeviceLearned, Effect, Group, Progressed, ReadingKept

Item = tuple[str, Slice | list[Effect]]
"""What the source emits: a shard's key with a slice, or `store` with effects."""
STORE = "store"
Shards = dict[int, tuple[list[tuple[str, Group, Reading]], list[tuple[str, str]]]]
"""By shard: readings with the flow and group that want them, and flow and device of those that came too late to be told from repeats."""
_SECOND = 1_000_000_000
_VERSION = 1


def shard_key(number: int) -> str:
    return f"shard-{number:02d}"


class Normaliser:
    """Turn rows into slices for the shards and effects for the store. A pure function of its snapshot and the rows.

    Counts every message once: normalised, ignored, dead letter or duplicate; and every reading that a flow selects.
    """

    def __init__(
        self,
        flows: Sequence[Flow],
        profiles: Sequence[Profile],
        *,
        retained: Sequence[tuple[str, str]] = (("#", "state"),),
        series_limit: int = 250_000,
        snapshot: bytes | None = None,
    ) -> None:
        version, state = msgspec.msgpack.decode(zlib.decompress(snapshot)) if snapshot else (_VERSION, {})
        if version != _VERSION:
            raise ValueError(f"the source's state has version {version}; this Sluice reads version {_VERSION}")
        self.offset: int = state.get("offset", 0)
        self._messages: int = state.get("messages", 0)
        self._clock = JournalClock(state.get("clock"))
        self._second: int = state.get("second", -1)
        self._counts: dict[str, dict[str, int]] = state.get("counts", {})
        self._totals: dict[str, int] = state.get("totals", {})
        self._repeats = Repeats(state.get("repeats"))
        self._catalogue = Catalogue(profiles, learned=state.get("learned"))
        self._retained = retained
        self._router = Router(flows, series_limit=series_limit)
        self._devices: dict[str, tuple[str, str]] = {}
        self._moved: set[tuple[str, str, str]] = set()
        self._moved_totals: set[str] = set(self._totals)

    def take(self, row: Row) -> Iterator[Item]:
        """Move on by one row."""
        clock = self._clock.advance(row)
        self.offset = row.offset
        effects: list[Effect] = []
        shards: Shards = {}
        if row.kind == Kind.MESSAGES:
            for number, entry in enumerate(row.entries()):
                self._messages += 1
                self._take_entry(row, number, entry, effects, shards)
        elif row.kind == Kind.FACTS:
            effects.extend(row.facts())
        tick = clock // _SECOND != self._second
        self._second = clock // _SECOND
        if tick:
            effects.extend(self._counted())
        yield STORE, [*effects, *self._progress(row.received)]
        for number in range(SHARDS) if tick else sorted(shards):
            items, late = shards.get(number, ((), ()))
            yield shard_key(number), Slice(number, row.received, clock, row.live, tick, items=items, late=late)

    def flush(self, at: int) -> Iterator[Item]:
        """Give all counters that have moved; nothing else happens."""
        yield STORE, [*self._counted(), *self._progress(at)]
        for number in range(SHARDS):
            yield shard_key(number), Slice(number, at, self._clock.now, live=False, tick=False, flush=True)

    def _progress(self, at: int) -> Iterator[Effect]:
        """Say how far we are, in one transaction with what was made of it: the ledger balances after every row."""
        for term in sorted(self._moved_totals):
            yield Counted("total", "", "", term, self._totals[term])
        self._moved_totals.clear()
        yield Progressed(self.offset, self._messages, at)

    def _take_entry(self, row: Row, number: int, entry: Entry, effects: list[Effect], shards: Shards) -> None:
        place = row.offset << 20 | number << 10
        if entry.flags & Flag.REPEATED:
            self._outcome("", "duplicates")
            return
        retained = bool(entry.flags & Flag.RETAINED)
        policy = self._policy(entry.topic) if retained else "process"
        if policy == "ignore":
            self._outcome("", "ignored")
            return
        if entry.flags & Flag.OVERSIZE:
            self._dead(row, place, entry, DeadLetter("the payload is larger than limits.payload; only its head was kept"), effects)
            return
        outcome = self._catalogue.readings(Message(entry.topic, entry.payload, row.received, policy == "state"))
        if isinstance(outcome, Ignored):
            self._outcome(outcome.device or "", "ignored")
        elif isinstance(outcome, DeadLetter):
            self._dead(row, place, entry, outcome, effects)
        else:
            self._take_readings(row, place, outcome, effects, shards)

    def _policy(self, topic: str) -> str:
        return next((policy for pattern, policy in self._retained if matches(pattern, topic)), "state")

    def _dead(self, row: Row, place: int, entry: Entry, letter: DeadLetter, effects: list[Effect]) -> None:
        self._outcome(letter.device or "", "dead_letters")
        effects.append(DeadLettered(place, entry.topic, entry.payload, letter.reason, letter.device or "", row.received))

    def _take_readings(self, row: Row, place: int, readings: list[Reading], effects: list[Effect], shards: Shards) -> None:
        seen = ["new" if reading.retained else self._repeats.look(reading) for reading in readings]
        # A message repeats when all of its readings do: with something new in it, it was another one that only says some things again.
        if all(one == "repeat" for one in seen):
            self._outcome(readings[0].device, "duplicates")
            return
        self._outcome(readings[0].device, "normalised")
        for number, (reading, how) in enumerate(zip(readings, seen, strict=True)):
            self._learn(reading, row.received, effects)
            effects.append(ReadingKept(place + number, reading))
            self._count(reading.device, "readings")
            if reading.retained:
                self._count(reading.device, "retained")
            else:
                self._route(reading, shards, late=how == "beyond")

    def _route(self, reading: Reading, shards: Shards, *, late: bool) -> None:
        routes = self._router.routes(reading)
        for flow, group, shard in routes:
            items, too_late = shards.setdefault(shard, ([], []))
            if late:
                too_late.append((flow, reading.device))
            else:
                items.append((flow, group, reading))
            self._count(reading.device, flow, stage="select")
        if not routes:
            self._count(reading.device, "unselected")

    def _learn(self, reading: Reading, at: int, effects: list[Effect]) -> None:
        known = self._devices.get(reading.device)
        if known is not None and known[0] == reading.convention and known[1]:
            return
        address = self._catalogue.address(reading.device)
        learned = (reading.convention, address.base if address else "")
        if learned != known:
            self._devices[reading.device] = learned
            effects.append(DeviceLearned(reading.device, *learned, dict(reading.labels), at))

    def _outcome(self, device: str, term: str) -> None:
        """Count a message, once."""
        self._totals[term] = self._totals.get(term, 0) + 1
        self._moved_totals.add(term)
        self._count(device, term)

    def _count(self, device: str, term: str, *, stage: str = "normalise") -> None:
        counts = self._counts.setdefault(f"{stage}\x1f{device}", {})
        counts[term] = counts.get(term, 0) + 1
        self._moved.add((stage, device, term))

    def _counted(self) -> list[Counted]:
        moved, self._moved = sorted(self._moved), set()
        return [Counted(stage, "", device, term, self._counts[f"{stage}\x1f{device}"][term]) for stage, device, term in moved]

    def snapshot(self) -> bytes:
        """Give the state as compressed MessagePack of plain builtins, with a version."""
        state: dict[str, Any] = {
            "offset": self.offset,
            "messages": self._messages,
            "clock": self._clock.snapshot(),
            "second": self._second,
            "counts": self._counts,
            "totals": self._totals,
            "repeats": self._repeats.snapshot(),
            "learned": self._catalogue.learned,
        }
        return zlib.compress(msgspec.msgpack.encode((_VERSION, state)), 1)
