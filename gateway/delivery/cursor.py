"""How far a destination has come, in a file of its own: positions, sums, and the rows it refused."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import msgspec

from gateway.delivery.destination import Stream
from gateway.store.errors import StoreError
from gateway.store.positions import Positions
from gateway.store.reader import StoreReader

VERSION = 2
TAGS_SINCE = 2
"""The schema that has `tag_values` and `tag_stops` (`gateway.delivery.label_tags`)."""
_SYNC_EVERY = 5.0
"""Seconds after which a cursor's moves are on the disk: after a power cut, what was delivered within the last ones goes out again."""
MOST_DEAD = 10_000
"""Refused rows kept to look at; all are counted."""

_DDL = """BEGIN IMMEDIATE;
CREATE TABLE cursors(
  stream TEXT PRIMARY KEY, position INTEGER NOT NULL, mark TEXT NOT NULL, stable INTEGER NOT NULL, delivered INTEGER NOT NULL,
  dead INTEGER NOT NULL, skipped INTEGER NOT NULL);
CREATE TABLE dead_letters(
  n INTEGER PRIMARY KEY AUTOINCREMENT, stream TEXT NOT NULL, position INTEGER NOT NULL, id TEXT NOT NULL, reason TEXT NOT NULL,
  body TEXT NOT NULL, UNIQUE(stream, id));
CREATE TABLE trouble(one INTEGER PRIMARY KEY CHECK(one = 1), error TEXT NOT NULL, alarm INTEGER NOT NULL);
PRAGMA user_version=1;
COMMIT;"""
_TAGS = f"""BEGIN IMMEDIATE;
CREATE TABLE tag_values(label TEXT NOT NULL, value INTEGER NOT NULL, PRIMARY KEY(label, value)) WITHOUT ROWID;
CREATE TABLE tag_stops(label TEXT PRIMARY KEY, last INTEGER NOT NULL, most INTEGER NOT NULL);
PRAGMA user_version={VERSION};
COMMIT;"""


class DeadRow(msgspec.Struct, frozen=True):
    """A row that the destination refused: `position` is its id or seq, `body` the row as JSON."""

    stream: Stream
    position: int
    id: str
    reason: str
    body: str


class StreamState(msgspec.Struct, frozen=True):
    """One stream of a destination: rows delivered, refused, and passed over: nobody's to deliver, or of a stream that was not wanted then."""

    position: int
    delivered: int
    dead: int
    skipped: int


