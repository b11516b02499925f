"""What the dialects of home-made devices have in common: topics below the scenario's root, and a last will only for those who want one."""

from __future__ import annotations

from simulator.dialect import Dialect, Outgoing
from simulator.manner import USUAL, Manner


class Rooted(Dialect):
    """One device on `<root>/<name>`; when it is asked to, it says `online` and `offline`, retained, on `<root>/<name>/availability`."""

    wills = True

    def __init__(self, name: str, manner: Manner = USUAL) -> None:
        super().__init__(name, manner)
        self.topic = f"{manner.root}/{name}"

    def will(self) -> Outgoing | None:
        return self._availability(b"offline") if self.manner.will else None

    def hello(self) -> list[Outgoing]:
        return [self._availability(b"online")] if self.manner.will else []

    def _availability(self, word: bytes) -> Outgoing:
        return Outgoing(f"{self.topic}/availability", word, retain=True)
