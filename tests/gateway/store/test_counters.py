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
    assert stored(tmp_path / "store.db") == (250, 1, 1)
    settle(store)
    assert stored(tmp_path / "store.db") == (600, 1, 1)
    assert not store.owes
    store.abandon()


def test_what_a_failed_transaction_had_written_still_waits(tmp_path):
    with Store(tmp_path / "store.db") as store:
        store.write(many(1))
        with pytest.raises(OverflowError):
            store.write([*many(2), Progressed(1 << 70, 0, 0)])
        assert stored(tmp_path / "store.db") == (250, 1, 1)
    assert stored(tmp_path / "store.db") == (600, 2, 2)
