"""Tasmota: every device has its own connection, and says SENSOR and STATE with its local time.

As after the commands `Time 2` (local time and Epoch) and `Timezone +hh:mm`. Its discovery is what `SetOption19 0` has it publish.
Sources: https://tasmota.github.io/docs/MQTT/, https://tasmota.github.io/docs/JSON-Status-Responses/ and
https://tasmota.github.io/docs/Home-Assistant/
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from simulator.dialect import Dialect, Heard, Outgoing, Value, compact, said, switch
from simulator.dialects.mac import mac
from simulator.manner import USUAL, Manner
from simulator.nanoseconds import SECOND

_BLOCKS = {
    "temperature": ("AM2301", "Temperature"),
    "humidity": ("AM2301", "Humidity"),
    "dew_point": ("AM2301", "DewPoint"),
    "pressure": ("BMP280", "Pressure"),
    "illuminance": ("BH1750", "Illuminance"),
    "co2": ("MHZ19B", "CarbonDioxide"),
    "pm25": ("PMS5003", "PM2.5"),
    "weight": ("HX711", "Weight"),
    "moisture": ("CHIRP1", "Moisture"),
    "energy": ("ENERGY", "Total"),
    "power": ("ENERGY", "Power"),
    "voltage": ("ENERGY", "Voltage"),
    "current": ("ENERGY", "Current"),
    "frequency": ("ENERGY", "Frequency"),
}
_SWITCHED = {"1": "ON", "0": "OFF", "2": "TOGGLE", "TRUE": "ON", "FALSE": "OFF"}
_STATE_EVERY = 10


class Tasmota(Dialect):
    """One device, under its topic. It says the time that its clock shows, the manner's `offset` beyond UTC.

    >>> Tasmota("t-4", Manner(offset=120)).report({"temperature": 24.5}, on=None, at=1_750_000_000 * SECOND)[-1].payload.decode()
    '{"Time":"2025-06-15T17:06:40","Epoch":1750000000,"AM2301":{"Temperature":24.5},"TempUnit":"C"}'
    """

    metrics = frozenset(_BLOCKS)
    stamped = True
    discovers = True
    wills = True

    def __init__(self, name: str, manner: Manner = USUAL) -> None:
        super().__init__(name, manner)
        self._reports = 0
        self._booted: int | None = None

    def will(self) -> Outgoing | None:
        return None if self.manner.will is False else Outgoing(f"tele/{self.called}/LWT", b"Offline", retain=True)

    def hello(self) -> list[Outgoing]:
        self._reports = 0  # it starts with its STATE
        return [] if self.manner.will is False else [Outgoing(f"tele/{self.called}/LWT", b"Online", retain=True)]

    def report(self, values: Mapping[str, Value], *, on: bool | None, at: int) -> list[Outgoing]:
        sensors = self._sensors(self._sayable(values), at=at)
        reports = self._described(sensors, on=on) if self._reports == 0 and self.manner.discovery else []
        if self._reports % _STATE_EVERY == 0 or on is not None:
            reports.append(self._state(on=on, at=at))
        self._reports += 1
        if sensors:
            reports.append(self._message("tele", "SENSOR", {**self._time(at), **sensors}))
        return reports

    def listens(self) -> list[str]:
        return [f"cmnd/{self.called}/POWER", f"cmnd/{self.called}/POWER1", f"cmnd/{self.called}/STATE"]

    def hear(self, topic: str, payload: bytes) -> Heard | None:
        """Take ON, OFF, TOGGLE, 1, 0, 2, true, false, or nothing, which only asks."""
        word = payload.decode(errors="replace").strip().upper()
        if topic.endswith("/STATE") or not word:
            return Heard()
        return switch(_SWITCHED.get(word, word))

    def answer(self, values: Mapping[str, Value], *, on: bool, at: int) -> list[Outgoing]:  # noqa: ARG002  it says only the state
        return [self._message("stat", "RESULT", {"POWER": said(on)}), Outgoing(f"stat/{self.called}/POWER", said(on).encode())]

    def refuse(self, values: Mapping[str, Value], *, on: bool, at: int) -> list[Outgoing]:  # noqa: ARG002  nothing has changed
        return [self._message("stat", "RESULT", {"Command": "Error"})]

    def _message(self, prefix: str, kind: str, body: dict[str, Any]) -> Outgoing:
        return Outgoing(f"{prefix}/{self.called}/{kind}", compact(body))

    def _described(self, sensors: dict[str, Any], *, on: bool | None) -> list[Outgoing]:
        """Say who it is and what it has, as it does once it is connected."""
        address = mac(self.called)
        config = {
            "ip": "192.168.7.22", "dn": self.called, "fn": [self.called, *[None] * 7], "hn": self.called, "mac": address, "md": "Generic",
            "ty": 0, "if": 0, "ofln": "Offline", "onln": "Online", "state": ["OFF", "ON", "TOGGLE", "HOLD"], "sw": "14.6.0", "t": self.called,
            "ft": "%prefix%/%topic%/", "tp": ["cmnd", "stat", "tele"], "rl": [int(on is not None), *[0] * 7], "swc": [-1] * 8,
            "swn": [None] * 8, "btn": [0] * 8, "so": {"4": 0, "11": 0, "13": 0, "17": 0, "20": 0, "30": 0, "68": 0, "73": 0, "82": 0},
            "lk": 0, "lt_st": 0, "sho": [0] * 4, "ver": 1,
        }  # fmt: skip
        topic = f"tasmota/discovery/{address}"
        found = [Outgoing(f"{topic}/config", compact(config), retain=True)]
        return [*found, Outgoing(f"{topic}/sensors", compact({"sn": sensors, "ver": 1}), retain=True)] if sensors else found

    def _time(self, at: int) -> dict[str, Any]:
        return {"Time": self._local(at), "Epoch": at // SECOND}

    def _local(self, at: int) -> str:
        return (datetime.fromtimestamp(at // SECOND, UTC) + timedelta(minutes=self.manner.offset)).strftime("%Y-%m-%dT%H:%M:%S")

    def _state(self, *, on: bool | None, at: int) -> Outgoing:
        self._booted = at if self._booted is None else self._booted
        up = (at - self._booted) // SECOND
        uptime = f"{up // 86400}T{up // 3600 % 24:02}:{up // 60 % 60:02}:{up % 60:02}"
        power = {} if on is None else {"POWER": said(on)}
        wifi = {"AP": 1, "SSId": "greenhouse", "Channel": 6, "RSSI": 74, "Signal": -63}
        return self._message("tele", "STATE", {**self._time(at), "Uptime": uptime, "UptimeSec": up, **power, "Wifi": wifi})

    def _sensors(self, values: Mapping[str, Value], *, at: int) -> dict[str, Any]:
        blocks: dict[str, Any] = {}
        for metric, value in values.items():
            block, key = _BLOCKS[metric]
            blocks.setdefault(block, {})[key] = value
        if "ENERGY" in blocks:
            blocks["ENERGY"] = self._energy(blocks["ENERGY"], at=at)
        if "BMP280" in blocks:
            blocks["PressureUnit"] = "hPa"
        if "AM2301" in blocks:
            blocks["TempUnit"] = "C"
        return blocks

    def _energy(self, measured: dict[str, Value], *, at: int) -> dict[str, Any]:
        """Add what a meter works out from power and voltage, at a power factor of 0.95."""
        energy: dict[str, Any] = {"TotalStartTime": self._local(self._booted or at), **measured}
        power, voltage = measured.get("Power"), measured.get("Voltage", 230.0)
        if isinstance(power, (int, float)) and isinstance(voltage, (int, float)) and voltage:
            apparent = power / 0.95
            energy |= {"ApparentPower": round(apparent), "ReactivePower": round(apparent * 0.312), "Factor": 0.95}
            energy = {"Voltage": round(voltage), "Current": round(apparent / voltage, 3), **energy}
        return energy
