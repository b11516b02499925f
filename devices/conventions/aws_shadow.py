"""AWS IoT Device Shadow, classic and named: `$aws/things/<thing>/shadow/[name/<shadow>/]update` and its answers.

Sources: https://docs.aws.amazon.com/iot/latest/developerguide/device-shadow-mqtt.html (topics), …/device-shadow-document.html (documents),
…/life-cycle-events.html (presence). A document `{"state": {"reported": …}}` is known on any topic (`my/things/<thing>/update`), as is Alibaba
Cloud's `/shadow/update/<product>/<device>` (https://www.alibabacloud.com/help/en/iot/user-guide/device-shadow).

*Readings* are what is `reported`; what is `desired`, and the `delta` of the two, are commands to the device; of `update/documents` the
`current` document counts. A client that connects or disconnects is `online` or not. Jobs, defender, and the answers that refuse are no
readings. *Time*: that of each field in `metadata`, else the document's `timestamp`. The shadow's `version` is the reading's sequence.
*Channel*: the name of a named shadow, before what the keys say.

Commands: what is desired, to `…/shadow/update`; a setting of a named shadow is `<metric>/<shadow>`. The device confirms it as `reported`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from devices import places, vocabulary
from devices.convention import (
    MOST_READINGS,
    Convention,
    Place,
    Said,
    UnusableError,
    check_size,
    put,
    refuse,
    refuse_toggle,
    remember,
    setting_path,
    split_setting,
)
from devices.payloads import Body
from devices.reading import Encoded, Expected, Ignored, Message, Reading, Value
from devices.tagged import apart
from devices.timestamps import Stamp, parse

MOST_THINGS: Final = 50_000
MOST_SHADOWS: Final = 32
_DOCUMENTS: Final = frozenset({"update", "update/accepted", "update/documents", "get/accepted"})
_WITHOUT: Final[Mapping[str, str]] = {"update/delta": "what the device is asked to change"}
_VERBS: Final = frozenset({"update", "accepted", "documents", "get", "shadow", "reported", "state"})
_DOCUMENT_KEYS: Final = frozenset({"state", "metadata", "timestamp", "version", "clientToken", "method"})
_STATES: Final = frozenset({"reported", "desired"})
_PARTS: Final = _STATES | {"delta"}
_PRESENCE: Final[Mapping[str, bool]] = {"connected": True, "disconnected": False}


class AwsShadow(Convention):
    """Shadow documents, and the presence of clients."""

    name = "aws_shadow"
    title = "AWS IoT Device Shadow"
    about = "Shadow documents of AWS IoT: $aws/things/<thing>/shadow/update"
    topics = "`$aws/things/<thing>/shadow/[name/<shadow>/]…`, `$aws/events/presence/…`, Alibaba Cloud's `/shadow/…`; commands on `…/update`"
    setup = (
        "Bridge the topics from AWS IoT Core, and subscribe them by name: `broker.subscribe: [{topic: '#'}, {topic: '$aws/#'}]`,"
        " since `#` leaves out topics that begin with `$`."
    )
    guesses = True
    marks = frozenset({"state", "previous"})

    def recognise(self, topic: str, levels: tuple[str, ...]) -> Place | None:  # noqa: ARG002
        if levels[0] == "$aws" and len(levels) > 1:
            return _reserved(levels)
        if len(levels) == 5 and levels[:2] == ("", "shadow") and levels[2] in ("get", "update") and levels[4]:
            return Place(levels[4], role=levels[2])
        return None

    def spot(self, topic: str, levels: tuple[str, ...], body: Body) -> Place | None:
        document = body.get("current") if isinstance(body, dict) and "previous" in body else body
        if not isinstance(document, dict) or not _is_state(document.get("state")) or not _DOCUMENT_KEYS.issuperset(document):
            return None
        if "things" in levels[:-1]:
            return Place(levels[levels.index("things") + 1] or topic)
        end = len(levels)
        while end > 1 and (not levels[end - 1] or levels[end - 1].lower() in _VERBS):
            end -= 1
        return Place(self.profiles.device_at(topic) or places.of_object(levels[:end])[0])

    def takes(self, body: Body) -> bool:  # noqa: ARG002
        return True

    def decode(self, message: Message, place: Place, body: Body) -> list[Said] | Ignored:
        if body == "":
            return Ignored("empty payload: a request, or a retained value that was cleared", place.device)
        if not isinstance(body, dict):
            raise UnusableError(f"topic {message.topic!r}: a shadow's document must be an object; got {str(body)[:40]!r}")
        if place.role == "presence":
            return self._presence(message, place, body)
        document = _document(body)
        state = document.get("state")
        method = body.get("method")
        if method == "delete" or ("state" in document and state is None):
            return Ignored("a state that is cleared", place.device)
        if isinstance(method, str) and state is None:
            return Ignored(f"a request or an answer: {method[:40]}", place.device)
        if not isinstance(state, dict):
            raise UnusableError(f"topic {message.topic!r}: a shadow's document must have a `state`; got {', '.join(document)[:60]!r}")
        reported = state.get("reported")
        if not isinstance(reported, dict):
            return Ignored("a command to a device: only what is desired", place.device)
        said = self._reported(message, place, body, document, reported)
        return said or Ignored("no value in it", place.device)

    def _presence(self, message: Message, place: Place, body: dict[str, Any]) -> list[Said] | Ignored:
        event = body.get("eventType")
        if not isinstance(event, str) or event not in _PRESENCE:
            raise UnusableError(f"topic {message.topic!r}: eventType must be connected or disconnected; got {str(event)[:40]!r}")
        at = self.when(parse(body.get("timestamp")), message, place.device)
        return [Said(place.device, ("eventType",), event, None, *at)]

    def _reported(
        self, message: Message, place: Place, body: dict[str, Any], document: dict[str, Any], reported: dict[str, Any]
    ) -> list[Said]:
        metadata = document.get("metadata")
        times = metadata.get("reported") if isinstance(metadata, dict) else None
        stamp = parse(document.get("timestamp")) or parse(body.get("timestamp"))
        version = document.get("version")
        version = version if isinstance(version, int) and not isinstance(version, bool) and 0 <= version < 2**63 else None
        labels = {"shadow": place.path[0]} if place.path else {}
        if place.path:
            self._learn_shadow(place.device, place.path[0])
        said = []
        for path, value, own in _values(reported, times, (), stamp, device=place.device):
            said.append(Said(place.device, path, value, None, *self.when(own, message, place.device), labels, version))
            if len(said) > MOST_READINGS:
                raise UnusableError(f"topic {message.topic!r}: a message must hold at most {MOST_READINGS} values; got more")
        return said

    def _learn_shadow(self, thing: str, shadow: str) -> None:
        known: list[str] = self.learned.get(thing, [])
        if shadow not in known and len(known) < MOST_SHADOWS:
            remember(self.learned, thing, sorted((*known, shadow)), most=MOST_THINGS)
            self.readdress(thing)

    def normalise(self, said: list[Said], message: Message) -> list[Reading]:
        """Return the readings; those of a named shadow are on its channel."""
        readings = super().normalise(said, message)
        return apart(readings, said[0].labels.get("shadow", "")) if said else readings

    def series(self, path: tuple[str, ...]) -> vocabulary.Name:
        return vocabulary.Name("online", "") if path == ("eventType",) else vocabulary.name(path)

    def spoken(self, metric: str, value: str) -> Value:
        return _PRESENCE[value] if metric == "online" and value in _PRESENCE else super().spoken(metric, value)

    def base_of(self, device: str, base: str) -> str:
        shadows = self.learned.get(device)
        return msgspec.json.encode({"shadows": shadows, "topic": base}, order="sorted").decode() if shadows else base

    def encode(self, base: str, device: str, settings: Mapping[str, Value]) -> list[Encoded]:
        """Return one update of each shadow that is meant. `base` is the classic shadow's topic, or JSON with the thing's named shadows."""
        known: dict[str, Any] = msgspec.json.decode(base) if base.startswith("{") else {"shadows": [], "topic": base}
        bodies: dict[str, dict[str, Any]] = {}
        expects: dict[str, list[Expected]] = {}
        for setting, value in settings.items():
            refuse_toggle(device, setting, value)
            shadow, inside = _addressed(setting, known["shadows"])
            path = setting_path(inside)
            if not path:
                refuse(device, setting, "must be a metric, or metric/shadow", value)
            put(bodies.setdefault(shadow, {}), path, value, device=device, setting=setting)
            one = self.report(device, path, value)
            channel = ".".join(filter(None, (shadow, one.channel)))
            expects.setdefault(shadow, []).append(Expected(one.metric, channel, one.value))
        return [
            Encoded(
                f"{known['topic']}/name/{shadow}/update" if shadow else f"{known['topic']}/update",
                msgspec.json.encode({"state": {"desired": body}}),
                tuple(expects[shadow]),
            )
            for shadow, body in bodies.items()
        ]


def _reserved(levels: tuple[str, ...]) -> Place:
    """Return what a topic below `$aws` says."""
    if levels[1:3] == ("events", "presence") and len(levels) == 5 and levels[4]:
        return Place(levels[4], role="presence")
    if levels[1] != "things" or len(levels) < 5 or not levels[2] or levels[3] != "shadow":
        return Place(levels[2] if levels[1] == "things" and len(levels) > 2 else "", ignored=f"AWS IoT's own: {'/'.join(levels[1:])[:60]}")
    named = levels[4] == "name" and len(levels) > 6
    verb = "/".join(levels[6 if named else 4 :])
    base = "/".join(levels[:4])
    if verb not in _DOCUMENTS:
        return Place(levels[2], base, ignored=_WITHOUT.get(verb, f"the shadow service's own: {verb[:40]}"))
    return Place(levels[2], base, (levels[5],) if named else (), verb)


def _is_state(state: Any) -> bool:
    """Return whether a document's state is a shadow's, and nothing else's."""
    return isinstance(state, dict) and not _STATES.isdisjoint(state) and _PARTS.issuperset(state)


