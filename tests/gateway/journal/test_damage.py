"""A journal of which files were damaged: it opens, what can be read is read as it was, and no offset is used twice."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
from contextlib import closing

import pytest

from gateway.journal.journal import Journal
from gateway.journal.reader import JournalReader, first_since, newest_first, newest_row, total_at
from gateway.journal.retention import read_durable, write_durable
from gateway.journal.row import Entry, Kind, Row, pack
from gateway.journal.salvage import mend
from gateway.journal.segment import PAGE, Segment, segment_path, segments
from gateway.journal.stretch import Stretch
from gateway.sqlite_file import files, log_of

ROWS, ROWS_A_SEGMENT = 192, 64


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A journal of four segments, the newest with a write-ahead log as after a kill, with rows small and large, and its rows by offset."""
    chance = random.Random(3)
    live, left = (tmp_path_factory.mktemp(name) / "0" for name in ("live", "left"))
    bell = Silent()
    with closing(Journal(live, bell, keep=1, max_size=1 << 60)) as journal:
        for _ in range(ROWS):
            journal.append_messages(
                [Entry(f"t/{n}", chance.randbytes(chance.choice((1, 30, 900, 9000)))) for n in range(chance.randint(1, 4))]
            )
        for _ in range(30):
            journal.append_messages([Entry("last", chance.randbytes(200))])
        shutil.copytree(live, left)
    assert len(segments(left)) == 4
    assert log_of(segments(left)[-1]).stat().st_size > 30 * PAGE
    return left


class Silent:
    """A bell that nobody hears."""

    def ring(self):
        """Ring nothing."""


@pytest.fixture
def journal(sound, tmp_path):
    """A copy of that journal, to damage."""
    return shutil.copytree(sound, tmp_path / "0")


@pytest.fixture(scope="module")
def said(sound, tmp_path_factory):
    """What the rows of that journal say, by offset."""
    with closing(JournalReader(shutil.copytree(sound, tmp_path_factory.mktemp("said") / "0"))) as reader:
        rows = reader.read(1000)
        while more := reader.read(1000):
            rows += more
    return {row.offset: row for row in rows}


@pytest.fixture
def aside(tmp_path):
    """Set files aside, as a start of Sluice does, and note why."""

    class Aside(list):
        def __call__(self, path, reason, _kept):
            self.append((path.name, reason))
            for one in filter(os.path.exists, files(path)):
                one.rename(tmp_path / one.name)
            return tmp_path / path.name

    return Aside()


def emptied(_chance, path):
    path.write_bytes(b"")


def truncated(chance, path):
    os.truncate(path, chance.randrange(path.stat().st_size))


def overwritten(chance, path):
    path.write_bytes(chance.randbytes(path.stat().st_size))


def head_overwritten(chance, path):
    with path.open("r+b") as file:
        file.write(chance.randbytes(PAGE))


