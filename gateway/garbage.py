"""Python's search for cycles of objects, kept short: one through all series and windows would hold everything up for 0.1 s."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from traceback import clear_frames

from gateway.disk import causes

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


def let_go(error: BaseException) -> None:
    """Take from an error, and from those behind it, the calls through which they came; call it before a wait for better times.

    A call's variables are what was under way, such as thousands of rows, and often the error itself. That is a cycle, which stays for an hour
    where the search has passed over it meanwhile: with a server that is away, one for each try.
    """
    for one in [*causes(error)]:
        clear_frames(one.__traceback__)
        one.__traceback__ = None


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
