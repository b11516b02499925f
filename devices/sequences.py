"""Numbers that dialects put on their messages (Sparkplug `seq`, LoRaWAN `fCnt` …), and the gaps in them."""

from __future__ import annotations

from typing import Final

GREATEST: Final = (1 << 63) - 1
"""What is more than this, or less than 0, is no number of a message: nobody counts so far."""
FARTHEST: Final = 1 << 32
"""What is missing beyond this was never sent: the device began anew."""
MOST_STREAMS: Final = 100_000
"""Streams whose last number is known; the one heard of longest ago is forgotten first."""


class Sequences:
    """The last number of each stream, and how many messages each device is known to have missed.

    `learned` holds [number, receive time] by stream, in plain builtins. A number that came before, or with an older receive time (a message
    read again), moves nothing.

    >>> sequences = Sequences({})
    >>> [sequences.count("d", "stream", number, at, wraps=256) for at, number in enumerate([254, 255, 0, 0, 4])]
    [0, 0, 0, 0, 3]
    >>> sequences.missed
    {'d': 3}
    """

    def __init__(self, learned: dict[str, list[int]]) -> None:
        self._last = learned
        self.missed: dict[str, int] = {}

    def count(self, device: str, stream: str, number: int, received: int, *, wraps: int = 0) -> int:
        """Note a stream's number; return how many were missed before it.

        Without `wraps` a smaller number is a device that began anew. With it, a number up to half way behind came late, or twice.
        """
        last = self._last.get(stream)
        if not 0 <= number <= GREATEST or (last is not None and received < last[1]):
            return 0
        ahead = 1 if last is None else number - last[0]
        if wraps:
            ahead %= wraps
            if ahead > wraps // 2:
                return 0
        self._note(stream, number, received)
        if not 1 < ahead <= FARTHEST:
            return 0
        self.missed[device] = self.missed.get(device, 0) + ahead - 1
        return ahead - 1

    def restart(self, stream: str, number: int, received: int) -> None:
        """Note that a stream begins anew."""
        last = self._last.get(stream)
        if 0 <= number <= GREATEST and (last is None or received >= last[1]):
            self._note(stream, number, received)

    def _note(self, stream: str, number: int, received: int) -> None:
        self._last.pop(stream, None)
        if len(self._last) >= MOST_STREAMS:
            del self._last[next(iter(self._last))]
        self._last[stream] = [number, received]
