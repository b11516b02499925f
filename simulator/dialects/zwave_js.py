"""Z-Wave JS UI: one gateway speaks for all its nodes, on named topics, with value id objects.

Source: https://zwave-js.github.io/zwave-js-ui/#/usage/setup
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simulator.dialect import Dialect, Heard, Outgoing, Value, compact, parsed
from simulator.manner import USUAL, Manner
from simulator.nanoseconds import SECOND

_PREFIX = "zwave"
_GATEWAY = f"{_PREFIX}/_CLIENTS/ZWAVE_GATEWAY-greenhouse"
_SENSORS = {
    "temperature": (49, "sensor_multilevel", "Air_temperature", "°C"),
    "humidity": (49, "sensor_multilevel", "Humidity", "%"),
    "dew_point": (49, "sensor_multilevel", "Dew_point", "°C"),
    "illuminance": (49, "sensor_multilevel", "Illuminance", "Lux"),
    "moisture": (49, "sensor_multilevel", "Moisture", "%"),
    "soil_moisture": (49, "sensor_multilevel", "Soil_moisture", "%"),
    "power": (50, "meter", "value/66049", "W"),
    "energy": (50, "meter", "value/65537", "kWh"),
    "voltage": (50, "meter", "value/66561", "V"),
    "current": (50, "meter", "value/66817", "A"),
    "battery": (128, "battery", "level", "%"),
    "contact": (48, "sensor_binary", "contact", None),
    "motion": (48, "sensor_binary", "Motion", None),
}


class ZwaveJs(Dialect):
    """One node behind the gateway. The last will is the gateway's, as it is in a house.

    >>> ZwaveJs("t-10").report({"humidity": 41.5}, on=None, at=0)[-1].topic
    'zwave/t-10/sensor_multilevel/endpoint_0/Humidity'
    """

    metrics = frozenset(_SENSORS)
    stamped = True
    wills = True

    def __init__(self, name: str, manner: Manner = USUAL) -> None:
        super().__init__(name, manner)
        self.connection = _PREFIX
        self._topic = f"{_PREFIX}/{name}"

    def will(self) -> Outgoing | None:
        return None if self.manner.will is False else Outgoing(f"{_GATEWAY}/status", b'{"value":false}', retain=True)

    def hello(self) -> list[Outgoing]:
        if self.manner.will is False:
            return []
        return [Outgoing(f"{_GATEWAY}/status", b'{"value":true}', retain=True), self._status(alive=True)]

    def goodbye(self) -> list[Outgoing]:
        return [] if self.manner.will is False else [self._status(alive=False)]

    def report(self, values: Mapping[str, Value], *, on: bool | None, at: int) -> list[Outgoing]:
        reports = [self._value(*_SENSORS[metric], value, at=at) for metric, value in self._sayable(values).items()]
        return reports if on is None else [self._switch(on, at=at), *reports]

    def listens(self) -> list[str]:
        return [f"{self._topic}/switch_binary/endpoint_0/targetValue/set"]

    def hear(self, topic: str, payload: bytes) -> Heard | None:  # noqa: ARG002  it listens on one topic
        """Take a truth, bare or as the `value` of an object."""
        asked = parsed(payload)
        if isinstance(asked, dict):
            asked = asked.get("value")
        return Heard(on=asked) if isinstance(asked, bool) else None

    def answer(self, values: Mapping[str, Value], *, on: bool, at: int) -> list[Outgoing]:  # noqa: ARG002  it says only the state
        return [self._switch(on, at=at)]

    def _switch(self, on: bool, *, at: int) -> Outgoing:
        return self._value(37, "switch_binary", "currentValue", None, on, at=at)

    def _value(self, number: int, name: str, key: str, unit: str | None, value: Value, *, at: int) -> Outgoing:
        """Say a value as "Entire ValueId Object" does, as far as a reader needs it."""
        label = f"Electric Consumption [{unit}]" if name == "meter" else key.replace("_", " ")
        body: dict[str, Any] = {"id": f"{number}-0-{label}", "commandClass": number, "endpoint": 0, "label": label, "value": value}
        body |= {"lastUpdate": at // (SECOND // 1000)} | ({} if unit is None else {"unit": unit})
        return Outgoing(f"{self._topic}/{name}/endpoint_0/{key}", compact(body))

    def _status(self, *, alive: bool) -> Outgoing:
        return Outgoing(f"{self._topic}/status", compact({"value": alive, "status": "Alive" if alive else "Dead"}), retain=True)
