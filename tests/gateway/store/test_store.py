"""The store: what goes in comes out, once, in every mode."""

from __future__ import annotations

import math
import sqlite3

import msgspec
import pytest

from devices.reading import Address
from gateway.store import dead_letters
from gateway.store.effects import (
    AlertChanged,
    CommandFact,
    CommandRequested,
    Counted,
    DeadLettered,
    DeviceLearned,
    Progressed,
    WindowClosed,
)
from gateway.store.errors import StoreError
from gateway.store.positions import Positions, delivered
from gateway.store.reader import StoreReader
from gateway.store.store import Store

T0 = 1_760_000_000_000_000_000
MINUTE = 60_000_000_000
GROUP = (("device", "t1"),)


def as_died(letters):
    return [DeadLettered(*(getattr(one, name) for name in DeadLettered.__struct_fields__)) for one in letters]


def window(number, revision=1, flow="climate"):
    start = T0 + number * MINUTE
    return WindowClosed(
        f"{flow}/t1/{number}/{revision}", flow, GROUP, start, start + MINUTE, revision, 6, {"warm": 20.5}, start + 2 * MINUTE
    )


def alert(number, state="raised"):
    at = T0 + number
    return AlertChanged(
        f"a{number}/{state}", f"a{number}", "climate", GROUP, state, "warning", "t1 at 29 °C", {"rule": "warm > 28"}, at, at
    )


def command(number):
    at = T0 + number
    return CommandRequested(f"c{number}", "climate", GROUP, f"a{number}", "fan", {"state": "ON"}, 10**10, 3, at + 10**11, at, at)


def fact(number, state, attempt=1, *, after=1, flow="climate"):
    return CommandFact(f"c{number}/{state}/{attempt}", f"c{number}", "fan", flow, state, attempt, {"state": "ON"}, "", T0 + number + after)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store.db"


VALUES = [
    *(0, 1, -1, 2**53 + 1, 2**63 - 1, -(2**63), 2**63, 2**64 - 1, 10**30),
    *(True, False, 0.0, -0.0, 1.0, 5e-324, 1.7976931348623157e308, math.inf, -math.inf, 0.1 + 0.2),
    *("", "0", "1", "nan", "true", "line\nbreak", "nul\0inside", "😀", "x" * 100_000),
]


def test_values_come_back_exactly(path, kept):
    """Every value comes back as the same type and the same value, floats to the bit."""
    readings = [kept(number, value=value, raw_value=value) for number, value in enumerate(VALUES, start=1)]
    with Store(path) as store:
        store.write(readings)
    with StoreReader(path) as reader:
        got = [one.reading.value for one in reader.history("t1")]
    assert [(type(value), repr(value)) for value in got] == [(type(value), repr(value)) for value in VALUES]


def test_not_a_number_comes_back_and_is_in_no_mean(path, kept):
    """NaN, which SQLite would turn into NULL, survives; sums over buckets leave it out."""
    with Store(path) as store:
        store.write([kept(1, value=math.nan), kept(2, value=3.0)])
    with StoreReader(path) as reader:
        assert math.isnan(reader.history("t1")[0].reading.value)
        (bucket,) = reader.buckets("t1", every=10**12)
    assert (bucket.count, bucket.mean) == (2, 3.0)


def test_readings_come_back_whole(path, kept):
    """Units, raw values, receive time, time source, channel, key, convention and labels all survive, whatever is left out on the disk."""
    given = [
        kept(1, raw_value=68.9, raw_unit="°F", channel="probe.1", labels={"room": "attic"}),
        kept(2, unit="K", raw_unit=None, time_source="received", received=T0, sequence=255),
        kept(3, unit=None, raw_unit="x", raw_value="20,5", time_source="received-insane"),
        kept(4, metric="switch", value=True, raw_value="ON", unit=None, raw_unit=None, labels={"tag": "a=b"}),
        kept(5, metric="count", value=1, raw_value=True, unit=None, raw_unit=None),
    ]
    with Store(path) as store:
        store.write([DeviceLearned("t1", "plain-json", "home/t1", {"room": "attic"}, T0), *given])
    with StoreReader(path) as reader:
        back = reader.readings_after(0, 10)
        assert [repr(one) for one in back] == [repr(one) for one in given]
        assert reader.readings_after(given[1].id, 2) == back[2:4]


