"""Urgent rows are taken before those that wait in front of them; in the end the store holds what it would have held in their order."""

import json
import textwrap
import threading
from contextlib import closing

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.journal_source import JournalSource
from flows.normaliser import STORE, Normaliser
from flows.row_order import RowOrder, RowPart
from flows.shard import Shard
from flows.spec import read_flow
from gateway.journal.bell import Bell
from gateway.journal.journal import Journal
from gateway.journal.row import Entry
from gateway.journal.urgent import UrgentNotes, UrgentReader
from gateway.store.effects import SHARDS, AlertChanged, Counted, Progressed, ReadingKept, WindowClosed

FLOWS = {
    "smoke": """
        name: smoke-alarm
        select: {metrics: [smoke]}
        group: [device]
        window: none
        trigger: {when: value > 0.5, clear: value < 0.5}
        do: [{alert: smoke}]
        """,
    "mean": """
        name: mean
        select: {metrics: [temperature]}
        group: []
        window: {kind: count, length: 10}
        aggregate: {mean: mean(temperature)}
        """,
}


@pytest.fixture(scope="module")
def flows(tmp_path_factory):
    root = tmp_path_factory.mktemp("config")
    read = []
    for name, text in FLOWS.items():
        (root / f"{name}.yaml").write_text(textwrap.dedent(text))
        flow, findings = read_flow(root / f"{name}.yaml", root=root)
        assert findings == []
        read.append(flow)
    return read


class Stream:
    """The source and the shards on a journal, without Bytewax."""

    def __init__(self, flows, directory):
        self.flows, self.directory = flows, directory
        self.bell = Bell(directory / "test.bell")
        self.order, self.effects = RowOrder(), []
        self.shards = [Shard(flows) for _ in range(SHARDS)]
        self.begin(None)

    def begin(self, snapshot):
        kept = [shard.snapshot() for shard in self.shards]
        self.shards = [Shard(self.flows, one) for one in kept]
        source = JournalSource(
            self.directory,
            self.bell,
            lambda state: Normaliser(self.flows, [], snapshot=state),
            stopping=threading.Event(),
            switching=threading.Event(),
        )
        self.partition = source.build_part("journal", "0", snapshot)

    def turn(self):
        """Take one batch; give whether there was any."""
        items = self.partition.next_batch()
        for key, one in items:
            if key == STORE:
                self.order.put(one)
            else:
                self.order.put(RowPart(one.offset, self.shards[one.shard].step(one), one.shard))
        self.effects += self.order.whole()
        return bool(items)

    def close(self):
        self.partition.close()
        self.bell.close()


def fill(directory, rows):
    """Write a journal: of each row its messages, and whether it is urgent."""
    with closing(Bell(directory.parent / "journal.bell")) as bell:
        journal = Journal(directory, bell, durability="batched", keep=1 << 60, max_size=1 << 60)
        journal.connected(session_present=False)
        journal.live = True
        for urgent, entries in rows:
            journal.append_messages(entries, urgent=urgent)
        journal.close()


def said(device, **values):
    return Entry(f"home/{device}", json.dumps(values).encode())


def run(flows, directory, *, resume_every=0):
    stream = Stream(flows, directory)
    turn = 0
    while stream.turn():
        turn += 1
        if resume_every and turn % resume_every == 0:
            state = stream.partition.snapshot()
            stream.partition.close()
            stream.begin(state)
    stream.close()
    return stream.effects


def of(kind, effects):
    return [one for one in effects if isinstance(one, kind)]


def sums(effects):
    return {(one.stage, one.scope, one.device, one.term): one.value for one in of(Counted, effects)}


