"""Readings that flows derive: from the store into the journal, back out as readings, each once, and never an event of their own."""

from __future__ import annotations

import pytest

from devices.profile import Profile
from flows.normaliser import STORE, Normaliser
from gateway.delivery.cursor import Cursor
from gateway.derived import Carrier
from gateway.journal.bell import Bell
from gateway.journal.journal import Journal
from gateway.journal.reader import JournalReader
from gateway.journal.row import Entry, Kind
from gateway.ledger import Books, balance
from gateway.store.effects import Derived, DeviceLearned, WindowClosed
from gateway.store.reader import StoreReader
from gateway.store.store import Store

T0 = 1_760_000_000_000_000_000
S = 1_000_000_000


def derived(number, value, *, device="t1", metric="comfort", labels=None):
    return Derived(f"d{number}", "felt", (("device", device),), device, metric, "", value, "°C", labels or {}, T0 + number * S, T0)


class Loop:
    """Store, journal and source on one folder, moved on by hand."""

    def __init__(self, data):
        self.data = data
        self.store = Store(data / "store.db")
        self.bell = Bell(data / "bell")
        self.journal = Journal(data / "journal" / "0", self.bell, keep=1 << 60, max_size=1 << 60)
        self.reader = StoreReader(data / "store.db")
        self.normaliser = Normaliser([], [Profile(devices=["t1"], labels={"room": "attic"})])
        self.restart()

    def restart(self):
        """Begin again with what the carrier's file says."""
        self.cursor = Cursor(self.data / "derived.db")
        self.carrier = Carrier(self.reader, self.cursor, self.journal)

    def turn(self):
        """Carry what there is, have the source read it, and write what comes of it; give that."""
        while self.carrier.step():
            pass
        rows = JournalReader(self.journal.directory, after=self.normaliser.offset).read(100)
        effects = [one for row in rows for key, part in self.normaliser.take(row) if key == STORE for one in part.effects]
        self.store.write(effects)
        return effects

    def readings(self):
        return [one.reading for one in self.reader.readings_after(-1, 1000)]

    def ledger(self):
        _, last = self.turn(), list(self.normaliser.flush(T0))
        self.store.write([one for key, part in last if key == STORE for one in part.effects])
        progress, counters = self.reader.progress(), self.reader.counters()
        books = Books(
            self.journal.total,
            progress.messages,
            [(one.stage, one.scope, one.device, one.term, one.value) for one in counters],
            self.reader.taken_by_device(),
            at_rest=True,
        )
        return balance(books)

    def close(self):
        for one in (self.cursor, self.reader, self.journal, self.store, self.bell):
            one.close()


@pytest.fixture
def loop(tmp_path):
    loop = Loop(tmp_path)
    yield loop
    loop.close()


def test_derived_reading_comes_back_as_a_reading(loop):
    """It has the flow's metric, unit, labels and time, is its own convention's, and the ledger balances with it."""
    loop.store.write([derived(1, 21.5, labels={"room": "cellar"}), derived(2, 22.5)])
    loop.turn()
    first, second = loop.readings()
    assert (first.device, first.metric, first.value, first.unit, first.ts) == ("t1", "comfort", 21.5, "°C", T0 + S)
    assert (first.convention, first.time_source, dict(second.labels)) == ("sluice", "device", {})
    assert loop.ledger().document()["balanced"]
    assert loop.ledger().messages["normalised"] == 2


def test_derived_reading_that_is_carried_twice_counts_once(loop):
    """A carrier that died before its cursor moved journals the row again; the source knows the readings."""
    loop.store.write([derived(1, 21.5)])
    loop.turn()
    loop.cursor.close()
    (loop.data / "derived.db").unlink()
    loop.restart()
    loop.store.write([derived(2, 22.5)])
    loop.turn()
    assert [one.value for one in loop.readings()] == [21.5, 22.5]
    assert (loop.journal.total, loop.ledger().messages["duplicates"]) == (3, 1)


def test_carrier_goes_on_where_it_was(loop):
    """What the journal has is not carried again after a restart, whatever else the flows decide in between."""
    window = WindowClosed("w1", "felt", (), T0, T0 + S, 1, 3, {"warm": 21.0}, T0)
    loop.store.write([derived(1, 21.5), window])
    loop.turn()
    loop.cursor.close()
    loop.restart()
    loop.turn()
    loop.store.write([derived(2, 22.5)])
    loop.turn()
    rows = JournalReader(loop.journal.directory).read(100)
    assert [[one.id for one in row.derived()] for row in rows if row.kind == Kind.DERIVED] == [["d1"], ["d2"]]


def test_derived_reading_teaches_nothing_of_its_device(loop):
    """Where a device listens, and its dialect, are known from its own messages alone."""
    loop.store.write([derived(1, 21.5)])
    effects = loop.turn()
    assert not [one for one in effects if isinstance(one, DeviceLearned)]
    loop.journal.append_messages([Entry("home/t1", b'{"temperature": 20}')])
    loop.turn()
    (device,) = loop.reader.devices()
    assert (device.convention, device.base, device.labels) == ("plain_json", "home/t1", {"room": "attic"})
    assert loop.reader.address("t1").convention == "plain_json"


def test_derived_reading_of_another_kind_is_a_dead_letter(loop):
    """A series of numbers takes no text, from a flow neither."""
    loop.store.write([derived(1, 21.5), derived(2, "warm")])
    loop.turn()
    assert [one.value for one in loop.readings()] == [21.5]
    (letter,) = loop.reader.dead_letters()
    assert (letter.topic, letter.device) == ("sluice/derived/felt", "t1")
    assert "holds numbers" in letter.reason
    assert loop.ledger().document()["balanced"]
