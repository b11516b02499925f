"""Homie 5: a device describes itself in one JSON document, and has a topic for each property.

Source: https://homieiot.github.io/specification/spec-core-v5_0_0/
"""

from __future__ import annotations

from collections.abc import Mapping

from simulator.dialect import Dialect, Heard, Outgoing, Value, compact, text
from simulator.manner import USUAL, Manner
from simulator.units import unit_of

_PAYLOADS = {"true": True, "false": False}


class Homie(Dialect):
    """One device with a node for what it measures and one for what it does; it is told `true` or `false`.

    >>> Homie("t-7").report({"soil_moisture": 41.5}, on=None, at=0)[-1]
    Outgoing(topic='homie/5/t-7/sensors/soil-moisture', payload=b'41.5', qos=1, retain=True)
    """

    discovers = True
    bare = True
    wills = True

    def __init__(self, name: str, manner: Manner = USUAL) -> None:
        super().__init__(name, manner)
        self._topic = f"homie/5/{name}"
        self._described: dict[str, str] = {}
        self._version = 0

    def will(self) -> Outgoing | None:
        return self._is("lost")[0] if self.manner.will is not False else None

    def hello(self) -> list[Outgoing]:
        self._described = {}
        return self._is("init") if self.manner.discovery else self._is("ready")

    def goodbye(self) -> list[Outgoing]:
        return self._is("disconnected")

    def parting(self) -> list[Outgoing]:
        return []  # it is disconnected, and not lost

    def report(self, values: Mapping[str, Value], *, on: bool | None, at: int) -> list[Outgoing]:  # noqa: ARG002  it sends no time
        reports = self._describe(values, on=on) if self.manner.discovery else []
        reports += [self._state(on)] if on is not None else []
        return reports + [
            Outgoing(f"{self._topic}/sensors/{_id(metric)}", text(value).encode(), retain=True) for metric, value in values.items()
        ]

    def listens(self) -> list[str]:
        return [f"{self._topic}/actuator/state/set"]

    def hear(self, topic: str, payload: bytes) -> Heard | None:  # noqa: ARG002  it listens on one topic
        """Take what the datatype boolean allows, in this very spelling."""
        asked = _PAYLOADS.get(payload.decode(errors="replace"))
        return None if asked is None else Heard(on=asked)

    def answer(self, values: Mapping[str, Value], *, on: bool, at: int) -> list[Outgoing]:  # noqa: ARG002  it says only the state
        return [self._state(on)]

    def _is(self, state: str) -> list[Outgoing]:
        return [] if self.manner.will is False else [Outgoing(f"{self._topic}/$state", state.encode(), retain=True)]

    def _state(self, on: bool) -> Outgoing:
        return Outgoing(f"{self._topic}/actuator/state", text(on).encode(), retain=True)

    def _describe(self, values: Mapping[str, Value], *, on: bool | None) -> list[Outgoing]:
        """Say what it has where that is new, then that it is ready: an empty document first would be a removal."""
        has = {metric: _datatype(value) for metric, value in values.items()} | ({} if on is None else {"state": "boolean"})
        if has.items() <= self._described.items():
            return []
        self._described |= has
        self._version += 1
        sensors = {_id(metric): _property(metric, kind) for metric, kind in self._described.items() if metric != "state" or on is None}
        nodes = {"sensors": {"name": "Sensors", "properties": sensors}}
        if on is not None:
            nodes["actuator"] = {"name": "Actuator", "properties": {"state": {"name": "State", "datatype": "boolean", "settable": True}}}
        document = {"homie": "5.0", "version": self._version, "name": self.called, "nodes": nodes}
        return [Outgoing(f"{self._topic}/$description", compact(document), retain=True), *self._is("ready")]


def _id(metric: str) -> str:
    """Give a metric's name as an ID: lower-case letters, digits and hyphens."""
    return metric.lower().replace("_", "-")


def _datatype(value: Value) -> str:
    if isinstance(value, str):
        return "string"
    return "boolean" if isinstance(value, bool) else "integer" if isinstance(value, int) else "float"


def _property(metric: str, datatype: str) -> dict[str, str | bool]:
    unit = unit_of(metric) if datatype in ("integer", "float") else None
    return {"name": metric.replace("_", " ").capitalize(), "datatype": datatype, **({"unit": unit} if unit else {})}
