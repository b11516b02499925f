"""Milesight's LoRaWAN sensors behind a Milesight gateway with its embedded network server: `milesight/<device>/uplink`.

Sources: the decoders of https://github.com/Milesight-IoT/SensorDecoders (names of values, and units in each sensor's README and codec), and
the gateway's message, which https://support.milesight-iot.com/en/support/solutions/articles/73000600064 shows. The topic is free to choose in
the gateway's web page: name it `milesight/$devEUI/uplink`. On any other topic the gateway's message is known by its gateway's `mac`, its
`gatewaySN` or `gatewayTime` beside the `devEUI`.

A message is what the decoder made, alone, or beside or as `object` in the gateway's message. *Readings* are all of it but what says in words
which device it is; values of a `history`, which the device sends late, are values at their own `timestamp`. *Units* are the decoders': where
one name has several (`current` in mA at a socket, in A at a current transformer; `pressure` of air in hPa, of a pipe in kPa), what else the
sensor measures tells. *Device*: the DevEUI, where the message has one, else the topic's level. *Time*: the gateway's.

There are no commands: where a gateway listens for them, and in which form, differs with its firmware and its set-up.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final, NoReturn

from devices import lorawan, vocabulary
from devices.convention import MOST_READINGS, Convention, Place, Said, UnusableError, refuse_commands
from devices.payloads import Body
from devices.reading import Ignored, Message, TimeSource, Value
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
    "power_factor": "%", "power_consumption": "Wh", "power_sum": "Wh", "total_current": "Ah", "latitude": "°", "longitude": "°",
    "target_temperature": "°C", "temperature_target": "°C", "ambient_temperature": "°C", "server_temperature": "°C",
    "outside_temperature": "°C", "pt100": "°C", "temperature_mutation": "°C", "temperature_change": "°C", "valve_opening": "%",
    "valve_opening_degree": "%", "remaining": "%", "wind_speed": "m/s",
    "wind_direction": "°", "rainfall_total": "mm", "rainfall_counter": "mm", "current_total": "Ah",
    "life_remain": "s", "stall_current": "mA", "pipe_pressure": "kPa",
    "use_time_now": "s", "use_time_today": "s", "relative_humidity": "%", "humidity_mutation": "%", "thdi": "%", "thdv": "%",
    "voltage_unbalance": "%", "battery_main": "%", "battery_node": "%", "duration": "s",
}  # fmt: skip
"""What decoders give these in, wherever they stand; a number behind a name (`temperature_chn2`, `pressure_2`) changes nothing."""
_SOCKETS: Final = frozenset({"socket_status", "active_power", "power_consumption", "power_factor"})
"""Beside one of these, a current is that of a socket, in mA."""
_AIR: Final = frozenset({"temperature", "humidity", "co2"})
"""Beside one of these, a pressure is that of the air, in hPa."""
_SOUND: Final = frozenset(f"L{weight}{kind}" for weight in "ACZ" for kind in ("F", "Fmax", "I", "Imax", "S", "Smax", "eq"))

LABELS: Final[Mapping[str, str]] = {
    "deviceName": "name", "applicationName": "application", "gatewaySN": "gateway", "sn": "serial", "imei": "imei", "iccid": "iccid",
    "imsi": "imsi", "hardware_version": "hardware", "firmware_version": "firmware", "hardwareVersion": "hardware",
    "firmwareVersion": "firmware", "tsl_version": "tsl", "ipso_version": "ipso", "lorawan_class": "lorawan_class", "devEUI": "dev_eui",
}  # fmt: skip
"""What says in words which device it is, under our name for it."""
_ENVELOPE: Final = frozenset(
    vocabulary.words(
        "applicationID applicationName data devEUI deviceID deviceName fCnt fPort rxInfo txInfo time gatewaySN gatewayTime metadata adr type"
        " mqtt_topic protocol_version protocolVersion version startFlag length flag frameCnt id data_length sn imei iccid imsi"
        " hardware_version firmware_version hardwareVersion firmwareVersion tsl_version ipso_version lorawan_class"
    )
)
_RECORDS: Final = ("history", "data")
_NUMBER: Final = re.compile(r"_(?:chn?_?)?\d+(?=_|$)")
_EXTREME: Final = re.compile(r"_(?:min|max|avg)$")
_SCALES: Final[Mapping[str, str]] = {"fahrenheit": "°F", "celsius": "°C"}
_SETTINGS: Final = frozenset(
    vocabulary.words("config settings setting interval schedule rule rules saving reboot report reporting d2d sync clear 2w 3w")
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
        device = _device(place, body)
        ts, source = self.when(_time(body), message, device)
        number = lorawan.counter(body.get("fCnt"))
        if number is not None and not message.retained:
            self.count_sequence(device, device, number, message.received)
        made = body.get("object")
        made = made if isinstance(made, dict) else body
        labels = lorawan.labels_of(body, LABELS)
        labels = labels if made is body else {**lorawan.labels_of(made, LABELS), **labels}
        said = [
            Said(device, path, value, unit, *at, labels, number)
            for path, value, unit, at in self._values(made, message, device=device, at=(ts, source))
        ]
        if best := lorawan.loudest(body.get("rxInfo")):
            said += [
                Said(device, ("rxInfo", best[0], key), best[1][key], unit, ts, source, labels, number)
                for key, unit in _HEARD
                if lorawan.is_number(best[1].get(key))
            ]
        if len(said) > MOST_READINGS:
            raise UnusableError(f"device {device!r}: a message must hold at most {MOST_READINGS} values; got {len(said)}")
        return said or Ignored("an uplink that no codec decoded", device)

    def _values(
        self, made: dict[str, Any], message: Message, *, device: str, at: tuple[int, TimeSource]
    ) -> Iterator[tuple[tuple[str, ...], Value, str | None, tuple[int, TimeSource]]]:
        """Yield path, value, unit and time of all that a decoder made; each record of a history has its own time."""
        beside = frozenset(made)
        records = [key for key in _RECORDS if isinstance(made.get(key), list)]
        measured = {key: value for key, value in made.items() if key not in records and not _is_setting(key)}
        for path, value in _measured(measured, (), device=device):
            yield path, value, unit_of(path, value, beside), at
        for key in records:
            for index, record in enumerate(made[key]):
                if not isinstance(record, dict):
                    continue
                stamp = parse(record.get("timestamp"))
                then = at if stamp is None else self.when(stamp, message, device)
                inside = {name: value for name, value in record.items() if name != "timestamp"}
                for path, value in _measured(inside, (key, str(index)), device=device):
                    yield path, value, unit_of(path, value, beside | record.keys()), then

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


def unit_of(path: tuple[str, ...], value: Value, beside: frozenset[str]) -> str | None:
    """Return the unit that the decoder gives a value in, by its name and the names beside it.

    >>> unit_of(("current",), 74, frozenset({"socket_status"})), unit_of(("temperature_chn2",), 21.5, frozenset())
    ('mA', '°C')
    """
    if isinstance(value, (str, bool)):
        return None
    quantity = _named(path[-1]) if len(path[-1]) <= LONGEST_NAME else None
    if quantity == "current":
        return "A" if _SOCKETS.isdisjoint(beside) else "mA"
    if quantity == "pressure":
        return "kPa" if _AIR.isdisjoint(beside) else "hPa"
    return quantity


@lru_cache(maxsize=4096)
def _named(name: str) -> str | None:
    """Return the unit that goes with a name, or `current` or `pressure`, which have several."""
    leaf = name.lower()
    stem = _NUMBER.sub("", leaf)
    plain = _EXTREME.sub("", stem)
    if plain in ("current", "pressure"):
        return plain
    scale = _SCALES.get(leaf.partition("_")[0])
    return "dB" if name in _SOUND else scale or UNITS.get(leaf) or UNITS.get(stem) or UNITS.get(plain)


def _measured(body: dict[str, Any], path: tuple[str, ...], *, device: str) -> Iterator[tuple[tuple[str, ...], Value]]:
    """Yield what was measured: access points' addresses are not, and a water meter's number may come as text."""
    for key, value in lorawan.values(body, path, device=device):
        number = vocabulary.number(value) if key[-1] == "water" and isinstance(value, str) else None
        if key[-1] != "mac":
            yield key, value if number is None else number


def _is_setting(key: str) -> bool:
    return key in _ENVELOPE or not _SETTINGS.isdisjoint(key.split("_"))


def _device(place: Place, body: dict[str, Any]) -> str:
    """Return whose uplink it is: the DevEUI, which alone is unique, else the topic's."""
    eui = body.get("devEUI")
    return eui[:128] if isinstance(eui, str) and eui and eui.isprintable() else place.device


def _time(body: dict[str, Any]) -> Stamp | None:
    return next((stamp for key in ("time", "gatewayTime") if (stamp := parse(body.get(key)))), None)
