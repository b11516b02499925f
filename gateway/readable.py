"""What can still be read of a damaged SQLite file: its tables row by row, past the pages that cannot be."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Self

Row = tuple[Any, ...]
_END = 1 << 62
_AT_ONCE = 10_000


class Readable:
    """A damaged file, opened for reading. Nothing here raises for damage: what cannot be read is not there."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=5.0)
        self._connection.text_factory = lambda raw: raw.decode(errors="replace")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._connection.close()

    def copy(self, table: str, into: sqlite3.Connection, *, sound: Callable[[Mapping[str, Any]], bool] = lambda _: True) -> int:
        """Copy what can be read of a table into the one of the same name, but for rows that are not `sound`; give how many came across.

        A column that only one of the two has is left out. Rows that break a rule of the new table are left out too.
        """
        there = self.columns(table)
        columns = [name for (_, name, *_) in into.execute(f"PRAGMA table_info({table})") if name in there]
        if not columns:
            return 0
        marks = ", ".join("?" * len(columns))
        insert = f"INSERT OR IGNORE INTO {table}({', '.join(columns)}) VALUES({marks})"  # our own names
        rows = (row for row in self.rows(table, columns) if sound(dict(zip(columns, row, strict=True))))
        copied = 0
        while batch := list(islice(rows, _AT_ONCE)):
            copied += max(0, into.executemany(insert, batch).rowcount)
        return copied

    def columns(self, table: str) -> list[str]:
        """Give the names of a table's columns; none where there is no such table, or no telling."""
        with suppress(sqlite3.Error):
            return [row[1] for row in self._connection.execute(f"PRAGMA table_info({table})")]
        return []

    def rows(self, table: str, columns: Sequence[str]) -> Iterator[Row]:
        """Give the rows of a table that can be read, each once."""
        names = ", ".join(columns)
        if self._has_numbers(table):
            yield from self._numbered(table, names)
        else:
            yield from self._keyed(table, names)

    def _has_numbers(self, table: str) -> bool:
        with suppress(sqlite3.Error):
            row = self._connection.execute("SELECT sql FROM sqlite_schema WHERE name = ?", (table,)).fetchone()
            return row is not None and "WITHOUT ROWID" not in row[0].upper()
        return False

    def _numbered(self, table: str, names: str) -> Iterator[Row]:
        """Go through a table by its row numbers; behind a page that cannot be read, or is out of order, go on with the first row that can.

        A damaged tree may lead back to where one has been: only upwards is forward.
        """
        after = -_END
        query = f"SELECT rowid, {names} FROM {table} WHERE rowid > ? ORDER BY rowid LIMIT ?"  # noqa: S608  # our own names
        while after < _END:
            try:
                for number, *row in self._connection.execute(query, (after, -1)):
                    if number <= after:
                        break
                    after = number
                    yield tuple(row)
                else:
                    return
            except sqlite3.Error:
                pass
            # Python looks one row ahead: the last one before the page is still to be given.
            try:
                found = self._behind(query, after)
            except sqlite3.Error:
                after = self._next_readable(query, after)
            else:
                if found is None:
                    return
                after = found[0]
                yield tuple(found[1:])

    def _next_readable(self, query: str, after: int) -> int:
        """Give the lowest place above `after` behind which the table can be read again; `_END` where there is none.

        A page holds one stretch of row numbers, so what can be read begins at one border: it is found by doubling, then halving.
        """
        low, step = after, 1
        while not self._reads(query, high := min(after + step, _END)):
            if high == _END:
                return _END
            low, step = high, step * 2
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self._reads(query, middle) else (middle, high)
        return high

    def _behind(self, query: str, after: int) -> Row | None:
        """Give the first row above `after`; raises sqlite3.Error also where what comes is not above it."""
        found: Row | None = self._connection.execute(query, (after, 1)).fetchone()
        if found is not None and found[0] <= after:
            raise sqlite3.DatabaseError("row numbers are out of order")
        return found

    def _reads(self, query: str, after: int) -> bool:
        try:
            self._behind(query, after)
        except sqlite3.Error:
            return False
        return True

    def _keyed(self, table: str, names: str) -> Iterator[Row]:
        """Go through a table without row numbers from both ends, up to where it cannot be read."""
        seen: set[Row] = set()
        key = ", ".join(row[1] for row in self._keys(table)) or "1"
        descending = ", ".join(f"{row[1]} DESC" for row in self._keys(table)) or "1"
        for order in (key, descending):
            try:
                for row in self._connection.execute(f"SELECT {names} FROM {table} ORDER BY {order}"):  # noqa: S608  # our own names
                    if row not in seen:
                        seen.add(row)
                        yield row
            except sqlite3.Error:
                continue
            return

    def _keys(self, table: str) -> list[Row]:
        with suppress(sqlite3.Error):
            found = [row for row in self._connection.execute(f"PRAGMA table_info({table})") if row[5]]
            return sorted(found, key=lambda row: row[5])
        return []
