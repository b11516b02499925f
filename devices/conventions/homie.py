"""Homie, versions 2 to 5: `<base>/<device>/<node>/<property>` ← the value as text (https://homieiot.github.io/specification/).

The base is `homie`, also behind an empty first level, or any under which a `$homie` attribute (2 to 4) or a `$description` (5) has been
seen; Homie 5 has one more level, `<base>/5/<device>/…`. A level that begins with `$` describes: `$unit`, `$datatype`, `$settable` and
`$format` of a property (2 to 4, in any order), or the JSON object in `$description` (5), are kept by device; `$state` and `$online` say
whether it can be reached; `$stats/…` are measured; a device's `$name` is a label. Homie 2 has a property `unit` beside the one that is measured in it.

*Values*: what `$datatype` says: numbers, `true` and `false`, and text that stays text however it looks (`string`, `enum`, `color`,
`datetime`, `duration`); a `json` value is read as an object. Without a datatype, numbers and truths are told by their look.
*Channel*: the node, or the number of an array's node (`light_2`), where the property names a metric of the vocabulary.

Commands: `<base>/<device>/<node>/<property>/set`, not retained. A setting is `<node>.<property>`, `metric/node`, or a property that only
one node has.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from devices import payloads, vocabulary
from devices.convention import (
    MOST_READINGS,
    Convention,
    Place,
    Said,
    UnusableError,
    as_text,
    check_size,
    refuse,
    refuse_toggle,
    remember,
    split_setting,
)
from devices.conventions.homie_datatypes import TEXTS, is_truth, typed, unit_of, written
from devices.payloads import Body
from devices.reading import Encoded, Expected, Ignored, Message, Reading, Value

STATES: Final[Mapping[str, bool]] = {
    "init": True, "ready": True, "sleeping": True, "alert": True, "disconnected": False, "lost": False,
    "true": True, "false": False,
}  # fmt: skip
"""Whether a device in this `$state` is there (section "Device lifecycle"); `$online` of Homie 2 is true or false."""

STATS: Final[Mapping[str, tuple[str, str | None]]] = {
    "uptime": ("uptime", "s"), "signal": ("signal", "%"), "cputemp": ("cpu_temperature", "°C"), "cpuload": ("cpu_load", "%"),
    "battery": ("battery", "%"), "freeheap": ("free_heap", "B"), "supply": ("supply_voltage", "V"),
}  # fmt: skip
"""The statistics of a device: what they are called downstream, and their units."""

_UNREAD: Final = frozenset({"$implementation", "$fw", "$ota", "$reset"})
"""What a device's maker does on topics of its own, sending it new firmware, which is binary, among it."""
_TAUGHT: Final = frozenset({"$unit", "$datatype", "$settable", "$format", "$name", "$retained"})
_FACTS: Final = frozenset({"unit", "datatype", "format", "described"})
"""What a device says of a property, unlike `looks`, which its values alone tell. `described`: it has a name, or says whether it is retained."""
_QUANTITY_OF_NODE: Final = frozenset(vocabulary.words("degrees celsius fahrenheit percentage percent value lux"))
"""Properties that only say in what their node is measured."""
_ARRAY: Final = re.compile(r"(.*[^\d_])_(\d{1,5})")

MOST_BASES: Final = 32
MOST_DEVICES: Final = 20_000
MOST_PROPERTIES: Final = 512
LONGEST_WORD: Final = 512


