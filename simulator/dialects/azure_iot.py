"""Azure IoT Hub: a device that sends telemetry and takes cloud-to-device messages.

Source: https://learn.microsoft.com/azure/iot/iot-mqtt-connect-to-iot-hub
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from simulator.dialect import Dialect, Heard, Outgoing, Value, compact, parsed, state, switched
from simulator.dialects.rfc3339 import written
from simulator.manner import USUAL, Manner


class AzureIot(Dialect):
    """One device; its telemetry has the vocabulary's names, and `state` for the actuator. Labels are properties of its messages.

    >>> device = AzureIot("fan-1")
    >>> device.hear("devices/fan-1/messages/devicebound/", b'{"state": "OFF"}')
    Heard(on=False, toggle=False)
    """

    stamped = True
    labelled = True

    def __init__(self, name: str, manner: Manner = USUAL) -> None:
        super().__init__(name, manner)
        self._topic = f"devices/{name}/messages"

    def hello(self) -> list[Outgoing]:
        """Ask for the twin, as devices do when they connect."""
        return [Outgoing("$iothub/twin/GET/?$rid=0", b"")]

    def report(self, values: Mapping[str, Value], *, on: bool | None, at: int) -> list[Outgoing]:
        properties = {"$.ct": "application/json", "$.ce": "utf-8", "iothub-creation-time-utc": written(at), **self.manner.labels}
        bag = "&".join(f"{quote(key, safe='')}={quote(value, safe='')}" for key, value in properties.items())
        return [Outgoing(f"{self._topic}/events/{bag}", compact({**values, **state(on)}))]

    def listens(self) -> list[str]:
        return [f"{self._topic}/devicebound/"]

    def hear(self, topic: str, payload: bytes) -> Heard | None:  # noqa: ARG002  it listens on one topic
        """Take `{"state": "ON"}`."""
        return switched(parsed(payload))
