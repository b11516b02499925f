"""Damaged messages against dead letters: what cannot be read is the gateway's to notice, and no flow's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from devices.topics import matches
from gateway.store.views import Letter
from gateway.truth.evidence import Evidence
from gateway.truth.fault import Fault

LETTER_KINDS = ("malformed", "truncated")
"""The kinds of faults that make dead letters."""


@dataclass
class DamageScore:
    """A kind of damage: how many faults, the messages that they damaged, and those of them that are kept as dead letters."""

    faults: int = 0
    sent: int = 0
    dead_lettered: int = 0

    @property
    def recall(self) -> float | None:
        """The share of damaged messages that are dead letters; None where there were none."""
        return self.dead_lettered / self.sent if self.sent else None


def damage(faults: Sequence[Fault], evidence: Evidence, *, grace: int) -> dict[str, DamageScore]:
    """Count damaged messages and the dead letters of them, by kind; letters that have been replayed since count too.

    A letter belongs to the first fault of its device (or topic) in whose time it came, up to `grace` (ns) later, and which has not as many
    letters as messages yet: none counts twice. Where nobody counted a fault's messages, they are its letters, or one if it has none.
    """
    found: dict[str, DamageScore] = {}
    left = sorted(evidence.letters, key=lambda letter: letter.received)
    for fault in faults:
        within = evidence.since <= fault.start and fault.end + grace <= evidence.until
        if fault.kind not in LETTER_KINDS or not fault.touched or not within:
            continue
        own = [letter for letter in left if _is_of(letter, fault, grace)][: fault.messages]
        taken = {letter.id for letter in own}
        left = [letter for letter in left if letter.id not in taken]
        kind = found.setdefault(fault.kind, DamageScore())
        kind.faults += 1
        kind.sent += max(1, len(own)) if fault.messages is None else fault.messages
        kind.dead_lettered += len(own)
    return dict(sorted(found.items()))


def _is_of(letter: Letter, fault: Fault, grace: int) -> bool:
    if not fault.start <= letter.received <= fault.end + grace:
        return False
    return letter.device == fault.device or (fault.topic is not None and matches(fault.topic, letter.topic))
