"""What may go to another worker, or stay on its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Parcel(Generic[T]):
    """Is packed when it goes to another worker, and comes out there as bytes; on its own worker it is opened as it is.

    Packed once, though Bytewax pickles each item twice (the first time for its length), and in the order in which it goes: so that what was
    packed before may be referred to.
    """

    __slots__ = ("_pack", "_packed", "content")

    def __init__(self, content: T, pack: Callable[[T], bytes]) -> None:
        self.content = content
        self._pack = pack
        self._packed: bytes | None = None

    def __reduce__(self) -> tuple[type[bytes], tuple[bytes]]:
        if self._packed is None:
            self._packed = self._pack(self.content)
        return bytes, (self._packed,)


def opened(one: Parcel[T] | bytes, unpack: Callable[[bytes], T]) -> T:
    """Give what is in a parcel, wherever it comes from."""
    return unpack(one) if isinstance(one, bytes) else one.content
