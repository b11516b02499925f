"""Z-Wave JS UI: one gateway speaks for all its nodes, on named topics, with value id objects.

Source: https://zwave-js.github.io/zwave-js-ui/#/usage/setup
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from simulator.dialect import Heard, Outgoing, Value
from simulator.nanoseconds import SECOND

_PREFIX = "zwave"
_GATEWAY = f"{_PREFIX}/_CLIENTS/ZWAVE_GATEWAY-greenhouse"
_SENSORS = {
    "temperature": (49, "sensor_multilevel", "Air_temperature", "°C"),
    "humidity": (49, "sensor_multilevel", "Humidity", "%"),
    "illuminance": (49, "sensor_multilevel", "Illuminance", "Lux"),
    "soil_moisture": (49, "sensor_multilevel", "Soil_moisture", "%"),
    "power": (50, "meter", "value/66049", "W"),
    "energy": (50, "meter", "value/65537", "kWh"),
    "voltage": (50, "meter", "value/66561", "V"),
    "battery": (128, "battery", "level", "%"),
    "contact": (48, "sensor_binary", "contact", None),
}


class ZwaveJs:
    """One node behind the gateway. The last will is the gateway's, as it is in a house.

    >>> ZwaveJs("t-10").report({"humidity": 41.5}, on=None, at=0)[-1].topic
    'zwave/t-10/sensor_multilevel/endpoint_0/Humidity'
    """

    connection = _PREFIX
    metrics = frozenset(_SENSORS)

    def __init__(self, name: str) -> None:
        self._topic = f"{_PREFIX}/{name}"

    def will(self) -> Outgoing:
        return Outgoing(f"{_GATEWAY}/status", b'{"value":false}', retain=True)

    def hello(self) -> list[Outgoing]:
        return [Outgoing(f"{_GATEWAY}/status", b'{"value":true}', retain=True), self._status(alive=True)]

    def goodbye(self) -> list[Outgoing]:
        return [self._status(alive=False)]

    def report(self, values: Mapping[str, Value], *, on: bool | None, at: int) -> list[Outgoing]:
        reports = [self._value(*_SENSORS[metric], value, at=at) for metric, value in values.items()]
        return reports if on is None else [self._switch(on, at=at), *reports]

    def listens(self) -> list[str]:
        return [f"{self._topic}/switch_binary/endpoint_0/targetValue/set"]

    def hear(self, topic: str, payload: bytes) -> Heard | None:  # noqa: ARG002  it listens on one topic
        """Take a truth, bare or as the `value` of an object."""
        try:
            asked = json.loads(payload)
        except ValueError:
            return None
        if isinstance(asked, dict):
            asked = asked.get("value")
        return Heard(on=asked) if isinstance(asked, bool) else None

    def answer(self, values: Mapping[str, Value], *, on: bool, at: int) -> list[Outgoing]:  # noqa: ARG002  it says only the state
        return [self._switch(on, at=at)]

    def _switch(self, on: bool, *, at: int) -> Outgoing:
        return self._value(37, "switch_binary", "currentValue", None, on, at=at)

    def _value(self, number: int, name: str, key: str, unit: str | None, value: Value, *, at: int) -> Outgoing:
        """Say a value as "Entire ValueId Object" does, as far as a reader needs it."""
        label = key.partition("/")[0].replace("_", " ")
        body: dict[str, Any] = {"id": f"{number}-0-{label}", "commandClass": number, "endpoint": 0, "label": label, "value": value}
        body |= {"lastUpdate": at // (SECOND // 1000)} | ({} if unit is None else {"unit": unit})
        return Outgoing(f"{self._topic}/{name}/endpoint_0/{key}", json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode())

    def _status(self, *, alive: bool) -> Outgoing:
        body = {"value": alive, "status": "Alive" if alive else "Dead"}
        return Outgoing(f"{self._topic}/status", json.dumps(body, separators=(",", ":")).encode(), retain=True)
