"""The book of commands: every command and where it stands, what was switched, and the facts that the journal has yet to take."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from devices.reading import Expected
from gateway.commands.interlocks import Hold, Switched
from gateway.damage import DamageError
from gateway.store.effects import CommandFact, CommandRequested, CommandState

_SCHEMA = """
CREATE TABLE IF NOT EXISTS commands (
  id TEXT PRIMARY KEY, flow TEXT NOT NULL, device TEXT NOT NULL, settings BLOB NOT NULL, within INTEGER NOT NULL, retries INTEGER NOT NULL,
  expires INTEGER NOT NULL, asked INTEGER NOT NULL, state TEXT NOT NULL DEFAULT 'requested', attempt INTEGER NOT NULL DEFAULT 0,
  due INTEGER NOT NULL DEFAULT 0, sent_offset INTEGER NOT NULL DEFAULT 0, expects BLOB NOT NULL DEFAULT x'90', detail TEXT NOT NULL DEFAULT '',
  first_sent INTEGER NOT NULL DEFAULT 0, held_until INTEGER NOT NULL DEFAULT 0, holds INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS open_commands ON commands (state) WHERE state IN ('requested', 'sent');
CREATE TABLE IF NOT EXISTS switches (
  device TEXT NOT NULL, setting TEXT NOT NULL, "on" INTEGER NOT NULL, since INTEGER NOT NULL, place INTEGER NOT NULL, metric TEXT NOT NULL,
  channel TEXT NOT NULL, PRIMARY KEY (device, setting)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS guarded (device TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS facts (number INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS cursor (one INTEGER PRIMARY KEY CHECK (one = 1), taken INTEGER NOT NULL);
"""

_ADDED = ("first_sent", "held_until", "holds")
"""Columns of commands that books of earlier versions do not have."""
_INDEXES = """
CREATE INDEX IF NOT EXISTS commands_of_a_device ON commands (device, asked);
CREATE INDEX IF NOT EXISTS sends ON commands (device, first_sent) WHERE first_sent > 0;
"""


class Command(msgspec.Struct, frozen=True):
    """A command as the book has it. Times are epoch ns; `due` is when the attempt under way is given up; `sent_offset` is the journal's newest row then.

    `first_sent` is 0 until it is sent. While interlocks hold it back, `detail` says why, and `held_until` (0: nobody knows) until when;
    `holds` counts how often that was said.
    """

    id: str
    flow: str
    device: str
    settings: dict[str, Any]
    within: int
    retries: int
    expires: int
    asked: int
    state: CommandState
    attempt: int
    due: int
    sent_offset: int
    expects: tuple[Expected, ...]
    detail: str
    first_sent: int
    held_until: int
    holds: int


End = tuple[Command, CommandState, str]
"""How a command ended, and why."""

_COLUMNS = ", ".join(Command.__struct_fields__)
_settings = msgspec.msgpack.Decoder(dict[str, Any])
_expects = msgspec.msgpack.Decoder(tuple[Expected, ...])


class Book:
    """Shared by the gateway and by `sluice send`.

    Guarantee: a command is taken from the store once (its cursor moves in the same transaction), and every change of its state is durable
    (fsync) before it shows, and leaves one fact, which stays here until the journal has it.
    """

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, timeout=10)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.executescript(_SCHEMA)
        self._bring_up_to_date()
        self._newest = 0

    def _bring_up_to_date(self) -> None:
        """Add what a book of an earlier version does not have. The gateway and `sluice send` may come here at once."""
        with self._change():
            known = {column for _, column, *_ in self._db.execute("PRAGMA table_info(commands)")}
            for column in _ADDED:
                if column not in known:
                    self._db.execute(f"ALTER TABLE commands ADD COLUMN {column} INTEGER NOT NULL DEFAULT 0")
        self._db.executescript(_INDEXES)

    @contextmanager
    def _change(self, synchronous: str = "FULL") -> Iterator[None]:
        """Hold one transaction."""
        self._db.execute(f"PRAGMA synchronous={synchronous}")
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            yield

    def taken(self) -> int:
        """Give the cursor: the store's newest effect that was looked at for commands."""
        found = self._db.execute("SELECT taken FROM cursor").fetchone()
        return int(found[0]) if found else 0

    def take(self, requests: Iterable[CommandRequested], upto: int) -> None:
        """Enter what the flows ask for, and move the cursor. What is known already changes nothing."""
        # A power cut takes the cursor back together with what was taken, so this one need not wait for the disk.
        with self._change("NORMAL"):
            for r in requests:
                self._enter(r.id, r.flow, r.device, r.settings, within=r.within, retries=r.retries, expires=r.expires, asked=r.at)
            self._db.execute("INSERT OR REPLACE INTO cursor VALUES (1, ?)", (upto,))

    def ask(self, command: str, device: str, settings: Mapping[str, Any], *, within: int, retries: int, expires: int, now: int) -> None:
        """Enter what a person asks for; its first fact is `requested`."""
        with self._change():
            self._enter(command, "", device, settings, within=within, retries=retries, expires=expires, asked=now)
            self._fact(CommandFact(f"{command}/requested/0", command, device, "", "requested", 0, dict(settings), "sent by hand", now))

    def _enter(
        self, command: str, flow: str, device: str, settings: Mapping[str, Any], *, within: int, retries: int, expires: int, asked: int
    ) -> None:
        self._db.execute(
            "INSERT OR IGNORE INTO commands (id, flow, device, settings, within, retries, expires, asked) VALUES (?,?,?,?,?,?,?,?)",
            (command, flow, device, msgspec.msgpack.encode(settings), within, retries, expires, asked),
        )

    def recall(self, command: Command) -> bool:
        """Enter a command as it stood, where the book has lost it; tell whether it had."""
        fields = msgspec.structs.asdict(command)
        fields |= {"settings": msgspec.msgpack.encode(command.settings), "expects": msgspec.msgpack.encode(command.expects)}
        places = ", ".join(f":{name}" for name in fields)
        with self._change():
            return self._db.execute(f"INSERT OR IGNORE INTO commands ({_COLUMNS}) VALUES ({places})", fields).rowcount == 1  # noqa: S608

    def go_on_from(self, seq: int) -> None:
        """Look for commands only behind this effect of the store, unless the book knows better."""
        with self._change():
            self._db.execute("INSERT OR IGNORE INTO cursor VALUES (1, ?)", (seq,))

    def open(self) -> list[Command]:
        """List the commands that are waiting or under way, oldest first."""
        found = self._db.execute(f"SELECT {_COLUMNS} FROM commands WHERE state IN ('requested', 'sent') ORDER BY asked, rowid")  # noqa: S608
        return [_command(row) for row in found]

    def get(self, command: str) -> Command | None:
        """Give one command."""
        found = self._db.execute(f"SELECT {_COLUMNS} FROM commands WHERE id = ?", (command,)).fetchone()  # noqa: S608
        return _command(found) if found else None

    def sent(
        self, command: Command, *, now: int, due: int, offset: int, expects: Sequence[Expected], switched: Switched | None = None
    ) -> None:
        """Note an attempt, and what it switched; `offset` is the journal's newest row before it."""
        with self._change():
            self._db.execute(
                "UPDATE commands SET state='sent', attempt=?, due=?, sent_offset=?, expects=?, detail='', first_sent=? WHERE id=?",
                (command.attempt + 1, due, offset, msgspec.msgpack.encode(expects), command.first_sent or now, command.id),
            )
            if switched:
                self._switch(switched)
            self._fact(_fact(command, "sent", command.attempt + 1, "", now))

    def end(self, command: Command, state: CommandState, detail: str, *, now: int) -> None:
        """Note how a command ended."""
        self.end_all([(command, state, detail)], now=now)

    def end_all(self, ends: Sequence[End], *, now: int) -> None:
        """Note how commands ended, at once: a hundred that wait for the disk one by one hold up all others."""
        if not ends:
            return
        with self._change():
            for command, state, detail in ends:
                self._db.execute("UPDATE commands SET state=?, detail=? WHERE id=?", (state, detail, command.id))
                self._fact(_fact(command, state, command.attempt, detail, now))

    def hold(self, command: Command, hold: Hold, *, now: int) -> None:
        """Note that a command is held back; its life runs on from the end of a hold that has one."""
        until = hold.until or 0
        longer = until - max(command.held_until, now) if until else 0
        with self._change():
            self._db.execute(
                "UPDATE commands SET detail=?, held_until=?, holds=holds+1, expires=expires+? WHERE id=?",
                (hold.why, until, longer, command.id),
            )
            fact = _fact(command, "requested", 0, hold.why, now)
            self._fact(msgspec.structs.replace(fact, id=f"{command.id}/held/{command.holds + 1}"))

    def restore(self, command: Command, detail: str, *, now: int) -> None:
        """Ask anew for what a command wanted, since the device has been told something else; one under way ends."""
        cause = command.id.partition(_RESTORED)[0]
        with self._change():
            if command.state == "sent":
                self._db.execute("UPDATE commands SET state='superseded', detail=? WHERE id=?", (detail, command.id))
                self._fact(_fact(command, "superseded", command.attempt, detail, now))
            before = (f"{cause}{_RESTORED}", f"{cause}{_RESTORED[:-1]}0")  # "0" is the character after "/"
            (times,) = self._db.execute("SELECT count(*) FROM commands WHERE id > ? AND id < ?", before).fetchone()
            name, life = f"{cause}{_RESTORED}{times + 1}", max(command.within, command.expires - command.asked)
            within, retries = command.within, command.retries
            self._enter(name, command.flow, command.device, command.settings, within=within, retries=retries, expires=now + life, asked=now)
            again = msgspec.structs.replace(command, id=name)
            self._fact(_fact(again, "requested", 0, detail, now))

    def newest_of(self, device: str, limit: int = 50) -> list[Command]:
        """List a device's newest commands, the newest first."""
        query = f"SELECT {_COLUMNS} FROM commands WHERE device = ? ORDER BY asked DESC, rowid DESC LIMIT ?"  # noqa: S608
        return [_command(row) for row in self._db.execute(query, (device, limit))]

    def sends_after(self, device: str, since: int) -> list[int]:
        """List when commands were first sent to a device after a time, in order."""
        query = "SELECT first_sent FROM commands WHERE device = ? AND first_sent > max(?, 0) ORDER BY first_sent"
        return [sent for (sent,) in self._db.execute(query, (device, since))]

    def switches(self, device: str | None = None) -> list[Switched]:
        """List what was switched last, of all devices or of one."""
        where, values = ("", ()) if device is None else ("WHERE device = ?", (device,))
        query = f'SELECT device, setting, "on", since, place, metric, channel FROM switches {where}'  # noqa: S608  # our own text
        return [Switched(row[0], row[1], bool(row[2]), *row[3:]) for row in self._db.execute(query, values)]

    def switch(self, switched: Switched) -> None:
        """Note that something was switched, whoever did it."""
        with self._change():
            self._switch(switched)

    def _switch(self, switched: Switched) -> None:
        """Keep since when something is as it is: to be told the same again changes nothing of that."""
        self._db.execute(
            "INSERT INTO switches VALUES (?,?,?,?,?,?,?) ON CONFLICT DO UPDATE SET place=excluded.place, metric=excluded.metric,"
            ' channel=excluded.channel, since=iif("on" = excluded."on", since, excluded.since), "on"=excluded."on"',
            switched,
        )

    def guard(self, device: str) -> bool:
        """Note that a device's safe state is with the broker; tell whether it ever was before."""
        with self._change():
            return self._db.execute("INSERT OR IGNORE INTO guarded VALUES (?)", (device,)).rowcount == 0

    def _fact(self, fact: CommandFact) -> None:
        """Note a fact; no two have one time, by which InfluxDB would take them for one point."""
        self._newest = max(fact.time, self._newest + 1)
        fact = msgspec.structs.replace(fact, time=self._newest)
        self._db.execute("INSERT INTO facts (body) VALUES (?)", (msgspec.msgpack.encode(fact),))

    def facts(self) -> list[tuple[int, CommandFact]]:
        """List the facts that the journal does not have yet, in order."""
        try:
            return [(number, _fact_of.decode(body)) for number, body in self._db.execute("SELECT number, body FROM facts ORDER BY number")]
        except msgspec.DecodeError as error:
            raise DamageError("commands.db", f"a fact cannot be decoded: {error}") from error

    def journalled(self, upto: int) -> None:
        """Forget facts that the journal has."""
        with self._change("NORMAL"):
            self._db.execute("DELETE FROM facts WHERE number <= ?", (upto,))

    def close(self) -> None:
        self._db.close()


_RESTORED = "/restored/"
_fact_of = msgspec.msgpack.Decoder(CommandFact)


def _fact(command: Command, state: CommandState, attempt: int, detail: str, now: int) -> CommandFact:
    return CommandFact(
        f"{command.id}/{state}/{attempt}", command.id, command.device, command.flow, state, attempt, command.settings, detail, now
    )


def _command(row: Sequence[Any]) -> Command:
    fields = dict(zip(Command.__struct_fields__, row, strict=True))
    try:
        fields["settings"] = _settings.decode(fields["settings"])
        fields["expects"] = _expects.decode(fields["expects"])
    except msgspec.DecodeError as error:
        raise DamageError("commands.db", f"command {fields['id']} cannot be decoded: {error}") from error
    return Command(**fields)
