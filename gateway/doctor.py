"""The doctor: what is wrong with a data folder, or with what runs on it, in sentences that name the stage and the device."""

from __future__ import annotations

from pathlib import Path
from time import monotonic, sleep

from gateway.ledger import Ledger, balance, stuck
from gateway.status import GATEWAY_STATE, deliveries, read_books, read_ledger, read_state, read_up
from gateway.store.schema import StoreError

_PATIENCE = 10.0
"""Seconds that a reading may take from one stage to the next before it is missed: ticks come at least that often while anything is open."""


def examine(data: Path) -> list[str]:
    """Give every complaint; an empty list where all is well."""
    if not data.is_dir():
        return [f"{data}: there is no such data folder: nothing has run here"]
    up = read_up(data)
    try:
        ledger = read_ledger(data, at_rest=up is None)
    except StoreError as error:
        return [str(error)]
    complaints = list(ledger.flaws)
    if up is None:
        return complaints
    state = read_state(data / GATEWAY_STATE)
    if state.get("link") != "connected":
        complaints.append(f"link: {state.get('link', 'not started')}")
    for name, delivery in deliveries(data).items():
        if delivery.get("error"):
            complaints.append(f"delivery to {name}: {delivery['error']}")
    return complaints + _stuck(data, ledger)


def _stuck(data: Path, before: Ledger) -> list[str]:
    """Look again until everything passed on at the first look has been taken, or patience ends."""
    give_up = monotonic() + _PATIENCE
    while True:
        missing = stuck(before, balance(read_books(data, at_rest=False)))
        if not missing or monotonic() > give_up:
            return missing
        sleep(0.2)