def test_a_lone_surrogate_stops_nothing(path, kept):
    """A text that UTF-8 cannot hold is stored with a replacement character, and the batch with it."""
    with Store(path) as store:
        store.write([kept(1, value="a\ud800b"), kept(2, device="d\udfff"), window(1), DeadLettered(9, "t\ud800", b"\xff\0", "r", "", T0)])
    with StoreReader(path) as reader:
        assert [one.reading.value for one in reader.history("t1")] == ["a\ufffdb"]
        assert [one.device for one in reader.devices()] == ["d\ufffd", "t1"]
        assert as_died(reader.dead_letters()) == [DeadLettered(9, "t\ufffd", b"\xff\0", "r", "", T0)]
        assert len(reader.windows()) == 1


def test_a_failing_batch_writes_nothing(path, kept):
    """A batch is written as a whole or not at all, and the store goes on."""
    with Store(path) as store:
        store.write([kept(1)])
        with pytest.raises(OverflowError):
            store.write([kept(2), kept(3, ts=2**70)])
        with pytest.raises(StoreError, match="an id of its own"):
            store.write([kept(4), kept(4, metric="humidity")])
        store.write([kept(2)])
    with StoreReader(path) as reader:
        assert [one.id >> 20 for one in reader.readings_after(0, 10)] == [1, 2]
        assert reader.counts().readings == {"taken": 2, "kept": 2}
        assert [(one.metric, one.count) for one in reader.series()] == [("temperature", 2)]


def test_raw_changes_keeps_what_changed(path, kept):
    """Of a steady value the first is kept; what comes out of order is kept, and what follows it; all are counted."""
    values = [(1, 20.0), (2, 20.0), (3, 20), (4, 21.0), (5, 21.0), (6, 21.0)]
    with Store(path, raw="changes") as store:
        store.write([kept(number, value=value) for number, value in values])
        store.write([kept(7, value=21.0, ts=T0 + 2_500_000_000), kept(8, value=21.0), kept(9, value=21.0), kept(10, value="21.0")])
        store.write([kept(9, value=21.0), kept(10, value="21.0")])
    with StoreReader(path) as reader:
        assert [one.id >> 20 for one in reader.readings_after(0, 100)] == [1, 3, 4, 7, 8, 10]
        assert reader.counts().readings == {"taken": 10, "kept": 6}
        (series,) = reader.series()
        assert (series.count, series.kept, series.value) == (10, 6, "21.0")


def test_raw_none_keeps_the_last_state_only(path, kept):
    """No rows, yet the series knows its last value and how many there were; a replay counts none twice."""
    with Store(path, raw="none") as store:
        store.write([kept(number, value=number) for number in range(1, 6)])
    with Store(path, raw="none") as store:
        store.write([kept(number, value=number) for number in range(3, 8)])
    with StoreReader(path) as reader:
        assert reader.readings_after(0, 100) == []
        (series,) = reader.series()
        assert (series.value, series.count, series.kept) == (7, 7, 0)


def test_what_a_device_reported_last_goes_by_the_journal_and_not_by_its_clock(path, kept):
    """A reading stamped ahead stays the last known state; what came after it is what a command is confirmed by."""
    with Store(path) as store:
        store.write([kept(1, value=1.0, ts=T0 + 900 * 10**9), kept(2, value=2.0, ts=T0)])
    with StoreReader(path) as reader:
        assert reader.series()[0].value == 1.0
        assert reader.reported("t1", "temperature", "") == (2.0, 2 << 20)


