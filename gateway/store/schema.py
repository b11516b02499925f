"""The layout of `store.db`, and how to open it: WAL, one writer, any number of readers beside it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from gateway.disk import sync
from gateway.store.errors import StoreAbsentError, StoreError, StoreNewerError
from gateway.store.upgrade import to_batches

VERSION = 4
ONE_BY_ONE = 4
"""The version below which each reading was a row."""
APPLICATION = 0x536C7565
"""SQLite's `application_id` of our files: "Slue" in ASCII."""

DDL = """
-- One row per (device, metric, channel). Values are typed as values.py says. `state_id` is the reading that set last_*, `last_id` the
-- newest one taken live, `heard_id` the newest of those that are not belated (see effects.py); `live_ts` and `mark` (the last kept
-- live value; NULL: keep the next) serve `history.raw: changes`; `labels` are the newest reading's, as JSON. `count` readings were taken
-- since the ledger began, and `before` ahead of that: it begins anew where the flows have lost their state.
CREATE TABLE series(
  id INTEGER PRIMARY KEY, device TEXT NOT NULL, metric TEXT NOT NULL, channel TEXT NOT NULL, key TEXT NOT NULL, unit TEXT,
  convention TEXT NOT NULL, first_seen INTEGER NOT NULL, last_seen INTEGER, last_value, last_unit TEXT, last_ts INTEGER NOT NULL,
  last_retained INTEGER NOT NULL, state_id INTEGER NOT NULL, last_id INTEGER NOT NULL, heard_id INTEGER NOT NULL,
  live_ts INTEGER NOT NULL, mark, count INTEGER NOT NULL, kept INTEGER NOT NULL, labels TEXT NOT NULL DEFAULT '{}',
  before INTEGER NOT NULL DEFAULT 0, UNIQUE(device, metric, channel));


-- Windows, alerts, commands asked for, facts of commands and derived readings, in the order in which they were first written; `body` is the
-- effect as JSON.
CREATE TABLE effects(
  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, flow TEXT NOT NULL, grp TEXT NOT NULL,
  state TEXT NOT NULL, revision INTEGER NOT NULL, time INTEGER NOT NULL, at INTEGER NOT NULL, body TEXT NOT NULL);
CREATE INDEX effects_by_flow ON effects(kind, flow);

-- Where each command stands: its furthest fact (an end is never undone).
CREATE TABLE commands(
  id TEXT PRIMARY KEY, flow TEXT NOT NULL, device TEXT NOT NULL, settings TEXT NOT NULL, cause TEXT NOT NULL, state TEXT NOT NULL,
  sent INTEGER NOT NULL, attempt INTEGER NOT NULL, detail TEXT NOT NULL, requested INTEGER NOT NULL, changed INTEGER NOT NULL)
  WITHOUT ROWID;

-- `flags` as in the journal; `keys` are a JSON list. `state` is dead or replayed; `attempts` to read it again, the last one at the journal
-- place `tried` and the time `tried_at`; `outcome` is what a replayed letter became.
CREATE TABLE dead_letters(
  id INTEGER PRIMARY KEY, topic TEXT NOT NULL, payload BLOB NOT NULL, reason TEXT NOT NULL, device TEXT NOT NULL,
  received INTEGER NOT NULL, flags INTEGER NOT NULL DEFAULT 0, state TEXT NOT NULL DEFAULT 'dead', attempts INTEGER NOT NULL DEFAULT 0,
  tried INTEGER NOT NULL DEFAULT -1, tried_at INTEGER, outcome TEXT NOT NULL DEFAULT '', keys TEXT NOT NULL DEFAULT '[]');
CREATE TABLE devices(
  device TEXT PRIMARY KEY, convention TEXT NOT NULL, base TEXT NOT NULL, labels TEXT NOT NULL, first_seen INTEGER NOT NULL,
  last_seen INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE counters(
  stage TEXT NOT NULL, scope TEXT NOT NULL, device TEXT NOT NULL, term TEXT NOT NULL, value INTEGER NOT NULL,
  PRIMARY KEY(stage, scope, device, term)) WITHOUT ROWID;
CREATE TABLE progress(one INTEGER PRIMARY KEY CHECK(one = 1), position INTEGER NOT NULL, messages INTEGER NOT NULL, at INTEGER NOT NULL);
CREATE TABLE totals(term TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
"""

BATCHES = """
-- Readings as they came, by the hundred (batches.py): `id` and `last` are the ids of the first and the last, `at` is when the newest came. No
-- index by series: it would touch one page per series and commit, 4 kB written for a reading of 16 bytes.
CREATE TABLE batches(
  id INTEGER PRIMARY KEY, last INTEGER NOT NULL, count INTEGER NOT NULL, at INTEGER NOT NULL, body BLOB NOT NULL);

-- The index by series and time, made in bulk: a block is a stretch of batches, a span lists those that hold one series (int64, native order).
CREATE TABLE blocks(id INTEGER PRIMARY KEY, last INTEGER NOT NULL, min_ts INTEGER NOT NULL, max_ts INTEGER NOT NULL);
CREATE TABLE spans(block INTEGER NOT NULL, series INTEGER NOT NULL, batches BLOB NOT NULL, PRIMARY KEY(block, series)) WITHOUT ROWID;
"""

