"""Zigbee2MQTT: `<base>/<friendly name>` ← one object of a device's state (https://www.zigbee2mqtt.io/guide/usage/mqtt_topics_and_messages.html).

The base is `zigbee2mqtt` (also `zigbee2mqtt_2` and the like, or behind other levels), or any whose `bridge/devices` has been seen. A
friendly name may have slashes. With the output setting `attribute` each value comes on `<base>/<name>/<attribute>`, parts of objects as
`color-x`. `bridge/…` is never a device; `bridge/devices` teaches which features there are, in what unit, and what can be set to what.

*Units*: what `bridge/devices` says, else what the documentation of the exposed features says (`zigbee2mqtt_units`). `illuminance` is in lx, but
raw where `illuminance_lux` stands beside it. *Channel*: the endpoint (`state_l1` → `state` on `l1`). *Time*: `last_seen`.

Commands: `<base>/<name>/set` with one object. A setting is the feature's name, or `state/l1`; `color.x` is a part of an object.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from devices import vocabulary
from devices.convention import (
    MOST_READINGS,
    Convention,
    Place,
    Said,
    UnusableError,
    check_size,
    put,
    refuse_toggle,
    remember,
    split_setting,
)
from devices.conventions.plain_scalar import scalar
from devices.conventions.zigbee2mqtt_features import SETTABLE, Feature, features, writable
from devices.conventions.zigbee2mqtt_units import VOLTS, documented_unit
from devices.news import News
from devices.payloads import Body, kept
from devices.profile import Profiles
from devices.reading import Encoded, Expected, Ignored, Message, TimeSource, Value
from devices.timestamps import parse

BASE: Final = "zigbee2mqtt"

ENDPOINTS: Final = frozenset(
    vocabulary.words(
        "l1 l2 l3 l4 l5 l6 l7 l8 left right center top bottom middle top_left top_right bottom_left bottom_right center_left"
        " center_right both 1 2 3 4 5 6 7 8 cooling heating ceiling floor wall"
    )
)
_ABOUT: Final = frozenset({"last_seen", "device"})
MOST_BASES: Final = 32
MOST_DEVICES: Final = 2_000
MOST_FEATURES: Final = 256


class Zigbee2Mqtt(Convention):
    """State objects of Zigbee devices behind a Zigbee2MQTT bridge."""

    name = "zigbee2mqtt"
    title = "Zigbee2MQTT"
    about = "Zigbee devices behind Zigbee2MQTT: zigbee2mqtt/<friendly name>"
    topics = "`zigbee2mqtt/<friendly name>`, `…/availability`, `zigbee2mqtt/bridge/…`; commands on `…/set`"
    setup = "In Zigbee2MQTT's configuration.yaml: `mqtt: {server: mqtt://<this machine>}`."

    MOST_UNITS = 50_000

    def __init__(self, profiles: Profiles, learned: dict[str, Any], news: News | None = None) -> None:
        super().__init__(profiles, learned, news)
        self._units: dict[str, str | None] = {}

    def recognise(self, topic: str, levels: tuple[str, ...]) -> Place | None:
        base = self._base(topic, levels)
        if base is None:
            return None
        if not any(levels[base:]):
            return None
        if levels[base : base + 1] == ("bridge",):
            return Place("", path=levels[base + 1 :], role="bridge", levels=levels[:base])
        return self._device_place(levels, base)

    def _base(self, topic: str, levels: tuple[str, ...]) -> int | None:
        """Return how many levels the base has, if the topic is below one."""
        if levels[0].startswith(BASE):
            return 1 if len(levels) > 1 else None
        if levels[0] not in ("tele", "stat", "cmnd") and BASE in levels[1:-1]:
            return levels.index(BASE) + 1
        for base in self.learned:
            if topic.startswith(base + "/"):
                return base.count("/") + 1
        if levels[-2:] == ("bridge", "devices") and len(levels) > 2:
            return len(levels) - 2
        return None

    def _device_place(self, levels: tuple[str, ...], base: int) -> Place:
        name, root = levels[base:], "/".join(levels[:base])
        for verb in ("set", "get"):
            if verb in name[1:] and name.index(verb, 1) >= len(name) - 2:
                device = "/".join(name[: name.index(verb, 1)])
                return Place(device, f"{root}/{device}", ignored="a command to a device")
        if name[-1] == "availability" and len(name) > 1:
            return Place("/".join(name[:-1]), f"{root}/{'/'.join(name[:-1])}", role="availability", levels=levels[:base])
        holder = "/".join(name[:-1])
        alone = Place(holder, f"{root}/{holder}", (name[-1],)) if holder else None
        return Place("/".join(name), f"{root}/{'/'.join(name)}", levels=levels[:base], alternative=alone)

    def decode(self, message: Message, place: Place, body: Body) -> list[Said] | Ignored:
        if place.role == "bridge":
            return self._bridge(place, body)
        if body == "":
            return Ignored("empty payload: a retained value was cleared", place.device)
        if place.role == "availability":
            return _availability(place, body, message)
        if isinstance(body, str):
            return self._attribute(place, body, message)
        if not isinstance(body, dict):
            raise UnusableError(f"topic {message.topic!r}: a device's state must be an object; got an array")
        check_size(place.device, body, 1)
        said = self._state(place, body, message)
        if len(said) > MOST_READINGS:
            raise UnusableError(f"topic {message.topic!r}: a message must hold at most {MOST_READINGS} values; got {len(said)}")
        return said or Ignored("no value in it", place.device)

    def _state(self, place: Place, body: dict[str, Any], message: Message) -> list[Said]:
        stamp = parse(body["last_seen"]) if "last_seen" in body else None
        ts, source = self.when(stamp, message, place.device)
        said: list[Said] = []
        unit_of, root, device = self._unit, "/".join(place.levels), place.device
        raw = "illuminance" if "illuminance_lux" in body else ""
        for key, value in body.items():
            kind = value.__class__
            if key in _ABOUT:
                continue
            if kind is float or kind is int:
                said.append(Said(device, (key,), value, unit_of(root, device, key, value) if key != raw else None, ts, source))
            elif kind is bool or (kind is str and value):
                number = vocabulary.number(value) if kind is str else None
                unit = None if number is None else unit_of(root, device, key, number)
                said.append(Said(device, (key,), value, unit, ts, source))
            elif kind is dict or kind is list:
                self._inside(said, place, (key,), value, (ts, source))
        return said

    def _inside(self, said: list[Said], place: Place, path: tuple[str, ...], body: Any, at: tuple[int, TimeSource]) -> None:
        """Read objects and arrays inside a state; texts in arrays describe, they are no readings."""
        check_size(place.device, body, len(path))
        for key, value in body.items() if isinstance(body, dict) else ((str(i), v) for i, v in enumerate(body)):
            if isinstance(value, (dict, list)):
                self._inside(said, place, (*path, key), value, at)
            elif value is not None and value != "" and not (isinstance(value, str) and isinstance(body, list)):
                number = isinstance(value, (int, float)) and not isinstance(value, bool)
                unit = self._unit("", place.device, key, value) if number else None
                said.append(Said(place.device, (*path, key), value, unit, *at))

    def _attribute(self, place: Place, text: str, message: Message) -> list[Said] | Ignored:
        """Read one value on a topic of its own (output setting `attribute`)."""
        if place.alternative is None:
            raise UnusableError(f"topic {message.topic!r}: a device's state must be an object; got {text[:40]!r}")
        device, attribute = place.alternative.device, place.alternative.path[0]
        value, _ = scalar(text)
        if value is None or attribute == "last_seen":
            return Ignored(f"no value: {text[:40]}", device)
        path = tuple(attribute.split("-"))
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        unit = self._unit("/".join(place.levels), device, attribute, value) if number else None  # type: ignore[arg-type]
        return [Said(device, path, value, unit, message.received, "received")]

    def series(self, path: tuple[str, ...]) -> vocabulary.Name:
        """Return the name of a feature: it is in the vocabulary's own words but for the endpoint behind it."""
        if path[0] == "availability":
            return vocabulary.Name("availability", "")
        for size in (1, 2):
            words = path[0].rsplit("_", size)
            endpoint = "_".join(words[1:])
            if len(path) == 1 and len(words) == size + 1 and endpoint in ENDPOINTS and words[0] in vocabulary.METRICS:
                return vocabulary.Name(words[0], endpoint)
        return vocabulary.name(path, units_in_keys=False)

    def _unit(self, base: str, device: str, key: str, value: float) -> str | None:
        feature = self.learned[base].get(device, {}).get(key) if base in self.learned else None
        if feature and feature[1]:
            return vocabulary.unit_named(feature[1]) or str(feature[1])
        unit = self._units.get(key, "")
        if unit == "":
            if len(self._units) >= self.MOST_UNITS:
                self._units.clear()
            unit = self._units[key] = documented_unit(key, self.series((key,)).metric)
        return unit if unit != VOLTS else "mV" if value >= 1000 else "V"

    def _bridge(self, place: Place, body: Body) -> Ignored:
        if place.path == ("devices",) and isinstance(body, list):
            self._learn("/".join(place.levels), kept(body))
        return Ignored("the bridge's own: " + "/".join(("bridge", *place.path))[:60])

    def _learn(self, base: str, devices: list[Any]) -> None:
        """Keep what each device's features are: {friendly name: {property: feature}} (`zigbee2mqtt_features`)."""
        if base not in self.learned and not any(isinstance(one, dict) and "ieee_address" in one for one in devices):
            return
        table: dict[str, dict[str, Feature]] = {}
        for one in devices[:MOST_DEVICES]:
            name = one.get("friendly_name") if isinstance(one, dict) else None
            definition = one.get("definition") if isinstance(one, dict) else None
            if isinstance(name, str) and isinstance(definition, dict):
                table[name] = features(definition.get("exposes"), most=MOST_FEATURES)
        known = self.learned.get(base, {})
        if known != table or base not in self.learned:
            self.changes += base not in self.learned
            remember(self.learned, base, table, most=MOST_BASES)
            for name in {*known, *table}:
                if known.get(name) != table.get(name):
                    self.readdress(name)

    def base_of(self, device: str, base: str) -> str:
        """Return the device's topic; where `bridge/devices` has named its features, as JSON with all of those that can be set."""
        root = base.removesuffix(f"/{device}")
        known: dict[str, Feature] | None = self.learned[root].get(device) if root in self.learned else None
        if known is None:
            return base
        needed = {name: feature if feature[0] & SETTABLE else feature[:1] for name, feature in known.items()}
        return msgspec.json.encode({"topic": base, "features": needed}, order="sorted").decode()

    def confirms(self, device: str, setting: str, value: Value) -> tuple[Expected, ...]:
        return (self._expected(device, _path(setting), value, None),)

    def _expected(self, device: str, path: tuple[str, ...], value: Value, known: Mapping[str, Feature] | None) -> Expected:
        if isinstance(value, (bool, str)):
            return self.report(device, path, value)
        feature = (known or {}).get(path[0]) if len(path) == 1 else None
        unit = vocabulary.unit_named(feature[1]) or str(feature[1]) if feature and feature[1] else self._unit("", device, path[-1], value)
        return self.report(device, path, value, unit)

    def encode(self, base: str, device: str, settings: Mapping[str, Value]) -> list[Encoded]:
        """Return one `/set` message for all settings. Refuses what `bridge/devices` says cannot be set, or not to this value."""
        topic, known = base, None
        if base.startswith("{"):
            about = msgspec.json.decode(base)
            topic, known = about["topic"], about["features"]
        body: dict[str, Any] = {}
        expects: list[Expected] = []
        for setting, value in settings.items():
            refuse_toggle(device, setting, value)
            path = _path(setting)
            sent = writable(known, device, setting, path, value)
            put(body, path, sent, device=device, setting=setting)
            expects.append(self._expected(device, path, sent, known))
        return [Encoded(f"{topic}/set", msgspec.json.encode(body), tuple(expects))]


def _path(setting: str) -> tuple[str, ...]:
    metric, channel = split_setting(setting)
    return (f"{metric}_{channel}",) if channel else tuple(metric.split("."))


def _availability(place: Place, body: Body, message: Message) -> list[Said]:
    text = body.get("state") if isinstance(body, dict) else body
    if text not in ("online", "offline"):
        raise UnusableError(f"topic {message.topic!r}: availability must be online or offline; got {str(body)[:40]!r}")
    path = ("availability", "state") if isinstance(body, dict) else ("availability",)
    return [Said(place.device, path, str(text), None, message.received, "received")]