def test_retained_readings_only_tell_the_state(path, kept):
    """A retained reading is the last known state until a live one as new comes; it is no history and no count."""
    with Store(path) as store:
        store.write([kept(1, value=1.0, retained=True)])
        with StoreReader(path) as reader:
            (series,) = reader.series()
            assert (series.value, series.retained, series.last_seen, series.count) == (1.0, True, None, 0)
            assert reader.reported("t1", "temperature", "") is None
        store.write([kept(2, value=2.0), kept(3, value=3.0, ts=T0 + 2_000_000_000, retained=True)])
    with StoreReader(path) as reader:
        (series,) = reader.series()
        assert (series.value, series.retained, series.count) == (2.0, False, 1)
        assert reader.reported("t1", "temperature", "") == (2.0, 2 << 20)
        assert len(reader.readings_after(0, 10)) == 1
        assert reader.taken_by_device() == {"t1": 1}


def test_the_last_value_is_the_newest_by_its_own_time(path, kept):
    """A device that sends its backlog does not turn its last value back."""
    with Store(path) as store:
        store.write([kept(5, value=5.0), kept(6, value=1.0, ts=T0)])
    with StoreReader(path) as reader:
        (series,) = reader.series()
        assert (series.value, series.ts, series.last_seen) == (5.0, T0 + 5_000_000_000, T0 + 6_000_000_007)


def test_a_reading_twice_in_one_batch_is_one(path, kept):
    """The same reading twice in a batch is stored and counted once."""
    with Store(path) as store:
        store.write([kept(1), kept(2), kept(1), kept(2)])
    with StoreReader(path) as reader:
        assert [one.id >> 20 for one in reader.history("t1")] == [1, 2]
        assert reader.series()[0].count == 2


def test_devices_are_as_last_learned(path, kept):
    """What is known of a device is the newest; first and last seen span everything; a device known only by readings is listed too."""
    learned = [DeviceLearned("t1", "tasmota", "tele/t1", {}, T0), DeviceLearned("t1", "tasmota", "cmnd/t1", {"room": "attic"}, T0 + 5)]
    with Store(path) as store:
        store.write([*learned, kept(9, device="t2"), kept(9 + 1)])
        store.write(learned[:1])
    with StoreReader(path) as reader:
        first, second = reader.devices()
        assert (first.device, first.base, first.labels, first.first_seen) == ("t1", "cmnd/t1", {"room": "attic"}, T0)
        assert first.last_seen == T0 + 10_000_000_007
        assert (second.device, second.convention, second.base) == ("t2", "plain-json", "")
        assert reader.address("t1") == Address("tasmota", "cmnd/t1")
        assert reader.address("t2") is None


def test_outcomes_are_listed_newest_first(path):
    """Windows, alerts and commands are listed by flow, the newest first, and found by id."""
    with Store(path) as store:
        store.write([window(1), window(2), window(2, 2), window(1, flow="other"), alert(1), alert(1, "cleared"), command(1)])
    with StoreReader(path) as reader:
        assert [one.id for one in reader.windows("climate")] == ["climate/t1/2/2", "climate/t1/2/1", "climate/t1/1/1"]
        assert [one.id for one in reader.windows(newest=1)] == ["other/t1/1/1"]
        assert reader.alerts() == [alert(1, "cleared"), alert(1)]
        assert reader.effect("c1") == command(1)
        assert reader.effect("c2") is None
        counts = reader.counts()
        assert (counts.windows, counts.alerts) == ({"emitted": 3, "revisions": 1}, {"raised": 1, "cleared": 1})
        assert counts.effects == 7


