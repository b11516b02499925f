"""RuuviTag: a Bluetooth sensor whose advertisements a Ruuvi Gateway passes on as it hears them.

Sources: https://docs.ruuvi.com/gw-data-formats/mqtt-time-stamped-data-from-bluetooth-sensors and
https://docs.ruuvi.com/communication/bluetooth-advertisements/data-format-5-rawv2
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

from simulator.dialect import Dialect, Outgoing, Value, compact
from simulator.dialects.mac import mac, written
from simulator.manner import USUAL, Manner
from simulator.nanoseconds import SECOND

_GATEWAY = written(mac("ruuvi-gateway"))
_HEADER = bytes.fromhex("0201061BFF990405")
"""Flags, and the maker's data: Ruuvi Innovations, format 5."""
_UNKNOWN = (-0x8000, 0xFFFF, 0xFFFF, 0x7FF)
"""What temperature, humidity, pressure and voltage are said to be where they are not measured."""


class Ruuvi(Dialect):
    """One sensor, called by a hardware address that is made of its name. It takes no commands, and its bytes have no room for texts.

    >>> message = Ruuvi("t-1").report({"temperature": 21.5}, on=None, at=1_750_000_000 * SECOND)[0]
    >>> message.topic, message.payload.decode()[-31:]
    ('ruuvi/02:20:69:1F:4E:81/02:91:41:C7:19:CA', '00000029141C719CA","coords":""}')
    """

    metrics = frozenset({"temperature", "humidity", "pressure", "battery_voltage"})
    stamped = True
    obeys = False

    def __init__(self, name: str, manner: Manner = USUAL) -> None:
        super().__init__(name, manner)
        self.connection = "ruuvi-gateway"
        self.called = written(mac(name))
        self._number = 0

    def report(self, values: Mapping[str, Value], *, on: bool | None, at: int) -> list[Outgoing]:  # noqa: ARG002  nothing on it acts
        known = {metric: value for metric, value in self._sayable(values).items() if not isinstance(value, str)}
        if not known:
            return []
        body = {
            "gw_mac": _GATEWAY,
            "rssi": -67,
            "aoa": [],
            "gwts": at // SECOND,
            "ts": at // SECOND,
            "data": self._advertised(known),
            "coords": "",
        }
        self._number = (self._number + 1) % 0xFFFF
        return [Outgoing(f"ruuvi/{_GATEWAY}/{self.called}", compact(body), qos=0)]

    def _advertised(self, values: Mapping[str, float]) -> str:
        """Write an advertisement in hex: lying still, sending with 4 dBm."""
        temperature, humidity, pressure, voltage = _UNKNOWN
        if "temperature" in values:
            temperature = _within(values["temperature"] * 200, -0x7FFF, 0x7FFF)
        if "humidity" in values:
            humidity = _within(values["humidity"] * 400, 0, 40_000)
        if "pressure" in values:
            pressure = _within(values["pressure"] * 100 - 50_000, 0, 0xFFFE)
        if "battery_voltage" in values:
            voltage = _within(values["battery_voltage"] * 1000 - 1600, 0, 0x7FE)
        measured = struct.pack(">hHHhhhHBH", temperature, humidity, pressure, 4, -12, 1016, voltage << 5 | 22, 0, self._number)
        return (_HEADER + measured + bytes.fromhex(self.called.replace(":", ""))).hex().upper()


def _within(number: float, least: int, most: int) -> int:
    """Give the whole number that is nearest, as far as the field goes."""
    return min(max(round(number), least), most)
