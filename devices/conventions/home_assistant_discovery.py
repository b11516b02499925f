"""Home Assistant's MQTT discovery: what a configuration message says of topics (https://www.home-assistant.io/integrations/mqtt/).

A configuration is of one entity, or of a whole device with its `components`. It is an object with long or abbreviated keys; `~` in a topic
stands for a base. From it come *facets*: an entity's state, and each part of it with topics of its own (a lamp's brightness, a climate's
target temperature), with what the state topic carries and how the part is set. Templates are told by pattern (`home_assistant_templates`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from devices import vocabulary
from devices.conventions import home_assistant_templates as templates
from devices.conventions.home_assistant_abbreviations import ABBREVIATIONS, OF_DEVICE

COMPONENTS: Final = frozenset(
    vocabulary.words(
        "alarm_control_panel binary_sensor button camera climate cover date datetime device device_automation device_tracker event fan"
        " humidifier image lawn_mower light lock notify number scene select sensor siren switch tag text time update vacuum valve"
        " water_heater"
    )
)

_ORDERS: Final = frozenset({"set_position_topic", "set_fan_speed_topic"})
"""Topics for commands that are not called so."""
_SHARED: Final = frozenset(
    {"~", "state_topic", "command_topic", "availability", "availability_topic", "availability_mode", "availability_template",
     "payload_available", "payload_not_available"}
)  # fmt: skip
"""Keys of a device's configuration that hold for each of its components."""

_PARTS: Final = vocabulary.words(
    "brightness color_temp effect percentage preset_mode oscillation direction mode temperature temperature_low temperature_high"
    " target_humidity fan_mode swing_mode away_mode"
)
"""Parts with the topics `<part>_state_topic` and `<part>_command_topic`."""
_READ: Final = vocabulary.words("action current_temperature current_humidity")
"""Parts that are only read, on `<part>_topic`."""
_OPTIONS: Final[Mapping[str, str]] = {"": "options", "mode": "modes", "fan_mode": "fan_modes", "swing_mode": "swing_modes",
                                      "preset_mode": "preset_modes", "effect": "effect_list"}  # fmt: skip
_RANGES: Final[Mapping[str, tuple[str, str]]] = {
    "": ("min", "max"), "temperature": ("min_temp", "max_temp"), "temperature_low": ("min_temp", "max_temp"),
    "temperature_high": ("min_temp", "max_temp"), "target_humidity": ("min_humidity", "max_humidity"),
}  # fmt: skip
_SWITCHED: Final = frozenset(vocabulary.words("binary_sensor switch light fan siren humidifier"))
"""Components whose state is on or off."""
_WORDS: Final = frozenset(
    vocabulary.words("select text lock cover valve alarm_control_panel device_tracker vacuum lawn_mower event update button")
)
"""Components whose state is a word."""
_LED: Final[Mapping[str, Mapping[str, tuple[tuple[str, str], tuple[str, str]]]]] = {
    "lock": {"locked": (("state_locked", "LOCKED"), ("payload_lock", "LOCK")),
             "unlocked": (("state_unlocked", "UNLOCKED"), ("payload_unlock", "UNLOCK"))},
    "cover": {"open": (("state_open", "open"), ("payload_open", "OPEN")), "closed": (("state_closed", "closed"), ("payload_close", "CLOSE"))},
    "valve": {"open": (("state_open", "open"), ("payload_open", "OPEN")), "closed": (("state_closed", "closed"), ("payload_close", "CLOSE"))},
    "alarm_control_panel": {
        "disarmed": (("", "disarmed"), ("payload_disarm", "DISARM")), "armed_home": (("", "armed_home"), ("payload_arm_home", "ARM_HOME")),
        "armed_away": (("", "armed_away"), ("payload_arm_away", "ARM_AWAY")),
        "armed_night": (("", "armed_night"), ("payload_arm_night", "ARM_NIGHT")),
    },
}  # fmt: skip
"""By the state to reach: the key and default of the word that reports it, and of the one that leads to it."""

