"""The Things Stack: a LoRaWAN device of class C behind it, seen at the stack's MQTT server.

Sources: https://www.thethingsindustries.com/docs/integrations/other-integrations/mqtt/ and …/integrations/data-formats/
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from simulator.dialect import Heard, Outgoing, Value, said, switch
from simulator.dialects.rfc3339 import written

_PORT = 15


class ThingsStack:
    """One device of the application `greenhouse` in the tenant `sim`; its formatter uses the vocabulary's names, and `state` for the actuator.

    >>> device = ThingsStack("fan-1")
    >>> device.hear(device.listens()[0], b'{"downlinks": [{"f_port": 15, "decoded_payload": {"state": "ON"}}]}')
    Heard(on=True, toggle=False)
    """

    def __init__(self, name: str) -> None:
        self.connection = "things-stack"  # it is the stack that is connected, for all devices
        self._device = name
        self._topic = f"v3/greenhouse@sim/devices/{name}"
        self._frames = 0

    def will(self) -> Outgoing | None:
        return None

    def hello(self) -> list[Outgoing]:
        """Join, and begin to count frames anew."""
        self._frames = 0
        return [self._message("join", {"join_accept": {"session_key_id": "AXA50tHUGUucuzS/bCGMNw=="}})]

    def goodbye(self) -> list[Outgoing]:
        return []

    def report(self, values: Mapping[str, Value], *, on: bool | None, at: int) -> list[Outgoing]:
        state = {} if on is None else {"state": said(on)}
        uplink = {
            "session_key_id": "AXA50tHUGUucuzS/bCGMNw==",
            "f_port": _PORT,
            **({"f_cnt": self._frames} if self._frames else {}),  # empty fields are left out
            "decoded_payload": {**values, **state},
            "rx_metadata": [{"gateway_ids": {"gateway_id": "roof"}, "rssi": -71, "channel_rssi": -71, "snr": 8.5}],
            "settings": {"data_rate": {"lora": {"bandwidth": 125000, "spreading_factor": 7}}, "frequency": "868300000"},
            "received_at": written(at),
        }
        self._frames += 1
        return [self._message("up", {"received_at": written(at + 200_000_000), "uplink_message": uplink})]

    def listens(self) -> list[str]:
        return [f"{self._topic}/down/push", f"{self._topic}/down/replace"]

    def hear(self, topic: str, payload: bytes) -> Heard | None:  # noqa: ARG002  replacing an empty queue is pushing
        """Take the last downlink on the device's port that its encoder understands."""
        try:
            queue = json.loads(payload)["downlinks"]
        except (ValueError, KeyError, TypeError):
            return None
        heard = None
        for downlink in queue if isinstance(queue, list) else ():
            made = downlink.get("decoded_payload") if isinstance(downlink, dict) and downlink.get("f_port") == _PORT else None
            state = made.get("state") if isinstance(made, dict) else None
            heard = switch(state) if isinstance(state, str) else heard
        return heard

    def answer(self, values: Mapping[str, Value], *, on: bool, at: int) -> list[Outgoing]:
        sent = {"f_port": _PORT, "f_cnt": 1, "priority": "NORMAL"}
        return [self._message("down/sent", {"received_at": written(at), "downlink_sent": sent}), *self.report(values, on=on, at=at)]

    def _message(self, kind: str, body: dict[str, Any]) -> Outgoing:
        ids = {"device_id": self._device, "application_ids": {"application_id": "greenhouse"}, "dev_eui": "70B3D57ED005A001"}
        return Outgoing(f"{self._topic}/{kind}", json.dumps({"end_device_ids": ids, **body}, separators=(",", ":")).encode(), qos=0)
