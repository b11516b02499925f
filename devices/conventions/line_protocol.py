"""Influx line protocol over MQTT, as Telegraf's MQTT output and many small devices publish it: known by the text's form, on any topic.

Source: https://docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol/. A message has one line or many, comments and empty lines
among them:

    weather,host=roof,sensor=north temperature=21.5,humidity=40i,raining=f,sky="clear" 1788350400000000000

*Device*: the tag `host`, `hostname` or `device`, else the topic (`devices.places`). *Key*: `<measurement>.<field>`; the field `value` is
named by its measurement alone. Other tags are labels, and tell series apart. *Types*: a plain number is a float, `i` and `u` are exact
64-bit integers; values of another type than a field's first are a series of their own, on a channel `number`, `boolean` or `text`.
*Time*: nanoseconds, or what the number's size says (µs, ms, s); without one, the receive time.

As InfluxDB does with a write, a message is used as a whole or not at all: one bad line makes it a dead letter that names the line.
A measurement with an unescaped `=` in its name, which InfluxDB would take, is left to be plain text (`ssid=home rssi=-50`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, NoReturn

import msgspec

from devices import vocabulary
from devices.convention import MOST_READINGS, Place, Said, UnusableError, refuse_commands, remember
from devices.kinds import KINDS
from devices.payloads import Body
from devices.reading import Encoded, Ignored, Message, Reading, TimeSource, Value
from devices.tagged import LONGEST_TAGS, TOO_LONG, Tagged, Tags
from devices.timestamps import parse

MOST_SERIES: Final = 200_000
"""Fields whose type is known; the one heard of first is forgotten first."""

_NAME: Final = r'(?:\\[^\n]|[^\\,= \n"{\[#])(?:\\[^\n]|[^\\,= \n])*'
_KEY: Final = r"(?:\\[^\n]|[^\\,= \n])+"
_VALUE: Final = r'(?:"(?:\\.|[^"\\])*"|[^", \r\n]+)'
_TAGS: Final = rf"(?:,{_KEY}={_KEY})"
_FIELDS: Final = rf"{_KEY}={_VALUE}(?:,{_KEY}={_VALUE})*"
_LINE: Final = re.compile(rf"[ \t]*({_NAME})({_TAGS}*) +({_FIELDS})(?: +(-?\d{{1,20}}))?[ \t\r]*(?:\n|\Z)", re.DOTALL)
_SKIPPED: Final = re.compile(r"(?:[ \t\r]*(?:#[^\n]*)?\n)*(?:[ \t\r]*(?:#[^\n]*)?\Z)?")
_LIKELY: Final = re.compile(rf"{_NAME}(?:{_TAGS}+ | +{_FIELDS}(?: +-?\d+)?[ \t\r]*(?:\n|\Z))", re.DOTALL)
_TAG: Final = re.compile(rf",({_KEY})=({_KEY})")
_FIELD: Final = re.compile(rf"({_KEY})=({_VALUE})(?:,|\Z)", re.DOTALL)
_ESCAPED: Final = re.compile(r"\\([,= \\])")
_QUOTED: Final = re.compile(r'\\(["\\])')
_FLOAT: Final = re.compile(r"[-+]?(?:\d{1,400}(?:\.\d{0,400})?|\.\d{1,400})(?:[eE][-+]?\d{1,4})?")
_INTEGER: Final = re.compile(r"([-+]?\d{1,20})([iu])")
_TRUTHS: Final[Mapping[str, bool]] = {
    **dict.fromkeys(("t", "T", "true", "True", "TRUE"), True),
    **dict.fromkeys(("f", "F", "false", "False", "FALSE"), False),
}
_LIMITS: Final = {"i": (-(2**63), 2**63 - 1), "u": (0, 2**64 - 1)}


class LineProtocol(Tagged):
    """Points of InfluxDB's line protocol."""

    name = "line_protocol"
    title = "Influx line protocol"
    about = "Lines as InfluxDB takes them: weather,host=roof temperature=21.5 1788350400000000000"
    topics = "any: known by the text's form"
    setup = 'In telegraf.conf: `[[outputs.mqtt]] servers = ["mqtt://<this machine>:1883"]` and `data_format = "influx"`.'

    def takes(self, body: Body) -> bool:
        if not isinstance(body, str) or "=" not in body or " " not in body:
            return False
        start = _SKIPPED.match(body)
        return start is not None and _LIKELY.match(body, start.end()) is not None

    def decode(self, message: Message, place: Place, body: Body) -> list[Said] | Ignored:
        assert isinstance(body, str)
        points: dict[tuple[str, str, tuple[str, ...], int], Said] = {}
        position = _end(_SKIPPED, body, 0)
        while position < len(body):
            line = _LINE.match(body, position)
            if line is None:
                _refuse(message, body, position, "must be measurement[,tag=value…] field=value[,field=value…] [timestamp]")
            tags = _tags(line[2]) if len(line[2]) <= LONGEST_TAGS else TOO_LONG
            if tags.wrong:
                _refuse(message, body, line.start(), tags.wrong)
            for one in self._point(message, place.device, body, line, tags):
                points[one.device, tags.channel, one.path, one.ts] = one  # of two equal points the later one counts
            if len(points) > MOST_READINGS:
                raise UnusableError(f"topic {message.topic!r}: a message must hold at most {MOST_READINGS} values; got more")
            position = _end(_SKIPPED, body, line.end())
        return list(points.values())

    def _point(self, message: Message, device: str, body: str, line: re.Match[str], tags: Tags) -> list[Said]:
        device, labels = tags.machine or device, tags.labels
        measurement = _plain(line[1])
        at = self._time(message, device, line[4])
        said = []
        for key, text in _FIELD.findall(line[3]):
            value = _value(text)
            if value is None:
                rule = "must be a number, 64-bit integer with i or u, t or f, or text in double quotes"
                _refuse(message, body, line.start(), f"field {key[:40]!r} {rule}; got {text[:40]!r}")
            if value != "":
                said.append(Said(device, (measurement, _plain(key)), value, None, *at, labels))
        return said

    def normalise(self, said: list[Said], message: Message) -> list[Reading]:
        return [self._typed(one) for one in super().normalise(said, message)]

    def _typed(self, one: Reading) -> Reading:
        """Return a reading on its series' channel, or, where that has begun with values of another type, on one of its own type."""
        kind = KINDS[one.value.__class__]
        series = f"{one.device}\x1f{one.metric}\x1f{one.channel}"
        known = self.learned.get(series)
        if known is None:
            remember(self.learned, series, kind, most=MOST_SERIES)
        if known in (None, kind):
            return one
        return msgspec.structs.replace(one, channel=f"{one.channel}.{kind}" if one.channel else kind)

    def _time(self, message: Message, device: str, text: str | None) -> tuple[int, TimeSource]:
        if text is None:
            return message.received, "received"
        if text[0] == "-":
            return message.received, "received-insane"
        return self.when(parse(int(text), least=0), message, device)

    def series(self, path: tuple[str, ...]) -> vocabulary.Name:
        """Return the name of a field; the one that is called `value` is what its measurement measures."""
        return vocabulary.name(path[:1] if path[1:] == ("value",) else path)

    def encode(self, base: str, device: str, settings: Mapping[str, Value]) -> list[Encoded]:  # noqa: ARG002
        refuse_commands(device, self.title)