def test_commands_stand_where_their_furthest_fact_says(path):
    """States follow the facts in whatever order these come, and the sums add up."""
    with Store(path) as store:
        store.write([command(number) for number in range(1, 9)])
        store.write([fact(1, "sent"), fact(1, "confirmed", after=5)])
        store.write([fact(2, "failed", 3, after=9), fact(2, "sent", 3, after=8)])
        store.write([fact(3, "sent"), fact(4, "expired"), fact(5, "superseded"), fact(6, "refused")])
        store.write([fact(20, "requested", flow=""), fact(20, "sent", after=2)])
        store.write([command(1), fact(1, "sent")])
    with StoreReader(path) as reader:
        assert {one.id: one.state for one in reader.commands()} == {
            "c1": "confirmed",
            "c2": "failed",
            "c3": "sent",
            "c4": "expired",
            "c5": "superseded",
            "c6": "refused",
            "c7": "requested",
            "c8": "requested",
            "c20": "sent",
        }
        counts = reader.counts().commands
        assert counts["requested"] == 9 == sum(counts.values()) - counts["requested"] - counts["sent"]
        assert (counts["sent"], counts["waiting"], counts["confirmed"]) == (4, 4, 1)
        one = reader.command("c2")
        assert (one.attempt, one.sent, one.settings, one.cause) == (3, True, {"state": "ON"}, "a2")
        assert [one.state for one in reader.facts("c1")] == ["sent", "confirmed"]
        assert [one.id for one in reader.commands("")] == ["c20"]


def test_counters_and_progress_are_as_last_written(path):
    """Counters are absolute and progress is the last one."""
    with Store(path) as store:
        store.write([Counted("flow", "climate", "t1", "late", 3), Progressed(7, 100, T0), Counted("flow", "climate", "t1", "late", 5)])
        store.write([Progressed(8, 120, T0 + 1)])
    with StoreReader(path) as reader:
        assert reader.counters() == [Counted("flow", "climate", "t1", "late", 5)]
        assert reader.progress() == Progressed(8, 120, T0 + 1)


def test_dead_letters_are_bounded_and_all_counted(path, monkeypatch):
    """The newest letters stay, all are counted, and a replay of deleted ones counts none twice."""
    monkeypatch.setattr(dead_letters, "MOST", 20)
    monkeypatch.setattr(dead_letters, "SLACK", 5)
    letters = [DeadLettered(number, "t", b"x" * 10, "bad", "", T0) for number in range(1, 101)]
    for _ in range(2):
        with Store(path) as store:
            for start in range(0, 100, 7):
                store.write(letters[start : start + 7])
    with StoreReader(path) as reader:
        assert reader.counts().dead_letters == 100
        kept = as_died(reader.dead_letters(newest=1_000))
        assert 20 <= len(kept) <= 25
        assert kept == letters[::-1][: len(kept)]


def test_dead_letters_are_bounded_in_bytes(path, monkeypatch):
    """Large payloads do not fill the disk."""
    monkeypatch.setattr(dead_letters, "MOST_BYTES", 10_000)
    with Store(path) as store:
        for number in range(1, 101):
            store.write([DeadLettered(number, "t", b"x" * 1_000, "bad", "", T0)])
    with StoreReader(path) as reader:
        assert reader.counts().dead_letters == 100
        assert sum(len(one.payload) for one in reader.dead_letters(newest=1_000)) <= 10_000


def test_lingering_readings_wait_and_outcomes_do_not(path, kept):
    """With `linger`, readings reach the file together; an alert goes at once and takes them along."""
    with Store(path, linger=3600.0) as store, StoreReader(path) as reader:
        store.write([kept(1)])
        store.write([kept(2)])
        assert reader.counts().readings["taken"] == 0
        store.write([alert(1)])
        assert reader.counts().readings["taken"] == 2
        store.write([kept(3)])
        assert reader.counts().readings["taken"] == 2
        store.sync()
        assert reader.counts().readings["taken"] == 3
        assert reader.synced() == reader.newest().effects == 1


def fail(store):
    """Have a write fail as on a full disk."""
    pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
    store._connection.execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(sqlite3.OperationalError, match="full"):
        store.write([DeadLettered(9 << 20, "t", bytes(100_000), "bad", "", T0)])
    store._connection.execute("PRAGMA max_page_count=1000000")


def test_what_lingers_outlives_a_full_disk(path, kept):
    """A write that fails takes what waited out of the transaction, and the next one takes it along: nothing need be given twice."""
    with Store(path, linger=3600.0) as store, StoreReader(path) as reader:
        store.write([kept(1)])
        fail(store)
        fail(store)
        assert store.owes
        store.write([kept(2)])
        assert reader.counts().readings["taken"] == 0
        store.write([])
        assert reader.counts().readings["taken"] == 2
        assert not store.owes


