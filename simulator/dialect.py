"""What every simulated dialect can do: say what a device measured, and understand what it is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

Value = float | int | bool
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


class Dialect(Protocol):
    """One device's tongue. Pure: no network and no clock; times are epoch ns, handed in."""

    @property
    def connection(self) -> str:
        """Name the MQTT connection it speaks over: devices behind one bridge share one, and with it one last will."""

    def will(self) -> Outgoing | None:
        """Give what the broker says for the connection once it is lost, and what is said when it ends in peace."""

    def hello(self) -> list[Outgoing]:
        """Say what a device says when it comes online."""

    def goodbye(self) -> list[Outgoing]:
        """Say what a device says when it goes in peace; its connection's last will follows."""

    def report(self, values: Mapping[str, Value], *, on: bool | None, at: int) -> list[Outgoing]:
        """Say what was measured, by the vocabulary's metric names, and whether the actuator is on (None for a device without one)."""

    def listens(self) -> list[str]:
        """Name the topic filters of its commands."""

    def hear(self, topic: str, payload: bytes) -> Heard | None:
        """Understand a message on one of those topics; None for what such a device would not obey."""

    def answer(self, values: Mapping[str, Value], *, on: bool, at: int) -> list[Outgoing]:
        """Say what it says right after a command."""


def switch(word: str) -> Heard | None:
    """Understand what most devices take for a switch.

    >>> switch("on"), switch("sideways")
    (Heard(on=True, toggle=False), None)
    """
    upper = word.strip().upper()
    if upper == "TOGGLE":
        return Heard(toggle=True)
    return Heard(on=SWITCHES[upper]) if upper in SWITCHES else None


def said(on: bool) -> str:
    """Say a state as most devices do."""
    return "ON" if on else "OFF"
