"""Z-Wave JS UI, once Zwavejs2Mqtt: a gateway that publishes the values of Z-Wave nodes (https://zwave-js.github.io/zwave-js-ui/#/usage/setup).

* named topics: `<prefix>/[<location>/]<node>/<command class>/[endpoint_<n>/]<property>[/<property key>]`;
* value id topics: the same with numbers, `<prefix>/[<location>/]<node>/<class number>/<endpoint>/<property>[/<property key>]`;
* topics that a user chose, below a node that is known from its status or its other values.

The prefix is `zwave` or one that resembles it, or any under which the gateway's own `_CLIENTS` has been seen; a command class in its place,
before an endpoint, tells a value under any prefix. The device is location and node. A payload is `{"time", "value"}`, a value id object with
`unit` and `label`, or the bare value; `<node>/status` says whether a node is there.

*Units*: the value id object's, else what one said before; a meter's are in its property key (`(type << 16) | (scale << 8) | rate`).
*Channel*: the command class (but of sensors, switches and batteries) and the endpoint (but 0).

Commands: `{"value": …}` on `<value topic>/set`; what a switch shows as `currentValue` is set by its `targetValue`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from devices import vocabulary
from devices.convention import (
    MOST_READINGS,
    NO_LABELS,
    Convention,
    Place,
    Said,
    UnusableError,
    check_size,
    on_off,
    refuse,
    refuse_toggle,
    remember,
    split_setting,
)
from devices.conventions.plain_scalar import scalar
from devices.conventions.zwave_classes import class_at, name_of, numbered_class_at, parts, unit_of
from devices.payloads import Body
from devices.reading import Encoded, Ignored, Message, TimeSource, Value
from devices.timestamps import parse

PREFIXES: Final = frozenset(vocabulary.words("zwave zwavejs zwave2mqtt zwavejs2mqtt zwave-js zwave-js-ui zwave_js zwavejsui"))
"""Prefixes that leave no doubt."""

_ABOUT: Final = frozenset(vocabulary.words("nodeinfo lastActive hass statistics"))
_STATES: Final[Mapping[str, bool]] = {"alive": True, "awake": True, "asleep": True, "dead": False, "true": True, "false": False}
_READ_ONLY: Final = frozenset(
    vocabulary.words(
        "sensor_multilevel sensor_binary sensor_alarm meter battery notification version manufacturer_specific zwave_plus_info"
    )
)

MOST_PREFIXES: Final = 32
MOST_NODES: Final = 20_000
MOST_VALUES: Final = 512


class ZwaveJs(Convention):
    """Nodes of a Z-Wave network behind Z-Wave JS UI."""

    name = "zwave_js"
    title = "Z-Wave JS UI"
    about = "Z-Wave nodes behind Z-Wave JS UI (Zwavejs2Mqtt): zwave/<location>/<node>/<command class>/endpoint_<n>/<property>"
    topics = "`zwave/[<location>/]<node>/<command class>/endpoint_<n>/<property>`, also with numbers; commands on `…/set`"
    setup = "In the web page: Settings → MQTT, the broker's address; Gateway type ValueId or Named topics, any payload type."
    guesses = True

    def recognise(self, topic: str, levels: tuple[str, ...]) -> Place | None:
        size = self._prefix(topic, levels)
        if size is None:
            own = next((at for at, level in enumerate(levels) if level.startswith("_CLIENTS")), 0)
            if own and levels[own + 1 : own + 2] and levels[own + 1].startswith("ZWAVE_GATEWAY"):
                return Place("", path=levels[:own], role="gateway")
            size, known = 1, False
        else:
            known = True
        if (known and levels[size].startswith("_")) or levels[size:] == ("driver", "status"):
            return Place("", ignored="the gateway's own") if known else None
        return self._value(levels, size, known=known)

    def _prefix(self, topic: str, levels: tuple[str, ...]) -> int | None:
        """Return how many levels the prefix has, if the topic is below a known one."""
        for prefix in self.learned.get("prefixes", ()):
            if topic.startswith(prefix + "/"):
                return int(prefix.count("/")) + 1
        return 1 if levels[0].lower() in PREFIXES and len(levels) > 1 else None

    def _value(self, levels: tuple[str, ...], size: int, *, known: bool) -> Place | None:
        at = class_at(levels, size, known=known) or (numbered_class_at(levels, size) if known else None)
        if at is None:
            return self._of_node(levels, size) if known else None
        node = levels[size:at] or levels[:size]
        base = "/".join(levels[:at])
        if levels[-1] == "set":
            return Place("/".join(node), base, ignored="a command to a device")
        return Place("/".join(node), base, levels[at:], "value")

    def _of_node(self, levels: tuple[str, ...], size: int) -> Place | None:
        """Return what is below a node without a command class: its status, what the gateway knows of it, or a topic that a user chose."""
        node, last = "/".join(levels[size:-1]), levels[-1]
        if not node:
            return None
        base = "/".join(levels[:-1])
        if last == "status":
            return Place(node, base, ("status",), "status")
        if last in _ABOUT:
            return Place(node, base, ignored="describes a node")
        nodes = self.learned.get("nodes", {})
        for end in range(len(levels) - 1, size, -1):
            base = "/".join(levels[:end])
            if base in nodes:
                ignored = "a command to a device" if last == "set" else None
                return Place("/".join(levels[size:end]), base, levels[end:], "value", ignored=ignored)
        return None

    def decode(self, message: Message, place: Place, body: Body) -> list[Said] | Ignored:
        if place.role == "gateway":
            self._learn_prefix("/".join(place.path))
            return Ignored("the gateway's own")
        if body == "":
            return Ignored("empty payload: a retained value was cleared", place.device)
        if place.role == "status":
            return self._status(message, place, body)
        if isinstance(body, str):
            value, unit = scalar(body)
            if value is None:
                return Ignored(f"no value: {body[:40]}", place.device)
            return self._said(place, [(place.path, value)], unit, (message.received, "received"), NO_LABELS)
        if not isinstance(body, dict):
            raise UnusableError(f"topic {message.topic!r}: a value must be a scalar or an object; got an array")
        return self._object(message, place, body)

    def _object(self, message: Message, place: Place, body: dict[str, Any]) -> list[Said] | Ignored:
        check_size(place.device, body, 1)
        written = next((body[key] for key in ("time", "ts", "lastUpdate") if key in body), None)
        timed = "value" in body or "commandClass" in body or ("time" in body and body.keys() <= _BESIDE)
        value: Any = body.get("value") if timed else body
        unit = _word(body.get("unit")) if timed else None
        if isinstance(value, dict) and value.keys() == {"value", "unit"}:
            value, unit = value["value"], _word(value["unit"])
        at = self.when(parse(written) if timed and written is not None else None, message, place.device)
        labels = {name: text for key, name in _LABELS.items() if timed and (text := _word(body.get(key)))} if len(body) > 2 else NO_LABELS
        leaves: list[tuple[tuple[str, ...], Value]]
        leaves = [(place.path, value)] if isinstance(value, (int, float)) else list(_leaves(place.device, value, place.path))
        if len(leaves) > MOST_READINGS:
            raise UnusableError(f"topic {message.topic!r}: a message must hold at most {MOST_READINGS} values; got {len(leaves)}")
        return self._said(place, leaves, unit, at, labels) if leaves else Ignored("no value in it", place.device)

    def _said(
        self,
        place: Place,
        leaves: list[tuple[tuple[str, ...], Value]],
        unit: str | None,
        at: tuple[int, TimeSource],
        labels: Mapping[str, str],
    ) -> list[Said]:
        said = []
        for path, value in leaves:
            is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
            stated = (vocabulary.unit_named(unit) or unit) if unit else self._known_unit(str(place.base), path)
            self._learn(place, "/".join(path), stated if is_number else None)
            said.append(Said(place.device, path, value, stated if is_number else None, *at, labels))
        return said

    def _status(self, message: Message, place: Place, body: Body) -> list[Said] | Ignored:
        """Read whether a node is there: `value` says so, `status` in a word."""
        written = body.get("time") if isinstance(body, dict) else None
        said, word = (body.get("value"), body.get("status")) if isinstance(body, dict) else (body, body)
        value = word if isinstance(word, str) and (not isinstance(said, bool) or _STATES.get(word.lower()) is said) else said
        if not isinstance(value, bool) and not (isinstance(value, str) and value.lower() in (*_STATES, "unknown")):
            raise UnusableError(f"topic {message.topic!r}: a node's status must be a word such as Alive or Dead; got {str(body)[:40]!r}")
        if isinstance(value, str) and value.lower() == "unknown":
            return Ignored("no value: the gateway does not know", place.device)
        self._learn(place, None, None)
        ts, source = self.when(parse(written) if written is not None else None, message, place.device)
        return [Said(place.device, place.path, value, None, ts, source)]

    def _learn_prefix(self, prefix: str) -> None:
        prefixes = self.learned.setdefault("prefixes", {})
        if prefix not in prefixes:
            remember(prefixes, prefix, 1, most=MOST_PREFIXES)
            self.changes += 1

    def _learn(self, place: Place, key: str | None, unit: str | None) -> None:
        """Keep which values a node has, and in what unit each is."""
        nodes, base = self.learned.setdefault("nodes", {}), str(place.base)
        if base not in nodes:
            remember(nodes, base, {}, most=MOST_NODES)
            self.changes += 1
        values = nodes[base]
        if key is not None and values.get(key, 0) != unit:
            remember(values, key, unit, most=MOST_VALUES)
            self.readdress(place.device)

    def _known_unit(self, base: str, path: tuple[str, ...]) -> str | None:
        found: str | None = self.learned.get("nodes", {}).get(base, {}).get("/".join(path))
        return found or unit_of(path)

    def series(self, path: tuple[str, ...]) -> vocabulary.Name:
        """Return the name of a value: what it measures, on the channel of its class and endpoint."""
        return vocabulary.Name("online", "") if path == ("status",) else name_of(path)

    def spoken(self, metric: str, value: str) -> Value:
        """Return a text as what it means; a status says whether the node is there."""
        if metric == "online" and value.lower() in _STATES:
            return _STATES[value.lower()]
        return vocabulary.spoken(metric, value)

    def base_of(self, device: str, base: str) -> str:  # noqa: ARG002
        """Return the node's topic with the values that it has, as JSON."""
        return msgspec.json.encode({"base": base, "values": self.learned.get("nodes", {}).get(base, {})}, order="sorted").decode()

    def encode(self, base: str, device: str, settings: Mapping[str, Value]) -> list[Encoded]:
        """Return one message for each setting. `base` is the node's topic, or JSON with its values and their units too."""
        about: dict[str, Any] = msgspec.json.decode(base) if base.startswith("{") else {"base": base, "values": {}}
        encoded = []
        for setting, value in settings.items():
            refuse_toggle(device, setting, value)
            path = self._path(about["values"], device, setting, value)
            told = _told(parts(path)[0], path[-1], device, setting, value)
            sent = (*path[:-1], "targetValue") if path[-1] == "currentValue" else path
            is_number = isinstance(told, (int, float)) and not isinstance(told, bool)
            unit = about["values"].get("/".join(path)) if is_number else None
            payload = msgspec.json.encode({"value": told})
            encoded.append(Encoded("/".join((about["base"], *sent, "set")), payload, (self.report(device, path, told, unit),)))
        return encoded

    def _path(self, values: Mapping[str, Any], device: str, setting: str, value: Value) -> tuple[str, ...]:
        """Return the value that a setting names: by its key as the gateway writes it, or by its metric and channel."""
        metric, channel = split_setting(setting)
        paths = [tuple(key.split("/")) for key in values]
        named = [path for path in paths if ".".join(path) == setting] or [path for path in paths if self._answers(path, metric, channel)]
        if len(named) != 1:
            refuse(device, setting, f"must be one value that the node has reported ({', '.join(sorted(values)) or 'none yet'})", value)
        if parts(named[0])[0] in _READ_ONLY:
            refuse(device, setting, "can be read but not set", value)
        return named[0]

    def _answers(self, path: tuple[str, ...], metric: str, channel: str) -> bool:
        name = self.series(path)
        return name.metric == metric and channel in ("", name.channel)


