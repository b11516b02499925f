"""Writes what flows decided: windows, alerts, commands and the facts of their lives, readings derived, failures; in the order they came."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import msgspec

from gateway.store import totals
from gateway.store.effects import AlertChanged, CommandFact, CommandRequested, CommandState, Derived, Failed, Group, WindowClosed
from gateway.store.totals import Totals

Published = WindowClosed | AlertChanged | CommandRequested | CommandFact
"""The outcomes that are delivered."""

Outcome = Published | Derived | Failed

KINDS: dict[str, type[Outcome]] = {
    "window": WindowClosed,
    "alert": AlertChanged,
    "command": CommandRequested,
    "fact": CommandFact,
    "derived": Derived,
    "failure": Failed,
}
"""The word for each kind in `effects.kind`, and what its `body` decodes to."""

ENDS: tuple[CommandState, ...] = ("confirmed", "failed", "expired", "superseded", "refused")
"""The states that end a command: requested = their sum + waiting."""

_RANKS: dict[str, int] = {"requested": 0, "sent": 1} | dict.fromkeys(ENDS, 2)
_INSERT = "INSERT OR IGNORE INTO effects(id, kind, flow, grp, state, revision, time, at, body) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)"
Row = tuple[str, str, str, str, str, int, int, int, str]


def group_text(group: Group) -> str:
    """Join a group's values as topics and lists show it: `all` where everything is together.

    >>> group_text((("device", "t1"), ("room", "attic"))), group_text(())
    ('t1,attic', 'all')
    """
    return ",".join(value for _, value in group) if group else "all"


class Outcomes:
    """The writer's outcomes: each once by its id, under a `seq` that only goes up. Commands keep a row of where they stand."""

    def __init__(self, connection: sqlite3.Connection, sums: Totals) -> None:
        self._connection = connection
        self._totals = sums
        self._encoder = msgspec.json.Encoder()

    def write(self, outcomes: Sequence[Outcome]) -> None:
        """Write outcomes, in the caller's transaction."""
        (before,) = self._connection.execute("SELECT coalesce(max(seq), 0) FROM effects").fetchone()
        inserted = self._connection.executemany(_INSERT, [self._row(outcome) for outcome in outcomes]).rowcount
        if inserted:
            self._totals[totals.EFFECTS] += inserted
            counts = self._connection.execute("SELECT kind, state, count(*) FROM effects WHERE seq > ? GROUP BY kind, state", (before,))
            for kind, state, count in counts.fetchall():
                self._totals[f"{kind} {state}"] += count
        for outcome in outcomes:
            if isinstance(outcome, CommandRequested):
                self._request(outcome)
            elif isinstance(outcome, CommandFact):
                self._advance(outcome)

    def _row(self, outcome: Outcome) -> Row:
        body = self._encoder.encode(outcome).decode()
        match outcome:
            case WindowClosed():
                state = "emitted" if outcome.revision == 1 else "revised"
                group = group_text(outcome.group)
                return (outcome.id, "window", outcome.flow, group, state, outcome.revision, outcome.end, outcome.at, body)
            case AlertChanged():
                return (outcome.id, "alert", outcome.flow, group_text(outcome.group), outcome.state, 1, outcome.time, outcome.at, body)
            case CommandRequested():
                return (outcome.id, "command", outcome.flow, group_text(outcome.group), "requested", 1, outcome.time, outcome.at, body)
            case CommandFact():
                return (outcome.id, "fact", outcome.flow, outcome.device, outcome.state, outcome.attempt, outcome.time, outcome.time, body)
            case Derived():
                return (outcome.id, "derived", outcome.flow, group_text(outcome.group), "derived", 1, outcome.ts, outcome.at, body)
            case Failed():
                return (outcome.id, "failure", outcome.flow, group_text(outcome.group), "failed", 1, outcome.at, outcome.at, body)

    def _request(self, command: CommandRequested) -> None:
        settings = self._encoder.encode(command.settings).decode()
        self._connection.execute(
            "INSERT INTO commands VALUES(?, ?, ?, ?, ?, 'requested', 0, 0, '', ?, ?)"
            " ON CONFLICT(id) DO UPDATE SET cause = excluded.cause, requested = excluded.requested",
            (command.id, command.flow, command.device, settings, command.cause, command.time, command.time),
        )

    def _advance(self, fact: CommandFact) -> None:
        """Move a command on to the fact's state, unless it is further already: so facts may come again, and in any order."""
        sent = 1 if fact.state == "sent" else 0
        known = self._connection.execute("SELECT state, changed FROM commands WHERE id = ?", (fact.command,)).fetchone()
        if known is None:
            settings = self._encoder.encode(fact.settings).decode()
            self._connection.execute(
                "INSERT INTO commands VALUES(?, ?, ?, ?, '', ?, ?, ?, ?, ?, ?)",
                (fact.command, fact.flow, fact.device, settings, fact.state, sent, fact.attempt, fact.detail, fact.time, fact.time),
            )
            return
        if sent:
            self._connection.execute("UPDATE commands SET sent = 1 WHERE id = ?", (fact.command,))
        state, changed = known
        if (_RANKS[fact.state], fact.time) > (_RANKS[state], changed):
            self._connection.execute(
                "UPDATE commands SET state = ?, attempt = ?, detail = ?, changed = ? WHERE id = ?",
                (fact.state, fact.attempt, fact.detail, fact.time, fact.command),
            )
