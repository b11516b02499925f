"""What is kept of a configuration of Home Assistant's discovery, in plain builtins, and what was kept of one that goes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from devices import vocabulary
from devices.conventions.home_assistant_discovery import Facet


class Config(msgspec.Struct):
    """A configuration as it is being learned: whose it is, and what is to be dropped when it goes."""

    topic: str
    identity: str
    about: dict[str, str]
    topics: list[list[str]] = []
    commands: list[list[str]] = []
    noted: list[str] = []
    claims: dict[str, dict[str, str]] = {}

    def record(self) -> dict[str, Any]:
        """Return what is kept of it, in plain builtins."""
        return {"topics": self.topics, "commands": self.commands, "noted": self.noted, "devices": list(self.claims)}


class Forgotten(msgspec.Struct):
    """What a configuration had taught: facets by topic and path, commands by device and name, the devices and topics that it named."""

    facets: dict[tuple[str, str], Any]
    commands: dict[tuple[str, str], Any]
    devices: set[str]
    topics: set[str]


def known_of(facet: Facet) -> dict[str, Any]:
    """Return what a state topic carries, in plain builtins."""
    known: dict[str, Any] = {}
    if facet.unit:
        known["unit"] = vocabulary.unit_named(facet.unit) or facet.unit
    if facet.metric:
        known["metric"] = facet.metric
    if facet.on_off:
        known["words"] = {facet.on_off[0]: True, facet.on_off[1]: False}
    if facet.is_text:
        known["text"] = True
    return known


def words_of(facet: Facet, about: dict[str, str]) -> dict[str, Any]:
    """Return the labels of an entity's readings, and what is said of its device (`about`), as far as there are any."""
    own = {"name": facet.name, "device_class": facet.device_class}
    labels = {**about, **{name: word for name, word in own.items() if word}}
    return ({"labels": labels} if labels else {}) | ({"about": about} if about else {})


def kind_of(known: Mapping[str, Any]) -> tuple[Any, Any]:
    """Return what of a facet decides the type of its readings."""
    return known.get("words"), known.get("text")
