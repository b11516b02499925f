"""Flows that failed on what they were given: how often, why, and whether they still take readings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.store.outcomes import group_text
from gateway.store.reader import StoreReader


def failures_document(reader: StoreReader, flows: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, Any]]:
    """Give each flow that ever failed, with its newest failure; `flows` are the ledger's terms by flow.

    `set_aside`: some of its groups take no more readings, since they only failed. `at` is the journal's time, epoch ns.
    """
    newest = {one.flow: one for one in reader.failures()}
    aside = reader.flows_set_aside()
    found: dict[str, dict[str, Any]] = {}
    for name in sorted({*newest, *aside}):
        found[name] = {"readings": flows.get(name, {}).get("failed", 0), "set_aside": name in aside}
        if one := newest.get(name):
            found[name] |= {"reason": one.reason, "group": group_text(one.group), "device": one.device, "at": one.at}
    return found
