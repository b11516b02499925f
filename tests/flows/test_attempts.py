"""Messages that end the process: found after a few deaths, set aside with the reason, and all others are read as if they had not been there."""

import json
import os
import subprocess
import sys
import textwrap
import threading
from datetime import UTC, datetime

import pytest

from devices import payloads
from flows.attempts import BLAMED_AFTER, CLOSE_AFTER, Attempts
from flows.flow_shard import FlowShard
from flows.journal_source import JournalSource
from flows.normaliser import STORE, Normaliser, shard_key
from flows.pace import Pace
from flows.poison import WHOLE, Poison
from flows.row_order import RowOrder, RowPart
from flows.shard import Shard
from flows.spec import read_flow
from gateway.journal.bell import Bell
from gateway.journal.journal import Journal
from gateway.journal.row import Entry
from gateway.ledger import balance
from gateway.status import read_books
from gateway.store.effects import SHARDS
from gateway.store.reader import StoreReader
from gateway.store.store import Store

FLOW = """
    name: climate
    select: {metrics: [temperature]}
    group: [device]
    window: {kind: tumbling, length: 5s}
    aggregate: {warm: mean(temperature)}
    """
ROWS, EACH = 60, 4
DEADLY = 66.5


class DeathError(BaseException):
    """Stands for the end of the process: nothing after it is done."""


def journal(data, deadly):
    """A journal of some rows with a few messages each; `deadly` are the row and the place of a message that kills."""
    bell = Bell(data / "bell")
    made = Journal(data / "journal" / "0", bell, keep=1 << 60, max_size=1 << 60)
    for offset in range(1, ROWS + 1):
        values = [DEADLY if (offset, place) in deadly else 20.0 + place for place in range(EACH)]
        made.append_messages([Entry(f"home/t{place}", json.dumps({"temperature": value}).encode()) for place, value in enumerate(values)])
    made.close()
    return bell


def source(data, bell, flow, **how):
    """The source of a flows process on this folder, with what earlier ones have noted there."""
    poison, never = Poison(data), threading.Event()
    return JournalSource(
        data / "journal" / "0",
        bell,
        lambda snapshot: Normaliser([flow], [], snapshot=snapshot, poison=poison),
        stopping=never,
        switching=never,
        attempts=Attempts(data, poison),
        **how,
    ).build_part("", "0", None)


def live(data, bell, flow):
    """Do what a flows process does, from the beginning, until it has read everything or dies; tell whether it lives."""
    part, shards, order = source(data, bell, flow), {shard_key(n): Shard([flow]) for n in range(SHARDS)}, RowOrder()
    with Store(data / "store.db") as store, StoreReader(data / "store.db") as reader:
        while (progress := reader.progress()) is None or progress.offset < ROWS or not order_is_empty(order):
            try:
                for key, item in part.next_batch():
                    order.put(item if key == STORE else RowPart(item.offset, shards[key].step(item), item.shard))
                store.write(list(order.whole()))
            except DeathError:
                part.close()
                return False
        part.close()
    return True


def order_is_empty(order):
    order.check_empty()
    return True


@pytest.fixture
def flow(tmp_path):
    (tmp_path / "climate.yaml").write_text(textwrap.dedent(FLOW))
    flow, findings = read_flow(tmp_path / "climate.yaml", root=tmp_path)
    assert not findings
    return flow


def lives(data, bell, flow, most=20):
    for number in range(most):
        if live(data, bell, flow):
            return number
    raise AssertionError("it never gets past the message")


def letters(data):
    with StoreReader(data / "store.db") as reader:
        return [(one.id >> 20, one.topic, one.reason) for one in reader.dead_letters()]


def test_message_that_kills_in_a_shard_is_found_and_set_aside(tmp_path, flow, monkeypatch):
    """It is blamed by the reading that was under way; every other message is read, and the ledger balances."""
    take = FlowShard.take

    def deadly(self, group, reading, row):
        if reading.value == DEADLY:
            raise DeathError
        return take(self, group, reading, row)

    monkeypatch.setattr(FlowShard, "take", deadly)
    bell = journal(tmp_path, {(33, 2)})
    assert lives(tmp_path, bell, flow) == CLOSE_AFTER + BLAMED_AFTER
    assert letters(tmp_path) == [(33, "home/t2", f"it ended the flows process {CLOSE_AFTER + BLAMED_AFTER} times in a row")]
    books = read_books(tmp_path, at_rest=False)
    assert balance(books).messages["normalised"] == ROWS * EACH - 1
    assert sum(books.stored.values()) == ROWS * EACH - 1
    bell.close()


