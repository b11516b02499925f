"""What the config as it is now makes of a dead letter, as far as can be told beside the flows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from devices.catalogue import Catalogue
from devices.kinds import KINDS
from devices.profile import Profile
from devices.reading import Message
from gateway.decode import answer
from gateway.journal.row import Flag
from gateway.store.reader import StoreReader
from gateway.store.views import Letter


def judge(letter: Letter, profiles: Sequence[Profile], reader: StoreReader) -> dict[str, Any]:
    """Give what a letter says now, as `sluice decode` prints it; of one with `keys`, only those values.

    Which kind of values a series holds is taken from the store. What else devices have taught (births, discovery) lives with the flows.
    """
    learned = {"kinds": _kinds(reader, letter.device)} if letter.device else None
    message = Message(letter.topic, letter.payload, letter.received, bool(letter.flags & Flag.RETAINED))
    said = answer(Catalogue(profiles, learned), message)
    if not letter.keys or not said.get("readings"):
        return said
    readings = [one for one in said["readings"] if f"{one['device']}/{one['key']}" in letter.keys]
    if readings:
        return {**said, "readings": readings}
    return {"dead_letter": "; ".join(said.get("refused", ())) or f"{', '.join(letter.keys)}: not among the values that it gives now"}


def _kinds(reader: StoreReader, device: str) -> dict[str, dict[str, str]]:
    names = {(f"{one.metric}/{one.channel}" if one.channel else one.metric): KINDS[type(one.value)] for one in reader.series(device)}
    return {device: dict(names)} if names else {}
