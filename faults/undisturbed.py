"""A run that nothing disturbed: the journal read once from its start by the same logic, to hold what was really decided against."""

from __future__ import annotations

from pathlib import Path

from devices.profile import Profile
from flows.backtest import replay
from flows.normaliser import Normaliser
from flows.spec import load_flows
from gateway.findings import load_folder
from gateway.journal.stretch import Stretch
from gateway.store.effects import AlertChanged, CommandRequested, WindowClosed
from gateway.store.reader import StoreReader

_DECISIONS = WindowClosed | AlertChanged | CommandRequested


def difference(config: Path, data: Path) -> str:
    """Say where the store's decisions differ from an undisturbed run's, in what they are or in their order; "" where they are the same."""
    flows = load_flows(config)
    normaliser = Normaliser(flows, load_folder(config / "devices", Profile, root=config))
    decided = [one for one in replay(flows, normaliser, Stretch(data / "journal" / "0")) if isinstance(one, _DECISIONS)]
    with StoreReader(data / "store.db") as store:
        kept = [one for _, one in store.effects_after(0, 100_000_000) if isinstance(one, _DECISIONS)]
    for number, (wanted, got) in enumerate(zip(decided, kept, strict=False)):
        if wanted != got:
            return f"decision {number} must be {wanted}; got {got}"
    return "" if len(decided) == len(kept) else f"{len(decided)} decisions must be there; got {len(kept)}"
