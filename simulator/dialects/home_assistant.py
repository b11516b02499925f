"""A device of no dialect that announces itself to Home Assistant: one object for all its values, described by discovery messages.

Source: https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from simulator.dialect import Heard, Outgoing, Value

_UNITS = {
    "temperature": "°C", "humidity": "%", "soil_moisture": "%", "battery": "%", "pressure": "hPa", "illuminance": "lx", "power": "W",
    "energy": "kWh", "voltage": "V", "current": "A",
}  # fmt: skip
_RUN, _REST = "RUN", "REST"


class HomeAssistant:
    """One device with a sensor for each value and perhaps a switch, which has words of its own for on and off.

    >>> HomeAssistant("t-9", root="yard").report({"power": 3.5}, on=None, at=0)[-1]
    Outgoing(topic='yard/t-9/state', payload=b'{"power":3.5}', qos=1, retain=False)
    """

    def __init__(self, name: str, *, root: str) -> None:
        self.connection = name
        self._name = name
        self._topic = f"{root}/{name}"
        self._announced: set[str] = set()

    def will(self) -> Outgoing:
        return Outgoing(f"{self._topic}/availability", b"offline", retain=True)

    def hello(self) -> list[Outgoing]:
        self._announced.clear()
        return [Outgoing(f"{self._topic}/availability", b"online", retain=True)]

    def goodbye(self) -> list[Outgoing]:
        return []

    def report(self, values: Mapping[str, Value], *, on: bool | None, at: int) -> list[Outgoing]:  # noqa: ARG002  it sends no time
        configs = [self._sensor(metric) for metric in values if metric not in self._announced]
        configs += [self._switch()] if on is not None and "state" not in self._announced else []
        self._announced.update(values, () if on is None else ("state",))
        return [*configs, self._object(values, on=on)]

    def listens(self) -> list[str]:
        return [f"{self._topic}/set"]

    def hear(self, topic: str, payload: bytes) -> Heard | None:  # noqa: ARG002  it listens on one topic
        """Take only the words that its switch was announced with."""
        word = payload.decode(errors="replace")
        return Heard(on=word == _RUN) if word in (_RUN, _REST) else None

    def answer(self, values: Mapping[str, Value], *, on: bool, at: int) -> list[Outgoing]:  # noqa: ARG002  it sends no time
        return [self._object(values, on=on)]

    def _object(self, values: Mapping[str, Value], *, on: bool | None) -> Outgoing:
        state = {} if on is None else {"state": _RUN if on else _REST}
        return Outgoing(f"{self._topic}/state", json.dumps({**state, **values}, separators=(",", ":")).encode())

    def _sensor(self, metric: str) -> Outgoing:
        unit = {"unit_of_meas": _UNITS[metric]} if metric in _UNITS else {}
        return self._config("sensor", metric, {"val_tpl": f"{{{{ value_json.{metric} }}}}", **unit})

    def _switch(self) -> Outgoing:
        words = {"pl_on": _RUN, "pl_off": _REST}
        return self._config("switch", "state", {"val_tpl": "{{ value_json['state'] }}", "cmd_t": "~/set", **words})

    def _config(self, component: str, entity: str, more: dict[str, Any]) -> Outgoing:
        about = {"ids": [self._name], "name": self._name}
        body = {"~": self._topic, "name": entity, "uniq_id": f"{self._name}_{entity}", "stat_t": "~/state", "avty_t": "~/availability"}
        payload = json.dumps({**body, **more, "dev": about}, separators=(",", ":"), ensure_ascii=False)
        return Outgoing(f"homeassistant/{component}/{self._name}/{entity}/config", payload.encode(), retain=True)
