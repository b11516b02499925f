"""A deadline for whatever waits for another machine: a name server, a handshake, an answer."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def within(seconds: float, ask: Callable[[], T]) -> T:
    """Give what `ask` gives, or raise what it raises; TimeoutError where neither has happened after so many seconds."""
    answers: queue.SimpleQueue[T | BaseException] = queue.SimpleQueue()

    def put() -> None:
        try:
            answers.put(ask())
        except BaseException as error:  # noqa: BLE001  raised again, in the thread that asked
            answers.put(error)

    threading.Thread(target=put, daemon=True).start()
    try:
        answer = answers.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError(f"no answer within {seconds:g} s") from None
    if isinstance(answer, BaseException):
        raise answer
    return answer
