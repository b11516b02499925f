"""What one journal row means for one shard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from devices.reading import Reading
from gateway.store.effects import Group


class Looked(NamedTuple):
    """Stands for the group of a reading that a flow only looks up: the names, and the group whose they are (None: every group's)."""

    names: tuple[str, ...]
    group: Group | None


Item = tuple[str, Group | Looked, Reading]
"""A flow, the group that wants the reading, and the reading."""


class Slice(NamedTuple):
    """Readings by flow and group, or nothing but time (`tick`): once a second of the journal's clock, the shards one after the other.

    `at` is the row's receive time and `clock` the journal's clock, both ns. `live` is false for a broker's backlog. `flush` asks for the
    counters. `late` is flow and device of readings that are only to be counted. `offset` is the row's. `since`, of a backlog, is from
    when on what it holds may be (epoch ns; 0: nobody knows). `gone` are devices that have been silent for so long that they are forgotten.
    `ahead` is by how much the true time may be ahead of `at` (ns; see `JournalClock`).
    """

    shard: int
    at: int
    clock: int
    live: bool
    tick: bool
    flush: bool = False
    items: Sequence[Item] = ()
    late: Sequence[tuple[str, str]] = ()
    offset: int = 0
    since: int = 0
    gone: Sequence[str] = ()
    ahead: int = 0
