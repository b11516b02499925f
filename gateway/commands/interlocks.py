"""What interlocks say to a command that has not been sent yet. Pure: what was switched and sent when, and the time, come in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from devices.interlocks import Interlocks, Switch

SECOND = 1_000_000_000
HOUR = 3600 * SECOND


class Switched(NamedTuple):
    """A setting of a device that is on or off, and since when (epoch ns).

    `metric` and `channel` are those that report it ("" where none does), and `place` is the journal's row behind which a report is news.
    """

    device: str
    setting: str
    on: bool
    since: int
    place: int
    metric: str
    channel: str


class Hold(NamedTuple):
    """Why a command is held back, and until when (epoch ns; None: as long as that lasts)."""

    why: str
    until: int | None


def hold(rules: Interlocks, wanted: Switch | None, was: Switched | None, sends: Sequence[int], *, now: int) -> Hold | None:
    """Give what holds a command back the longest; None where it may go.

    `wanted` is what it switches, `was` how that stands, and `sends` when commands were first sent to the device within the last hour, in
    order. To be switched to what it is already is no change, and held by no `min_on` or `min_off`.

    >>> on_at_0 = Switched("heater", "state", True, 0, 1, "state", "")
    >>> hold(Interlocks(min_on="5m"), Switch("state", False), on_at_0, [], now=60 * SECOND)
    Hold(why='held until 1970-01-01T00:05:00Z: it is on since 1970-01-01T00:00:00Z, for 300 s at least (min_on)', until=300000000000)
    >>> hold(Interlocks(min_on="5m"), Switch("state", False), on_at_0, [], now=300 * SECOND)
    """
    found = [*_for_its_time(rules, wanted, was), *_for_its_share(rules, sends, now)]
    return max((one for one in found if one.until is not None and one.until > now), key=lambda one: one.until or 0, default=None)


def _for_its_time(rules: Interlocks, wanted: Switch | None, was: Switched | None) -> Iterator[Hold]:
    if wanted is None or was is None or wanted.on == was.on:
        return
    key, length, word = ("min_on", rules.min_on, "on") if was.on else ("min_off", rules.min_off, "off")
    if length is not None:
        until = was.since + int(length * SECOND)
        yield Hold(f"held until {_time(until)}: it is {word} since {_time(was.since)}, for {length:g} s at least ({key})", until)


def _for_its_share(rules: Interlocks, sends: Sequence[int], now: int) -> Iterator[Hold]:
    most = rules.max_per_hour
    recent = [sent for sent in sends if sent > now - HOUR]
    if most is not None and len(recent) >= most:
        until = recent[-most] + HOUR
        yield Hold(f"held until {_time(until)}: it was sent {len(recent)} commands within an hour (max_per_hour {most})", until)


def while_on(other: str) -> Hold:
    """Give the hold of a device that must not be on together with another, which is."""
    return Hold(f"held while {other} is on (never_with)", None)


def _time(ns: int) -> str:
    """Give a time up to which one waits, in whole seconds, not before it."""
    return f"{datetime.fromtimestamp(-(-ns // SECOND), UTC):%Y-%m-%dT%H:%M:%SZ}"
