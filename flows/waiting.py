"""Messages that say nothing until another has been seen, such as data before its birth: kept in the source's state until then."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

import msgspec

from devices.reading import DeadLetter, Held, Message

MOST_BYTES = 4 * 2**20
"""Of all held messages together, topics and payloads: what is beyond pushes the oldest out."""
PATIENCE = 600 * 10**9
"""How long a message is held, in ns of the journal's time."""

Given = tuple[Message, DeadLetter]
"""A message that was held in vain, and what is said of it."""


class _One(msgspec.Struct, array_like=True):
    stream: str
    device: str
    reason: str
    since: int
    topic: str
    payload: bytes
    received: int
    retained: bool

    @property
    def size(self) -> int:
        return len(self.topic) + len(self.payload)

    def message(self) -> Message:
        return Message(self.topic, self.payload, self.received, self.retained)


class Waiting:
    """Held messages in the order in which they came, and those of them that can be read now.

    Nothing is lost: a message leaves to be read again, or as a dead letter (when it has waited `PATIENCE`, or newer ones need its room).

    >>> waiting = Waiting()
    >>> waiting.hold(Message("t", b"1", 5), Held("no birth yet", "d", "s"), now=5)
    >>> waiting.release({"s"})
    >>> waiting.next().payload, waiting.next(), waiting.given_up(5)
    (b'1', None, [])
    """

    def __init__(self, state: dict[str, Any] | None = None) -> None:
        state = state or {}
        self._held = [msgspec.convert(one, _One) for one in state.get("held", [])]
        self._released = deque(msgspec.convert(one, _One) for one in state.get("released", []))
        self._size = sum(one.size for one in self._held)
        self._streams = {one.stream for one in self._held}

    def hold(self, message: Message, why: Held, *, now: int) -> None:
        """Keep a message until its stream is born; `now` is the journal's time."""
        one = _One(why.stream, why.device, why.reason, now, message.topic, message.payload, message.received, message.retained)
        self._held.append(one)
        self._size += one.size
        self._streams.add(one.stream)

    def release(self, born: set[str]) -> None:
        """Let the messages of these streams be read again."""
        if self._streams.isdisjoint(born):
            return
        self._released += [one for one in self._held if one.stream in born]
        self._keep(one for one in self._held if one.stream not in born)

    def __bool__(self) -> bool:
        """Tell whether there is a message that can be read now."""
        return bool(self._released)

    def next(self) -> Message | None:
        """Take the oldest message that can be read now."""
        return self._released.popleft().message() if self._released else None

    def given_up(self, now: int) -> list[Given]:
        """Take what has waited too long, or has no room any more."""
        lost = 0
        size = self._size
        while lost < len(self._held) and (size > MOST_BYTES or self._held[lost].since + PATIENCE < now):
            size -= self._held[lost].size
            lost += 1
        gone = self._held[:lost]
        if lost:
            self._keep(self._held[lost:])
        return [(one.message(), DeadLetter(f"{one.reason}, and it did not come in time", one.device)) for one in gone]

    def _keep(self, kept: Iterable[_One]) -> None:
        self._held = list(kept)
        self._size = sum(one.size for one in self._held)
        self._streams = {one.stream for one in self._held}

    def snapshot(self) -> dict[str, Any]:
        return {
            "held": msgspec.to_builtins(self._held, builtin_types=(bytes,)),
            "released": msgspec.to_builtins(list(self._released), builtin_types=(bytes,)),
        }
