"""Victron Venus OS: one GX device speaks for all services on its D-Bus, one topic for each path.

As an inverter with solar input (`multi`) says it. Sources: https://github.com/victronenergy/dbus-flashmq and
https://github.com/victronenergy/venus/wiki/dbus
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from simulator.dialect import Heard, Outgoing, Value

_PATHS = {
    "power": "Ac/Out/L1/P",
    "voltage": "Dc/0/Voltage",
    "current": "Dc/0/Current",
    "temperature": "Dc/0/Temperature",
    "state_of_charge": "Soc",
}
_RELAY = "Relay/0/State"


class Victron:
    """One inverter, under portal, service and instance; what acts is its relay.

    >>> [(said.topic, said.payload) for said in Victron("c0619ab00001/multi/0").report({"power": 350.0}, on=None, at=0)]
    [('N/c0619ab00001/multi/0/Ac/Out/L1/P', b'{"value": 350.0}')]
    """

    metrics = frozenset(_PATHS)

    def __init__(self, name: str) -> None:
        self.connection = name.split("/", maxsplit=1)[0]
        self._device = name

    def will(self) -> Outgoing | None:
        return None

    def hello(self) -> list[Outgoing]:
        return []

    def goodbye(self) -> list[Outgoing]:
        """Empty every path: that is how a device leaves."""
        return [Outgoing(f"N/{self._device}/{path}", b"") for path in (*_PATHS.values(), _RELAY)]

    def report(self, values: Mapping[str, Value], *, on: bool | None, at: int) -> list[Outgoing]:  # noqa: ARG002  it sends no time
        relay = {} if on is None else {_RELAY: int(on)}
        return [self._say(path, value) for path, value in {**relay, **{_PATHS[metric]: value for metric, value in values.items()}}.items()]

    def listens(self) -> list[str]:
        return [f"W/{self._device}/{_RELAY}", f"R/{self._device}/{_RELAY}", f"R/{self.connection}/keepalive"]

    def hear(self, topic: str, payload: bytes) -> Heard | None:
        """Take 0 or 1 for the relay, wrapped as all values are; a request asks whatever it holds."""
        if topic.startswith("R/"):
            return Heard()
        try:
            asked = json.loads(payload)
        except ValueError:
            return None
        value = asked.get("value") if isinstance(asked, dict) else None
        return Heard(on=bool(value)) if value in (0, 1) and not isinstance(value, bool) else None

    def answer(self, values: Mapping[str, Value], *, on: bool, at: int) -> list[Outgoing]:
        return self.report(values, on=on, at=at)

    def _say(self, path: str, value: Value) -> Outgoing:
        return Outgoing(f"N/{self._device}/{path}", json.dumps({"value": value}).encode())
