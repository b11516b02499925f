"""Urgent rows of the journal that were taken before their turn, while others waited in front of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from gateway.store.effects import CommandRequested, DeadLettered, DeviceLearned, Effect, Failed, LetterTried, ReadingKept

MOST, MOST_ROWS = 10_000, 1_000
"""Effects, and rows, that wait for their turn, from which on nothing more is taken early."""
_TYPES: dict[str, type[Effect]] = {
    one.__name__: one for one in (ReadingKept, DeviceLearned, DeadLettered, LetterTried, Failed, CommandRequested)
}


class Taken(msgspec.Struct, frozen=True):
    """What a row gave when it was taken: its number of messages, effects for the store, and counters (`flows.tally`)."""

    offset: int
    count: int
    effects: Sequence[Effect]
    tally: dict[str, Any]


class Early:
    """What was decided of an urgent row is out at once; its readings and counters wait here until the journal's order comes to it.

    So whoever follows the store by the journal's order misses nothing, and the ledger balances after every row.
    """

    def __init__(self, state: Sequence[Sequence[Any]] = ()) -> None:
        self._rows = {offset: Taken(offset, count, _effects(effects), tally) for offset, count, effects, tally in state}
        self._waiting = sum(len(one.effects) for one in self._rows.values())

    @property
    def full(self) -> bool:
        """Whether so much waits that nothing more is to be taken early."""
        return self._waiting >= MOST or len(self._rows) >= MOST_ROWS

    def __contains__(self, offset: int) -> bool:
        return offset in self._rows

    def hold(self, row: Taken) -> None:
        """Keep what a row gave until its turn."""
        self._rows[row.offset] = row
        self._waiting += len(row.effects)

    def turn(self, offset: int) -> Iterator[Taken]:
        """Give what has waited for its turn up to a row, in order."""
        if self._rows:
            for one in sorted(one for one in self._rows if one <= offset):
                row = self._rows.pop(one)
                self._waiting -= len(row.effects)
                yield row

    def snapshot(self) -> list[list[Any]]:
        return [[row.offset, row.count, [_plain(one) for one in row.effects], row.tally] for row in self._rows.values()]


def _plain(effect: Effect) -> list[Any]:
    return [type(effect).__name__, msgspec.to_builtins(effect, builtin_types=(bytes,))]


def _effects(kept: Sequence[Sequence[Any]]) -> list[Effect]:
    return [msgspec.convert(fields, _TYPES[name]) for name, fields in kept]
