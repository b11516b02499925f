r"""Rows as InfluxDB line protocol, in the shapes that docs promise.

Source of the format: the line protocol reference of InfluxDB v2 (docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol). It has no
way to write a line break in a tag or a field, no way to end a tag value with a backslash, and servers differ in how they read a backslash
before a comma; some servers take a line break inside quotes for the end of the line, which would let a device write points of its own.
So, in measurements, tags and their keys, control characters and such backslashes are percent-encoded (`%0A`, `%5C`, upper case) and so is
a `%` that would read as one of these: different names stay different, and all others are as they were. In text fields a line break is
the two characters `\n`, as Telegraf writes it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from functools import lru_cache

import msgspec

from devices.reading import Value
from gateway.delivery.destination import Row
from gateway.delivery.label_tags import LabelTags
from gateway.store.effects import AlertChanged, CommandFact, CommandRequested, Group, ReadingKept, WindowClosed
from gateway.store.outcomes import group_text

LONGEST_TEXT = 1_048_576
"""Bytes in a text field that InfluxDB takes."""

CACHED = 65_536

_UNSAFE = re.compile(r"[\x00-\x1f\x7f]|\\(?=[,= \\]|\Z)|%(?=[01][0-9A-F]|23|25|5C|7F)")
_ENCODED = re.compile(r"%([01][0-9A-F]|23|25|5C|7F)")
_SPECIAL = re.compile(r"[,= ]")
_IN_MEASUREMENT = re.compile(r"[, ]")
_TEXT = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r"})
_RESERVED = frozenset({"time", "_measurement", "_field"})


class UnwritableError(ValueError):
    """A row that line protocol cannot carry; the text says why."""


def encoded(name: str) -> str:
    r"""Percent-encode what line protocol cannot carry in names, and nothing else.

    >>> encoded("Living%20Room, left"), encoded("a\nb"), encoded("a%0Ab"), encoded("end\\")
    ('Living%20Room, left', 'a%0Ab', 'a%250Ab', 'end%5C')
    """
    return _UNSAFE.sub(lambda found: f"%{ord(found[0]):02X}", name)


def decoded(name: str) -> str:
    r"""Give a name back as it was before `encoded`.

    >>> decoded("a%0Ab"), decoded("a%250Ab"), decoded("Living%20Room")
    ('a\nb', 'a%0Ab', 'Living%20Room')
    """
    return _ENCODED.sub(lambda found: chr(int(found[1], 16)), name)


class Lines:
    """Writes rows as lines. `tags` are the labels that readings carry as tags, beside device, channel and site."""

    def __init__(self, site: str, tags: LabelTags) -> None:
        self._site = site
        self._tags = tags
        self._heads: dict[tuple[str, ...], str] = {}

    def line(self, row: Row) -> str:
        """Give the row's line, without the line's end. Raises UnwritableError."""
        match row:
            case ReadingKept():
                return self._reading(row)
            case WindowClosed():
                return self._window(row)
            case AlertChanged():
                return self._alert(row)
            case CommandRequested() | CommandFact():
                return self._command(row)

    def _reading(self, kept: ReadingKept) -> str:
        reading = kept.reading
        labels = self._tags.of(reading.labels, kept.id)
        key = (reading.metric, reading.device, reading.channel, *labels)
        head = self._heads.get(key)
        if head is None:
            head = self._new_head(kept)
        return f"{head} {_field('value', reading.value, 'text')} {reading.ts}"

    def _new_head(self, kept: ReadingKept) -> str:
        """Make the head of the lines of a series, with labels that it had not before."""
        if len(self._heads) >= CACHED:
            self._heads.clear()
        reading = kept.reading
        self._tags.count(reading.labels, kept.id)
        labels = self._tags.of(reading.labels, kept.id)
        tags = {"device": reading.device, "site": self._site, "channel": reading.channel}
        head = _head(reading.metric, tags, zip(self._tags.names, labels, strict=True))
        self._heads[reading.metric, reading.device, reading.channel, *labels] = head
        return head

    def _window(self, window: WindowClosed) -> str:
        fields = [_field(name, value, f"{name}_text") for name, value in window.values.items() if value is not None and name != "revision"]
        if "count" not in window.values:
            fields.append(_field("count", window.count))
        fields.append(_field("revision", window.revision))
        return f"{_head(window.flow, {'site': self._site}, window.group)} {','.join(fields)} {window.end}"

    def _alert(self, alert: AlertChanged) -> str:
        tags = {"site": self._site, "flow": alert.flow, "state": alert.state}
        fields = (
            _field("value", alert.state == "raised"),
            _field("", alert.message, "message"),
            _field("", alert.severity, "severity"),
            _field("", alert.episode, "episode"),
        )
        return f"{_head('alerts', tags, alert.group)} {','.join(fields)} {alert.time}"

    def _command(self, command: CommandRequested | CommandFact) -> str:
        tags = {"site": self._site, "flow": command.flow, "device": command.device}
        if isinstance(command, CommandRequested):
            tags |= {"state": "requested", "group": group_text(command.group)}
            name, attempt, detail = command.id, 0, ""
        else:
            tags |= {"state": command.state}
            name, attempt, detail = command.command, command.attempt, command.detail
        settings = msgspec.json.encode(command.settings).decode()
        fields = (_field("attempt", attempt), _field("", name, "command"), _field("", settings, "settings"), _field("", detail, "detail"))
        return f"{_head('commands', tags)} {','.join(fields)} {command.time}"


def _head(measurement: str, tags: dict[str, str], others: Iterable[tuple[str, str]] | Group = ()) -> str:
    """Give measurement and tags, in order of the tags' names; empty ones are left out, as InfluxDB has it.

    A label or group key with a name that is taken gets `label_` before it.
    """
    if not measurement:
        raise UnwritableError("the measurement must have a name; got an empty one")
    every = dict(tags)
    for name, value in others:
        every[f"label_{name}" if name in tags or name in _RESERVED else name] = value
    written = ",".join(f"{_tag(name)}={_tag(value)}" for name, value in sorted(every.items()) if name and value)
    name = _IN_MEASUREMENT.sub(r"\\\g<0>", encoded(measurement))
    head = f"%23{name[1:]}" if name.startswith("#") else name  # a line that starts with # is a comment
    return f"{head},{written}" if written else head


def _tag(text: str) -> str:
    return _SPECIAL.sub(r"\\\g<0>", encoded(text))


@lru_cache(maxsize=1024)
def _field_name(name: str) -> str:
    return _tag(name)


def _field(name: str, value: Value, text_name: str = "text") -> str:
    """Give a field: numbers always as floats, booleans as 0 and 1, text under its own name, so that a field never changes its type."""
    if isinstance(value, str):
        escaped = value.translate(_TEXT)
        if len(value) > LONGEST_TEXT or len(escaped.encode()) > LONGEST_TEXT:
            raise UnwritableError(f"field {text_name}: text must be at most {LONGEST_TEXT} bytes; got {len(escaped.encode())}")
        return f'{_field_name(text_name)}="{escaped}"'
    if isinstance(value, int):
        return f"{_field_name(name)}={_integer(name, value)}"
    if not math.isfinite(value):
        raise UnwritableError(f"field {name}: must be a finite number; got {value}")
    return f"{_field_name(name)}={value!r}"


def _integer(name: str, value: int) -> str:
    try:
        float(value)
    except OverflowError:
        raise UnwritableError(f"field {name}: must fit a float; got an integer of {value.bit_length()} bits") from None
    return f"{value:d}"
