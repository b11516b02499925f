"""The journal: what is in it is durable, in order, and read once from wherever one stood."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.journal.bell import Bell
from gateway.journal.journal import Journal
from gateway.journal.reader import JournalReader, newest_first, newest_row, total_at
from gateway.journal.redelivery import Redelivery
from gateway.journal.retention import drop_old, read_durable, write_durable
from gateway.journal.row import Entry, Flag, Kind, Row, Shed, pack
from gateway.journal.segment import segments
from gateway.journal.urgent import UrgentReader

BIG = 1 << 60


@pytest.fixture
def bell(tmp_path):
    bell = Bell(tmp_path / "bell")
    yield bell
    bell.close()


@pytest.fixture
def open_journal(tmp_path, bell):
    opened = []

    def open_(**settings):
        opened.append(Journal(tmp_path / "0", bell, **{"keep": BIG, "max_size": BIG, **settings}))
        return opened[-1]

    yield open_
    for journal in opened:
        journal.close()


def read_all(directory, after=0, limit=7):
    reader = JournalReader(directory, after=after)
    rows = []
    while found := reader.read(limit):
        rows.extend(found)
    reader.close()
    return rows


entries = st.lists(st.builds(Entry, st.text(max_size=20), st.binary(max_size=300), st.integers(0, 65535), st.integers(0, 15)), max_size=40)


@given(entries)
def test_row_body_gives_back_what_was_packed(said):
    """Any topics and bytes survive a row."""
    assert Row(1, Kind.MESSAGES, 0, 0, 0, 0, True, len(said), 0, pack(said)).entries() == said


def test_journal_goes_on_after_reopening(open_journal, tmp_path):
    """Offsets and totals continue over a restart, and a reader sees every row once."""
    journal = open_journal()
    journal.append_messages([Entry("a", b"1"), Entry("b", b"2")])
    journal.append_tick()
    journal.close()
    journal = open_journal()
    journal.append_messages([Entry("c", b"3")])
    rows = read_all(tmp_path / "0")
    assert [(r.offset, r.kind, r.count, r.total) for r in rows] == [
        (1, Kind.MESSAGES, 2, 2),
        (2, Kind.TICK, 0, 2),
        (3, Kind.MESSAGES, 1, 3),
    ]
    assert total_at(tmp_path / "0", 2) == 2
    assert newest_row(tmp_path / "0").offset == 3


def test_messages_of_one_call_become_rows_of_one_commit(open_journal, tmp_path):
    """A call may give several rows, each with its own count; all are there, or none is."""
    journal = open_journal()
    said = [Entry("t", b"%d" % number) for number in range(10)]
    assert journal.append_messages(said, longest=4, urgent=True) == 3
    journal.append_tick()
    rows = read_all(tmp_path / "0")
    assert [(r.offset, r.kind, r.count, r.total) for r in rows] == [
        *((1, Kind.MESSAGES, 4, 4), (2, Kind.MESSAGES, 4, 8), (3, Kind.MESSAGES, 2, 10)),
        (4, Kind.TICK, 0, 10),
    ]
    assert [entry for row in rows[:3] for entry in row.entries()] == said
    urgent, noted = UrgentReader(tmp_path / "0"), []
    while offset := urgent.first(after=0):
        urgent.done(offset)
        noted.append(offset)
    urgent.close()
    assert noted == [1, 2, 3]


def test_journal_rotates_and_readers_follow(open_journal, tmp_path):
    """A full segment is closed and the next opened; a reader that was in the old one goes on in the new, from any offset."""
    journal = open_journal(max_size=16 * 200_000)
    payload = os.urandom(2000)
    reader = JournalReader(tmp_path / "0")
    seen = []
    for number in range(400):
        journal.append_messages([Entry(f"t/{number}", payload)])
        if number % 3 == 0:
            seen.extend(reader.read(10))
    while found := reader.read(10):
        seen.extend(found)
    reader.close()
    assert len(segments(tmp_path / "0")) > 3
    assert [r.entries()[0].topic for r in seen] == [f"t/{n}" for n in range(400)]
    assert [r.entries()[0].topic for r in read_all(tmp_path / "0", after=seen[199].offset)] == [f"t/{n}" for n in range(200, 400)]
    assert next(newest_first(tmp_path / "0")).offset == seen[-1].offset


def test_journal_drops_whole_segments_and_never_what_flows_need(open_journal, tmp_path):
    """Retention drops the oldest files, none that the flows' durable offset has not passed; who asks for a dropped row is given the oldest."""
    journal = open_journal(max_size=16 * 50_000)
    for _ in range(200):
        journal.append_messages([Entry("t", os.urandom(2000))])
    before = segments(tmp_path / "0")
    assert drop_old(tmp_path / "0", keep=BIG, max_size=1) == []
    write_durable(tmp_path / "0", int(before[2].stem))
    assert read_durable(tmp_path / "0") == int(before[2].stem)
    assert drop_old(tmp_path / "0", keep=BIG, max_size=1) == before[:2]
    assert read_all(tmp_path / "0")[0].offset == int(before[2].stem)


