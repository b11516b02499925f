"""Whether the store can be read, how large it is, and how old its newest reading."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from gateway.doctor import amounts
from gateway.doctor.check import Check
from gateway.doctor.quick_check import damage, opened
from gateway.doctor.subject import Subject
from gateway.screen import ago
from gateway.sqlite_file import size
from gateway.store.errors import StoreAbsentError, StoreError
from gateway.store.schema import open_reader

NAME = "store"
_OVER = 1.25
"""How far beyond `history.max_size` the file may be before it is a complaint: it is shed in steps."""

_MEND = (
    "the next start of `sluice up` sets it aside, saves what can be read, and makes the rest again from the journal; look after the disk"
)
_NEWEST = "SELECT at FROM batches ORDER BY id DESC LIMIT 1"


def check_store(subject: Subject) -> Iterator[Check]:
    """Run SQLite's check (bounded), and hold the size against `history.max_size`."""
    path, limit = subject.data / "store.db", subject.settings.history.max_size
    if not path.exists():
        yield Check.fine(NAME, "there is none yet")
        return
    if wrong := _wrong(subject, path):
        yield Check.complaint(NAME, wrong, _MEND)
        return
    used = size(path)
    if limit and used > limit * _OVER:
        said = f"store {path}: must be at most {amounts.size(limit)} (history.max_size); got {amounts.size(used)}"
        yield Check.complaint(
            NAME, said, "it sheds its oldest rows while the flows run: see whether they do; a smaller history.keep keeps less"
        )
    else:
        bound = f" of {amounts.size(limit)}" if limit else ""
        newest = _newest(subject, path)
        age = "no reading is in it" if newest is None else f"the newest reading came {ago(newest, subject.now)}"
        yield Check.fine(NAME, f"{amounts.size(used)}{bound}; {age}")


def _wrong(subject: Subject, path: Path) -> str:
    """Say what is wrong with the file, "" where nothing is."""
    try:
        with suppress(StoreAbsentError):  # made a moment ago, or emptied: which of the two is told below
            open_reader(path).close()
    except StoreError as error:
        return str(error)
    wrong = damage(path, running=subject.running, full=subject.full)
    return f"store {path}: is damaged: {wrong}" if wrong else ""


def _newest(subject: Subject, path: Path) -> int | None:
    """Give when the newest reading was received, in epoch ns."""
    with opened(path, running=subject.running) as connection:
        found = connection.execute(_NEWEST).fetchone()
    return found[0] if found else None
