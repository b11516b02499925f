"""OpenMQTTGateway: what it hears of a Bluetooth thermometer, decoded, on `home/<gateway>/BTtoMQTT/<address>`.

Sources: https://docs.openmqttgateway.com/use/ble.html and https://decoder.theengs.io/devices/LYWSD03MMC_ATC.html
"""

from __future__ import annotations

from collections.abc import Mapping

from simulator.dialect import Dialect, Outgoing, Value, compact
from simulator.dialects.mac import mac, written
from simulator.manner import USUAL, Manner

_GATEWAY = "OMG_ESP32_BLE"
_PROPERTIES = {"temperature": "tempc", "humidity": "hum", "battery": "batt", "voltage": "volt"}


class Theengs(Dialect):
    """One thermometer, called by a hardware address that is made of its name; its name is a label. It takes no commands.

    >>> message = Theengs("t-1").report({"humidity": 41.5}, on=None, at=0)[0]
    >>> message.topic, message.payload.decode()[-30:]
    ('home/OMG_ESP32_BLE/BTtoMQTT/029141C719CA', '_ATC","type":"THB","hum":41.5}')
    """

    metrics = frozenset(_PROPERTIES)
    obeys = False

    def __init__(self, name: str, manner: Manner = USUAL) -> None:
        super().__init__(name, manner)
        self.connection = _GATEWAY
        self.called = written(mac(name))
        self._about = {"id": self.called, "mac_type": 0, "name": name, "rssi": -71, "brand": "Xiaomi", "model": "TH Sensor"}
        self._topic = f"home/{_GATEWAY}/BTtoMQTT/{mac(name)}"

    def report(self, values: Mapping[str, Value], *, on: bool | None, at: int) -> list[Outgoing]:  # noqa: ARG002  it says no time
        measured = {_PROPERTIES[metric]: value for metric, value in self._sayable(values).items()}
        if isinstance(celsius := measured.get("tempc"), (int, float)):
            measured["tempf"] = round(celsius * 1.8 + 32, 2)
        body = {**self._about, "model_id": "LYWSD03MMC_ATC", "type": "THB", **measured}
        return [Outgoing(self._topic, compact(body), qos=0)] if measured else []
