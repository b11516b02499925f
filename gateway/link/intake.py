"""What has come from the broker and is not in the journal yet."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from time import monotonic, monotonic_ns

from devices.topics import matches
from gateway.journal.journal import Journal, JournalFullError
from gateway.journal.redelivery import Redelivery
from gateway.journal.row import Entry, Flag
from gateway.journal.urgent import LONGEST_ROW
from gateway.link.overload import Overload
from gateway.link.quota import Quota
from gateway.link.shedding import Shedding

BATCH = 1024
"""Messages in a commit of the journal at most, and in a row (DESIGN D1), and messages that the broker may send ahead of our acknowledgement."""
_ROOM = 16 * 2**20
"""Bytes of payloads that are held at most."""
_AGAIN = 0.5
"""Seconds until a journal that was full is tried again."""
_SHED_EVERY = 1.0
"""Seconds between rows with what was shed."""
_TOPICS = 65_536
"""Topics of which it is remembered whether they are urgent."""
_OVERSIZE_KEPT = 1024
"""Bytes kept of a payload that is larger than `limits.payload`."""
_NO_ROOM = "the journal is full"


class Intake:
    """Holds messages until they are in the journal, and tells which may be acknowledged.

    Guarantee: a QoS 1 message may be acknowledged once the row that holds it, or counts it as shed, is durable. While the journal is full,
    messages of QoS 1 are held, at most 2,048 of them and 16 MB, and `full` says when no more may be read. Live messages of topics that
    `urgent` matches get rows of their own, and are shed by `limits.rate` alone; all rows are of `LONGEST_ROW` at most then.
    What is held when a connection ends is dropped here, since the broker sends it again.
    """

    def __init__(self, journal: Journal, *, payload_limit: int, rate: int | None, overload: Overload, urgent: Sequence[str] = ()) -> None:
        """Take `limits.payload` (bytes), `limits.rate` (messages a second and topic) and `broker.urgent` (topic filters)."""
        self._journal = journal
        self._payload_limit = payload_limit
        self._quota = Quota(rate) if rate else None
        self._overload = overload
        self._redelivery = Redelivery.from_journal(journal.directory, journal.session)
        self.shedding = Shedding(journal)
        self._longest = LONGEST_ROW if urgent else BATCH
        self._urgent_topic = lru_cache(_TOPICS)(lambda topic: any(matches(one, topic) for one in urgent)) if urgent else None
        self._urgent: list[Entry] = []
        self._batch: list[Entry] = []
        self._bytes = 0
        self._backlog: list[Entry] = []
        self._marked = False
        self._done: list[int] = []
        self._shed: list[int] = []
        self._refused = ""
        self._again = 0.0
        self._shed_at = 0.0

    def begin(self, *, session_present: bool) -> None:
        """Begin with a new connection; what is held comes again on it."""
        self._backlog.clear()
        self._batch.clear()
        self._urgent.clear()
        self._bytes, self._marked = 0, False
        self._done.clear()
        self._shed.clear()
        self._redelivery.forget_expected()
        if not session_present:
            self._redelivery = Redelivery()

    @property
    def blocked(self) -> str:
        """Why nothing is acknowledged now; empty where all is well."""
        return self._refused

    @property
    def _held(self) -> int:
        return len(self._backlog) + len(self._urgent) + len(self._batch) + len(self._shed)

    @property
    def due(self) -> bool:
        """Whether a row is full."""
        return self._held >= self._longest or self._bytes >= _ROOM

    @property
    def full(self) -> bool:
        """Whether no more may be read: a broker that was told how many may be on the way (MQTT 5) never makes it so, by their number."""
        return self._held >= 2 * BATCH or self._bytes >= _ROOM

    def __bool__(self) -> bool:
        return self._held > 0

    def acknowledge(self, packet_id: int) -> None:
        """Have a message of our own acknowledged, which is not taken in."""
        if packet_id:
            self._done.append(packet_id)

    def mark(self) -> None:
        """Note that what has come so far is the broker's backlog, and what comes from now on is live."""
        self._put_behind_backlog()
        self._marked = True

    def doubt(self) -> None:
        """Have all that is held, and what comes until the next mark, be backlog: it may have waited."""
        self._put_behind_backlog()
        self._marked = self._journal.live = False

    def _put_behind_backlog(self) -> None:
        self._backlog += [*self._urgent, *self._batch]
        self._urgent.clear()
        self._batch.clear()

    def take(self, entries: list[Entry]) -> None:
        """Take messages in, or shed them."""
        limited = self._quota or self._refused or self._overload.overloaded
        for entry in entries:
            if entry.flags & Flag.DUP and entry.packet_id and self._redelivery.is_repeat(entry):
                self._batch.append(Entry(entry.topic, b"", entry.packet_id, entry.flags | Flag.REPEATED))
            elif limited and (reason := self._too_much(entry)):
                self.shedding.shed(entry.topic, reason)
                if entry.packet_id:
                    self._shed.append(entry.packet_id)
            else:
                self._hold(entry)

    def _too_much(self, entry: Entry) -> str:
        """Say why a message is shed; empty where it is not."""
        now, live = monotonic(), self._journal.live or self._marked
        if self._quota and live and not entry.flags & Flag.RETAINED and not self._quota.allows(entry.topic, now=now):
            return "limits.rate"
        if not self._overload.allows(entry.topic, qos=min(entry.packet_id, 1), now=now) and not self._is_urgent(entry):
            return "limits.lag"
        return _NO_ROOM if self._refused and not entry.packet_id else ""

    def _hold(self, entry: Entry) -> None:
        if entry.packet_id:
            self._redelivery.expect(entry)
        if len(entry.payload) > self._payload_limit:
            entry = Entry(entry.topic, entry.payload[:_OVERSIZE_KEPT], entry.packet_id, entry.flags | Flag.OVERSIZE)
        (self._urgent if self._is_urgent(entry) else self._batch).append(entry)
        self._bytes += len(entry.payload)

    def _is_urgent(self, entry: Entry) -> bool:
        return self._urgent_topic is not None and self._urgent_topic(entry.topic) and not entry.flags & Flag.RETAINED

    def commit(self) -> list[int]:
        """Put what is held into the journal as far as that goes now; give the packet ids that may be acknowledged."""
        if not self._refused or monotonic() >= self._again:
            try:
                self._journal_all()
                self._refused = ""
            except JournalFullError as error:
                self._refused, self._again = str(error), monotonic() + _AGAIN
                self._make_room()
        done, self._done = self._done, []
        return done

    def _journal_all(self) -> None:
        before = self._journal.offset
        self._append(self._backlog)
        if self._marked and not self._backlog:
            self._journal.live, self._marked = True, False
        if not self._marked:
            self._append(self._urgent, urgent=self._journal.live)
            self._append(self._batch)
        self._append_shed()
        if self._refused and self._journal.offset == before:
            self._journal.append_tick()  # nothing was held, so that only a row of our own can tell whether there is room again

    def _append(self, entries: list[Entry], *, urgent: bool = False) -> None:
        while batch := entries[:BATCH]:
            self._journal.append_messages(batch, longest=self._longest, urgent=urgent)
            self._bytes -= sum(len(entry.payload) for entry in batch)
            ids = [entry.packet_id for entry in batch if entry.packet_id]
            self._redelivery.journalled(ids)
            self._done += ids
            del entries[: len(batch)]

    def _append_shed(self) -> None:
        if self._shed or (self.shedding.waiting and monotonic() - self._shed_at >= _SHED_EVERY):
            self.shedding.journal()
            self._shed_at = monotonic()
            self._done += self._shed
            self._shed.clear()

    def _make_room(self) -> None:
        """Shed the messages of QoS 0 that are held, so that the connection can be read on."""
        for held in (self._backlog, self._urgent, self._batch):
            for entry in held:
                if not entry.packet_id:
                    self.shedding.shed(entry.topic, _NO_ROOM)
                    self._bytes -= len(entry.payload)
            held[:] = [entry for entry in held if entry.packet_id]

    def until_tick(self, every: int) -> float:
        """Give the seconds until a tick is due, `every` ns after the last row."""
        due = (self._journal.appended_at + every - monotonic_ns()) / 1e9
        return max(0.0, due, self._again - monotonic() if self._refused else 0.0)

    def tick(self) -> None:
        """Have time go on in the journal, where it can."""
        try:
            self._journal.append_tick()
            self._refused = ""
        except JournalFullError as error:
            self._refused, self._again = str(error), monotonic() + _AGAIN
