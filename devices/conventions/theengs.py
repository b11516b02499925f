"""OpenMQTTGateway and Theengs Gateway: `<base>/<gateway>/<medium>toMQTT[/<device>]` (https://docs.openmqttgateway.com, https://gateway.theengs.io).

The medium is how the gateway heard of it: `BTtoMQTT` (Bluetooth, one topic per MAC), `LORAtoMQTT`, `433toMQTT`, `RTL_433toMQTT`,
`IRtoMQTT`, `CLIMAtoMQTT/<sensor>` … Values have the names and units of the Theengs decoder (https://decoder.theengs.io), from `RTL_433toMQTT`
those of rtl_433 (`<what>_<unit>`, its DATA_FORMAT.md), from wired sensors those of OpenMQTTGateway's sources; a number may come as text.
Theengs Gateway may use a prefix without a medium: such messages are known by what the decoder adds to each. A gateway set to simple
publishing sends each value on a topic of its own, behind the device's.

*Device*: the MAC, wherever it stands in the message; without one, the topic from the gateway on (`<gateway>/LORAtoMQTT`). *Labels*: name,
brand and model. What only says how a value is written (`unit`, `avgu`), the same again in °F, inches or feet, and the raw or encrypted
parts of an advertisement are no readings, nor is what the gateway says of itself (`SYStoMQTT`, `LOGtoMQTT`, its settings on `BTtoMQTT` …).
*Time*: received.

Codes can be sent by radio and infrared, but no device reports that it took one: there are no commands.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from devices import vocabulary
from devices.convention import MOST_READINGS, Convention, Place, Said, UnusableError, check_size, refuse_commands
from devices.conventions.plain_scalar import NO_VALUE
from devices.payloads import Body
from devices.reading import Encoded, Ignored, Message, Value

MEDIUM: Final = re.compile(r"[A-Za-z0-9_]+toMQTT")
MAC: Final = re.compile(r"(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}")
BARE_MAC: Final = re.compile(r"[0-9A-Fa-f]{12}")
GATEWAY: Final = re.compile(r"openmqttgateway|theengs|\bOMG\b", re.IGNORECASE)

UNITS: Final[Mapping[str, str]] = {
    "tempc": "°C", "tempf": "°F", "dp": "°C", "hum": "%", "batt": "%", "moi": "%", "level": "%", "position": "%", "volt": "V", "pres": "hPa",
    "lux": "lx", "darkness": "lx", "fer": "µS/cm", "for": "mg/m³", "co2": "ppm", "pm25": "µg/m³", "pm10": "µg/m³", "accx": "m/s²",
    "accy": "m/s²", "accz": "m/s²", "x_axis": "m/s²", "y_axis": "m/s²", "z_axis": "m/s²", "distance": "m", "impedance": "Ω", "lvl_cm": "cm",
    "lvl_in": "in", "litres": "L", "energy": "kWh", "duration": "s", "seconds": "s", "rssi": "dBm", "snr": "dB", "txpower": "dBm",
    "tx": "dBm", "act_bpm": "bpm", "bpm": "bpm",
    "humidity": "%", "mhz": "MHz", "temperature": "°C", "moisture": "%", "current": "A", "power": "W", "pa": "Pa", "altim": "m",
    "altift": "ft", "wattsm2": "W/m²", "ac_voltage": "V", "dc_voltage": "V", "c_energy": "kWh", "t_energy": "kWh",
}  # fmt: skip
"""What the decoder's properties, and those of radio sensors, are measured in. A number behind (`tempc2`) is another of the kind."""

ENDINGS: Final[Mapping[str, str]] = {
    "C": "°C", "F": "°F", "hPa": "hPa", "kPa": "kPa", "PSI": "psi", "psi": "psi", "inHg": "inHg", "bar": "bar", "V": "V", "mV": "mV", "A": "A",
    "mA": "mA", "W": "W", "kW": "kW", "VA": "VA", "kWh": "kWh", "lux": "lx", "klx": "klx", "ppm": "ppm", "ppb": "ppb", "ug_m3": "µg/m³",
    "mm": "mm", "cm": "cm", "km": "km", "m": "m", "in": "in", "ft": "ft", "km_h": "km/h", "mi_h": "mph", "m_s": "m/s", "mm_h": "mm/h",
    "in_h": "in/h", "deg": "°", "dB": "dB", "MHz": "MHz", "pct": "%", "gal": "gal", "L": "L", "kg": "kg",
}  # fmt: skip
"""How rtl_433 ends its keys: a value's unit."""

