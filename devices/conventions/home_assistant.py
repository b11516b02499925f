"""Home Assistant MQTT discovery: `homeassistant/<component>/[<node>/]<object>/config` ← what an entity is.

By https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery. The prefix may be another one: a configuration is known by its shape.

A configuration gives no reading. It teaches (`home_assistant_discovery`) in what unit a topic's values are, which words mean on, off, online and
offline, what a device is called, and how an entity is set. Topics that a dialect of its own owns are read by that dialect; all others that
were named are read here: as plain JSON and plain scalars are, so that device and series are the same before and after discovery, with unit
and words from it. Two devices that would get one name are told apart (`home_assistant_owners`), and a key that is no word of the vocabulary
is called by its `device_class`. Below the prefix itself, `…/<object>/state` is the object's `state`. A template that is more than a path is
never run: its topic is read by its plain form, without the unit and words that belong to the template's result, and the device's label
`value_template` says so. A topic for commands is no reading.

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
    untangle,
)
from devices.conventions import home_assistant_discovery as discovery
from devices.conventions import home_assistant_orders as orders
from devices.conventions.home_assistant_lessons import Config, Forgotten, kind_of, known_of, words_of
from devices.conventions.home_assistant_owners import MOST_DEVICES, MOST_OF_DEVICE, MOST_TOPICS, OBJECT, VALUE, Owners, branch_of
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

_NOT_FOLLOWED: Final[Mapping[str, str]] = {"value_template": "not followed"}
"""The label of a device of which a topic is read as it is, though its template says otherwise."""
_MEANT: Final = frozenset({"words", "text", "metric"})
"""What is known of a topic that changes its readings after they have been read by their plain form."""

MOST_CONFIGS: Final = 50_000
MOST_OF_TOPIC: Final = 128


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
        self._configs: dict[str, dict[str, list[Any]]] = learned.setdefault("configs", {})
        self._commands: dict[str, dict[str, dict[str, Any]]] = learned.setdefault("commands", {})
        self._orders: dict[str, dict[str, str]] = learned.setdefault("orders", {})
        self._unfollowed: dict[str, dict[str, str]] = learned.setdefault("unfollowed", {})
        self._owners = Owners(learned.setdefault("owners", {}))

    def recognise(self, topic: str, levels: tuple[str, ...]) -> Place | None:
        if _is_config(levels):
            return self._place(topic, levels, "config")
        named = topic in self._topics or topic in self._unfollowed
        if not named and topic in self._orders:
            return Place(next(iter(self._orders[topic].values())), ignored="a command to a device")
        if levels[0] == PREFIX:
            return self._below(topic, levels)
        if not named or places.is_command(levels):
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
        """Return the place of an object on a topic, and as alternative that of a scalar: of the device that owns it."""
        place, alone = self._plainly(topic, levels)
        device, own = self._owners.of(topic, OBJECT, place.device), self._owners.of(topic, VALUE, alone.device)
        alternative = Place(own, "", alone.path)
        return Place(device, place.base, place.path, role or place.role, levels, alternative=alternative)

    def _plainly(self, topic: str, levels: tuple[str, ...]) -> tuple[Place, Place]:
        """Return the places of an object and of a scalar as the plain conventions have them; below the prefix, an object's name stands for it."""
        place = self._json.recognise(topic, levels)
        assert place is not None
        assert place.alternative is not None
        alone = place.alternative
        if levels[0] == PREFIX and len(levels) > 2 and levels[1] in discovery.COMPONENTS:
            own, path = (levels[-2], levels[-1]) if len(levels) > 3 else (levels[-1], "state")
            alone = Place(self.profiles.device_at(topic) or own, path=(path,))
        return place, alone

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
                self._drop(message.topic)
                return Ignored("Home Assistant discovery: nothing is at this topic any more")
            if isinstance(body, dict) and discovery.is_config(body):
                return self._learn(message.topic, place.levels, payloads.kept(body))
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
        at = _component_at(levels)
        found = discovery.entities(levels[at], levels[-2], body)
        before = self._forget(topic)
        config = Config(topic, found.identity or levels[at + 1], found.about)
        for facet in found.facets:
            self._learn_facet(config, facet, before)
        for state, is_object in found.plain:
            device = self._settle(config, state, OBJECT if is_object else VALUE, _NOT_FOLLOWED)
            self._note(self._unfollowed, config, state, device)
        for order in found.orders:
            self._note(self._orders, config, order, next(iter(config.claims), ""))
        for one in found.availabilities:
            inner = ".".join(one.path)
            if inner not in self._topics.get(one.topic, {}):
                self._settle(config, one.topic, OBJECT if one.path else VALUE, None)
                self._add(one.topic, inner, {"words": {one.online: True, one.offline: False}, "online": True})
                config.topics.append([one.topic, inner])
        while len(self._configs) >= MOST_CONFIGS:
            self._drop(next(iter(self._configs)))
        self._configs[topic] = config.record()
        self._tell(before, config)
        unread = f"; never run, its topic is read as it is: {found.unread[0][:80]!r}" if found.unread else ""
        return Ignored(f"Home Assistant discovery{unread}")

    def _learn_facet(self, config: Config, facet: discovery.Facet, before: Forgotten) -> None:
        """Keep what one topic carries of an entity, and how that is set."""
        device = self._settle(config, facet.topic, OBJECT if facet.path else VALUE, {})
        inner, known = ".".join(facet.path), known_of(facet)
        self._add(facet.topic, inner, {**known, **words_of(facet, config.about)})
        config.topics.append([facet.topic, inner])
        if kind_of(known) != kind_of(before.facets.get((facet.topic, inner), {})):
            self.readdress(device, retyped=True)
        if facet.command is None:
            return
        _, alone = self._plainly(facet.topic, tuple(facet.topic.split("/")))
        name = f"{facet.entity}.{facet.part}" if facet.part else facet.entity
        command = {**facet.command, **known, "path": list(facet.path or alone.path)}
        remember(self._commands.get(device) or self._begin(device), name, command, most=MOST_OF_DEVICE)
        config.commands.append([device, name])
        if before.commands.pop((device, name), None) != command:
            self.readdress(device)

    def _settle(self, config: Config, topic: str, form: str, words: Mapping[str, str] | None) -> str:
        """Return the device of a topic that a configuration has named, and keep its claim to that name; None for words: it has none."""
        place, alone = self._plainly(topic, tuple(topic.split("/")))
        plain = place.device if form == OBJECT else alone.device
        branch = "" if self.profiles.device_at(topic) else branch_of(topic, form, plain)
        device, is_news = self._owners.settle(topic, form, plain, branch=branch, identity=config.identity)
        self.changes += is_news
        if words is not None:
            told = {**config.about, **config.claims.get(device, {}), **words}
            config.claims[device] = told
            self._owners.claim(device, config.topic, identity=config.identity, branch=branch, words=told)
        return device

    def _note(self, table: dict[str, dict[str, str]], config: Config, topic: str, device: str) -> None:
        """Keep that a configuration has named a topic in this table, and whose it is."""
        if topic not in table:
            remember(table, topic, {}, most=MOST_TOPICS)
            self.changes += 1
        remember(table[topic], config.topic, device, most=MOST_OF_TOPIC)
        config.noted.append(topic)

    def _begin(self, device: str) -> dict[str, dict[str, Any]]:
        remember(self._commands, device, {}, most=MOST_DEVICES)
        return self._commands[device]

    def _add(self, topic: str, inner: str, known: dict[str, Any]) -> None:
        if topic not in self._topics:
            remember(self._topics, topic, {}, most=MOST_TOPICS)
            self.changes += 1
        remember(self._topics[topic], inner, known, most=MOST_OF_TOPIC)

    def _drop(self, config: str) -> None:
        """Forget a configuration for good."""
        self._tell(self._forget(config), None)

    def _tell(self, before: Forgotten, config: Config | None) -> None:
        """Say what has become of the devices, and of the topics, that a configuration named before or names now."""
        for device, _ in before.commands:
            self.readdress(device)
        for device in {*before.devices, *(config.claims if config else ())}:
            self.describe(device, self._owners.words(device))
        for topic in before.topics:
            if topic not in self._topics and topic not in self._unfollowed:
                self._owners.release(topic)

    def _forget(self, config: str) -> Forgotten:
        """Drop what a configuration taught; return what it was."""
        record: Mapping[str, Any] = self._configs.pop(config, {})
        before = Forgotten({}, {}, set(record.get("devices", ())), {*record.get("noted", ()), *(t for t, _ in record.get("topics", ()))})
        for topic, inner in record.get("topics", ()):
            before.facets[topic, inner] = self._taken(self._topics, topic, inner)
        for device, name in record.get("commands", ()):
            before.commands[device, name] = self._taken(self._commands, device, name)
        for topic in record.get("noted", ()):
            self._taken(self._orders, topic, config)
            self._taken(self._unfollowed, topic, config)
        for device in before.devices:
            self._owners.disclaim(device, config)
        return before

    def _taken(self, table: dict[str, dict[str, Any]], outer: str, inner: str) -> Any:
        """Take an entry out of a table in a table, and that with its last one."""
        found = table.get(outer, {}).pop(inner, {})
        if outer in table and not table[outer]:
            del table[outer]
            self.changes += 1
        return found

    def series(self, path: tuple[str, ...]) -> vocabulary.Name:
        """Return the name of a path as plain JSON has it."""
        return self._json.series(path)

    def normalise(self, said: list[Said], message: Message) -> list[Reading]:
        """Return the readings with the entity's own words as truths, and its texts as texts."""
        readings = super().normalise(said, message)
        facets = self._topics.get(message.topic, _NOTHING)
        if all(_MEANT.isdisjoint(facet) for facet in facets.values()):
            return readings
        known = _facets_of(facets, said, is_object=message.payload.lstrip(b"\xef\xbb\xbf\0 \t\r\n")[:1] in (b"{", b"["))
        meant = [self._meaning(reading, one.path, facet) for reading, one, facet in zip(readings, said, known, strict=True)]
        return untangle(meant) if any("metric" in facet for facet in facets.values()) else meant

    def _meaning(self, reading: Reading, path: tuple[str, ...], facet: Mapping[str, Any]) -> Reading:
        """Return a reading in the entity's own words, and called by its class where the path says nothing."""
        if not facet:
            return reading
        reading = _worded(reading, facet)
        own, name = self.series(path), self._called(path, facet)
        if own == name or reading.metric != own.metric or isinstance(reading.value, bool) is not ("words" in facet):
            return reading
        return reading if isinstance(reading.value, str) else msgspec.structs.replace(reading, metric=name.metric, channel=name.channel)

    def _called(self, path: tuple[str, ...], facet: Mapping[str, Any]) -> vocabulary.Name:
        """Return the name of a path, by the entity's class where it is no word of the vocabulary: then all of the path is the channel."""
        name = self.series(path)
        if "metric" not in facet or name.metric in vocabulary.METRICS:
            return name
        return vocabulary.Name(facet["metric"], ".".join(path), name.unit)

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
            told, reached = orders.told(command, device, setting, value)
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
        named = [one for one in commands.values() if self._answers(one, metric, channel)]
        if len(named) != 1:
            refuse(device, setting, f"must be an entity that can be set ({', '.join(sorted(commands)) or 'this device has none'})", value)
        return dict(named[0])

    def _answers(self, command: Mapping[str, Any], metric: str, channel: str) -> bool:
        path = tuple(command["path"])
        name = self._called(path, command)
        return (name.metric == metric and channel in ("", name.channel)) or (not channel and ".".join(path) == metric)

    def _reported(self, device: str, command: Mapping[str, Any], reached: Value) -> Expected:
        """Return the reading that the entity's state will give."""
        value = reached if command.get("text") or not isinstance(reached, str) else vocabulary.number(reached)
        value = reached if value is None else value
        one = Said(device, tuple(command["path"]), value, None, 0, "received")
        reading = self._meaning(super().normalise([_in_unit(one, command)], Message("", b"", 0))[0], one.path, command)
        return Expected(reading.metric, reading.channel, reading.value)


def _component_at(levels: tuple[str, ...]) -> int:
    """Return where in a configuration's topic the component stands."""
    return -4 if len(levels) > 4 and levels[-4] in discovery.COMPONENTS else -3


def _is_config(levels: tuple[str, ...]) -> bool:
    return len(levels) > 3 and levels[-1] == "config" and bool(levels[0]) and levels[_component_at(levels)] in discovery.COMPONENTS


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
    labels = facet.get("labels", one.labels)
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
