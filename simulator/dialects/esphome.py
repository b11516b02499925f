"""ESPHome: a topic for each component, `<prefix>/<component>/<object id>/state`, retained.

Source: https://esphome.io/components/mqtt.html
"""

from __future__ import annotations

from collections.abc import Mapping

from simulator.dialect import Heard, Outgoing, Value, said, switch

_RELAY = "switch/relay"


class Esphome:
    """One device under its prefix, with sensors and perhaps a relay.

    >>> Esphome("t-8").report({"humidity": 41.5}, on=None, at=0)
    [Outgoing(topic='t-8/sensor/humidity/state', payload=b'41.5', qos=1, retain=True)]
    """

    def __init__(self, name: str) -> None:
        self.connection = name
        self._prefix = name

    def will(self) -> Outgoing:
        return Outgoing(f"{self._prefix}/status", b"offline", retain=True)

    def hello(self) -> list[Outgoing]:
        return [Outgoing(f"{self._prefix}/status", b"online", retain=True)]

    def goodbye(self) -> list[Outgoing]:
        return []

    def report(self, values: Mapping[str, Value], *, on: bool | None, at: int) -> list[Outgoing]:  # noqa: ARG002  it sends no time
        reports = [self._sensor(metric, value) for metric, value in values.items()]
        return reports if on is None else [self._relay(on), *reports]

    def listens(self) -> list[str]:
        return [f"{self._prefix}/{_RELAY}/command"]

    def hear(self, topic: str, payload: bytes) -> Heard | None:  # noqa: ARG002  it listens on one topic
        """Take ON, OFF and TOGGLE, in any case."""
        return switch(payload.decode(errors="replace"))

    def answer(self, values: Mapping[str, Value], *, on: bool, at: int) -> list[Outgoing]:  # noqa: ARG002  it says only the state
        return [self._relay(on)]

    def _relay(self, on: bool) -> Outgoing:
        return Outgoing(f"{self._prefix}/{_RELAY}/state", said(on).encode(), retain=True)

    def _sensor(self, metric: str, value: Value) -> Outgoing:
        component = "binary_sensor" if isinstance(value, bool) else "sensor"
        text = said(value) if isinstance(value, bool) else repr(value)
        return Outgoing(f"{self._prefix}/{component}/{metric}/state", text.encode(), retain=True)
