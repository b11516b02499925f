"""The source between journal and bell."""

from __future__ import annotations

import threading

import pytest

from flows.journal_source import JournalSource
from flows.normaliser import STORE, Normaliser
from gateway.journal.bell import Bell
from gateway.journal.row import Entry, Kind, Row, pack
from gateway.journal.segment import Segment, segment_path

AT = 1_790_000_000_000_000_000


@pytest.fixture
def journal(tmp_path):
    """Give a way to write rows of so many messages, and a source that reads them, which is called so often."""
    directory = tmp_path / "0"
    directory.mkdir()
    bell = Bell(directory / "bell")
    segment = Segment(segment_path(directory, 1), write="batched")
    source = JournalSource(directory, bell, lambda _: Normaliser([], []), stopping=threading.Event(), switching=threading.Event())
    part = source.build_part("journal", "0", None)
    offset = 0

    def write(rows, messages):
        nonlocal offset
        for _ in range(rows):
            offset += 1
            body = pack([Entry(f"home/t{n}", b'{"temperature": 20.5}') for n in range(messages)])
            at = AT + offset
            segment.append(Row(offset, Kind.MESSAGES, at, at, 1, 1, True, messages, offset * messages, body))
        bell.ring()

    def read(calls):
        return [item.offset for _ in range(calls) for key, item in part.next_batch() if key == STORE and item.effects]

    yield write, read
    part.close()
    segment.close()
    bell.close()


def test_what_was_read_ahead_is_given_without_a_ring(journal):
    """More rows than a batch takes have come with one ring: all are given, though nothing rings any more."""
    write, read = journal
    write(0, 0)
    assert read(1) == []
    write(30, 200)
    assert read(4) == list(range(1, 31))
    write(1, 1)
    assert read(2) == [31]