FROM_1 = """
ALTER TABLE series ADD COLUMN heard_id INTEGER NOT NULL DEFAULT -1;
ALTER TABLE series ADD COLUMN labels TEXT NOT NULL DEFAULT '{}';
UPDATE series SET heard_id = last_id, labels = coalesce((SELECT labels FROM devices WHERE devices.device = series.device), '{}');
ALTER TABLE readings ADD COLUMN sequence INTEGER;
ALTER TABLE dead_letters ADD COLUMN flags INTEGER NOT NULL DEFAULT 0;
ALTER TABLE dead_letters ADD COLUMN state TEXT NOT NULL DEFAULT 'dead';
ALTER TABLE dead_letters ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE dead_letters ADD COLUMN tried INTEGER NOT NULL DEFAULT -1;
ALTER TABLE dead_letters ADD COLUMN tried_at INTEGER;
ALTER TABLE dead_letters ADD COLUMN outcome TEXT NOT NULL DEFAULT '';
ALTER TABLE dead_letters ADD COLUMN keys TEXT NOT NULL DEFAULT '[]';
UPDATE dead_letters SET flags = 8 WHERE reason LIKE 'the payload is larger than limits.payload%';
"""
"""Brings schema 1 up to 2, which has labels by series and sequence numbers, and tells what became of dead letters.

Schema 1 knew an oversized message (flag 8) by its reason alone.
"""

FROM_2 = """
ALTER TABLE series ADD COLUMN before INTEGER NOT NULL DEFAULT 0;
"""
"""Brings schema 2 up to 3, whose ledger can begin anew."""

_STEPS = {1: FROM_1, 2: FROM_2}
"""Version 3 has readings one by one: `batches` takes them over."""


for _kind in (type(None), bytes):
    # Without an adapter, sqlite3 looks in three places for one at each value of these types: 0.9 µs, more than SQLite itself takes for a column.
    sqlite3.register_adapter(_kind, lambda value: value)


def open_writer(path: Path) -> sqlite3.Connection:
    """Open or make the file for its one writer.

    Raises StoreError. `synchronous=NORMAL`: a process that dies loses nothing committed; a power cut may lose what was committed since the
    last `sync`, never the file's consistency.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    made = not path.exists()
    connection = sqlite3.connect(path, isolation_level=None, timeout=30.0, check_same_thread=False)
    try:
        if made:
            connection.execute(
                "PRAGMA auto_vacuum=INCREMENTAL"
            )  # so that what is deleted can be given back to the disk; only a new file takes it
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA cache_size=-8192")
        connection.execute("PRAGMA wal_autocheckpoint=4096")
        connection.execute("PRAGMA journal_size_limit=33554432")
        _make(connection, path)
    except sqlite3.DatabaseError as error:
        connection.close()
        raise StoreError(f"store {path}: cannot be opened: {error}") from error
    except StoreError:
        connection.close()
        raise
    if made:
        sync(path.parent)  # else a power cut may take the whole file away
    return connection


def open_reader(path: Path) -> sqlite3.Connection:
    """Open the file for reading only, beside its writer or without one; raises StoreError."""
    if not path.exists():
        raise StoreAbsentError(f"store {path}: there is none yet")
    connection = sqlite3.connect(
        f"{path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=30.0, check_same_thread=False
    )
    try:
        version = _version(connection, path)
    except sqlite3.DatabaseError as error:
        connection.close()
        raise StoreError(f"store {path}: cannot be read: {error}") from error
    except StoreError:
        connection.close()
        raise
    if version < VERSION:
        connection.close()
        if version == 0:
            raise StoreAbsentError(f"store {path}: there is none yet")
        raise StoreError(f"store {path}: must have schema {VERSION}; got schema {version}: the next `sluice up` brings it up to date")
    connection.execute("PRAGMA cache_size=-4096")
    connection.execute("PRAGMA temp_store=MEMORY")
    return connection


def _make(connection: sqlite3.Connection, path: Path) -> None:
    version = _version(connection, path)
    if version == 0:
        connection.executescript(
            f"BEGIN IMMEDIATE; {DDL} {BATCHES} PRAGMA application_id={APPLICATION}; PRAGMA user_version={VERSION}; COMMIT;"
        )
    elif version < VERSION:
        connection.executescript("BEGIN IMMEDIATE; " + " ".join(_STEPS[step] for step in range(version, ONE_BY_ONE - 1)))
        try:
            to_batches(connection, BATCHES)
            connection.execute(f"PRAGMA user_version={VERSION}")
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise


def _version(connection: sqlite3.Connection, path: Path) -> int:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if tables and application != APPLICATION:
        raise StoreError(f"store {path}: must be a store of Sluice; got another program's SQLite file")
    if version > VERSION:
        raise StoreNewerError(f"store {path}: must have schema {VERSION} or older; got schema {version}, made by a newer Sluice")
    return int(version)
