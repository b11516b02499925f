"""Copies of retained messages: a broker sends one for each subscription that takes the topic (MQTT 3.1.1, 3.3.1.3)."""

from __future__ import annotations

from typing import Any
from zlib import crc32

MOST = 100_000
"""Topics remembered on one connection; of what is beyond, a copy counts again."""


class Copies:
    """The retained messages that have come on the connection under way, by topic.

    On one connection a retained message comes only when a subscription is made: the same again can only be a copy.

    >>> copies = Copies()
    >>> [copies.has(connection, "t", payload) for connection, payload in [(1, b"3"), (1, b"3"), (2, b"3"), (2, b"4")]]
    [False, True, False, False]
    """

    def __init__(self, state: dict[str, Any] | None = None) -> None:
        state = state or {}
        self._connection: int = state.get("connection", -1)
        self._seen: dict[str, int] = state.get("seen", {})

    def has(self, connection: int, topic: str, payload: bytes) -> bool:
        """Tell whether a retained message has come before on its connection, and remember it."""
        if connection != self._connection:
            self._connection = connection
            self._seen.clear()
        check = crc32(payload)
        if self._seen.get(topic) == check:
            return True
        if len(self._seen) < MOST:
            self._seen[topic] = check
        return False

    def snapshot(self) -> dict[str, Any]:
        return {"connection": self._connection, "seen": self._seen}