class Homie(Convention):
    """Devices that describe themselves by the Homie convention."""

    name = "homie"
    title = "Homie"
    about = "Homie 2, 3, 4 and 5: homie/<device>/<node>/<property>"
    topics = "`homie/<device>/<node>/<property>`, `homie/5/<device>/…`, attributes on `…/$…`; commands on `…/<property>/set`"
    setup = "Point the device's MQTT settings at the broker; any base topic is learned from its attributes."
    guesses = True
    reads_bytes = True

    def recognise(self, topic: str, levels: tuple[str, ...]) -> Place | None:
        size = self._base(topic, levels)
        if size is None:
            return None
        rest = levels[size:]
        if rest[0] == "5" and (len(rest) > 3 or rest[1:2] == ("$broadcast",) or (len(rest) == 3 and rest[2][:1] == "$")):
            size, rest = size + 1, rest[1:]
        device = rest[0]
        base = "/".join((*levels[:size], device))
        if not device or device.startswith("$"):
            return Place("", ignored="to all devices, or of none")
        path = rest[1:]
        if path[-1:] == ("set",) and len(path) > 2:
            return Place(device, base, ignored="a command to a device")
        role = next((level for level in path if level.startswith("$")), "")
        return Place(device, base, path, role, levels[: size - (levels[size - 1] == "5")])

    def _base(self, topic: str, levels: tuple[str, ...]) -> int | None:
        """Return how many levels the base has, if the topic is below one."""
        first = 1 if levels[0] == "" else 0
        if levels[-1] == "$homie" and len(levels) > first + 2:
            return len(levels) - 2
        if levels[-1] == "$description" and levels[-3:-2] == ("5",) and len(levels) > first + 3:
            return len(levels) - 3
        for base in self.learned.get("bases", ()):
            if topic.startswith(base + "/"):
                return int(base.count("/")) + 1
        return first + 1 if levels[first : first + 1] == ("homie",) and len(levels) > first + 1 else None

    def decode(self, message: Message, place: Place, body: Body) -> list[Said] | Ignored:
        if place.role in _UNREAD:
            return Ignored(f"no value of the device: {place.role}", place.device)
        text = _text(body, message)
        if place.role:
            return self._attribute(place, text, message)
        if not 1 <= len(place.path) <= 2:
            raise UnusableError(
                f"topic {message.topic!r}: a Homie value must be on <device>/<node>/<property>; got {len(place.path)} levels"
            )
        if not text:
            return Ignored("empty payload: a retained value was cleared", place.device)
        key = "/".join(place.path)
        known = self._known(place.device, key)
        if place.path[1:] == ("unit",) and "datatype" not in known and vocabulary.unit_named(text):
            self._learn(place.device, place.path[0], {"unit": text})
            return Ignored("says in what its node is measured", place.device)
        return self._value(place, text, known, message)

    def _value(self, place: Place, text: str, known: Mapping[str, Any], message: Message) -> list[Said] | Ignored:
        datatype = known.get("datatype")
        if datatype == "json":
            return self._object(place, text, message)
        value = typed(text, datatype, message.topic)
        if value is None:
            return Ignored(f"no value: {text[:40]}", place.device)
        if datatype is None:
            self._look(place.device, "/".join(place.path), value)
        unit = self._unit(place.device, place.path[0], known) if not isinstance(value, (bool, str)) else None
        return [Said(place.device, place.path, value, unit, message.received, "received")]

    def _object(self, place: Place, text: str, message: Message) -> list[Said] | Ignored:
        """Read a property of the datatype json."""
        try:
            body: Any = payloads.kept(payloads.read(text.encode()))
        except payloads.UnreadableError as error:
            raise UnusableError(f"topic {message.topic!r}: {error}") from None
        said: list[Said] = []
        _walk(said, place, place.path, body if isinstance(body, (dict, list)) else {}, message)
        return said or Ignored("no value in it", place.device)

    def _unit(self, device: str, node: str, known: Mapping[str, Any]) -> str | None:
        return unit_of(known if known.get("unit") else {**known, "unit": self._known(device, node).get("unit")})

    def _attribute(self, place: Place, text: str, message: Message) -> list[Said] | Ignored:
        role, path, device = place.role, place.path, place.device
        if role == "$homie":
            self._learn_base("/".join(place.levels), text)
        elif role == "$description":
            self._describe(place, text, message)
        elif role in _TAUGHT and len(path) == 3:
            fact: dict[str, Any] = {role[1:]: text == "true" if role == "$settable" else text.strip()}
            self._learn(device, "/".join(path[:2]), {"described": True} if role in ("$name", "$retained") else fact)
        elif path == ("$name",):
            self.describe(device, {"name": text})
        elif path[0] == role and text:
            if role in ("$state", "$online") and len(path) == 1:
                return _state(place, text, message)
            if role == "$stats" and len(path) == 2 and path[1] != "interval":
                return _statistic(place, text, message)
            if role == "$alert" and len(path) == 2:
                return [Said(device, path, text, None, message.received, "received")]
        return Ignored("describes the device" if role not in ("$log", "$target") else f"no value of the device: {role}", device)

    def _learn_base(self, base: str, version: str) -> None:
        bases = self.learned.setdefault("bases", {})
        if base not in bases and base.removeprefix("/") != "homie" and version[:1].isdigit():
            remember(bases, base, 1, most=MOST_BASES)
            self.changes += 1

    def _describe(self, place: Place, text: str, message: Message) -> None:
        """Keep what a Homie 5 device says of all its properties; nothing, if it was removed."""
        devices = self.learned.setdefault("devices", {})
        if not text:
            devices.pop(place.device, None)
            self.describe(place.device, {})
            return
        try:
            body = payloads.read(text.encode())
        except payloads.UnreadableError as error:
            raise UnusableError(f"topic {message.topic!r}: {error}") from None
        if not isinstance(body, dict) or not str(body.get("homie", "5"))[:1].isdigit():
            raise UnusableError(f"topic {message.topic!r}: a $description must be an object with its version; got {text[:40]!r}")
        self._learn_base("/".join(place.levels), "5")
        self.describe(place.device, {"name": body.get("name")})
        table = dict(_described(body))
        if devices.get(place.device) != table:
            remember(devices, place.device, table, most=MOST_DEVICES)
            self.readdress(place.device, retyped=True)

    def _known(self, device: str, key: str) -> dict[str, Any]:
        """Return what is said of a property; that of an array's node (Homie 3) has also what is said of the array's."""
        table = self.learned.get("devices", {}).get(device, {})
        known: dict[str, Any] = table.get(key, {})
        node, slash, name = key.partition("/")
        if slash and (match := _ARRAY.fullmatch(node)) and (shared := table.get(f"{match[1]}/{name}")):
            return {**shared, **known}
        return known

    def _learn(self, device: str, key: str, facts: dict[str, Any]) -> None:
        """Keep what is said of a property; words without end are not kept."""
        devices = self.learned.setdefault("devices", {})
        if device not in devices:
            remember(devices, device, {}, most=MOST_DEVICES)
        table = devices[device]
        known = table.get(key, {})
        changed = {name: fact for name, fact in facts.items() if known.get(name) != fact and len(str(fact)) <= LONGEST_WORD}
        if changed:
            remember(table, key, known | changed, most=MOST_PROPERTIES)
            self.readdress(device, retyped="datatype" in changed)

    def _look(self, device: str, key: str, value: Value) -> None:
        """Keep that there is such a property, and whether it looks like a truth, until its attributes say so."""
        if "looks" not in self._known(device, key):
            self._learn(device, key, {"looks": "boolean" if isinstance(value, bool) else "other"})

    def series(self, path: tuple[str, ...]) -> vocabulary.Name:
        """Return the name of a property, with the number of an array's node behind that node."""
        if path[0] in ("$state", "$online"):
            return vocabulary.Name("online", "")
        if path[0] == "$stats":
            return vocabulary.Name(STATS[path[1]][0] if path[1] in STATS else vocabulary.snake(path[1]) or "value", "")
        if path[0] == "$alert":
            return vocabulary.Name("alert", path[1])
        keys = tuple(part for key in path for part in _numbered(key))
        node = vocabulary.word(keys[0])
        if len(path) == 2 and node and path[1] in _QUANTITY_OF_NODE:
            return vocabulary.Name(node, ".".join(keys[1:-1]))
        return vocabulary.name(keys)

    def spoken(self, metric: str, value: str) -> Value:
        """Return a text as what it means; a state says whether the device is there."""
        if metric == "online" and value in STATES:
            return STATES[value]
        return vocabulary.spoken(metric, value)

    def normalise(self, said: list[Said], message: Message) -> list[Reading]:
        """Return the readings; what a datatype says is text stays as it is."""
        readings = super().normalise(said, message)
        one = said[0]
        if len(said) == 1 and isinstance(one.value, str) and self._known(one.device, "/".join(one.path)).get("datatype") in TEXTS:
            return [as_text(readings[0])]
        return readings

    def base_of(self, device: str, base: str) -> str:
        """Return the device's topic with what is known of its properties, as JSON.

        A property that is described cannot be set unless it says so (section "Property attributes"); one of which only values are known may be.
        """
        table: dict[str, Any] = self.learned.get("devices", {}).get(device, {})
        properties = {}
        for key in (key for key in table if "/" in key):
            known = self._known(device, key)
            default = {} if _FACTS.isdisjoint(known) else {"settable": False}
            properties[key] = {**table.get(key.partition("/")[0], {}), **default, **known}
        return msgspec.json.encode({"base": base, "properties": properties}, order="sorted").decode()

    def encode(self, base: str, device: str, settings: Mapping[str, Value]) -> list[Encoded]:
        """Return one message for each setting. `base` is the device's topic, or JSON with what is known of its properties too."""
        about: dict[str, Any] = msgspec.json.decode(base) if base.startswith("{") else {"base": base, "properties": {}}
        encoded = []
        for setting, value in settings.items():
            refuse_toggle(device, setting, value)
            key = self._key(about["properties"], device, setting, value)
            known = about["properties"].get(key, {})
            if known.get("settable") is False:
                refuse(device, setting, "can be read but not set", value)
            text = written(known, device, setting, value)
            encoded.append(Encoded(f"{about['base']}/{key}/set", text.encode(), (self._reported(device, key, text, known),)))
        return encoded

    def _key(self, properties: Mapping[str, Any], device: str, setting: str, value: Value) -> str:
        """Return the property that a setting names: as it is written, by its metric and channel, or by a name that one node alone has."""
        metric, channel = split_setting(setting)
        key = f"{channel.replace('.', '/')}/{metric}" if channel else metric.replace(".", "/")
        if key in properties:
            return key
        named = [one for one, known in properties.items() if self._answers(one, known, metric, channel)]
        if len(named) == 1:
            return named[0]
        if properties or key.count("/") != 1 or "" in key.split("/"):
            refuse(device, setting, f"must be a property of one node ({', '.join(sorted(properties)) or '<node>.<property>'})", value)
        return key

    def _answers(self, key: str, known: Mapping[str, Any], metric: str, channel: str) -> bool:
        name = self.series(tuple(key.split("/")))
        spoken = {name.metric, "state"} if name.metric == "power" and is_truth(known) else {name.metric}
        return (metric in spoken and channel in ("", name.channel)) or (not channel and key.endswith("/" + metric))

    def _reported(self, device: str, key: str, text: str, known: Mapping[str, Any]) -> Expected:
        """Return the reading that the property will report."""
        value = typed(text, known.get("datatype"), key)
        if value is None:
            raise UnusableError(f"device {device!r}: property {key!r} must be set to a value; got {text!r}")
        path = tuple(key.split("/"))
        unit = None if isinstance(value, (bool, str)) else unit_of(known)
        expected = self.report(device, path, value, unit)
        keeps = isinstance(value, str) and known.get("datatype") in TEXTS and expected.metric != "online"
        return msgspec.structs.replace(expected, value=text) if keeps else expected


