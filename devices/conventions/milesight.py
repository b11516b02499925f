"""Milesight's LoRaWAN sensors behind a Milesight gateway with its embedded network server: `milesight/<device>/uplink`.

Sources: the decoders of https://github.com/Milesight-IoT/SensorDecoders (names of values, and units in each sensor's README and codec), and
the gateway's message, which https://support.milesight-iot.com/en/support/solutions/articles/73000600064 shows. The topic is free to choose in
the gateway's web page: name it `milesight/$devEUI/uplink`. On any other topic the gateway's message is known by its gateway's `mac`, its
`gatewaySN` or `gatewayTime` beside the `devEUI`.

A message is what the decoder made, alone, or beside or as `object` in the gateway's message. *Readings* are all of it but what says in words
which device it is; values of a `history`, which the device sends late, are values at their own `timestamp`. *Units* are the decoders': where
one name has several (`current` in mA at a socket, in A at a current transformer; `pressure` of air in hPa, of a pipe in kPa), what else the
sensor measures tells. *Device*: the DevEUI, where the message has one, else the topic's level. *Time*: the sensor's, where it has a clock,
else the gateway's.

That a device is `online` or `offline` is a reading, too; what the gateway says of downlinks is none. There are no commands: where a gateway
listens for them, and in which form, differs with its firmware and its set-up.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, NoReturn

from devices import lorawan, vocabulary
from devices.convention import MOST_READINGS, Convention, Place, Said, UnusableError, check_size, refuse_commands
from devices.payloads import Body
from devices.reading import Ignored, Message, Value
from devices.timestamps import Stamp, parse

ROOT: Final = "milesight"
LONGEST_NAME: Final = 64
"""No decoder has a longer name."""
UPLINKS: Final = frozenset({"uplink", "up", "data"})
OTHERS: Final[Mapping[str, str]] = {
    "downlink": "a command to a device", "down": "a command to a device", "join": "a device joined", "ack": "a downlink was acknowledged",
    "error": "the gateway's own", "request": "a command to a device", "response": "the gateway's own",
}  # fmt: skip

UNITS: Final[Mapping[str, str]] = {
    "battery": "%", "temperature": "°C", "humidity": "%", "co2": "ppm", "pm2_5": "µg/m³", "pm10": "µg/m³", "hcho": "mg/m³", "o3": "ppm",
    "h2s": "ppm", "nh3": "ppm", "illumination": "lx", "illuminance": "lx", "lux": "lx", "distance": "mm", "depth": "cm", "moisture": "%",
    "ec": "µS/cm", "angle_x": "°", "angle_y": "°", "angle_z": "°", "voltage": "V", "active_power": "W", "electric_power": "W",
    "power_factor": "%", "power_sum": "Wh", "total_current": "Ah", "latitude": "°", "longitude": "°",
    "target_temperature": "°C", "temperature_target": "°C", "ambient_temperature": "°C", "server_temperature": "°C",
    "outside_temperature": "°C", "pt100": "°C", "temperature_mutation": "°C", "temperature_change": "°C", "valve_opening": "%",
    "valve_opening_degree": "%", "remaining": "%", "wind_speed": "m/s",
    "wind_direction": "°", "rainfall_total": "mm", "current_total": "Ah",
    "life_remain": "s", "stall_current": "mA", "pipe_pressure": "kPa",
    "use_time_now": "s", "use_time_today": "s", "relative_humidity": "%", "humidity_mutation": "%", "thdi": "%", "thdv": "%",
    "voltage_unbalance": "%", "battery_main": "%", "battery_node": "%", "duration": "s", "pm1_0": "µg/m³", "current_rating": "A",
    "target_temperature1": "°C", "target_temperature2": "°C", "target_valve_opening_degree": "%", "valve_opening_duration": "s",
    "distance_mutation": "mm", "current_pressure": "kPa", "voltage_three_phase_imbalcance": "%",
    "ch1_sumkwh": "kWh", "ch2_sumkwh": "kWh", "ch3_sumkwh": "kWh",
}  # fmt: skip
"""What decoders give these in, wherever they stand; a number behind a name (`temperature_chn2`, `pressure_2`) changes nothing."""
_SOCKETS: Final = frozenset({"socket_status", "active_power", "power_consumption", "power_factor"})
"""Beside one of these, a current is that of a socket, in mA."""
_METERS: Final = frozenset({"electric_power", "current_rating", "ch1_sumkwh", "ch2_sumkwh", "ch3_sumkwh"})
"""Beside one of these, a current is in A, and what was consumed in kWh or in counts, which differs from model to model."""
_AIR: Final = frozenset(
    {"temperature", "humidity", "co2", "pressure_alarm", "wind_speed", "wind_direction", "rainfall_total", "rainfall_counter"}
)
"""Beside one of these, a pressure is that of the air, in hPa."""
_SEVERAL: Final[Mapping[str | None, Mapping[str, str | None]]] = {
    "current": {"": "A", "socket": "mA"},
    "pressure": {"": "kPa", "air": "hPa"},
    "power_consumption": {"": "Wh", "meter": None},
}
"""Units of names that have several, by what stands beside them."""
_SOUND: Final = frozenset(f"L{weight}{kind}" for weight in "ACZ" for kind in ("F", "Fmax", "I", "Imax", "S", "Smax", "eq"))

LABELS: Final[Mapping[str, str]] = {
    "deviceName": "name", "applicationName": "application", "gatewaySN": "gateway", "sn": "serial", "imei": "imei", "iccid": "iccid",
    "imsi": "imsi", "hardware_version": "hardware", "firmware_version": "firmware", "hardwareVersion": "hardware",
    "firmwareVersion": "firmware", "tsl_version": "tsl", "ipso_version": "ipso", "lorawan_class": "lorawan_class", "devEUI": "dev_eui",
}  # fmt: skip
"""What says in words which device it is, under our name for it."""
_ENVELOPE: Final = frozenset(
    vocabulary.words(
        "applicationID applicationName data devAddr devEUI deviceID deviceName fCnt fPort rxInfo txInfo time gatewaySN gatewayTime metadata adr type"
        " mqtt_topic protocol_version protocolVersion version startFlag length flag frameCnt id data_length sn imei iccid imsi"
        " hardware_version firmware_version hardwareVersion firmwareVersion tsl_version ipso_version lorawan_class"
    )
)
_NOTICES: Final = frozenset({"acknowledged", "error"})
"""What the gateway says of a downlink (https://www.milesight.com/building-iot-gateway/en/application-guide/notification.html)."""
_RECORDS: Final = ("history", "data")
_NUMBER: Final = re.compile(r"_(?:chn?_?)?\d+(?=_|$)")
_EXTREME: Final = re.compile(r"_(?:min|max|avg)$")
_SCALES: Final[Mapping[str, str]] = {"fahrenheit": "°F", "celsius": "°C"}
_SETTINGS: Final = frozenset(
    vocabulary.words("config settings setting enable interval schedule rule rules saving reboot report reporting d2d sync clear 2w 3w")
)
"""A key with one of these words answers a command: it says how the device is set, not what it measures."""
_OWN_NAMES: Final = frozenset({"light_level", "press"})
"""Words that mean something else in the vocabulary: a step from 0 to 5, and how a button was pressed."""
_HEARD: Final = (("rssi", "dBm"), ("loRaSNR", "dB"))


class Milesight(Convention):
    """What Milesight's decoders make of its sensors' frames."""

    name = "milesight"
    title = "Milesight"
    about = "Milesight sensors behind a Milesight LoRaWAN gateway: milesight/<device>/uplink"
    topics = "`milesight/<device>/uplink`; the gateway's messages also on any other topic"
    setup = (
        "In the gateway's web page: Network Server → Payload Codec for the sensor, and Applications → Data Transmission → MQTT with the uplink"
        " topic `milesight/$devEUI/uplink`."
    )
    guesses = True
    marks = frozenset({"devEUI"})
    commands = False

    def recognise(self, topic: str, levels: tuple[str, ...]) -> Place | None:  # noqa: ARG002
        if levels[0] != ROOT or len(levels) not in (2, 3) or not levels[1]:
            return None
        kind = levels[-1].lower()
        if kind not in UPLINKS and kind not in OTHERS:
            return None
        return Place(levels[1] if len(levels) == 3 else ROOT, ignored=OTHERS.get(kind))

    def spot(self, topic: str, levels: tuple[str, ...], body: Body) -> Place | None:  # noqa: ARG002
        if not isinstance(body, dict) or not isinstance(body.get("devEUI"), str) or not body["devEUI"]:
            return None
        gateways = body.get("rxInfo")
        first = gateways[0] if isinstance(gateways, list) and gateways else None
        ours = "gatewaySN" in body or "gatewayTime" in body or (isinstance(first, dict) and "mac" in first and "gatewayID" not in first)
        return Place(body["devEUI"][:128]) if ours else None

    def takes(self, body: Body) -> bool:  # noqa: ARG002
        return True

    def decode(self, message: Message, place: Place, body: Body) -> list[Said] | Ignored:
        if body == "":
            return Ignored("empty payload: a retained value was cleared", place.device)
        if not isinstance(body, dict):
            raise UnusableError(f"topic {message.topic!r}: an uplink of Milesight must be an object; got {str(body)[:40]!r}")
        return self._uplink(message, _device(place, body), body)

    def _uplink(self, message: Message, device: str, body: dict[str, Any]) -> list[Said] | Ignored:
        if "devEUI" in body and "data" not in body and not _NOTICES.isdisjoint(body):
            return Ignored("a notice of the gateway's: an answer or an error", device)
        number = lorawan.counter(body.get("fCnt"))
        if number is not None and not message.retained:
            self.count_sequence(device, device, number, message.received)
        made = body.get("object")
        made = made if isinstance(made, dict) else body
        labels: dict[str, str] = {}
        for record in (body,) if made is body else (made, body):
            if not LABELS.keys().isdisjoint(record):
                lorawan.labels_of(record, LABELS, labels)
        frame = lorawan.Frame(device, *self.when(_time(body, made), message, device), labels, number)
        said = self._values(made, frame, message)
        if "rxInfo" in body and (best := lorawan.loudest(body["rxInfo"])):
            for key, unit in _HEARD:
                if lorawan.is_number(value := best[1].get(key)):
                    said.append(frame.says(("rxInfo", best[0], key), value, unit))
        if len(said) > MOST_READINGS:
            raise UnusableError(f"device {device!r}: a message must hold at most {MOST_READINGS} values; got {len(said)}")
        return said or Ignored("an uplink that no codec decoded", device)

    def _values(self, made: dict[str, Any], frame: lorawan.Frame, message: Message) -> list[Said]:
        """Return all that a decoder made; each record of a history has its own time."""
        beside = _beside(made)
        check_size(frame.device, made, 1)
        said: list[Said] = []
        for key, value in made.items():
            if key in _RECORDS and isinstance(value, list):
                said += self._history(key, value, frame, message, beside)
            elif key != "timestamp" and not _is_setting(key):
                _measure(said, value, (key,), frame, beside)
        return said

    def _history(self, key: str, records: list[Any], frame: lorawan.Frame, message: Message, beside: str) -> list[Said]:
        check_size(frame.device, records, 2)
        said: list[Said] = []
        for index, record in enumerate(records):
            if isinstance(record, dict):
                stamp = parse(record.get("timestamp"))
                then = frame if stamp is None else self._then(frame, stamp, message)
                inside = {name: value for name, value in record.items() if name != "timestamp"}
                _measure(said, inside, (key, str(index)), then, beside or _beside(record))
        return said

    def _then(self, frame: lorawan.Frame, stamp: Stamp, message: Message) -> lorawan.Frame:
        """Return the frame of a value that was measured earlier."""
        return lorawan.Frame(frame.device, *self.when(stamp, message, frame.device), frame.labels, frame.number)

    def series(self, path: tuple[str, ...]) -> vocabulary.Name:
        """Return the name of a value: one of a history is of the same series as one that came in time."""
        if path[0] == "rxInfo":
            return vocabulary.Name("rssi" if path[-1] == "rssi" else "snr", "")
        if path[0] in _RECORDS and len(path) > 2:
            path = path[2:]
        if path[-1] in _OWN_NAMES:
            return vocabulary.Name(path[-1], ".".join(path[:-1]))
        return vocabulary.name(path, units_in_keys=False)

    def encode(self, base: str, device: str, settings: Mapping[str, Value]) -> NoReturn:  # noqa: ARG002
        refuse_commands(device, self.title)


def _beside(made: dict[str, Any]) -> str:
    """Return what the names in an object say of those that have several units: `socket`, `meter`, `air` or nothing."""
    if not _METERS.isdisjoint(made):
        return "meter"
    if not _SOCKETS.isdisjoint(made):
        return "socket"
    return "" if _AIR.isdisjoint(made) else "air"


def unit_of(path: tuple[str, ...], value: Value, beside: str) -> str | None:
    """Return the unit that the decoder gives a value in, by its name and what stands beside it (`_beside`).

    >>> unit_of(("current",), 74, "socket"), unit_of(("temperature_chn2",), 21.5, ""), unit_of(("pressure",), 170, "")
    ('mA', '°C', 'kPa')
    """
    unit = _named(path[-1]) if len(path[-1]) <= LONGEST_NAME and not isinstance(value, (str, bool)) else None
    return _SEVERAL[unit].get(beside, _SEVERAL[unit][""]) if unit in _SEVERAL else unit


@lru_cache(maxsize=4096)
def _named(name: str) -> str | None:
    """Return the unit that goes with a name, or the name itself where it has several (`_SEVERAL`)."""
    leaf = name.lower()
    stem = _NUMBER.sub("", leaf)
    plain = _EXTREME.sub("", stem)
    if plain in _SEVERAL:
        return plain
    scale = _SCALES.get(leaf.partition("_")[0])
    return "dB" if name in _SOUND else scale or UNITS.get(leaf) or UNITS.get(stem) or UNITS.get(plain)


def _measure(said: list[Said], value: Any, path: tuple[str, ...], frame: lorawan.Frame, beside: str) -> None:
    """Read a value, and all below it. Access points' addresses are not measured, and a water meter's number may come as text."""
    kind, key = value.__class__, path[-1]
    if kind is float or kind is int or kind is bool:
        said.append(Said(frame.device, path, value, unit_of(path, value, beside), frame.ts, frame.source, frame.labels, frame.number))
    elif kind is str and value and key != "mac":
        number = vocabulary.number(value) if key == "water" else None
        said.append(frame.says(path, value if number is None else number, None))
    elif kind is dict or (kind is list and key != "bytes"):
        check_size(frame.device, value, len(path) + 1)
        members = value.items() if kind is dict else ((str(index), one) for index, one in enumerate(value) if not isinstance(one, str))
        for name, one in members:
            _measure(said, one, (*path, name), frame, beside)


@lru_cache(maxsize=4096)
def _is_setting(key: str) -> bool:
    return key in _ENVELOPE or not _SETTINGS.isdisjoint(key.split("_"))


def _device(place: Place, body: dict[str, Any]) -> str:
    """Return whose uplink it is: the DevEUI, which alone is unique, else the topic's."""
    eui = body.get("devEUI")
    return eui[:128] if isinstance(eui, str) and eui and eui.isprintable() else place.device


def _time(body: dict[str, Any], made: dict[str, Any]) -> Stamp | None:
    """Return when it was measured, as the device says, else when the gateway received it."""
    return parse(made.get("timestamp")) or parse(body.get("time")) or parse(body.get("gatewayTime"))
