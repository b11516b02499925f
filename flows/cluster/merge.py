"""The partitions of the journal in one order: by receive time, and then by partition."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from flows.slice import Slice


class Merge:
    """Slices of several partitions for one shard, held until it is certain that none comes any more that goes before them.

    Each partition's slices come in their order, each with its time (epoch ns) at which the partition had come so far; a mark says the same where
    there is no slice. The order is that of (time, partition), however the partitions come in, so that every run decides the same. What is held
    goes into the snapshot.

    The clocks of the partitions' journals began at different times, and each stands still while its own broker is lost. Slices are given with one
    that goes on with whichever goes on, and never passes the times by which they are ordered.

    >>> merge = Merge(2)
    >>> for partition, time in ((0, 5), (0, 7), (1, 6)):
    ...     merge.put(partition, time, Slice(3, time, 0, live=True, tick=False))
    >>> [row.at for row in merge.ready()]
    [5, 6]
    >>> merge.put(1, 8, None)
    >>> [row.at for row in merge.ready()]
    [7]
    """

    def __init__(self, count: int, state: Sequence[Any] | None = None, held: Iterable[tuple[int, int, Slice]] = ()) -> None:
        """Merge so many partitions, or go on with what `state` and `held` gave."""
        self._held: list[deque[tuple[int, Slice]]] = [deque() for _ in range(count)]
        for partition, time, row in held:
            self._held[partition].append((time, row))
        self._marks: list[int]
        self._clock: int
        self._clocks: list[tuple[int, int] | None]
        self._marks, self._clock, self._clocks = state or ([0] * count, 0, [None] * count)

    def put(self, partition: int, time: int, row: Slice | None) -> None:
        """Take a slice, or only a mark. A time that lies behind what the partition has said before counts as that."""
        time = self._marks[partition] = max(time, self._marks[partition])
        if row is not None:
            self._held[partition].append((time, row))

    def ready(self) -> Iterator[Slice]:
        """Give, in order, the slices before which nothing comes any more."""
        while (partition := self._next()) is not None:
            yield self._on_one_clock(partition, self._held[partition].popleft()[1])

    def _next(self) -> int | None:
        """Give the partition of the next slice; None where another may still have one that goes before it."""
        first = min(((held[0][0], partition) for partition, held in enumerate(self._held) if held), default=None)
        if first is None or any((self._marks[other], other) < first for other, held in enumerate(self._held) if not held):
            return None
        return first[1]

    def _on_one_clock(self, partition: int, row: Slice) -> Slice:
        before = self._clocks[partition]
        if before is not None:
            passed, then = row.clock - before[0], before[1]
            self._clock = max(self._clock, then + passed)
        self._clocks[partition] = (row.clock, self._clock)
        return row._replace(clock=self._clock)

    @property
    def state(self) -> Sequence[Any]:
        """How far each partition has come, and the clocks: plain builtins, without what is held."""
        return self._marks, self._clock, self._clocks

    @property
    def held(self) -> list[tuple[int, int, Slice]]:
        """What is held: partition, time and slice, each partition's in its order."""
        return [(partition, time, row) for partition, held in enumerate(self._held) for time, row in held]
