"""What LoRaWAN network servers have in common: values that a decoder made of a frame, gateways that heard it, frame counters and ports.

A server hands on what the device's decoder (its *payload formatter*, *codec*) made of the bytes, under any names. What there is no decoder
for stays bytes: nothing is read into them. A value may be an object that says its unit (`{"value": 21.5, "unit": "C"}`).

*Units*: those of Cayenne LPP, under the names that The Things Stack (`temperature_1`) and ChirpStack (`temperatureSensor.1`) give its types
(https://docs.mydevices.com/docs/lorawan/cayenne-lpp); the key's own (`temp_f`); and, where the value makes sense in it, the one that
decoders of LoRaWAN devices use throughout: °C for temperatures, hPa for barometers, lx for illuminance, m for altitudes. The names of
Dragino's decoders (`TempC_SHT`, `temp_SOIL`, …: https://github.com/dragino/dragino-end-node-decoder), whose values may be texts, are known.

*Sequence*: the frame counter, which begins anew with each session. *Commands* go to the port of the device's last uplink, else to 1.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import count
from typing import Any, Final, TypeGuard

import msgspec

from devices import vocabulary
from devices.convention import (
    LONGEST_KEY,
    MOST_READINGS,
    Convention,
    Said,
    UnusableError,
    check_size,
    remember,
    setting_path,
)
from devices.reading import Expected, Message, TimeSource, Value
from devices.timestamps import Stamp, parse

MOST_DEVICES: Final = 100_000
PORTS: Final = range(1, 224)
"""Ports that applications may use (LoRaWAN L2 1.0.4, 4.3.2)."""

_SENSORS: Final[Mapping[str, str]] = {
    "temperature_sensor": "temperature", "humidity_sensor": "humidity", "illuminance_sensor": "illuminance",
    "presence_sensor": "presence", "luminosity": "illuminance", "digital_in": "digital_input", "digital_out": "digital_output",
    "analog_in": "analog_input", "analog_out": "analog_output",
}  # fmt: skip
"""What servers call the types of Cayenne LPP, and what the vocabulary does."""
_NUMBERED_UNITS: Final[Mapping[str, str]] = {
    "temperature": "°C", "relative_humidity": "%", "barometric_pressure": "hPa", "luminosity": "lx", "temperature_sensor": "°C",
    "humidity_sensor": "%", "illuminance_sensor": "lx", "barometer": "hPa", "accelerometer": "[g]", "gyrometer": "°/s",
}  # fmt: skip
_NUMBER: Final = re.compile(r"(.+?)_?(\d+)")
_CELSIUS: Final = re.compile(r"temp_?c(?:_(.+)|(\d+))")
"""`TempC_SHT`, `TempC1`: Dragino's, and others', degrees Celsius."""
_DRAGINO: Final[Mapping[str, tuple[str, ...]]] = {
    "hum_sht": ("sht", "humidity"), "temp_soil": ("soil", "temperature"), "water_soil": ("soil_moisture",),
    "conduct_soil": ("soil", "conductivity"), "bat_v": ("battery_voltage",),
}  # fmt: skip
"""The vocabulary's words for names of Dragino's decoders."""
_TEMPERATURES: Final = frozenset({"temperature", "temp"})
"""Last words of a name that is one of a temperature, whatever stands before (`waterTemp`, `soil_temperature`)."""
_BEGINS_NUMBER: Final = frozenset("+-.0123456789")

Customary = tuple[str, float, float]
"""A unit, and the values for which it is taken for granted."""

_ANY: Final = (float("-inf"), float("inf"))
_BY_NAME: Final[Mapping[str, Customary]] = {
    "altitude": ("m", -500, 100_000), "vdd": ("mV", 1000, 6000), "degrees_c": ("°C", *_ANY),
}  # fmt: skip
_BY_LEAF: Final[Mapping[str, Customary]] = {
    "conduct_soil": ("µS/cm", *_ANY), "bat_v": ("V", *_ANY), "temp_c": ("°C", *_ANY),
    **dict.fromkeys(("barometer", "barometric_pressure", "atmospheric_pressure", "air_pressure"), ("hPa", 300, 1100)),
}  # fmt: skip
_BY_QUANTITY: Final[Mapping[str, Customary]] = {"temperature": ("°C", -60, 125), "illuminance": ("lx", 0, 200_000)}


class Lorawan(Convention):
    """A network server's convention: how it names what devices said, counts their frames, and keeps the port that each listens on.

    `learned` is [port of the last uplink, session] by device.
    """

    guesses = True

    def series(self, path: tuple[str, ...]) -> vocabulary.Name:
        return name(path)

    def frame(self, device: str, message: Message, *, number: int | None, port: Any, session: Any) -> None:
        """Note an uplink's port, and its frame counter: a new session begins at any number."""
        known = self.learned.get(device, [None, None])
        port = port if port.__class__ is int and port in PORTS else known[0]
        session = session if isinstance(session, str) and len(session) <= 64 else known[1]
        if [port, session] != known:
            remember(self.learned, device, [port, session], most=MOST_DEVICES)
        if port != known[0]:
            self.readdress(device)
        if number is None or message.retained:
            return
        if session == known[1]:
            self.count_sequence(device, device, number, message.received)
        else:
            self.restart_sequence(device, number, message.received)

    def base_of(self, device: str, base: str) -> str:
        port = self.learned.get(device, [None])[0]
        return base if port is None else msgspec.json.encode({"port": port, "topic": base}, order="sorted").decode()

    def confirms(self, device: str, setting: str, value: Value) -> tuple[Expected, ...]:
        path = setting_path(setting)
        unit = unit_of(path, value) if is_number(value) else unit_of_text(path, value) if isinstance(value, str) else None
        return (self.report(device, path, value, unit),)