def _text(body: Body, message: Message) -> str:
    assert isinstance(body, bytes)
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise UnusableError(f"topic {message.topic!r}: {payloads.binary(body)}") from None
    if text != "\0" and any(c < " " and c not in "\t\r\n\x1b" for c in text):
        raise UnusableError(f"topic {message.topic!r}: {payloads.binary(body)}")
    return text.strip("\0")  # one NUL is how Homie 5 writes the empty text, which would clear a retained topic


def _walk(said: list[Said], place: Place, path: tuple[str, ...], body: Any, message: Message) -> None:
    check_size(place.device, body, len(path))
    for key, value in body.items() if isinstance(body, dict) else ((str(i), v) for i, v in enumerate(body)):
        if isinstance(value, (dict, list)):
            _walk(said, place, (*path, key), value, message)
        elif value is not None and value != "":
            said.append(Said(place.device, (*path, key), value, None, message.received, "received"))
    if len(said) > MOST_READINGS:
        raise UnusableError(f"topic {message.topic!r}: a message must hold at most {MOST_READINGS} values; got more")


def _state(place: Place, text: str, message: Message) -> list[Said]:
    if text not in STATES:
        raise UnusableError(f"topic {message.topic!r}: a device's state must be one of {', '.join(STATES)}; got {text[:40]!r}")
    return [Said(place.device, place.path, text, None, message.received, "received")]