def _document(body: dict[str, Any]) -> dict[str, Any]:
    """Return the document of a message: the current one of two, or what Alibaba Cloud wraps in `payload`."""
    for key in ("current", "payload"):
        inner = body.get(key)
        if isinstance(inner, dict) and "state" in inner and "state" not in body:
            return inner
    return body


def _values(
    state: Any, times: Any, path: tuple[str, ...], stamp: Stamp | None, *, device: str
) -> Iterator[tuple[tuple[str, ...], Value, Stamp | None]]:
    """Yield path, value and time of each field; `times` mirrors the state, with a `timestamp` where that has a value."""
    check_size(device, state, len(path) + 1)
    texts = isinstance(state, dict)
    if isinstance(times, list):
        times = {str(index): one for index, one in enumerate(times)}
    for key, value in state.items() if isinstance(state, dict) else ((str(index), one) for index, one in enumerate(state)):
        own = times.get(key) if isinstance(times, dict) else None
        then = parse(own.get("timestamp")) if isinstance(own, dict) else None
        kind = value.__class__
        if kind is dict or kind is list:
            yield from _values(value, own, (*path, key), then or stamp, device=device)
        elif kind is float or kind is int or kind is bool or (kind is str and value and texts):
            yield (*path, key), value, then or stamp


def _addressed(setting: str, shadows: list[str]) -> tuple[str, str]:
    """Return which named shadow a setting is of, and what it is called there.

    >>> _addressed("mode/heating", ["heating"]), _addressed("mode/heating.zone1", ["heating"]), _addressed("mode/zone1", ["heating"])
    (('heating', 'mode'), ('heating', 'mode/zone1'), ('', 'mode/zone1'))
    """
    metric, channel = split_setting(setting)
    for shadow in shadows:
        if channel == shadow or channel.startswith(f"{shadow}."):
            rest = channel[len(shadow) + 1 :]
            return shadow, f"{metric}/{rest}" if rest else metric
    return "", setting
