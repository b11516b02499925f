"""Shelly, first generation: `shellies/<device>/…`, one value a topic, some with objects (https://shelly-api-docs.shelly.cloud/gen1/#mqtt-support).

`relay/<n>`, `relay/<n>/power`, `emeter/<n>/…`, `roller/<n>/pos`, `light/<n>/status`, `input_event/<n>`, `sensor/…`, `ext_temperature/<n>`,
`online` … The device's name may have been changed to one with several levels: it ends before the first level that Shelly uses.
`info` (and `status` of a motion sensor) is an object of everything that it has. `announce` and `settings` describe, `command` and `set`
command.

*Key*: the levels behind the device, and the keys of an object (`emeter.0.power`). *Channel*: the numbered part (`state` on `relay.0`).
*Units*: `shelly_gen1_units`. 999 for a temperature or humidity, -1 for a position, angle or the like, and what stands beside
`is_valid: false` are no values. `overpower` is a relay that has switched itself off. *Time*: received; Shelly says none of a value.

Commands: `relay/<n>/command`, `roller/<n>/command[/pos]`, `light/<n>/set` … A setting is `state`, `state/relay.1`, `position`,
`brightness`, `color_temperature`, `gain` or `target_temperature`; without a part it is the device's only one that takes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from devices import vocabulary
from devices.convention import MOST_READINGS, Convention, Place, Said, UnusableError, check_size, remember
from devices.conventions import shelly_gen1_orders, shelly_gen1_units
from devices.conventions.plain_scalar import scalar
from devices.payloads import Body
from devices.reading import Encoded, Ignored, Message, Value

BASE: Final = "shellies"
LEVELS: Final = frozenset(
    vocabulary.words(
        "relay emeter emeter_n roller light color white input longpush input_event sensor temperature temperature_f overtemperature"
        " overpower overload loaderror temperature_status voltage ext_temperature ext_temperature_f ext_temperatures ext_humidity"
        " ext_humidities ext_switch adc valve thermostat thermostats status settings info announce online command totalworktime charger"
    )
)
"""The levels with which what a device says begins."""

TRUTHS: Final = frozenset(
    vocabulary.words(
        "input longpush overtemperature overpower overload loaderror switch vibration motion water_leak flood smoke charger ext_power"
    )
)
"""Metrics that are on or off, and come as 1 or 0."""
_NONE_IS_SAID: Final = frozenset({"gas"})
"""Last levels of which `none` is a word of their own: there is no gas."""
_ORDERS: Final = frozenset({"start_self_test", "mute", "unmute", "set"})
_INFO: Final = frozenset(
    vocabulary.words(
        "relays rollers lights meters emeters inputs thermostats tmp hum bat lux sensor accel flood smoke gas_sensor concentration valves adcs"
        " ext_temperature ext_humidity ext_switch temperature overtemperature temperature_status voltage uptime wifi_sta charger total_power"
        " motion vibration active calibrated"
    )
)
"""What of a device's `info` is not about its own system."""
_ABOUT: Final = frozenset(
    vocabulary.words(
        "hwID is_valid units timer_started source timestamp time unixtime mac serial ssid ip connected counters max_power tF"
        " last_control_result act_reasons"
    )
)

MOST_DEVICES: Final = 50_000
MOST_PARTS: Final = 16


