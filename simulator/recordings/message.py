"""A row said again: plain JSON on the device's own topic, so that it reads as what was recorded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

from devices import places, vocabulary
from devices.conventions.plain_json import DEVICES, ENVELOPES
from simulator.dialects.rfc3339 import written
from simulator.recordings.row import Measure, Row
from simulator.timestamps import Timestamps, timestamp

_ESCAPES: Final = {ord(character): f"%{ord(character):02X}" for character in "/+#%$"}
"""What means something in a topic is percent-encoded, as in the topics that Sluice publishes on."""
_CLAIM: Final = DEVICES[0]
_MS: Final = 1_000_000


def messages(row: Row, *, root: str, shift: int = 0, timestamps: Timestamps = "iso") -> Iterator[tuple[str, bytes]]:
    """Give topics and payloads that say a row, its time later by `shift` ns: one, or more where a value cannot stand beside another.

    A value is under its metric, within its channel where it has one, and with its unit where that is known. The device is claimed where its
    topic alone would read otherwise. Plain JSON has no words for the channel, unless a number, of a metric that the vocabulary does not
    know: it reads as the metric `<channel>_<metric>`.

    >>> list(messages(Row(1_750_000_000_250_000_000, "t-1", (Measure("power", "2", 21.5, "W"),)), root="recordings"))
    [('recordings/t-1', b'{"timestamp":"2025-06-15T15:06:40.250Z","2":{"power":{"value":21.5,"unit":"W"}}}')]
    """
    levels = _levels(root, row.device)
    topic = "/".join(levels)
    for body in _bodies(row.measures):
        unclear = places.of_object(levels, body)[0] != row.device or any(map(_claims, body))
        head = {**_timestamp(row.at + shift, timestamps), **({_CLAIM: row.device} if unclear else {})}
        said = {**head, **body, **head}  # the head stands first, and above a metric that is called so
        yield topic, json.dumps(said, separators=(",", ":"), ensure_ascii=False).encode(errors="replace")


@lru_cache(maxsize=4096)
def _levels(root: str, device: str) -> tuple[str, ...]:
    """Give the levels of a device's topic; its name is one of them."""
    level = device.translate(_ESCAPES)
    if level.isdigit() or places.is_command((root, level)):
        level = f"device-{level}"  # alone it would be a channel, or make the message a command
    return (*root.split("/"), level)


@lru_cache(maxsize=4096)
def _claims(key: str) -> bool:
    """Tell whether a key would be taken to name the device."""
    return vocabulary.snake(key) in DEVICES


@lru_cache(maxsize=4096)
def _name(channel: str, metric: str) -> vocabulary.Name:
    """Give the series that a metric within a channel reads as."""
    return vocabulary.name((channel, metric) if channel else (metric,))


def _bodies(measures: tuple[Measure, ...]) -> Iterator[dict[str, Any]]:
    together: list[Measure] = []
    for one in measures:
        if _wraps(one):
            yield {"name": one.metric, "value": one.value, **({"unit": one.unit} if one.unit else {})}
        else:
            together.append(one)
    while together:
        body: dict[str, Any] = {}
        series: set[vocabulary.Name] = set()
        together = [one for one in together if not _put(body, one, series)]
        yield body


def _wraps(one: Measure) -> bool:
    """Tell whether a metric has a name that would only wrap its value, unless the message is that value alone."""
    return not one.channel and (one.unit is not None or one.metric == "value") and vocabulary.snake(one.metric) in ENVELOPES


def _put(body: dict[str, Any], one: Measure, series: set[vocabulary.Name]) -> bool:
    """Put a value into an object, unless its place is taken, or another there reads as the same series."""
    place = body.get(one.channel, {}) if one.channel else body
    name = _name(one.channel, one.metric)
    if not isinstance(place, dict) or one.metric in place or name in series:
        return False
    series.add(name)
    place[one.metric] = one.value if one.unit is None else {"value": one.value, "unit": one.unit}
    if one.channel:
        body[one.channel] = place
    return True


def _timestamp(at: int, kind: Timestamps) -> dict[str, str | int]:
    """Say when: to the nanosecond where the recording does, since repeats are told by their time."""
    return timestamp(at, kind) if kind != "iso" or at % _MS == 0 else {"timestamp": written(at)}