_BESIDE: Final = frozenset({"time", "nodeName", "nodeLocation"})
"""What stands beside a value; where it stands alone, the value is unknown: the gateway leaves it out."""
_LABELS: Final[Mapping[str, str]] = {"label": "label", "nodeName": "node_name", "nodeLocation": "node_location"}


def _leaves(device: str, value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Value]]:
    """Yield the values of a value: itself, or the members of an object such as a colour. Bytes, which come as arrays, are none."""
    if isinstance(value, dict):
        check_size(device, value, len(path))
        for key, inner in value.items():
            yield from _leaves(device, inner, (*path, key))
    elif value is not None and value != "" and not isinstance(value, list):
        yield path, value


def _word(text: Any) -> str | None:
    return text if isinstance(text, str) and 0 < len(text) <= 64 else None


def _told(kind: str, last: str, device: str, setting: str, value: Value) -> Value:
    """Return a value as the gateway wants it: a switch's as a truth, numbers as numbers."""
    text = on_off(value)
    if kind == "switch_binary" and last in ("currentValue", "targetValue"):
        if text.upper() not in ("ON", "OFF", "TRUE", "FALSE"):
            refuse(device, setting, "must be ON or OFF", value)
        return text.upper() in ("ON", "TRUE")
    number = vocabulary.number(value) if isinstance(value, str) else value
    if kind == "switch_multilevel" and last in ("currentValue", "targetValue") and (number is None or isinstance(number, bool)):
        refuse(device, setting, "must be a number", value)
    return value if number is None else number
