"""Whether the flows are behind: what the source knows, and the sink goes by."""

from __future__ import annotations


class Pace:
    """`behind` is true only while the source has further rows at hand: whoever waits because of it will be called again soon."""

    def __init__(self) -> None:
        self.behind = False
