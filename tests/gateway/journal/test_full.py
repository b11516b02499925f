"""A journal on a disk that is full, or that fails: it takes nothing it could not keep, and goes on by itself."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
from contextlib import contextmanager, suppress

import pytest

from gateway.journal import journal as writing
from gateway.journal.journal import Journal, JournalFullError
from gateway.journal.retention import write_durable
from gateway.journal.row import Entry, Shed
from gateway.journal.segment import Segment, segments

KB = 1024


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 4 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk], check=False, capture_output=True).returncode:
        pytest.skip("mounting asks for rights that this user does not have")
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


def fill(journal, most=2000):
    """Append until the journal takes nothing more; give what it took."""
    taken = []
    try:
        while len(taken) < most:
            payload = os.urandom(2000)
            journal.append_messages([Entry("t", payload)])
            taken.append(payload)
    except JournalFullError as error:
        return taken, str(error)
    pytest.fail("the disk was never full")


def payloads(rows):
    return [entry.payload for row in rows for entry in row.entries()]


def test_full_disk_takes_nothing_and_loses_nothing(small_disk, opened, read):
    """What was told to be journalled is there, nothing else, and when there is room it goes on in the same order."""
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(300 * KB))
    journal = opened(small_disk / "0")
    taken, why = fill(journal)
    assert why == journal.full == "journal: a row must be on the disk before its messages are acknowledged; got: database or disk is full"
    offset, total = journal.offset, journal.total
    with pytest.raises(JournalFullError):
        journal.append_messages([Entry("t", os.urandom(9000))])
    assert (journal.offset, journal.total) == (offset, total)
    assert payloads(read(small_disk / "0")) == taken
    ballast.unlink()
    journal.append_messages([Entry("t", b"room")])
    assert journal.full == ""
    journal.close()
    assert payloads(read(small_disk / "0")) == [*taken, b"room"]


def test_rows_of_one_call_are_all_there_or_none(small_disk, opened, read):
    """Where the disk takes the first row of a commit and not the last, it takes none, and the next call begins at the same place."""
    journal = opened(small_disk / "0")
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(3_500 * KB))
    large = [Entry("t", os.urandom(60_000)) for _ in range(12)]
    journal.append_messages(large[:1], longest=1)
    with pytest.raises(JournalFullError):
        journal.append_messages(large[1:], longest=1)
    assert (journal.offset, journal.total) == (1, 1)
    assert len(read(small_disk / "0")) == 1
    ballast.unlink()
    journal.append_messages(large[1:], longest=1)
    journal.close()
    rows = read(small_disk / "0")
    assert payloads(rows) == [entry.payload for entry in large]
    assert [(row.offset, row.total) for row in rows] == [(place, place) for place in range(1, 13)]


def test_log_is_brought_in_before_it_fills_the_disk(small_disk, opened, read):
    """Each row of one message writes its page again: the log would be many times larger than what it brings, and than the disk."""
    journal = opened(small_disk / "0")
    for number in range(3_000):
        journal.append_messages([Entry("t", b"%d" % number)])
    assert payloads(read(small_disk / "0")) == [b"%d" % number for number in range(3_000)]


def test_full_disk_is_given_what_the_flows_have_read(small_disk, opened, read):
    """The journal drops segments that the flows do not need before it takes nothing, and none that they need."""
    journal = opened(small_disk / "0", max_size=16 * 300 * KB)
    fill(journal)
    first, second, *_ = segments(small_disk / "0")
    write_durable(small_disk / "0", int(second.stem) - 1)
    taken, _ = fill(journal)
    assert taken
    assert not first.exists()
    assert second.exists()
    assert payloads(read(small_disk / "0"))[-len(taken) :] == taken


def test_full_disk_does_not_end_the_segment(small_disk, opened, read):
    """Where there is no room for another segment, this one goes on; every row is read, over as many restarts as there are."""
    taken = []
    for size in (60, 40, 20, 0):
        ballast = small_disk / "ballast"
        ballast.write_bytes(bytes(size * KB))
        with suppress(JournalFullError):
            journal = opened(small_disk / "0", max_size=16 * 64 * KB * 1000, keep=1)
            taken += fill(journal)[0]
            journal.close()
    assert len(segments(small_disk / "0")) > 1
    assert payloads(read(small_disk / "0")) == taken


@pytest.fixture
def short_files():
    """Have the disk fail for files beyond so many bytes (EFBIG, which SQLite takes for an error of the disk)."""
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size or before[0], before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


def test_failing_disk_takes_nothing_and_loses_nothing(short_files, opened, read, tmp_path):
    """An error of the disk is no other than a full one: nothing has changed, and it goes on."""
    journal = opened(tmp_path / "0")
    short_files(300 * KB)
    taken, why = fill(journal)
    assert why.endswith("got: disk I/O error")
    short_files(None)
    journal.append_messages([Entry("t", b"room")])
    assert payloads(read(tmp_path / "0")) == [*taken, b"room"]


@pytest.fixture
def failing(monkeypatch):
    """Have commits be told to have failed though they are written, in a context; unless `reopened`, the file cannot be opened again there."""

    def fails_after(segment, *rows):
        append(segment, *rows)
        error = writing.sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = writing.sqlite3.SQLITE_IOERR_FSYNC
        raise error

    def cannot_be_opened(*_):
        raise OSError(errno.EIO, "Input/output error")

    append = Segment.append

    @contextmanager
    def fails(*, reopened):
        with monkeypatch.context() as patch:
            patch.setattr(Segment, "append", fails_after)
            if not reopened:
                patch.setattr(Journal, "_open_newest", cannot_be_opened)
            yield

    return fails


def test_rows_that_were_written_though_the_disk_failed_are_written(opened, read, tmp_path, failing):
    """A commit whose fsync failed may be in the file: that is looked up before anyone is told."""
    journal = opened(tmp_path / "0")
    said = [Entry("t", b"1"), Entry("t", b"2")]
    with failing(reopened=True):
        assert journal.append_messages(said, longest=1) == 2
    journal.append_messages([Entry("t", b"3")])
    assert payloads(read(tmp_path / "0")) == [b"1", b"2", b"3"]
    assert (journal.offset, journal.total) == (3, 3)


@pytest.mark.parametrize(
    ("again", "there"), [([b"1", b"2"], [b"1", b"2"]), ([b"0", b"2"], [b"1", b"2", b"0", b"2"]), ([b"2"], [b"1", b"2", b"2"])]
)
def test_rows_are_taken_for_written_only_where_all_of_them_are(opened, read, tmp_path, failing, again, there):
    """Where it could not be looked up, the same rows tried again are those in the file; others with the same end are not."""
    journal = opened(tmp_path / "0")
    with failing(reopened=False), pytest.raises(JournalFullError):
        journal.append_messages([Entry("t", b"1"), Entry("t", b"2")], longest=1)
    journal.append_messages([Entry("t", payload) for payload in again], longest=1)
    assert payloads(read(tmp_path / "0")) == there
    assert (journal.offset, journal.total) == (len(there), len(there))


def test_journal_that_flows_do_not_read_is_full_at_its_size(opened, tmp_path, monkeypatch):
    """Messages are refused beyond `max_size` and a quarter; what is small is taken, and messages again once the flows have read on."""
    size = 16 * 64 * KB
    journal = opened(tmp_path / "0", max_size=size)
    taken, why = fill(journal)
    assert why == journal.full
    assert f"what the flows have not read must be less than {size:,} bytes (journal.max_size); got " in why
    written = sum(path.stat().st_size for path in segments(tmp_path / "0"))
    assert size < written < 2 * size
    journal.append_tick()
    journal.append_shed([Shed("t", 5, "limits.lag")])
    assert journal.full
    assert journal.total == len(taken) + 5
    write_durable(tmp_path / "0", journal.offset)
    monkeypatch.setattr(writing, "_SECONDS_BETWEEN_LOOKS", 0.0)
    journal.append_messages([Entry("t", b"room")])
    assert journal.full == ""
