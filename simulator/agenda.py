"""What is to happen in a simulated world, and when."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count
from typing import Generic, TypeVar

T = TypeVar("T")
_NEVER = 1 << 62


class Agenda(Generic[T]):
    """Things to do, each at its moment (elapsed ns); of one moment, in the order in which they were written down.

    >>> agenda = Agenda[str]()
    >>> agenda.at(5, lambda: "later"), agenda.at(3, lambda: "sooner")
    (None, None)
    >>> [happen() for _, happen in iter(lambda: agenda.due(5), None)]
    ['sooner', 'later']
    """

    def __init__(self) -> None:
        self._entries: list[tuple[int, int, Callable[[], T]]] = []
        self._order = count()

    def at(self, moment: int, happen: Callable[[], T]) -> None:
        heapq.heappush(self._entries, (moment, next(self._order), happen))

    @property
    def next(self) -> int:
        """When something is to happen next; a time that never comes when nothing is."""
        return self._entries[0][0] if self._entries else _NEVER

    def due(self, until: int) -> tuple[int, Callable[[], T]] | None:
        """Take off the first thing that is due by then, with its moment; None when there is none."""
        if self.next > until:
            return None
        moment, _, happen = heapq.heappop(self._entries)
        return moment, happen

    def clear(self) -> None:
        self._entries.clear()
