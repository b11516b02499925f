"""Keeps the parts of the gateway process going: one that fails is run again, and the others do not notice."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import TypeVar

import structlog

from gateway.damage import is_damage
from gateway.disk import causes, is_full
from gateway.journal.journal import JournalFullError
from gateway.link.backoff import Backoff

T = TypeVar("T")
log = structlog.get_logger()

ROOM_EVERY = 0.5
"""Seconds between looks whether there is room again on a full disk."""
_SETTLED = 30.0
"""Seconds after which a part counts as well started: what failed before is forgotten."""
_HOPELESS = 10
"""Failures in a row after which the process ends: the supervisor begins with it afresh."""


def no_room(error: BaseException) -> bool:
    """Tell whether an error says that the disk or the journal is full: trying again later is right."""
    return is_full(error) or any(isinstance(one, JournalFullError) for one in causes(error))


async def when_there_is_room(name: str, step: Callable[[], Awaitable[T]]) -> T:
    """Do a step that may be done again; while the disk or the journal is full, try again. What else it raises is raised."""
    said = False
    while True:
        try:
            return await step()
        except Exception as error:
            if not no_room(error):
                raise
            if not said:
                log.warning("a part of the gateway waits for room", part=name, error=told(error))
            said = True
            await asyncio.sleep(ROOM_EVERY)


async def keep_going(name: str, run: Callable[[], Awaitable[None]], *, backoff: Backoff | None = None) -> None:
    """Run a part of the process until it is cancelled.

    It is run again when it fails: at once when there is room again where there was none, and with growing patience where a mistake is the
    reason. That a file of ours is damaged is raised, as is the tenth failure in a row.
    """
    backoff, failures = backoff or Backoff(0.5, 30.0), 0
    while True:
        began = monotonic()
        try:
            return await when_there_is_room(name, run)
        except Exception as error:
            if is_damage(error):
                raise
            if monotonic() - began > _SETTLED:
                backoff.reset()
                failures = 0
            failures += 1
            if failures >= _HOPELESS:
                raise
            delay = backoff.delay()
            log.warning("a part of the gateway failed and is run again", part=name, error=told(error), seconds=round(delay, 1))
            await asyncio.sleep(delay)


def told(error: BaseException) -> str:
    """Say in a line what went wrong and where: of a group, the first that is no group.

    >>> told(ExceptionGroup("", [ValueError("no such thing")]))
    'ValueError: no such thing'
    """
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {error}{where}"
