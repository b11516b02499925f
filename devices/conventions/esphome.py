"""ESPHome: `<prefix>/<component>/<object id>/state` (https://esphome.io/components/mqtt.html and the MQTT part of each component's page).

The prefix may have several levels and is the device. Fans, covers, valves and climates have topics below the object: `…/<part>/state`.
A light's state is an object. `<prefix>/status` says online or offline, `<prefix>/debug` is the log: they are the device's once its prefix
is known from other topics or from discovery. Text sensors publish as `sensor`, as ESPHome names them.

*Units*: ESPHome says none over MQTT but in Home Assistant's discovery, which is asked by topic, and says what a device is called too; climates
are in °C, positions in per cent, the board's own sensors (`wifi_signal`, `free_heap`, `loop_time`) in what their pages say.
*Metric*: the object's id; `state` on the object's channel for what can be switched; a part by its own name on that channel.

Commands: `<prefix>/<component>/<object id>/command`, parts on `…/<part>/command`, a light's as one object. A setting is `switch.pump`,
`state/pump`, `climate.hall.target_temperature`, or an id that only one component has.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from devices import vocabulary
from devices.convention import (
    MOST_READINGS,
    Convention,
    Place,
    Said,
    UnusableError,
    as_text,
    check_size,
    on_off,
    put,
    refuse,
    refuse_toggle,
    remember,
    split_setting,
)
from devices.conventions.plain_scalar import scalar
from devices.payloads import Body
from devices.reading import Encoded, Expected, Ignored, Message, Reading, Value

PARTS: Final[Mapping[str, frozenset[str]]] = {
    "climate": frozenset(
        vocabulary.words(
            "mode action current_temperature current_humidity target_temperature target_temperature_low target_temperature_high"
            " target_humidity away fan_mode swing_mode preset"
        )
    ),
    "water_heater": frozenset(vocabulary.words("mode current_temperature target_temperature away")),
    "fan": frozenset(vocabulary.words("oscillation speed speed_level direction preset_mode")),
    "cover": frozenset(vocabulary.words("position tilt")),
    "valve": frozenset({"position"}),
}
"""What components report on topics of their own below the object."""

COMPONENTS: Final = frozenset(
    vocabulary.words("sensor binary_sensor text_sensor switch light fan cover climate lock number select valve alarm_control_panel")
) | {"water_heater"}
"""Components whose name in this place leaves no doubt."""
WEAK: Final = frozenset(vocabulary.words("text button event update date time datetime media_player"))
"""Components that are only told as such where the prefix is known."""

SWITCHED: Final = frozenset(vocabulary.words("switch light fan cover valve lock alarm_control_panel"))
"""Components whose state is the metric `state`, on the object's channel."""
TEXTS: Final = frozenset(vocabulary.words("select text text_sensor lock alarm_control_panel cover valve"))
"""Components whose state is a word out of many, of which ON may be one."""
WORDS: Final = frozenset(vocabulary.words("mode action fan_mode swing_mode preset preset_mode direction speed"))
"""Parts of which the same holds."""

UNITS: Final[Mapping[str, str]] = {
    "current_temperature": "°C", "target_temperature": "°C", "target_temperature_low": "°C", "target_temperature_high": "°C",
    "current_humidity": "%", "target_humidity": "%", "position": "%", "tilt": "%", "color_temp": "mired",
}  # fmt: skip
"""What parts are measured in, by their components' pages; also the colour temperature in a light's object."""

_NAMES: Final[Mapping[str, str]] = {"current_temperature": "temperature", "current_humidity": "humidity"}
_OSCILLATION: Final[Mapping[str, bool]] = {"oscillate_on": True, "oscillate_off": False}
_TOLD: Final[Mapping[str, Mapping[str, str]]] = {
    "lock": {"LOCKED": "LOCK", "UNLOCKED": "UNLOCK"},
    "cover": {"open": "OPEN", "closed": "CLOSE"},
    "valve": {"open": "OPEN", "closed": "CLOSE"},
    "alarm_control_panel": {
        "disarmed": "DISARM", "armed_home": "ARM_HOME", "armed_away": "ARM_AWAY", "armed_night": "ARM_NIGHT",
        "armed_vacation": "ARM_VACATION", "armed_custom_bypass": "ARM_CUSTOM_BYPASS",
    },
}  # fmt: skip
"""By the state to reach, what is sent for it."""
_SETTABLE: Final = frozenset(_TOLD) | frozenset(vocabulary.words("switch fan number select text light"))
_MEASURED: Final = frozenset({"action", "current_temperature", "current_humidity"})
_ON_OFF: Final = frozenset({"switch", "fan", "away"})

