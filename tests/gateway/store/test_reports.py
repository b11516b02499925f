"""Reports in the store: what their readings would come to one by one, whenever the state of their series is settled, and whatever dies."""

from __future__ import annotations

import gc
import sqlite3
from contextlib import closing

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devices.catalogue import Catalogue
from devices.form import Report
from devices.reading import Message
from gateway.store import batches, reports, tail
from gateway.store.effects import ReadingKept, ReportKept, spelled_out
from gateway.store.reader import StoreReader
from gateway.store.store import Store

T0 = 1_790_000_000_000_000_000
S = 1_000_000_000
SAID = st.tuples(
    st.sampled_from("ab"),
    st.sampled_from(["temperature", "humidity"]),
    st.sampled_from([20.5, 21, 99.5, True, "on"]),
    st.sampled_from([0, 0, 0, 3, 60]),
    st.sampled_from(["said", "said", "said", "said", "belated", "nothing"]),
)


def effects_of(said):
    """Effects as the flows give them: reports where the like has been read, single readings where not, or where they come belatedly."""
    catalogue, effects = Catalogue(), []
    for row, (device, second, value, back, how) in enumerate(said, start=1):
        received = T0 + row * S
        body = {"ts": (received - back * S) // 1_000_000, "temperature": 20 + row, "level": value, second: 40.5}
        outcome = catalogue.read(Message(f"home/{device}", msgspec.json.encode(body), received))
        if isinstance(outcome, Report) and how == "said":
            effects.append([ReportKept(row << 20, outcome)])
        else:
            readings = outcome.readings() if isinstance(outcome, Report) else outcome
            belated = how == "belated"
            effects.append(
                [ReadingKept(row << 20 | n, one, belated) for n, one in enumerate(readings)] if isinstance(readings, list) else []
            )
    return effects


@pytest.mark.parametrize("raw", ["all", "changes", "none"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    said=st.lists(SAID, max_size=40),
    runs=st.lists(st.tuples(st.integers(1, 9), st.sampled_from(["go", "commit", "sync", "crash"]), st.floats(0, 1)), max_size=10),
    every=st.sampled_from([0.0, 5.0]),
)
def test_reports_come_to_what_their_readings_do(tmp_path_factory, monkeypatch, dump, raw, said, runs, every):
    """Settled at once or in rounds, with crashes anywhere: the same store as from single readings, also to who reads before it is settled."""
    monkeypatch.setattr(reports, "_ROUND", every)
    rows = effects_of(said)
    whole, torn = (tmp_path_factory.mktemp(name) / "store.db" for name in ("whole", "torn"))
    with Store(whole, raw=raw) as store:
        for row in rows:
            store.write(spelled_out(row))
    store, at, committed = Store(torn, raw=raw, linger=3600.0), 0, 0
    for size, end, back in runs:
        for row in rows[at : at + size]:
            store.write(row)
        at = min(at + size, len(rows))
        if end != "go":
            (store.commit if end == "commit" else store.sync)()
            committed = at
        if end == "crash":
            store = None
            gc.collect()
            store = Store(torn, raw=raw, linger=3600.0)
            at = committed = round(committed * back)
    for row in rows[at:]:
        store.write(row)
    store.commit()
    assert dump(torn) == dump(whole)
    reported_by = [StoreReader(path) for path in (torn, whole)]
    for metric in ("temperature", "humidity", "level"):
        first, second = (reader.reported("a", metric, "") for reader in reported_by)
        assert first == second
        assert reported_by[0].taken_by_device() == reported_by[1].taken_by_device()
    for reader in reported_by:
        reader.close()
    store.close()
    assert dump(torn) == dump(whole)


@pytest.mark.parametrize("ahead", ["reports", "a pruning"])
def test_single_readings_are_settled_with_what_they_are_written_with(tmp_path, ahead):
    """Who asks for the state of series looks at none that are in their table, however many have come since the last report, or the last pruning."""
    rows = effects_of([("a", "humidity", 20.5, 0, how) for how in ["said"] * 5 + ["belated"] * 20])
    assert {type(effect) for row in rows[1:5] for effect in row} == {ReportKept}
    path = tmp_path / "store.db"
    with Store(path, linger=3600.0) as store, closing(sqlite3.connect(path)) as connection:
        for row in rows[:5]:
            store.write(row if ahead == "reports" else spelled_out(row))
        store.sync()
        if ahead == "a pruning":
            store.prune(T0 - 3600 * S)
        for row in rows[5:]:
            store.write(row)
        store.commit()
        assert batches.newest(connection) >> 20 == len(rows)
        assert not [*batches.bodies_after(connection, tail.mark(connection))]


def test_reports_ahead_of_the_first_settling_outlive_a_kill(tmp_path, dump):
    """A new store whose writer dies within its first round knows all that came, and takes it once when it comes again."""
    rows = effects_of([("a", "humidity", 20.5, 0, "said")] * 5)
    path = tmp_path / "store.db"
    store = Store(path, linger=3600.0)
    for row in rows:
        store.write(row)
    store.commit()
    with StoreReader(path) as reader:
        assert reader.taken_by_device() == {"a": 15}
        assert [one.value for one in reader.series("a") if one.metric == "temperature"] == [25]
    store.abandon()
    with Store(path, linger=3600.0) as store:
        for row in rows:
            store.write(row)
    with Store(tmp_path / "whole.db") as whole:
        for row in rows:
            whole.write(row)
    assert dump(path) == dump(tmp_path / "whole.db")


def test_a_bit_that_flips_in_a_batch_is_found(tmp_path, kept):
    """Wherever it is: in a value too, where what is read would only be another."""
    with Store(tmp_path / "store.db") as store:
        store.write([kept(number) for number in range(1, 4)])
    with closing(sqlite3.connect(tmp_path / "store.db")) as connection:
        ((first, blob),) = connection.execute("SELECT id, body FROM batches LIMIT 1").fetchall()
    assert batches.is_sound(first, blob)
    for place in range(len(blob)):
        for bit in range(8):
            assert not batches.is_sound(first, blob[:place] + bytes([blob[place] ^ 1 << bit]) + blob[place + 1 :])


def test_a_batch_that_cannot_be_decoded_is_damage(tmp_path, kept):
    """What is no batch any more is said to be damaged, whoever reads it."""
    path = tmp_path / "store.db"
    with Store(path) as store:
        store.write([kept(number) for number in range(1, 4)])
        store._connection.execute("UPDATE batches SET body = x'93' WHERE id = ?", (2 << 20,))
    with StoreReader(path) as reader, pytest.raises(batches.DamagedStoreError, match="cannot be decoded"):
        reader.readings_after(0, 10)
