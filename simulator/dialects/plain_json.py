"""Plain JSON: one object per report on the device's own topic, as home-made devices send it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simulator.dialect import Heard, Outgoing, Value, compact, parsed, state, switched
from simulator.dialects.rooted import Rooted
from simulator.manner import USUAL, Manner
from simulator.timestamps import timestamp


class PlainJson(Rooted):
    """One device on `<root>/<name>`, which takes its commands on `<root>/<name>/set` and answers with its state.

    >>> PlainJson("t-1").report({"temperature": 21.5}, on=None, at=1_750_000_000_250_000_000)[0].payload.decode()
    '{"timestamp":"2025-06-15T15:06:40.250Z","temperature":21.5}'
    """

    stamped = True

    def __init__(self, name: str, manner: Manner = USUAL) -> None:
        super().__init__(name, manner)
        self.stamped = manner.timestamps != "none"

    def report(self, values: Mapping[str, Value], *, on: bool | None, at: int) -> list[Outgoing]:
        return [Outgoing(self.topic, self._written({**timestamp(at, self.manner.timestamps), **state(on), **values}))]

    def listens(self) -> list[str]:
        return [f"{self.topic}/set"]

    def hear(self, topic: str, payload: bytes) -> Heard | None:  # noqa: ARG002  it listens on one topic
        """Take `{"state": "ON"}`, or `{"state": true}`."""
        asked = self._read(payload)
        wanted = asked.get("state") if isinstance(asked, dict) else None
        return Heard(on=wanted) if isinstance(wanted, bool) else switched(asked)

    def _written(self, body: dict[str, Any]) -> bytes:
        return compact(body)

    def _read(self, payload: bytes) -> Any:
        return parsed(payload)