def page_overwritten(chance, path):
    with path.open("r+b") as file:
        file.seek(chance.randrange(path.stat().st_size // PAGE) * PAGE)
        file.write(chance.choice((bytes(PAGE), chance.randbytes(PAGE))))


def flipped(chance, path):
    with path.open("r+b") as file:
        at = chance.randrange(path.stat().st_size)
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes((byte ^ 1 << chance.randrange(8),)))


def foreign(_chance, path):
    path.unlink()
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE readings (id INTEGER PRIMARY KEY, value)")
        db.commit()


def swapped(chance, path):
    other = chance.choice([one for one in segments(path.parent) if one.name != path.name.removesuffix("-wal")])
    path.write_bytes(other.read_bytes())


def gone(_chance, path):
    path.unlink()


DAMAGES = [emptied, truncated, overwritten, head_overwritten, page_overwritten, flipped, foreign, swapped, gone]


@pytest.mark.parametrize("damaged", DAMAGES)
@pytest.mark.parametrize("place", [0, 1, 3, "log"])
@pytest.mark.parametrize("seed", range(3))
def test_damaged_file_costs_what_cannot_be_read_and_no_more(damaged, place, seed, journal, said, aside, opened, read):
    """Whatever happens to a file: it starts, rows that are read are those that were written, and those of other files are all there."""
    chance = random.Random(f"{damaged.__name__}/{place}/{seed}")
    found = segments(journal)
    path = log_of(found[-1]) if place == "log" else found[place]
    damaged(chance, path)
    mend(journal, aside)
    assert mend(journal, aside) == [], "what was mended is sound"

    rows = {row.offset: row for row in read(journal)}
    assert rows == {offset: said[offset] for offset in rows}
    hit = found.index(path) if path in found else len(found) - 1
    spared = {offset for offset in said if not _within(offset, found, hit)}
    assert spared <= rows.keys()
    if damaged in {page_overwritten, flipped, head_overwritten} and place != "log":
        assert len(said.keys() - rows.keys()) <= 20, "one page of many"

    progress = chance.choice((0, max(said) - 3, max(said)))
    counted = said[progress].total if progress else 0
    writer = opened(journal, first=progress + 1, total=counted)
    written = writer.append_messages([Entry("new", b"1")])
    assert written > max(progress, *rows), "a number that a flow may know is not used again"
    assert writer.total > max(counted, *(row.total for row in rows.values()))
    again = read(journal)
    assert [row.offset for row in again[: len(rows)]] == list(rows)
    assert again[-1].entries() == [Entry("new", b"1")]
    assert total_at(journal, written) == newest_row(journal).total == writer.total
    assert [row for row in newest_first(journal) if row.kind != Kind.END] == again[::-1]


def _within(offset, found, place):
    begin = int(found[place].stem)
    end = int(found[place + 1].stem) if place + 1 < len(found) else 1 << 60
    return begin <= offset < end


@pytest.mark.parametrize("damaged", [emptied, truncated, overwritten, head_overwritten, page_overwritten, flipped, foreign, gone])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_reader_passes_over_a_segment_that_is_damaged_while_it_runs(damaged, place, journal, said, read):
    """Nobody has mended anything: rows of the other segments are read, in order, once, and so is what asks by time or by number."""
    found = segments(journal)
    damaged(random.Random(place), found[place])
    rows = read(journal)
    offsets = [row.offset for row in rows]
    assert offsets == sorted(set(offsets))
    assert rows == [said[offset] for offset in offsets]
    assert {offset for offset in said if not _within(offset, found, place)} <= set(offsets)
    middle = rows[len(rows) // 2]
    assert first_since(journal, middle.received) == middle.offset
    assert [row.offset for row in Stretch(journal, since=middle.received)] == offsets[len(rows) // 2 :]
    assert total_at(journal, middle.offset) == middle.total


@pytest.fixture
def long(opened, tmp_path):
    """The only segment of a journal, of many pages and nothing in its log."""
    journal = opened(tmp_path / "0")
    for n in range(300):
        journal.append_messages([Entry("t", b"%0300d" % n)])
    journal.close()
    (path,) = segments(tmp_path / "0")
    return path


def test_reader_goes_on_behind_bad_pages_of_the_newest_segment(long, read):
    """What stands behind the damage is read; where nothing does, the reader waits."""
    with long.open("r+b") as file:
        file.seek((long.stat().st_size // PAGE // 2) * PAGE)
        file.write(bytes(2 * PAGE))
    seen = [row.offset for row in read(long.parent)]
    assert (seen[0], seen[-1]) == (1, 300)
    assert 10 < 300 - len(seen) < 100
    assert seen == sorted(set(seen))
    os.truncate(long, PAGE)
    assert read(long.parent) == []


def test_writer_leaves_a_segment_that_is_damaged_while_it_runs(long, opened, read):
    """The row goes into a new segment, what was durable before is still read, and offsets only grow."""
    journal = opened(long.parent)
    with closing(sqlite3.connect(long)) as other, long.open("r+b", buffering=0) as file:
        other.execute("UPDATE rows SET live = 1 - live WHERE offset = 1")
        other.commit()  # so that the writer reads its pages anew
        file.seek(PAGE)
        file.write(bytes(PAGE))
        journal.append_messages([Entry("t", b"new")])
    assert len(segments(long.parent)) == 2
    rows = read(long.parent)
    assert [row.offset for row in rows] == [*range(1, 301), 302]
    assert (rows[-1].entries(), rows[-1].total) == ([Entry("t", b"new")], 301)


def test_writer_begins_another_segment_where_the_newest_cannot_be_opened(long, opened, read):
    """Also if nobody has mended it."""
    with long.open("r+b") as file:
        file.write(bytes(PAGE))
    opened(long.parent).append_messages([Entry("t", b"new")])
    assert [row.offset for row in read(long.parent)] == [*range(1, 302)]


def test_rows_of_a_journal_without_checksums_are_read(tmp_path, read):
    """A journal of an older version is read as it was; a row of it that cannot be decoded is left out."""
    rows = [Row(n, Kind.MESSAGES, n, n, 1, 1, True, 1, n, pack([Entry("t", b"x" * n)])) for n in range(1, 5)]
    (tmp_path / "0").mkdir()
    path = segment_path(tmp_path / "0", 1)
    Segment(path, write="strict").close()
    with closing(sqlite3.connect(path)) as db:
        for row in rows:
            body = row.body if row.offset != 3 else b"\x01nothing that was ever deflated"
            values = (row.offset, row.kind, row.received, row.uptime, row.session, row.connection, row.live, row.count, row.total, body)
            db.execute("INSERT INTO rows VALUES (?,?,?,?,?,?,?,?,?,?)", values)
        db.commit()
    assert read(tmp_path / "0") == [rows[0], rows[1], rows[3]]


def test_journal_that_begins_anew_goes_on_counting(opened, read, tmp_path):
    """Where the journal is lost, what the store knows tells the next offset and the messages so far."""
    journal = opened(tmp_path / "0", first=501, total=9000)
    journal.append_messages([Entry("t", b"1")])
    assert [(row.kind, row.offset, row.total) for row in read(tmp_path / "0", after=500)] == [
        (Kind.TICK, 501, 9000),
        (Kind.MESSAGES, 502, 9001),
    ]
    assert total_at(tmp_path / "0", 500) == 9000
    assert read(tmp_path / "0", after=7)[0].offset == 501


def test_salvage_goes_on_after_a_crash(journal, said, aside, read):
    """A crash between the damaged file's way out and the fresh one's way in loses nothing."""
    damaged = segments(journal)[1]
    head_overwritten(random.Random(1), damaged)

    def crash(path, reason, kept):
        aside(path, reason, kept)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        mend(journal, crash)
    assert not damaged.exists()
    (journal / "0000000000009999.new").touch()
    assert mend(journal, aside) == []
    assert {row.offset: row for row in read(journal)} == said
    assert not list(journal.glob("*.new*"))


@pytest.mark.parametrize("note", [b"", b"\0" * 25, b"garbage", b"0000000000000999 00000000", b"\xff\xfe", b"-5"])
def test_damaged_note_of_what_is_durable_lets_nothing_be_dropped(note, tmp_path):
    """It reads as 0, and is written anew."""
    (tmp_path / "durable").write_bytes(note)
    assert read_durable(tmp_path) == 0
    write_durable(tmp_path, 12)
    assert read_durable(tmp_path) == 12


def test_note_of_an_older_version_is_read(tmp_path):
    """It had no checksum."""
    (tmp_path / "durable").write_text("4711")
    assert read_durable(tmp_path) == 4711
