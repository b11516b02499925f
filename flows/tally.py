"""The source's counters: every message once by its outcome, and readings by device, as the ledger holds them against each other."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gateway.store.effects import Counted

STRANGERS = 10_000
"""Counters by device and stage from which on a device that has none yet gets none of its own, but for its readings."""
MOST_SHED = 1_000
"""Topics with a counter of what was shed of them; what is beyond counts together."""


class Tally:
    """Counters that only the source moves. Plain builtins go into the snapshot and come out of it.

    Bounded: there are counters for each device that has readings, and for as many others as leave them below `STRANGERS`; the rest counts
    together, as device "".
    """

    def __init__(self, state: dict[str, Any] | None = None) -> None:
        state = state or {}
        self._counts: dict[str, dict[str, int]] = state.get("counts", {})
        self._totals: dict[str, int] = state.get("totals", {})
        self._moved: set[str] = set(self._counts)  # the store may have others: of what is read again now with other flows or profiles
        self._moved_totals: set[str] = set(self._totals)
        self._shed = sum(key.startswith("link\x1f") for key in self._counts)

    def outcome(self, device: str, term: str) -> None:
        """Count a message, once."""
        self.total(term, 1)
        self.count(self.own(device), term)

    def report(self, device: str, readings: int, unselected: int) -> None:
        """Count a message that was normalised, and its readings."""
        self.total("normalised", 1)
        counts = self.readings(device, readings, unselected=unselected)
        counts["normalised"] = counts.get("normalised", 0) + 1

    def readings(self, device: str, count: int, *, retained: int = 0, unselected: int = 0) -> dict[str, int]:
        """Count readings of a device, and how many of them were retained, or selected by no flow; give its counters.

        By device always, so that each can be followed: their device then has counters for all else too.
        """
        counts = self.counters(device)
        counts["readings"] = counts.get("readings", 0) + count
        if retained:
            counts["retained"] = counts.get("retained", 0) + retained
        if unselected:
            counts["unselected"] = counts.get("unselected", 0) + unselected
        return counts

    def own(self, device: str) -> str:
        """Give the name under which a device is counted, with or without readings."""
        return device if len(self._counts) < STRANGERS or f"normalise\x1f{device}" in self._counts else ""

    def shed(self, topic: str, count: int) -> None:
        """Count messages of a topic that were dropped by a policy, before anyone read them."""
        if f"link\x1f{topic}" not in self._counts:
            if self._shed < MOST_SHED:
                self._shed += 1
            else:
                topic = ""
        self.total("shed", count)
        self.count(topic, "shed", count, stage="link")

    def total(self, term: str, by: int) -> None:
        """Move how many messages there are with one outcome; `held` is the only one that goes down again."""
        self._totals[term] = self._totals.get(term, 0) + by
        self._moved_totals.add(term)

    def count(self, device: str, term: str, by: int = 1, *, stage: str = "normalise") -> None:
        """Count something of a device."""
        counts = self.counters(device, stage=stage)
        counts[term] = counts.get(term, 0) + by

    def counters(self, device: str, *, stage: str = "normalise") -> dict[str, int]:
        """Give a device's counters of a stage, to be moved on now."""
        name = f"{stage}\x1f{device}"
        self._moved.add(name)
        counts = self._counts.get(name)
        if counts is None:
            counts = self._counts[name] = {}
        return counts

    def add(self, counted: dict[str, Any]) -> None:
        """Count what another tally (its snapshot) has counted."""
        for term, by in counted["totals"].items():
            self.total(term, by)
        for name, terms in counted["counts"].items():
            stage, device = name.split("\x1f", 1)
            for term, by in terms.items():
                self.count(device, term, by, stage=stage)

    def split(self, stage: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """Give what was counted of one stage, and all else, each as a snapshot."""
        of = {name: terms for name, terms in self._counts.items() if name.startswith(f"{stage}\x1f")}
        rest = {name: terms for name, terms in self._counts.items() if name not in of}
        return {"counts": of, "totals": {}}, {"counts": rest, "totals": self._totals}

    def moved_totals(self) -> list[Counted]:
        """Give the messages' counters that have moved since the last call."""
        moved, self._moved_totals = sorted(self._moved_totals), set()
        return [Counted("total", "", "", term, self._totals[term]) for term in moved]

    @property
    def moving(self) -> int:
        """How many devices, by stage, have counters that have moved since they were given."""
        return len(self._moved)

    def moved(self) -> list[Counted]:
        """Give the counters of devices of which one has moved since the last call."""
        moved, self._moved = sorted(self._moved), set()
        return [
            Counted(stage, "", device, term, value)
            for name in moved
            for stage, device in [name.split("\x1f", 1)]
            for term, value in self._counts[name].items()
        ]

    def forget(self, devices: Iterable[str]) -> list[Counted]:
        """Let devices' counters go to "", so that the sums stay; give those that are 0 now."""
        zeros = []
        for device in devices:
            for stage in ("normalise", "select"):
                name = f"{stage}\x1f{device}"
                self._moved.discard(name)
                for term, value in self._counts.pop(name, {}).items():
                    self.count("", term, value, stage=stage)
                    zeros.append(Counted(stage, "", device, term, 0))
        return zeros

    def snapshot(self) -> dict[str, Any]:
        return {"counts": self._counts, "totals": self._totals}
