"""Whether the small files can be read: the book of commands, the cursors of the destinations, the mailbox."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.derived import CURSOR
from gateway.doctor import amounts
from gateway.doctor.check import Check
from gateway.doctor.quick_check import damage
from gateway.doctor.subject import Subject
from gateway.letters.mailbox import MAILBOX
from gateway.sqlite_file import size

NAME = "books"
_BOOK = "commands.db"
_LOST = {
    _BOOK: "commands that were under way are told as failed",
    MAILBOX: "ask again for the dead letters that were to be read again",
    CURSOR: "derived readings go into the journal once more, and are recognised",
}
_CURSOR_LOST = "rows of the store are delivered to that destination once more"


def check_books(subject: Subject) -> Iterator[Check]:
    """Run SQLite's check on each file."""
    files = [path for path in (subject.data / name for name in _LOST) if path.exists()]
    files += sorted((subject.data / "delivery").glob("*.db"))
    complaints = 0
    for path in files:
        if wrong := damage(path, running=subject.running, full=subject.full):
            complaints += 1
            advice = f"the next start of `sluice up` sets it aside and begins a new one: {_LOST.get(path.name, _CURSOR_LOST)}"
            yield Check.complaint(NAME, f"{path.relative_to(subject.data)} is damaged: {wrong}", advice)
    if not complaints:
        yield Check.fine(NAME, f"{len(files)} files, {amounts.size(sum(map(size, files)))}" if files else "there are none yet")