def test_row_that_kills_with_none_of_its_messages_under_way_is_set_aside(tmp_path, flow, monkeypatch):
    """Where nothing says which message it is, all of the row are set aside, and counted."""
    finish = FlowShard.finish_row

    def deadly(self, row):
        if row.offset == 20 and row.items:
            raise DeathError
        return finish(self, row)

    monkeypatch.setattr(FlowShard, "finish_row", deadly)
    bell = journal(tmp_path, set())
    assert lives(tmp_path, bell, flow) == CLOSE_AFTER + BLAMED_AFTER
    ledger = balance(read_books(tmp_path, at_rest=False))
    assert (ledger.messages["set_aside"], ledger.messages["normalised"]) == (EACH, (ROWS - 1) * EACH)
    assert ledger.balanced
    assert Poison(tmp_path).of(20).keys() == {WHOLE}
    bell.close()


def test_deaths_at_different_places_blame_nobody(tmp_path):
    """Whoever kills the process from outside kills it somewhere else each time: nothing is read one by one, and nothing set aside."""
    for row in range(100, 2000, 100):
        attempts = Attempts(tmp_path, Poison(tmp_path))
        attempts.begin(50)
        assert attempts.most(50, 16) == 16
        attempts.take(row, row + 15, alone=False)
    attempts.end()
    assert not (tmp_path / "poison.json").exists()


def test_stop_is_no_death(tmp_path):
    """After a stop, or a switch of the config, the count begins anew."""
    for _ in range(6):
        attempts = Attempts(tmp_path, Poison(tmp_path))
        attempts.begin(1)
        assert attempts.most(1, 16) == 16
        attempts.take(2, 3, alone=False)
        attempts.end()


def test_notes_that_cannot_be_read_are_nothing(tmp_path):
    """Garbage in the notes, or in the list of poison, stops nothing."""
    (tmp_path / "flows.attempts").write_bytes(b"\xff" * 200)
    (tmp_path / "poison.json").write_bytes(b"[[1, 2], {")
    attempts = Attempts(tmp_path, Poison(tmp_path))
    attempts.begin(5)
    assert attempts.most(5, 16) == 16


BUG = """
    import os
    import devices.payloads as payloads

    read = payloads.read

    def deadly(payload):
        if b"66.5" in payload:
            os._exit(137)
        return read(payload)

    payloads.read = deadly
    """


def test_process_that_dies_of_a_payload_gets_past_it(tmp_path, flow, monkeypatch):
    """The real process, with a decoder that ends it: after the lives that the notes tell of, it sets that message aside by itself."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(textwrap.dedent(BUG))
    config, data = tmp_path / "config", tmp_path / "data"
    (config / "flows").mkdir(parents=True)
    (config / "flows" / "climate.yaml").write_text(textwrap.dedent(FLOW))
    data.mkdir()
    bell = journal(data, {(33, 2)})
    with monkeypatch.context() as patch:
        read = payloads.read
        patch.setattr(payloads, "read", lambda payload: die() if b"66.5" in payload else read(payload))
        assert not any(live(data, bell, flow) for _ in range(CLOSE_AFTER + BLAMED_AFTER - 1))
    bell.close()
    command = [sys.executable, "-m", "flows.run", "--config", str(config), "--data", str(data)]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    assert subprocess.run(command, env=environment, timeout=30, check=False, stderr=subprocess.DEVNULL).returncode == 137
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    try:
        wait_until_read(data, process)
    finally:
        process.terminate()
        assert process.wait(10) == 0
    assert [(offset, topic) for offset, topic, _ in letters(data)] == [(33, "home/t2")]
    assert balance(read_books(data, at_rest=True)).balanced


def die():
    raise DeathError


def wait_until_read(data, process):
    bell = Bell(data / "store.bell")
    while True:
        with StoreReader(data / "store.db") as reader:
            if (progress := reader.progress()) and progress.offset == ROWS:
                return bell.close()
        assert process.poll() is None
        bell.wait(0.05)


def test_source_is_due_whatever_the_clock_shows(tmp_path, flow):
    """A clock that is set back by an hour, between two turns of the source, must not have Bytewax wait for that hour."""
    bell = journal(tmp_path, set())
    part = source(tmp_path, bell, flow)
    part.next_batch()
    assert part.next_awake() == datetime.fromtimestamp(0, UTC)
    part.close()
    bell.close()


def test_nothing_waits_in_the_sink_where_the_process_died(tmp_path, flow, monkeypatch):
    """Else a death in the store would be noted at rows far behind the one that it is of; behind them rows wait again."""
    monkeypatch.setattr("flows.journal_source._ROWS", 4)
    bell, pace = journal(tmp_path, set()), Pace()
    attempts = Attempts(tmp_path, Poison(tmp_path))
    attempts.begin(0)
    attempts.take(5, 8, alone=False)
    part = source(tmp_path, bell, flow, pace=pace)
    behind = [part.next_batch() and pace.behind for _ in range(4)]
    assert behind == [False, False, True, True]
    part.close()
    bell.close()
