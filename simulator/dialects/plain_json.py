"""Plain JSON: one object per report on the device's own topic, as home-made devices send it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal

from simulator.dialect import Heard, Outgoing, Value, said, switch

Timestamps = Literal["iso", "ms", "none"]
"""How a device says when: ISO 8601 in UTC, epoch milliseconds, or not at all."""


def timestamp(at: int, kind: Timestamps) -> dict[str, str | int]:
    """Say when, to the millisecond; `at` is epoch ns.

    >>> timestamp(1_750_000_000_250_000_000, "iso")
    {'timestamp': '2025-06-15T15:06:40.250Z'}
    """
    if kind == "none":
        return {}
    ms = at // 1_000_000
    if kind == "ms":
        return {"timestamp": ms}
    return {"timestamp": f"{datetime.fromtimestamp(ms // 1000, UTC):%Y-%m-%dT%H:%M:%S}.{ms % 1000:03}Z"}


class PlainJson:
    """One device on `<root>/<name>`, which takes its commands on `<root>/<name>/set` and answers with its state."""

    def __init__(self, name: str, *, root: str, timestamps: Timestamps = "iso") -> None:
        self.connection = name
        self._topic = f"{root}/{name}"
        self._timestamps = timestamps

    def will(self) -> Outgoing | None:
        return None

    def hello(self) -> list[Outgoing]:
        return []

    def goodbye(self) -> list[Outgoing]:
        return []

    def report(self, values: Mapping[str, Value], *, on: bool | None, at: int) -> list[Outgoing]:
        state = {} if on is None else {"state": said(on)}
        body = {**timestamp(at, self._timestamps), **state, **values}
        return [Outgoing(self._topic, json.dumps(body, separators=(",", ":")).encode())]

    def listens(self) -> list[str]:
        return [f"{self._topic}/set"]

    def hear(self, topic: str, payload: bytes) -> Heard | None:  # noqa: ARG002  it listens on one topic
        """Take `{"state": "ON"}`, or `{"state": true}`."""
        try:
            asked = json.loads(payload)
        except ValueError:
            return None
        state = asked.get("state") if isinstance(asked, dict) else None
        if isinstance(state, bool):
            return Heard(on=state)
        return switch(state) if isinstance(state, str) else None

    def answer(self, values: Mapping[str, Value], *, on: bool, at: int) -> list[Outgoing]:
        return self.report(values, on=on, at=at)
