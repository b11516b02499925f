"""Dead letters that are read again: which of them have been to good effect, and what becomes of one."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from devices.form import Report
from devices.reading import DeadLetter, Held, Ignored, Outcome, Reading, Refused
from gateway.store.effects import DeadLettered

REMEMBERED = 16_384
"""How many letters are remembered at most, those with the highest ids. The store keeps 10,500, the newest: what is forgotten here, nobody
can ask for any more."""


class Replayed:
    """The ids of letters that were read again and are dead no more. Letters at or below the highest one forgotten count among them.

    >>> replayed = Replayed()
    >>> replayed.add(7)
    >>> 7 in replayed, 8 in replayed
    (True, False)
    """

    def __init__(self, state: tuple[int, list[int]] | None = None) -> None:
        self._forgotten, self._ids = state or (0, [])

    def __contains__(self, letter: int) -> bool:
        place = bisect_left(self._ids, letter)
        return letter <= self._forgotten or (place < len(self._ids) and self._ids[place] == letter)

    def add(self, letter: int) -> None:
        """Remember a letter."""
        self._ids.insert(bisect_left(self._ids, letter), letter)
        if len(self._ids) > REMEMBERED:
            self._forgotten = self._ids.pop(0)

    def snapshot(self) -> tuple[int, list[int]]:
        """Give the memory in plain builtins."""
        return self._forgotten, self._ids


def value_name(value: Reading | Refused) -> str:
    """Name one value of a message, as a dead letter names those that could not be used: by the device and the device's own key."""
    return f"{value.device}/{value.key}"


def only(names: Sequence[str], outcome: Outcome, refused: list[Refused]) -> Outcome:
    """Leave of a message only the values of these names, since its others were taken when it first came; `refused` is cut down likewise."""
    refused[:] = [one for one in refused if value_name(one) in names]
    if isinstance(outcome, Held):  # released later, it would be read as a whole
        return DeadLetter(outcome.reason, outcome.device)
    if isinstance(outcome, Ignored | DeadLetter):
        return outcome
    kept = [reading for reading in outcome if value_name(reading) in names]
    if kept:
        return kept
    reason = "; ".join(one.reason for one in refused) or f"{', '.join(names)}: not among the values that it gives now"
    return DeadLetter(reason[:400], outcome[0].device)


def became(outcome: Report | Outcome, readings: int, rest: DeadLettered | None) -> str:
    """Say what a letter became that is dead no more; `rest` is a new letter with those of its values that still cannot be used."""
    match outcome:
        case Held() | Ignored():
            return f"{type(outcome).__name__.lower()}: {outcome.reason}"
        case _ if not readings:
            return "nothing new: all that it says has been said since"
    given = "1 reading" if readings == 1 else f"{readings:,} readings"
    return f"{given}; the rest is dead letter {rest.id}" if rest else given
