"""Waiting for something to become true, with a deadline that only ends a run that fails."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic, sleep
from typing import TypeVar

T = TypeVar("T")


class StuckError(Exception):
    """Something did not become true."""


def until(condition: Callable[[], T], what: str, deadline: float = 60.0) -> T:
    """Wait until the condition gives something true, and give that. Looking takes a fifth of a core at most: it is not what is tested."""
    give_up = monotonic() + deadline
    while not (found := _looked(condition)):
        if monotonic() > give_up:
            raise StuckError(f"still not so after {deadline:.0f} s: {what}")
    return found


def _looked(condition: Callable[[], T]) -> T:
    began = monotonic()
    found = condition()
    if not found:
        sleep(max(0.02, 4 * (monotonic() - began)))
    return found
