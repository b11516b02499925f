"""The disk under the data folder: what is free there, and which errors say that it takes nothing more."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

_FULL = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EIO))
_WORDS = ("database or disk is full", "disk I/O error")
"""What SQLite says, where another library (Bytewax) hands it on as text."""
_SQLITE_FULL = frozenset((sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR))


def is_full(error: BaseException) -> bool:
    """Tell whether an error, or one that led to it, says that the disk takes nothing more now: it is full, over quota, or fails.

    >>> is_full(OSError(errno.ENOSPC, "")), is_full(OSError(errno.ENOENT, ""))
    (True, False)
    """
    return any(_says_full(one) for one in causes(error))


def free(path: Path) -> int:
    """Give the bytes that may still be written to the disk that `path` is on. Raises OSError."""
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize


def sync(path: Path) -> None:
    """Make the contents of a file, or the names in a folder, durable. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace(path: Path, content: bytes) -> None:
    """Replace a small file as a whole, durably: after a power cut it is as it was before, or as it is now. Raises OSError."""
    fresh = path.with_name(f"{path.name}.new")
    with fresh.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    sync(path.parent)


def causes(error: BaseException) -> Iterator[BaseException]:
    """Give an error and all that led to it."""
    pending, seen = [error], set[int]()
    while pending:
        one = pending.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        if isinstance(one, BaseExceptionGroup):
            pending.extend(one.exceptions)
        pending.extend(further for further in (one.__cause__, one.__context__) if further is not None)


def _says_full(error: BaseException) -> bool:
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", 0) & 0xFF in _SQLITE_FULL  # the low byte is the kind, above it are details
    if isinstance(error, OSError):
        return error.errno in _FULL
    return any(words in str(error) for words in _WORDS)
