"""One file of the journal: a SQLite database of rows, named by its first offset."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Literal

from gateway.journal.row import Row

Durability = Literal["strict", "batched"]

_PAGES_BETWEEN_CHECKPOINTS = 16_384
"""64 MB: a checkpoint holds everything up for tens of ms, so at SQLite's 1,000 pages each hundredth message would wait for one."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS rows (
  offset INTEGER PRIMARY KEY, kind INTEGER NOT NULL, received INTEGER NOT NULL, uptime INTEGER NOT NULL,
  session INTEGER NOT NULL, connection INTEGER NOT NULL, live INTEGER NOT NULL,
  count INTEGER NOT NULL, total INTEGER NOT NULL, body BLOB NOT NULL)
"""
_COLUMNS = "offset, kind, received, uptime, session, connection, live, count, total, body"


def segment_path(directory: Path, first: int) -> Path:
    """Name the file that begins at this offset; names sort as offsets do."""
    return directory / f"{first:016d}.db"


def segments(directory: Path) -> list[Path]:
    """List the segments, oldest first."""
    return sorted(directory.glob("[0-9]" * 16 + ".db"))


def first_offset(path: Path) -> int:
    return int(path.stem)


class Segment:
    """A segment opened for writing or reading. Rows are durable when `append` returns (durability `strict`)."""

    def __init__(self, path: Path, *, write: Durability | None = None) -> None:
        self.path = path
        if write and not path.exists():
            _create(path)
        self._db = _connect(path)
        if write:
            self._db.execute(f"PRAGMA synchronous={'FULL' if write == 'strict' else 'NORMAL'}")
            self._db.execute(f"PRAGMA wal_autocheckpoint={_PAGES_BETWEEN_CHECKPOINTS}")

    def append(self, row: Row) -> None:
        """Commit one row."""
        self._db.execute(f"INSERT INTO rows ({_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?)", _values(row))  # noqa: S608  only constants

    def after(self, offset: int, limit: int) -> list[Row]:
        """Read up to `limit` rows behind `offset`, in order."""
        found = self._db.execute(f"SELECT {_COLUMNS} FROM rows WHERE offset > ? ORDER BY offset LIMIT ?", (offset, limit))  # noqa: S608
        return [_row(r) for r in found]

    def last(self) -> Row | None:
        """Read the newest row."""
        found = self._db.execute(f"SELECT {_COLUMNS} FROM rows ORDER BY offset DESC LIMIT 1").fetchone()  # noqa: S608
        return _row(found) if found else None

    def newest_first(self) -> list[int]:
        """List the offsets, newest first."""
        return [offset for (offset,) in self._db.execute("SELECT offset FROM rows ORDER BY offset DESC")]

    def total_at(self, offset: int) -> int | None:
        """Tell how many messages there were, ever, up to and with the newest row at or before `offset`."""
        found = self._db.execute("SELECT total FROM rows WHERE offset <= ? ORDER BY offset DESC LIMIT 1", (offset,)).fetchone()
        return int(found[0]) if found else None

    def size(self) -> int:
        """Tell the size of the file and its write-ahead log, in bytes."""
        return sum(p.stat().st_size for p in (self.path, self.path.with_name(self.path.name + "-wal")) if p.exists())

    def close(self) -> None:
        self._db.close()


def _create(path: Path) -> None:
    """Make an empty segment under another name and rename it: a reader never sees one without its table."""
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    fresh.touch()
    db = _connect(fresh)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute(_SCHEMA)
    db.close()
    fresh.rename(path)


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=rw", uri=True, isolation_level=None, check_same_thread=False, timeout=10)


def _values(row: Row) -> tuple[int | bytes, ...]:
    return (row.offset, row.kind, row.received, row.uptime, row.session, row.connection, row.live, row.count, row.total, row.body)


def _row(found: tuple[int, int, int, int, int, int, int, int, int, bytes]) -> Row:
    offset, kind, received, uptime, session, connection, live, count, total, body = found
    return Row(offset, kind, received, uptime, session, connection, bool(live), count, total, body)
