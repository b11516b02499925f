"""A damaged book of commands begun anew, so that nothing is commanded twice and nothing that was asked for stays without an end."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from time import time_ns
from typing import Any

import msgspec

from devices.interlocks import switch
from devices.reading import Expected
from gateway.commands.book import Book, Command
from gateway.commands.interlocks import HOUR, Switched
from gateway.readable import Readable, Row
from gateway.store.effects import CommandFact, CommandRequested
from gateway.store.errors import StoreError
from gateway.store.schema import open_reader

TABLES = ("commands", "switches", "guarded", "facts", "cursor")

_requested = msgspec.json.Decoder(CommandRequested)
_fact = msgspec.json.Decoder(CommandFact)
_BLOBS: dict[str, msgspec.msgpack.Decoder[Any]] = {
    "settings": msgspec.msgpack.Decoder(dict[str, Any]),
    "expects": msgspec.msgpack.Decoder(tuple[Expected, ...]),
    "body": msgspec.msgpack.Decoder(CommandFact),
}
_DAY = 24 * HOUR
_WHY = "the book of commands was damaged: whether the device did it is not known"


def salvage(damaged: Path, fresh: Path, store: Path) -> str:
    """Make a new book from what can be read of the damaged one and from what the store knows; say what became of open commands.

    A command that the store has not seen sent is taken in as it was asked for, and goes out while it lasts. One that was sent and not ended
    fails: to send it again could be to do it twice. When devices were switched and commanded within the last day is taken from the store, so
    that interlocks go on to hold.
    """
    book = Book(fresh)
    connection = sqlite3.connect(fresh, isolation_level=None)
    try:
        with Readable(damaged) as remains:
            for table in TABLES:
                remains.copy(table, connection, sound=_decodes)
    finally:
        connection.close()
    try:
        taken, failed = _take_from_store(book, store)
    finally:
        book.close()
    return f"{taken} commands were taken from the store as they stood, and {failed} that were under way have failed"


def undecodable(connection: sqlite3.Connection) -> int:
    """Give how many rows of a book hold what cannot be decoded."""
    commands = ({"settings": row[0], "expects": row[1]} for row in connection.execute("SELECT settings, expects FROM commands"))
    facts = ({"body": row[0]} for row in connection.execute("SELECT body FROM facts"))
    return sum(not _decodes(row) for row in (*commands, *facts))


def _take_from_store(book: Book, path: Path) -> tuple[int, int]:
    """Take in what the book does not have: commands of the last day and all that are open; give how many open ones stay so, and how many fail."""
    try:
        store = open_reader(path)
    except StoreError:
        return 0, 0
    now, taken, failed = time_ns(), 0, 0
    try:
        columns = "id, flow, device, settings, state, sent, attempt, requested, changed"
        query = f"SELECT {columns} FROM commands WHERE state IN ('requested', 'sent') OR changed >= ? ORDER BY requested, id"  # noqa: S608
        for row in store.execute(query, (now - _DAY,)).fetchall():
            command = _command(store, row)
            if not book.recall(command) or command.state not in {"requested", "sent"}:
                continue
            if command.state == "requested" and command.first_sent == 0 and command.within:
                taken += 1
            else:
                book.end(command, "failed", _WHY, now=now)
                failed += 1
        for (body,) in store.execute(
            "SELECT body FROM effects WHERE kind = 'fact' AND state = 'sent' AND at >= ? ORDER BY seq", (now - _DAY,)
        ):
            fact = _fact.decode(body)
            if (wanted := switch(fact.settings)) is not None and not book.switches(fact.device):
                book.switch(Switched(fact.device, wanted.setting, wanted.on, fact.time, 0, "", ""))
        book.go_on_from(_newest(store))
    finally:
        store.close()
    return taken, failed


def _command(store: sqlite3.Connection, row: Row) -> Command:
    """Make a command of what the store knows; `within` is 0 where nothing tells how it was asked for."""
    name, flow, device, settings, state, sent, attempt, requested, _ = row
    found = store.execute("SELECT body FROM effects WHERE id = ? AND kind = 'command'", (name,)).fetchone()
    asked = _requested.decode(found[0]) if found else None
    first = store.execute("SELECT time FROM effects WHERE id = ? AND kind = 'fact'", (f"{name}/sent/1",)).fetchone()
    return Command(
        id=name,
        flow=flow,
        device=device,
        settings=asked.settings if asked else msgspec.json.decode(settings),
        within=asked.within if asked else 0,
        retries=asked.retries if asked else 0,
        expires=asked.expires if asked else 0,
        asked=asked.at if asked else requested,
        state=state,
        attempt=attempt,
        due=0,
        sent_offset=0,
        expects=(),
        detail="",
        first_sent=first[0] if first else (requested if sent else 0),
        held_until=0,
        holds=0,
    )


def _newest(store: sqlite3.Connection) -> int:
    row = store.execute("SELECT seq FROM sqlite_sequence WHERE name = 'effects'").fetchone()
    return int(row[0]) if row else 0


def _decodes(row: Mapping[str, Any]) -> bool:
    """Tell whether the blobs of a row are what they should be."""
    try:
        for column, decoder in _BLOBS.items():
            if column in row:
                decoder.decode(row[column])
    except (TypeError, ValueError):  # msgspec's errors are ValueErrors
        return False
    return True
