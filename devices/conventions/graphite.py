"""Graphite's plaintext protocol over MQTT: `<path>[;tag=value…] <value> <timestamp>`, one or many lines, known by the text's form.

Source: https://graphite.readthedocs.io/en/latest/feeding-carbon.html and …/tags.html (tags). Telegraf publishes it with
`data_format = "graphite"`; Graphite's pickle protocol is not read.

*Key*: the path; its last part names the metric, what stands before it the channel. *Device*: the tag `host`, `hostname` or `device`, else
the topic (`devices.places`), since where in a path the machine stands is everyone's own choice. *Time*: seconds, or what the number's size
says; -1 is the receive time. `nan` is no value. One bad line makes the message a dead letter that names the line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final, NoReturn

from devices import vocabulary
from devices.convention import MOST_READINGS, Place, Said, UnusableError, refuse_commands
from devices.payloads import Body
from devices.reading import Encoded, Ignored, Message, TimeSource, Value
from devices.tagged import LONGEST_TAGS, TOO_LONG, Tagged, Tags
from devices.timestamps import parse

_NUMBER: Final = r"[-+]?(?:\d{1,400}(?:\.\d{0,400})?|\.\d{1,400})(?:[eE][-+]?\d{1,4})?"
_LINE: Final = re.compile(
    rf"[ \t]*(?=[^\s;]*[^\W\d_])([^\s;=,\"{{\[]+)((?:;[^\s;=]+=[^\s;]+)*)[ \t]+({_NUMBER}|[nN][aA][nN])[ \t]+(-1|\d{{9,19}}(?:\.\d{{1,9}})?)\s*(?:\n|\Z)"
)
_TAG: Final = re.compile(r";([^\s;=]+)=([^\s;]+)")


class Graphite(Tagged):
    """Lines of Graphite's plaintext protocol."""

    name = "graphite"
    title = "Graphite"
    about = "Lines as Graphite takes them: plant.boiler.temperature 61.5 1788350400"
    topics = "any: known by the text's form"
    setup = 'In telegraf.conf: `[[outputs.mqtt]] servers = ["mqtt://<this machine>:1883"]` and `data_format = "graphite"`.'

    def takes(self, body: Body) -> bool:
        if not isinstance(body, str) or " " not in body or ("." not in body and ";" not in body):
            return False
        first = _LINE.match(body)
        return first is not None and ("." in first[1] or bool(first[2]))

    def decode(self, message: Message, place: Place, body: Body) -> list[Said] | Ignored:
        assert isinstance(body, str)
        points: dict[tuple[str, str, tuple[str, ...], int], Said] = {}
        position = 0
        while position < len(body):
            line = _LINE.match(body, position)
            if line is None:
                _refuse(message, body, position, "must be path[;tag=value…] value timestamp")
            tags = _tags(line[2]) if len(line[2]) <= LONGEST_TAGS else TOO_LONG
            if tags.wrong:
                _refuse(message, body, line.start(), tags.wrong)
            if one := self._point(message, place.device, body, line, tags):
                points[one.device, tags.channel, one.path, one.ts] = one  # of two equal points the later one counts
            if len(points) > MOST_READINGS:
                raise UnusableError(f"topic {message.topic!r}: a message must hold at most {MOST_READINGS} values; got more")
            position = line.end()
        return list(points.values()) or Ignored("no value in it", place.device)

    def _point(self, message: Message, device: str, body: str, line: re.Match[str], tags: Tags) -> Said | None:
        device = tags.machine or device
        if line[3].lower() == "nan":
            return None
        value = vocabulary.number(line[3])
        value = float(line[3]) if value is None else value
        if abs(value) == float("inf"):
            _refuse(message, body, line.start(), "must have a value that a double can hold")
        return Said(device, tuple(line[1].split(".")), value, None, *self._time(message, device, line[4]), tags.labels)

    def _time(self, message: Message, device: str, text: str) -> tuple[int, TimeSource]:
        if text == "-1":
            return message.received, "received"
        return self.when(parse(text), message, device)

    def encode(self, base: str, device: str, settings: Mapping[str, Value]) -> list[Encoded]:  # noqa: ARG002
        refuse_commands(device, self.title)


@lru_cache(maxsize=20_000)
def _tags(text: str) -> Tags:
    return Tags.of(dict(_TAG.findall(text)))


def _refuse(message: Message, body: str, position: int, rule: str) -> NoReturn:
    line = body[position:].split("\n", 1)[0]
    raise UnusableError(f"topic {message.topic!r}: line {body.count(chr(10), 0, position) + 1} {rule}; got {line[:60]!r}")
