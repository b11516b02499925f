"""Interlocks: what an actuator is protected from, whoever commands it; and which commands switch one on or off."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from devices import vocabulary
from devices.durations import Seconds
from devices.reading import Value

SWITCHES: Final = frozenset(vocabulary.words("state switch relay output valve pump fan light heater alarm"))
"""Metrics of which a number says on (anything but 0) or off (0); that of others, such as a brightness that outlives `off`, says neither."""


class Interlocks(BaseModel):
    """Durations are in seconds. What is left out is not asked for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    min_on: Seconds | None = Field(default=None, description="How long it stays on at least, once it is on.")
    min_off: Seconds | None = Field(default=None, description="How long it stays off at least, once it is off.")
    max_per_hour: Annotated[int, Field(ge=1)] | None = Field(default=None, description="How many commands it is sent in an hour at most.")
    never_with: list[Annotated[str, Field(min_length=1)]] = Field(
        default_factory=list, description="Devices that are never on together with it; it holds for them too."
    )


NO_INTERLOCKS: Final = Interlocks()


class Switch(NamedTuple):
    """What a command switches: the setting, and to what."""

    setting: str
    on: bool


def switch(settings: Mapping[str, Any]) -> Switch | None:
    """Return what settings switch on or off: the first that says so; None where none does.

    >>> switch({"brightness": 40, "state": "OFF"}), switch({"valve": 30}), switch({"setpoint": 21, "fan_mode": "off"})
    (Switch(setting='state', on=False), Switch(setting='valve', on=True), None)
    """
    for setting, value in settings.items():
        truth = says_on(setting.partition("/")[0], value)
        if truth is not None:
            return Switch(setting, truth)
    return None


def says_on(metric: str, value: Value) -> bool | None:
    """Return whether a value says that something is on; None where it says neither.

    >>> says_on("state", "ON"), says_on("pump", 0), says_on("brightness", 120), says_on("mode", "off")
    (True, False, None, None)
    """
    if isinstance(value, str):
        value = vocabulary.spoken(metric, value)
    if isinstance(value, bool):
        return value
    return value != 0 if isinstance(value, int | float) and vocabulary.word(metric) in SWITCHES else None
