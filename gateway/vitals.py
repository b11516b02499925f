"""The vital signs of the gateway process: noted as it works, and read by whoever asks how it does, from any thread."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from gateway.status import CONNECTING

CONNECTED = "connected"
_STUCK = 10.0
"""Seconds for which the loop, or the thread of a link that is connected, may not turn: an fsync on a bad day takes some of them."""
_STUCK_CONNECTING = 90.0
"""Seconds that a connection may take to be made or refused: looking for a name that no server answers for takes most of them."""
_READ = 10.0
"""Seconds within which the flows have read what the journal holds, or at least some of it."""


class Vitals:
    """When each thing last moved, and what follows from that."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._turned = clock()
        self._link, self._link_turned, self._blocked = CONNECTING, clock(), ""
        self._position, self._read = -1, clock()

    def turn(self, *, link: str, link_turned: float, blocked: str) -> None:
        """Note a turn of the loop, and how the link stands: its state, when its thread last turned, and why it takes nothing in ("" if it does)."""
        self._turned = self._clock()
        self._link, self._link_turned, self._blocked = link, link_turned, blocked

    def flows_at(self, position: int, newest: int) -> None:
        """Note up to which row of the journal the flows have come, and which one is its newest."""
        if position != self._position or position >= newest:
            self._position, self._read = position, self._clock()

    def stuck(self) -> list[str]:
        """Say what does not work, in sentences; starting the process again may help. Empty while it works."""
        now = self._clock()
        found = []
        if now - self._turned > _STUCK:
            found.append(f"the gateway's loop has not turned for {now - self._turned:.0f} s")
        if now - self._link_turned > (_STUCK if self._link == CONNECTED else _STUCK_CONNECTING):
            found.append(f"the link's thread has not turned for {now - self._link_turned:.0f} s")
        return found

    def waiting(self) -> list[str]:
        """Say why messages do not go their way from the broker to the flows now, in sentences. Empty while they do."""
        found = self.stuck()
        if self._link != CONNECTED:
            found.append(f"link: {self._link}")
        if self._blocked:
            found.append(f"nothing is acknowledged: {self._blocked}")
        if (silent := self._clock() - self._read) > _READ:
            found.append(f"the flows have read nothing for {silent:.0f} s, and the journal holds more")
        return found
