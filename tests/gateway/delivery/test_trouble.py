"""What a person or a machine breaks under a delivery to InfluxDB: the token, the server between, the line, the disk, the process."""

from __future__ import annotations

import asyncio
import gc
import signal
import sqlite3
import subprocess
import sys
import tracemalloc
import weakref

import pytest

from gateway.delivery import delivery as delivery_module
from gateway.delivery.backoff import Backoff
from gateway.delivery.cursor import Cursor
from gateway.delivery.state import read_state
from gateway.delivery.thread import Worker
from gateway.store.reader import StoreReader

PATIENT = Backoff(first=0.01, cap=0.1, slow=10_000.0)
"""Comes back by itself only long after the test has ended."""

ALONE = """
import asyncio, sys
from pathlib import Path
from gateway.delivery.delivery import Delivery
from gateway.delivery.influx import Influx, InfluxTarget
from gateway.delivery.label_tags import LabelTags

url, token, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
cursor = folder / "delivery" / "influxdb.db"
target = InfluxTarget(url, "home", "sluice", lambda: token)
influx = Influx(target, site="greenhouse", tags=LabelTags([], 1), cursor=cursor, batch=50)
asyncio.run(Delivery(influx, store=folder / "store.db", cursor=cursor).run())
"""


@pytest.fixture
def alarmed(so):
    """Wait until a delivery needs help; gives its state."""

    async def wait(delivery):
        async def state():
            now = await delivery.state()
            return now if now and now.alarm else None

        return await so(state)

    return wait


@pytest.mark.parametrize("before", ["old", None, "tökén"])
def test_a_token_file_that_was_put_right_is_used_at_once(influx, store, make, tmp_path, to_influx, running, drained, alarmed, before):
    """A token that is not accepted, not there or not ASCII is a state with an alarm; the next content of the file is tried within a look."""
    file = tmp_path / "token"
    if before:
        file.write_text(before)
    store.write([make.reading(number) for number in range(1, 101)])

    async def deliver():
        async with running(to_influx(token=lambda: file.read_text("utf-8").strip()), backoff=PATIENT) as delivery:
            state = await alarmed(delivery)
            assert ("401" if before == "old" else "token_file") in state.error
            assert "tökén" not in state.error
            assert (state.pending, state.dead) == (100, 0)
            file.write_text(influx.token)
            return await drained(delivery)

    state = asyncio.run(deliver())
    assert (len(influx.points), state.delivered, state.alarm, state.error) == (100, 100, False, "")


def test_an_answer_that_is_no_influxdbs_delivers_nothing(influx, store, make, to_influx, running, drained, alarmed):
    """A login page answers 200 to anything: rows stay until something answers as InfluxDB does."""
    influx.faults = [(200, {})]
    store.write([make.reading(1)])

    async def deliver():
        async with running(to_influx(), backoff=Backoff(slow=0.5)) as delivery:
            state = await alarmed(delivery)
            assert (state.pending, "204; got 200" in state.error) == (1, True)
            return await drained(delivery)

    assert asyncio.run(deliver()).delivered == 1
    assert len(influx.points) == 1


def test_a_slow_server_gets_fewer_rows_at_a_time(influx, store, make, to_influx, running, drained):
    """Each time-out halves the batch, each quick answer doubles it again, up to what was configured."""
    influx.faults = ["hang", "hang", "hang"]
    store.write([make.reading(number) for number in range(1, 1_001)])

    async def deliver():
        async with running(to_influx(batch=400, connect_timeout=0.1, timeout=0.2)) as delivery:
            return await drained(delivery)

    assert asyncio.run(deliver()).delivered == 1_000
    sizes = [lines for _, status, lines in influx.requests if status == 204]
    assert sizes[0] == 50
    assert max(sizes) <= 400
    assert sum(sizes) == 1_000


class Weighed:
    """A backoff of no time at all, which notes how many bytes Python holds after each failure."""

    def __init__(self):
        self.held = []

    def delay(self, _failures, _failure):
        self.held.append(tracemalloc.get_traced_memory()[0])
        return 0.0


@pytest.fixture
def weighed():
    """Weigh what Python holds while it does not search for cycles: in a gateway it passes over those that are older than some seconds."""
    gc.collect()
    gc.disable()
    tracemalloc.start()
    yield Weighed()
    tracemalloc.stop()
    gc.enable()


@pytest.mark.parametrize("there", [False, True])
def test_an_outage_costs_no_memory_however_often_it_is_tried(influx, store, make, to_influx, running, so, weighed, there):
    """Each try that fails lets go of its rows, of which a thousand hold half a megabyte and more, and so does what it failed of."""
    store.write([make.reading(number) for number in range(1, 5_001)])
    influx.faults = [(503, {})] * 1_000
    if not there:
        influx.stop()

    async def fail():
        async with running(to_influx(batch=1_000), backoff=weighed):
            await so(lambda: len(weighed.held) >= 24)

    asyncio.run(fail())
    assert weighed.held[23] - weighed.held[3] < 3_000_000


def test_a_thread_that_waits_holds_nothing_of_what_it_did(so):
    """What was called, with all that it was called for, is gone before the next call comes."""

    class Rows(list):
        pass

    async def call():
        worker = Worker("test")
        rows = Rows()
        seen = weakref.ref(rows)
        await worker.run(lambda rows=rows: len(rows))
        del rows
        await so(lambda: seen() is None)
        worker.close()

    asyncio.run(call())


