"""Ruuvi Gateway: `ruuvi/<gateway>/<sensor>` ← what it heard of a Bluetooth sensor (https://docs.ruuvi.com/gw-data-formats).

The object has the advertisement in hex (`data`), its strength, and, where the gateway has the time, `ts` (when it was heard; `gwts` is
when it was passed on). With the gateway's decoding switched on, the decoded values stand beside it under names of their own (`accelX`), and
are taken as they are. An advertisement of another maker is ignored, one that is cut short or no hex is refused. `gw_status` is the
gateway's word on itself. Other prefixes are known by the object's form.

`ruuvi/decoded/<place>/<name>` comes from bridges that decode for themselves, with the short names of ESP32 BLE2MQTT
(https://github.com/oh2mp/esp32_ble2mqtt, DATAFORMATS): `t` is in tenths of a degree, `bu` in mV.

*Device*: the sensor's MAC, or the place and name. *Sequence*: the sensor's number of the measurement, counted for gaps. A Ruuvi Air that
says the same in format E1 and, for older listeners, in format 6 is heard in E1 alone. There are no commands.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from devices import vocabulary
from devices.convention import Convention, Place, Said, UnusableError, check_size, refuse_commands, remember
from devices.conventions.ruuvi_advertisement import AdvertisementError, Measured, decode, payload
from devices.payloads import Body
from devices.reading import Encoded, Ignored, Message, Value
from devices.timestamps import parse

BASE: Final = "ruuvi"
MAC: Final = re.compile(r"(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}")

UNITS: Final[Mapping[str, str]] = {
    "temperature": "°C", "humidity": "%", "pressure": "Pa", "acceleration_x": "[g]", "acceleration_y": "[g]", "acceleration_z": "[g]",
    "accelX": "[g]", "accelY": "[g]", "accelZ": "[g]", "battery": "V", "voltage": "V", "tx_power": "dBm", "txPower": "dBm", "rssi": "dBm",
    "pm_1": "µg/m³", "pm_2_5": "µg/m³", "pm_4": "µg/m³", "pm_10": "µg/m³", "PM1.0": "µg/m³", "PM2.5": "µg/m³", "PM4.0": "µg/m³",
    "PM10.0": "µg/m³", "co2": "ppm", "CO2": "ppm", "luminosity": "lx",
}  # fmt: skip
"""What values are measured in, by the names that we give them and those that the gateway gives them."""

SHORT: Final[Mapping[str, tuple[str, str | None]]] = {
    "t": ("temperature", "d°C"), "rh": ("humidity", "%"), "ap": ("pressure", "hPa"), "bu": ("battery_voltage", "mV"),
    "e": ("energy_since_reset", "Wh"), "et": ("energy", "Wh"), "lv": ("volume", "L"), "u": ("voltage", "mV"), "i": ("current", "mA"),
    "p": ("power", "mW"), "m": ("weight", "g"), "s": ("rssi", "dBm"),
}  # fmt: skip
"""The short names of bridges: what they are called downstream, and their units."""

NAMES: Final[Mapping[str, str]] = {
    "battery": "battery_voltage", "voltage": "battery_voltage", "accelX": "acceleration_x", "accelY": "acceleration_y",
    "accelZ": "acceleration_z", "txPower": "tx_power", "movementCounter": "movement_counter", "measurementSequenceNumber": "sequence",
    "luminosity": "illuminance", "pm_1": "pm1", "PM1.0": "pm1", "pm_2_5": "pm25", "PM2.5": "pm25", "pm_4": "pm4", "PM4.0": "pm4",
    "pm_10": "pm10", "PM10.0": "pm10", "NOx": "nox", "NOX": "nox",
}  # fmt: skip
_DECODED: Final = frozenset({"dataFormat", "temperature", "humidity", "pressure", "measurementSequenceNumber"})
_ABOUT: Final = frozenset({"gw_mac", "aoa", "gwts", "ts", "cnt", "data", "coords", "dataFormat", "id", "name", "timestamp", "flags"})
_OWN: Final = frozenset({"gw_status", "status", "connected", "disconnected"})

MOST_DEVICES: Final = 50_000


class Ruuvi(Convention):
    """Ruuvi sensors behind a Ruuvi Gateway."""

    name = "ruuvi"
    title = "Ruuvi Gateway"
    about = "Ruuvi sensors behind a Ruuvi Gateway: ruuvi/<gateway>/<sensor>"
    topics = "`ruuvi/<gateway's MAC>/<sensor's MAC>`, `…/gw_status`, `ruuvi/decoded/<place>/<name>`; any with the gateway's object"
    setup = "On the gateway's page: Cloud options → custom MQTT server: this machine; raw and decoded data are both understood."
    commands = False
    marks = frozenset({"gw_mac", "gwts"})

    def recognise(self, topic: str, levels: tuple[str, ...]) -> Place | None:  # noqa: ARG002
        if levels[0] != BASE or len(levels) < 3:
            return None
        if levels[1] == "decoded":
            return Place("/".join(levels[2:]), role="decoded") if all(levels) else None
        if levels[-1] in _OWN:
            return Place("/".join(levels[1:-1]), ignored="what a gateway says of itself")
        return _sensor(levels)

    def spot(self, topic: str, levels: tuple[str, ...], body: Body) -> Place | None:  # noqa: ARG002
        if not isinstance(body, dict) or not isinstance(body.get("data"), str) or "rssi" not in body:
            return None
        return _sensor(levels)

    def decode(self, message: Message, place: Place, body: Body) -> list[Said] | Ignored:
        if body == "":
            return Ignored("empty payload: a retained value was cleared", place.device)
        if not isinstance(body, dict):
            raise UnusableError(f"sensor {place.device!r}: a message must be an object; got {str(body)[:40]!r}")
        check_size(place.device, body, 1)
        if place.role == "decoded":
            return _said_short(message, place.device, body)
        if not _DECODED.isdisjoint(body):
            return self._said(message, place.device, body, {key: told for key, told in body.items() if key not in _ABOUT}, None)
        return self._heard(message, place.device, body)

    def _heard(self, message: Message, device: str, body: dict[str, Any]) -> list[Said] | Ignored:
        """Read an advertisement, unless it is another maker's, or said better in another format."""
        try:
            data = payload(_bytes(body.get("data")))
            measured = None if data is None else decode(data)
        except ValueError as error:
            raise UnusableError(f"sensor {device!r}: advertisement is unusable: {error}") from None
        if measured is None:
            return _foreign(device, _bytes(body.get("data")))
        if not isinstance(body.get("rssi") or 0, (int, float)):
            raise UnusableError(f"sensor {device!r}: rssi must be a number; got {str(body['rssi'])[:40]!r}")
        if measured.form == 0xE1 and device not in self.learned:
            remember(self.learned, device, True, most=MOST_DEVICES)
        if measured.form == 6 and device in self.learned:
            return Ignored("format 6 of a sensor that says the same in format E1", device)
        if measured.sequence is not None and not message.retained:
            self.count_sequence(device, f"{measured.form:X}/{device}", measured.sequence, message.received, wraps=measured.wraps)
        return self._said(message, device, body, {**measured.values, "rssi": body.get("rssi")}, measured)

    def _said(
        self, message: Message, device: str, body: dict[str, Any], values: Mapping[str, Any], measured: Measured | None
    ) -> list[Said] | Ignored:
        ts, source = self.when(parse(body["ts"]) if "ts" in body else None, message, device)
        gateway = body.get("gw_mac")
        labels = {"gateway": gateway} if isinstance(gateway, str) and MAC.fullmatch(gateway) else {}
        told = body.get("measurementSequenceNumber")
        number = measured.sequence if measured else told if isinstance(told, int) and not isinstance(told, bool) else None
        said = [
            Said(device, (key,), value, UNITS.get(key), ts, source, labels, number)
            for key, value in values.items()
            if isinstance(value, (bool, int, float))
        ]
        return said or Ignored("no value in it", device)

    def series(self, path: tuple[str, ...]) -> vocabulary.Name:
        """Return the name of a value, whoever decoded it."""
        key = path[-1]
        if key in SHORT:
            return vocabulary.Name(SHORT[key][0], "")
        return vocabulary.Name(NAMES[key], "") if key in NAMES else vocabulary.name(path, units_in_keys=False)

    def encode(self, base: str, device: str, settings: Mapping[str, Value]) -> list[Encoded]:  # noqa: ARG002
        refuse_commands(device, self.title)


