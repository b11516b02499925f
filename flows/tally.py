"""The source's counters: every message once by its outcome, and readings by device, as the ledger holds them against each other."""

from __future__ import annotations

from typing import Any

from gateway.store.effects import Counted


class Tally:
    """Counters that only the source moves. Plain builtins go into the snapshot and come out of it."""

    def __init__(self, state: dict[str, Any] | None = None) -> None:
        state = state or {}
        self._counts: dict[str, dict[str, int]] = state.get("counts", {})
        self._totals: dict[str, int] = state.get("totals", {})
        self._moved: set[tuple[str, str, str]] = set()
        self._moved_totals: set[str] = set(self._totals)

    def outcome(self, device: str, term: str) -> None:
        """Count a message, once."""
        self.total(term, 1)
        self.count(device, term)

    def total(self, term: str, by: int) -> None:
        """Move how many messages there are with one outcome; `held` is the only one that goes down again."""
        self._totals[term] = self._totals.get(term, 0) + by
        self._moved_totals.add(term)

    def count(self, device: str, term: str, by: int = 1, *, stage: str = "normalise") -> None:
        """Count something of a device."""
        counts = self._counts.setdefault(f"{stage}\x1f{device}", {})
        counts[term] = counts.get(term, 0) + by
        self._moved.add((stage, device, term))

    def moved_totals(self) -> list[Counted]:
        """Give the messages' counters that have moved since the last call."""
        moved, self._moved_totals = sorted(self._moved_totals), set()
        return [Counted("total", "", "", term, self._totals[term]) for term in moved]

    def moved(self) -> list[Counted]:
        """Give the devices' counters that have moved since the last call."""
        moved, self._moved = sorted(self._moved), set()
        return [Counted(stage, "", device, term, self._counts[f"{stage}\x1f{device}"][term]) for stage, device, term in moved]

    def snapshot(self) -> dict[str, Any]:
        return {"counts": self._counts, "totals": self._totals}
