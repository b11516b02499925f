"""Python's search for cycles of objects, kept short: one through all series and windows would hold everything up for 0.1 s."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

_EVERY, _ALL_EVERY = 5.0, 3600.0
"""Seconds between two times that what has survived is passed over from then on, and between two searches through all."""


@contextmanager
def not_searched() -> Iterator[None]:
    """Let Python not search while much is made that stays, nor through that afterwards: it would begin again and again, each time with more."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was:
            gc.enable()


class Garbage:
    """Lets Python search only among what is new. What is let go of later goes as always; cycles among it go once an hour."""

    def __init__(self) -> None:
        self._next = 0.0
        self._all = monotonic() + _ALL_EVERY

    def step(self) -> None:
        """Pass over what there is, if it is time to."""
        now = monotonic()
        if now < self._next:
            return
        self._next = now + _EVERY
        if now >= self._all:
            self._all = now + _ALL_EVERY
            gc.unfreeze()
            gc.collect()
        else:
            gc.collect(1)
        gc.freeze()