@pytest.mark.parametrize("settle", [Store.commit, Store.sync, Store.close, lambda store: store.prune(0)])
def test_what_lingers_and_failed_is_settled_with_the_rest(path, kept, settle):
    """Whatever comes next that lets readers see everything, has that among it."""
    store = Store(path, linger=3600.0)
    store.write([kept(1)])
    fail(store)
    settle(store)
    with StoreReader(path) as reader:
        assert reader.counts().readings["taken"] == 1


@pytest.mark.parametrize("raw", ["all", "none"])
def test_sync_that_fails_is_none(path, kept, raw):
    """What was to be settled with it is taken once, however often it fails for want of room."""
    with Store(path, linger=3600.0, raw=raw) as store, StoreReader(path) as reader:
        store.write([kept(number) for number in range(1, 3001)])
        fail(store)
        pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
        for more in (0, 1, 10, 20):
            store._connection.execute(f"PRAGMA max_page_count={pages + more}")
            try:
                store.sync()
            except sqlite3.OperationalError:
                assert store.owes
        store._connection.execute("PRAGMA max_page_count=1000000")
        store.sync()
        assert reader.counts().readings["taken"] == 3000


def test_pruning_leaves_what_is_wanted_and_what_was_counted(path, kept):
    """Old rows go, young and undelivered ones stay, sums stay, and a replay brings nothing back."""
    readings = [kept(number) for number in range(1, 101)]
    outcomes = [command(1), fact(1, "sent"), fact(1, "confirmed"), command(2), *(window(number) for number in range(10))]
    with Store(path) as store:
        store.write([*readings, *outcomes])
        before = T0 + 80 * 1_000_000_000
        assert store.prune(before, Positions(50 << 20, 3)) == 50 + 3 + 1  # the last is the ended command's own row
        assert store.prune(before, Positions(50 << 20, 3)) == 0
        assert store.prune(before, most=10) == 10
        assert store.prune(before) == 19 + 1  # no window came before then
        assert store.prune(T0 + 100 * MINUTE) == 21 + 10
        store.write([*readings[:30], *readings])
    with StoreReader(path) as reader:
        assert reader.readings_after(0, 1000) == []
        assert reader.history("t1") == []
        counts = reader.counts()
        assert counts.readings == {"taken": 100, "kept": 100}
        assert (counts.windows["emitted"], counts.effects) == (10, 14)
        assert (counts.commands["requested"], counts.commands["confirmed"], counts.commands["sent"], counts.commands["waiting"]) == (
            2,
            1,
            1,
            1,
        )
        assert reader.size().points == 0
        assert reader.newest() == Positions(100 << 20, 14)
        assert [one.id for one in reader.commands()] == ["c2"]


def test_pruning_survives_clocks_that_jump(path, kept):
    """Neither a clock that starts in 1970 makes the rows before it old, nor does one that was ahead hold up the rows after it."""
    early, ahead = 86_400 * 10**9, T0 + 10**18
    received = [T0 + 1, T0 + 2, early, T0 + 4, ahead, T0 + 6, T0 + 7]
    with Store(path) as store:
        store.write([kept(number, received=at) for number, at in enumerate(received, start=1)])
        assert store.prune(T0) == 0
        assert store.prune(T0 + 2) == 1
        assert store.prune(T0 + 5) == 3
        assert store.prune(T0 + 7) == 2


def test_what_came_before_the_clock_was_set_is_not_old(path, kept):
    """While nothing has come since, nobody knows when it came; then it is as old as what came next."""
    early = 86_400 * 10**9
    with Store(path) as store:
        store.write([kept(1, received=early), kept(2, received=early + 1), msgspec.structs.replace(window(1), at=early)])
        assert store.prune(T0) == 0
        store.write([kept(3, received=T0 + 5), msgspec.structs.replace(window(2), at=T0 + 5)])
        assert store.prune(T0 + 5) == 0
        assert store.prune(T0 + 6) == 5


