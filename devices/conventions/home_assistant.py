"""Home Assistant MQTT discovery: `homeassistant/<component>/[<node>/]<object>/config` ← what an entity is.

By https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery. The prefix may be another one: a configuration is known by its shape.

A configuration gives no reading. It teaches (`home_assistant_discovery`) in what unit a topic's values are, which words mean on, off, online and
offline, and how an entity is set. Topics that a dialect of its own owns are read by that dialect; all others that were named are read here:
as plain JSON and plain scalars are, so that device and series are the same before and after discovery, with unit and words from it. Below
the prefix itself, `…/<object>/state` is the object's `state`. A template that is more than a path is never run: its topic is read by its
plain form, without the unit and words that belong to the template's result.

Commands go to the entity's command topic, several settings of a light with the JSON schema in one object. A setting is a metric,
`metric/channel`, the entity's object id, or `<object id>.<part>` (`hall.temperature`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from devices import payloads, places, vocabulary
from devices.convention import (
    Convention,
    Place,
    Said,
    UnusableError,
    as_text,
    on_off,
    put,
    refuse,
    refuse_toggle,
    remember,
    split_setting,
)
from devices.conventions import home_assistant_discovery as discovery
from devices.conventions.plain_json import PlainJson
from devices.conventions.plain_scalar import scalar
from devices.news import News
from devices.payloads import Body
from devices.profile import Profiles
from devices.reading import Encoded, Expected, Ignored, Message, Reading, Value

PREFIX: Final = "homeassistant"
_ATTRIBUTES: Final = frozenset(
    vocabulary.words(
        "friendly_name last_changed last_updated device_class state_class icon attribution entity_picture supported_features options"
        " config attributes"
    )
)
"""What the state stream says of an entity on topics beside its state."""

_NOTHING: Final[Mapping[str, Any]] = {}

MOST_CONFIGS: Final = 50_000
MOST_TOPICS: Final = 50_000
MOST_DEVICES: Final = 50_000
MOST_OF_TOPIC: Final = 128
MOST_OF_DEVICE: Final = 256


class HomeAssistant(Convention):
    """Whatever announces itself to Home Assistant."""

    name = "home_assistant"
    title = "Home Assistant discovery"
    about = "Devices that announce themselves to Home Assistant: units, words and commands of the topics they name"
    topics = "`homeassistant/<component>/[<node>/]<object>/config`, and the topics that such a message names"
    setup = "Switch on MQTT discovery at the device or bridge, as for Home Assistant; nothing else is needed."
    guesses = True
    reads_bytes = True

    def __init__(self, profiles: Profiles, learned: dict[str, Any], news: News | None = None) -> None:
        super().__init__(profiles, learned, news)
        self._json = PlainJson(profiles, {}, self.news)
        self._topics: dict[str, dict[str, dict[str, Any]]] = learned.setdefault("topics", {})
        self._configs: dict[str, dict[str, list[list[str]]]] = learned.setdefault("configs", {})
        self._commands: dict[str, dict[str, dict[str, Any]]] = learned.setdefault("commands", {})

    def recognise(self, topic: str, levels: tuple[str, ...]) -> Place | None:
        if _is_config(levels):
            return self._place(topic, levels, "config")
        if levels[0] == PREFIX:
            return self._below(topic, levels)
        if topic not in self._topics or places.is_command(levels):
            return None
        place = self._place(topic, levels)
        return Place(place.device, place.base, place.path, place.role, levels, alternative=place.alternative, adopted=True)

    def _below(self, topic: str, levels: tuple[str, ...]) -> Place | None:
        """Return what a topic below the prefix says that is no configuration."""
        if levels[1:] == ("status",):
            return Place("", ignored="Home Assistant's own birth and last will")
        if topic not in self._topics and (len(levels) < 3 or levels[1] not in discovery.COMPONENTS):
            return None
        if places.is_command(levels):
            return Place(levels[-2], ignored="a command to a device")
        if len(levels) > 3 and levels[-1] in _ATTRIBUTES:
            return Place(levels[-2], ignored="describes a device")
        return self._place(topic, levels)

    def _place(self, topic: str, levels: tuple[str, ...], role: str = "") -> Place:
        """Return the place of an object on a topic, and as alternative that of a scalar: as the plain conventions have them."""
        place = self._json.recognise(topic, levels)
        assert place is not None
        assert place.alternative is not None
        alone = place.alternative
        if levels[0] == PREFIX and len(levels) > 2 and levels[1] in discovery.COMPONENTS:
            own, path = (levels[-2], levels[-1]) if len(levels) > 3 else (levels[-1], "state")
            alone = Place(self.profiles.device_at(topic) or own, path=(path,))
        alone = Place(alone.device, "", alone.path)
        return Place(place.device, place.base, place.path, role or place.role, levels, alternative=alone)

    def takes(self, body: Body) -> bool:
        return not isinstance(body, bytes)

    def decode(self, message: Message, place: Place, body: Body) -> list[Said] | Ignored:
        if isinstance(body, bytes):
            try:
                body = payloads.read(body)
            except payloads.UnreadableError as error:
                if place.role == "config" and place.levels[0] == PREFIX:
                    return Ignored(f"Home Assistant discovery that cannot be read: {error}")
                raise UnusableError(f"topic {message.topic!r}: {error}") from None
        if isinstance(body, bytes):
            raise UnusableError(f"topic {message.topic!r}: {payloads.binary(body)}")
        return self._configuration(message, place, body) or self._state(message, place, body)

    def _configuration(self, message: Message, place: Place, body: Body) -> Ignored | None:
        """Learn from a configuration; None for what is none."""
        if place.role == "config":
            if body == "":
                for device, _ in self._forget(message.topic)[1]:
                    self.readdress(device)
                return Ignored("Home Assistant discovery: nothing is at this topic any more")
            if isinstance(body, dict) and discovery.is_config(body):
                return self._learn(message.topic, place.levels, body)
            if place.levels[0] == PREFIX:
                return Ignored("Home Assistant discovery that describes no topic")
        return None

    def _state(self, message: Message, place: Place, body: dict[str, Any] | list[Any] | str) -> list[Said] | Ignored:
        """Read a topic that was named, or is below the prefix."""
        if body == "":
            return Ignored("empty payload: a retained value was cleared", place.device)
        facets = self._topics.get(message.topic, {})
        if not isinstance(body, str):
            said = self._json.decode(message, place, body)
            if isinstance(said, Ignored) or not facets:
                return said
            return [
                _in_unit(one, facet) if facet else one for one, facet in zip(said, _facets_of(facets, said, is_object=True), strict=True)
            ]
        return self._scalar(message, place, body, facets.get("", {}))

    def _scalar(self, message: Message, place: Place, body: str, facet: Mapping[str, Any]) -> list[Said] | Ignored:
        alone = place.alternative
        assert alone is not None
        if message.topic.endswith("/unit_of_measurement"):
            return self._stream_unit(message.topic, body, alone.device)
        value, unit = (body, None) if facet.get("text") or body in facet.get("words", ()) else scalar(body)
        if value is None:
            return Ignored(f"no value: {body[:40]}", alone.device)
        return [_in_unit(Said(alone.device, alone.path, value, unit, message.received, "received"), facet)]

    def _stream_unit(self, topic: str, body: str, device: str) -> Ignored:
        """Keep the unit that the state stream says beside an entity's state."""
        state = topic.removesuffix("unit_of_measurement") + "state"
        unit = vocabulary.unit_named(body.strip('"'))
        if unit is not None and self._topics.get(state, {}).get("", {}).get("unit") != unit:
            self._add(state, "", {"unit": unit})
        return Ignored("says in what unit a state is", device)

    def _learn(self, topic: str, levels: tuple[str, ...], body: dict[str, Any]) -> Ignored:
        """Keep what a configuration says, in place of what was said before at its topic."""
        found = discovery.entities(levels[_component_at(levels)], levels[-2], body)
        before, commanded = self._forget(topic)
        record: dict[str, list[list[str]]] = {"topics": [], "commands": []}
        for facet in found.facets:
            place = self._place(facet.topic, tuple(facet.topic.split("/")))
            alone = place.alternative
            assert alone is not None
            device, path = (place.device, facet.path) if facet.path else (alone.device, alone.path)
            inner, known = ".".join(facet.path), _known(facet)
            self._add(facet.topic, inner, known)
            record["topics"].append([facet.topic, inner])
            if _kind_of(known) != _kind_of(before.get((facet.topic, inner), {})):
                self.readdress(device, retyped=True)
            if facet.command is not None:
                name = f"{facet.entity}.{facet.part}" if facet.part else facet.entity
                command = {**facet.command, **known, "path": list(path)}
                remember(self._commands.get(device) or self._begin(device), name, command, most=MOST_OF_DEVICE)
                record["commands"].append([device, name])
                if commanded.pop((device, name), None) != command:
                    self.readdress(device)
        for device, _ in commanded:
            self.readdress(device)
        for one in found.availabilities:
            inner = ".".join(one.path)
            if inner not in self._topics.get(one.topic, {}):
                self._add(one.topic, inner, {"words": {one.online: True, one.offline: False}, "online": True})
                record["topics"].append([one.topic, inner])
        while len(self._configs) >= MOST_CONFIGS:
            self._forget(next(iter(self._configs)))
        self._configs[topic] = record
        unread = f"; never run, its topic is read as it is: {found.unread[0][:80]!r}" if found.unread else ""
        return Ignored(f"Home Assistant discovery{unread}")

    def _begin(self, device: str) -> dict[str, dict[str, Any]]:
        remember(self._commands, device, {}, most=MOST_DEVICES)
        return self._commands[device]

    def _add(self, topic: str, inner: str, known: dict[str, Any]) -> None:
        if topic not in self._topics:
            remember(self._topics, topic, {}, most=MOST_TOPICS)
            self.changes += 1
        remember(self._topics[topic], inner, known, most=MOST_OF_TOPIC)

    def _forget(self, config: str) -> tuple[dict[tuple[str, str], Any], dict[tuple[str, str], Any]]:
        """Drop what a configuration taught; return what it said of topics, by topic and path, and its commands, by device and name."""
        record = self._configs.pop(config, {"topics": [], "commands": []})
        facets: dict[tuple[str, str], Any] = {}
        commands: dict[tuple[str, str], Any] = {}
        for (topic, inner), table in (((topic, inner), self._topics.get(topic, {})) for topic, inner in record["topics"]):
            facets[topic, inner] = table.pop(inner, {})
            if topic in self._topics and not table:
                del self._topics[topic]
                self.changes += 1
        for (device, name), table in (((device, name), self._commands.get(device, {})) for device, name in record["commands"]):
            commands[device, name] = table.pop(name, {})
            if device in self._commands and not table:
                del self._commands[device]
        return facets, commands

    def series(self, path: tuple[str, ...]) -> vocabulary.Name:
        """Return the name of a path as plain JSON has it."""
        return self._json.series(path)

    def normalise(self, said: list[Said], message: Message) -> list[Reading]:
        """Return the readings with the entity's own words as truths, and its texts as texts."""
        readings = super().normalise(said, message)
        facets = self._topics.get(message.topic, _NOTHING)
        if not any("words" in facet or "text" in facet for facet in facets.values()):
            return readings
        known = _facets_of(facets, said, is_object=message.payload.lstrip()[:1] in (b"{", b"["))
        return [_worded(reading, facet) if facet else reading for reading, facet in zip(readings, known, strict=True)]

    def base_of(self, device: str, base: str) -> str:
        """Return how the device's entities are set, as JSON."""
        return msgspec.json.encode({"base": base, "commands": self._commands.get(device, {})}, order="sorted").decode()

    def encode(self, base: str, device: str, settings: Mapping[str, Value]) -> list[Encoded]:
        """Return one message for each setting, or one object for those of a light with the JSON schema. `base` is as `base_of` gives it."""
        commands: dict[str, Any] = msgspec.json.decode(base)["commands"] if base.startswith("{") else {}
        encoded: list[Encoded] = []
        objects: dict[str, tuple[dict[str, Any], list[Expected]]] = {}
        for setting, value in settings.items():
            refuse_toggle(device, setting, value)
            command = self._command(commands, device, setting, value)
            told, reached = _told(command, device, setting, value)
            expected = self._reported(device, command, reached)
            if key := command.get("key"):
                body, expects = objects.setdefault(command["topic"], ({}, []))
                put(body, (key,), told, device=device, setting=setting)
                expects.append(expected)
            else:
                before, after = command.get("around", ("", ""))
                encoded.append(Encoded(command["topic"], f"{before}{on_off(told)}{after}".encode(), (expected,)))
        encoded += [Encoded(topic, msgspec.json.encode(body), tuple(expects)) for topic, (body, expects) in objects.items()]
        return encoded

    def _command(self, commands: Mapping[str, Any], device: str, setting: str, value: Value) -> dict[str, Any]:
        """Return how a setting is set: by its entity, else by the metric and channel that it reports, or the key."""
        if setting in commands:
            found: dict[str, Any] = commands[setting]
            return found
        metric, channel = split_setting(setting)
        named = [one for one in commands.values() if self._answers(tuple(one["path"]), metric, channel)]
        if len(named) != 1:
            refuse(device, setting, f"must be an entity that can be set ({', '.join(sorted(commands)) or 'this device has none'})", value)
        return dict(named[0])

    def _answers(self, path: tuple[str, ...], metric: str, channel: str) -> bool:
        name = self.series(path)
        return (name.metric == metric and channel in ("", name.channel)) or (not channel and ".".join(path) == metric)

    def _reported(self, device: str, command: Mapping[str, Any], reached: Value) -> Expected:
        """Return the reading that the entity's state will give."""
        value = reached if command.get("text") or not isinstance(reached, str) else vocabulary.number(reached)
        value = reached if value is None else value
        one = Said(device, tuple(command["path"]), value, None, 0, "received")
        reading = _worded(super().normalise([_in_unit(one, command)], Message("", b"", 0))[0], command)
        return Expected(reading.metric, reading.channel, reading.value)