NAMES: Final[Mapping[str, str]] = {
    "tempc": "temperature", "tempf": "temperature", "temp": "temperature", "dp": "dew_point", "moi": "soil_moisture",
    "pres": "pressure", "darkness": "illuminance", "fer": "conductivity", "for": "formaldehyde", "accx": "acceleration_x",
    "accy": "acceleration_y", "accz": "acceleration_z", "x_axis": "acceleration_x", "y_axis": "acceleration_y", "z_axis": "acceleration_z",
    "lvl_cm": "depth", "lvl_in": "depth", "litres": "volume", "seconds": "duration", "txpower": "tx_power", "tx": "tx_power",
    "act_bpm": "activity_heart_rate", "bpm": "heart_rate", "lowbatt": "battery_low", "mov": "movement_counter", "seq": "sequence",
    "pressure": "brush_pressure", "packet": "packet_id",
    "in_ct": "entries", "out_ct": "exits", "push_ct": "pushes", "pa": "pressure", "altim": "altitude", "altift": "altitude",
    "wattsm2": "irradiance", "c_energy": "energy_since_reset", "t_energy": "energy", "light_lux": "illuminance", "light_klx": "illuminance",
    "battery_V": "battery_voltage",
    "battery_mV": "battery_voltage",
}  # fmt: skip
_NUMBERED: Final = re.compile(r"(temp[cf])(\d)?(_dp|_min|_max)?")

LABELS: Final = ("name", "brand", "model", "model_id", "device")
_ABOUT: Final = frozenset(
    vocabulary.words(
        "id mac name brand model model_id type device mac_type addr unit avgu sumu mfid uuid major minor manufacturerdata servicedata"
        " servicedatauuid adv_type cipher ctr mic rpi aem encr cidc acts cont track prmac ctrl res from to raw pulsesString format"
        " distance_unit mfr beaconmodel ts origin subtype device_id"
    )
)
"""What describes a device or how a value is written, and raw parts of what was heard."""
_TEXTS: Final = frozenset({"serial", "message", "hex", "phone", "data", "binary", "tre_state"})
"""Texts that stay texts, even where they look like a number."""
_HOUSEKEEPING: Final = frozenset(vocabulary.words("SYStoMQTT LOGtoMQTT RLStoMQTT WebUItoMQTT SSD1306toMQTT DISCtoMQTT"))
_NAMING: Final = ("type", "model", "subtype", "channel", "id")
"""What tells the senders that one receiver hears apart, in the order in which OpenMQTTGateway makes a topic of it."""


class _Heard(NamedTuple):
    """What holds for all values of a message."""

    device: str
    labels: Mapping[str, str]
    units: Mapping[str, str | None]


