"""The ledger begun anew: what is made again takes the place of what was, row by row, and everything is counted once."""

from __future__ import annotations

import random

import pytest

from gateway.store.effects import Counted, Progressed
from gateway.store.reader import StoreReader
from gateway.store.rewind import holes
from gateway.store.store import Store

T0 = 1_760_000_000_000_000_000
LAST = 1_800
"""Rows of the journal, of ten readings each: enough for a sealed block."""


@pytest.fixture
def rows(kept):
    """Give what the flows make of the journal's row: ten readings of three devices, and how far they are."""

    def make(row, wanted=range(10)):
        made = [kept(row, f"t{number % 3}", value=row * 100 + number) for number in wanted]
        readings = [one.__class__((row << 20) + place, one.reading) for place, one in enumerate(made)]
        return [*readings, Counted("total", "", "", "normalised", row), Progressed(row, row, T0)]

    return make


def values(path):
    with StoreReader(path) as reader:
        found = sorted(one.reading.value for one in reader.readings_after(-1, 10**6))
        assert found == sorted(one.reading.value for n in range(3) for one in reader.history(f"t{n}"))
        assert reader.size().points == len(found)
        return found


def test_what_is_made_again_counts_once(tmp_path, rows):
    """In any number of lives, from any row, also where a row gives other readings than before: nothing is there twice, and sums are right."""
    path, dice = tmp_path / "store.db", random.Random(3)
    with Store(path) as store:
        for row in range(1, LAST + 1):
            store.write(rows(row))
    first = 1_000
    for end in (1_200, dice.randrange(1_001, LAST), LAST + 100):
        with Store(path) as store:
            store.begin_at(first, 999, T0)
            assert store.progress == Progressed(999, 999, T0)
            for row in range(first, end + 1):
                store.write(rows(row, range(9) if row % 7 == 0 else range(10)))
    shorter = sum(row % 7 == 0 for row in range(first, LAST + 101))
    assert len(values(path)) == 10 * (LAST + 100) - shorter
    with StoreReader(path) as reader:
        assert sum(one.count for one in reader.series()) == 10 * (LAST + 100) - shorter == reader.counts().readings["taken"]
        assert sum(reader.taken_by_device().values()) == 10 * (LAST + 101 - first) - shorter
        assert Counted("total", "", "", "set_aside", 999) in reader.counters()


def test_what_the_journal_has_lost_stays(tmp_path, rows):
    """Readings of rows that cannot be read again are still there, and are counted as taken before."""
    path = tmp_path / "store.db"
    with Store(path) as store:
        for row in range(1, 101):
            store.write(rows(row))
        store.begin_at(1, 0, T0)
        for row in [*range(1, 41), *range(61, 101)]:
            store.write(rows(row))
    assert len(values(path)) == 1_000
    with Store(path) as store:  # the flows' snapshot was of row 80, and rows 91 to 95 are gone since
        gone = list(holes([*range(81, 91), *range(96, 101)], 80, 100))
        assert gone == [(91, 95)]
        store.forget(gone)
        store.forget(gone)
    with StoreReader(path) as reader:
        assert sum(reader.taken_by_device().values()) == 800 - 50
