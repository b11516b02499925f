"""The dataflow on Bytewax: whatever it batches, and wherever it snapshots, effects stand in the store in the order of the journal."""

import json
import random
import textwrap
import threading
from datetime import timedelta
from functools import partial

import pytest
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.testing import cluster_main

from flows.backtest import replay
from flows.exchange.shard_logic import OpeningLogic
from flows.exchange.sink import OpeningSink
from flows.exchange.source import SendingSource
from flows.exchange.witness import Witness
from flows.graph import ShardLogic, build
from flows.journal_source import JournalSource
from flows.normaliser import Normaliser
from flows.row_order import RowOrder, RowPart
from flows.shard import Shard
from flows.snapshot_room import SnapshotRoom
from flows.spec import read_flow
from flows.store_sink import StoreSink, Upkeep
from gateway.journal.bell import Bell
from gateway.journal.reader import JournalReader
from gateway.journal.row import Entry, Kind, Row, pack
from gateway.journal.segment import Segment, segment_path
from gateway.store.effects import AlertChanged, CommandRequested, WindowClosed
from gateway.store.reader import StoreReader
from gateway.store.retention import Retention
from gateway.store.shedding import Shedding
from gateway.store.store import Store

S = 1_000_000_000
T0 = 1_700_000_000 * S
ROWS = 300

FLOW = """
    name: climate
    select: {metrics: [temperature]}
    group: [device]
    window: {kind: tumbling, length: 5s, lateness: 1s}
    aggregate: {warm: mean(temperature)}
    trigger: {when: warm > 21.0, clear: warm < 20.0}
    do:
      - command: {device: "fan-{device}", set: {state: "ON"}}
        on_clear: {set: {state: "OFF"}}
    """


@pytest.fixture(scope="module")
def flow(tmp_path_factory):
    root = tmp_path_factory.mktemp("config")
    (root / "climate.yaml").write_text(textwrap.dedent(FLOW))
    flow, findings = read_flow(root / "climate.yaml", root=root)
    assert findings == []
    return flow


@pytest.fixture(scope="module")
def journal(tmp_path_factory):
    """A journal of five minutes: a dozen devices, some of them late, and a tick now and then."""
    chance = random.Random(7)
    directory = tmp_path_factory.mktemp("journal") / "0"
    directory.mkdir()
    segment, total = Segment(segment_path(directory, 1), write="batched"), 0
    for number in range(ROWS):
        at, count = T0 + number * S // 2 + number, chance.choice((0, 1, 2, 8, 40))
        said = [(f"t{chance.randrange(12)}", (at - chance.choice((0, 0, 0, 9 * S))) // 1_000_000) for _ in range(count)]
        entries = [
            Entry(f"home/{device}", json.dumps({"temperature": chance.uniform(18, 24), "timestamp": ms}).encode()) for device, ms in said
        ]
        total += count
        kind, body = (Kind.MESSAGES, pack(entries)) if count else (Kind.TICK, b"")
        segment.append(Row(number + 1, kind, at, at, 1, 1, True, count, total, body))
    segment.close()
    return directory


def outcomes(effects):
    return [effect for effect in effects if isinstance(effect, WindowClosed | AlertChanged | CommandRequested)]


@pytest.mark.parametrize(
    ("workers", "epoch", "apart"),
    [
        (1, timedelta(0), False),
        (2, timedelta(0), False),
        (1, timedelta(seconds=30), False),
        (2, timedelta(milliseconds=3), False),
        (2, timedelta(milliseconds=3), True),
    ],
)
def test_effects_stand_in_the_order_of_the_journal(workers, epoch, apart, flow, journal, tmp_path, monkeypatch):
    """One worker or two, a snapshot at every batch or at the end: the store holds what a plain replay gives, in its order."""
    store, recovery, stopping = Store(tmp_path / "store.db"), tmp_path / "recovery", threading.Event()
    recovery.mkdir()
    init_db_dir(recovery, 1)
    monkeypatch.setattr("flows.journal_source._CATCH_UP", 60.0)
    stopping.set()  # it reads what there is, flushes its counters and ends
    bells = Bell(tmp_path / "journal.bell"), Bell(tmp_path / "store.bell")
    upkeep = Upkeep(
        Retention(1 << 60, tmp_path / "delivery", []),
        Shedding(tmp_path, [], max_size=None, reserve=0),
        SnapshotRoom(recovery),
        lambda: False,
    )
    source = JournalSource(
        journal, bells[0], lambda snapshot: Normaliser([flow], [], snapshot=snapshot), stopping=stopping, switching=threading.Event()
    )
    shard, sink, witness = partial(Shard, [flow]), StoreSink(lambda: store, bells[1], upkeep), Witness()
    if apart:
        graph = build(SendingSource(source, witness), OpeningLogic.of(shard, witness), OpeningSink(sink, witness))
    else:
        graph = build(source, ShardLogic.of(shard), sink)
    cluster_main(graph, [], 0, epoch_interval=epoch, recovery_config=RecoveryConfig(recovery), worker_count_per_proc=workers)
    reader = JournalReader(journal)
    expected = outcomes(replay([flow], Normaliser([flow], []), reader.read(ROWS)))
    reader.close()
    with StoreReader(tmp_path / "store.db") as kept:
        assert [effect for _, effect in kept.effects_after(0, 1 << 30)] == expected
        assert kept.progress().offset == ROWS
    for bell in bells:
        bell.close()
    assert {type(effect) for effect in expected} == {WindowClosed, AlertChanged, CommandRequested}
    assert max(effect.revision for effect in expected if isinstance(effect, WindowClosed)) > 1


def test_row_order_gives_the_same_whatever_comes_first():
    """The source's parts are in order; the shards' may come at any time: what is given never depends on it."""
    rows = [RowPart(n, [f"{n}s"], shards=sorted(random.Random(n).sample(range(16), n % 5))) for n in range(40)]
    expected = [effect for row in rows for effect in (*row.effects, *(f"{row.offset}/{shard}" for shard in row.shards))]
    for seed in range(50):
        chance, order, given = random.Random(seed), RowOrder(), []
        streams = [rows, *([RowPart(r.offset, [f"{r.offset}/{n}"], n) for r in rows if n in r.shards] for n in range(16))]
        streams = [list(stream) for stream in streams if stream]
        while streams:
            stream = chance.choice(streams)
            order.put(stream.pop(0))
            given += order.whole()
            streams = [stream for stream in streams if stream]
        order.check_empty()
        assert given == expected


def test_row_order_holds_nothing_over_a_snapshot():
    """A row that is not whole at a snapshot would be lost with a crash after it: that must not pass."""
    order = RowOrder()
    order.put(RowPart(5, [], shards=[2, 3]))
    order.put(RowPart(5, [], shard=3))
    with pytest.raises(RuntimeError, match=r"row 5: must be whole at a snapshot; got no part of shards \[2\]"):
        order.check_empty()