def test_a_seq_is_never_given_out_twice(path):
    """After everything was pruned, the next outcome lies above every cursor."""
    with Store(path) as store:
        store.write([window(1), window(2)])
        store.prune(T0 + 100 * MINUTE)
        store.write([window(3)])
    with StoreReader(path) as reader:
        assert [seq for seq, _ in reader.effects_after(2, 10)] == [3]


def test_commands_are_found_behind_any_number_of_windows(path):
    """What lies between two commands is passed over at once, and so is what comes behind the last."""
    with Store(path) as store:
        store.write([window(n) for n in range(1, 2001)] + [command(1)] + [window(n) for n in range(2001, 2101)])
        with StoreReader(path) as reader:
            assert reader.requests_after(0, 10) == ([command(1)], 2101)
            assert reader.requests_after(2101, 10) == ([], 2101)
            store.write([command(2), command(3), window(3000)])
            assert reader.requests_after(2101, 1) == ([command(2)], 2102)
            assert reader.requests_after(2102, 10) == ([command(3)], 2104)


def test_what_no_destination_took_is_not_pruned(tmp_path):
    """The slowest cursor counts, and one without a file has taken nothing."""
    assert delivered(tmp_path, []) == Positions.everything()
    assert delivered(tmp_path, ["influxdb"]) == Positions(0, 0)
    connection = sqlite3.connect(tmp_path / "mqtt.db")
    connection.execute("CREATE TABLE cursors(stream TEXT, position INTEGER)")
    connection.execute("INSERT INTO cursors VALUES('effects', 9)")
    connection.commit()
    connection.close()
    assert delivered(tmp_path, ["mqtt"]) == Positions(Positions.everything().readings, 9)


def test_a_file_that_is_no_store_is_said_to_be_none(path, tmp_path):
    """Absent, damaged, another program's and a newer program's file each get a sentence that names them."""
    with pytest.raises(StoreError, match=r"store\.db: there is none yet"):
        StoreReader(path)
    path.write_bytes(b"not a database at all, but long enough to be looked at" * 100)
    for opening in (Store, StoreReader):
        with pytest.raises(StoreError, match=r"store\.db: cannot be .*: file is not a database"):
            opening(path)
    other = tmp_path / "other.db"
    connection = sqlite3.connect(other)
    connection.execute("CREATE TABLE mine(x)")
    connection.commit()
    for opening in (Store, StoreReader):
        with pytest.raises(StoreError, match="another program's"):
            opening(other)
    connection.close()
    newer = tmp_path / "newer.db"
    Store(newer).close()
    connection = sqlite3.connect(newer)
    connection.execute("PRAGMA user_version=99")
    connection.close()
    for opening in (Store, StoreReader):
        with pytest.raises(StoreError, match="got schema 99"):
            opening(newer)


def test_a_store_of_schema_2_is_brought_up_to_date(path, kept, as_schema_3):
    """Its ledger can begin anew from then on, and everything that it had, a row for each reading, is there."""
    said = [kept(1), kept(2, value=True), kept(3, value="on", raw_value="ON"), kept(4, value=2**70, unit=None, raw_unit=None, sequence=7)]
    with Store(path) as store:
        store.write(said)
    with StoreReader(path) as reader:
        before = reader.history("t1")
    as_schema_3(path)
    old = sqlite3.connect(path)
    old.executescript("ALTER TABLE series DROP COLUMN before; PRAGMA user_version=2;")
    old.close()
    with pytest.raises(StoreError, match="got schema 2: the next `sluice up` brings it up to date"):
        StoreReader(path)
    with Store(path) as store:
        store.begin_at(3, 2, T0)
        store.write([said[2], said[3], kept(5), *(Progressed(row, row, T0) for row in (3, 4, 5))])
    with StoreReader(path) as reader:
        assert reader.history("t1")[:4] == before
        assert (len(reader.history("t1")), [one.count for one in reader.series()], reader.taken_by_device()) == (5, [5], {"t1": 3})
