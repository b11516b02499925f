"""What every simulated dialect can do: say what a device measured, and understand what it is told."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from simulator.manner import USUAL, Manner

Value = float | int | bool | str
SWITCHES = {"ON": True, "OFF": False}


@dataclass(frozen=True)
class Outgoing:
    """A message for the broker."""

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False


@dataclass(frozen=True)
class Heard:
    """What a command asks: on or off, the other way round, or only a report."""

    on: bool | None = None
    toggle: bool = False


class Dialect(ABC):
    """One device's tongue. Pure: no network and no clock; times are epoch ns, handed in.

    The attributes of the class say what its convention has. What it has no words for, a device leaves out of its reports.
    """

    metrics: ClassVar[frozenset[str] | None] = None
    """The vocabulary's metrics that it has words for; None where any name will do."""
    needs: ClassVar[frozenset[str]] = frozenset()
    """Metrics without which it has nothing to say."""
    stamped: bool = False
    """Whether its reports carry their time, so that a clock that is wrong shows."""
    labelled: ClassVar[bool] = False
    """Whether it has a place for labels that readings get."""
    discovers: ClassVar[bool] = False
    """Whether it describes itself in messages that it can also do without."""
    wills: ClassVar[bool] = False
    """Whether it says that it is there and leaves a last will, by its convention or when it is asked to."""
    bare: ClassVar[bool] = False
    """Whether a payload is a value alone: what is cut off it leaves another value, and no damage that anybody could see."""
    obeys: ClassVar[bool] = True
    """Whether it has commands."""

    def __init__(self, name: str, manner: Manner = USUAL) -> None:
        self.connection = name
        """Names the MQTT connection that it speaks over: devices behind one bridge share one, and with it one last will."""
        self.called = name
        """What Sluice calls the device."""
        self.manner = manner

    def will(self) -> Outgoing | None:
        """Give what the broker says for the connection once it is lost."""
        return None

    def hello(self) -> list[Outgoing]:
        """Say what a device says when it comes online."""
        return []

    def goodbye(self) -> list[Outgoing]:
        """Say what a device says when it goes in peace; what its connection says last follows."""
        return []

    def parting(self) -> list[Outgoing]:
        """Say what is said for the connection when it ends in peace: what its last will would say, unless there are other words for that."""
        will = self.will()
        return [will] if will else []

    @abstractmethod
    def report(self, values: Mapping[str, Value], *, on: bool | None, at: int) -> list[Outgoing]:
        """Say what was measured, by the vocabulary's metric names, and whether the actuator is on (None for a device without one)."""

    def listens(self) -> list[str]:
        """Name the topic filters of its commands."""
        return []

    def hear(self, topic: str, payload: bytes) -> Heard | None:  # noqa: ARG002  a device without commands hears none
        """Understand a message on one of those topics; None for what such a device would not obey."""
        return None

    def answer(self, values: Mapping[str, Value], *, on: bool, at: int) -> list[Outgoing]:
        """Say what it says right after a command."""
        return self.report(values, on=on, at=at)

    def refuse(self, values: Mapping[str, Value], *, on: bool, at: int) -> list[Outgoing]:
        """Say what it says to a command that it will not obey: its unchanged state, where it has no words for that."""
        return self.answer(values, on=on, at=at)

    def _sayable(self, values: Mapping[str, Value]) -> Mapping[str, Value]:
        """Leave out what it has no words for."""
        if self.metrics is None:
            return values
        return {metric: value for metric, value in values.items() if metric in self.metrics}


def switch(word: str) -> Heard | None:
    """Understand what most devices take for a switch.

    >>> switch("on"), switch("sideways")
    (Heard(on=True, toggle=False), None)
    """
    upper = word.strip().upper()
    if upper == "TOGGLE":
        return Heard(toggle=True)
    return Heard(on=SWITCHES[upper]) if upper in SWITCHES else None


def switched(body: object, key: str = "state") -> Heard | None:
    """Understand a switch's state inside an object, as a word.

    >>> switched({"state": "ON"}), switched({"state": 1}), switched("ON")
    (Heard(on=True, toggle=False), None, None)
    """
    state = body.get(key) if isinstance(body, dict) else None
    return switch(state) if isinstance(state, str) else None


def said(on: bool) -> str:
    """Say a state as most devices do."""
    return "ON" if on else "OFF"


def state(on: bool | None) -> dict[str, Value]:
    """Say an actuator's state as a member of a report; nothing for a device without one.

    >>> state(True), state(None)
    ({'state': 'ON'}, {})
    """
    return {} if on is None else {"state": said(on)}


def text(value: Value) -> str:
    """Say a value alone.

    >>> text(21.5), text(True), text("heating")
    ('21.5', 'true', 'heating')
    """
    if isinstance(value, str):
        return value
    return str(value).lower() if isinstance(value, bool) else repr(value)


def compact(body: Any) -> bytes:
    """Write JSON as small devices do.

    >>> compact({"t": 21.5, "unit": "°C"}).decode()
    '{"t":21.5,"unit":"°C"}'
    """
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()


def parsed(payload: bytes) -> Any:
    """Read JSON; None for what is none."""
    try:
        return json.loads(payload)
    except (ValueError, RecursionError):
        return None