class SmallDisk(Cursor):
    """A cursor whose file may not grow while `full`: SQLite's own error for that is a full disk's."""

    full = True
    tries = 0

    def advance(self, *args, **further):
        SmallDisk.tries += 1
        pages = self._connection.execute("PRAGMA page_count").fetchone()[0] if SmallDisk.full else 2**30
        self._connection.execute(f"PRAGMA max_page_count = {pages}")
        super().advance(*args, **further)


def test_a_full_disk_makes_delivery_wait_and_nothing_else(influx, store, make, to_influx, running, drained, so, monkeypatch):
    """While the cursor cannot be moved nothing is passed over or sent again; with room on the disk delivery goes on by itself."""
    monkeypatch.setattr(delivery_module, "Cursor", SmallDisk)
    monkeypatch.setattr(delivery_module, "DISK", 0.02)
    bad = {"metric": "power", "value": float("nan"), "raw_value": "x" * 60_000}  # refused: the cursor file has to grow
    store.write([make.reading(number, **(bad if number == 7 else {})) for number in range(1, 101)])

    async def deliver():
        async with running(to_influx(batch=10)) as delivery:
            await so(lambda: SmallDisk.tries > 3)
            assert (await delivery.state()).delivered == 0
            assert len(influx.requests) == 1
            SmallDisk.full = False
            return await drained(delivery)

    state = asyncio.run(deliver())
    assert (state.delivered, state.dead, len(influx.points)) == (99, 1, 99)
    assert len(influx.arrived) == 99


def test_a_killed_gateway_sends_at_most_a_batch_again(influx, store, make, running, to_influx, drained, until):
    """Killed three times in the middle of a backlog: no row is missing, and each time at most one batch came twice."""
    rows = 6_000
    store.write([make.reading(number) for number in range(1, rows + 1)])
    words = [sys.executable, "-c", ALONE, influx.url, influx.token, str(store.path.parent)]
    for _ in range(3):
        before = len(influx.points)
        process = subprocess.Popen(words)
        until(lambda before=before: len(influx.points) > before + 200)
        process.send_signal(signal.SIGKILL)
        process.wait()

    async def deliver():
        async with running(to_influx(batch=50)) as delivery:
            return await drained(delivery)

    assert asyncio.run(deliver()).delivered == rows
    assert len(influx.points) == rows
    assert len(influx.arrived) <= rows + 3 * 50


def test_labels_that_explode_stop_being_tags(influx, store, make, to_influx, running, so, drained):
    """The label with too many values is dropped at the same reading for good: after lost answers and restarts no point is there twice."""
    store.write(
        [make.reading(number, device=f"d{number}", labels={"session": f"s{number}", "room": f"r{number % 3}"}) for number in range(1, 201)]
    )

    async def deliver(enough, faults):
        influx.faults = faults
        async with running(to_influx(labels=["session", "room"], most=100, batch=30)) as delivery:
            await so(lambda: len(influx.points) >= enough)
            return await drained(delivery) if enough == 200 else None

    for enough in (50, 110, 200):
        state = asyncio.run(deliver(enough, ["cut"]))
    assert len(influx.points) == 200
    tags = {dict(tags)["device"]: dict(tags) for _, tags, _ in influx.points}
    assert all(tags[f"d{number}"].get("session") == (f"s{number}" if number <= 100 else None) for number in range(1, 201))
    assert all(tags[f"d{number}"]["room"] == f"r{number % 3}" for number in range(1, 201))
    said = "influxdb.tags: label 'session' has had more than 100 values: it is no longer written as a tag"
    assert state.findings == [f"{said}; take it out of influxdb.tags, or raise influxdb.tag_values"]


def test_a_label_is_a_tag_again_where_more_values_are_allowed(influx, store, make, to_influx, running, drained):
    """Raising the limit, or no longer asking for the label, takes the finding away."""
    store.write([make.reading(number, device=f"d{number}", labels={"session": f"s{number}"}) for number in range(1, 11)])

    async def deliver(labels, most):
        async with running(to_influx(labels=labels, most=most)) as delivery:
            return await drained(delivery)

    assert asyncio.run(deliver(["session"], 5)).findings
    store.write([make.reading(number, device=f"d{number}", labels={"session": f"s{number}"}) for number in range(11, 13)])
    assert asyncio.run(deliver(["session"], 8)).findings == []
    assert [dict(tags).get("session") for _, tags, _ in sorted(influx.points, key=lambda one: one[2])][-2:] == ["s11", "s12"]
    store.write([make.reading(number, device=f"d{number}", labels={"session": f"s{number}"}) for number in range(13, 16)])
    assert asyncio.run(deliver(["session"], 8)).findings
    store.write([make.reading(16)])
    assert asyncio.run(deliver([], 8)).findings == []


def test_a_cursor_of_the_version_before_is_taken_on(store, make, tmp_path):
    """A cursor file of schema 1 is read as it is, and has the new tables once it was opened."""
    store.write([make.reading(number) for number in range(1, 11)])
    path = tmp_path / "influxdb.db"
    Cursor(path).close()
    with sqlite3.connect(path) as old:
        old.executescript("DROP TABLE tag_values; DROP TABLE tag_stops; PRAGMA user_version = 1")
        old.execute("INSERT INTO cursors VALUES('readings', ?, '', 0, 4, 0, 0)", (4 << 20,))
    old.close()
    with StoreReader(store.path) as reader:
        assert read_state("influxdb", path, reader, now=0).findings == []
        cursor = Cursor(path)
        cursor.align(reader, ["effects", "readings"], backfill=True)
        assert cursor.position("readings") == 4 << 20
        cursor.close()
        state = read_state("influxdb", path, reader, now=0)
    assert (state.delivered, state.pending, state.findings) == (4, 6, [])
