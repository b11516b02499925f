"""Plain scalar: one value on a topic of its own (`home/kitchen/temperature` ← `21.5`). The topic says device and metric (`devices.places`).

A payload is a number, `true`/`false`, `ON`/`OFF`, a number with its unit (`21.5 °C`), or text; in JSON's quotes it is text. What only says
that there is no value (`nan`, `null`, `unavailable`, nothing at all) gives no reading, nor does a line of a log (`[D][wifi:562]: …`). The
time is the receive time.

`a/b/status` ← `online` is the device `b`'s, but that of `a/b` where ESPHome speaks (https://esphome.io/components/mqtt.html: birth and last
will on `<prefix>/status`). It is often a device's first message: it is held until something else below `a/b` tells which, or for a while.

Commands go to `<topic of that metric>/set`, where a last level such as `state` or `value` makes way for `set`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from devices import places, vocabulary
from devices.convention import Convention, Place, Said, on_off, refuse, refuse_toggle, remember, setting_path
from devices.news import News
from devices.payloads import LOG_LINE, Body, quoted
from devices.profile import Profiles
from devices.reading import Encoded, Expected, Ignored, Message, Reading, Value

NO_VALUE: Final = frozenset(
    {"nan", "-nan", "null", "none", "unknown", "unavailable", "undefined", "inf", "-inf", "+inf", "infinity", "-infinity", "n/a"}
)
MOST_TOPICS: Final = 250_000
MOST_OF_DEVICE: Final = 32


class PlainScalar(Convention):
    """One value a message, named by its topic."""

    name = "plain_scalar"
    title = "Plain scalar"
    about = "One value on a topic of its own: home/kitchen/temperature ← 21.5"
    topics = "any that no dialect owns: `home/kitchen/temperature` ← `21.5`; commands on `<topic of the metric>/set`"
    setup = "Publish to the broker, on a topic whose last two levels name device and metric."
    guesses = True
    owns = False
    bodies = frozenset({str})

    def __init__(self, profiles: Profiles, learned: dict[str, Any], news: News | None = None) -> None:
        super().__init__(profiles, learned, news)
        self._topics = sum(map(len, learned.values()))

    def recognise(self, topic: str, levels: tuple[str, ...]) -> Place | None:
        device, path = places.of_value(levels)
        return Place(self.profiles.device_at(topic) or device, base="", path=path)

    def takes(self, body: Body) -> bool:
        return isinstance(body, str)

    def decode(self, message: Message, place: Place, body: Body) -> list[Said] | Ignored:
        assert isinstance(body, str)
        if not body:
            return Ignored("empty payload: a retained value was cleared", place.device)
        value, unit = scalar(body)
        if value is None:
            return Ignored(f"no value: {body}", place.device)
        if LOG_LINE.match(message.payload):
            return Ignored("a line of the device's log", place.device)
        if unit is not None and len(unit) == 1 and unit.isalpha() and body[-2:-1].isdigit() and not _measures(place.path, unit):
            value, unit = body, None  # `4K`, `5G` and the like are names unless the metric is in that unit
        return [Said(place.device, place.path, value, unit, message.received, "received")]

    def normalise(self, said: list[Said], message: Message) -> list[Reading]:
        """Return the readings, and keep which topic each is on: that is where commands go."""
        readings = super().normalise(said, message)
        for one in readings if message.topic else ():
            series = f"{one.metric}/{one.channel}" if one.channel else one.metric
            known = self.learned.get(one.device)
            if known is None or known.get(series) != message.topic:
                self._learn(one.device, series, message.topic)
        return readings

    def _learn(self, device: str, series: str, topic: str) -> None:
        """Keep which topic a series is on. When there are too many, the devices learned longest ago are forgotten."""
        while self._topics >= MOST_TOPICS:
            self._topics -= len(self.learned.pop(next(iter(self.learned))))
        known = self.learned.setdefault(device, {})
        before = len(known)
        remember(known, series, topic, most=MOST_OF_DEVICE)
        self._topics += len(known) - before

    def base_of(self, device: str, base: str) -> str:
        topics: dict[str, str] = self.learned.get(device, {})
        return base or msgspec.json.encode(topics, order="sorted").decode()

    def encode(self, base: str, device: str, settings: Mapping[str, Value]) -> list[Encoded]:
        """Return one message for each setting. `base` is the topics that the device reports on, by series, as JSON.

        Or a plain topic before them.
        """
        topics: dict[str, Any] | None = msgspec.json.decode(base) if base.startswith("{") else None
        encoded = []
        for setting, value in settings.items():
            refuse_toggle(device, setting, value)
            topic = f"{base}/{setting}" if topics is None else _topic_of(topics, setting)
            if topic is None:
                refuse(device, setting, f"must be one that the device reports ({', '.join(topics or ())})", value)
            path = places.of_value(tuple(topic.split("/")))[1] if topics is not None else setting_path(setting)
            encoded.append(Encoded(f"{_stem(topic)}/set", on_off(value).encode(), (self._reported(device, path, value),)))
        return encoded

    def confirms(self, device: str, setting: str, value: Value) -> tuple[Expected, ...]:
        return (self._reported(device, setting_path(setting), value),)

    def _reported(self, device: str, path: tuple[str, ...], value: Value) -> Expected:
        """Return the reading that the device will report: what our own decoding makes of the value's text."""
        said, unit = scalar(on_off(value))
        if said is None:
            refuse(device, path[-1], "must be a value", value)
        return self.report(device, path, said, unit)


def scalar(text: str) -> tuple[Value | None, str | None]:
    """Return value and unit of a scalar's text; None for what says that there is no value.

    >>> scalar("21.5"), scalar("true"), scalar("21.5 °C"), scalar('"007"'), scalar("NaN")
    ((21.5, None), (True, None), (21.5, '°C'), ('007', None), (None, None))
    """
    value = vocabulary.number(text)
    if value is not None:
        return value, None
    inside = quoted(text)
    text = text if inside is None else inside
    if not text or text.lower() in NO_VALUE:
        return None, None
    if inside is None and text in ("true", "false"):
        return text == "true", None
    return vocabulary.number_and_unit(text) or (text, None)


def _measures(path: tuple[str, ...], unit: str) -> bool:
    return vocabulary.METRICS.get(vocabulary.name(path).metric) == vocabulary.UNITS[unit].quantity


def _topic_of(topics: Mapping[str, str], setting: str) -> str | None:
    """Return the topic of a setting: by its series, else by what the device's topic calls it."""
    if setting in topics:
        return topics[setting]
    return next((topic for topic in topics.values() if setting in topic.rsplit("/", 2)[1:]), None)


def _stem(topic: str) -> str:
    head, _, last = topic.rpartition("/")
    return head if head and last.lower() in places.STRUCTURAL else topic
