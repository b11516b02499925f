"""From journal rows to readings, with what the conventions have learned: the state of the source."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from devices.catalogue import Catalogue
from devices.convention import MOST_READINGS, remember
from devices.profile import Profile
from devices.reading import Ask, DeadLetter, Held, Ignored, Message, Outcome, Reading
from devices.topics import matches, specificity
from flows import derived
from flows.clock import JournalClock
from flows.copies import Copies
from flows.flow import Flow
from flows.identity import effect_id
from flows.repeats import Repeats
from flows.replayed import Replayed, became, only, value_name
from flows.router import Router
from flows.row_order import RowPart
from flows.slice import Looked, Slice
from flows.step import Shards, Step
from flows.tally import Tally
from flows.waiting import Waiting
from gateway.journal.row import Entry, Flag, Kind, Replay, Row
from gateway.store.effects import (
    OWN_FLOW,
    SHARDS,
    CommandRequested,
    DeadLettered,
    Derived,
    DeviceLearned,
    Effect,
    LetterTried,
    Progressed,
    ReadingKept,
)

Item = tuple[str, Slice | RowPart]
"""What the source emits: `store` with its part of a row, and a shard's key with a slice of it."""
STORE = "store"
_SECOND = 1_000_000_000
_RETAINED, _REPEATED, _OVERSIZE = int(Flag.RETAINED), int(Flag.REPEATED), int(Flag.OVERSIZE)
"""As plain numbers: an IntFlag takes longer to look at than a message to count."""
_ASK_AGAIN = 60 * _SECOND
_MOST_ASKED = 10_000
_VERSION = 2


def shard_key(number: int) -> str:
    return f"shard-{number:02d}"