def address(base: str) -> tuple[str, int]:
    """Return topic and port of a base that `Lorawan.base_of` made, or that a profile gives as a topic alone.

    >>> address('{"port":85,"topic":"a/b"}'), address("a/b")
    (('a/b', 85), ('a/b', 1))
    """
    if not base.startswith("{"):
        return base, 1
    known = msgspec.json.decode(base)
    return known["topic"], known["port"]


class Frame(msgspec.Struct, frozen=True, gc=False):
    """What holds for all values of one message: whose they are, when, what is said in words, and the frame's counter."""

    device: str
    ts: int
    source: TimeSource
    labels: Mapping[str, str]
    number: int | None = None

    def says(self, path: tuple[str, ...], value: Value, unit: str | None) -> Said:
        """Return one of its values."""
        return Said(self.device, path, value, unit, self.ts, self.source, self.labels, self.number)


def said(body: Any, frame: Frame, path: tuple[str, ...] = ()) -> list[Said]:
    """Return what a decoder made of a frame. Raises UnusableError for what no device says at once.

    Nulls and empty texts are no values; texts in arrays describe; `bytes` is the frame that the decoder was given.
    """
    found: list[Said] = []
    if isinstance(body, (dict, list)):
        _read(found, body, frame, path)
    if len(found) > MOST_READINGS:
        raise UnusableError(f"device {frame.device!r}: a message must hold at most {MOST_READINGS} values; got {len(found)}")
    return found


def _read(found: list[Said], body: dict[str, Any] | list[Any], frame: Frame, path: tuple[str, ...]) -> None:
    """Read an object or array of a decoder's, and all below it."""
    device, ts, source, labels, number = frame.device, frame.ts, frame.source, frame.labels, frame.number
    check_size(device, body, len(path) + 1)
    texts, stated = isinstance(body, dict), None
    if isinstance(body, dict):
        stated = _stated(body, path) if "unit" in body else None
        members: Iterable[tuple[str, Any]] = body.items()
    else:
        members = zip(map(str, count()), body, strict=False)
    for key, value in members:
        kind = value.__class__
        inside = (*path, key)
        if kind is float or kind is int:
            unit = unit_of(inside, value) if stated is None or key != "value" else stated
        elif kind is bool:
            unit = None
        elif kind is dict or (kind is list and key != "bytes"):
            _read(found, value, frame, inside)
            continue
        elif kind is str and value and texts and (stated is None or key != "unit"):
            unit = unit_of_text(inside, value) if value[0] in _BEGINS_NUMBER else None
        else:
            continue
        found.append(Said(device, inside, value, unit, ts, source, labels, number))


def _stated(body: dict[str, Any], path: tuple[str, ...]) -> str | None:
    """Return the unit that an object states for its `value`."""
    unit = body["unit"]
    if not path or not isinstance(unit, str) or not is_number(body.get("value")):
        return None
    return vocabulary.unit_named(unit[:16]) or unit[:16]


def unit_of(path: tuple[str, ...], value: float) -> str | None:
    """Return the unit of a number that a decoder gave; None where nothing says it beyond doubt.

    >>> unit_of(("temperatureSensor", "1"), 21.5), unit_of(("temp",), 21.5), unit_of(("temp",), 2150), unit_of(("temp_f",), 70)
    ('°C', '°C', None, None)
    >>> unit_of(("TempC1",), 18.44), unit_of(("waterTemp",), 12)
    ('°C', '°C')
    """
    if len(path[-1]) > LONGEST_KEY or (len(path) > 1 and sum(map(len, path)) > LONGEST_KEY):
        return None
    unit = _customary(path)
    return unit[0] if unit and unit[1] <= value <= unit[2] else None


def unit_of_text(path: tuple[str, ...], text: str) -> str | None:
    """Return the unit of a number that a decoder gave as text; None for what is no number.

    >>> unit_of_text(("TempC1",), "18.44"), unit_of_text(("temp",), "n/a")
    ('°C', None)
    """
    number = vocabulary.number(text)
    return None if number is None else unit_of(path, number)


