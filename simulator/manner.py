"""How a device is asked to speak: what a scenario says of it beyond its name and its convention."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from simulator.timestamps import Timestamps


@dataclass(frozen=True)
class Manner:
    """What a dialect may be asked for; each heeds what it has a place for.

    `root` is the first level of topics that a convention leaves to the user, `offset` what a clock that shows local time is beyond UTC,
    in minutes. `will` is whether the device says that it is there, and leaves a last will for when it is lost: None is as the convention
    has it, False neither. `discovery` is whether it describes itself where its convention can do without.
    """

    root: str = "sim"
    timestamps: Timestamps = "iso"
    offset: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)
    will: bool | None = None
    discovery: bool = True


USUAL: Final = Manner()
"""As its convention has it."""
