"""Azure IoT Hub: a device that sends telemetry and takes cloud-to-device messages.

Source: https://learn.microsoft.com/azure/iot/iot-mqtt-connect-to-iot-hub
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import quote

from simulator.dialect import Heard, Outgoing, Value, said, switch
from simulator.dialects.rfc3339 import written


class AzureIot:
    """One device; its telemetry has the vocabulary's names, and `state` for the actuator.

    >>> device = AzureIot("fan-1")
    >>> device.hear("devices/fan-1/messages/devicebound/", b'{"state": "OFF"}')
    Heard(on=False, toggle=False)
    """

    def __init__(self, name: str) -> None:
        self.connection = name
        self._topic = f"devices/{name}/messages"

    def will(self) -> Outgoing | None:
        return None

    def hello(self) -> list[Outgoing]:
        """Ask for the twin, as devices do when they connect."""
        return [Outgoing("$iothub/twin/GET/?$rid=0", b"")]

    def goodbye(self) -> list[Outgoing]:
        return []

    def report(self, values: Mapping[str, Value], *, on: bool | None, at: int) -> list[Outgoing]:
        state = {} if on is None else {"state": said(on)}
        properties = {"$.ct": "application/json", "$.ce": "utf-8", "iothub-creation-time-utc": written(at)}
        bag = "&".join(f"{quote(key, safe='')}={quote(value, safe='')}" for key, value in properties.items())
        return [Outgoing(f"{self._topic}/events/{bag}", json.dumps({**values, **state}, separators=(",", ":")).encode())]

    def listens(self) -> list[str]:
        return [f"{self._topic}/devicebound/"]

    def hear(self, topic: str, payload: bytes) -> Heard | None:  # noqa: ARG002  it listens on one topic
        """Take `{"state": "ON"}`."""
        try:
            asked = json.loads(payload)
        except ValueError:
            return None
        state = asked.get("state") if isinstance(asked, dict) else None
        return switch(state) if isinstance(state, str) else None

    def answer(self, values: Mapping[str, Value], *, on: bool, at: int) -> list[Outgoing]:
        return self.report(values, on=on, at=at)
