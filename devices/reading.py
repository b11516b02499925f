"""The words that pass between conventions and everything downstream: a message in, readings out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

Value = float | int | bool | str
"""Numbers stay as the device sent them (integers up to 2^64-1 never pass through float); int and float are one numeric type."""

TimeSource = Literal[
    "device",
    "learned-offset",
    "profile-offset",
    "received",
    "received-no-zone",
    "received-insane",
    "received-unreadable",
    "received-unsynchronised",
]
"""Why a reading has the event time it has; everything that starts with `received` is the receive time."""


class Message(msgspec.Struct, frozen=True, gc=False):
    """One MQTT message as the journal holds it. `received` is epoch ns, by the gateway's clock.

    `ahead` is by how many ns the true time may be ahead of that: a clock that was set back, or not at all yet, must not make devices liars.
    """

    topic: str
    payload: bytes
    received: int
    retained: bool = False
    ahead: int = 0


class Reading(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One value of one metric of one device at one time.

    The identity of its series is (device, metric, channel). `metric`, `value` and `unit` are the vocabulary's; `key`, `raw_value` and
    `raw_unit` are as the device said them. `ts` (event time) and `received` are epoch ns.
    """

    device: str
    metric: str
    channel: str = ""
    key: str
    value: Value
    unit: str | None = None
    raw_value: Value
    raw_unit: str | None = None
    ts: int
    received: int
    time_source: TimeSource = "received"
    convention: str
    labels: Mapping[str, str] = {}
    retained: bool = False
    sequence: int | None = None
    """The dialect's own number of the message (Sparkplug `seq`, LoRaWAN `fCnt` …), where it has one."""


class Ignored(msgspec.Struct, frozen=True):
    """A message that rightly gives no reading: a command, discovery, housekeeping. `device` where it is known."""

    reason: str
    device: str | None = None


class DeadLetter(msgspec.Struct, frozen=True):
    """A message that could not be used, with the reason. `device` where it is known."""

    reason: str
    device: str | None = None


class Held(msgspec.Struct, frozen=True):
    """A message that says nothing until another has been seen, such as data before its birth: to be read again when `stream` is born."""

    reason: str
    device: str
    stream: str


class Ask(msgspec.Struct, frozen=True):
    """A command that a convention needs sent to learn more, such as a request for a birth; `base` as in the device's `Address`."""

    device: str
    base: str
    settings: Mapping[str, Value]
    why: str


class Refused(msgspec.Struct, frozen=True):
    """A value that was left out of its message, by the convention's key, with the reason."""

    device: str
    key: str
    reason: str


Outcome = list[Reading] | Ignored | DeadLetter | Held


class Address(msgspec.Struct, frozen=True):
    """Where a device listens for commands, and in which dialect. `base` is the convention's own (a topic, a device topic)."""

    convention: str
    base: str


class Expected(msgspec.Struct, frozen=True):
    """The reading that confirms a command: this metric and channel of the device, reporting this value."""

    metric: str
    channel: str
    value: Value


class Encoded(msgspec.Struct, frozen=True):
    """A command in a device's dialect: what to publish, and the readings that will confirm it."""

    topic: str
    payload: bytes
    expects: tuple[Expected, ...]


class CommandError(ValueError):
    """A command that a convention cannot express; the text says which setting and why."""
