"""One file of the journal: a SQLite database of rows, named by its first offset."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from time import monotonic, time_ns
from typing import Any, Literal

from gateway.disk import sync
from gateway.journal.row import Row
from gateway.journal.seal import DamagedRowError, sealed, unsealed
from gateway.sqlite_file import files, length, log_of

Durability = Literal["strict", "batched"]

PAGE = 4096
"""Bytes of a page; the same in every segment, so that one without its header can be read."""
_PAGES_BETWEEN_CHECKPOINTS = 16_384
"""64 MB: a checkpoint holds everything up for tens of ms, so at SQLite's 1,000 pages each hundredth message would wait for one."""
_PATIENCE, _READERS_AT_MOST = 10_000, 100
"""ms that a lock is waited for, and one that only readers hold who are in the way of a shorter log."""
_STEP, _LOOK_ANYWAY = 50_000_000, 1.0
"""ns within which two changes may have one stamp, with room to spare, and seconds after which a listing is read anew whatever its stamp."""
_NEWEST = 2**63 - 1
_DAMAGES = frozenset((sqlite3.SQLITE_ERROR, sqlite3.SQLITE_IOERR_READ, sqlite3.SQLITE_IOERR_SHORT_READ, sqlite3.SQLITE_IOERR_CORRUPTFS))
"""Of the errors of operation: a table that is not there (SQLITE_ERROR), and what cannot be read."""

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


class Listing:
    """The segments of a directory, for whoever looks again and again: it is read anew only when it has changed, and every second."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._found: list[Path] = []
        self._stamp, self._until = 0, 0.0

    def segments(self) -> list[Path]:
        """List them, oldest first."""
        try:
            stamp, now = self._directory.stat().st_mtime_ns, monotonic()
        except OSError:  # there is no such folder, or no more
            return []
        if stamp != self._stamp or now > self._until:
            # Files that come within one step of the kernel's clock leave the same stamp: only one that is older than that says anything.
            self._stamp = stamp if abs(time_ns() - stamp) > _STEP else 0
            self._until = now + _LOOK_ANYWAY
            self._found = segments(self._directory)
        return self._found


def first_offset(path: Path) -> int:
    return int(path.stem)


class Segment:
    """A segment opened for writing or reading.

    A row is durable when `append` returned (durability `strict`), or when `sync` returned after it (`batched`). Rows that are not what was
    written are left out. What SQLite cannot do is a `sqlite3.Error`.
    """

    def __init__(self, path: Path, *, write: Durability | None = None, untouched: bool = False) -> None:
        """Open it; to write, it is made where there is none. `untouched` leaves the files as they are, while no other process has them open."""
        self.path = path
        if write and not path.exists():
            publish(prepare(path), path)
        self._inode = path.stat().st_ino
        logged = length(log_of(path)) > 0
        self._db = _connect(path, "mode=rw" if not untouched else "mode=ro" if logged else "mode=ro&immutable=1")
        if write:
            self._db.execute(f"PRAGMA synchronous={'FULL' if write == 'strict' else 'NORMAL'}")
            self._db.execute(f"PRAGMA wal_autocheckpoint={_PAGES_BETWEEN_CHECKPOINTS}")

    def append(self, *rows: Row) -> None:
        """Commit rows, all or none; on an error, nothing has changed for who reads."""
        with self._db:
            self._db.execute("BEGIN")
            self._db.executemany(f"INSERT INTO rows ({_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?)", map(_values, rows))  # noqa: S608  only constants

    def is_there(self) -> bool:
        """Tell whether the file still has its name: what is written to one that was deleted is lost."""
        try:
            return self.path.stat().st_ino == self._inode
        except OSError:
            return False

    def sync(self) -> None:
        """Make every row so far durable, also those that `batched` has not made so yet. OSError where the disk cannot."""
        sync_log(self.path)

    def shorten_log(self) -> bool:
        """Bring the write-ahead log into the file, and give its room back to the disk; tell whether it is shorter now.

        It holds a page again for each row that went into it, so that it is many times larger than what it brings.
        """
        before = length(log_of(self.path))
        self._db.execute(f"PRAGMA busy_timeout={_READERS_AT_MOST}")
        try:
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except sqlite3.OperationalError:  # there is no room for that, or a reader in the way
            return False
        finally:
            self._db.execute(f"PRAGMA busy_timeout={_PATIENCE}")
        return length(log_of(self.path)) < before

    def after(self, offset: int, limit: int) -> list[Row]:
        """Read up to `limit` rows behind `offset`, in order; none where there is none."""
        return self._rows("offset > ? ORDER BY offset", offset, limit)

    def before(self, offset: int, limit: int) -> list[Row]:
        """Read up to `limit` rows up to and with `offset`, newest first; none where there is none."""
        return self._rows("offset <= ? ORDER BY offset DESC", offset, limit)

    def beyond(self, offset: int, limit: int) -> list[Row]:
        """Read as `after` does, but begin behind the pages that cannot be read, where there is something behind them."""
        newest = self.last_offset() or 0
        low, high = offset, newest - 1
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if self._readable(middle) else (middle + 1, high)
        return self.after(low, limit)

    def _readable(self, offset: int) -> bool:
        try:
            return bool(self.after(offset, 1))
        except sqlite3.Error:
            return False

    def last(self) -> Row | None:
        """Read the newest row."""
        return next(iter(self.before(_NEWEST, 1)), None)

    def last_offset(self) -> int | None:
        """Tell the newest offset, also if its row is not what was written."""
        found = self._db.execute("SELECT max(offset) FROM rows").fetchone()[0]
        return None if found is None else int(found)

    def first_offset(self) -> int | None:
        """Tell the oldest offset that is in the file, also if its row is not what was written."""
        found = self._db.execute("SELECT min(offset) FROM rows").fetchone()[0]
        return None if found is None else int(found)

    def flaw(self) -> str:
        """Say what SQLite's own check finds amiss in the file; empty where nothing is."""
        said = self._db.execute("PRAGMA quick_check(1)").fetchone()[0].decode(errors="replace")
        return "" if said == "ok" else " ".join(said.split())

    def close(self) -> None:
        self._db.close()

    def _rows(self, where: str, offset: int, limit: int) -> list[Row]:
        rows: list[Row] = []
        with closing(self._db.execute(f"SELECT {_COLUMNS} FROM rows WHERE {where}", (offset,))) as found:  # noqa: S608  only constants
            try:
                while len(rows) < limit and (columns := found.fetchone()):
                    rows += _sound(columns)
            except sqlite3.Error:
                if not rows:
                    raise
        return rows


