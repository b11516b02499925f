"""Damage to the files of the data folder: which errors tell of it, and the note that a process leaves of it for `mend`."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from gateway.disk import causes

MARK = "damaged"
"""The note's file in the data folder: what is named there is looked at thoroughly, or not used any more, at the next start."""

RECOVERY = "recovery"
"""What the note says where the state of the flows cannot be used, though its files look sound."""

_NO_TEXT = "Could not decode to UTF-8"
"""What Python says of a text in a file that is none."""
_CODES = frozenset((sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB))


class DamageError(Exception):
    """A file of the data folder cannot be used as it is. `what` is named in the note."""

    def __init__(self, what: str, reason: str) -> None:
        super().__init__(f"{what}: {reason}")
        self.what = what


def is_damage(error: BaseException) -> bool:
    """Tell whether an error, or one that led to it, says that one of our files is damaged.

    >>> is_damage(DamageError("recovery", "cannot be read")), is_damage(ValueError())
    (True, False)
    """
    return any(isinstance(one, DamageError) or _says_damaged(one) for one in causes(error))


def named(error: BaseException) -> str:
    """Give what the error names as damaged; "" where it does not say."""
    return next((one.what for one in causes(error) if isinstance(one, DamageError)), "")


def mark(data: Path, what: str = "") -> None:
    """Leave a note that something is damaged. A disk that is full takes no note: then the next start looks as it always does."""
    with contextlib.suppress(OSError), (data / MARK).open("a") as note:
        note.write(f"{what}\n")


def marked(data: Path) -> frozenset[str] | None:
    """Give what the note names; None where there is no note."""
    try:
        return frozenset((data / MARK).read_text(errors="replace").split())
    except OSError:
        return None


def _says_damaged(error: BaseException) -> bool:
    if not isinstance(error, sqlite3.Error):
        return False
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _CODES or _NO_TEXT in str(error)
