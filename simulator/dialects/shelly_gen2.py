"""Shelly from the second generation on: every device has its own connection, notifies of what changed, and obeys remote procedure calls.

As the factory sets it: notifications on, the simple `command` topics off.
Source: https://shelly-api-docs.shelly.cloud/gen2/ComponentsAndServices/Mqtt and https://shelly-api-docs.shelly.cloud/gen2/General/RPCProtocol
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from simulator.dialect import Dialect, Heard, Outgoing, Value, parsed
from simulator.dialects.mac import mac
from simulator.manner import USUAL, Manner
from simulator.nanoseconds import SECOND

_PLACES = {
    "temperature": ("temperature:0", "tC"),
    "humidity": ("humidity:0", "rh"),
    "illuminance": ("illuminance:0", "lux"),
    "battery": ("devicepower:0", "battery"),
    "power": ("switch:0", "apower"),
    "voltage": ("switch:0", "voltage"),
    "current": ("switch:0", "current"),
    "frequency": ("switch:0", "freq"),
    "power_factor": ("switch:0", "pf"),
    "energy": ("switch:0", "aenergy"),
}
_PRECONDITION = {"code": -109, "message": "Overpower error still present: the switch stays as it is"}
"""The failed precondition among the common errors of https://shelly-api-docs.shelly.cloud/gen2/General/CommonErrors."""


class ShellyGen2(Dialect):
    """One device; its name is its topic prefix, what acts is its switch 0.

    >>> ShellyGen2("plug").report({"power": 60.5}, on=True, at=1_750_000_000 * SECOND)[0].payload.decode()[-86:]
    '"params": {"ts": 1750000000.0, "switch:0": {"id": 0, "output": true, "apower": 60.5}}}'
    """

    metrics = frozenset(_PLACES)
    stamped = True
    wills = True

    def __init__(self, name: str, manner: Manner = USUAL) -> None:
        super().__init__(name, manner)
        self._source = f"shellyplus1pm-{mac(name).lower()}"
        self._asked: dict[str, Any] | None = None

    def will(self) -> Outgoing | None:
        return None if self.manner.will is False else self._online(b"false")

    def hello(self) -> list[Outgoing]:
        return [] if self.manner.will is False else [self._online(b"true")]

    def report(self, values: Mapping[str, Value], *, on: bool | None, at: int) -> list[Outgoing]:
        components: dict[str, dict[str, Any]] = {} if on is None else {"switch:0": {"id": 0, "output": on}}
        for metric, value in self._sayable(values).items():
            component, key = _PLACES[metric]
            components.setdefault(component, {"id": 0})[key] = _written(metric, value)
        notice = {"dst": f"{self.called}/events", "method": "NotifyStatus", "params": {"ts": at / SECOND, **components}}
        return [self._signed(f"{self.called}/events/rpc", notice)] if components else []

    def listens(self) -> list[str]:
        return [f"{self.called}/rpc"]

    def hear(self, topic: str, payload: bytes) -> Heard | None:  # noqa: ARG002  it listens on one
        """Take a call that is signed: of its one switch, or one that asks for a status."""
        asked = parsed(payload)
        if not isinstance(asked, dict) or not isinstance(asked.get("src"), str) or "id" not in asked:
            return None
        self._asked = asked
        method, params = asked.get("method"), asked.get("params") or {}
        if method in ("Switch.GetStatus", "Shelly.GetStatus"):
            return Heard()
        if not isinstance(params, dict) or params.get("id") != 0:
            return None
        if method == "Switch.Set" and isinstance(params.get("on"), bool):
            return Heard(on=params["on"])
        return Heard(toggle=True) if method == "Switch.Toggle" else None

    def answer(self, values: Mapping[str, Value], *, on: bool, at: int) -> list[Outgoing]:
        """Answer who called, and notify everybody."""
        asked = self._asked or {}
        result = {"id": 0, "output": on} if asked.get("method") == "Switch.GetStatus" else {"was_on": not on}
        return [*self._reply({"result": result}), *self.report(values, on=on, at=at)]

    def refuse(self, values: Mapping[str, Value], *, on: bool, at: int) -> list[Outgoing]:  # noqa: ARG002  nothing has changed
        """Answer who called with an error."""
        return self._reply({"error": _PRECONDITION})

    def _reply(self, content: dict[str, Any]) -> list[Outgoing]:
        asked, self._asked = self._asked, None
        return [] if asked is None else [self._signed(f"{asked['src']}/rpc", {"id": asked["id"], "dst": asked["src"], **content})]

    def _online(self, word: bytes) -> Outgoing:
        return Outgoing(f"{self.called}/online", word, retain=True)

    def _signed(self, topic: str, frame: dict[str, Any]) -> Outgoing:
        return Outgoing(topic, json.dumps({"src": self._source, **frame}).encode())


def _written(metric: str, value: Value) -> Any:
    if metric == "battery":
        return {"V": 2.9, "percent": value}
    if metric == "energy":
        return {"total": value if isinstance(value, str) else round(value * 1000, 3)}
    return value
