"""How deliveries stand, read from their cursor files and the store: by the gateway itself or by any process beside it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import msgspec

from gateway.delivery.cursor import TAGS_SINCE, StreamState
from gateway.delivery.label_tags import exploded
from gateway.store.errors import StoreError
from gateway.store.positions import Positions
from gateway.store.reader import StoreReader


class DeliveryState(msgspec.Struct, frozen=True, kw_only=True):
    """How one destination stands.

    `delivered`, `dead`, `skipped` and `pending` are rows of both streams: written to the store = their sum. `oldest_age` is how long (s)
    the first pending row has waited, 0 without one; `error` is "" when the last attempt worked; `alarm`: only a person can help. `findings`
    are what is wrong with the settings, as what is delivered shows.
    """

    name: str
    delivered: int
    pending: int
    dead: int
    skipped: int
    oldest_age: float
    error: str
    alarm: bool
    findings: list[str]
    streams: dict[str, StreamState]


def read_state(name: str, cursor: Path, reader: StoreReader, *, now: int) -> DeliveryState:
    """Give how a destination stands at `now` (epoch ns); one without a cursor file has delivered nothing. Raises StoreError."""
    streams: dict[str, StreamState] = {}
    error, alarm = "", False
    findings: list[str] = []
    if cursor.exists():
        try:
            connection = sqlite3.connect(f"{cursor.resolve().as_uri()}?mode=ro", uri=True, timeout=30.0)
            try:
                query = "SELECT stream, position, delivered, dead, skipped FROM cursors ORDER BY stream"
                streams = {stream: StreamState(*rest) for stream, *rest in connection.execute(query)}
                row = connection.execute("SELECT error, alarm FROM trouble").fetchone()
                findings = _findings(connection)
            finally:
                connection.close()
        except sqlite3.DatabaseError as failure:
            raise StoreError(f"cursor {cursor}: cannot be read: {failure}") from failure
        error, alarm = (row[0], bool(row[1])) if row else ("", False)
    after = _positions(streams)
    oldest = reader.oldest(after)
    return DeliveryState(
        name=name,
        delivered=sum(one.delivered for one in streams.values()),
        pending=sum(reader.pending(after)),
        dead=sum(one.dead for one in streams.values()),
        skipped=sum(one.skipped for one in streams.values()),
        oldest_age=0.0 if oldest is None else max(0.0, (now - oldest) / 1e9),
        error=error,
        alarm=alarm,
        findings=findings,
        streams=streams,
    )


def _findings(connection: sqlite3.Connection) -> list[str]:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    stops = connection.execute("SELECT label, most FROM tag_stops ORDER BY label") if version >= TAGS_SINCE else ()
    return [exploded(label, most) for label, most in stops]


def _positions(streams: dict[str, StreamState]) -> Positions:
    """Give where the streams are; one that is not wanted counts as done, and before the first start nothing is known to be wanted."""
    everything = Positions.everything()
    readings, effects = streams.get("readings"), streams.get("effects")
    return Positions(readings.position if readings else everything.readings, effects.position if effects else everything.effects)
