"""Kinds of values: a series holds numbers, booleans or texts, and never changes from one to another."""

from __future__ import annotations

from typing import Any, Final, Literal

from devices.news import News
from devices.profile import Profiles
from devices.reading import DeadLetter, Reading, Refused

Kind = Literal["number", "boolean", "text"]
KINDS: Final[dict[type, Kind]] = {int: "number", float: "number", bool: "boolean", str: "text"}

MOST_DEVICES: Final = 100_000
MOST_SERIES: Final = 4_096
"""Of one device; what is beyond is not held to a kind."""


class Kinds:
    """The kind of every series: what a profile's `types` says, else that of its first value.

    `learned` holds kinds by device and series, in plain builtins; the device heard of first is forgotten first.
    """

    def __init__(self, profiles: Profiles, learned: dict[str, dict[str, str]]) -> None:
        self._profiles = profiles
        self.learned = learned

    def keep(self, readings: list[Reading], news: News) -> list[Reading] | DeadLetter:
        """Return the readings that are of their series' kind. The others are `news.refused`; where none is left, a dead letter says why."""
        device, kinds = "", None
        for one in readings:
            if kinds is None or one.device != device:
                device = one.device
                kinds = self.learned.get(device) or self._begin(device)
            series = f"{one.metric}/{one.channel}" if one.channel else one.metric
            kind = KINDS[one.value.__class__]
            known = kinds.get(series)
            if known != kind:
                known = self._settle(one, kinds, series, kind)
                kinds = self.learned[device]
            if known != kind:
                news.refused.append(Refused(device, one.key, _conflict(one, series, known, kind)))
        if not news.refused:
            return readings
        out = {(refused.device, refused.key) for refused in news.refused}
        kept = [one for one in readings if (one.device, one.key) not in out]
        return kept or DeadLetter("; ".join(refused.reason for refused in news.refused)[:400], device)

    def forget(self, device: str) -> None:
        """Settle the kinds of a device's series anew: its dialect has said what they are, and what was there before was a guess."""
        self.learned.pop(device, None)

    def _begin(self, device: str) -> dict[str, str]:
        if len(self.learned) >= MOST_DEVICES:
            del self.learned[next(iter(self.learned))]
        kinds = self.learned[device] = {}
        return kinds

    def _settle(self, one: Reading, kinds: dict[str, str], series: str, kind: Kind) -> str:
        """Return the kind of a series that is heard of first, or whose value is of another kind, and keep it."""
        types = self._profiles.of(one.device, one.convention).types
        settled: str = types.get(one.key) or types.get(one.metric) or kinds.get(series) or kind
        if series in kinds:
            if kinds[series] != settled:  # in a table of its own: forms hold for as long as theirs is there
                self.learned[one.device] = {**kinds, series: settled}
        elif len(kinds) < MOST_SERIES:
            kinds[series] = settled
        return settled


def _conflict(one: Reading, series: str, known: str, kind: Kind) -> str:
    shown: Any = one.value if not isinstance(one.value, str) else one.value[:40]
    rule = f"series {series!r} holds {known}s, so a {kind} must not enter it (a profile's `types` can say otherwise)"
    return f"device {one.device!r}, key {one.key!r}: {rule}; got {shown!r}"
