"""One journal row under way in the source: what comes of it, and the numbers that it gives out."""

from __future__ import annotations

from flows.slice import Item
from flows.tally import Tally
from gateway.journal.row import Row
from gateway.store.effects import Effect

Shards = dict[int, tuple[list[Item], list[tuple[str, str]]]]
"""By shard: readings with the flow and group that want them, and flow and device of those that came too late to be told from repeats."""


class Step:
    """One row under way: what comes of it, the tally that counts it, and the numbers that it has given to readings and dead letters."""

    def __init__(self, row: Row, tally: Tally) -> None:
        self.row = row
        self.tally = tally
        self.effects: list[Effect] = []
        self.shards: Shards = {}
        self.number = 0
        self.poisoned = ""
        """Why the message under way is not to be read; empty where it is."""

    @property
    def room(self) -> int:
        return (1 << 20) - self.number

    def place(self) -> int:
        """Give the next id: the row's offset, and a number within it."""
        return self.places(1)

    def places(self, count: int) -> int:
        """Give the first of so many ids, one behind the other."""
        place = self.row.offset << 20 | self.number
        self.number += count
        return place
