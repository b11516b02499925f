"""Whether the journal can be read, row by row, and how full it is."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

from gateway.disk import is_full
from gateway.doctor import amounts
from gateway.doctor.check import Check
from gateway.doctor.quick_check import BOUND, PATIENCE, damage, opened
from gateway.doctor.subject import Subject
from gateway.journal.row import Row
from gateway.journal.seal import DamagedRowError, unsealed
from gateway.journal.segment import first_offset, segments
from gateway.sqlite_file import size
from gateway.store.errors import StoreError
from gateway.store.reader import StoreReader

NAME = "journal"
_NEARLY = 0.8
"""The part of `journal.max_size` that rows not yet read may fill before it is a complaint: beyond all of it nothing is acknowledged."""

_HEADS = f"SELECT {', '.join(Row.__struct_fields__[:-1])}, x'' FROM rows ORDER BY offset"  # noqa: S608  # our own column names
_QUERY = f"SELECT {', '.join(Row.__struct_fields__)} FROM rows ORDER BY offset"  # noqa: S608  # our own column names
_MEND = "the next start of `sluice up` sets a damaged file aside and keeps every row that can be read; look after the disk, which may be failing"


class Look(NamedTuple):
    """One segment: its first and last row (bodies left out), how many of those read are damaged, and what is wrong with the file."""

    path: Path
    first: Row | None
    last: Row | None
    damaged: int
    wrong: str


def check_journal(subject: Subject) -> Iterator[Check]:
    """Read the newest segments to their end and the heads of the older ones; hold offsets and totals of neighbours against each other."""
    looks = [_look(path, subject, deep=deep) for path, deep in _chosen(subject)]
    if not looks:
        if subject.running:
            said, advice = (
                "journal: its files are gone",
                "the gateway begins new ones with the next message; find out who deletes files there",
            )
            yield Check.complaint(NAME, said, advice)
        else:
            yield Check.fine(NAME, "there is none yet")
        return
    complaints = [*_damages(looks), *_holes(looks), *_full(subject, looks)]
    yield from complaints or [Check.fine(NAME, _sound(subject, looks))]


def _chosen(subject: Subject) -> list[tuple[Path, bool]]:
    """List the segments, oldest first, and whether each is read to its end."""
    left = BOUND
    chosen: list[tuple[Path, bool]] = []
    for path in reversed(segments(subject.journal)):
        left -= size(path)
        chosen.append((path, subject.full or left >= 0 or not chosen))
    return chosen[::-1]


def _look(path: Path, subject: Subject, *, deep: bool) -> Look:
    first = last = None
    try:
        wrong = damage(path, running=subject.running, full=subject.full) if deep else ""
        with opened(path, running=subject.running) as connection:
            first, last = _end(connection, "ASC"), _end(connection, "DESC")
            damaged = _damaged(connection, full=subject.full) if deep and not wrong else 0
    except FileNotFoundError:
        return Look(path, None, None, 0, "")  # retention has just dropped it
    except (sqlite3.Error, OSError) as error:
        return Look(path, first, last, 0, "" if is_full(error) else str(error))
    return Look(path, first, last, damaged, wrong)


def _end(connection: sqlite3.Connection, order: str) -> Row | None:
    found = connection.execute(f"{_HEADS} {order} LIMIT 1").fetchone()
    return Row(*found) if found else None


def _damaged(connection: sqlite3.Connection, *, full: bool) -> int:
    """Count the rows whose bytes are not what was written, as far as PATIENCE goes."""
    until, damaged = monotonic() + PATIENCE, 0
    for values in connection.execute(_QUERY):
        damaged += not _is_sound(values)
        if not full and monotonic() > until:
            break
    return damaged


def _is_sound(values: tuple[Any, ...]) -> bool:
    try:
        unsealed(values)
    except DamagedRowError:
        return False
    return True


def _damages(looks: list[Look]) -> Iterator[Check]:
    for look in looks:
        if look.wrong:
            yield Check.complaint(NAME, f"journal: segment {look.path.name} is damaged: {look.wrong}", _MEND)
        elif look.damaged:
            said = f"journal: segment {look.path.name} has {look.damaged:,} rows whose checksum is wrong"
            yield Check.complaint(
                NAME, said, "the flows leave them out, and the ledger counts their messages as set aside; look after the disk"
            )


def _holes(looks: list[Look]) -> Iterator[Check]:
    """Complain where messages are missing between two segments: what was counted up to the one is not where the next goes on from."""
    ends = [look for look in looks if look.first and look.last]
    for before, after in pairwise(ends):
        assert before.last
        assert after.first
        lost = after.first.total - after.first.count - before.last.total
        if lost > 0:
            said = f"journal: {lost:,} messages are missing between {before.path.name} and {after.path.name}"
            advice = (
                "the ledger counts them as set aside; see the check `set_aside`. It is told until the journal no longer reaches back so far"
            )
            yield Check.complaint(NAME, said, advice)


def _full(subject: Subject, looks: list[Look]) -> Iterator[Check]:
    unread, limit = _unread(subject, looks), subject.settings.journal.max_size
    if unread > limit * _NEARLY:
        said = f"journal: the flows have not read {amounts.size(unread)} of it; nothing is acknowledged beyond {amounts.size(limit)}"
        yield Check.complaint(
            NAME, said, "see whether the flows run and keep up (`sluice status`); raise journal.max_size if the disk allows"
        )


def _unread(subject: Subject, looks: list[Look]) -> int:
    """Give the bytes of the segments that the flows have not read to their end."""
    position = _position(subject)
    behind = [look for look in looks if look.last and look.last.offset > position]
    return sum(size(look.path) for look in behind[1:]) + (_part_unread(behind[0], position) if behind else 0)


def _part_unread(look: Look, position: int) -> int:
    assert look.last
    first = first_offset(look.path)
    return round(size(look.path) * (look.last.offset - max(position, first - 1)) / max(1, look.last.offset - first + 1))


def _position(subject: Subject) -> int:
    """Give the offset up to which the flows have read; 0 where they have not, or it cannot be told."""
    try:
        with StoreReader(subject.data / "store.db") as reader:
            progress = reader.progress()
    except StoreError:
        return 0
    return progress.offset if progress else 0


def _sound(subject: Subject, looks: list[Look]) -> str:
    used, newest = sum(size(look.path) for look in looks), next((look.last for look in reversed(looks) if look.last), None)
    rows = max(0, newest.offset - _position(subject)) if newest else 0
    files = f"{len(looks)} segment{'s' if len(looks) > 1 else ''}"
    return f"{files}, {amounts.size(used)} of {amounts.size(subject.settings.journal.max_size)}; the flows have {rows:,} rows to read"