@lru_cache(maxsize=20_000)
def _customary(path: tuple[str, ...]) -> Customary | None:
    stem, number = _type(path)
    if number and stem in _NUMBERED_UNITS:
        return _NUMBERED_UNITS[stem], *_ANY
    leaf = vocabulary.snake(path[-1])
    if stem in ("gps", "gps_location") and leaf in ("latitude", "longitude", "altitude"):
        return "m" if leaf == "altitude" else "°", *_ANY
    if known := _BY_LEAF.get("temp_c" if _CELSIUS.fullmatch(leaf) else leaf):
        return known
    named = name(path)
    if named.unit is not None:
        return None
    quantity = "temperature" if leaf.rpartition("_")[2] in _TEMPERATURES else vocabulary.METRICS.get(named.metric)
    return _BY_NAME.get(named.metric) or _BY_QUANTITY.get(quantity or "")


def _type(path: tuple[str, ...]) -> tuple[str, str]:
    """Return the first key's name without its number, and the number, which may be a key of its own.

    >>> _type(("temperature_1",)), _type(("gpsLocation", "2", "latitude")), _type(("temperature",))
    (('temperature', '1'), ('gps_location', '2'), ('temperature', ''))
    """
    first = vocabulary.snake(path[0])
    if len(path) > 1 and path[1].isdigit():
        return first, path[1]
    numbered = _NUMBER.fullmatch(first)
    return (numbered[1], numbered[2]) if numbered else (first, "")


def name(path: tuple[str, ...]) -> vocabulary.Name:
    """Return metric, channel and the key's own unit of a decoded value; `airTemperature.value` is `airTemperature`.

    >>> name(("temperatureSensor", "1")), name(("luminosity_4",))
    (Name(metric='temperature', channel='1', unit=None), Name(metric='illuminance', channel='4', unit=None))
    >>> name(("TempC_SHT",)), name(("temp_SOIL",))
    (Name(metric='temperature', channel='sht', unit=None), Name(metric='temperature', channel='soil', unit=None))
    """
    if path[-1] == "value" and len(path) > 1 and not path[-2].isdigit():
        path = path[:-1]
    stem, number = _type(path)
    if number and stem in _SENSORS:
        rest = path[2:] if len(path) > 1 and path[1] == number else path[1:]
        return vocabulary.name((_SENSORS[stem], number, *rest))
    leaf = vocabulary.snake(path[-1])
    if leaf in _DRAGINO:
        return vocabulary.name((*path[:-1], *_DRAGINO[leaf]))
    if celsius := _CELSIUS.fullmatch(leaf):
        return vocabulary.name((*path[:-1], celsius[1] or celsius[2], "temperature"))
    return vocabulary.name(path)


def loudest(gateways: Any) -> tuple[str, dict[str, Any]] | None:
    """Return index and record of the gateway that heard the device best; None where none says how well.

    >>> loudest([{"rssi": -90}, {"rssi": -70, "snr": 5}, {}])
    ('1', {'rssi': -70, 'snr': 5})
    """
    best, most = None, 0.0
    for index, one in enumerate(gateways if isinstance(gateways, list) else ()):
        rssi = one.get("rssi") if isinstance(one, dict) else None
        if is_number(rssi) and (best is None or rssi > most):
            best, most = index, rssi
    return None if best is None else (str(best), gateways[best])


def moment(value: Any) -> Stamp | None:
    """Return the time that a server states; None if it states none, as Go's zero time does (`0001-01-01T00:00:00Z`).

    >>> moment("0001-01-01T00:00:00Z"), moment("2026-09-02T11:58:00Z").ns
    (None, 1788350280000000000)
    """
    stamp = parse(value)
    return stamp if stamp is not None and stamp.ns > 0 else None


def is_number(value: Any) -> TypeGuard[float]:
    """Return whether a JSON value is a number."""
    return value.__class__ is int or value.__class__ is float


def counter(value: Any) -> int | None:
    """Return a frame counter, which has 32 bits; None for what is none.

    >>> counter(7), counter(2**40), counter(True)
    (7, None, None)
    """
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**32 else None


def labels_of(record: Any, names: Mapping[str, str], labels: dict[str, str] | None = None) -> dict[str, str]:
    """Return `labels` with the texts of a record that say in words what the device is, each under our name for it.

    >>> labels_of({"deviceName": "pump", "x": 1}, {"deviceName": "name", "x": "y"})
    {'name': 'pump'}
    """
    labels = {} if labels is None else labels
    if isinstance(record, dict):
        for theirs, ours in names.items():
            text = record.get(theirs)
            if text.__class__ is str and text:
                labels[ours] = text[:128]
    return labels