class Theengs(Convention):
    """Devices that an OpenMQTTGateway or a Theengs Gateway hears by radio."""

    name = "theengs"
    title = "OpenMQTTGateway and Theengs"
    about = "Radio sensors behind OpenMQTTGateway or Theengs Gateway: home/<gateway>/BTtoMQTT/<MAC>"
    topics = "`<base>/<gateway>/BTtoMQTT/<MAC>`, `…/LORAtoMQTT`, `…/433toMQTT`, `…/RTL_433toMQTT`, `…/CLIMAtoMQTT`, `…/LWT`"
    setup = "Enter this machine as MQTT broker in OpenMQTTGateway's portal, or start Theengs Gateway with `-H <this machine>`."
    commands = False
    marks = frozenset({"model_id"})

    def recognise(self, topic: str, levels: tuple[str, ...]) -> Place | None:  # noqa: ARG002
        at = next((place for place, level in enumerate(levels) if MEDIUM.fullmatch(level)), None)
        if at is not None:
            return _heard_by(levels, at)
        if "commands" in levels[1:-1] and levels[levels.index("commands", 1) + 1].startswith("MQTTto"):
            return Place("", ignored="a command to a gateway")
        return _of_gateway(levels) if len(levels) > 1 else None

    def spot(self, topic: str, levels: tuple[str, ...], body: Body) -> Place | None:  # noqa: ARG002
        if not isinstance(body, dict) or not {"brand", "model", "model_id"} <= body.keys():
            return None
        return Place(levels[-1]) if _mac(body) or BARE_MAC.fullmatch(levels[-1]) else None

    def decode(self, message: Message, place: Place, body: Body) -> list[Said] | Ignored:
        if body == "":
            return Ignored("empty payload: a retained value was cleared", place.device)
        if place.role == "LWT":
            return [Said(place.device, ("LWT",), str(body), None, message.received, "received")]
        if isinstance(body, str) and place.path and _is_property(place.path[-1]):
            return self._alone(message, place, body)
        if not isinstance(body, dict):
            raise UnusableError(f"device {place.device!r}: a message must be an object; got {str(body)[:40]!r}")
        check_size(place.device, body, 1)
        if body.get("model") == "status" or body.get("format") == "RAW":
            return Ignored("a receiver's own state, or pulses that nobody decoded", place.device)
        if body.keys() == {"Status"} or (place.device.endswith("/BTtoMQTT") and body.keys().isdisjoint(("id", "mac"))):
            return Ignored("what a gateway says of itself", place.device)
        return self._said(message, _heard(place, body), body)

    def _alone(self, message: Message, place: Place, text: str) -> list[Said] | Ignored:
        """Read one value on a topic of its own, behind the device's (simple publishing)."""
        *above, key = place.path
        device = _colons(above[-1]) if above and BARE_MAC.fullmatch(above[-1]) else place.device.removesuffix(f"/{key}")
        return self._said(message, _Heard(device, {}, {}), {key: text})

    def _said(self, message: Message, heard: _Heard, body: dict[str, Any]) -> list[Said] | Ignored:
        said: list[Said] = []
        self._object(said, message, heard, (), body)
        if len(said) > MOST_READINGS:
            raise UnusableError(f"device {heard.device!r}: a message must hold at most {MOST_READINGS} values; got {len(said)}")
        return said or Ignored("no value in it", heard.device)

    def _object(self, said: list[Said], message: Message, heard: _Heard, above: tuple[str, ...], body: dict[str, Any]) -> None:
        """Read an object; what Pilight decoded stands in one inside (`message`)."""
        device, labels, units = heard
        check_size(device, body, len(above) + 1)
        for key, told in body.items():
            if key in _ABOUT or told is None or _again(key, body):
                continue
            if isinstance(told, dict) and not key.startswith("undecodable"):
                self._object(said, message, heard, (*above, key), told)
                continue
            value, unit = _value(key, told), None
            if value is None:
                continue
            if value.__class__ is float or value.__class__ is int:
                unit = units[key] if key in units else _unit(key)
            said.append(Said(device, (*above, key), value, unit, message.received, "received", labels))

    def series(self, path: tuple[str, ...]) -> vocabulary.Name:
        """Return the name of a property; the decoder shortens its words."""
        key = path[-1]
        if match := _NUMBERED.fullmatch(key):
            metric = "dew_point" if match[3] == "_dp" else "temperature" + (match[3] or "")
            return vocabulary.Name(metric, match[2] or "")
        if key in NAMES:
            return vocabulary.Name(NAMES[key], "")
        stem = key.removesuffix(f"_{ending}") if (ending := _ending(key)) else key
        return vocabulary.name((*(one for one in path[:-1] if one != "message"), stem), units_in_keys=False)

    def named(self, one: Said) -> vocabulary.Name:
        """Return the name of what was said: doors say whether, blinds how far they are open, and light levels come as numbers or in words."""
        if one.path == ("open",) and not isinstance(one.value, bool):
            return vocabulary.Name("opening", "")
        if one.path == ("lightlevel",) and isinstance(one.value, str):
            return vocabulary.Name("light", "")
        return self.series(one.path)

    def spoken(self, metric: str, value: str) -> Value:  # noqa: ARG002
        """Return a text as it is: the decoder has truths for what is one, and its texts have more than two values."""
        return value

    def encode(self, base: str, device: str, settings: Mapping[str, Value]) -> list[Encoded]:  # noqa: ARG002
        refuse_commands(device, self.title)


def _of_gateway(levels: tuple[str, ...]) -> Place | None:
    """Return what a topic without a medium says, if it is a gateway's."""
    above, last = levels[-2:]
    if (above, last) == ("internal", "trackersync"):
        return Place(above, ignored="what a gateway says of itself")
    if above == "home_presence" and GATEWAY.search(last):
        return Place(last)
    if last not in ("LWT", "presence", "version") or not GATEWAY.search(above):
        return None
    return Place(above, role=last, ignored="what a gateway says of itself" if last == "version" else None)


