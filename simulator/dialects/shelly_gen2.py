"""Shelly from the second generation on: every device has its own connection, notifies of what changed, and obeys remote procedure calls.

As the factory sets it: notifications on, the simple `command` topics off.
Source: https://shelly-api-docs.shelly.cloud/gen2/ComponentsAndServices/Mqtt and https://shelly-api-docs.shelly.cloud/gen2/General/RPCProtocol
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from simulator.dialect import Heard, Outgoing, Value
from simulator.nanoseconds import SECOND

_PLACES = {
    "temperature": ("temperature:0", "tC"),
    "humidity": ("humidity:0", "rh"),
    "illuminance": ("illuminance:0", "lux"),
    "battery": ("devicepower:0", "battery"),
    "power": ("switch:0", "apower"),
    "voltage": ("switch:0", "voltage"),
    "energy": ("switch:0", "aenergy"),
}


class ShellyGen2:
    """One device; its name is its topic prefix, what acts is its switch 0.

    >>> ShellyGen2("plug").report({"power": 60.5}, on=True, at=1_750_000_000 * SECOND)[0].payload.decode()[-86:]
    '"params": {"ts": 1750000000.0, "switch:0": {"id": 0, "output": true, "apower": 60.5}}}'
    """

    metrics = frozenset(_PLACES)

    def __init__(self, name: str) -> None:
        self.connection = name
        self._prefix = name
        self._asked: dict[str, Any] | None = None

    def will(self) -> Outgoing:
        return Outgoing(f"{self._prefix}/online", b"false", retain=True)

    def hello(self) -> list[Outgoing]:
        return [Outgoing(f"{self._prefix}/online", b"true", retain=True)]

    def goodbye(self) -> list[Outgoing]:
        return []

    def report(self, values: Mapping[str, Value], *, on: bool | None, at: int) -> list[Outgoing]:
        components: dict[str, dict[str, Any]] = {} if on is None else {"switch:0": {"id": 0, "output": on}}
        for metric, value in values.items():
            component, key = _PLACES[metric]
            components.setdefault(component, {"id": 0})[key] = _written(metric, value)
        notice = {"dst": f"{self._prefix}/events", "method": "NotifyStatus", "params": {"ts": at / SECOND, **components}}
        return [self._signed(f"{self._prefix}/events/rpc", notice)] if components else []

    def listens(self) -> list[str]:
        return [f"{self._prefix}/rpc"]

    def hear(self, topic: str, payload: bytes) -> Heard | None:  # noqa: ARG002  it listens on one
        """Take a call that is signed: of its one switch, or one that asks for a status."""
        try:
            asked = json.loads(payload)
        except ValueError:
            return None
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
        asked, self._asked = self._asked, None
        if asked is None:
            return self.report(values, on=on, at=at)
        result = {"id": 0, "output": on} if asked["method"] == "Switch.GetStatus" else {"was_on": not on}
        answer = self._signed(f"{asked['src']}/rpc", {"id": asked["id"], "dst": asked["src"], "result": result})
        return [answer, *self.report(values, on=on, at=at)]

    def _signed(self, topic: str, frame: dict[str, Any]) -> Outgoing:
        return Outgoing(topic, json.dumps({"src": "shellyplus1pm-a0b1c2d3e4f5", **frame}).encode())


def _written(metric: str, value: Value) -> Any:
    if metric == "battery":
        return {"V": 2.9, "percent": value}
    return {"total": round(value * 1000, 3)} if metric == "energy" else value
