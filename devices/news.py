"""What a message gave besides readings, for whoever drives the catalogue: to be taken after each message."""

from __future__ import annotations

from devices.reading import Ask, Refused
from devices.sequences import Sequences


class News:
    """What has come up in the last message.

    `readdressed` are devices that are commanded in another way now, or called so, `asks` commands that would teach more, `born` streams whose
    held messages can be read, `retyped` devices of whose values it was learned what they are. Gaps in sequence numbers are in
    `sequences.missed`, by device; `refused` are the values that were left out of the last message.
    """

    def __init__(self, sequences: dict[str, list[int]] | None = None) -> None:
        self.sequences = Sequences({} if sequences is None else sequences)
        self.readdressed: set[str] = set()
        self.asks: list[Ask] = []
        self.born: set[str] = set()
        self.retyped: set[str] = set()
        self.refused: list[Refused] = []

    def forget(self) -> None:
        """Begin anew, with the next message."""
        if self.readdressed or self.asks or self.born or self.retyped or self.refused or self.sequences.missed:
            self.readdressed.clear()
            self.asks.clear()
            self.born.clear()
            self.retyped.clear()
            self.refused.clear()
            self.sequences.missed.clear()
