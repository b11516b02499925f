"""Readings that flows derived, as they come back out of the journal: from here on they are readings like any other."""

from __future__ import annotations

from typing import Final

import msgspec

from devices.reading import Message, Reading
from gateway.store.effects import Derived

OURS: Final = "sluice"
"""The convention that stands at a derived reading, and the first level of every topic that no device's message is taken from."""


def reading(derived: Derived, received: int) -> Reading:
    """Give the reading. It has a time of its own, as from a device that states it: so that it counts once, however often it is journalled."""
    return Reading(
        device=derived.device,
        metric=derived.metric,
        channel=derived.channel,
        key=derived.metric,
        value=derived.value,
        unit=derived.unit,
        raw_value=derived.value,
        raw_unit=derived.unit,
        ts=derived.ts,
        received=received,
        time_source="device",
        convention=OURS,
        labels=derived.labels,
    )


def message(derived: Derived, received: int) -> Message:
    """Give the message that stands for a derived reading that cannot be used, among dead letters; read again, it is ignored."""
    return Message(f"{OURS}/derived/{derived.flow}", msgspec.json.encode(derived), received)
