"""From journal rows to readings, with what the conventions have learned: the state of the source."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from devices.catalogue import Catalogue
from devices.convention import MOST_READINGS
from devices.form import Report
from devices.profile import Profile
from devices.reading import DeadLetter, Held, Ignored, Message, Outcome
from devices.topics import matches, specificity
from flows import derived
from flows.asks import Asks
from flows.attention import Attention
from flows.clock import JournalClock
from flows.copies import Copies
from flows.early import Early, Taken
from flows.flow import Flow
from flows.heard import Heard
from flows.known_series import KnownSeries
from flows.newer_state import NewerStateError
from flows.poison import WHOLE, Poison
from flows.readings import Readings
from flows.repeats import Repeats
from flows.repeats_log import RepeatsLog
from flows.replayed import Replayed, became, only, value_name
from flows.row_order import RowPart
from flows.slice import Slice
from flows.step import Step
from flows.tally import Tally
from flows.track import Track
from flows.tracks import Tracks
from flows.waiting import Waiting
from gateway.journal.row import Entry, Flag, Kind, Replay, Row
from gateway.store.effects import (
    SHARDS,
    DeadLettered,
    Derived,
    Effect,
    LetterTried,
    Progressed,
    ReadingKept,
    spelled_out,
)

Item = tuple[str, Slice | RowPart]
"""What the source emits: `store` with its part of a row, and a shard's key with a slice of it."""
STORE = "store"
_SECOND = 1_000_000_000
_RETAINED, _REPEATED, _OVERSIZE = int(Flag.RETAINED), int(Flag.REPEATED), int(Flag.OVERSIZE)
"""As plain numbers: an IntFlag takes longer to look at than a message to count."""
_AT_ONCE, _FLUSH_EVERY = 200, 10
"""Counters by device and stage that are given every second; where more have moved, all are given after so many seconds, or when it is quiet."""
_VERSION = 3


def shard_key(number: int) -> str:
    return f"shard-{number:02d}"


def _ticking(before: int, clock: int) -> set[int]:
    """Give the shards that look at what time has brought: each once a second, in turn, so that not all windows close in one moment.

    >>> _ticking(0, 10**9 // 16), _ticking(0, 10**9 // 16 - 1), len(_ticking(0, 10**9))
    ({15}, set(), 16)
    """
    first, last = before * SHARDS // _SECOND, clock * SHARDS // _SECOND
    return {-turn % SHARDS for turn in range(max(first, last - SHARDS) + 1, last + 1)}


def _messages(row: Row) -> Sequence[Entry | Replay | Derived]:
    """Give what of a row counts as messages."""
    if row.kind == Kind.MESSAGES:
        return row.entries()
    return row.replays() if row.kind == Kind.REPLAYS else row.derived() if row.kind == Kind.DERIVED else ()


