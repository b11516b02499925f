"""A device of no dialect that announces itself to Home Assistant: one object for all its values, described by discovery messages.

Source: https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simulator.dialect import Dialect, Heard, Outgoing, Value, compact
from simulator.manner import USUAL, Manner
from simulator.units import unit_of

_RUN, _REST = "RUN", "REST"


class HomeAssistant(Dialect):
    """One device with a sensor for each value and perhaps a switch, which has words of its own for on and off.

    Without its discovery messages it is plain JSON, and nobody knows what its switch understands.

    >>> HomeAssistant("t-9").report({"power": 3.5}, on=None, at=0)[-1]
    Outgoing(topic='sim/t-9/state', payload=b'{"power":3.5}', qos=1, retain=False)
    """

    discovers = True
    wills = True

    def __init__(self, name: str, manner: Manner = USUAL) -> None:
        super().__init__(name, manner)
        self._topic = f"{manner.root}/{name}"
        self._announced: set[str] = set()

    def will(self) -> Outgoing | None:
        return None if self.manner.will is False else self._availability(b"offline")

    def hello(self) -> list[Outgoing]:
        self._announced.clear()
        return [] if self.manner.will is False else [self._availability(b"online")]

    def report(self, values: Mapping[str, Value], *, on: bool | None, at: int) -> list[Outgoing]:  # noqa: ARG002  it sends no time
        configs: list[Outgoing] = []
        if self.manner.discovery:
            configs += [self._sensor(metric, value) for metric, value in values.items() if metric not in self._announced]
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

    def _availability(self, word: bytes) -> Outgoing:
        return Outgoing(f"{self._topic}/availability", word, retain=True)

    def _object(self, values: Mapping[str, Value], *, on: bool | None) -> Outgoing:
        words = {} if on is None else {"state": _RUN if on else _REST}
        return Outgoing(f"{self._topic}/state", compact({**words, **values}))

    def _sensor(self, metric: str, value: Value) -> Outgoing:
        unit = None if isinstance(value, (bool, str)) else unit_of(metric)
        return self._config("sensor", metric, {"val_tpl": f"{{{{ value_json.{metric} }}}}", **({"unit_of_meas": unit} if unit else {})})

    def _switch(self) -> Outgoing:
        words = {"pl_on": _RUN, "pl_off": _REST}
        return self._config("switch", "state", {"val_tpl": "{{ value_json['state'] }}", "cmd_t": "~/set", **words})

    def _config(self, component: str, entity: str, more: dict[str, Any]) -> Outgoing:
        body: dict[str, Any] = {"~": self._topic, "name": entity, "uniq_id": f"{self.called}_{entity}", "stat_t": "~/state"}
        body |= {} if self.manner.will is False else {"avty_t": "~/availability"}
        payload = compact({**body, **more, "dev": {"ids": [self.called], "name": self.called}})
        return Outgoing(f"homeassistant/{component}/{self.called}/{entity}/config", payload, retain=True)
