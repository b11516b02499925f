"""A replay asked for by a person: put into the mailbox, and followed until the flows have read every letter again."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import monotonic, sleep

from gateway.journal.bell import Bell
from gateway.journal.row import Entry, Flag, Replay
from gateway.letters.mailbox import MAILBOX, Mailbox
from gateway.status import read_up
from gateway.store.reader import StoreReader
from gateway.store.views import Letter

PATIENCE = 60.0
"""Seconds without any letter read again, after which nobody waits any longer; what was asked for stays asked for."""
_LOOK = 0.02


def refusal(letter: Letter) -> str | None:
    """Say why a letter cannot be read again; None where it can be."""
    if letter.flags & Flag.OVERSIZE:
        return (
            f"dead letter {letter.id}: only the first {len(letter.payload):,} bytes of its payload were kept, so it cannot be read again;"
            " raise limits.payload, and let the device send it again"
        )
    return None


def ask(data: Path, letters: Sequence[Letter]) -> None:
    """Put letters into the mailbox and wake the gateway, if there is one; durable when this returns."""
    mailbox, bell = Mailbox(data / MAILBOX), Bell(data / "store.bell")
    try:
        mailbox.put(Replay(one.id, Entry(one.topic, one.payload, 0, one.flags), one.received, one.keys) for one in letters)
        bell.ring()
    finally:
        mailbox.close()
        bell.close()


def follow(data: Path, reader: StoreReader, asked: Sequence[Letter]) -> Iterator[Letter]:
    """Give each letter as it stands once it has been read again; ends early where no `sluice up` runs (any more), or nothing moves."""
    waiting = deque(asked)
    give_up = monotonic() + PATIENCE
    while waiting and read_up(data) is not None and monotonic() < give_up:
        before = waiting[0]
        now = reader.dead_letter(before.id)
        if now is not None and now.state == "dead" and now.tried == before.tried:
            sleep(_LOOK)
            continue
        give_up = monotonic() + PATIENCE
        waiting.popleft()
        if now is not None:  # else newer letters have taken its place in the store meanwhile
            yield now