_CLASSES: Final[Mapping[str, str]] = {
    "signal_strength": "rssi", "sound_pressure": "noise", "aqi": "air_quality", "volatile_organic_compounds": "voc",
    "volatile_organic_compounds_parts": "tvoc",
}  # fmt: skip
"""The metric that a sensor's class is, where it is no word of the vocabulary."""
_UNSAID: Final = frozenset({"gas"})
"""Classes of a sensor that are a word of the vocabulary for something else."""
_TRUTHS: Final[Mapping[str, str]] = {
    **{word: word for word in vocabulary.words("motion occupancy presence door window smoke tamper vibration gas")},
    "moisture": "water_leak", "battery": "battery_low", "garage_door": "door",
}  # fmt: skip
"""The metric that a binary sensor's class is, where on means the same."""

LONGEST_WORD: Final = 256
MOST_COMPONENTS: Final = 256


class Facet(msgspec.Struct, frozen=True, kw_only=True):
    """One part of an entity (`part` is empty for its state): what a topic carries of it, and how it is set."""

    entity: str
    part: str
    topic: str
    path: tuple[str, ...] = ()
    unit: str | None = None
    device_class: str | None = None
    metric: str | None = None
    """What the class measures, by the vocabulary."""
    name: str | None = None
    """What the entity is called, where nothing is said of its device."""
    on_off: tuple[str, str] | None = None
    """What is reported for on and off."""
    is_text: bool = False
    command: dict[str, Any] | None = None


class Availability(msgspec.Struct, frozen=True):
    """A topic that says whether something can be reached, and its two words."""

    topic: str
    path: tuple[str, ...]
    online: str
    offline: str


class Entities(msgspec.Struct):
    """What a configuration message says.

    `unread` are the templates that are more than a path, `plain` the topics that are read by their plain form therefore, each with whether its
    template takes an object; `orders` are topics for commands. `identity` is what the device is told by, `about` what is said of it in words.
    """

    facets: list[Facet] = []
    availabilities: list[Availability] = []
    unread: list[str] = []
    plain: list[tuple[str, bool]] = []
    orders: list[str] = []
    identity: str = ""
    about: dict[str, str] = {}


def entities(component: str, name: str, body: Mapping[str, Any]) -> Entities:
    """Return what the configuration of an entity, or of a device with components, says."""
    config = _long(body)
    found = _described(config.get("device"))
    parts = config.get("components")
    if component != "device" or not isinstance(parts, dict):
        _entity(found, component, name, config)
        return found
    shared = {key: value for key, value in config.items() if key in _SHARED}
    for key, part in list(parts.items())[:MOST_COMPONENTS]:
        own = _long(part) if isinstance(part, dict) else {}
        kind = own.get("platform")
        if isinstance(kind, str) and len(own) > 1:
            _entity(found, kind, str(own.get("object_id") or key), shared | own)
    return found


def is_config(body: Mapping[str, Any]) -> bool:
    """Return whether an object on any topic `…/<component>/…/config` is a configuration.

    >>> is_config({"name": "Door", "stat_t": "~/state"}), is_config({"interval": 60})
    (True, False)
    """
    return any(key in ("components", "topic", "automation_type") or key.endswith("_topic") for key in _long(body))


def _long(body: Mapping[str, Any]) -> dict[str, Any]:
    return {ABBREVIATIONS.get(key, key): value for key, value in body.items()}


def _described(device: Any) -> Entities:
    """Return what the configuration says of its device, before anything of its entities."""
    if not isinstance(device, dict):
        return Entities()
    said = {OF_DEVICE.get(key, key): value for key, value in device.items()}
    ids, links = said.get("identifiers"), said.get("connections")
    several = ids if isinstance(ids, list) else [ids] if ids is not None else links if isinstance(links, list) else []
    marks = sorted(str(one[-1] if isinstance(one, list) and one else one) for one in several[:16])
    words = {"name": said.get("name"), "brand": said.get("manufacturer"), "model": said.get("model")}
    return Entities(identity=" ".join(marks)[:LONGEST_WORD], about={key: told for key, word in words.items() if (told := _word(word))})