SENSORS: Final[Mapping[str, tuple[str, float, float]]] = {
    **dict.fromkeys(vocabulary.words("wifi_signal wifi_signal_strength wifi_signal_sensor wifi_strength"), ("dBm", -200, -1)),
    **dict.fromkeys(vocabulary.words("free_heap heap_free heap_max_block max_free_block free_psram psram_free"), ("B", 0, 2**32)),
    "loop_time": ("ms", 0, 3_600_000),
}
"""What sensors of the board itself measure in, and the values for which that holds, by the pages of `wifi_signal` and `debug`."""

MOST_PREFIXES: Final = 20_000
MOST_OBJECTS: Final = 512


class Esphome(Convention):
    """Devices with ESPHome firmware that speak MQTT."""

    name = "esphome"
    title = "ESPHome"
    about = "ESPHome firmware with the mqtt component: <prefix>/<component>/<object id>/state"
    topics = "`<prefix>/<component>/<object id>/state`, `<prefix>/status`; commands on `…/command`"
    setup = "In the device's YAML: `mqtt: {broker: …}`; `topic_prefix` is the device's name."
    guesses = True

    def recognise(self, topic: str, levels: tuple[str, ...]) -> Place | None:  # noqa: ARG002
        if levels[0] == "esphome" and levels[1:2] in (("discover",), ("ping",)):
            return Place("/".join(levels[2:]), ignored="discovery")
        if levels[0] in _OTHERS or levels[0].startswith("zigbee2mqtt"):
            return None
        known = self.learned
        if levels[-1] in ("status", "debug"):
            prefix = "/".join(levels[:-1])
            ignored = "the device's log" if levels[-1] == "debug" else None
            return Place(prefix, prefix, ("status",), "status", ignored=ignored) if prefix in known or self._announced(prefix) else None
        if levels[-1] not in ("state", "command"):
            return None
        for size in (3, 4):
            path = levels[-size:-1]
            prefix = "/".join(levels[:-size])
            if len(path) == size - 1 and prefix.strip("/") and _is_object(path, strong=prefix not in known) and all(path):
                ignored = "a command to a device" if levels[-1] == "command" else None
                return Place(prefix, prefix, path, "state", ignored=ignored)
        return None

    def _announced(self, prefix: str) -> bool:
        """Return whether discovery has named a state of an object below the prefix."""
        below = prefix + "/"
        found = (topic.split("/")[-4:] for topic in self.discovered if topic.endswith("/state") and topic.startswith(below))
        return any(_is_object(tuple(levels[-3:-1]), strong=True) or _is_object(tuple(levels[:-1]), strong=True) for levels in found)

    def decode(self, message: Message, place: Place, body: Body) -> list[Said] | Ignored:
        if body == "":
            return Ignored("empty payload: a retained value was cleared", place.device)
        if place.role == "status":
            if body not in ("online", "offline"):
                raise UnusableError(f"topic {message.topic!r}: status must be online or offline; got {str(body)[:40]!r}")
            return [Said(place.device, place.path, str(body), None, message.received, "received")]
        for facet in self.discovered.get(message.topic, {}).values():
            if "about" in facet:
                self.describe(place.device, facet["about"])
        if place.path[0] == "update":
            return Ignored("says which firmware there is", place.device)
        if isinstance(body, dict):
            return self._object(message, place, body)
        if not isinstance(body, str):
            raise UnusableError(f"topic {message.topic!r}: a state must be a text or an object; got an array")
        return self._scalar(message, place, body)

    def _scalar(self, message: Message, place: Place, body: str) -> list[Said] | Ignored:
        path = place.path
        value, unit = (body, None) if _is_text(path) else scalar(body)
        if value is None:
            return Ignored(f"no value: {body[:40]}", place.device)
        unit = unit or self._unit(message.topic, path, ()) or _board_unit(path, value)
        self._learn(place.device, path, unit)
        return [Said(place.device, path, value, None if isinstance(value, (bool, str)) else unit, message.received, "received")]

    def _object(self, message: Message, place: Place, body: dict[str, Any]) -> list[Said] | Ignored:
        """Read a light's state, an event, a date: each key is a value under the object."""
        said: list[Said] = []
        for inner, value in _leaves(place.device, body, ()):
            path = (*place.path, *inner)
            unit = self._unit(message.topic, path, inner) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
            said.append(Said(place.device, path, value, unit, message.received, "received"))
            self._learn(place.device, path, unit)
        if len(said) > MOST_READINGS:
            raise UnusableError(f"topic {message.topic!r}: a message must hold at most {MOST_READINGS} values; got {len(said)}")
        return said or Ignored("no value in it", place.device)

    def _unit(self, topic: str, path: tuple[str, ...], inner: tuple[str, ...]) -> str | None:
        found: str | None = self.discovered.get(topic, {}).get(".".join(inner), {}).get("unit")
        return found or (UNITS.get(path[-1]) if len(path) > 2 else None)

    def _learn(self, prefix: str, path: tuple[str, ...], unit: str | None) -> None:
        """Keep which objects a device has, in what unit they report."""
        if prefix not in self.learned:
            remember(self.learned, prefix, {}, most=MOST_PREFIXES)
            self.changes += 1
        objects = self.learned[prefix]
        key = "/".join(path)
        if objects.get(key, 0) != unit:
            remember(objects, key, unit, most=MOST_OBJECTS)
            self.readdress(prefix)

    def series(self, path: tuple[str, ...]) -> vocabulary.Name:
        """Return the name of an object, or of a part of one on that object's channel."""
        if path == ("status",):
            return vocabulary.Name("online", "")
        component, entity, *rest = path
        if rest:
            word = "_".join(map(vocabulary.snake, rest))
            return vocabulary.Name(_NAMES.get(word, word) or "value", entity)
        if component in SWITCHED:
            return vocabulary.Name("state", entity)
        name = vocabulary.name((entity,))
        if component == "sensor":
            return name
        return vocabulary.Name(name.metric, f"{component}.{name.channel}" if name.channel else component, name.unit)

    def spoken(self, metric: str, value: str) -> Value:
        """Return a text as what it means; a fan's oscillation has words of its own."""
        if metric == "oscillation" and value in _OSCILLATION:
            return _OSCILLATION[value]
        return vocabulary.spoken(metric, value)

    def normalise(self, said: list[Said], message: Message) -> list[Reading]:
        """Return the readings; a word out of many stays text."""
        readings = super().normalise(said, message)
        if len(said) == 1 and isinstance(said[0].value, str) and _is_text(said[0].path):
            return [as_text(readings[0])]
        return readings

    def base_of(self, device: str, base: str) -> str:  # noqa: ARG002
        """Return the prefix with the objects that report under it, as JSON."""
        return msgspec.json.encode({"prefix": base, "objects": self.learned.get(base, {})}, order="sorted").decode()

    def encode(self, base: str, device: str, settings: Mapping[str, Value]) -> list[Encoded]:
        """Return one message for each setting, and one for all settings of a light. `base` is the prefix, or JSON with its objects too."""
        about: dict[str, Any] = msgspec.json.decode(base) if base.startswith("{") else {"prefix": base, "objects": {}}
        encoded: list[Encoded] = []
        lights: dict[str, tuple[dict[str, Any], list[Expected]]] = {}
        for setting, value in settings.items():
            refuse_toggle(device, setting, value)
            path = self._path(about["objects"], device, setting, value)
            unit = about["objects"].get("/".join(path))
            if path[0] == "light":
                inner = path[2:] or ("state",)
                body, expects = lights.setdefault(path[1], ({}, []))
                told = on_off(value) if inner == ("state",) else value
                put(body, inner, told, device=device, setting=setting)
                expects.append(self.report(device, (*path[:2], *inner), told, unit))
            else:
                told, reached = _told(path, device, setting, value)
                topic = "/".join((about["prefix"], *path, "command"))
                encoded.append(Encoded(topic, told.encode(), (self._reported(device, path, reached, unit),)))
        for entity, (body, expects) in lights.items():
            topic = f"{about['prefix']}/light/{entity}/command"
            encoded.append(Encoded(topic, msgspec.json.encode(body), tuple(expects)))
        return encoded

    def _path(self, objects: Mapping[str, Any], device: str, setting: str, value: Value) -> tuple[str, ...]:
        """Return the object, or part of one, that a setting names and that can be set."""
        metric, channel = split_setting(setting)
        written = tuple(setting.split("."))
        if len(written) > 1 and _is_settable(written):
            return written
        paths = [path for one in objects if _is_settable(path := tuple(one.split("/")))]
        named = [path for path in paths if self._answers(path, metric, channel)]
        if len(named) != 1:
            can = ", ".join(sorted(".".join(path) for path in paths))
            refuse(device, setting, f"must be one object that can be set ({can or 'this device has reported none'})", value)
        return named[0]

    def _answers(self, path: tuple[str, ...], metric: str, channel: str) -> bool:
        name = self.series(path)
        return (name.metric == metric and channel in ("", name.channel)) or (not channel and path[1:] == (metric,))

    def _reported(self, device: str, path: tuple[str, ...], reached: str, unit: str | None) -> Expected:
        value, _ = (reached, None) if _is_text(path) else scalar(reached)
        if value is None:
            raise UnusableError(f"device {device!r}: {'.'.join(path)} must be set to a value; got {reached!r}")
        return self.report(device, path, value, None if isinstance(value, (bool, str)) else unit or UNITS.get(path[-1]))