class Cursor:
    """The cursor file of one destination. It may lag behind what was delivered (then rows go out again), and never runs ahead of it."""

    def __init__(self, path: Path) -> None:
        """Open or make the file; raises StoreError where it is damaged or newer."""
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(path, isolation_level=None, timeout=30.0, check_same_thread=False)
        try:
            self._connection.execute("PRAGMA journal_mode=WAL")
            (version,) = self._connection.execute("PRAGMA user_version").fetchone()
            if version == 0:
                self._connection.executescript(_DDL)
            if version < VERSION:
                self._connection.executescript(_TAGS)
        except sqlite3.DatabaseError as error:
            self._connection.close()
            raise StoreError(f"cursor {path}: cannot be opened: {error}") from error
        self._made, self._synced = version == 0, 0.0
        if version > VERSION:
            self._connection.close()
            raise StoreError(f"cursor {path}: must have schema {VERSION} or older; got schema {version}, made by a newer Sluice")

    def close(self) -> None:
        self._connection.close()

    def align(self, reader: StoreReader, streams: Iterable[Stream], *, backfill: bool) -> None:
        """Fit the cursor to the store and to the streams wanted. Call it before anything is delivered.

        A stream wanted for the first time starts at the oldest row, or (without `backfill`, in a file that is not new) at the newest.
        Never ahead of the store: what a power cut took from the store comes again, and is delivered again.
        """
        wanted = list(streams)
        newest = reader.newest()
        known = [stream for (stream,) in self._connection.execute("SELECT stream FROM cursors")]
        with self._transaction():
            for stream in known:
                if stream not in wanted:
                    self._connection.execute("DELETE FROM cursors WHERE stream = ?", (stream,))
            for stream in wanted:
                if stream not in known:
                    start = 0 if self._made or backfill else _of(newest, stream)
                    self._connection.execute("INSERT INTO cursors VALUES(?, ?, '', ?, 0, 0, 0)", (stream, start, start))
                    if start:
                        self._rebase(reader, stream, start, skip=True)
                else:
                    self._rewind(reader, stream, _of(newest, stream))

    def begin(self, reader: StoreReader, stream: Stream, position: int) -> None:
        """Let a stream that the file does not have begin behind a row; what lies before it counts as passed over."""
        with self._transaction():
            self._connection.execute("INSERT INTO cursors VALUES(?, ?, '', ?, 0, 0, 0)", (stream, position, position))
            self._rebase(reader, stream, position, skip=True)

    def position(self, stream: Stream) -> int:
        (position,) = self._connection.execute("SELECT position FROM cursors WHERE stream = ?", (stream,)).fetchone()
        return int(position)

    def advance(
        self, stream: Stream, position: int, *, mark: str, stable: int, taken: int, refused: Sequence[DeadRow] = (), skipped: int = 0
    ) -> None:
        """Move on past a batch of which `taken` rows were delivered, `refused` never will be, and `skipped` are nobody's to deliver.

        `mark` is the id of the row at the position, `stable` the highest position that a power cut cannot take from the store.
        """
        rows = [(one.stream, one.position, one.id, one.reason, one.body) for one in refused]
        dead = 0
        with self._transaction():
            if rows:
                insert = "INSERT OR IGNORE INTO dead_letters(stream, position, id, reason, body) VALUES(?, ?, ?, ?, ?)"
                dead = self._connection.executemany(insert, rows).rowcount
                self._connection.execute("DELETE FROM dead_letters WHERE n <= (SELECT max(n) FROM dead_letters) - ?", (MOST_DEAD,))
            self._connection.execute(
                "UPDATE cursors SET position = ?, mark = ?, stable = ?, delivered = delivered + ?, dead = dead + ?, skipped = skipped + ?"
                " WHERE stream = ?",
                (position, mark, min(stable, position), taken, dead, skipped, stream),
            )

    def note(self, error: str, *, alarm: bool = False) -> None:
        """Keep what goes wrong now, for `status`; "" when nothing does."""
        self._connection.execute("INSERT OR REPLACE INTO trouble VALUES(1, ?, ?)", (error, alarm))

    def dead_letters(self, *, newest: int = 50) -> list[DeadRow]:
        """Give the newest refused rows, the newest first."""
        query = "SELECT stream, position, id, reason, body FROM dead_letters ORDER BY n DESC LIMIT ?"
        return [DeadRow(*row) for row in self._connection.execute(query, (newest,))]

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Write all of it or, where the disk does not take it, nothing; now and then with all that was written before it on the disk."""
        due = monotonic() - self._synced > _SYNC_EVERY
        self._connection.execute(f"PRAGMA synchronous={'FULL' if due else 'NORMAL'}")
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
            self._synced = monotonic() if due else self._synced
        except BaseException:
            if self._connection.in_transaction:  # a full disk may have rolled it back already
                self._connection.execute("ROLLBACK")
            raise

    def _rewind(self, reader: StoreReader, stream: Stream, newest: int) -> None:
        """Go back where the store is not what it was when these rows were delivered.

        Readings have the same id however often they are made again. A seq is given out by the store, so after a power cut the rows beyond
        its last sync may come back in another order: then all of those go out again.
        """
        position, mark, stable = self._connection.execute(
            "SELECT position, mark, stable FROM cursors WHERE stream = ?", (stream,)
        ).fetchone()
        start = min(position, newest)
        if stream == "effects" and start == position and mark:
            found = reader.effect_id(position)
            if found is not None and found != mark:
                start = min(position, stable)
        if start < position:
            self._connection.execute("UPDATE cursors SET position = ?, mark = '' WHERE stream = ?", (start, stream))
            self._rebase(reader, stream, start, skip=False)

    def _rebase(self, reader: StoreReader, stream: Stream, start: int, *, skip: bool) -> None:
        """Set the sums so that written = delivered + dead + skipped + pending holds for the position as it is now."""
        counts = reader.counts()
        written = counts.readings["kept"] if stream == "readings" else counts.effects
        everything = Positions.everything()
        after = Positions(start, everything.effects) if stream == "readings" else Positions(everything.readings, start)
        passed = written - sum(reader.pending(after))
        column, other = ("skipped", "delivered") if skip else ("delivered", "skipped")
        self._connection.execute(
            f"UPDATE cursors SET {column} = max(0, ? - dead - {other}) WHERE stream = ?",  # noqa: S608  # our own column names
            (passed, stream),
        )


def _of(positions: Positions, stream: Stream) -> int:
    return positions.readings if stream == "readings" else positions.effects
