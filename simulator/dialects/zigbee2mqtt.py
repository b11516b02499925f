"""Zigbee2MQTT: one bridge speaks for all its devices, in flat JSON with the vocabulary's names.

Source: https://www.zigbee2mqtt.io/guide/usage/mqtt_topics_and_messages.html
"""

from __future__ import annotations

from collections.abc import Mapping

from simulator.dialect import Dialect, Heard, Outgoing, Value, compact, parsed, state, switch
from simulator.manner import USUAL, Manner

_BASE = "zigbee2mqtt"


class Zigbee2Mqtt(Dialect):
    """One device behind the bridge, under its friendly name. The last will is the bridge's, as it is in a house.

    >>> Zigbee2Mqtt("t-3").report({"temperature": 21.5}, on=None, at=0)
    [Outgoing(topic='zigbee2mqtt/t-3', payload=b'{"temperature":21.5}', qos=1, retain=False)]
    """

    wills = True

    def __init__(self, name: str, manner: Manner = USUAL) -> None:
        super().__init__(name, manner)
        self.connection = _BASE
        self._topic = f"{_BASE}/{name}"

    def will(self) -> Outgoing | None:
        return None if self.manner.will is False else self._is("bridge/state", online=False)

    def hello(self) -> list[Outgoing]:
        if self.manner.will is False:
            return []
        return [self._is("bridge/state", online=True), self._is(f"{self.called}/availability", online=True)]

    def goodbye(self) -> list[Outgoing]:
        return [] if self.manner.will is False else [self._is(f"{self.called}/availability", online=False)]

    def report(self, values: Mapping[str, Value], *, on: bool | None, at: int) -> list[Outgoing]:  # noqa: ARG002  it sends no time
        return [Outgoing(self._topic, compact({**state(on), **values}))]

    def listens(self) -> list[str]:
        return [f"{self._topic}/set", f"{self._topic}/set/state", f"{self._topic}/get"]

    def hear(self, topic: str, payload: bytes) -> Heard | None:
        """Take `{"state": "ON"}` or `ON` on `set`, `ON` on `set/state`, and anything on `get`."""
        if topic == f"{self._topic}/get":
            return Heard()
        asked = parsed(payload) or payload.decode(errors="replace")
        if topic == f"{self._topic}/set" and isinstance(asked, dict):
            asked = asked.get("state")
        return switch(asked) if isinstance(asked, str) else None

    def refuse(self, values: Mapping[str, Value], *, on: bool, at: int) -> list[Outgoing]:  # noqa: ARG002  nothing has changed
        """Let the bridge log that the device did not take it."""
        failed = f"z2m: Publish 'set' 'state' to '{self.called}' failed: 'Error: Status 'FAILURE''"
        return [Outgoing(f"{_BASE}/bridge/logging", compact({"level": "error", "message": failed, "namespace": "z2m"}))]

    def _is(self, topic: str, *, online: bool) -> Outgoing:
        return Outgoing(f"{_BASE}/{topic}", compact({"state": "online" if online else "offline"}), retain=True)
