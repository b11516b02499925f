"""Counters on their way into the store."""

import sqlite3

import pytest

from gateway.store.effects import Counted, Progressed
from gateway.store.store import Store


def many(value):
    return [Counted("normalise", "", f"d{n:04}", "readings", value) for n in range(600)]


def stored(path):
    db = sqlite3.connect(path)
    found = db.execute("SELECT count(*), coalesce(min(value), 0), coalesce(max(value), 0) FROM counters").fetchone()
    db.close()
    return found


@pytest.mark.parametrize("settle", [Store.sync, Store.close])
def test_all_are_written_when_anything_is_settled(tmp_path, settle):
    """A snapshot that says they were given must find them in the store; and whoever reads a store at rest finds them all."""
    store = Store(tmp_path / "store.db")
    store.write(many(1))
    assert store.owes
    assert stored(tmp_path / "store.db") == (100, 1, 1)
    settle(store)
    assert stored(tmp_path / "store.db") == (600, 1, 1)
    assert not store.owes
    store.abandon()


def test_what_a_failed_transaction_had_written_still_waits(tmp_path):
    with Store(tmp_path / "store.db") as store:
        store.write(many(1))
        with pytest.raises(OverflowError):
            store.write([*many(2), Progressed(1 << 70, 0, 0)])
        assert stored(tmp_path / "store.db") == (100, 1, 1)
    assert stored(tmp_path / "store.db") == (600, 2, 2)


def test_none_overtakes_what_it_is_held_against(tmp_path):
    """However often they move on while they wait: at each look no shard has taken more than was passed on to it."""
    db = sqlite3.connect(tmp_path / "store.db")
    with Store(tmp_path / "store.db") as store:
        for second in range(1, 30):
            names = [f"d{n:04}" for n in range(170 + 37 * (second % 3))]
            selected = [Counted("select", "", name, "f", second) for name in names]
            store.write([*selected, *(Counted("shard-1", "f", name, "windowed", second) for name in names), Progressed(second, second, 0)])
            for _ in range(second % 4):
                store.write([])
                query = (
                    "SELECT count(*) FROM counters w LEFT JOIN counters s ON s.stage = 'select' AND s.device = w.device"
                    " WHERE w.stage = 'shard-1' AND w.value > coalesce(s.value, 0)"
                )
                assert db.execute(query).fetchone() == (0,)
    db.close()
    assert stored(tmp_path / "store.db")[1:] == (29, 29)


def test_counters_of_one_device_are_written_together(tmp_path):
    """Else one would be held against another of another second."""
    with Store(tmp_path / "store.db") as store:
        store.write([Counted("normalise", "", f"d{n:04}", term, 1) for n in range(300) for term in ("readings", "retained", "normalised")])
        db = sqlite3.connect(tmp_path / "store.db")
        assert {count for (count,) in db.execute("SELECT count(*) FROM counters GROUP BY device")} == {3}
        assert db.execute("SELECT count(*) FROM counters").fetchone() == (300,)
        db.close()