_OTHERS: Final = frozenset(
    vocabulary.words("homeassistant homie shellies spBv1.0 tele stat cmnd zwave owntracks $aws $SYS application v3 N R W msh theengs")
)
"""First levels that are another dialect's."""


def _is_object(path: tuple[str, ...], *, strong: bool) -> bool:
    component, *rest = path
    if len(rest) == 2:
        return rest[1] in PARTS.get(component, ())
    return component in COMPONENTS or (not strong and component in WEAK)


def _board_unit(path: tuple[str, ...], value: Value) -> str | None:
    """Return what a sensor of the board measures in, by the end of its name, which may begin with the node's.

    >>> _board_unit(("sensor", "porch_wifi_signal"), -61), _board_unit(("sensor", "wifi_signal"), 80)
    ('dBm', None)
    """
    words = path[-1].split("_")
    if path[0] != "sensor" or isinstance(value, (bool, str)):
        return None
    found = next((SENSORS[end] for at in range(len(words)) if (end := "_".join(words[at:])) in SENSORS), None)
    return found[0] if found and found[1] <= value <= found[2] else None


def _is_text(path: tuple[str, ...]) -> bool:
    return path[0] in TEXTS if len(path) == 2 else len(path) == 3 and path[-1] in WORDS and path[0] in PARTS


