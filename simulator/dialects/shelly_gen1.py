"""Shelly, first generation: every device has its own connection, and says each value on a topic of its own.

Source: https://shelly-api-docs.shelly.cloud/gen1/#mqtt-support
"""

from __future__ import annotations

from collections.abc import Mapping

from simulator.dialect import Dialect, Heard, Outgoing, Value, compact
from simulator.dialects.mac import mac

_TOPICS = {
    "temperature": "sensor/temperature",
    "humidity": "sensor/humidity",
    "battery": "sensor/battery",
    "illuminance": "sensor/lux",
    "motion": "sensor/motion",
    "vibration": "sensor/vibration",
    "power": "relay/0/power",
    "energy": "relay/0/energy",
    "voltage": "voltage",
}
_COMMANDS = {"on": Heard(on=True), "off": Heard(on=False), "toggle": Heard(toggle=True)}


class ShellyGen1(Dialect):
    """One device under its name; what acts is its relay 0.

    >>> [(said.topic, said.payload) for said in ShellyGen1("plug").report({"energy": 1.5}, on=True, at=0)]
    [('shellies/plug/relay/0', b'on'), ('shellies/plug/relay/0/energy', b'90000')]
    """

    metrics = frozenset(_TOPICS)
    discovers = True
    bare = True
    wills = True

    def will(self) -> Outgoing | None:
        return None if self.manner.will is False else self._say("online", "false", retain=True)

    def hello(self) -> list[Outgoing]:
        hello = [] if self.manner.will is False else [self._say("online", "true", retain=True)]
        if self.manner.discovery:
            about = {"id": self.called, "model": "SHSW-PM", "mac": mac(self.called), "ip": "192.168.7.20", "new_fw": False}
            hello.append(Outgoing("shellies/announce", compact({**about, "fw_ver": "1.14.0"})))
        return hello

    def report(self, values: Mapping[str, Value], *, on: bool | None, at: int) -> list[Outgoing]:  # noqa: ARG002  it sends no time
        relay = [] if on is None else [self._say("relay/0", "on" if on else "off")]
        return relay + [self._say(_TOPICS[metric], _written(metric, value)) for metric, value in self._sayable(values).items()]

    def listens(self) -> list[str]:
        return [f"shellies/{self.called}/relay/0/command", f"shellies/{self.called}/command"]

    def hear(self, topic: str, payload: bytes) -> Heard | None:
        """Take `on`, `off` and `toggle` on the relay's topic, and `update` or `announce` on the device's."""
        word = payload.decode(errors="replace")
        if topic.endswith("/relay/0/command"):
            return _COMMANDS.get(word)
        return Heard() if word in ("update", "announce") else None

    def _say(self, topic: str, payload: str, *, retain: bool = False) -> Outgoing:
        return Outgoing(f"shellies/{self.called}/{topic}", payload.encode(), retain=retain)


def _written(metric: str, value: Value) -> str:
    """Write a value as the device does: energy in whole watt-minutes, truths as 1 and 0, a text as it is."""
    if isinstance(value, str):
        return value
    if metric in ("motion", "vibration"):
        return str(int(bool(value)))
    return str(round(value * 60_000)) if metric == "energy" else f"{value:.2f}"
