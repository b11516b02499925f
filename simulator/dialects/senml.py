"""SenML: a pack of records for each report, in JSON (RFC 8428; secondary units: RFC 8798)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simulator.dialect import Outgoing, Value, compact
from simulator.dialects.rooted import Rooted
from simulator.units import unit_of

_SYMBOLS = {
    "°C": "Cel", "%": "/100", "hPa": "hPa", "V": "V", "A": "A", "W": "W", "VA": "VA", "var": "var", "kWh": "kWh", "kvarh": "kvarh",
    "Ω": "Ohm", "Hz": "Hz", "lx": "lx", "W/m²": "W/m2", "m": "m", "mm": "mm", "m/s": "m/s", "s": "s", "kg": "kg", "m³": "m3", "ppm": "ppm",
    "ppb": "ppb", "µg/m³": "ug/m3", "dB": "dB", "dBm": "dBm", "°": "deg", "K": "K", "m/s²": "m/s2", "1": "/",
}  # fmt: skip
"""The registry's symbols for units; what it has none for is said without."""
_OWN = {"humidity": "%RH", "battery": "%EL", "latitude": "lat", "longitude": "lon"}
"""Symbols that say what is measured, too."""


class Senml(Rooted):
    """One device on `<root>/<name>`, under its own name as base name. It takes no commands: SenML only measures.

    >>> Senml("t-1").report({"humidity": 41.5}, on=None, at=1_750_000_000_250_000_000)[0].payload.decode()
    '[{"bn":"t-1:","bt":1750000000.25,"n":"humidity","u":"%RH","v":41.5}]'
    """

    stamped = True
    obeys = False

    def report(self, values: Mapping[str, Value], *, on: bool | None, at: int) -> list[Outgoing]:
        states: dict[str, Value] = {} if on is None else {"state": on}
        records = [_record(metric, value) for metric, value in {**states, **values}.items()]
        if not records:
            return []
        records[0] = {"bn": f"{self.called}:", "bt": at // 1_000_000 / 1000, **records[0]}
        return [Outgoing(self.topic, compact(records))]


def _record(metric: str, value: Value) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"n": metric, "vb": value}
    if isinstance(value, str):
        return {"n": metric, "vs": value}
    symbol = _OWN.get(metric) or _SYMBOLS.get(unit_of(metric) or "")
    return {"n": metric, **({"u": symbol} if symbol else {}), "v": value}