def _sound(columns: tuple[Any, ...]) -> Iterator[Row]:
    try:
        yield unsealed(columns)
    except DamagedRowError:
        return


def is_damage(error: Exception) -> bool:
    """Tell whether a file is no longer what SQLite has written, rather than that the disk does not take or give anything now."""
    if not isinstance(error, sqlite3.OperationalError):
        return isinstance(error, sqlite3.DatabaseError)
    return getattr(error, "sqlite_errorcode", None) in _DAMAGES


def has_no_room(error: Exception) -> bool:
    """Tell whether the disk, or what this user may have of it, is used up."""
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", None) in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE}
    return isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}


def prepare(path: Path) -> Path:
    """Make an empty segment under another name, durably: a reader never sees one without its table. Give where it is."""
    fresh = path.with_suffix(".new")
    for old in files(fresh):
        old.unlink(missing_ok=True)
    fresh.touch()
    with closing(_connect(fresh, "mode=rw")) as db:
        db.execute(f"PRAGMA page_size={PAGE}")
        db.execute("PRAGMA journal_mode=WAL")
        db.execute(_SCHEMA)
    sync(fresh)
    return fresh


def publish(fresh: Path, path: Path) -> None:
    """Give a prepared segment its name, durably."""
    fresh.rename(path)
    sync(path.parent)


def sync_log(path: Path) -> None:
    """Make the write-ahead log of a segment durable, where it has one. The file itself is made so by SQLite whenever the log goes into it."""
    try:
        sync(log_of(path))
    except FileNotFoundError:
        return
    sync(path.parent)


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    db = sqlite3.connect(f"{path.resolve().as_uri()}?{mode}", uri=True, isolation_level=None, check_same_thread=False)
    db.execute(f"PRAGMA busy_timeout={_PATIENCE}")
    db.text_factory = bytes  # a damaged column may be a text of any bytes
    return db


def _values(row: Row) -> tuple[int | bytes, ...]:
    return (row.offset, row.kind, row.received, row.uptime, row.session, row.connection, row.live, row.count, row.total, sealed(row))
