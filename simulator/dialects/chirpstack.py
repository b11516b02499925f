"""ChirpStack v4: a LoRaWAN device of class C behind it, as its MQTT integration publishes events in JSON.

Sources: https://www.chirpstack.io/docs/chirpstack/integrations/events.html and …/integrations/mqtt.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simulator.dialect import Dialect, Heard, Outgoing, Value, compact, parsed, state, switched
from simulator.dialects.rfc3339 import written
from simulator.manner import USUAL, Manner

_APPLICATION = "17c82e96-be03-4f38-aef3-f83d48582d97"
_PORT = 2


class ChirpStack(Dialect):
    """One device, whose name stands where its DevEUI does; its codec uses the vocabulary's names, and `state` for the actuator.

    Labels are the tags that the server's users gave it.

    >>> device = ChirpStack("fan-1")
    >>> device.hear(device.listens()[0], b'{"devEui": "fan-1", "fPort": 2, "object": {"state": "OFF"}}')
    Heard(on=False, toggle=False)
    """

    stamped = True
    labelled = True

    def __init__(self, name: str, manner: Manner = USUAL) -> None:
        super().__init__(name, manner)
        self.connection = "chirpstack"  # it is the server that is connected, for all devices
        self._topic = f"application/{_APPLICATION}/device/{name}"
        self._frames = 0

    def hello(self) -> list[Outgoing]:
        """Join, and begin to count frames anew."""
        self._frames = 0
        return [self._event("join", {"devAddr": "00189440"})]

    def report(self, values: Mapping[str, Value], *, on: bool | None, at: int) -> list[Outgoing]:
        body = {
            "time": written(at, zone="+00:00"),
            "devAddr": "00189440",
            "adr": True,
            "dr": 5,
            "fPort": _PORT,
            "data": "qg==",
            **({"fCnt": self._frames} if self._frames else {}),  # empty fields are left out
            "object": {**values, **state(on)},
            "rxInfo": [{"gatewayId": "0016c001f153a14c", "uplinkId": 4217, "rssi": -68, "snr": 9.25}],
            "txInfo": {"frequency": 868100000},
        }
        self._frames += 1
        return [self._event("up", body)]

    def listens(self) -> list[str]:
        return [f"{self._topic}/command/down"]

    def hear(self, topic: str, payload: bytes) -> Heard | None:  # noqa: ARG002  it listens on one topic
        """Take a downlink that names this device, on the port of its codec."""
        downlink = parsed(payload)
        if not isinstance(downlink, dict) or downlink.get("devEui") != self.called or downlink.get("fPort") != _PORT:
            return None
        return switched(downlink.get("object"))

    def answer(self, values: Mapping[str, Value], *, on: bool, at: int) -> list[Outgoing]:
        sent = {"time": written(at, zone="+00:00"), "queueItemId": "42cb6459", "fCntDown": 1}
        return [self._event("txack", sent), *self.report(values, on=on, at=at)]

    def _event(self, kind: str, body: dict[str, Any]) -> Outgoing:
        about = {"tenantName": "sim", "applicationName": "greenhouse", "deviceProfileName": "sim", "deviceName": self.called}
        tags = {"tags": dict(self.manner.labels)} if self.manner.labels else {}
        event = {"deduplicationId": "3ac7e3c4-4401-4b8d-9386-a5c902f9202d", "deviceInfo": {**about, "devEui": self.called, **tags}, **body}
        return Outgoing(f"{self._topic}/event/{kind}", compact(event), qos=0)