class ShellyGen1(Convention):
    """Shelly devices of the first generation."""

    name = "shelly_gen1"
    title = "Shelly Gen1"
    about = "Shelly, first generation: shellies/<device>/relay/0"
    topics = "`shellies/<device>/…`: `relay/0`, `emeter/0/power`, `sensor/temperature`, `info` …; commands on `…/command` and `…/set`"
    setup = "On the device's page: Internet & Security → Advanced, enable MQTT, server: this machine."

    def recognise(self, topic: str, levels: tuple[str, ...]) -> Place | None:  # noqa: ARG002
        if levels[0] != BASE or len(levels) < 2:
            return None
        if len(levels) == 2:
            return Place("", ignored="to or about all devices") if levels[1] in ("command", "announce") else None
        if _of_the_next(levels):
            return None
        at = next((place for place in range(2, len(levels)) if levels[place] in LEVELS), 2)
        device, path = "/".join(levels[1:at]), levels[at:]
        ignored = None
        if "command" in path or path[-1] in _ORDERS:
            ignored = "a command to a device"
        elif path[0] in ("announce", "settings"):
            ignored = "describes a device"
        return Place(device, f"{BASE}/{device}", path, ignored=ignored) if device and all(path) else None

    def decode(self, message: Message, place: Place, body: Body) -> list[Said] | Ignored:
        if body == "":
            return Ignored("empty payload: a retained value was cleared", place.device)
        if isinstance(body, str):
            values = list(_alone(place, body))
        elif isinstance(body, (dict, list)):
            values = list(_leaves(place.device, place.path, body, 1))
        else:
            raise UnusableError(f"device {place.device!r}: payload must be text or an object; got {len(body)} bytes")
        if len(values) > MOST_READINGS:
            raise UnusableError(f"device {place.device!r}: a message must hold at most {MOST_READINGS} values; got {len(values)}")
        for path, _, _ in values:
            self._note(place.device, path)
        said = [Said(place.device, path, value, unit, message.received, "received") for path, value, unit in values]
        return said or Ignored("no value in it", place.device)

    def _note(self, device: str, path: tuple[str, ...]) -> None:
        """Keep which parts a device has that can be commanded."""
        part = shelly_gen1_orders.part(path)
        if part is None:
            return
        known = self.learned.get(device)
        if known is None:
            known = []
            remember(self.learned, device, known, most=MOST_DEVICES)
        if part not in known and len(known) < MOST_PARTS:
            known.append(part)
            known.sort()
            self.readdress(device)

    def series(self, path: tuple[str, ...]) -> vocabulary.Name:
        return shelly_gen1_units.name(path)

    def spoken(self, metric: str, value: str) -> Value:
        """Return a text as what it means: on and off, and where there are only two, 1 and 0."""
        if metric == "state" and value == "overpower":
            return False
        if metric in TRUTHS and value in ("0", "1"):
            return value == "1"
        return vocabulary.spoken(metric, value)

    def base_of(self, device: str, base: str) -> str:
        return msgspec.json.encode({"base": base, "parts": self.learned.get(device, [])}, order="sorted").decode()

    def encode(self, base: str, device: str, settings: Mapping[str, Value]) -> list[Encoded]:
        """Return one message for each setting. `base` is the device's topic, or JSON of it with the parts that the device has."""
        known: dict[str, Any] = msgspec.json.decode(base) if base.startswith("{") else {"base": base, "parts": []}
        encoded = []
        for setting, value in settings.items():
            order = shelly_gen1_orders.order(known["parts"], device, setting, value)
            unit = None if isinstance(order.reported, str) else shelly_gen1_units.unit(order.path)
            expected = self.report(device, order.path, order.reported, unit)
            encoded.append(Encoded(f"{known['base']}/{order.topic}", order.payload, (expected,)))
        return encoded


def _of_the_next(levels: tuple[str, ...]) -> bool:
    """Return whether a topic is the next generation's, below a prefix that begins alike: there a status has its component behind it."""
    if levels[-1] == "rpc" or "debug" in levels[2:]:
        return True
    return (levels[-2] == "status" and len(levels) > 3) or (levels[-2] == "command" and ":" in levels[-1])


def _alone(place: Place, text: str) -> Iterator[tuple[tuple[str, ...], Value, str | None]]:
    """Yield the value of a topic of its own. Raises UnusableError for a measurement that is no number."""
    value = text if text == "none" and place.path[-1] in _NONE_IS_SAID else scalar(text)[0]
    if value is None:
        return
    unit = shelly_gen1_units.unit(place.path)
    if isinstance(value, (bool, str)) or shelly_gen1_units.name(place.path).metric in TRUTHS:
        if unit is not None and isinstance(value, (bool, str)):
            raise UnusableError(f"device {place.device!r}, {'/'.join(place.path)}: must be a number of {unit}; got {text[:40]!r}")
        yield place.path, value if value.__class__ is bool else text, None
    elif not _absent(value, unit):
        yield place.path, value, unit


def _absent(value: float, unit: str | None) -> bool:
    """Return whether a number stands for no value."""
    return (value == 999 and unit in ("°C", "°F", "%")) or (value == -1 and unit in ("%", "°", "lx", "ppm"))


def _leaves(
    device: str, path: tuple[str, ...], body: dict[str, Any] | list[Any], depth: int
) -> Iterator[tuple[tuple[str, ...], Value, str | None]]:
    """Yield path, value and unit of the readings in an object; texts in arrays describe."""
    check_size(device, body, depth)
    fahrenheit = isinstance(body, dict) and body.get("units") == "F"
    if isinstance(body, dict) and body.get("is_valid") is False:
        return
    for key, value in body.items() if isinstance(body, dict) else ((str(place), one) for place, one in enumerate(body)):
        if (key in _ABOUT and not (key == "tF" and "tC" not in body)) or (path == ("info",) and key not in _INFO):
            continue
        whole = (*path, key)
        if isinstance(value, (dict, list)):
            yield from _leaves(device, whole, value, depth + 1)
        elif isinstance(value, (bool, str)):
            if value != "" and not (isinstance(value, str) and isinstance(body, list)):
                yield whole, value, None
        elif value is not None:
            unit = shelly_gen1_units.unit(whole)
            if not _absent(value, unit):
                yield whole, value, "°F" if fahrenheit and unit == "°C" else unit