class Normaliser:
    """Turn rows into slices for the shards and effects for the store. A pure function of its snapshot, the rows, and what is known as poison.

    Counts every message once: normalised, ignored, dead letter, duplicate, or held for a birth; shed by a policy before it was journalled; or
    set aside, where the journal has only its number left. And counts every reading that a flow selects. It may begin at any row.
    """

    def __init__(
        self,
        flows: Sequence[Flow],
        profiles: Sequence[Profile],
        *,
        retained: Sequence[tuple[str, str]] = (("#", "state"),),
        series_limit: int = 250_000,
        snapshot: bytes | None = None,
        poison: Poison | None = None,
        repeats: RepeatsLog | None = None,
    ) -> None:
        """Go on from a snapshot; `repeats` has the part of it that is written on, where there is one."""
        version, state = msgspec.msgpack.decode(zlib.decompress(snapshot)) if snapshot else (_VERSION, {})
        if version > _VERSION:
            raise NewerStateError(f"the source's state has version {version}; this Sluice reads version {_VERSION} and older")
        if version == 1:
            state["tally"] = {name: state.pop(name) for name in ("counts", "totals")}
        self.offset: int = state.get("offset", 0)
        self._messages: int = state.get("messages", 0)
        self._received: int = state.get("received", 0)
        self._early = Early(state.get("early", ()))
        self._clock = JournalClock(state.get("clock"))
        self._second: int = state.get("second", -1)
        self._flushed: int = state.get("flushed", -_FLUSH_EVERY)
        self._tally = Tally(state.get("tally"))
        self._waiting = Waiting(state.get("waiting"))
        self._asks = Asks(state.get("asked"))
        self._replayed = Replayed(state.get("replayed"))
        self._catalogue = Catalogue(profiles, learned=state.get("learned"))
        self._retained = sorted(retained, key=lambda one: specificity(one[0]))
        self._copies = Copies(state.get("copies"))
        self._tracks = Tracks(flows, self._catalogue, KnownSeries(series_limit, state.get("series")))
        self._poison = poison or Poison()
        self._heard = Heard(self._catalogue, self._tracks.series)
        self._readings = Readings(self._heard, Repeats(state.get("repeats"), repeats))

    @property
    def messages(self) -> int:
        """How many messages there were up to here, ever."""
        return self._messages

    @property
    def attention(self) -> Attention:
        """Who is to be told what is under way."""
        return self._readings.attention

    @attention.setter
    def attention(self, attention: Attention) -> None:
        self._readings.attention = attention

    def take(self, row: Row) -> Iterator[Item]:
        """Move on by one row."""
        before = self._clock.now if self._second >= 0 else -_SECOND
        clock = self._clock.advance(row)
        self.offset, self._received = row.offset, row.received
        step = Step(row, self._tally)
        tick = clock // _SECOND != self._second
        self._second = clock // _SECOND
        flush = tick and self._flushes(row)
        gone = self._forget(step) if tick else ()
        self._take_in_turn(step)
        self._messages = max(self._messages, row.total)
        self._give_up(step)
        self._take_released(step)
        ticking = _ticking(before, clock)
        # What the source has counted is held against what the shards have: both give it with one row.
        shards: Sequence[int] = range(SHARDS) if flush or gone else sorted(ticking | step.shards.keys())
        if flush:
            step.effects.extend(self._tally.moved())
        yield STORE, RowPart(row.offset, [*step.effects, *self._progress(row.received)], shards=shards)
        # What is decided from a replay, or from a derived reading, grows stale from its event time, as out of a backlog.
        live = row.live and row.kind not in {Kind.REPLAYS, Kind.DERIVED}
        since, ahead = 0 if row.live else self._clock.live_until, self._clock.ahead
        for number in shards:
            items, late = step.shards.get(number, ((), ()))
            yield (
                shard_key(number),
                Slice(
                    number,
                    row.received,
                    clock,
                    live,
                    number in ticking,
                    flush=flush,
                    items=items,
                    late=late,
                    offset=row.offset,
                    since=since,
                    gone=gone,
                    ahead=ahead,
                ),
            )

    def _flushes(self, row: Row) -> bool:
        """Tell whether the first row of a second takes the counters along: of many devices, which take as long as their messages, not each does."""
        if row.kind != Kind.TICK and self._tally.moving > _AT_ONCE and 0 <= self._second - self._flushed < _FLUSH_EVERY:
            return False
        self._flushed = self._second
        return True

    def is_early(self, offset: int) -> bool:
        """Tell whether a row was taken early, and its turn is still to come."""
        return offset in self._early

    def may_take_early(self, row: Row) -> bool:
        """Tell whether a row may be taken before those in front of it: nothing may lie between that makes its time another."""
        plain = row.kind == Kind.MESSAGES and not self._poison.of(row.offset)
        return plain and row.offset not in self._early and self._clock.leads_to(row) and self._early.has_room(row.size)

    def take_early(self, row: Row) -> Iterator[Item]:
        """Take an urgent row before its turn: the shards have it at once; what it gives to the store and to the counters waits for its turn.

        No time passes by it, and no watermark goes further than the rows in their order have come. What a flow counts is counted with it.
        """
        messages, tally, self._tally = self._messages, self._tally, Tally()
        step = Step(row, self._tally)
        self._read(step)
        self._messages, self._tally, counted = messages, tally, self._tally
        selected, rest = counted.split("select")
        self._tally.add(selected)
        self._early.hold(Taken(row.offset, row.count, spelled_out(step.effects), rest, row.size))
        shards = sorted(step.shards)
        place = -row.offset  # apart from the parts of the row in its turn
        yield STORE, RowPart(place, [], shards=shards)
        ahead = self._clock.ahead + min(0, self._received - row.received)
        for number in shards:
            items, late = step.shards[number]
            yield (
                shard_key(number),
                Slice(number, row.received, self._clock.now, True, False, items=items, late=late, offset=place, ahead=ahead),
            )

    def _take_in_turn(self, step: Step) -> None:
        """Take what the row holds, or what it gave when it was taken early."""
        row, taken = step.row, False
        for early in self._early.turn(row.offset):
            taken = early.offset == row.offset  # else it can no longer be read
            if taken:
                self._count_set_aside(row.total - row.count)
            self._messages += early.count
            self._tally.add(early.tally)
            step.effects.extend(early.effects)
        if not taken:
            self._count_set_aside(row.total - row.count)
            self._read(step)

    def _count_set_aside(self, before: int) -> None:
        """Count the messages of which nothing is left but that they are among the `before` that the journal had taken in."""
        if before > self._messages:
            self._tally.total("set_aside", before - self._messages)
            self._messages = before

    def _read(self, step: Step) -> None:
        """Take what the row holds."""
        row, poison = step.row, self._poison.of(step.row.offset)
        if WHOLE in poison:  # nobody knows which of its messages it is, or whether it is one
            self._count_set_aside(row.total)
        elif row.kind == Kind.FACTS:
            step.effects.extend(row.facts())
        elif row.kind == Kind.SHED:
            for shed in row.sheds():
                self._messages += shed.count
                self._tally.shed(shed.topic, shed.count)
        else:
            close = self.attention.close
            for place, one in enumerate(_messages(row)):
                self._messages += 1
                step.poisoned = poison.get(place, "") if poison else ""
                if close:
                    self.attention.message(row.offset, place)
                self._take_one(step, one)
                if self._waiting:
                    self._take_released(step)

    def _take_one(self, step: Step, one: Entry | Replay | Derived) -> None:
        if isinstance(one, Derived):
            self._take_derived(step, one)
        elif isinstance(one, Replay):
            self._tally.total("replayed", 1)
            self._take_replay(step, one)
        elif self._is_copy(step.row, one):
            self._tally.outcome("", "duplicates")
        else:
            self._take_entry(step, one, step.row.received)

    def _forget(self, step: Step) -> Sequence[str]:
        """Where there is no room for new series, forget what has been silent for long; give the devices of which nothing is left."""
        names, devices = self._tracks.forget_silent(self._second)
        self._readings.repeats.forget(names)
        self._heard.forget(devices)
        step.effects.extend(self._tally.forget(devices))
        return devices

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
        readings = sum(isinstance(effect, ReadingKept) for effect in spelled_out(step.effects[before:]))
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
        message = derived.message(one, received)
        outcome, tracks = self._understand(step, message, lambda: self._catalogue.of_their_kind([derived.reading(one, received)]))
        if isinstance(outcome, DeadLetter):
            self._dead(step, message, outcome)
        elif isinstance(outcome, list):
            self._readings.take(step, outcome, tracks)

    def _is_copy(self, row: Row, entry: Entry) -> bool:
        """Tell whether the broker sent a retained message before, for another subscription. A dead letter read again is never one."""
        several = len(self._retained) > 1
        return several and bool(entry.flags & _RETAINED) and self._copies.has(row.connection, entry.topic, entry.payload)

    def _take_entry(self, step: Step, entry: Entry, received: int, keys: Sequence[str] = ()) -> Report | Outcome:
        """Take a message as it was received then (epoch ns); with `keys`, only those of its values."""
        if entry.flags & _REPEATED:
            self._tally.outcome("", "duplicates")
            return Ignored("it was delivered before")
        retained = bool(entry.flags & _RETAINED)
        policy = self._policy(entry.topic) if retained else "process"
        message = Message(entry.topic, entry.payload, received, policy == "state", self._clock.ahead)
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

    def _take_message(self, step: Step, message: Message, keys: Sequence[str] = ()) -> Report | Outcome:
        """Read a message, and count it by what came of it."""
        outcome, tracks = self._understand(step, message, lambda: self._said(message, keys))
        if isinstance(outcome, Report):  # which is read by what is known, and so gives no news
            self._readings.take_report(step, outcome)
            return outcome
        if isinstance(outcome, Ignored):
            self._tally.outcome(outcome.device or "", "ignored")
        elif isinstance(outcome, DeadLetter):
            self._dead(step, message, outcome)
        elif isinstance(outcome, Held):
            self._tally.total("held", 1)
            self._waiting.hold(message, outcome, now=self._clock.now)
        else:
            self._readings.take(step, outcome, tracks)
            if self._catalogue.news.refused:
                self._refuse(step, message)
        self._take_news(step, message.received)
        return outcome

    def _said(self, message: Message, keys: Sequence[str]) -> Report | Outcome:
        if not keys:
            return self._catalogue.read(message)
        return only(keys, self._catalogue.readings(message), self._catalogue.news.refused)

    def _understand(self, step: Step, message: Message, read: Callable[[], Report | Outcome]) -> tuple[Report | Outcome, list[Track]]:
        """Decide what becomes of a message before anything is done about it, so that a bug costs that message and nothing else.

        With readings, gives the series of each; those of a report are known to its form.
        """
        if step.poisoned:
            self._catalogue.news.forget()
            return DeadLetter(step.poisoned), []
        try:
            outcome = read()
            tracks: list[Track] = []
            if isinstance(outcome, Report):
                outcome = self._tracks.follow(outcome, self._second)
            if isinstance(outcome, list):
                outcome, tracks = self._tracks.admit(outcome, self._second)
                if isinstance(outcome, DeadLetter):  # there may be a million such names, which say nothing twice
                    self._catalogue.forget_topic(message.topic)
        except Exception as bug:  # noqa: BLE001  (one message must not stop the stream; it is kept, and its reason names the bug)
            self._catalogue.news.forget()
            return DeadLetter(f"bug in taking topic {message.topic!r}: {type(bug).__name__}: {bug}"[:400]), []
        step.effects += self._tracks.failures(step.row.received)
        return outcome, tracks

    def _refuse(self, step: Step, message: Message) -> None:
        """Keep a message whose values were taken but for some that would change the type of their series."""
        refused = self._catalogue.news.refused
        for one in refused:
            self._tally.count(self._tally.own(one.device), "refused")
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
            self._tally.count(self._tally.own(device), "missed", missed)
        for device in sorted(news.readdressed):
            step.effects.extend(self._heard.readdress(device, received))
        for ask in news.asks:
            request = self._asks.request(step, ask, self._catalogue.profiles.renamed(ask.device), self._clock.now)
            if request:
                step.effects.append(request)
        if news.born:
            self._waiting.release(news.born)

    def snapshot(self) -> bytes:
        """Give the state as compressed MessagePack of plain builtins, with a version. Raises OSError where its log cannot be written."""
        self._tracks.note_heard()
        state: dict[str, Any] = {
            "offset": self.offset,
            "messages": self._messages,
            "received": self._received,
            "early": self._early.snapshot(),
            "clock": self._clock.snapshot(),
            "second": self._second,
            "flushed": self._flushed,
            "tally": self._tally.snapshot(),
            "waiting": self._waiting.snapshot(),
            "asked": self._asks.snapshot(),
            "repeats": self._readings.repeats.snapshot(),
            "copies": self._copies.snapshot(),
            "replayed": self._replayed.snapshot(),
            "learned": self._catalogue.learned,
            "series": self._tracks.series.snapshot(),
        }
        return zlib.compress(msgspec.msgpack.encode((_VERSION, state)), 1)
