"""The sink: what waits for company while the flows are behind, and what never does."""

import sqlite3
from contextlib import closing

import pytest

from devices.reading import Reading
from flows.pace import Pace
from flows.row_order import RowPart
from flows.snapshot_room import SnapshotRoom
from flows.store_sink import StorePartition, Upkeep
from gateway.journal.bell import Bell
from gateway.store.effects import Counted, Progressed, ReadingKept, WindowClosed
from gateway.store.reader import StoreReader
from gateway.store.retention import Retention
from gateway.store.shedding import Shedding
from gateway.store.store import Store

T0 = 1_760_000_000_000_000_000


def kept(number):
    return ReadingKept(
        number << 20,
        Reading(
            device="t", metric="temperature", key="t", value=20.0, raw_value=20.0, ts=T0 + number, received=T0 + number, convention="x"
        ),
    )


class Sink:
    """A sink on a store of its own, given row by row."""

    def __init__(self, folder):
        self.pace, self.bell, self.path = Pace(), Bell(folder / "bell"), folder / "store.db"
        shedding = Shedding(folder, [], max_size=None, reserve=0)
        upkeep = Upkeep(Retention(1 << 60, folder / "delivery", []), shedding, SnapshotRoom(folder), lambda: False)
        store = Store(self.path)
        self.partition = StorePartition(lambda: store, self.bell, upkeep, self.pace)

    def take(self, number, *effects):
        self.partition.write_batch([RowPart(number, [*effects, Progressed(number, number, T0 + number)])])

    def at(self):
        with closing(StoreReader(self.path)) as reader:
            progress = reader.progress()
            return progress.offset if progress else 0


@pytest.fixture
def sink(tmp_path):
    made = Sink(tmp_path)
    yield made
    made.partition._store.abandon()
    made.bell.close()


def test_nothing_waits_while_the_flows_keep_up(sink):
    for number in (1, 2):
        sink.take(number, kept(number))
        assert sink.at() == number


def test_readings_wait_for_those_that_follow_while_the_flows_are_behind(sink):
    """Until nothing more is at hand: then the source gives the sink its turn, with an empty part if need be."""
    sink.pace.behind = True
    for number in (1, 2):
        sink.take(number, kept(number))
    assert sink.at() == 0
    sink.pace.behind = False
    sink.partition.write_batch([RowPart(2, ())])
    assert sink.at() == 2


def test_what_somebody_waits_for_takes_all_before_it_along(sink):
    sink.pace.behind = True
    sink.take(1, kept(1))
    sink.take(2, WindowClosed("w", "f", (), T0, T0 + 1, 1, 1, {}, T0))
    assert sink.at() == 2


def test_what_waits_is_bounded_and_is_written_before_a_snapshot_and_at_the_end(sink, monkeypatch):
    monkeypatch.setattr("flows.store_sink._MOST", 6)
    sink.pace.behind = True
    for number in range(1, 4):
        sink.take(number, kept(number))
    assert sink.at() == 3
    sink.take(4, kept(4))
    sink.partition.snapshot()
    assert sink.at() == 4
    sink.take(5, kept(5))
    sink.partition.close()
    assert sink.at() == 5


def test_many_counters_trickle_in_while_nothing_else_is_to_be_done(sink):
    """The sink says that it owes them, and each turn writes some, oldest first; a counter that moves meanwhile is written once, as it is then."""

    def counters():
        with closing(sqlite3.connect(sink.path)) as db:
            return dict(db.execute("SELECT device, value FROM counters WHERE stage = 'normalise'").fetchall())

    sink.take(1, *(Counted("normalise", "", f"d{n:04}", "readings", 1) for n in range(1000)), Counted("total", "", "", "normalised", 5))
    assert sink.pace.owes
    assert sorted(counters()) == [f"d{n:04}" for n in range(100)]
    sink.take(2, Counted("normalise", "", "d0999", "readings", 2))
    turns = 0
    while sink.pace.owes:
        sink.partition.write_batch([RowPart(2, ())])
        turns += 1
    assert turns == 9
    assert counters() == {f"d{n:04}": 1 for n in range(999)} | {"d0999": 2}
    with closing(sqlite3.connect(sink.path)) as db:
        assert db.execute("SELECT value FROM counters WHERE stage = 'total'").fetchone() == (5,)
