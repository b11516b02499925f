"""Series that are told apart by tags: what Influx line protocol and Graphite have in common.

The tags of a line name the machine (`host`, `hostname` or `device`, the first that is there), and say which of its series it is: the others,
sorted, are the channel of all that stands on the line (`cpu=cpu0,mode=idle`), and its labels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from devices import places
from devices.convention import LONGEST_KEY, Convention, Place, Said
from devices.reading import Message, Reading

MACHINES: Final = ("host", "hostname", "device")


class Tagged(Convention):
    """A text whose lines have tags, on any topic."""

    guesses = True
    owns = False
    bodies = frozenset({str})
    commands = False

    def recognise(self, topic: str, levels: tuple[str, ...]) -> Place | None:
        return Place(self.profiles.device_at(topic) or places.of_object(levels)[0])

    def normalise(self, said: list[Said], message: Message) -> list[Reading]:
        """Return the readings: those of lines with the same tags are told apart by their keys, others by their tags."""
        groups: dict[tuple[str, str], list[Said]] = {}
        labels, channel = None, ""
        for one in said:
            if one.labels is not labels:
                labels, channel = one.labels, channel_of(one.labels)
            groups.setdefault((one.device, channel), []).append(one)
        readings: list[Reading] = []
        for (_, channel), group in groups.items():
            readings += apart(super().normalise(group, message), channel)
        return readings


class Tags(msgspec.Struct, frozen=True):
    """What the tags of a line say: which machine, if any, its labels, and the channel that they make; or what is `wrong` with them."""

    machine: str | None
    labels: dict[str, str]
    channel: str
    wrong: str | None

    @classmethod
    def of(cls, tags: Mapping[str, str]) -> Tags:
        named, labels = machine(tags)
        return cls(named, labels, channel_of(labels), check_tags(tags))


LONGEST_TAGS: Final = 4 * LONGEST_KEY
"""A text of tags that is longer has too many, however much of it is escaped."""
TOO_LONG: Final = Tags(None, {}, "", f"must have tags of at most {LONGEST_KEY} characters")


def machine(tags: Mapping[str, str]) -> tuple[str | None, dict[str, str]]:
    """Return the machine that tags name, and the other tags.

    >>> machine({"device": "sda1", "host": "nas"}), machine({"type": "x"})
    (('nas', {'device': 'sda1'}), (None, {'type': 'x'}))
    """
    named = next((tag for tag in MACHINES if tag in tags), None)
    if named is None:
        return None, dict(tags)
    return tags[named], {tag: value for tag, value in tags.items() if tag != named}


def channel_of(tags: Mapping[str, str]) -> str:
    r"""Return the channel that tags make, one for each set of tags.

    >>> channel_of({"mode": "idle", "cpu": "cpu0"}), channel_of({"a": "1,b=2"})
    ('cpu=cpu0,mode=idle', 'a=1\\,b\\=2')
    """
    if not tags:
        return ""
    return ",".join(f"{_escaped(tag)}={_escaped(tags[tag])}" for tag in sorted(tags))


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace(",", "\\,").replace("=", "\\=") if "," in text or "=" in text or "\\" in text else text


def apart(readings: list[Reading], channel: str) -> list[Reading]:
    """Return readings on a channel of their own, before what their keys say of theirs."""
    if not channel:
        return readings
    return [msgspec.structs.replace(one, channel=f"{channel}.{one.channel}" if one.channel else channel) for one in readings]


def check_tags(tags: Mapping[str, str]) -> str | None:
    """Return what is wrong with tags as a name of a series, or None."""
    if sum(len(tag) + len(value) for tag, value in tags.items()) > LONGEST_KEY:
        return TOO_LONG.wrong
    return (
        None if all(tag.isprintable() and value.isprintable() for tag, value in tags.items()) else "must have tags of printable characters"
    )
