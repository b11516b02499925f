"""How the flows keep up: what the source and the sink go by."""

from __future__ import annotations

LINGER = 0.05
"""Seconds that what nobody waits for waits for others at most, before it is committed with them."""


class Pace:
    """What the source and the sink know of each other.

    `behind` is true only while the source has further rows at hand: whoever waits because of it will be called again soon. `owes` says that the
    sink has more to write, and wants to be called again when nothing else is to be done.
    """

    def __init__(self) -> None:
        self.behind = self.owes = False
