"""What is on the disk when: the order of fsyncs, by which a power cut takes no more than is promised."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway.journal.row import Entry
from gateway.journal.segment import segments
from gateway.sqlite_file import log_of


@pytest.fixture
def synced(monkeypatch):
    """Note the files and folders that are made durable by us (SQLite's own do not come by here)."""
    names, fsync = [], os.fsync

    def note(fd):
        names.append(Path(f"/proc/self/fd/{fd}").readlink())
        fsync(fd)

    monkeypatch.setattr(os, "fsync", note)
    return names


def test_new_segment_is_durable_with_its_name(opened, synced, tmp_path):
    """The file before its name, and the name before any row: else a power cut would take a segment whose rows were acknowledged."""
    journal = opened(tmp_path / "0", keep=1)
    for _ in range(64):
        journal.append_messages([Entry("t", b"1")])
    first, second = segments(tmp_path / "0")
    assert synced == [first.with_suffix(".new"), first.parent, second.with_suffix(".new"), second.parent]


def test_batched_rows_are_durable_soon_though_nothing_follows(opened, synced, until, tmp_path):
    """The log is made durable by itself, once for all rows since the last time, and not again while nothing is written."""
    journal = opened(tmp_path / "0", durability="batched")
    (path,) = segments(tmp_path / "0")
    synced.clear()
    for _ in range(100):
        journal.append_messages([Entry("t", b"1")])
    until(lambda: synced == [log_of(path), path.parent])
    journal.append_tick()
    until(lambda: synced == [log_of(path), path.parent] * 2)


def test_batched_rows_are_durable_when_the_journal_is_closed(opened, synced, tmp_path):
    """Nothing waits for the next second then."""
    journal = opened(tmp_path / "0", durability="batched")
    journal.append_messages([Entry("t", b"1")])
    (path,) = segments(tmp_path / "0")
    journal.close()
    assert log_of(path) in synced