def _statistic(place: Place, text: str, message: Message) -> list[Said] | Ignored:
    value = vocabulary.number(text.strip())
    if value is None:
        return Ignored(f"no value: {text[:40]}", place.device)
    return [Said(place.device, place.path, value, STATS.get(place.path[1], ("", None))[1], message.received, "received")]


def _described(body: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return what a `$description` says of each property; by Homie 5 a property is a text and cannot be set unless it says otherwise."""
    table: list[tuple[str, dict[str, Any]]] = []
    nodes = body.get("nodes")
    for node, about in nodes.items() if isinstance(nodes, dict) else ():
        properties = about.get("properties") if isinstance(about, dict) else None
        for name, fact in properties.items() if isinstance(properties, dict) else ():
            if isinstance(fact, dict) and len(table) < MOST_PROPERTIES and len(node) + len(name) <= LONGEST_WORD:
                told = {word: fact[word] for word in ("unit", "datatype", "format") if _is_word(fact.get(word))}
                table.append((f"{node}/{name}", {"settable": fact.get("settable") is True, "datatype": "string", **told}))
    return table


def _is_word(fact: Any) -> bool:
    return isinstance(fact, str) and 0 < len(fact) <= LONGEST_WORD


def _numbered(key: str) -> tuple[str, ...]:
    """Split an element of an array into name and number.

    >>> _numbered("light_2"), _numbered("light-2")
    (('light', '2'), ('light-2',))
    """
    match = _ARRAY.fullmatch(key)
    return (match[1], match[2]) if match else (key,)
