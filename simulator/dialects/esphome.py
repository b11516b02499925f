"""ESPHome: a topic for each component, `<prefix>/<component>/<object id>/state`, retained.

Its units are said only in the messages for Home Assistant's discovery, one for each component.
Sources: https://esphome.io/components/mqtt.html and https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simulator.dialect import Dialect, Heard, Outgoing, Value, compact, said, switch, text
from simulator.dialects.mac import mac
from simulator.manner import USUAL, Manner
from simulator.units import unit_of

_RELAY = "switch/relay"


class Esphome(Dialect):
    """One device under its prefix, with sensors and perhaps a relay.

    >>> Esphome("t-8").report({"humidity": 41.5}, on=None, at=0)[-1]
    Outgoing(topic='t-8/sensor/humidity/state', payload=b'41.5', qos=1, retain=True)
    """

    discovers = True
    bare = True
    wills = True

    def __init__(self, name: str, manner: Manner = USUAL) -> None:
        super().__init__(name, manner)
        self._announced: set[str] = set()

    def will(self) -> Outgoing | None:
        return None if self.manner.will is False else self._status(b"offline")

    def hello(self) -> list[Outgoing]:
        self._announced.clear()
        hello = [] if self.manner.will is False else [self._status(b"online")]
        if self.manner.discovery:
            about = {"ip": "192.168.7.21", "name": self.called, "version": "2025.5.0", "mac": mac(self.called).lower(), "platform": "ESP32"}
            hello.append(
                Outgoing(f"esphome/discover/{self.called}", compact({**about, "board": "esp32dev", "network": "wifi"}), retain=True)
            )
        return hello

    def report(self, values: Mapping[str, Value], *, on: bool | None, at: int) -> list[Outgoing]:  # noqa: ARG002  it sends no time
        told = {_object(metric, value): said(value) if isinstance(value, bool) else text(value) for metric, value in values.items()}
        told = told if on is None else {_RELAY: said(on), **told}
        new = [place for place in told if place not in self._announced] if self.manner.discovery else []
        self._announced.update(new)
        return [*map(self._config, new), *(self._state(place, word) for place, word in told.items())]

    def listens(self) -> list[str]:
        return [f"{self.called}/{_RELAY}/command"]

    def hear(self, topic: str, payload: bytes) -> Heard | None:  # noqa: ARG002  it listens on one topic
        """Take ON, OFF and TOGGLE, in any case."""
        return switch(payload.decode(errors="replace"))

    def answer(self, values: Mapping[str, Value], *, on: bool, at: int) -> list[Outgoing]:  # noqa: ARG002  it says only the state
        return [self._state(_RELAY, said(on))]

    def _status(self, word: bytes) -> Outgoing:
        return Outgoing(f"{self.called}/status", word, retain=True)

    def _state(self, place: str, word: str) -> Outgoing:
        return Outgoing(f"{self.called}/{place}/state", word.encode(), retain=True)

    def _config(self, place: str) -> Outgoing:
        component, entity = place.split("/")
        address = mac(self.called).lower()
        body: dict[str, Any] = {"name": entity, "stat_t": f"{self.called}/{place}/state", "uniq_id": f"{address}-{component}-{entity}"}
        if component == "switch":
            body["cmd_t"] = f"{self.called}/{place}/command"
        if component == "sensor" and (unit := unit_of(entity)):
            body["unit_of_meas"] = unit
        if self.manner.will is not False:
            body["avty_t"] = f"{self.called}/status"
        body["dev"] = {"ids": address, "name": self.called, "sw": "esphome v2025.5.0", "mdl": "esp32dev", "mf": "Espressif"}
        return Outgoing(f"homeassistant/{component}/{self.called}/{entity}/config", compact(body), retain=True)


def _object(metric: str, value: Value) -> str:
    """Say under which component and object a value is; texts are sensors too."""
    return f"{'binary_sensor' if isinstance(value, bool) else 'sensor'}/{metric}"
