"""Asks the store what belongs together: the ends of an episode, what an alert caused, the revisions of a window."""

from __future__ import annotations

import sqlite3

import msgspec

from gateway.store.effects import AlertChanged, Group, WindowClosed
from gateway.store.outcomes import group_text

_WINDOW = msgspec.json.Decoder(WindowClosed)
_ALERT = msgspec.json.Decoder(AlertChanged)


def episode(connection: sqlite3.Connection, name: str) -> list[AlertChanged]:
    """Give the ends of an episode that the store has, in order."""
    query = "SELECT body FROM effects WHERE kind = 'alert' AND json_extract(body, '$.episode') = ? ORDER BY seq"
    return [_ALERT.decode(body) for (body,) in connection.execute(query, (name,))]


def revisions(connection: sqlite3.Connection, flow: str, group: Group, *, until: int, at: int | None = None) -> list[WindowClosed]:
    """Give all revisions of a group's newest window that ends by `until` and, with `at`, was first given by that time of the journal."""
    # Two groups may have one text, so the group itself is held against what is found.
    query = "SELECT body FROM effects WHERE kind = 'window' AND flow = ? AND grp = ? AND time <= ? ORDER BY time DESC, revision"
    found: list[WindowClosed] = []
    for (body,) in connection.execute(query, (flow, group_text(group), until)):
        window = _WINDOW.decode(body)
        if found and window.end != found[0].end:
            break
        if window.group == group and (found or at is None or window.at <= at):
            found.append(window)
    return found
