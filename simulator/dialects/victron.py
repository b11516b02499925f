"""Victron Venus OS: one GX device speaks for all services on its D-Bus, one topic for each path.

As an inverter with solar input (`multi`) says it. Sources: https://github.com/victronenergy/dbus-flashmq and
https://github.com/victronenergy/venus/wiki/dbus
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from simulator.dialect import Dialect, Heard, Outgoing, Value, parsed
from simulator.manner import USUAL, Manner

_PATHS = {
    "power": "Ac/Out/L1/P",
    "voltage": "Dc/0/Voltage",
    "current": "Dc/0/Current",
    "temperature": "Dc/0/Temperature",
    "state_of_charge": "Soc",
}
_RELAY = "Relay/0/State"


class Victron(Dialect):
    """One inverter; its name is its portal's, what acts is its relay.

    >>> [(said.topic, said.payload) for said in Victron("c0619ab00001").report({"power": 350.0}, on=None, at=0)]
    [('N/c0619ab00001/multi/0/Ac/Out/L1/P', b'{"value": 350.0}')]
    """

    metrics = frozenset(_PATHS)

    def __init__(self, name: str, manner: Manner = USUAL) -> None:
        super().__init__(name, manner)
        self.called = f"{name}/multi/0"

    def goodbye(self) -> list[Outgoing]:
        """Empty every path: that is how a device leaves."""
        return [Outgoing(f"N/{self.called}/{path}", b"") for path in (*_PATHS.values(), _RELAY)]

    def report(self, values: Mapping[str, Value], *, on: bool | None, at: int) -> list[Outgoing]:  # noqa: ARG002  it sends no time
        paths: dict[str, Value] = {} if on is None else {_RELAY: int(on)}
        paths |= {_PATHS[metric]: value for metric, value in self._sayable(values).items()}
        return [Outgoing(f"N/{self.called}/{path}", json.dumps({"value": value}).encode()) for path, value in paths.items()]

    def listens(self) -> list[str]:
        return [f"W/{self.called}/{_RELAY}", f"R/{self.called}/{_RELAY}", f"R/{self.connection}/keepalive"]

    def hear(self, topic: str, payload: bytes) -> Heard | None:
        """Take 0 or 1 for the relay, wrapped as all values are; a request asks whatever it holds."""
        if topic.startswith("R/"):
            return Heard()
        asked = parsed(payload)
        value = asked.get("value") if isinstance(asked, dict) else None
        return Heard(on=bool(value)) if value in (0, 1) and not isinstance(value, bool) else None
