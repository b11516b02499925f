"""A SQLite file: what stands beside it, how large it is with that, and what is wrong with it, told without changing it."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from pathlib import Path

from gateway.damage import is_damage

_HEADER = b"SQLite format 3\x00"
_WHOLE = 64 * 2**20
"""Bytes up to which a file is always read as a whole: at most half a second."""


def log_of(path: Path) -> Path:
    """Name the write-ahead log of a file."""
    return path.with_name(f"{path.name}-wal")


def files(path: Path) -> list[Path]:
    """List what belongs to a file: itself, its write-ahead log, the index of that, and a rollback journal; not all of them need exist."""
    return [path, log_of(path), path.with_name(f"{path.name}-shm"), path.with_name(f"{path.name}-journal")]


def length(path: Path) -> int:
    """Give the bytes of one file; 0 where it is gone: whoever closes a database last takes its log away."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def size(path: Path) -> int:
    """Give the bytes of a file and its write-ahead log; 0 where it is gone."""
    return length(path) + length(log_of(path))


def flaw(path: Path, tables: Collection[str], *, thorough: bool = False) -> str:
    """Say what is wrong with a file that must have these tables; "" where nothing is.

    A larger file is only read as a whole when that is wanted (`thorough`). Errors that do not tell of damage (a full disk, a lock) are not
    told here: whoever opens the file for good meets them again.
    """
    if not path.is_file():
        return "it must be a file"
    own, header = path.stat().st_size, _header(path)
    if own == 0:
        return "it is empty"
    if not header.startswith(_HEADER):
        return "it is not an SQLite file"
    if (promised := _promised(header)) > own and not length(log_of(path)):
        return f"it is cut off: {own:,} of {promised:,} bytes are there"
    return _looked_into(path, tables, check="integrity_check" if thorough else "quick_check" if own < _WHOLE else "")


def _looked_into(path: Path, tables: Collection[str], *, check: str) -> str:
    try:
        connection = sqlite3.connect(path, isolation_level=None, timeout=5.0)
        try:
            return _inside(connection, tables, check=check)
        finally:
            connection.close()
    except UnicodeDecodeError:  # of SQLite's own words about it
        return "it is damaged: a name in it is not UTF-8"
    except sqlite3.Error as error:
        return f"it is damaged: {error}" if is_damage(error) else ""


def _inside(connection: sqlite3.Connection, tables: Collection[str], *, check: str) -> str:
    found = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    if not found and connection.execute("PRAGMA user_version").fetchone()[0] == 0:
        return ""  # a power cut came before its first transaction was on the disk: whoever opens it makes it anew
    if missing := sorted(set(tables) - found):
        return f"it must have the table {missing[0]}"
    if check:
        said = connection.execute(f"PRAGMA {check}(1)").fetchone()[0]
        if said != "ok":
            return f"it is damaged: {' '.join(said.split())}"
    if check == "integrity_check" and (broken := _broken_texts(connection, tables)):
        return f"it is damaged: {broken} texts in it are not UTF-8"
    return ""


def _broken_texts(connection: sqlite3.Connection, tables: Collection[str]) -> int:
    """Count the texts that cannot be read as such, which SQLite takes for sound."""
    broken = 0

    def text(raw: bytes) -> str:
        nonlocal broken
        try:
            return raw.decode()
        except UnicodeDecodeError:
            broken += 1
            return ""

    connection.text_factory = text
    for table in tables:
        for _ in connection.execute(f"SELECT * FROM {table}"):  # noqa: S608  # our own names
            pass
    return broken


def _header(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(100)


def _promised(header: bytes) -> int:
    """Give how long the header says that the file is, 0 where that may be out of date (SQLite's file format, 1.3.7)."""
    if len(header) < 100 or header[24:28] != header[92:96]:
        return 0
    page = int.from_bytes(header[16:18])
    return (65_536 if page == 1 else page) * int.from_bytes(header[28:32])