def _entity(found: Entities, component: str, name: str, config: dict[str, Any]) -> None:
    base = config.get("~")
    if isinstance(base, str):
        config = {key: _based(value, base) if key.endswith("topic") else value for key, value in config.items()}
    if component == "valve" and config.get("reports_position") is True:
        config = {**config, "position_topic": config.get("state_topic"), "set_position_topic": config.get("command_topic"),
                  "position_template": config.get("value_template"), "state_topic": None}  # fmt: skip
    name = _word(config.get("object_id")) or name
    main = _facet(found, component, name, config)
    facets = [main] if main else []
    facets += [facet for part in (*_PARTS, *_READ, "position", "tilt") if (facet := _part(found, component, name, part, config))]
    if main is not None and main.command is not None and component == "light" and config.get("schema") == "json":
        facets = [*_json_light(main, config), *facets[1:]]
    called = None if found.about or found.identity else _word(config.get("name"))
    found.facets += [msgspec.structs.replace(facet, name=called) for facet in facets] if called else facets
    found.orders += [topic for key, topic in config.items() if (key.endswith("command_topic") or key in _ORDERS) and _word(topic)]
    found.availabilities += _availabilities(found, config, base)


def _based(value: Any, base: str) -> Any:
    if isinstance(value, str) and value.startswith("~"):
        return base + value[1:]
    return value[:-1] + base if isinstance(value, str) and value.endswith("~") else value


def _facet(found: Entities, component: str, name: str, config: dict[str, Any]) -> Facet | None:
    """Return an entity's own state. Where its template is code, the topic is read by its plain form, without what the template means."""
    topic = _word(config.get("state_topic"))
    template = config.get("value_template") or config.get("state_value_template") or config.get("state_template")
    path = _path(found, template, topic)
    if topic is None or path is None:
        return None
    led = _led(component, config)
    on, off = _said(config, "state_on", "payload_on", "ON"), _said(config, "state_off", "payload_off", "OFF")
    return Facet(
        entity=name,
        part="",
        topic=topic,
        path=path,
        unit=_word(config.get("unit_of_measurement")),
        device_class=_word(config.get("device_class")),
        metric=_metric(component, _word(config.get("device_class"))),
        on_off=(on, off) if component in _SWITCHED else None,
        is_text=component in _WORDS,
        command=_command(found, component, "", config, "command", on_off=_sent(config) if component in _SWITCHED else None, led=led),
    )


def _part(found: Entities, component: str, name: str, part: str, config: dict[str, Any]) -> Facet | None:
    state, template = f"{part}_state_topic", f"{part}_state_template"
    if part in _READ:
        state, template = f"{part}_topic", f"{part}_template"
    elif part in ("position", "tilt"):
        state, template = ("position_topic", "position_template") if part == "position" else ("tilt_status_topic", "tilt_status_template")
    topic = _word(config.get(state))
    path = _path(found, config.get(template) or config.get(f"{part}_value_template"), topic) if topic else None
    if topic is None or path is None:
        return None
    switched = None
    if part == "oscillation":
        on, off = _said(config, "payload_oscillation_on", "", "oscillate_on"), _said(config, "payload_oscillation_off", "", "oscillate_off")
        switched = (on, off)
    elif part == "away_mode":
        switched = _sent(config)
    key = "set_position" if part == "position" else f"{part}_command"
    return Facet(
        entity=name,
        part=part,
        topic=topic,
        path=path,
        unit=_unit(part, config),
        on_off=switched,
        is_text=part in _OPTIONS or part in ("action", "direction"),
        command=None if part in _READ else _command(found, component, part, config, key, on_off=switched),
    )


def _json_light(main: Facet, config: Mapping[str, Any]) -> Iterator[Facet]:
    """Yield the parts of a light whose state and commands are one object."""
    shown = {"state": None, "brightness": None, "color_temp": _unit("color_temp", config), "effect": None}
    for key, unit in shown.items():
        own = key == "state"
        command = {"topic": (main.command or {})["topic"], "key": key}
        if own:
            command["on_off"] = ["ON", "OFF"]
        yield Facet(
            entity=main.entity,
            part="" if own else key,
            topic=main.topic,
            path=(key,),
            unit=unit,
            on_off=("ON", "OFF") if own else None,
            is_text=key == "effect",
            command=command,
        )


