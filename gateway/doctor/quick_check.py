"""A SQLite file of the data folder, looked at without changing it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

from gateway.disk import is_full
from gateway.sqlite_file import length, log_of, size

BOUND = 64 * 2**20
"""Bytes that are read to the end; of what is larger, the head and the newest rows are (unless all is asked for)."""

PATIENCE = 5.0
"""Seconds that a look at one file may take (unless all is asked for)."""

_STEPS = 10_000
"""Instructions of SQLite's between two looks at the clock: some ms."""


@contextmanager
def opened(path: Path, *, running: bool) -> Iterator[sqlite3.Connection]:
    """Open a file for reading, beside its writer or without one.

    Where nothing runs and no write-ahead log is left, nothing but the file itself is touched: SQLite would leave an index file beside it.
    Raises sqlite3.Error where the file is not one of SQLite's.
    """
    alone = not running and not length(log_of(path))
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro{'&immutable=1' if alone else ''}", uri=True, timeout=2.0)
    try:
        yield connection
    finally:
        connection.close()


def damage(path: Path, *, running: bool, full: bool) -> str:
    """Say what is wrong with a file, "" where nothing is found: `PRAGMA quick_check` up to BOUND bytes and for PATIENCE seconds, beyond it the schema."""
    if path.stat().st_size == 0 and not size(path):
        return "it is empty"
    try:
        with opened(path, running=running) as connection:
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            return _checked(connection, full=full) if full or size(path) <= BOUND else ""
    except (sqlite3.Error, OSError) as error:
        return "" if is_full(error) else str(error)  # SQLite needs a little room to look at a file that is in use


def _checked(connection: sqlite3.Connection, *, full: bool) -> str:
    """Run SQLite's own check; a file too slow to be read in time counts as sound."""
    until = monotonic() + PATIENCE
    if not full:
        connection.set_progress_handler(lambda: monotonic() > until, _STEPS)
    try:
        (said,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError:
        if not full and monotonic() > until:
            return ""
        raise
    finally:
        connection.set_progress_handler(None, 0)
    return "" if said == "ok" else " ".join(str(said).split())