def test_what_was_shed_is_journalled_and_counted(open_journal, tmp_path):
    """Messages that a policy dropped are a row of their own kind, in the total like those that were kept."""
    journal, sheds = open_journal(), [Shed("loud", 30, "limits.rate"), Shed("louder", 12, "limits.rate")]
    journal.append_shed(sheds)
    (row,) = read_all(tmp_path / "0")
    assert (row.kind, row.count, row.total, row.sheds()) == (Kind.SHED, 42, 42, sheds)


def test_journal_survives_kill_9_with_all_that_was_told(tmp_path):
    """Whatever a killed writer said was journalled is there, and nothing is there twice."""
    script = (
        "import sys; from pathlib import Path; from gateway.journal.journal import Journal; from gateway.journal.bell import Bell\n"
        "from gateway.journal.row import Entry\n"
        "d = Path(sys.argv[1]); j = Journal(d / '0', Bell(d / 'bell'), keep=1 << 60, max_size=16 * 50_000)\n"
        "while True: j.append_messages([Entry('t', b'%d' % (j.total + 1))]); print(j.total, flush=True)\n"
    )
    told = 0
    for _ in range(3):
        writer = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        for _ in range(500):
            told = int(writer.stdout.readline())
        writer.send_signal(signal.SIGKILL)
        told = max([told, *(int(line) for line in writer.stdout if line.endswith("\n"))])
        writer.wait()
        writer.stdout.close()
        payloads = [int(e.payload) for r in read_all(tmp_path / "0", limit=50) for e in r.entries()]
        assert payloads == list(range(1, len(payloads) + 1))
        assert len(payloads) >= told


def test_redelivery_tells_repeats_from_new_messages_over_a_restart(open_journal, tmp_path):
    """DUP opens the check; topic and payload under the packet id decide; another session knows nothing."""
    journal = open_journal()
    journal.connected(session_present=False)
    journal.append_messages(
        [Entry("t", b"one", 1), Entry("t", b"two", 2), Entry("t", b"newer", 1), Entry("t", b"", 2, Flag.DUP | Flag.REPEATED)]
    )
    memory = Redelivery.from_journal(tmp_path / "0", journal.session)
    assert memory.is_repeat(Entry("t", b"newer", 1))
    assert not memory.is_repeat(Entry("t", b"one", 1)), "the id was used again since"
    assert memory.is_repeat(Entry("t", b"two", 2)), "a repeat is not what is remembered"
    assert not memory.is_repeat(Entry("u", b"two", 2))
    assert not Redelivery.from_journal(tmp_path / "0", journal.session + 1).is_repeat(Entry("t", b"two", 2))


def test_bell_ends_a_wait_and_is_heard_once(tmp_path, bell):
    """Rings before a wait end it at once; drained rings do not."""
    other = Bell(tmp_path / "bell")
    other.ring()
    other.ring()
    assert bell.unheard() == 2
    assert bell.wait(5)
    assert bell.unheard() == 0
    assert not bell.wait(0)
    other.close()
