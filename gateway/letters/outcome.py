"""What came of a replay: letters replayed, still dead, refused, or on their way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import msgspec

from gateway.screen import shown
from gateway.store.views import Letter


class Outcome(msgspec.Struct, kw_only=True):
    """The letters of one replay by their ids; each is in one place. `before`: replayed by an earlier one."""

    waiting: dict[int, Letter]
    refused: dict[int, str]
    before: dict[int, Letter]
    replayed: dict[int, Letter]
    dead: dict[int, Letter]

    @classmethod
    def of(cls, asked: Sequence[Letter], refused: Mapping[int, str]) -> Self:
        """Begin with the letters asked for, and those that cannot be read again, with the reason."""
        waiting = {one.id: one for one in asked if one.state == "dead" and one.id not in refused}
        before = {one.id: one for one in asked if one.state == "replayed"}
        return cls(waiting=waiting, refused=dict(refused), before=before, replayed={}, dead={})

    def note(self, letter: Letter) -> None:
        """Note a letter that was read again."""
        del self.waiting[letter.id]
        (self.replayed if letter.state == "replayed" else self.dead)[letter.id] = letter

    def line(self, letter: Letter) -> str:
        """Say what became of a letter."""
        if letter.state == "replayed":
            return f"{letter.id}  replayed: {shown(letter.outcome)}"
        return f"{letter.id}  still dead: {shown(letter.reason)}"

    def document(self) -> dict[str, Any]:
        """Give the outcome as `--json` prints it."""
        letters: list[dict[str, Any]] = [{"id": one, "state": "refused", "detail": why} for one, why in self.refused.items()]
        letters += [{"id": one.id, "state": "replayed", "detail": one.outcome} for one in (*self.before.values(), *self.replayed.values())]
        letters += [{"id": one.id, "state": "dead", "detail": one.reason} for one in self.dead.values()]
        letters += [{"id": one, "state": "waiting", "detail": None} for one in self.waiting]
        counts = {name: len(getattr(self, name)) for name in ("replayed", "before", "dead", "refused", "waiting")}
        return {**counts, "letters": sorted(letters, key=lambda one: int(one["id"]))}

    def summary(self, *, running: bool) -> str:
        """Say how it went, in a line."""
        parts = [f"{len(self.replayed)} replayed"] if self.replayed or not (self.before or self.waiting) else []
        parts += [f"{len(self.before)} replayed before (nothing is read twice)"] if self.before else []
        parts += [f"{len(self.dead)} still dead"] if self.dead else []
        parts += [f"{len(self.refused)} cannot be read again"] if self.refused else []
        if self.waiting:
            when = "`sluice dead-letters list` will tell" if running else "no `sluice up` runs on this data folder, the next one takes them"
            parts.append(f"{len(self.waiting)} on their way: {when}")
        return ", ".join(parts)
