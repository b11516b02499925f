"""The Things Stack: a LoRaWAN device of class C behind it, seen at the stack's MQTT server.

Sources: https://www.thethingsindustries.com/docs/integrations/other-integrations/mqtt/ and …/integrations/data-formats/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simulator.dialect import Dialect, Heard, Outgoing, Value, compact, parsed, state, switched
from simulator.dialects.mac import mac
from simulator.dialects.rfc3339 import written
from simulator.manner import USUAL, Manner

_PORT = 15


class ThingsStack(Dialect):
    """One device of the application `greenhouse` in the tenant `sim`; its formatter uses the vocabulary's names, and `state` for the actuator.

    >>> device = ThingsStack("fan-1")
    >>> device.hear(device.listens()[0], b'{"downlinks": [{"f_port": 15, "decoded_payload": {"state": "ON"}}]}')
    Heard(on=True, toggle=False)
    """

    stamped = True

    def __init__(self, name: str, manner: Manner = USUAL) -> None:
        super().__init__(name, manner)
        self.connection = "things-stack"  # it is the stack that is connected, for all devices
        self._topic = f"v3/greenhouse@sim/devices/{name}"
        self._frames = 0

    def hello(self) -> list[Outgoing]:
        """Join, and begin to count frames anew."""
        self._frames = 0
        return [self._message("join", {"join_accept": {"session_key_id": "AXA50tHUGUucuzS/bCGMNw=="}})]

    def report(self, values: Mapping[str, Value], *, on: bool | None, at: int) -> list[Outgoing]:
        uplink = {
            "session_key_id": "AXA50tHUGUucuzS/bCGMNw==",
            "f_port": _PORT,
            **({"f_cnt": self._frames} if self._frames else {}),  # empty fields are left out
            "decoded_payload": {**values, **state(on)},
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
        asked = parsed(payload)
        queue = asked.get("downlinks") if isinstance(asked, dict) else None
        ours = [one for one in queue if isinstance(one, dict) and one.get("f_port") == _PORT] if isinstance(queue, list) else []
        heard = [understood for one in ours if (understood := switched(one.get("decoded_payload")))]
        return heard[-1] if heard else None

    def answer(self, values: Mapping[str, Value], *, on: bool, at: int) -> list[Outgoing]:
        sent = {"f_port": _PORT, "f_cnt": 1, "priority": "NORMAL"}
        return [self._message("down/sent", {"received_at": written(at), "downlink_sent": sent}), *self.report(values, on=on, at=at)]

    def refuse(self, values: Mapping[str, Value], *, on: bool, at: int) -> list[Outgoing]:  # noqa: ARG002  the stack says that it failed
        error = {"namespace": "pkg/networkserver", "name": "downlink_transmission", "message_format": "transmission of downlink failed"}
        failed = {"downlink": {"f_port": _PORT, "f_cnt": 1, "priority": "NORMAL"}, "error": error}
        return [self._message("down/failed", {"received_at": written(at), "downlink_failed": failed})]

    def _message(self, kind: str, body: dict[str, Any]) -> Outgoing:
        ids = {"device_id": self.called, "application_ids": {"application_id": "greenhouse"}, "dev_eui": f"70B3D5{mac(self.called)[2:]}"}
        return Outgoing(f"{self._topic}/{kind}", compact({"end_device_ids": ids, **body}), qos=0)