def _heard_by(levels: tuple[str, ...], at: int) -> Place:
    """Return the device that a gateway's topic names: `levels[at]` is the medium."""
    gateway, rest = levels[at - 1] if at else "", levels[at + 1 :]
    if levels[at] in _HOUSEKEEPING or "undecoded" in rest or rest[-1:] == ("config",):
        return Place(gateway, ignored="what a gateway says of itself")
    if rest and BARE_MAC.fullmatch(rest[-1]):
        return Place(_colons(rest[-1]), path=("MAC",))
    return Place("/".join((*levels[max(at - 1, 0) : at + 1], *rest)), path=rest)


def _colons(bare: str) -> str:
    bare = bare.upper()
    return ":".join(bare[place : place + 2] for place in range(0, 12, 2))


def _mac(body: dict[str, Any]) -> str | None:
    """Return the MAC in a message: `id`, unless that is a beacon's UUID and the MAC stands beside it."""
    for key in ("id", "mac"):
        told = body.get(key)
        if isinstance(told, str) and MAC.fullmatch(told):
            return told.upper()
    return None


def _heard(place: Place, body: dict[str, Any]) -> _Heard:
    """Return whose message it is, what describes it, and the units that it or its model states."""
    device = place.device if place.path == ("MAC",) else _mac(body) or place.device
    if BARE_MAC.fullmatch(device):
        device = _colons(device)
    if not place.path and device == place.device and isinstance(body.get("model"), str) and "id" in body:
        device = "/".join((device, *(str(body[key]) for key in _NAMING if key in body)))
    if not device.isprintable() or len(device) > 256:
        raise UnusableError(f"device {place.device!r}: a device's name must be at most 256 printable characters; got {device[:40]!r}")
    labels = {key: told for key in LABELS if isinstance(told := body.get(key), str) and told}
    return _Heard(device, labels, _stated(place, body))


def _stated(place: Place, body: dict[str, Any]) -> dict[str, str | None]:
    """Return the units that a message, its model or its medium states, where they are not those of all others."""
    units: dict[str, str | None] = {}
    if "weight" in body:
        units["weight"] = vocabulary.unit_named(str(body.get("unit", ""))) or ("g" if body.get("model_id") == "SKALE" else "kg")
    if "temp" in body:
        units["temp"] = vocabulary.unit_named(str(body.get("unit", "C")))
    if body.get("model_id") == "TPMS":
        units["pres"] = "bar"
    if "/HCSR04toMQTT" in place.device:
        units["distance"] = "cm"
    if "/RTL_433toMQTT" in place.device:
        units["duration"] = "µs"
    for key in ("avg", "sum"):
        if isinstance(stated := body.get(key + "u"), str):
            units[key] = vocabulary.unit_named(stated) or stated[:20]
    return units


def _again(key: str, body: dict[str, Any]) -> bool:
    """Return whether a value stands beside it in the other unit."""
    if key.startswith("tempf"):
        return "tempc" + key[5:] in body
    return (key == "lvl_in" and "lvl_cm" in body) or (key == "altift" and "altim" in body)


def _value(key: str, told: Any) -> Value | None:
    """Return the reading in a property; objects and arrays describe."""
    if isinstance(told, (bool, int, float)):
        return str(told) if key == "serial" else told
    if not isinstance(told, str) or not told or told.lower() in NO_VALUE or (key == "time" and told[4:5] == "-"):
        return None
    number = None if key in _TEXTS else vocabulary.number(told)
    return told if number is None else number


def _unit(key: str) -> str | None:
    """Return what a property is measured in. How far a curtain is open is a share; whether a door is, has no unit."""
    if match := _NUMBERED.fullmatch(key):
        return UNITS[match[1]]
    if key in UNITS:
        return UNITS[key]
    ending = _ending(key)
    return ENDINGS[ending] if ending else "%" if key == "open" else None


def _is_property(key: str) -> bool:
    """Return whether a topic's last level is a property's name, not a sensor's."""
    return key in UNITS or key in NAMES or bool(_NUMBERED.fullmatch(key)) or _ending(key) is not None


def _ending(key: str) -> str | None:
    """Return how a key of rtl_433's ends, if with a unit: `rain_rate_mm_h` with `mm_h`, not with `h`."""
    parts = key.split("_")
    return next((end for size in (2, 1) if len(parts) > size and (end := "_".join(parts[-size:])) in ENDINGS), None)