class Normaliser:
    """Turn rows into slices for the shards and effects for the store. A pure function of its snapshot and the rows.

    Counts every message once: normalised, ignored, dead letter, duplicate, or held for a birth; and every reading that a flow selects.
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
        if version > _VERSION:
            raise ValueError(f"the source's state has version {version}; this Sluice reads version {_VERSION} and older")
        if version == 1:
            state["tally"] = {name: state.pop(name) for name in ("counts", "totals")}
        self.offset: int = state.get("offset", 0)
        self._messages: int = state.get("messages", 0)
        self._clock = JournalClock(state.get("clock"))
        self._second: int = state.get("second", -1)
        self._tally = Tally(state.get("tally"))
        self._waiting = Waiting(state.get("waiting"))
        self._asked: dict[str, int] = state.get("asked", {})
        self._repeats = Repeats(state.get("repeats"))
        self._replayed = Replayed(state.get("replayed"))
        self._catalogue = Catalogue(profiles, learned=state.get("learned"))
        self._retained = sorted(retained, key=lambda one: specificity(one[0]))
        self._copies = Copies(state.get("copies"))
        self._router = Router(flows, series_limit=series_limit)
        self._devices: dict[str, tuple[str, str, Mapping[str, str]]] = {}

    def take(self, row: Row) -> Iterator[Item]:
        """Move on by one row."""
        clock = self._clock.advance(row)
        self.offset = row.offset
        step = Step(row)
        self._read(step)
        self._give_up(step)
        self._take_released(step)
        tick = clock // _SECOND != self._second
        self._second = clock // _SECOND
        if tick:
            step.effects.extend(self._tally.moved())
        shards: Sequence[int] = range(SHARDS) if tick else sorted(step.shards)
        yield STORE, RowPart(row.offset, [*step.effects, *self._progress(row.received)], shards=shards)
        # What is decided from a replay, or from a derived reading, grows stale from its event time, as out of a backlog.
        live = row.live and row.kind not in {Kind.REPLAYS, Kind.DERIVED}
        since = 0 if row.live else self._clock.live_until
        for number in shards:
            items, late = step.shards.get(number, ((), ()))
            yield shard_key(number), Slice(number, row.received, clock, live, tick, items=items, late=late, offset=row.offset, since=since)

    def _read(self, step: Step) -> None:
        """Take what the row holds."""
        row = step.row
        if row.kind == Kind.MESSAGES:
            for entry in row.entries():
                self._messages += 1
                if self._is_copy(row, entry):
                    self._tally.outcome("", "duplicates")
                else:
                    self._take_entry(step, entry, row.received)
                self._take_released(step)
        elif row.kind == Kind.REPLAYS:
            for replay in row.replays():
                self._messages += 1
                self._tally.total("replayed", 1)
                self._take_replay(step, replay)
                self._take_released(step)
        elif row.kind == Kind.DERIVED:
            for one in row.derived():
                self._messages += 1
                self._take_derived(step, one)
        elif row.kind == Kind.FACTS:
            step.effects.extend(row.facts())

    def flush(self, at: int) -> Iterator[Item]:
        """Give all counters that have moved; nothing else happens."""
        behind = self.offset + 1  # where no row is yet: the last one has had its parts
        yield STORE, RowPart(behind, [*self._tally.moved(), *self._progress(at)], shards=range(SHARDS))
        for number in range(SHARDS):
            yield shard_key(number), Slice(number, at, self._clock.now, live=False, tick=False, flush=True, offset=behind)

    def _progress(self, at: int) -> Iterator[Effect]:
        """Say how far we are, in one transaction with what was made of it: the ledger balances after every row."""
        yield from self._tally.moved_totals()
        yield Progressed(self.offset, self._messages, at)

    def _take_replay(self, step: Step, replay: Replay) -> None:
        """Read a dead letter again, as if it had arrived when it did; once that was to good effect, it is a duplicate."""
        if replay.letter in self._replayed:
            self._tally.outcome("", "duplicates")
            return
        before = len(step.effects)
        outcome = self._take_entry(step, replay.entry, replay.received, replay.keys)
        readings = sum(isinstance(effect, ReadingKept) for effect in step.effects[before:])
        dead = next((effect for effect in step.effects[before:] if isinstance(effect, DeadLettered)), None)
        if dead is not None and not readings:
            step.effects.remove(dead)  # the letter itself stands for it
            tried = LetterTried(replay.letter, dead.id, "dead", dead.reason, dead.device, step.row.received)
        else:
            self._replayed.add(replay.letter)
            tried = LetterTried(replay.letter, step.place(), "replayed", became(outcome, readings, dead), "", step.row.received)
        step.effects.append(tried)

    def _take_derived(self, step: Step, one: Derived) -> None:
        """Take a reading that a flow derived, unless it would change the type of its series."""
        received = step.row.received
        readings = self._catalogue.of_their_kind([derived.reading(one, received)])
        if isinstance(readings, DeadLetter):
            self._dead(step, derived.message(one, received), readings)
        else:
            self._take_readings(step, readings)

    def _is_copy(self, row: Row, entry: Entry) -> bool:
        """Tell whether the broker sent a retained message before, for another subscription. A dead letter read again is never one."""
        several = len(self._retained) > 1
        return several and bool(entry.flags & _RETAINED) and self._copies.has(row.connection, entry.topic, entry.payload)

    def _take_entry(self, step: Step, entry: Entry, received: int, keys: Sequence[str] = ()) -> Outcome:
        """Take a message as it was received then (epoch ns); with `keys`, only those of its values."""
        if entry.flags & _REPEATED:
            self._tally.outcome("", "duplicates")
            return Ignored("it was delivered before")
        retained = bool(entry.flags & _RETAINED)
        policy = self._policy(entry.topic) if retained else "process"
        message = Message(entry.topic, entry.payload, received, policy == "state")
        if policy == "ignore":
            self._tally.outcome("", "ignored")
            return Ignored("it is retained, and its topic's retained messages are ignored")
        if entry.flags & _OVERSIZE:
            return self._dead(
                step, message, DeadLetter("the payload is larger than limits.payload; only its head was kept"), flags=Flag.OVERSIZE
            )
        return self._take_message(step, message, keys)

    def _policy(self, topic: str) -> str:
        return next((policy for pattern, policy in self._retained if matches(pattern, topic)), "state")

    def _take_message(self, step: Step, message: Message, keys: Sequence[str] = ()) -> Outcome:
        """Read a message, and count it by what came of it."""
        outcome = self._catalogue.readings(message)
        if keys:
            outcome = only(keys, outcome, self._catalogue.news.refused)
        if isinstance(outcome, Ignored):
            self._tally.outcome(outcome.device or "", "ignored")
        elif isinstance(outcome, DeadLetter):
            self._dead(step, message, outcome)
        elif isinstance(outcome, Held):
            self._tally.total("held", 1)
            self._waiting.hold(message, outcome, now=self._clock.now)
        else:
            self._take_readings(step, outcome)
            if self._catalogue.news.refused:
                self._refuse(step, message)
        self._take_news(step, message.received)
        return outcome

    def _refuse(self, step: Step, message: Message) -> None:
        """Keep a message whose values were taken but for some that would change the type of their series."""
        refused = self._catalogue.news.refused
        for one in refused:
            self._tally.count(one.device, "refused")
        reason, keys = "; ".join(one.reason for one in refused), tuple(value_name(one) for one in refused)
        flags = Flag.RETAINED if message.retained else 0
        step.effects.append(
            DeadLettered(step.place(), message.topic, message.payload, reason, refused[0].device, message.received, flags, keys)
        )

    def _take_released(self, step: Step) -> None:
        """Read again what was held for a birth that has come, or for long enough; what this row has no numbers for waits for the next."""
        while step.room >= MOST_READINGS and (message := self._waiting.next()) is not None:
            self._tally.total("held", -1)
            self._take_message(step, message)

    def _give_up(self, step: Step) -> None:
        for message, letter in self._waiting.given_up(self._clock.now):
            self._tally.total("held", -1)
            self._dead(step, message, letter)

    def _dead(self, step: Step, message: Message, letter: DeadLetter, *, flags: int = 0) -> DeadLetter:
        self._tally.outcome(letter.device or "", "dead_letters")
        flags |= Flag.RETAINED if message.retained else 0
        step.effects.append(
            DeadLettered(step.place(), message.topic, message.payload, letter.reason, letter.device or "", message.received, flags)
        )
        return letter

    def _take_news(self, step: Step, received: int) -> None:
        """Take what a message gave besides readings: gaps before it, births, new addresses, and what its convention wants to be told."""
        news = self._catalogue.news
        for device, missed in news.sequences.missed.items():
            self._tally.count(device, "missed", missed)
        for device in sorted(news.readdressed):
            self._readdress(step, device, received)
        for ask in news.asks:
            self._ask(step, ask)
        if news.born:
            self._waiting.release(news.born)

    def _ask(self, step: Step, ask: Ask) -> None:
        """Have a device told something, unless that was asked of it a moment ago."""
        now = self._clock.now
        device = self._catalogue.profiles.renamed(ask.device)
        if now - self._asked.get(ask.device, now - _ASK_AGAIN) < _ASK_AGAIN:
            return
        remember(self._asked, ask.device, now, most=_MOST_ASKED)
        step.effects.append(
            CommandRequested(
                id=effect_id("ask", ask.device, str(step.row.offset), str(step.number)),
                flow=OWN_FLOW,
                group=(),
                cause="",
                device=device,
                settings=dict(ask.settings),
                within=10 * _SECOND,
                retries=2,
                expires=step.row.received + 60 * _SECOND,
                time=step.row.received,
                at=step.row.received,
            )
        )

    def _take_readings(self, step: Step, readings: list[Reading]) -> None:
        seen = ["new" if reading.retained else self._repeats.look(reading) for reading in readings]
        # A message repeats when all of its readings do: with something new in it, it was another one that only says some things again.
        if all(one == "repeat" for one in seen):
            self._tally.outcome(readings[0].device, "duplicates")
            return
        self._tally.outcome(readings[0].device, "normalised")
        belated = readings[0].received != step.row.received
        for reading, how in zip(readings, seen, strict=True):
            # Where a device listens, and in which dialect, is learned from its own messages alone.
            if reading.device not in self._devices and reading.convention != derived.OURS:
                self._learn(step, reading)
            step.effects.append(ReadingKept(step.place(), reading, belated))
            self._tally.count(reading.device, "readings")
            if reading.retained:
                self._tally.count(reading.device, "retained")
            else:
                self._route(reading, step.shards, late=how == "beyond")

    def _route(self, reading: Reading, shards: Shards, *, late: bool) -> None:
        selected = False
        for flow, group, shard in self._router.routes(reading):
            items, too_late = shards.setdefault(shard, ([], []))
            if isinstance(group, Looked):
                items.append((flow, group, reading))  # looked up only: the newest value counts, however late
                continue
            selected = True
            if late:
                too_late.append((flow, reading.device))
            else:
                items.append((flow, group, reading))
            self._tally.count(reading.device, flow, stage="select")
        if not selected:
            self._tally.count(reading.device, "unselected")

    def _learn(self, step: Step, reading: Reading) -> None:
        """Note a device that is heard of for the first time since the start."""
        self._catalogue.news.readdressed.discard(reading.device)
        address = self._catalogue.address(reading.device)
        base = address.base if address else ""
        self._devices[reading.device] = (reading.convention, base, self._catalogue.words(reading.device, reading.convention))
        step.effects.append(DeviceLearned(reading.device, reading.convention, base, dict(reading.labels), reading.received))

    def _readdress(self, step: Step, device: str, received: int) -> None:
        """Note that a device is commanded in another way now, or called so."""
        address = self._catalogue.address(device)
        if address is None:
            return
        learned = (address.convention, address.base, self._catalogue.words(device, address.convention))
        if learned != self._devices.get(device):
            self._devices[device] = learned
            labels = {**learned[2], **self._catalogue.profiles.of(device, address.convention).labels}
            step.effects.append(DeviceLearned(device, address.convention, address.base, labels, received))

    def snapshot(self) -> bytes:
        """Give the state as compressed MessagePack of plain builtins, with a version."""
        state: dict[str, Any] = {
            "offset": self.offset,
            "messages": self._messages,
            "clock": self._clock.snapshot(),
            "second": self._second,
            "tally": self._tally.snapshot(),
            "waiting": self._waiting.snapshot(),
            "asked": self._asked,
            "repeats": self._repeats.snapshot(),
            "copies": self._copies.snapshot(),
            "replayed": self._replayed.snapshot(),
            "learned": self._catalogue.learned,
        }
        return zlib.compress(msgspec.msgpack.encode((_VERSION, state)), 1)
