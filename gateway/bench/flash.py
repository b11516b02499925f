"""What a message costs the disk at a trickle, a stream and a flood, with everything that is written beside it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from gateway.bench.stand import Stand

_SAYS_SOMETHING_EVERY = 10
"""Seconds, at which a device that has nothing else to do says something: so there are fewer of them at a trickle."""
_TEACHING = 100
"""Messages a second, at least, while each device says something for the first time, which is not counted."""


@dataclass(frozen=True)
class Flash:
    """Bytes that each process gave to the disk for a message: the gateway the journal, the flows the store and their snapshots."""

    rate: int
    messages: int
    written: dict[str, float] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        return asdict(self)


def flash(folder: Path, *, rate: int, seconds: float) -> Flash:
    """Measure it over so many seconds, ticks included. Raises StuckError."""
    with Stand(folder) as stand:
        stand.start_gateway()
        devices = min(1000, rate * _SAYS_SOMETHING_EVERY)
        stand.teach(devices, rate=max(rate, _TEACHING))
        before = stand.taken()
        sent = int(stand.read(stand.load(qos=1, seconds=seconds, devices=devices, rate=rate))["sent"])
        after = stand.taken()
    parts = {name: round(after[name].since(before[name]).written / sent, 1) for name in ("gateway", "flows")}
    return Flash(rate, sent, parts)