def _is_settable(path: tuple[str, ...]) -> bool:
    if path[0] == "light":
        return len(path) > 1
    if len(path) == 3:
        return path[2] in PARTS.get(path[0], ()) and path[2] not in _MEASURED
    return len(path) == 2 and path[0] in _SETTABLE


def _leaves(device: str, body: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Value]]:
    check_size(device, body, len(path) + 1)
    for key, value in body.items() if isinstance(body, dict) else ((str(i), v) for i, v in enumerate(body)):
        if isinstance(value, (dict, list)):
            yield from _leaves(device, value, (*path, key))
        elif value is not None and value != "":
            yield (*path, key), value


def _told(path: tuple[str, ...], device: str, setting: str, value: Value) -> tuple[str, str]:
    """Return what is sent, and the state that it leads to. Raises CommandError."""
    kind = path[-1] if len(path) == 3 else path[0]
    text = on_off(value)
    if kind in _ON_OFF:
        if text.upper() not in ("ON", "OFF"):
            refuse(device, setting, "must be ON or OFF", value)
        return text.upper(), text.upper()
    if kind == "oscillation":
        word = next((word for word in _OSCILLATION if text.lower() in (word, word.removeprefix("oscillate_"))), None)
        if word is None:
            refuse(device, setting, "must be ON or OFF", value)
        return word, word
    if kind in _TOLD:
        for reached, told in _TOLD[kind].items():
            if text.lower() in (reached.lower(), told.lower()):
                return told, reached
        refuse(device, setting, f"must be a state to reach ({', '.join(_TOLD[kind])})", value)
    if (kind == "number" or kind in UNITS or kind == "speed_level") and vocabulary.number(text) is None:
        refuse(device, setting, "must be a number", value)
    return text, text
