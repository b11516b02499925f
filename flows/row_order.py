"""Effects in the order of the journal, however they come in: a row is given when every part of it is there."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from gateway.store.effects import Effect


class RowPart(NamedTuple):
    """What the source, or one shard, made of one journal row.

    The source's part (`shard` is None) says in `shards` which shards got a slice of the row: each gives exactly one part, were it empty.
    """

    offset: int
    effects: Sequence[Effect]
    shard: int | None = None
    shards: Sequence[int] = ()


class RowOrder:
    """Hold the parts of rows until they are whole: the source's effects first, then the shards' by number, row by row.

    The source's parts come in the order of the journal; the shards' may come before or after them, and overtake each other.

    >>> order = RowOrder()
    >>> for part in (RowPart(2, ["c"], shard=7), RowPart(1, ["a"], shards=[3]), RowPart(2, ["b"], shards=[7])):
    ...     order.put(part)
    >>> order.whole()
    []
    >>> order.put(RowPart(1, [], shard=3))
    >>> order.whole()
    ['a', 'b', 'c']
    """

    def __init__(self) -> None:
        self._rows: deque[RowPart] = deque()
        self._parts: dict[int, dict[int, Sequence[Effect]]] = {}

    def put(self, part: RowPart) -> None:
        """Take a part."""
        if part.shard is None:
            self._rows.append(part)
        else:
            self._parts.setdefault(part.offset, {})[part.shard] = part.effects

    def whole(self) -> list[Effect]:
        """Give the effects of the rows that are whole, up to the first that is not."""
        effects: list[Effect] = []
        while self._rows:
            row = self._rows[0]
            parts = self._parts.get(row.offset, {})
            if len(parts) < len(row.shards):
                break
            self._rows.popleft()
            self._parts.pop(row.offset, None)
            effects += row.effects
            for number in row.shards:
                effects += parts[number]
        return effects

    def check_empty(self) -> None:
        """Raise RuntimeError where a part is held: at a snapshot, everything before it must have been written."""
        if self._rows:
            row = self._rows[0]
            missing = sorted({*row.shards} - self._parts.get(row.offset, {}).keys())
            raise RuntimeError(f"journal row {row.offset}: must be whole at a snapshot; got no part of shards {missing}")
        if self._parts:
            raise RuntimeError(f"journal row {min(self._parts)}: must be whole at a snapshot; got nothing of the source")
