"""A check: one thing that was looked at, what was found there, and what to do about it."""

from __future__ import annotations

from typing import Any, NamedTuple, Self


class Check(NamedTuple):
    """What one look came to. `said` is a sentence with what was measured; `advice`, of a complaint, says what a person can do."""

    name: str
    ok: bool
    said: str
    advice: str = ""

    @classmethod
    def fine(cls, name: str, said: str) -> Self:
        """Tell of something that is as it should be, or that cannot be known."""
        return cls(name, ok=True, said=said)

    @classmethod
    def complaint(cls, name: str, said: str, advice: str) -> Self:
        """Tell of something that is wrong."""
        return cls(name, ok=False, said=said, advice=advice)

    def document(self) -> dict[str, Any]:
        """Give the check as `sluice doctor --json` has it."""
        return self._asdict()
