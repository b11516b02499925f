"""The state that a host of a cluster keeps: its share of what all have kept together."""

from __future__ import annotations

import shutil
from pathlib import Path

import structlog
from bytewax.recovery import init_db_dir

from gateway.disk import sync
from gateway.state_file import read_state, write_state

log = structlog.get_logger()

NAME = "cluster.json"
"""In the folder of the recovery data: whose state it is, and its name."""


class KeptState:
    """The recovery data of one member out of so many: one of as many partitions, each on the host of its number.

    They are of use only together. Those that are have one name, which all give them when they begin anew.
    """

    def __init__(self, recovery: Path, member: int, count: int) -> None:
        self._recovery = recovery
        self._part = recovery / f"part-{member}.sqlite3"
        self._whose = {"member": member, "count": count}

    @property
    def name(self) -> str:
        """Its name; "" where there is none, or not one of this cluster."""
        said = read_state(self._recovery / NAME)
        name = said.pop("name", "")
        return name if said == self._whose and self._part.exists() and isinstance(name, str) else ""

    def take(self, name: str) -> None:
        """Go on with the state of this name, or begin anew under it."""
        if name == self.name:
            return
        forget(self._recovery)
        begun = self._recovery.with_name("recovery.begun")
        shutil.rmtree(begun, ignore_errors=True)
        begun.mkdir(parents=True)
        init_db_dir(begun, self._whose["count"])
        for part in begun.glob("part-*.sqlite3"):
            if part.name != self._part.name:
                part.unlink()
        write_state(begun / NAME, {"name": name, **self._whose})
        begun.rename(self._recovery)
        sync(self._recovery)
        sync(self._recovery.parent)


def forget(recovery: Path) -> None:
    """Delete state that is of no use any more: a flow's state is made again from the journal."""
    if recovery.exists():
        log.warning("the flows begin anew with the oldest row of the journal: who shares their work has changed, or has lost its state")
        shutil.rmtree(recovery)
