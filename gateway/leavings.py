"""What waits at the broker for hosts that a cluster has no more: it is taken in, and their sessions are ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from time import sleep

import msgspec
import structlog

from gateway.disk import replace
from gateway.journal.journal import Journal
from gateway.link.link import Link
from gateway.state_file import read_state, write_state

log = structlog.get_logger()

FILE = "members.json"
"""Into how many the hosts of the first one's cluster were told: a file in its data folder."""
_LOOK = 0.1
"""Seconds between looks whether all is taken in."""

MakeLink = Callable[[int, Path, int], Link]
"""Makes a link for a member that is gone, with a file of what it holds, and a session that outlives its connection for so many ns."""


class Leavings:
    """The sessions of members with numbers from `count` on. Without them a broker would go on to deal out their share of the messages.

    Delivery guarantee: a session is ended when what waited in it is in the journal.
    """

    def __init__(self, data: Path, count: int) -> None:
        """Look how many members there were, now that there are `count`."""
        self._file = data / FILE
        self._held = data / "leavings.json"
        self._count = count
        self.members = range(count, int(read_state(self._file).get("count", count)))

    def take_in(self, make: MakeLink, journal: Journal, shared: Sequence[str], expiry: int, beat: Callable[[], bool]) -> None:
        """Take in what waits, member by member, and have no more of the `shared` subscriptions dealt out to them.

        `beat` is called in each turn, and tells whether to go on; where it says no, the rest is done at the next start.
        """
        for member in self.members:
            # First all that waits, then an end: a session that ends with its connection would take the rest along.
            for lasts in (expiry, 0):
                replace(self._held, msgspec.json.encode([(topic, 1) for topic in shared]))
                link = make(member, self._held, lasts)
                link.start()
                while (on := beat()) and not journal.live:
                    sleep(_LOOK)
                link.stop()
                journal.live = False
                if not on:
                    return
            log.info("what waited for a host that is gone is taken in", member=member)
        self._held.unlink(missing_ok=True)
        self.note()

    def note(self) -> None:
        """Remember how many members there are, now that nothing is left of others."""
        if self.members or self._count > 1:
            write_state(self._file, {"count": self._count})
