"""Messages that ended the flows process by themselves: an input of the flows, like the config, so that every run leaves out the same."""

from __future__ import annotations

import json
from pathlib import Path

from gateway.disk import replace

FILE = "poison.json"
WHOLE = -1
"""Stands for the place of a message where a journal row as a whole is meant."""
MOST = 1_000
"""How many are kept, those of the newest rows: older ones lie before every state that the flows can begin from."""


class Poison:
    """Which messages are not to be read, by their row of the journal and their place in it, and why.

    Durable: `add` returns when it is on disk. What cannot be read of the file is taken as nothing.
    """

    def __init__(self, data: Path | None = None) -> None:
        self._path = data / FILE if data else None
        self._known: dict[int, dict[int, str]] = {}
        for offset, place, reason in _read(self._path):
            self._known.setdefault(offset, {})[place] = reason

    def of(self, offset: int) -> dict[int, str]:
        """Give the messages of a row that are not to be read: the reason by the place; `WHOLE` where it is all of them."""
        return self._known.get(offset, {})

    def add(self, offset: int, place: int, reason: str) -> None:
        """Set a message aside for good."""
        self._known.setdefault(offset, {})[place] = reason
        for oldest in sorted(self._known)[:-MOST]:
            del self._known[oldest]
        if self._path:
            known = [[offset, place, why] for offset, row in sorted(self._known.items()) for place, why in sorted(row.items())]
            replace(self._path, json.dumps(known).encode())


def _read(path: Path | None) -> list[tuple[int, int, str]]:
    try:
        known = json.loads(path.read_text()) if path else []
        return [(int(offset), int(place), str(reason)) for offset, place, reason in known]
    except (OSError, ValueError, TypeError):
        return []
