"""Urgent rows are taken before those that wait in front of them; in the end the store holds what it would have held in their order."""

import errno
import json
import os
import textwrap
import threading
from contextlib import closing

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.attempts import Attempts
from flows.early_notes import EarlyNotes
from flows.journal_source import JournalSource
from flows.normaliser import STORE, Normaliser
from flows.poison import Poison
from flows.row_order import RowOrder, RowPart
from flows.shard import Shard
from flows.spec import read_flow
from gateway.journal.bell import Bell
from gateway.journal.journal import Journal
from gateway.journal.retention import write_durable
from gateway.journal.row import Entry, Kind, Row, pack
from gateway.journal.segment import Segment, segment_path
from gateway.journal.urgent import UrgentNotes, UrgentReader
from gateway.store.effects import SHARDS, AlertChanged, Counted, Progressed, ReadingKept, WindowClosed, spelled_out

SECOND = 1_000_000_000
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
MIXED = {
    "gated": """
        name: gated
        select: {metrics: [smoke]}
        group: [device]
        lookup: {gate: {device: gate, metric: humidity}}
        window: none
        trigger: {when: value > 0.5 && gate > 50.0, clear: value < 0.5}
        do: [{alert: smoke}]
        """,
    "all": """
        name: all
        select: {metrics: [smoke, humidity]}
        group: []
        window: {kind: count, length: 5}
        aggregate: {n: count(smoke), m: mean(humidity)}
        """,
}


