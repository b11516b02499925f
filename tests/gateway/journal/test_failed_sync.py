"""A commit whose fsync fails: its rows are there once, or not at all, whoever else has the journal open."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from faults.fault import SkipError
from faults.rig.compiled import compiled
from gateway.journal.salvage import mend
from gateway.journal.segment import segments

WRITER = """
import sys
from pathlib import Path
from gateway.journal.bell import Bell
from gateway.journal.journal import Journal, JournalFullError
from gateway.journal.row import Entry

directory, flag = map(Path, sys.argv[1:])
journal = Journal(directory, Bell(directory.with_name("bell")), keep=1 << 60, max_size=1 << 60)
for number in range(3):
    journal.append_messages([Entry("t", b"old", number + 1)])
print("ready", flush=True)
input()
flag.touch()
said = [Entry(f"t{number}", b"%060d" % number, 100 + number) for number in range(1024)]
try:
    journal.append_messages(said, longest=128)
    told = "written"
except JournalFullError:
    told = "failed"
flag.unlink()
journal.append_tick()
print(told, journal.offset, journal.total, flush=True)
input()
"""


@pytest.fixture
def writer(tmp_path):
    """Start a writer whose fsync can be made to fail, at the point before it does."""
    try:
        library = compiled(Path(__file__).with_name("failing_sync.c"), tmp_path)
    except SkipError as why:
        pytest.skip(str(why))
    flag = tmp_path / "fail"
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path / "0"), str(flag)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "LD_PRELOAD": str(library), "FAILING_SYNC": str(flag)},
    )
    assert process.stdout.readline() == "ready\n"
    yield process
    process.kill()
    process.communicate()


def outcome(writer):
    """Have it write on, and give what it was told of a thousand messages, its offset and its total."""
    writer.stdin.write("\n")
    writer.stdin.flush()
    told, offset, total = writer.stdout.readline().split()
    return told, int(offset), int(total)


@pytest.mark.parametrize("attached", [False, True])
def test_rows_of_a_commit_that_failed_are_there_or_are_not(writer, attached, read, opened, tmp_path):
    """With a reader beside it the log's index outlives the writer's connection, and says that nothing was written: no later start may find it.

    Without one, the log is read anew, and all is in there: the next row stands behind it.
    """
    (segment,) = segments(tmp_path / "0")
    with closing(sqlite3.connect(f"file:{segment}?mode=ro" if attached else ":memory:", uri=True)) as beside:
        beside.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        if attached:
            beside.execute("SELECT count(*) FROM rows").fetchone()
        told, offset, total = outcome(writer)
        killed = tmp_path / "killed"
        shutil.copytree(tmp_path / "0", killed, ignore=shutil.ignore_patterns("*-shm"))  # what a kill of everything leaves
    assert (told, offset, total) == ("failed", *((4, 3) if attached else (12, 1027)))
    assert not mend(killed, lambda path, *_: path.rename(path.with_suffix(".aside")))
    rows = read(killed)
    assert [row.offset for row in rows] == list(range(1, offset + 1))
    assert sum(row.count for row in rows) == rows[-1].total == total
    assert opened(killed).offset == offset
