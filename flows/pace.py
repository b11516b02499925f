"""How the flows keep up: what the source and the sink go by."""

from __future__ import annotations

import mmap
import os

LINGER = 0.05
"""Seconds that what nobody waits for waits for others at most, before it is committed with them."""
MOST_MESSAGES, MOST_ROWS = 8_192, 64
"""Messages, and rows, that were given to another process and not taken there, from which on the source waits."""

_BEHIND, _OWES, _STOPPING, _GIVEN, _GIVEN_MESSAGES, _TAKEN, _TAKEN_MESSAGES, _NUMBERS = range(8)


class Pace:
    """What the source and the sink know of each other.

    `behind` is true only while the source has further rows at hand: whoever waits because of it will be called again soon. `owes` says that the
    sink has more to write, and wants to be called again when nothing else is to be done. `stopping`: who waits for room on the disk waits in
    vain.

    A source and a sink in one process take turns. In two processes they share memory, behind an open file (`descriptor`), and what one says of
    itself may reach the other before what it gave does, or later.
    """

    def __init__(self) -> None:
        self.descriptor: int | None = None
        self._said: list[int] | memoryview[int] = [0] * _NUMBERS

    @classmethod
    def shared(cls, descriptor: int | None = None) -> Pace:
        """Use the memory behind a file descriptor, or make some."""
        pace = cls()
        pace.descriptor = os.memfd_create("pace") if descriptor is None else descriptor
        size = 8 * _NUMBERS
        os.ftruncate(pace.descriptor, size)
        pace._said = memoryview(mmap.mmap(pace.descriptor, size)).cast("q")
        return pace

    @property
    def behind(self) -> bool:
        return bool(self._said[_BEHIND])

    @behind.setter
    def behind(self, behind: bool) -> None:
        self._said[_BEHIND] = behind

    @property
    def owes(self) -> bool:
        return bool(self._said[_OWES]) or self.waits

    @owes.setter
    def owes(self, owes: bool) -> None:
        self._said[_OWES] = owes

    @property
    def stopping(self) -> bool:
        return bool(self._said[_STOPPING])

    @stopping.setter
    def stopping(self, stopping: bool) -> None:
        self._said[_STOPPING] = stopping

    def begin(self, offset: int, messages: int) -> None:
        """Begin behind a row of the journal, with so many messages ever."""
        self.behind = self.owes = self.stopping = False
        self._said[_GIVEN], self._said[_GIVEN_MESSAGES] = offset, messages
        self.take(offset, messages)

    def give(self, offset: int, messages: int) -> None:
        """Note up to which row the source has given what it has; it goes at once where both are in one process."""
        if self.descriptor is not None:
            self._said[_GIVEN], self._said[_GIVEN_MESSAGES] = offset, messages

    def take(self, offset: int, messages: int) -> None:
        """Note up to which row the sink has taken what was given."""
        self._said[_TAKEN], self._said[_TAKEN_MESSAGES] = offset, messages

    @property
    def taken(self) -> int:
        """Up to which row the sink has taken what was given."""
        return self._said[_TAKEN]

    @property
    def waits(self) -> bool:
        """Whether something was given that the sink has not taken."""
        return self._said[_TAKEN] < self._said[_GIVEN]

    @property
    def full(self) -> bool:
        """Whether the sink must take something before more is given."""
        said = self._said
        return said[_GIVEN] - said[_TAKEN] > MOST_ROWS or said[_GIVEN_MESSAGES] - said[_TAKEN_MESSAGES] > MOST_MESSAGES
