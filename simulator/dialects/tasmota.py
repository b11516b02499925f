"""Tasmota: every device has its own connection, and says SENSOR and STATE with its local time.

As after the commands `Time 2` (local time and Epoch) and `Timezone +hh:mm`.
Sources: https://tasmota.github.io/docs/MQTT/ and https://tasmota.github.io/docs/JSON-Status-Responses/
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from simulator.dialect import Heard, Outgoing, Value, said, switch
from simulator.nanoseconds import SECOND

_BLOCKS = {
    "temperature": ("AM2301", "Temperature"),
    "humidity": ("AM2301", "Humidity"),
    "pressure": ("BMP280", "Pressure"),
    "illuminance": ("BH1750", "Illuminance"),
    "energy": ("ENERGY", "Total"),
    "power": ("ENERGY", "Power"),
    "voltage": ("ENERGY", "Voltage"),
}
_STATE_EVERY = 10


class Tasmota:
    """One device, under its topic. `offset` is what its clock shows beyond UTC, in minutes.

    >>> Tasmota("t-4", offset=120).report({"temperature": 24.5}, on=None, at=1_750_000_000 * SECOND)[-1].payload.decode()
    '{"Time":"2025-06-15T17:06:40","Epoch":1750000000,"AM2301":{"Temperature":24.5},"TempUnit":"C"}'
    """

    metrics = frozenset(_BLOCKS)

    def __init__(self, name: str, *, offset: int = 0) -> None:
        self.connection = name
        self._topic = name
        self._offset = offset
        self._reports = 0
        self._booted: int | None = None

    def will(self) -> Outgoing:
        return Outgoing(f"tele/{self._topic}/LWT", b"Offline", retain=True)

    def hello(self) -> list[Outgoing]:
        self._reports = 0  # it starts with its STATE
        return [Outgoing(f"tele/{self._topic}/LWT", b"Online", retain=True)]

    def goodbye(self) -> list[Outgoing]:
        return []

    def report(self, values: Mapping[str, Value], *, on: bool | None, at: int) -> list[Outgoing]:
        due = self._reports % _STATE_EVERY == 0
        self._reports += 1
        reports = [self._state(on=on, at=at)] if due or on is not None else []
        if values:
            reports.append(self._message("tele", "SENSOR", {**self._time(at), **self._sensors(values, at=at)}))
        return reports

    def listens(self) -> list[str]:
        return [f"cmnd/{self._topic}/POWER", f"cmnd/{self._topic}/POWER1", f"cmnd/{self._topic}/STATE"]

    def hear(self, topic: str, payload: bytes) -> Heard | None:
        """Take ON, OFF, TOGGLE, 1, 0, 2, true, false, or nothing, which only asks."""
        word = payload.decode(errors="replace").strip().upper()
        if topic.endswith("/STATE") or not word:
            return Heard()
        return switch({"1": "ON", "0": "OFF", "2": "TOGGLE", "TRUE": "ON", "FALSE": "OFF"}.get(word, word))

    def answer(self, values: Mapping[str, Value], *, on: bool, at: int) -> list[Outgoing]:  # noqa: ARG002  it says only the state
        return [self._message("stat", "RESULT", {"POWER": said(on)}), Outgoing(f"stat/{self._topic}/POWER", said(on).encode())]

    def _message(self, prefix: str, kind: str, body: dict[str, Any]) -> Outgoing:
        return Outgoing(f"{prefix}/{self._topic}/{kind}", json.dumps(body, separators=(",", ":")).encode())

    def _time(self, at: int) -> dict[str, Any]:
        return {"Time": self._local(at), "Epoch": at // SECOND}

    def _local(self, at: int) -> str:
        return (datetime.fromtimestamp(at // SECOND, UTC) + timedelta(minutes=self._offset)).strftime("%Y-%m-%dT%H:%M:%S")

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
        if "temperature" in values:
            blocks["TempUnit"] = "C"
        return blocks

    def _energy(self, measured: dict[str, Value], *, at: int) -> dict[str, Any]:
        """Add what a meter works out from power and voltage, at a power factor of 0.95."""
        energy: dict[str, Any] = {"TotalStartTime": self._local(self._booted or at), **measured}
        if "Power" in measured:
            voltage = float(measured.get("Voltage", 230.0))
            apparent = measured["Power"] / 0.95
            energy |= {"ApparentPower": round(apparent), "ReactivePower": round(apparent * 0.312), "Factor": 0.95}
            energy |= {"Voltage": round(voltage), "Current": round(apparent / voltage, 3)}
        return energy