def _component_at(levels: tuple[str, ...]) -> int:
    """Return where in a configuration's topic the component stands."""
    return -4 if len(levels) > 4 and levels[-4] in discovery.COMPONENTS else -3


def _is_config(levels: tuple[str, ...]) -> bool:
    return len(levels) > 3 and levels[-1] == "config" and bool(levels[0]) and levels[_component_at(levels)] in discovery.COMPONENTS


def _known(facet: discovery.Facet) -> dict[str, Any]:
    """Return what a state topic carries, in plain builtins."""
    known: dict[str, Any] = {}
    if facet.unit:
        known["unit"] = vocabulary.unit_named(facet.unit) or facet.unit
    if facet.device_class:
        known["class"] = facet.device_class
    if facet.on_off:
        known["words"] = {facet.on_off[0]: True, facet.on_off[1]: False}
    if facet.is_text:
        known["text"] = True
    return known


def _kind_of(known: Mapping[str, Any]) -> tuple[Any, Any]:
    """Return what of a facet decides the type of its readings."""
    return known.get("words"), known.get("text")


def _facets_of(facets: Mapping[str, dict[str, Any]], said: list[Said], *, is_object: bool) -> list[Mapping[str, Any]]:
    """Return what is known of each value: of a scalar what is known of the whole topic, of an object's what is known of its path.

    An object with one value is what the one configuration of its topic is about: plain JSON may call it by the topic.
    """
    if not is_object:
        return [facets.get("", _NOTHING)]
    if len(said) == 1 and len(facets) == 1 and ".".join(said[0].path) not in facets:
        return list(facets.values())
    return [facets.get(one.path[0] if len(one.path) == 1 else ".".join(one.path), _NOTHING) for one in said]