def _command(
    found: Entities,
    component: str,
    part: str,
    config: Mapping[str, Any],
    key: str,
    *,
    on_off: tuple[str, str] | None,
    led: dict[str, list[str]] | None = None,
) -> dict[str, Any] | None:
    """Return how a part is set, in plain builtins; None if it cannot be, or by a template that is code."""
    topic = _word(config.get(f"{key}_topic") or (config.get("set_position_topic") if part == "position" else None))
    template = config.get(f"{key}_template")
    around = templates.words_around(template) if isinstance(template, str) else ("", "")
    if topic is None:
        return None
    if around is None:
        found.unread.append(str(template))
        return None
    command: dict[str, Any] = {"topic": topic}
    if around != ("", ""):
        command["around"] = list(around)
    if on_off is not None:
        command["on_off"] = list(on_off)
    if led:
        command["led"] = led
    options = config.get(_OPTIONS.get(part, "-"))
    if isinstance(options, list) and len(options) <= MOST_COMPONENTS:
        command["options"] = [option for option in options if _word(option)]
    if component in ("number", "climate", "water_heater", "humidifier") or part in ("position", "tilt", "percentage", "brightness"):
        low, high = (config.get(limit) for limit in _RANGES.get(part, ("-", "-")))
        numeric = part not in _OPTIONS or component == "number"
        command |= {"number": True} if numeric else {}
        command |= {name: limit for name, limit in (("low", low), ("high", high)) if numeric and _is_number(limit)}
    return command


def _availabilities(found: Entities, config: Mapping[str, Any], base: Any) -> Iterator[Availability]:
    several = config.get("availability")
    entries = [_long(one) for one in several[:16] if isinstance(one, dict)] if isinstance(several, list) else []
    if isinstance(config.get("availability_topic"), str):
        entries.append({**config, "topic": config["availability_topic"], "value_template": config.get("availability_template")})
    for entry in entries:
        topic = _word(_based(entry.get("topic"), base) if isinstance(base, str) else entry.get("topic"))
        path = _path(found, entry.get("value_template"))
        if topic is not None and path is not None:
            online, offline = _said(entry, "payload_available", "", "online"), _said(entry, "payload_not_available", "", "offline")
            yield Availability(topic, path, online, offline)


def _path(found: Entities, template: Any, topic: str | None = None) -> tuple[str, ...] | None:
    """Return the path that a template reads; None for one that is code, and its topic, if given, is then to be read as it is."""
    if not isinstance(template, str) or not template.strip():
        return ()
    path = templates.path_of(template)
    if path is None:
        found.unread.append(template)
        if topic is not None:
            found.plain.append((topic, "value_json" in template))
    return path


def _metric(component: str, device_class: str | None) -> str | None:
    """Return the metric that a class names.

    >>> _metric("sensor", "carbon_dioxide"), _metric("binary_sensor", "moisture"), _metric("cover", "door")
    ('co2', 'water_leak', None)
    """
    if device_class is None or component not in ("sensor", "number", "binary_sensor"):
        return None
    if component == "binary_sensor":
        return _TRUTHS.get(device_class)
    return None if device_class in _UNSAID else _CLASSES.get(device_class) or vocabulary.word(device_class)


def _led(component: str, config: Mapping[str, Any]) -> dict[str, list[str]] | None:
    table = _LED.get(component)
    if table is None:
        return None
    return {
        state: [_said(config, *reported[:1], "", reported[1]), _said(config, told[0], "", told[1])]
        for state, (reported, told) in table.items()
    }


def _unit(part: str, config: Mapping[str, Any]) -> str | None:
    if "temperature" in part:
        return _word(config.get("temperature_unit"))
    if part == "color_temp":
        return "K" if config.get("color_temp_kelvin") is True else "mired"
    if part.endswith("humidity"):
        return "%"
    if part == "percentage":
        return None if "speed_range_max" in config or "speed_range_min" in config else "%"
    if part in ("position", "tilt"):
        odd = ("position_open", "position_closed") if part == "position" else ("tilt_opened_value", "tilt_max")
        return None if any(config.get(key, 100) not in (0, 100) for key in odd) else "%"
    return None


def _sent(config: Mapping[str, Any]) -> tuple[str, str]:
    return _said(config, "payload_on", "", "ON"), _said(config, "payload_off", "", "OFF")


def _said(config: Mapping[str, Any], key: str, otherwise: str, default: str) -> str:
    """Return a payload's word as it comes over MQTT: numbers and truths are written as text."""
    value = config.get(key, config.get(otherwise, default))
    if value is True or value is False:
        return str(value).lower()
    return str(value)[:LONGEST_WORD] if isinstance(value, (str, int, float)) and value != "" else default


def _word(value: Any) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= LONGEST_WORD and value.isprintable() else None


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