def test_an_alarm_is_decided_before_what_waits(flows, tmp_path):
    """A hundred rows wait; the alarm behind them is decided after a batch, and its reading stands in its place in the journal's order."""
    rows = [(False, [said(f"t{n % 7}", temperature=n + i / 10) for i in range(8)]) for n in range(100)]
    fill(tmp_path / "0", [*rows, (True, [said("hall", smoke=1.0)]), *rows[:3]])
    effects = run(flows, tmp_path / "0")
    alert = next(place for place, one in enumerate(effects) if isinstance(one, AlertChanged))
    taken = of(ReadingKept, effects)
    assert len(of(ReadingKept, effects[:alert])) == 16 * 8 - 8  # one row of the first batch was the connection's tick
    assert [one.id for one in taken] == sorted(one.id for one in taken)
    assert len(taken) == len({one.id for one in taken}) == 103 * 8 + 1


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.integers(1, 3), st.integers(0, 3)), min_size=30, max_size=60),
    st.sampled_from([0, 1, 3]),
)
def test_the_end_is_the_same_as_in_order(flows, tmp_path_factory, rows, resume_every):
    """Readings, windows, decisions and counters are those of a journal in which nothing is urgent, wherever the source is resumed."""
    root = tmp_path_factory.mktemp("journals")
    written = []
    for n, (urgent, count, device) in enumerate(rows):
        what = {"smoke": float(n % 2)} if urgent else {"temperature": float(n)}
        written.append((urgent, [said(f"{'a' if urgent else 't'}{device}", **what, place=n * 10 + i) for i in range(count)]))
    (root / "plain").mkdir()
    (root / "urgent").mkdir()
    fill(root / "plain" / "0", [(False, entries) for _, entries in written])
    fill(root / "urgent" / "0", written)
    plain, urgent = run(flows, root / "plain" / "0"), run(flows, root / "urgent" / "0", resume_every=resume_every)

    def content(effects, kind):
        timeless = [msgspec.structs.asdict(one) for one in of(kind, effects)]
        return [{k: v for k, v in one.items() if k not in {"at", "time", "why", "start", "end", "id", "episode"}} for one in timeless]

    def readings(effects):
        return [(one.id, one.reading.device, one.reading.metric, one.reading.value) for one in of(ReadingKept, effects)]

    assert readings(urgent) == readings(plain)
    assert content(urgent, WindowClosed) == content(plain, WindowClosed)
    key = lambda one: str(one["group"])  # noqa: E731
    assert sorted(content(urgent, AlertChanged), key=key) == sorted(content(plain, AlertChanged), key=key)
    assert of(Progressed, urgent)[-1].messages == of(Progressed, plain)[-1].messages
    totals = {key: value for key, value in sums(plain).items() if key[0] == "total"}
    assert {key: value for key, value in sums(urgent).items() if key[0] == "total"} == totals
    assert totals["total", "", "", "normalised"] == sum(count for _, count, _ in rows)


def test_nothing_is_early_over_a_hole(flows, tmp_path):
    """A row of another connection, or of a backlog, waits for its turn: what lies between may make its time another."""
    rows = [(False, [said("t", temperature=n)]) for n in range(40)]
    fill(tmp_path / "0", rows)
    fill(tmp_path / "0", [(True, [said("hall", smoke=1.0)])])
    effects = run(flows, tmp_path / "0")
    alert = next(place for place, one in enumerate(effects) if isinstance(one, AlertChanged))
    assert len(of(ReadingKept, effects[:alert])) == 41


def test_notes_begin_anew_when_they_are_long(tmp_path, monkeypatch):
    """A reader goes over to the new file; what it had not read of the old one is only no longer urgent."""
    monkeypatch.setattr("gateway.journal.urgent._LONGEST", 80)
    notes, reader = UrgentNotes(tmp_path), UrgentReader(tmp_path)

    def following():
        found = reader.first(after=2)
        if found:
            reader.done()
        return found

    assert reader.first(after=0) is None
    for offset in range(1, 8):
        notes.note(offset)
    assert [reader.first(after=2), following(), following()] == [3, 3, 4]
    for offset in range(8, 13):
        notes.note(offset)
    assert [following() for _ in range(3)] == [11, 12, None]
    notes.close()
    again = UrgentNotes(tmp_path)
    again.note(20)
    assert [following(), following()] == [20, None]
    again.close()
    reader.close()
    assert not list(tmp_path.glob("*.new"))
