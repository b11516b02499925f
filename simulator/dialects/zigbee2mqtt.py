"""Zigbee2MQTT: one bridge speaks for all its devices, in flat JSON with the vocabulary's names.

Source: https://www.zigbee2mqtt.io/guide/usage/mqtt_topics_and_messages.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from simulator.dialect import Heard, Outgoing, Value, said, switch

_BASE = "zigbee2mqtt"


class Zigbee2Mqtt:
    """One device behind the bridge, under its friendly name. The last will is the bridge's, as it is in a house."""

    connection = _BASE

    def __init__(self, name: str) -> None:
        self._topic = f"{_BASE}/{name}"

    def will(self) -> Outgoing:
        return Outgoing(f"{_BASE}/bridge/state", b'{"state":"offline"}', retain=True)

    def hello(self) -> list[Outgoing]:
        return [
            Outgoing(f"{_BASE}/bridge/state", b'{"state":"online"}', retain=True),
            Outgoing(f"{self._topic}/availability", b'{"state":"online"}', retain=True),
        ]

    def goodbye(self) -> list[Outgoing]:
        return [Outgoing(f"{self._topic}/availability", b'{"state":"offline"}', retain=True)]

    def report(self, values: Mapping[str, Value], *, on: bool | None, at: int) -> list[Outgoing]:  # noqa: ARG002  it sends no time
        state = {} if on is None else {"state": said(on)}
        return [Outgoing(self._topic, json.dumps({**state, **values}, separators=(",", ":")).encode())]

    def listens(self) -> list[str]:
        return [f"{self._topic}/set", f"{self._topic}/set/state", f"{self._topic}/get"]

    def hear(self, topic: str, payload: bytes) -> Heard | None:
        """Take `{"state": "ON"}` or `ON` on `set`, `ON` on `set/state`, and anything on `get`."""
        if topic == f"{self._topic}/get":
            return Heard()
        try:
            asked = json.loads(payload)
        except ValueError:
            asked = payload.decode(errors="replace")
        if topic == f"{self._topic}/set" and isinstance(asked, dict):
            asked = asked.get("state")
        return switch(asked) if isinstance(asked, str) else None

    def answer(self, values: Mapping[str, Value], *, on: bool, at: int) -> list[Outgoing]:
        return self.report(values, on=on, at=at)
