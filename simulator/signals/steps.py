"""Values that come one after the other."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from gateway.findings import Checked, PositiveDuration
from simulator.signals.part import Moment, Part, Value


def _alike(written: Any) -> Any:
    if isinstance(written, list) and len({isinstance(value, bool) for value in written}) > 1:
        raise ValueError("must be numbers alone, or true and false alone")
    return written


class Steps(Checked):
    """Values that come one after the other, each for `every`, over and over. All true/false makes an on/off signal."""

    values: Annotated[list[bool] | list[float], BeforeValidator(_alike)] = Field(
        min_length=1, description="The values; all true and false make an on/off signal."
    )
    every: PositiveDuration = Field(description="How long each lasts.")

    @property
    def on_off(self) -> bool:
        return isinstance(self.values[0], bool)

    def at(self, moment: Moment) -> float:
        """Give the value at a moment."""
        return self.values[moment.elapsed // self.every % len(self.values)]


class Switching:
    """A part of true and false (steps, or a recording) while it runs: a signal by itself."""

    def __init__(self, part: Part) -> None:
        self._part = part

    def level(self, moment: Moment) -> Value:
        return bool(self._part.at(moment))

    def reading(self, level: Value) -> Value:
        return level

    def state(self) -> None:
        """Give nothing: the time alone says which value it is."""

    def restore(self, state: None) -> None:
        """Go on from a `state()`."""