def _in_unit(one: Said, facet: Mapping[str, Any]) -> Said:
    """Return a value with the unit and class that its topic was said to carry."""
    is_number = isinstance(one.value, (int, float)) and not isinstance(one.value, bool)
    unit = facet.get("unit") if is_number and one.unit is None else one.unit
    labels = {"device_class": facet["class"]} if "class" in facet else one.labels
    return one if unit is one.unit and labels is one.labels else msgspec.structs.replace(one, unit=unit, labels=labels)


def _worded(reading: Reading, facet: Mapping[str, Any]) -> Reading:
    """Return a reading whose raw value is one of the entity's words as that truth."""
    raw = reading.raw_value
    text = str(raw).lower() if isinstance(raw, bool) else str(raw)
    truth = facet.get("words", {}).get(text)
    if truth is not None:
        metric = "online" if facet.get("online") else "state" if reading.metric == "power" else reading.metric
        return msgspec.structs.replace(reading, metric=metric, value=truth, unit=None, raw_unit=None)
    return as_text(reading) if facet.get("text") and isinstance(raw, str) else reading


def _told(command: Mapping[str, Any], device: str, setting: str, value: Value) -> tuple[Value, Value]:
    """Return what is sent for a value, and the word or number that will be reported. Raises CommandError."""
    text = on_off(value)
    if "on_off" in command:
        on, off = command["on_off"]
        if text not in (on, off) and text.upper() not in ("ON", "OFF"):
            refuse(device, setting, f"must be {on} or {off}", value)
        truth = text == on or (text != off and text.upper() == "ON")
        words = {reached: word for word, reached in command.get("words", {}).items()}
        return (on, words.get(True, on)) if truth else (off, words.get(False, off))
    if "led" in command:
        for state, (reached, told) in command["led"].items():
            if text.lower() in (state, reached.lower(), told.lower()):
                return told, reached
        refuse(device, setting, f"must be a state to reach ({', '.join(command['led'])})", value)
    if command.get("number") or (isinstance(value, (int, float)) and not isinstance(value, bool)):
        return _number(command, device, setting, value)
    if "options" in command and text not in command["options"]:
        refuse(device, setting, f"must be one of {', '.join(command['options'])}", value)
    return text, text


def _number(command: Mapping[str, Any], device: str, setting: str, value: Value) -> tuple[Value, Value]:
    number = vocabulary.number(value) if isinstance(value, str) else value
    if number is None or isinstance(number, (bool, str)):
        refuse(device, setting, "must be a number", value)
    if number < command.get("low", number) or number > command.get("high", number):
        refuse(device, setting, f"must be from {command.get('low')} to {command.get('high')}", value)
    return number, number