@pytest.fixture(scope="module", autouse=True)
def small_batches():
    """Sixteen rows, so that a short journal has many batches."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("flows.journal_source._ROWS", 16)
        yield


@pytest.fixture(scope="module")
def flows(tmp_path_factory):
    return read_all(tmp_path_factory.mktemp("config"), FLOWS)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """Flows whose decisions hang on the order in which urgent rows and others are taken."""
    return read_all(tmp_path_factory.mktemp("config"), MIXED)


def read_all(root, flows):
    read = []
    for name, text in flows.items():
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
        self.begin(None, [None] * SHARDS)

    def begin(self, snapshot, shards):
        """Begin from snapshots, as a process does that has been killed: the store has what it had."""
        self.shards = [Shard(self.flows, one) for one in shards]
        attempts = Attempts(None, Poison())
        attempts.written = lambda: max((one.offset for one in of(Progressed, self.effects)), default=0)
        source = JournalSource(
            self.directory,
            self.bell,
            lambda state: Normaliser(self.flows, [], snapshot=state),
            stopping=threading.Event(),
            switching=threading.Event(),
            attempts=attempts,
        )
        self.order = RowOrder()
        self.partition = source.build_part("journal", "0", snapshot)

    def snapshot(self):
        return self.partition.snapshot(), [shard.snapshot() for shard in self.shards]

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
            state = stream.snapshot()
            stream.partition.close()
            stream.begin(*state)
    stream.close()
    return stream.effects


def of(kind, effects):
    return [one for one in spelled_out(effects) if isinstance(one, kind)]


def sums(effects):
    return {(one.stage, one.scope, one.device, one.term): one.value for one in of(Counted, effects)}


def test_an_alarm_is_decided_before_what_waits(flows, tmp_path):
    """A hundred rows wait; the alarm behind them is decided after a batch, and its reading stands in its place in the journal's order."""
    rows = [(False, [said(f"t{n % 7}", temperature=n + i / 10) for i in range(8)]) for n in range(100)]
    fill(tmp_path / "0", [*rows, (True, [said("hall", smoke=1.0)]), *rows[:3]])
    effects = run(flows, tmp_path / "0")
    alert = next(place for place, one in enumerate(effects) if isinstance(one, AlertChanged))
    taken = of(ReadingKept, effects)
    assert len(of(ReadingKept, effects[:alert])) == 64
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


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.integers(1, 3), st.integers(0, 2)), min_size=40, max_size=90),
    st.lists(st.tuples(st.integers(1, 12), st.integers(0, 5)), min_size=1, max_size=4),
)
def test_what_went_out_before_a_kill_is_decided_again(mixed, tmp_path_factory, rows, kills):
    """Whatever the last snapshot was: an effect that is in the store is made again, with the same id and content, whatever the order hangs on."""
    journal = tmp_path_factory.mktemp("journal") / "0"
    written = []
    for n, (urgent, count, device) in enumerate(rows):
        what = {"smoke": float(n % 2)} if urgent else {"humidity": 100.0 * (n // 7 % 2)}
        written.append((urgent, [said(f"a{device}" if urgent else "gate", **what, place=n * 10 + i) for i in range(count)]))
    fill(journal, written)
    stream = Stream(mixed, journal)
    state, owed, out = stream.snapshot(), set(), {}
    for turns, kept in kills:
        for turn in range(turns):
            owed |= collect(out, stream)
            if turn == kept:
                state, owed = stream.snapshot(), set()
        stream.partition.close()
        stream.begin(*state)
    again = set()
    while stream.partition._normaliser.offset < len(rows) + 1:
        again |= collect(out, stream)
    stream.close()
    assert owed <= again


def collect(out, stream):
    """Take a batch; give the ids of what was decided. What is decided twice is the same."""
    before = len(stream.effects)
    stream.turn()
    decided = [one for kind in (WindowClosed, AlertChanged) for one in of(kind, stream.effects[before:])]
    for one in decided:
        assert out.setdefault(one.id, one) == one
    return {one.id for one in decided}


def test_the_ledger_balances_while_rows_are_early(mixed, tmp_path):
    """Seconds pass in the backlog, so that counters are given: no flow has taken what was not passed on to it."""
    (tmp_path / "0").mkdir()
    segment, notes = Segment(segment_path(tmp_path / "0", 1), write="batched"), UrgentNotes(tmp_path / "0", 0)
    for number in range(1, 101):
        entries = [said("hall", smoke=1.0)] if number == 80 else [said("gate", humidity=float(number))]
        at = 1_700_000_000 * SECOND + number * SECOND // 4
        segment.append(Row(number, Kind.MESSAGES, at, at, 1, 1, True, 1, number, pack(entries)))
        if number == 80:
            notes.note(number)
    segment.close()
    notes.close()
    stream, early = Stream(mixed, tmp_path / "0"), 0
    while stream.turn():
        counted = sums(stream.effects)
        early += stream.partition._normaliser.is_early(80)
        for flow, device in {(flow, device) for stage, flow, device, _ in counted if stage.startswith("shard")}:
            taken = sum(value for key, value in counted.items() if key[0].startswith("shard") and key[1:3] == (flow, device))
            assert taken <= counted.get(("select", "", device, flow), 0)
        readings = sum(value for key, value in counted.items() if key[0] == "normalise" and key[3] == "readings")
        assert readings <= len(of(ReadingKept, stream.effects))
    stream.close()
    assert early > 2


def test_urgent_rows_stay_urgent_when_the_source_begins_again(flows, tmp_path):
    """One that is early already does not stand in the way of the next."""
    rows = [(False, [said("t", temperature=n)]) for n in range(200)]
    alarms = [(True, [said(f"hall-{n}", smoke=1.0)]) for n in range(2)]
    fill(tmp_path / "0", [*rows[:100], alarms[0], *rows[100:150], alarms[1], *rows[150:]])
    stream = Stream(flows, tmp_path / "0")
    for _ in range(2):
        stream.turn()
    state = stream.snapshot()
    stream.partition.close()
    stream.begin(*state)
    while len(of(AlertChanged, stream.effects)) < 2:
        assert stream.turn()
    assert stream.partition._normaliser.offset < 60
    stream.close()


def test_nothing_is_early_over_a_hole(flows, tmp_path):
    """A row of another connection, or of a backlog, waits for its turn: what lies between may make its time another."""
    rows = [(False, [said("t", temperature=n)]) for n in range(40)]
    fill(tmp_path / "0", rows)
    fill(tmp_path / "0", [(True, [said("hall", smoke=1.0)])])
    effects = run(flows, tmp_path / "0")
    alert = next(place for place, one in enumerate(effects) if isinstance(one, AlertChanged))
    assert len(of(ReadingKept, effects[:alert])) == 41


def test_places_are_noted_behind_what_is_whole(tmp_path, monkeypatch):
    """A note that was cut short by a kill is written over; what no state needs is dropped once the notes are many."""
    monkeypatch.setattr("flows.early_notes._LONGEST", 40)
    notes = EarlyNotes(tmp_path, 0)
    assert not (tmp_path / "early").exists()  # where nothing is urgent, nothing is written
    assert notes.note(5, 9)
    notes.close()
    with (tmp_path / "early").open("ab") as file:
        file.write(b"torn")
    notes = EarlyNotes(tmp_path, 5)
    assert notes.behind(5) == [9]
    assert notes.note(5, 12)
    assert notes.note(7, 20)
    notes.durable(7)
    notes.close()
    notes = EarlyNotes(tmp_path, 0)
    assert (notes.places, notes.behind(7), notes.last) == ({7}, [20], 7)
    assert EarlyNotes(tmp_path, 0, forget=True).places == set()
    assert (tmp_path / "early").read_bytes() == b""


def following(reader, after=0):
    """Take what is noted next."""
    offset = reader.first(after=after)
    if offset is not None:
        reader.done(offset)
    return offset


def test_notes_begin_anew_when_they_are_long(tmp_path, monkeypatch):
    """Only those that the flows have read durably are dropped; a reader goes over to the new file."""
    monkeypatch.setattr("gateway.journal.urgent._LONGEST", 80)
    notes, reader = UrgentNotes(tmp_path, 0), UrgentReader(tmp_path)
    assert reader.first(after=0) is None
    for offset in range(1, 26):
        notes.note(offset)
    assert [following(reader) for _ in range(26)] == [*range(1, 26), None]
    write_durable(tmp_path, 23)
    for offset in range(26, 50):
        notes.note(offset)
    assert (tmp_path / "urgent").stat().st_size < 8 * 30
    assert [following(reader, 25) for _ in range(25)] == [*range(26, 50), None]
    notes.close()
    reader.close()
    assert not list(tmp_path.glob("*.new"))


def test_notes_outlive_the_gateway(tmp_path):
    """What was not read yet is urgent still; a note that was cut short, or of a row that a power cut took, is not."""
    notes = UrgentNotes(tmp_path, 0)
    for offset in (3, 5, 9):
        notes.note(offset)
    notes.close()
    with (tmp_path / "urgent").open("ab") as file:
        file.write(b"torn")
    notes, reader = UrgentNotes(tmp_path, 8), UrgentReader(tmp_path)
    notes.note(12)
    assert [following(reader, 3) for _ in range(3)] == [5, 12, None]
    notes.close()
    reader.close()


def test_nothing_is_read_behind_a_hole(tmp_path):
    """Where a power cut left out notes in the middle, no later row goes before theirs, and the writer drops what is behind them."""
    notes, reader = UrgentNotes(tmp_path, 0), UrgentReader(tmp_path)
    for offset in (3, 5, 9):
        notes.note(offset)
    notes.close()
    with (tmp_path / "urgent").open("r+b") as file:
        file.seek(8)
        file.write(bytes(8))
    assert [following(reader) for _ in range(2)] == [3, None]
    notes = UrgentNotes(tmp_path, 10)
    notes.note(11)
    assert [following(reader, 3) for _ in range(2)] == [11, None]
    notes.close()
    reader.close()


def test_no_note_is_left_out_before_a_later_one(tmp_path, monkeypatch):
    """While the disk takes nothing, or half a note, the notes are kept, and all are written, in order, when it does."""
    notes, reader = UrgentNotes(tmp_path, 0), UrgentReader(tmp_path)
    notes.note(1)
    write, takes = os.pwrite, [5, 0, 0]

    def full(file, content, at):
        room = takes.pop(0)
        if not room:
            raise OSError(errno.ENOSPC, "no room")
        return write(file, content[:room], at)

    monkeypatch.setattr(os, "pwrite", full)
    notes.note(2)
    notes.note(3)
    assert [following(reader) for _ in range(2)] == [1, None]
    monkeypatch.setattr(os, "pwrite", write)
    notes.note(4)
    assert [following(reader) for _ in range(4)] == [2, 3, 4, None]
    notes.close()
    reader.close()


def test_what_waits_early_is_bounded_by_bytes(flows, tmp_path, monkeypatch):
    """Large urgent rows wait for their turn beyond the bound; one alone is early whatever its size, and nothing is lost."""
    monkeypatch.setattr("flows.early.MOST_BYTES", 50_000)
    rows = [(False, [said("t", temperature=n)]) for n in range(200)]
    large = [(True, [said(f"hall-{n}", smoke=1.0, note="x" * 20_000)]) for n in range(10)]
    fill(tmp_path / "0", [*rows[:100], *large, *rows[100:]])
    stream = Stream(flows, tmp_path / "0")
    most = 0
    while stream.turn():
        most = max(most, sum(stream.partition._normaliser.is_early(offset) for offset in range(300)))
    stream.close()
    assert most == 2
    assert len(of(AlertChanged, stream.effects)) == 10


def test_all_that_is_early_already_is_passed_over_at_once(flows, tmp_path):
    """After a kill in a backlog the notes begin with many rows that are early: what comes now does not wait for a batch for each."""
    rows = [(False, [said("t", temperature=n)]) for n in range(600)]
    alarms = [(True, [said(f"hall-{n}", smoke=1.0)]) for n in range(40)]
    fill(tmp_path / "0", [*rows[:300], *alarms[:39], *rows[300:500], alarms[39], *rows[500:]])
    stream = Stream(flows, tmp_path / "0")
    while sum(stream.partition._normaliser.is_early(offset) for offset in range(350)) < 39:
        assert stream.turn()
    state = stream.snapshot()
    stream.partition.close()
    stream.begin(*state)
    for _ in range(2):
        stream.turn()
    assert len(of(AlertChanged, stream.effects)) == 40
    stream.close()


def test_rows_that_are_read_one_by_one_are_all_read(flows, tmp_path):
    """A row under suspicion in the middle of what was read ahead: no row behind it is left out."""
    fill(tmp_path / "0", [(n == 30, [said("t", temperature=n + i / 1000) for i in range(100)]) for n in range(40)])
    stream = Stream(flows, tmp_path / "0")
    stream.partition._attempts.most = lambda offset, rows: 1 if 6 <= offset <= 12 else rows
    while stream.turn():
        pass
    stream.close()
    assert len(of(ReadingKept, stream.effects)) == 4_000


def test_an_alarm_goes_first_where_the_process_died(flows, tmp_path):
    """After one death rows are read together as before; what was under way then does not hold up what is urgent."""
    fill(tmp_path / "0", [(n == 90, [said("hall", smoke=1.0) if n == 90 else said("t", temperature=float(n))]) for n in range(100)])
    stream = Stream(flows, tmp_path / "0")
    stream.partition._attempts.died_behind = lambda offset: offset < 80
    for _ in range(3):
        stream.turn()
    assert len(of(AlertChanged, stream.effects)) == 1
    stream.close()
