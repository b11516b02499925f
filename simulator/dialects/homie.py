"""Homie 5: a device describes itself in one JSON document, and has a topic for each property.

Source: https://homieiot.github.io/specification/spec-core-v5_0_0/
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from simulator.dialect import Heard, Outgoing, Value

_UNITS = {
    "temperature": "°C", "humidity": "%", "soil_moisture": "%", "battery": "%", "pressure": "hPa", "illuminance": "lx", "power": "W",
    "energy": "kWh", "voltage": "V", "current": "A",
}  # fmt: skip
_PAYLOADS = {"true": True, "false": False}


class Homie:
    """One device with a node for what it measures and one for what it does; it is told `true` or `false`.

    >>> Homie("t-7").report({"soil_moisture": 41.5}, on=None, at=0)[-1]
    Outgoing(topic='homie/5/t-7/sensors/soil-moisture', payload=b'41.5', qos=1, retain=True)
    """

    def __init__(self, name: str) -> None:
        self.connection = name
        self._topic = f"homie/5/{name}"
        self._name = name
        self._described: frozenset[str] = frozenset()

    def will(self) -> Outgoing:
        return Outgoing(f"{self._topic}/$state", b"lost", retain=True)

    def hello(self) -> list[Outgoing]:
        self._described = frozenset()
        return [Outgoing(f"{self._topic}/$state", b"init", retain=True)]

    def goodbye(self) -> list[Outgoing]:
        return [Outgoing(f"{self._topic}/$state", b"disconnected", retain=True)]

    def report(self, values: Mapping[str, Value], *, on: bool | None, at: int) -> list[Outgoing]:  # noqa: ARG002  it sends no time
        properties = {**values, **({} if on is None else {"state": on})}
        said = [] if self._described.issuperset(properties) else self._describe(values, acts=on is not None)
        said += [self._state(on)] if on is not None else []
        return said + [Outgoing(f"{self._topic}/sensors/{_id(metric)}", _said(value), retain=True) for metric, value in values.items()]

    def listens(self) -> list[str]:
        return [f"{self._topic}/actuator/state/set"]

    def hear(self, topic: str, payload: bytes) -> Heard | None:  # noqa: ARG002  it listens on one topic
        """Take what the datatype boolean allows, in this very spelling."""
        asked = _PAYLOADS.get(payload.decode(errors="replace"))
        return None if asked is None else Heard(on=asked)

    def answer(self, values: Mapping[str, Value], *, on: bool, at: int) -> list[Outgoing]:  # noqa: ARG002  it says only the state
        return [self._state(on)]

    def _state(self, on: bool) -> Outgoing:
        return Outgoing(f"{self._topic}/actuator/state", _said(on), retain=True)

    def _describe(self, values: Mapping[str, Value], *, acts: bool) -> list[Outgoing]:
        """Say what it has, then that it is ready: an empty document first would be a removal."""
        self._described = frozenset({*values, *(("state",) if acts else ())})
        nodes = {"sensors": {"name": "Sensors", "properties": {_id(metric): _property(metric, value) for metric, value in values.items()}}}
        if acts:
            nodes["actuator"] = {"name": "Actuator", "properties": {"state": {"name": "State", "datatype": "boolean", "settable": True}}}
        document = {"homie": "5.0", "version": len(self._described) + 1, "name": self._name, "nodes": nodes}
        return [
            Outgoing(f"{self._topic}/$description", json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode(), retain=True),
            Outgoing(f"{self._topic}/$state", b"ready", retain=True),
        ]


def _id(metric: str) -> str:
    """Give a metric's name as an ID: lower-case letters, digits and hyphens."""
    return metric.replace("_", "-")


def _property(metric: str, value: Value) -> dict[str, str]:
    datatype = "boolean" if isinstance(value, bool) else "integer" if isinstance(value, int) else "float"
    unit = {"unit": _UNITS[metric]} if metric in _UNITS else {}
    return {"name": metric.replace("_", " ").capitalize(), "datatype": datatype, **unit}


def _said(value: Value) -> bytes:
    return str(value).lower().encode() if isinstance(value, bool) else repr(value).encode()
