"""Traffic: what came in lately, from the journal."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import NamedTuple

from gateway.journal.reader import JournalReader, first_since, newest_first, newest_row, total_at
from gateway.journal.row import Kind
from gateway.journal.segment import first_offset, segments

_LATELY = 600 * 10**9
"""ns before the newest row that count as lately."""

_ROWS = 32
"""The newest rows by which the size of a message is estimated."""


class Traffic(NamedTuple):
    """Messages a second, and bytes (topic and payload) of one."""

    rate: float
    size: float


def traffic(journal: Path) -> Traffic | None:
    """Measure the ten minutes before the newest row, or what there is of them; None where they brought nothing."""
    newest = newest_row(journal)
    if newest is None:
        return None
    begin = first_since(journal, newest.received - _LATELY) or first_offset(segments(journal)[0])
    reader = JournalReader(journal, after=begin - 1)
    try:
        rows = reader.read(1)
    finally:
        reader.close()
    messages = newest.total - total_at(journal, begin)
    if not rows or messages <= 0:
        return None
    return Traffic(messages * 1e9 / max(10**9, newest.received - rows[0].received), _message_size(journal))


def _message_size(journal: Path) -> float:
    rows = islice(newest_first(journal), _ROWS)
    sizes = [len(one.topic) + len(one.payload) for row in rows if row.kind == Kind.MESSAGES for one in row.entries()]
    return sum(sizes) / len(sizes) if sizes else 0.0
