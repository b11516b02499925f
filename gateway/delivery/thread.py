"""A thread for calls that block, which a stopping gateway need not wait for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

T = TypeVar("T")
_Job = tuple[Callable[[], Any], asyncio.AbstractEventLoop, asyncio.Future[Any]]


class Worker:
    """Runs calls one after the other in a thread of its own.

    Unlike `asyncio.to_thread`, whose threads the interpreter joins at its end, this one is a daemon: an answer that is still awaited from a
    dead server when the gateway stops is abandoned. Only calls that may be abandoned (and made again) belong here.
    """

    def __init__(self, name: str) -> None:
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        Thread(target=self._work, name=name, daemon=True).start()

    async def run(self, call: Callable[[], T]) -> T:
        """Give what the call gives, or raise what it raises. Cancelling stops the waiting, not the call."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._jobs.put((call, loop, future))
        return await future

    def close(self) -> None:
        """End the thread after the calls it has; does not wait for them."""
        self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            _do(job)
            del job  # with the rows in it, which may be thousands: the next one may be long in coming


def _do(job: _Job) -> None:
    call, loop, future = job
    result, failure = None, None
    try:
        result = call()
    except BaseException as error:  # noqa: BLE001  # handed to who awaits it
        failure = error
    if not loop.is_closed():
        loop.call_soon_threadsafe(_settle, future, result, failure)


def _settle(future: asyncio.Future[Any], result: object, failure: BaseException | None) -> None:
    if future.done():
        return
    if failure is None:
        future.set_result(result)
    else:
        future.set_exception(failure)