def _end(pattern: re.Pattern[str], text: str, position: int) -> int:
    found = pattern.match(text, position)
    return found.end() if found else position


@lru_cache(maxsize=20_000)
def _tags(text: str) -> Tags:
    return Tags.of({_plain(tag): _plain(value) for tag, value in _TAG.findall(text)})


def _plain(text: str) -> str:
    return _ESCAPED.sub(r"\1", text) if "\\" in text else text


def _value(text: str) -> Value | None:
    r"""Return a field's value; None for what is none.

    >>> _value("1"), _value("18446744073709551615u"), _value("F"), _value('"\\"no\\""'), _value("9223372036854775808i"), _value("on")
    (1.0, 18446744073709551615, False, '"no"', None, None)
    """
    if text[0] == '"':
        return _QUOTED.sub(r"\1", text[1:-1])
    if text in _TRUTHS:
        return _TRUTHS[text]
    if integer := _INTEGER.fullmatch(text):
        value, (low, high) = int(integer[1]), _LIMITS[integer[2]]
        return value if low <= value <= high else None
    number = float(text) if _FLOAT.fullmatch(text) else None
    return number if number is not None and abs(number) != float("inf") else None


def _refuse(message: Message, body: str, position: int, rule: Any) -> NoReturn:
    line = body[position:].lstrip("\n").split("\n", 1)[0]
    raise UnusableError(f"topic {message.topic!r}: line {body.count(chr(10), 0, position) + 1} {rule}; got {line[:60]!r}")
