"""Reads the history of series by time: sealed readings through the blocks, the newest by a scan."""

from __future__ import annotations

import sqlite3

from gateway.store import batches, blocks, totals
from gateway.store.batches import COLUMNS
from gateway.store.effects import ReadingKept
from gateway.store.rows import Rows
from gateway.store.values import NUMBER
from gateway.store.views import Bucket

_ALWAYS = (-(1 << 63), (1 << 63) - 1)
_FILL = f"INSERT INTO temp.found VALUES({', '.join('?' * len(COLUMNS.split(',')))})"
_BUCKETS = f"""SELECT s.device, s.metric, s.channel, s.unit, r.ts - r.ts % :every AS start, count(*), avg({NUMBER.format("r.value")}),
  min({NUMBER.format("r.value")}), max({NUMBER.format("r.value")})
  FROM temp.found r JOIN series s ON s.id = r.series GROUP BY r.series, start ORDER BY start, s.metric, s.channel"""  # noqa: S608  # our own


class History:
    """Answers for one device at a time, in the caller's read transaction. Ranges are [since, until), open where None."""

    def __init__(self, connection: sqlite3.Connection, rows: Rows) -> None:
        self._connection = connection
        self._rows = rows
        connection.execute(f"CREATE TEMP TABLE found({COLUMNS})")

    def readings(
        self, device: str, metric: str | None, channel: str | None, *, since: int | None, until: int | None, newest: int | None
    ) -> list[ReadingKept]:
        """Give the readings in order of time (then id); with `newest`, only that many of the last."""
        self._find(device, metric, channel, since, until)
        query = f"SELECT {COLUMNS} FROM temp.found ORDER BY ts DESC, id DESC LIMIT ?"  # noqa: S608  # our own column names
        rows = self._connection.execute(query, (-1 if newest is None else newest,)).fetchall()
        return self._rows.kept(rows[::-1])

    def buckets(
        self, device: str, metric: str | None, channel: str | None, *, since: int | None, until: int | None, every: int
    ) -> list[Bucket]:
        """Give mean, min, max and count for each `every` ns, aligned to the epoch; stretches without readings have no bucket."""
        self._find(device, metric, channel, since, until)
        found = self._connection.execute(_BUCKETS, {"every": every})
        names = Bucket.__struct_fields__
        return [Bucket(**dict(zip(names, row, strict=True))) for row in found]

    def _find(self, device: str, metric: str | None, channel: str | None, since: int | None, until: int | None) -> None:
        """Fill `temp.found` with the rows asked for."""
        first = _ALWAYS[0] if since is None else since
        end = _ALWAYS[1] if until is None else until
        run = self._connection.execute
        run("DELETE FROM temp.found")
        series = self._series(device, metric, channel)
        (last,) = run("SELECT coalesce(max(value), 0) FROM totals WHERE term = ?", (totals.SEALED,)).fetchone()
        wanted = [
            *blocks.find(self._connection, series, first, end),
            *(one for (one,) in run("SELECT id FROM batches WHERE id > ?", (last,))),
        ]
        found = batches.of(self._connection, wanted, frozenset(series))
        self._connection.executemany(_FILL, (row for row in found if first <= row[2] < end))

    def _series(self, device: str, metric: str | None, channel: str | None) -> list[int]:
        query = "SELECT id FROM series WHERE device = ? AND metric = coalesce(?, metric) AND channel = coalesce(?, channel) ORDER BY id"
        return [one for (one,) in self._connection.execute(query, (device, metric, channel))]
