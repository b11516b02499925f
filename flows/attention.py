"""What is under way in the source right now, for whoever has to know it if the process dies of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import overload

from devices.reading import Reading
from flows.poison import WHOLE
from flows.slice import Item


class Attention:
    """Nobody looks: reading is at full speed."""

    close = False
    """Whether anything is to be said here."""

    def message(self, offset: int, place: int) -> None:
        """Begin with the message at this place of a journal row."""

    def reading(self, reading: Reading) -> None:
        """Say that the message under way gave this reading."""


class CloseAttention(Attention):
    """One row at a time: notes which of its messages is under way, in the source and, by its readings, in the shards."""

    close = True

    def __init__(self, note: Callable[[int, int], None]) -> None:
        """`note` takes a row and a place in it."""
        self._note = note
        self._offset = self._place = 0
        self._places: dict[int, int] = {}

    def message(self, offset: int, place: int) -> None:
        if offset != self._offset:
            self._offset, self._places = offset, {}
        self._place = place
        self._note(offset, place)

    def reading(self, reading: Reading) -> None:
        self._places[id(reading)] = self._place

    def over(self, offset: int, items: Sequence[Item]) -> Sequence[Item]:
        """Give what a shard takes of a row, so that each is noted when its turn comes."""
        return _Noted(items, [self._places.get(id(reading), WHOLE) for _, _, reading in items], offset, self._note)


class _Noted(Sequence[Item]):
    """Readings for a shard, in order: the message that each came from is noted before it is taken, and none any more after the last."""

    def __init__(self, items: Sequence[Item], places: Sequence[int], offset: int, note: Callable[[int, int], None]) -> None:
        self._items, self._places, self._offset, self._note = items, places, offset, note

    def __iter__(self) -> Iterator[Item]:
        for item, place in zip(self._items, self._places, strict=True):
            self._note(self._offset, place)
            yield item
        self._note(self._offset, WHOLE)

    def __len__(self) -> int:
        return len(self._items)

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Item]: ...
    def __getitem__(self, index: int | slice) -> Item | Sequence[Item]:
        return self._items[index]
