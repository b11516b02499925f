"""Urgent rows of the journal that were taken before their turn, while others waited in front of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from gateway.store.effects import CommandRequested, DeadLettered, DeviceLearned, Effect, Failed, LetterTried, ReadingKept

MOST, MOST_ROWS = 10_000, 1_000
"""Effects, and rows, that wait for their turn, from which on nothing more is taken early."""
MOST_BYTES = 4 * 2**20
"""Bytes of rows, inflated, that may wait; one row may whatever its size."""
_TYPES: dict[str, type[Effect]] = {
    one.__name__: one for one in (ReadingKept, DeviceLearned, DeadLettered, LetterTried, Failed, CommandRequested)
}


class Taken(msgspec.Struct, frozen=True):
    """What a row gave when it was taken: its number of messages, effects for the store, counters (`flows.tally`), and its bytes, inflated."""

    offset: int
    count: int
    effects: Sequence[Effect]
    tally: dict[str, Any]
    size: int = 0


class Early:
    """What was decided of an urgent row is out at once; its readings and counters wait here until the journal's order comes to it.

    So whoever follows the store by the journal's order misses nothing, and the ledger balances after every row.
    """

    def __init__(self, state: Sequence[Sequence[Any]] = ()) -> None:
        self._rows: dict[int, Taken] = {}
        self._effects = self._bytes = 0
        for offset, count, effects, *rest in state:
            self.hold(Taken(offset, count, _effects(effects), *rest))

    def has_room(self, size: int) -> bool:
        """Tell whether a row of so many bytes may wait here, too."""
        return self._effects < MOST and len(self._rows) < MOST_ROWS and (not self._rows or self._bytes + size <= MOST_BYTES)

    def __contains__(self, offset: int) -> bool:
        return offset in self._rows

    def hold(self, row: Taken) -> None:
        """Keep what a row gave until its turn."""
        self._rows[row.offset] = row
        self._effects += len(row.effects)
        self._bytes += row.size

    def turn(self, offset: int) -> Iterator[Taken]:
        """Give what has waited for its turn up to a row, in order."""
        if self._rows:
            for one in sorted(one for one in self._rows if one <= offset):
                row = self._rows.pop(one)
                self._effects -= len(row.effects)
                self._bytes -= row.size
                yield row

    def snapshot(self) -> list[list[Any]]:
        return [[row.offset, row.count, [_plain(one) for one in row.effects], row.tally, row.size] for row in self._rows.values()]


def _plain(effect: Effect) -> list[Any]:
    return [type(effect).__name__, msgspec.to_builtins(effect, builtin_types=(bytes,))]


def _effects(kept: Sequence[Sequence[Any]]) -> list[Effect]:
    return [msgspec.convert(fields, _TYPES[name]) for name, fields in kept]