def _sensor(levels: tuple[str, ...]) -> Place | None:
    """Return the sensor that the last level names, by its MAC."""
    return Place(levels[-1].upper().replace("-", ":")) if MAC.fullmatch(levels[-1]) else None


def _bytes(text: Any) -> bytes:
    """Return what hexadecimal digits say. Raises ValueError, here AdvertisementError, for anything else."""
    if not isinstance(text, str) or len(text) % 2 or not re.fullmatch(r"[0-9A-Fa-f]*", text):
        raise AdvertisementError(f"data must be pairs of hexadecimal digits; got {str(text)[:40]!r}")
    return bytes.fromhex(text)


def _foreign(device: str, advertisement: bytes) -> Ignored:
    """Return that an advertisement is another maker's. Raises UnusableError where it is Ruuvi's with a damaged head.

    Ruuvi's formats end with the sensor's own MAC.
    """
    if advertisement.endswith(bytes.fromhex(device.replace(":", ""))):
        raise UnusableError(f"sensor {device!r}: advertisement ends with the sensor's MAC, as Ruuvi's do, but has no structure of Ruuvi's")
    return Ignored("an advertisement of another maker", device)


def _said_short(message: Message, device: str, body: dict[str, Any]) -> list[Said] | Ignored:
    """Read what a bridge decoded."""
    said = [
        Said(device, (key,), value, SHORT[key][1], message.received, "received")
        for key, value in body.items()
        if key in SHORT and isinstance(value, (int, float)) and not isinstance(value, bool)
    ]
    return said or Ignored("no value in it", device)
